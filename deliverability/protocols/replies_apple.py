"""What iCloud Mail's replies mean.

The bracketed codes name Apple's own filters; Apple explains none of them one by one.  CS stands for the filter of Cloudmark
by what senders observed (https://www.suped.com/), HM and HME for filters of Apple's: they are read as "refused by policy",
no finer.  Other texts: https://smtp.codes/icloud and the samples.
"""

from typing import Final

from deliverability.evidence.plugin import ReplyRule
from deliverability.protocols.replies_causes import rule

_APPLE: Final = "https://support.apple.com/102322"
_CODES: Final = "https://smtp.codes/icloud"
_ASK = (
    "Check authentication, links and the reputation of the address; then write to icloudadmin@apple.com with this reply.",
    "請檢查身分驗證、連結與 IP 信譽，再附上這段回覆寫信到 icloudadmin@apple.com。",
)

REPLIES: Final[tuple[ReplyRule, ...]] = (
    rule("local-policy", r"\[CS0[0-9]\]", "reputation", _CODES, advice=_ASK),
    rule("apple-filter", r"\[HM[E]?[0-9]{1,2}\]", "policy", _CODES, advice=_ASK),
    rule("dmarc", r"message was rejected due to .{1,80} DMARC policy", "unauthenticated", _CODES),
    rule("link-listed", r"having a domain present in the Spamhaus DBL", "listed", _CODES),
    rule("too-much", r"deferred due to excessive volume.{0,80}apple", "recipient-busy", _CODES),
    rule("too-many-errors", r"(icloud|me)\.com Error: too many errors", "rate-limited", _CODES),
    rule("no-mailbox", r"@(icloud|me|mac)\.com>: user does not exist", "no-mailbox", _CODES),
    rule(
        "inactive",
        r"inactive email address.{0,80}apple|@(icloud|me|mac)\.com>: inactive email",
        "mailbox-disabled",
        _CODES,
    ),
    rule("full", r"@(icloud|me|mac)\.com>: user is over quota", "mailbox-full", _CODES),
    rule("help-page", r"support\.apple\.(com|example)/(en-us/)?(HT204137|102322)", "policy", _APPLE, advice=_ASK),
)
