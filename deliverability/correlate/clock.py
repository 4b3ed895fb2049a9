"""What instant a log line means: year and zone from the ids in the lines themselves (DESIGN §4.10).

Ids of Postfix (long) and Exim carry the UTC second in which the message arrived.  Where the line that gives a
message its id states wall-clock time only, the difference of the two is the zone, and the id's year is the
line's year.  Receivers' replies carry clocks too; they are a stranger's word and serve only where our own ids
have none.  Agreement proves nothing; a contradiction is shown.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise

from deliverability.evidence.event import Action, DeliveryEvent, LogTime, Result, TimeBasis
from deliverability.protocols import idclock

_LEAP_YEARS = 9  # 29 February comes back within eight years
QUARTER = timedelta(minutes=15)  # every civil UTC offset in use is a multiple of it
WIDEST_OFFSET = timedelta(hours=14)  # UTC+14, Line Islands; the other side ends at -12
SLACK = timedelta(minutes=3)  # between an id's clock and the log line that introduces it
BEFORE_ID = timedelta(minutes=5)  # a line this much older than its own id is contradicted by it
MIN_REPLIES = 2  # receivers whose clocks must agree before they say anything
_REORDERED = timedelta(days=1)  # lines of one file stand in order, but for this much


@dataclass(frozen=True, slots=True)
class Years:
    """What the order of a file's lines tells of years that none of them states."""

    last: datetime
    """When its last line was logged; of its year nothing is known."""
    turns: tuple[tuple[int, int], ...] = ()
    """From which offset on how many years have passed since the first line."""

    def before_last(self, offset: int) -> int:
        """How many years before the last line's a line was logged that starts there."""
        at = bisect_right(self.turns, offset, key=lambda turn: turn[0])
        return (self.turns[-1][1] if self.turns else 0) - (self.turns[at - 1][1] if at else 0)


@dataclass(frozen=True, slots=True)
class TimeHints:
    """What the surroundings say about a log's times."""

    modified: Mapping[str, datetime]
    """Date of each file, UTC, by path."""
    zone: tzinfo | None = None
    """The user's ``--tz``."""
    now: datetime | None = None
    """The clock, for a file without a date."""
    years: Mapping[str, Years] = field(default_factory=dict)
    """By path, what the order of the lines tells."""


@dataclass(frozen=True, slots=True)
class _Sample:
    offset_in_file: int
    instant: datetime
    zone: timedelta
    basis: TimeBasis
    told_by: str = ""
    """The host whose clock it is, for receivers' replies."""


@dataclass(frozen=True, slots=True)
class Known:
    """What events beside those in question tell of their files' times: read once, for many questions."""

    samples: Mapping[tuple[str, str], Sequence[_Sample]]
    """What our own ids show, by file."""
    replies: Mapping[tuple[str, str], Sequence[_Sample]]
    """What receivers' replies show in files whose own ids show nothing."""
    files: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, events: Sequence[DeliveryEvent]) -> "Known":
        """What some events tell."""
        samples: dict[tuple[str, str], list[_Sample]] = {}
        others: dict[tuple[str, str], list[DeliveryEvent]] = {}
        for event in events:
            sample = _own_sample(event)
            if sample:
                samples.setdefault(_file(event), []).append(sample)
            others.setdefault(_file(event), []).append(event)
        replies = {file: _reply_samples(found) for file, found in others.items() if file not in samples}
        return cls(samples, replies, frozenset(others))


_NOTHING = Known({}, {}, frozenset())


def resolve_times(events: Sequence[DeliveryEvent], hints: TimeHints) -> list[DeliveryEvent]:
    """Give every event its instant, and say how it was known; order is kept."""
    return resolve_beside(events, hints, _NOTHING)


def resolve_beside(events: Sequence[DeliveryEvent], hints: TimeHints, beside: Known) -> list[DeliveryEvent]:
    """As :func:`resolve_times` of the events that made ``beside`` and of these, for these alone."""
    if all(event.at.instant for event in events):  # nothing is to be learned from other lines
        return [_at_instant(e, _checked(e, e.at)) for e in events]
    by_file: dict[tuple[str, str], list[_Sample]] = {file: list(found) for file, found in beside.samples.items()}
    for event in events:
        sample = _own_sample(event)
        if sample:
            by_file.setdefault(_file(event), []).append(sample)
    without = (beside.files | {_file(e) for e in events}) - by_file.keys()
    for file in sorted(without):
        replies = [*beside.replies.get(file, ()), *_reply_samples(e for e in events if _file(e) == file)]
        if _may_be_believed(replies):
            by_file[file] = replies
    by_log: dict[str, list[_Sample]] = {}
    for (log, _), samples in by_file.items():
        samples.sort(key=lambda s: s.offset_in_file)
        by_log.setdefault(log, samples)  # a file without ids of its own speaks as its siblings do
    known = {_file(e): by_file.get(_file(e)) or by_log.get(e.line.place.log, []) for e in events}
    return [_at_instant(e, _checked(e, _resolve(e, known[_file(e)], hints))) for e in events]


