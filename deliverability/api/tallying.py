"""Attempts counted as they come: memory grows with recipient domains, causes and messages in flight, not with the log."""

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from deliverability.api.times import stamp
from deliverability.compose.fates import Judged, judge
from deliverability.correlate import TimeHints
from deliverability.correlate.clock import resolve_one
from deliverability.evidence.attempted import Lean, Said
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import DeliveryEvent, LogTime, TimeBasis, Transport
from deliverability.evidence.summary import ARRIVED, BOUNDS, FATES, Fate
from deliverability.protocols import idclock, octets

MAX_DOMAINS = 50_000
MAX_CAUSES = 2000
MAX_CAUSE_DOMAINS = 1000  # of each cause
MAX_KNOWN = 16_384  # sayings and minutes that are remembered
SLOWEST = 10
QUARTER = 900  # seconds: every civil UTC offset is a multiple of it
LEAST_SLOW = 1.0  # seconds: nothing quicker is called slow
CLOCK_GRAIN = timedelta(seconds=2)  # between an id's clock and a line of the same moment
EXAMPLE = 4096  # octets of a line that is kept to be shown

SMTP, TLS = len(FATES), len(FATES) + 1
WIDTH = len(FATES) + 2
OPEN = frozenset(FATES.index(fate) for fate in (Fate.DEFERRED, Fate.UNKNOWN))
"""Fates after which our server tries again."""
_ARRIVED = frozenset(FATES.index(fate) for fate in ARRIVED)
EXPIRED = FATES.index(Fate.EXPIRED)
_ASSUMED = (TimeBasis.ASSUMED, TimeBasis.FILE_DATE)

_verdict = lru_cache(MAX_KNOWN)(judge)

OTHERS = b"\0others"
"""Stands for the domains past :data:`MAX_DOMAINS`."""


@dataclass(slots=True)
class Clock:
    """Instants of a file's log times; zone and year as ``correlate`` tells them."""

    path: str
    hints: TimeHints
    like: Callable[[], tuple[DeliveryEvent, ...]] = tuple
    """Gives resolved events of the same place: asked once, if a line does not state its instant itself."""
    _like: tuple[DeliveryEvent, ...] | None = None
    _known: dict[bytes, tuple[datetime | None, bool]] = field(default_factory=dict)

    def at(self, logged: bytes | LogTime) -> tuple[datetime | None, bool]:
        """The instant, and whether its zone rests on more than a guess."""
        if isinstance(logged, LogTime):
            return self._resolve(logged)
        known = self._known.get(logged)
        if known is None:
            at = stamp(logged)
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[logged] = self._resolve(at) if at else (None, False)
        return known

    def _resolve(self, at: LogTime) -> tuple[datetime | None, bool]:
        if at.instant is None and self._like is None:
            self._like = self.like()
        told = resolve_one(at, self.path, self.hints, self._like or ())
        return told.instant, told.zone_from not in _ASSUMED


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


_Where = tuple[bytes, int, int, int]
"""A block, where in it a line starts, where in the file the block starts, and how many lines stand before it."""

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
    causes: dict[tuple[int, str, str, bool], CauseTally] = field(default_factory=dict)
    slowest: list[Slowness] = field(default_factory=list)
    opened: dict[bytes, dict[bytes, tuple[int, bytes]]] = field(default_factory=dict)
    """Queue id, recipient → fate and domain of what is to be tried again."""
    settled: list[bytes] = field(default_factory=list)
    """Queue id and recipient of what needs no further attempt, with a blank between them."""
    given_up: list[bytes] = field(default_factory=list)
    """Queue ids whose remaining recipients our server gave up."""
    lapsed: dict[bytes, int] = field(default_factory=dict)
    """By domain, recipients that expired without a line of their own."""
    undated: list[int] = field(default_factory=lambda: [0] * len(FATES))
    untimed: int = 0
    probes: int = 0
    attempts: int = 0


class _Judged:
    """A saying, what it counts as, and how often it was said of each domain since the last folding."""

    __slots__ = ("arrived", "cells", "fate", "open", "said", "verdict")

    def __init__(self, said: Said, verdict: Judged | None) -> None:
        self.said, self.verdict = said, verdict
        self.fate = FATES.index(verdict.fate) if verdict else -1
        self.open, self.arrived = self.fate in OPEN, self.fate in _ARRIVED
        self.cells: dict[bytes, list[int]] = {}


