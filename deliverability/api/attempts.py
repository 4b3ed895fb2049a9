"""Every attempt that logs report, counted part by part: in this process, or in several over parts of plain files."""

import io
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from datetime import datetime
from multiprocessing import get_all_start_methods, get_context

from deliverability import plugins
from deliverability.api import progress
from deliverability.api.scan import MAX_NOTED, MAX_UNREAD_KEPT, MAX_UNREAD_SHOWN, SAMPLE, FileScan, Part
from deliverability.api.tallying import Clock, Counter, Tally, Whole
from deliverability.capture.blocks import Block, Window, lines_before, plain, windows
from deliverability.capture.files import LogFile, head
from deliverability.correlate import TimeHints, resolve_times
from deliverability.errors import CannotLookError
from deliverability.evidence.attempted import Lean
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.plugin import LogFormat
from deliverability.protocols import syslog
from deliverability.protocols.lean import by_marks, lean_of

PART = 8 << 20  # octets of a plain file that are counted at once
MANY = 150_000  # attempts after which a part of any other file is handed on
CLOCK_LINES = 64  # lines of a part that tell its zone
AHEAD = 3  # parts for each process that are under way or wait to be put together
STORES = frozenset({"dovecot"})
"""Formats of mail stores: what they file was handed to them by a mail server, whose log counts it already."""

