"""Find the log lines of a message without parsing every line of the archive.

A first pass looks for the needle (an address, a Message-ID, a queue id) in the raw bytes and takes the queue ids
of its lines; further passes take the lines of those ids, until no new id turns up.  What is found is a superset:
``correlate`` decides what belongs to whom.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from deliverability import plugins
from deliverability.api import progress
from deliverability.api.first_pass import FirstPass
from deliverability.api.halves import first_pass, in_one, middle_of
from deliverability.api.ids import Finder, finder
from deliverability.api.scan import FileScan, Part
from deliverability.api.surroundings import SESSION_REACH, session_before, whole_entry
from deliverability.api.unheard import joined, unheard
from deliverability.capture import aside
from deliverability.capture.blocks import MAX_LINE, Window, windows
from deliverability.capture.files import LogFile
from deliverability.capture.sources import plain
from deliverability.errors import CannotLookError
from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols import idclock

MAX_PASSES = 8  # requeue of a requeue of a re-injection … more hops than any mail makes
MAX_IDS = 20_000  # messages to one address; past it the caller must narrow the question
MAX_PASTED = 200  # lines that somebody may have copied from a page
MAX_LINES = 400_000  # found lines; refusals at submission have no id to count
CLOCK_SLACK = timedelta(days=1)  # between an id's clock and the log's
ENDS = frozenset({Action.REMOVED, Action.CANCELLED})

_HANDED_ON = re.compile(rb"[ ,]status=|\bC=\"|\bstat=")


@dataclass(slots=True)
class Found:
    """Events of the lines that were found, and what each file is."""

    scans: list[FileScan]
    events: list[DeliveryEvent]
    too_many: bool = False
    """A limit was reached: the events tell of some messages only in part, and of others not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """How to look."""

    known_ids: Iterable[str] = ()
    keep: Callable[[str], bool] = lambda _id: True
    """Ids that it refuses are not followed."""
    parts: Mapping[LogFile, Part] | None = None
    """What a time window reaches of a file; files that are not named are looked through from end to end."""
    accept: Callable[[Sequence[LogFormat], LogLine], bool] | None = None
    """Whether a line with a needle is one that was meant."""
    everything: bool = False
    """Every line that names an id is meant, whatever the needles."""


def load_formats() -> tuple[LogFormat, ...]:
    """All log formats; a broken one is skipped here and shown by the contract tests."""
    return tuple(f for _, f in plugins.load_all("ingest") if isinstance(f, LogFormat))


def search(
    files: Sequence[LogFile],
    needles: Callable[[LogFormat], Iterable[bytes]],
    known_ids: Iterable[str] = (),
    keep: Callable[[str], bool] = lambda _id: True,
) -> Found:
    """All events on lines that hold a needle, or belong to a queue id of such a line.

    ``needles`` gives the lower-case byte strings to look for in a log of that format; ids that ``keep`` refuses are
    not followed.
    """
    return look(files, needles, Looking(known_ids=known_ids, keep=keep))


def look(files: Sequence[LogFile], needles: Callable[[LogFormat], Iterable[bytes]], how: Looking) -> Found:
    """:func:`search` with all that can be said about how."""
    every = load_formats()
    search_ = _Search(how, frozenset(word for fmt in every for word in needles(fmt)))
    parts = how.parts or {}
    scans: list[FileScan] = []
    for file in files:

        def make(part: Part | None, file: LogFile = file) -> FirstPass:
            return FirstPass(file, every, needles, part, everything=how.everything)

        if file in parts:
            scan, lines = in_one(make(parts[file]))
        else:
            scan, lines = first_pass(file, make, MAX_LINES + 1)
        scans.append(scan)
        search_.take(scan, lines if how.accept is None else _accepted(scan, lines, how.accept))
    searched: set[str] = set()
    for _ in range(MAX_PASSES):
        fresh = {i: since for i, since in search_.ids.items() if i not in searched}
        if not fresh or search_.too_many:
            break
        searched |= fresh.keys()
        leads = fresh.keys() & search_.leads
        for scan in scans:
            search_.take(scan, _lines_of(scan, fresh, leads))
        searched -= leads - search_.leads  # they turned out to be ids of ours
    return Found(scans, [] if search_.too_many else search_.events(scans), search_.too_many)


def _accepted(
    scan: FileScan, lines: Iterable[LogLine], accept: Callable[[Sequence[LogFormat], LogLine], bool]
) -> Iterator[LogLine]:
    return (line for line in lines if accept(scan.formats, line))


