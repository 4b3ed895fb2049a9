"""Senders are told where to report that TLS to this domain failed.

RFC 8460 §3.  Without it nobody hears that bounces and replies wait, or travel in the clear, because of a certificate or
a policy of one's own.  Asked for by ``https``, with MTA-STS, which it accompanies.
"""

from deliverability.errors import ParseError
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds, tls_rpt
from deliverability.protocols.inbound import NOT_ASKED, inbound_domain, listed, not_asked


def _evaluate(evidence: Evidence) -> Ruling:
    domain = inbound_domain(evidence)
    if domain is None:
        return grounds.need("need-author-domain")
    answer = evidence.observations.ask(tls_rpt.record_name(domain), "TXT")
    if isinstance(answer, CouldNotLook):
        return grounds.open_question(answer)
    return _ruling(domain, tls_rpt.announced(answer))


def _ruling(domain: Domain, records: tuple[str, ...]) -> Ruling:
    if not records:
        return Ruling(Outcome.FAIL, Finding.of("none", domain=domain))
    if len(records) > 1:
        return Ruling(Outcome.FAIL, Finding.of("several", domain=domain, count=len(records)))
    try:
        reporting = tls_rpt.parse_record(records[0])
    except ParseError as problem:
        return Ruling(Outcome.FAIL, Finding.of("bad-record", domain=domain, why=problem))
    if not reporting.rua:
        return Ruling(Outcome.FAIL, Finding.of("no-usable-uri", domain=domain, uris=listed(reporting.unusable)))
    return Ruling(Outcome.PASS, Finding.of("published", domain=domain, uris=listed(reporting.rua)))


CHECK = Check(
    id="tls-rpt-published",
    subjects=frozenset({Subject.DOMAIN}),
    citation="RFC 8460 §3",
    title={"en": "TLS-RPT: failures of encryption are reported", "zh-Hant-TW": "TLS-RPT：回報加密失敗"},
    applies=lambda evidence: not_asked(evidence, "https"),
    evaluate=_evaluate,
    opt_in="https",
    advisory=True,
    messages={
        "published": {
            "en": "{domain} asks for reports of failed TLS at {uris}.",
            "zh-Hant-TW": "{domain} 要求將 TLS 失敗的報告送到 {uris}。",
        },
        "none": {
            "en": "{domain} publishes no TLS-RPT record: nobody tells it when encryption to it fails.",
            "zh-Hant-TW": "{domain} 沒有公布 TLS-RPT 紀錄：加密失敗時沒有人會通知它。",
        },
        "several": {
            "en": "{domain} publishes {count} TLS-RPT records; senders then act as if there were none. Keep one.",
            "zh-Hant-TW": "{domain} 公布了 {count} 筆 TLS-RPT 紀錄，寄件方會視為沒有。請只保留一筆。",
        },
        "bad-record": {
            "en": "The TLS-RPT record of {domain} cannot be read: {why}.",
            "zh-Hant-TW": "{domain} 的 TLS-RPT 紀錄無法解讀：{why}。",
        },
        "no-usable-uri": {
            "en": "The TLS-RPT record of {domain} names {uris}; reports go to mailto: and https: only.",
            "zh-Hant-TW": "{domain} 的 TLS-RPT 紀錄只有 {uris}；報告只能送到 mailto: 或 https:。",
        },
        "not-asked": NOT_ASKED,
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
