"""Year and zone of log lines: from our own ids first, never from a lone stranger's clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.correlate.clock import parse_zone
from deliverability.evidence.event import DeliveryEvent, TimeBasis
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Mailbox
from deliverability.evidence.story import State
from deliverability.ingest import postfix
from deliverability.protocols.idclock import postfix_long

DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"


def long_id(when: datetime) -> str:
    """A queue id of Postfix that was made at that second."""
    seconds, text = int(when.timestamp()), ""
    while seconds:
        seconds, digit = divmod(seconds, 52)
        text = DIGITS[digit] + text
    made = f"{text.rjust(6, '0')}0000zLhRZ"
    assert postfix_long(made) is not None and int(postfix_long(made).timestamp()) == int(when.timestamp())
    return made


def parse(*lines: str) -> list[DeliveryEvent]:
    places = [Place("", "mail.log", n, 1000 * n) for n in range(len(lines))]
    return list(postfix.FORMAT.parse(LogLine(p, raw.encode()) for p, raw in zip(places, lines, strict=True)))


def sent(
    when: str, queue_id: str, reply: str = "250 2.0.0 Ok", *, status: str = "sent", ip: str = "198.51.100.10"
) -> str:
    return (
        f"{when} out1 postfix/smtp[4]: {queue_id}: to=<anna@corp.example>, relay=mx[{ip}]:25, delay=1, "
        f"delays=0/0/0/1, dsn=2.0.0, status={status} ({reply})"
    )


def client(when: str, queue_id: str) -> str:
    return f"{when} out1 postfix/smtpd[1]: {queue_id}: client=web1[192.0.2.7]"


def hints(modified: str | None = None, zone: str | None = None) -> TimeHints:
    files = {"mail.log": datetime.fromisoformat(modified)} if modified else {}
    return TimeHints(files, parse_zone(zone) if zone else None, datetime(2027, 6, 1, tzinfo=UTC))


def instants(lines: list[str], surroundings: TimeHints) -> list[str]:
    return [e.at.instant.isoformat() if e.at.instant else "" for e in resolve_times(parse(*lines), surroundings)]


def test_over_new_year_with_own_ids() -> None:
    made = long_id(datetime(2026, 12, 31, 15, 58, tzinfo=UTC))
    lines = [
        client("Dec 31 23:58:00", made),
        sent("Dec 31 23:59:00", made, "no", status="deferred"),
        sent("Jan  1 00:09:00", made),
    ]
    told = ["2026-12-31T15:58:00+00:00", "2026-12-31T15:59:00+00:00", "2026-12-31T16:09:00+00:00"]
    assert instants(lines, hints()) == told


def test_over_new_year_with_short_ids() -> None:
    lines = [client("Dec 31 23:58:00", "7C1A02B3F4"), sent("Jan  1 00:09:00", "7C1A02B3F4")]
    surroundings = hints("2027-01-01T02:00:00+00:00", "Asia/Taipei")
    assert instants(lines, surroundings) == ["2026-12-31T15:58:00+00:00", "2026-12-31T16:09:00+00:00"]
    assert [e.at.year_from for e in resolve_times(parse(*lines), surroundings)] == [TimeBasis.FILE_DATE] * 2


@pytest.mark.parametrize(
    ("modified", "year"),
    [("2024-03-01", 2024), ("2025-01-01", 2024), ("2026-06-01", 2024), ("2027-06-01", 2024), ("2024-02-29", 2024)],
)
def test_leap_day(modified: str, year: int) -> None:
    lines = [sent("Feb 29 12:00:00", "7C1A02B3F4")]
    assert instants(lines, hints(f"{modified}T00:00:00+00:00", "UTC")) == [f"{year}-02-29T12:00:00+00:00"]


@pytest.mark.parametrize("modified", ["2027-06-03", "2028-03-01", "2038-01-19"])
def test_a_file_date_in_the_future_tells_no_year(modified: str) -> None:
    """A copy's date may be set to anything; the log was not written after today."""
    lines = [client("Nov 22 12:00:00", "7C1A02B3F4"), sent("Jun 20 12:00:00", "7C1A02B3F5")]
    surroundings = hints(f"{modified}T00:00:00+00:00", "UTC")
    assert instants(lines, surroundings) == ["2026-11-22T12:00:00+00:00", "2026-06-20T12:00:00+00:00"]
    assert [e.at.year_from for e in resolve_times(parse(*lines), surroundings)] == [TimeBasis.ASSUMED] * 2


def test_a_file_date_a_little_ahead_of_our_clock_is_believed() -> None:
    told = resolve_times(parse(client("Jun  1 12:00:00", "7C1A02B3F4")), hints("2027-06-01T06:00:00+00:00", "UTC"))
    assert [(e.at.year_from, e.at.instant and e.at.instant.year) for e in told] == [(TimeBasis.FILE_DATE, 2027)]


def test_summer_time_ends_between_two_arrivals() -> None:
    """25 October 2026, Berlin: 02:59 is followed by 02:00."""
    before, after = datetime(2026, 10, 25, 0, 50, tzinfo=UTC), datetime(2026, 10, 25, 1, 40, tzinfo=UTC)
    lines = [
        client("Oct 25 02:50:00", long_id(before)),
        sent("Oct 25 02:55:00", long_id(before), "no", status="deferred"),
        sent("Oct 25 02:05:00", long_id(before)),
        client("Oct 25 02:40:00", long_id(after)),
    ]
    assert [t[11:16] for t in instants(lines, hints())] == ["00:50", "00:55", "01:05", "01:40"]


