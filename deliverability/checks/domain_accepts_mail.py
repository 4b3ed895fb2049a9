"""The domain of the address takes mail.

RFC 5321 §5.1 (MX, or the domain's own address), RFC 7505 (a null MX says no).  It says nothing about the mailbox itself:
only an attempt to send shows that.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds

_SHOWN = 5


def _domain(evidence: Evidence) -> Domain | None:
    return evidence.address.domain if evidence.address else evidence.recipient_domain


def _applies(evidence: Evidence) -> Finding | None:
    return None if _domain(evidence) else Finding.of("no-domain")


def _evaluate(evidence: Evidence) -> Ruling:
    domain = _domain(evidence)
    if domain is None:
        return Ruling(Outcome.NOT_APPLICABLE, Finding.of("no-domain"))
    from deliverability.protocols.address import Takes, reception

    found = reception(domain, evidence.observations)
    if found.takes is Takes.COULD_NOT_LOOK:
        return grounds.open_question(found.obstacle)
    if found.takes is Takes.NOT_ALL_LOOKED_UP:
        told = {"domain": domain.unicode, "count": len(found.targets)}
        return Ruling(Outcome.INDETERMINATE, Finding.of(found.takes.value, **told))
    told = {"domain": domain.unicode, "targets": ", ".join(found.targets[:_SHOWN])}
    outcome = Outcome.PASS if found.takes in (Takes.MX, Takes.IMPLICIT_MX) else Outcome.FAIL
    return Ruling(outcome, Finding.of(found.takes.value, **told))


CHECK = Check(
    id="domain-accepts-mail",
    subjects=frozenset({Subject.ADDRESS}),
    citation="RFC 5321 §5.1, RFC 7505",
    title={"en": "The address's domain takes mail", "zh-Hant-TW": "地址的網域可以收信"},
    applies=_applies,
    evaluate=_evaluate,
    messages={
        "mx": {
            "en": "{domain} takes mail; its mail servers (MX): {targets}.",
            "zh-Hant-TW": "{domain} 可以收信，郵件伺服器（MX）：{targets}。",
        },
        "implicit-mx": {
            "en": "{domain} names no mail server (MX), but has an address of its own, to which mail then goes.",
            "zh-Hant-TW": "{domain} 沒有設定郵件伺服器（MX），但本身有 IP 位址，郵件會送往該處。",
        },
        "null-mx": {
            "en": "{domain} declares that it takes no mail (null MX).",
            "zh-Hant-TW": "{domain} 聲明不收郵件（null MX）。",
        },
        "no-such-domain": {
            "en": "{domain} does not exist.",
            "zh-Hant-TW": "{domain} 這個網域不存在。",
        },
        "no-host": {
            "en": "{domain} exists, but has neither a mail server (MX) nor an address.",
            "zh-Hant-TW": "{domain} 存在，但既沒有郵件伺服器（MX），也沒有 IP 位址。",
        },
        "mx-without-address": {
            "en": "None of the mail servers that {domain} names has an address: {targets}.",
            "zh-Hant-TW": "{domain} 所列的郵件伺服器都沒有 IP 位址：{targets}。",
        },
        "inside-address": {
            "en": "The mail servers of {domain} have only addresses that nobody outside can reach: {targets}.",
            "zh-Hant-TW": "{domain} 的郵件伺服器只有外界無法連線的內部位址：{targets}。",
        },
        "not-all-looked-up": {
            "en": "{domain} names {count} mail servers; none of the first that were looked up has an address.",
            "zh-Hant-TW": "{domain} 列出 {count} 部郵件伺服器；查詢的前幾部都沒有 IP 位址。",
        },
        "no-domain": {
            "en": "There is no domain in the address to look up.",
            "zh-Hant-TW": "地址中沒有可查詢的網域。",
        },
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
