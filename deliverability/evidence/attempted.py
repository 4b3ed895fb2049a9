"""Attempts to deliver without a model object each: what counting needs of millions of lines, and nothing else.

Whoever counts meets few different sayings and many different recipients: what a line says of *how* is one shared
:class:`Said`, and *who* and *when* stand beside it in a plain tuple, :data:`Lean`.  Everything in it is also in the
:class:`~deliverability.evidence.event.DeliveryEvent` of the line; nothing is in it that the event does not say.
"""

from dataclasses import dataclass

from deliverability.evidence.event import LogTime, Result, Transport
from deliverability.evidence.smtp import Host


@dataclass(frozen=True, slots=True)
class Said:
    """How an attempt ended, as far as its line tells: one object for all lines that say the same."""

    result: Result | None
    """``None`` for an address probe: nothing was sent."""
    transport: Transport | None
    relay: Host | None
    reply_code: int | None = None
    """RFC 5321 §4.2.1; of what was sent ``None``, because the result says it."""
    enhanced_status_code: str | None = None
    """The other side's word (RFC 3463); of what was sent ``None``."""
    dsn_code: str | None = None
    """Our own server's, where the attempt did not succeed."""
    stage: str | None = None
    words: str = ""
    """Reply or own words of a failure, lower-case, the recipient's address taken out, at most :data:`MAX_WORDS` long: to
    tell the reason, not to be shown."""
    taken_on: bool = False
    """The reply to what was sent over LMTP says that the host put it into a queue of its own."""
    thrown_away: bool = False
    """The reply to what was sent says that a filter kept nothing of it."""
    router: bool = False
    """One of Exim's routers took the address on: what stays on this machine is a copy where another sends the mail on."""


MAX_WORDS = 400  # characters


@dataclass(frozen=True, slots=True, eq=False)
class Saying:
    """What was said of the recipients of one domain: one object for many lines, which is told from others by identity."""

    said: Said
    domain: bytes
    """As the line has it; empty where the recipient has none."""


Lean = tuple[int, bytes | LogTime, bytes, bytes, bytes, bytes, bytes | None, bool, Saying]
"""Where the line starts (octets from the start of the block); its time as logged in three parts, of which the first and
the last tell the minute (to the minute, seconds, zone; empty: none), or read already, and then the other two are empty;
queue id and recipient (empty: none); seconds from arrival to the end of the attempt where the line says them, in
decimals as it does; whether the log shows that TLS was in use; and how it ended, for whose domain."""
