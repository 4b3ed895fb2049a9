"""Segments of one log as it is read on: cut at line ends, looked through, put into the archive in order."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from deliverability.api import archive_facts as facts
from deliverability.api import archive_shape as shape
from deliverability.api import progress
from deliverability.api.archive_cuts import Cut, cuts, is_short
from deliverability.api.archive_looks import Looks
from deliverability.api.scan import FileScan
from deliverability.api.times import stamp
from deliverability.capture.continued import TAIL, Reading, tail_of
from deliverability.capture.files import LogFile
from deliverability.correlate import TimeHints, resolve_times
from deliverability.correlate.clock import resolve_one
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.log_format import LogFormat
from deliverability.ledger.archive import Archive, NewSegment, Segment, Source


@dataclass(frozen=True, slots=True)
class Tools:
    """What making segments takes."""

    archive: Archive
    looks: Looks
    hints: TimeHints
    now: datetime
    every: tuple[LogFormat, ...]


class Segmenter:
    """Makes segments of one source, in order."""

    def __init__(self, tools: Tools, file: LogFile, source: Source, look: str | None, *, settled: bool = False) -> None:
        self._tools, self._file, self.source, self._look, self._settled = tools, file, source, look, settled
        segments = tools.archive.segments(source.id) if source.id else ()
        self.growing = _growing(source, segments)
        """The last segment, where it is short and whole: what is new is put to it, as if all had been read at once."""
        self._had = tools.archive.content(self.growing) if self.growing else b""
        self._ending = b""
        self._formats = _formats(segments, tools.every)
        self._facts: dict[str, Any] = shape.of_source(source)
        self._like: list[DeliveryEvent] = []

    def cuts(self, stream: Reading) -> Iterator[Cut]:
        """What is new, each segment looked through."""
        growing = self.growing
        start, line = (growing.start, growing.line) if growing else (self.source.position, self.source.line)
        # From the file, for what is kept may have been erased since.
        self._ending = stream.read(max(start - TAIL, 0), min(TAIL, start))
        for cut in self._tools.looks.through(self._new(stream, start, line), self._formats):
            self._formats = list(cut.found.scan.formats)
            progress.tell(self._file.path, cut.end)
            yield cut

    def _new(self, stream: Reading, start: int, line: int) -> Iterator[Cut]:
        for cut in cuts(stream, start, line, self._had, settled=self._settled):
            if self.growing and (cut.start, len(cut.content)) == (self.growing.start, self.growing.size):
                self._ending = (self._ending + cut.content)[-TAIL:]  # nothing was put to it
            else:
                yield cut

    def keep(
        self, batch: Sequence[Cut], damaged: str | None = None, *, waiting: int = 0, complete: bool = False
    ) -> None:
        """Keep segments, and with them how far the file was read; ``waiting``: octets behind them that are held back."""
        had = self.source.position if self.source.id else 0
        self._sample(batch, complete=complete)
        segments = [self._segment(cut) for cut in batch]
        if not complete:  # whoever asks before there is more is told so, for the run may be broken off here
            damaged = f"kept up to octet {batch[-1].end if batch else self.source.position}; the rest was not kept yet"
        look = self._look if complete and not damaged else None
        known = {**self._facts, "damaged": damaged, "look": look, "waiting": waiting or None}
        source = replace(self.source, facts=json.dumps({k: v for k, v in known.items() if v is not None}))
        if batch:
            for cut in batch:
                self._ending = cut.content[-TAIL:] if len(cut.content) >= TAIL else (self._ending + cut.content)[-TAIL:]
            line = batch[-1].line + batch[-1].line_ends()
            source = replace(source, position=batch[-1].end, line=line, tail=tail_of(self._ending))
        self.source = self._tools.archive.keep(source, segments, self._tools.now, had)

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
        found = cut.found
        return NewSegment(
            start=cut.start,
            line=cut.line,
            content=found.packed,
            facts=facts.to_json(found.scan),
            first=self._time(found.scan, last=False),
            last=self._time(found.scan, last=True) or self._file.modified or self._tools.now,
            tokens=found.tokens,
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
    return last if last and not last.erased and is_short(last.size) and last.end == source.position else None


def _formats(segments: Sequence[Segment], every: Sequence[LogFormat]) -> list[LogFormat]:
    names: dict[str, None] = {}
    for segment in segments:
        names.update(dict.fromkeys(shape.of_segment(segment)["formats"]))
    return [fmt for name in names for fmt in every if fmt.id == name]
