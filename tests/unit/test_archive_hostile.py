"""An archive that is damaged, or that somebody else wrote: one sentence, nothing changed, and never a wrong story."""

import sqlite3
import struct
import sys
import zlib
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.api import archive_cuts, archiving
from deliverability.api.archiving import IngestResult, ingest
from deliverability.api.erasing import erase
from deliverability.api.from_archive import read_archive
from deliverability.api.keeping import prune, reindex, status, verify
from deliverability.api.requests import Request
from deliverability.errors import CannotLookError
from deliverability.evidence.story import Trace
from deliverability.ledger.archive import MAX_SEGMENT, Archive, ChangedMeanwhileError, pack
from deliverability.ledger.archive_rows import TokenSet, pack_tokens

LOGS = Path(__file__).parents[1] / "cases" / "logs"
EXIM = (LOGS / "exim" / "4.98-cpanel" / "mainlog").read_bytes()
NOW = datetime(2026, 11, 25, tzinfo=UTC)
ENDLESS = """
CREATE VIEW tokens AS WITH RECURSIVE c(segment, hashes) AS (SELECT 1, 1 UNION ALL SELECT segment + 1, 1 FROM c)
SELECT * FROM c
"""
WHO = Request(to=("jo32@corp.example",), now=NOW)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a log in several small segments."""
    monkeypatch.setattr(archive_cuts, "BLOCK", 1 << 15)
    log, path = tmp_path / "mainlog", tmp_path / "a.db"
    log.write_bytes(EXIM)
    ingest(Request(logs=(str(log),), now=NOW), path)
    return path


def again(archive: Path) -> object:
    return ingest(Request(logs=(str(archive.with_name("mainlog")),), now=NOW), archive)


def alter(archive: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    with closing(sqlite3.connect(archive)) as database, database:
        for statement in statements:
            database.execute(statement, values)
    database.close()


def gaps(trace: Trace) -> list[tuple[str, str]]:
    return [(gap.kind, gap.detail) for file in trace.coverage.files for gap in file.gaps]


EVERYTHING: dict[str, Callable[[Path], object]] = {
    "trace": lambda archive: read_archive(WHO, archive),
    "status": status,
    "verify": verify,
    "reindex": reindex,
    "prune": lambda archive: prune(archive, NOW + timedelta(days=400)),
    "erase": lambda archive: erase(WHO, archive),
    "ingest": again,
}


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize(
    "statements",
    [
        ("ALTER TABLE segment RENAME TO other", "CREATE VIEW segment AS SELECT * FROM other"),
        (
            "DROP TABLE tokens",
            ENDLESS,
        ),
        ("CREATE TRIGGER t AFTER INSERT ON segment BEGIN DELETE FROM tokens; UPDATE source SET position = 0; END",),
        ("CREATE TRIGGER t BEFORE DELETE ON segment BEGIN SELECT RAISE(IGNORE); END",),
        ("ALTER TABLE segment ADD COLUMN more TEXT GENERATED ALWAYS AS (hex(content)) VIRTUAL",),
        ("DROP TABLE tokens",),
    ],
)
def test_nothing_is_done_with_tables_that_are_not_ours(what: str, statements: tuple[str, ...], archive: Path) -> None:
    alter(archive, *statements)
    before = archive.read_bytes()
    with pytest.raises(CannotLookError, match="not those of an archive"):
        EVERYTHING[what](archive)
    assert archive.read_bytes() == before


@pytest.mark.parametrize("what", ["trace", "erase", "ingest"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE segment SET facts = '{}'",
        "UPDATE segment SET facts = json_set(facts, '$.formats', 5)",
        "UPDATE segment SET facts = json_set(facts, '$.formats', json('[[1]]'))",
        "UPDATE segment SET facts = json_set(facts, '$.lines', 1000000000000)",
        "UPDATE segment SET facts = json_set(facts, '$.steps', json('[[0, 0, \"\", 1e300]]'))",
        "UPDATE segment SET facts = json_set(facts, '$.edges', json('[[0, 0, \"中\", \"\"]]'))",
        "UPDATE segment SET size = 9000000000000000000",
        "UPDATE segment SET start = -5 WHERE id = 1",
        "UPDATE segment SET sha256 = 'x'",
        "UPDATE segment SET last = '2026-01-01T00:00:00'",
        "UPDATE segment SET first = '0001-01-01T00:00:00+14:00'",
        "UPDATE source SET facts = '{\"first\": 5}'",
        'UPDATE source SET facts = \'{"look": {"a": 1}}\'',
        "UPDATE source SET position = -1",
        "UPDATE source SET path = x'ff'",
        "UPDATE source SET path = CAST(x'1b5b324aff' AS TEXT)",
    ],
)
def test_what_is_known_of_a_log_is_used_only_in_the_shape_it_was_written_in(
    statement: str, what: str, archive: Path
) -> None:
    alter(archive, statement)
    with archive.with_name("mainlog").open("ab") as log:
        log.write(EXIM.splitlines(keepends=True)[0])
    before = archive.read_bytes()
    assert "\x1b" not in refused(what, archive)
    assert archive.read_bytes() == before


def refused(what: str, archive: Path) -> str:
    """Why something could not be done, to anything or to the one log."""
    try:
        done = EVERYTHING[what](archive)
    except CannotLookError as problem:
        return str(problem)
    assert isinstance(done, IngestResult)
    assert done.failed
    return done.files[0].note or ""


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 50,
        b"x" * 50,
        b"",
        zlib.compress(b"x" * 100),
        zlib.compress(b"x" * (MAX_SEGMENT * 3)),
        zlib.compress(EXIM)[:-5],
    ],
)
def test_a_segment_that_cannot_be_unpacked_is_told(content: bytes, archive: Path) -> None:
    alter(archive, "UPDATE segment SET content = ?", values=(content,))
    trace, _ = read_archive(WHO, archive)
    assert not trace.messages
    assert any(kind == "damaged" for kind, _ in gaps(trace))
    assert verify(archive).problems
    with pytest.raises(CannotLookError):
        erase(WHO, archive)


def test_segments_that_were_exchanged_are_told(archive: Path) -> None:
    alter(archive, "UPDATE segment SET content = (SELECT content FROM segment WHERE id = 1) WHERE id = 2")
    with Archive.open(archive) as opened:
        two = opened.segments()[1]
        with pytest.raises(CannotLookError, match="segment 2 is"):
            opened.content(two)


@pytest.mark.parametrize("which", [2, "(SELECT MAX(id) FROM segment)"])
def test_a_segment_that_is_not_there_is_a_hole(which: object, archive: Path) -> None:
    alter(archive, f"DELETE FROM segment WHERE id = {which}")
    trace, _ = read_archive(WHO, archive)
    assert any("are not in the archive any more" in detail for _, detail in gaps(trace))


def test_a_segment_of_no_log_is_told(archive: Path) -> None:
    alter(archive, "UPDATE segment SET source = 77 WHERE id = 2")
    for what in ("trace", "status", "verify"):
        with pytest.raises(CannotLookError, match="of which log"):
            EVERYTHING[what](archive)


def test_a_log_of_which_nothing_is_left_is_told(archive: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(EXIM[EXIM.index(b"\n") + 1 :])
    ingest(Request(logs=(str(other),), now=NOW), archive)
    alter(archive, "DELETE FROM segment WHERE source = 1")
    trace, _ = read_archive(WHO, archive)
    assert "nothing is left of 1 more" in trace.notes[0]
    alter(archive, "DELETE FROM segment")
    with pytest.raises(CannotLookError, match="no lines of any log"):
        read_archive(WHO, archive)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM tokens", "UPDATE tokens SET hashes = 7", "UPDATE tokens SET hashes = x'0000000000000000'"],
)
def test_an_index_that_is_lost_or_damaged_loses_no_answer(statement: str, archive: Path) -> None:
    right, _ = read_archive(WHO, archive)
    assert right.messages
    alter(archive, statement)
    trace, _ = read_archive(WHO, archive)
    assert trace.messages == right.messages
    assert verify(archive).unindexed
    reindex(archive)
    assert not verify(archive).unindexed


def test_an_index_that_was_emptied_is_filled_by_the_next_run(archive: Path) -> None:
    alter(archive, "DELETE FROM tokens")
    again(archive)
    assert not verify(archive).unindexed


def test_a_file_beside_it_that_no_archive_leaves_is_told(archive: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    database = sqlite3.connect(other, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE x (y)")
    wal = archive.with_name("a.db-wal")
    wal.write_bytes(other.with_name("other.db-wal").read_bytes())
    database.close()
    before, beside = archive.read_bytes(), wal.read_bytes()
    for what, do in EVERYTHING.items():
        with pytest.raises(CannotLookError, match=r"a\.db-wal"):
            do(archive)
        assert (archive.read_bytes(), wal.read_bytes()) == (before, beside), what


def test_the_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    other, log = tmp_path / "other.db", tmp_path / "mainlog"
    log.write_bytes(EXIM)
    with closing(sqlite3.connect(other)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE x (y)")
    database.close()
    before = other.read_bytes()
    with pytest.raises(CannotLookError, match="some other program"):
        ingest(Request(logs=(str(log),), now=NOW), other)
    assert other.read_bytes() == before


def test_a_version_that_never_was_is_told(archive: Path) -> None:
    alter(archive, "PRAGMA user_version = -3")
    for do in EVERYTHING.values():
        with pytest.raises(CannotLookError):
            do(archive)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_is_changed_the_answer_is_right_or_says_that_it_is_not_whole(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("changed", numbered=True)
    path, log = folder / "a.db", folder / "mainlog"
    log.write_bytes(EXIM[:40_000])
    ingest(Request(logs=(str(log),), now=NOW), path)
    right, _ = read_archive(WHO, path)
    octets = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 12))):
        page = data.draw(st.integers(0, len(octets) // 4096 - 1))
        octets[page * 4096 + data.draw(st.integers(0, 4095))] = data.draw(st.integers(0, 255))
    path.write_bytes(octets)
    with_sentence(status, path)
    with_sentence(verify, path)
    trace = with_sentence(lambda path: read_archive(WHO, path)[0], path)
    if isinstance(trace, Trace) and said(trace) != said(right):
        assert gaps(trace)
    for do in (reindex, again, EVERYTHING["erase"]):
        path.write_bytes(octets)
        with_sentence(do, path)


def said(trace: Trace) -> list[list[bytes]]:
    return [[line.raw for line in message.lines] for message in trace.messages]


def with_sentence(do: Callable[[Path], object], path: Path) -> object:
    try:
        return do(path)
    except CannotLookError:
        return None


# --- others at work meanwhile -----------------------------------------------------------------------------------------


def test_a_segment_to_which_more_was_put_meanwhile_is_read_as_it_was(tmp_path: Path) -> None:
    log, path = tmp_path / "mainlog", tmp_path / "a.db"
    lines = EXIM.splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:100]))
    again(path)
    with Archive.open(path) as opened:
        (before,) = opened.segments()
        log.write_bytes(b"".join(lines[:200]))
        again(path)
        assert opened.content(before) == b"".join(lines[:100])


def test_erased_or_pruned_meanwhile_is_no_tampering(archive: Path) -> None:
    with Archive.open(archive) as opened:
        segments = opened.segments()
        erase(WHO, archive)
        changed = [one for one, two in zip(segments, opened.segments(), strict=True) if one != two]
        assert changed
        with pytest.raises(ChangedMeanwhileError, match="ask again"):
            opened.content(changed[0])
        prune(archive, NOW + timedelta(days=400))
        with pytest.raises(ChangedMeanwhileError, match="gone"):
            opened.content(changed[0])


def test_verify_says_that_it_could_not_look_while_others_erase(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(opened: Archive) -> object:
        found = overview(opened)
        if not verifying:
            verifying.append(True)
            erase(WHO, archive)
        return found

    overview, verifying = Archive.overview, list[bool]()
    monkeypatch.setattr(Archive, "overview", listed)
    with pytest.raises(CannotLookError, match="ask again"):
        verify(archive)
    assert verify(archive).problems == ()


def test_an_archive_has_one_writer_by_whatever_name_it_is_called(archive: Path) -> None:
    link = archive.with_name("link.db")
    link.symlink_to(archive)
    with Archive.open(archive, write=True), pytest.raises(CannotLookError, match="another process is writing"):
        again(link)


def test_what_came_while_a_person_was_looked_for_is_erased_too(archive: Path) -> None:
    with Archive.open(archive, write=True), pytest.raises(CannotLookError, match="another process is writing"):
        erase(WHO, archive)  # it looks only once nobody can add to what it found


def test_an_erasure_that_cannot_be_done_in_full_changes_nothing(archive: Path) -> None:
    alter(archive, "UPDATE segment SET content = x'00' WHERE id = (SELECT MAX(id) FROM segment)")
    alter(archive, "DELETE FROM tokens WHERE segment = (SELECT MAX(id) FROM segment)")
    before = archive.read_bytes()
    with pytest.raises(CannotLookError, match="damaged"):
        erase(WHO, archive)
    assert archive.read_bytes() == before


# --- what an earlier version wrote ------------------------------------------------------------------------------------


def as_version_1(archive: Path, *more: str) -> None:
    """An archive as it was written before segments had their tokens in one row."""
    alter(
        archive,
        "DROP TABLE tokens",
        "CREATE TABLE token (\n    hash INTEGER NOT NULL,\n    segment INTEGER NOT NULL,\n"
        "    PRIMARY KEY (hash, segment)\n) WITHOUT ROWID",
        "INSERT INTO token VALUES (12345, 1)",
        "PRAGMA user_version = 1",
        *more,
    )


def test_an_archive_of_version_1_is_brought_up_to_date_after_a_copy(archive: Path) -> None:
    right, _ = read_archive(WHO, archive)
    as_version_1(archive)
    with pytest.raises(CannotLookError, match="older version"):
        read_archive(WHO, archive)
    old = archive.read_bytes()
    again(archive)
    copy = archive.with_name("a.db.before-2")
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as database, database:
        assert database.execute("SELECT * FROM token").fetchall() == [(12345, 1)]
        assert database.execute("SELECT COUNT(*) FROM segment").fetchone()[0] > 1
    database.close()
    assert len(old) == copy.stat().st_size
    assert read_archive(WHO, archive)[0].messages == right.messages
    assert (verify(archive).problems, verify(archive).unindexed) == ((), 0)
    erase(Request(to=("nobody@corp.example",), now=NOW), archive)
    assert not copy.exists()  # it would keep whoever is erased


def test_a_hostile_archive_of_version_1_is_not_touched(archive: Path) -> None:
    as_version_1(archive, "CREATE TRIGGER t AFTER UPDATE ON source BEGIN DELETE FROM segment; END")
    before = archive.read_bytes()
    with pytest.raises(CannotLookError, match="not those of an archive"):
        again(archive)
    assert archive.read_bytes() == before


def test_an_update_that_was_broken_off_goes_on(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_version_1(archive)
    with monkeypatch.context() as patched:
        patched.setattr(archiving, "index_rest", lambda _archive: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            again(archive)
    right, _ = read_archive(WHO, archive)  # without an index all is looked through
    assert right.messages
    again(archive)
    assert verify(archive).unindexed == 0


# --- tokens -----------------------------------------------------------------------------------------------------------


@given(st.frozensets(st.integers(0, (1 << 32) - 1), max_size=40), st.frozensets(st.integers(0, (1 << 32) - 1)))
def test_tokens_are_found_among_their_own(tokens: frozenset[int], others: frozenset[int]) -> None:
    kept = TokenSet(pack_tokens(tokens, 7), 7)
    assert frozenset(kept.tokens()) == tokens
    assert kept.holds_any(others) == bool(tokens & others)
    assert all(kept.holds_any(frozenset([token])) for token in tokens)
    assert kept.holds_any(others | tokens) == bool(tokens)


def test_a_token_is_found_only_where_one_begins() -> None:
    one, two = struct.unpack("<II", bytes(range(1, 9)))
    across = struct.unpack("<I", bytes(range(3, 7)))[0]
    assert not TokenSet(pack_tokens([one, two], 7), 7).holds_any(frozenset([across]))


def test_tokens_of_another_segment_are_none() -> None:
    with pytest.raises(ValueError, match="damaged"):
        TokenSet(pack_tokens([1, 2], 7), 8)


def test_a_segment_is_packed_and_unpacked_whole() -> None:
    with pytest.raises(ValueError, match="too long"):
        pack(b"x" * (MAX_SEGMENT + 1))


def test_what_is_packed_for_another_machine_is_not_called_changed(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    for look in (verify, reindex, lambda path: erase(WHO, path)):
        with pytest.raises(CannotLookError, match=r"Zstandard.*pip install"):
            look(archive)
    trace, _ = read_archive(WHO, archive)
    assert not trace.messages
    assert any("Zstandard" in detail for _, detail in gaps(trace)), gaps(trace)
    monkeypatch.undo()
    assert not verify(archive).problems
    assert read_archive(WHO, archive)[0].messages
