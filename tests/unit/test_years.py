"""Logs that state no years and span several, or that were copied long after their last line."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deliverability.__main__ import run

EVERY = timedelta(hours=36)
NOW = "2027-03-05T00:00:00Z"


def lines_between(start: datetime, end: datetime, *, width: int = 0) -> list[str]:
    """A notice every day and a half, to ``userN``; ``width`` octets of it are words of the server's."""
    made, n = [], 0
    while start < end:
        at, queue_id = f"{start:%b} {start.day:2d} {start:%H:%M:%S} out1", f"{0x7C1A02B3F4 + n:010X}"
        made.append(f"{at} postfix/pickup[3]: {queue_id}: uid=1000 from=<a@host.example>")
        made.append(
            f"{at} postfix/smtp[5]: {queue_id}: to=<user{n}@corp.example>, relay=mx.corp.example[198.51.100.10]:25, delay=1, "
            f"delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok {'x' * width})"
        )
        start, n = start + EVERY, n + 1
    return made


def written(folder: Path, lines: list[str], modified: str) -> Path:
    log = folder / "mail.log"
    log.write_text("".join(line + "\n" for line in lines))
    os.utime(log, (datetime.fromisoformat(modified).timestamp(),) * 2)
    return log


def told(log: Path, number: int, capsys: pytest.CaptureFixture[str]) -> str:
    asked = ["trace", "--log", str(log), "--to", f"user{number}@corp.example", "--format", "json"]
    run([*asked, "--offline", "--tz", "UTC", "--now", NOW])
    (message,) = json.loads(capsys.readouterr().out)["messages"]
    return str(message["deliveries"][0]["attempts"][0]["at"])[:10]


@pytest.mark.parametrize("width", [0, 20_000])
def test_more_than_a_year_in_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], width: int) -> None:
    """Small, where all lines are looked at, and larger than that."""
    start = datetime(2025, 9, 1, 8, tzinfo=UTC)
    log = written(
        tmp_path, lines_between(start, datetime(2026, 11, 20, tzinfo=UTC), width=width), "2026-11-20T00:00:00Z"
    )
    assert [told(log, n, capsys) for n in (0, 3, 200, 280)] == ["2025-09-01", "2025-09-05", "2026-06-28", "2026-10-26"]


def test_several_years_in_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = datetime(2023, 12, 30, 8, tzinfo=UTC)
    log = written(tmp_path, lines_between(start, datetime(2026, 2, 1, tzinfo=UTC)), "2026-02-01T00:00:00Z")
    assert [told(log, n, capsys) for n in (0, 2, 300, 500)] == ["2023-12-30", "2024-01-02", "2025-03-24", "2026-01-18"]


def test_a_copy_that_is_dated_long_after_its_last_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """January's lines cannot be of 2027: November's stand below them."""
    start = datetime(2026, 1, 1, 8, tzinfo=UTC)
    log = written(tmp_path, lines_between(start, datetime(2026, 11, 20, tzinfo=UTC)), "2027-03-01T00:00:00Z")
    assert [told(log, n, capsys) for n in (0, 20, 200)] == ["2026-01-01", "2026-01-31", "2026-10-28"]


def test_lines_that_change_places_at_new_year(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = lines_between(datetime(2025, 12, 28, 11, 59, 58, tzinfo=UTC), datetime(2026, 1, 8, tzinfo=UTC))
    late = lines[4:6]  # 31 December
    assert late[0].startswith("Dec 31")
    log = written(tmp_path, lines[:4] + lines[6:8] + late + lines[8:], "2026-01-08T00:00:00Z")
    assert [told(log, n, capsys) for n in (0, 2, 3, 5)] == ["2025-12-28", "2025-12-31", "2026-01-01", "2026-01-04"]


def test_the_newest_line_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = lines_between(datetime(2025, 12, 1, 8, tzinfo=UTC), datetime(2026, 1, 20, tzinfo=UTC))
    log = written(tmp_path, lines[::-1], "2026-01-20T00:00:00Z")
    assert [told(log, n, capsys) for n in (0, 30)] == ["2025-12-01", "2026-01-15"]


def test_a_list_of_notices_is_told_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = datetime(2025, 9, 1, 8, tzinfo=UTC)
    log = written(tmp_path, lines_between(start, datetime(2026, 11, 20, tzinfo=UTC)), "2026-11-20T00:00:00Z")
    (tmp_path / "list.csv").write_text("address,date\nuser3@corp.example,2025-09-05\nuser200@corp.example,2026-06-28\n")
    run(["trace", "--log", str(log), "--cohort", str(tmp_path / "list.csv"), "--offline", "--tz", "UTC", "--all"])
    shown = capsys.readouterr().out
    assert "2025-09-05 20:00:00Z" in shown
    assert "2026-06-28 08:00:00Z" in shown
