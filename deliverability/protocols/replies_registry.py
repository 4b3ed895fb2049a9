"""The enhanced status codes, as registered: what a code alone means when nobody's words say more.

RFC 3463 §3, RFC 4468, RFC 4954, RFC 5248, RFC 6531, RFC 6710, RFC 7293, RFC 7372, RFC 7505, RFC 8689: the IANA registry "SMTP
Enhanced Status Codes" in its version of :data:`REGISTRY_DATE`.  Mail systems use the codes loosely, which is why they come
last; a detail that is not registered is read by its subject alone (RFC 3463 §2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from deliverability.evidence.plugin import Localized

REGISTRY_DATE: Final = date(2024, 12, 6)
REGISTRY: Final = "https://www.iana.org/assignments/smtp-enhanced-status-codes/"


@dataclass(frozen=True, slots=True)
class Registered:
    """One registered code, or one subject of codes."""

    text: Localized
    cause: str
    """One of ``replies_causes.CAUSES``."""


def _entry(en: str, zh: str, cause: str) -> Registered:
    return Registered({"en": en, "zh-Hant-TW": zh}, cause)


CODES: Final[Mapping[str, Registered]] = MappingProxyType(
    {
        "1.0": _entry("Other address status", "其他地址狀況", "other"),
        "1.1": _entry("Bad destination mailbox address", "收件信箱不存在", "no-mailbox"),
        "1.2": _entry("Bad destination system address", "收件網域不存在或不收信", "no-domain"),
        "1.3": _entry("Bad destination mailbox address syntax", "收件地址的寫法無效", "address-form"),
        "1.4": _entry("Destination mailbox address ambiguous", "收件地址不明確", "address-form"),
        "1.5": _entry("Destination address valid", "收件地址有效", "other"),
        "1.6": _entry(
            "Destination mailbox has moved, no forwarding address", "收件信箱已遷走，沒有轉寄地址", "no-mailbox"
        ),
        "1.7": _entry("Bad sender's mailbox address syntax", "寄件者地址的寫法無效", "sender-rejected"),
        "1.8": _entry("Bad sender's system address", "寄件者的網域不存在或不收信", "sender-rejected"),
        "1.9": _entry("Message relayed to a system that gives no such notices", "已轉交給不提供通知的系統", "other"),
        "1.10": _entry("Recipient address has null MX", "收件網域表示不收信（null MX）", "no-mail"),
        "2.0": _entry("Other or undefined mailbox status", "其他信箱狀況", "other"),
        "2.1": _entry("Mailbox disabled, not accepting messages", "信箱停用，不收信", "mailbox-disabled"),
        "2.2": _entry("Mailbox full", "信箱已滿", "mailbox-full"),
        "2.3": _entry("Message length exceeds administrative limit", "信件超過管理者設定的大小", "too-large"),
        "2.4": _entry("Mailing list expansion problem", "群組地址展開時發生問題", "server-trouble"),
        "3.0": _entry("Other or undefined mail system status", "其他郵件系統狀況", "server-trouble"),
        "3.1": _entry("Mail system full", "郵件系統空間不足", "server-trouble"),
        "3.2": _entry("System not accepting network messages", "系統目前不接受信件", "temporary"),
        "3.3": _entry("System not capable of selected features", "系統不支援要求的功能", "unsupported"),
        "3.4": _entry("Message too big for system", "信件超過系統可處理的大小", "too-large"),
        "3.5": _entry("System incorrectly configured", "系統設定有誤", "server-trouble"),
        "3.6": _entry("Requested priority was changed", "優先順序已被變更", "other"),
        "4.0": _entry("Other or undefined network or routing status", "其他網路或路由狀況", "no-answer"),
        "4.1": _entry("No answer from host", "主機沒有回應", "no-answer"),
        "4.2": _entry("Bad connection", "連線不良", "no-answer"),
        "4.3": _entry("Directory server failure", "目錄伺服器故障", "server-trouble"),
        "4.4": _entry("Unable to route", "找不到投遞路徑", "no-domain"),
        "4.5": _entry("Mail system congestion", "郵件系統壅塞", "temporary"),
        "4.6": _entry("Routing loop detected", "發現投遞迴圈", "loop"),
        "4.7": _entry("Delivery time expired", "超過投遞期限", "expired"),
        "5.0": _entry("Other or undefined protocol status", "其他通訊協定狀況", "protocol"),
        "5.1": _entry("Invalid command", "指令無效", "protocol"),
        "5.2": _entry("Syntax error", "語法錯誤", "protocol"),
        "5.3": _entry("Too many recipients", "一次的收件者太多", "rate-limited"),
        "5.4": _entry("Invalid command arguments", "指令參數無效", "protocol"),
        "5.5": _entry("Wrong protocol version", "通訊協定版本不符", "protocol"),
        "5.6": _entry("Authentication exchange line is too long", "驗證交換的行太長", "protocol"),
        "6.0": _entry("Other or undefined media error", "其他內容格式錯誤", "message-form"),
        "6.1": _entry("Media not supported", "不支援的內容格式", "unsupported"),
        "6.2": _entry("Conversion required and prohibited", "需要轉換格式但不允許", "unsupported"),
        "6.3": _entry("Conversion required but not supported", "需要轉換格式但不支援", "unsupported"),
        "6.4": _entry("Conversion with loss performed", "轉換時遺失部分內容", "other"),
        "6.5": _entry("Conversion failed", "轉換失敗", "unsupported"),
        "6.6": _entry("Message content not available", "無法取得信件內容", "server-trouble"),
        "6.7": _entry(
            "Non-ASCII addresses not permitted for that sender or recipient", "不接受非 ASCII 的地址", "unsupported"
        ),
        "6.8": _entry("UTF-8 reply required, but not permitted", "需要 UTF-8 回覆但不允許", "unsupported"),
        "6.9": _entry(
            "UTF-8 header message cannot be transferred to one or more recipients",
            "UTF-8 標頭的信無法轉送給部分收件者",
            "unsupported",
        ),
        "6.10": _entry("UTF-8 header message cannot be transferred", "UTF-8 標頭的信無法轉送", "unsupported"),
        "7.0": _entry("Other or undefined security status", "其他安全狀況", "policy"),
        "7.1": _entry("Delivery not authorized, message refused", "未獲授權，拒收信件", "policy"),
        "7.2": _entry("Mailing list expansion prohibited", "不得寄到這個群組", "blocked-by-recipient"),
        "7.3": _entry("Security conversion required but not possible", "需要安全轉換但無法進行", "policy"),
        "7.4": _entry("Security features not supported", "不支援要求的安全功能", "policy"),
        "7.5": _entry("Cryptographic failure", "加密處理失敗", "policy"),
        "7.6": _entry("Cryptographic algorithm not supported", "不支援這種加密演算法", "policy"),
        "7.7": _entry("Message integrity failure", "信件完整性不符", "unauthenticated"),
        "7.8": _entry("Authentication credentials invalid", "登入的帳號或密碼不正確", "protocol"),
        "7.9": _entry("Authentication mechanism is too weak", "登入機制太弱", "protocol"),
        "7.10": _entry("Encryption needed", "需要加密", "tls"),
        "7.11": _entry("Encryption required for requested authentication mechanism", "這種登入機制需要加密", "tls"),
        "7.12": _entry("A password transition is needed", "需要更新密碼", "protocol"),
        "7.13": _entry("User account disabled", "使用者帳號停用", "mailbox-disabled"),
        "7.14": _entry("Trust relationship required", "需要信任關係", "policy"),
        "7.15": _entry("Priority level is too low", "優先順序太低", "policy"),
        "7.16": _entry("Message is too big for the specified priority", "以這個優先順序而言信件太大", "too-large"),
        "7.17": _entry("Mailbox owner has changed", "信箱已換人使用", "no-mailbox"),
        "7.18": _entry("Domain owner has changed", "網域已換人使用", "no-domain"),
        "7.19": _entry("RRVS test cannot be completed", "無法確認信箱是否換人", "temporary"),
        "7.20": _entry("No passing DKIM signature found", "沒有通過驗證的 DKIM 簽章", "unauthenticated"),
        "7.21": _entry("No acceptable DKIM signature found", "沒有可接受的 DKIM 簽章", "unauthenticated"),
        "7.22": _entry(
            "No valid author-matched DKIM signature found", "沒有與寄件者相符的 DKIM 簽章", "unauthenticated"
        ),
        "7.23": _entry("SPF validation failed", "SPF 驗證失敗", "unauthenticated"),
        "7.24": _entry("SPF validation error", "SPF 驗證發生錯誤", "unauthenticated"),
        "7.25": _entry("Reverse DNS validation failed", "反解驗證失敗", "reverse-dns"),
        "7.26": _entry("Multiple authentication checks failed", "多項身分驗證失敗", "unauthenticated"),
        "7.27": _entry("Sender address has null MX", "寄件者網域表示不收信（null MX）", "sender-rejected"),
        "7.28": _entry("Mail flood detected", "偵測到大量信件", "rate-limited"),
        "7.29": _entry("ARC validation failure", "ARC 驗證失敗", "unauthenticated"),
        "7.30": _entry("REQUIRETLS support required", "需要支援 REQUIRETLS", "tls"),
    }
)
"""By subject and detail; the class is left out, which only says whether another try may help."""

SUBJECTS: Final[Mapping[str, Registered]] = MappingProxyType(
    {
        "0": _entry("Other or undefined status", "其他狀況", "other"),
        "1": _entry("Addressing status", "與地址有關", "other"),
        "2": _entry("Mailbox status", "與信箱有關", "other"),
        "3": _entry("Mail system status", "與郵件系統有關", "server-trouble"),
        "4": _entry("Network and routing status", "與網路或路由有關", "no-answer"),
        "5": _entry("Mail delivery protocol status", "與通訊協定有關", "protocol"),
        "6": _entry("Message content or media status", "與信件內容或格式有關", "message-form"),
        "7": _entry("Security or policy status", "與安全或規則有關", "policy"),
    }
)


def registered(code: str) -> Registered | None:
    """What a code like ``5.1.1`` means by the registry; of an unregistered detail what its subject means."""
    parts = code.split(".")
    if len(parts) != 3:
        return None
    _, subject, detail = parts
    return CODES.get(f"{subject}.{detail}") or SUBJECTS.get(subject)