@dataclass(slots=True)
class _Slot:
    """A minute or so of the log: its instant, whether that is sure, and what is counted in its quarter of an hour."""

    instant: datetime | None
    sure: bool
    counts: list[int]


_NO_SLOT = _Slot(None, False, [0] * len(FATES))


@dataclass(slots=True)
class Counter:
    """Turns attempts into a tally."""

    own: Own
    clock: Clock
    since: datetime | None = None
    until: datetime | None = None
    tally: Tally = field(default_factory=Tally)
    _slow: float = LEAST_SLOW
    _judged: dict[int, "_Judged"] = field(default_factory=dict)
    _touched: dict[int, "_Judged"] = field(default_factory=dict)
    _slots: dict[bytes, "_Slot"] = field(default_factory=dict)

    def renew(self) -> Tally:
        """What was counted since the last time."""
        self._fold()
        tally, self.tally = self.tally, Tally()
        self._slots.clear()
        self._slow = LEAST_SLOW
        tally.untimed += sum(tally.undated)
        return tally

    def take(self, leans: Iterable[Lean], block: bytes, offset: int, line: int) -> None:  # noqa: C901, PLR0912 - hot loop
        """Count the attempts of a block that begins at ``offset``, after ``line`` lines."""
        tally, known, slots = self.tally, self._judged, self._slots
        opened, settle, bounds = tally.opened, tally.settled.append, BOUNDS
        windowed = self.since is not None or self.until is not None
        minute, rest, slot = b"", b"", _NO_SLOT
        for start, at, queue_id, recipient, delay, tls, said in leans:
            judged = known.get(id(said)) or self._judge(said)
            fate = judged.fate
            if fate < 0:
                tally.probes += 1
                continue
            if at.__class__ is bytes:
                # Whatever stands before seconds and after them tells the minute; so a slot serves many lines.
                if at[:16] != minute or at[-6:] != rest or windowed:
                    minute, rest = at[:16], at[-6:]
                    when = at if windowed or rest[-1:] == b"Z" else minute + rest
                    slot = slots.get(when) or self._slot(when, at)
            else:
                minute, slot = b"", self._slot(None, at)
            if windowed and not self._within(slot.instant):
                tally.untimed += slot.instant is None
                continue
            if fate == EXPIRED and not recipient:
                self._give_up(queue_id)
                continue
            slot.counts[fate] += 1
            place = recipient.rfind(b"@") + 1
            domain = recipient[place:] if place else b""
            cell = judged.cells.get(domain)
            if cell is None:
                cell = self._cell(judged, domain, (block, start, offset, line))
            cell[0] += 1
            if judged.open:
                if (waiting := opened.get(queue_id)) is None:
                    waiting = opened[queue_id] = {}
                waiting[recipient] = (fate, domain)
                continue
            if queue_id in opened:
                opened[queue_id].pop(recipient, None)
            settle(queue_id + b" " + recipient)
            if judged.arrived:
                cell[1] += tls
                took = self._since_arrival(queue_id, at, slot) if delay is None else delay
                if took is not None:
                    cell[bisect_left(bounds, took) + 2] += 1
                    if took > self._slow:
                        self._note_slow(took, (block, start, offset, line), domain, queue_id)
        self._fold()

    def _judge(self, said: Said) -> "_Judged":
        if len(self._judged) >= MAX_KNOWN:
            self._fold()
            self._judged.clear()
        # The saying is kept beside its verdict: as long as it is, no other can have its identity.
        judged = self._judged[id(said)] = _Judged(said, _verdict(said, self.own))
        return judged

    def _slot(self, when: bytes | None, at: bytes | LogTime) -> "_Slot":
        instant, sure = self.clock.at(at)
        if instant is None:
            return _Slot(None, sure, self.tally.undated)
        counts = self.tally.quarters.setdefault(int(instant.timestamp()) // QUARTER, [0] * len(FATES))
        slot = _Slot(instant, sure, counts)
        if when is not None:
            if len(self._slots) >= MAX_KNOWN:
                self._slots.clear()
            self._slots[when] = slot
        return slot

    def _cell(self, judged: "_Judged", domain: bytes, where: _Where) -> list[int]:
        """Where attempts of one saying to one domain are counted until the block is done."""
        verdict = judged.verdict
        if verdict is not None and verdict.reason:
            key = (judged.fate, verdict.reason, verdict.code, verdict.own_code)
            causes = self.tally.causes
            if key not in causes and len(causes) < MAX_CAUSES:
                block, start, offset, line = where
                causes[key] = CauseTally(0, offset + start, _number(block, start, line), _line(block, start))
        self._touched[id(judged)] = judged
        cell = judged.cells[domain] = [0] * (len(BOUNDS) + 3)
        return cell

    def _fold(self) -> None:
        """Put what was counted by saying into rows, times and causes."""
        for judged in self._touched.values():
            over_smtp = judged.arrived and judged.said.transport is Transport.SMTP
            for domain, cell in judged.cells.items():
                name, row = self._row(domain)
                row[judged.fate] += cell[0]
                self.tally.attempts += cell[0]
                if over_smtp:
                    row[SMTP] += cell[0]
                    row[TLS] += cell[1]
                if judged.arrived and any(cell[2:]):
                    add_row(self.tally.delays.setdefault(name, [0] * (len(BOUNDS) + 1)), cell[2:])
                if judged.verdict is not None and judged.verdict.reason:
                    self._note_cause(judged, name, cell[0])
            judged.cells.clear()
        self._touched.clear()

    def _within(self, instant: datetime | None) -> bool:
        if instant is None:
            return False
        return (self.since is None or instant >= self.since) and (self.until is None or instant < self.until)

    def _row(self, domain: bytes) -> tuple[bytes, list[int]]:
        rows = self.tally.rows
        if len(rows) >= MAX_DOMAINS:
            domain = OTHERS
        return domain, rows.setdefault(domain, [0] * WIDTH)

    def _give_up(self, queue_id: bytes) -> None:
        """The queue manager returned the message: what was still to be tried will not be."""
        self.tally.given_up.append(queue_id)
        for _, domain in self.tally.opened.pop(queue_id, {}).values():
            self.tally.lapsed[domain] = self.tally.lapsed.get(domain, 0) + 1

    def _since_arrival(self, queue_id: bytes, at: bytes | LogTime, slot: "_Slot") -> float | None:
        """Seconds since the clock in our own id, where the line's time is known well enough to be held against it."""
        instant = slot.instant
        if not slot.sure or instant is None:
            return None
        if type(at) is bytes and at[10:11] == b"T":
            instant = self.clock.at(at)[0] or instant
        text = queue_id.decode("ascii", "replace")
        made = idclock.exim(text) or idclock.postfix_long(text)
        if made is None or instant < made - CLOCK_GRAIN:
            return None
        return max((instant - made) / timedelta(seconds=1), 0.0)

    def _note_slow(self, took: float, where: _Where, domain: bytes, queue_id: bytes) -> None:
        block, start, offset, line = where
        entry = (took, -(offset + start), _number(block, start, line), domain, queue_id, _line(block, start))
        slowest = self.tally.slowest
        keep = heapq.heappush if len(slowest) < SLOWEST else heapq.heappushpop
        keep(slowest, entry)
        self._slow = slowest[0][0] if len(slowest) == SLOWEST else LEAST_SLOW

    def _note_cause(self, judged: "_Judged", domain: bytes, attempts: int) -> None:
        verdict, causes = judged.verdict, self.tally.causes
        if verdict is None:
            return
        cause = causes.get((judged.fate, verdict.reason, verdict.code, verdict.own_code))
        if cause is None:  # past the limit
            cause = causes.setdefault((judged.fate, "other", "", False), CauseTally(0, 0, 0, b""))
        cause.attempts += attempts
        domains = cause.domains
        if domain in domains or len(domains) < MAX_CAUSE_DOMAINS:
            domains[domain] = domains.get(domain, 0) + attempts


def _number(block: bytes, start: int, line: int) -> int:
    return line + octets.count(block, b"\n", 0, start) + 1


def _line(block: bytes, start: int) -> bytes:
    end = block.find(b"\n", start)
    return block[start : min(end if end >= 0 else len(block), start + EXAMPLE)].removesuffix(b"\r")


def add_row(total: list[int], counts: list[int]) -> None:
    """Add to each number of a row that of another."""
    for at, count in enumerate(counts):
        total[at] += count
