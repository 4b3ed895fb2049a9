"""Attempts counted as they come: memory grows with recipient domains, causes and messages in flight, not with the log."""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from deliverability.api.line_clock import Clock
from deliverability.api.tallies import (
    DISCARDED,
    ENDED,
    EXPIRED,
    MAX_CAUSE_DOMAINS,
    MAX_CAUSES,
    MAX_COPIES,
    MAX_DOMAINS,
    OPEN,
    OTHERS,
    QUARTER,
    SLOWEST,
    SMTP,
    TLS,
    UNKNOWN,
    WIDTH,
    CauseKey,
    CauseTally,
    Open,
    Tally,
    add_row,
    wait,
)
from deliverability.compose.fates import Judged, judge
from deliverability.evidence.attempted import Lean, Said, Saying
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import DeliveryEvent, LogTime, Result, Transport
from deliverability.evidence.summary import ARRIVED, BOUNDS, FATES
from deliverability.protocols import idclock, octets
from deliverability.protocols.lean import REQUEUED

MAX_KNOWN = 16_384  # sayings and minutes that are remembered
LEAST_SLOW = 1.0  # seconds: nothing quicker is called slow
CLOCK_GRAIN = 2.0  # seconds between an id's clock and a line of the same moment
FOLD = 8  # blocks after which numbers by saying are put into rows: the longer they are kept the more lines they count
EXAMPLE = 4096  # octets of a line that is kept to be shown

_ARRIVED = frozenset(FATES.index(fate) for fate in ARRIVED)
_verdict = lru_cache(MAX_KNOWN)(judge)


@dataclass(slots=True)
class _Place:
    """A block, and where in its file it stands."""

    content: bytes
    offset: int
    lines: int
    """How many lines stand before :attr:`reached`."""
    reached: int = 0

    def number(self, start: int) -> int:
        """The number of the line that starts there; of lines in turn, each stretch is counted once."""
        if start >= self.reached:
            self.lines += octets.count(self.content, b"\n", self.reached, start)
        else:
            self.lines -= octets.count(self.content, b"\n", start, self.reached)
        self.reached = start
        return self.lines + 1

    def line(self, start: int) -> bytes:
        """The line that starts there, as much of it as is shown."""
        end = self.content.find(b"\n", start)
        return self.content[start : min(end if end >= 0 else len(self.content), start + EXAMPLE)].removesuffix(b"\r")


_Cell = tuple[int, Open | None, Open | None, bool, list[int]]
"""What a saying counts as: its fate, that with the domain where it is open, and where Exim tried it on this machine, whether
the mail arrived; and how often it was met since the last folding: without a time, of all those that arrived with TLS, and
within each of the bounds."""
_FOR_ALL = (EXPIRED, DISCARDED)
"""Fates of all that is left of a message, where a line names no recipient."""
_LOCAL = (Transport.PIPE, Transport.MAILBOX, Transport.LMTP, Transport.DISCARD, Transport.REPLY, None)
_TIMES = 2  # where the bounds begin in the numbers of a cell
_LEAST_SLOW_FROM = _TIMES + bisect_right(BOUNDS, LEAST_SLOW)


