"""Times as exports spell them, for people: in the locale of whoever clicked "export", often without a zone.

``11/12/2026`` is two days.  Nothing here guesses which: unless the text itself decides (a number above twelve, both
halves equal, the year first), the time is told as logged and stays without an instant.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from deliverability.evidence.event import LogTime, TimeBasis

MAX_TIME = 80
"""Characters of a time that are read."""
EARLIEST, LATEST = 1990, 2100
_CLOSE = timedelta(hours=26)  # between an id's clock and the same line's wall clock, whatever the zone

_CLOCK = re.compile(
    r"(?P<before>上午|下午|AM|PM|am|pm)?\s?(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,9}))?)?"
    r"\s?(?P<after>[AaPp]\.?[Mm]\.?|上午|下午)?\s*(?P<zone>\S.*)?\Z",
    re.ASCII,
)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:T|,? +|\Z)", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?:,? +|\Z)", re.ASCII)
_NAMED = re.compile(
    r"(?:[A-Z][a-z]{2,8},? )?(?:(?P<day>\d{1,2})[ -](?P<month>[A-Za-z]{3,9})[ -]|(?P<month2>[A-Za-z]{3,9}) (?P<day2>\d{1,2}),? )"
    r"(?P<year>\d{4})(?:,? +(?:at )?|\Z)",
    re.ASCII,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_OFFSET = re.compile(r"(?:UTC|GMT)?([+\u2212-])(\d{1,2}):?(\d\d)?\Z", re.ASCII)
_UTC_NAMES = frozenset({"Z", "UTC", "GMT", "(UTC)", "+00:00"})


def parse_export_time(text: str, offset: timedelta | None = None) -> LogTime | None:
    """Read a date with a time of day; ``None`` for anything else.

    ``offset`` is the UTC offset that the column is documented to have, used where the text states none.
    """
    shown = text.replace("\u202f", " ").replace("\u00a0", " ").replace("\u200e", "").strip()
    if not shown or len(shown) > MAX_TIME:
        return None
    dates, rest = _dates(shown)
    clock = _CLOCK.match(rest) if rest else None
    times = [t for d in dates if clock and (t := _at(d, clock)) is not None]
    if not times or clock is None:
        return None
    known, stated = _zone(clock["zone"])
    unclear = len(set(times)) > 1 or not known
    told = stated if stated is not None else offset
    if unclear:
        told = None
    return _told(text.strip(), times[0], told, unclear=unclear)


def from_unix(value: str) -> LogTime | None:
    """Seconds since 1970, UTC, whole or with a fraction."""
    whole, _, part = value.strip().partition(".")
    digits = whole.isascii() and whole.isdecimal() and 9 <= len(whole) <= 10
    if not digits or (part and not (part.isascii() and part.isdecimal())):
        return None
    local = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None) + timedelta(seconds=int(whole))
    local += timedelta(microseconds=int(part[:6].ljust(6, "0")))
    return _told(value.strip(), local, timedelta(0)) if EARLIEST <= local.year < LATEST else None


def decided_by(at: LogTime, instants: Iterable[datetime | None]) -> LogTime:
    """``at`` with day and month in the order that another clock of the same line allows, if exactly one does.

    ``instants`` are UTC times of ids in the line; the zone stays as unknown as it was.
    """
    if not at.unclear:
        return at
    dates, rest = _dates(at.logged.replace("\u202f", " ").replace("\u00a0", " ").replace("\u200e", "").strip())
    clock = _CLOCK.match(rest) if rest else None
    if clock is None or not _zone(clock["zone"])[0]:
        return at
    readings = {t for d in dates if (t := _at(d, clock)) is not None}
    clocks = [i.astimezone(UTC).replace(tzinfo=None) for i in instants if i is not None]
    fitting = [t for t in readings if clocks and all(abs(t - c) <= _CLOSE for c in clocks)]
    if len(fitting) != 1:
        return at
    return _told(at.logged, fitting[0], _zone(clock["zone"])[1])


def unknown_time(text: str) -> LogTime:
    """A row that has no time, or one that cannot be read: told as it is written, never resolved."""
    return LogTime(text[:MAX_TIME], datetime(2000, 1, 1), has_year=False, offset=None, unclear=True)  # noqa: DTZ001


def of_something_else(at: LogTime) -> LogTime:
    """The one time of a row that reports a later event as well: shown as logged, but no instant of that event."""
    return replace(at, instant=None, year_from=None, zone_from=None, unclear=True, of_earlier=True)


def _told(text: str, local: datetime, offset: timedelta | None, *, unclear: bool = False) -> LogTime:
    at = LogTime(text, local, has_year=True, offset=offset, unclear=unclear)
    if offset is None or unclear:
        return at
    instant = local.replace(tzinfo=UTC) - offset
    return replace(at, instant=instant, year_from=TimeBasis.LOGGED, zone_from=TimeBasis.LOGGED)


def _dates(text: str) -> tuple[list[tuple[int, int, int]], str]:
    """Every (year, month, day) that the text's beginning can mean, and what follows it."""
    match = _YEAR_FIRST.match(text)
    if match:
        return [(int(match[1]), int(match[3]), int(match[4]))], text[match.end() :]
    match = _YEAR_LAST.match(text)
    if match:
        one, other, year = int(match[1]), int(match[3]), int(match[4])
        return [(year, one, other), (year, other, one)], text[match.end() :]
    match = _NAMED.match(text)
    if match:
        month = (match["month"] or match["month2"])[:3].lower()
        if month in _MONTHS:
            return [(int(match["year"]), _MONTHS.index(month) + 1, int(match["day"] or match["day2"]))], text[
                match.end() :
            ]
    return [], ""


def _at(date: tuple[int, int, int], clock: re.Match[str]) -> datetime | None:
    year, month, day = date
    hour = int(clock["hour"])
    half = (clock["before"] or clock["after"] or "").replace(".", "").lower()
    if half and clock["before"] and clock["after"]:
        return None
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in ("pm", "下午") else 0)
    part = (clock["part"] or "")[:6].ljust(6, "0")
    if not EARLIEST <= year < LATEST:
        return None
    try:
        return datetime(year, month, day, hour, int(clock["minute"]), int(clock["second"] or 0), int(part))  # noqa: DTZ001
    except ValueError:
        return None


def _zone(words: str | None) -> tuple[bool, timedelta | None]:
    """Whether what is written of a zone is understood, and the offset that it states."""
    shown = (words or "").strip()
    if not shown:
        return True, None
    if shown in _UTC_NAMES:
        return True, timedelta(0)
    match = _OFFSET.match(shown)
    if match is None:
        return False, None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    if offset > timedelta(hours=14):
        return False, None
    return True, offset if match[1] == "+" else -offset
