"""Lines that are too short for any format are not asked about, and nothing is lost by it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.api import noting
from deliverability.api.first_pass import FirstPass
from deliverability.api.search import load_formats
from deliverability.api.sniffing import SHORTEST, sniffable
from deliverability.capture.blocks import windows
from deliverability.capture.files import LogFile, log_files
from deliverability.evidence.plugin import LogFormat

CASES = sorted((Path(__file__).parents[1] / "cases").rglob("*.log"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_format_knows_a_line_as_short_as_that(path: Path) -> None:
    formats = load_formats()
    begun = {line[: SHORTEST - 1] for line in path.read_bytes().splitlines()}
    assert begun
    assert not [(line, fmt.id) for line in begun for fmt in formats if fmt.is_line(line) or fmt.sniff(line + b"\n")]


def test_short_lines_go_and_others_stay() -> None:
    long = b"2026-11-22 05:31:16 1xV0AV-0000000002z-42Us Completed\n"
    assert sniffable(long * 9) == long * 9
    assert sniffable(b"x\n" * 5000 + long + b"\n" * 5000 + long + b"y\n" * 50 + b"cut") == long * 2 + b"cut"
    assert sniffable(b"x\n" * 5000) == b""
    assert sniffable(b"") == b""


def test_a_file_of_the_shortest_lines_is_counted_whole(tmp_path: Path) -> None:
    asked: list[int] = []
    path = tmp_path / "ones"
    path.write_bytes(b"x\n" * 1_000_000)

    class Counting:
        """Formats that count what they are asked about."""

        def __init__(self, fmt: LogFormat) -> None:
            self._fmt = fmt

        def __getattr__(self, name: str) -> object:
            return getattr(self._fmt, name)

        def sniff(self, sample: bytes) -> float:
            asked.append(sample.count(b"\n"))
            return self._fmt.sniff(sample)

    (file,) = log_files((str(path),))
    formats = [Counting(fmt) for fmt in load_formats()]
    look = FirstPass(file, formats, lambda _: [b"a@b.example"])  # type: ignore[arg-type]
    assert list(look) == []
    assert (look.scan.lines, look.scan.unread) == (1_000_000, 1_000_000)
    assert sum(asked) < 10_000


LINES = [
    b"",
    b" ",
    b"\t\r",
    b"\v\f",
    b"\x85",
    b"\xa0",
    b"x",
    b"a" * 99,
    b"Nov 22 05:31:12 out1 app[1]: y",
    b" Nov 22 05:31:12 o a: y",
]


@given(st.lists(st.sampled_from(LINES), max_size=40), st.sampled_from([b"", b"\n"]))
def test_lines_of_no_known_form_are_counted_alike_one_by_one_and_all_at_once(lines: list[bytes], end: bytes) -> None:
    file = LogFile("", "-", None, b"\n".join(lines) + end)
    counted = []
    for kept in (1000, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(noting, "MAX_UNREAD_KEPT", kept)
            look = noting.Noting((), ())
            for window in windows(file, 0):
                look.take(window)
            counted.append((look.seen.unread, look.seen.lines, look.seen.blank))
    assert counted[0] == counted[1]


def test_no_line_is_of_two_formats() -> None:
    formats = load_formats()
    files = [path for path in (Path(__file__).parents[1] / "cases").rglob("*") if path.suffix in (".log", "")]
    lines = {line for path in files if path.is_file() for line in path.read_bytes().splitlines()}
    claimed = {line: [fmt.id for fmt in formats if fmt.is_line(line)] for line in lines}
    assert {"exim", "postfix", "rspamd"} <= {one for found in claimed.values() for one in found}
    assert {line: found for line, found in claimed.items() if len(found) > 1} == {}
