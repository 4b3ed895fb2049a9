"""The ledger: what was acknowledged stays, in its order, and every later change shows."""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from ledger_records import AT, intent

from deliverability.api.sealing import erase, history
from deliverability.errors import CannotLookError, TamperedError, UsageError
from deliverability.evidence.recorder import Finish, Intent, Later, Outcome
from deliverability.evidence.smtp import Reply
from deliverability.ledger.checkpoint import Checkpoint, parse_checkpoint
from deliverability.ledger.heads import HeadFile
from deliverability.ledger.keys import CommandSigner, FileSigner, make_key
from deliverability.ledger.leaves import LeafKind, commitment, parse_body, parse_leaf
from deliverability.ledger.log import Ledger, recorder
from deliverability.ledger.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from deliverability.ledger.proving import bundle_of, numbers_for
from deliverability.ledger.store import Store
from deliverability.ledger.verify import verify_bundle
from deliverability.protocols.records import record_from_bytes

ORIGIN = "hosting.example/dispatch"
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.create(tmp_path / "ledger", ORIGIN, now=NOW) as made:
        yield made


def outcome(number: int, finish: Finish = Finish.ACCEPTED) -> Outcome:
    return Outcome(dispatch=f"{number:032x}", at=AT, finish=finish, stage="end-of-data")


def test_a_new_ledger_has_a_signed_head_and_private_files(ledger: Ledger) -> None:
    head = ledger.head.read()
    assert head
    checkpoint, note = parse_checkpoint(head)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 2, ledger.store.root())
    assert ledger.verifier_keys()[0].verify(note)
    for path in ledger.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("step", ["append_own", "make_key", "add_key", "_note_key", "signers", "sign"])
def test_a_ledger_whose_making_was_broken_off_is_made_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        if step == "make_key":
            broken.setattr("deliverability.ledger.log.make_key", stopped)
        else:
            broken.setattr(Ledger, step, stopped)
        with pytest.raises(KeyboardInterrupt):
            Ledger.create(tmp_path / "l", ORIGIN, now=NOW)
    with pytest.raises(UsageError, match="already"):
        Ledger.create(tmp_path / "l", "other.example/dispatch", now=NOW)
    if step not in {"sign", "signers"}:
        with (
            Ledger.open(tmp_path / "l", write=True) as half,
            pytest.raises(CannotLookError, match="no key is in use"),
        ):
            half.sign(NOW)
    assert not (tmp_path / "l" / "head").exists()
    with Ledger.create(tmp_path / "l", ORIGIN, now=NOW) as ledger:
        note = parse_checkpoint(ledger.head.read() or b"")[1]
        assert [key.verify(note) for key in ledger.verifier_keys()] == [True]
        assert parse_leaf(ledger.store.entry(0).leaf).kind is LeafKind.ORIGIN
    with pytest.raises(UsageError, match="already"):
        Ledger.create(tmp_path / "l", ORIGIN, now=NOW)