@dataclass(frozen=True, slots=True)
class OneZone:
    """The zone of a file whose own ids all show the same one: its lines' times need no look at each other."""

    zone: timedelta
    basis: TimeBasis

    @classmethod
    def of(cls, known: Known, file: tuple[str, str]) -> "OneZone | None":
        """What the samples of a file agree on; ``None``: they do not, or there is none."""
        found = {(sample.zone, sample.basis) for sample in known.samples.get(file, ())}
        return cls(*found.pop()) if len(found) == 1 else None

    def instant(self, local: datetime, queue_id: str, writer: str, *, arrived: bool) -> datetime | None:
        """When a line was written that states no zone; ``None`` where the id that it introduces shows another."""
        clock = _clock(queue_id, writer) if arrived else None
        if clock and _shift(local, clock) not in (None, self.zone):
            return None
        return local.replace(tzinfo=UTC) - self.zone

    def resolve(self, event: DeliveryEvent) -> DeliveryEvent | None:
        """As :func:`resolve_beside` would, of an event that introduces no id; ``None`` where other lines count."""
        at = event.at
        if at.instant or at.unclear or at.offset is not None or not at.has_year or event.action is Action.ARRIVED:
            return None
        return _at_instant(event, _checked(event, _at(at, at.local.replace(tzinfo=UTC), self.zone, self.basis)))


def _at_instant(event: DeliveryEvent, at: LogTime) -> DeliveryEvent:
    return event if at is event.at else replace(event, at=at)


def resolve_one(at: LogTime, path: str, hints: TimeHints, like: Iterable[DeliveryEvent] = ()) -> LogTime:
    """The instant of a time with no message of its own, such as a file's first line; ``like`` are resolved events of it."""
    if at.instant or at.unclear:
        return at
    known = next((e.at for e in like if e.at.instant and e.at.zone_from is not TimeBasis.ASSUMED), None)
    if known and known.instant:
        zone = _shift(known.local, known.instant)
        if zone is not None:
            return _at(at, known.instant, zone, known.zone_from or TimeBasis.QUEUE_ID)
    return _from_hints(at, path, hints)


def _file(event: DeliveryEvent) -> tuple[str, str]:
    return (event.line.place.log, event.line.place.file)


def _own_sample(event: DeliveryEvent) -> _Sample | None:
    """The zone that a line states by introducing an id of our own MTA."""
    if event.action is not Action.ARRIVED or event.at.offset is not None or not event.queue_id:
        return None
    clock = _id_clock(event)
    return _sample(event, clock, TimeBasis.QUEUE_ID) if clock else None


def _id_clock(event: DeliveryEvent) -> datetime | None:
    """When our MTA made the id of the line, UTC, for ids that tell."""
    if not event.queue_id:
        return None
    return _clock(event.queue_id, event.writer)


_clock = lru_cache(maxsize=1024)(idclock.own)  # the lines of one id come together


def _reply_samples(events: Iterable[DeliveryEvent]) -> list[_Sample]:
    """What receivers' clocks say, each for itself."""
    samples = []
    for event in events:
        if event.reply and _has_reply_clock(event):
            clock = idclock.reply_clock(event.reply.text)
            sample = _sample(event, clock, TimeBasis.REPLY) if clock else None
            if sample:
                told_by = (event.relay.ip or event.relay.name or "") if event.relay else ""
                samples.append(replace(sample, told_by=told_by))
    return samples


def _may_be_believed(replies: list[_Sample]) -> bool:
    """Whether the clocks of several receivers agree on the zone, and none goes back in time."""
    if len({s.told_by for s in replies}) < MIN_REPLIES or len({s.zone for s in replies}) != 1:
        return False
    replies.sort(key=lambda s: s.offset_in_file)
    return all(later.instant > earlier.instant - _REORDERED for earlier, later in pairwise(replies))


def _has_reply_clock(event: DeliveryEvent) -> bool:
    return event.result is Result.SENT and event.reply is not None and event.at.offset is None


def _sample(event: DeliveryEvent, clock: datetime, basis: TimeBasis) -> _Sample | None:
    local = _nearest_year(event.at, clock)
    zone = _shift(local, clock)
    if zone is None:
        return None
    return _Sample(event.line.place.offset, local.replace(tzinfo=UTC) - zone, zone, basis)


def _nearest_year(at: LogTime, near: datetime) -> datetime:
    """``at`` as a naive wall-clock time, in the year that brings it nearest to ``near``."""
    if at.has_year:
        return at.local
    candidates = [c for y in (near.year - 1, near.year, near.year + 1) if (c := _in_year(at.local, y))]
    wanted = near.replace(tzinfo=None)
    return min(candidates, key=lambda c: abs(c - wanted), default=at.local)


def _in_year(local: datetime, year: int) -> datetime | None:
    try:
        return local.replace(year=year)
    except ValueError:  # 29 February
        return None


