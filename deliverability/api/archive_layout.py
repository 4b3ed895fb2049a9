"""Segments of kept logs laid out as if they were files, and where each line of those really stands."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from deliverability.api import archive_shape as shape
from deliverability.api.surroundings import ENTRY_REACH, SESSION_REACH
from deliverability.capture.blocks import AHEAD
from deliverability.capture.decoders.streams import Decoded
from deliverability.capture.files import LogFile, Stream
from deliverability.errors import CannotLookError
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ledger.archive import Archive, Segment, Source


@dataclass(frozen=True, slots=True)
class KeptLog:
    """Segments of one log, laid out one after the other."""

    archive: Path
    segments: tuple[Segment, ...]
    container: str | None = None
    problems: list[str] = field(default_factory=list, compare=False)
    """What could not be read; blank lines stand in its place, so that every other line keeps its own."""

    def open(self) -> Stream:
        """The lines, plain."""
        return Decoded(self._contents())

    def _contents(self) -> Iterator[bytes]:
        self.problems.clear()
        with Archive.open(self.archive) as archive:
            for segment in self.segments:
                try:
                    yield archive.content(segment)
                except CannotLookError as problem:
                    self.problems.append(str(problem))
                    ends = line_ends(segment)
                    yield b" " * (segment.size - ends) + b"\n" * ends

    def places(self) -> Callable[[Place], Place]:
        """Gives for a place in what is laid out the one in the log."""
        starts, before, offset, lines = [], [], 0, 0
        for segment in self.segments:
            starts.append(offset)
            before.append(lines)
            offset, lines = offset + segment.size, lines + line_ends(segment)

        def real(place: Place) -> Place:
            at = max(bisect_right(starts, place.offset) - 1, 0)
            segment = self.segments[at]
            return replace(
                place, line=place.line - before[at] + segment.line, offset=place.offset - starts[at] + segment.start
            )

        return real


def line_ends(segment: Segment) -> int:
    """How many lines end in a segment."""
    known = shape.of_segment(segment)
    return int(known["lines"]) - (known["cut"] is not None)


Places = dict[tuple[str, str], Callable[[Place], Place]]
"""By log and path: gives for a place in what is laid out the one in the log."""


def places_of(files: Iterable[LogFile]) -> Places:
    """Of logs as they were laid out, where each line really stands."""
    return {(file.log, file.path): file.kept.places() for file in files if isinstance(file.kept, KeptLog)}


def moved(line: LogLine, places: Places) -> LogLine:
    """A line of what was laid out, as it stands in its log."""
    real = places.get((line.place.log, line.place.file))
    return replace(line, place=real(line.place)) if real else line


def with_surroundings(segments: Sequence[Segment], chosen: set[int]) -> list[int]:
    """The segments that are named, as much around them as a search looks at, and both ends, which tell the times."""
    wanted: set[int] = set()
    for n, segment in enumerate(segments):
        if segment.id in chosen:
            wanted |= {n, *_near(segments, n, -1, SESSION_REACH), *_near(segments, n, 1, AHEAD)}
    if wanted:
        wanted |= {0, len(segments) - 1, *_near(segments, len(segments) - 1, -1, ENTRY_REACH)}
    return sorted(wanted)


def holes(source: Source, segments: Sequence[Segment]) -> Iterator[str]:
    """What was read of a log and is not there any more."""
    if segments[0].start:
        yield f"lines up to {segments[0].line} were pruned from the archive"
    for earlier, later in pairwise(segments):
        if earlier.end != later.start:
            yield f"lines {earlier.line + line_ends(earlier) + 1} to {later.line} are not in the archive any more"
    last = segments[-1]
    if last.end != source.position:
        yield f"lines {last.line + line_ends(last) + 1} to {source.line} are not in the archive any more"


def _near(segments: Sequence[Segment], n: int, step: int, reach: int) -> Iterator[int]:
    octets = 0
    while 0 <= n + step < len(segments) and octets < reach:
        n += step
        octets += segments[n].size
        yield n


def moved_event(event: DeliveryEvent, places: Places) -> DeliveryEvent:
    """An event of a line of what was laid out, as that stands in its log."""
    line = moved(event.line, places)
    return event if line is event.line else replace(event, line=line)