def test_an_empty_file_is_no_ledger_yet(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").touch(mode=0o600)
    with Ledger.create(tmp_path, ORIGIN, now=NOW) as ledger:
        assert ledger.store.size == 2


def test_a_database_that_was_only_begun_is_no_ledger_yet(tmp_path: Path) -> None:
    """Whoever was stopped between the file's first page and its tables."""
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    database.execute("PRAGMA journal_mode = WAL")
    database.close()
    (tmp_path / "ledger.sqlite").chmod(0o600)
    assert (tmp_path / "ledger.sqlite").stat().st_size
    with Ledger.create(tmp_path, ORIGIN, now=NOW) as ledger:
        assert ledger.store.size == 2


def test_tables_and_the_origin_are_made_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after the tables are there, the origin is there as well: nothing that ``init`` cannot go on with."""

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("deliverability.ledger.store.Store.__init__", stopped)
        with pytest.raises(KeyboardInterrupt):
            Ledger.create(tmp_path / "l", ORIGIN, now=NOW)
    with Ledger.create(tmp_path / "l", ORIGIN, now=NOW) as ledger:
        assert ledger.store.size == 2


def test_records_are_sealed_linked_and_proved(ledger: Ledger) -> None:
    numbers = ledger.append_records([intent(1), outcome(1), intent(2), outcome(2)])
    note = ledger.sign(NOW)
    checkpoint = parse_checkpoint(note)[0]
    previous = None
    for sequence, number in enumerate(numbers, 1):
        entry = ledger.store.entry(number)
        assert entry.salt and entry.body
        leaf, body = parse_leaf(entry.leaf), parse_body(entry.body)
        assert leaf.commitment == commitment(entry.salt, entry.body)
        assert (body.account, body.sequence, body.previous) == ("4711", sequence, previous)
        previous = leaf_hash(entry.leaf)
        proof = ledger.store.inclusion(number, checkpoint.size)
        assert verify_inclusion(previous, number, checkpoint.size, proof, checkpoint.root)
    assert parse_leaf(ledger.store.entry(numbers[1]).leaf).reference == numbers[0]
    assert ledger.store.numbers_of(account="4711") == numbers
    assert ledger.store.numbers_of(address="chen@hinet.example") == (numbers[0], numbers[2])
    assert root_of(e.leaf for e in ledger.store.entries()) == checkpoint.root
    ledger.store.check_tree()


def test_no_leaf_names_anyone(ledger: Ledger) -> None:
    (number,) = ledger.append_records([intent(1)])
    entry = ledger.store.entry(number)
    assert len(entry.leaf) == 42
    other = ledger.append_records([intent(1, dispatch="f" * 32)])[0]
    assert ledger.store.entry(other).leaf[10:] != entry.leaf[10:]


def test_the_same_record_is_not_written_twice(ledger: Ledger) -> None:
    first = ledger.append_records([intent(1)])
    assert ledger.append_records([intent(1)]) == first
    assert ledger.append_records([intent(2), intent(2)])[0] == first[0] + 1
    assert ledger.store.size == first[0] + 2


def test_spools_of_all_processes_are_drained_once(ledger: Ledger, tmp_path: Path) -> None:
    spool = recorder(ledger.folder)
    spool.record([intent(1)])
    assert ledger.drain(NOW) == 1
    assert ledger.drain(NOW) == 0
    spool.record([outcome(1)])
    assert ledger.drain(NOW) == 1
    spool.close()
    assert ledger.drain(NOW) == 0
    assert not list((ledger.folder / "spool").glob("*.spool"))
    assert not ledger.store.open_dispatches()


def test_what_an_ended_process_left_open_is_unknown(ledger: Ledger) -> None:
    spool = recorder(ledger.folder)
    spool.record([intent(1), intent(2)])
    spool.record([outcome(1)])
    ledger.drain(NOW)
    assert ledger.store.open_dispatches() == (bytes.fromhex(f"{2:032x}"),)
    spool.close()
    ledger.drain(NOW)
    last = ledger.store.entry(ledger.store.size - 1)
    assert last.body
    told = record_from_bytes(parse_body(last.body).event)
    assert isinstance(told, Outcome)
    assert (told.dispatch, told.finish) == (f"{2:032x}", Finish.UNKNOWN)
    assert ledger.drain(NOW) == 0


@pytest.mark.parametrize("recorded", [True, False])
def test_a_process_that_goes_on_in_another_file_has_not_ended(ledger: Ledger, recorded: bool) -> None:
    """After a full disk, or when a file has grown long: what it left open in the first is open yet."""
    first, second = recorder(ledger.folder), recorder(ledger.folder)
    first.record([intent(1)])
    first.close()
    second.record([intent(2), outcome(2)])
    assert ledger.drain(NOW) == 3
    assert ledger.store.open_dispatches() == (bytes.fromhex(intent(1).dispatch),)
    if recorded:
        second.record([outcome(1)])
        assert ledger.drain(NOW) == 1
        assert len(list((ledger.folder / "spool").glob("*.spool"))) == 1
    second.close()
    ledger.drain(NOW)
    assert not list((ledger.folder / "spool").glob("*.spool"))
    told = [record_from_bytes(parse_body(e.body).event) for e in ledger.store.entries(2) if e.body]
    of_first = [one.finish for one in told if isinstance(one, Outcome) and one.dispatch == intent(1).dispatch]
    assert of_first == [Finish.ACCEPTED if recorded else Finish.UNKNOWN]


def test_an_outcome_in_another_file_is_read_before_anything_is_called_unknown(ledger: Ledger) -> None:
    first, second = recorder(ledger.folder), recorder(ledger.folder)
    first.record([intent(1)])
    second.record([outcome(1)])
    first.close()
    second.close()
    assert ledger.drain(NOW) == 2
    told = [record_from_bytes(parse_body(e.body).event) for e in ledger.store.entries(2) if e.body]
    assert [one.finish for one in told if isinstance(one, Outcome)] == [Finish.ACCEPTED]


def test_a_damaged_spool_line_is_an_incident(ledger: Ledger) -> None:
    spool = recorder(ledger.folder)
    spool.record([intent(1)])
    (path,) = (ledger.folder / "spool").glob("*.spool")
    path.write_bytes(path.read_bytes().rstrip(b"\0") + b'{"kind":"intent"}\n')
    assert ledger.drain(NOW) == 2
    kinds = [parse_leaf(e.leaf).kind for e in ledger.store.entries(2)]
    assert kinds == [LeafKind.INTENT, LeafKind.INCIDENT]


def test_erasure_leaves_every_proof_as_it_was(ledger: Ledger) -> None:
    numbers = ledger.append_records([intent(1), outcome(1), intent(2, account="9", forward_path="x@y.example")])
    ledger.append_own(LeafKind.ERASURE, {"entries": [*numbers[:2]]})
    before = parse_checkpoint(ledger.sign(NOW))[0]
    assert ledger.store.empty(numbers[:2], account="4711", address="chen@hinet.example") == 2
    entry = ledger.store.entry(numbers[0])
    assert (entry.salt, entry.body) == (None, None)
    assert ledger.store.root() == before.root
    assert ledger.store.numbers_of(account="4711") == ledger.store.numbers_of(address="chen@hinet.example") == ()
    proof = ledger.store.inclusion(numbers[2], before.size)
    assert verify_inclusion(leaf_hash(ledger.store.entry(numbers[2]).leaf), numbers[2], before.size, proof, before.root)
    ledger.store.check_tree()
    for path in ledger.folder.glob("ledger.sqlite*"):
        assert b"chen@hinet" not in path.read_bytes()
    # The account's sequence goes on: what was erased leaves a gap that shows.
    (later,) = ledger.append_records([intent(3)])
    body = ledger.store.entry(later).body
    assert body and parse_body(body).sequence == 3


@pytest.mark.parametrize(("named", "gone"), [(1, True), (True, False), ("1", False)])
def test_an_erasure_names_entries_by_their_numbers(ledger: Ledger, named: object, *, gone: bool) -> None:
    ledger.append_records([intent(1), intent(2)])
    ledger.append_own(LeafKind.ERASURE, {"entries": [named]})
    ledger.store.empty([1], account=None, address=None)
    ledger.sign(NOW)
    if gone:
        assert ledger.store.check_tree().erased == 1
    else:
        with pytest.raises(TamperedError, match="no entry says that they were"):
            ledger.store.check_tree()


@pytest.mark.parametrize("indexed", [True, False])
def test_what_comes_in_after_an_erasure_is_sealed_and_not_kept(ledger: Ledger, *, indexed: bool) -> None:
    """The person is gone: an outcome or a DSN that was still on its way brings neither name nor words back."""
    numbers = ledger.append_records([intent(1), intent(2, account="9", forward_path="x@y.example")])
    if indexed:
        ledger.store.index()
    erase(ledger, account="4711", address=None, now=NOW)
    reply = Reply(550, "5.1.1", "550 5.1.1 <chen@hinet.example> unknown")
    dsn = Later(dispatch=f"{1:032x}", at=AT, kind="dsn", finish=Finish.REFUSED, level=None, witness="x", reply=reply)
    spool = recorder(ledger.folder)
    spool.record([replace(outcome(1), reply=reply), dsn, outcome(2)])
    assert ledger.drain(NOW) == 3
    late = list(ledger.store.entries(ledger.store.size - 3))
    assert [parse_leaf(e.leaf).kind for e in late] == [LeafKind.OUTCOME, LeafKind.LATER, LeafKind.OUTCOME]
    assert [(e.salt, e.body) == (None, None) for e in late] == [True, True, False]
    assert [parse_leaf(e.leaf).reference for e in late] == [numbers[0], numbers[0], numbers[1]]
    ledger.store.index()
    ledger.append_records([replace(outcome(1), at=NOW)])
    assert ledger.store.entry(ledger.store.size - 1).body is None
    assert ledger.store.open_dispatches() == ()
    ledger.sign(NOW)
    ledger.store.check_tree()
    spool.close()
    ledger.drain(NOW)
    ledger.close()
    assert all(b"chen@hinet" not in path.read_bytes() for path in ledger.folder.glob("ledger.sqlite*"))


def test_an_erased_intent_out_of_a_restored_spool_is_not_kept(ledger: Ledger, tmp_path: Path) -> None:
    spool = recorder(ledger.folder)
    spool.record([intent(1), outcome(1)])
    (path,) = (ledger.folder / "spool").glob("*")
    shutil.copy(path, tmp_path / "backup")
    spool.close()
    ledger.drain(NOW)
    erase(ledger, account="4711", address=None, now=NOW)
    shutil.copy(tmp_path / "backup", path)
    with_new = intent(2, account="9", forward_path="x@y.example")
    assert ledger.drain(NOW) == 2
    ledger.append_records([with_new])
    late = list(ledger.store.entries(ledger.store.size - 3))
    assert [parse_leaf(e.leaf).kind for e in late] == [LeafKind.INTENT, LeafKind.OUTCOME, LeafKind.INTENT]
    assert [e.body is None for e in late] == [True, True, False]
    ledger.store.index()
    ledger.sign(NOW)
    ledger.store.check_tree()
    assert ledger.store.numbers_of(account="4711") == ()
    folder = ledger.folder
    ledger.close()
    with Ledger.open(folder, write=True) as again:  # what was erased is known after a start, too
        again.append_records([intent(1)])
        assert again.store.entry(again.store.size - 1).body is None
    assert all(b"chen@hinet" not in path.read_bytes() for path in folder.glob("ledger.sqlite*"))


def test_a_late_word_without_a_record_of_its_dispatch_is_erased_by_the_address_that_it_names(ledger: Ledger) -> None:
    """A ledger of before keeps no dispatch of what was erased, and a ledger may never have had it."""

    def told(number: int, words: str) -> Outcome:
        return replace(outcome(number), reply=Reply(550, "5.1.1", words))

    ledger.append_records([
        told(1, "550 5.1.1 <Chen@HINET.example>: unknown"),
        told(2, "550 5.1.1 'o'neil@hinet.example' unknown"),
        told(3, "550 5.1.1 <aichen@hinet.example>: unknown"),
        told(4, "550 5.1.1 <chen@hinet.example.org>: unknown"),
    ])  # fmt: skip
    assert erase(ledger, account=None, address="chen@hinet.example", now=NOW) == 1
    assert erase(ledger, account=None, address="o'neil@hinet.example", now=NOW) == 1
    assert [e.body is None for e in ledger.store.entries(2)][:4] == [True, True, False, False]
    with pytest.raises(UsageError):
        erase(ledger, account=None, address="chen@hinet.example", now=NOW)
    ledger.store.check_tree()


def test_erasing_reaches_the_spools_of_processes_that_live_on(ledger: Ledger) -> None:
    spool = recorder(ledger.folder)
    spool.record([intent(1), intent(2, account="9", forward_path="x@y.example")])
    ledger.drain(NOW)
    (path,) = (ledger.folder / "spool").glob("*")
    assert b"chen@hinet" in path.read_bytes()
    erase(ledger, account="4711", address=None, now=NOW)
    assert b"chen@hinet" not in path.read_bytes()
    spool.record([replace(outcome(1), detail="<chen@hinet.example> unknown"), outcome(2)])
    assert ledger.drain(NOW) == 2
    assert b"chen@hinet" not in path.read_bytes()
    spool.record([intent(3)])
    spool.close()
    assert ledger.drain(NOW) == 1
    assert [len(ledger.store.numbers_of(account=a)) for a in ("4711", "9")] == [2, 2]
    kinds = [parse_leaf(e.leaf).kind for e in ledger.store.entries()]
    assert LeafKind.INCIDENT not in kinds
    assert not path.exists()


def test_what_was_erased_beside_a_reader_leaves_the_file_with_the_next_that_writes(ledger: Ledger) -> None:
    """Who reads keeps SQLite from clearing its files: erasing says so, and is finished by whoever writes next."""
    ledger.append_records([intent(1), intent(2, account="9", forward_path="x@y.example")])
    ledger.sign(NOW)
    reader = sqlite3.connect(ledger.folder / "ledger.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    assert len(reader.execute("SELECT number FROM entry").fetchall()) == 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deliverability.ledger.store.BUSY_SECONDS", 0.0)
        erase(ledger, account="4711", address=None, now=NOW)
    assert ledger.store.unswept
    held = [path.read_bytes() for path in ledger.folder.glob("ledger.sqlite*")]
    assert any(b"chen@hinet" in octets for octets in held)
    ledger.close()
    with Ledger.open(ledger.folder, write=True) as again:
        assert again.store.unswept
        with pytest.raises(CannotLookError, match="still stand in the file"):  # and not that there is nothing
            erase(again, account="4711", address=None, now=NOW)
    reader.close()
    with Ledger.open(ledger.folder, write=True) as again:
        assert not again.store.unswept
        again.store.check_tree()
        assert all(b"chen@hinet" not in path.read_bytes() for path in ledger.folder.glob("ledger.sqlite*"))


def test_a_record_that_went_without_an_erasure_is_missed(ledger: Ledger) -> None:
    """The triggers let a record be emptied: whoever can write the file must not be able to do it unnoticed."""
    numbers = ledger.append_records([intent(1), outcome(1), intent(2, account="9", forward_path="x@y.example")])
    ledger.append_records([replace(outcome(2), detail="again")])
    erase(ledger, account="4711", address=None, now=NOW)
    ledger.append_records([replace(outcome(1), detail="late"), intent(1, subject="the same name again")])
    ledger.sign(NOW)
    checked = ledger.store.check_tree()
    assert (checked.entries, checked.erased, checked.unkept) == (ledger.store.size, 2, 2)
    assert parse_leaf(ledger.store.entry(ledger.store.size - 1).leaf).reference == numbers[0]
    with closing(sqlite3.connect(ledger.folder / "ledger.sqlite")) as database, database:
        database.execute(
            "UPDATE entry SET salt = NULL, body = NULL, digest = NULL, account = NULL, sequence = NULL, address = NULL,"
            " dispatch = NULL, settles = NULL, spool = NULL WHERE number = ?",
            (numbers[2],),
        )
    database.close()
    with pytest.raises(TamperedError, match=rf"gone, and no entry says that they were erased: {numbers[2]}$"):
        ledger.store.check_tree()


# --- heads ---


def test_every_head_continues_the_last(ledger: Ledger) -> None:
    notes = [parse_checkpoint(ledger.sign(NOW))[0]]
    for number in range(1, 12):
        ledger.append_records([intent(number)])
        notes.append(parse_checkpoint(ledger.sign(NOW))[0])
    assert ledger.sign(NOW) == ledger.head.read()
    for old, new in pairwise(notes):
        proof = ledger.store.consistency(old.size, new.size)
        assert verify_consistency(old.size, new.size, old.root, new.root, proof)


def test_a_log_restored_from_a_backup_is_not_signed_again(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append_records([intent(1)])
    ledger.close()
    shutil.copy(ledger.folder / "ledger.sqlite", tmp_path / "backup")
    with Ledger.open(ledger.folder, write=True) as later:
        later.append_records([intent(2)])
        later.sign(NOW)
    shutil.copy(tmp_path / "backup", ledger.folder / "ledger.sqlite")
    for path in ledger.folder.glob("ledger.sqlite-*"):
        path.unlink()
    with pytest.raises(TamperedError, match="restored from an old backup"):
        Ledger.open(ledger.folder, write=True)


def test_a_fork_is_not_signed(ledger: Ledger, tmp_path: Path) -> None:
    ledger.close()
    shutil.copytree(ledger.folder, tmp_path / "fork")
    with Ledger.open(ledger.folder, write=True) as one:
        one.append_records([intent(1)])
        one.sign(NOW)
    with Ledger.open(tmp_path / "fork", write=True) as two:
        two.append_records([intent(2)])
        two.head = HeadFile(ledger.folder / "head")
        with pytest.raises(TamperedError, match="not those that were signed"):
            two.sign(NOW)


def test_a_changed_leaf_is_noticed(ledger: Ledger) -> None:
    ledger.append_records([intent(n) for n in range(1, 6)])
    ledger.sign(NOW)
    ledger.close()
    database = sqlite3.connect(ledger.folder / "ledger.sqlite")
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("UPDATE entry SET leaf = x'00' WHERE number = 3")
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("DELETE FROM entry")
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("UPDATE entry SET body = 'x' WHERE number = 3")
    database.execute("DROP TRIGGER entry_stays")
    database.execute("UPDATE entry SET body = CAST('{}' AS BLOB) WHERE number = 3")
    database.commit()
    database.close()
    with Ledger.open(ledger.folder, write=False) as opened, pytest.raises(TamperedError, match="entry 3"):
        opened.store.check_tree()


def test_another_head_in_its_place_stops_signing(ledger: Ledger) -> None:
    ledger.append_records([intent(1)])
    seen = ledger.head.read()
    with pytest.raises(TamperedError, match="another head"):
        ledger.head.replace(b"something else", b"new")
    assert ledger.head.read() == seen
    for damaged in (b"rubbish", b"", seen[:40] if seen else b""):
        ledger.head.path.write_bytes(damaged)
        with pytest.raises(TamperedError, match=r"head is damaged: .*--head-lost"):
            ledger.sign(NOW)


def test_a_log_of_before_a_key_is_said_to_be_restored(ledger: Ledger, tmp_path: Path) -> None:
    ledger.close()
    shutil.copytree(ledger.folder, tmp_path / "backup")
    with Ledger.open(ledger.folder, write=True) as today:
        today.add_key(NOW)
        today.retire_key(today.verifier_keys()[0], NOW)
        today.sign(NOW)
    with pytest.raises(TamperedError, match="older than the key"):
        Ledger.open(tmp_path / "backup", write=False, head=today.head.path)


def test_a_key_and_the_word_of_it_stand_in_the_log_together_or_not_at_all(ledger: Ledger) -> None:
    """On a full disk, say: no key of which the log says that it ended signs on, and none is left that nobody uses."""

    def run(statement: str) -> None:
        with closing(sqlite3.connect(ledger.store.path)) as database:
            database.execute(statement)
            database.commit()

    full = (
        "CREATE TRIGGER full BEFORE INSERT ON meta WHEN NEW.name = 'setting.keys'"
        " BEGIN SELECT RAISE (ABORT, 'disk is full'); END"
    )
    kept, size, files = ledger.key_history(), ledger.store.size, set((ledger.folder / "keys").iterdir())
    run(full)
    with pytest.raises(CannotLookError, match="disk is full"):
        ledger.add_key(NOW)
    assert (ledger.key_history(), ledger.store.size) == (kept, size)
    assert set((ledger.folder / "keys").iterdir()) == files
    run("DROP TRIGGER full")
    old, _ = ledger.verifier_keys()[0], ledger.add_key(NOW)
    kept, size = ledger.key_history(), ledger.store.size
    run(full)
    with pytest.raises(CannotLookError, match="disk is full"):
        ledger.retire_key(old, NOW)
    assert (ledger.key_history(), ledger.store.size, len(ledger.signers())) == (kept, size, 2)


def test_what_was_left_of_a_key_does_not_stop_the_next(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container each process may have the same number."""
    for name in ("new.pem", f"new-{os.getpid()}.pem"):
        (ledger.folder / "keys" / name).touch()
    ledger.add_key(NOW)
    (ledger.folder / "keys" / f"new-{os.getpid()}.pem").unlink()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotLookError, match="No space left"):
        ledger.add_key(NOW)
    assert [path.name for path in (ledger.folder / "keys").glob("new*")] == []


