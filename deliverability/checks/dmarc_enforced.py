"""The From domain asks receivers not to accept mail that only claims to be from it.

RFC 9989 §4.7: a policy of quarantine or reject, after ``t=y`` lowers it by one level.  Without it a list that looks
at the From line alone would let forgers in.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from deliverability.errors import printable
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds

if TYPE_CHECKING:
    from deliverability.protocols.dmarc import DmarcPolicy


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.author_domain is None:
        return grounds.need("need-author-domain")
    from deliverability.protocols.dmarc import PolicyState, discover_policy
    from deliverability.protocols.dmarc_remarks import advice

    found = discover_policy(evidence.author_domain.value, evidence.observations)
    if found.state is PolicyState.COULD_NOT_LOOK:
        return grounds.open_question(found.obstacle, "temperror")
    details = tuple(advice(found)) if evidence.subject is Subject.DOMAIN else ()
    return replace(_ruling(evidence, found), details=details)


def _ruling(evidence: Evidence, found: "DmarcPolicy") -> Ruling:
    domain = found.author_domain
    if found.record and found.record.repeated:
        tag = printable(found.record.repeated[0], 40)
        return Ruling(Outcome.INDETERMINATE, Finding.of("repeated-tag", where=found.domain, tag=tag))
    if found.enforced:
        return Ruling(Outcome.PASS, Finding.of("enforced", domain=domain, policy=found.effective, where=found.domain))
    from deliverability.protocols.dmarc import PolicyState

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
        "repeated-tag": {
            "en": "The DMARC record at {where} gives {tag}= more than once, which voids it (RFC 6376 §3.2); what receivers make of it cannot be said. Keep one.",
            "zh-Hant-TW": "{where} 的 DMARC 紀錄重複寫了 {tag}=，依 RFC 6376 §3.2 因此無效；收件方會如何處理無法判斷。請只保留一個。",
        },
        "advice-publish": {
            "en": "First step: publish a record that only asks for reports, at _dmarc.{domain}: v=DMARC1; p=none; rua=mailto:ADDRESS",
            "zh-Hant-TW": "第一步：在 _dmarc.{domain} 公布只要求報告的紀錄：v=DMARC1; p=none; rua=mailto:地址",
        },
        "advice-reports": {
            "en": "Add rua=mailto:ADDRESS to the record at {where}: without reports nobody sees which mail would be stopped.",
            "zh-Hant-TW": "請在 {where} 的紀錄加上 rua=mailto:地址：沒有報告就無從得知哪些郵件會被攔下。",
        },
        "advice-collect": {
            "en": "Read the reports for at least a month, and make every sender of yours pass SPF or DKIM for a name of {where} (RFC 9989 §5.1).",
            "zh-Hant-TW": "至少閱讀一個月的報告，並讓每個寄件來源都能以 {where} 的名稱通過 SPF 或 DKIM（RFC 9989 §5.1）。",
        },
        "advice-quarantine": {
            "en": "Then set p=quarantine; t=y at {where}, and remove t=y once the reports show no mail of yours failing.",
            "zh-Hant-TW": "接著把 {where} 設為 p=quarantine; t=y，確認報告中沒有自己的郵件失敗後，再移除 t=y。",
        },
        "advice-end-test": {
            "en": "Once the reports show no mail of yours failing, remove t=y from the record at {where}.",
            "zh-Hant-TW": "確認報告中沒有自己的郵件失敗後，請從 {where} 的紀錄移除 t=y。",
        },
        "advice-reject": {
            "en": "p=reject is the next step for {where} if only machines send with it; a domain in which people write to lists and friends should stay at quarantine (RFC 9989 §7.4).",
            "zh-Hant-TW": "如果 {where} 只有系統寄信，下一步是 p=reject；若有人用它寫信給郵件論壇或親友，應維持 quarantine（RFC 9989 §7.4）。",
        },
        "advice-subdomains": {
            "en": "Names below {where} are protected less ({sp}) than the domain itself ({p}): forgers use those. Raise sp=.",
            "zh-Hant-TW": "{where} 之下的名稱保護較弱（{sp}），低於網域本身（{p}）：冒名者會加以利用。請提高 sp=。",
        },
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
