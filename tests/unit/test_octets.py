"""Large logs are read alike with the libraries that look through them quickly and without."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.protocols import octets

LOGS = Path(__file__).parents[1] / "cases" / "logs"
RUN = (
    "import sys\n"
    "for name in sys.argv.pop(1).split():\n"
    "    sys.modules[name] = None\n"
    "from deliverability.__main__ import main\n"
    "main()\n"
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some blocks of lines: whole ones of other programs, those of a mail server, some that nobody can read."""
    lines = (LOGS / "postfix" / "postfix-3.10.rfc3164.log").read_bytes()
    other = lines.split(b" ", 4)[:4]
    filler = b" ".join([*other, b"systemd[1]: Started a session of messages.\n"]) * 40_000
    strange = b"what is this\n\0\n" + b" ".join([*other, b"rsyslogd: imuxsock lost 12 messages due to rate-limiting\n"])
    path = tmp_path_factory.mktemp("large") / "mail.log"
    path.write_bytes(filler + lines + strange + filler)
    return path


def said(log: Path, without: str, *question: str) -> dict[str, object]:
    asked = ["trace", "--offline", "--log", str(log), "--format", "json", *question]
    done = subprocess.run([sys.executable, "-c", RUN, without, *asked], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1, 3, 4), done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    assert told.pop("made_at")
    told.pop("observations", None)  # they say when nobody looked
    return told


@pytest.mark.parametrize(
    ("question", "without"),
    [
        (("--to", "JO32@corp.example"), ("hyperscan", "stringzilla", "hyperscan stringzilla")),
        (("--to", "nobody@corp.example"), ("hyperscan stringzilla",)),
        (("--to", "c@corp.example", "--all"), ("hyperscan stringzilla",)),
    ],
)
def test_the_same_is_said_without_the_libraries(log: Path, question: tuple[str, ...], without: tuple[str, ...]) -> None:
    told = said(log, "", *question)
    assert "rate-limit" in json.dumps(told["coverage"])
    for missing in without:
        assert said(log, missing, *question) == told


def summary(log: Path, without: str) -> dict[str, object]:
    asked = ["summary", "--log", str(log), "--jobs", "1", "--format", "json", "--now", "2026-11-23T00:00:00Z"]
    done = subprocess.run([sys.executable, "-c", RUN, without, *asked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


def test_the_same_is_counted_without_the_libraries(log: Path, tmp_path: Path) -> None:
    """Lines of another server in the same log too: each kind is known by octets of its own."""
    mixed = tmp_path / "mail.log"
    mixed.write_bytes(log.read_bytes() + (LOGS / "exim" / "4.98-cpanel" / "syslog").read_bytes())
    told = summary(mixed, "")
    assert "rate-limit" in json.dumps(told["coverage"])
    assert "eximhost.example" in json.dumps(told)
    assert told != summary(log, "")
    assert summary(mixed, "stringzilla") == told


def test_short_texts_load_no_library() -> None:
    look = (
        "import sys; from deliverability.protocols import octets; from deliverability.api.needles import Needles\n"
        "text = b'a line\\n' * 99; octets.count(text, b'a', 0, len(text)); list(octets.each_position(text, b'a', 0, 9))\n"
        "Needles([b'line']).find(text, len(text)); print({'hyperscan', 'stringzilla'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_nothing_is_looked_for_without_strings() -> None:
    assert octets.any_of([]) is None


@given(st.binary(min_size=1, max_size=6), st.lists(st.integers(0, 4000), max_size=5), st.integers(0, 3000))
def test_the_last_place_is_found_alike(what: bytes, places: list[int], start: int) -> None:
    content = bytearray(b"." * octets.WORTHWHILE * 2)
    for at in places:
        content[at : at + len(what)] = what
    text = bytes(content)
    assert octets.last(text, what, start, len(text)) == text.rfind(what, start)
    assert octets.last(text, what, start, 2000) == text.rfind(what, start, 2000)
