"""What Outlook.com's and Exchange Online's replies mean.

Codes by Microsoft's list of non-delivery reports and its announcement on 5.7.515; the S-codes stand in the replies
themselves, of which many samples were read (2017 to 2026).  Microsoft's pages themselves were not at hand on 2026-11-22.
"""

from typing import Final

from deliverability.evidence.plugin import Actor, ReplyRule
from deliverability.protocols.replies_causes import rule

_NDR: Final = (
    "https://learn.microsoft.com/exchange/mail-flow-best-practices/"
    "non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online"
)
_LIVE: Final = "http://mail.live.com/mail/troubleshooting.aspx#errors"
_SENDERS: Final = (
    "https://techcommunity.microsoft.com/blog/microsoftdefenderforoffice365blog/"
    "strengthening-email-ecosystem-outlook%E2%80%99s-new-requirements-for-high%E2%80%90volume-senders/4399730"
)
_DELIST = (
    "Stop whatever sends junk from this address, then ask Microsoft at sender.office.com to take it off its list.",
    "請先停止從這個位址寄出的垃圾信，再到 sender.office.com 請 Microsoft 解除封鎖。",
)
_LIVE_FORM = (
    "Ask Microsoft to lift the block, by the form of Outlook.com’s postmaster pages; if the address is your provider’s, the provider asks.",
    "請透過 Outlook.com 郵件管理頁面的表單請 Microsoft 解除；若 IP 屬於您的業者，由業者提出。",
)
_BY_THE_TENANT = (
    "The recipient’s administrator at Microsoft 365 restricts who may write there: ask that administrator.",
    "收件單位的 Microsoft 365 管理者限制了可寄入的對象：請詢問該管理者。",
)

