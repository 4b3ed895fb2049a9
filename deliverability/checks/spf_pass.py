"""SPF passes for the address that connected to the recipient's mail server.

RFC 7208 §4 (check_host), §2.4 (the HELO identity stands in for a null reverse-path).  Judged only on the hop to the
recipient's side; without an address nothing is guessed.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.spf import SpfEvaluation, SpfResult, check_host


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.client_ip is None:
        return grounds.need("need-client-ip")
    if evidence.reverse_path is None:
        return grounds.need("need-reverse-path")
    if evidence.helo is None and evidence.reverse_path.value.strip("<> ") == "":
        return grounds.need("need-helo")
    open_hop = grounds.unconfirmed(evidence)
    if open_hop:
        return open_hop
    found = check_host(
        evidence.client_ip.value,
        evidence.reverse_path.value,
        evidence.helo.value if evidence.helo else "",
        evidence.observations,
        at=grounds.judged_at(evidence),
    )
    return _ruling(evidence, found, grounds.mail_from_domain(evidence))


def _ruling(evidence: Evidence, found: SpfEvaluation, domain: Domain | None) -> Ruling:
    told = {"ip": evidence.client_ip.value if evidence.client_ip else "", "domain": found.domain}
    word = found.result.value
    if found.result is SpfResult.PASS:
        return Ruling(Outcome.PASS, Finding.of("pass", **told, term=found.mechanism or ""), word)
    if found.result is SpfResult.TEMPERROR:
        return grounds.open_question(found.obstacle, word)
    observed_at = evidence.observations.ask(domain.name, "TXT").observed_at if domain else None
    detail = found.problem or found.mechanism or ""
    finding = Finding.of(word, **told, detail=detail) if found.problem else Finding.of(word, **told)
    what = f"SPF {word}, {found.domain}, {told['ip']}" + (f", {detail}" if detail else "")
    return grounds.against(evidence, observed_at, finding, what, word)


CHECK = Check(
    id="spf-pass",
    subjects=frozenset({Subject.DISPATCH, Subject.DOMAIN}),
    citation="RFC 7208 §4",
    title={"en": "SPF: the sending address is authorised", "zh-Hant-TW": "SPF：寄送的 IP 位址已獲授權"},
    applies=grounds.relayed,
    evaluate=_evaluate,
    messages={
        "pass": {
            "en": "SPF: {domain} authorises {ip} to send for it ({term}).",
            "zh-Hant-TW": "SPF：{domain} 授權 {ip} 代為寄信（{term}）。",
        },
        "none": {
            "en": "SPF: {domain} publishes no record, so nothing authorises {ip}.",
            "zh-Hant-TW": "SPF：{domain} 沒有公布 SPF 紀錄，因此無從授權 {ip}。",
        },
        "neutral": {
            "en": "SPF: {domain} says neither yes nor no to {ip}.",
            "zh-Hant-TW": "SPF：{domain} 對 {ip} 沒有表示允許或拒絕。",
        },
        "softfail": {
            "en": "SPF: {domain} says that {ip} is probably not authorised (softfail).",
            "zh-Hant-TW": "SPF：{domain} 表示 {ip} 可能未獲授權（softfail）。",
        },
        "fail": {
            "en": "SPF: {domain} does not authorise {ip}.",
            "zh-Hant-TW": "SPF：{domain} 沒有授權 {ip}。",
        },
        "permerror": {
            "en": "SPF: the record of {domain} cannot be evaluated for {ip}: {detail}.",
            "zh-Hant-TW": "SPF：{domain} 的紀錄有錯，無法判斷 {ip}：{detail}。",
        },
        "need-client-ip": grounds.NEED_CLIENT_IP,
        "need-reverse-path": grounds.NEED_REVERSE_PATH,
        "need-helo": grounds.NEED_HELO,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
        **grounds.HOP,
    },
)
