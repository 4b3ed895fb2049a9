"""Where a process makes its records durable before it goes on: a file of its own, one record a line, fsynced.

No process waits for another, and nothing has to be configured: whoever records opens a file in the spool folder, keeps
it locked for as long as it lives, and opens another after a fork.  The sequencer drains the files into the ledger; a
file that nobody locks any more is one whose process has ended.  A last line without its end was never acknowledged.

A file is made longer, by zeros, before records need the room, and they are written over them: then a disk makes a record
durable without the file system's journal, in about half the time, and nobody else's ``fsync`` is waited for.  The first
zero, which no record holds, is where the records end.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import socket
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deliverability.errors import CannotLookError, ParseError, RecordingError, printable
from deliverability.evidence.recorder import Record
from deliverability.ledger.batches import Batches
from deliverability.protocols.records import MAX_RECORD, record_to_bytes

MAX_FILE = 64 << 20  # octets; then another file is begun, so that the sequencer can clear away the first
MIN_ROOM, MAX_ROOM = 16 << 10, 1 << 20
"""Octets of zeros that are written ahead at once: as many as the file has, within these bounds."""
SUFFIX = ".spool"
_BLANKED = bytes(octet if octet == 0x0A else 0x20 for octet in range(256))  # line ends stay


class Spool:
    """A :class:`~deliverability.evidence.recorder.Recorder` for any number of threads and forks of a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._batches: Batches[bytes, None] = Batches(self._settle)
        self._file: _File | None = None
        os.register_at_fork(after_in_child=self._forget)

    def record(self, records: Sequence[Record]) -> None:
        """Make the records durable before returning; raises :class:`RecordingError`.

        Threads that wait at the same time share one ``fsync``.  Records of one call stand together.
        """
        self.record_octets(self.to_octets(records))

    def to_octets(self, records: Sequence[Record]) -> bytes:
        """The records as they will stand in the file; raises :class:`RecordingError`."""
        try:
            return b"".join([record_to_bytes(record) + b"\n" for record in records])
        except ParseError as problem:
            raise RecordingError(f"a record cannot be written: {problem}") from problem

    def record_octets(self, octets: bytes) -> None:
        """:meth:`record`, for what :meth:`to_octets` made of one or several calls' records."""
        self._batches.add(octets)

    def close(self) -> None:
        """Let go of the file: the sequencer may clear it away."""
        with self._batches.alone():
            if self._file:
                self._file.close()
                self._file = None

    def _settle(self, batch: list[bytes]) -> list[None]:
        self._write(b"".join(batch))
        return [None] * len(batch)

    def _write(self, content: bytes) -> None:
        try:
            if self._file is None or self._file.size > MAX_FILE:
                if self._file:
                    self._file.close()
                self._file = _File.make(self.folder)
            self._file.append(content)
        except BaseException as problem:
            # What a failed or interrupted write left in the file is unknown, and the sequencer may have read it: nothing
            # more may be written there.
            file, self._file = self._file, None
            if file:
                file.close()
            if not isinstance(problem, OSError):
                raise
            if file and not file.size:
                file.remove()  # it holds nothing that was acknowledged: a full disk is not filled up with names
            raise RecordingError(
                f"{printable(str(self.folder))}: evidence cannot be recorded: {problem.strerror}"
            ) from problem

    def _forget(self) -> None:
        """In a child: the file, its lock and the threads that waited are the parent's."""
        if self._file:
            self._file.close()  # ``flock`` belongs to the open file, which the parent still holds
        self._batches, self._file = Batches(self._settle), None


