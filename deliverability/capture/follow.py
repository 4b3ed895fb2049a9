"""A log as it grows: each new line once, through rotation by name and by truncation, as ``tail -F`` would give it.

A journal export (``journalctl -o export -f``) is told by its first octets, and read entry by entry: a line end within a
value is none between entries.  Everything else is lines.
"""

import os
import select
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from deliverability.capture.blocks import MAX_LINE
from deliverability.capture.decoders.streams import MAX_RECORD, DamagedError
from deliverability.errors import CannotLookError, printable
from deliverability.evidence.exhibit import LogLine, Place

if TYPE_CHECKING:
    from deliverability.capture.decoders.journal import Entries

PIECE = 256 << 10
MAX_AT_ONCE = 16  # pieces of one file before the next one has its turn
SAMPLE = 64 << 10  # octets by which it is told what wraps the lines
HEAD = 512  # octets by which a file is known that was written anew under its name


class Growing(Protocol):
    """What can be followed."""

    @property
    def ended(self) -> bool:
        """Nothing more can come."""

    def lines(self) -> Iterator[LogLine]:
        """What has come since the last look; offset 0 begins another file."""

    def close(self) -> None:
        """Let go of it."""


class Begun(Growing, Protocol):
    """What may have been there before anybody looked."""

    @property
    def head(self) -> bytes:
        """Its first octets; none of what is still empty, and of a pipe."""


@dataclass(slots=True)
class _Cutter:
    """Octets to lines: whole ones, and of one that is far too long its beginning."""

    log: str
    path: str
    line: int = 0
    offset: int = 0
    rest: bytes = b""
    dropping: bool = False
    entries: "Entries | None" = None
    """Of a journal export."""

    @property
    def read(self) -> int:
        """How many octets were taken."""
        return self.offset + len(self.rest if self.entries is None else self.entries.rest)

    def lines(self, more: bytes) -> Iterator[LogLine]:
        if self.offset == 0 and self.entries is None and not self.dropping:
            more = self._export_of(more)
        if self.entries is not None:
            yield from self._of_export(self.entries, more)
            return
        *whole, rest = (self.rest + more).split(b"\n")
        for raw in whole:
            if self.dropping:
                self.dropping = False
                self.line, self.offset = self.line + 1, self.offset + len(raw) + 1
                continue
            yield self._line(raw, cut=False)
            self.line, self.offset = self.line + 1, self.offset + len(raw) + 1
        if self.dropping:
            self.offset, rest = self.offset + len(rest), b""
        elif len(rest) > _most(rest):
            yield self._line(rest, cut=True)
            self.offset, self.dropping, rest = self.offset + len(rest), True, b""
        self.rest = rest

    def last(self) -> Iterator[LogLine]:
        """What is left when nothing more can come."""
        rest = self.rest if self.entries is None else self.entries.rest.strip(b"\n")[:MAX_LINE]
        if rest and not self.dropping:
            yield self._line(rest, cut=True)
        self.rest = b""

    def _export_of(self, more: bytes) -> bytes:
        """What is to be read: all that has come, where it turns out to be a journal export."""
        from deliverability.capture.decoders import journal

        head = self.rest + more
        if not journal.is_export(head):
            return more
        self.entries, self.rest = journal.Entries(), b""
        return head

    def _of_export(self, entries: "Entries", more: bytes) -> Iterator[LogLine]:
        try:
            for size, raw in entries.lines(more):
                if raw:
                    yield self._line(raw, cut=False)
                    self.line += 1
                self.offset += size
        except DamagedError as problem:
            raise CannotLookError(f"{printable(self.path)}: cannot be followed further: {problem}") from problem

    def _line(self, raw: bytes, *, cut: bool) -> LogLine:
        most = _most(raw)
        place = Place(self.log, self.path, self.line + 1, self.offset)
        return LogLine(place, raw[:most].removesuffix(b"\r"), cut or len(raw) > most)


def _most(raw: bytes) -> int:
    """How long a line may be: a record may hold more than the line that is wrapped in it."""
    return MAX_RECORD if raw.startswith((b"{", b"\x1e{", b"data: {")) else MAX_LINE


