"""Many notices looked for at once: one look through the logs finds them all, whatever their number.

Each row is then told as ``trace`` would tell it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from deliverability.api.cohort_look import Look
from deliverability.api.cohort_telling import Batch, Make, Telling, uncollected
from deliverability.api.covering import coverage_of, notes, require_mail_log
from deliverability.api.requests import Request
from deliverability.api.scan import LOST_WORDS
from deliverability.api.search import load_formats
from deliverability.api.seeking import TimeWindow, parts_of
from deliverability.api.whole_logs import WholeLogs, whole_logs
from deliverability.api.words import Words
from deliverability.api.years import with_years
from deliverability.correlate import Query
from deliverability.errors import ParseError, UsageError, printable
from deliverability.evidence.log_format import LogFormat
from deliverability.evidence.names import Mailbox
from deliverability.evidence.story import Coverage, Message

MAX_ROWS = 100_000
BATCH = 20_000  # rows of one pass: what is found for them is in memory together
INGEST = "deliverability.ingest."  # formats that need no numbers of lines but where an entry has several

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
    looks = _Looks(request, wanted, numbered=True)

    def rows() -> Iterator[Row]:
        for telling in looks.each():
            for number, query in enumerate(telling.queries):
                yield Row(wanted[telling.start + number], telling.told(number, query), telling.look.too_many)

    return Cohort(rows(), looks.coverage, looks.notes)


class BriefCohort:
    """As :func:`read_cohort`, with as much of each message as a table shows: thousands are told on two processors."""

    def __init__(self, request: Request, wanted: Sequence[Wanted]) -> None:
        self._looks = _Looks(request, wanted, numbered=False)
        self.coverage, self.notes = self._looks.coverage, self._looks.notes

    def batches(self, make: Make) -> Iterator[Batch]:
        """What ``make`` makes of all rows in order, or the rows of which it makes nothing; each is told once.

        It is called where rows are told, which may be a child process.
        """
        for telling in self._looks.each():
            yield from telling.batches(make)


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
        self.coverage = coverage_of(scans, self._logs.hints)
        self.notes = (*logs.notes, *notes(self.coverage, Query(), ()))

    def each(self) -> Iterator[Telling]:
        """What each look found."""
        for start in range(0, len(self._queries), BATCH):
            yield self._telling(start) if start else self._first

    def _telling(self, start: int) -> Telling:
        queries = self._queries[start : start + BATCH]
        with uncollected():
            look = _look(self._request, self._logs, queries, self._formats, numbered=self._numbered)
        if not start:
            self._logs = replace(self._logs, hints=with_years(self._logs.hints, self._logs.described(look.scans)))
        return Telling(start, look, queries, self._logs, self._request.own())


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
    look.take(logs.files, formats, Words(spelled, LOST_WORDS), parts, queries)
    return look
