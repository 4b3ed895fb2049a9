"""A DMARC policy record applies to the domain.

RFC 9989 §4.7 (record), §4.10.1 (policy discovery by the tree walk).
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.observation import Observations
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds

if TYPE_CHECKING:
    from deliverability.protocols.dmarc import DmarcPolicy

MAX_RECORD_SHOWN = 2000  # characters; real records have a hundred


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.author_domain is None:
        return grounds.need("need-author-domain")
    from deliverability.protocols.dmarc import PolicyState, discover_policy
    from deliverability.protocols.dmarc_remarks import remarks

    found = discover_policy(evidence.author_domain.value, evidence.observations)
    if found.state is PolicyState.COULD_NOT_LOOK:
        return grounds.open_question(found.obstacle, "temperror")
    return replace(_ruling(found, evidence.observations), details=tuple(remarks(found, evidence.observations)))


def _ruling(found: "DmarcPolicy", observations: Observations) -> Ruling:
    from deliverability.protocols.dmarc import PolicyState
    from deliverability.protocols.dmarc_remarks import ignored

    told = {"domain": found.author_domain}
    if found.state is PolicyState.FOUND and found.record and found.domain:
        return Ruling(
            Outcome.PASS,
            Finding.of("published", **told, where=found.domain, record=found.record.text[:MAX_RECORD_SHOWN]),
        )
    if found.state is PolicyState.UNUSABLE and found.record:
        return Ruling(
            Outcome.FAIL, Finding.of("unusable", **told, record=found.record.text[:MAX_RECORD_SHOWN]), "permerror"
        )
    if found.discarded:
        where = ", ".join(domain.name for domain in found.discarded)
        return Ruling(Outcome.FAIL, Finding.of("several", **told, where=where), "none")
    near = next(ignored(found, observations), None)
    return Ruling(Outcome.FAIL, near or Finding.of("none", **told), "none")


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
        "ignored-record": {
            "en": "The text at {where} looks like a DMARC record, but receivers ignore it: v=DMARC1, spelled exactly so, must come first: {record}",
            "zh-Hant-TW": "{where} 的文字看起來像 DMARC 紀錄，但收件方會忽略：v=DMARC1 必須完全照此寫法放在最前面：{record}",
        },
        "several": {
            "en": "No DMARC record applies to {domain}: several stand at {where}, and receivers discard them all.",
            "zh-Hant-TW": "沒有適用於 {domain} 的 DMARC 紀錄：{where} 有多筆紀錄，收件方會全部捨棄。",
        },
        "unusable": {
            "en": "The DMARC record for {domain} states no valid policy and no address for reports: {record}",
            "zh-Hant-TW": "{domain} 的 DMARC 紀錄沒有有效的政策，也沒有報告地址：{record}",
        },
        "organization": {
            "en": "By RFC 9989 the organizational domain of {domain} is {organization} ({basis}).",
            "zh-Hant-TW": "依 RFC 9989，{domain} 的組織網域是 {organization}（{basis}）。",
        },
        "reach": {
            "en": "The record at {where} asks for: {p} for the domain itself, {sp} for names below it, {np} for names that do not exist.",
            "zh-Hant-TW": "{where} 的紀錄要求：網域本身 {p}，其下的名稱 {sp}，不存在的名稱 {np}。",
        },
        "discarded": {
            "en": "Several DMARC records stand at {where}; all of them are discarded. Keep one.",
            "zh-Hant-TW": "{where} 有多筆 DMARC 紀錄，全部會被捨棄。請只保留一筆。",
        },
        "invalid-policy": {
            "en": "{tag}= in the record at {where} is none of none, quarantine, reject; the whole record then counts as p=none.",
            "zh-Hant-TW": "{where} 紀錄中的 {tag}= 不是 none、quarantine、reject 之一；整筆紀錄因此視為 p=none。",
        },
        "invalid-policy-void": {
            "en": "{tag}= in the record at {where} is none of none, quarantine, reject; without a valid rua= the whole record then counts for nothing.",
            "zh-Hant-TW": "{where} 紀錄中的 {tag}= 不是 none、quarantine、reject 之一；又沒有有效的 rua=，整筆紀錄因此無效。",
        },
        "no-policy": {
            "en": "The record at {where} has no p=; because it asks for reports, it counts as p=none. Add p=.",
            "zh-Hant-TW": "{where} 的紀錄沒有 p=；因為有要求寄送報告，所以視為 p=none。請加上 p=。",
        },
        "removed-tag": {
            "en": "{tag}= in the record at {where} has been removed by RFC 9989; some receivers still read it.",
            "zh-Hant-TW": "{where} 紀錄中的 {tag}= 已被 RFC 9989 移除；部分收件方仍會讀取。",
        },
        "unknown-tag": {
            "en": "{tag}= in the record at {where} is unknown and ignored.",
            "zh-Hant-TW": "{where} 紀錄中的 {tag}= 不是已知的標籤，會被忽略。",
        },
        "not-a-uri": {
            "en": "{uri} in the record at {where} is no address for reports; write mailto: before it.",
            "zh-Hant-TW": "{where} 紀錄中的 {uri} 不是有效的報告地址；前面要寫 mailto:。",
        },
        "test-mode": {
            "en": "The record at {where} is marked as a test (t=y): each policy counts one level lower.",
            "zh-Hant-TW": "{where} 的紀錄標記為測試（t=y）：各政策都降一級。",
        },
        "old-organization": {
            "en": "Receivers that still go by RFC 7489 (public suffix list {list}) take {old}, not {organization}, for the organizational domain of {domain}.",
            "zh-Hant-TW": "仍依 RFC 7489 的收件方（公共後綴清單 {list}）認定 {domain} 的組織網域是 {old}，而不是 {organization}。",
        },
        "old-policy": {
            "en": "Receivers that still go by RFC 7489 (public suffix list {list}) find the policy {old} for {domain} (record at {where}), not {policy}.",
            "zh-Hant-TW": "仍依 RFC 7489 的收件方（公共後綴清單 {list}）對 {domain} 得到的政策是 {old}（紀錄位於 {where}），而不是 {policy}。",
        },
        "old-percent": {
            "en": "Receivers that still go by RFC 7489 apply the policy of {domain} to {percent} % of failing mail (pct=; public suffix list {list}).",
            "zh-Hant-TW": "仍依 RFC 7489 的收件方只對 {percent} % 未通過的郵件套用 {domain} 的政策（pct=；公共後綴清單 {list}）。",
        },
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
