"""What is known of the sending side, each fact with where it came from; nothing is guessed, nothing is looked up."""

from datetime import datetime
from ipaddress import ip_address, ip_network

from deliverability.api.requests import Request, domain
from deliverability.config import Sender, find_sender
from deliverability.errors import ParseError, UsageError
from deliverability.evidence.bundle import Evidence, Origin, Sourced, Subject
from deliverability.evidence.names import Domain, Mailbox
from deliverability.evidence.story import Attempt
from deliverability.protocols.mx import parse_ip

# A log may show an address that no other network ever sees: behind NAT the MX saw another one.
_NEVER_OUTSIDE = tuple(
    ip_network(n)
    for n in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
              "::1/128", "fc00::/7", "fe80::/10")
)  # fmt: skip


def client_ip(request: Request, sender: Sender | None, attempt: Attempt | None = None) -> Sourced[str] | None:
    """The address that connected to the next hop: never guessed."""
    logged = attempt.local_ip if attempt and attempt.local_ip and _seen_outside(attempt.local_ip) else None
    if request.from_ip:
        given = parse_ip(request.from_ip)
        if logged and parse_ip(logged) != given:
            raise UsageError(f"--from-ip {given} contradicts the log, which says that {logged} connected: leave it out")
        return Sourced(str(given), Origin.OPTION)
    if logged:
        return Sourced(logged, Origin.LOG)
    if sender and len(sender.egress_ips) == 1:
        return Sourced(sender.egress_ips[0], Origin.CONFIGURATION)
    return None


def _seen_outside(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not any(address in network for network in _NEVER_OUTSIDE if network.version == address.version)


def helo(request: Request, sender: Sender | None) -> Sourced[str] | None:
    """The name that the sending host announces."""
    if request.helo:
        return Sourced(request.helo, Origin.OPTION)
    return Sourced(sender.helo, Origin.CONFIGURATION) if sender and sender.helo else None


def selectors(request: Request, sender: Sender | None) -> tuple[Sourced[str], ...]:
    """The DKIM selectors that mail is said to be signed with."""
    if request.selectors:
        return tuple(Sourced(s, Origin.OPTION) for s in request.selectors)
    return tuple(Sourced(s, Origin.CONFIGURATION) for s in sender.selectors) if sender else ()


def configured_author(sender: Sender | None) -> Sourced[Domain] | None:
    """The author domain that the configuration gives for a sender."""
    if sender is None or not sender.author_domain:
        return None
    return Sourced(Domain.parse(sender.author_domain), Origin.CONFIGURATION)


def _subject(name: str) -> Domain:
    """The domain that was named, or what to write instead."""
    try:
        return Domain.parse(name)
    except ParseError as problem:
        hint = ""
        if "@" in name:
            hint = "; an address is given with --address"
        elif "/" in name or ":" in name:
            hint = "; leave out what stands before and after the name"
        raise UsageError(f"DOMAIN: {problem}{hint}") from None


def _reverse_path(request: Request, subject: Domain) -> str:
    """The envelope sender that was given, if it is of the domain; else what a bare domain stands for (RFC 7208 §2.4)."""
    given = (request.sender or "").strip().removeprefix("<").removesuffix(">")
    try:
        mailbox = Mailbox.parse(given) if given else None
    except ParseError as problem:
        raise UsageError(f"--from: {problem}") from None
    return str(mailbox) if mailbox and mailbox.domain == subject else f"postmaster@{subject.name}"


def of_domain(request: Request, name: str, now: datetime) -> Evidence:
    """What is known of a sending domain before anything is looked up; raises :class:`UsageError` for no domain."""
    subject = _subject(name)
    sender = find_sender(request.configuration, subject.name)
    author = domain(request.author_domain, "--author-domain") if request.author_domain else subject
    return Evidence(
        subject=Subject.DOMAIN,
        assessed_at=now,
        own=request.own(),
        author_domain=Sourced(author, Origin.OPTION),
        reverse_path=Sourced(_reverse_path(request, subject), Origin.OPTION),
        client_ip=client_ip(request, sender),
        helo=helo(request, sender),
        signing_domain=Sourced(subject, Origin.OPTION),
        selectors=selectors(request, sender),
        asked_for=request.asked(),
        trust_anchors=request.configuration.trust_anchors,
    )
