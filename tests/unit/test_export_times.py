"""Times in exports: read where the text decides, told as logged where it does not."""

from datetime import UTC, datetime, timedelta

import pytest

from deliverability.evidence.event import TimeBasis
from deliverability.protocols.export_times import (
    decided_by,
    from_unix,
    of_something_else,
    parse_export_time,
    unknown_time,
)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-22T05:31:12.345Z", "2026-11-22T05:31:12.345000"),
        ("2026-11-22T05:31:12.3456789Z", "2026-11-22T05:31:12.345678"),
        ("2026-11-22T13:31:12+08:00", "2026-11-22T05:31:12"),
        ("2026/11/22 05:31:12 UTC", "2026-11-22T05:31:12"),
        ("Nov 22, 2026, 1:31:12\u202fPM UTC+8", "2026-11-22T05:31:12"),
        ("Sun, 22 Nov 2026 13:31:12 +0800", "2026-11-22T05:31:12"),
        ("22-Nov-2026 00:01:12 GMT-5:30", "2026-11-22T05:31:12"),
    ],
)
def test_text_that_states_its_zone(text: str, instant: str) -> None:
    at = parse_export_time(text)
    assert at is not None
    assert at.instant == datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert (at.zone_from, at.logged) == (TimeBasis.LOGGED, text)


@pytest.mark.parametrize(
    "text",
    [
        "11/22/2026 5:31:12 AM",
        "22/11/2026 05:31:12",
        "22.11.2026, 05:31:12",
        "2026-11-22 05:31:12",
        "2026/11/22 上午 05:31:12",
        "November 22, 2026 at 5:31:12 a.m.",
    ],
)
def test_text_without_a_zone_stays_local(text: str) -> None:
    at = parse_export_time(text)
    assert at is not None
    assert (at.local, at.offset, at.instant, at.unclear) == (
        datetime.fromisoformat("2026-11-22T05:31:12"),
        None,
        None,
        False,
    )
    told = parse_export_time(text, timedelta(0))
    assert told is not None and told.instant == datetime(2026, 11, 22, 5, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["11/12/2026 5:31:12 AM", "1.2.2026 05:31", "2026-11-22 05:31:12 EST", "3-4-2026 5:00Z"]
)
def test_text_with_two_readings_gives_no_instant(text: str) -> None:
    at = parse_export_time(text, timedelta(0))
    assert at is not None
    assert (at.unclear, at.instant, at.offset, at.logged) == (True, None, None, text)


def test_two_equal_readings_are_one() -> None:
    at = parse_export_time("11/11/2026 5:31")
    assert at is not None and not at.unclear


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "31/31/2026 5:31",
        "2026-02-30 05:31",
        "2026-11-22",
        "2026-11-22 25:00",
        "11/22/2026 13:31 PM",
        "0000-00-00 00:00:00",
        "9" * 100,
        "2026-11-22 AM 05:31 AM",
        "1026-11-22 05:31",
        "٢٠٢٦-11-22T05:31:12Z\x00",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert parse_export_time(text) is None


def test_seconds_since_1970() -> None:
    at = from_unix("1795325472.25")
    assert at is not None
    assert at.instant == datetime(2026, 11, 22, 5, 31, 12, 250_000, tzinfo=UTC)
    assert [from_unix(t) for t in ("", "-5", "1e9", "12", "99999999999", "1795325472.x", "١٧٩٥٣٢٥٤٧٢")] == [None] * 7


def test_another_clock_of_the_line_decides_or_does_not() -> None:
    at = parse_export_time("11/12/2026 5:31:12 PM")
    assert at is not None
    november, december = datetime(2026, 11, 12, 9, 31, tzinfo=UTC), datetime(2026, 12, 11, 9, 31, tzinfo=UTC)
    assert decided_by(at, [november]).local == datetime.fromisoformat("2026-11-12T17:31:12")
    assert decided_by(at, [december]).local == datetime.fromisoformat("2026-12-11T17:31:12")
    assert not decided_by(at, [november]).unclear
    for clocks in ([], [None], [november, december], [datetime(2026, 1, 1, tzinfo=UTC)]):
        assert decided_by(at, clocks) == at


def test_a_zone_that_cannot_be_read_is_not_decided_by_a_clock() -> None:
    at = parse_export_time("2026-11-22 05:31:12 EST")
    assert at is not None
    assert decided_by(at, [datetime(2026, 11, 22, 9, 31, tzinfo=UTC)]) == at


def test_times_that_are_none_of_the_event() -> None:
    assert unknown_time("x" * 500).unclear
    at = parse_export_time("2026-11-22T05:31:12Z")
    assert at is not None
    assert (of_something_else(at).instant, of_something_else(at).unclear) == (None, True)
