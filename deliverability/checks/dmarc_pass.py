"""The message passes DMARC: the domain in its From line stands behind it.

RFC 9989 §4.4 and §5.3: an aligned SPF pass or an aligned DKIM pass is enough.  It fails only when neither is left open.
"""

from typing import TYPE_CHECKING

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds

if TYPE_CHECKING:
    from deliverability.protocols.dkim import DkimSignature
    from deliverability.protocols.dmarc import DmarcPolicy


def _applies(evidence: Evidence) -> Finding | None:
    if evidence.author_domain is None:
        return None
    from deliverability.protocols.dmarc import discover_policy

    policy = discover_policy(evidence.author_domain.value, evidence.observations)
    if _without_policy(policy) and not grounds.seen_later(evidence, policy.observed_at):
        return Finding.of("no-policy", author=policy.author_domain)
    return None


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.author_domain is None:
        return grounds.need("need-author-domain")
    from deliverability.protocols.dmarc import PolicyState, discover_policy

    policy = discover_policy(evidence.author_domain.value, evidence.observations)
    if policy.state is PolicyState.COULD_NOT_LOOK:
        return grounds.open_question(policy.obstacle, "temperror")
    if _without_policy(policy):  # looked up too late to say that there was none
        what = f"{policy.author_domain}: DMARC {policy.state}"
        return Ruling(Outcome.INDETERMINATE, Finding.of("observed-later", what=what))
    by_dkim = _by_dkim(evidence, policy)
    if by_dkim.outcome is Outcome.PASS:
        return by_dkim
    by_spf = _by_spf(evidence, policy)
    if by_spf.outcome is Outcome.PASS:
        return by_spf
    # What is open decides; DKIM first, because a signature survives every hop.
    return next((part for part in (by_dkim, by_spf) if part.outcome is Outcome.INDETERMINATE), by_dkim)


def _without_policy(policy: "DmarcPolicy") -> bool:
    from deliverability.protocols.dmarc import PolicyState

    return policy.state in (PolicyState.NONE, PolicyState.UNUSABLE)


def _by_dkim(evidence: Evidence, policy: "DmarcPolicy") -> Ruling:
    if evidence.mail is None:
        return grounds.need("need-message")
    unreadable = grounds.unreadable(evidence)
    if unreadable:
        return unreadable
    from deliverability.protocols.dkim import verify

    found = verify(evidence.mail.content, evidence.observations, grounds.judged_at(evidence))
    if not found:
        return grounds.need("unsigned")
    parts = [_signature_part(evidence, signature, policy) for signature in found]
    for outcome in (Outcome.PASS, Outcome.INDETERMINATE):
        settled = next((part for part in parts if part.outcome is outcome), None)
        if settled:
            return settled
    return Ruling(Outcome.FAIL, Finding.of("neither", author=policy.author_domain), "fail")


def _signature_part(evidence: Evidence, signature: "DkimSignature", policy: "DmarcPolicy") -> Ruling:
    from deliverability.protocols.dkim import DkimResult, Reason
    from deliverability.protocols.dmarc import AlignmentState, aligned

    author, strict = policy.author_domain, policy.record is not None and policy.record.strict_dkim
    failed = Finding.of("neither", author=author)
    if signature.reason is Reason.EXPIRED and grounds.expired_since(evidence, signature.expires_at):
        told = {"domain": signature.domain, "when": signature.expires_at}
        return Ruling(Outcome.INDETERMINATE, Finding.of("expired-since", **told))
    if signature.domain is None or (signature.result is not DkimResult.PASS and not signature.depends_on_dns):
        return Ruling(Outcome.FAIL, failed, "fail")
    relation = aligned(signature.domain, author, evidence.observations, strict=strict)
    if relation.state is AlignmentState.COULD_NOT_LOOK:
        return grounds.open_question(relation.obstacle, "temperror")
    if relation.state is AlignmentState.ALIGNED and signature.result is DkimResult.PASS:
        finding = Finding.of("by-dkim", author=author, identifier=signature.domain)
        return Ruling(Outcome.PASS, finding, "pass")
    if relation.state is AlignmentState.ALIGNED and signature.undecided:
        return grounds.undecided(signature, "temperror" if signature.reason is Reason.COULD_NOT_LOOK else None)
    key_seen = signature.key.observed_at if signature.key else None
    seen = grounds.latest(key_seen, relation.observed_at, policy.observed_at)
    what = f"DKIM {signature.domain}: {signature.reason}, {relation.state}"
    return grounds.against(evidence, seen, failed, what, "fail")


