"""``report``: from the logs and live DNS to assessments, and from an assessment to a page."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from deliverability import assess as assessing
from deliverability.api import facts
from deliverability.api.observe import Observe, settle
from deliverability.api.requests import Request, domain
from deliverability.api.rounds import Rounds
from deliverability.compose.recognise import provider_id
from deliverability.config import Sender, find_sender
from deliverability.errors import ParseError, UsageError, printable
from deliverability.evidence.bundle import Assessment, Evidence, Origin, Sourced, Subject
from deliverability.evidence.exhibit import Exhibit
from deliverability.evidence.names import Domain, Mailbox
from deliverability.evidence.observation import Observations, Question
from deliverability.evidence.story import Message

if TYPE_CHECKING:
    from deliverability.api.tracing import Told, TraceResult
    from deliverability.protocols import mail as mails


@dataclass(frozen=True, slots=True)
class ReportResult:
    """What ``report`` answers: one assessment for each message and recipient that was asked about."""

    assessments: tuple[Assessment, ...]
    traced: "TraceResult"


async def assess_all(request: Request, traced: "TraceResult", observe: Observe | None, now: datetime) -> ReportResult:
    """Judge every delivery that was told, all checks, with one set of observations."""
    exhibit = _exhibit(request, now)
    checks = assessing.load_checks()
    bases = [evidence_of(request, told, exhibit, now) for told in traced.told]

    def step(observations: Observations) -> tuple[Assessment, ...] | frozenset[Question]:
        reached = [
            assessing.assess(replace(base, observations=observations), checks, traced.trace.coverage) for base in bases
        ]
        missing = frozenset(q for r in reached if isinstance(r, frozenset) for q in r)
        return missing or tuple(r for r in reached if isinstance(r, Assessment))

    assessments, observations = await settle(step, traced.observations, observe, now)
    assessments = tuple(replace(a, provider=provider_id(a.evidence)) for a in assessments)
    return ReportResult(assessments, replace(traced, observations=observations))


def evidence_of(request: Request, told: "Told", exhibit: Exhibit | None, now: datetime) -> Evidence:
    """Everything known of one delivery, each fact with its source; no network."""
    from deliverability.api.tracing import recipient_of

    message, attempt = told.message, told.delivery.decisive
    if exhibit and message:
        _same_message(exhibit, message)
    reverse_path = _reverse_path(message)
    sender = _sender(request, reverse_path)
    recipient = recipient_of(told.delivery)
    return Evidence(
        subject=Subject.DISPATCH,
        assessed_at=now,
        own=request.own(),
        message=message,
        delivery=told.delivery,
        mail=exhibit,
        recipient_domain=recipient.domain if recipient else None,
        author_domain=_author_domain(request, exhibit, sender, reverse_path),
        reverse_path=reverse_path,
        client_ip=facts.client_ip(request, sender, attempt),
        helo=facts.helo(request, sender),
        selectors=facts.selectors(request, sender),
        asked_for=request.asked(),
        trust_anchors=request.configuration.trust_anchors,
    )


def _exhibit(request: Request, now: datetime) -> Exhibit | None:
    if request.mail is None:
        return None
    return Exhibit(request.mail, "message/rfc822", request.mail_origin, now)


def _same_message(exhibit: Exhibit, message: Message) -> None:
    """A mail that is not the one in the log would prove nothing about it."""
    said = _parsed(exhibit).message_id
    if said and message.message_id and said != message.message_id:
        raise UsageError(
            f"--message {printable(exhibit.origin)} is another mail: its Message-ID is {printable(said)!r},"
            f" the log's is {printable(message.message_id)!r}"
        )


def _parsed(exhibit: Exhibit) -> "mails.Mail":
    from deliverability.protocols import mail as mails

    try:
        return mails.parse_mail(exhibit.content)
    except ParseError as problem:
        raise UsageError(f"--message {printable(exhibit.origin)}: {problem}") from None


def _reverse_path(message: Message | None) -> Sourced[str] | None:
    if message is None or message.reverse_path is None:
        return None
    return Sourced(message.reverse_path, Origin.LOG)


def _sender(request: Request, reverse_path: Sourced[str] | None) -> Sender | None:
    try:
        envelope = Mailbox.parse(reverse_path.value).domain if reverse_path and reverse_path.value else None
    except ParseError:
        return None
    return find_sender(request.configuration, envelope.name) if envelope else None


def _author_domain(
    request: Request, exhibit: Exhibit | None, sender: Sender | None, reverse_path: Sourced[str] | None
) -> Sourced[Domain] | None:
    if request.author_domain:
        return Sourced(domain(request.author_domain, "--author-domain"), Origin.OPTION)
    if exhibit:
        from deliverability.protocols import mail as mails

        try:
            return Sourced(mails.author_domain(_parsed(exhibit)), Origin.MESSAGE)
        except ParseError:
            return None  # no domain, or several: the checks say so from the message itself
    return facts.configured_author(sender) or _author_of_notices(request, reverse_path)


def _author_of_notices(request: Request, reverse_path: Sourced[str] | None) -> Sourced[Domain] | None:
    """The domain of ``[report] sender``, for mail whose envelope sender is of that domain or below it.

    The From line of the notices is said to be always the same; mail of another envelope domain may be another's.
    """
    try:
        author = Mailbox.parse(request.configuration.report.sender or "").domain
        envelope = Mailbox.parse(reverse_path.value if reverse_path else "").domain
    except ParseError:
        return None
    within = envelope == author or envelope.name.endswith("." + author.name)
    return Sourced(author, Origin.CONFIGURATION) if within else None


# --- domains ----------------------------------------------------------------------------------------------------------


async def assess_domain(request: Request, name: str, observe: Observe | None, now: datetime) -> Assessment:
    """Everything that can be said of a sending domain before anything is sent."""
    # Of a record of many subjects each keeps what it rests on: peeked at, not joined as a whole.
    rounds = Rounds(facts.of_domain(request, name, now), assessing.load_checks(), peek=request.observations.answers.get)
    assessment, _ = await settle(rounds, Observations(), observe, now)
    return assessment
