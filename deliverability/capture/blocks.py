"""A log in blocks of whole lines, each with enough of its neighbourhood that no result depends on where it ends.

Memory is bounded by one block and its surroundings, whatever the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from deliverability.capture.files import DAMAGED, LogFile, Stream, open_log
from deliverability.errors import CannotLookError, printable
from deliverability.evidence.exhibit import LogLine, Place

BLOCK = 1 << 20
MAX_LINE = 64 << 10  # rsyslog's largest common message size; what is longer is cut, and counted as cut
MAX_LONG = 4 * MAX_LINE  # what is longer than this, and spans blocks, is passed over to its end
AHEAD = 2 * MAX_LINE  # octets after a block that belong to its surroundings


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file, or the beginning of one line that is far too long."""

    content: bytes
    offset: int
    """Of the first octet, in the uncompressed file."""
    line: int
    """Number of lines before it."""
    passed_over: int | None = None
    """Octets of an overlong line that follow and are not read; ``None`` for whole lines."""
    unended: bool = False
    """The overlong line goes on to the end of the file, and has no end of its own."""


def blocks(file: LogFile) -> Iterator[Block]:
    """The file in blocks that end at line ends; only the last may lack its newline.

    Raises :class:`CannotLookError` when the file cannot be read to its end (a damaged archive): what was read until
    then has been passed on.
    """
    offset = lines = 0
    rest = b""
    with open_log(file) as stream:
        while True:
            more, problem = _fill(stream)
            content = rest + more
            end = content.rfind(b"\n") + 1
            over: int | None = None
            unended = False
            rest = content[end:] if end else content
            if not end and more and not problem and len(content) >= MAX_LONG:
                over, rest, problem, unended = _pass_over(stream)
                end = len(content)
            elif problem or not more:
                end, rest = len(content), b""
            if end:
                yield Block(content[:end], offset, lines, over, unended)
                offset += end + (over or 0)
                lines += content.count(b"\n", 0, end) + (over is not None)
            if problem:
                raise CannotLookError(f"{printable(file.path)}: cannot be read past octet {offset}: {problem}")
            if not more:
                return


def _pass_over(stream: Stream) -> tuple[int, bytes, Exception | None, bool]:
    """Read to the end of an overlong line: how much that was, what was read of the next, and whether it had no end."""
    over = 0
    while True:
        more, problem = _fill(stream)
        end = more.find(b"\n") + 1
        if end or problem or not more:
            return over + (end or len(more)), more[end:] if end else b"", problem, not end
        over += len(more)


def _fill(stream: Stream) -> tuple[bytes, Exception | None]:
    """Up to a block, in small reads, so that a damaged archive gives all that it still holds."""
    pieces: list[bytes] = []
    size = 0
    try:
        while size < BLOCK and (piece := stream.read1(BLOCK - size)):
            pieces.append(piece)
            size += len(piece)
    except DAMAGED as problem:
        return b"".join(pieces), problem
    return b"".join(pieces), None


class Window:
    """A block with what stands before and after it: look from :attr:`start` to :attr:`end`, the rest is context."""

    __slots__ = ("_at", "_number", "content", "end", "file", "offset", "passed_over", "start", "unended")

    def __init__(self, file: LogFile, block: Block, before: bytes = b"", after: bytes = b"") -> None:
        self.file = file
        self.content = before + block.content + after
        self.start, self.end = len(before), len(before) + len(block.content)
        self.offset = block.offset - len(before)
        """Of the first octet of :attr:`content`, in the uncompressed file."""
        self.passed_over, self.unended = block.passed_over, block.unended
        self._at, self._number = self.start, block.line + 1

    def number(self, start: int) -> int:
        """The 1-based number of the line that starts at ``start``; quick where one asks about neighbours in turn."""
        if start >= self._at:
            self._number += self.content.count(b"\n", self._at, start)
        else:
            self._number -= self.content.count(b"\n", start, self._at)
        self._at = start
        return self._number

    def line(self, start: int) -> tuple[LogLine, int]:
        """The line that starts at ``start``, and where the next one starts."""
        end = self.content.find(b"\n", start)
        complete = end >= 0
        stop = end if complete else len(self.content)
        raw = self.content[start : min(stop, start + MAX_LINE)]
        place = Place(self.file.log, self.file.path, self.number(start), self.offset + start)
        return LogLine(place, raw.removesuffix(b"\r"), not complete or stop - start > MAX_LINE), stop + complete

    def start_of(self, at: int) -> int:
        """Where the line around position ``at`` starts."""
        return self.content.rfind(b"\n", 0, at) + 1


def windows(file: LogFile, back: int) -> Iterator[Window]:
    """The blocks of a file, each with ``back`` octets before it and :data:`AHEAD` after it, in whole lines.

    Raises as :func:`blocks` does, after the last window.
    """
    held: list[Block] = []
    before = b""
    problem: CannotLookError | None = None
    source = blocks(file)
    ended = False
    while not ended:
        block: Block | None = None
        try:
            block = next(source, None)
        except CannotLookError as found:
            problem = found
        ended = block is None
        barrier = block is not None and block.passed_over is not None
        if block is not None and not barrier:
            held.append(block)
        while held and (ended or barrier or sum(len(b.content) for b in held[1:]) >= AHEAD):
            first = held.pop(0)
            yield Window(file, first, before, _start_of_all(held))
            before = _tail(before, first.content, back)
        if block is not None and barrier:
            yield Window(file, block)
            before = b""
    if problem:
        raise problem


def _start_of_all(held: list[Block]) -> bytes:
    """The next lines, :data:`AHEAD` octets and the rest of the last line."""
    joined = held[0].content if held else b""
    if len(joined) < AHEAD:
        joined = b"".join(block.content for block in held)
    end = joined.find(b"\n", AHEAD) + 1
    return joined[:end] if end else joined


def _tail(before: bytes, content: bytes, size: int) -> bytes:
    """The last lines, ``size`` octets and the rest of the first line."""
    joined = content if len(content) > size + MAX_LONG else before[-(size + MAX_LONG) :] + content
    if len(joined) <= size:
        return joined
    cut = joined.rfind(b"\n", 0, len(joined) - size)
    return joined[(cut if cut >= 0 else joined.find(b"\n", len(joined) - size)) + 1 :]
