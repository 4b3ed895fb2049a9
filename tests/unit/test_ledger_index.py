"""The index lags behind the entries, and nobody notices: not a reader, not after a crash, not out of an older file."""

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledger_records import AT, intent

from deliverability.errors import CannotLookError, RecordingError
from deliverability.evidence.recorder import Finish, Outcome
from deliverability.ledger import database as database_module
from deliverability.ledger import indexing, merkle
from deliverability.ledger import store as store_module
from deliverability.ledger.batches import Batches
from deliverability.ledger.checkpoint import parse_checkpoint
from deliverability.ledger.leaves import LeafKind, parse_body, parse_leaf
from deliverability.ledger.log import Ledger
from deliverability.ledger.schema import LEVEL_SHIFT, LOWEST_LEVEL

ORIGIN = "hosting.example/dispatch"
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)


def outcome(number: int, finish: Finish = Finish.ACCEPTED) -> Outcome:
    return Outcome(dispatch=f"{number:032x}", at=AT, finish=finish, stage="end-of-data")


def indexed(folder: Path) -> int:
    with closing(sqlite3.connect(f"file:{folder}/ledger.sqlite?mode=ro", uri=True)) as database, database:
        return int(database.execute("SELECT value FROM meta WHERE name = 'indexed'").fetchone()[0])


def fill(ledger: Ledger) -> tuple[int, ...]:
    numbers = ledger.append_records(
        [intent(n, account=str(n % 7), forward_path=f"c{n % 5}@x.example") for n in range(60)]
    )
    return numbers + ledger.append_records([outcome(n) for n in range(0, 60, 2)])


def told(ledger: Ledger) -> list[object]:
    """All that a reader can ask the index about."""
    store, size = ledger.store, ledger.store.size
    proofs = [(store.inclusion(n, size), store.consistency(n, size), store.root_at(n)) for n in range(1, size)]
    accounts = [store.numbers_of(account=str(n)) for n in range(8)]
    addresses = [store.numbers_of(address=f"c{n}@X.example") for n in range(6)]
    intents = [store.intent_of(n.to_bytes(16, "big")) for n in range(61)]
    return [size, store.root(), proofs, accounts, addresses, intents, store.open_dispatches()]


def test_a_reader_is_told_the_same_before_and_after_indexing(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    with Ledger.create(folder, ORIGIN, now=NOW) as ledger:
        numbers = fill(ledger)
        assert indexed(folder) == 2 and ledger.store.size == 2 + len(numbers)
        before = told(ledger)
        with Ledger.open(folder, write=False) as reader:
            assert told(reader) == before
            ledger.store.index()
            assert indexed(folder) == ledger.store.size
            assert told(reader) == before  # which has half of it from before, half from the index
        assert told(ledger) == before
        ledger.store.check_tree()
        assert ledger.append_records([intent(0, account="0", forward_path="c0@x.example")]) == numbers[:1]
        (later,) = ledger.append_records([outcome(1)])
        assert parse_leaf(ledger.store.entry(later).leaf).reference == numbers[1]
    assert indexed(folder) == later + 1
    with Ledger.open(folder, write=False) as reader:
        reader.store.check_tree()
        assert (1).to_bytes(16, "big") not in reader.store.open_dispatches()


def test_many_entries_are_indexed_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "INDEX_AT", 16)
    with Ledger.create(tmp_path / "ledger", ORIGIN, now=NOW) as ledger:
        for n in range(1, 100):
            ledger.append_records([intent(n, account=str(n % 3)), outcome(n)])
        assert ledger.store.size - 20 < indexed(tmp_path / "ledger") < ledger.store.size
        ledger.store.check_tree()
        bodies = [parse_body(e.body) for n in ledger.store.numbers_of(account="1") if (e := ledger.store.entry(n)).body]
        assert [body.sequence for body in bodies] == list(range(1, 67))
        assert ledger.store.open_dispatches() == ()


@pytest.mark.parametrize("remembered", [0, 1 << 15])
def test_an_account_that_comes_back_late_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remembered: int
) -> None:
    monkeypatch.setattr(store_module, "INDEX_AT", 16)
    monkeypatch.setattr(indexing, "_REMEMBERED", remembered)
    with Ledger.create(tmp_path / "ledger", ORIGIN, now=NOW) as ledger:
        for n in range(1, 301):
            ledger.append_records([intent(n, account=str(n % 100))])
        ledger.append_records([intent(n, account=str(n % 100)) for n in range(301, 401)])
        for account in ("0", "1", "99"):
            entries = [ledger.store.entry(n) for n in ledger.store.numbers_of(account=account)]
            bodies = [parse_body(entry.body or b"") for entry in entries]
            assert [body.sequence for body in bodies] == [1, 2, 3, 4]
            links = [merkle.leaf_hash(entry.leaf) for entry in entries]
            assert [body.previous for body in bodies] == [None, *links[:-1]]
        ledger.store.check_tree()


