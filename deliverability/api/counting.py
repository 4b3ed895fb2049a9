"""Every attempt that logs report, counted part by part: in this process, or in several over parts of plain files."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deliverability.api import progress
from deliverability.api.attempts import STORES, Job, Result, Task, count, count_all, load
from deliverability.api.log_ends import first_events, last_events
from deliverability.api.noting import Seen, joined
from deliverability.api.scan import SAMPLE, FileScan, Part
from deliverability.api.totals import Whole
from deliverability.capture.blocks import BLOCK, Block, lines_before, plain
from deliverability.capture.files import LogFile, head
from deliverability.correlate import TimeHints, resolve_times
from deliverability.errors import CannotLookError
from deliverability.evidence.log_format import LogFormat

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

PART = 8 << 20  # octets of a plain file that are counted at once
LINE = 64 << 10  # octets in which the end of a line is looked for
AHEAD = 3  # parts for each process that are under way or wait to be put together


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
    job = replace(job, stores=not _by_servers(scans), every=tuple(fmt.id for fmt in every))
    counted = _counted(scans, job, jobs)
    if job.stores and _by_servers(scans):  # a server's lines stood where no head showed them
        counted = _counted(scans, replace(job, stores=False), jobs)
    return counted


def _by_servers(scans: Sequence[FileScan]) -> bool:
    """Whether any log is of a mail server, which reports attempts itself."""
    servers = {fmt for scan in scans for fmt in scan.formats if fmt.id not in STORES}
    return any(fmt.delivery_marks != () for fmt in servers)


def _counted(scans: list[FileScan], job: Job, jobs: int) -> Counted:
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
        _note_ends(scan, sample)
    except CannotLookError as problem:
        scan.damaged = str(problem)
    return scan


def _note_ends(scan: FileScan, sample: bytes) -> None:
    """Events of the first lines, and of the last ones where they can be read without all the others."""
    scan.first = first_events(scan.file, scan.formats, Block(sample, len(sample), 0)) or scan.first
    with plain(scan.file) as reader:
        if reader is None:
            return
        begin = max(reader.size - BLOCK, 0)
        tail = reader.read(begin, BLOCK)
    start = tail.find(b"\n") + 1 if begin else 0
    scan.last = last_events(scan.file, scan.formats, Block(tail[start:], len(tail) - start, begin + start)) or scan.last


def _skipped(scan: FileScan) -> int:
    """How many lines a time window leaves out at the beginning of a file."""
    return lines_before(scan.file, scan.part.begin) if scan.part and scan.part.begin else 0


def _tasks(scan: FileScan, hints: TimeHints) -> Iterator[Task]:
    """The parts of a file, in order."""
    if scan.file.problem and scan.file.content is None:
        return
    like = tuple(resolve_times([*scan.first, *scan.last], hints)[-1:])
    ids = tuple(fmt.id for fmt in scan.formats)
    missing = not scan.first or not scan.last
    begin, stop = (scan.part.begin, scan.part.stop) if scan.part else (0, None)
    try:
        with plain(scan.file) as reader:
            if reader is None:
                yield Task(scan.file, ids, 0, None, like, edges=True)
                return
            last = reader.size if stop is None else min(stop, reader.size)
            while begin < last:
                following = _line_start(reader.read, begin + PART, last)
                yield Task(scan.file, ids, begin, following, like, edges=missing)
                begin = following
    except CannotLookError as problem:
        scan.damaged = str(problem)


def _line_start(read: Callable[[int, int], bytes], at: int, last: int) -> int:
    """Where the first line begins that starts at ``at`` or later."""
    at -= 1
    while at < last:
        piece = read(at, LINE)
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
    yield from _beside(tasks, job, jobs)


def _beside(tasks: Sequence[_Numbered], job: Job, jobs: int) -> Iterator[tuple[_Numbered, Result]]:
    """The same, counted by several processes."""
    from concurrent.futures.process import BrokenProcessPool

    pool = workers(min(jobs, len(tasks)))
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


def workers(most: int) -> "ProcessPoolExecutor":
    """Processes to count in, which end when this one does, however it ends."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_all_start_methods, get_context

    # A fork is quick and shares what is loaded; with other threads about it is not safe.
    forks = "fork" in get_all_start_methods() and threading.active_count() == 1
    context = get_context("fork" if forks else "spawn")
    return ProcessPoolExecutor(most, mp_context=context, initializer=_depend)


def _depend() -> None:
    """In a process beside: leave Ctrl-C to the one that waits for it, and do not outlive that one."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, name="ends with its parent", daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import parent_process

    if parent := parent_process():
        parent.join()
        os._exit(1)


def _describe(scan: FileScan, seen: Seen) -> None:
    """Put what the parts showed into the scan, by which coverage is told."""
    _grow(scan, seen.formats)
    scan.first, scan.last = scan.first or seen.first, scan.last or seen.last
    scan.size, scan.lines, scan.blank = seen.size, seen.lines, seen.blank
    scan.unread = seen.unread if scan.formats or seen.blank else seen.lines
    scan.unread_lines, scan.lost, scan.overlong = seen.unread_lines, seen.lost, seen.overlong
    scan.cut, scan.binary = seen.cut, seen.binary
    scan.damaged = scan.damaged or seen.damaged


def _grow(scan: FileScan, more: Iterable[str]) -> None:
    """Lines of further formats are in a log, and perhaps at its ends."""
    known = len(scan.formats)
    for fmt in load(more):
        scan.read_as(fmt)
    if len(scan.formats) == known:
        return
    try:
        _note_ends(scan, head(scan.file, SAMPLE))
    except CannotLookError as problem:
        scan.damaged = scan.damaged or str(problem)
