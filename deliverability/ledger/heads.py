"""The last signed head, kept apart from the log, so that a log that was rolled back or forked is noticed.

Before a head is signed it is held against the last one: a log that shrank, or whose earlier entries differ, is never
signed again under its origin (a fork cannot be mended, only shown).  Whoever can write both the log and this file can
deceive its owner; heads in other people's hands are what he cannot change.
"""

import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from deliverability.errors import CannotLookError, ParseError, TamperedError, printable
from deliverability.ledger.checkpoint import Checkpoint, parse_checkpoint
from deliverability.ledger.keys import Signer, signed
from deliverability.ledger.notes import MAX_NOTE, VerifierKey


class HeadFile:
    """One file that holds the newest signed head; replaced as a whole, under a lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> bytes | None:
        """The newest head, or ``None`` before the first; raises :class:`CannotLookError`."""
        try:
            with self.path.open("rb") as file:
                return file.read(MAX_NOTE + 1)
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise CannotLookError(f"{printable(str(self.path))}: {problem.strerror}") from problem

    def replace(self, expected: bytes | None, new: bytes) -> None:
        """Put a new head in the place of the one that was read; raises :class:`TamperedError` if another stands there."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self.read() != expected:
                    raise TamperedError(
                        f"{printable(str(self.path))}: another head was signed meanwhile; nothing was signed"
                    )
                self._write(new)
            finally:
                os.close(lock)
        except OSError as problem:
            raise CannotLookError(f"{printable(str(self.path))}: {problem.strerror}") from problem

    def _write(self, new: bytes) -> None:
        place = self.path.resolve()  # where it is a link, the file on the other disk is meant
        fresh = place.with_name(f".{place.name}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(place)
        folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def last_head(head: bytes, origin: str, keys: Sequence[VerifierKey], where: Path) -> Checkpoint:
    """What the last head says; raises :class:`TamperedError` unless one of our keys signed it for this log."""
    try:
        checkpoint, note = parse_checkpoint(head)
    except ParseError as problem:
        raise TamperedError(
            f"{printable(str(where))}: the last signed head is damaged: {problem}. Put a copy of it there; where none is"
            " left, move that file away: deliverability ledger checkpoint --head-lost"
        ) from problem
    if checkpoint.origin != origin:
        raise TamperedError(f"{printable(str(where))}: the head of another log, {printable(checkpoint.origin)}")
    if not any(key.verify(note) for key in keys):
        raise TamperedError(
            f"{printable(str(where))}: not signed by a key of this log: the head is another log's, or the log was restored"
            " from a backup that is older than the key. Do not sign under this origin again in that case; see:"
            " deliverability ledger incident --help"
        )
    return checkpoint


def check_continues(last: Checkpoint, size: int, root_at: Callable[[int], bytes], where: Path) -> None:
    """Raise :class:`TamperedError` unless a log of ``size`` entries continues the one of the last head."""
    shown = printable(str(where))
    if size < last.size:
        raise TamperedError(
            f"{shown}: the log has {size} entries, and a head was signed over {last.size}: it was cut, or restored from"
            " an old backup. Do not sign under this origin again; see: deliverability ledger incident --help"
        )
    if root_at(last.size) != last.root:
        raise TamperedError(
            f"{shown}: the first {last.size} entries are not those that were signed: the log was changed. Do not sign"
            " under this origin again; see: deliverability ledger incident --help"
        )


def sign_head(
    checkpoint: Checkpoint,
    root_at: Callable[[int], bytes],
    signers: Sequence[Signer],
    keys: Sequence[VerifierKey],
    head: HeadFile,
) -> bytes:
    """Sign a head that continues the last one, and put it in its place; returns the note.

    ``keys`` are all that this log ever signed with: the last head may bear a retired one.
    """
    if not signers:
        raise CannotLookError(
            f"{printable(checkpoint.origin)}: no key is in use, and nothing was signed. Where ledger init was broken off,"
            " run it again"
        )
    before = head.read()
    if before is not None:
        last = last_head(before, checkpoint.origin, keys, head.path)
        check_continues(last, checkpoint.size, root_at, head.path)
        if last.size == checkpoint.size and {s.key.key_id for s in signers} <= _signers_of(before):
            return before
    note = signed(checkpoint.to_text(), signers).to_bytes()
    head.replace(before, note)
    return note


def _signers_of(head: bytes) -> set[bytes]:
    return {signature.key_id for signature in parse_checkpoint(head)[1].signatures}
