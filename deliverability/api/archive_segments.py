"""Segments of one log as it is read on: cut at line ends, looked through, put into the archive in order."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from deliverability.api import archive_facts as facts
from deliverability.api import archive_shape as shape
from deliverability.api import progress
from deliverability.api.archive_tokens import tokens_of
from deliverability.api.scan import FileScan
from deliverability.api.times import stamp
from deliverability.capture.blocks import BLOCK
from deliverability.capture.continued import TAIL, Reading, tail_of
from deliverability.capture.files import LogFile
from deliverability.correlate import TimeHints, resolve_times
from deliverability.correlate.clock import resolve_one
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.log_format import LogFormat
from deliverability.ledger.archive import MAX_SEGMENT, Archive, NewSegment, Packed, Segment, Source, pack
from deliverability.protocols import octets


@dataclass(slots=True)
class Cut:
    """Whole lines that become a segment."""

    start: int
    """Offset in the log."""
    line: int
    """Number of lines before it."""
    content: bytes
    packed: Future[Packed] | None = None
    scan: FileScan | None = None
    tokens: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """Offset after its last octet."""
        return self.start + len(self.content)

    def line_ends(self) -> int:
        """How many lines end in it, as its scan counted them, where there was one."""
        if self.scan is None:
            return octets.count(self.content, b"\n", 0, len(self.content))
        return self.scan.lines - (self.scan.cut is not None)


@dataclass(frozen=True, slots=True)
class Tools:
    """What making segments takes."""

    archive: Archive
    packing: Executor
    waiting: Executor
    """Waits for the disk."""
    hints: TimeHints
    now: datetime
    every: tuple[LogFormat, ...]


def cuts(stream: Reading, start: int, line: int, had: bytes = b"") -> Iterator[Cut]:
    """A log from an offset on, in whole lines, as many as a block holds; the same wherever an earlier run ended.

    ``had`` is what is known already from ``start`` on.
    """
    rest, ended = had, False
    while not ended:
        more = stream.read(start + len(rest), BLOCK)
        ended = len(more) < BLOCK
        content = rest + more
        at = 0
        while size := _size(content, at, ended=ended, grows=stream.grows):
            cut = Cut(start + at, line, content[at : at + size])
            at += size
            yield cut
            line += cut.line_ends()
        # What is left of a plain file is read again with the next block, which takes less than to put the two together.
        start, rest = start + at, b"" if stream.grows and len(content) - at < BLOCK else content[at:]


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


class Segmenter:
    """Makes segments of one source, in order."""

    def __init__(self, tools: Tools, file: LogFile, source: Source, look: str | None) -> None:
        self._tools, self._file, self.source, self._look = tools, file, source, look
        segments = tools.archive.segments(source.id) if source.id else ()
        self.growing = _growing(source, segments)
        """The last segment, where it is short and whole: what is new is put to it, as if all had been read at once."""
        self._had = tools.archive.content(self.growing) if self.growing else b""
        self._ending = b""
        self._formats = _formats(segments, tools.every)
        self._facts: dict[str, Any] = shape.of_source(source)
        self._like: list[DeliveryEvent] = []
        self._under_way: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._settle()

    def _settle(self) -> None:
        """What was put into the archive is kept, or raises why it is not."""
        under_way, self._under_way = self._under_way, None
        if under_way:
            under_way.result()

    def cuts(self, stream: Reading) -> Iterator[Cut]:
        """What is new, each segment looked through while another thread compresses it."""
        growing = self.growing
        start, line = (growing.start, growing.line) if growing else (self.source.position, self.source.line)
        # From the file, for what is kept may have been erased since.
        self._ending = stream.read(max(start - TAIL, 0), min(TAIL, start))
        for cut in cuts(stream, start, line, self._had):
            if growing and (cut.start, len(cut.content)) == (growing.start, growing.size):
                self._ending = (self._ending + cut.content)[-TAIL:]  # nothing was put to it
                continue
            cut.packed = self._tools.packing.submit(pack, cut.content)
            cut.scan = facts.scan_segment(cut.content, cut.start, self._tools.every, self._formats)
            self._formats = list(cut.scan.formats)
            cut.tokens = tokens_of(cut.content, self._formats, self._tools.every)
            progress.tell(self._file.path, cut.end)
            yield cut

    def keep(self, batch: Sequence[Cut], damaged: str | None = None, *, complete: bool = False) -> None:
        """Keep segments, and with them how far the file was read: that is done when the next are, or at the end."""
        had = self.source.position if self.source.id else 0
        self._sample(batch, complete=complete)
        segments = [self._segment(cut) for cut in batch]
        known = {**self._facts, "damaged": damaged, "look": self._look if complete and not damaged else None}
        source = replace(self.source, facts=json.dumps({k: v for k, v in known.items() if v is not None}))
        if batch:
            for cut in batch:
                self._ending = cut.content[-TAIL:] if len(cut.content) >= TAIL else (self._ending + cut.content)[-TAIL:]
            line = batch[-1].line + batch[-1].line_ends()
            source = replace(source, position=batch[-1].end, line=line, tail=tail_of(self._ending))
        self._settle()
        tools = self._tools
        self.source, self._under_way = tools.archive.keep_soon(source, segments, tools.now, had, tools.waiting)

    def _sample(self, batch: Sequence[Cut], *, complete: bool) -> None:
        """Lines of both ends, which tell the times of the log."""
        if not batch:
            return
        self._facts.pop("last", None)  # of an earlier end
        if "first" not in self._facts or not batch[0].start:
            begun = (facts.events_at_beginning(c.content, c.start, c.line, self._formats) for c in batch)
            self._facts["first"] = facts.sampled(next(filter(None, begun), []))
        if complete:
            ends = batch[-2:]
            content = b"".join(cut.content for cut in ends)
            found = facts.events_at_end(content, ends[0].start, ends[0].line, self._formats)
            self._facts["last"] = facts.sampled(found, last=True)
        both = [*self._facts["first"], *self._facts.get("last", ())]
        lines = facts.lines_of(both, self._file.log, self._file.path)
        self._like = resolve_times([e for fmt in self._formats for e in fmt.parse(lines)], self._tools.hints)

    def _segment(self, cut: Cut) -> NewSegment:
        assert cut.packed is not None  # noqa: S101 - looked through before
        assert cut.scan is not None  # noqa: S101
        return NewSegment(
            start=cut.start,
            line=cut.line,
            content=cut.packed.result(),
            facts=facts.to_json(cut.scan),
            first=self._time(cut.scan, last=False),
            last=self._time(cut.scan, last=True) or self._file.modified or self._tools.now,
            tokens=cut.tokens,
            grows=self.growing.id if self.growing and self.growing.start == cut.start else 0,
        )

    def _time(self, scan: FileScan, *, last: bool) -> datetime | None:
        """When the first or the last line with a time was written."""
        heads = [head for edge in scan.edges for head in (edge.first, edge.last)]
        for head in reversed(heads) if last else heads:
            at = stamp(head)
            if at:
                return resolve_one(at, self._file.path, self._tools.hints, self._like).instant
        return None


def _growing(source: Source, segments: Sequence[Segment]) -> Segment | None:
    last = segments[-1] if segments else None
    return last if last and not last.erased and last.size < BLOCK and last.end == source.position else None


def _formats(segments: Sequence[Segment], every: Sequence[LogFormat]) -> list[LogFormat]:
    names: dict[str, None] = {}
    for segment in segments:
        names.update(dict.fromkeys(shape.of_segment(segment)["formats"]))
    return [fmt for name in names for fmt in every if fmt.id == name]
