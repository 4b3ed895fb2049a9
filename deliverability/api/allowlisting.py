"""``allowlist``: what is known of a sender → the files that let its mail in, as far as the evidence allows them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, timedelta
from email.utils import getaddresses
from typing import Final

from deliverability import plugins
from deliverability.api.observe import blocking
from deliverability.api.requests import Request
from deliverability.compose.allowlisting import WHOLE, Decision, Reason, decide, whole
from deliverability.compose.brand import Brand
from deliverability.compose.case import kind_of, provider_for
from deliverability.compose.gate import signed
from deliverability.compose.sender import sender_of
from deliverability.config import find_sender
from deliverability.errors import AmbiguousError, ParseError, UsageError, printable
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.names import Domain
from deliverability.evidence.plugin import Form
from deliverability.evidence.sender_facts import SenderFacts, Signer, sender_address
from deliverability.evidence.verdict import Outcome
from deliverability.protocols import mail as mails
from deliverability.protocols.dkim import DkimResult, verify
from deliverability.protocols.dmarc import AlignmentState, aligned, discover_policy
from deliverability.protocols.encoded_words import decode_header_text

DAYS: Final = 365
"""For how long a file is meant where nobody says."""
MAX_FROM: Final = 1000
"""Octets of a From line that is read for a name."""


@dataclass(frozen=True, slots=True)
class Made:
    """A file."""

    form: Form
    name: str
    """Safe on every file system: form, the sender's domain, date."""
    content: bytes


@dataclass(frozen=True, slots=True)
class NotMade:
    """A form of which no file is made, and why."""

    form: Form
    decision: Decision


@dataclass(frozen=True, slots=True)
class AllowlistResult:
    """What ``allowlist`` answers."""

    made: tuple[Made, ...]
    not_made: tuple[NotMade, ...]
    assessment: Assessment
    facts: SenderFacts | None
    """``None`` where the evidence speaks against every list, so that none is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for beside the evidence."""

    names: tuple[str, ...] = ()
    """Forms or providers; empty: those of the recipient's provider, where a log or a report tells it."""
    address: str | None = None
    """The sender's address in From; ``None``: as the signed message shows it."""
    authserv_id: str | None = None
    expires: date | None = None


async def allowlist_async(request: Request, wish: Wish) -> AllowlistResult:
    """The files for a sender.

    Of ``request`` either a log search (``logs``, ``to`` …), a message (``mail``) or neither is used.  Raises
    :class:`~deliverability.errors.UsageError` for a name that is neither form nor provider and for a sender that is not
    known, else as ``report`` does.
    """
    forms = chosen(wish.names) if wish.names else ()
    assessment = await _assessment(request, wish)
    if not forms:
        forms = chosen((assessment.provider,)) if assessment.provider else ()
    if not forms:
        raise UsageError(f"say for which system, with --for: {_names()}")
    reason = whole(assessment)
    if reason in WHOLE:
        refused = tuple(NotMade(form, Decision(reason)) for form in forms)
        return AllowlistResult((), refused, assessment, None)
    facts = _facts(request, wish, assessment)
    made: list[Made] = []
    not_made: list[NotMade] = []
    for form in forms:
        outcome = _made(form, assessment, facts)
        if isinstance(outcome, Made):
            made.append(outcome)
        else:
            not_made.append(outcome)
    return AllowlistResult(tuple(made), tuple(not_made), assessment, facts)


def allowlist(request: Request, wish: Wish) -> AllowlistResult:
    """:func:`allowlist_async`, blocking."""
    return blocking(lambda: allowlist_async(request, wish), "allowlist")


def files_for(assessment: Assessment, request: Request) -> tuple[Made, ...]:
    """The files that a report brings along: those of the recipient's provider, as far as the evidence allows each.

    Asks nobody and guesses nothing: none where a fact is missing, or where the configured sender is of another domain
    than the one that the verdicts are about.
    """
    if assessment.claim is None or whole(assessment) is not Reason.MADE:
        return ()
    provider = provider_for(assessment, kind_of(assessment)).id
    author = assessment.evidence.author_domain
    try:
        facts = _facts(request, Wish(address=_reported_sender(request, assessment)), assessment)
    except UsageError:
        return ()
    if author is None or author.value.name != facts.author_domain:
        return ()
    made = (_made(form, assessment, facts) for form in _in_order(f for f in forms() if provider in f.providers))
    return tuple(one for one in made if isinstance(one, Made))