class _Search:
    """The lines found so far, each once, and the ids that they name."""

    def __init__(self, how: Looking, words: frozenset[bytes]) -> None:
        self._keep, self._words = how.keep, words
        self.ids: dict[str, datetime | None] = dict.fromkeys(how.known_ids)
        """Each with the time before which no line can name it, where its clock or its message's tells one."""
        self.leads: set[str] = set()
        """Those that only another server's reply told."""
        self._lines: dict[tuple[str, str], dict[int, LogLine]] = {}
        self._count = 0

    @property
    def too_many(self) -> bool:
        return len(self.ids) > MAX_IDS or self._count > MAX_LINES

    def take(self, scan: FileScan, lines: Iterable[LogLine]) -> None:
        """Keep lines, but those of a message that is not to be followed: half of it would be told wrongly."""
        known = self._lines.setdefault((scan.file.log, scan.file.path), {})
        for line in lines:
            if line.place.offset not in known:
                # A line's own id comes first, what it links to after it.
                ids = [i for f in scan.formats for i in f.queue_ids(line.raw)]
                if ids and not self._keep(ids[0]):
                    continue
                known[line.place.offset] = line
                self._count += 1
                self._note_ids(ids, line.raw)
            if self.too_many:
                return

    def _note_ids(self, ids: Sequence[str], raw: bytes) -> None:
        if not ids:
            return
        own = clock_of(ids[0])
        handed_on = len(ids) > 1 and _HANDED_ON.search(raw) is not None
        for i in ids:
            if i == ids[0] or not handed_on:
                self.leads.discard(i)
            if i in self.ids or not self._keep(i):
                continue
            since = clock_of(i)
            # The next hop took the message in after this one did; what its own clock says is its own word.
            if i != ids[0] and own and (handed_on or (since and since > own)):
                since = own
            self.ids[i] = since
            if i != ids[0] and handed_on:
                self.leads.add(i)

    def events(self, scans: Sequence[FileScan]) -> list[DeliveryEvent]:
        """Events of the found lines: files in the order given, lines in the order written."""
        events: list[DeliveryEvent] = []
        for scan in scans:
            found = self._lines[scan.file.log, scan.file.path]
            lines = scan.numbered([found[offset] for offset in sorted(found)])
            heard = [event for fmt in scan.formats for event in fmt.parse(lines)]
            events += heard
            scan.unheard = list(unheard(scan.formats, lines, heard, self._words))
            if (
                scan.lines <= MAX_PASTED
            ):  # of a log itself no line is asked: a stranger's words may hold what looks like one
                known = {line.place.offset for line in scan.unheard}
                scan.unheard += (line for line in joined(lines) if line.place.offset not in known)
        return events


def clock_of(queue_id: str) -> datetime | None:
    """When our own mail server made the id, where it tells."""
    return idclock.postfix_long(queue_id) or idclock.exim(queue_id)


def _lines_of(scan: FileScan, ids: Mapping[str, datetime | None], leads: Collection[str] = ()) -> Iterator[LogLine]:
    """Lines that name one of ``ids``, each with the session lines of its process just before it.

    The second half of a large file is looked through by a child, as in the first pass.
    """
    if not scan.formats:
        return
    part = scan.part or Part(0, None)
    begin = max(part.begin, _beginning(scan, ids.values()))
    find = finder(ids.keys() - leads, leads)
    child = None
    try:
        middle = middle_of(scan, begin)
        if middle is not None:
            child = aside.start(lambda: list(islice(_lines_between(scan, find, middle, None), MAX_LINES + 1)))
        yield from _lines_between(scan, find, begin, middle)
        if child is not None and middle is not None:
            rest = child.result()
            yield from _lines_between(scan, find, middle, None) if rest is None else rest
    except CannotLookError as problem:
        scan.damaged = scan.damaged or str(problem)  # rotated between two passes
    finally:
        if child is not None:
            child.abandon()


def _lines_between(scan: FileScan, find: Finder, begin: int, stop: int | None) -> Iterator[LogLine]:
    """The lines that ``find`` finds in a part of a file, and in what a time window is followed to beyond its end."""
    window_end = scan.part.stop if scan.part else None
    octets, ends = begin, _Ends(scan.formats)
    for window in windows(scan.file, SESSION_REACH, scan.marks, _start(scan.file, begin), stop):
        block = window.block
        if block.following <= begin:
            continue
        if window_end is not None and block.offset >= window_end and not ends.awaited:
            return
        for line in _named(window, find(block.raw, block.end)):
            if window_end is not None:
                ends.note(line)
            yield line
        octets += block.end
        progress.tell(scan.file.path, octets)


def _start(file: LogFile, begin: int) -> int:
    """Where reading starts: what is decoded is decoded from its beginning, whatever is to be seen of it."""
    if not begin:
        return 0
    with plain(file) as reader:
        return begin if reader else 0


def _named(window: Window, places: Iterable[int]) -> Iterator[LogLine]:
    following = 0
    for place in places:
        at = window.start + place
        if at < following:
            continue
        start = window.start_of(at)
        _, following = window.line(start)
        if at - start < MAX_LINE:
            yield from session_before(window, start)
            yield from whole_entry(window, start)


class _Ends:
    """Which of the messages that were met have not left the queue yet: their lines go on after a time window."""

    def __init__(self, formats: Sequence[LogFormat]) -> None:
        self._formats = formats
        self.awaited: set[str] = set()

    def note(self, line: LogLine) -> None:
        for fmt in self._formats:
            for event in fmt.parse([line]):
                if event.queue_id and event.action in ENDS:
                    self.awaited.discard(event.queue_id)
                elif event.queue_id:
                    self.awaited.add(event.queue_id)


def _beginning(scan: FileScan, earliest: Iterable[datetime | None]) -> int:
    """An offset before which no line can name ids that were made at those times, or 0."""
    times = scan.times()
    known = list(earliest)
    if times is None or None in known:
        return 0
    first = max(bisect_left(times, min(at for at in known if at) - CLOCK_SLACK) - 1, 0)
    begin = first
    while begin and scan.edges[first].offset - scan.edges[begin].offset < SESSION_REACH:
        begin -= 1
    return scan.edges[begin].offset
