"""A log in blocks of whole lines, each with enough of its neighbourhood that no result depends on where it ends.

Memory is bounded by a few blocks, whatever the file.  Plain files are read in place, from any line on; everything
else comes through :class:`~deliverability.capture.files.Stream` from its beginning.
"""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from deliverability.capture.files import LogFile, open_log
from deliverability.capture.sources import pass_over, plain, source_of
from deliverability.errors import CannotLookError, printable
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.protocols.octets import count

__all__ = ["BLOCK", "MAX_LINE", "Block", "Marks", "Window", "blocks", "lines_before", "plain", "windows"]

BLOCK = 1 << 20
MAX_LINE = 64 << 10  # rsyslog's largest common message size; what is longer is cut, and counted as cut
MAX_LONG = 4 * MAX_LINE  # what is longer than this, and spans blocks, is passed over to its end
AHEAD = 2 * MAX_LINE  # octets after a block that belong to its surroundings

Marks = MutableMapping[int, int]
"""Where blocks begin, in octets, and how many lines stand before each: what one look learned for the next."""


@dataclass(slots=True)
class Block:
    """Whole lines of a file, or the beginning of one line that is far too long."""

    raw: bytes
    """What was read: the block, and perhaps the beginning of a line that belongs to the next one."""
    end: int
    """Where the block ends in :attr:`raw`."""
    offset: int
    """Of the first octet, in the uncompressed file."""
    line: int = 0
    """Number of lines before it."""
    passed_over: int | None = None
    """Octets of an overlong line that follow and are not read; ``None`` for whole lines."""
    unended: bool = False
    """The overlong line goes on to the end of the file, and has no end of its own."""
    ends: int | None = None
    """How many line ends it has, once somebody counted them."""

    @property
    def content(self) -> bytes:
        """The block's own octets."""
        return self.raw if self.end == len(self.raw) else self.raw[: self.end]

    @property
    def following(self) -> int:
        """Offset of the next block."""
        return self.offset + self.end + (self.passed_over or 0)

    def lines(self) -> int:
        """How many lines end in it."""
        if self.ends is None:
            self.ends = count(self.raw, b"\n", 0, self.end)
        return self.ends + (self.passed_over is not None)


def blocks(file: LogFile) -> Iterator[Block]:
    """The file in numbered blocks that end at line ends; only the last may lack its newline.

    Raises :class:`CannotLookError` when the file cannot be read to its end (a damaged archive): what was read until
    then has been passed on.
    """
    lines = 0
    for block in _blocks(file, 0, None):
        block.line = lines
        lines += block.lines()
        yield block


def _blocks(file: LogFile, begin: int, stop: int | None) -> Iterator[Block]:
    """The part of a file between two line starts, in blocks whose lines nobody counted yet."""
    offset = begin
    rest = b""
    with open_log(file) as stream, closing(source_of(stream, BLOCK, begin, stop)) as source:
        while True:
            content, problem = source.fill(rest)
            more = len(content) > len(rest)
            end = content.rfind(b"\n") + 1
            over: int | None = None
            unended = False
            if end:
                rest = source.give_back(content, end)
            else:
                rest = content
                if more and not problem and len(content) >= MAX_LONG:
                    over, rest, problem, unended = pass_over(source)
                    end = len(content)
            if over is None and (problem or not more):
                end, rest = len(content), b""
            if end:
                block = Block(content, end, offset, 0, over, unended)
                offset = block.following
                yield block
            if problem:
                raise CannotLookError(f"{printable(file.path)}: cannot be read past octet {offset}: {problem}")
            if not more:
                return


def lines_before(file: LogFile, offset: int) -> int:
    """How many lines of a plain file end before ``offset``."""
    before = itertools.takewhile(lambda block: block.offset < offset, _blocks(file, 0, offset))
    return sum(block.lines() for block in before) if offset else 0


class Window:
    """A block with what stands before and after it: look from :attr:`start` to :attr:`end`, the rest is context.

    The surroundings are put together when somebody asks for them; most blocks hold nothing that matters.
    """

    __slots__ = ("_after", "_at", "_before", "_content", "_number", "_start", "block", "file")

    def __init__(self, file: LogFile, block: Block, before: "_Before", after: list[Block]) -> None:
        self.file, self.block = file, block
        self._before, self._after = before.copy(), tuple(after)
        self._content: bytes | None = None
        self._start = self._at = 0
        self._number = block.line + 1

    @property
    def content(self) -> bytes:
        """The block and its surroundings."""
        return self._join() if self._content is None else self._content

    @property
    def start(self) -> int:
        """Where the block begins in :attr:`content`."""
        if self._content is None:
            self._join()
        return self._start

    @property
    def end(self) -> int:
        """Where the block ends in :attr:`content`."""
        return self.start + self.block.end

    @property
    def offset(self) -> int:
        """Of the first octet of :attr:`content`, in the uncompressed file."""
        return self.block.offset - self.start

    @property
    def passed_over(self) -> int | None:
        """As :attr:`Block.passed_over`."""
        return self.block.passed_over

    @property
    def unended(self) -> bool:
        """As :attr:`Block.unended`."""
        return self.block.unended

    def _join(self) -> bytes:
        before = self._before.tail()
        self._start = self._at = len(before)
        self._content = b"".join((before, self.block.content, _start_of_all(self._after)))
        return self._content

    def number(self, start: int) -> int:
        """The 1-based number of the line that starts at ``start``; quick where one asks about neighbours in turn."""
        content = self.content
        if start >= self._at:
            self._number += count(content, b"\n", self._at, start)
        else:
            self._number -= count(content, b"\n", start, self._at)
        self._at = start
        return self._number

    def line(self, start: int) -> tuple[LogLine, int]:
        """The line that starts at ``start``, and where the next one starts."""
        content = self.content
        end = content.find(b"\n", start)
        complete = end >= 0
        stop = end if complete else len(content)
        raw = content[start : min(stop, start + MAX_LINE)]
        place = Place(self.file.log, self.file.path, self.number(start), self.offset + start)
        return LogLine(place, raw.removesuffix(b"\r"), not complete or stop - start > MAX_LINE), stop + complete

    def start_of(self, at: int) -> int:
        """Where the line around position ``at`` starts."""
        return self.content.rfind(b"\n", 0, at) + 1


