"""The head of a syslog line in a file: who wrote it, when, and what is left for the writer's own words.

Forms: RFC 3164 §4.1 ("Nov 22 05:31:12 host tag[pid]: …"), the same with the year in front, the same with an
RFC 3339 time (rsyslog, ``journalctl -o short-iso``), the weekday, date, time and zone of ``journalctl -o short-full``
(``with-unit`` begins alike, but names the unit in place of the tag, and seconds since 1970 of ``-o short-unix`` are
read too), and RFC 5424 §6 as text, also as rsyslog's ``RSYSLOG_SyslogProtocol23Format`` writes it, which keeps of the
tag ``postfix/smtp`` only ``postfix``.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from deliverability.evidence.event import LogTime, TimeBasis

YEAR_UNKNOWN = 2000
"""Stands in :attr:`LogTime.local` for a year that the line does not state: a leap year, so that 29 February fits."""

_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")

_TIME = rb"[0-2]\d:[0-5]\d:[0-6]\d(?:[.,]\d{1,9})?"
YEAR = rb"(?!0001|9999)\d{4}"
"""Regular expression (bytes): not the first nor the last of all years, which in other zones begin or end beyond the calendar."""
_BSD = rb"(?:%s )?(?:%s) [ 0-3]?\d %s" % (YEAR, b"|".join(_MONTHS), _TIME)
_ISO = rb"%s-\d\d-\d\dT%s(?:Z|[+-](?:0\d|1[0-4]):?[0-5]\d)?" % (YEAR, _TIME)
_FULL = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) %s-\d\d-\d\d %s (?:[A-Z][A-Za-z]{1,5}|[+-]\d\d(?:\d\d)?)" % (YEAR, _TIME)
_UNIX = rb"\d{9,11}\.\d{6}"
_PRI = rb"(?:<\d{1,3}>)?(?:1 )?"
_FACILITY = rb"(?:<[a-z0-9]{1,12}\.[a-z0-9]{1,12}> )?"  # FreeBSD syslogd -v
_LEVEL = (  # after the host: BusyBox syslogd; before it: templates of syslog-ng and rsyslog
    rb"(?:kern|user|mail|daemon|auth|syslog|authpriv|local[0-7])"
    rb"\.(?:emerg|alert|crit|err|error|warn|warning|notice|info|debug) "
)
_HOST = rb"[!-~]{0,254}[!-9;-~]"  # no colon at its end: that would be a tag where the host was left out
_TAG = rb"[!-9;-Z\\^-~]{1,128}"  # printable, without ":", "[" and "]"
_SD = rb'(?:-|(?:\[(?:[^"\]]|"(?:[^"\\]|\\.)*+")*+\])++)'  # RFC 5424 §6.3

_ANY_TIME = b"%s|%s|%s|%s" % (_BSD, _ISO, _FULL, _UNIX)

HEAD = rb"^%s(?:%s) %s(?:%s (?:%s)?|%s%s )??" % (_PRI, _ANY_TIME, _FACILITY, _HOST, _LEVEL, _LEVEL, _HOST)
"""Regular expression (bytes, for ``re.M``) for time and host of every supported line; the tag comes next."""

_SOLARIS_ID = re.compile(rb"\[ID \d{1,10} [a-z0-9]{1,12}\.[a-z0-9]{1,12}\] ")
_RFC3339_LENGTHS = frozenset((20, 25, 27, 32))  # seconds or microseconds, "Z" or an offset with a colon
_UTF8_BOM = b"\xef\xbb\xbf"  # RFC 5424 §6.4


@cache
def _line() -> re.Pattern[bytes]:
    """A whole line; compiled for the first log that syslog wrote, for it takes long."""
    return re.compile(
        rb"%(pri)s(?P<time>%(time)s) %(facility)s(?:"
        rb"(?:(?P<host>%(host)s) (?:%(level)s)?|%(level)s(?P<host_behind>%(host)s) )?(?P<tag>%(tag)s)(?:\[(?P<pid>[!-Z\\^-~]{1,64})\])?:(?: |\Z)"
        rb"|(?P<host5424>%(host)s) (?P<app>[!-~]{1,128}) (?P<procid>[!-~]{1,128}) [!-~]{1,32} %(sd)s(?: |\Z)"
        rb"|(?:(?P<host_only>%(host)s) )?(?=last message repeated \d{1,9} times?\b)"
        rb")"
        % {
            b"pri": _PRI,
            b"time": _ANY_TIME,
            b"facility": _FACILITY,
            b"host": _HOST,
            b"tag": _TAG,
            b"sd": _SD,
            b"level": _LEVEL,
        }
    )


@dataclass(frozen=True, slots=True)
class Prologue:
    """What syslog put before the writer's words, and those words."""

    at: LogTime
    host: str | None
    tag: str
    """As logged: ``postfix/smtp``, ``postfix-out/smtp``, ``exim``; empty for "last message repeated"."""
    pid: str | None
    rest: bytes
    """Everything after the head: the writer's own words."""


def head_for(tags: bytes) -> bytes:
    """:data:`HEAD` with a tag that ``tags``, a regular expression (bytes), matches as a whole."""
    return HEAD + rb"(?:%s)(?=(?:\[[!-Z\\^-~]{1,64}\])?:(?:\s|\Z)| [!-~]{1,128} [!-~]{1,32} [-\[])" % tags


