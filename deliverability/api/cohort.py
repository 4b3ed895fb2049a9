"""Many notices looked for at once: one look through the logs finds them all, whatever their number.

Each row is then told as ``trace`` would tell it, from the lines of its own messages alone; with two processors, half of
the rows in a child process.
"""

import gc
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import accumulate

from deliverability.api.cohort_look import Look, Where
from deliverability.api.covering import coverage_of, notes, require_mail_log
from deliverability.api.requests import Request
from deliverability.api.search import load_formats
from deliverability.api.seeking import TimeWindow, parts_of
from deliverability.api.whole_logs import WholeLogs, whole_logs
from deliverability.api.words import Words
from deliverability.capture import aside
from deliverability.correlate import Query, tell
from deliverability.correlate.clock import Known, resolve_beside
from deliverability.correlate.plain import Brief, Fact, facts_of, tell_plainly
from deliverability.errors import ParseError, UsageError, printable
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.log_format import Glance, LogFormat
from deliverability.evidence.names import Mailbox
from deliverability.evidence.story import Coverage, Delivery, Message

MAX_ROWS = 100_000
BATCH = 20_000  # rows of one pass: what is found for them is in memory together
INGEST = "deliverability.ingest."  # formats that need no numbers of lines but where an entry has several
WORTHWHILE = 200  # rows that are worth a child process
AT_ONCE = 250  # rows that a child hands over together
SHARE = 0.31  # of what is to be told in this process, which judges and writes all rows besides

_PLAIN_ADDRESS = re.compile(r"(?!\.)(?:[\w!#$%&'*+/?^`{|}~=-]|\.(?![.@]))+@[A-Za-z0-9.-]+", re.ASCII)
"""What no server quotes: a dot-atom (RFC 5321 §4.1.2)."""


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


@dataclass(frozen=True, slots=True)
class BriefRow:
    """What the logs say about one notice, in brief."""

    briefs: tuple[Brief, ...]
    messages: int
    too_many: bool = False
    """As :attr:`Row.too_many`."""


@dataclass(slots=True)
class Cohort:
    """The rows in the order asked, each told once, and what was looked through."""

    rows: Iterator[Row]
    coverage: Coverage
    notes: tuple[str, ...]


@dataclass(slots=True)
class BriefCohort:
    """As :class:`Cohort`, in brief."""

    rows: Iterator[BriefRow]
    coverage: Coverage
    notes: tuple[str, ...]


def read_cohort(request: Request, wanted: Sequence[Wanted]) -> Cohort:
    """Look for every notice in the logs of ``request``, whose own ``to`` and ids do not count; no network.

    One look for each :data:`BATCH` rows; ``rows`` is told as it is asked for.  ``request.since`` and ``until`` bound
    the looking as for ``trace``.  Raises :class:`UsageError` for a row that names nothing, or too many rows, and
    :class:`~deliverability.errors.CannotLookError` as ``trace`` does.
    """
    looks = _Looks(request, wanted, numbered=True)

    def rows() -> Iterator[Row]:
        for start, telling in looks.each():
            for number, query in enumerate(telling.queries):
                yield Row(wanted[start + number], telling.told(number, query), telling.look.too_many)

    return Cohort(rows(), looks.coverage, looks.notes)


def read_briefly(request: Request, wanted: Sequence[Wanted]) -> BriefCohort:
    """As :func:`read_cohort`, with as much of each message as a table shows: thousands are told on two processors."""
    looks = _Looks(request, wanted, numbered=False)

    def rows() -> Iterator[BriefRow]:
        for _, telling in looks.each():
            yield from telling.brief_rows()

    return BriefCohort(rows(), looks.coverage, looks.notes)


class _Looks:
    """The looks that many rows take, the first of which tells what the logs cover."""

    def __init__(self, request: Request, wanted: Sequence[Wanted], *, numbered: bool) -> None:
        if len(wanted) > MAX_ROWS:
            raise UsageError(f"{len(wanted)} rows; at most {MAX_ROWS} are looked for at once")
        self._request = request
        self._queries = [_query(row, number) for number, row in enumerate(wanted, 1)]
        self._formats = load_formats()
        self._numbered = numbered or not all(fmt.parse.__module__.startswith(INGEST) for fmt in self._formats)
        with whole_logs(request) as logs:
            self._logs = logs
            self._first = self._telling(0)
            scans = logs.described(self._first.look.scans)
        require_mail_log(scans)
        self.coverage = coverage_of(scans, logs.hints)
        self.notes = (*logs.notes, *notes(self.coverage, Query(), ()))

    def each(self) -> Iterator[tuple[int, "_Telling"]]:
        """Number of the first row of each look, and what it found."""
        for start in range(0, len(self._queries), BATCH):
            yield start, self._telling(start) if start else self._first

    def _telling(self, start: int) -> "_Telling":
        queries = self._queries[start : start + BATCH]
        with _uncollected():
            look = _look(self._request, self._logs, queries, self._formats, numbered=self._numbered)
        return _Telling(look, queries, self._logs, self._request.own())


@contextmanager
def _uncollected() -> Iterator[None]:
    """Not looking for cycles: a look only gathers lines that are kept, and going through them takes long."""
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wanted:
            gc.enable()


