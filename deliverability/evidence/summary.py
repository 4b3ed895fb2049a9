"""What a summary of mail logs says: counts, each named by what it counts.

An *attempt* is one log line that says how one try to deliver ended.  An *outcome* is how the attempts for one message
and one recipient stand at the end of the log: one deferral or ten, one outcome.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.story import Coverage


class Fate(StrEnum):
    """How an attempt ended, and no more than its line shows."""

    DELIVERED = "delivered"
    """Written into a mailbox, by the mail store's own word."""
    ACCEPTED = "accepted"
    """2yz, and the configuration vouches that our server hands mail straight to the recipients' MX."""
    HANDED_OVER = "handed-over"
    """2yz from a host that nothing here shows to be the recipient's MX."""
    PASSED_ON = "passed-on"
    """To a server, program or address of our own: the story goes on elsewhere."""
    DISCARDED = "discarded"
    """Thrown away on our own side."""
    DEFERRED = "deferred"
    REFUSED = "refused"
    """A 5yz reply."""
    FAILED = "failed"
    """Given up without such a reply."""
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    """The connection broke after the end of the data: it may have been accepted (RFC 1047)."""


FATES = tuple(Fate)
ARRIVED = (Fate.DELIVERED, Fate.ACCEPTED, Fate.HANDED_OVER)
"""Fates of attempts that left our side with a 2yz."""
UNSUCCESSFUL = (Fate.DEFERRED, Fate.REFUSED, Fate.FAILED, Fate.EXPIRED, Fate.UNKNOWN)

Counts = Mapping[Fate, int]

BOUNDS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 432000)
"""Seconds: what a time from arrival to acceptance is told to be within."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long acceptance took, counted from the arrival in our queue."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    """How many took at most each of :data:`BOUNDS` and more than the one before; the last took longer than all."""

    @property
    def total(self) -> int:
        """How many times are known."""
        return sum(self.counts)

    def within(self, share: float) -> int | None:
        """The least of :data:`BOUNDS` that so many (0 to 1) kept to; ``None``: none known, or not even the last."""
        wanted, seen = share * self.total, 0
        for bound, count in zip(BOUNDS, self.counts, strict=False):
            seen += count
            if seen and seen >= wanted:
                return bound
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row: a recipient domain, a provider, or everything."""

    name: str
    """Domain in A-labels, provider id; empty for what has no domain, and for the total."""
    provider: str = ""
    """Id of the provider that the domain belongs to, told by its name alone."""
    attempts: Counts
    outcomes: Counts
    smtp: int = 0
    """Attempts over SMTP that were answered with 2yz."""
    tls: int = 0
    """How many of :attr:`smtp` the log shows to have used TLS; of the others it says nothing."""
    times: Times = Times()
    domains: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why attempts did not succeed: one code, one reason, and one of the replies."""

    fate: Fate
    reason: str
    """One of the reasons of ``compose.reason``, ``not-tried``, ``connection``, ``tls`` or ``other``."""
    code: str
    """Enhanced status code of the other side, else its reply code, else our own server's code, else empty."""
    own_code: bool
    """The code is our own server's."""
    attempts: int
    domains: tuple[tuple[str, int], ...]
    """The recipient domains that it met most, with their attempts."""
    example: LogLine | None
    words: str
    """Of the example: the reply, or our own server's words.  Foreign text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """One acceptance that took long."""

    seconds: float
    domain: str
    queue_id: str
    line: LogLine


@dataclass(frozen=True, slots=True)
class Day:
    """Attempts of one calendar day in the reader's zone."""

    day: date
    attempts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Everything that a summary says."""

    coverage: Coverage
    notes: tuple[str, ...]
    since: datetime | None
    until: datetime | None
    zone: str
    """The zone of days and hours."""
    made_at: datetime
    total: Line
    domains: tuple[Line, ...]
    """By attempts, most first."""
    more_domains: bool = False
    """More domains than are counted by name: the rest stands in a row of its own."""
    providers: tuple[Line, ...]
    days: tuple[Day, ...]
    hours: tuple[int, ...]
    """Attempts in each of the 24 hours of the day, over all days."""
    untimed: int = 0
    """Attempts whose time could not be told: they are in no day, and a window leaves them out."""
    probes: int = 0
    """Address probes: no message was sent, and they are counted nowhere else."""
    causes: tuple[Cause, ...]
    slowest: tuple[Slow, ...]
