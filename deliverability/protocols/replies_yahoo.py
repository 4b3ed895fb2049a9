"""What replies of Yahoo, AOL and Yahoo奇摩 mean: they share servers, and put a code into brackets.

Yahoo's list of codes (its Sender Hub) was not at hand on 2026-11-22; the texts are those of replies in many public logs
(2011 to 2019) and of the samples, which name that page.
"""

from typing import Final

from deliverability.evidence.plugin import Actor, ReplyRule
from deliverability.protocols.replies_causes import rule

_HUB: Final = "https://senders.yahooinc.com/smtp-error-codes/"
_SLOWER = (
    "Send more slowly to Yahoo and find out why its users complain; sign up for its feedback loop (CFL).",
    "請放慢寄往 Yahoo 的速度並查明使用者檢舉的原因；可加入 Yahoo 的檢舉回報（CFL）。",
)
_ASK = (
    "Stop the reason for complaints first; then ask Yahoo for help by the form of its Sender Hub.",
    "請先排除檢舉原因，再透過 Yahoo Sender Hub 的表單請求協助。",
)

REPLIES: Final[tuple[ReplyRule, ...]] = (
    rule(
        "deferred-complaints",
        r"\[TSS?0?[0-9]{1,2}\].{0,80}(temporarily deferred|try again later)",
        "rate-limited",
        _HUB,
        actor=Actor.SENDER,
        advice=_SLOWER,
    ),
    rule(
        "deferred-for-good",
        r"\[TSS?0?[0-9]{1,2}\].{0,80}(permanently deferred|Retrying will NOT succeed)",
        "reputation",
        _HUB,
        advice=_ASK,
    ),
    rule("deferred-any", r"\[(TSS|TS)[0-9]{2}\]", "rate-limited", _HUB, actor=Actor.SENDER, advice=_SLOWER),
    rule("greylisted", r"\(?\[?GL01\]?\)?.{0,80}temporarily deferred", "greylisted", _HUB),
    rule(
        "deferred-content",
        r"\[(MC|PH)0[0-9]\]",
        "content",
        _HUB,
        advice=(
            "Yahoo distrusts the content or a link of this message: check every link, and who else sends from the same address.",
            "Yahoo 不信任這封信的內容或連結：請檢查每個連結，以及同一位址的其他寄件者。",
        ),
    ),
    rule(
        "block-list",
        r"\[BL(2[0-9]|[0-9]{2})\]|Connections will not be accepted from .{1,60}because the ip is in Spamhaus",
        "listed",
        _HUB,
        advice=(
            "The sending address is on a list of Spamhaus: look it up at check.spamhaus.org, remove the reason, ask for delisting.",
            "寄送的 IP 位址在 Spamhaus 清單上：請到 check.spamhaus.org 查詢，排除原因後申請移除。",
        ),
    ),
    rule(
        "dmarc",
        r"\b5\.7\.9\b.{0,80}(policy|DMARC)|unauthenticated messages.{0,60}(yahoo|domain)|failed to pass DMARC.{0,40}yahoo",
        "unauthenticated",
        _HUB,
    ),
    rule(
        "policy",
        r"Message not (accepted|allowed) for policy reasons|Email not accepted for policy reasons",
        "policy",
        _HUB,
        advice=_ASK,
    ),
    rule(
        "disabled",
        r"\(554\.30\)|This mailbox is disabled|account has been disabled or discontinued",
        "mailbox-disabled",
        _HUB,
    ),
    rule(
        "no-mailbox",
        r"\(554\.35\)|This user doesn'?t have a .{1,40} account|dd .{0,40}(user|account) .{0,40}not",
        "no-mailbox",
        _HUB,
    ),
    rule("full", r"\(552\.1\)|mailbox for .{1,80} is full.{0,40}yahoo", "mailbox-full", _HUB),
    rule(
        "trouble",
        r"(Resources temporarily (not available|unavailable)|Internal error, please try again).{0,80}(yahoo|mta[0-9]{1,5}\.)",
        "temporary",
        _HUB,
    ),
    rule("no-from", r"\bdd .{0,60}(From|header) .{0,40}(missing|invalid)", "message-form", _HUB),
)