@dataclass(slots=True)
class _Slot:
    """A minute or so of the log: its instant, whether that is sure, and what is counted in its quarter of an hour."""

    instant: datetime | None
    sure: bool
    counts: list[int]
    begins: float | None = None
    """The minute's, in seconds since 1970, once it was asked for."""


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
    _slow_from: int = _LEAST_SLOW_FROM
    """Where times may stand, among the numbers of a cell, that are slower."""
    _cells: dict[Saying, _Cell] = field(default_factory=dict)
    _slots: dict[bytes, "_Slot"] = field(default_factory=dict)
    _bounds: dict[bytes | None, int] = field(default_factory=dict)
    _unfolded: int = 0
    _block: _Place = field(default_factory=lambda: _Place(b"", 0, 0))

    @property
    def windowed(self) -> bool:
        """Whether only some of the attempts count."""
        return self.since is not None or self.until is not None

    def begin(self, arrivals: Sequence[DeliveryEvent]) -> None:
        """Of the lines that come next, what arrivals at both their ends tell of the clock's zone."""
        if self.clock.turn(arrivals):
            self._slots.clear()

    def renew(self) -> Tally:
        """What was counted since the last time."""
        self._fold()
        tally, self.tally = self.tally, Tally()
        self._slots.clear()
        self._slow, self._slow_from = LEAST_SLOW, _LEAST_SLOW_FROM
        tally.untimed += sum(tally.undated)
        return tally

    def take(self, leans: Iterable[Lean], block: bytes, offset: int, line: int) -> None:  # noqa: C901, PLR0912, PLR0915 - hot loop
        """Count the attempts of a block that begins at ``offset``, after ``line`` lines."""
        tally, cells, bounds = self.tally, self._cells, self._bounds
        opened, settle, settle_for = tally.opened, tally.settled.append, tally.settled_for.append
        copies = tally.copies
        windowed = self.windowed
        last: bytes | LogTime = b""
        last_zone, slot, counts = b"", _NO_SLOT, _NO_SLOT.counts
        slow = self._slow_from
        self._block = _Place(block, offset, line)
        for start, minute, seconds, zone, queue_id, recipient, delay, tls, saying in leans:
            if minute != last or zone != last_zone or windowed:
                slot = self._slot(minute, seconds, zone)
                last, last_zone, counts = minute, zone, slot.counts
                if windowed and not self._within(slot.instant) and self._fate(saying) >= 0:
                    tally.untimed += slot.instant is None
                    continue
            if not recipient:
                if saying.said is REQUEUED:
                    tally.move(queue_id, saying.domain)
                    continue
                if (fate := self._fate(saying)) in _FOR_ALL:
                    self._give_up(queue_id, fate)
                    continue
            cell = cells.get(saying)
            if cell is None:
                cell = self._cell(saying, start)
            fate, again, here, arrived, numbers = cell
            if fate < 0:
                tally.probes += 1
                continue
            counts[fate] += 1
            if here is not None:
                self._here(queue_id, recipient, here, saying)
            elif queue_id in copies and saying.said.router:
                tally.goes_on(queue_id, recipient)
            if again is not None:
                numbers[0] += 1
                if (waiting := opened.get(queue_id)) is None:
                    waiting = opened[queue_id] = {}
                wait(waiting, recipient, again)
                continue
            if fate in ENDED:
                numbers[0] += 1
                self._end(queue_id, recipient, (fate, saying.domain))
                continue
            if queue_id in opened:
                opened[queue_id].pop(recipient, None)
            settle(queue_id)
            settle_for(recipient)
            if not arrived:
                numbers[0] += 1
                continue
            if tls:
                numbers[1] += 1
            within = bounds.get(delay)
            if within is None or within >= slow:
                took = self._since_arrival(queue_id, minute, seconds, zone, slot) if delay is None else float(delay)
                within = self._span(took, delay, start, saying.domain, queue_id)
                slow = self._slow_from
            numbers[within] += 1
        self._unfolded += 1
        if self._unfolded >= FOLD or len(cells) >= MAX_KNOWN:
            self._fold()

    def _slot(self, minute: bytes | LogTime, seconds: bytes, zone: bytes) -> "_Slot":
        """Where a line of this time is counted: all lines of a minute in the same, unless a window cuts through it."""
        if isinstance(minute, LogTime):
            return self._new_slot(minute)
        at = minute + seconds + zone
        when = at if self.windowed else minute + zone
        slot = self._slots.get(when)
        if slot is None:
            if len(self._slots) >= MAX_KNOWN:
                self._slots.clear()
            slot = self._slots[when] = self._new_slot(at)
        return slot

    def _new_slot(self, at: bytes | LogTime) -> "_Slot":
        instant, sure = self.clock.at(at)
        if instant is None:
            return _Slot(None, sure, self.tally.undated)
        counts = self.tally.quarters.setdefault(int(instant.timestamp()) // QUARTER, [0] * len(FATES))
        return _Slot(instant, sure, counts)

    def _fate(self, saying: Saying) -> int:
        """What a saying counts as; below 0 for an address probe."""
        judged = _verdict(saying.said, self.own)
        return FATES.index(judged.fate) if judged else -1

    def _cell(self, saying: Saying, start: int) -> _Cell:
        """Where attempts of one saying are counted until the next folding."""
        fate = self._fate(saying)
        key = _cause(fate, _verdict(saying.said, self.own))
        causes = self.tally.causes
        if key is not None and key not in causes and len(causes) < MAX_CAUSES:
            block = self._block
            causes[key] = CauseTally(0, block.offset + start, block.number(start), block.line(start))
        at, numbers = (fate, saying.domain), [0] * (_TIMES + len(BOUNDS) + 1)
        here = at if saying.said.router and _is_local(saying.said) else None
        cell = self._cells[saying] = (fate, at if fate in OPEN else None, here, fate in _ARRIVED, numbers)
        return cell

    def _here(self, queue_id: bytes, recipient: bytes, here: Open, saying: Saying) -> None:
        """Exim tried it on this machine."""
        if saying.said.result is Result.SENT:
            self.tally.stays(queue_id, recipient, here)
        elif len(self.tally.unmade) < MAX_COPIES:
            self.tally.unmade.add((queue_id, recipient))

    def _fold(self) -> None:
        """Put what was counted by saying into rows, times and causes."""
        for saying, (fate, _, _, arrived, numbers) in self._cells.items():
            if fate < 0:
                continue
            untimed, tls, *times = numbers
            attempts = untimed + sum(times)
            name, row = self._row(saying.domain)
            row[fate] += attempts
            self.tally.attempts += attempts
            if arrived and saying.said.transport is Transport.SMTP:
                row[SMTP] += attempts
                row[TLS] += tls
            if any(times):
                add_row(self.tally.delays.setdefault(name, [0] * (len(BOUNDS) + 1)), times)
            key = _cause(fate, _verdict(saying.said, self.own))
            if key is not None:
                self._note_cause(key, name, attempts)
        self._cells.clear()
        self._unfolded = 0

    def _span(self, took: float | None, delay: bytes | None, start: int, domain: bytes, queue_id: bytes) -> int:
        """The place of a time among the numbers of a cell; of the slowest the line is noted too."""
        if took is None:
            return 0
        place = bisect_left(BOUNDS, took) + _TIMES
        if delay is not None:
            if len(self._bounds) >= MAX_KNOWN:
                self._bounds.clear()
            self._bounds[delay] = place
        if took > self._slow:
            self._note_slow(took, start, domain, queue_id)
        return place

    def _within(self, instant: datetime | None) -> bool:
        if instant is None:
            return False
        return (self.since is None or instant >= self.since) and (self.until is None or instant < self.until)

    def _row(self, domain: bytes) -> tuple[bytes, list[int]]:
        rows = self.tally.rows
        if len(rows) >= MAX_DOMAINS:
            domain = OTHERS
        return domain, rows.setdefault(domain, [0] * WIDTH)

    def _give_up(self, queue_id: bytes, fate: int) -> None:
        """The queue manager returned the message, or somebody removed it: what was still to be tried will not be."""
        waiting = self.tally.opened.pop(queue_id, {})
        self.tally.given_up.append((queue_id, fate, waiting))
        self.tally.lapse(waiting.values(), fate)

    def _end(self, queue_id: bytes, recipient: bytes, end: Open) -> None:
        """It was refused, or given up; had the connection broken before, it stays unknown whether it arrived."""
        waiting = self.tally.opened.get(queue_id, {})
        if waiting.get(recipient, end)[0] == UNKNOWN:
            self.tally.is_no_outcome(end)
            return
        waiting.pop(recipient, None)
        self.tally.ended.append((queue_id, recipient, end))

    def _since_arrival(
        self, queue_id: bytes, minute: bytes | LogTime, seconds: bytes, zone: bytes, slot: "_Slot"
    ) -> float | None:
        """Seconds since the clock in our own id, where the line's time is known well enough to be held against it."""
        instant = slot.instant
        if not slot.sure or instant is None:
            return None
        made = idclock.seconds_of(queue_id)
        if made is None:
            return None
        if isinstance(minute, bytes):  # the slot's is that of the first line in its minute
            if slot.begins is None:
                slot.begins = (self.clock.at(minute + b":00" + zone)[0] or instant).timestamp()
            at = slot.begins + _after(seconds)
        else:
            at = instant.timestamp()
        took = round(at - made, 6)  # as exact as the id: a double of this size is not
        return None if took < -CLOCK_GRAIN else max(took, 0.0)

    def _note_slow(self, took: float, start: int, domain: bytes, queue_id: bytes) -> None:
        block = self._block
        entry = (took, -(block.offset + start), block.number(start), domain, queue_id, block.line(start))
        slowest = self.tally.slowest
        keep = heapq.heappush if len(slowest) < SLOWEST else heapq.heappushpop
        keep(slowest, entry)
        self._slow = slowest[0][0] if len(slowest) == SLOWEST else LEAST_SLOW
        self._slow_from = _TIMES + bisect_right(BOUNDS, self._slow)

    def _note_cause(self, key: CauseKey, domain: bytes, attempts: int) -> None:
        causes = self.tally.causes
        cause = causes.get(key)
        if cause is None:  # past the limit
            cause = causes.setdefault((key[0], "other", "", False), CauseTally(0, 0, 0, b""))
        cause.attempts += attempts
        domains = cause.domains
        if domain in domains or len(domains) < MAX_CAUSE_DOMAINS:
            domains[domain] = domains.get(domain, 0) + attempts


def _after(seconds: bytes) -> float:
    """``:07`` or ``:07.123456``; of the fraction six digits count."""
    return float(seconds[1:10])


def _is_local(said: Said) -> bool:
    """Whether it was tried on this machine; what nothing tells of succeeded here, or else was not tried at all."""
    return said.transport in _LOCAL or (said.transport is Transport.NONE and said.result is Result.SENT)


def _cause(fate: int, verdict: Judged | None) -> CauseKey | None:
    """Under which cause an attempt is told; ``None`` for one that needs none."""
    return (fate, verdict.reason, verdict.code, verdict.own_code) if verdict and verdict.reason else None
