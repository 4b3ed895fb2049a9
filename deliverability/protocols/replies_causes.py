"""Why mail is refused: the causes that replies are sorted into, and a short way to write rules about replies.

A cause says what the other side claims, who can change it, and what that one does.  Sources of the classes: RFC 3463
§3 (subjects of enhanced status codes), RFC 7372 (authentication), RFC 7505 (null MX), RFC 6647 (greylisting).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from deliverability.evidence.plugin import Actor, Localized, ReplyRule


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for which mail is refused or put off."""

    id: str
    actor: Actor
    meaning: Localized
    """What the other side says, as a sentence about "the server"."""
    advice: Localized


def _cause(id_: str, actor: Actor, meaning: tuple[str, str], advice: tuple[str, str]) -> tuple[str, Cause]:
    texts = ({"en": en, "zh-Hant-TW": zh} for en, zh in (meaning, advice))
    return id_, Cause(id_, actor, *texts)


CAUSES: Final[Mapping[str, Cause]] = MappingProxyType(
    dict(
        (
            _cause(
                "no-mailbox",
                Actor.RECIPIENT,
                ("The server says that there is no such mailbox.", "對方伺服器表示沒有這個信箱。"),
                (
                    "Ask the customer, by another way, for the right address; do not send to this one again.",
                    "請改用其他方式向客戶確認正確的地址，不要再寄到這個地址。",
                ),
            ),
            _cause(
                "no-domain",
                Actor.RECIPIENT,
                (
                    "The server, or the DNS, says that it knows no mail for this domain.",
                    "對方伺服器或 DNS 表示不認得這個網域的信箱。",
                ),
                (
                    "Check the part after the @ sign with the customer.",
                    "請向客戶確認 @ 後面的部分。",
                ),
            ),
            _cause(
                "no-mail",
                Actor.RECIPIENT,
                ("The domain says that it takes no mail at all.", "這個網域表示完全不收信。"),
                ("Ask the customer for another address.", "請客戶提供另一個地址。"),
            ),
            _cause(
                "address-form",
                Actor.RECIPIENT,
                ("The server takes the address for no valid one.", "對方伺服器認為這個地址的寫法無效。"),
                ("Check the spelling of the address with the customer.", "請向客戶確認地址的拼法。"),
            ),
            _cause(
                "mailbox-disabled",
                Actor.RECIPIENT,
                ("The server says that the mailbox is not in use.", "對方伺服器表示這個信箱目前停用。"),
                (
                    "Ask the customer for another address; only the mailbox provider can put the old one to use again.",
                    "請客戶提供另一個地址；舊信箱只有信箱業者能恢復。",
                ),
            ),
            _cause(
                "mailbox-full",
                Actor.RECIPIENT,
                ("The server says that the mailbox is full.", "對方伺服器表示信箱已滿。"),
                ("Ask the customer to make room, then send again.", "請客戶清出空間，再重寄一次。"),
            ),
            _cause(
                "too-large",
                Actor.SENDER,
                ("The server says that the message is too large.", "對方伺服器表示信件太大。"),
                ("Send it smaller: links instead of attachments.", "請縮小信件，以連結代替附件。"),
            ),
            _cause(
                "unauthenticated",
                Actor.SENDER,
                (
                    "The server could not make sure that the message comes from its sender’s domain (SPF, DKIM, DMARC).",
                    "對方伺服器無法確認信件來自寄件者的網域（SPF、DKIM、DMARC）。",
                ),
                (
                    "Repair SPF, DKIM and DMARC of the From domain; “deliverability check” shows what is missing.",
                    "請修正寄件者（From）網域的 SPF、DKIM 與 DMARC；「deliverability check」會指出缺少什麼。",
                ),
            ),
            _cause(
                "reputation",
                Actor.SENDER,
                (
                    "The provider does not trust the address or the domain that the message was sent from.",
                    "對方業者不信任寄出這封信的 IP 位址或網域。",
                ),
                (
                    "Find out who sends junk from this address or domain and stop it; then ask the provider to lift the block.",
                    "請查出誰從這個位址或網域寄出垃圾信並停止，再請對方業者解除封鎖。",
                ),
            ),
            _cause(
                "listed",
                Actor.SENDER,
                (
                    "The sending address, or a domain in the message, is on a block list that the server asks.",
                    "寄送的 IP 位址或信中的網域，在對方伺服器查詢的封鎖清單上。",
                ),
                (
                    "Look the address up at the list that is named, remove the reason, then ask for delisting there.",
                    "請到回覆中指名的清單查詢，排除原因後申請移除。",
                ),
            ),
            _cause(
                "rate-limited",
                Actor.NOBODY,
                ("The server takes no more mail from this sender for now.", "對方伺服器暫時不再收這個寄件者的信。"),
                (
                    "Wait: the mail server tries again by itself. If it stays so, send more slowly.",
                    "請等待，郵件伺服器會自動重試；如果一直如此，請放慢寄送速度。",
                ),
            ),
            _cause(
                "recipient-busy",
                Actor.NOBODY,
                ("The mailbox gets too much mail at the moment.", "這個信箱目前收到太多信。"),
                ("Wait: the mail server tries again by itself.", "請等待，郵件伺服器會自動重試。"),
            ),
            _cause(
                "greylisted",
                Actor.NOBODY,
                (
                    "The server puts off senders that it does not know yet, and expects another try (greylisting).",
                    "對方伺服器會先延後陌生寄件者的信，等待再次投遞（灰名單）。",
                ),
                ("Wait: the mail server tries again by itself.", "請等待，郵件伺服器會自動重試。"),
            ),
            _cause(
                "content",
                Actor.SENDER,
                ("A filter takes the message for junk.", "過濾機制把這封信當成垃圾信。"),
                (
                    "Compare with a plain text of the same notice, check its links, and ask the receiving side what it found.",
                    "請與同一通知的純文字版比較、檢查信中的連結，並向對方詢問判定原因。",
                ),
            ),
            _cause(
                "malware",
                Actor.SENDER,
                ("A scanner found something dangerous in the message.", "掃描發現信件含有危險內容。"),
                (
                    "Do not send it again. Check the sending machine and the attachment.",
                    "請勿重寄；檢查寄送的主機與附件。",
                ),
            ),
            _cause(
                "policy",
                Actor.SENDER,
                ("The server’s own rules do not allow the message.", "依照對方伺服器的規則，不能收這封信。"),
                (
                    "Ask the postmaster of the receiving side, with the exact words of the reply.",
                    "請附上回覆原文，詢問對方的郵件管理者。",
                ),
            ),
            _cause(
                "blocked-by-recipient",
                Actor.RECIPIENT,
                (
                    "The recipient, or the recipient’s administrator, does not let this sender through.",
                    "客戶本人或其郵件管理者不讓這個寄件者通過。",
                ),
                (
                    "Ask the customer, by another way, to take the sender off the block list or to let it through.",
                    "請改用其他方式，請客戶把寄件者從封鎖名單移除或設為允許。",
                ),
            ),
            _cause(
                "sender-rejected",
                Actor.SENDER,
                (
                    "The server does not accept the sender’s address: it, or its domain, cannot be reached by mail.",
                    "對方伺服器不接受寄件者地址：該地址或其網域無法收信。",
                ),
                (
                    "Send from an address that exists and whose domain has mail hosts (MX).",
                    "請使用確實存在、且網域有郵件主機（MX）的寄件者地址。",
                ),
            ),
            _cause(
                "reverse-dns",
                Actor.SENDER,
                (
                    "The sending address has no name (PTR) that leads back to it.",
                    "寄送的 IP 位址沒有能互相對應的反解名稱（PTR）。",
                ),
                (
                    "Set a PTR record for the sending address and let that name resolve to the same address.",
                    "請為寄送的 IP 位址設定 PTR，且該名稱要指回同一位址。",
                ),
            ),
            _cause(
                "tls",
                Actor.SENDER,
                ("The server wants an encrypted connection (TLS).", "對方伺服器要求加密連線（TLS）。"),
                (
                    "Let the mail server use STARTTLS with a current version of TLS.",
                    "請讓郵件伺服器以較新版本的 TLS 使用 STARTTLS。",
                ),
            ),
            _cause(
                "not-served",
                Actor.RECIPIENT,
                (
                    "The server says that it does not serve this recipient’s domain (relaying denied).",
                    "對方伺服器表示不處理這個收件網域（拒絕轉送）。",
                ),
                (
                    "Tell whoever runs the recipient’s domain: its MX names a server that does not serve it.",
                    "請通知收件網域的管理者：它的 MX 指向一台不處理該網域的伺服器。",
                ),
            ),
            _cause(
                "loop",
                Actor.RECIPIENT,
                ("The message ran in a circle between servers.", "信件在伺服器之間繞圈。"),
                (
                    "Ask the customer to check forwarding: two mailboxes may forward to each other.",
                    "請客戶檢查轉寄設定：可能有兩個信箱互相轉寄。",
                ),
            ),
            _cause(
                "unsupported",
                Actor.SENDER,
                (
                    "The server cannot take a message, or an address, of this form.",
                    "對方伺服器無法處理這種形式的信件或地址。",
                ),
                (
                    "Send it in plainer form: an address in ASCII letters, a message without 8-bit or binary parts.",
                    "請改用較簡單的形式：純 ASCII 的地址，以及不含 8 位元或二進位部分的信件。",
                ),
            ),
            _cause(
                "protocol",
                Actor.SENDER,
                (
                    "The server did not like how the mail servers spoke with each other.",
                    "對方伺服器不接受兩端伺服器之間的溝通方式。",
                ),
                ("Look at the settings of the sending mail server.", "請檢查寄送端郵件伺服器的設定。"),
            ),
            _cause(
                "message-form",
                Actor.SENDER,
                ("The message itself is not formed as it has to be.", "信件本身的格式不符規定。"),
                (
                    "Check the message with “deliverability check --message”.",
                    "請用「deliverability check --message」檢查信件。",
                ),
            ),
            _cause(
                "temporary",
                Actor.NOBODY,
                ("The server has a passing trouble of its own.", "對方伺服器暫時有狀況。"),
                ("Wait: the mail server tries again by itself.", "請等待，郵件伺服器會自動重試。"),
            ),
            _cause(
                "server-trouble",
                Actor.PROVIDER,
                ("The receiving system has a trouble of its own.", "對方系統本身發生問題。"),
                (
                    "Ask the postmaster of the receiving side, or send again later.",
                    "請詢問對方的郵件管理者，或稍後重寄。",
                ),
            ),
            _cause(
                "no-answer",
                Actor.NOBODY,
                ("No server of the other side answered.", "對方沒有任何伺服器回應。"),
                (
                    "Wait: the mail server tries again by itself. If it stays so, the recipient’s domain has a trouble.",
                    "請等待，郵件伺服器會自動重試；如果一直如此，問題在收件網域。",
                ),
            ),
            _cause(
                "expired",
                Actor.SENDER,
                ("The sending server kept trying and gave up.", "寄送伺服器重試多次後放棄。"),
                (
                    "Read the replies to the earlier tries; send again when their reason is gone.",
                    "請查看先前各次嘗試的回覆，原因排除後再重寄。",
                ),
            ),
            _cause(
                "other",
                Actor.SENDER,
                (
                    "What these words mean is not known here; they are quoted as they are.",
                    "這裡不知道這段回覆的意思，因此只照原文引用。",
                ),
                (
                    "Ask the postmaster of the receiving side what its words mean.",
                    "請向對方的郵件管理者詢問這段回覆的意思。",
                ),
            ),
        )
    )
)


def rule(  # noqa: PLR0913 - a row of a table
    id_: str,
    pattern: str,
    cause: str,
    source: str,
    *,
    codes: tuple[str, ...] = (),
    actor: Actor | None = None,
    advice: tuple[str, str] | None = None,
) -> ReplyRule:
    """One rule; who acts and what to do are those of the cause where nothing else is said."""
    return ReplyRule(
        id=id_,
        pattern=pattern,
        cause=cause,
        actor=actor or CAUSES[cause].actor,
        advice={"en": advice[0], "zh-Hant-TW": advice[1]} if advice else None,
        codes=frozenset(codes),
        source=source,
    )
