"""The time at the head of a line, whatever wrote it: enough to see order, holes and windows without reading lines."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from deliverability.evidence.event import LogTime, TimeBasis
from deliverability.protocols.syslog import YEAR, YEAR_UNKNOWN

MAX_HEAD = 64  # octets of a line that can hold its time

_ISO = re.compile(
    rb"(?:<\d{1,3}>)?(?:1 )?(%s-\d\d-\d\d[T ][0-2]\d:[0-5]\d:[0-6]\d)(?:[.,](\d{1,9}))?"
    rb" ?(Z|[+-](?:0\d|1[0-4]):?[0-5]\d)?(?![0-9])" % YEAR
)
_BSD = re.compile(rb"(?:<\d{1,3}>)?((?:%s )?[A-Z][a-z]{2} [ 0-3]?\d [0-2]\d:[0-5]\d:[0-6]\d)(?![0-9])" % YEAR)
DISORDER = timedelta(hours=1)
"""How far a line may stand behind a later one: lines of several programs, a clock that is set, an hour twice."""
WIDEST_OFFSET = timedelta(hours=14)  # UTC+14, Line Islands

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def stamp(head: bytes) -> LogTime | None:
    """The time that a line begins with; ``None`` where there is none."""
    match = _ISO.match(head)
    try:
        return _iso(match) if match else _bsd(head)
    except ValueError:  # a thirteenth month, an hour 25
        return None


def _iso(match: re.Match[bytes]) -> LogTime:
    text, zone = match[1].decode(), match[3]
    if text.endswith(":60"):  # a leap second, which datetime does not know
        text = text[:-2] + "59"
    local = datetime.fromisoformat(text)
    if match[2]:
        local = local.replace(microsecond=int(match[2][:6].ljust(6, b"0")))
    offset: timedelta | None = None
    if zone == b"Z":
        offset = timedelta(0)
    elif zone:
        digits = zone[1:].replace(b":", b"")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * (-1 if zone[:1] == b"-" else 1)
    return _time(match[0].decode(), local, offset, has_year=True)


def _bsd(head: bytes) -> LogTime | None:
    match = _BSD.match(head)
    if not match:
        return None
    words = match[1].decode().split()
    year = int(words.pop(0)) if len(words) == 4 else None
    hour, minute, second = (int(part) for part in words[2].split(":"))
    month = _MONTHS.index(words[0]) + 1
    local = datetime(year or YEAR_UNKNOWN, month, int(words[1]), hour, minute, min(second, 59))  # noqa: DTZ001 - naive
    return _time(match[0].decode(), local, None, has_year=year is not None)


def _time(logged: str, local: datetime, offset: timedelta | None, *, has_year: bool) -> LogTime:
    instant = (local - offset).replace(tzinfo=UTC) if offset is not None and has_year else None
    return LogTime(
        logged=logged.strip(),
        local=local,
        has_year=has_year,
        offset=offset,
        instant=instant,
        year_from=TimeBasis.LOGGED if has_year else None,
        zone_from=TimeBasis.LOGGED if offset is not None else None,
    )


def earliest(at: LogTime) -> datetime:
    """The earliest instant that a time with a year can mean, whatever its zone."""
    return at.instant or at.local.replace(tzinfo=UTC) - WIDEST_OFFSET


def in_order(times: Sequence[datetime]) -> bool:
    """Whether no time stands far behind one before it."""
    return all(later >= earlier - DISORDER for earlier, later in pairwise(times))
