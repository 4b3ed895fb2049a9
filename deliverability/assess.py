"""Evidence × checks → an assessment, or every observation that is still missing.  Pure.

The claim comes first: how far the notice is shown to have come, and on whose word (DESIGN §2).  Then every check
that speaks of the subject is run; a check that crashes is an ``error`` row, and the others still stand.
"""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

from deliverability import plugins
from deliverability.errors import ParseError
from deliverability.evidence.bundle import Assessment, Claim, Evidence, Own, Strength
from deliverability.evidence.event import Transport
from deliverability.evidence.languages import LANGUAGES
from deliverability.evidence.names import Mailbox
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    HttpsAnswer,
    Observation,
    Question,
    SmtpAnswer,
    Unobserved,
)
from deliverability.evidence.smtp import Host
from deliverability.evidence.story import Attempt, Coverage, Delivery, Level, Role, State
from deliverability.evidence.verdict import Finding, Outcome, Ruling, Verdict
from deliverability.protocols import grounds, hosts, mx

if TYPE_CHECKING:
    from deliverability.evidence.plugin import Check

RULESET = "2026.11.4"
"""Changes whenever equal evidence could give another verdict."""

_CRASHED = {
    "en": "This check failed by a defect of ours ({type}); it says nothing about the mail.",
    "zh-Hant-TW": "這項檢查因本程式的錯誤而中斷（{type}）；這不代表郵件有問題。",
}


def load_checks() -> "tuple[Check | Verdict, ...]":
    """All checks; for one that cannot be loaded, the error row that stands in its place."""
    from deliverability.evidence.plugin import Check

    return tuple(
        plugin if isinstance(plugin, Check) else _crash(name, plugin if isinstance(plugin, Exception) else TypeError())
        for name, plugin in plugins.load_all("checks")
    )


def assess(
    evidence: Evidence, checks: "Sequence[Check | Verdict]", coverage: Coverage | None = None
) -> Assessment | frozenset[Question]:
    """Run everything that applies to the evidence's subject.

    When observations are missing, the answer is the set of *all* questions that some evaluator could ask by now;
    asked and joined to the evidence, the next call gets further.
    """
    missing: set[Question] = set()
    claim: Claim | None = None
    try:
        claim = claim_of(evidence)
    except Unobserved as wanted:
        missing.update(wanted.questions)
    verdicts: list[Verdict] = []
    for check in checks:
        if isinstance(check, Verdict):
            verdicts.append(check)
            continue
        if evidence.subject not in check.subjects:
            continue
        try:
            verdicts.append(run(check, evidence))
        except Unobserved as wanted:
            missing.update(wanted.questions)
    if missing:
        return frozenset(missing)
    return Assessment(
        ruleset=RULESET,
        evidence=evidence,
        claim=claim,
        verdicts=tuple(verdicts),
        coverage=coverage,
        report_id=report_id(evidence, coverage),
    )


def run(check: "Check", evidence: Evidence) -> Verdict:
    """One check's verdict; may raise :class:`Unobserved`, and nothing else."""
    try:
        ruling = _ruling(check, evidence)
        return Verdict(
            check.id,
            check.citation,
            check.title,
            ruling,
            templates=grounds.words(ruling.finding, check.messages[ruling.finding.code]),
            detail_templates={f.code: grounds.words(f, check.messages[f.code]) for f in ruling.details},
            advisory=check.advisory,
        )
    except Exception as problem:  # noqa: BLE001 - a defect of one check must not take the report with it
        return _crash(check.id, problem, check)


def _ruling(check: "Check", evidence: Evidence) -> Ruling:
    why_not = check.applies(evidence)
    if why_not:
        return Ruling(Outcome.NOT_APPLICABLE, why_not)
    return check.evaluate(evidence)


def _crash(name: str, problem: Exception, check: "Check | None" = None) -> Verdict:
    title = check.title if check else dict.fromkeys(LANGUAGES, name)
    ruling = Ruling(Outcome.ERROR, Finding.of("crashed", type=type(problem).__name__))
    return Verdict(name, check.citation if check else "", title, ruling, _CRASHED)


