"""``report``: from the logs and live DNS to assessments, and from an assessment to a page."""

from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_address, ip_network

from deliverability import assess as assessing
from deliverability.api.observe import Observe, settle
from deliverability.api.requests import Request, domain
from deliverability.api.tracing import Told, TraceResult, recipient_of
from deliverability.compose.recognise import provider_id
from deliverability.config import Sender, find_sender
from deliverability.errors import ParseError, UsageError, printable
from deliverability.evidence.bundle import Assessment, Evidence, Origin, Sourced, Subject
from deliverability.evidence.exhibit import Exhibit
from deliverability.evidence.names import Domain, Mailbox
from deliverability.evidence.observation import Observations, Question
from deliverability.evidence.story import Attempt, Message
from deliverability.protocols import mail as mails

# A log may show an address that no other network ever sees: behind NAT the MX saw another one.
_NEVER_OUTSIDE = tuple(
    ip_network(n)
    for n in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
              "::1/128", "fc00::/7", "fe80::/10")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReportResult:
    """What ``report`` answers: one assessment for each message and recipient that was asked about."""

    assessments: tuple[Assessment, ...]
    traced: TraceResult


async def assess_all(request: Request, traced: TraceResult, observe: Observe | None, now: datetime) -> ReportResult:
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


def evidence_of(request: Request, told: Told, exhibit: Exhibit | None, now: datetime) -> Evidence:
    """Everything known of one delivery, each fact with its source; no network."""
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
        author_domain=_author_domain(request, exhibit, sender),
        reverse_path=reverse_path,
        client_ip=_client_ip(request, attempt, sender),
        helo=_helo(request, sender),
        selectors=_selectors(request, sender),
        asked_for=request.asked(),
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


def _parsed(exhibit: Exhibit) -> mails.Mail:
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


def _author_domain(request: Request, exhibit: Exhibit | None, sender: Sender | None) -> Sourced[Domain] | None:
    if request.author_domain:
        return Sourced(domain(request.author_domain, "--author-domain"), Origin.OPTION)
    if exhibit:
        try:
            return Sourced(mails.author_domain(_parsed(exhibit)), Origin.MESSAGE)
        except ParseError:
            return None  # no domain, or several: the checks say so from the message itself
    if sender and sender.author_domain:
        return Sourced(Domain.parse(sender.author_domain), Origin.CONFIGURATION)
    return None


def _client_ip(request: Request, attempt: Attempt | None, sender: Sender | None) -> Sourced[str] | None:
    """The address that connected to the next hop: never guessed."""
    if request.from_ip:
        return Sourced(str(ip_address(request.from_ip)), Origin.OPTION)
    if attempt and attempt.local_ip and _seen_outside(attempt.local_ip):
        return Sourced(attempt.local_ip, Origin.LOG)
    if sender and len(sender.egress_ips) == 1:
        return Sourced(sender.egress_ips[0], Origin.CONFIGURATION)
    return None


def _seen_outside(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not any(address in network for network in _NEVER_OUTSIDE if network.version == address.version)


def _helo(request: Request, sender: Sender | None) -> Sourced[str] | None:
    if request.helo:
        return Sourced(request.helo, Origin.OPTION)
    return Sourced(sender.helo, Origin.CONFIGURATION) if sender and sender.helo else None


def _selectors(request: Request, sender: Sender | None) -> tuple[Sourced[str], ...]:
    if request.selectors:
        return tuple(Sourced(s, Origin.OPTION) for s in request.selectors)
    return tuple(Sourced(s, Origin.CONFIGURATION) for s in sender.selectors) if sender else ()


# --- domains ----------------------------------------------------------------------------------------------------------


async def assess_domain(request: Request, name: str, observe: Observe | None, now: datetime) -> Assessment:
    """Everything that can be said of a sending domain before anything is sent."""
    subject = domain(name, "DOMAIN")
    sender = find_sender(request.configuration, subject.name)
    base = Evidence(
        subject=Subject.DOMAIN,
        assessed_at=now,
        own=request.own(),
        author_domain=Sourced(domain(request.author_domain, "--author-domain"), Origin.OPTION)
        if request.author_domain
        else Sourced(subject, Origin.OPTION),
        reverse_path=Sourced(
            f"postmaster@{subject.name}", Origin.OPTION
        ),  # RFC 7208 §2.4: what a bare domain stands for
        client_ip=_client_ip(request, None, sender),
        helo=_helo(request, sender),
        signing_domain=Sourced(subject, Origin.OPTION),
        selectors=_selectors(request, sender),
        asked_for=request.asked(),
    )
    checks = assessing.load_checks()

    def step(observations: Observations) -> Assessment | frozenset[Question]:
        return assessing.assess(replace(base, observations=observations), checks)

    assessment, _ = await settle(step, request.observations, observe, now)
    return assessment