def test_summer_time_begins_between_two_arrivals() -> None:
    before, after = datetime(2026, 3, 29, 0, 50, tzinfo=UTC), datetime(2026, 3, 29, 1, 20, tzinfo=UTC)
    lines = [
        client("Mar 29 01:50:00", long_id(before)),
        sent("Mar 29 03:05:00", long_id(before)),
        client("Mar 29 03:20:00", long_id(after)),
    ]
    assert [t[11:16] for t in instants(lines, hints())] == ["00:50", "01:05", "01:20"]


def test_the_users_zone_knows_summer_time() -> None:
    lines = [sent("Mar 29 01:50:00", "7C1A02B3F4"), sent("Mar 29 03:05:00", "7C1A02B3F4")]
    told = instants(lines, TimeHints({}, ZoneInfo("Europe/Berlin"), datetime(2026, 6, 1, tzinfo=UTC)))
    assert [t[11:16] for t in told] == ["00:50", "01:05"]


EPOCH_2025 = int(datetime(2025, 11, 22, 5, 0, tzinfo=UTC).timestamp())
EPOCH_2026 = int(datetime(2026, 11, 22, 5, 0, tzinfo=UTC).timestamp())


def gmail(epoch: int) -> str:
    return f"250 2.0.0 OK  {epoch} da83d7c58dfe-0d5a0cf31865si961288946b3.877 - gsmtp"


def test_one_receiver_cannot_set_the_year() -> None:
    lines = [
        sent("Nov 22 05:00:00", "7C1A02B3F4", gmail(EPOCH_2025)),
        sent("Nov 22 05:01:00", "7C1A02B3F5", gmail(EPOCH_2025 + 60)),
    ]
    assert [t[:4] for t in instants(lines, hints("2026-12-01T00:00:00+00:00"))] == ["2026", "2026"]


def test_a_lying_receiver_among_honest_ones() -> None:
    lines = [
        sent("Nov 22 05:00:00", "7C1A02B3F4", gmail(EPOCH_2026)),
        sent("Nov 22 05:01:00", "7C1A02B3F5", gmail(EPOCH_2025 + 60), ip="198.51.100.66"),
        sent("Nov 22 05:02:00", "7C1A02B3F6", gmail(EPOCH_2026 + 120)),
    ]
    assert {t[:4] for t in instants(lines, hints("2026-12-01T00:00:00+00:00"))} == {"2026"}


def test_two_receivers_that_agree_tell_the_zone() -> None:
    lines = [
        sent("Nov 22 13:00:00", "7C1A02B3F4", gmail(EPOCH_2026)),
        sent("Nov 22 13:02:00", "7C1A02B3F6", gmail(EPOCH_2026 + 120), ip="198.51.100.66"),
    ]
    assert [t[:16] for t in instants(lines, hints())] == ["2026-11-22T05:00", "2026-11-22T05:02"]
    assert {e.at.zone_from for e in resolve_times(parse(*lines), hints())} == {TimeBasis.REPLY}


def test_own_ids_go_before_receivers_clocks() -> None:
    made = long_id(datetime(2026, 11, 22, 5, 0, tzinfo=UTC))
    lines = [client("Nov 22 13:00:00", made)]
    lines += [sent(f"Nov 22 13:0{n}:00", made, gmail(EPOCH_2025 + 60 * n), ip=f"198.51.100.{n}") for n in range(1, 5)]
    assert {t[:13] for t in instants(lines, hints())} == {"2026-11-22T05"}


@pytest.mark.parametrize("local", ["00:00", "10:00", "19:00"])
def test_an_assumed_zone_accuses_nobody(local: str) -> None:
    """The log begins after the arrival and states no zone: the id's clock alone cannot contradict the line."""
    made = long_id(datetime(2026, 11, 22, 5, 0, tzinfo=UTC))
    (event,) = resolve_times(parse(sent(f"Nov 22 {local}:00", made)), hints())
    assert event.at.contradicted is None
    assert event.at.instant and event.at.instant.year == 2026
    (message,) = tell([event], Query(recipients=(Mailbox.parse("anna@corp.example"),)))
    assert message.deliveries[0].state is State.HANDED_OVER


def test_a_line_days_older_than_its_id_is_contradicted() -> None:
    made = long_id(datetime(2026, 11, 22, 5, 0, tzinfo=UTC))
    (event,) = resolve_times(parse(sent("Nov 19 05:00:00", made)), hints())
    assert event.at.contradicted == made


def test_the_year_comes_from_the_lines_own_id() -> None:
    made = long_id(datetime(2024, 11, 22, 5, 0, tzinfo=UTC))
    (event,) = resolve_times(parse(sent("Nov 22 05:00:00", made)), hints("2027-01-01T00:00:00+00:00"))
    assert event.at.instant == datetime(2024, 11, 22, 5, 0, tzinfo=UTC)
    assert event.at.year_from is TimeBasis.QUEUE_ID


@pytest.mark.parametrize("text", ["Asia/Nowhere", "+25:00", "+8", "", "../etc/passwd", "+08:60", "x\0"])
def test_what_is_no_zone(text: str) -> None:
    with pytest.raises(ValueError):
        parse_zone(text)
