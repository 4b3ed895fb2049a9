"""A domain that signed the message belongs to the domain in the From line.

RFC 9989 §4.4.1 and §4.10.2.  Of a message only signatures that verify count; without one, the signing domain that was
named is compared.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.dkim import passing_domains
from deliverability.protocols.dmarc import AlignmentState, PolicyState, aligned, discover_policy


def _applies(evidence: Evidence) -> Finding | None:
    if evidence.mail is None or grounds.unreadable(evidence):
        return None
    verified = passing_domains(evidence.mail.content, evidence.observations, grounds.judged_at(evidence))
    return None if verified else Finding.of("no-verified-signature")


def _evaluate(evidence: Evidence) -> Ruling:
    unreadable = grounds.unreadable(evidence)
    signers = () if unreadable else _signers(evidence)
    if not signers:
        return unreadable or grounds.need("need-message")
    if evidence.author_domain is None:
        return grounds.need("need-author-domain")
    author = evidence.author_domain.value
    policy = discover_policy(author, evidence.observations)
    if policy.state is PolicyState.COULD_NOT_LOOK and author not in signers:
        return grounds.open_question(policy.obstacle)
    strict = policy.record is not None and policy.record.strict_dkim
    found = [aligned(signer, author, evidence.observations, strict=strict) for signer in signers]
    ours = next((one for one in found if one.state is AlignmentState.ALIGNED), None)
    if ours:
        return Ruling(Outcome.PASS, Finding.of("aligned", identifier=ours.identifier, author=author))
    unknown = next((one for one in found if one.state is AlignmentState.COULD_NOT_LOOK), None)
    if unknown:
        return grounds.open_question(unknown.obstacle)
    told = {"identifier": ", ".join(signer.name for signer in signers), "author": author}
    code = "not-identical" if strict else "not-aligned"
    what = f"{told['identifier']}, {author}: {AlignmentState.NOT_ALIGNED}"
    return grounds.against(evidence, policy.observed_at, Finding.of(code, **told), what, None)


def _signers(evidence: Evidence) -> tuple[Domain, ...]:
    if evidence.mail:
        return passing_domains(evidence.mail.content, evidence.observations, grounds.judged_at(evidence))
    return (evidence.signing_domain.value,) if evidence.signing_domain else ()


CHECK = Check(
    id="dkim-aligned",
    subjects=frozenset({Subject.DISPATCH, Subject.MESSAGE, Subject.DOMAIN}),
    citation="RFC 9989 §4.4.1",
    title={"en": "DKIM domain and From domain belong together", "zh-Hant-TW": "DKIM 網域與寄件人（From）網域一致"},
    applies=_applies,
    evaluate=_evaluate,
    messages={
        "aligned": {
            "en": "The signing domain {identifier} and the From domain {author} belong together.",
            "zh-Hant-TW": "簽章網域 {identifier} 與寄件人（From）網域 {author} 屬於同一組織網域。",
        },
        "not-aligned": {
            "en": "The signing domain {identifier} and the From domain {author} do not belong together.",
            "zh-Hant-TW": "簽章網域 {identifier} 與寄件人（From）網域 {author} 不屬於同一組織網域。",
        },
        "not-identical": {
            "en": "{author} demands strict alignment (adkim=s), and the signing domain is {identifier}.",
            "zh-Hant-TW": "{author} 要求嚴格一致（adkim=s），但簽章網域是 {identifier}。",
        },
        "no-verified-signature": {
            "en": "No DKIM signature of this copy verifies, so there is no signing domain to compare.",
            "zh-Hant-TW": "這份郵件沒有通過驗證的 DKIM 簽章，因此沒有可比對的簽章網域。",
        },
        "need-message": {
            "en": "Which domain signed the message is not known. Give the message with --message.",
            "zh-Hant-TW": "不知道簽署這封郵件的網域。請以 --message 提供郵件。",
        },
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "unreadable-message": grounds.UNREADABLE_MESSAGE,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
