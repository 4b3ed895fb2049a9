"""The address has a form that SMTP can carry.

RFC 5321 §4.1.2 and §4.5.3.1, §2.3.5 (a domain is fully qualified), RFC 6531 §3.3.  Comments and folding, which RFC 5322 allows in a header, are refused: no
mailbox is written so on purpose.
"""

from deliverability.errors import printable
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling


def _evaluate(evidence: Evidence) -> Ruling:
    given = evidence.address_given
    if given is None:
        given = str(evidence.address) if evidence.address else None
    if given is None:
        return Ruling(Outcome.INDETERMINATE, Finding.of("need-address"))
    from deliverability.protocols.address import Form, judge

    found = judge(given)
    told = {"address": printable(given, 100), "problem": found.problem}
    holds = found.form.well and found.form is not Form.UNQUALIFIED
    return Ruling(Outcome.PASS if holds else Outcome.FAIL, Finding.of(found.form.value, **told))


CHECK = Check(
    id="address-well-formed",
    subjects=frozenset({Subject.ADDRESS}),
    citation="RFC 5321 §4.1.2, RFC 6531 §3.3",
    title={"en": "The address is well-formed", "zh-Hant-TW": "電子郵件地址格式正確"},
    evaluate=_evaluate,
    messages={
        "well-formed": {
            "en": "{address} has the form of an address.",
            "zh-Hant-TW": "{address} 的格式正確。",
        },
        "internationalized": {
            "en": "{address} is well-formed, but needs SMTPUTF8 on every server on its way; many do not offer it.",
            "zh-Hant-TW": "{address} 的格式正確，但途中每一台伺服器都必須支援 SMTPUTF8；許多伺服器並不支援。",
        },
        "address-literal": {
            "en": "{address} is well-formed; it names a server by its IP address, which most servers refuse.",
            "zh-Hant-TW": "{address} 的格式正確；它以 IP 位址代替網域，大多數伺服器會拒收。",
        },
        "unqualified": {
            "en": "The domain of {address} has no dot. Mail on the Internet goes to complete names only, such as example.com; such an address works inside one's own network at most.",
            "zh-Hant-TW": "{address} 的網域沒有「.」。網際網路郵件只能寄到完整的網域名稱（例如 example.com），這種地址頂多在自家網路內有效。",
        },
        "no-at-sign": {
            "en": "{address} is no address: it has no @.",
            "zh-Hant-TW": "{address} 不是電子郵件地址：沒有 @。",
        },
        "wide-at-sign": {
            "en": "{address} is written with a full-width @ sign, which no mail server knows. Write a plain @.",
            "zh-Hant-TW": "{address} 用的是全形的「＠」，郵件伺服器不認得；請改成半形的「@」。",
        },
        "too-long": {
            "en": "{address} is too long for an address: {problem}.",
            "zh-Hant-TW": "{address} 超過電子郵件地址的長度上限：{problem}。",
        },
        "malformed": {
            "en": "{address} is no address that mail can be sent to: {problem}.",
            "zh-Hant-TW": "{address} 不是可以寄信的地址：{problem}。",
        },
        "need-address": {
            "en": "No address was given. Give one with --address.",
            "zh-Hant-TW": "沒有提供電子郵件地址。請以 --address 提供。",
        },
    },
)
