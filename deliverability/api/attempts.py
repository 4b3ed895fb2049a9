"""Every attempt that a part of a log reports, counted as its blocks are read."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from deliverability import plugins
from deliverability.api import progress
from deliverability.api.line_clock import Clock
from deliverability.api.log_ends import first_events, last_events
from deliverability.api.noting import Noting, Seen, joined
from deliverability.api.scan import SAMPLE
from deliverability.api.tallies import Tally
from deliverability.api.tallying import Counter
from deliverability.capture.blocks import Block, Window, windows
from deliverability.capture.files import LogFile, head
from deliverability.correlate import TimeHints, resolve_times
from deliverability.errors import CannotLookError
from deliverability.evidence.attempted import Lean
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import Action, DeliveryEvent, TimeBasis
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols.lean import by_marks, lean_of

MANY = 150_000  # attempts after which a part of any other file is handed on
CLOCK_LINES = 64  # lines of a part that tell its zone
ARRIVED = {"exim": b" <= ", "postfix": b": client="}
"""Of formats whose lines may state no zone, while their ids have a clock: what stands in each arrival."""
STORES = frozenset({"dovecot"})
"""Formats of mail stores: what they file was handed to them by a mail server, whose log counts it already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What every part is counted by."""

    own: Own
    hints: TimeHints
    since: datetime | None = None
    until: datetime | None = None
    stores: bool = True
    """Whether the lines of mail stores count."""
    every: tuple[str, ...] = ()
    """Ids of the formats that a line may be of, whatever the head of its file shows."""


@dataclass(frozen=True, slots=True)
class Task:
    """A part of a file, from one line start to another."""

    file: LogFile
    formats: tuple[str, ...]
    begin: int = 0
    stop: int | None = None
    like: tuple[DeliveryEvent, ...] = ()
    edges: bool = False
    """Whether the events of its first and its last lines are to be told: nothing shows them before it is read."""


Result = tuple[list[Tally], Seen]
Reader = Callable[[bytes, int], Iterator[Lean]]
"""Turns blocks, in order, into the attempts that their whole lines before some place report."""


def load(ids: Iterable[str]) -> tuple[LogFormat, ...]:
    """Formats by their ids."""
    return tuple(plugins.load("ingest", one) for one in ids)


def count(task: Task, job: Job) -> Iterator[tuple[Tally, Seen]]:
    """Count one part of a file: a tally with what was seen, and for a long part several."""
    formats = load(task.formats)
    noting = Noting(formats, load(job.every))
    counter: Counter | None = None
    readers: list[Reader] = []
    slow: list[LogFormat] = []
    first, ends = not task.edges, deque[Block]((), 2)
    try:
        for window in windows(task.file, SAMPLE if task.begin else 0, None, task.begin, task.stop):
            block = window.block
            ends.appendleft(block)
            found = noting.take(window)
            if counter is None:
                counter = _counter(task, job, noting.formats, window)
                sample = head(task.file, SAMPLE) if any(fmt.deliveries for fmt in formats) else b""
                found = {**dict.fromkeys(formats, sample), **found}
            _add_readers(found, job, readers, slow)
            _begin(readers, window, task)
            counter.begin(_arrivals(noting.formats, task.file, block, job.hints))
            for reader in readers:
                counter.take(reader(block.raw, block.end), block.raw, block.offset, block.line)
                noting.note_unheard(window, _unheard(reader))
            for fmt in slow:
                _take_slowly(counter, fmt, window)
            if not first:
                noting.seen.first = first_events(task.file, noting.formats, block)
                first = bool(noting.seen.first)
            if task.stop is None:
                progress.tell(task.file.path, block.following)
            if counter.tally.attempts >= MANY:
                yield counter.renew(), noting.renew()
    except CannotLookError as problem:
        noting.seen.damaged = str(problem)
    noting.seen.last = _last(task, noting.formats, ends)
    yield (counter.renew() if counter else Tally()), noting.renew()


def _last(task: Task, formats: Sequence[LogFormat], ends: Iterable[Block]) -> list[DeliveryEvent]:
    """The last events of a part, if they are asked for: of its last block, else of the one before; it may be half a line."""
    found = (last_events(task.file, formats, block) for block in ends if task.edges)
    return next(filter(None, found), [])


def _arrivals(formats: Iterable[LogFormat], file: LogFile, block: Block, hints: TimeHints) -> list[DeliveryEvent]:
    """The first and the last message that a block shows to arrive, where its own id tells the zone of the line."""
    found: list[DeliveryEvent] = []
    for fmt in formats:
        mark = ARRIVED.get(fmt.id)
        if not mark:
            continue
        for at in {block.raw.find(mark, 0, block.end), block.raw.rfind(mark, 0, block.end)}:
            start, end = block.raw.rfind(b"\n", 0, max(at, 0)) + 1, block.raw.find(b"\n", max(at, 0), block.end)
            if at < 0 or end < 0:
                continue
            line = LogLine(Place(file.log, file.path, 1, block.offset + start), block.raw[start:end])
            events = [event for event in fmt.parse([line]) if event.action is Action.ARRIVED and not event.at.instant]
            found += [event for event in resolve_times(events, hints) if event.at.zone_from is TimeBasis.QUEUE_ID]
    return found


def _begin(readers: Iterable[Reader], window: Window, task: Task) -> None:
    """Have readers know the sessions that were begun before a part; what they tell there is another part's."""
    if not task.begin or window.block.offset != task.begin:
        return
    before = window.content[: window.start]
    for reader in readers:
        for _ in reader(before, len(before)):
            pass
        _unheard(reader)