class _File:
    """One open spool file, locked."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor, self.path, self.size = descriptor, path, 0
        self._room = 0
        """Where the zeros end that records may be written over."""

    @classmethod
    def make(cls, folder: Path) -> "_File":
        _make_folder(folder)
        name = f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(8)}{SUFFIX}".replace("/", "_")
        path = folder / name
        # Made under a name that no sequencer looks for, until it is locked.
        hidden = folder / f".{name}"
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hidden.rename(path)
            sync_folder(folder)
        except OSError:
            os.close(descriptor)
            for left in (hidden, path):
                left.unlink(missing_ok=True)
            raise
        return cls(descriptor, path)

    def append(self, content: bytes) -> None:
        end = self.size + len(content)
        self._write(content, self.size)
        if end > self._room:
            self._room = end
            with contextlib.suppress(OSError):  # without room ahead it takes longer, and is recorded all the same
                self._room += self._write(bytes(min(max(end, MIN_ROOM), MAX_ROOM)), end)
        os.fdatasync(self._descriptor)
        self.size = end

    def _write(self, content: bytes, at: int) -> int:
        left = memoryview(content)
        while left:
            written = os.pwrite(self._descriptor, left, at)
            left, at = left[written:], at + written
        return len(content)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._descriptor)

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()


def _make_folder(folder: Path) -> None:
    """Make it where it is missing, so that it is still there after a power cut, with the folders above it."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for one in missing:
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- the sequencer's side ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spooled:
    """A spool file as the sequencer finds it."""

    path: Path
    abandoned: bool
    """Whether its process has ended: what it left open stays open."""

    @property
    def process(self) -> str:
        """Host and number of the process; a later one of the same number is taken for it as long as it lives."""
        return self.path.name.rpartition("-")[0]

    def lines(self, position: int = 0) -> Iterator[tuple[bytes, int]]:
        """Complete lines from ``position`` on, each with the position after it; raises :class:`CannotLookError`.

        A line without its end was never acknowledged, and is no line yet.  Zeros are room that is not written over yet;
        with a line behind them, in a file that nobody writes any more, they are damage, and given as they stand.
        """
        try:
            with os.fdopen(_opened(self.path, os.O_RDONLY), "rb") as file:
                file.seek(position)
                while line := file.readline(MAX_RECORD + 2):
                    if b"\0" in line and not (self.abandoned and line.endswith(b"\n")):
                        return
                    if not line.endswith(b"\n"):
                        if len(line) > MAX_RECORD:
                            raise CannotLookError(f"{printable(str(self.path))}: a line is longer than any record")
                        return
                    position += len(line)
                    yield line[:-1], position
        except FileNotFoundError:
            return  # who made it could write nothing into it, and took it away; or it was drained meanwhile
        except OSError as problem:
            raise CannotLookError(f"{printable(str(self.path))}: {problem.strerror}") from problem

    def blank(self, start: int, end: int) -> None:
        """Write blanks over the lines between two places, which were taken in; raises :class:`CannotLookError`.

        For a file whose process lives on, after an erasure.  Its process writes behind ``end`` alone.
        """
        try:
            with os.fdopen(_opened(self.path, os.O_RDWR), "r+b") as file:
                while start < end:
                    file.seek(start)
                    octets = file.read(min(end - start, MAX_ROOM))
                    if not octets:
                        break
                    file.seek(start)
                    file.write(octets.translate(_BLANKED))
                    start += len(octets)
                file.flush()
                os.fsync(file.fileno())
        except FileNotFoundError:
            return
        except OSError as problem:
            raise CannotLookError(f"{printable(str(self.path))}: {problem.strerror}") from problem

    def remove(self) -> None:
        """Clear a drained file of an ended process away."""
        self.path.unlink(missing_ok=True)


def spooled(folder: Path) -> tuple[Spooled, ...]:
    """The files in a spool folder, by name; raises :class:`CannotLookError` for one that cannot be read."""
    try:
        paths = sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))
        found = ((path, _is_abandoned(path)) for path in paths)
        return tuple(Spooled(path, abandoned) for path, abandoned in found if abandoned is not None)
    except OSError as problem:
        raise CannotLookError(f"{printable(str(folder))}: {problem.strerror}") from problem


def _opened(path: Path, how: int) -> int:
    """A spool file, and nothing that somebody has put there instead: a link leads elsewhere, a pipe would be waited for."""
    try:
        descriptor = os.open(path, how | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    except OSError as problem:
        if problem.errno not in {errno.ELOOP, errno.ENXIO, errno.EISDIR}:
            raise
    raise CannotLookError(f"{printable(str(path))}: no file of a spool, but a link, a folder or a pipe; take it away")


def _is_abandoned(path: Path) -> bool | None:
    """``None`` for one that is there no longer: who made it could write nothing into it."""
    try:
        descriptor = _opened(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
