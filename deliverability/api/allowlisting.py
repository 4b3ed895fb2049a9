"""``allowlist``: what is known of a sender → the files that let its mail in, as far as the evidence allows them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from deliverability import plugins
from deliverability.api.observe import blocking
from deliverability.api.requests import Request
from deliverability.api.sender_known import Wish, address_of, facts_of
from deliverability.compose.allowlisting import WHOLE, Decision, Reason, decide, whole
from deliverability.compose.brand import Brand
from deliverability.compose.case import provider_for
from deliverability.compose.gate import signed
from deliverability.compose.kinds import kind_of
from deliverability.compose.sender import sender_of
from deliverability.errors import AmbiguousError, ParseError, UsageError, printable
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.plugin import Form
from deliverability.evidence.sender_facts import SenderFacts

__all__ = ["AllowlistResult", "Made", "NotMade", "Wish", "allowlist", "allowlist_async", "chosen", "files_for", "forms"]


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
    facts = facts_of(request, wish, assessment)
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
        facts = facts_of(request, Wish(address=_reported_sender(request, assessment)), assessment)
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
            request = replace(request, author_domain=address_of(wish.address).rpartition("@")[2])
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
    return await api.check_domain_async(address_of(wish.address).rpartition("@")[2], request)


async def _with_policy(request: Request, about: Assessment, author: str) -> Assessment:
    """A message's assessment with what its domain asks receivers to do with forged mail."""
    from deliverability import api

    if any(verdict.check == "dmarc-enforced" for verdict in about.verdicts):
        return about
    domain = await api.check_domain_async(author, replace(request, mail=None, author_domain=None))
    enforced = tuple(verdict for verdict in domain.verdicts if verdict.check == "dmarc-enforced")
    return replace(about, verdicts=(*about.verdicts, *enforced))
