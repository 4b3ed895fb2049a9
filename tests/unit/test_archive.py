"""The archive: what the logs held, each line once and none left out, and the same answers as from the files."""

import bz2
import gzip
import os
import random
import re
import shutil
import signal
import sqlite3
import string
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.api import archive_layout
from deliverability.api.archive_tokens import (
    COVERED,
    address_token,
    addresses_in,
    id_token,
    ids_in,
    needle_token,
    tokens_of,
)
from deliverability.api.archiving import ingest
from deliverability.api.erasing import erase
from deliverability.api.from_archive import read_archive
from deliverability.api.keeping import prune, reindex, status, verify
from deliverability.api.requests import Request
from deliverability.api.search import load_formats
from deliverability.api.tracing import read_logs
from deliverability.capture.blocks import BLOCK
from deliverability.errors import CannotLookError, UsageError
from deliverability.evidence.story import Coverage, Message, Trace
from deliverability.ledger.archive import MAX_SEGMENT, Archive

CASES = Path(__file__).parents[1] / "cases"
LOGS = CASES / "logs"
POSTFIX = (LOGS / "postfix" / "postfix-3.10.rfc3164.log").read_bytes()
POSTFIX_ISO = (LOGS / "postfix" / "postfix-3.10.iso8601.log").read_bytes()
EXIM = (LOGS / "exim" / "4.98-cpanel" / "mainlog").read_bytes()
NOW = datetime(2026, 11, 25, tzinfo=UTC)
ADDRESS = re.compile(rb"[A-Za-z0-9._+=-]+@[a-z0-9.-]+\.[a-z]+")


def kept(archive: Path) -> dict[str, bytes]:
    """What the archive holds of each log."""
    with Archive.open(archive) as opened:
        contents: dict[str, bytes] = {}
        for source in opened.sources():
            segments = opened.segments(source.id)
            assert [s.start for s in segments[1:]] == [s.end for s in segments[:-1]]
            content = b"".join(map(opened.content, segments))
            assert len(content) == source.position
            assert content.count(b"\n") == source.line
            contents[source.path] = contents.get(source.path, b"") + content
        return contents


def take(archive: Path, *logs: Path | str, **more: object) -> list[tuple[int, int]]:
    """One run; octets and lines of each file."""
    result = ingest(Request(logs=tuple(map(str, logs)), now=NOW, **more), archive)  # type: ignore[arg-type]
    return [(file.octets, file.lines) for file in result.files]


def big(content: bytes, size: int) -> bytes:
    return content * (size // len(content) + 1)


# --- every line, once -------------------------------------------------------------------------------------------------


def test_a_log_is_kept_octet_by_octet(tmp_path: Path) -> None:
    log, archive = tmp_path / "mail.log", tmp_path / "a.db"
    log.write_bytes(big(POSTFIX, 3 * BLOCK))
    assert take(archive, log) == [(log.stat().st_size, log.read_bytes().count(b"\n"))]
    assert kept(archive) == {str(log): log.read_bytes()}
    assert take(archive, log) == [(0, 0)]
    assert archive.stat().st_mode & 0o777 == 0o600


def test_what_is_new_is_added_and_a_line_without_its_end_waits(tmp_path: Path) -> None:
    log, archive = tmp_path / "mail.log", tmp_path / "a.db"
    lines = EXIM.splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:100]) + lines[100][:30])
    result = ingest(Request(logs=(str(log),), now=NOW), archive)
    assert result.files[0].waiting == 30
    assert kept(archive)[str(log)] == b"".join(lines[:100])
    log.write_bytes(b"".join(lines[:101]))
    assert take(archive, log) == [(len(lines[100]), 1)]
    assert kept(archive)[str(log)] == log.read_bytes()


def test_segments_are_the_same_however_often_it_was_run(tmp_path: Path) -> None:
    content = big(EXIM, 3 * BLOCK)
    log, often, once = tmp_path / "mail.log", tmp_path / "often.db", tmp_path / "once.db"
    step = len(content) // 7
    for end in [*range(step, len(content), step), len(content)]:
        log.write_bytes(content[:end])
        take(often, log)
    take(once, log)
    with Archive.open(often) as one, Archive.open(once) as other:
        assert [(s.start, s.line, s.size, s.sha256, s.facts) for s in one.segments()] == [
            (s.start, s.line, s.size, s.sha256, s.facts) for s in other.segments()
        ]


