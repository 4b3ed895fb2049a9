"""The verdicts of Microsoft 365 and Outlook.com.

``X-Forefront-Antispam-Report`` (SFV, SCL, CAT, IPV), ``X-Microsoft-Antispam`` (BCL) and ``compauth`` in
``Authentication-Results``, by Microsoft's own description (defender-docs, May 2026).
"""

import re

from deliverability.evidence.plugin import Actor, Filter, Judgement, Reading, Stamp
from deliverability.evidence.verdict import Finding
from deliverability.protocols.authres import parse_authres

_PAIR = re.compile(r"\b([A-Z]{3,5}):([^;\s]{0,60})")
_LISTS = {
    "BLK": ("user-blocked", Judgement.LISTED_BAD),
    "SKB": ("policy-blocked", Judgement.LISTED_BAD),
    "SKS": ("rule-marked", Judgement.LISTED_BAD),
    "SFE": ("user-safe", Judgement.LISTED_GOOD),
    "SKA": ("policy-allowed", Judgement.LISTED_GOOD),
    "SKN": ("rule-skipped", Judgement.LISTED_GOOD),
    "SKI": ("rule-skipped", Judgement.LISTED_GOOD),
    "SKQ": ("released", Judgement.LISTED_GOOD),
}
_CATEGORIES = {
    "MALW": ("malware", Judgement.DANGEROUS),
    "AMP": ("malware", Judgement.DANGEROUS),
    "SAP": ("malware", Judgement.DANGEROUS),
    "FTBP": ("malware", Judgement.DANGEROUS),
    "PHSH": ("phishing", Judgement.DANGEROUS),
    "HPHSH": ("phishing", Judgement.DANGEROUS),
    "HPHISH": ("phishing", Judgement.DANGEROUS),
    "SPOOF": ("spoof", Judgement.FORGED),
    "INTOS": ("spoof", Judgement.FORGED),
    "BIMP": ("impersonation", Judgement.FORGED),
    "DIMP": ("impersonation", Judgement.FORGED),
    "GIMP": ("impersonation", Judgement.FORGED),
    "UIMP": ("impersonation", Judgement.FORGED),
    "BULK": ("bulk", Judgement.BULK),
    "HSPM": ("spam-high", Judgement.JUNK),
    "SPM": ("spam", Judgement.JUNK),
    "OSPM": ("spam", Judgement.JUNK),
}
_SPAM_FROM = 5  # SCL 5 and 6 spam, 7 to 9 high confidence; 2 to 4 are never stamped
_HIGH_FROM = 7


def _read(stamps: tuple[Stamp, ...]) -> Reading | None:
    pairs: dict[str, str] = {}
    for stamp in stamps:
        if stamp.name.lower() in ("x-forefront-antispam-report", "x-microsoft-antispam"):
            for key, value in _PAIR.findall(stamp.text):
                pairs.setdefault(key, value.strip())
        elif stamp.name.lower() == "x-ms-exchange-organization-scl":
            pairs.setdefault("SCL", stamp.text.strip()[:4])
    found = [*_verdicts(pairs), *_compauth(stamps)]
    if not found:
        return None
    return Reading(found[0][1], tuple(finding for finding, _ in found))


def _verdicts(pairs: dict[str, str]) -> list[tuple[Finding, Judgement]]:
    out: list[tuple[Finding, Judgement]] = []
    shown = {"scl": pairs.get("SCL", "-"), "cat": pairs.get("CAT", "-"), "sfv": pairs.get("SFV", "-")}
    listed = _LISTS.get(pairs.get("SFV", ""))
    if listed:
        out.append((Finding.of(listed[0], **shown), listed[1]))
    if pairs.get("IPV") == "CAL":
        out.append((Finding.of("ip-allowed", **shown), Judgement.LISTED_GOOD))
    category = _CATEGORIES.get(pairs.get("CAT", ""))
    level = _number(pairs.get("SCL"))
    if category:
        out.append((Finding.of(category[0], **shown, bcl=pairs.get("BCL", "-")), category[1]))
    elif pairs.get("SFV") == "SPM" or (level is not None and level >= _SPAM_FROM):
        code = "spam-high" if level is not None and level >= _HIGH_FROM else "spam"
        out.append((Finding.of(code, **shown), Judgement.JUNK))
    elif not listed and (pairs.get("SFV") == "NSPM" or level is not None):
        out.append((Finding.of("clean", **shown), Judgement.CLEAN))
    bulk = _number(pairs.get("BCL"))
    if bulk and not (category and category[0] == "bulk"):
        out.append((Finding.of("complaints", bcl=bulk), Judgement.NONE))
    return out


