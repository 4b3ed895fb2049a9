"""A log that is followed: no line is lost that can be had, and where one may be, or nothing can be seen, that is told."""

import gzip
import os
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from deliverability.api.following import follow
from deliverability.api.requests import Request
from deliverability.capture import followed
from deliverability.capture.follow import GrowingFile
from deliverability.errors import CannotLookError
from deliverability.evidence.event import DeliveryEvent


class Log:
    """A log that is followed, and what is said of that."""

    def __init__(self, path: Path, *, there: bool = True) -> None:
        self.path = path
        self.remarks: list[str] = []
        if there:
            path.write_bytes(b"old\n")
        self.growing = GrowingFile("", str(path), self.remarks.append)

    def look(self) -> list[bytes]:
        return [line.raw for line in self.growing.lines()]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "mainlog")


def rename(log: Log, *, create: bool = True) -> None:
    log.path.rename(log.path.with_name("mainlog.1"))
    if create:
        log.path.touch()


def test_what_the_server_still_writes_to_the_old_file_is_read(log: Log) -> None:
    with log.path.open("ab", buffering=0) as file:
        file.write(b"1\n")
        rename(log)
        assert log.look() == [b"1"]
        file.write(b"2\n")
        assert log.look() == [b"2"]
        assert log.look() == []
        file.write(b"3\n4 without its end")
    with log.path.open("ab") as file:
        file.write(b"5\n")
    assert log.look() == [b"3", b"4 without its end", b"5"]
    assert log.look() == []
    assert log.remarks == []


def test_a_successor_that_is_rotated_away_at_once_is_read_too(log: Log) -> None:
    with log.path.open("ab", buffering=0) as file:
        rename(log)
        assert log.look() == []
        file.write(b"1\n")
        rename(log)
        assert log.look() == [b"1"]
        file.write(b"2\n")
        log.path.write_bytes(b"3\n")
        log.path.rename(log.path.with_name("mainlog.2"))
        log.path.write_bytes(b"4\n")
        assert log.look() == [b"2", b"3", b"4"]


def test_what_was_rotated_away_twice_between_two_looks_is_read_in_order(log: Log) -> None:
    with log.path.open("ab", buffering=0) as file:
        file.write(b"1\n")
        for number in range(2, 6):
            for old in sorted(log.path.parent.glob("mainlog.*"), reverse=True):
                old.rename(old.with_suffix(f".{int(old.suffix[1:]) + 1}"))
            rename(log)
            log.path.write_bytes(b"%d\n" % number)
        assert log.look() == [b"1", b"2", b"3", b"4", b"5"]
        assert log.look() == []
        assert log.remarks == []


def test_what_was_rotated_long_ago_under_another_kind_of_name_is_not_told_as_new(log: Log) -> None:
    old = log.path.with_name("mainlog-20250101")
    old.write_bytes(b"long ago\n")
    os.utime(old, (1735689600, 1735689600))
    rename(log)
    log.path.write_bytes(b"1\n")
    assert log.look() == [b"1"]


def test_what_came_after_a_file_that_was_compressed_meanwhile_is_read(log: Log) -> None:
    with log.path.open("ab") as file:
        file.write(b"1\n")
    assert log.look() == [b"1"]
    packed, later, unpacked = (log.path.with_name(f"mainlog.{end}") for end in ("3.gz", "1", "4"))
    packed.write_bytes(gzip.compress(b"old\n1\n"))
    shutil.copystat(log.path, packed)
    log.path.unlink()
    unpacked.write_bytes(b"long ago, unpacked again today\n")
    log.path.with_name("mainlog.2").write_bytes(b"2\n")
    later.write_bytes(b"3\n")
    log.path.write_bytes(b"4\n")
    assert log.look() == [b"2", b"3", b"4"]
    assert log.remarks == []


