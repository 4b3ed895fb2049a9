"""What Gmail's and Google Workspace's replies mean.

The texts and codes are those of Google's own list, held on 2026-11-22 in the copy of its current address; every reply of
theirs ends in ``gsmtp``.  5.7.26, 4.7.23 and their likes follow Google's rules for senders (``providers/gmail.py``).
"""

from typing import Final

from deliverability.evidence.plugin import Actor, ReplyRule
from deliverability.protocols.replies_causes import rule

_LIST: Final = "https://knowledge.workspace.google.com/admin/support/troubleshooting/gmail-smtp-errors-and-codes"
_SLOWER = (
    "Send more slowly to Gmail, and find out why its users report this mail; Google’s Postmaster Tools show both.",
    "請放慢寄往 Gmail 的速度，並查明使用者檢舉的原因；Google 的 Postmaster Tools 可以查看。",
)
_PTR = (
    "Set a PTR record for the sending address whose name resolves to the same address; over IPv6 as well.",
    "請為寄送的 IP 位址設定 PTR，且名稱要指回同一位址；IPv6 也要設定。",
)

REPLIES: Final[tuple[ReplyRule, ...]] = (
    rule("no-mailbox", r"p=NoSuchUser|email account that you tried to reach does not exist", "no-mailbox", _LIST),
    rule(
        "disabled",
        r"p=DisabledUser|email account that you tried to reach is (disabled|inactive)",
        "mailbox-disabled",
        _LIST,
    ),
    rule(
        "full",
        r"p=OverQuota|inbox is out of storage space|email account that you tried to reach is over quota",
        "mailbox-full",
        _LIST,
    ),
    rule(
        "unauthenticated",
        r"sender is unauthenticated|p=(UnauthenticatedMessage|BlockedMessage.{0,20}auth)|isn't authenticated",
        "unauthenticated",
        _LIST,
        codes=("5.7.26", "4.7.26"),
    ),
    rule(
        "dmarc-policy",
        r"Unauthenticated email from .{1,80} is not accepted due to|domain's DMARC policy.{0,60}gsmtp",
        "unauthenticated",
        _LIST,
        advice=(
            "The From domain’s own DMARC policy refuses this message: let it pass SPF or DKIM for that domain.",
            "寄件網域自己的 DMARC 政策要求拒收：請讓信件以該網域通過 SPF 或 DKIM。",
        ),
    ),
    rule(
        "rate-ip",
        r"p=UnsolicitedRateLimitError|p=UnsolicitedIPError|unusual rate of unsolicited mail",
        "rate-limited",
        _LIST,
        codes=("4.7.28",),
        actor=Actor.SENDER,
        advice=_SLOWER,
    ),
    rule(
        "rate-refused",
        r"\b5\.7\.28\b.{0,80}(gmail|google|unsolicited)",
        "reputation",
        _LIST,
        codes=("5.7.28",),
        advice=_SLOWER,
    ),
    rule(
        "reverse-dns",
        r"p=IPv6AuthError|does not meet IPv6 sending guidelines|PTR record.{0,80}(gsmtp|google|Gmail)|Gmail.{0,80}PTR record|does not have a PTR record",
        "reverse-dns",
        _LIST,
        codes=("4.7.23", "5.7.23", "4.7.25", "5.7.25"),
        advice=_PTR,
    ),
    rule(
        "spf",
        r"Gmail.{0,60}SPF.{0,80}did not pass|SPF check.{0,40}did not pass.{0,80}g(smtp|oogle)"
        r"|because SPF (authentication )?did(n't| not) pass",
        "unauthenticated",
        _LIST,
        codes=("4.7.27", "5.7.27"),
    ),
    rule(
        "dkim",
        r"Gmail.{0,60}DKIM.{0,80}did not pass|because DKIM (authentication )?did(n't| not) pass",
        "unauthenticated",
        _LIST,
        codes=("4.7.30", "5.7.30"),
    ),
    rule(
        "dmarc",
        r"Gmail.{0,80}DMARC.{0,80}(record|policy|alignment)|sending domain does(n't| not) have a DMARC record"
        r"|isn't aligned with either the authenticated SPF",
        "unauthenticated",
        _LIST,
        codes=("4.7.31", "5.7.31", "4.7.32", "5.7.32", "4.7.40", "5.7.40"),
    ),
    rule(
        "tls",
        r"Gmail.{0,60}(TLS|secure connection)|was(n't| not) sent over a TLS connection",
        "tls",
        _LIST,
        codes=("4.7.29", "5.7.29"),
    ),
    rule(
        "own-daily-limit",
        r"Daily (user )?(SMTP relay )?sending (limit|quota) exceeded|Daily SMTP relay (sending )?limit exceeded",
        "rate-limited",
        _LIST,
        actor=Actor.SENDER,
        advice=(
            "The Google account or relay that sends has used up what it may send in a day: wait for a day, or send notices by another server.",
            "寄信所用的 Google 帳號或轉寄服務已達每日上限：請等候一天，或改用其他伺服器寄送通知。",
        ),
    ),
    rule(
        "unsolicited",
        r"p=UnsolicitedMessageError|likely unsolicited mail|p=UnsolicitedMail",
        "content",
        _LIST,
        advice=(
            "Google takes this very message for spam: check its links and text, and the reputation of the sending domain.",
            "Google 把這封信判為垃圾信：請檢查連結、內文，以及寄件網域的信譽。",
        ),
    ),
    # Before the next one: both carry the link p=BlockedMessage.  A reply of several lines repeats its code in between.
    rule(
        "attachment",
        r"content presents a potential.{1,20}security issue|message content and attachment content guidelines",
        "malware",
        _LIST,
    ),
    rule(
        "low-reputation",
        r"very low reputation of the sending|p=(LowReputation|BlockedMessage)|Our system has detected that this message is suspicious",
        "reputation",
        _LIST,
    ),
    rule(
        "recipient-busy",
        r"receiving (email|mail) (too quickly|at a rate that)|p=ReceivingRate",
        "recipient-busy",
        _LIST,
    ),
    rule(
        "customer-rule",
        r"violates .{1,80} email policy.{0,40}gcdp|\bgcdp\b",
        "blocked-by-recipient",
        _LIST,
        advice=(
            "A rule that the recipient’s own administrator made refuses this mail: only that administrator can change it.",
            "收件單位的管理者自訂的規則拒收這封信：只有該管理者能更改。",
        ),
    ),
    rule(
        "form",
        r"p=RfcMessageNonCompliant|not RFC 5322 compliant|Messages missing a valid|multiple addresses in From",
        "message-form",
        _LIST,
    ),
    rule("size", r"p=MaxSizeError|exceeded Google's message size limits", "too-large", _LIST),
    rule(
        "dns-trouble",
        r"domain of the (sender|sending).{0,60}(does not exist|could not be resolved).{0,80}gsmtp",
        "sender-rejected",
        _LIST,
    ),
    rule("trouble", r"(Temporary System Problem|Try again later, closing connection).{0,80}gsmtp", "temporary", _LIST),
)
