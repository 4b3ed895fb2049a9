"""Why a message was refused, in classes that tell who has to act (RFC 3463, RFC 7372, RFC 7505)."""

import re

from deliverability.evidence.smtp import Reply
from deliverability.evidence.story import Attempt

_BY_CODE = {
    "5.1.1": "no-mailbox",
    "5.1.10": "no-mailbox",
    "5.1.2": "no-domain",
    "5.1.6": "no-mailbox",
    "5.2.1": "mailbox-disabled",
    "5.2.2": "mailbox-full",
    "4.2.2": "mailbox-full",
    "5.2.3": "too-large",
    "5.3.4": "too-large",
    # RFC 7372 §3: DKIM 20-22, SPF 23-24, several at once 26; Microsoft's own for the same: 509, 515.
    "5.7.20": "unauthenticated",
    "5.7.21": "unauthenticated",
    "5.7.22": "unauthenticated",
    "5.7.23": "unauthenticated",
    "5.7.24": "unauthenticated",
    "5.7.26": "unauthenticated",
    "5.7.509": "unauthenticated",
    "5.7.515": "unauthenticated",
}
REASONS = ("no-mailbox", "no-domain", "mailbox-disabled", "mailbox-full", "too-large", "unauthenticated", "policy")
# Words of our own MTA when it gave up before any server of the other side took part.
_OWN_WORDS = (
    ("does not accept mail", "no-mail"),
    ("no smtp service", "no-mail"),
    ("nullmx", "no-mail"),
    ("null mx", "no-mail"),
    ("name not found", "no-domain"),
    ("domain not found", "no-domain"),
    ("nxdomain", "no-domain"),
    ("non-existent", "no-domain"),
)


# How each line but the last of a reply of several lines begins (RFC 5321 §4.2.1, RFC 2034 §4).
_CONTINUED = re.compile(r"(\d{3})-([245]\.\d{1,3}\.\d{1,3})(?: |\Z)")


def words(reply: Reply) -> str:
    """A reply to be read: of several lines the codes once, not at the head of each; log lines keep them all."""
    several = _CONTINUED.match(reply.text)
    if several is None:
        return reply.text
    said = " ".join(word for word in reply.text.split() if word != several.group().strip())
    codes = f"{several[1]} {several[2]}"
    return f"{codes} {f' {said} '.replace(f' {codes} ', ' ').strip()}".rstrip()


def why_refused(attempt: Attempt | None) -> str:
    """One of :data:`REASONS`, from the code that the server itself gave, or ``other``."""
    reply = attempt.reply if attempt else None
    code = reply.enhanced_status_code if reply else None
    if code is None:
        return "other"
    if code in _BY_CODE:
        return _BY_CODE[code]
    return "policy" if code.startswith("5.7.") else "other"


def why_failed(attempt: Attempt | None) -> str:
    """``no-domain``, ``no-mail`` or ``other``, from what our own server noted."""
    if attempt is None:
        return "other"
    words = f"{attempt.text} {attempt.reply.text if attempt.reply else ''}".lower()
    return next((reason for word, reason in _OWN_WORDS if word in words), "other")