KILLED = """
import os, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from ledger_records import intent
from deliverability.ledger.log import Ledger
ledger = Ledger.open(Path(sys.argv[1]), write=True)
for n in range(100, 150):
    ledger.append_records([intent(n, account=str(n % 7))])
ledger.append_records([intent(n, account="many") for n in range(200, 230)])
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_did_not_index_is_read_from_the_entries(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    with Ledger.create(folder, ORIGIN, now=NOW) as ledger:
        fill(ledger)
        size = ledger.store.size
    code = KILLED.format(here=str(Path(__file__).parents[1] / "helpers"))
    subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert indexed(folder) == size
    with Ledger.open(folder, write=False) as reader:
        assert reader.store.size == size + 80
        assert len(reader.store.numbers_of(account="many")) == 30
        reader.store.check_tree()
        seen = told(reader)
    with Ledger.open(folder, write=True) as ledger:
        assert told(ledger) == seen
        (number,) = ledger.append_records([intent(999, account="many")])
        body = ledger.store.entry(number).body
        assert body and parse_body(body).sequence == 31
        ledger.store.check_tree()


def test_two_intents_of_one_name_do_not_stop_the_log(tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "ledger", ORIGIN, now=NOW) as ledger:
        (first,) = ledger.append_records([intent(1)])
        ledger.store.index()
        ledger.append_records([intent(1, subject="another"), outcome(1)])
        ledger.store.index()
        assert ledger.store.intent_of((1).to_bytes(16, "big")) == first
        assert ledger.store.open_dispatches() == ()


# --- what goes wrong ---


LIMITED = """
import resource, sys
sys.path.insert(0, {here!r})
from datetime import UTC, datetime
from pathlib import Path
from ledger_records import intent
from deliverability.errors import CannotLookError
from deliverability.ledger.log import Ledger
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ledger = Ledger.open(Path(sys.argv[1]), write=True)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
told = 0
try:
    for n in range(1, 100_000):
        ledger.append_records([intent(n)])
        told = n
except CannotLookError as problem:
    assert "nothing was appended" in str(problem), problem
    assert ledger.store.size == told + 2
    for act in (lambda: ledger.append_records([intent(99) for _ in range(3)] + [intent(10**6)]), lambda: ledger.store.index()):
        try:
            act()
        except CannotLookError:
            pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    ledger.append_records([intent(10**7)])
    ledger.sign(datetime.now(UTC))
    ledger.store.check_tree()
    print(told, ledger.store.size)
"""


@pytest.mark.parametrize("limit", [100_000, 300_000])
def test_a_disk_that_is_full_is_said_and_nothing_is_half_written(tmp_path: Path, limit: int) -> None:
    folder = tmp_path / "ledger"
    Ledger.create(folder, ORIGIN, now=NOW).close()
    code = LIMITED.format(here=str(Path(__file__).parents[1] / "helpers"), limit=limit)
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    acknowledged, size = map(int, done.stdout.split())
    assert acknowledged > 5
    with Ledger.open(folder, write=True) as ledger:
        assert ledger.store.size == size
        assert [ledger.store.intent_of(n.to_bytes(16, "big")) for n in range(1, acknowledged + 1)] == list(
            range(2, acknowledged + 2)
        )
        ledger.store.check_tree()


READ_ONLY = """
import sys
from pathlib import Path
from deliverability.errors import CannotLookError
from deliverability.ledger.log import Ledger
try:
    Ledger.open(Path(sys.argv[1]), write=True)
except CannotLookError as problem:
    print(problem)
