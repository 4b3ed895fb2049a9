"""What all decoders stand on: streams of octets, lines of bounded length, and one error for what breaks off."""

import lzma
import zlib
from collections.abc import Iterator
from typing import Protocol

PIECE = 256 << 10  # octets that are read at once
MAX_RECORD = 1 << 20  # octets of one record of an export; a mail log's lines have a thousandth of that


class Stream(Protocol):
    """What is read from: plain, decompressed or decoded."""

    def read1(self, size: int = ..., /) -> bytes:
        """Up to ``size`` octets; none at the end."""


class DamagedError(OSError):
    """The container cannot be read past here; what came before has been given.  Its words are for the reader."""


DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What reading may raise; ours is an :class:`OSError`."""


class Ahead:
    """A stream whose first octets were looked at already."""

    def __init__(self, seen: bytes, stream: Stream) -> None:
        self._seen, self._stream = seen, stream

    @property
    def decompresses(self) -> bool:
        """Whether reading it is the work of a decompressor, which leaves the interpreter to others."""
        return getattr(self._stream, "decompresses", False)

    def read1(self, size: int = PIECE, /) -> bytes:
        """Up to ``size`` octets; none at the end."""
        if not self._seen:
            return self._stream.read1(size)
        given, self._seen = self._seen[:size], self._seen[size:]
        return given


class Decoded:
    """What a generator makes, as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""
        self._problem: Exception | None = None

    def read1(self, size: int = PIECE, /) -> bytes:
        """Up to ``size`` octets; none at the end.  What was raised once is raised again: it is no end."""
        while not self._rest:
            if self._problem:
                raise self._problem
            try:
                piece = next(self._pieces, None)
            except Exception as problem:
                self._problem = problem
                raise
            if piece is None:
                return b""
            self._rest = piece
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


class Broken:
    """The rest of a stream that could not be read on."""

    def __init__(self, problem: Exception) -> None:
        self._problem = problem

    def read1(self, _size: int = PIECE, /) -> bytes:
        """Raises what was wrong."""
        raise self._problem


def beginning(stream: Stream, size: int) -> tuple[bytes, Stream]:
    """The first ``size`` octets, fewer where the stream ends or breaks off before; and what comes after them."""
    found: list[bytes] = []
    left = size
    try:
        while left > 0 and (piece := stream.read1(left)):
            found.append(piece)
            left -= len(piece)
    except DAMAGED as problem:
        return b"".join(found), Broken(problem)
    return b"".join(found), stream


def gathered(stream: Stream, size: int = 4 * PIECE) -> Iterator[bytes]:
    """The octets in pieces of ``size``, however little a read gives: for whoever looks at a whole record again."""
    while True:
        piece, stream = beginning(stream, size)
        if piece:
            yield piece
        if len(piece) < size:
            if isinstance(stream, Broken):
                stream.read1()
            return


def lines(stream: Stream, most: int = MAX_RECORD) -> Iterator[list[bytes]]:
    """The lines of a stream, many at a time and without their ends; the last has none when nothing comes after it.

    So a file that ends with a line end gives an empty last line.  Of a line longer than ``most`` octets only about
    that much is given.
    """
    rest: list[bytes] = []
    size = 0
    while piece := stream.read1(PIECE):
        *whole, tail = piece.split(b"\n")
        if whole:
            whole[0] = b"".join(rest if size >= most else (*rest, whole[0]))
            rest, size = [], 0
            yield whole
        if size < most:
            rest.append(tail)
            size += len(tail)
    yield [b"".join(rest)]
