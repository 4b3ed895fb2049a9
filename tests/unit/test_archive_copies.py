"""A copy of a kept log that is shorter than what is kept of it, broken off or still being written, adds nothing."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deliverability.api import erasing, keeping
from deliverability.api.archiving import ingest
from deliverability.api.from_archive import read_archive
from deliverability.api.requests import Request
from deliverability.api.summary import summarise
from deliverability.capture.blocks import BLOCK

NOW = datetime(2026, 11, 25, tzinfo=UTC)
IDLE = b"2026-11-22 05:31:17 Start queue run: pid=62\n"
LATER = b"2026-11-24 05:31:17 Start queue run: pid=62\n"
MAIL = (
    b"2026-11-22 05:31:18 1xV0AY-0000000004X-0RQm <= a@h.example P=esmtp S=500\n"
    b"2026-11-22 05:31:18 1xV0AY-0000000004X-0RQm => b@c.example R=dnslookup T=remote_smtp "
    b'H=mx.c.example [192.0.2.1] C="250 2.0.0 Ok: queued as 67C76FB008F8"\n'
    b"2026-11-22 05:31:18 1xV0AY-0000000004X-0RQm Completed\n"
)
CONTENT = MAIL + IDLE * (BLOCK // len(IDLE)) + MAIL.replace(b"4X-0R", b"5X-0R") + LATER * (2 * BLOCK // len(LATER))
SHORTER = [len(MAIL) + 20, BLOCK + 5000, 2 * BLOCK + 1]


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, Path]:
    """A log and the archive of it."""
    log, archive = tmp_path / "mainlog", tmp_path / "a.db"
    log.write_bytes(CONTENT)
    assert ingest(Request(logs=(str(log),), now=NOW), archive).files[0].octets == len(CONTENT)
    return log, archive


def nothing_new(archive: Path, copy: Path) -> bool:
    (file,) = ingest(Request(logs=(str(copy),), now=NOW), archive).files
    return not file.octets and "nothing new" in (file.note or "") and len(keeping.status(archive).files) == 1


@pytest.mark.parametrize("size", SHORTER)
def test_a_shorter_copy_is_nothing_new_whatever_was_erased_since(kept: tuple[Path, Path], size: int) -> None:
    log, archive = kept
    copy = log.with_name("copy.log")
    copy.write_bytes(CONTENT[:size])
    assert nothing_new(archive, copy)
    erased = erasing.erase(Request(to=("b@c.example",), now=NOW), archive)
    assert erased.blanked
    assert nothing_new(archive, copy)
    assert not read_archive(Request(to=("b@c.example",), now=NOW), archive)[0].messages


@pytest.mark.parametrize("size", SHORTER[:2])
def test_so_is_one_that_is_being_compressed(kept: tuple[Path, Path], size: int) -> None:
    log, archive = kept
    erasing.erase(Request(to=("b@c.example",), now=NOW), archive)
    packed = gzip.compress(CONTENT[:size]) + gzip.compress(CONTENT[size:])
    copy = log.with_name("copy.gz")
    copy.write_bytes(packed[: len(gzip.compress(CONTENT[:size])) + 12])
    ingest(Request(logs=(str(copy),), now=NOW), archive)
    assert len(keeping.status(archive).files) == 1


def test_so_is_one_of_whose_beginning_was_pruned(kept: tuple[Path, Path]) -> None:
    log, archive = kept
    assert keeping.prune(archive, datetime(2026, 11, 23, tzinfo=UTC))
    assert keeping.status(archive).files[0].pruned < 2 * BLOCK
    copy = log.with_name("copy.log")
    copy.write_bytes(CONTENT[: 2 * BLOCK + 100])
    assert nothing_new(archive, copy)


@pytest.mark.parametrize("erase", [False, True])
def test_another_log_with_the_same_first_line_is_kept(kept: tuple[Path, Path], *, erase: bool) -> None:
    log, archive = kept
    if erase:
        erasing.erase(Request(to=("b@c.example",), now=NOW), archive)
    other = log.with_name("other.log")
    other.write_bytes(MAIL.splitlines(keepends=True)[0] + MAIL.replace(b"4X-0R", b"6X-0R"))
    (file,) = ingest(Request(logs=(str(other),), now=NOW), archive).files
    assert file.octets == other.stat().st_size
    assert "otherwise" not in (file.note or "")


def test_a_shorter_copy_beside_the_archive_counts_no_line_twice(kept: tuple[Path, Path]) -> None:
    log, archive = kept
    alone = summarise(Request(archive=archive, now=NOW))
    for size in SHORTER:
        copy = log.with_name("copy.log")
        copy.write_bytes(CONTENT[:size])
        both = summarise(Request(archive=archive, logs=(str(copy),), now=NOW))
        assert both.total == alone.total


def test_a_copy_beside_the_archive_still_tells_what_was_erased_from_that(kept: tuple[Path, Path]) -> None:
    log, archive = kept
    erasing.erase(Request(to=("b@c.example",), now=NOW), archive)
    copy = log.with_name("copy.log")
    copy.write_bytes(CONTENT[: BLOCK // 2])
    question = Request(to=("b@c.example",), logs=(str(copy),), now=NOW)
    assert read_archive(question, archive)[0].messages


def test_a_log_that_was_changed_since_is_told_as_that_by_every_answer(kept: tuple[Path, Path]) -> None:
    log, archive = kept
    log.write_bytes(MAIL + IDLE * 200 + CONTENT[len(MAIL + IDLE * 201) :])
    (file,) = ingest(Request(logs=(str(log),), now=NOW), archive).files
    assert file.octets == log.stat().st_size
    assert file.note is not None
    assert "begins as one that is kept, and goes on otherwise" in file.note
    assert "rotated away" not in file.note
    trace = read_archive(Request(to=("b@c.example",), now=NOW), archive)[0]
    told = [note for note in (*trace.notes, *summarise(Request(archive=archive, now=NOW)).notes) if "otherwise" in note]
    assert len(told) == 2
    assert all("may be in it twice" in note and note.startswith(str(log)) for note in told)
    assert not any(gap.kind == "missing-rotation" for one in trace.coverage.files for gap in one.gaps)
