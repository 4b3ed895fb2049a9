"""Where the lines of a log stop hanging together: clocks set back, long silences, rotations that are not there.

Order is looked at where one block of a file ends and the next begins, and between its first and last lines: enough to
see a clock that was set or a file that was put together, at no cost for a line.  In a small file, where a block may be
days, every line is held against the one before it.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path

from deliverability.api.scan import Edge, FileScan
from deliverability.api.times import MAX_HEAD, stamp
from deliverability.capture import rotation
from deliverability.capture.blocks import blocks
from deliverability.correlate import TimeHints
from deliverability.correlate.clock import resolve_one
from deliverability.errors import CannotLookError, printable
from deliverability.evidence.event import LogTime
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.story import FileCoverage, Gap, Hole, SourceCoverage

BACK = timedelta(minutes=5)
"""How far the time of a line may be before that of an earlier one: several programs write at once."""
SILENCE = timedelta(days=1)
"""How long a log may say nothing before that is told."""
NEW_YEAR = timedelta(days=300)
"""A year-less time that goes back this far has begun a new year."""
MAX_TOLD = 10  # in one file
SMALL = 4 << 20  # octets of a file whose lines are all looked at
_DATE = 10  # octets of a line's time that are the same on one day, or for some hours


def clock_gaps(scan: FileScan) -> Iterator[Gap]:
    """Places in a file where its time goes back, or where nothing was logged for long."""
    if scan.part is None and len(scan.edges) and scan.size <= SMALL and not scan.damaged:
        yield from islice(_gaps_inside(scan), MAX_TOLD)
        return
    told = 0
    for (where, before), (edge, after) in pairwise(_times(scan)):
        step = _step(before, after)
        if told == MAX_TOLD or step is None:
            continue
        if step < -BACK:
            told += 1
            place = "at this line" if edge is not where else "somewhere after this line"
            yield Gap("clock-back", _line(scan, edge), f"the time goes back by {-step} {place}")
        elif edge is not where and step > SILENCE:
            told += 1
            yield Gap("silence", _line(scan, edge), f"nothing was logged for {step} before this line")


def _gaps_inside(scan: FileScan) -> Iterator[Gap]:
    """The same, line by line."""
    try:
        whole = [block for block in blocks(scan.file) if block.passed_over is None]
    except CannotLookError:
        return  # rotated meanwhile: what was read of it stands
    last, before = b"", None
    for block in whole:
        offset = block.offset
        for number, raw in enumerate(block.content.split(b"\n"), block.line + 1):
            head = raw[:MAX_HEAD]
            # Lines of one day that do not go back are not looked at any closer.
            if head[:_DATE] != last[:_DATE] or head < last:
                at = stamp(head)
                before = before or (stamp(last) if last else None)
                step = _step(before, at) if before and at else None
                line = LogLine(Place(scan.file.log, scan.file.path, number, offset), head)
                if step is not None and step < -BACK:
                    yield Gap("clock-back", line, f"the time goes back by {-step} at this line")
                elif step is not None and step > SILENCE:
                    yield Gap("silence", line, f"nothing was logged for {step} before this line")
                last, before = (head, at) if at else (last, before)
            else:
                last, before = head, None
            offset += len(raw) + 1


def _times(scan: FileScan) -> Iterator[tuple[Edge, LogTime]]:
    for edge in scan.edges:
        for head in (edge.first, edge.last):
            at = stamp(head)
            if at:
                yield edge, at


def _step(before: LogTime, after: LogTime) -> timedelta | None:
    if before.instant and after.instant:
        return after.instant - before.instant
    if before.has_year != after.has_year:
        return None
    step = after.local - before.local
    return None if not after.has_year and abs(step) > NEW_YEAR else step


def _line(scan: FileScan, edge: Edge) -> LogLine | None:
    if scan.part is not None:
        return None  # its number is not known
    return LogLine(Place(scan.file.log, scan.file.path, edge.line + 1, edge.offset), edge.first)


# --- sources ----------------------------------------------------------------------------------------------------------


def sources_of(
    scans: Sequence[FileScan], files: Sequence[FileCoverage], hints: TimeHints
) -> tuple[SourceCoverage, ...]:
    """Each log with all its rotations: which times are covered, and which are missing."""
    sets: dict[tuple[str, str], list[tuple[FileScan, FileCoverage]]] = {}
    for scan, file in zip(scans, files, strict=True):
        path = Path(scan.file.path)
        base = str(path.with_name(rotation.base_of(path.name))) if path.name else scan.file.path
        sets.setdefault((scan.file.log, base), []).append((scan, file))
    return tuple(_source(log, base, members, hints) for (log, base), members in sets.items())


def _source(log: str, base: str, members: Sequence[tuple[FileScan, FileCoverage]], hints: TimeHints) -> SourceCoverage:
    covered: list[tuple[datetime, datetime]] = []
    missing: list[Hole] = []
    pending: list[Hole] = []
    for scan, file in members:
        last = covered[-1][1] if covered else None
        first = file.first.instant if file.first else None
        end = file.last.instant if file.last else None
        if scan.file.missing:
            pending.append(Hole("missing-rotation", last, None, printable(scan.file.missing)))
        if first is None or end is None:
            if scan.damaged:
                kind = "damaged" if scan.lines else "unreadable"
                pending.append(Hole(kind, last, None, printable(scan.damaged)))
            continue
        silent = last is not None and first - last > SILENCE
        if silent and not pending:
            pending.append(Hole("silence", last, None, f"nothing was logged for {first - last if last else ''}"))
        missing += [Hole(hole.kind, hole.after, first, hole.detail) for hole in pending]
        _extend(covered, first, max(first, end), apart=bool(pending))
        pending = []
        missing += _lost(scan, file, hints)
        if scan.damaged:
            pending.append(Hole("damaged", end, None, printable(scan.damaged)))
    return SourceCoverage(log, base, tuple(covered), tuple(missing + pending))


def _extend(covered: list[tuple[datetime, datetime]], first: datetime, last: datetime, *, apart: bool) -> None:
    if covered and not apart:
        covered[-1] = min(covered[-1][0], first), max(covered[-1][1], last)
    else:
        covered.append((first, last))


def _lost(scan: FileScan, file: FileCoverage, hints: TimeHints) -> Iterator[Hole]:
    """Times at which the logger says that it dropped lines."""
    for line in scan.lost:
        at = stamp(line.raw[:64])
        known = resolve_one(at, scan.file.path, hints, ()) if at else None
        when = known.instant if known else None
        if when is None or file.first is None or file.first.instant is None:
            continue
        yield Hole("rate-limit", when.astimezone(UTC), when.astimezone(UTC), "the log says that lines were lost")
