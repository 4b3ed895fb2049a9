"""Where new years begin in logs whose lines state none: such a file may be older than its date, and span several years."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

from deliverability.api.holes import NEW_YEAR, SMALL
from deliverability.api.scan import FileScan
from deliverability.api.times import MAX_HEAD, stamp
from deliverability.capture.blocks import blocks, plain
from deliverability.correlate import TimeHints
from deliverability.correlate.clock import Years
from deliverability.errors import CannotLookError
from deliverability.evidence.event import LogTime

MONTH = timedelta(days=31)  # that far a time goes back within a block at a turn of the year
_MONTH = 3  # octets of a line's date that name its month
_AFTER_PRIORITY = 6  # octets within which a syslog priority ends: ``<22>``


def with_years(hints: TimeHints, scans: Iterable[FileScan]) -> TimeHints:
    """The hints, with what the order of each file's own lines tells of their years."""
    found = {scan.file.path: years for scan in scans if (years := _years(scan)) is not None}
    return replace(hints, years={**hints.years, **found}) if found else hints


def _years(scan: FileScan) -> Years | None:
    """``None`` where the lines state their years, or not all of the file was looked through."""
    if scan.part is not None or not scan.edges or not _lacks_years(scan.edges[0].first):
        return None
    passed, turns, before = 0, [], None
    try:
        for offset, at in _times(scan):
            step = at.local - (before or at.local)
            if abs(step) > NEW_YEAR:
                # Lines of two years may stand beside each other in any order for a moment.
                passed += 1 if step < -NEW_YEAR else -1
                turns.append((offset, passed))
            before = at.local
    except CannotLookError:
        return None  # rotated meanwhile
    return Years(before, tuple(turns)) if before else None


def _lacks_years(head: bytes) -> bool:
    at = stamp(head)
    return at is not None and not at.has_year and at.instant is None


def _times(scan: FileScan) -> Iterator[tuple[int, LogTime]]:
    """Times without a year, and where their lines start: wherever the month changes, as far as that is looked for."""
    for offset, head in _small(scan) if scan.size <= SMALL and not scan.file.kept else _large(scan):
        at = stamp(head)
        if at and not at.has_year and at.instant is None:
            yield offset, at


def _small(scan: FileScan) -> Iterator[tuple[int, bytes]]:
    """Of a file all of whose lines are looked at, and its last one."""
    for block in blocks(scan.file):
        yield from _changes(block.content, block.offset)


def _large(scan: FileScan) -> Iterator[tuple[int, bytes]]:
    """Of its blocks, and of those whose end is before their beginning all lines."""
    with plain(scan.file) as reader:
        for n, edge in enumerate(scan.edges):
            first, last = stamp(edge.first), stamp(edge.last)
            end = scan.edges[n + 1].offset if n + 1 < len(scan.edges) else scan.size
            yield edge.offset, edge.first
            if reader and first and last and last.local < first.local - MONTH:
                yield from _changes(reader.read(edge.offset, end - edge.offset), edge.offset)
            yield end - 1, edge.last


def _changes(content: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    """The lines whose month is not that of the line before, and the last one."""
    month, last = b"", (offset, b"")
    for line in content.split(b"\n"):
        begins = line.find(b">", 0, _AFTER_PRIORITY) + 1
        if line:
            last = offset, line[:MAX_HEAD]
        if line and line[begins : begins + _MONTH] != month:
            month = line[begins : begins + _MONTH]
            yield last
        offset += len(line) + 1
    if last[1]:
        yield last
