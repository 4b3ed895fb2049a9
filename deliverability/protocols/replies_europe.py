"""What replies of GMX and WEB.DE, Mail.ru and Yandex mean.

GMX, WEB.DE and mail.com are of one operator and answer alike; its list was held on 2026-11-22 in the copy of mail.com's.
Mail.ru's and Yandex's texts name pages of theirs that were not at hand: read as refused for spam, no finer.
"""

from typing import Final

from deliverability.evidence.plugin import Actor, ReplyRule
from deliverability.protocols.replies_causes import rule

_GMX: Final = "https://postmaster.mail.com/en/error-messages"
_MAILRU: Final = "https://help.mail.ru/mail/security/spam/trouble"
_YANDEX: Final = "https://yandex.com/support/mail/"

REPLIES_GMX: Final[tuple[ReplyRule, ...]] = (
    rule("spf", r"Reject due to SPF policy", "unauthenticated", _GMX),
    rule("dmarc", r"Reject due to DMARC policy", "unauthenticated", _GMX),
    rule("rate", r"Rate limit reached\. Please try again later", "rate-limited", _GMX, actor=Actor.SENDER),
    rule("policy", r"Reject due to policy (violations|restrictions)", "reputation", _GMX),
    rule("busy", r"Administrative reject", "temporary", _GMX),
    rule(
        "ip",
        r"(nemesis ESMTP|postmaster\.(gmx|web|mail)\.).{0,80}IP address is (black|block) ?listed",
        "reputation",
        _GMX,
    ),
    rule(
        "no-mailbox",
        r"Requested action not taken: mailbox unavailable.{0,80}(gmx|web\.de|mail\.com)",
        "no-mailbox",
        _GMX,
    ),
)
REPLIES_MAILRU: Final[tuple[ReplyRule, ...]] = (
    rule(
        "spam", r"spam message (rejected|discarded/rejected).{0,80}mail\.ru|help\.mail\.ru/notspam", "content", _MAILRU
    ),
    rule("ratelimit", r"(Ratelimit|rate limit) exceeded.{0,80}mail\.ru", "rate-limited", _MAILRU, actor=Actor.SENDER),
    rule("access", r"Access to this (account|mailbox) is (disabled|restricted)", "mailbox-disabled", _MAILRU),
    rule("mailbox-full", r"Mailbox size limit exceeded.{0,60}mail\.ru", "mailbox-full", _MAILRU),
)
REPLIES_YANDEX: Final[tuple[ReplyRule, ...]] = (
    rule("spam", r"rejected under suspicion of SPAM", "content", _YANDEX),
    rule("policy", r"(Policy rejection|Message rejected).{0,80}yandex", "policy", _YANDEX),
    rule("no-mailbox", r"No such user!.{0,80}yandex|yandex.{0,60}No such user", "no-mailbox", _YANDEX),
    rule("relay", r"we don't relay.{0,60}yandex|Relay access denied.{0,80}yandex", "not-served", _YANDEX),
)
