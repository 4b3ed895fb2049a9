"""Lines of large logs are counted by the date that they begin with: also where the date changes."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from deliverability.api.archiving import ingest
from deliverability.api.from_archive import read_archive
from deliverability.api.requests import Request
from deliverability.api.scan import FileScan
from deliverability.api.search import search
from deliverability.api.tracing import read_logs
from deliverability.capture.blocks import BLOCK
from deliverability.capture.files import LogFile

LINES = BLOCK // 80
TURN = LINES // 2 + 77
"""The first line after midnight, inside of a block."""
ODD = b"what is this\n"
"""Behind the head of a file, in which such a line is what is left of one that was pasted in two."""


def log(*, iso: bool) -> list[bytes]:
    """Lines of two days, and of every hour of them."""
    found = []
    for number in range(LINES):
        at = datetime(2026, 1, 6) + timedelta(seconds=number - TURN)  # noqa: DTZ001 - a log's own time
        time = f"{at:%Y-%m-%dT%H:%M:%S}.000000+00:00" if iso else f"{at:%b} {at.day:2} {at:%H:%M:%S}"
        found.append(
            f"{time} out1 postfix/qmgr[417]: {number:010X}: removed after {number} seconds, at last\n".encode()
        )
    return found


def scanned(path: Path, lines: list[bytes]) -> FileScan:
    path.write_bytes(b"".join(lines))
    (scan,) = search([LogFile("", str(path), None)], lambda _format: [b"nobody@corp.example"]).scans
    assert scan.size > BLOCK * 3 // 4, "a block that is not read line by line"
    assert scan.lines == len(lines)
    return scan


@pytest.mark.parametrize("iso", [True, False])
def test_where_the_date_changes_every_line_is_read(tmp_path: Path, iso: bool) -> None:
    assert scanned(tmp_path / "mail.log", log(iso=iso)).unread == 0


@pytest.mark.parametrize("iso", [True, False])
@pytest.mark.parametrize("number", [1000, TURN - 500, TURN - 1, TURN, TURN + 1, TURN + 500, LINES - 1])
def test_an_odd_line_is_found_before_and_after_midnight(tmp_path: Path, iso: bool, number: int) -> None:
    lines = log(iso=iso)
    lines.insert(number, ODD)
    scan = scanned(tmp_path / "mail.log", lines)
    assert scan.unread == 1
    assert [(line.raw, line.place.line) for line in scan.unread_lines] == [(ODD.strip(), number + 1)]


LOST = b"imuxsock[pid: 4]: begin to drop messages due to rate-limiting\n"


@pytest.mark.parametrize("head", [b"2026-01-05T22:10:00+00:00 out1 rsyslogd: ", b"Jan  5 22:10:00 out1 rsyslogd: "])
@pytest.mark.parametrize("number", [1000, TURN, LINES - 2000])
def test_what_the_logger_says_is_found_among_lines_that_are_not_its_own(
    tmp_path: Path, head: bytes, number: int
) -> None:
    """Exim's own log, with lines of another file in it."""
    at = (datetime(2026, 1, 5, 20) + timedelta(seconds=n // 10) for n in range(LINES))  # noqa: DTZ001 - a log's own time
    lines = [
        f"{time:%Y-%m-%d %H:%M:%S} 1vcYV9-0000000002z-42Us Completed after {time} seconds\n".encode() for time in at
    ]
    lines *= 2
    assert scanned(tmp_path / "main.log", lines).lost == []
    lines.insert(number, head + LOST)
    scan = scanned(tmp_path / "main.log", lines)
    assert [(line.raw + b"\n", line.place.line) for line in scan.lost] == [(head + LOST, number + 1)]


def test_a_log_of_several_programs_goes_as_far_as_its_last_line(tmp_path: Path) -> None:
    lines = (
        "2026-11-22T05:00:01+00:00 mx1 opendkim[55]: 8DC3BBDEAF: DKIM-Signature field added (s=a, d=hosting.example)",
        "2026-11-22T05:00:02+00:00 mx1 postfix/qmgr[103]: 8DC3BBDEAF: from=<r@hosting.example>, size=1, nrcpt=1 (queue active)",
        "2026-11-27T05:00:01+00:00 mx1 postfix/qmgr[103]: 9DC3BBDEAF: from=<r@hosting.example>, size=1, nrcpt=1 (queue active)",
        "2026-11-28T05:00:01+00:00 mx1 opendkim[55]: 9DC3BBDEAF: DKIM-Signature field added (s=a, d=hosting.example)",
        "2026-11-29T05:00:01+00:00 mx1 postfix/qmgr[103]: 9DC3BBDEAF: removed",
    )
    log = tmp_path / "mail.log"
    log.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    found, _ = read_logs(Request(logs=(str(log),), to=("nobody@x.example",)))
    (covered,) = found.coverage.files
    assert covered.first is not None
    assert covered.last is not None
    assert (covered.first.logged, covered.last.logged) == ("2026-11-22T05:00:01+00:00", "2026-11-29T05:00:01+00:00")
    ingest(Request(logs=(str(log),)), tmp_path / "a.db")
    kept, _ = read_archive(Request(to=("nobody@x.example",)), tmp_path / "a.db")
    assert [(file.first, file.last) for file in kept.coverage.files] == [(covered.first, covered.last)]
