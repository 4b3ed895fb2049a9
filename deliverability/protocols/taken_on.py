"""What the words of a 2yz tell where a server only took a message on, or a filter kept nothing of it."""

import re
from functools import cache

from deliverability.evidence.event import Transport
from deliverability.evidence.smtp import Host
from deliverability.protocols.hosts import is_loopback

_TAKEN_ON = (
    r"\bqueued\b|\bfrom MTA\(|\bid=[0-9A-Za-z]{6}-|\baccepted for delivery\b|\bforwarded\b"
    r"|\bOK \([0-9A-F]{14,32}\)\Z"  # Proxmox Mail Gateway's filter
)
# amavis: "Ok, discarded, id=…", "Ok, id=…, DISCARD(bounce.suppressed)", and BOUNCE, for which it tells the sender.
_THROWN_AWAY = r"\b25\d(?:[ -][245]\.\d{1,3}\.\d{1,3})? Ok, (?:discarded\b|id=[0-9-]{3,32}, (?:DISCARD\b|BOUNCE\Z))"


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(_TAKEN_ON, re.IGNORECASE), re.compile(_THROWN_AWAY, re.IGNORECASE)


@cache
def _patterns_of_octets() -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    return re.compile(_TAKEN_ON.encode(), re.IGNORECASE), re.compile(_THROWN_AWAY.encode(), re.IGNORECASE)


def by_router(route: str | None) -> bool:
    """Whether a route names the router of Exim's that took the address on.

    In one run no two routers take the same address, unless the first makes a copy (``unseen``).
    """
    return (route or "").startswith("R=")


def passes_on(transport: Transport | None, relay: Host | None) -> bool:
    """Whether the words of a 2yz tell more than that it is one: a filter of ours may have given it."""
    return transport is Transport.LMTP or (relay is not None and is_loopback(relay))


def kept(words: str) -> tuple[bool, bool]:
    """Whether a host that is perhaps a filter of ours says that it queued the message, and that it kept nothing."""
    taken_on, thrown_away = _patterns()
    return taken_on.search(words) is not None, thrown_away.match(words) is not None


def kept_plainly(words: bytes) -> tuple[bool, bool]:
    """As :func:`kept`, of printable ASCII."""
    taken_on, thrown_away = _patterns_of_octets()
    return taken_on.search(words) is not None, thrown_away.match(words) is not None
