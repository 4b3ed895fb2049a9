"""A log cut into whole lines, as many as make a segment, and what a look at each finds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deliverability.api import archive_facts as facts
from deliverability.api.archive_tokens import tokens_of
from deliverability.api.scan import FileScan
from deliverability.capture.blocks import BLOCK
from deliverability.capture.continued import Reading
from deliverability.evidence.log_format import LogFormat
from deliverability.ledger.archive import MAX_SEGMENT, Packed, pack
from deliverability.protocols import octets


@dataclass(frozen=True, slots=True)
class Looked:
    """What is kept of whole lines, and what stands in them."""

    packed: Packed
    scan: FileScan
    tokens: tuple[int, ...]


@dataclass(slots=True)
class Cut:
    """Whole lines that become a segment."""

    start: int
    """Offset in the log."""
    line: int
    """Number of lines before it."""
    content: bytes
    looked: Looked | None = None

    @property
    def end(self) -> int:
        """Offset after its last octet."""
        return self.start + len(self.content)

    @property
    def found(self) -> Looked:
        """What the look found that was taken before."""
        assert self.looked is not None  # noqa: S101
        return self.looked

    def line_ends(self) -> int:
        """How many lines end in it, as its scan counted them, where there was one."""
        if self.looked is None:
            return octets.count(self.content, b"\n", 0, len(self.content))
        return self.looked.scan.lines - (self.looked.scan.cut is not None)


def look(content: bytes, start: int, every: Sequence[LogFormat], known: Sequence[LogFormat]) -> Looked:
    """Look through whole lines that stand at ``start`` in a log of which formats are known, and pack them."""
    scan = facts.scan_segment(content, start, every, known)
    return Looked(pack(content), scan, tokens_of(content, scan.formats, every))


def cuts(stream: Reading, start: int, line: int, had: bytes = b"", *, settled: bool = False) -> Iterator[Cut]:
    """A log from an offset on, in whole lines, as many as a block holds; the same wherever an earlier run ended.

    ``had`` is what is known already from ``start`` on.  A last line without its end is given only of what grows no
    more: a log that is no plain file, or is ``settled``.
    """
    rest, ended, grows = had, False, stream.grows and not settled
    while not ended:
        more = stream.read(start + len(rest), BLOCK)
        ended = len(more) < BLOCK
        content = rest + more
        at = 0
        while size := _size(content, at, ended=ended, grows=grows):
            cut = Cut(start + at, line, content[at : at + size])
            at += size
            yield cut
            line += cut.line_ends()
        # What is left of a plain file is read again with the next block, which takes less than to put the two together.
        start, rest = start + at, b"" if stream.grows and len(content) - at < BLOCK else content[at:]


def is_short(size: int) -> bool:
    """Whether a segment of so many octets may have become longer, had there been more."""
    return size < BLOCK


def _size(content: bytes, at: int, *, ended: bool, grows: bool) -> int:
    """How many octets the next segment has; 0: that is not known yet, or nothing more is to be kept now."""
    left = len(content) - at
    if left < BLOCK and not ended:
        return 0
    end = content.rfind(b"\n", at, at + BLOCK) + 1 or content.find(b"\n", at, at + MAX_SEGMENT) + 1
    if end > at:
        return end - at
    if left >= MAX_SEGMENT:
        return MAX_SEGMENT
    return left if ended and not grows else 0
