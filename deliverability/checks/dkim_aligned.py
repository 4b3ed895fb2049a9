"""A domain that signed the message belongs to the domain in the From line.

RFC 9989 §4.4.1 and §4.10.2.  Of a message only signatures that verify count.  Of a domain that is to send, no mail shows
who signs: what is named is compared, and nothing with itself.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds


def _applies(evidence: Evidence) -> Finding | None:
    if evidence.mail is None:
        signer, author = evidence.signing_domain, evidence.author_domain
        alone = evidence.subject is Subject.DOMAIN and signer and author and signer.value == author.value
        return Finding.of("one-domain", domain=author.value) if alone and author else None
    if grounds.unreadable(evidence) or _signers(evidence) or _undecided(evidence):
        return None
    return Finding.of("no-verified-signature")


def _evaluate(evidence: Evidence) -> Ruling:
    unreadable = grounds.unreadable(evidence)
    if unreadable:
        return unreadable
    signers = _signers(evidence)
    if not signers:
        return _undecided(evidence) or grounds.need("need-message")
    if evidence.author_domain is None:
        return grounds.need("need-author-domain")
    return _compared(evidence, signers, evidence.author_domain.value)


def _compared(evidence: Evidence, signers: tuple[Domain, ...], author: Domain) -> Ruling:
    from deliverability.protocols.dmarc import AlignmentState, PolicyState, aligned, discover_policy

    policy = discover_policy(author, evidence.observations)
    if policy.state is PolicyState.COULD_NOT_LOOK and author not in signers:
        return grounds.open_question(policy.obstacle)
    strict = policy.record is not None and policy.record.strict_dkim
    found = [aligned(signer, author, evidence.observations, strict=strict) for signer in signers]
    ours = next((one for one in found if one.state is AlignmentState.ALIGNED), None)
    if ours:
        code = "aligned" if evidence.mail else "would-be-aligned"
        return Ruling(Outcome.PASS, Finding.of(code, identifier=ours.identifier, author=author))
    unknown = next((one for one in found if one.state is AlignmentState.COULD_NOT_LOOK), None)
    if unknown:
        return grounds.open_question(unknown.obstacle)
    told = {"identifier": ", ".join(signer.name for signer in signers), "author": author}
    code = "not-identical" if strict else "not-aligned"
    what = f"{told['identifier']}, {author}: {AlignmentState.NOT_ALIGNED}"
    seen = grounds.latest(policy.observed_at, *(one.observed_at for one in found))
    return _undecided(evidence) or grounds.against(evidence, seen, Finding.of(code, **told), what, None)


def _signers(evidence: Evidence) -> tuple[Domain, ...]:
    """Those of the signatures that verify; of a domain check, the one that is named."""
    if evidence.mail:
        from deliverability.protocols.dkim import passing_domains

        return passing_domains(evidence.mail.content, evidence.observations, grounds.judged_at(evidence))
    named = evidence.subject is Subject.DOMAIN and evidence.signing_domain
    return (named.value,) if named else ()


def _undecided(evidence: Evidence) -> Ruling | None:
    """A signature that may verify: its key could not be looked up, or was looked up too late to speak against it."""
    if evidence.mail is None:
        return None
    from deliverability.protocols.dkim import DkimResult, verify

    for signature in verify(evidence.mail.content, evidence.observations, grounds.judged_at(evidence)):
        if signature.undecided:
            return grounds.undecided(signature)
        key = signature.key if signature.result is not DkimResult.PASS and signature.depends_on_dns else None
        if key and grounds.seen_later(evidence, key.observed_at):
            finding = Finding.of("observed-later", what=f"{key.name}: {signature.reason}")
            return Ruling(Outcome.INDETERMINATE, finding)
    return None


CHECK = Check(
    id="dkim-aligned",
    subjects=frozenset({Subject.DISPATCH, Subject.MESSAGE, Subject.DOMAIN}),
    citation="RFC 9989 §4.4.1",
    title={"en": "DKIM domain and From domain belong together", "zh-Hant-TW": "DKIM 網域與寄件者（From）網域一致"},
    applies=_applies,
    evaluate=_evaluate,
    messages={
        "aligned": {
            "en": "The signing domain {identifier} and the From domain {author} belong together.",
            "zh-Hant-TW": "簽章網域 {identifier} 與寄件者（From）網域 {author} 屬於同一組織網域。",
        },
        "would-be-aligned": {
            "en": "{identifier} and {author} belong together: mail that {identifier} signs and that has {author} in From is aligned. Whether mail is sent so is not shown.",
            "zh-Hant-TW": "{identifier} 與 {author} 屬於同一組織網域：由 {identifier} 簽署、From 為 {author} 的郵件即為一致。實際是否如此寄信，這裡看不出來。",
        },
        "one-domain": {
            "en": "Only {domain} is named, so there are no two domains to compare. Mail is aligned if {domain} signs it and stands in From; if From is of another domain, name that with --author-domain.",
            "zh-Hant-TW": "只指定了 {domain}，沒有兩個網域可以比對。由 {domain} 簽署、From 也屬於 {domain} 的郵件即為一致；如果 From 是其他網域，請以 --author-domain 提供。",
        },
        "not-aligned": {
            "en": "The signing domain {identifier} and the From domain {author} do not belong together.",
            "zh-Hant-TW": "簽章網域 {identifier} 與寄件者（From）網域 {author} 不屬於同一組織網域。",
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
        "several-keys": grounds.SEVERAL_KEYS,
    },
)