def _unheard(reader: Reader) -> list[int]:
    """Where lines start that tell of an attempt and could not be read, since the last time."""
    noted: set[int] | None = getattr(reader, "unheard", None)
    found = sorted(noted or ())
    if noted:
        noted.clear()
    return found


def count_all(task: Task, job: Job) -> Result:
    """:func:`count`, as one value that goes from process to process."""
    tallies, seen = [], Seen()
    for tally, more in count(task, job):
        tallies.append(tally)
        seen = joined(seen, more)
    return tallies, seen


def _counter(task: Task, job: Job, formats: Sequence[LogFormat], window: Window) -> Counter:
    """A counter whose clock knows the zone that the first lines of the part tell."""
    block, at = window.block, 0
    lines: list[LogLine] = []
    while at < block.end and len(lines) < CLOCK_LINES:
        end = block.raw.find(b"\n", at, block.end)
        end = end if end >= 0 else block.end
        place = Place(task.file.log, task.file.path, len(lines) + 1, block.offset + at)
        lines.append(LogLine(place, block.raw[at:end]))
        at = end + 1

    def like() -> tuple[DeliveryEvent, ...]:
        events = [event for fmt in formats for event in fmt.parse(lines)]
        return (*resolve_times(events, job.hints), *task.like)

    return Counter(job.own, Clock(task.file.path, job.hints, like), job.since, job.until)


def _add_readers(found: Mapping[LogFormat, bytes], job: Job, readers: list[Reader], slow: list[LogFormat]) -> None:
    """Quick readers for formats, each with lines that show it, and those that have none for this file."""
    for fmt, sample in found.items():
        if fmt.id in STORES and not job.stores:
            continue
        quick = fmt.deliveries(sample) if fmt.deliveries else None
        if quick is not None:
            readers.append(quick)
        elif fmt.delivery_marks is None:
            slow.append(fmt)
        elif fmt.delivery_marks:
            readers.append(by_marks(fmt.parse, fmt.delivery_marks))


def _take_slowly(counter: Counter, fmt: LogFormat, window: Window) -> None:
    """All lines of a block through the full parser; an entry of several lines is read as far as the block goes."""
    block, at = window.block, 0
    lines: list[LogLine] = []
    content = block.content
    while at < len(content):
        end = content.find(b"\n", at)
        stop = end if end >= 0 else len(content)
        lines.append(LogLine(Place("", "", len(lines) + 1, at), content[at:stop].removesuffix(b"\r"), end < 0))
        at = stop + 1
    leans = (lean for event in fmt.parse(lines) if (lean := lean_of(event, event.line.place.offset)))
    counter.take(leans, content, block.offset, block.line)
