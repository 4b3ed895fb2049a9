"""SPF passes for the address that connected to the recipient's mail server.

RFC 7208 §4 (check_host), §2.4 (the HELO identity stands in for a null reverse-path).  Judged only on the hop to the
recipient's side; without an address nothing is guessed.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from deliverability.errors import printable
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.mx import parse_ip

if TYPE_CHECKING:
    from deliverability.protocols.spf import SpfEvaluation

MAX_STEPS_SHOWN = 60


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.client_ip is None or parse_ip(evidence.client_ip.value) is None:
        return grounds.need("need-client-ip")
    if evidence.reverse_path is None:
        return grounds.need("need-reverse-path")
    if evidence.helo is None and evidence.reverse_path.value.strip("<> ") == "":
        return grounds.need("need-helo")
    open_hop = grounds.unconfirmed(evidence)
    if open_hop:
        return open_hop
    from deliverability.protocols.spf import check_host

    found = check_host(
        evidence.client_ip.value,
        evidence.reverse_path.value,
        evidence.helo.value if evidence.helo else "",
        evidence.observations,
        at=grounds.judged_at(evidence),
        local_part_known=evidence.subject is not Subject.DOMAIN,  # of a domain it is made up
    )
    if found.unsettled:
        return replace(_unsettled(found), details=tuple(_details(found)))
    return _ruling(evidence, found)


def _unsettled(found: "SpfEvaluation") -> Ruling:
    """The record asks for what nobody has told (RFC 7208 §7.2): no result, rather than that of a made-up value."""
    if found.unsettled == "h":
        return grounds.need("need-helo")
    return Ruling(Outcome.INDETERMINATE, Finding.of("need-local-part", domain=found.domain))


def _ruling(evidence: Evidence, found: "SpfEvaluation") -> Ruling:
    from deliverability.protocols.spf import SpfResult

    told = {"ip": evidence.client_ip.value if evidence.client_ip else "", "domain": found.domain}
    word = found.result.value
    details = tuple(_details(found))
    if found.result is SpfResult.PASS:
        return Ruling(Outcome.PASS, Finding.of("pass", **told, term=found.mechanism or ""), word, details)
    if found.result is SpfResult.TEMPERROR:
        return replace(grounds.open_question(found.obstacle, word), details=details)
    detail = found.problem or found.mechanism or ""
    finding = Finding.of(word, **told, detail=detail) if found.problem else Finding.of(word, **told)
    what = f"SPF {word}, {found.domain}, {told['ip']}" + (f", {detail}" if detail else "")
    return replace(grounds.against(evidence, found.observed_at, finding, what, word), details=details)


def _details(found: "SpfEvaluation") -> Iterator[Finding]:
    """The way to the result: each query, what each record came to, the term that decided, what it cost."""
    from deliverability.protocols.spf import DEFAULT_EXPLANATION, MAX_LOOKUPS, MAX_VOID_LOOKUPS, SpfResult

    for step in found.trace[:MAX_STEPS_SHOWN]:
        told = {"at": step.domain, "subject": step.subject}
        if step.kind == "query":
            seen = step.observed_at.isoformat(timespec="seconds") if step.observed_at else ""
            yield Finding.of("asked-void" if step.void else "asked", **told, said=step.said, when=seen)
        else:
            yield Finding.of(step.kind, **told)
    left = len(found.trace) - MAX_STEPS_SHOWN
    if left > 0:
        yield Finding.of("more-steps", count=left)
    if found.mechanism:
        yield Finding.of("decided", at=found.domain, term=printable(found.mechanism, 200))
    elif found.result is SpfResult.NEUTRAL:
        yield Finding.of("nothing-matched", at=found.domain)
    yield Finding.of(
        "counted",
        lookups=found.lookups,
        limit=MAX_LOOKUPS,
        void=found.void_lookups,
        void_limit=MAX_VOID_LOOKUPS,
    )
    if found.explanation and found.explanation != DEFAULT_EXPLANATION:
        yield Finding.of("explanation", at=found.domain, text=printable(found.explanation, 500))


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
        "asked": {
            "en": "Asked for {at}: {subject}: {said} ({when})",
            "zh-Hant-TW": "為 {at} 查詢：{subject}：{said}（{when}）",
        },
        "asked-void": {
            "en": "Asked for {at}: {subject}: {said}, counted as a look-up without an answer ({when})",
            "zh-Hant-TW": "為 {at} 查詢：{subject}：{said}，計為一次查無結果（{when}）",
        },
        "match": {
            "en": "The record of {at} names {subject}, which includes the address.",
            "zh-Hant-TW": "{at} 的紀錄列出 {subject}，包含這個 IP 位址。",
        },
        "record": {
            "en": "The record of {at} comes to: {subject}.",
            "zh-Hant-TW": "{at} 的紀錄判定為：{subject}。",
        },
        "more-steps": {
            "en": "{count} more steps are not shown.",
            "zh-Hant-TW": "另有 {count} 個步驟未列出。",
        },
        "decided": {
            "en": "{term} in the record of {at} decided.",
            "zh-Hant-TW": "由 {at} 紀錄中的 {term} 決定。",
        },
        "nothing-matched": {
            "en": "No term in the record of {at} matched.",
            "zh-Hant-TW": "{at} 的紀錄中沒有任何項目相符。",
        },
        "counted": {
            "en": "It took {lookups} of at most {limit} look-ups; {void} of at most {void_limit} had no answer.",
            "zh-Hant-TW": "用了 {lookups} 次查詢（上限 {limit}），其中 {void} 次查無結果（上限 {void_limit}）。",
        },
        "explanation": {
            "en": "{at} says to those it refuses: {text}",
            "zh-Hant-TW": "{at} 對被拒絕者的說明：{text}",
        },
        "need-local-part": {
            "en": "SPF: the record of {domain} decides by the part of the envelope sender before the @, which a domain alone does not have. Check a message with --message and --from.",
            "zh-Hant-TW": "SPF：{domain} 的紀錄依信封寄件者 @ 前面的部分判斷，只有網域無從得知。請以 --message 與 --from 檢查實際的郵件。",
        },
        "need-client-ip": grounds.NEED_CLIENT_IP,
        "need-reverse-path": grounds.NEED_REVERSE_PATH,
        "need-helo": grounds.NEED_HELO,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
        **grounds.HOP,
    },
)