def _reported_sender(request: Request, assessment: Assessment) -> str | None:
    """The configured sender, unless the message itself, signed, shows whose it is."""
    known = sender_of(assessment.evidence, Brand(), signed=signed(assessment.verdicts))
    return None if known.address and not known.from_envelope else request.configuration.report.sender


def forms() -> tuple[Form, ...]:
    """All forms that load; a broken file takes no other with it."""
    return tuple(form for _, form in plugins.load_all("allowlists") if isinstance(form, Form))


def chosen(names: Sequence[str]) -> tuple[Form, ...]:
    """The forms of that id, and those that the customers of a provider of that id can use; authenticated ones first.

    Raises :class:`~deliverability.errors.UsageError` for a name that is neither.
    """
    every, found = forms(), []
    for name in names:
        fitting = [form for form in every if name == form.id or name in form.providers]
        if not fitting and name in plugins.ids("providers"):
            raise UsageError(
                f"{name} takes no file of any kind: its own steps are on the page of deliverability report"
            )
        if not fitting:
            raise UsageError(f"--for {printable(name)!r}: no such form or provider; there are {_names(every)}")
        found += fitting
    return _in_order({form.id: form for form in found}.values())


def _in_order(given: Iterable[Form]) -> tuple[Form, ...]:
    return tuple(sorted(given, key=lambda form: (not form.authenticated, form.id)))


def _names(every: Iterable[Form] | None = None) -> str:
    known = forms() if every is None else every
    return ", ".join(sorted({name for form in known for name in (form.id, *form.providers)}))


def _made(form: Form, assessment: Assessment, facts: SenderFacts) -> Made | NotMade:
    decision = decide(form, assessment, facts)
    if not decision.made:
        return NotMade(form, decision)
    try:
        content = form.render(facts)
    except ParseError as problem:
        return NotMade(form, Decision(Reason.CANNOT_HOLD, str(problem)))
    name = f"{facts.issued_on.isoformat()}-{form.id}-{facts.author_domain}"[:100]
    return Made(form, f"{name}.{form.extension}", content)


# --- evidence ---------------------------------------------------------------------------------------------------------


async def _assessment(request: Request, wish: Wish) -> Assessment:
    """What is known: of a notice in the logs, of a message, or of the sender's domain alone."""
    from deliverability import api

    if request.logs or request.archive or request.to:
        if wish.address is not None and request.mail is None and request.author_domain is None:
            # A log shows the envelope's sender; whoever names the one in From names the author domain.
            request = replace(request, author_domain=_address(wish.address).rpartition("@")[2])
        result = await api.report_async(request)
        if len(result.assessments) != 1:
            raise AmbiguousError(f"{len(result.assessments)} deliveries match: choose one", result.traced)
        return result.assessments[0]
    if request.mail is not None:
        about = await api.check_message_async(request.mail, request)
        author = about.evidence.author_domain
        return await _with_policy(request, about, author.value.name) if author else about
    if wish.address is None:
        raise UsageError("say whose mail: --sender ADDRESS, --message FILE.eml, or --log PATH and --to ADDRESS")
    # Whoever is named here is not the envelope's sender, which ``request.sender`` means.
    return await api.check_domain_async(_address(wish.address).rpartition("@")[2], request)


async def _with_policy(request: Request, about: Assessment, author: str) -> Assessment:
    """A message's assessment with what its domain asks receivers to do with forged mail."""
    from deliverability import api

    if any(verdict.check == "dmarc-enforced" for verdict in about.verdicts):
        return about
    domain = await api.check_domain_async(author, replace(request, mail=None, author_domain=None))
    enforced = tuple(verdict for verdict in domain.verdicts if verdict.check == "dmarc-enforced")
    return replace(about, verdicts=(*about.verdicts, *enforced))


