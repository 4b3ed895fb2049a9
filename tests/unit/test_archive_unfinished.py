"""What was not kept of a log, or not to its end, is told by every answer from the archive."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deliverability.api import archiving, keeping
from deliverability.api.archiving import IngestResult, ingest
from deliverability.api.cohorts import answer
from deliverability.api.from_archive import read_archive
from deliverability.api.requests import Request
from deliverability.api.summary import summarise
from deliverability.api.tracing import read_logs
from deliverability.capture.blocks import BLOCK
from deliverability.errors import CannotLookError
from deliverability.evidence.story import Coverage, Trace
from deliverability.ledger.archive import Archive
from deliverability.protocols.cohort_file import read_cohort_file

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ARRIVED = b"2026-11-22 05:31:18 1xV0AY-0000000004X-0RQm <= a@h.example P=esmtp S=500\n"
SENT = (
    b"2026-11-22 05:31:18 1xV0AY-0000000004X-0RQm => b@c.example R=dnslookup T=remote_smtp "
    b'H=mx.c.example [192.0.2.1] C="250 2.0.0 Ok: queued as 67C76FB008F8"'
)
IDLE = b"2026-11-22 05:31:17 Start queue run: pid=62\n"
LATER = b"2026-11-23 05:31:18 1xV0WY-0000000004X-0RQm <= a@h.example P=esmtp S=500\n"
QUESTION = Request(to=("b@c.example",), now=NOW)


def run(log: Path, archive: Path) -> IngestResult:
    return ingest(Request(logs=(str(log),), now=NOW), archive)


def asked(archive: Path, question: Request = QUESTION) -> Trace:
    return read_archive(replace(question, archive=archive), archive)[0]


def of_files(log: Path) -> Trace:
    return read_logs(replace(QUESTION, logs=(str(log),)))[0]


def gaps(coverage: Coverage) -> list[tuple[str, int | None]]:
    return [(gap.kind, gap.line.place.line if gap.line else None) for file in coverage.files for gap in file.gaps]


def rotated(folder: Path) -> Path:
    """A set whose older file ends in the middle of a line."""
    (folder / "mainlog.1").write_bytes(ARRIVED + SENT)
    (folder / "mainlog").write_bytes(LATER)
    return folder / "mainlog"


# --- a last line without its end --------------------------------------------------------------------------------------


def test_a_rotated_log_is_kept_with_its_last_line_that_has_no_end(tmp_path: Path) -> None:
    log, archive = rotated(tmp_path), tmp_path / "a.db"
    files = run(log, archive).files
    assert [(file.octets, file.waiting) for file in files] == [(len(ARRIVED + SENT), 0), (len(LATER), 0)]
    assert asked(archive).messages == of_files(log).messages != ()
    assert gaps(asked(archive).coverage) == gaps(of_files(log).coverage) == [("cut-line", 2)]
    assert keeping.verify(archive).problems == ()
    assert [file.octets for file in run(log, archive).files] == [0, 0]


def test_what_waited_in_a_live_log_is_kept_once_that_is_rotated(tmp_path: Path) -> None:
    log, archive = tmp_path / "mainlog", tmp_path / "a.db"
    log.write_bytes(ARRIVED + SENT)
    assert run(log, archive).files[0].waiting == len(SENT)
    log.rename(tmp_path / "mainlog.1")
    log.write_bytes(LATER)
    assert run(log, archive).files[0].octets == len(SENT)
    assert asked(archive).messages == of_files(log).messages != ()
    assert gaps(asked(archive).coverage) == [("cut-line", 2)]


def test_a_rotated_log_whose_last_line_gets_its_end_after_all_holds_it_once(tmp_path: Path) -> None:
    log, archive, once = rotated(tmp_path), tmp_path / "a.db", tmp_path / "once.db"
    run(log, archive)
    with (tmp_path / "mainlog.1").open("ab") as more:
        more.write(b" QT=1s\n" + SENT + b"\n")
    files = run(log, archive).files
    assert (files[0].octets, files[0].lines) == (len(b" QT=1s\n" + SENT + b"\n"), 2)
    run(log, once)
    assert asked(archive) == replace(asked(once), notes=asked(archive).notes)
    assert asked(archive).messages == of_files(log).messages
    assert gaps(asked(archive).coverage) == []
    assert keeping.verify(archive).problems == ()


def test_what_is_held_back_of_a_live_log_is_told_as_by_the_log_itself(tmp_path: Path) -> None:
    log, archive = tmp_path / "mainlog", tmp_path / "a.db"
    log.write_bytes(ARRIVED + SENT)
    run(log, archive)
    assert gaps(asked(archive).coverage) == gaps(of_files(log).coverage) == [("cut-line", 2)]
    assert any("the last line has no end" in note for note in asked(archive).notes)
    assert gaps(summarise(Request(archive=archive, now=NOW)).coverage) == [("cut-line", 2)]
    with log.open("ab") as more:
        more.write(b"\n")
    run(log, archive)
    assert gaps(asked(archive).coverage) == []


def test_what_is_held_back_leaves_no_copy_of_itself_in_what_is_known_of_the_log(tmp_path: Path) -> None:
    log, archive = tmp_path / "mainlog", tmp_path / "a.db"
    log.write_bytes(ARRIVED + SENT)
    run(log, archive)
    assert b"b@c.example" not in archive.read_bytes()


def test_a_last_line_that_states_no_time_does_not_date_the_log(tmp_path: Path) -> None:
    log, archive = rotated(tmp_path), tmp_path / "a.db"
    (tmp_path / "mainlog.1").write_bytes(ARRIVED + SENT + b"\n2026-1")
    run(log, archive)
    last = keeping.status(archive).files[0].last
    assert last is not None
    assert last.date() == datetime(2026, 11, 22, tzinfo=UTC).date()


# --- a run that was broken off ----------------------------------------------------------------------------------------


def broken_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, IngestResult]:
    """A log of which a full disk let half be kept."""
    log, archive = folder / "mainlog", folder / "a.db"
    log.write_bytes(IDLE * (3 * BLOCK // len(IDLE)) + ARRIVED + SENT + b"\n")
    monkeypatch.setattr(archiving, "BATCH", 1)
    keep = Archive.keep
    done: list[object] = []

    def until_full(self: Archive, *what: object) -> object:
        done.append(what)
        if len(done) > 2:
            raise CannotLookError("a.db: nothing was kept of this step: database or disk is full")
        return keep(self, *what)  # type: ignore[arg-type]

    monkeypatch.setattr(Archive, "keep", until_full)
    result = run(log, archive)
    monkeypatch.undo()
    return log, archive, result


def test_a_run_that_is_broken_off_says_what_it_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, archive, result = broken_off(tmp_path, monkeypatch)
    (file,) = result.files
    status = keeping.status(archive).files[0]
    assert file.failed
    assert file.note is not None
    assert "full" in file.note
    assert file.new
    assert 0 < file.octets == status.octets
    assert 0 < file.lines == status.lines


def test_what_was_kept_by_a_run_that_was_broken_off_is_not_told_as_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, archive, _ = broken_off(tmp_path, monkeypatch)
    trace = asked(archive)
    assert trace.messages == ()
    assert trace.coverage.blind
    assert any("kept up to octet" in note for note in trace.notes)
    assert summarise(Request(archive=archive, now=NOW)).coverage.blind
    run(log, archive)
    assert not asked(archive).coverage.blind
    assert asked(archive).messages == of_files(log).messages != ()


def test_a_run_that_cannot_keep_anything_of_a_new_log_does_not_call_it_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, archive = tmp_path / "mainlog", tmp_path / "a.db"
    log.write_bytes(ARRIVED + SENT + b"\n")

    def full(_self: Archive, *_what: object) -> object:
        raise CannotLookError("full")

    monkeypatch.setattr(Archive, "keep", full)
    (file,) = run(log, archive).files
    assert (file.octets, file.lines, file.new, file.failed, file.note) == (0, 0, False, True, "full")


# --- nothing is left, or nothing can be read --------------------------------------------------------------------------


def test_where_everything_was_pruned_nothing_is_told_as_not_there(tmp_path: Path) -> None:
    log, archive = tmp_path / "mainlog", tmp_path / "a.db"
    log.write_bytes(ARRIVED + SENT + b"\n")
    run(log, archive)
    keeping.prune(archive, datetime(2026, 11, 24, tzinfo=UTC))
    question = Request(archive=archive, now=NOW)
    listed = read_cohort_file(b"Address,Date\nb@c.example,2026-11-22T05:31:00Z\n").rows
    for ask in (lambda: asked(archive), lambda: summarise(question), lambda: answer(question, listed)):
        with pytest.raises(CannotLookError, match="holds no lines of any log"):
            ask()


def test_verify_finds_that_what_is_known_of_a_log_was_damaged(tmp_path: Path) -> None:
    log, archive = tmp_path / "mainlog", tmp_path / "a.db"
    log.write_bytes(ARRIVED + SENT + b"\n")
    run(log, archive)
    content = archive.read_bytes()
    at = content.index(b'"first": [[')
    archive.write_bytes(content[:at] + b'"first": 8[' + content[at + 11 :])
    assert any("what is known of a log cannot be read" in one for one in keeping.verify(archive).problems)


def test_an_archive_that_is_empty_yet_is_not_called_another_programs(tmp_path: Path) -> None:
    archive = tmp_path / "a.db"
    archive.touch()
    for look in (lambda: asked(archive), lambda: keeping.status(archive), lambda: keeping.verify(archive)):
        with pytest.raises(CannotLookError, match="empty: nothing was kept in it yet"):
            look()


def test_a_row_that_is_no_text_is_not_shown_in_full(tmp_path: Path) -> None:
    log, archive = tmp_path / "mainlog", tmp_path / "a.db"
    log.write_bytes((ARRIVED + SENT + b"\n") * 50)
    run(log, archive)
    content = archive.read_bytes()
    at = content.index(b'"first": [[')
    archive.write_bytes(content[: at + 40] + b"\xff" + content[at + 41 :])
    with pytest.raises(CannotLookError) as raised:
        asked(archive)
    assert len(str(raised.value)) < 400 + len(os.fspath(archive))


def test_half_a_line_at_the_end_of_a_log_does_not_hide_how_far_that_goes(tmp_path: Path) -> None:
    log, archive = tmp_path / "mainlog", tmp_path / "a.db"
    end = ARRIVED.replace(b"11-22", b"11-23").replace(b"1xV0AY", b"1xV0WY")
    rotated(tmp_path)
    (tmp_path / "mainlog.1").write_bytes(ARRIVED + IDLE * (2 * BLOCK // len(IDLE)) + end + b"2026-1")
    run(log, archive)
    of_archive = summarise(Request(archive=archive, now=NOW)).coverage.files[0]
    of_file = summarise(Request(logs=(str(log),), now=NOW)).coverage.files[0]
    assert (of_archive.first, of_archive.last) == (of_file.first, of_file.last)
    assert asked(archive).coverage.files[0].last == of_file.last


def test_a_log_of_half_a_line_is_told_to_wait(tmp_path: Path) -> None:
    log, archive = tmp_path / "mainlog", tmp_path / "a.db"
    log.write_bytes(ARRIVED[:-1])
    (file,) = run(log, archive).files
    assert (file.octets, file.lines, file.waiting, file.failed) == (0, 0, len(ARRIVED) - 1, False)
    log.write_bytes(ARRIVED)
    assert [(one.octets, one.waiting) for one in run(log, archive).files] == [(len(ARRIVED), 0)]
    log.write_bytes(b"")
    assert [(one.octets, one.waiting) for one in run(log, archive).files] == [(0, 0)]
