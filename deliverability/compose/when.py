"""Times for people: the reader's zone, always named, and the weekday."""

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from deliverability.errors import UsageError, printable
from deliverability.evidence.event import LogTime, TimeBasis

_WEEKDAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAYS_ZH = "一二三四五六日"
_MONTHS_EN = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_NAMES_ZH = {"Asia/Taipei": "台北時間", "UTC": "世界協調時間 UTC"}
_FIXED = re.compile(r"([+-])([01]\d):([0-5]\d)\Z")
MAX_ZONE_NAME = 64  # characters; the longest name in the IANA database has 32


def zone(name: str) -> tzinfo:
    """The time zone of that IANA name, or the fixed offset ``±HH:MM``; else a UsageError."""
    fixed = _FIXED.match(name)
    if fixed:
        sign = -1 if fixed[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(fixed[2]), minutes=int(fixed[3])))
    if name == "UTC":
        return UTC  # needs no database
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name[:MAX_ZONE_NAME])  # no name of that length exists, so a longer one is not found
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"no time zone {printable(name)!r}; write an IANA name such as Asia/Taipei"
        raise UsageError(msg) from None


def moment(instant: datetime, where: tzinfo, lang: str) -> str:
    """``Sunday 22 November 2026, 13:01 (Asia/Taipei, UTC+8)``, or ``2026年11月22日（日）13:01（台北時間）``."""
    local = instant.astimezone(where)
    name = str(where)
    plain = name == "UTC" or isinstance(where, timezone)
    if lang == "zh-Hant-TW":
        shown = _NAMES_ZH.get(name) or (_offset(local) if plain else f"{name}，{_offset(local)}")
        return f"{day(local.date(), lang)}{local:%H:%M}（{shown}）"
    shown = "UTC" if name == "UTC" else _offset(local) if plain else f"{name}, {_offset(local)}"
    return f"{day(local.date(), lang)}, {local:%H:%M} ({shown})"


def day(when: date, lang: str) -> str:
    """A date with its weekday."""
    if lang == "zh-Hant-TW":
        return f"{when.year}年{when.month}月{when.day}日（{_WEEKDAYS_ZH[when.weekday()]}）"
    return f"{_WEEKDAYS_EN[when.weekday()]} {when.day} {_MONTHS_EN[when.month - 1]} {when.year}"


def short_day(when: date, lang: str) -> str:
    """A date in few characters: ``22 Nov``, ``11/22``."""
    return f"{when.month}/{when.day}" if lang == "zh-Hant-TW" else f"{when.day} {_MONTHS_EN[when.month - 1][:3]}"


def zone_name(where: tzinfo | str, lang: str) -> str:
    """A time zone as a heading names it: ``Asia/Taipei``, or ``台北時間``."""
    name = str(where)
    return _NAMES_ZH[name] if lang == "zh-Hant-TW" and name in _NAMES_ZH and name != "UTC" else name


def exact(instant: datetime, where: tzinfo | None = None) -> str:
    """To the second, for tables: ``2026-11-22 05:01:38 UTC``; with ``where``, its offset."""
    local = instant.astimezone(where or UTC)
    return f"{local:%Y-%m-%d %H:%M:%S} {'UTC' if where is None else _offset(local)}"


def both(instant: datetime, where: tzinfo) -> str:
    """The reader's time first, then UTC, by which two sides compare their logs; once, where they are the same."""
    utc, local = exact(instant), exact(instant, where)
    return utc if not instant.astimezone(where).utcoffset() else f"{local} ({utc})"


def worked_out(time: LogTime) -> tuple[TimeBasis | None, TimeBasis | None]:
    """Whence year and zone were taken, where the log line itself does not say them."""
    year = None if time.year_from in (None, TimeBasis.LOGGED) else time.year_from
    zone_ = None if time.zone_from in (None, TimeBasis.LOGGED) else time.zone_from
    return year, zone_


def _offset(local: datetime) -> str:
    offset = local.utcoffset() or timedelta()
    minutes = round(offset.total_seconds() / 60)
    if not minutes:
        return "UTC"
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return f"UTC{sign}{minutes // 60}" + (f":{minutes % 60:02}" if minutes % 60 else "")
