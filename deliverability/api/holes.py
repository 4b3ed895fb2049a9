"""Where the lines of a log stop hanging together: clocks set back, long silences, rotations that are not there.

Order is looked at where one block of a file ends and the next begins, and between its first and last lines: enough to
see a clock that was set or a file that was put together, at no cost for a line.  In a small file, where a block may be
days, every line is held against the one before it; of a large log that is kept, some all over each block.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from operator import le
from pathlib import Path

from deliverability.api.scan import Edge, FileScan, Step
from deliverability.api.times import MAX_HEAD, stamp
from deliverability.capture import rotation
from deliverability.capture.blocks import Block, blocks
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
APART = 8 << 10  # octets from one line to the next that is looked at in a large log
_DATE = 10  # octets of a line's time that are the same on one day, or for some hours
# Times to the second, without a zone: what stands behind them tells no order.
_TO_THE_SECOND = re.compile(rb"(?:[A-Z][a-z]{2} [ 0-3]\d|\d{4}-\d\d-\d\d) [0-2]\d:[0-5]\d:[0-5]\d(?= (?![+-]\d{4} ))")


def clock_gaps(scan: FileScan) -> Iterator[Gap]:
    """Places in a file where its time goes back, or where nothing was logged for long."""
    if scan.part is None and len(scan.edges) and scan.size <= SMALL and not scan.damaged:
        for step in islice(_all_steps(scan), MAX_TOLD):
            line = LogLine(Place(scan.file.log, scan.file.path, step.line, step.offset), step.head)
            yield _back(line, step.by, "at this line") if step.by < -BACK else _silence(line, step.by)
        return
    told = 0
    for (where, before), (edge, after) in pairwise(_times(scan)):
        by = _step(before, after)
        if told == MAX_TOLD or by is None:
            continue
        if by < -BACK:
            told += 1
            yield _back(_line(scan, edge), by, "at this line" if edge is not where else "somewhere after this line")
        elif edge is not where and by > SILENCE:
            told += 1
            yield _silence(_line(scan, edge), by)


def _back(line: LogLine | None, by: timedelta, place: str) -> Gap:
    return Gap("clock-back", line, f"the time goes back by {-by} {place}")


def _silence(line: LogLine | None, by: timedelta) -> Gap:
    return Gap("silence", line, f"nothing was logged for {by} before this line")


def _all_steps(scan: FileScan) -> Iterator[Step]:
    """Of a small file; of a kept one what was seen when it was kept, and from one segment to the next."""
    if not scan.file.kept:
        try:
            whole = list(blocks(scan.file))
        except CannotLookError:
            return  # rotated meanwhile: what was read of it stands
        yield from steps(whole)
        return
    known = {step.offset: step for step in scan.steps}
    for before, edge in pairwise(scan.edges):
        ends, begins = stamp(before.last), stamp(edge.first)
        by = _step(ends, begins) if ends and begins else None
        if by is not None and not -BACK <= by <= SILENCE:
            known.setdefault(edge.offset, Step(edge.offset, edge.line + 1, edge.first, by))
    yield from (known[offset] for offset in sorted(known))


def steps(whole: Iterable[Block]) -> Iterator[Step]:
    """Where the time steps back or far ahead from one line to the next."""
    last, before = b"", None
    for block in whole:
        lines = block.content.split(b"\n")
        if not lines[-1]:  # behind the last line end
            lines.pop()
        beginnings = _beginnings(lines)
        ordered = _are_ordered(beginnings)
        at, offset = 0, block.offset
        while at < len(lines):
            head, following = lines[at][:MAX_HEAD], at + 1
            # Lines of one day that do not go back are not looked at any closer.
            if head[:_DATE] != last[:_DATE] or beginnings[at] < last[: len(beginnings[at])]:
                told = stamp(head)
                before = before or (stamp(last) if last else None)
                by = _step(before, told) if before and told else None
                if by is not None and not -BACK <= by <= SILENCE:
                    yield Step(offset, block.line + following, head, by)
                last, before = (head, told) if told else (last, before)
            else:
                last, before = head, None
            if ordered and last == head:
                following = bisect_right(lines, head[:_DATE], lo=following, key=_date)
                if following > at + 1:
                    last, before = lines[following - 1][:MAX_HEAD], None
            offset += sum(map(len, lines[at:following])) + following - at
            at = following


def steps_in_large(block: Block) -> Iterator[Step]:
    """As :func:`steps` of a block of a large log, whose lines are not each looked at where some all over it go on."""
    lines = list(_here_and_there(block.content))
    return iter(()) if _are_ordered(_beginnings(lines)) and _soon_after(lines[0], lines[-1]) else steps([block])


def _here_and_there(content: bytes) -> Iterator[bytes]:
    """How some lines all over a text begin, the first and the last among them."""
    at, end = 0, len(content)
    while at < end:
        yield content[at : at + MAX_HEAD]
        at = content.find(b"\n", at + APART, end) + 1 or end
    last = content.rfind(b"\n", 0, max(end - 1, 0)) + 1
    yield content[last : last + MAX_HEAD]


def _beginnings(lines: Sequence[bytes]) -> list[bytes]:
    """As much of lines as is in order where their times are: many have the same time, without a fraction of a second."""
    time = _TO_THE_SECOND.match(lines[0]) if lines else None
    return [raw[: time.end() if time else MAX_HEAD] for raw in lines]


def _are_ordered(beginnings: Sequence[bytes]) -> bool:
    """Whether none goes back: found without a look at each."""
    return all(map(le, beginnings, islice(beginnings, 1, None)))


def _soon_after(first: bytes, last: bytes) -> bool:
    """Whether so little time is from one line to a later one that no silence can be between them."""
    if first[:_DATE] == last[:_DATE]:
        return True
    before, after = stamp(first), stamp(last)
    by = _step(before, after) if before and after else None
    return by is not None and -BACK <= by <= SILENCE


def _date(raw: bytes) -> bytes:
    return raw[:_DATE]


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