def _compauth(stamps: tuple[Stamp, ...]) -> list[tuple[Finding, Judgement]]:
    out = []
    for stamp in stamps:
        if stamp.name.lower() != "authentication-results":
            continue
        for result in parse_authres(stamp.text).of("compauth"):
            reason = result.properties.get("reason", "-")[:8]
            if result.result == "fail":
                out.append((Finding.of("compauth-fail", reason=reason), Judgement.FORGED))
            elif reason == "130":
                out.append((Finding.of("arc-rescued", reason=reason), Judgement.NONE))
    return out


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,2}", text) else None


FILTER = Filter(
    id="microsoft-365",
    name={"en": "Microsoft 365 / Outlook.com", "zh-Hant-TW": "Microsoft 365／Outlook.com"},
    headers=frozenset(
        {
            "x-forefront-antispam-report",
            "x-microsoft-antispam",
            "x-ms-exchange-organization-scl",
            "authentication-results",
        }
    ),
    read=_read,
    messages={
        "user-blocked": {
            "en": "The sender is on the reader’s own list of blocked senders (SFV:{sfv}).",
            "zh-Hant-TW": "寄件者在收件者自己的封鎖名單上（SFV:{sfv}）。",
        },
        "policy-blocked": {
            "en": "The organization’s spam policy blocks the sender (SFV:{sfv}).",
            "zh-Hant-TW": "單位的垃圾郵件原則封鎖了寄件者（SFV:{sfv}）。",
        },
        "rule-marked": {
            "en": "A mail rule of the organization marked the message as spam (SFV:{sfv}).",
            "zh-Hant-TW": "單位的郵件規則把這封信標為垃圾郵件（SFV:{sfv}）。",
        },
        "user-safe": {
            "en": "The sender is on the reader’s own list of safe senders (SFV:{sfv}).",
            "zh-Hant-TW": "寄件者在收件者自己的安全寄件者清單上（SFV:{sfv}）。",
        },
        "policy-allowed": {
            "en": "The organization’s spam policy allows the sender (SFV:{sfv}).",
            "zh-Hant-TW": "單位的垃圾郵件原則允許這個寄件者（SFV:{sfv}）。",
        },
        "rule-skipped": {
            "en": "A rule let the message skip the spam filter (SFV:{sfv}, SCL:{scl}).",
            "zh-Hant-TW": "有規則讓這封信略過垃圾郵件過濾（SFV:{sfv}、SCL:{scl}）。",
        },
        "released": {
            "en": "The message was released from quarantine (SFV:{sfv}).",
            "zh-Hant-TW": "這封信是從隔離區放行的（SFV:{sfv}）。",
        },
        "ip-allowed": {
            "en": "The sending address is on the organization’s IP allow list (IPV:CAL).",
            "zh-Hant-TW": "寄送的 IP 位址在單位的 IP 允許清單上（IPV:CAL）。",
        },
        "malware": {
            "en": "Microsoft found something dangerous in the message (CAT:{cat}).",
            "zh-Hant-TW": "Microsoft 認為信件含有危險內容（CAT:{cat}）。",
        },
        "phishing": {
            "en": "Microsoft takes the message for phishing (CAT:{cat}).",
            "zh-Hant-TW": "Microsoft 認為這封信是網路釣魚（CAT:{cat}）。",
        },
        "spoof": {
            "en": "Microsoft takes the sender for forged (CAT:{cat}).",
            "zh-Hant-TW": "Microsoft 認為寄件者是冒名的（CAT:{cat}）。",
        },
        "impersonation": {
            "en": "Microsoft finds that the sender looks too much like somebody else (CAT:{cat}).",
            "zh-Hant-TW": "Microsoft 認為寄件者太像另一個人或單位（CAT:{cat}）。",
        },
        "bulk": {
            "en": "Microsoft takes the message for bulk mail (CAT:{cat}, BCL:{bcl}).",
            "zh-Hant-TW": "Microsoft 認為這是大量郵件（CAT:{cat}、BCL:{bcl}）。",
        },
        "spam-high": {
            "en": "Microsoft is very sure that the message is spam (SCL:{scl}, CAT:{cat}).",
            "zh-Hant-TW": "Microsoft 很確定這是垃圾郵件（SCL:{scl}、CAT:{cat}）。",
        },
        "spam": {
            "en": "Microsoft takes the message for spam (SCL:{scl}, CAT:{cat}).",
            "zh-Hant-TW": "Microsoft 認為這是垃圾郵件（SCL:{scl}、CAT:{cat}）。",
        },
        "clean": {
            "en": "Microsoft did not take the message for spam (SCL:{scl}, SFV:{sfv}); if it is in Junk, a setting of the mailbox put it there.",
            "zh-Hant-TW": "Microsoft 不認為這是垃圾郵件（SCL:{scl}、SFV:{sfv}）；如果它在垃圾郵件資料夾，是信箱的設定放進去的。",
        },
        "complaints": {
            "en": "Microsoft’s measure of complaints about this sender’s bulk mail is {bcl} of 9.",
            "zh-Hant-TW": "Microsoft 對這個寄件者大量郵件的檢舉指標是 {bcl}（最高 9）。",
        },
        "compauth-fail": {
            "en": "Microsoft could not confirm the sender (compauth=fail, reason={reason}).",
            "zh-Hant-TW": "Microsoft 無法確認寄件者身分（compauth=fail、reason={reason}）。",
        },
        "arc-rescued": {
            "en": "A forwarder’s seal (ARC) made up for a failed check (reason={reason}).",
            "zh-Hant-TW": "轉寄者的封條（ARC）彌補了失敗的檢查（reason={reason}）。",
        },
    },
    actors={
        "user-blocked": Actor.RECIPIENT,
        "policy-blocked": Actor.RECIPIENT,
        "rule-marked": Actor.RECIPIENT,
        "malware": Actor.SENDER,
        "phishing": Actor.SENDER,
        "spoof": Actor.SENDER,
        "impersonation": Actor.RECIPIENT,
        "bulk": Actor.RECIPIENT,
        "spam-high": Actor.RECIPIENT,
        "spam": Actor.RECIPIENT,
        "clean": Actor.RECIPIENT,
        "compauth-fail": Actor.SENDER,
    },
    advice={
        "user-blocked": {
            "en": "Open the settings, “Mail”, “Junk email”, and remove the sender from the blocked senders.",
            "zh-Hant-TW": "打開設定、「郵件」、「垃圾郵件」，把寄件者從封鎖的寄件者移除。",
        },
        "policy-blocked": {
            "en": "Ask the IT department to take the sender off the block list of its anti-spam policy.",
            "zh-Hant-TW": "請資訊人員把寄件者從反垃圾郵件原則的封鎖清單移除。",
        },
        "rule-marked": {
            "en": "Ask the IT department to look at the mail flow rule that marks this sender.",
            "zh-Hant-TW": "請資訊人員檢查標記這個寄件者的郵件流程規則。",
        },
        "malware": {
            "en": "Do not open attachments. The sender checks the message and the machine that sent it.",
            "zh-Hant-TW": "請勿打開附件。寄件者需檢查信件與寄送的主機。",
        },
        "phishing": {
            "en": "Do not click links, and do not put the sender on a list, before it has confirmed the message by another way. The sender checks links and authentication.",
            "zh-Hant-TW": "在寄件者以其他方式確認之前，請勿點連結，也不要加入名單。寄件者需檢查連結與身分驗證。",
        },
        "spoof": {
            "en": "Do not put the sender on a list. The sender repairs SPF, DKIM and DMARC.",
            "zh-Hant-TW": "請勿把寄件者加入名單。寄件者需修正 SPF、DKIM 與 DMARC。",
        },
        "impersonation": {
            "en": "Compare the address letter by letter. If it is genuine, the IT department adds it to the trusted senders of its anti-phishing policy.",
            "zh-Hant-TW": "請逐字比對地址。如果是真的，由資訊人員加入防網路釣魚原則的信任寄件者。",
        },
        "bulk": {
            "en": "Press “Not junk”, and add the sender’s whole address to “Safe senders and domains”.",
            "zh-Hant-TW": "按「不是垃圾郵件」，並把寄件者的完整地址加入安全寄件者和網域。",
        },
        "spam-high": {
            "en": "Press “Not junk”. If the mail is held in quarantine, ask the IT department to release it and to report it to Microsoft as wrongly judged.",
            "zh-Hant-TW": "按「不是垃圾郵件」。如果信被隔離，請資訊人員放行並向 Microsoft 回報誤判。",
        },
        "spam": {
            "en": "Press “Not junk”, and add the sender’s whole address to “Safe senders and domains”.",
            "zh-Hant-TW": "按「不是垃圾郵件」，並把寄件者的完整地址加入安全寄件者和網域。",
        },
        "clean": {
            "en": "Look at the mailbox’s own rules, its list of blocked senders, and whether only safe senders are let into the inbox.",
            "zh-Hant-TW": "請檢查信箱自己的規則、封鎖名單，以及是否只允許安全寄件者進收件匣。",
        },
        "compauth-fail": {
            "en": "Do not put the sender on a list. The sender repairs SPF, DKIM and DMARC.",
            "zh-Hant-TW": "請勿把寄件者加入名單。寄件者需修正 SPF、DKIM 與 DMARC。",
        },
    },
    hosts=("outlook.com", "microsoft.com"),
    source="https://github.com/MicrosoftDocs/defender-docs defender-office-365/message-headers-eop-mdo.md",
)