class _Before:
    """The last blocks, as far back as the surroundings of the next one may reach."""

    def __init__(self, reach: int, blocks_: Iterable[Block] = ()) -> None:
        self._reach = reach
        self._blocks = deque(blocks_)
        self._size = 0

    def copy(self) -> "_Before":
        return _Before(self._reach, self._blocks)

    def add(self, block: Block) -> None:
        self._blocks.append(block)
        self._size += block.end
        while self._size - self._blocks[0].end > self._reach + MAX_LONG:
            self._size -= self._blocks.popleft().end

    def clear(self) -> None:
        self._blocks.clear()
        self._size = 0

    def tail(self) -> bytes:
        """The last lines, as many octets as the reach and the rest of the first line."""
        last: list[bytes] = []
        size = 0
        for block in reversed(self._blocks):
            last.append(block.content)
            size += block.end
            if size > self._reach + MAX_LONG:
                break
        joined = b"".join(reversed(last))
        return joined if size <= self._reach else joined[joined.rfind(b"\n", 0, size - self._reach) + 1 :]


def windows(
    file: LogFile, back: int, marks: Marks | None = None, begin: int = 0, stop: int | None = None
) -> Iterator[Window]:
    """The blocks of a file, each with ``back`` octets before it and :data:`AHEAD` after it, in whole lines.

    ``begin`` and ``stop`` are offsets at which lines start, for plain files: what stands before and after them is
    surroundings.  Line numbers count from ``begin``, unless ``marks`` of an earlier look know better; ``marks`` are
    filled on the way.  Raises as :func:`blocks` does, after the last window.
    """
    held: list[Block] = []
    before = _Before(back)
    if begin:
        before.add(_context(file, begin, back))
    problem: CannotLookError | None = None
    source = _blocks(file, begin, stop)
    known: Marks = {} if marks is None else marks
    lines = known.get(begin, 0)
    ended = False
    while not ended:
        block: Block | None = None
        try:
            block = next(source, None)
        except CannotLookError as found:
            problem = found
        ended = block is None
        barrier = block if block is not None and block.passed_over is not None else None
        if block is not None and not barrier:
            held.append(block)
        while held and (ended or barrier or sum(b.end for b in held[1:]) >= AHEAD):
            first = held.pop(0)
            if stop is not None and first.offset >= stop:
                return
            first.line = known.setdefault(first.offset, lines)
            yield Window(file, first, before, held)
            lines = _lines_after(first, known)
            before.add(first)
        if barrier and stop is not None and barrier.offset >= stop:
            return
        if barrier:
            before.clear()
            barrier.line = known.setdefault(barrier.offset, lines)
            yield Window(file, barrier, before, [])
            lines = _lines_after(barrier, known)
    if problem:
        raise problem


def _context(file: LogFile, begin: int, back: int) -> Block:
    """The lines before ``begin``, as far back as surroundings reach."""
    with plain(file) as reader:
        if reader is None:
            raise CannotLookError(f"{printable(file.path)}: only a plain file can be read in part")
        start = max(begin - back - MAX_LONG, 0)
        content = reader.read(start, begin - start)
    if start:
        start, content = start + content.find(b"\n") + 1, content[content.find(b"\n") + 1 :]
    return Block(content, len(content), start)


def _lines_after(block: Block, known: Marks) -> int:
    """Number of lines up to the end of a block; whoever looked at it may have counted them."""
    after = known.get(block.following)
    return block.line + block.lines() if after is None else after


def _start_of_all(held: Sequence[Block]) -> bytes:
    """The next lines, :data:`AHEAD` octets and the rest of the last line."""
    if not held:
        return b""
    first = held[0]
    joined = b"".join(block.content for block in held) if first.end < AHEAD else first.raw
    size = first.end if joined is first.raw else len(joined)
    end = joined.find(b"\n", AHEAD, size) + 1
    return joined[: end or size]
