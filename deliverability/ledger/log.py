"""The ledger of one host: a folder with the log, its spool, its keys, and the lock of whoever sequences.

::

    ledger.sqlite   entries, records, tree, checkpoints
    spool/          what processes recorded and nobody has sequenced yet
    keys/           private keys, mode 0600
    head            the last signed head; better kept on another disk (``[ledger] head``)
    lock            held by the one process that appends
"""

import contextlib
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from deliverability.errors import CannotLookError, TamperedError, UsageError, printable
from deliverability.evidence.recorder import Record
from deliverability.ledger.appending import NewEntry
from deliverability.ledger.batches import Batches
from deliverability.ledger.checkpoint import Checkpoint, parse_checkpoint
from deliverability.ledger.database import holds_something
from deliverability.ledger.draining import drain, new_entry
from deliverability.ledger.heads import HeadFile, check_continues, last_head, sign_head
from deliverability.ledger.keys import FileSigner, Signer, make_key
from deliverability.ledger.leaves import LeafKind
from deliverability.ledger.locking import take_lock
from deliverability.ledger.notes import VerifierKey
from deliverability.ledger.spool import Spool, sync_folder
from deliverability.ledger.store import Store
from deliverability.protocols import canonical
from deliverability.protocols.record_octets import time_to_text

KEYS_SETTING = "keys"
_SWEEP_SECONDS = 1.0  # that a command waits for readers, to finish what an erasure could not


