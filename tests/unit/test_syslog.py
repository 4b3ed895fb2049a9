"""Heads of syslog lines: every form that files have, and instants made of their times."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deliverability.evidence.event import LogTime, TimeBasis
from deliverability.protocols.syslog import HEAD, head_for, parse_prologue, resolve

LOGS = Path(__file__).parents[1] / "cases" / "logs"
NOVEMBER = datetime(2000, 11, 22, 5, 31, 12, tzinfo=UTC).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("raw", "host", "tag", "pid", "rest"),
    [
        (b"Nov 22 05:31:12 out1 postfix/smtp[624]: words", "out1", "postfix/smtp", "624", b"words"),
        (b"Nov 22 05:31:12 out1 postfix-out/relay/smtp[624]: w", "out1", "postfix-out/relay/smtp", "624", b"w"),
        (b"Nov 22 05:31:12 out1 exim[142]: 2026-11-22 05:31:12 x", "out1", "exim", "142", b"2026-11-22 05:31:12 x"),
        (b"Nov 22 05:31:12 out1 rsyslogd: [origin x] start", "out1", "rsyslogd", None, b"[origin x] start"),
        (b"Nov 22 05:31:12 2001:db8::1 tag[1]: a: b", "2001:db8::1", "tag", "1", b"a: b"),
        (b"<22>Nov 22 05:31:12 out1 tag[1]: w", "out1", "tag", "1", b"w"),
        (b"Nov 22 05:31:12 <mail.info> out1 tag[1]: w", "out1", "tag", "1", b"w"),
        (b"Nov 22 05:31:12 out1 tag[1]: [ID 197553 mail.info] w", "out1", "tag", "1", b"w"),
        (
            b"Nov 22 05:31:12 postfix/smtp[624]: connect to x: refused",
            None,
            "postfix/smtp",
            "624",
            b"connect to x: refused",
        ),
        (b"Nov 22 05:31:12 out1 last message repeated 3 times", "out1", "", None, b"last message repeated 3 times"),
        (b"Nov 22 05:31:12 out1 tag[1]:", "out1", "tag", "1", b""),
        (b"Nov 22 05:31:12 out1 tag[1]: \xd3\xca", "out1", "tag", "1", b"\xd3\xca"),
        (b"2026-11-22T05:31:12.5+08:00 out1 tag[1]: w", "out1", "tag", "1", b"w"),
        (b"<22>1 2026-11-22T05:31:12Z out1 postfix 624 - - w", "out1", "postfix", "624", b"w"),
        (b"<22>1 2026-11-22T05:31:12Z out1 postfix 624 - -  w", "out1", "postfix", "624", b"w"),
        (b"1 2026-11-22T05:31:12Z out1 postfix/smtp - ID - w", "out1", "postfix/smtp", None, b"w"),
        (b"2026-11-22T05:31:12Z out1 postfix 624 - - a: b", "out1", "postfix", "624", b"a: b"),
        (b'<22>1 2026-11-22T05:31:12Z - app 6 - [a b="]\\""][c] \xef\xbb\xbfw', None, "app", "6", b"w"),
        (b"<22>1 2026-11-22T05:31:12Z out1 app 6 - -", "out1", "app", "6", b""),
    ],
)
def test_head(raw: bytes, host: str | None, tag: str, pid: str | None, rest: bytes) -> None:
    head = parse_prologue(raw)
    assert head is not None
    assert (head.host, head.tag, head.pid, head.rest) == (host, tag, pid, rest)
    assert re.match(HEAD, raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"words",
        b"Nov 31 05:31:12 out1 tag: w",
        b"Nov 22 25:31:12 out1 tag: w",
        b"nov 22 05:31:12 out1 tag: w",
        b"Nov 22 05:31:12 out1 words without a tag",
        b"Nov 22 05:31:12",
        b" Nov 22 05:31:12 out1 tag: w",
        b"2026-11-22 05:31:12 1vM986-00000000Q9T-g59S <= a@b.example",
        b"2026-13-22T05:31:12Z out1 tag: w",
        b"<22>1 - out1 app 6 - - w",
        b"<22>1 2026-11-22T05:31:12Z out1 app 6 - [a",
        b"Nov 22 05:31:12 out\xff tag[1]: w",
    ],
)
def test_not_a_head(raw: bytes) -> None:
    assert parse_prologue(raw) is None


@pytest.mark.parametrize(
    ("stamp", "local", "has_year", "offset"),
    [
        (b"Nov 22 05:31:12", NOVEMBER, False, None),
        (b"Nov  2 05:31:12", NOVEMBER.replace(day=2), False, None),
        (b"Nov 02 05:31:12", NOVEMBER.replace(day=2), False, None),
        (b"Nov 2 05:31:12", NOVEMBER.replace(day=2), False, None),
        (b"Feb 29 05:31:12", NOVEMBER.replace(month=2, day=29), False, None),
        (b"Nov 22 05:31:12.25", NOVEMBER.replace(microsecond=250_000), False, None),
        (b"2026 Nov 22 05:31:12", NOVEMBER.replace(year=2026), True, None),
        (b"2026-11-22T05:31:12", NOVEMBER.replace(year=2026), True, None),
        (b"2026-11-22T05:31:12Z", NOVEMBER.replace(year=2026), True, timedelta(0)),
        (b"2026-11-22T05:31:12+0800", NOVEMBER.replace(year=2026), True, timedelta(hours=8)),
        (
            b"2026-11-22T05:31:12.123456789-03:30",
            NOVEMBER.replace(year=2026, microsecond=123_456),
            True,
            -timedelta(hours=3.5),
        ),
        (b"Dec 31 23:59:60", NOVEMBER.replace(month=12, day=31, hour=23, minute=59, second=59), False, None),
    ],
)
def test_time(stamp: bytes, local: datetime, has_year: bool, offset: timedelta | None) -> None:
    head = parse_prologue(stamp + b" out1 tag[1]: w")
    assert head is not None
    logged = TimeBasis.LOGGED
    assert head.at == LogTime(
        logged=stamp.decode(),
        local=local,
        has_year=has_year,
        offset=offset,
        instant=None if offset is None else (local - offset).replace(tzinfo=UTC),
        year_from=logged if has_year else None,
        zone_from=logged if offset is not None else None,
    )


@pytest.mark.parametrize("time", [b"0001-01-01T00:00:00+05:00", b"9999-12-31T23:59:59-05:00", b"9999 Dec 31 23:59:59"])
def test_a_year_in_which_other_zones_have_none_is_no_time(time: bytes) -> None:
    assert parse_prologue(time + b" out1 tag: w") is None


def at(stamp: bytes) -> LogTime:
    head = parse_prologue(stamp + b" out1 tag: w")
    assert head is not None
    return head.at


TAIPEI = timedelta(hours=8)


def test_resolve_adds_what_the_line_lacks() -> None:
    found = resolve(
        at(b"Nov 22 05:31:12"), year=2026, year_from=TimeBasis.QUEUE_ID, offset=TAIPEI, zone_from=TimeBasis.OPTION
    )
    assert found.instant == datetime(2026, 11, 21, 21, 31, 12, tzinfo=UTC)
    assert (found.year_from, found.zone_from) == (TimeBasis.QUEUE_ID, TimeBasis.OPTION)
    assert (found.logged, found.local, found.has_year, found.offset) == ("Nov 22 05:31:12", NOVEMBER, False, None)


def test_resolve_lets_the_line_win() -> None:
    stated = at(b"2026-11-22T05:31:12Z")
    other = resolve(stated, year=1999, year_from=TimeBasis.OPTION, offset=TAIPEI, zone_from=TimeBasis.OPTION)
    assert other == stated
    half = resolve(
        at(b"2026 Nov 22 05:31:12"), year=1999, year_from=TimeBasis.OPTION, offset=TAIPEI, zone_from=TimeBasis.ASSUMED
    )
    assert half.instant == datetime(2026, 11, 21, 21, 31, 12, tzinfo=UTC)
    assert (half.year_from, half.zone_from) == (TimeBasis.LOGGED, TimeBasis.ASSUMED)


@pytest.mark.parametrize(
    ("stamp", "year", "offset"),
    [
        (b"Nov 22 05:31:12", None, TAIPEI),
        (b"Nov 22 05:31:12", 2026, None),
        (b"Feb 29 05:31:12", 2026, TAIPEI),
        (b"Jan 01 05:31:12", 1, TAIPEI),
        (b"Jan 01 05:31:12", 0, TAIPEI),
    ],
)
def test_resolve_changes_nothing_when_no_instant_follows(
    stamp: bytes, year: int | None, offset: timedelta | None
) -> None:
    before = at(stamp)
    assert resolve(before, year=year, year_from=TimeBasis.OPTION, offset=offset, zone_from=TimeBasis.OPTION) == before


def test_every_recorded_line_has_a_head() -> None:
    files = [*LOGS.glob("postfix/*.log"), *LOGS.glob("exim/*/syslog")]
    assert len(files) == 4
    for file in files:
        raw = file.read_bytes()
        lines = raw.splitlines()
        assert all(parse_prologue(line) for line in lines)
        assert len(re.findall(HEAD, raw, re.MULTILINE)) == len(lines)


def test_head_for_one_tag() -> None:
    exim = re.compile(head_for(b"exim"), re.MULTILINE)
    for file in LOGS.glob("exim/*/syslog"):
        raw = file.read_bytes()
        assert sum(1 for _ in exim.finditer(raw)) == len(raw.splitlines())
    assert exim.match(b"<22>1 2026-11-22T05:31:12Z out1 exim 6 - - w")
    assert exim.match(b"Nov 22 05:31:12 exim: w")
    assert not exim.match(b"Nov 22 05:31:12 out1 eximstats[1]: w")
    assert not exim.match(b"Nov 22 05:31:12 exim sshd[1]: w")


@pytest.mark.parametrize(
    ("time", "instant"),
    [
        (b"2026-11-22T05:31:12+0000", "2026-11-22T05:31:12+00:00"),
        (b"2026-11-22T05:31:12.123456+08:00", "2026-11-21T21:31:12.123456+00:00"),
        (b"Sun 2026-11-22 10:14:32 UTC", "2026-11-22T10:14:32+00:00"),
        (b"Sun 2026-11-22 10:14:32 +0530", "2026-11-22T04:44:32+00:00"),
        (b"Sun 2026-11-22 10:14:32 -03", "2026-11-22T13:14:32+00:00"),
        (b"1795342472.514522", "2026-11-22T10:14:32.514522+00:00"),
        (b"Sun 2026-11-22 10:14:32 CST", None),
    ],
)
def test_times_as_journalctl_writes_them(time: bytes, instant: str | None) -> None:
    raw = time + b" out1 postfix/smtp[24]: words"
    read = parse_prologue(raw)
    assert read
    assert (read.host, read.tag, read.pid, read.rest) == ("out1", "postfix/smtp", "24", b"words")
    assert (read.at.instant and read.at.instant.isoformat()) == instant
    assert re.match(HEAD, raw, re.MULTILINE)


@pytest.mark.parametrize(
    ("head", "host"),
    [
        (b"Nov 22 05:31:12 out1 mail.info postfix/smtp[7]: x", "out1"),  # BusyBox
        (b"2026-11-22T05:31:12+00:00 mail.notice out1 postfix/smtp[7]: x", "out1"),
        (b"Nov 22 05:31:12 mail.info postfix/smtp[7]: x", "mail.info"),  # a host of that name
        (b"Nov 22 05:31:12 out1 mail.other postfix/smtp[7]: x", None),
    ],
)
def test_facility_and_level_beside_the_host(head: bytes, host: str | None) -> None:
    found = parse_prologue(head)
    assert (found and found.host) == host
    if found:
        assert (found.tag, found.pid, found.rest) == ("postfix/smtp", "7", b"x")
