"""A time window: what is left out, what is read, and that nothing of the window is ever missed."""

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deliverability.api import seeking
from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.evidence.story import Trace

LOGS = Path(__file__).parents[1] / "cases" / "logs"
SENT = "relay=mx.b.example[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (250 ok)"
START = datetime(2026, 3, 1, tzinfo=UTC)
DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"


@pytest.fixture(autouse=True)
def _small_files_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "WORTHWHILE", 1 << 10)
    monkeypatch.setattr(seeking, "AROUND", 4 << 10)


Form = Callable[[datetime], str]


def iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.000000+00:00"


def bsd(at: datetime) -> str:
    return f"{at:%b} {at.day:2} {at:%H:%M:%S}"


def queue_id(at: datetime) -> str:
    seconds, digits = int(at.timestamp()), ""
    for _ in range(6):
        digits, seconds = DIGITS[seconds % 52] + digits, seconds // 52
    return f"{digits}0000z1234"


def message(n: int, form: Form, late: timedelta = timedelta(seconds=1)) -> list[tuple[datetime, str]]:
    at = START + timedelta(hours=n)
    sent = at + late
    return [
        (at, f"{form(at)} out1 postfix/smtpd[7]: {queue_id(at)}: client=app[192.0.2.5]"),
        (
            sent,
            f"{form(sent)} out1 postfix/smtp[8]: {queue_id(at)}: to=<m{n % 5}@b.example>, {SENT}",
        ),
        (sent, f"{form(sent)} out1 postfix/qmgr[9]: {queue_id(at)}: removed"),
    ]


def log(hours: int, form: Form = iso, late: dict[int, timedelta] | None = None) -> bytes:
    lines = [line for n in range(hours) for line in message(n, form, (late or {}).get(n, timedelta(seconds=1)))]
    return "".join(text + "\n" for _, text in sorted(lines, key=lambda pair: pair[0])).encode()


def asked(
    path: Path, since: int | None, until: int | None, to: str = "m3@b.example", known: str | None = None
) -> Trace:
    since_at, until_at = (None if n is None else START + timedelta(hours=n) for n in (since, until))
    request = Request(
        logs=(str(path),), to=(to,), since=since_at, until=until_at, queue_id=known, now=START + timedelta(days=200)
    )
    return read_logs(request)[0]


@pytest.mark.parametrize("form", [iso, bsd])
@pytest.mark.parametrize(
    ("since", "until"), [(1000, 1010), (0, 30), (2000, None), (None, 500), (2395, 2400), (None, 0)]
)
def test_a_window_gives_what_reading_everything_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Form, since: int | None, until: int | None
) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(log(2400, form))
    sought = asked(path, since, until)
    monkeypatch.setattr(seeking, "WORTHWHILE", 1 << 40)
    read = asked(path, since, until)
    assert sought.messages == read.messages  # line numbers and offsets too
    (part,), (whole,) = sought.coverage.files, read.coverage.files
    assert part.looked and not whole.looked
    assert part.size < whole.size and part.lines < whole.lines
    assert any("looked through" in note for note in sought.notes)


def test_a_delivery_long_after_the_window_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(log(2400, late={1003: timedelta(days=9)}))
    # Its recipient is first named nine days on: known from the arrival's id alone, by the id.
    trace = asked(path, 1000, 1010, to="m3@b.example", known=queue_id(START + timedelta(hours=1003)))
    ((attempt,),) = [[a for d in m.deliveries for a in d.attempts] for m in trace.messages]
    assert attempt.instant == START + timedelta(hours=1003, days=9)


def test_the_cost_grows_with_the_window(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(log(9000))
    day, week = (asked(path, 4000, 4000 + hours).coverage.files[0].size for hours in (24, 24 * 7))
    assert day < week < path.stat().st_size / 10


def test_disorder_means_reading_it_all(tmp_path: Path) -> None:
    content = log(2400).splitlines(keepends=True)
    third = len(content) // 3
    path = tmp_path / "mail.log"
    for shuffled in (content[third:] + content[:third], random.Random(1).sample(content, len(content))):
        path.write_bytes(b"".join(shuffled))
        trace = asked(path, 1000, 1040)
        assert trace.coverage.files[0].looked is None
        assert len(trace.messages) == 8
    assert "clock-back" in {gap.kind for gap in trace.coverage.files[0].gaps} or len(content) < 10


def test_lines_without_a_time_do_not_hide_the_window(tmp_path: Path) -> None:
    content = re.sub(rb"(?m)^(.*removed\n)", rb"\1  and more of it\n\n", log(2400))
    path = tmp_path / "mail.log"
    path.write_bytes(content)
    trace = asked(path, 1000, 1010)
    assert len(trace.messages) == 2 and trace.coverage.files[0].looked


def test_a_window_outside_of_the_file_reads_almost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(log(2400))
    trace = asked(path, 4000, 4010)
    assert trace.messages == ()
    looked = trace.coverage.files[0].looked
    assert looked and looked.before and looked.after is None
    assert trace.coverage.files[0].lines < 100


def test_a_year_that_turns_in_a_log_without_years(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    begin = datetime(2026, 11, 20, tzinfo=UTC)
    lines = [
        f"{bsd(at)} out1 postfix/smtp[8]: {queue_id(at)}: to=<mei@b.example>, relay=mx.b.example[192.0.2.1]:25, delay=1,"
        " dsn=2.0.0, status=sent (250 ok)\n"
        for at in (begin + timedelta(hours=n) for n in range(2400))
    ]
    path.write_text("".join(lines))
    for since in (datetime(2026, 12, 31, 20, tzinfo=UTC), datetime(2027, 1, 20, tzinfo=UTC)):
        request = Request(logs=(str(path),), to=("mei@b.example",), since=since, until=since + timedelta(hours=5))
        trace, _ = read_logs(request)
        instants = {a.instant for m in trace.messages for d in m.deliveries for a in d.attempts}
        assert {since + timedelta(hours=n) for n in range(6)} <= instants
