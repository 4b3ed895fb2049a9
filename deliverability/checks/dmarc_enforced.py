"""The From domain asks receivers not to accept mail that only claims to be from it.

RFC 9989 §4.7: a policy of quarantine or reject, after ``t=y`` lowers it by one level.  Without it a list that looks
at the From line alone would let forgers in.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.dmarc import PolicyState, discover_policy


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.author_domain is None:
        return grounds.need("need-author-domain")
    found = discover_policy(evidence.author_domain.value, evidence.observations)
    domain = found.author_domain
    if found.state is PolicyState.COULD_NOT_LOOK:
        return grounds.open_question(found.obstacle, "temperror")
    if found.enforced:
        return Ruling(Outcome.PASS, Finding.of("enforced", domain=domain, policy=found.effective, where=found.domain))
    if found.state is not PolicyState.FOUND:
        finding, what = Finding.of("none", domain=domain), f"DMARC {found.state}"
    elif found.published != found.effective:
        finding, what = Finding.of("testing", domain=domain, policy=found.published), "DMARC t=y"
    else:
        finding, what = Finding.of("monitoring", domain=domain), "DMARC p=none"
    return grounds.against(evidence, found.observed_at, finding, f"{domain}: {what}", None)


CHECK = Check(
    id="dmarc-enforced",
    subjects=frozenset({Subject.DISPATCH, Subject.DOMAIN}),
    citation="RFC 9989 §4.7",
    title={"en": "DMARC: forged mail is to be stopped", "zh-Hant-TW": "DMARC：要求攔阻冒名郵件"},
    evaluate=_evaluate,
    messages={
        "enforced": {
            "en": "{domain} asks receivers to apply {policy} to mail that only claims to be from it (record at {where}).",
            "zh-Hant-TW": "{domain} 要求收件方對冒用其名義的郵件採取 {policy}（紀錄位於 {where}）。",
        },
        "none": {
            "en": "No usable DMARC record applies to {domain}, so receivers are not asked to stop forged mail.",
            "zh-Hant-TW": "{domain} 沒有可用的 DMARC 紀錄，因此沒有要求收件方攔阻冒名郵件。",
        },
        "monitoring": {
            "en": "The DMARC policy of {domain} is none: receivers are not asked to stop forged mail.",
            "zh-Hant-TW": "{domain} 的 DMARC 政策是 none：沒有要求收件方攔阻冒名郵件。",
        },
        "testing": {
            "en": "The DMARC policy of {domain} is {policy}, but marked as a test (t=y): in effect none.",
            "zh-Hant-TW": "{domain} 的 DMARC 政策是 {policy}，但標記為測試（t=y），實際效果等於 none。",
        },
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
