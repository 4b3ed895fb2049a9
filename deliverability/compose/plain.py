"""What the page does not show, what to forward to the provider, whether the mail is genuine, why it was filtered."""

from deliverability.compose.case import Case
from deliverability.compose.gate import Gate, authenticated, gate
from deliverability.compose.kinds import ARRIVED, PERHAPS_ARRIVED, REFUSED, Kind
from deliverability.compose.reason import words
from deliverability.compose.when import both
from deliverability.evidence.bundle import Strength
from deliverability.evidence.document import Block, Note, Paragraph, Quote, Section
from deliverability.evidence.plugin import ProviderKind
from deliverability.evidence.story import Attempt, Role

_FORWARDED = frozenset(
    {Kind.DELIVERED, Kind.ACCEPTED, Kind.HANDED_OVER, Kind.REFUSED, Kind.DEFERRED, Kind.EXPIRED, Kind.BOUNCED}
) | {Kind.UNKNOWN}


def limits(case: Case) -> Section:
    """What this page does not show."""
    t = case.t
    refused = "refused-unrecorded" if case.unrecorded else "refused"
    key = "arrived" if case.kind in ARRIVED else refused if case.kind in REFUSED else case.kind
    blocks: list[Block] = [Paragraph(t(f"limits.{key}" if t.has(f"limits.{key}") else "limits.other"))]
    claim = case.assessment.claim
    if claim and claim.strength in (Strength.OWN_RECORD, Strength.OWN_RECORD_ANCHORED):
        blocks.append(Paragraph(t("limits.own-record" if other_side(case) else "limits.own-record-only")))
    # "could-not-look": nothing was looked up at any time.
    if claim and claim.observed_later and claim.basis != "could-not-look":
        blocks.append(Paragraph(t("limits.observed-later", domain=case.domain)))
    return Section("limits", t("heading.limits"), tuple(blocks))


def other_side(case: Case) -> bool:
    """Whether somebody else's server took part, which keeps a record of its own."""
    attempt = _to_ask_about(case)
    if attempt is None or case.kind not in _FORWARDED:
        return False
    role = case.role if attempt is case.attempt else case.role_at(attempt)
    return role not in (Role.OWN_MX, Role.OWN_RELAY)


def _to_ask_about(case: Case) -> Attempt | None:
    """The attempt that the other side can find: the one that decided, or the last that it answered before that."""
    decided = case.attempt if case.attempt and case.attempt.relay else None
    asked = case.kind is Kind.EXPIRED or (case.kind is Kind.BOUNCED and case.taken_by_mx)
    return decided or (case.answered if asked else None)


def forward(case: Case) -> Section | None:
    """A paragraph with which the receiving side finds the message in its own records."""
    attempt, t = _to_ask_about(case), case.t
    if attempt is None or not other_side(case):
        return None
    evidence = case.assessment.evidence
    client_ip = evidence.client_ip.value if evidence.client_ip else attempt.local_ip
    rows = (
        ("forward.time", _time(case, attempt)),
        ("forward.to", case.recipient),
        ("forward.from", case.reverse_path),
        ("forward.server", str(attempt.relay)),
        ("forward.our-ip", client_ip),
        ("forward.queue-id", attempt.remote_queue_id),
        ("forward.message-id", f"<{case.message_id}>" if case.message_id else None),
        ("forward.reply", case.hide(words(attempt.reply)) if attempt.reply else None),
    )
    lines = [t("forward.greeting")]
    lines += [f"{t(key)}{t('colon')}{value}" for key, value in rows if value]
    lines.append(t("forward.question.accepted" if case.kind in ARRIVED else "forward.question.other"))
    blocks = (Paragraph(t("forward.intro")), Quote(t("forward.label"), "\n".join(lines)))
    return Section("forward", t("heading.forward"), blocks)


def _time(case: Case, attempt: Attempt) -> str:
    """When the other side has to look for it."""
    if attempt.instant:
        return both(attempt.instant, case.where)
    if not attempt.at.of_earlier:
        return attempt.at.logged
    began = case.message.arrived.instant if case.message and case.message.arrived else None
    return case.t("forward.after", time=both(began, case.where)) if began else ""


def genuine(case: Case) -> Section | None:
    """How the reader tells our mail from a forged one, without trusting a link in it."""
    if case.kind not in PERHAPS_ARRIVED:
        return None
    t, verdict = case.t, gate(case.assessment.verdicts)
    known = authenticated(case.assessment.verdicts)
    blocks: list[Block] = []
    if verdict is Gate.NEVER:
        blocks.append(Note(t("genuine.never")))
    elif known:
        author = case.assessment.evidence.author_domain
        checked = author.value.unicode if author else case.sender.domain
        blocks.append(Paragraph(t("genuine.open", domain=checked or t("sender.unknown"))))
    else:
        blocks.append(Paragraph(t("genuine.unchecked")))
    if case.sender.domain:
        key = "genuine.domain.envelope" if case.sender.from_envelope and not known else "genuine.domain"
        blocks.append(Paragraph(t(key, domain=case.sender.domain)))
    blocks.append(Paragraph(t("genuine.care")))
    return Section("genuine", t("heading.genuine"), tuple(blocks))


def why_filtered(case: Case) -> Section | None:
    """Only with evidence; there is none from outside the mailbox, and the page says so."""
    if case.kind not in ARRIVED:
        return None
    ours = case.provider.kind is ProviderKind.OWN
    blocks = (Paragraph(case.t("why.unseen.own" if ours else "why.unseen")), Paragraph(case.t("why.tell-us")))
    return Section("why-filtered", case.t("heading.why-filtered"), blocks)
