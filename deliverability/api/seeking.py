"""A time window found in a sorted plain file without reading it all.

Two bisections on the times of lines.  The file must show that it is sorted: probes all over it, and every line
around the edges that were found, must stand in order; where one does not, or has no time, the file is read from end
to end.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from deliverability.api.scan import SAMPLE, Part
from deliverability.api.times import DISORDER, MAX_HEAD, in_order, stamp
from deliverability.capture.files import LogFile
from deliverability.capture.sources import Reader, plain
from deliverability.correlate import TimeHints, resolve_times
from deliverability.correlate.clock import resolve_one
from deliverability.errors import CannotLookError
from deliverability.evidence.event import DeliveryEvent, LogTime
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.log_format import LogFormat

WORTHWHILE = 4 << 20  # octets; a smaller file is read before its edges are found
PROBES = 64  # places all over the file that must stand in order
AROUND = 256 << 10  # octets before and after an edge of which every line must stand in order
MAX_TRIES = 16  # lines without a time that are passed over to find one with
BEFORE = timedelta(hours=2)
"""How much earlier than the window the looking begins: disorder, an id's clock that is off."""
AFTER = timedelta(days=1)
"""How much later it ends: a message of the window whose recipient is first named when it is tried."""
UNKNOWN_ZONE = timedelta(hours=26)
"""More on both sides where the lines state no zone."""

Clock = Callable[[LogTime], datetime | None]


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """When the messages that are meant arrived."""

    since: datetime | None
    until: datetime | None
    after: timedelta = AFTER
    """How long after it lines may stand by which they are found."""


def parts_of(
    files: tuple[LogFile, ...], window: TimeWindow, hints: TimeHints, formats: tuple[LogFormat, ...]
) -> dict[LogFile, Part]:
    """The part of each file that a window reaches, for the files that are known to be sorted."""
    if window.since is None and window.until is None:
        return {}
    found = {file: _part(file, window, hints, formats) for file in files}
    return {file: part for file, part in found.items() if part}


def _part(file: LogFile, window: TimeWindow, hints: TimeHints, formats: tuple[LogFormat, ...]) -> Part | None:
    since, until = window.since, window.until and window.until + window.after
    try:
        with _sorted(file, hints, formats) as lines:
            if lines is None:
                return None
            begin = lines.around(since - BEFORE - lines.slack)[0] if since else 0
            stop = max(begin, lines.around(until + DISORDER + lines.slack)[1]) if until else lines.size
            if (begin, stop) == (0, lines.size) or not all(lines.in_order_around(at) for at in (begin, stop)):
                return None
            before, after = lines.head_before(begin), lines.head(stop) if stop < lines.size else b""
            return Part(begin, stop if stop < lines.size else None, before, after)
    except CannotLookError:
        return None  # the reading itself will say what is wrong


@contextmanager
def _sorted(file: LogFile, hints: TimeHints, formats: tuple[LogFormat, ...]) -> Iterator["_Lines | None"]:
    with plain(file) as reader:
        if reader is None or reader.size < WORTHWHILE:
            yield None
            return
        clock, slack = _clock(file, reader, hints, formats)
        lines = _Lines(reader, clock, slack)
        yield lines if lines.looks_sorted() else None


def _clock(file: LogFile, reader: Reader, hints: TimeHints, formats: tuple[LogFormat, ...]) -> tuple[Clock, timedelta]:
    """What turns a line's time into an instant, as correlation would, and how far that may be off."""
    events = _sample(file, reader, 0, formats) + _sample(file, reader, max(reader.size - SAMPLE, 0), formats)
    resolved = resolve_times(events, hints)
    stated = all(event.at.offset is not None for event in events) or hints.zone is not None
    return lambda at: resolve_one(at, file.path, hints, resolved).instant, timedelta() if stated else UNKNOWN_ZONE


def _sample(file: LogFile, reader: Reader, at: int, formats: tuple[LogFormat, ...]) -> list[DeliveryEvent]:
    content = reader.read(at, SAMPLE)
    start = content.find(b"\n") + 1 if at else 0
    lines = []
    for raw in content[start:].split(b"\n")[:-1]:
        lines.append(LogLine(Place(file.log, file.path, 1, at + start), raw))
        start += len(raw) + 1
    return [event for fmt in formats for event in fmt.parse(lines)]


@dataclass(slots=True)
class _Lines:
    """A file as times of lines."""

    reader: Reader
    clock: Clock
    slack: timedelta

    @property
    def size(self) -> int:
        return self.reader.size

    def looks_sorted(self) -> bool:
        probes = [self._at(self.size * n // PROBES) for n in range(PROBES)]
        known = [time for _, time in probes if time]
        return len(known) == len(probes) and in_order(known)

    def head(self, start: int) -> bytes:
        """The beginning of the line that starts at ``start``."""
        return self.reader.read(start, MAX_HEAD)

    def head_before(self, start: int) -> bytes:
        """The beginning of the line before the one that starts at ``start``."""
        content = self.reader.read(max(start - AROUND, 0), min(AROUND, start))
        return content[content.rfind(b"\n", 0, max(len(content) - 1, 0)) + 1 :][:MAX_HEAD] if content else b""

    def around(self, when: datetime) -> tuple[int, int]:
        """Where two lines start between which the first line stands that is not earlier than ``when``."""
        low, high = 0, self.size
        while high - low > AROUND:
            middle = (low + high) // 2
            start, time = self._at(middle)
            if time is None or start >= high or time >= when:
                high = middle
            else:
                low = start
        return low, self.size if high == self.size else max(low, self._at(high)[0])

    def _at(self, offset: int) -> tuple[int, datetime | None]:
        """The first line after ``offset`` that has a time."""
        content = self.reader.read(offset, AROUND)
        at = content.find(b"\n") + 1 if offset else 0
        if offset and not at:  # inside of a line without end
            return self.size, None
        for _ in range(MAX_TRIES):
            time = self._time(content[at : at + MAX_HEAD])
            following = content.find(b"\n", at) + 1
            if time or not following:
                return offset + at, time
            at = following
        return offset + at, None

    def _time(self, head: bytes) -> datetime | None:
        at = stamp(head)
        return self.clock(at) if at else None

    def in_order_around(self, offset: int) -> bool:
        """Whether every line around ``offset`` stands in order: wall-clock times, as they were written."""
        content = self.reader.read(max(offset - AROUND, 0), 2 * AROUND)
        stamps = [at for line in content.split(b"\n")[1:-1] if (at := stamp(line[:MAX_HEAD]))]
        times = [self.clock(at) for at in stamps]
        known = [time for time in times if time]
        return len(known) == len(times) and in_order(known)