class GrowingFile:
    """One path, whatever file lies there."""

    def __init__(self, log: str, path: str) -> None:
        """Begins at the end of the file that is there now; raises :class:`CannotLookError` for what is no file."""
        self._log, self._path = log, path
        self._fd: int | None = None
        self._head = self.head = b""
        self._cutter = _Cutter(log, path)
        if Path(path).exists() and not Path(path).is_file():
            raise CannotLookError(f"{printable(path)}: only a file can be followed, or standard input (-)")
        try:
            self._open()
        except FileNotFoundError:
            return  # it may come
        except OSError as problem:
            raise CannotLookError(f"{printable(path)}: {problem.strerror}") from problem
        self.head = self._pread(0)[:SAMPLE]
        self._to_end()

    @property
    def ended(self) -> bool:
        """Never: a file may come, and may grow."""
        return False

    def close(self) -> None:
        """Let go of the file."""
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None

    def lines(self) -> Iterator[LogLine]:
        """Whole lines that have come since the last look; the rest of a file first, then that of its successor."""
        for _ in range(2):
            if self._fd is None and not self._opened():
                return
            self._begin_again_if_truncated()
            yield from self._read()
            if not self._moved():
                return
            yield from self._read()  # what came between the last look and the rotation
            yield from self._cutter.last()
            self.close()

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._cutter, self._head = _Cutter(self._log, self._path), b""

    def _opened(self) -> bool:
        try:
            self._open()
        except OSError:
            return False  # between two names, or not ours to read: the next look may tell
        return True

    def _to_end(self) -> None:
        """Count the lines that are there, and begin after the last whole one."""
        while piece := self._pread(self._cutter.read):
            ends = piece.count(b"\n")
            joined = self._cutter.rest + piece
            end = joined.rfind(b"\n") + 1
            self._cutter.line += ends
            self._cutter.offset, self._cutter.rest = self._cutter.offset + end, joined[end:][-MAX_RECORD:]
            if not end:
                self._cutter.offset += len(joined) - len(self._cutter.rest)
        self._note_head()

    def _read(self) -> Iterator[LogLine]:
        for _ in range(MAX_AT_ONCE):
            piece = self._pread(self._cutter.read)
            if not piece:
                break
            yield from self._cutter.lines(piece)
        self._note_head()

    def _pread(self, offset: int) -> bytes:
        assert self._fd is not None  # noqa: S101 - opened before
        try:
            return os.pread(self._fd, PIECE, offset)
        except OSError as problem:
            raise CannotLookError(f"{printable(self._path)}: {problem.strerror}") from problem

    def _note_head(self) -> None:
        if len(self._head) < HEAD and self._fd is not None:
            read = self._cutter.read
            self._head = self._pread(0)[: min(HEAD, read)]

    def _begin_again_if_truncated(self) -> None:
        """A file that is shorter than it was, or begins otherwise, was emptied and written on under its name."""
        assert self._fd is not None  # noqa: S101 - opened before
        read = self._cutter.read
        shorter = os.fstat(self._fd).st_size < read
        if shorter or (self._head and not self._pread(0).startswith(self._head)):
            self._cutter, self._head = _Cutter(self._log, self._path), b""

    def _moved(self) -> bool:
        """Whether another file lies under the name, or none."""
        assert self._fd is not None  # noqa: S101 - opened before
        try:
            there = Path(self._path).stat()
        except OSError:
            return False  # it may come back, or another in its place: until then this one may be written on
        mine = os.fstat(self._fd)
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)


class GrowingInput:
    """Standard input, such as ``ssh mail1 tail -F /var/log/mail.log`` writes it."""

    def __init__(self, log: str) -> None:
        if sys.stdin is None:
            raise CannotLookError("--log -: standard input is closed")
        self._fd = sys.stdin.fileno()
        self._cutter = _Cutter(log, "-")
        self.head = b""
        self.ended = False

    def lines(self) -> Iterator[LogLine]:
        """Whole lines that can be read without waiting."""
        for _ in range(MAX_AT_ONCE):
            if self.ended or not select.select([self._fd], [], [], 0)[0]:
                return
            try:
                piece = os.read(self._fd, PIECE)
            except OSError as problem:
                raise CannotLookError(f"standard input: {problem.strerror}") from problem
            if not piece:
                self.ended = True
                yield from self._cutter.last()
                return
            yield from self._cutter.lines(piece)

    def close(self) -> None:
        """Nothing is held."""
