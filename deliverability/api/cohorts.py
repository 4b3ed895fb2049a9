"""``trace --cohort``: what may be claimed of each notice of a list, and the answers as a table, CSV or JSON."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from deliverability.api.cohort import MAX_ROWS, BriefCohort, Wanted
from deliverability.api.cohort_telling import BriefRow
from deliverability.api.observe import Observe, settle, settling
from deliverability.api.requests import Request
from deliverability.assess import claim_for
from deliverability.correlate.plain import Brief
from deliverability.errors import printable
from deliverability.evidence.bundle import Claim, Evidence, Subject
from deliverability.evidence.observation import Observations, Question, Unobserved
from deliverability.evidence.story import Attempt, Coverage, State
from deliverability.protocols.cohort_file import Listed
from deliverability.protocols.observed import Json, instant_to_json

WORST_FIRST = (
    *(State.UNKNOWN, State.NOT_FOUND, State.RECORDED, State.REFUSED, State.FAILED, State.BOUNCED, State.EXPIRED),
    *(State.CANCELLED, State.DEFERRED, State.QUEUED, State.HANDED_OVER, State.ACCEPTED, State.DELIVERED),
)
COULD_NOT_LOOK = "could-not-look"
HEAD = ("line", "notice", "recipient", "state", "level", "arrived", "answered", "server", "reply", "messages")
# What a spreadsheet takes for a formula at the beginning of a cell (OWASP, "CSV Injection"), wide forms as well; and
# behind a semicolon, at which one splits whose language writes decimals with a comma.
_FORMULA = re.compile(r"(\A|;)(?=[\s\ufeff\"]*[-=+@\t\r\uff0d\uff1d\uff0b\uff20])")


@dataclass(frozen=True, slots=True)
class Claimed:
    """One message to one recipient in brief, and what may be claimed of it."""

    brief: Brief
    claim: Claim


@dataclass(frozen=True, slots=True)
class Answer:
    """What the logs say of one notice of the list: of several messages or recipients the worst."""

    listed: Listed
    state: State
    told: Claimed | None
    """``None``: nothing was found."""
    messages: int
    blind: bool
    """A log could not be read, or not to its end."""
    partial: bool = False
    """More lines spoke of it than are kept."""

    @property
    def unseen(self) -> bool:
        """Whether it was not found, and may stand where nobody could look."""
        return self.blind and self.state is State.NOT_FOUND

    @property
    def arrived(self) -> datetime | None:
        """When our first queue took it in."""
        return self.told.brief.arrived if self.told else None


Show = Callable[[Answer], Any]
"""Makes something picklable of an answer, which is handed on instead."""


@dataclass(slots=True)
class Answers:
    """The answers in the order of the list, or what is shown of them, each told once, and what was looked through."""

    rows: Iterator[Any]
    coverage: Coverage
    notes: tuple[str, ...]


def _itself(one: Answer) -> Answer:
    return one


def answer(request: Request, listed: Sequence[Listed], observe: Observe | None = None, show: Show = _itself) -> Answers:
    """Look for every notice of a list; one pass over the logs for as many as are looked for at once.

    ``show`` may be called in a child process.  Raises as :func:`~deliverability.api.cohort.read_cohort`.
    """
    now = request.now or datetime.now(UTC)
    wanted = [Wanted(row.address, row.message_id, row.since, row.until) for row in listed]
    first = BriefCohort(request, wanted[:MAX_ROWS])
    blind = first.coverage.blind
    base = Evidence(subject=Subject.DISPATCH, assessed_at=now, own=request.own())

    def rows() -> Iterator[Any]:
        claiming = _Claiming(base, observe, request.observations, blind, show)
        for start in range(0, len(listed), MAX_ROWS):
            those = listed[start : start + MAX_ROWS]
            cohort = BriefCohort(request, wanted[start : start + MAX_ROWS]) if start else first
            for batch in cohort.batches(partial(claiming.at_once, those)):
                made = batch.made
                yield from claiming.asking(those, batch.start, batch.rows) if made is None else made

    return Answers(rows(), first.coverage, first.notes)


@dataclass(slots=True)
class _Claiming:
    """Says what may be claimed of rows, and shows it."""

    base: Evidence
    observe: Observe | None
    known: Observations
    """The DNS answers so far."""
    blind: bool
    show: Show

    def at_once(self, listed: Sequence[Listed], start: int, rows: Sequence[BriefRow]) -> list[Any] | None:
        """Of what is known; ``None`` where somebody is to be asked first."""
        if self.observe is None:
            return self.asking(listed, start, rows)
        claims = _claims(self.base, rows, self.known)
        return None if isinstance(claims, frozenset) else self._shown(listed, start, rows, claims)

    def asking(self, listed: Sequence[Listed], start: int, rows: Sequence[BriefRow]) -> list[Any]:
        """Of what is known, and what is asked now: the questions of all these rows together."""
        claims, self.known = settling(
            lambda: settle(
                lambda known: _claims(self.base, rows, known), self.known, self.observe, self.base.assessed_at
            ),
            "trace --cohort",
        )
        return self._shown(listed, start, rows, claims)

    def _shown(
        self, listed: Sequence[Listed], start: int, rows: Sequence[BriefRow], claims: Iterable[Sequence[Claimed]]
    ) -> list[Any]:
        shown = []
        for number, (row, claimed) in enumerate(zip(rows, claims, strict=True), start):
            worst = min(claimed, key=_badness, default=None)
            state = worst.claim.state if worst else State.NOT_FOUND
            blind = self.blind or row.unheard
            shown.append(self.show(Answer(listed[number], state, worst, row.messages, blind, row.too_many)))
        return shown


def _badness(one: Claimed) -> int:
    return WORST_FIRST.index(one.claim.state)


def _claims(
    base: Evidence, rows: Sequence[BriefRow], observations: Observations
) -> tuple[list[Claimed], ...] | frozenset[Question]:
    """The claims of each row, or all questions that they still rest on."""
    missing: set[Question] = set()
    told: list[list[Claimed]] = []
    evidence = replace(base, observations=observations)
    for row in rows:
        told.append([])
        for brief in row.briefs:
            try:
                told[-1].append(Claimed(brief, claim_for(brief.delivery, evidence)))
            except Unobserved as wanted:
                missing.update(wanted.questions)
    return frozenset(missing) if missing else tuple(told)


# --- as bytes -------------------------------------------------------------------------------------------------------


def answer_to_json(one: Answer) -> Json:
    """One answer as a JSON object."""
    told = one.told
    attempt = told.brief.delivery.decisive if told else None
    return {
        "line": one.listed.line,
        "message_id": one.listed.message_id or (told.brief.message_id if told else None),
        "address": one.listed.address or (told.brief.delivery.recipient if told else None),
        "since": instant_to_json(one.listed.since),
        "until": instant_to_json(one.listed.until),
        "state": one.state.value,
        "level": _level(told),
        "role": told.claim.role.value if told else "none",
        "arrived_at": instant_to_json(one.arrived),
        "answered_at": instant_to_json(attempt.instant if attempt else None),
        "server": _server(attempt),
        "reply": _reply(attempt),
        "queue_ids": list(told.brief.queue_ids) if told else [],
        "messages": one.messages,
        "partial": one.partial,
        "could_not_look": one.unseen,
    }


def cells(one: Answer) -> tuple[str, ...]:
    """One answer as the cells of a row, in the order of :data:`HEAD`; foreign text, not escaped for any medium."""
    told = one.told
    attempt = told.brief.delivery.decisive if told else None
    return (
        str(one.listed.line),
        one.listed.shown,
        one.listed.address or (told.brief.delivery.recipient if told else ""),
        state_of(one),
        str(_level(told)),
        instant_to_json(one.arrived) or "",
        instant_to_json(attempt.instant if attempt else None) or "",
        _server(attempt) or "",
        _reply(attempt) or "",
        str(one.messages),
    )


def state_of(one: Answer) -> str:
    """The state in a word; what was not found where not all could be read is no finding."""
    return COULD_NOT_LOOK if one.unseen else one.state.value


def _level(told: Claimed | None) -> int:
    return told.claim.level.value if told else -1


def _server(attempt: Attempt | None) -> str | None:
    return str(attempt.relay) if attempt and attempt.relay else None


def _reply(attempt: Attempt | None) -> str | None:
    return (attempt.reply.text if attempt.reply else attempt.text) if attempt else None


def csv_head() -> bytes:
    """The beginning of a table: a byte order mark, and the names of the columns."""
    return b"\xef\xbb\xbf" + _csv(HEAD)


def csv_row(one: Answer) -> bytes:
    """One answer as a line of CSV (RFC 4180, UTF-8); no cell is a formula to a spreadsheet."""
    return _csv([_harmless(cell) for cell in cells(one)])


def _csv(row: Iterable[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(row)
    return out.getvalue().encode("utf-8", "backslashreplace")


def _harmless(cell: str) -> str:
    """Visible text that no spreadsheet takes for a formula: an apostrophe stands before what would be one."""
    plain = cell.isascii() and cell.isprintable()
    if not cell or (plain and cell[0].isalnum() and ";" not in cell) or cell.lstrip("-").isdecimal():
        return cell
    seen = cell if plain else printable(cell, limit=len(cell))
    marked = _FORMULA.sub(r"\1'", seen)
    return marked if marked != seen or not _FORMULA.match(cell) else f"'{seen}"
