"""Where the octets of a log come from, up to a block at a time: a plain file, memory, or a decoder.

A plain file is read in place, from any offset on.  What is compressed is decompressed by a process of its own while
the block before is searched; by a thread, where a second process would do harm.
"""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from queue import Empty, Queue
from threading import Thread
from typing import NamedTuple

from deliverability.capture import aside
from deliverability.capture.files import DAMAGED, LogFile, Stream, open_log
from deliverability.errors import CannotLookError, printable

ALONE = 4  # blocks after which decompressing goes on beside this process
FILLED = 2  # blocks that a thread decompresses before anybody asks for them
_HEAP = 16 << 20  # octets

Filled = tuple[bytes, Exception | None]
"""What was read, and what was wrong."""


class Source:
    """Octets one after the other, up to ``size`` at a time."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream, self._size = stream, size

    def fill(self, before: bytes = b"") -> Filled:
        """Up to a block, behind ``before``; in small reads, so that a damaged archive gives all that it still holds."""
        pieces = [before] if before else []
        size = 0
        problem: Exception | None = None
        try:
            while size < self._size and (piece := self._stream.read1(self._size - size)):
                pieces.append(piece)
                size += len(piece)
        except DAMAGED as found:
            problem = found
        return b"".join(pieces), problem

    def give_back(self, content: bytes, end: int) -> bytes:
        """What is left of ``content`` after ``end``, to be put before the next filling."""
        return content[end:]

    def close(self) -> None:
        """Nobody asks for more."""


class _Decompressed(Source):
    """What is decompressed ahead, by a process of its own or else by a thread.

    Not the first blocks: a short log needs neither.
    """

    def __init__(self, stream: Stream, size: int) -> None:
        super().__init__(stream, size)
        _keep_heap()
        self._blocks = 0
        self._ended = False
        self._ahead: _InProcess | _InThread | None = None

    def fill(self, before: bytes = b"") -> Filled:
        if self._ended:  # whoever fills ahead fills nothing more, though it may be there for a moment
            return before, None
        self._blocks += 1
        self._ended = True  # also where something is raised
        if self._blocks <= ALONE:
            filled = super().fill(before)
        else:
            if self._ahead is None:
                self._ahead = _beside(super().fill, self._size)
            filled = self._ahead.take(before)
        self._ended = filled[1] is not None or len(filled[0]) == len(before)
        return filled

    def close(self) -> None:
        self._ended = True
        if self._ahead:
            self._ahead.close()


def _beside(fill: Callable[[], Filled], size: int) -> "_InProcess | _InThread":
    if aside.possible():
        with suppress(OSError):
            return _InProcess(fill, size)
    return _InThread(fill)


class _InProcess:
    """Blocks that a child fills."""

    def __init__(self, fill: Callable[[], Filled], size: int) -> None:
        def make() -> tuple[bytes, object, bool]:
            content, problem, failure = b"", None, None
            try:
                content, problem = fill()
            except Exception as found:  # noqa: BLE001 - raised where the block is asked for
                failure = found
            return content, (problem, failure), problem is not None or not content

        self._feed = aside.Feed(make, size)

    def take(self, before: bytes) -> Filled:
        try:
            content, (problem, failure) = self._feed.take(before)
        except EOFError as found:
            return before, found
        if failure is not None:
            raise failure
        return content, problem

    def close(self) -> None:
        self._feed.close()


class _InThread:
    """Blocks that a thread fills: the decompressors leave the interpreter to others while they work."""

    def __init__(self, fill: Callable[[], Filled]) -> None:
        self._fill = fill
        self._filled: Queue[Filled | BaseException] = Queue(FILLED)
        self._closed = False
        self._thread = Thread(target=self._run, name="decompressing", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        last = False
        while not self._closed and not last:
            filled: Filled | BaseException
            try:
                filled = self._fill()
                last = filled[1] is not None or not filled[0]
            except BaseException as problem:  # noqa: BLE001 - raised where the block is asked for
                filled, last = problem, True
            self._filled.put(filled)

    def take(self, before: bytes) -> Filled:
        filled = self._filled.get()
        if isinstance(filled, BaseException):
            raise filled
        content, problem = filled
        return before + content if before else content, problem

    def close(self) -> None:
        self._closed = True
        while self._thread.is_alive():
            with suppress(Empty):
                self._filled.get_nowait()
            self._thread.join(0.01)


class _Plain(Source):
    """A plain file, read where it lies: what a block leaves over is read again, which is quicker than moving it."""

    def __init__(self, fd: int, size: int, begin: int, stop: int | None) -> None:
        _keep_heap()
        self._fd, self._size, self._at, self._stop = fd, size, begin, stop

    def fill(self, before: bytes = b"") -> Filled:
        try:
            more = os.pread(self._fd, _upto(self._size, self._at, self._stop), self._at)
            if not more and os.fstat(self._fd).st_size < self._at:
                return before, OSError("the file became shorter while it was read")
        except OSError as problem:
            return before, problem
        self._at += len(more)
        return before + more if before else more, None

    def give_back(self, content: bytes, end: int) -> bytes:
        self._at -= len(content) - end
        return b""


class _InMemory(Source):
    """Octets that were read already."""

    def __init__(self, content: bytes, size: int, begin: int, stop: int | None) -> None:
        self._content, self._size, self._at, self._stop = content, size, begin, stop

    def fill(self, before: bytes = b"") -> Filled:
        more = self._content[self._at : self._at + _upto(self._size, self._at, self._stop)]
        self._at += len(more)
        return before + more if before else more, None

    def give_back(self, content: bytes, end: int) -> bytes:
        self._at -= len(content) - end
        return b""


def _upto(size: int, at: int, stop: int | None) -> int:
    """A block ends at ``stop``; what follows it is read as surroundings."""
    return size if stop is None or at >= stop else min(size, stop - at)


@cache
def _keep_heap() -> None:
    """Let the C library keep the memory of a block for the next one, in place of returning it to the system each time.

    glibc sets the sizes at which it does so by the largest piece that was freed (mallopt(3), M_MMAP_THRESHOLD); this
    one is never written to, so it takes no memory.  It saves a twentieth of the time.
    """
    bytes(_HEAP)


def source_of(stream: Stream, size: int, begin: int = 0, stop: int | None = None) -> Source:
    """The octets of a stream in blocks of ``size``; of a plain file, those from ``begin`` on."""
    fd = _descriptor(stream)
    if fd is not None:
        return _Plain(fd, size, begin, stop)
    if isinstance(stream, io.BytesIO):
        return _InMemory(stream.getvalue(), size, begin, stop)
    if begin or stop is not None:
        raise CannotLookError("only a plain file can be read in part")
    return _Decompressed(stream, size) if getattr(stream, "decompresses", False) else Source(stream, size)


def _descriptor(stream: Stream) -> int | None:
    """The file descriptor of a plain file that is read as it lies."""
    if isinstance(stream, io.BufferedReader) and isinstance(stream.raw, io.FileIO) and stream.seekable():
        return stream.fileno()
    return None


def pass_over(source: Source) -> tuple[int, bytes, Exception | None, bool]:
    """Read to the end of an overlong line: how much that was, what was read of the next, and whether it had no end."""
    over = 0
    while True:
        more, problem = source.fill()
        end = more.find(b"\n") + 1
        if end or problem or not more:
            rest = source.give_back(more, end) if end else b""
            return over + (end or len(more)), rest, problem, not end
        over += len(more)


class Reader(NamedTuple):
    """A plain file, to be read at any place."""

    size: int
    read: Callable[[int, int], bytes]
    """Gives what stands at an offset, up to so many octets."""


@contextmanager
def plain(file: LogFile) -> Iterator[Reader | None]:
    """The file for reading anywhere; ``None`` for what is compressed, wrapped or no file.

    Raises :class:`CannotLookError` as :func:`~deliverability.capture.files.open_log` does.
    """
    with open_log(file) as stream:
        fd = _descriptor(stream)
        if fd is not None:
            yield Reader(os.fstat(fd).st_size, lambda at, size: _pread(fd, size, at, file))
        elif isinstance(stream, io.BytesIO):
            content = stream.getvalue()
            yield Reader(len(content), lambda at, size: content[at : at + size])
        else:
            yield None


def _pread(fd: int, size: int, at: int, file: LogFile) -> bytes:
    try:
        return os.pread(fd, size, at)
    except OSError as problem:
        raise CannotLookError(f"{printable(file.path)}: {problem.strerror}") from problem
