"""The domain publishes one SPF record that every receiver can evaluate.

RFC 7208 §3.2 (one record), §4.6 (syntax), §4.6.4 (ten look-ups).  Whether a certain address passes is another claim.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.spf import MAX_LOOKUPS, PublicationState, published


def _evaluate(evidence: Evidence) -> Ruling:
    domain = grounds.mail_from_domain(evidence) or (evidence.author_domain.value if evidence.author_domain else None)
    if domain is None:
        return grounds.need("need-author-domain")
    found = published(domain, evidence.observations)
    if found.state is PublicationState.COULD_NOT_LOOK:
        return grounds.open_question(found.problem, "temperror")
    told = {"domain": domain, "record": found.record or "", "limit": MAX_LOOKUPS}
    if found.state is PublicationState.PUBLISHED:
        return Ruling(Outcome.PASS, Finding.of("published", **told, lookups=found.lookups))
    word = "none" if found.state is PublicationState.NONE else "permerror"
    return Ruling(Outcome.FAIL, Finding.of(found.state.value, **told, problem=found.problem or ""), word)


CHECK = Check(
    id="spf-published",
    subjects=frozenset({Subject.DOMAIN}),
    citation="RFC 7208 §3.2, §4.6.4",
    title={"en": "SPF: one usable record is published", "zh-Hant-TW": "SPF：公布了一筆可用的紀錄"},
    evaluate=_evaluate,
    messages={
        "published": {
            "en": "{domain} publishes one SPF record, {lookups} of at most {limit} look-ups: {record}",
            "zh-Hant-TW": "{domain} 公布了一筆 SPF 紀錄，需要 {lookups} 次查詢（上限 {limit} 次）：{record}",
        },
        "none": {
            "en": "{domain} publishes no SPF record.",
            "zh-Hant-TW": "{domain} 沒有公布 SPF 紀錄。",
        },
        "several": {
            "en": "{domain} publishes several SPF records; receivers treat that as an error. Keep one: {record}",
            "zh-Hant-TW": "{domain} 公布了多筆 SPF 紀錄，收件方會視為錯誤。請只保留一筆：{record}",
        },
        "too-many-lookups": {
            "en": "The SPF record of {domain} needs more than {limit} look-ups; receivers stop there with an error: {record}",
            "zh-Hant-TW": "{domain} 的 SPF 紀錄需要超過 {limit} 次查詢，收件方會就此停止並視為錯誤：{record}",
        },
        "malformed": {
            "en": "The SPF record of {domain} has an error ({problem}): {record}",
            "zh-Hant-TW": "{domain} 的 SPF 紀錄有錯（{problem}）：{record}",
        },
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