@pytest.mark.parametrize("write", [True, False])
def test_a_head_that_is_not_where_it_was_kept_is_asked_for(ledger: Ledger, tmp_path: Path, *, write: bool) -> None:
    """A mistyped ``[ledger] head`` must not take the guard against a rollback away."""
    ledger.close()
    with pytest.raises(CannotLookError, match=r"over 2 entries.*--head-lost"):
        Ledger.open(ledger.folder, write=write, head=tmp_path / "typo")
    assert not (tmp_path / "typo").exists()


def test_a_reader_beside_a_writer_sees_no_rollback(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is appended and signed while somebody opens the log, or looks into it, was neither cut nor changed."""
    ledger.append_records([intent(1)])
    ledger.sign(NOW)
    really = Store.open

    def meanwhile(path: Path, *, write: bool) -> Store:
        opened = really(path, write=write)
        ledger.append_records([intent(2, account="9")])
        ledger.sign(NOW)
        return opened

    monkeypatch.setattr(Store, "open", meanwhile)
    with Ledger.open(ledger.folder, write=False) as reader:
        ledger.append_records([intent(n) for n in range(3, 40)])
        monkeypatch.setattr(ledger.store, "index", lambda: None)  # it was signed, and is about to be indexed
        ledger.sign(NOW)
        bundle = bundle_of(reader, numbers_for(reader, account="4711"))
        assert verify_bundle(bundle.to_bytes(), keys=ledger.verifier_keys()).complete
        reader.store.check_tree()


def test_a_head_that_is_a_link_stays_where_it_leads(ledger: Ledger, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other-disk"
    elsewhere.mkdir()
    ledger.head.path.rename(elsewhere / "head")
    ledger.head.path.symlink_to(elsewhere / "head")
    ledger.append_records([intent(1)])
    assert ledger.sign(NOW) == (elsewhere / "head").read_bytes() == ledger.head.read()
    assert ledger.head.path.is_symlink()


def test_a_head_that_goes_meanwhile_stops_signing(ledger: Ledger) -> None:
    ledger.append_records([intent(1)])
    ledger.head.path.unlink()
    with pytest.raises(CannotLookError, match="--head-lost"):
        ledger.sign(NOW)
    assert not ledger.head.path.exists()


def test_a_lost_head_is_begun_anew_and_the_log_says_so(ledger: Ledger, tmp_path: Path) -> None:
    before = parse_checkpoint(ledger.head.read() or b"")[0]
    ledger.append_records([intent(1)])
    ledger.close()
    with pytest.raises(UsageError, match="not lost"):
        Ledger.open_without_head(ledger.folder, now=NOW)
    (ledger.folder / "head").unlink()
    with Ledger.open_without_head(ledger.folder, now=NOW) as again:
        body = again.store.entry(again.store.size - 1).body
        assert body and parse_body(body).kind is LeafKind.INCIDENT and b"head lost" in body
        after = parse_checkpoint(again.sign(NOW))[0]
    assert after.size == before.size + 2
    with Ledger.open(ledger.folder, write=True) as well:
        proof = well.store.consistency(before.size, after.size)
        assert verify_consistency(before.size, after.size, before.root, after.root, proof)


def test_a_log_that_does_not_continue_its_own_head_is_not_begun_anew(ledger: Ledger) -> None:
    ledger.append_records([intent(n) for n in range(1, 4)])
    ledger.sign(NOW)
    ledger.close()
    (ledger.folder / "head").unlink()
    database = sqlite3.connect(ledger.folder / "ledger.sqlite")
    database.execute("DROP TRIGGER entry_is_kept")
    database.execute("DELETE FROM entry WHERE number = 4")
    database.execute("UPDATE meta SET value = 4 WHERE name = 'indexed'")
    database.commit()
    database.close()
    with pytest.raises(TamperedError, match="was cut"):
        Ledger.open_without_head(ledger.folder, now=NOW)
    assert not (ledger.folder / "head").exists()


# --- keys ---


def test_keys_take_over_with_both_signatures(ledger: Ledger) -> None:
    (old,) = ledger.verifier_keys()
    new = ledger.add_key(NOW)
    both = parse_checkpoint(ledger.sign(NOW))[1]
    assert old.verify(both) and new.verify(both)
    ledger.retire_key(old, NOW + timedelta(days=1))
    alone = parse_checkpoint(ledger.sign(NOW))[1]
    assert new.verify(alone) and not old.verify(alone)
    assert set(ledger.verifier_keys()) == {old, new}
    with pytest.raises(UsageError, match="only key"):
        ledger.retire_key(new, NOW)
    assert [p.stat().st_mode & 0o777 for p in (ledger.folder / "keys").iterdir()] == [0o600]


def test_a_retired_key_that_was_left_is_destroyed_by_whoever_writes_next(ledger: Ledger) -> None:
    """Retiring may be broken off after the log has said it, and before the file is gone."""
    ledger.add_key(NOW)
    old = ledger.verifier_keys()[0]
    (kept,) = ledger.folder.glob(f"keys/{old.key_id.hex()}.pem")
    private = kept.read_bytes()
    ledger.retire_key(old, NOW)
    kept.write_bytes(private)
    kept.chmod(0o600)
    ledger.close()
    with Ledger.open(ledger.folder, write=False):
        assert kept.exists()  # whoever only looks changes nothing
    with Ledger.open(ledger.folder, write=True) as again:
        assert not kept.exists()
        assert len(again.signers()) == 1


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    make_key(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o640)
    with pytest.raises(CannotLookError, match="others may read"):
        FileSigner(tmp_path / "key.pem", ORIGIN)
    with pytest.raises(UsageError):
        make_key(tmp_path / "key.pem")


SIGNER = """
import sys
from pathlib import Path
from deliverability.ledger.keys import FileSigner, signed
text = sys.stdin.read()
sys.stdout.write(signed(text{change}, [FileSigner(Path(sys.argv[1]), {origin!r})]).to_bytes().decode())
"""


@pytest.mark.parametrize(("change", "held"), [("", True), (".replace('1', '2')", False)])
def test_the_signer_can_be_another_program(tmp_path: Path, change: str, held: bool) -> None:
    make_key(tmp_path / "key.pem")
    key = FileSigner(tmp_path / "key.pem", ORIGIN).key
    code = SIGNER.format(change=change, origin=ORIGIN)
    signer = CommandSigner([sys.executable, "-c", code, str(tmp_path / "key.pem")], key)
    text = Checkpoint(ORIGIN, 11, b"x" * 32).to_text()
    if held:
        assert signer.sign(text).name == ORIGIN
        return
    with pytest.raises(CannotLookError, match="another text"):
        signer.sign(text)


# --- processes ---


def test_one_process_appends(ledger: Ledger) -> None:
    code = (
        "import sys; from pathlib import Path; from deliverability.ledger.log import Ledger\n"
        "Ledger.open(Path(sys.argv[1]), write=True)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(ledger.folder)], capture_output=True, text=True, check=False)
    assert "another process is writing this ledger" in done.stderr
    with Ledger.open(ledger.folder, write=False) as reader:
        assert reader.store.size == 2
        with pytest.raises(UsageError):
            reader.append_records([intent(1)])


def test_threads_append_together(ledger: Ledger) -> None:
    numbers: list[int] = []

    def work(first: int) -> None:
        for n in range(20):
            numbers.extend(ledger.append_records([intent(first * 100 + n, account=str(first))]))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(2, 2 + 16 * 20))
    ledger.store.check_tree()
    assert all(len(ledger.store.numbers_of(account=str(n))) == 20 for n in range(1, 17))


KILLED = """
import os, sys, threading
sys.path.insert(0, {here!r})
from datetime import datetime, UTC
from pathlib import Path
from ledger_records import intent
from deliverability.ledger.checkpoint import parse_checkpoint
from deliverability.ledger.log import Ledger
ledger, first = Ledger.open(Path(sys.argv[1]), write=True), int(sys.argv[2])

def work(thread):
    for number in range(first + thread, first + 100_000, 64):
        (entry,) = ledger.append_records([intent(number, account=str(number % 50))])
        os.write(1, b"%d %d\\n" % (number, entry))

for thread in range(64):
    threading.Thread(target=work, args=(thread,), daemon=True).start()
while True:
    head = parse_checkpoint(ledger.sign(datetime.now(UTC)))[0]
    os.write(1, b"head %d %s\\n" % (head.size, head.root.hex().encode()))
"""


def test_what_was_acknowledged_survives_kills_of_64_writers(tmp_path: Path) -> None:
    """The full run, some hundred rounds: ``benchmarks/ledger.py --kills``."""
    folder = tmp_path / "ledger"
    Ledger.create(folder, ORIGIN, now=NOW).close()
    code = KILLED.format(here=str(Path(__file__).parents[1] / "helpers"))
    said: dict[int, int] = {}
    heads: dict[int, str] = {}
    for round_ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(folder), str(round_ * 100_000)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(4 + 60 * round_)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.wait()
        process.stdout.close()
        for words in (line.split() for line in lines if line.endswith("\n")):
            if words[0] == "head":
                heads[int(words[1])] = words[2]
            else:
                said[int(words[0])] = int(words[1])
    with Ledger.open(folder, write=False) as ledger:
        ledger.store.check_tree()
        for size, root in heads.items():
            assert ledger.store.root_at(size).hex() == root
        for number, entry in said.items():
            body = ledger.store.entry(entry).body
            assert body
            told = record_from_bytes(parse_body(body).event)
            assert isinstance(told, Intent) and told.dispatch == f"{number:032x}"


def test_a_failed_append_changes_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    root, size = ledger.store.root(), ledger.store.size
    ledger.close()
    os.chmod(ledger.folder / "ledger.sqlite", 0o400)  # noqa: PTH101
    if os.getuid() == 0:
        # Root may write all the same: a full disk is imitated by a limit on the number of pages.
        os.chmod(ledger.folder / "ledger.sqlite", 0o600)  # noqa: PTH101
        with Ledger.open(ledger.folder, write=True) as opened:
            opened.store._database.execute("PRAGMA max_page_count = 1")
            with pytest.raises(CannotLookError, match="nothing was appended"):
                opened.append_records([intent(n) for n in range(1, 400)])
            assert (opened.store.root(), opened.store.size) == (root, size)
            opened.store._database.execute("PRAGMA max_page_count = 100000")
            opened.append_records([intent(1)])
            opened.store.check_tree()
    else:
        with pytest.raises(CannotLookError):
            Ledger.open(ledger.folder, write=True).append_records([intent(1)])


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotLookError, match="ledger init"):
        Ledger.open(tmp_path / "none", write=False)
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "ledger.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(CannotLookError):
        Ledger.open(tmp_path / "ledger", write=False)
    database = sqlite3.connect(tmp_path / "other.sqlite")
    database.execute("CREATE TABLE x (y)")
    database.close()
    shutil.copy(tmp_path / "other.sqlite", tmp_path / "ledger" / "ledger.sqlite")
    with pytest.raises(CannotLookError, match="some other program"):
        Ledger.open(tmp_path / "ledger", write=True)


def test_a_newer_schema_is_refused_and_left_alone(ledger: Ledger) -> None:
    ledger.close()
    path = ledger.folder / "ledger.sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()
    for write in (True, False):
        with pytest.raises(CannotLookError, match="newer version"):
            Ledger.open(ledger.folder, write=write)
    assert path.read_bytes() == before


def test_an_origin_that_no_head_could_bear_makes_nothing(tmp_path: Path) -> None:
    from deliverability.errors import ParseError

    with pytest.raises(ParseError):
        Ledger.create(tmp_path / "ledger", "two words")
    assert not (tmp_path / "ledger").exists()


def test_what_came_later_finds_its_intent_in_another_processs_file(ledger: Ledger) -> None:
    first, second = recorder(ledger.folder), recorder(ledger.folder)
    second.record([intent(1)])
    first.record([Later(dispatch=f"{1:032x}", at=AT, kind="dsn", finish=Finish.REFUSED, level=None, witness="x")])
    files = sorted((ledger.folder / "spool").glob("*.spool"), key=lambda path: path.stat().st_mtime_ns)
    files[1].rename(files[1].with_name("a" + files[1].name))  # so that the later record is read first
    assert ledger.drain(NOW) == 2
    kinds = {parse_leaf(e.leaf).kind: e for e in ledger.store.entries(2)}
    assert parse_leaf(kinds[LeafKind.LATER].leaf).reference == kinds[LeafKind.INTENT].number
    assert len(ledger.store.numbers_of(account="4711")) == 2


def test_a_history_calls_no_record_erased_that_only_went(ledger: Ledger) -> None:
    ledger.append_records([intent(1), outcome(1), intent(2), outcome(2)])
    ledger.sign(NOW)
    erase(ledger, account=None, address="chen@hinet.example", now=NOW)
    assert history(ledger, account="4711").erased == 4
    ledger.append_records([intent(3), outcome(3)])
    ledger.sign(NOW)
    ledger.store.empty([ledger.store.size - 1], account=None, address=None)
    with pytest.raises(TamperedError, match=f"no entry says that they were erased: {ledger.store.size - 1}$"):
        history(ledger, account="4711")


def test_a_bundle_out_of_a_changed_ledger_is_not_made(ledger: Ledger) -> None:
    ledger.append_records([intent(1), outcome(1)])
    ledger.sign(NOW)
    ledger.close()
    with closing(sqlite3.connect(ledger.folder / "ledger.sqlite")) as database, database:
        database.execute("DROP TRIGGER entry_stays")
        database.execute("UPDATE entry SET body = CAST(replace(body, 'accepted', 'refused') AS BLOB) WHERE number = 3")
    database.close()
    with (
        Ledger.open(ledger.folder, write=False) as opened,
        pytest.raises(TamperedError, match="entry 3 is not the one that was sealed"),
    ):
        bundle_of(opened, [2, 3])


@pytest.mark.parametrize("changed", ["record", "leaf"])
def test_a_history_out_of_a_changed_ledger_is_refused(ledger: Ledger, changed: str) -> None:
    """Its page says that the records have not changed: that is looked at, not taken for granted."""
    ledger.append_records([intent(1), outcome(1)])
    ledger.sign(NOW)
    assert len(history(ledger, account="4711").told) == 1
    ledger.close()
    database = sqlite3.connect(ledger.folder / "ledger.sqlite")
    database.execute("DROP TRIGGER entry_stays")
    if changed == "record":
        database.execute("UPDATE entry SET body = CAST(replace(body, 'accepted', 'refused') AS BLOB) WHERE number = 3")
    else:
        database.execute("UPDATE entry SET leaf = (SELECT leaf FROM entry WHERE number = 2) WHERE number = 3")
    database.commit()
    database.close()
    with (
        pytest.raises(TamperedError, match=r"entry [23] |not those that were signed"),
        Ledger.open(ledger.folder, write=False) as opened,  # a small tree is made from its leaves as it is opened
    ):
        history(opened, account="4711")