# --- the claim --------------------------------------------------------------------------------------------------------

_LEVEL = {
    State.DELIVERED: Level.DELIVERED,
    State.ACCEPTED: Level.ACCEPTED,
    State.HANDED_OVER: Level.HANDED_OVER,
    State.RECORDED: Level.RECORDED,
}


def claim_of(evidence: Evidence) -> Claim | None:
    """What may be claimed of the delivery; may raise :class:`Unobserved` for the recipient's MX.

    Of an address behind which aliases led to several, the weakest part's claim stands for all, but where the address has a
    mailbox of its own and that took it.
    """
    return None if evidence.delivery is None else claim_for(evidence.delivery, evidence)


def claim_for(delivery: Delivery, evidence: Evidence) -> Claim:
    """As :func:`claim_of` of the same evidence with that delivery: of thousands one after the other."""
    if delivery.parts and delivery.state is State.HANDED_OVER:
        claims = [
            _claim(State.HANDED_OVER, p.decisive, evidence) for p in delivery.parts if p.state is State.HANDED_OVER
        ]
        return min(claims, key=lambda c: c.level)
    return _claim(delivery.state, delivery.decisive, evidence)


def _claim(state: State, attempt: Attempt | None, evidence: Evidence) -> Claim:
    if state is State.RECORDED:
        return Claim(state, Level.RECORDED, Role.NONE, "mailers-list")
    strength = Strength.THIRD_PARTY_RECORD if attempt and attempt.witness else Strength.OWN_RECORD
    if state is State.DELIVERED:
        # A service that keeps the recipient's mailbox says so itself; else the mailbox is on a server of ours.
        role = Role.RECIPIENT_MX if attempt and attempt.witness else Role.OWN_MX
        return Claim(state, Level.DELIVERED, role, "mail-store", strength)
    if attempt is None or attempt.relay is None:
        role, basis = Role.NONE, "no-host"
        if state is State.HANDED_OVER:  # a service that names no server says no more than that it gave it away
            role, basis = _unnamed(attempt)
        return Claim(state, _LEVEL.get(state, Level.NONE), role, basis, strength)
    role, basis, later = role_of(attempt, evidence)
    # Of what others did for us only a reply that their record quotes shows that the MX took it.
    quoted = attempt.witness is None or (attempt.reply is not None and attempt.reply.positive)
    if state is State.HANDED_OVER and role in (Role.RECIPIENT_MX, Role.OWN_MX) and quoted:
        state = State.ACCEPTED
    return Claim(state, _LEVEL.get(state, Level.NONE), role, basis, strength, observed_later=later)


def _unnamed(attempt: Attempt | None) -> tuple[Role, str]:
    """Who took what was handed over where the line names no server."""
    if attempt and attempt.witness:
        return Role.UNCONFIRMED, "service-record"
    if attempt and attempt.transport is Transport.SMTP:  # part of the line was lost: some other server answered
        return Role.UNCONFIRMED, "no-host"
    return Role.OWN_RELAY, "own-program"


def role_of(attempt: Attempt, evidence: Evidence) -> tuple[Role, str, bool]:
    """Who answered, why we say so, and whether that rests on DNS of after the dispatch (DESIGN §4.2)."""
    relay = attempt.relay
    if relay is None:
        return Role.NONE, "no-host", False
    if hosts.is_this_machine(relay):
        # Whatever the recipient's domain publishes, a host that is this machine is a program of ours.
        return Role.OWN_RELAY, "loopback", False
    own = grounds.is_own(relay, evidence.own)
    try:
        domain = Mailbox.parse(attempt.recipient).domain
    except ParseError:
        return (Role.OWN_RELAY if own else Role.UNCONFIRMED), "address-without-domain", False
    match = mx.match(relay, domain, evidence.observations)
    # Of an attempt without a known time nothing shows that the look-up was in time.
    later = bool(match.observed_at and (attempt.instant is None or match.observed_at > attempt.instant))
    local = hosts.is_loopback(relay)
    if match.kind is mx.MxKind.NAME or (match.matched and not local):
        return (Role.OWN_MX if own else Role.RECIPIENT_MX), match.kind.value, later
    role, basis = (Role.OWN_RELAY, "own-configuration") if own else _by_configuration(relay, evidence.own)
    return (role, basis, False) if basis else (role, match.kind.value, later)