"""


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_bytes(b"")
    with pytest.raises(CannotLookError, match="blocked"):
        Ledger.create(tmp_path / "blocked" / "ledger", ORIGIN)
    folder = tmp_path / "ledger"
    Ledger.create(folder, ORIGIN, now=NOW).close()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    command = [sys.executable, "-c", READ_ONLY, str(folder)]
    if os.getuid() == 0:  # to whom modes mean nothing
        mounted = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 99; shift; exec "$@"'
        command = ["unshare", "-m", "sh", "-c", mounted, "sh", str(folder), *command]
    else:
        for path in [*folder.rglob("*"), folder]:
            path.chmod(path.stat().st_mode & 0o555)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        folder.chmod(0o700)
    if done.returncode == 99:
        pytest.skip("nothing can be mounted here")
    assert str(folder) in done.stdout and len(done.stdout.splitlines()) == 1, done.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_clock_that_jumps_back_changes_no_order(tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "ledger", ORIGIN, now=NOW) as ledger:
        first = ledger.append_records([intent(1)])
        one = parse_checkpoint(ledger.sign(NOW))[0]
        back = NOW - timedelta(days=400)
        second = ledger.append_records([intent(2, at=AT - timedelta(days=400)), outcome(1)])
        two = parse_checkpoint(ledger.sign(back))[0]
        assert second == (first[0] + 1, first[0] + 2)
        assert ledger.store.numbers_of(account="4711") == (*first, *second)
        proof = ledger.store.consistency(one.size, two.size)
        assert merkle.verify_consistency(one.size, two.size, one.root, two.root, proof)
        ledger.add_key(back)
        ledger.sign(back)
        ledger.store.check_tree()
    with Ledger.open(tmp_path / "ledger", write=False) as reader:
        assert parse_checkpoint(reader.store.checkpoint() or b"")[0].size == reader.store.size


# --- threads ---


def test_threads_are_settled_together_and_each_gets_its_own() -> None:
    seen: list[int] = []

    def settle(batch: list[int]) -> list[int]:
        seen.extend(batch)
        if 13 in batch:
            msg = "thirteen"
            raise ValueError(msg)
        return [2 * n for n in batch]

    batches: Batches[int, int] = Batches(settle)
    got: dict[int, object] = {}

    def work(first: int) -> None:
        for n in range(first, first + 40):
            try:
                got[n] = batches.add(n)
            except (ValueError, RecordingError) as problem:
                got[n] = str(problem)
            if n % 10 == 0:
                with batches.alone():
                    count = len(seen)
                    assert len(seen) == count

    threads = [threading.Thread(target=work, args=(100 * n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(got)
    assert got[13] == "thirteen"
    assert all(value in {2 * n, "thirteen"} for n, value in got.items())
    assert batches.add(1000) == 2000
    for _ in range(2):  # alone as well, and nobody after it waits
        with pytest.raises(ValueError, match="thirteen"):
            batches.add(13)
        with batches.alone():
            assert seen[-1] == 13
    assert batches.add(1) == 2


# --- an older file ---

VERSION_1 = """
DROP TRIGGER entry_stays; DROP TRIGGER entry_is_kept; DROP TRIGGER node_is_kept;
ALTER TABLE entry RENAME TO new;
CREATE TABLE entry (number INTEGER PRIMARY KEY, leaf BLOB NOT NULL);
CREATE TABLE record (number INTEGER PRIMARY KEY REFERENCES entry (number), salt BLOB, body BLOB);
INSERT INTO entry SELECT number, leaf FROM new;
INSERT INTO record SELECT number, salt, body FROM new;
DROP TABLE new;
DELETE FROM meta WHERE name = 'indexed';
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE (ABORT, 'entries do not change'); END;
CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry BEGIN SELECT RAISE (ABORT, 'entries are not deleted'); END;
CREATE TRIGGER node_is_kept BEFORE DELETE ON node BEGIN SELECT RAISE (ABORT, 'nodes are not deleted'); END;
CREATE TRIGGER record_stays BEFORE UPDATE ON record
    WHEN NEW.number <> OLD.number OR NEW.salt IS NOT NULL OR NEW.body IS NOT NULL
    BEGIN SELECT RAISE (ABORT, 'records are only ever emptied'); END;
