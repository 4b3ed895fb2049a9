"""When the lines of a file were written."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

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
    _known: dict[bytes, tuple[datetime | None, bool]] = field(default_factory=dict)

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
        return told.instant, told.zone_from not in _ASSUMED