def _by_configuration(relay: Host, own: Own) -> tuple[Role, str]:
    """The role of another's host that the DNS does not name as an MX; an empty basis when nothing names it."""
    if grounds.is_intermediary(relay, own):
        return Role.INTERMEDIARY, "own-configuration"
    if hosts.is_loopback(relay):
        return Role.UNCONFIRMED, "loopback"
    if own.routed_by_mx:
        return Role.RECIPIENT_MX, "routed-by-mx"
    return Role.UNCONFIRMED, ""


def report_id(evidence: Evidence, coverage: Coverage | None = None) -> str:
    """A short name of the evidence: equal evidence gives an equal id, another line or answer another.

    Where no message was found, the evidence is what was looked through.
    """
    import hashlib

    digest = hashlib.sha256()
    for part in (*_parts(evidence), *_looked_through(evidence, coverage)):
        digest.update(hashlib.sha256(part).digest())  # fixed width, so that no two lists of parts run together
    name = digest.hexdigest()[:20].upper()
    return "-".join(name[i : i + 5] for i in range(0, 20, 5))


def _parts(evidence: Evidence) -> Iterable[bytes]:
    """Everything that a verdict may rest on, but for the clock: what was asked, what was said, what was observed."""
    yield evidence.subject.value.encode()
    yield repr(_asked(evidence)).encode("utf-8", "surrogatepass")
    if evidence.message:
        yield from (line.raw for line in evidence.message.lines)
    if evidence.delivery:
        yield evidence.delivery.recipient.encode("utf-8", "surrogatepass")
    if evidence.mail:
        yield evidence.mail.content
    seen = evidence.observations.answers.values()
    told = [(type(one.question).__name__, str(one.question), one) for one in seen]
    for _, question, observation in sorted(told, key=itemgetter(0, 1)):  # as they iterate
        yield question.encode()
        yield _bytes_of(observation)


def _looked_through(evidence: Evidence, coverage: Coverage | None) -> Iterable[bytes]:
    if evidence.message is None and coverage is not None:
        for source in coverage.sources:
            holes = [(hole.kind, hole.after, hole.before) for hole in source.missing]
            yield repr((source.log, source.covered, holes, coverage.blind)).encode("utf-8", "surrogatepass")


def _asked(evidence: Evidence) -> tuple[object, ...]:
    """The facts beside logs, message and DNS, as plain text: two questions that differ in one have two ids."""
    sourced = (
        *(evidence.author_domain, evidence.reverse_path, evidence.client_ip, evidence.helo, evidence.signing_domain),
        *evidence.selectors,
    )
    own = evidence.own
    return (
        tuple((str(fact.value), fact.origin.value) if fact else None for fact in sourced),
        tuple(str(one) if one else None for one in (evidence.recipient_domain, evidence.address, evidence.about)),
        evidence.address_given,
        evidence.bulk,
        tuple(sorted(evidence.asked_for)),
        (tuple(sorted(own.hosts)), tuple(map(str, own.networks)), tuple(sorted(own.intermediaries)), own.routed_by_mx),
    )


def _bytes_of(observation: Observation) -> bytes:
    match observation:
        case DnsAnswer():
            return observation.wire
        case HttpsAnswer():
            answer = (observation.status, observation.media_type, observation.certificate_error)
            return repr(answer).encode("utf-8", "surrogatepass") + observation.body
        case SmtpAnswer():
            host = (
                *(observation.ip, observation.greeting, observation.capabilities, observation.starttls),
                *(observation.tls_version, observation.certificate_error, observation.certificate, observation.chain),
            )
            return repr(host).encode("utf-8", "surrogatepass")
        case CouldNotLook():
            return observation.obstacle.value.encode()
