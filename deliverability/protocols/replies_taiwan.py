"""What replies of Taiwanese providers mean.

智邦 (url.com.tw) explains its replies on a help page, held on 2026-11-22.  HiNet publishes no list that was found: a 421 at its
door is told by the samples alone, and nothing finer is claimed of it.
"""

from typing import Final

from deliverability.evidence.plugin import ReplyRule
from deliverability.protocols.replies_causes import rule

_URL: Final = "https://help.url.com.tw/1989.html"
_OBSERVED: Final = "observed: HiNet's servers answer so when they are busy, and take the message later"

REPLIES_URL: Final[tuple[ReplyRule, ...]] = (
    rule("spam", r"\bSB0[0-9]{3} - Rejected: SPAM", "content", _URL),
    rule("sender", r"\b550 illegal sender", "sender-rejected", _URL),
    rule("too-often", r"\b550 no spam mail", "rate-limited", _URL),
    rule("ip-listed", r"your mailserver's ip is listed in blacklist", "listed", _URL),
    rule("full", r"users mailfolder is over the allowed quota", "mailbox-full", _URL),
)
REPLIES_HINET: Final[tuple[ReplyRule, ...]] = (
    rule("busy", r"\b421\b.{0,80}hinet\.(net|example)", "temporary", _OBSERVED),
    rule(
        "no-mailbox", r"hinet\.(net|example)>?.{0,60}(user unknown|unknown user|no such user)", "no-mailbox", _OBSERVED
    ),
)
