"""The rows of a cohort told, each from the lines of its own messages alone.

Told in brief, and made into what is shown, thousands take two processors: about half of them are a child's.
"""

import gc
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from deliverability.api.cohort_look import Look, Where
from deliverability.api.whole_logs import WholeLogs
from deliverability.capture import aside
from deliverability.correlate import Query, tell
from deliverability.correlate.clock import Known, OneZone, resolve_beside
from deliverability.correlate.plain import Brief, Fact, facts_of, tell_plainly
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.log_format import Glance, LogFormat
from deliverability.evidence.story import Delivery, Message

WORTHWHILE = 200  # rows that are worth a child process
AT_ONCE = 250  # rows that are made into something, and handed over, together
SHARE = 0.51  # of what is to be told in this process, which writes all of it besides


@dataclass(frozen=True, slots=True)
class BriefRow:
    """What the logs say about one notice, in brief."""

    briefs: tuple[Brief, ...]
    messages: int
    too_many: bool = False
    """More lines spoke of it than are kept: what is told may lack some."""
    unheard: bool = False
    """A line tells of it in a form that cannot be read."""


Make = Callable[[int, Sequence[BriefRow]], Sequence[Any] | None]
"""Makes something of each of some rows, the first of which has this number, knowing nothing else; ``None``: it cannot."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows in order, or what was made of them."""

    start: int
    """Number of the first."""
    rows: Sequence[BriefRow]
    """None, where something was made of them."""
    made: Sequence[Any] | None
    """Picklable; ``None``: it could not be made of the rows alone."""

    def __len__(self) -> int:
        return len(self.rows if self.made is None else self.made)


@contextmanager
def uncollected() -> Iterator[None]:
    """Not looking for cycles: a look only gathers lines that are kept, and going through them takes long."""
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wanted:
            gc.enable()