# --- facts ------------------------------------------------------------------------------------------------------------


def _facts(request: Request, wish: Wish, assessment: Assessment) -> SenderFacts:
    evidence = assessment.evidence
    address = _sender(wish, assessment)
    author = Domain.parse(address.rpartition("@")[2])
    reverse_path = evidence.reverse_path.value.rpartition("@")[2].lower() if evidence.reverse_path else ""
    configured = find_sender(request.configuration, reverse_path or author.name)
    ips = configured.egress_ips if configured else ()
    if evidence.client_ip:
        ips = (evidence.client_ip.value, *ips)
    issued = (request.now or evidence.assessed_at).astimezone(UTC).date()
    try:
        return SenderFacts(
            address=address,
            display_name=_display_name(request, assessment),
            signers=_signers(assessment, author),
            envelope_domain=Domain.parse(reverse_path).name if reverse_path else None,
            egress_ips=tuple(dict.fromkeys(ips)),
            issued_on=issued,
            expires_on=wish.expires or issued + timedelta(days=DAYS),
            authserv_id=wish.authserv_id,
        )
    except ParseError as problem:
        raise UsageError(str(problem)) from None


def _address(text: str) -> str:
    try:
        return sender_address(text)
    except ParseError as problem:
        raise UsageError(f"--sender: {problem}") from None


def _sender(wish: Wish, assessment: Assessment) -> str:
    """The address in From: as given, else as a verified, aligned signature ties it to its domain; never a guess."""
    known = sender_of(assessment.evidence, Brand(), signed=signed(assessment.verdicts))
    shown = "" if known.from_envelope else known.address
    if wish.address is None:
        if not shown:
            raise UsageError(
                "the sender's From address is not shown by what is at hand: give --sender ADDRESS, or the message with"
                " a valid signature (--message)"
            )
        return _address(shown)
    given = _address(wish.address)
    if shown and _address(shown).lower() != given.lower():
        raise UsageError(f"--sender {printable(given)} is not the sender of this message, which is {printable(shown)}")
    return given


def _signers(assessment: Assessment, author: Domain) -> tuple[Signer, ...]:
    """Aligned domains that signed the message at hand; without one, the author domain where it is known to sign."""
    evidence = assessment.evidence
    if evidence.mail is None:
        failed = any(v.check == "dkim-key-published" and v.outcome is Outcome.FAIL for v in assessment.verdicts)
        selectors = tuple(dict.fromkeys(one.value.lower() for one in evidence.selectors))
        return (Signer(author.name, selectors),) if selectors and not failed else ()
    found: dict[str, list[str]] = {}
    policy = discover_policy(author, evidence.observations)
    strict = policy.record is not None and policy.record.strict_dkim
    for one in verify(evidence.mail.content, evidence.observations, evidence.dispatched_at or evidence.assessed_at):
        if one.result is not DkimResult.PASS or one.domain is None:
            continue
        if aligned(one.domain, author, evidence.observations, strict=strict).state is AlignmentState.ALIGNED:
            found.setdefault(one.domain.name, []).append(one.selector or "")
    return tuple(Signer(name, tuple(s for s in dict.fromkeys(names) if s)) for name, names in found.items())


def _display_name(request: Request, assessment: Assessment) -> str:
    """The name in a signed From line, else the configured brand's; empty where it holds what no file should."""
    names = [request.configuration.report.brand_name or ""]
    mail = assessment.evidence.mail
    if mail is not None and signed(assessment.verdicts):
        lines = mails.parse_mail(mail.content).all("from")  # its signature was verified, so it can be read
        raw = lines[0].unfolded if len(lines) == 1 and len(lines[0].unfolded) <= MAX_FROM else b""
        found = getaddresses([raw.decode("utf-8", "replace")])
        names = [decode_header_text(found[0][0].encode()), *names] if found else names
    return next((name for name in names if name and _fit(name)), "")


def _fit(name: str) -> bool:
    try:
        SenderFacts(address="a@b.example", display_name=name, issued_on=date(2000, 1, 1), expires_on=date(2000, 1, 2))
    except ParseError:
        return False
    return True
