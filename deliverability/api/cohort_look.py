"""One look through the logs for many notices: the lines of all of their messages, by the queue ids that name them.

Large plain files are looked through in two halves, the second in a child process, both for what was asked and for the
ids that were found.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from deliverability.api import progress
from deliverability.api.first_pass import LARGE, FirstPass
from deliverability.api.halves import first_pass, in_one
from deliverability.api.ids import Finder
from deliverability.api.many_ids import many_ids
from deliverability.api.nearby import Found, Nearby
from deliverability.api.scan import FileScan, Part, events_of
from deliverability.api.search import MAX_PASSES, clock_of
from deliverability.api.surroundings import SESSION_REACH
from deliverability.api.unheard import unheard
from deliverability.api.words import Words
from deliverability.capture import aside
from deliverability.capture.blocks import MAX_LINE, Block, Window, windows
from deliverability.capture.files import LogFile
from deliverability.correlate import Query
from deliverability.errors import CannotLookError
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols.octets import WORTHWHILE

MAX_LINES = 600_000  # of one look
MAX_MET = 256  # lines that are looked at together for another format
ID_SLACK = timedelta(hours=1)

Where = tuple[int, int]
"""Number of the file, offset in it."""


Hit = tuple[tuple[int, ...] | None, Found]
"""A line with a word that was asked for, and the rows that asked; ``None``: a line more of the entry before it."""


class _CohortPass(FirstPass):
    """The first pass over one file for many words: what it finds are not lines but hits, which are handed over sooner."""

    def __init__(
        self, file: LogFile, formats: Sequence[LogFormat], words: Words, part: Part | None, *, numbered: bool
    ) -> None:
        super().__init__(file, formats, lambda _format: (), part)
        self._words, self._numbered = words, numbered
        self._met: list[bytes] = []
        self._hits = 0
        self._looked: tuple[bytes, list[tuple[int, list[int]]]] | None = None

    def _lost_places(self, raw: bytes, end: int) -> Iterable[int]:
        found, lost = self._words.look(raw, end)
        self._looked = raw, found
        return super()._lost_places(raw, end) if lost is None else lost

    def _found(self, window: Window) -> Iterator[Any]:
        block, near = window.block, Nearby(window, numbered=self._numbered)
        looked, self._looked = self._looked, None
        # One look finds what was asked for and what tells of lost lines; a block's octets are its own.
        found = looked[1] if looked and looked[0] is block.raw else self._words.find(block.raw, block.end)
        hits = [(entry, rows) for at, rows in found if (entry := near.entry(at, *near.line(at)))]
        self._met += [entry[0][2] for entry, _ in hits]
        self._hits += sum(len(entry) for entry, _ in hits)
        if len(self._met) >= MAX_MET or self._hits >= MAX_LINES or not (self.scan.formats and self.scan.first):
            self._recognise_met()
        for entry, rows in hits:
            yield tuple(rows), entry[0]
            for other in entry[1:]:
                yield None, other

    # Whether another format is among the lines that were met is asked of many at once, but before anything rests on it:
    # lines that pass for alike would do so too if more formats were known.

    def _note(self, window: Window) -> None:
        if window.block.end < LARGE:
            self._recognise_met()
        super()._note(window)

    def _alike(self, raw: bytes, start: int, end: int, lines: int | None = None) -> bool:
        if super()._alike(raw, start, end, lines):
            return True
        return self._recognise_met() and super()._alike(raw, start, end, lines)

    def _events(self, window: Window, start: int, end: int) -> list[DeliveryEvent]:
        self._recognise_met()
        return super()._events(window, start, end)

    def _recognise_met(self) -> bool:
        """As :meth:`_recognise_line` of each; nearly always nothing new is among them, which one look at all tells."""
        lines, self._met = self._met, []
        known = self.scan.formats
        together = b"".join(line + b"\n" for line in lines)
        if lines and any(fmt.sniff(together) > 0 for fmt in self._every if fmt not in known):
            for line in lines:
                self._recognise_line(line)
        return known != self.scan.formats

    @staticmethod
    def moved(line: Any, before: int) -> Any:
        """As :meth:`FirstPass.moved`; what was not numbered has no number there either."""
        rows, (offset, number, raw, cut) = line
        return (rows, (offset, number + before, raw, cut)) if number > 0 else line


def _entries(hits: Iterable[Any]) -> Iterator[tuple[tuple[int, ...], list[Found]]]:
    """The rows that asked for each hit, and its entry."""
    rows: tuple[int, ...] = ()
    entry: list[Found] = []
    for asked, line in hits:
        if asked is None:
            entry.append(line)
            continue
        if entry:
            yield rows, entry
        rows, entry = asked, [line]
    if entry:
        yield rows, entry


@dataclass(slots=True)
class Look:
    """What one look found: lines by the queue id that they belong to, and the ids that each row starts from."""

    numbered: bool = True
    """Whether lines are given their numbers."""
    scans: list[FileScan] = field(default_factory=list)
    too_many: bool = False
    _lines: dict[Where, Found] = field(default_factory=dict)
    _by_id: dict[str, set[Where]] = field(default_factory=dict)
    _links: dict[str, set[str]] = field(default_factory=dict)
    _starts: dict[int, set[str]] = field(default_factory=dict)
    _alone: dict[int, set[Where]] = field(default_factory=dict)
    """Lines without an id: refusals."""
    unheard: set[int] = field(default_factory=set)
    """Rows that a line names which tells of them in a form that cannot be read."""

    def take(
        self,
        files: Sequence[LogFile],
        formats: Sequence[LogFormat],
        words: Words,
        parts: Mapping[LogFile, Part],
        queries: Sequence[Query],
    ) -> None:
        """Look through files for words, whose rows stand for ``queries``, then for the ids that are met."""
        for number, file in enumerate(files):

            def make(part: Part | None, file: LogFile = file) -> FirstPass:
                return _CohortPass(file, formats, words, part, numbered=self.numbered)

            known = file in parts
            ready = partial(_make_ready, words.find)
            scan, lines = in_one(make(parts[file])) if known else first_pass(file, make, MAX_LINES + 1, ready)
            self.scans.append(scan)
            for rows, entry in _entries(lines):
                self._take_hit(number, rows, entry, queries)
        self._follow()

    def _take_hit(self, number: int, rows: Sequence[int], entry: Sequence[Found], queries: Sequence[Query]) -> None:
        """Note a line that some rows asked for."""
        ids = _ids(self.scans[number], entry[0][2])
        made = clock_of(ids[0]) if ids else None
        meant = [row for row in rows if _in_time(made, queries[row])]
        if not meant or self.too_many:
            return
        places = self._keep(number, entry, ids)
        for row in meant:
            if ids:
                self._starts.setdefault(row, set()).update(ids[:1])
            else:
                self._alone.setdefault(row, set()).update(places)
        if not ids and not self.unheard.issuperset(meant) and self._is_unheard(number, entry):
            self.unheard.update(meant)

    def _is_unheard(self, number: int, entry: Iterable[Found]) -> bool:
        """Whether lines without an id tell of a notice in a form that cannot be read."""
        formats, lines = self.scans[number].formats, self.lines(number, entry)
        return any(unheard(formats, lines, events_of(formats, lambda: lines)))

    def _keep(self, number: int, entry: Iterable[Found], ids: Sequence[str]) -> list[Where]:
        places = []
        for line in entry:
            place = number, line[0]
            self._lines[place] = line
            places.append(place)
        if ids:
            self._by_id.setdefault(ids[0], set()).update(places)
            for other in ids[1:]:
                self._links.setdefault(ids[0], set()).add(other)
                self._links.setdefault(other, set()).add(ids[0])
        self.too_many = self.too_many or len(self._lines) > MAX_LINES
        return places

    def _follow(self) -> None:
        """The lines of all ids, and of those that they lead to."""
        searched: set[str] = set()
        for _ in range(MAX_PASSES):
            fresh = (self._by_id.keys() | self._links.keys()) - searched
            if not fresh or self.too_many:
                return
            searched |= fresh
            leads = fresh - self._by_id.keys()
            for number, scan in enumerate(self.scans):
                if scan.formats:
                    self._follow_in(number, many_ids(fresh - leads, leads, scan.formats))
            searched -= leads & self._by_id.keys()  # they turned out to be ids of ours

    def _follow_in(self, number: int, find: Finder) -> None:
        scan = self.scans[number]
        middle = _middle(scan)
        if middle:
            _make_ready(find)
        beside = aside.start(lambda: list(_named(scan, find, middle, None, numbered=self.numbered))) if middle else None
        try:
            begin = scan.part.begin if scan.part else 0
            for ids, entry in _named(scan, find, begin, middle, numbered=self.numbered):
                self._keep(number, entry, ids)
            found = beside.result() if beside else ()
            again = _named(scan, find, middle or 0, None, numbered=self.numbered)
            for ids, entry in again if found is None else found:
                self._keep(number, entry, ids)
        except CannotLookError as problem:
            scan.damaged = scan.damaged or str(problem)
        finally:
            if beside:
                beside.abandon()

    def found(self, number: int, places: Iterable[Where]) -> list[Found]:
        """What stands in one file at some places."""
        return [self._lines[place] for place in places if place[0] == number]

    def lines(self, number: int, found: Iterable[Found]) -> list[LogLine]:
        """Lines of one file as they stand in it."""
        scan = self.scans[number]
        log, path = scan.file.log, scan.file.path
        lines = [LogLine(Place(log, path, line, offset), raw, cut) for offset, line, raw, cut in found]
        return scan.numbered(lines) if self.numbered else lines

    def reached(self, row: int) -> tuple[Where, ...]:
        """Where the lines stand that a row leads to, in order."""
        places = set(self._alone.get(row, ()))
        met: set[str] = set()
        ahead = list(self._starts.get(row, ()))
        while ahead:
            one = ahead.pop()
            if one in met:
                continue
            met.add(one)
            places |= self._by_id.get(one, set())
            ahead += [other for other in self._links.get(one, ()) if other in self._by_id]
        return tuple(sorted(places))


def _make_ready(find: Callable[[bytes, int], object]) -> None:
    """Have a search ready for large blocks: once, and not in both processes."""
    find(bytes(WORTHWHILE), WORTHWHILE)


def _middle(scan: FileScan) -> int | None:
    """Where to cut a file for two processes: a place at which a block begins, near its middle."""
    if scan.part or scan.damaged or scan.size < aside.WORTHWHILE or not aside.possible() or not _is_plain(scan):
        return None
    return min(scan.marks, key=lambda at: abs(at - scan.size // 2), default=0) or None


def _is_plain(scan: FileScan) -> bool:
    from deliverability.capture.blocks import plain

    try:
        with plain(scan.file) as reader:
            return reader is not None
    except CannotLookError:
        return False


def _named(
    scan: FileScan, find: Finder, begin: int, stop: int | None, *, numbered: bool
) -> Iterator[tuple[list[str], list[Found]]]:
    """Lines with an id, each with the ids that it names, the rest of its entry, and what its process said before."""
    before: Block | None = None
    for window in windows(scan.file, SESSION_REACH, scan.marks, begin, stop):
        block, following = window.block, 0
        near = Nearby(window, before, numbered=numbered)
        for at in find(block.raw, block.end):
            if at < following:
                continue
            start, following = near.line(at)
            named = _ids(scan, block.raw[start : min(following, start + MAX_LINE)].rstrip(b"\r\n"))
            if named and (entry := near.entry(at, start, following, session=True)):
                yield named, entry
        before = block
        progress.tell(scan.file.path, block.following)


def _ids(scan: FileScan, raw: bytes) -> list[str]:
    if len(scan.formats) == 1:
        return list(scan.formats[0].queue_ids(raw))
    return [i for fmt in scan.formats for i in fmt.queue_ids(raw)]


def _in_time(made: datetime | None, query: Query) -> bool:
    """Whether a message of this id can have arrived when the row says; ids without a clock always can."""
    if made is None:
        return True
    early = query.since is not None and made + ID_SLACK < query.since
    late = query.until is not None and made - ID_SLACK > query.until
    return not early and not late
