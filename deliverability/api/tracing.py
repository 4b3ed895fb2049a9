"""``trace``: the story of a notice from the logs, with the claim that it allows."""

from dataclasses import dataclass, replace
from datetime import datetime

from deliverability.api.asked import asked_in
from deliverability.api.covering import coverage_of, masked, notes, require_mail_log, unread_of
from deliverability.api.named_logs import resolved, surroundings
from deliverability.api.observe import Observe, settle
from deliverability.api.requests import Pick, Request
from deliverability.api.search import MAX_IDS, MAX_LINES, look
from deliverability.api.years import with_years
from deliverability.assess import claim_of
from deliverability.correlate import tell
from deliverability.errors import ParseError, UsageError
from deliverability.evidence.bundle import Claim, Evidence, Subject
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.names import Mailbox
from deliverability.evidence.observation import Observations, Question, Unobserved
from deliverability.evidence.story import Delivery, Level, Message, Role, State, Trace


@dataclass(frozen=True, slots=True)
class Told:
    """One message to one recipient, and what may be claimed of it."""

    message: Message | None
    """``None`` when nothing was found."""
    delivery: Delivery
    claim: Claim


@dataclass(frozen=True, slots=True)
class TraceResult:
    """What ``trace`` answers."""

    trace: Trace
    told: tuple[Told, ...]
    observations: Observations
    unread: tuple[LogLine, ...]
    """Lines that could not be read (the first thousand of each file)."""
    picked_one: bool
    """Whether the question has one answer: one message, or ``--latest``, ``--all``."""
    made_at: datetime

    @property
    def blind(self) -> bool:
        """Whether a log could not be read, or not to its end: what was not found may stand there."""
        return self.trace.coverage.blind


def read_logs(request: Request) -> tuple[Trace, tuple[LogLine, ...]]:
    """Everything that the logs, or an archive of them, say about the question; no network."""
    if request.archive is not None:
        from deliverability.api.from_archive import read_archive

        return read_archive(request, request.archive)
    asked = asked_in(request)
    hints, files = surroundings(request)
    found = look(files, asked.needles, asked.how(files, hints))
    if found.too_many:
        raise UsageError(
            f"more than {MAX_IDS} messages (or {MAX_LINES} lines) match: narrow the question with --since,"
            " --message-id or --queue-id"
        )
    require_mail_log(found.scans)
    hints = with_years(hints, found.scans)
    events = resolved(found, hints)
    query = asked.among(events)
    messages = tell(events, query, request.own()) if query else ()
    coverage = coverage_of(found.scans, hints)
    unread = tuple(line for scan in found.scans for line in unread_of(scan))
    said = (*notes(coverage, asked.query, messages), *masked(events, messages))
    return Trace(messages, coverage, said), unread


# --- choosing and claiming --------------------------------------------------------------------------------------------


def pick(trace: Trace, how: Pick) -> tuple[tuple[Message, ...], bool]:
    """The messages that the answer is about, and whether the question had one answer."""
    if how is Pick.LATEST:
        return trace.messages[-1:], True
    return trace.messages, how is Pick.ALL or len(trace.messages) <= 1


async def claims(request: Request, trace: Trace, observe: Observe | None, now: datetime) -> TraceResult:
    """Say what may be claimed of every delivery that was picked."""
    messages, one = pick(trace, request.pick)
    base = Evidence(subject=Subject.DISPATCH, assessed_at=now, own=request.own())
    pairs = [(m, d) for m in messages for d in m.deliveries]

    def step(observations: Observations) -> tuple[Told, ...] | frozenset[Question]:
        missing: set[Question] = set()
        told: list[Told] = []
        for message, delivery in pairs:
            try:
                claim = claim_of(replace(base, message=message, delivery=delivery, observations=observations))
            except Unobserved as wanted:
                missing.update(wanted.questions)
                continue
            if claim:
                told.append(Told(message, delivery, claim))
        return frozenset(missing) if missing else tuple(told)

    told, observations = await settle(step, request.observations, observe, now)
    if not told:
        told = tuple(not_found(address) for address in request.to or ("",))
    return TraceResult(trace, told, observations, (), one, now)


def not_found(address: str) -> Told:
    """The answer when no log line speaks of the address."""
    delivery = Delivery(address, (), State.NOT_FOUND, (), None)
    return Told(None, delivery, Claim(State.NOT_FOUND, Level.NONE, Role.NONE, "not-found"))


def recipient_of(delivery: Delivery) -> Mailbox | None:
    """The address whose domain the answering host is held against."""
    for text in (delivery.decisive.recipient if delivery.decisive else "", delivery.recipient):
        try:
            return Mailbox.parse(text)
        except ParseError:
            continue
    return None
