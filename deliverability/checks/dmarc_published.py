"""A DMARC policy record applies to the domain.

RFC 9989 §4.7 (record), §4.10.1 (policy discovery by the tree walk).
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
    told = {"domain": found.author_domain}
    if found.state is PolicyState.COULD_NOT_LOOK:
        return grounds.open_question(found.obstacle, "temperror")
    if found.state is PolicyState.FOUND and found.record and found.domain:
        return Ruling(Outcome.PASS, Finding.of("published", **told, where=found.domain, record=found.record.text))
    if found.state is PolicyState.UNUSABLE and found.record:
        return Ruling(Outcome.FAIL, Finding.of("unusable", **told, record=found.record.text), "permerror")
    if found.discarded:
        where = ", ".join(domain.name for domain in found.discarded)
        return Ruling(Outcome.FAIL, Finding.of("several", **told, where=where), "none")
    return Ruling(Outcome.FAIL, Finding.of("none", **told), "none")


CHECK = Check(
    id="dmarc-published",
    subjects=frozenset({Subject.DOMAIN}),
    citation="RFC 9989 §4.7, §4.10.1",
    title={"en": "DMARC: a policy record is published", "zh-Hant-TW": "DMARC：公布了政策紀錄"},
    evaluate=_evaluate,
    messages={
        "published": {
            "en": "A DMARC record at {where} applies to {domain}: {record}",
            "zh-Hant-TW": "{where} 的 DMARC 紀錄適用於 {domain}：{record}",
        },
        "none": {
            "en": "No DMARC record applies to {domain}.",
            "zh-Hant-TW": "沒有適用於 {domain} 的 DMARC 紀錄。",
        },
        "several": {
            "en": "No DMARC record applies to {domain}: several stand at {where}, and receivers discard them all.",
            "zh-Hant-TW": "沒有適用於 {domain} 的 DMARC 紀錄：{where} 有多筆紀錄，收件方會全部捨棄。",
        },
        "unusable": {
            "en": "The DMARC record for {domain} states no valid policy and no address for reports: {record}",
            "zh-Hant-TW": "{domain} 的 DMARC 紀錄沒有有效的政策，也沒有報告地址：{record}",
        },
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