def test_what_was_compressed_meanwhile_is_told(log: Log) -> None:
    log.path.rename(log.path.with_name("mainlog.2"))
    log.path.with_name("mainlog.1.gz").write_bytes(gzip.compress(b"1\n"))
    log.path.write_bytes(b"2\n")
    assert log.look() == [b"2"]
    assert ["mainlog.1.gz" in said and "unseen" in said for said in log.remarks] == [True]


def test_all_of_the_old_file_is_read_however_much_that_is(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "PIECE", 8)
    lines = [b"line %d" % n for n in range(1000)]
    with log.path.open("ab") as file:
        file.write(b"\n".join(lines) + b"\n")
    rename(log)
    log.path.write_bytes(b"new\n")
    assert log.look() == [*lines, b"new"]


def test_what_was_copied_before_a_log_was_emptied_is_read_in_the_copy(log: Log) -> None:
    with log.path.open("ab", buffering=0) as file:
        log.path.with_name("mainlog.2").write_bytes(b"other\n" * 9)
        log.path.with_name("mainlog.3.gz").write_bytes(b"old\n1\n")  # not what its name says
        file.write(b"1\nhal")
        assert log.look() == [b"1"]
        file.write(b"f\n2\n")
        shutil.copyfile(log.path, log.path.with_name("mainlog.1"))
        file.write(b"lost\n")
        os.truncate(log.path, 0)
        file.write(b"3\n")
        lines = list(log.growing.lines())
    assert [(line.raw, Path(line.place.file).name, line.place.line) for line in lines] == [
        (b"half", "mainlog.1", 3),
        (b"2", "mainlog.1", 4),
        (b"3", "mainlog", 1),
    ]
    assert [("was emptied: read on in" in said, "may be unseen" in said) for said in log.remarks] == [(True, True)]
    assert log.look() == []


def test_that_a_log_was_emptied_is_told(log: Log) -> None:
    with log.path.open("ab") as file:
        file.write(b"1\n")
    log.path.with_name("mainlog.1").write_bytes(b"another\n")
    os.truncate(log.path, 0)
    assert log.look() == []
    assert ["was emptied: what was written just before that may be unseen" in said for said in log.remarks] == [True]
    with log.path.open("ab") as file:
        file.write(b"2\n")
    assert log.look() == [b"2"]
    assert len(log.remarks) == 1


def test_a_log_that_is_not_there_is_told_once_and_read_when_it_comes(tmp_path: Path) -> None:
    log = Log(tmp_path / "mainlog", there=False)
    assert log.look() == log.look() == []
    assert ["No such file" in said for said in log.remarks] == [True]
    assert log.growing.problem
    log.path.write_bytes(b"1\n")
    assert log.look() == [b"1"]
    assert log.growing.problem is None


def test_a_log_that_cannot_be_opened_any_more_is_told(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    rename(log, create=False)
    log.path.write_bytes(b"1\n")
    really = os.open

    def refused(path: str, *how: object) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refused)
    assert log.look() == []
    assert log.remarks == []  # a rotation may give the file to its owner a moment later
    assert log.look() == log.look() == []
    assert ["Permission denied" in said for said in log.remarks] == [True]
    monkeypatch.setattr(os, "open", really)
    assert log.look() == [b"1"]
    assert log.growing.problem is None


def during(log: Path, what: Callable[[], None]) -> int:
    """Follow a log for three looks; ``what`` happens after the first."""
    looks: list[float] = []

    def pause(_seconds: float) -> None:
        looks.append(0)
        if len(looks) == 1:
            what()
        time.sleep(0.05)

    told: list[DeliveryEvent] = []
    return follow(Request(logs=(str(log),), to=("b@c.example",)), told.append, timedelta(seconds=0.2), pause)


def test_where_nothing_could_be_seen_none_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(CannotLookError, match="No such file"):
        during(tmp_path / "mainlog", lambda: None)
    assert during(tmp_path / "mainlog", (tmp_path / "mainlog").touch) == 0