def parse_prologue(raw: bytes) -> Prologue | None:
    """Read the head of a line; ``None`` when it is of no supported form.  Never raises; linear time."""
    match = _line().match(raw)
    if not match:
        return None
    at = _log_time(match["time"])
    if at is None:
        return None
    rest = raw[match.end() :].lstrip(b" ")
    if match["app"] is not None:
        host, tag = match["host5424"], match["app"]
        pid = None if match["procid"] == b"-" else match["procid"]
        rest = rest.removeprefix(_UTF8_BOM)
    else:
        host, tag, pid = match["host"] or match["host_behind"] or match["host_only"], match["tag"] or b"", match["pid"]
        solaris = _SOLARIS_ID.match(rest)
        rest = rest[solaris.end() :] if solaris else rest
    return Prologue(
        at=at,
        host=host.decode("ascii") if host and host != b"-" else None,
        tag=tag.decode("ascii"),
        pid=pid.decode("ascii") if pid else None,
        rest=rest,
    )


def resolve(
    at: LogTime,
    *,
    year: int | None,
    year_from: TimeBasis | None,
    offset: timedelta | None,
    zone_from: TimeBasis | None,
) -> LogTime:
    """Make an instant of a log time with what was learned elsewhere; what the line states itself always wins.

    ``offset`` is local time minus UTC.  When year or offset stays unknown, or the day does not exist in that
    year (29 February), the time comes back as it was.
    """
    if at.has_year:
        year, year_from = at.local.year, TimeBasis.LOGGED
    if at.offset is not None:
        offset, zone_from = at.offset, TimeBasis.LOGGED
    if year is None or offset is None:
        return at
    instant = _instant(at.local, year, offset)
    if instant is None:
        return at
    return replace(at, instant=instant, year_from=year_from, zone_from=zone_from)


def _instant(local: datetime, year: int, offset: timedelta) -> datetime | None:
    try:
        return (local.replace(year=year) - offset).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _log_time(raw: bytes) -> LogTime | None:
    text = raw.decode("ascii")
    if raw[4:5] == b"-" and (aware := _rfc3339(text)):
        return LogTime(
            logged=text,
            local=aware.replace(tzinfo=None),
            has_year=True,
            offset=aware.utcoffset(),
            instant=aware.astimezone(UTC),
            year_from=TimeBasis.LOGGED,
            zone_from=TimeBasis.LOGGED,
        )
    if raw[:9].isdigit():
        return _from_unix(text)
    offset: timedelta | None = None
    if raw[4:5] == b"-" or raw[8:9] == b"-":
        date, clock, offset = _date_and_zone(text)
        year, month, day = (int(part) for part in date.split("-"))
        has_year = True
    else:
        words = text.split()
        has_year = len(words) == 4
        year = int(words.pop(0)) if has_year else YEAR_UNKNOWN
        month, day, clock = _MONTHS.index(words[0].encode()) + 1, int(words[1]), words[2]
    local = _local(year, month, day, clock)
    if local is None:
        return None
    return _stated(text, local, offset) if has_year else LogTime(logged=text, local=local, has_year=False, offset=None)


def _rfc3339(text: str) -> datetime | None:
    """A time with microseconds at most and a zone, as most logs have it; all others are taken apart by hand."""
    try:
        at = datetime.fromisoformat(text) if len(text) in _RFC3339_LENGTHS else None
    except ValueError:  # a leap second, or a day that is none
        return None
    return at if at and at.tzinfo else None


def _stated(text: str, local: datetime, offset: timedelta | None) -> LogTime:
    """A time whose line states the year."""
    return LogTime(
        logged=text,
        local=local,
        has_year=True,
        offset=offset,
        instant=None if offset is None else _instant(local, local.year, offset),
        year_from=TimeBasis.LOGGED,
        zone_from=None if offset is None else TimeBasis.LOGGED,
    )


def _from_unix(text: str) -> LogTime:
    second, _, micro = text.partition(".")
    local = datetime(1970, 1, 1) + timedelta(seconds=int(second), microseconds=int(micro))  # noqa: DTZ001 - naive on purpose
    return _stated(text, local, timedelta(0))


def _date_and_zone(text: str) -> tuple[str, str, timedelta | None]:
    """Date, clock and offset.  Of a zone's letters only UTC is sure: CST is three zones."""
    if "T" in text[4:14] and text[4] == "-":
        date, _, clock = text.partition("T")
        return (date, *_split_offset(clock))
    _, date, clock, zone = text.split(" ")
    if zone in ("UTC", "GMT"):
        return date, clock, timedelta(0)
    if zone[1:].isdigit():
        return (date, *_split_offset(clock + zone.ljust(5, "0")))
    return date, clock, None


def _split_offset(clock: str) -> tuple[str, timedelta | None]:
    if clock.endswith("Z"):
        return clock[:-1], timedelta(0)
    for sign in "+-":
        time, found, zone = clock.partition(sign)
        if found:
            digits = zone.replace(":", "")
            offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
            return time, -offset if sign == "-" else offset
    return clock, None


def _local(year: int, month: int, day: int, clock: str) -> datetime | None:
    hms, _, fraction = clock.replace(",", ".").partition(".")
    hour, minute, second = (int(part) for part in hms.split(":"))
    micro = int(fraction[:6].ljust(6, "0")) if fraction else 0
    try:
        # datetime knows no leap second: 23:59:60 is told as 23:59:59.
        return datetime(year, month, day, hour, minute, min(second, 59), micro)  # noqa: DTZ001 - naive on purpose
    except ValueError:
        return None