class Ledger:
    """An open ledger.  Appending is for any number of threads of the process that holds the lock."""

    def __init__(self, folder: Path, store: Store, lock: int | None, head: HeadFile) -> None:
        self.folder, self.store, self.head = folder, store, head
        self._lock = lock
        self._batches: Batches[Sequence[NewEntry], tuple[int, ...]] = Batches(self._settle)

    # --- opening ---

    @classmethod
    def create(cls, folder: Path, origin: str, *, head: Path | None = None, now: datetime | None = None) -> Self:
        """A new ledger with a key of its own and its first signed head.

        One whose making was broken off before that head was signed is made whole.
        """
        Checkpoint(origin, 1, b"\0" * 32)  # an origin that no checkpoint could bear is refused before anything is made
        lock = _take_lock(folder)
        head_file = HeadFile(head or folder / "head")
        try:
            store = _unfinished(folder / "ledger.sqlite", origin, head_file)
        except BaseException:
            os.close(lock)
            raise
        ledger = cls(folder, store, lock, head_file)
        moment = now or datetime.now(UTC)
        try:
            if not store.size:
                ledger.append_own(LeafKind.ORIGIN, {"origin": origin, "at": time_to_text(moment), "continues": None})
            if not ledger.key_history():
                ledger.add_key(moment)
            ledger.sign(moment)
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def open(cls, folder: Path, *, write: bool, head: Path | None = None) -> Self:
        """An existing ledger, to append to or to look into.

        Raises :class:`CannotLookError` when another process appends or the last signed head is not where it was kept,
        and :class:`~deliverability.errors.TamperedError` when the log does not continue it.
        """
        ledger, last = cls._opened(folder, write=write, head=head)
        try:
            ledger.check_head(last)
            if write:
                ledger.destroy_retired()
                ledger.store.sweep(_SWEEP_SECONDS)
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def open_without_head(cls, folder: Path, *, head: Path | None = None, now: datetime) -> Self:
        """A ledger whose last signed head was lost, to append to: the log's own newest head takes its place.

        Whether the log was restored from an old backup before can no longer be told, and an entry of the log says so.
        """
        ledger, _ = cls._opened(folder, write=True, head=head)
        try:
            ledger.begin_head_anew(now)
            ledger.destroy_retired()
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def _opened(cls, folder: Path, *, write: bool, head: Path | None) -> tuple[Self, bytes | None]:
        """With the last signed head, read first: a writer signs one over entries that a reader no longer gets to see."""
        kept = HeadFile(head or folder / "head")
        lock = _take_lock(folder) if write else None
        try:
            last = kept.read()
            store = Store.open(folder / "ledger.sqlite", write=write)
        except BaseException:
            if lock is not None:
                os.close(lock)
            raise
        return cls(folder, store, lock, kept), last

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let go of the lock."""
        if self._lock is not None:
            with contextlib.suppress(CannotLookError, TamperedError):  # whoever opens it next reads what is not indexed
                self.store.index()
        self.store.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def check_head(self, head: bytes | None) -> None:
        """Raise :class:`~deliverability.errors.TamperedError` unless the log continues this head, its last."""
        if head is not None:
            last = last_head(head, self.store.origin, self.verifier_keys(), self.head.path)
            check_continues(last, self.store.size, self.store.root_at, self.head.path)
        else:
            self._refuse_lost_head()

    def _refuse_lost_head(self) -> None:
        """A head is put into its file before the log keeps it: where the log has one, the file was there."""
        kept = self.store.checkpoint()
        if kept is not None:
            if self.head.read() is not None:  # the first of all was signed just now
                raise CannotLookError(f"{printable(str(self.head.path))}: the ledger is being made; try again")
            raise CannotLookError(
                f"{printable(str(self.head.path))}: the last signed head is not there, though this log signed one over"
                f" {parse_checkpoint(kept)[0].size} entries: without it nobody sees whether the log was cut or restored"
                " from an old backup. Name the file that holds it, [ledger] head, or put a copy of it there; where none"
                " is left: deliverability ledger checkpoint --head-lost"
            )

    def begin_head_anew(self, now: datetime) -> None:
        """Put the log's own newest head into the place of one that was lost; the log says so."""
        kept = self.store.checkpoint()
        if kept is None or self.head.read() is not None:
            raise UsageError(f"{printable(str(self.head.path))}: the last signed head is not lost")
        last = last_head(kept, self.store.origin, self.verifier_keys(), self.store.path)
        check_continues(last, self.store.size, self.store.root_at, self.store.path)
        self.append_own(LeafKind.INCIDENT, {"what": "head lost", "continues": last.size, "at": time_to_text(now)})
        self.head.replace(None, kept)

    # --- appending ---

    def append(self, new: Sequence[NewEntry]) -> tuple[int, ...]:
        """Append entries, durable when this returns; their numbers.  Threads that wait together share one commit."""
        self._require_lock()
        return self._batches.add(new)

    def _settle(self, batch: list[Sequence[NewEntry]]) -> list[tuple[int, ...]]:
        if len(batch) == 1:
            return [self.store.append(batch[0])]
        numbers = iter(self.store.append([entry for new in batch for entry in new]))
        return [tuple(islice(numbers, len(new))) for new in batch]

    def append_records(self, records: Sequence[Record]) -> tuple[int, ...]:
        """Append a mailer's records."""
        return self.append([new_entry(record) for record in records])

    def append_own(self, kind: LeafKind, event: dict[str, object]) -> int:
        """Append an entry about the log itself."""
        return self.append([NewEntry(kind, canonical.to_bytes(event))])[0]

    def drain(self, now: datetime) -> int:
        """Take in what processes have spooled; how many records that were.

        A process that ended left its dispatches open: each gets the outcome *unknown*, and its file is cleared away.
        """
        self._require_lock()
        return drain(self, now)

    def append_drained(self, batch: Sequence[NewEntry], spool: str, position: int) -> int:
        """Append entries out of a spool file, and note how far it was read; how many those were."""
        with self._batches.alone():
            return len(self.store.append(batch, (spool, position)))

    def _require_lock(self) -> None:
        if self._lock is None:
            raise UsageError("the ledger was opened to look into, not to append")

    # --- keys and heads ---

    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """All keys that this log ever signed with."""
        return tuple(VerifierKey.parse(key["key"] or "") for key in self.key_history())

    def key_history(self) -> list[dict[str, str | None]]:
        """Each key with ``key``, ``from`` and ``until`` (``None``: in use)."""
        kept = self.store.setting(KEYS_SETTING)
        history: list[dict[str, str | None]] = json.loads(kept) if kept else []
        return history

    def signers(self) -> tuple[Signer, ...]:
        """The keys in use that lie in the folder; two while one takes over from the other."""
        current = [VerifierKey.parse(k["key"] or "") for k in self.key_history() if k["until"] is None]
        found: list[Signer] = []
        for key in current:
            signer = FileSigner(self._key_path(key), key.name)
            if signer.key != key:
                raise CannotLookError(f"{printable(str(self._key_path(key)))}: not the key of that name")
            found.append(signer)
        return tuple(found)

    def add_key(self, now: datetime) -> VerifierKey:
        """Make a new key and say so in the log; until :meth:`retire_key`, heads bear the old signature as well."""
        self._require_lock()
        fresh = self.folder / "keys" / "new.pem"
        fresh.unlink(missing_ok=True)  # of somebody who was stopped: nobody signs with it
        make_key(fresh)
        key = FileSigner(fresh, self.store.origin).key
        fresh.replace(self._key_path(key))
        try:
            sync_folder(fresh.parent)  # the log is about to say that there is such a key
            history = [*self.key_history(), {"key": key.to_text(), "from": time_to_text(now), "until": None}]
            self._note_key(key, "begins", now, history)
        except CannotLookError:
            self._key_path(key).unlink(missing_ok=True)
            raise
        return key

    def retire_key(self, key: VerifierKey, now: datetime) -> None:
        """Sign no more heads with a key; it stays listed, for the heads that bear it, and its file is destroyed."""
        self._require_lock()
        history = self.key_history()
        if sum(k["until"] is None for k in history) < 2:
            raise UsageError("the only key in use cannot be retired; make another first")
        for entry in history:
            if entry["key"] == key.to_text() and entry["until"] is None:
                entry["until"] = time_to_text(now)
                break
        else:
            raise UsageError("no key of that name is in use")
        self._note_key(key, "ends", now, history)
        self._key_path(key).unlink(missing_ok=True)

    def destroy_retired(self) -> None:
        """The files of keys that were retired by whoever was stopped before they were gone."""
        for entry in self.key_history():
            if entry["until"] is not None:
                with contextlib.suppress(OSError):  # a key that signs nothing must not stop what has to be recorded
                    self._key_path(VerifierKey.parse(entry["key"] or "")).unlink(missing_ok=True)

    def _note_key(self, key: VerifierKey, use: str, now: datetime, history: list[dict[str, str | None]]) -> None:
        """The log says it, and from then on the key is used so."""
        event = canonical.to_bytes({"key": key.to_text(), "at": time_to_text(now), "use": use})
        with self._batches.alone():
            self.store.append([NewEntry(LeafKind.KEY, event)], setting=(KEYS_SETTING, json.dumps(history).encode()))

    def _key_path(self, key: VerifierKey) -> Path:
        return self.folder / "keys" / f"{key.key_id.hex()}.pem"

    def sign(self, now: datetime, signers: Sequence[Signer] | None = None) -> bytes:
        """Sign a head over all that is durable by now; the note."""
        self._require_lock()
        used = self.signers() if signers is None else signers
        if self.head.read() is None:
            self._refuse_lost_head()
        with self._batches.alone():
            checkpoint = Checkpoint(self.store.origin, self.store.size, self.store.root())
            note = sign_head(checkpoint, self.store.root_at, used, self.verifier_keys(), self.head)
            self.store.keep_checkpoint(checkpoint.size, note, now)
            self.store.index()
        return note


def recorder(folder: Path) -> Spool:
    """Where processes of this host record; the ledger's own spool."""
    return Spool(folder / "spool")


def _unfinished(path: Path, origin: str, head: HeadFile) -> Store:
    """A new store; or the one that is there, where it never had a head: whoever made it was stopped."""
    if head.read() is None and holds_something(path):
        store = Store.open(path, write=True)
        if store.origin == origin and store.checkpoint() is None:
            return store
        store.close()
    return Store.create(path, origin)


def _take_lock(folder: Path) -> int:
    """Become the one that appends."""
    return take_lock(folder / "lock", f"{printable(str(folder))}: another process is writing this ledger; try again")
