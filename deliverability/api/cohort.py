"""Many notices looked for at once: one pass over the logs finds them all, whatever their number.

A block is cut into words, and the words are held against the set of those that were asked for; nothing is looked for
one by one.  Each row is then told as ``trace`` would tell it, from the lines of its own messages alone.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deliverability.api import progress
from deliverability.api.covering import coverage_of, notes, require_mail_log
from deliverability.api.ids import finder
from deliverability.api.requests import Request
from deliverability.api.scan import FileScan, FirstPass, Part
from deliverability.api.search import MAX_PASSES, clock_of, load_formats
from deliverability.api.seeking import TimeWindow, parts_of
from deliverability.api.surroundings import SESSION_REACH, session_before, whole_entry
from deliverability.api.tracing import surroundings
from deliverability.api.words import Words
from deliverability.capture.blocks import MAX_LINE, Window, windows
from deliverability.capture.files import LogFile
from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.errors import CannotLookError, ParseError, UsageError, printable
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.names import Mailbox
from deliverability.evidence.plugin import LogFormat
from deliverability.evidence.story import Coverage, Message

MAX_ROWS = 100_000
BATCH = 20_000  # rows of one pass: what is found for them is in memory together
MAX_LINES = 600_000  # of one pass
ID_SLACK = timedelta(hours=1)

_PLAIN_ADDRESS = re.compile(r"[\w.!#$%&'*+/?^`{|}~=-]+@[A-Za-z0-9.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One notice of a cohort: a Message-ID, or an address with the time around which it was sent, or both."""

    address: str | None = None
    message_id: str | None = None
    since: datetime | None = None
    """It did not arrive in our queue before this."""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What the logs say about one notice."""

    wanted: Wanted
    messages: tuple[Message, ...]
    """As ``trace`` tells them; none: nothing was found where :attr:`Cohort.coverage` says that was looked."""
    too_many: bool = False
    """More lines spoke of it than are kept: what is told may lack some."""


@dataclass(slots=True)
class Cohort:
    """The rows in the order asked, each told once, and what was looked through."""

    rows: Iterator[Row]
    coverage: Coverage
    notes: tuple[str, ...]


def read_cohort(request: Request, wanted: Sequence[Wanted]) -> Cohort:
    """Look for every notice in the logs of ``request``, whose own ``to`` and ids do not count; no network.

    One look for each :data:`BATCH` rows; ``rows`` is told as it is asked for.  ``request.since`` and ``until`` bound
    the looking as for ``trace``.  Raises :class:`UsageError` for a row that names nothing, or too many rows, and
    :class:`~deliverability.errors.CannotLookError` as ``trace`` does.
    """
    if len(wanted) > MAX_ROWS:
        raise UsageError(f"{len(wanted)} rows; at most {MAX_ROWS} are looked for at once")
    queries = [_query(row, number) for number, row in enumerate(wanted, 1)]
    hints, files = surroundings(request)

    def look(start: int) -> _Look:
        return _look(request, files, hints, queries[start : start + BATCH])

    first = look(0)
    require_mail_log(first.scans)
    coverage = coverage_of(first.scans, hints)

    def rows() -> Iterator[Row]:
        for start in range(0, len(wanted), BATCH):
            found = look(start) if start else first
            found.resolve(hints)
            for number, query in enumerate(queries[start : start + BATCH]):
                yield Row(wanted[start + number], found.told(number, query, request.own()), found.too_many)

    return Cohort(
        rows=rows(),
        coverage=coverage,
        notes=tuple(notes(coverage, Query(), ())),
    )


def _query(row: Wanted, number: int) -> Query:
    if not row.address and not row.message_id:
        raise UsageError(f"row {number} names neither an address nor a Message-ID")
    try:
        recipients = (Mailbox.parse(row.address),) if row.address else ()
    except ParseError as problem:
        raise UsageError(f"row {number}: {problem}") from None
    message_id = row.message_id.strip("<> ") if row.message_id else None
    if message_id is not None and (not message_id or not message_id.isprintable()):
        raise UsageError(f"row {number}: {printable(message_id)!r} is not a Message-ID")
    return Query(recipients=recipients, message_id=message_id, since=row.since, until=row.until)


def _spellings(query: Query, formats: Iterable[LogFormat]) -> set[bytes]:
    """What stands in a line of the notice: its Message-ID where one was given, else its address."""
    if query.message_id:
        return {form.encode("utf-8", "surrogatepass").lower() for form in (query.message_id, query.message_id.lower())}
    (mailbox,) = query.recipients
    plain = f"{mailbox.local_part}@{mailbox.domain.name}"
    if _PLAIN_ADDRESS.fullmatch(plain) and mailbox.domain.unicode == mailbox.domain.name:
        return {plain.lower().encode()}  # no mail server quotes such an address
    shown = f"{mailbox.local_part}@{mailbox.domain.unicode}"
    return {needle for fmt in formats for needle in fmt.needles(shown)}


def _look(request: Request, files: tuple[LogFile, ...], hints: TimeHints, queries: Sequence[Query]) -> "_Look":
    formats = load_formats()
    look = _Look()
    spelled: dict[bytes, list[int]] = {}
    for row, query in enumerate(queries):
        for needle in _spellings(query, formats):
            spelled.setdefault(needle, []).append(row)
    words = Words(spelled)
    parts = parts_of(files, TimeWindow(request.since, request.until), hints, formats)
    for file in files:
        first = _CohortPass(file, formats, words, parts.get(file))
        look.scans.append(first.scan)
        for rows, line in first.found():
            look.take_hit(first.scan, rows, line, queries)
    look.follow()
    return look


class _CohortPass(FirstPass):
    """The first pass over one file for many words."""

    def __init__(self, file: LogFile, formats: Sequence[LogFormat], words: Words, part: Part | None) -> None:
        super().__init__(file, formats, lambda _format: (), part)
        self._words = words
        self._rows: dict[int, list[int]] = {}

    def found(self) -> Iterator[tuple[list[int], list[LogLine]]]:
        """Lines with a word that was asked for, each with its entry and the rows that asked."""
        entry: list[LogLine] = []
        rows: list[int] = []
        for line in self:
            if line.place.offset in self._rows:
                if entry:
                    yield rows, entry
                entry, rows = [], self._rows.pop(line.place.offset)
            entry.append(line)
        if entry:
            yield rows, entry

    def _found(self, window: Window) -> Iterator[LogLine]:
        block = window.block
        for at, rows in self._words.find(block.raw, block.end):
            start = window.start_of(window.start + at)
            line, _ = window.line(start)
            if window.start + at - start < MAX_LINE:
                self._recognise_line(line.raw)
                self._rows[line.place.offset] = rows
                yield from whole_entry(window, start)


@dataclass(slots=True)
class _Look:
    """What one look found: lines by the queue id that they belong to, and the rows that start from each."""

    scans: list[FileScan] = field(default_factory=list)
    too_many: bool = False
    _lines: dict[tuple[int, int], LogLine] = field(default_factory=dict)
    """By file and offset."""
    _by_id: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    _links: dict[str, set[str]] = field(default_factory=dict)
    _starts: dict[int, set[str]] = field(default_factory=dict)
    _alone: dict[int, set[tuple[int, int]]] = field(default_factory=dict)
    """Lines without an id: refusals."""
    _events: dict[tuple[int, int], list[tuple[int, DeliveryEvent]]] = field(default_factory=dict)

    def take_hit(self, scan: FileScan, rows: Sequence[int], entry: Sequence[LogLine], queries: Sequence[Query]) -> None:
        """Note a line that some rows asked for."""
        ids = _ids(scan, entry[0])
        made = clock_of(ids[0]) if ids else None
        meant = [row for row in rows if _in_time(made, queries[row])]
        if not meant or self.too_many:
            return
        places = self._keep(scan, entry, ids)
        for row in meant:
            if ids:
                self._starts.setdefault(row, set()).update(ids[:1])
            else:
                self._alone.setdefault(row, set()).update(places)

    def _keep(self, scan: FileScan, entry: Iterable[LogLine], ids: Sequence[str]) -> list[tuple[int, int]]:
        number = next(n for n, one in enumerate(self.scans) if one is scan)
        places = []
        for line in entry:
            place = number, line.place.offset
            self._lines[place] = line
            places.append(place)
        if ids:
            self._by_id.setdefault(ids[0], set()).update(places)
            for other in ids[1:]:
                self._links.setdefault(ids[0], set()).add(other)
                self._links.setdefault(other, set()).add(ids[0])
        self.too_many = self.too_many or len(self._lines) > MAX_LINES
        return places

    def follow(self) -> None:
        """The lines of all ids, and of those that they lead to."""
        searched: set[str] = set()
        for _ in range(MAX_PASSES):
            fresh = (self._by_id.keys() | self._links.keys()) - searched
            if not fresh or self.too_many:
                return
            searched |= fresh
            leads = fresh - self._by_id.keys()
            for scan in self.scans:
                self._follow_in(scan, fresh - leads, leads)
            searched -= leads & self._by_id.keys()  # they turned out to be ids of ours

    def _follow_in(self, scan: FileScan, ids: set[str], leads: set[str]) -> None:
        if not scan.formats:
            return
        find = finder(ids, leads)
        try:
            for window in windows(scan.file, SESSION_REACH, scan.marks, scan.part.begin if scan.part else 0):
                following = 0
                for place in find(window.block.raw, window.block.end):
                    at = window.start + place
                    if at < following:
                        continue
                    start = window.start_of(at)
                    line, following = window.line(start)
                    named = _ids(scan, line)
                    if named and at - start < MAX_LINE:
                        self._keep(scan, [*session_before(window, start), *whole_entry(window, start)], named)
                progress.tell(scan.file.path, window.block.following)
        except CannotLookError as problem:
            scan.damaged = scan.damaged or str(problem)

    def resolve(self, hints: TimeHints) -> None:
        """Read the lines, each file's in order, and give every event its instant."""
        events: list[DeliveryEvent] = []
        places: list[tuple[int, int]] = []
        for number, scan in enumerate(self.scans):
            offsets = sorted(offset for n, offset in self._lines if n == number)
            lines = scan.numbered([self._lines[number, offset] for offset in offsets])
            for fmt in scan.formats:
                for event in fmt.parse(lines):
                    events.append(event)
                    places.append((number, event.line.place.offset))
        samples = [event for scan in self.scans for event in (*scan.first, *scan.last)]
        resolved = resolve_times([*samples, *events], hints)[len(samples) :]
        self._lines.clear()
        for index, (place, event) in enumerate(zip(places, resolved, strict=True)):
            self._events.setdefault(place, []).append((index, event))

    def told(self, row: int, query: Query, own: Own) -> tuple[Message, ...]:
        """The messages of one row."""
        places = set(self._alone.get(row, ()))
        reached: set[str] = set()
        ahead = list(self._starts.get(row, ()))
        while ahead:
            one = ahead.pop()
            if one in reached:
                continue
            reached.add(one)
            places |= self._by_id.get(one, set())
            ahead += [other for other in self._links.get(one, ()) if other in self._by_id]
        events = sorted((pair for place in places for pair in self._events.get(place, ())), key=lambda pair: pair[0])
        return tell([event for _, event in events], query, own) if events else ()


def _ids(scan: FileScan, line: LogLine) -> list[str]:
    return [i for fmt in scan.formats for i in fmt.queue_ids(line.raw)]


def _in_time(made: datetime | None, query: Query) -> bool:
    """Whether a message of this id can have arrived when the row says; ids without a clock always can."""
    if made is None:
        return True
    early = query.since is not None and made + ID_SLACK < query.since
    late = query.until is not None and made - ID_SLACK > query.until
    return not early and not late
