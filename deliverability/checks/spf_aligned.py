"""The domain that SPF authenticates belongs to the domain in the From line.

RFC 9989 §4.4.2 and §4.10.2.  Only the relation of the two domains; whether SPF passes is another claim.  Of a domain that
is to send, no mail shows which domains it will bear: what is named is compared, and nothing with itself.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds


def _applies(evidence: Evidence) -> Finding | None:
    identifier, author = grounds.mail_from_domain(evidence), evidence.author_domain
    if evidence.subject is Subject.DOMAIN and author and identifier == author.value:
        return Finding.of("one-domain", domain=author.value)
    return grounds.relayed(evidence)


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.author_domain is None:
        return grounds.need("need-author-domain")
    identifier, author = grounds.mail_from_domain(evidence), evidence.author_domain.value
    if identifier is None:
        return grounds.need("need-reverse-path")
    from deliverability.protocols.dmarc import AlignmentState, PolicyState, aligned, discover_policy

    policy = discover_policy(author, evidence.observations)
    if policy.state is PolicyState.COULD_NOT_LOOK and identifier != author:
        return grounds.open_question(policy.obstacle)
    strict = policy.record is not None and policy.record.strict_spf
    found = aligned(identifier, author, evidence.observations, strict=strict)
    told = {"identifier": identifier, "author": author}
    if found.state is AlignmentState.COULD_NOT_LOOK:
        return grounds.open_question(found.obstacle)
    if found.state is AlignmentState.ALIGNED:
        code = "would-be-aligned" if evidence.subject is Subject.DOMAIN else "aligned"
        return Ruling(Outcome.PASS, Finding.of(code, **told))
    code = "not-identical" if strict else "not-aligned"
    what = f"{identifier}, {author}: {found.state}"
    seen = grounds.latest(policy.observed_at, found.observed_at)
    return grounds.against(evidence, seen, Finding.of(code, **told), what, None)


CHECK = Check(
    id="spf-aligned",
    subjects=frozenset({Subject.DISPATCH, Subject.DOMAIN}),
    citation="RFC 9989 §4.4.2",
    title={"en": "SPF domain and From domain belong together", "zh-Hant-TW": "SPF 網域與寄件者（From）網域一致"},
    applies=_applies,
    evaluate=_evaluate,
    messages={
        "aligned": {
            "en": "The envelope sender's domain {identifier} and the From domain {author} belong together.",
            "zh-Hant-TW": "信封寄件者的網域 {identifier} 與寄件者（From）網域 {author} 屬於同一組織網域。",
        },
        "would-be-aligned": {
            "en": "{identifier} and {author} belong together: mail with an envelope sender of {identifier} and {author} in From is aligned. Whether mail is sent so is not shown.",
            "zh-Hant-TW": "{identifier} 與 {author} 屬於同一組織網域：信封寄件者屬於 {identifier}、From 為 {author} 的郵件即為一致。實際是否如此寄信，這裡看不出來。",
        },
        "one-domain": {
            "en": "Only {domain} is named, so there are no two domains to compare. Mail is aligned if its envelope sender and its From are both of {domain}; if From is of another, name that with --author-domain.",
            "zh-Hant-TW": "只指定了 {domain}，沒有兩個網域可以比對。信封寄件者與 From 都屬於 {domain} 的郵件即為一致；如果 From 是其他網域，請以 --author-domain 提供。",
        },
        "not-aligned": {
            "en": "The envelope sender's domain {identifier} and the From domain {author} do not belong together.",
            "zh-Hant-TW": "信封寄件者的網域 {identifier} 與寄件者（From）網域 {author} 不屬於同一組織網域。",
        },
        "not-identical": {
            "en": "{author} demands strict alignment (aspf=s), and the envelope sender's domain is {identifier}.",
            "zh-Hant-TW": "{author} 要求嚴格一致（aspf=s），但信封寄件者的網域是 {identifier}。",
        },
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "need-reverse-path": grounds.NEED_REVERSE_PATH,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
        **grounds.HOP,
    },
)
