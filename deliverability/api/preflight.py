"""Before anything is sent: a message, an address, and what each mailbox provider demands of the sender."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from deliverability import assess as assessing
from deliverability.api import facts
from deliverability.api.observe import Observe, blocking, settle
from deliverability.api.requests import Request, domain
from deliverability.api.rounds import Rounds
from deliverability.api.rules import RuleVerdict, as_verdicts, judge_rules
from deliverability.compose.recognise import provider_id, providers
from deliverability.config import Sender, find_sender
from deliverability.errors import ParseError, UsageError, printable
from deliverability.evidence.bundle import Assessment, Evidence, Origin, Sourced, Subject
from deliverability.evidence.exhibit import Exhibit
from deliverability.evidence.names import Domain, Mailbox
from deliverability.evidence.observation import Observations, Question
from deliverability.evidence.plugin import Check, Provider
from deliverability.evidence.verdict import Outcome, Ruling, Verdict
from deliverability.protocols import address as addresses
from deliverability.protocols import mail as mails
from deliverability.protocols.structure import NOT_READ, unread

__all__ = [
    "RuleVerdict",
    "assess_address",
    "assess_message",
    "check_address",
    "check_address_async",
    "check_message",
    "check_message_async",
    "judge_rules",
    "load_provider",
    "rules_of",
    "with_rules",
]


async def check_message_async(mail: bytes, request: Request | None = None, *, bulk: bool | None = None) -> Assessment:
    """Everything that can be said of a message before it is sent, or of a copy of it afterwards.

    ``bulk`` says whether it is subscribed or marketing mail.  ``request`` brings what the message does not show:
    ``from_ip``, ``helo``, ``sender`` (the envelope's).  Bytes that are no message are findings, never an exception.
    """
    from deliverability.api import _observer

    request = (request or Request()).checked()
    return await assess_message(request, mail, _observer(request), request.now or datetime.now(UTC), bulk=bulk)


async def check_address_async(
    address: str, request: Request | None = None, about: str | Domain | None = None
) -> Assessment:
    """What can be said of an address before anything is sent to it; nothing is sent.

    ``about`` is the domain that the notice is about.  A text that is no address is a finding, never an exception.
    """
    from deliverability.api import _observer

    request = (request or Request()).checked()
    return await assess_address(request, address, _observer(request), request.now or datetime.now(UTC), about=about)


def check_message(mail: bytes, request: Request | None = None, *, bulk: bool | None = None) -> Assessment:
    """:func:`check_message_async`, blocking."""
    return blocking(lambda: check_message_async(mail, request, bulk=bulk), "check_message")


def check_address(address: str, request: Request | None = None, about: str | Domain | None = None) -> Assessment:
    """:func:`check_address_async`, blocking."""
    return blocking(lambda: check_address_async(address, request, about), "check_address")


# --- messages ---------------------------------------------------------------------------------------------------------


async def assess_message(
    request: Request, mail: bytes, observe: Observe | None, now: datetime, *, bulk: bool | None = None
) -> Assessment:
    """Judge a message by every check of messages, and by those of its domains that some provider's rule names."""
    base, problem = _message_evidence(request, mail, now, bulk=bulk)
    checks = assessing.load_checks()
    # A provider's rule may rest on what is published rather than on the message: SPF, DMARC, the reverse name.
    named = {check for provider in providers() for rule in provider.rules for check in (*rule.all_of, *rule.any_of)}
    beside = [
        check
        for check in checks
        if isinstance(check, Check) and check.id in named and Subject.MESSAGE not in check.subjects
    ]
    recorded = request.observations.answers.get
    steps = (
        Rounds(base, checks, peek=recorded),
        Rounds(replace(base, subject=Subject.DOMAIN), beside, peek=recorded),
    )

    def step(observations: Observations) -> tuple[Assessment, ...] | frozenset[Question]:
        reached = [one(observations) for one in steps]
        missing = frozenset(question for one in reached if isinstance(one, frozenset) for question in one)
        return missing or tuple(one for one in reached if isinstance(one, Assessment))

    (about_message, about_domain), _ = await settle(step, Observations(), observe, now)
    verdicts = (*about_message.verdicts, *about_domain.verdicts)
    if problem:
        verdicts = tuple(_unreadable(verdict, problem) for verdict in verdicts)
    observations = about_message.evidence.observations.joined(about_domain.evidence.observations)
    return replace(
        about_message, verdicts=verdicts, evidence=replace(about_message.evidence, observations=observations)
    )


def _message_evidence(
    request: Request, content: bytes, now: datetime, *, bulk: bool | None
) -> tuple[Evidence, ParseError | None]:
    """What is known of a message, and why it cannot be read, if so."""
    mail: mails.Mail | None = None
    problem: ParseError | None = None
    try:
        mail = mails.parse_mail(content)
    except ParseError as why:
        problem = why
    author = _author_domain(request, mail)
    reverse_path = _reverse_path(request, mail)
    sender = _sender(request, reverse_path, author)
    evidence = Evidence(
        subject=Subject.MESSAGE,
        assessed_at=now,
        own=request.own(),
        mail=Exhibit(content, "message/rfc822", request.mail_origin, now),
        author_domain=author or facts.configured_author(sender),
        reverse_path=reverse_path,
        client_ip=facts.client_ip(request, sender),
        helo=facts.helo(request, sender),
        selectors=facts.selectors(request, sender),
        bulk=bulk,
        asked_for=request.asked(),
        trust_anchors=request.configuration.trust_anchors,
    )
    return evidence, problem


def _author_domain(request: Request, mail: mails.Mail | None) -> Sourced[Domain] | None:
    if request.author_domain:
        return Sourced(domain(request.author_domain, "--author-domain"), Origin.OPTION)
    try:
        return Sourced(mails.author_domain(mail), Origin.MESSAGE) if mail else None
    except ParseError:
        return None  # one-author says why


def _reverse_path(request: Request, mail: mails.Mail | None) -> Sourced[str] | None:
    """The envelope's sender: as given, or as a receiving server wrote it into the copy (RFC 5321 §4.4)."""
    if request.sender is not None:
        given = request.sender.strip().removeprefix("<").removesuffix(">")
        try:
            return Sourced(str(Mailbox.parse(given)) if given else "", Origin.OPTION)
        except ParseError as problem:
            raise UsageError(f"--from: {problem}; --from '<>' is the empty sender of bounces") from None
    found = mail.all("return-path") if mail else ()
    if len(found) != 1:
        return None
    text = found[0].unfolded.decode("utf-8", "replace").removeprefix("<").removesuffix(">").strip()
    try:
        return Sourced(str(Mailbox.parse(text)) if text else "", Origin.MESSAGE)
    except ParseError:
        return None


def _sender(request: Request, reverse_path: Sourced[str] | None, author: Sourced[Domain] | None) -> Sender | None:
    """The configured sender, by the envelope's domain, else by the author's."""
    names = [reverse_path.value.rpartition("@")[2]] if reverse_path else []
    names += [author.value.name] if author else []
    return next((found for name in names if (found := find_sender(request.configuration, name.lower()))), None)


def _unreadable(verdict: Verdict, problem: ParseError) -> Verdict:
    """A check that could not read the message is no defect of ours: it says what is wrong with the message."""
    if verdict.outcome is not Outcome.ERROR or verdict.ruling.finding.parameters.get("type") != type(problem).__name__:
        return verdict
    finding = unread(problem)
    return replace(verdict, ruling=Ruling(Outcome.INDETERMINATE, finding), templates=NOT_READ[finding.code])


# --- addresses --------------------------------------------------------------------------------------------------------


async def assess_address(
    request: Request, text: str, observe: Observe | None, now: datetime, *, about: str | Domain | None = None
) -> Assessment:
    """Judge an address by every check of addresses."""
    mailbox = addresses.judge(text).mailbox
    base = Evidence(
        subject=Subject.ADDRESS,
        assessed_at=now,
        own=request.own(),
        address=mailbox,
        # What is longer is told as too long from this much of it.
        address_given=text[: addresses.MAX_GIVEN + 1],
        recipient_domain=mailbox.domain if mailbox else None,
        about=domain(about, "--about") if isinstance(about, str) else about,
    )
    rounds = Rounds(base, assessing.load_checks(), peek=request.observations.answers.get)
    assessment, _ = await settle(rounds, Observations(), observe, now)
    return replace(assessment, provider=provider_id(assessment.evidence))


# --- the rules of a provider ------------------------------------------------------------------------------------------


def load_provider(name: str) -> Provider:
    """A provider by its id, or :class:`~deliverability.errors.UsageError` naming those that have rules."""
    known = {provider.id: provider for provider in providers() if provider.rules}
    name = _known_as(name, known.values())
    if name not in known:
        raise UsageError(
            f"no rules for senders are known of {printable(name)!r}; there are: {', '.join(sorted(known))}"
        )
    return known[name]


def _known_as(name: str, known: Iterable[Provider]) -> str:
    """The id of the provider that is called so, or has that domain; else what was given."""
    plain = name.strip().lower()
    called = _ALSO_CALLED.get(plain, plain)
    return next((one.id for one in known if called == one.id or plain in one.domains), name)


_ALSO_CALLED: Final = {
    "google": "gmail",
    "outlook": "outlook-com",
    "hotmail": "outlook-com",
    "microsoft": "outlook-com",
    "apple": "icloud",
    "aol": "yahoo",
}


def rules_of(
    provider: Provider, assessments: Sequence[Assessment], *, bulk: bool | None = None
) -> tuple[RuleVerdict, ...]:
    """A provider's rules, judged from one or several assessments of one sender; of two verdicts the later given stands.

    The day is that of the newest assessment.  ``bulk`` as in :func:`~deliverability.api.rules.judge_rules`; of a message
    that is subscribed mail (``Evidence.bulk``) its sender counts as a bulk sender.
    """
    verdicts: Mapping[str, Verdict] = {verdict.check: verdict for one in assessments for verdict in one.verdicts}
    if bulk is None and any(one.evidence.bulk for one in assessments):
        bulk = True
    at = max(one.evidence.assessed_at for one in assessments).date()
    authors = {one.evidence.author_domain.value.name for one in assessments if one.evidence.author_domain}
    author = authors.pop() if len(authors) == 1 else None
    return judge_rules(provider, verdicts, bulk=bulk, at=at, author_domain=author)


def with_rules(assessment: Assessment, names: Sequence[str], *, bulk: bool | None = None) -> Assessment:
    """The assessment with the rules of providers among its verdicts; raises :class:`UsageError` for an unknown one.

    The rules are for senders: an assessment of a recipient's address stays as it is.
    """
    if assessment.evidence.subject is Subject.ADDRESS:
        return assessment
    # A transactional message may still come from a sender whom the provider counts among bulk senders.
    judged = [rule for n in names for rule in rules_of(load_provider(n), [assessment], bulk=True if bulk else None)]
    return replace(assessment, verdicts=(*assessment.verdicts, *as_verdicts(judged)))
