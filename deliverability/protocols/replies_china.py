"""What replies of Tencent (QQ Mail, Exmail) and NetEase mean.

Tencent's by re-posted help (https://qqmailbox.com/transceivers/169.html and others), NetEase's by its table of codes, re-posted
at many places; both lists are Simplified Chinese.  Held on 2026-11-22.
"""

from typing import Final

from deliverability.evidence.plugin import Actor, ReplyRule
from deliverability.protocols.replies_causes import rule

_QQ: Final = "http://qiao.yimirj.com/article/detail/2261"
_QQ_HELP: Final = "https://qqmailbox.com/transceivers/169.html"
_NETEASE: Final = "https://biecuoliao.com/pa/MBRrwEM.html"
_SLOWER = (
    "Send more slowly to this provider; its limits are secret and reset by the minute, the hour and the day.",
    "請放慢寄往這家業者的速度；其限制不公開，以分鐘、小時與日計算。",
)

REPLIES_QQ: Final[tuple[ReplyRule, ...]] = (
    rule(
        "frequency",
        r"(Domain|Sender|Connection|Ip|IP) frequency limited",
        "rate-limited",
        _QQ,
        actor=Actor.SENDER,
        advice=_SLOWER,
    ),
    rule(
        "recipient-busy-or-closed",
        r"Mailbox unavailable or access denied",
        "no-mailbox",
        _QQ,
        advice=(
            "Tencent says this of mailboxes that do not exist, and of some that got much mail in a short time: check the address, then try once more.",
            "騰訊對不存在的信箱，以及短時間收到大量信件的信箱，都會這樣回覆：請確認地址，再試一次。",
        ),
    ),
    rule("content", r"Mail content denied|Error: content rejected.{0,80}qq\.", "content", _QQ_HELP),
    rule("no-mailbox", r"Mailbox not found.{0,80}qq\.|mail\.qq\..{0,60}Mailbox not found", "no-mailbox", _QQ_HELP),
    rule("sender", r"Mail rejected.{0,60}qq\.|Suspected (bounce attacks|spam ip).{0,80}qq\.", "reputation", _QQ),
    rule("spf", r"SPF check failed.{0,80}qq\.|qq\..{0,60}SPF check failed", "unauthenticated", _QQ_HELP),
    rule(
        "help-page",
        r"(service\.mail|open\.work\.weixin|mail)\.qq\.(com|example)",
        "policy",
        _QQ_HELP,
        advice=(
            "Tencent refuses this mail; the page that the reply names tells its reason.",
            "騰訊拒收這封信；回覆中的網頁會說明原因。",
        ),
    ),
)
REPLIES_NETEASE: Final[tuple[ReplyRule, ...]] = (
    rule("many-unknown", r"\bHL:REP\b", "reputation", _NETEASE),
    rule(
        "too-fast",
        r"\b(HL:(ICC|IFC|IFQ)|(MI|RP):(DMC|DRC|SFQ|QRC|CCL))\b",
        "rate-limited",
        _NETEASE,
        actor=Actor.SENDER,
        advice=_SLOWER,
    ),
    rule("forged-domains", r"\bHL:MEP\b", "reputation", _NETEASE),
    rule("ip-listed", r"\bDT:RBL\b", "listed", _NETEASE),
    rule("ip-refused", r"\b(HL:(IPB|IHU|ITC)|WM:BLI|IP:BLK)\b", "reputation", _NETEASE),
    rule("content", r"\bDT:SP[MCU]\b", "content", _NETEASE),
    rule("spf", r"\b(MI:SPF|DT:SPF|MI:DMA|DT:DMA)\b", "unauthenticated", _NETEASE),
    rule("sender", r"\b(MI:(NHD|FDF|IMF|STC)|WM:BLU)\b", "sender-rejected", _NETEASE),
    rule("commands", r"\b(MI|RP|DT|HL):CEL\b", "protocol", _NETEASE),
    rule("no-mailbox", r"User not found:.{0,80}(163|126|netease)|netease.{0,60}User not found", "no-mailbox", _NETEASE),
    rule("help-page", r"mail\.163\.com/help/help_spam|163\.com/errorhelp", "policy", _NETEASE),
)