@dataclass(slots=True)
class _Telling:
    """Tells rows, each from its own lines."""

    look: Look
    queries: Sequence[Query]
    logs: WholeLogs
    own: Own
    _known: Known | None = None
    _latest: tuple[tuple[Where, ...], list[DeliveryEvent]] = field(default=((), []))

    def told(self, row: int, query: Query) -> tuple[Message, ...]:
        """The messages of one row."""
        events = self._events(self.look.reached(row))
        return tell(events, query, self.own) if events else ()

    def brief_rows(self) -> Iterator[BriefRow]:
        """All rows in brief; of many, about half are told by a child process."""
        count = len(self.queries)
        middle = self._middle() if count >= WORTHWHILE and aside.possible() else count
        self._samples()
        beside = aside.Stream(lambda: self._rest(middle)) if middle < count else None
        done = 0
        try:
            for done in range(1, middle + 1):
                yield self._brief(done - 1)
            for rows in beside or ():
                yield from rows
                done += len(rows)
        finally:
            if beside:
                beside.close()
        yield from (self._brief(row) for row in range(done, count))

    def _rest(self, middle: int) -> Iterator[list[BriefRow]]:
        count = len(self.queries)
        with _uncollected():
            for start in range(middle, count, AT_ONCE):
                yield [self._brief(row) for row in range(start, min(start + AT_ONCE, count))]

    def _middle(self) -> int:
        """The row before which this process' share of the lines is."""
        ahead = list(accumulate(len(self.look.reached(row)) for row in range(len(self.queries))))
        return bisect_left(ahead, ahead[-1] * SHARE)

    def _brief(self, row: int) -> BriefRow:
        query, places = self.queries[row], self.look.reached(row)
        plain = self._plain(places, query) if places else ()
        if plain is not None:
            return BriefRow(plain, len(plain), self.look.too_many)
        messages = tell(self._events(places), query, self.own)
        briefs = tuple(_brief_of(message, delivery) for message in messages for delivery in message.deliveries)
        return BriefRow(briefs, len(messages), self.look.too_many)

    def _plain(self, places: tuple[Where, ...], query: Query) -> tuple[Brief, ...] | None:
        """The plain stories that the lines tell; ``None`` where they have to be told at length."""
        number = places[0][0]
        formats, facts = self.look.scans[number].formats, None
        if number == places[-1][0] and len(formats) == 1 and formats[0].glance and not self.logs.kept:
            facts = self._glanced(number, places, formats[0], formats[0].glance())
        facts = facts or facts_of(self._events(places))
        return tell_plainly(facts, query) if facts else None

    def _glanced(
        self, number: int, places: tuple[Where, ...], fmt: LogFormat, glance: Callable[[bytes], Glance | None]
    ) -> list[Fact] | None:
        """What the lines of one file say; only those of which a glance does not tell are parsed."""
        facts: list[Fact] = []
        for found in self.look.found(number, places):
            offset, _, raw, cut = found
            seen = None if cut else glance(raw)
            if seen:
                facts.append(Fact(offset, *seen))
                continue
            events = list(fmt.parse(self.look.lines(number, (found,))))
            if not all(event.at.instant for event in events):
                return None  # what other lines say of the time may count
            told = facts_of(resolve_beside(events, self.logs.hints, self._samples()))
            if told is None:
                return None
            facts += told
        return facts

    def _samples(self) -> Known:
        """What the ends of the files tell of their times."""
        if self._known is None:
            self._known = Known.of([event for scan in self.look.scans for event in (*scan.first, *scan.last)])
        return self._known

    def _events(self, places: tuple[Where, ...]) -> list[DeliveryEvent]:
        """The events of some lines, each file's in order, with their instants; rows of one message ask in turn."""
        if places == self._latest[0]:
            return self._latest[1]
        events: list[DeliveryEvent] = []
        for number, scan in enumerate(self.look.scans):
            found = self.look.found(number, places)
            lines = [self.logs.moved(line) for line in self.look.lines(number, found)]
            if lines:
                for fmt in scan.formats:
                    events += fmt.parse(lines)
        told = resolve_beside(events, self.logs.hints, self._samples())
        self._latest = places, told
        return told


def _brief_of(message: Message, delivery: Delivery) -> Brief:
    arrived = message.arrived.instant if message.arrived else None
    return Brief(message.message_id, message.queue_ids, arrived, _slim(delivery))


def _slim(delivery: Delivery) -> Delivery:
    decisive = replace(delivery.decisive, lines=()) if delivery.decisive else None
    parts = tuple(_slim(part) for part in delivery.parts)
    return replace(delivery, attempts=(), notices=(), decisive=decisive, parts=parts)


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


def _look(
    request: Request, logs: WholeLogs, queries: Sequence[Query], formats: tuple[LogFormat, ...], *, numbered: bool
) -> Look:
    spelled: dict[bytes, list[int]] = {}
    for row, query in enumerate(queries):
        for needle in _spellings(query, formats):
            spelled.setdefault(needle, []).append(row)
    look = Look(numbered)
    parts = parts_of(logs.files, TimeWindow(request.since, request.until), logs.hints, formats)
    look.take(logs.files, formats, Words(spelled), parts, queries)
    return look
