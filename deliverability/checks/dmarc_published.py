"""A DMARC policy record applies to the domain.

RFC 9989 §4.7 (record), §4.10.1 (policy discovery by the tree walk).
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from deliverability.errors import printable
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.observation import DnsAnswer, Observations
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
    if found.record and found.record.repeated:
        tag = printable(found.record.repeated[0], 40)
        return Ruling(Outcome.FAIL, Finding.of("repeated-tag", where=found.domain, tag=tag), "permerror")
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
    near = next(ignored(found, observations), None) or _elsewhere(found, observations)
    return Ruling(Outcome.FAIL, near or Finding.of("none", **told), "none")


def _elsewhere(found: "DmarcPolicy", observations: Observations) -> Finding | None:
    """Where a record that was meant for the domain may have gone: behind an alias, or one label too high."""
    from deliverability.protocols.dmarc import parse_record

    name = f"_dmarc.{found.author_domain}"
    own = observations.ask(name, "TXT")
    if isinstance(own, DnsAnswer) and not own.records and own.canonical_name != own.question.name:
        return Finding.of("alias-without-record", where=name, target=own.canonical_name)
    above = observations.ask(found.author_domain.name, "TXT")  # where SPF is looked for, too
    texts = above.records if isinstance(above, DnsAnswer) else ()
    record = next((text for text in texts if parse_record(text.joined)), None)
    if record is None:
        return None
    shown = printable(record.joined[:MAX_RECORD_SHOWN].decode("utf-8", "backslashreplace"), 200)
    return Finding.of("misplaced", domain=found.author_domain, where=name, record=shown)


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
            "en": "The text at {where} looks like a DMARC record, but receivers ignore it: it has to begin with v=DMARC1; spelled exactly so, with the semicolon: {record}",
            "zh-Hant-TW": "{where} 的文字看起來像 DMARC 紀錄，但收件方會忽略：開頭必須完全是「v=DMARC1;」，包括分號：{record}",
        },
        "misplaced": {
            "en": "No DMARC record applies to {domain}: it publishes one at its own name, where receivers do not look. Move it to {where}: {record}",
            "zh-Hant-TW": "沒有適用於 {domain} 的 DMARC 紀錄：紀錄設在網域本身，收件方不會到那裡查。請移到 {where}：{record}",
        },
        "alias-without-record": {
            "en": "{where} is an alias of {target}, where no record stands: either it is to be published there, or the alias is wrong.",
            "zh-Hant-TW": "{where} 是 {target} 的別名，但那裡沒有紀錄：應在該處公布紀錄，或更正別名。",
        },
        "repeated-tag": {
            "en": "The DMARC record at {where} gives {tag}= more than once. That voids the whole record (RFC 6376 §3.2), and receivers differ in what they make of it. Keep one.",
            "zh-Hant-TW": "{where} 的 DMARC 紀錄重複寫了 {tag}=。依 RFC 6376 §3.2 整筆紀錄因此無效，各收件方的處理也不一致。請只保留一個。",
        },
        "several": {
            "en": "No DMARC record applies to {domain}: several stand at {where}, and receivers discard them all.",
            "zh-Hant-TW": "沒有適用於 {domain} 的 DMARC 紀錄：{where} 有多筆紀錄，收件方會全部捨棄。",
        },
        "unusable": {
            "en": "The DMARC record for {domain} counts for nothing: a policy in it is missing or not valid, and it names no valid address for reports: {record}",
            "zh-Hant-TW": "{domain} 的 DMARC 紀錄沒有效力：缺少政策或政策無效，又沒有有效的報告地址：{record}",
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
        "no-choice": {
            "en": "{tag}= in the record at {where} has a value that it cannot have; receivers take the default.",
            "zh-Hant-TW": "{where} 紀錄中的 {tag}= 不是可用的值；收件方會採用預設值。",
        },
        "stray-text": {
            "en": "{text} in the record at {where} is no tag (name=value) and is ignored.",
            "zh-Hant-TW": "{where} 紀錄中的 {text} 不是標籤（名稱=值），會被忽略。",
        },
        "not-a-uri": {
            "en": "{uri} in the record at {where} is no address for reports: each is written mailto:ADDRESS, without blanks, with commas between them.",
            "zh-Hant-TW": "{where} 紀錄中的 {uri} 不是有效的報告地址：每個都要寫成 mailto:地址，不含空白，彼此以逗號分隔。",
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