def _shift(local: datetime, instant: datetime) -> timedelta | None:
    """The UTC offset, a multiple of a quarter hour, that makes ``local`` the wall-clock time of ``instant``."""
    difference = local - instant.astimezone(UTC).replace(tzinfo=None)
    zone = round(difference / QUARTER) * QUARTER
    if abs(zone) > WIDEST_OFFSET or abs(difference - zone) > SLACK:
        return None
    return zone


def _resolve(event: DeliveryEvent, samples: list[_Sample], hints: TimeHints) -> LogTime:
    at = event.at
    if at.instant or at.unclear:
        return at
    clock = _id_clock(event)
    if at.offset is not None or not samples:
        return _from_hints(at, event.line.place.file, hints, clock, event.line.place.offset)
    after = bisect_right(samples, event.line.place.offset, key=lambda s: s.offset_in_file)
    before, next_one = samples[max(after - 1, 0)], samples[min(after, len(samples) - 1)]
    told = _at(at, clock or before.instant, before.zone, before.basis)
    between = told.instant and before.instant - SLACK <= told.instant <= next_one.instant + SLACK
    if before.zone != next_one.zone and not between:
        # Summer time began or ended between the two arrivals: a time outside of them is in the second one's zone.
        return _at(at, clock or next_one.instant, next_one.zone, next_one.basis)
    return told


def _at(at: LogTime, near: datetime, zone: timedelta, basis: TimeBasis) -> LogTime:
    local = _nearest_year(at, near + zone)
    year_from = TimeBasis.LOGGED if at.has_year else basis
    return replace(at, instant=local.replace(tzinfo=UTC) - zone, local=local, year_from=year_from, zone_from=basis)


def _from_hints(
    at: LogTime, path: str, hints: TimeHints, clock: datetime | None = None, offset: int | None = None
) -> LogTime:
    """Year and zone from the file's date and the user, and the year from the line's own id where that tells."""
    local, year_from = at.local, TimeBasis.LOGGED
    if not at.has_year and clock:
        local, year_from = _nearest_year(at, clock), TimeBasis.QUEUE_ID
    elif not at.has_year:
        dated = hints.modified.get(path)
        if dated is None or (hints.now is not None and dated > hints.now + _REORDERED):  # a file's date may be set
            dated = hints.now
        year_from = TimeBasis.FILE_DATE if dated is not None and dated is not hints.now else TimeBasis.ASSUMED
        # A line cannot be younger than its file; a day of grace for zones.
        latest = (dated or datetime(2000, 12, 31, tzinfo=UTC)).replace(tzinfo=None) + timedelta(days=1)
        local = _ordered(local, latest, hints.years.get(path), offset) or _newest(local, latest) or local
    if at.offset is not None:
        instant = local.replace(tzinfo=UTC) - at.offset
        return replace(at, instant=instant, local=local, year_from=year_from, zone_from=TimeBasis.LOGGED)
    zone, zone_from = (hints.zone, TimeBasis.OPTION) if hints.zone else (UTC, TimeBasis.ASSUMED)
    instant = local.replace(tzinfo=zone).astimezone(UTC)
    return replace(at, instant=instant, local=local, year_from=year_from, zone_from=zone_from)


def _newest(local: datetime, latest: datetime) -> datetime | None:
    """A wall-clock time in the last year in which it is not after ``latest``."""
    years = (_in_year(local, latest.year - back) for back in range(_LEAP_YEARS))
    return next((c for c in years if c and c <= latest), None)


def _ordered(local: datetime, latest: datetime, years: Years | None, offset: int | None) -> datetime | None:
    """The same, by the file's last line: a copy may be dated long after that, and no line is of a later year."""
    last = _newest(years.last, latest) if years and offset is not None else None
    return _in_year(local, last.year - years.before_last(offset)) if last and years and offset is not None else None


def _checked(event: DeliveryEvent, at: LogTime) -> LogTime:
    """Mark a line that claims to be older than the id it speaks of; a zone that was assumed accuses nobody."""
    clock = _id_clock(event)
    if at.zone_from in (TimeBasis.ASSUMED, TimeBasis.OPTION):
        # Whatever the true zone is, it lies within these hours of the one that was taken.
        clock = clock - 2 * WIDEST_OFFSET if clock else None
    if clock and at.instant and at.instant < clock - BEFORE_ID:
        return replace(at, contradicted=event.queue_id)
    return at


def parse_zone(text: str) -> tzinfo:
    """``Asia/Taipei``, ``UTC``, ``+08:00`` or ``+0800``; raises :class:`ValueError`."""
    sign, digits = text[:1], text[1:].replace(":", "")
    if sign in ("+", "-") and digits.isdecimal() and len(digits) == 4 and int(digits[2:]) < 60:
        from datetime import timezone

        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return timezone(-offset if sign == "-" else offset)
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as problem:
        raise ValueError(f"no time zone {text!r}") from problem