REPLIES: Final[tuple[ReplyRule, ...]] = (
    rule(
        "authentication-level",
        r"\b5\.7\.515\b|does(n't| not) meet the (required authentication level|authentication requirements)",
        "unauthenticated",
        _SENDERS,
        advice=(
            "Microsoft wants SPF and DKIM to pass, both, and DMARC to be published and aligned; a safe-sender list does not help here.",
            "Microsoft 要求 SPF 與 DKIM 都通過，並公布一致的 DMARC；安全寄件者清單在此無效。",
        ),
    ),
    rule("dmarc-reject", r"\b5\.7\.509\b|does not pass DMARC verification", "unauthenticated", _NDR),
    rule(
        "spf-fail",
        r"\b[45]\.7\.23\b.{0,80}(SPF|outlook|sender policy)|message was rejected because of Sender Policy Framework",
        "unauthenticated",
        _NDR,
        codes=("4.7.23", "5.7.23"),
    ),
    rule(
        "ipv6-unauthenticated",
        r"\b[45]\.7\.26\b.{0,80}(outlook|IPv6.{0,40}(SPF|DKIM))|Access denied, a message sent over IPv6",
        "unauthenticated",
        _NDR,
        codes=("4.7.26", "5.7.26"),
    ),
    rule(
        "reverse-dns",
        r"\b5\.7\.25\b.{0,80}(outlook|reverse DNS)|the sending IPv6 address .{1,60} must have a reverse DNS",
        "reverse-dns",
        _NDR,
        codes=("4.7.25", "5.7.25"),
    ),
    rule("banned-ip", r"\b5\.7\.6(0[6-9]|[1-4][0-9])\b|banned sending IP", "reputation", _NDR, advice=_DELIST),
    rule("banned-sender", r"\b5\.7\.5(0[1-3]|11)\b|Access denied, banned sender", "reputation", _NDR, advice=_DELIST),
    rule(
        "spam-abuse",
        r"\b5\.7\.(508|70[58])\b|Access denied, (tenant|spam abuse|bad sender)|exceeded permitted limits within",
        "reputation",
        _NDR,
        advice=_DELIST,
    ),
    rule(
        "block-list",
        r"\(?\bA?S(3140|3150)\b|part of their network is on our block list|\b(SC|DY)-00[0-9]\b",
        "reputation",
        _LIVE,
        advice=_LIVE_FORM,
    ),
    rule("authenticated-by-policy", r"\bOU-00[0-9]\b", "reputation", _LIVE, advice=_LIVE_FORM),
    rule(
        "rate-ip",
        r"\(S77[0-9]\)|\b4\.7\.65[0-9]\b|temporarily rate limited due to IP reputation|\bRP-00[0-9]\b",
        "rate-limited",
        _LIVE,
        actor=Actor.SENDER,
        advice=(
            "Send more slowly to Outlook.com and remove the reason for complaints; Microsoft’s SNDS shows how it sees the address.",
            "請放慢寄往 Outlook.com 的速度並減少檢舉；Microsoft 的 SNDS 可查看該位址的狀況。",
        ),
    ),
    rule(
        "try-later",
        r"\b4\.7\.[56][0-9]{2}\b.{0,80}(Access denied|try again later)|\bAS\(?(780090|440)\)?",
        "rate-limited",
        _NDR,
        codes=("4.7.500",),
    ),
    rule(
        "unsolicited",
        r"\[CSR\]|unusual amount of unsolicited email originating from your address",
        "reputation",
        _LIVE,
        advice=_LIVE_FORM,
    ),
    rule(
        "no-mailbox",
        r"RESOLVER\.ADR\.RecipientNotFound|RESOLVER\.ADR\.ExRecipNotFound|\b5\.1\.10\b.{0,80}(not found|outlook)",
        "no-mailbox",
        _NDR,
        codes=("5.1.10", "5.1.1"),
    ),
    rule(
        "mailbox-unavailable",
        r"Requested action not taken: mailbox unavailable.{0,80}(outlook|\(S2017062302\))|\(S2017062302\)",
        "no-mailbox",
        _LIVE,
    ),
    rule(
        "address-refused",
        r"Recipient address rejected: Access denied.{0,40}(AS\(?201806281|outlook)|\bAS\(?201806281",
        "no-mailbox",
        _NDR,
        codes=("5.4.1",),
        advice=(
            "Exchange Online knows no such recipient in this domain, or the domain is not set up there: check the address.",
            "Exchange Online 在這個網域查無此收件者，或網域尚未設定完成：請確認地址。",
        ),
    ),
    rule(
        "full",
        r"RESOLVER\.ADR\.RecipientFull|STOREDRV\.Deliver.{0,60}(QuotaExceeded|mailbox full)|MapiExceptionShutoffQuotaExceeded",
        "mailbox-full",
        _NDR,
        codes=("5.2.2",),
    ),
    rule(
        "restricted",
        r"RESOLVER\.RST\.(Auth|NotAuthorized|RestrictedToRecipients)|\b5\.7\.(12[0-9]|13[0-9])\b",
        "blocked-by-recipient",
        _NDR,
        advice=_BY_THE_TENANT,
    ),
    rule(
        "tenant-rule",
        r"TRANSPORT\.RULES\.RejectMessage|rejected by .{0,40}mail flow rule",
        "blocked-by-recipient",
        _NDR,
        advice=_BY_THE_TENANT,
    ),
    rule("size", r"RESOLVER\.RST\.(Recip|Send)SizeLimit", "too-large", _NDR, codes=("5.2.3",)),
    rule("no-from", r"\b5\.7\.512\b|message must be RFC 5322", "message-form", _NDR),
    rule(
        "not-served", r"\b5\.7\.64\b.{0,40}TenantAttribution|TenantAttribution; Relay Access Denied", "not-served", _NDR
    ),
    rule("loop", r"\b5\.4\.14\b|Hop count exceeded - possible mail loop", "loop", _NDR, codes=("5.4.6",)),
    rule("no-such-domain", r"\b5\.4\.310\b|DNS domain .{1,80} does not exist", "no-domain", _NDR),
    rule(
        "connection-refused",
        r"\b[45]\.4\.31[1-7]\b",
        "no-answer",
        _NDR,
        advice=(
            "Exchange Online could not reach the server behind it: the recipient’s administrator has to look.",
            "Exchange Online 無法連到後端的伺服器：需由收件單位的管理者處理。",
        ),
        actor=Actor.RECIPIENT,
    ),
    rule(
        "trouble",
        r"\b4\.3\.2\b.{0,60}STOREDRV|STOREDRV\.(Storage|Deliver); mailbox server is (offline|too busy)",
        "temporary",
        _NDR,
    ),
)