class Rotating:
    """A log in a folder, written on and rotated."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.written, self.count = folder, b"", 0
        self.log = folder / "mail.log"
        self.lines = iter(big(EXIM, 40 * len(EXIM)).splitlines(keepends=True))
        self.log.touch()

    def write(self, lines: int) -> None:
        for _ in range(lines):
            self.count += 1
            line = b"%s #%d\n" % (next(self.lines).rstrip(b"\n"), self.count)  # no two lines are alike
            self.written += line
            with self.log.open("ab") as file:
                file.write(line)

    def rotate(self, how: str) -> None:
        if not self.log.stat().st_size:
            return
        members = sorted(self.folder.glob("mail.log.*"), key=lambda p: -int(p.name.split(".")[2]))
        for member in members:
            words = member.name.split(".")
            words[2] = str(int(words[2]) + 1)
            member.rename(self.folder / ".".join(words))
        first = self.folder / "mail.log.1"
        if how == "copytruncate":
            shutil.copyfile(self.log, first)
            os.truncate(self.log, 0)
        else:
            self.log.rename(first)
            self.log.touch()
        for member in [self.folder / "mail.log.2"] * (how == "compress"):
            if member.exists():
                (self.folder / "mail.log.2.gz").write_bytes(gzip.compress(member.read_bytes()))
                member.unlink()


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_between_runs_every_line_is_kept_once(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    rotating, archive = Rotating(tmp_path), tmp_path / "archive" / "a.db"
    for _ in range(25):
        what = chance.choice(["write", "write", "rename", "copytruncate", "compress", "run", "run"])
        if what == "write":
            rotating.write(chance.randrange(1, 400))
        elif what == "run":
            result = ingest(Request(logs=(str(rotating.log),), now=NOW), archive)
            assert not result.failed
            assert all("never seen" not in (file.note or "") for file in result.files)
        else:
            rotating.rotate(what)
    if rotating.written:
        ingest(Request(logs=(str(rotating.log),), now=NOW), archive)
        lines = [line for content in kept(archive).values() for line in content.splitlines(keepends=True)]
        assert sorted(lines) == sorted(rotating.written.splitlines(keepends=True))


def test_a_log_that_was_rotated_away_between_two_runs_leaves_a_gap(tmp_path: Path) -> None:
    log, archive = tmp_path / "mail.log", tmp_path / "a.db"
    lines = POSTFIX_ISO.splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:500]))
    take(archive, log)
    log.write_bytes(b"".join(lines[900:]))  # what was written before is nowhere
    result = ingest(Request(logs=(str(log),), now=NOW), archive)
    assert "was rotated away between two runs: lines between 2026-" in (result.files[0].note or "")
    trace, _ = read_archive(Request(to=("jo32@corp.example",), now=NOW), archive)
    (gap,) = [gap for file in trace.coverage.files for gap in file.gaps if gap.kind == "missing-rotation"]
    assert "were never seen" in gap.detail
    assert take(archive, log) == [(0, 0)]


def test_a_file_that_differs_is_another(tmp_path: Path) -> None:
    log, archive = tmp_path / "mail.log", tmp_path / "a.db"
    lines = EXIM.splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:300]))
    take(archive, log)
    other = [lines[0], *(line.replace(b"2026", b"2027") for line in lines[1:400])]
    log.write_bytes(b"".join(other))  # begins alike, and goes on otherwise
    take(archive, log)
    with Archive.open(archive) as opened:
        assert [s.position for s in opened.sources()] == [len(b"".join(lines[:300])), len(b"".join(other))]


def test_a_copy_that_is_shorter_is_nothing_new(tmp_path: Path) -> None:
    log, archive, part = tmp_path / "mail.log", tmp_path / "a.db", tmp_path / "mail.log.1.gz"
    log.write_bytes(EXIM)
    take(archive, log)
    part.write_bytes(gzip.compress(EXIM)[: 3 * len(gzip.compress(EXIM)) // 4])
    (done,) = ingest(Request(logs=(str(part),), now=NOW), archive).files
    assert (done.octets, "shorter than what is kept" in (done.note or "")) == (0, True)


def test_a_damaged_archive_file_gives_what_it_holds_and_a_whole_one_the_rest(tmp_path: Path) -> None:
    packed, archive = tmp_path / "mail.log.1.gz", tmp_path / "a.db"
    whole = gzip.compress(EXIM)
    packed.write_bytes(whole[: len(whole) // 2])
    result = ingest(Request(logs=(str(packed),), now=NOW), archive)
    assert result.failed
    held = kept(archive)[str(packed)]
    assert held and EXIM.startswith(held)
    packed.write_bytes(whole)
    assert not ingest(Request(logs=(str(packed),), now=NOW), archive).failed
    assert kept(archive) == {str(packed): EXIM}


@pytest.mark.parametrize(
    ("name", "pack"), [("mail.log.1.gz", gzip.compress), ("mail.log.1.bz2", bz2.compress), ("plain.log", bytes)]
)
def test_compression_between_two_runs_changes_nothing(name: str, pack: object, tmp_path: Path) -> None:
    log, archive, packed = tmp_path / "mail.log", tmp_path / "a.db", tmp_path / name
    lines = EXIM.splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:200]))
    take(archive, log)
    log.unlink()
    packed.write_bytes(pack(EXIM))  # type: ignore[operator]
    take(archive, packed)
    assert kept(archive) == {str(packed): EXIM}
    assert take(archive, packed) == [(0, 0)]


@pytest.mark.parametrize("size", [100 << 10, 2 << 20, 10 << 20])
def test_long_lines_and_lines_without_end(size: int, tmp_path: Path) -> None:
    log, archive = tmp_path / "mail.log.1.gz", tmp_path / "a.db"
    content = EXIM + b"2026-11-22 05:00:00 " + b"x" * size + b"\n" + EXIM + b"2026-11-22 no end"
    log.write_bytes(gzip.compress(content, 1))
    take(archive, log)
    assert kept(archive) == {str(log): content}
    if size < MAX_SEGMENT:
        same_answer((str(log),), archive, "mei.lin@gmail.com")


def test_a_container_is_kept_as_its_lines(tmp_path: Path) -> None:
    export, archive = CASES.parents[1] / "examples" / "wrapped", tmp_path / "a.db"
    logs = [str(path) for path in sorted(export.iterdir()) if path.suffix in (".ndjson", ".export", ".csv", ".json")]
    assert logs
    ingest(Request(logs=tuple(logs), now=NOW), archive)
    with Archive.open(archive) as opened:
        assert {s.container for s in opened.sources()} != {None}


# --- broken off, at once, full ----------------------------------------------------------------------------------------

RUN = """
import sys
from pathlib import Path
from deliverability.api import archiving
from deliverability.api.requests import Request
archiving.BATCH = 1  # more moments at which something is half done
print("begun", flush=True)
archiving.ingest(Request(logs=tuple(sys.argv[2:])), Path(sys.argv[1]))
"""


def test_killed_at_any_moment_it_goes_on_where_it_was(tmp_path: Path) -> None:
    chance = random.Random(4)
    log, archive = tmp_path / "mail.log", tmp_path / "a.db"
    content = big(POSTFIX, 12 * BLOCK)
    log.write_bytes(content)
    reached: set[int] = set()
    for attempt in range(60):
        if len(reached) > 1:
            break
        with subprocess.Popen([sys.executable, "-c", RUN, archive, log], stdout=subprocess.PIPE) as run:
            assert run.stdout and run.stdout.readline()
            time.sleep(chance.uniform(0, 0.05 * (attempt + 1)))
            run.send_signal(signal.SIGKILL)
        if archive.exists() and archive.stat().st_size:
            with Archive.open(archive, write=True) as opened:
                for source in opened.sources():
                    reached.add(source.position)
                    assert b"".join(map(opened.content, opened.segments(source.id))) == content[: source.position]
    take(archive, log)
    assert kept(archive) == {str(log): content}
    assert any(0 < position < len(content) for position in reached)


def test_the_second_who_writes_is_told(tmp_path: Path) -> None:
    archive, log = tmp_path / "a.db", tmp_path / "mail.log"
    log.write_bytes(EXIM)
    take(archive, log)
    with Archive.open(archive, write=True), pytest.raises(CannotLookError, match="another process is writing"):
        take(archive, log)


def test_a_full_disk_keeps_what_was_whole(tmp_path: Path) -> None:
    archive, log = tmp_path / "a.db", tmp_path / "mail.log"
    log.write_bytes(EXIM)
    take(archive, log)
    with Archive.open(archive, write=True) as opened:
        pages = opened._database.execute("PRAGMA page_count").fetchone()[0]
        opened._database.execute(f"PRAGMA max_page_count = {pages}")
        source = opened.sources()[0]
        with pytest.raises(CannotLookError, match="full"):
            opened.keep(replace(source, facts="x" * 500_000), (), NOW, source.position)
        assert opened.sources() == (source,)
    assert kept(archive) == {str(log): EXIM}


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 100, b"SQLite format 3\0" + b"\0" * 2000])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "a.db"
    archive.write_bytes(content)
    with pytest.raises(CannotLookError):
        read_archive(Request(to=("a@b.example",), now=NOW), archive)
    assert archive.read_bytes() == content


def test_a_newer_archive_and_that_of_another_program_are_refused(tmp_path: Path) -> None:
    archive, log = tmp_path / "a.db", tmp_path / "mail.log"
    log.write_bytes(EXIM)
    take(archive, log)
    for pragma, words in (("user_version = 99", "newer version"), ("application_id = 7", "some other program")):
        with closing(sqlite3.connect(archive)) as database, database:
            database.execute(f"PRAGMA {pragma}")
        database.close()
        with pytest.raises(CannotLookError, match=words):
            take(archive, log)
        with pytest.raises(CannotLookError, match=words):
            read_archive(Request(to=("a@b.example",), now=NOW), archive)


def test_a_truncated_archive_is_told(tmp_path: Path) -> None:
    archive, log = tmp_path / "a.db", tmp_path / "mail.log"
    log.write_bytes(big(EXIM, 4 * BLOCK))
    take(archive, log)
    os.truncate(archive, archive.stat().st_size // 2)
    with pytest.raises(CannotLookError):
        read_archive(Request(to=("mei.lin@gmail.com",), now=NOW), archive)


def test_a_damaged_segment_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    archive, log = tmp_path / "a.db", tmp_path / "mail.log"
    log.write_bytes(big(POSTFIX_ISO, 4 * BLOCK))
    take(archive, log)
    with Archive.open(archive) as opened:
        segments = opened.segments()
    with closing(sqlite3.connect(archive)) as database, database:
        database.execute("UPDATE segment SET content = x'00' WHERE id = ?", (segments[1].id,))
    database.close()
    trace, _ = read_archive(Request(to=("jo32@corp.example",), now=NOW), archive)
    gaps = [gap for file in trace.coverage.files for gap in file.gaps]
    assert [gap.kind for gap in gaps if gap.kind == "damaged"] == ["damaged"]
    lines = [line for message in trace.messages for line in message.lines]
    content = log.read_bytes()
    assert lines
    assert all(content.startswith(line.raw, line.place.offset) for line in lines)
    assert not any(segments[1].start <= line.place.offset < segments[1].end for line in lines)


# --- the same answer --------------------------------------------------------------------------------------------------


def comparable(coverage: Coverage) -> object:
    return [replace(file, gaps=tuple(sorted(file.gaps, key=repr))) for file in coverage.files]


def same_answer(logs: Iterable[str], archive: Path, *to: str, **asked: object) -> Trace:
    request = Request(to=to, now=NOW, **asked)  # type: ignore[arg-type]
    files, unread = read_logs(replace(request, logs=tuple(logs)))
    trace, same_unread = read_archive(request, archive)
    assert trace.messages == files.messages
    assert comparable(trace.coverage) == comparable(files.coverage)
    assert trace.coverage.sources == files.coverage.sources
    assert trace.notes[1:] == files.notes
    assert same_unread == unread
    return trace


NO_LOG = ("bp",)  # what "exim -bp" prints of the queue
SAMPLES = [
    path
    for path in sorted(LOGS.rglob("*")) + sorted((CASES / "ingest").rglob("*.log"))
    if path.is_file() and path.suffix != ".toml" and path.name not in NO_LOG
]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_every_recipient_and_id_of_every_sample(path: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.db"
    content = path.read_bytes()
    take(archive, path)
    chance = random.Random(7)
    names = sorted({match.decode() for match in ADDRESS.findall(content)})
    told = 0
    for name in chance.sample(names, min(8, len(names))):
        told += len(same_answer((str(path),), archive, name).messages)
    formats = [fmt for fmt in load_formats() if fmt.sniff(content) > 0]
    ids = sorted({i for line in content.split(b"\n") for fmt in formats for i in fmt.queue_ids(line)})
    for queue_id in chance.sample(ids, min(5, len(ids))):
        told += len(same_answer((str(path),), archive, queue_id=queue_id).messages)
    assert told or path.parent.parent.name == "ingest"


NOISE = b"".join(b"TIME out1 postfix/anvil[77]: statistics: max cache size %d at Nov 22\n" % n for n in range(4_000))


def spread(content: bytes, every: int) -> bytes:
    """Lines of a log with so many others between them that one message's lines stand in several segments."""
    lines = content.splitlines(keepends=True)
    parts = [lines[n : n + every] for n in range(0, len(lines), every)]
    return b"".join(b"".join(part) + NOISE.replace(b"TIME", part[-1][:15]) for part in parts)


