"""The domain that SPF authenticates belongs to the domain in the From line.

RFC 9989 §4.4.2 and §4.10.2.  Only the relation of the two domains; whether SPF passes is another claim.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.dmarc import AlignmentState, PolicyState, aligned, discover_policy


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.author_domain is None:
        return grounds.need("need-author-domain")
    identifier, author = grounds.mail_from_domain(evidence), evidence.author_domain.value
    if identifier is None:
        return grounds.need("need-reverse-path")
    policy = discover_policy(author, evidence.observations)
    if policy.state is PolicyState.COULD_NOT_LOOK and identifier != author:
        return grounds.open_question(policy.obstacle)
    strict = policy.record is not None and policy.record.strict_spf
    found = aligned(identifier, author, evidence.observations, strict=strict)
    told = {"identifier": identifier, "author": author}
    if found.state is AlignmentState.COULD_NOT_LOOK:
        return grounds.open_question(found.obstacle)
    if found.state is AlignmentState.ALIGNED:
        return Ruling(Outcome.PASS, Finding.of("aligned", **told))
    code = "not-identical" if strict else "not-aligned"
    what = f"{identifier}, {author}: {found.state}"
    return grounds.against(evidence, policy.observed_at, Finding.of(code, **told), what, None)


CHECK = Check(
    id="spf-aligned",
    subjects=frozenset({Subject.DISPATCH, Subject.DOMAIN}),
    citation="RFC 9989 §4.4.2",
    title={"en": "SPF domain and From domain belong together", "zh-Hant-TW": "SPF 網域與寄件人（From）網域一致"},
    applies=grounds.relayed,
    evaluate=_evaluate,
    messages={
        "aligned": {
            "en": "The envelope sender's domain {identifier} and the From domain {author} belong together.",
            "zh-Hant-TW": "信封寄件人的網域 {identifier} 與寄件人（From）網域 {author} 屬於同一組織網域。",
        },
        "not-aligned": {
            "en": "The envelope sender's domain {identifier} and the From domain {author} do not belong together.",
            "zh-Hant-TW": "信封寄件人的網域 {identifier} 與寄件人（From）網域 {author} 不屬於同一組織網域。",
        },
        "not-identical": {
            "en": "{author} demands strict alignment (aspf=s), and the envelope sender's domain is {identifier}.",
            "zh-Hant-TW": "{author} 要求嚴格一致（aspf=s），但信封寄件人的網域是 {identifier}。",
        },
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "need-reverse-path": grounds.NEED_REVERSE_PATH,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
        **grounds.HOP,
    },
)