def _by_spf(evidence: Evidence, policy: "DmarcPolicy") -> Ruling:
    """SPF on the hop to the recipient's MX; what hides that hop leaves it open."""
    hidden = grounds.relayed(evidence)
    if hidden:
        return Ruling(Outcome.INDETERMINATE, hidden)
    identifier = grounds.mail_from_domain(evidence)
    if evidence.client_ip is None or evidence.reverse_path is None or identifier is None:
        return grounds.need("need-client-ip" if evidence.client_ip is None else "need-reverse-path")
    return grounds.unconfirmed(evidence) or _spf_part(evidence, policy, identifier, evidence.client_ip.value)


def _spf_part(evidence: Evidence, policy: "DmarcPolicy", identifier: Domain, client_ip: str) -> Ruling:
    from deliverability.protocols.dmarc import AlignmentState, aligned
    from deliverability.protocols.spf import SpfResult, check_host

    author, strict = policy.author_domain, policy.record is not None and policy.record.strict_spf
    path = evidence.reverse_path.value if evidence.reverse_path else ""
    helo = evidence.helo.value if evidence.helo else ""
    found = check_host(client_ip, path, helo, evidence.observations)
    relation = aligned(identifier, author, evidence.observations, strict=strict)
    if relation.state is AlignmentState.COULD_NOT_LOOK:
        return grounds.open_question(relation.obstacle, "temperror")
    if relation.state is AlignmentState.ALIGNED:
        if found.result is SpfResult.PASS:
            return Ruling(Outcome.PASS, Finding.of("by-spf", author=author, identifier=identifier), "pass")
        if found.result is SpfResult.TEMPERROR:
            return grounds.open_question(found.obstacle, "temperror")
        if found.unsettled:  # of a message the whole reverse-path is known, so it is the HELO name
            return grounds.need("need-helo")
    what = f"SPF {identifier}: {found.result}, {relation.state}"
    seen = grounds.latest(found.observed_at, relation.observed_at, policy.observed_at)
    return grounds.against(evidence, seen, Finding.of("neither", author=author), what, "fail")


CHECK = Check(
    id="dmarc-pass",
    subjects=frozenset({Subject.DISPATCH, Subject.MESSAGE}),
    citation="RFC 9989 §4.4, §5.3",
    title={"en": "DMARC: the From domain stands behind it", "zh-Hant-TW": "DMARC：確由寄件者（From）網域寄出"},
    applies=_applies,
    evaluate=_evaluate,
    messages={
        "by-dkim": {
            "en": "DMARC passes for {author}: the verified signature of {identifier} belongs to it.",
            "zh-Hant-TW": "{author} 的 DMARC 通過：{identifier} 的簽章通過驗證，且屬於同一組織網域。",
        },
        "by-spf": {
            "en": "DMARC passes for {author}: SPF passes for {identifier}, which belongs to it.",
            "zh-Hant-TW": "{author} 的 DMARC 通過：{identifier} 的 SPF 通過，且屬於同一組織網域。",
        },
        "neither": {
            "en": "DMARC fails for {author}: neither SPF nor DKIM passes for a domain that belongs to it.",
            "zh-Hant-TW": "{author} 的 DMARC 未通過：SPF 與 DKIM 都沒有以屬於該組織網域的網域通過。",
        },
        "no-policy": {
            "en": "No usable DMARC record applies to {author}, so receivers do not apply DMARC.",
            "zh-Hant-TW": "{author} 沒有可用的 DMARC 紀錄，收件方不會進行 DMARC 檢查。",
        },
        "unsigned": {
            "en": "This copy of the message carries no DKIM signature. Give the copy that left the server with --message.",
            "zh-Hant-TW": "這份郵件沒有 DKIM 簽章。請以 --message 提供實際寄出的郵件。",
        },
        "need-message": {
            "en": "Without the message itself its signature cannot be verified. Give it with --message.",
            "zh-Hant-TW": "沒有郵件本身，無法驗證簽章。請以 --message 提供。",
        },
        "expired-since": grounds.EXPIRED_SINCE,
        "need-client-ip": grounds.NEED_CLIENT_IP,
        "need-reverse-path": grounds.NEED_REVERSE_PATH,
        "need-helo": grounds.NEED_HELO,
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "unreadable-message": grounds.UNREADABLE_MESSAGE,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
        "several-keys": grounds.SEVERAL_KEYS,
        **grounds.HOP,
    },
)