def rotated_set(folder: Path) -> tuple[tuple[str, ...], Path]:
    """A rotated set in which messages go over segments and files, and its archive."""
    content = spread(POSTFIX, 60)
    thirds = [content.rfind(b"\n", 0, len(content) * n // 3) + 1 for n in (1, 2)]
    (folder / "mail.log.2.gz").write_bytes(gzip.compress(content[: thirds[0]], 1))
    (folder / "mail.log.1").write_bytes(content[thirds[0] : thirds[1]])
    (folder / "mail.log").write_bytes(content[thirds[1] :])
    archive = folder / "kept" / "a.db"
    take(archive, folder / "mail.log")
    return (str(folder / "mail.log"),), archive


@pytest.fixture(scope="module")
def scattered(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[str, ...], Path]:
    return rotated_set(tmp_path_factory.mktemp("scattered"))


@pytest.mark.parametrize("name", ["jo32@corp.example", "c@corp.example", "@hinet.example", "nobody@nowhere.example"])
def test_messages_that_go_over_segments_and_files(name: str, scattered: tuple[tuple[str, ...], Path]) -> None:
    trace = same_answer(*scattered, name)
    assert bool(trace.messages) == (name != "nobody@nowhere.example")


@pytest.mark.parametrize(
    "asked",
    [
        {"subject": "renewal"},
        {"sender": "renewals@hosting.example"},
        {"to": ["*"], "sender": "renewals@hosting.example"},
        {"to": ["jo32@corp.example"], "since": datetime(2026, 11, 22, tzinfo=UTC)},
        {"to": ["@corp.example"], "until": datetime(2026, 11, 22, 5, 3, tzinfo=UTC)},
    ],
)
def test_questions_that_the_index_helps_with_or_not(
    asked: dict[str, Any], scattered: tuple[tuple[str, ...], Path]
) -> None:
    logs, archive = scattered
    same_answer(logs, archive, *asked.pop("to", ()), **asked)  # type: ignore[misc]


def test_ids_and_message_ids(scattered: tuple[tuple[str, ...], Path]) -> None:
    logs, archive = scattered
    trace = same_answer(logs, archive, "@corp.example")
    for message in trace.messages[:3]:
        same_answer(logs, archive, message_id=message.message_id)
        for queue_id in message.queue_ids:
            assert same_answer(logs, archive, queue_id=queue_id).messages


def test_only_the_segments_that_matter_are_read(
    scattered: tuple[tuple[str, ...], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, archive = scattered
    read: set[int] = set()
    content = Archive.content
    monkeypatch.setattr(Archive, "content", lambda self, s: (read.add(s.id), content(self, s))[1])
    read_archive(Request(to=("jo32@corp.example",), now=NOW), archive)
    with Archive.open(archive) as opened:
        assert 0 < len(read) < len(opened.segments())
    read.clear()
    read_archive(Request(to=("nobody@nowhere.example",), now=NOW), archive)
    assert not read


def test_the_archive_and_live_files_together_tell_each_line_once(tmp_path: Path) -> None:
    logs, archive = rotated_set(tmp_path)
    alone, _ = read_logs(Request(logs=logs, to=("@corp.example",), now=NOW))
    with (tmp_path / "mail.log").open("ab") as file:
        file.write(NOISE.replace(b"TIME", b"Nov 22 06:00:00"))
    for gone in ("mail.log.1", "mail.log.2.gz"):
        (tmp_path / gone).unlink()
    both, _ = read_archive(Request(logs=logs, to=("@corp.example",), now=NOW), archive)
    assert [Path(file.file).name for file in both.coverage.files] == ["mail.log.2.gz", "mail.log.1", "mail.log"]
    assert both.coverage.files[2].size == (tmp_path / "mail.log").stat().st_size
    assert sorted(map(outline, both.messages)) == sorted(map(outline, alone.messages))


def outline(message: Message) -> tuple[object, ...]:
    states = [delivery.state.value for delivery in message.deliveries]
    return message.queue_ids, message.message_id, states, sorted(line.raw for line in message.lines)


def test_nothing_can_be_asked_of_an_archive_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CannotLookError, match="no such file"):
        read_archive(Request(to=("a@b.example",)), tmp_path / "none.db")
    assert not list(tmp_path.iterdir())


def test_a_question_without_an_answer_in_it_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read_archive(Request(), tmp_path / "none.db")


# --- time windows -----------------------------------------------------------------------------------------------------


def exim_id(day: int, second: int) -> bytes:
    """An id that was made on a day of November 2026, at five in the morning."""
    number, found = int(datetime(2026, 11, day, 5, 0, second, tzinfo=UTC).timestamp()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        found = (string.digits + string.ascii_uppercase + string.ascii_lowercase)[digit] + found
    return f"{found}-{day:011}-0000".encode()


def many_days(days: int) -> bytes:
    """A log of some 800 kB a day: each day two messages with a subject, one of them tried again the next day; and noise."""
    found = []
    for day in range(1, days + 1):
        today, next_day = b"2026-11-%02d 05:00:0" % day, b"2026-11-%02d 04:59:0" % (day + 1)
        first, later = exim_id(day, 0), exim_id(day, 1)
        host = b"R=dnslookup T=remote_smtp H=mx.x.example [192.0.2.1]"
        for n, queue_id in enumerate((first, later)):
            values = (today, n, queue_id, n, day, day)
            found.append(b'%b%d %b <= r@h.example U=r P=local S=100 id=m%d.%d@h.example T="Notice for day %d"' % values)
        found.append(b'%b3 %b => c%d@x.example %b C="250 OK"' % (today, first, day, host))
        found.append(b"%b3 %b Completed" % (today, first))
        full = b"SMTP error from remote mail server after RCPT TO:<c%d@x.example>: 452 4.2.2 full" % day
        found.append(b"%b4 %b == c%d@x.example %b defer (-44): %b" % (today, later, day, host, full))
        found += [b"%b5 SMTP connection from [192.0.2.7] lost" % today + b" and lost" * 90] * 1000
        found.append(b'%b6 %b => c%d@x.example %b C="250 OK"' % (next_day, later, day, host))
        found.append(b"%b6 %b Completed" % (next_day, later))
    return b"\n".join(found) + b"\n"


@pytest.fixture(scope="module")
def eighteen_days(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("days")
    log, archive = folder / "mail.log", folder / "a.db"
    log.write_bytes(many_days(18))
    take(archive, log)
    return log, archive


@pytest.mark.parametrize(
    ("asked", "window"),
    [
        ({"to": ("*",)}, (9, 10)),
        ({"to": ("*",)}, (None, 2)),
        ({"to": ("*",)}, (17, None)),
        ({"subject": "notice for day"}, (17, None)),
        ({"subject": "notice for day"}, (17, 18)),
    ],
)
def test_what_the_index_does_not_tell_is_looked_for_in_the_time_window_alone(
    asked: dict[str, Any],
    window: tuple[int | None, int | None],
    eighteen_days: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive_layout, "SESSION_REACH", BLOCK)  # or the log would have to be much longer
    log, archive = eighteen_days
    since, until = (datetime(2026, 11, day, tzinfo=UTC) if day else None for day in window)
    request = Request(**asked, since=since, until=until, now=NOW)
    read: set[int] = set()
    content = Archive.content
    monkeypatch.setattr(Archive, "content", lambda self, s: (read.add(s.id), content(self, s))[1])
    trace, _ = read_archive(request, archive)
    files, _ = read_logs(replace(request, logs=(str(log),)))
    assert trace.messages == files.messages
    assert len(trace.messages) >= 2
    with Archive.open(archive) as opened:
        assert len(read) < len(opened.segments())
    assert "as the archive holds them, where the time window reaches" in trace.notes[0]


def test_where_lines_state_their_zone_no_day_is_looked_through_for_its_sake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_layout, "SESSION_REACH", 0)
    monkeypatch.setattr(archive_layout, "AHEAD", 0)
    monkeypatch.setattr(archive_layout, "ENTRY_REACH", 0)
    log, archive = tmp_path / "mail.log", tmp_path / "a.db"
    log.write_bytes(re.sub(rb"(?m)^.{19}", rb"\g<0> +0000", many_days(9)))
    take(archive, log)
    window = {"since": datetime(2026, 11, 5, tzinfo=UTC), "until": datetime(2026, 11, 5, 12, tzinfo=UTC)}
    read: set[int] = set()
    content = Archive.content
    monkeypatch.setattr(Archive, "content", lambda self, s: (read.add(s.id), content(self, s))[1])
    trace, _ = read_archive(Request(to=("*",), now=NOW, **window), archive)  # type: ignore[arg-type]
    assert {m.message_id for m in trace.messages} == {"m0.5@h.example", "m1.5@h.example"}
    files, _ = read_logs(Request(to=("*",), now=NOW, logs=(str(log),), **window))  # type: ignore[arg-type]
    assert trace.messages == files.messages
    with Archive.open(archive) as opened:
        every = [s.id for s in opened.segments()]
    assert {every[0], every[-1]} <= read  # both ends tell the times
    assert len(read) <= 2 + 3 < len(every)  # the day, and the next, on which one of them was tried again


def test_a_log_whose_clock_goes_back_is_looked_through_in_any_window(tmp_path: Path) -> None:
    log, archive = tmp_path / "mail.log", tmp_path / "a.db"
    content = many_days(9)
    half = content.index(b"2026-11-05 05:00:00")
    log.write_bytes(content[half:] + content[:half])
    take(archive, log)
    window = {"since": datetime(2026, 11, 2, tzinfo=UTC), "until": datetime(2026, 11, 3, tzinfo=UTC)}
    trace, _ = read_archive(Request(to=("*",), now=NOW, **window), archive)  # type: ignore[arg-type]
    assert [m.message_id for m in trace.messages] == ["m0.2@h.example", "m1.2@h.example"]
    assert "window" not in trace.notes[0]


# --- tokens -----------------------------------------------------------------------------------------------------------


def lines_and_formats() -> Iterator[tuple[bytes, object]]:
    for path in SAMPLES:
        content = path.read_bytes()
        yield content, [fmt for fmt in load_formats() if fmt.sniff(content) > 0]


def test_every_id_of_every_sample_has_its_token() -> None:
    checked = 0
    for content, formats in lines_and_formats():
        found = ids_in(content, formats)  # type: ignore[arg-type]
        for fmt in load_formats():
            if fmt in formats or fmt.id in COVERED:  # type: ignore[operator]
                ids = {i.encode().lower() for line in content.split(b"\n") for i in fmt.queue_ids(line)}
                assert ids <= found or fmt not in formats  # type: ignore[operator]
                checked += len(ids)
    assert checked > 1000


def test_every_sample_has_the_tokens_of_its_words() -> None:
    for content, formats in lines_and_formats():
        found = set(tokens_of(content, formats))  # type: ignore[arg-type]
        ids = ids_in(content, formats)  # type: ignore[arg-type]
        meant = {i.encode().lower() for line in content.split(b"\n") for fmt in formats for i in fmt.queue_ids(line)}  # type: ignore[attr-defined]
        assert set(map(crc32, addresses_in(content) | (ids & meant))) <= found
        assert found <= set(map(crc32, addresses_in(content) | ids))


def test_every_id_of_a_line_has_its_token_by_itself() -> None:
    """What links one message to another may be alone in its segment."""
    checked = 0
    for content, formats in lines_and_formats():
        for fmt in formats:  # type: ignore[attr-defined]
            if fmt.id in COVERED:
                for line in set(content.split(b"\n")):
                    ids = {i.encode().lower() for i in fmt.queue_ids(line)}
                    assert not ids or ids <= ids_in(line + b"\n", (fmt,)), line
                    checked += len(ids)
    assert checked > 1000


@pytest.mark.parametrize("times", [1, 3])
def test_the_ids_are_all_that_the_expressions_of_a_format_find(times: int) -> None:
    """Their literals are looked for instead, in a large text by other means."""
    content = b"".join(path.read_bytes() for path in SAMPLES if "postfix" in path.parts) * times
    content += b"x: queued as queued as abcde1\nx: orig_id=orig_id=abcde2 - - - - abcde3: y\n"
    fmt = next(fmt for fmt in load_formats() if fmt.id == "postfix")
    found = {found for pattern in COVERED["postfix"] for found in re.findall(pattern, content.lower())}
    assert ids_in(content, (fmt,)) == found
    assert len(found) > 100


@pytest.mark.parametrize(
    ("line", "address"),
    [
        (b"x: to=<Mei.Lin@Gmail.COM>, relay=", "mei.lin@gmail.com"),
        (b"x: to=<mei+tag@a-b.example>, relay=", "mei+tag@a-b.example"),
        (b'x: to=<"odd name"@b.example>, relay=', '"odd name"@b.example'),
        ("x: to=<王小明@例子.台灣>, relay=".encode(), "王小明@例子.台灣"),
        ("x: to=<王小明@xn--fsqu00a.xn--kpry57d>, relay=".encode(), "王小明@例子.台灣"),
        (b"2026 => mei@b.example. R=x", "mei@b.example"),
        (b'{"recipient":"mei@b.example"}', "mei@b.example"),
        (b"to=mei@b.example,delay=1", "mei@b.example"),
        (b"(mei@b.example)", "mei@b.example"),
    ],
)
def test_an_address_is_found_by_one_of_its_spellings(line: bytes, address: str) -> None:
    tokens = set(tokens_of(line + b"\n", ()))
    asked = {needle_token(n, fmt) for fmt in load_formats() if fmt.id == "postfix" for n in fmt.needles(address)}
    assert tokens & asked


def around_each_at(content: bytes) -> set[bytes]:
    """What stands around each "@" and each domain, told the slow way."""
    found = set()
    for match in re.finditer(rb"@", content.lower()):
        before, after = content.lower()[: match.start()], content.lower()[match.end() :]
        bare = re.sub(rb"\\\Z", b"", re.sub(rb'"\Z', b"", before))
        local = re.search(rb"[0-9a-z._+\-]*\Z", bare)
        domain = re.match(rb"[0-9a-z._\-\x80-\xff]*", after)
        assert local and domain
        found |= {local[0] + b"@" + domain[0].strip(b"."), b"@" + domain[0].strip(b".")}
    return found


PIECES = (
    b"<",
    b">",
    b"@",
    b".",
    b"mei",
    b"B2",
    b'"',
    b"\\",
    b" ",
    b"\n",
    "é".encode(),
    b"=",
    b"<a@b.example>",
    b"<a@.b.>",
)


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30), st.lists(st.sampled_from(PIECES), max_size=30), st.booleans())
def test_addresses_are_cut_out_as_if_each_were_looked_at_by_itself(
    front: list[bytes], rear: list[bytes], spaced: bool
) -> None:
    filler = b" " * 70_000 if spaced else b""  # where "@" is seldom only its lines are looked at
    content = b"".join(front) + filler + b"".join(rear)
    assert addresses_in(content) == around_each_at(content)


SPOKEN = (
    *(b"Nov 22 05:01:38 mx postfix/smtp[9]", b"2026-11-22T05:01:38Z mx postfix/smtp 9 - -", b"[ID 197553 mail.info]"),
    *(b":", b" ", b"\n", b": ", b"; from=", b" to=", b", orig_to=", b"<", b">", b"info: header Subject: ", b"reject: "),
    *(b"4dlXtV3V2zzLhRZ", b"4dlXtV3V2zzLhRZ: ", b"3FA21C0DE5", b": 3FA21C0DE5: to=", b"warning: ", b"NOQUEUE: "),
    *(b"<a@b.example>", b"<Mei+1@C.example>", b"<>", b"c/d@e.example", b"queued as ", b"orig_id=", b"notification: "),
)


@settings(deadline=None)
@given(st.lists(st.sampled_from(SPOKEN), max_size=40), st.integers(0, 2))
def test_lines_taken_apart_in_one_look_have_the_tokens_of_each(pieces: list[bytes], times: int) -> None:
    content = b"".join(pieces) + b"\n" + b"a line of another program\n" * times * 100
    fmt = next(fmt for fmt in load_formats() if fmt.id == "postfix")
    found = set(tokens_of(content, (fmt,)))
    addresses = set(map(crc32, addresses_in(content)))
    assert addresses <= found
    assert found <= addresses | set(map(crc32, ids_in(content, (fmt,))))
    assert {id_token(i) for line in content.split(b"\n") for i in fmt.queue_ids(line)} <= found


def test_addresses_that_share_a_token_are_two(tmp_path: Path) -> None:
    log, archive = tmp_path / "mail.log", tmp_path / "a.db"
    first, second = "jznfkbkfy@corp.example", "asbcfedby@corp.example"
    assert address_token(first.encode()) == address_token(second.encode())
    log.write_bytes(POSTFIX_ISO.replace(b"jo32@corp.example", first.encode()))
    take(archive, log)
    trace, _ = read_archive(Request(to=(first,), now=NOW), archive)
    assert {d.recipient for m in trace.messages for d in m.deliveries} == {first}
    other, _ = read_archive(Request(to=(second,), now=NOW), archive)
    assert other.messages == ()


def test_tokens_fit_into_32_bits_and_cases_are_one() -> None:
    assert all(0 <= token < 1 << 32 for token in tokens_of(EXIM, ()))
    assert address_token(b"A@B.example") == address_token(b"a@b.EXAMPLE")
    assert address_token(b"no address") is None
    assert id_token("4dL4") == id_token("4DL4")


# --- retention --------------------------------------------------------------------------------------------------------


def test_what_is_older_is_dropped_and_told(tmp_path: Path) -> None:
    archive, old, new = tmp_path / "a.db", tmp_path / "mail.log.1", tmp_path / "mail.log"
    old.write_bytes(POSTFIX_ISO.replace(b"2026-11-", b"2025-01-"))
    new.write_bytes(POSTFIX_ISO)
    result = ingest(Request(logs=(str(new),), now=NOW), archive, keep=timedelta(days=400))
    assert result.pruned == 1
    assert ingest(Request(logs=(str(new),), now=NOW), archive, keep=timedelta(days=400)).pruned == 0
    with Archive.open(archive) as opened:
        assert len(opened.sources()) == 2
        assert len(opened.segments()) == 1


# --- erasure, verification, the index ---------------------------------------------------------------------------------


def lines_with(archive: Path, octets: bytes) -> list[bytes]:
    return [line for content in kept(archive).values() for line in content.split(b"\n") if octets in line.lower()]


@pytest.mark.parametrize("content", [POSTFIX, EXIM], ids=["postfix", "exim"])
def test_nothing_of_a_person_stays_and_everything_of_others(content: bytes, tmp_path: Path) -> None:
    log, archive = tmp_path / "mail.log", tmp_path / "a.db"
    log.write_bytes(content)
    take(archive, log)
    who = "jo32@corp.example" if b"jo32@corp.example" in content else "jo41@corp.example"
    others = sorted({m.decode() for m in ADDRESS.findall(content) if m != who.encode()})
    chance = random.Random(1)
    asked = [Request(to=(name,), now=NOW) for name in chance.sample(others, 12)]
    before = [read_archive(request, archive)[0].messages for request in asked]
    (gone,) = read_archive(Request(to=(who,), now=NOW), archive)[0].messages
    assert lines_with(archive, who.encode())
    done = erase(Request(to=(who,), now=NOW), archive)
    assert done.blanked >= len(gone.lines)
    assert not lines_with(archive, who.encode())
    assert not lines_with(archive, b" %s" % gone.queue_ids[0].encode())
    after = kept(archive)[str(log)]
    assert len(after) == len(content)
    changed = [(old, new) for old, new in zip(content.split(b"\n"), after.split(b"\n"), strict=True) if old != new]
    assert len(changed) == done.blanked + done.struck
    assert not read_archive(Request(to=(who,), now=NOW), archive)[0].messages
    for request, messages in zip(asked, before, strict=True):
        told = read_archive(request, archive)[0].messages
        assert [(m.queue_ids, m.deliveries) for m in told if m.queue_ids != gone.queue_ids] == [
            (m.queue_ids, m.deliveries) for m in messages if m.queue_ids != gone.queue_ids
        ]
    assert verify(archive).problems == ()
    assert verify(archive).unindexed == 0


def test_no_trace_of_what_was_erased_is_left_in_any_file(tmp_path: Path) -> None:
    log, archive = tmp_path / "mail.log", tmp_path / "archive" / "a.db"
    secret = (
        b'2026-11-22 05:31:15 1xV0aa-000000001Yx-0001 => only.secret@corp.example R=x T=y H=m [192.0.2.1] C="250 OK"\n'
    )
    log.write_bytes(secret + EXIM)  # the first line: also a sample, and an edge
    take(archive, log)
    with Archive.open(archive) as opened:
        (segment,) = opened.segments()
        packed = opened._database.execute("SELECT content FROM segment").fetchone()[0]
        token = address_token(b"only.secret@corp.example")
        assert token is not None
        assert opened.holding([token])
    assert "only.secret" in segment.facts + sqlite_text(archive)
    done = erase(Request(to=("only.secret@corp.example",), now=NOW), archive)
    assert done.blanked == 1
    for file in archive.parent.iterdir():
        octets = file.read_bytes()
        assert b"only.secret" not in octets
        assert packed[:200] not in octets
    with Archive.open(archive) as opened:
        assert not opened.holding([token])
    log.write_bytes(secret + EXIM + EXIM.splitlines(keepends=True)[0])
    assert take(archive, log) == [(len(EXIM.splitlines(keepends=True)[0]), 1)]  # it is still known
    assert not lines_with(archive, b"only.secret")


def sqlite_text(archive: Path) -> str:
    with closing(sqlite3.connect(archive)) as database, database:
        rows = database.execute("SELECT facts FROM source").fetchall()
    database.close()
    return str(rows)


def test_an_address_that_ends_alike_is_another(tmp_path: Path) -> None:
    log, archive = tmp_path / "mail.log", tmp_path / "a.db"
    line = b"Nov 22 05:00:01 h postfix/smtp[7]: 4dL4%03d: to=<%s>, relay=m[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (250 ok)\n"
    names = (b"mei@x.example", b"xmei@x.example", b"a.mei@x.example", b"mei@x.example.net", b"Mei@X.example")
    log.write_bytes(b"".join(line % (n, name) for n, name in enumerate(names)))
    take(archive, log)
    erase(Request(to=("mei@x.example",), now=NOW), archive)
    left = [line for line in kept(archive)[str(log)].split(b"\n") if line.strip()]
    assert [name for name in names if any(b"<%s>" % name in one for one in left)] == list(names[1:4])


@pytest.mark.parametrize("to", [(), ("@corp.example",), ("*",)])
def test_only_persons_are_erased(to: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        erase(Request(to=to, since=NOW), tmp_path / "a.db")


def test_verify_finds_what_was_changed_and_reindex_puts_the_index_back(tmp_path: Path) -> None:
    archive, log = tmp_path / "a.db", tmp_path / "mail.log"
    log.write_bytes(big(EXIM, 3 * BLOCK))
    take(archive, log)
    held = verify(archive)
    assert (held.problems, held.unindexed, held.octets) == ((), 0, log.stat().st_size)
    with closing(sqlite3.connect(archive)) as database, database:
        database.execute("DELETE FROM tokens WHERE segment = 2")
    database.close()
    assert verify(archive).unindexed > 100
    assert reindex(archive) == held.segments
    assert verify(archive).unindexed == 0
    with closing(sqlite3.connect(archive)) as database, database:
        database.execute("UPDATE segment SET content = (SELECT content FROM segment WHERE id = 1) WHERE id = 2")
        database.execute("DELETE FROM segment WHERE id = 3")
    database.close()
    problems = " ".join(verify(archive).problems)
    assert "segment 2 is" in problems
    assert "are not there" in problems
    with pytest.raises(CannotLookError):
        reindex(archive)


def test_pruning_leaves_what_is_newer_and_says_so(tmp_path: Path) -> None:
    archive, log = tmp_path / "a.db", tmp_path / "mail.log"
    content = big(POSTFIX_ISO, BLOCK).replace(b"2026-11-", b"2026-01-") + POSTFIX_ISO
    log.write_bytes(content)
    take(archive, log)
    size = archive.stat().st_size
    assert prune(archive, datetime(2026, 3, 1, tzinfo=UTC)) == 1
    assert archive.stat().st_size < size
    (file,) = status(archive).files
    assert 0 < file.pruned < len(content)
    assert file.octets == len(content) - file.pruned
    trace, _ = read_archive(Request(to=("jo32@corp.example",), now=NOW), archive)
    assert trace.messages
    assert any("were pruned" in gap.detail for gap in trace.coverage.files[0].gaps)
    assert all(content.startswith(line.raw, line.place.offset) for m in trace.messages for line in m.lines)
    assert verify(archive).problems == ()
    with log.open("ab") as more:
        more.write(POSTFIX_ISO)
    assert take(archive, log) == [(len(POSTFIX_ISO), POSTFIX_ISO.count(b"\n"))]
