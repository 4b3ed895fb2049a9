"""Following a log with something before each line, as ``kubectl logs -f`` and ``docker logs -f -t`` give it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deliverability.capture.decoders.pasted import is_log_line
from deliverability.capture.peeling import MAX_HELD, Peeled
from deliverability.evidence.exhibit import LogLine, Place

LOG = Path(__file__).parents[2] / "examples" / "postfix" / "mail.log"
PLAIN = LOG.read_bytes().splitlines()
AT = b"2026-11-22T05:01:39.123456789Z "
PREFIXES = {
    "docker logs -t": AT,
    "docker compose logs": b"mail-1  | ",
    "kubectl logs --prefix": b"[pod/mail-0/postfix] ",
    "kubectl logs --prefix --timestamps": b"[pod/mail-0/postfix] " + AT,
    "CRI": AT + b"stdout F ",
    "a mail": b"> ",
}


class Growing:
    """Lines that come a few at a time."""

    def __init__(self, *looks: list[bytes]) -> None:
        self._looks = list(looks)

    @property
    def ended(self) -> bool:
        return not self._looks

    def lines(self) -> Iterator[LogLine]:
        for raw in self._looks.pop(0) if self._looks else []:
            yield LogLine(Place("", "-", 1, 0), raw)

    def last(self) -> Iterator[LogLine]:
        yield from ()

    def close(self) -> None:
        """Nothing is held."""


def peeled(*looks: list[bytes]) -> list[list[bytes]]:
    source = Peeled(Growing(*looks))
    return [[line.raw for line in source.lines()] for _ in looks]


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_what_stands_before_each_line_goes(prefix: bytes) -> None:
    given = [prefix + line for line in PLAIN[:50]]
    assert peeled(given[:1], given[1:3], given[3:20], given[20:]) == [[], PLAIN[:3], PLAIN[3:20], PLAIN[20:50]]
    assert peeled([b"Attaching to mail-1", b""], given) == [[b"Attaching to mail-1", b""], PLAIN[:50]]
    assert peeled(given[:2]) == [given[:2]]  # too little to tell


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_a_plain_log_is_never_held_back_nor_changed(prefix: bytes) -> None:
    given = [PLAIN[0], *(prefix + line for line in PLAIN[1:50])]
    assert peeled(given[:1], given[1:]) == [given[:1], given[1:]]


def test_headers_that_a_reject_log_quotes_never_become_log_lines() -> None:
    forged = [b"  Subject: " + line for line in PLAIN[:9]]
    assert peeled(forged, [b"1:" + line for line in PLAIN[:9]]) == [forged, [b"1:" + line for line in PLAIN[:9]]]


def test_what_tail_writes_between_files_is_no_line_of_a_log() -> None:
    given = [b"==> mail.log <==", PLAIN[0], b"", b"==> mail.log.1 <==", PLAIN[1]]
    assert peeled(given) == [given]


def test_lines_that_never_agree_are_told_in_the_end() -> None:
    given = [b"1:" + PLAIN[0], *[b"words"] * (MAX_HELD + 5)]
    assert peeled(given, [b"1:" + line for line in PLAIN[:5]]) == [given, [b"1:" + line for line in PLAIN[:5]]]
    assert not is_log_line(given[0])


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_on_the_command_line(prefix: bytes) -> None:
    command = [sys.executable, "-m", "deliverability", "trace", "--follow", "--log", "-", "--to", "ada.wu@gmail.com"]
    given = b"".join(prefix + line + b"\n" for line in PLAIN)
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    plain = subprocess.run(command, input=LOG.read_bytes(), capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, plain.stdout)
    assert b"to=ada.wu@gmail.com" in plain.stdout