@dataclass(slots=True)
class Telling:
    """Tells rows of one look."""

    start: int
    """Number of the first row."""
    look: Look
    queries: Sequence[Query]
    logs: WholeLogs
    own: Own
    _known: Known | None = None
    _zones: dict[int, OneZone | None] = field(default_factory=dict)
    _latest: tuple[tuple[Where, ...], list[DeliveryEvent]] = field(default=((), []))

    def told(self, row: int, query: Query) -> tuple[Message, ...]:
        """The messages of one row."""
        events = self._events(self.look.reached(row))
        return tell(events, query, self.own) if events else ()

    def batches(self, make: Make) -> Iterator[Batch]:
        """What is made of all rows, in order."""
        count = len(self.queries)
        middle = self._middle() if count >= WORTHWHILE and aside.possible() else count
        self._samples()
        beside = aside.Stream(lambda: self._rest(middle, make)) if middle < count else None
        done = 0
        try:
            for batch in self._batches(0, middle, make):
                yield batch
                done += len(batch)
            for batch in beside or ():
                yield batch
                done += len(batch)
        finally:
            if beside:
                beside.close()
        yield from self._batches(done, count, make)

    def _rest(self, middle: int, make: Make) -> Iterator[Batch]:
        with uncollected():
            yield from self._batches(middle, len(self.queries), make)

    def _batches(self, begin: int, stop: int, make: Make) -> Iterator[Batch]:
        for at in range(begin, stop, AT_ONCE):
            rows = [self._brief(row) for row in range(at, min(at + AT_ONCE, stop))]
            made = make(self.start + at, rows)
            yield Batch(self.start + at, rows if made is None else (), made)

    def _middle(self) -> int:
        """The row before which this process' share of the lines is."""
        ahead = list(accumulate(len(self.look.reached(row)) for row in range(len(self.queries))))
        return bisect_left(ahead, ahead[-1] * SHARE)

    def _brief(self, row: int) -> BriefRow:
        query, places = self.queries[row], self.look.reached(row)
        plain = self._plain(places, query) if places else ()
        if plain is not None:
            return BriefRow(plain, len(plain), self.look.too_many, row in self.look.unheard)
        messages = tell(self._events(places), query, self.own)
        briefs = tuple(_brief_of(message, delivery) for message in messages for delivery in message.deliveries)
        return BriefRow(briefs, len(messages), self.look.too_many, row in self.look.unheard)

    def _plain(self, places: tuple[Where, ...], query: Query) -> tuple[Brief, ...] | None:
        """The plain stories that the lines tell; ``None`` where they have to be told at length."""
        number = places[0][0]
        formats, facts = self.look.scans[number].formats, None
        if number == places[-1][0] and len(formats) == 1 and formats[0].glance and not self.logs.kept:
            facts = self._glanced(number, places, formats[0], formats[0].glance())
        facts = facts or facts_of(self._events(places))
        return tell_plainly(facts, query) if facts else None

    def _glanced(
        self, number: int, places: tuple[Where, ...], fmt: LogFormat, glance: Callable[[bytes], Glance | None]
    ) -> list[Fact] | None:
        """What the lines of one file say; only those of which a glance does not tell are parsed."""
        facts: list[Fact] = []
        zone = self._zone(number)
        for found in self.look.found(number, places):
            offset, _, raw, cut = found
            seen = None if cut else glance(raw)
            if seen:
                instant = seen.instant
                if instant is None and zone:
                    arrived = seen.action is Action.ARRIVED
                    instant = zone.instant(seen.local, seen.queue_id, fmt.id, arrived=arrived)
                if instant is None:
                    return None  # what other lines say of the time may count
                facts.append(Fact(offset, seen.action, seen.queue_id, seen.host, seen.message_id, instant))
                continue
            told = facts_of(self._resolved(list(fmt.parse(self.look.lines(number, (found,)))), zone))
            if told is None:
                return None
            facts += told
        return facts

    def _resolved(self, events: list[DeliveryEvent], zone: OneZone | None) -> Sequence[DeliveryEvent]:
        """The events of one line with their instants; without, where what other lines say of the time may count."""
        if all(event.at.instant for event in events):
            return resolve_beside(events, self.logs.hints, self._samples())
        told = [event for one in events if zone and (event := zone.resolve(one))]
        return told if len(told) == len(events) else events

    def _zone(self, number: int) -> OneZone | None:
        """The zone that the ids in one file agree on."""
        if number not in self._zones:
            file = self.look.scans[number].file
            self._zones[number] = OneZone.of(self._samples(), (file.log, file.path))
        return self._zones[number]

    def _samples(self) -> Known:
        """What the ends of the files tell of their times."""
        if self._known is None:
            self._known = Known.of([event for scan in self.look.scans for event in (*scan.first, *scan.last)])
        return self._known

    def _events(self, places: tuple[Where, ...]) -> list[DeliveryEvent]:
        """The events of some lines, each file's in order, with their instants; rows of one message ask in turn."""
        if places == self._latest[0]:
            return self._latest[1]
        events: list[DeliveryEvent] = []
        for number, scan in enumerate(self.look.scans):
            found = self.look.found(number, places)
            lines = [self.logs.moved(line) for line in self.look.lines(number, found)]
            if lines:
                for fmt in scan.formats:
                    events += fmt.parse(lines)
        told = resolve_beside(events, self.logs.hints, self._samples())
        self._latest = places, told
        return told


def _brief_of(message: Message, delivery: Delivery) -> Brief:
    arrived = message.arrived.instant if message.arrived else None
    return Brief(message.message_id, message.queue_ids, arrived, _slim(delivery))


def _slim(delivery: Delivery) -> Delivery:
    decisive = replace(delivery.decisive, lines=()) if delivery.decisive else None
    parts = tuple(_slim(part) for part in delivery.parts)
    return replace(delivery, attempts=(), notices=(), decisive=decisive, parts=parts)
