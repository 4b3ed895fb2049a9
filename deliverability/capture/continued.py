"""A log file that was read before, read on from where that ended: known by what it holds, not by its name or inode."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from deliverability.capture.blocks import plain
from deliverability.capture.files import DAMAGED, LogFile, open_log
from deliverability.errors import CannotLookError, printable

MAX_HEAD = 64 << 10  # octets of a first line that name a file
TAIL = 4 << 10  # octets before a position that are held against those of the last time
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Known:
    """How far a file was read, and what stood there."""

    position: int
    tail: bytes


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a file begins with."""

    head: bytes
    """SHA-256 of its first line, its end included."""
    size: int
    """Octets of that line."""


def tail_of(content: bytes) -> bytes:
    """SHA-256 of the last octets."""
    return hashlib.sha256(content[-TAIL:]).digest()


def beginning_of(file: LogFile) -> Beginning | None:
    """By what a file is known; ``None`` while its first line has no end, or it is empty.

    Raises :class:`CannotLookError` for what cannot be opened.
    """
    with open_log(file) as stream:
        first = b""
        try:
            while b"\n" not in first and len(first) < MAX_HEAD and (more := stream.read1(1 << 14)):
                first += more
        except DAMAGED as problem:
            if b"\n" not in first:
                raise CannotLookError(f"{printable(file.path)}: cannot be read: {problem}") from problem
    end = first.find(b"\n") + 1 or (MAX_HEAD if len(first) >= MAX_HEAD else 0)
    end = min(end, MAX_HEAD)
    return Beginning(hashlib.sha256(first[:end]).digest(), end) if end else None


class Reading:
    """A file, read on from any place; a plain one is read there, another from its beginning."""

    def __init__(self, at: Callable[[int, int], bytes] | None, pieces: Iterator[bytes]) -> None:
        self._at, self._pieces = at, pieces
        self._rest, self._place = b"", 0
        self.damaged: str | None = None
        """Why it could not be read to its end; what came before has been given."""

    @property
    def grows(self) -> bool:
        """Whether it is a plain file: its last line may get its end later."""
        return self._at is not None

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` octets at ``offset``, which in what is no plain file must not go back; fewer at the end alone."""
        if self._at is None:
            return self._read_on(offset, size)
        found: list[bytes] = []
        while size > 0 and (more := self._at(offset, size)):
            found.append(more)
            offset, size = offset + len(more), size - len(more)
        return b"".join(found)

    def _read_on(self, offset: int, size: int) -> bytes:
        while self._place + len(self._rest) <= offset:
            self._place += len(self._rest)
            self._rest = next(self._pieces, b"")
            if not self._rest:
                return b""
        found = [self._rest[offset - self._place :]]
        had = len(found[0])
        while had < size and (more := next(self._pieces, b"")):
            found.append(more)
            had += len(more)
        joined = b"".join(found)
        self._rest, self._place = joined[size:], offset + min(size, len(joined))
        return joined[:size]

    def begins_with(self, beginning: Beginning) -> bool:
        """Whether a plain file still begins as it did: if not, it was truncated while it was read."""
        if self._at is None:
            return True
        return hashlib.sha256(self.read(0, beginning.size)).digest() == beginning.head


@contextmanager
def reading(file: LogFile) -> Iterator[Reading]:
    """Open a file to be read on; raises :class:`CannotLookError` for what cannot be opened."""
    with plain(file) as reader:
        if reader is not None:
            yield Reading(reader.read, iter(()))
            return
    with open_log(file) as stream:

        def pieces() -> Iterator[bytes]:
            place = 0
            try:
                while piece := stream.read1(PIECE):
                    place += len(piece)
                    yield piece
            except DAMAGED as problem:
                found.damaged = f"{printable(file.path)}: cannot be read past octet {place}: {problem}"

        found = Reading(None, pieces())
        yield found


def furthest(file: LogFile, known: Sequence[Known]) -> int | None:
    """Which of the earlier readings this file goes on from: the index of the longest that it holds; else ``None``."""
    found: int | None = None
    with reading(file) as stream:
        place, last = 0, b""
        for index in sorted(range(len(known)), key=lambda i: known[i].position):
            position = known[index].position
            if stream.grows and place < position - TAIL:
                place, last = position - TAIL, b""
            while place < position and (more := stream.read(place, min(PIECE, position - place))):
                place, last = place + len(more), (last + more)[-TAIL:]
            if place < position:
                break  # shorter than that
            if hashlib.sha256(last).digest() == known[index].tail:
                found = index
    return found
