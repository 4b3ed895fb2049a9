"""One file that grows, or one pipe: its octets as they come, and the lines in them.

A journal export (``journalctl -o export -f``) is told by its first octets, and read entry by entry: a line end within a
value is none between entries.  Everything else is lines.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deliverability.capture.blocks import MAX_LINE
from deliverability.capture.decoders.streams import MAX_RECORD, DamagedError
from deliverability.errors import CannotLookError, printable
from deliverability.evidence.exhibit import LogLine, Place

if TYPE_CHECKING:
    from deliverability.capture.decoders.journal import Entries

PIECE = 256 << 10
HEAD = 512  # octets by which a file is known that was written anew under its name


@dataclass(slots=True)
class Cutter:
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
        """The lines that end in what has come."""
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


class OpenFile:
    """One file, under whatever name it lies by now."""

    def __init__(self, log: str, path: str) -> None:
        """Raises :class:`OSError` for what cannot be opened."""
        self._log, self._path = log, path
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._cutter, self._head = Cutter(log, path), b""

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    @property
    def taken(self) -> int:
        """How many octets of it were read."""
        return self._cutter.read

    def status(self) -> os.stat_result:
        """What it is by now."""
        try:
            return os.fstat(self._fd)
        except OSError as problem:
            raise CannotLookError(f"{printable(self._path)}: {problem.strerror}") from problem

    def piece(self, offset: int) -> bytes:
        """Some octets; none at its end."""
        try:
            return os.pread(self._fd, PIECE, offset)
        except OSError as problem:
            raise CannotLookError(f"{printable(self._path)}: {problem.strerror}") from problem

    def to_end(self) -> None:
        """Count the lines that are there, and begin after the last whole one."""
        cutter = self._cutter
        while piece := self.piece(cutter.read):
            ends = piece.count(b"\n")
            joined = cutter.rest + piece
            end = joined.rfind(b"\n") + 1
            cutter.line += ends
            cutter.offset, cutter.rest = cutter.offset + end, joined[end:][-MAX_RECORD:]
            if not end:
                cutter.offset += len(joined) - len(cutter.rest)
        self._note_head()

    def lines(self, most: int | None = None) -> Iterator[LogLine]:
        """Whole lines that have come since the last look, from at most so many pieces."""
        while (most is None or most > 0) and (piece := self.piece(self._cutter.read)):
            yield from self._cutter.lines(piece)
            most = None if most is None else most - 1
        self._note_head()

    def last(self) -> Iterator[LogLine]:
        """What is left when nothing more can come."""
        yield from self._cutter.last()

    def _note_head(self) -> None:
        if len(self._head) < HEAD:
            self._head = self.piece(0)[: min(HEAD, self._cutter.read)]

    @property
    def was_emptied(self) -> bool:
        """Whether it is shorter than it was, or begins otherwise: emptied, and perhaps written on."""
        shorter = self.status().st_size < self._cutter.read
        return shorter or bool(self._head and not self.piece(0).startswith(self._head))

    def begin_again(self) -> None:
        """Read it from its beginning."""
        self._cutter, self._head = Cutter(self._log, self._path), b""

    def goes_on_from(self, other: "OpenFile") -> bool:
        """Whether it is a copy of another that was emptied since; then it is read on from where that was."""
        head = other._head  # noqa: SLF001 - of our own kind
        if not head or self.status().st_size < other.taken or not self.piece(0).startswith(head):
            return False
        self._cutter = replace(other._cutter, path=self._path)  # noqa: SLF001
        return True
