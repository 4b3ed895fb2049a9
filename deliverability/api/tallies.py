"""What counting makes of a part of a log: numbers by domain, cause and quarter of an hour, and what is still open."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from deliverability.evidence.summary import FATES, Fate

MAX_DOMAINS = 50_000
MAX_CAUSES = 2000
MAX_COPIES = 4096
"""Queue ids with a delivery here that may prove a copy: the address's other delivery is tried in the same run."""
MAX_CAUSE_DOMAINS = 1000  # of each cause
SLOWEST = 10
QUARTER = 900  # seconds: every civil UTC offset is a multiple of it

SMTP, TLS = len(FATES), len(FATES) + 1
WIDTH = len(FATES) + 2
OPEN = frozenset(FATES.index(fate) for fate in (Fate.DEFERRED, Fate.UNKNOWN))
"""Fates after which our server tries again."""
UNKNOWN = FATES.index(Fate.UNKNOWN)
"""It may have arrived, whatever is tried afterwards, but for an attempt that succeeds (RFC 1047)."""
EXPIRED, DISCARDED = FATES.index(Fate.EXPIRED), FATES.index(Fate.DISCARDED)
ENDED = frozenset(FATES.index(fate) for fate in (Fate.REFUSED, Fate.FAILED, Fate.EXPIRED))
"""Fates after which nothing more is tried, and nothing arrived."""

OTHERS = b"\0others"
"""Stands for the domains past :data:`MAX_DOMAINS`."""

CauseKey = tuple[int, str, str, bool]
"""Fate, reason, code, and whether the code is our own server's."""

Open = tuple[int, bytes]
"""Fate and domain of what is to be tried again."""


@dataclass(slots=True)
class CauseTally:
    """One cause so far."""

    attempts: int
    start: int
    """Offset of its first line, from the start of the file."""
    line: int
    """Number of that line, from the start of the part that was read."""
    raw: bytes
    domains: dict[bytes, int] = field(default_factory=dict)


Slowness = tuple[float, int, int, bytes, bytes, bytes]
"""Seconds, minus the offset, line, domain, queue id and the line itself: the largest is the slowest."""


@dataclass(slots=True)
class Tally:
    """What some part of a log says; parts are put together in order."""

    rows: dict[bytes, list[int]] = field(default_factory=dict)
    """Attempts by domain: one number for each fate, then :data:`SMTP` and :data:`TLS`."""
    delays: dict[bytes, list[int]] = field(default_factory=dict)
    quarters: dict[int, list[int]] = field(default_factory=dict)
    """Attempts by fate in each quarter of an hour since 1970."""
    causes: dict[CauseKey, CauseTally] = field(default_factory=dict)
    slowest: list[Slowness] = field(default_factory=list)
    opened: dict[bytes, dict[bytes, Open]] = field(default_factory=dict)
    """What is to be tried again, by queue id and recipient."""
    settled: list[bytes] = field(default_factory=list)
    """Queue ids of what needs no further attempt; their recipients stand in :attr:`settled_for`, in the same order."""
    settled_for: list[bytes] = field(default_factory=list)
    ended: list[tuple[bytes, bytes, Open]] = field(default_factory=list)
    """Queue id and recipient of what ended without success, with its fate."""
    copies: dict[bytes, dict[bytes, list[Open]]] = field(default_factory=dict)
    """What stayed on this machine, by queue id and recipient, of the last :data:`MAX_COPIES` messages of Exim's: a copy, if
    another router sends the same address on."""
    unmade: set[tuple[bytes, bytes]] = field(default_factory=set)
    """Queue ids and recipients of such a delivery that did not succeed: it sends nothing on."""
    no_outcome: dict[bytes, list[int]] = field(default_factory=dict)
    """By domain and fate, the attempts that are no outcome of their message, though nothing more was tried: copies, and
    what our server gave up after the connection had broken when it may have been accepted."""
    given_up: list[tuple[bytes, int, dict[bytes, Open]]] = field(default_factory=list)
    """Queue ids whose remaining recipients our server gave up, or somebody removed; which fate that is; and those of them
    who are counted here already."""
    moved: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Queue ids of what was requeued, each with that under which it goes on."""
    lapsed: dict[Open, int] = field(default_factory=dict)
    """By fate and domain, recipients that expired, or were removed, without a line of their own."""
    undated: list[int] = field(default_factory=lambda: [0] * len(FATES))
    untimed: int = 0
    probes: int = 0
    attempts: int = 0

    def stays(self, queue_id: bytes, recipient: bytes, here: Open) -> None:
        """Note what stayed on this machine; where it was kept, an automatic reply to it is no outcome."""
        noted = self.copies.setdefault(queue_id, {}).setdefault(recipient, [])
        noted.append(here)
        kept = [one for one in noted if one[0] != DISCARDED]
        if kept and len(kept) < len(noted):
            for reply in (one for one in noted if one[0] == DISCARDED):
                self.is_no_outcome(reply)
            noted[:] = kept
        if len(self.copies) > MAX_COPIES:
            del self.copies[next(iter(self.copies))]

    def goes_on(self, queue_id: bytes, recipient: bytes) -> None:
        """The address is tried elsewhere: what stayed was a copy."""
        waiting = self.copies[queue_id]
        for here in waiting.pop(recipient, ()):
            self.is_no_outcome(here)
        if not waiting:
            del self.copies[queue_id]

    def is_no_outcome(self, of: Open) -> None:
        """An attempt that was counted leaves its message's outcome as it is."""
        fate, domain = of
        self.no_outcome.setdefault(domain, [0] * len(FATES))[fate] += 1

    def lapse_later(self, queue_id: bytes, fate: int, counted: dict[bytes, Open]) -> None:
        """The same of what an earlier part of the log had left open; a later part may have ``counted`` it with its own."""
        waiting = self.opened.pop(queue_id, {})
        self.lapse([again for recipient, again in waiting.items() if recipient not in counted], fate)
        for recipient in waiting.keys() & counted.keys():
            of = counted[recipient]
            if waiting[recipient][0] == UNKNOWN != of[0]:
                self.lapse([(UNKNOWN, of[1])], fate)
                self.lapsed[fate, of[1]] = self.lapsed.get((fate, of[1]), 0) - 1

    def move(self, before: bytes, now: bytes) -> None:
        """What was left of a message goes on under another id."""
        self.moved.append((before, now))
        waiting = self.opened.pop(before, None)
        if waiting:
            self.opened.setdefault(now, {}).update(waiting)

    def lapse(self, waiting: Iterable[Open], fate: int) -> None:
        """What was still to be tried will not be; what may have been accepted stays unknown."""
        for before, domain in waiting:
            of = (UNKNOWN if before == UNKNOWN else fate, domain)
            self.lapsed[of] = self.lapsed.get(of, 0) + 1


def wait(waiting: dict[bytes, Open], recipient: bytes, again: Open) -> None:
    """Note what is to be tried again; a deferral does not take back that the mail may have been accepted."""
    if again[0] == UNKNOWN or waiting.get(recipient, again)[0] != UNKNOWN:
        waiting[recipient] = again


def add_row(total: list[int], counts: list[int]) -> None:
    """Add to each number of a row that of another."""
    for at, count in enumerate(counts):
        total[at] += count
