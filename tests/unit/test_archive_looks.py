"""Two processes that look through a log make the archive that one makes."""

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deliverability.api import archive_cuts, archive_looks, archiving
from deliverability.api.requests import Request
from deliverability.capture import aside
from deliverability.capture.files import LogFile
from deliverability.capture.worker import AHEAD, Worker
from deliverability.ledger.archive import Archive

LOGS = Path(__file__).parents[1] / "cases" / "logs"
EXIM = (LOGS / "exim" / "4.98-cpanel" / "mainlog").read_bytes()
POSTFIX = (LOGS / "postfix" / "postfix-3.10.iso8601.log").read_bytes()
NOW = datetime(2026, 11, 25, tzinfo=UTC)
NO_LOG = b"2026-11-22 nothing of any server's\n" * 30_000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many segments, and a child for the smallest of logs."""
    monkeypatch.setattr(archive_cuts, "BLOCK", 1 << 14)
    monkeypatch.setattr(archive_looks, "WORTHWHILE", 1)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """As with two processors; the children that were made."""
    made: list[int] = []
    child = aside.child

    def counted(work: object) -> int:
        made.append(child(work))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(aside, "possible", lambda: True)
    monkeypatch.setattr(aside, "child", counted)
    return made


def kept(archive: Path) -> list[object]:
    """All of it, with its index, but for when it was made."""
    with Archive.open(archive) as opened:
        sources, segments = opened.overview()
        asked = "SELECT segment, hashes FROM tokens ORDER BY segment"
        return [
            [(s.path, s.position, s.line, s.tail, s.facts) for s in sources],
            [(s, opened.content(s)) for s in segments],
            opened._database.execute(asked).fetchall(),
        ]


def made(archive: Path, *logs: Path) -> list[object]:
    archiving.ingest(Request(logs=tuple(map(str, logs)), now=NOW), archive)
    return kept(archive)


def alone(archive: Path, *logs: Path) -> list[object]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(aside, "possible", lambda: False)
        return made(archive, *logs)


@pytest.mark.parametrize(
    "content",
    [EXIM, POSTFIX, EXIM + POSTFIX + EXIM, POSTFIX + b"x" * 200_000 + b"\n" + EXIM, NO_LOG + POSTFIX],
    ids=["exim", "postfix", "a second format later", "a line longer than a segment", "nothing known at first"],
)
def test_the_archive_is_that_of_one(content: bytes, tmp_path: Path, two: list[int]) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(content)
    assert made(tmp_path / "two.db", log) == alone(tmp_path / "one.db", log)
    assert len(two) == 1


@pytest.mark.parametrize("at", range(0, 20, 3))
def test_a_format_that_is_met_while_others_are_looked_through(at: int, tmp_path: Path, two: list[int]) -> None:
    lines = (POSTFIX * 2).splitlines(keepends=True)
    place = len(lines) * (at + 1) // 22
    log = tmp_path / "mail.log"
    log.write_bytes(b"".join([*lines[:place], *EXIM.splitlines(keepends=True)[:40], *lines[place:]]))
    assert made(tmp_path / "two.db", log) == alone(tmp_path / "one.db", log)


def test_what_was_under_way_of_a_log_that_changed_is_not_taken_for_the_next(
    tmp_path: Path, two: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    still = archiving._still

    def changed(stream: object, beginning: object, file: LogFile) -> None:
        if file.path.endswith("a.log"):
            raise archiving.ChangedError("it changed")
        still(stream, beginning, file)  # type: ignore[arg-type]

    monkeypatch.setattr(archiving, "_still", changed)
    logs = [tmp_path / name for name in ("a.log", "b.log", "c.log")]
    for log, content in zip(logs, (EXIM * 3, NO_LOG, POSTFIX), strict=True):
        log.write_bytes(content)
    assert made(tmp_path / "two.db", *logs) == alone(tmp_path / "one.db", *logs)
    assert len(two) == 1


def test_a_child_that_is_killed_is_done_without(
    tmp_path: Path, two: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, given = tmp_path / "mainlog", []
    log.write_bytes(EXIM * 3)
    give = Worker.give

    def killed(worker: Worker, content: bytes, said: object) -> None:
        given.append(said)
        if len(given) == 4:
            os.kill(two[0], signal.SIGKILL)
        give(worker, content, said)

    monkeypatch.setattr(Worker, "give", killed)
    assert made(tmp_path / "two.db", log) == alone(tmp_path / "one.db", log)
    assert 4 <= len(given) <= 4 + AHEAD


def test_where_no_process_can_be_made_one_does_it(
    tmp_path: Path, two: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: object) -> int:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(aside, "child", refused)
    log = tmp_path / "mainlog"
    log.write_bytes(EXIM)
    assert made(tmp_path / "two.db", log) == alone(tmp_path / "one.db", log)
    assert not two


def test_no_child_is_left_behind(tmp_path: Path, two: list[int]) -> None:
    log = tmp_path / "mainlog"
    log.write_bytes(EXIM)
    made(tmp_path / "a.db", log)
    with pytest.raises(ProcessLookupError):
        os.kill(two[0], 0)
    with pytest.raises(Exception, match="not a plain file"):
        archiving.ingest(Request(logs=(str(log),), now=NOW), tmp_path)
    assert len(two) == 2
    with pytest.raises(ProcessLookupError):
        os.kill(two[1], 0)
