"""When the lines of a file were written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deliverability.api.times import stamp
from deliverability.correlate import TimeHints
from deliverability.correlate.clock import resolve_one
from deliverability.evidence.event import DeliveryEvent, LogTime, TimeBasis

MAX_MINUTES = 16_384  # times that are remembered
_ASSUMED = (TimeBasis.ASSUMED, TimeBasis.FILE_DATE)


@dataclass(slots=True)
class Clock:
    """Instants of a file's log times; zone and year as ``correlate`` tells them."""

    path: str
    hints: TimeHints
    like: Callable[[], tuple[DeliveryEvent, ...]] = tuple
    """Gives resolved events of the same place: asked once, if a line does not state its instant itself."""
    _like: tuple[DeliveryEvent, ...] | None = None
    _zone: timedelta | None = None
    _turning: bool = False
    _known: dict[bytes, tuple[datetime | None, bool]] = field(default_factory=dict)

    def turn(self, arrivals: Sequence[DeliveryEvent]) -> bool:
        """Take over the zone that arrivals at both ends of some lines show by their own ids, resolved each by itself.

        Whether times mean something else than before: summer time began or ended.  Where the ends disagree, it did so
        between them, and how long something took is not known there.
        """
        zones = [e.at.local - e.at.instant.replace(tzinfo=None) for e in arrivals if e.at.instant]
        turning = len(set(zones)) > 1
        turned = len(zones) > 1 and not turning and zones[0] != self._zone
        if not turned and turning == self._turning:
            return False
        self._turning = turning
        if turned:
            self._zone, self._like = zones[0], tuple(arrivals)
        self._known.clear()
        return True

    def at(self, logged: bytes | LogTime) -> tuple[datetime | None, bool]:
        """The instant, and whether its zone rests on more than a guess."""
        if isinstance(logged, LogTime):
            return self._resolve(logged)
        known = self._known.get(logged)
        if known is None:
            at = stamp(logged)
            if len(self._known) >= MAX_MINUTES:
                self._known.clear()
            known = self._known[logged] = self._resolve(at) if at else (None, False)
        return known

    def _resolve(self, at: LogTime) -> tuple[datetime | None, bool]:
        if at.instant is None and self._like is None:
            self._like = self.like()
        told = resolve_one(at, self.path, self.hints, self._like or ())
        return told.instant, told.zone_from not in _ASSUMED and not self._turning
