"""The domain exists in the DNS.

RFC 1035 §4.1.1 and RFC 8020 (NXDOMAIN: neither the name nor anything below it exists).  Every "publishes no …" of the
other checks then means just this; often the name was mistyped, or its registration has ended.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds


def _evaluate(evidence: Evidence) -> Ruling:
    named = (evidence.signing_domain, evidence.author_domain)
    domains = list(dict.fromkeys(one.value for one in named if one))
    if not domains:
        return grounds.need("need-author-domain")
    found = evidence.observations.ask_all(*(DnsQuestion(domain.name, "MX") for domain in domains))
    for domain, answer in zip(domains, found, strict=True):
        if isinstance(answer, DnsAnswer) and not answer.exists:
            return Ruling(Outcome.FAIL, Finding.of("no-such-domain", domain=domain.unicode))
    unanswered = next((answer for answer in found if isinstance(answer, CouldNotLook)), None)
    if unanswered:
        return grounds.open_question(unanswered)
    return Ruling(Outcome.PASS, Finding.of("exists", domain=", ".join(domain.unicode for domain in domains)))


CHECK = Check(
    id="domain-exists",
    subjects=frozenset({Subject.DOMAIN}),
    citation="RFC 1035 §4.1.1, RFC 8020",
    title={"en": "The domain exists", "zh-Hant-TW": "網域存在"},
    evaluate=_evaluate,
    messages={
        "exists": {"en": "{domain} exists in the DNS.", "zh-Hant-TW": "{domain} 存在於 DNS。"},
        "no-such-domain": {
            "en": "{domain} does not exist in the DNS: check its spelling, and whether its registration has ended. All that is said to be missing below is missing for that reason.",
            "zh-Hant-TW": "DNS 中沒有 {domain} 這個網域：請檢查拼字，以及註冊是否已到期。其他項目所說的「沒有」都是因為這個原因。",
        },
        "could-not-look": grounds.COULD_NOT_LOOK,
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
    },
)
