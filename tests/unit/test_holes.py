"""The coverage map: which times each log source covers, and which are missing."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.capture import blocks
from deliverability.evidence.story import Coverage

SENT = (
    "2026-11-%02dT%02d:00:00.000000+00:00 out1 postfix/smtp[8]: 4jXH3k3V2zzLhRZ: to=<mei@b.example>,"
    " relay=mx.b.example[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (250 ok)\n"
)


def lines(day: int, hours: range) -> bytes:
    return "".join(SENT % (day, hour) for hour in hours).encode()


def covered(log: Path) -> Coverage:
    return read_logs(Request(logs=(str(log),), to=("a@b.example",)))[0].coverage


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def test_rotations_that_follow_each_other_are_one_interval(tmp_path: Path) -> None:
    (tmp_path / "mail.log.2.gz").write_bytes(gzip.compress(lines(1, range(24))))
    (tmp_path / "mail.log.1").write_bytes(lines(2, range(24)))
    (tmp_path / "mail.log").write_bytes(lines(3, range(5)))
    (source,) = covered(tmp_path / "mail.log").sources
    assert source.covered == ((at(1, 0), at(3, 4)),)
    assert source.missing == ()


def test_a_rotation_that_is_missing_leaves_a_hole_between_two_times(tmp_path: Path) -> None:
    (tmp_path / "mail.log.3.gz").write_bytes(gzip.compress(lines(1, range(24))))
    (tmp_path / "mail.log.1").write_bytes(lines(3, range(24)))
    (tmp_path / "mail.log").write_bytes(lines(4, range(5)))
    (source,) = covered(tmp_path / "mail.log").sources
    assert source.covered == ((at(1, 0), at(1, 23)), (at(3, 0), at(4, 4)))
    (hole,) = source.missing
    assert (hole.kind, hole.after, hole.before) == ("missing-rotation", at(1, 23), at(3, 0))
    assert "mail.log.2" in hole.detail


def test_a_hole_between_files_whose_names_lack_nothing(tmp_path: Path) -> None:
    (tmp_path / "mail.log.1").write_bytes(lines(1, range(24)))
    (tmp_path / "mail.log").write_bytes(lines(9, range(5)))
    (source,) = covered(tmp_path / "mail.log").sources
    assert [(h.kind, h.after, h.before) for h in source.missing] == [("silence", at(1, 23), at(9, 0))]


def test_dropped_lines_and_unreadable_files_are_in_the_map(tmp_path: Path) -> None:
    logger = (
        b"2026-11-02T03:00:00.000000+00:00 out1 rsyslogd: imuxsock lost 50 messages from pid 1 due to rate-limiting\n"
    )
    (tmp_path / "mail.log.1").write_bytes(lines(2, range(3)) + logger + lines(2, range(4, 24)))
    (tmp_path / "mail.log.2.gz").write_bytes(gzip.compress(lines(1, range(24)))[:-30])
    (tmp_path / "mail.log").write_bytes(lines(3, range(2)))
    (source,) = covered(tmp_path / "mail.log").sources
    assert ("rate-limit", at(2, 3)) in [(h.kind, h.after) for h in source.missing]
    assert {"damaged", "unreadable"} & {h.kind for h in source.missing}


@pytest.mark.parametrize("block", [300, None])
def test_a_clock_that_is_set_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int | None) -> None:
    if block:
        monkeypatch.setattr(blocks, "BLOCK", block)
    log = tmp_path / "mail.log"
    log.write_bytes(lines(2, range(5, 24)) + lines(2, range(3)))
    assert [gap.kind for gap in covered(log).files[0].gaps] == ["clock-back"]
    log.write_bytes(lines(1, range(24)) + lines(2, range(24)))
    assert covered(log).files[0].gaps == ()


def test_a_long_silence_in_a_file_is_told_where_blocks_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 200)
    log = tmp_path / "mail.log"
    log.write_bytes(lines(2, range(5)) + lines(9, range(5)))
    (gap,) = covered(log).files[0].gaps
    assert (gap.kind, gap.line and gap.line.place.line) == ("silence", 6)


def test_a_new_year_in_a_log_without_years_is_no_jump(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    words = " out1 postfix/qmgr[9]: 4jXH3k3V2zzLhRZ: removed\n"
    log.write_text(f"Dec 31 23:59:58{words}Jan  1 00:00:01{words}")
    assert covered(log).files[0].gaps == ()


def test_a_file_that_shrinks_while_it_is_read_could_not_be_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 4096)
    log = tmp_path / "mail.log"
    log.write_bytes(lines(1, range(24)) * 200)
    stream = blocks.windows(
        __import__("deliverability.capture.files", fromlist=["LogFile"]).LogFile("", str(log), None), 0
    )
    next(stream)
    with log.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(Exception, match="shorter while it was read"):
        list(stream)


def test_in_a_small_file_every_line_is_held_against_the_one_before_it(tmp_path: Path) -> None:
    """The clock is set back by two hours and overtakes: the first and the last line are in order."""
    log = tmp_path / "mail.log"
    log.write_bytes(lines(2, range(5, 9)) + lines(2, range(7, 24)))
    (gap,) = covered(log).files[0].gaps
    assert gap.kind == "clock-back"
    assert gap.line is not None
    assert (gap.line.place.line, "1:00:00" in gap.detail) == (5, True)
    log.write_bytes(lines(2, range(5)) + lines(6, range(5)) + lines(6, range(5, 9)))
    (gap,) = covered(log).files[0].gaps
    assert gap.kind == "silence"
    assert gap.line is not None
    assert gap.line.place.line == 6


def test_a_year_less_log_over_new_year_has_no_gap(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    line = "%s out1 postfix/smtp[8]: 4jXH3k3V2zzLhRZ: to=<mei@b.example>, relay=none, delay=1, dsn=4.4.1, status=deferred (x)\n"
    log.write_text(
        "".join(line % at for at in ("Dec 31 23:50:00", "Dec 31 23:59:59", "Jan  1 00:00:01", "Jan  1 05:00:00"))
    )
    assert covered(log).files[0].gaps == ()