CREATE TRIGGER record_is_kept BEFORE DELETE ON record BEGIN SELECT RAISE (ABORT, 'records are only ever emptied'); END;
"""


def make_version_1(folder: Path) -> None:
    """A file as the first version wrote it: records beside entries, every node of the tree, an index that is complete."""
    database = sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)
    frontier = merkle.Frontier()
    nodes = []
    for (leaf,) in database.execute("SELECT leaf FROM entry ORDER BY number"):
        for level, index, made in frontier.append(merkle.leaf_hash(leaf))[1:LOWEST_LEVEL]:
            nodes.append((level << LEVEL_SHIFT | index, made))
    database.executescript(VERSION_1)
    database.executemany("INSERT INTO node (place, hash) VALUES (?, ?)", nodes)
    database.execute("PRAGMA user_version = 1")
    database.close()


@pytest.fixture
def older(tmp_path: Path) -> tuple[Path, list[object]]:
    folder = tmp_path / "ledger"
    with Ledger.create(folder, ORIGIN, now=NOW) as ledger:
        numbers = fill(ledger)
        ledger.append_own(LeafKind.ERASURE, {"entries": [*numbers[:1]]})
        ledger.store.empty(numbers[:1], account=None, address=None)
        ledger.sign(NOW)
        seen = told(ledger)
    make_version_1(folder)
    return folder, seen


def test_an_older_ledger_is_brought_up_to_date_after_a_copy(older: tuple[Path, list[object]]) -> None:
    folder, seen = older
    before = (folder / "ledger.sqlite").read_bytes()
    with pytest.raises(CannotLookError, match="older version"):
        Ledger.open(folder, write=False)
    assert (folder / "ledger.sqlite").read_bytes() == before
    with Ledger.open(folder, write=True) as ledger:
        assert told(ledger) == seen
        ledger.store.check_tree()
        (number,) = ledger.append_records([intent(500, account="3")])
        body = ledger.store.entry(number).body
        assert body and parse_body(body).previous
        ledger.sign(NOW)
    copy = folder / "ledger.sqlite.before-2"
    assert copy.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(copy)) as database, database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM record").fetchone() == (seen[0],)
    database.close()
    with Ledger.open(folder, write=True) as ledger:
        database = sqlite3.connect(folder / "ledger.sqlite")
        for statement in (
            "UPDATE entry SET leaf = x'00' WHERE number = 3",
            "UPDATE entry SET body = 'x' WHERE number = 3",
            "UPDATE entry SET account = 'x' WHERE number = 3",
            "DELETE FROM entry",
            "DELETE FROM node",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                database.execute(statement)
        database.close()
        ledger.store.check_tree()
        # Erasing reaches the copy as well.
        ledger.store.empty(ledger.store.numbers_of(address="c1@x.example"), account=None, address="c1@x.example")
    assert not copy.exists()


def test_a_copy_that_was_broken_off_is_made_again(
    older: tuple[Path, list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk, say: half a copy is none."""
    folder, seen = older
    private = database_module._make_private

    def stopped(path: Path) -> None:
        private(path)
        if path.name != "ledger.sqlite":
            raise CannotLookError("No space left on device")

    monkeypatch.setattr(database_module, "_make_private", stopped)
    with pytest.raises(CannotLookError, match="No space left"):
        Ledger.open(folder, write=True)
    monkeypatch.undo()
    Ledger.open(folder, write=True).close()
    (copy,) = folder.glob("ledger.sqlite.before-*")
    with closing(sqlite3.connect(copy)) as database, database:
        assert database.execute("SELECT count(*) FROM record").fetchone() == (seen[0],)
    database.close()


def test_an_erasure_that_was_broken_off_before_the_copy_was_gone_is_finished_by_the_next_that_writes(
    older: tuple[Path, list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = older
    with Ledger.open(folder, write=True) as ledger:
        monkeypatch.setattr("deliverability.ledger.store.copies_of", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ledger.store.empty(ledger.store.numbers_of(address="c1@x.example"), account=None, address="c1@x.example")
    monkeypatch.undo()
    assert (folder / "ledger.sqlite.before-2").exists()
    Ledger.open(folder, write=True).close()
    assert not (folder / "ledger.sqlite.before-2").exists()


def test_a_migration_that_fails_leaves_the_file_as_it_was(older: tuple[Path, list[object]]) -> None:
    folder, _ = older
    database = sqlite3.connect(folder / "ledger.sqlite")
    database.execute("DROP TRIGGER record_stays")  # which the migration looks for
    database.close()
    before = (folder / "ledger.sqlite").read_bytes()
    with pytest.raises(CannotLookError):
        Ledger.open(folder, write=True)
    database = sqlite3.connect(folder / "ledger.sqlite")
    assert database.execute("PRAGMA user_version").fetchone() == (1,)
    names = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    database.close()
    assert {"entry", "record"} <= names and "entry_1" not in names
    assert len((folder / "ledger.sqlite").read_bytes()) == len(before)


def test_what_is_open_does_not_hang_on_whether_it_is_indexed(tmp_path: Path) -> None:
    """An outcome that comes before its intent, and a second intent of one name: neither opens what is settled."""
    with Ledger.create(tmp_path / "l", ORIGIN) as ledger:
        ledger.append_records([intent(1), outcome(1)])
        ledger.store.index()
        ledger.append_records([intent(1, account="another"), outcome(2), intent(2), intent(3)])
        waiting = ledger.store.open_dispatches()
        ledger.store.index()
        assert waiting == ledger.store.open_dispatches() == ((3).to_bytes(16, "big"),)