_DATED = re.compile(rb"(?:\d{4}-\d\d-\d\d[T ]|(?:\d{4} )?[A-Z][a-z]{2} [ \d]\d )")
_LOST_WORDS = (b"rate-limit", b"uppressed ", b"drop messages")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What every part is counted by."""

    own: Own
    hints: TimeHints
    since: datetime | None = None
    until: datetime | None = None
    stores: bool = True
    """Whether the lines of mail stores count."""


@dataclass(frozen=True, slots=True)
class Task:
    """A part of a file, from one line start to another."""

    file: LogFile
    formats: tuple[str, ...]
    begin: int = 0
    stop: int | None = None
    like: tuple[DeliveryEvent, ...] = ()


@dataclass(slots=True)
class Seen:
    """What the lines of a part showed beside attempts."""

    size: int = 0
    lines: int = 0
    unread: int = 0
    blank: bool = True
    unread_lines: list[LogLine] = field(default_factory=list)
    lost: list[LogLine] = field(default_factory=list)
    overlong: list[LogLine] = field(default_factory=list)
    cut: LogLine | None = None
    binary: LogLine | None = None
    damaged: str | None = None


Result = tuple[list[Tally], Seen]


def load(ids: Iterable[str]) -> tuple[LogFormat, ...]:
    """Formats by their ids."""
    return tuple(plugins.load("ingest", one) for one in ids)


# --- one part -------------------------------------------------------------------------------------------------------


def count(task: Task, job: Job) -> Iterator[tuple[Tally, Seen]]:
    """Count one part of a file: a tally with what was seen, and for a long part several."""
    formats = load(task.formats)
    noting = _Noting(formats)
    counter: Counter | None = None
    readers: list[Callable[[bytes], Iterator[Lean]]] = []
    slow: tuple[LogFormat, ...] = ()
    try:
        for window in windows(task.file, 0, None, task.begin, task.stop):
            block = window.block
            if counter is None:
                counter = _counter(task, job, formats, window)
                readers, slow = _readers(task, job, formats)
            noting.take(window)
            for reader in readers:
                counter.take(reader(block.content), block.content, block.offset, block.line)
            for fmt in slow:
                _take_slowly(counter, fmt, window)
            if task.stop is None:
                progress.tell(task.file.path, block.following)
            if counter.tally.attempts >= MANY:
                yield counter.renew(), noting.renew()
    except CannotLookError as problem:
        noting.seen.damaged = str(problem)
    yield (counter.renew() if counter else Tally()), noting.renew()


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
    events = [event for fmt in formats for event in fmt.parse(lines)]
    clock = Clock(task.file.path, job.hints, (*resolve_times(events, job.hints), *task.like))
    return Counter(job.own, clock, job.since, job.until)


def _readers(
    task: Task, job: Job, formats: Sequence[LogFormat]
) -> tuple[list[Callable[[bytes], Iterator[Lean]]], tuple[LogFormat, ...]]:
    """Quick readers, and the formats that have none for this file."""
    counted = [fmt for fmt in formats if job.stores or fmt.id not in STORES]
    readers: list[Callable[[bytes], Iterator[Lean]]] = []
    slow: list[LogFormat] = []
    sample = head(task.file, SAMPLE) if any(fmt.deliveries for fmt in counted) else b""
    for fmt in counted:
        quick = fmt.deliveries(sample) if fmt.deliveries else None
        if quick is not None:
            readers.append(quick)
        elif fmt.delivery_marks is None:
            slow.append(fmt)
        elif fmt.delivery_marks:
            readers.append(by_marks(fmt.parse, fmt.delivery_marks))
    return readers, tuple(slow)


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


class _Noting:
    """Counts the lines of a part, and those of no known form, and notes where the log says that something is missing."""

    def __init__(self, formats: tuple[LogFormat, ...]) -> None:
        self.seen = Seen()
        self._formats = formats
        heads = b"|".join(b"(?:%s)" % one for one in (syslog.HEAD, *(f.head for f in formats if f.head)))
        self._readable = re.compile(rb"(?:%s)" % heads, re.MULTILINE)

    def renew(self) -> Seen:
        """What was seen since the last time."""
        seen, self.seen = self.seen, Seen()
        return seen

    def take(self, window: Window) -> None:
        """Look at one block."""
        block, seen = window.block, self.seen
        raw, end = block.raw, block.end
        ended = raw[end - 1] == 0x0A
        lines = (block.ends if block.ends is not None else block.lines()) + (not ended)
        seen.blank = seen.blank and not raw[: min(end, 4096)].strip() and not block.content.strip()
        seen.size += end + (block.passed_over or 0)
        seen.lines += lines
        if block.passed_over is not None:
            seen.overlong += [window.line(window.start)[0]][: MAX_NOTED - len(seen.overlong)]
        elif not ended:
            seen.cut = window.line(window.start_of(window.end))[0]
        if seen.binary is None:
            nul = raw.find(b"\0", 0, end)
            seen.binary = window.line(window.start_of(window.start + nul))[0] if nul >= 0 else None
        if not self._alike(block, lines):
            self._count_unread(window)
        self._note_lost(window)

    def _alike(self, block: Block, lines: int) -> bool:
        """Whether every line begins with the date of the first, which is a head of a known form, as the last one is."""
        dated = _DATED.match(block.raw)
        if not dated:
            return False
        last = block.raw.rfind(b"\n", 0, block.end - 1) + 1
        ends = (self._readable.match(block.raw, at) for at in (0, last))
        return all(ends) and block.raw.count(b"\n" + dated[0], 0, block.end) + 1 == lines

    def _count_unread(self, window: Window) -> None:
        block, seen, at = window.block, self.seen, 0
        for raw in io.BytesIO(block.content):
            if raw.strip() and not self._is_read(raw.rstrip(b"\r\n")):
                seen.unread += 1
                if len(seen.unread_lines) < MAX_UNREAD_KEPT:
                    line, _ = window.line(window.start + at)
                    seen.unread_lines.append(replace(line, raw=line.raw[:MAX_UNREAD_SHOWN]))
            at += len(raw)

    def _is_read(self, raw: bytes) -> bool:
        return self._readable.match(raw) is not None or any(f.is_line(raw) for f in self._formats)

    def _note_lost(self, window: Window) -> None:
        raw, end, seen = window.block.raw, window.block.end, self.seen
        at = raw.find(b"messages", 0, end)
        while at >= 0 and len(seen.lost) < MAX_NOTED:
            start, stop = raw.rfind(b"\n", 0, at) + 1, raw.find(b"\n", at)
            stop = stop if stop >= 0 else end
            words = raw[start:stop]
            if any(word in words for word in _LOST_WORDS):
                line, _ = window.line(window.start + start)
                said = (event for fmt in self._formats for event in fmt.parse([line]))
                if any(event.action is Action.GAP for event in said):
                    seen.lost.append(line)
            at = raw.find(b"messages", stop, end)


def joined(first: Seen, more: Seen, lines: int = 0) -> Seen:
    """What two parts of one file showed; ``lines`` stand before the second."""

    def moved(found: list[LogLine]) -> list[LogLine]:
        return [_moved(line, lines) for line in found] if lines else found

    return Seen(
        size=first.size + more.size,
        lines=first.lines + more.lines,
        unread=first.unread + more.unread,
        blank=first.blank and more.blank,
        unread_lines=(first.unread_lines + moved(more.unread_lines))[:MAX_UNREAD_KEPT],
        lost=(first.lost + moved(more.lost))[:MAX_NOTED],
        overlong=(first.overlong + moved(more.overlong))[:MAX_NOTED],
        cut=_moved(more.cut, lines) if more.cut else first.cut,
        binary=first.binary or (_moved(more.binary, lines) if more.binary else None),
        damaged=first.damaged or more.damaged,
    )


def _moved(line: LogLine, lines: int) -> LogLine:
    return replace(line, place=replace(line.place, line=line.place.line + lines))


# --- all parts ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Counted:
    """What all logs say together."""

    whole: Whole = field(default_factory=Whole)
    scans: list[FileScan] = field(default_factory=list)


def count_logs(
    files: Sequence[LogFile],
    every: Sequence[LogFormat],
    job: Job,
    *,
    jobs: int = 1,
    parts: dict[LogFile, Part] | None = None,
) -> Counted:
    """Count every attempt in the logs; the result does not depend on ``jobs``, the number of processes."""
    scans = [_recognise(file, every, (parts or {}).get(file)) for file in files]
    servers = {fmt.id for scan in scans for fmt in scan.formats} - STORES
    job = replace(job, stores=not any(load((one,))[0].delivery_marks != () for one in servers))
    tasks = [(at, task) for at, scan in enumerate(scans) for task in _tasks(scan, job.hints)]
    counted = Counted(scans=scans)
    seen: dict[int, Seen] = {}
    skipped = [_skipped(scan) for scan in scans]
    for (at, task), (tallies, more) in _results(tasks, job, jobs):
        before = seen.get(at, Seen())
        for tally in tallies:
            counted.whole.add(tally, task.file.log, task.file.path, skipped[at] + before.lines)
        seen[at] = joined(before, more, skipped[at] + before.lines)
        progress.tell(task.file.path, seen[at].size)
    for at, found in seen.items():
        _describe(scans[at], found)
    return counted


def _recognise(file: LogFile, every: Sequence[LogFormat], part: Part | None) -> FileScan:
    """What a file is, by its head; and its first and last lines, which tell its times."""
    scan = FileScan(file, damaged=file.problem, part=part)
    if file.problem and file.content is None:
        return scan
    try:
        sample = head(file, SAMPLE)
        shares = [(fmt.sniff(sample), fmt) for fmt in every]
        for share, fmt in sorted(shares, key=lambda pair: -pair[0]):
            if share > 0:
                scan.read_as(fmt)
        scan.first = _events(file, scan.formats, sample, 0)
        with plain(file) as reader:
            if reader is not None and reader.size > len(sample):
                begin = max(reader.size - SAMPLE, 0)
                tail = reader.read(begin, SAMPLE)
                whole = tail.find(b"\n") + 1
                scan.last = _events(file, scan.formats, tail[whole:], begin + whole)
            elif reader is not None:
                scan.last = scan.first
    except CannotLookError as problem:
        scan.damaged = str(problem)
    return scan


def _events(file: LogFile, formats: Sequence[LogFormat], content: bytes, offset: int) -> list[DeliveryEvent]:
    lines: list[LogLine] = []
    at = 0
    for raw in content.splitlines(keepends=True)[:4096]:
        if raw.endswith(b"\n"):
            lines.append(LogLine(Place(file.log, file.path, len(lines) + 1, offset + at), raw.rstrip(b"\r\n")))
        at += len(raw)
    return [event for fmt in formats for event in fmt.parse(lines)]


def _skipped(scan: FileScan) -> int:
    """How many lines a time window leaves out at the beginning of a file."""
    return lines_before(scan.file, scan.part.begin) if scan.part and scan.part.begin else 0


def _tasks(scan: FileScan, hints: TimeHints) -> Iterator[Task]:
    """The parts of a file, in order."""
    if scan.file.problem and scan.file.content is None:
        return
    like = tuple(resolve_times([*scan.first, *scan.last], hints)[-1:])
    ids = tuple(fmt.id for fmt in scan.formats)
    begin, stop = (scan.part.begin, scan.part.stop) if scan.part else (0, None)
    try:
        with plain(scan.file) as reader:
            if reader is None:
                yield Task(scan.file, ids, 0, None, like)
                return
            last = reader.size if stop is None else min(stop, reader.size)
            while begin < last:
                following = _line_start(reader.read, begin + PART, last)
                yield Task(scan.file, ids, begin, following, like)
                begin = following
    except CannotLookError as problem:
        scan.damaged = str(problem)


def _line_start(read: Callable[[int, int], bytes], at: int, last: int) -> int:
    """Where the first line begins that starts at ``at`` or later."""
    at -= 1
    while at < last:
        piece = read(at, 1 << 20)
        end = piece.find(b"\n")
        if end >= 0 or not piece:
            return min(at + end + 1, last) if piece else last
        at += len(piece)
    return last


_Numbered = tuple[int, Task]


def _results(tasks: Sequence[_Numbered], job: Job, jobs: int) -> Iterator[tuple[_Numbered, Result]]:
    """What each part says, in the order of the parts."""
    # What an archive's segments lack is noted in this process.
    alone = [task for _, task in tasks if task.file.content is not None or task.file.kept is not None]
    if jobs <= 1 or len(tasks) < 2 or alone:
        for numbered in tasks:
            for tally, seen in count(numbered[1], job):
                yield numbered, ([tally], seen)
        return
    # A fork is quick and shares what is loaded; with other threads about it is not safe.
    forks = "fork" in get_all_start_methods() and threading.active_count() == 1
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=get_context("fork" if forks else "spawn"))
    waiting: deque[tuple[_Numbered, Future[Result]]] = deque()
    coming = iter(tasks)
    try:
        for numbered in coming:
            waiting.append((numbered, pool.submit(count_all, numbered[1], job)))
            if len(waiting) >= jobs * AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    except BrokenProcessPool:
        raise CannotLookError("a process that read the logs was ended from outside; try again with --jobs 1") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _describe(scan: FileScan, seen: Seen) -> None:
    """Put what the parts showed into the scan, by which coverage is told."""
    scan.size, scan.lines, scan.blank = seen.size, seen.lines, seen.blank
    scan.unread = seen.unread if scan.formats or seen.blank else seen.lines
    scan.unread_lines, scan.lost, scan.overlong = seen.unread_lines, seen.lost, seen.overlong
    scan.cut, scan.binary = seen.cut, seen.binary
    scan.damaged = scan.damaged or seen.damaged
