"""What is known of a kept log without unpacking it: what the scan of each segment found, as JSON.

Places in it count from the beginning of the segment, so that they are put together to the coverage that the whole
file has; octets are JSON strings in which each character is one octet.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from deliverability.api.archive_shape import of_segment
from deliverability.api.first_pass import FirstPass
from deliverability.api.holes import MAX_TOLD, SMALL, steps, steps_in_large
from deliverability.api.scan import MAX_NOTED, MAX_UNREAD_KEPT, Edge, FileScan, Step, events_of
from deliverability.capture.blocks import BLOCK, MAX_LINE, Block, Window, blocks
from deliverability.capture.files import LogFile, Stream
from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.log_format import LogFormat
from deliverability.ledger.archive import Segment

SAMPLE = 64 << 10  # octets at either end of a log whose lines tell its times
NEWLINE = 0x0A
MAX_SAMPLED = 8  # lines of each kind that are kept of a sample


@dataclass(frozen=True, slots=True)
class InMemory:
    """Plain lines that were read already."""

    content: bytes
    container: str | None = None

    def open(self) -> Stream:
        """The lines."""
        import io

        return io.BytesIO(self.content)


class _SegmentPass(FirstPass):
    """A first pass over one segment of a log whose formats are known as far as it was read."""

    def __init__(self, content: bytes, every: Sequence[LogFormat], known: Sequence[LogFormat]) -> None:
        super().__init__(LogFile("", "", None, kept=InMemory(content)), every, lambda _format: ())
        self.scan.formats = tuple(known)

    def _recognise_head(self) -> None:
        if not self.scan.formats:
            super()._recognise_head()

    def _recognise(self, sample: bytes) -> None:
        if not self.scan.formats:
            super()._recognise(sample)

    def _events(self, window: Window, start: int, end: int) -> list[DeliveryEvent]:  # noqa: ARG002 - as its base
        return []  # samples are taken of the whole log, not of each segment


def scan_segment(content: bytes, start: int, every: Sequence[LogFormat], known: Sequence[LogFormat]) -> FileScan:
    """What stands in whole lines, by the same look that a search takes; ``start``: where they stand in their log."""
    first = _SegmentPass(content, every, known)
    for _ in first:
        pass
    scan = first.scan
    if len(content) > BLOCK:
        found = steps(blocks(scan.file))
    else:
        block = Block(content, len(content), 0)
        found = steps([block]) if start < SMALL else steps_in_large(block)
    scan.steps = list(islice(found, MAX_TOLD))
    if not scan.formats and len(scan.unread_lines) < MAX_UNREAD_KEPT:
        scan.unread = len(scan.unread_lines)  # whether other programs' lines count is known once all was read
    return scan


def to_json(scan: FileScan) -> str:
    """The facts of a segment."""
    facts = {
        "formats": [fmt.id for fmt in scan.formats],
        "lines": scan.lines,
        "blank": scan.blank,
        "unread": scan.unread,
        "unread_at": [[line.place.offset, line.place.line] for line in scan.unread_lines],
        "lost": [_line(line) for line in scan.lost],
        "overlong": [_line(line) for line in scan.overlong],
        "binary": _line(scan.binary) if scan.binary else None,
        "cut": _line(scan.cut) if scan.cut else None,
        "steps": [[step.offset, step.line, _text(step.head), step.by.total_seconds()] for step in scan.steps],
        "edges": [[edge.offset, edge.line, _text(edge.first), _text(edge.last)] for edge in scan.edges],
    }
    return json.dumps(facts, separators=(",", ":"))


def _line(line: LogLine) -> list[Any]:
    return [line.place.offset, line.place.line, _text(line.raw), line.cut]


def _text(octets: bytes) -> str:
    return octets.decode("latin-1")


def events_at_beginning(content: bytes, offset: int, line: int, formats: Iterable[LogFormat]) -> list[DeliveryEvent]:
    """Events of the first lines, as the search samples them; of all lines where the first ones give none."""
    for part in (content[: content.find(b"\n", SAMPLE) + 1 or None], content):
        found = _events(part, offset, line, formats)
        if found:
            return found
    return []


def events_at_end(content: bytes, offset: int, line: int, formats: Iterable[LogFormat]) -> list[DeliveryEvent]:
    """Events of the last lines, or of all lines where these give none."""
    formats = tuple(formats)
    start = max(len(content) - SAMPLE, 0)
    if start and content[start - 1] != NEWLINE:
        start = content.find(b"\n", start) + 1 or len(content)
    before = content.count(b"\n", 0, start)
    found = _events(content[start:], offset + start, line + before, formats)
    return found or _events(content, offset, line, formats)


def _events(content: bytes, offset: int, line: int, formats: Iterable[LogFormat]) -> list[DeliveryEvent]:
    lines = []
    pieces = content.split(b"\n")
    cut = pieces.pop()
    for number, raw in enumerate(pieces, line + 1):
        lines.append(LogLine(Place("", "", number, offset), raw[:MAX_LINE].removesuffix(b"\r"), len(raw) > MAX_LINE))
        offset += len(raw) + 1
    if cut:
        lines.append(LogLine(Place("", "", line + len(pieces) + 1, offset), cut[:MAX_LINE], cut=True))
    return events_of(formats, lambda: lines)


def sampled(events: Sequence[DeliveryEvent], *, last: bool = False) -> list[list[Any]]:
    """The lines of a sample that tell as much as all of it: the outermost, those that introduce ids, replies, subjects."""
    ordered = list(reversed(events)) if last else list(events)
    wanted: dict[int, LogLine] = {}
    kinds: tuple[Callable[[DeliveryEvent], object], ...] = (
        lambda _event: True,
        lambda event: event.action is Action.ARRIVED and event.queue_id,
        lambda event: event.reply and event.at.offset is None,
        lambda event: event.message_id or event.subject is not None,
        lambda event: event.subject is not None,
    )
    for kind in kinds:
        chosen = [event.line for event in ordered if kind(event)][:MAX_SAMPLED]
        wanted.update((line.place.offset, line) for line in chosen)
    return [_line(wanted[offset]) for offset in sorted(wanted)]


def lines_of(sample: Iterable[Sequence[Any]], log: str, path: str) -> list[LogLine]:
    """The lines of a sample, with their places in the whole log."""
    return [_placed(line, log, path, 0, 0) for line in sample]


# --- put together -----------------------------------------------------------------------------------------------------


def joined(
    file: LogFile, segments: Sequence[Segment], formats: dict[str, LogFormat], damaged: str | None
) -> tuple[FileScan, list[tuple[Segment, list[int]]]]:
    """The scan of a whole log from the facts of its segments; and where lines that could not be read stand in them."""
    scan = FileScan(file, damaged=damaged)
    unread: list[tuple[Segment, list[int]]] = []
    for segment in segments:
        facts = of_segment(segment)
        _add(scan, segment, facts, formats)
        if facts["unread_at"]:
            unread.append((segment, [at for at, _ in facts["unread_at"]]))
    if not scan.formats and not scan.blank:
        scan.unread = scan.lines
    return scan, unread


def _add(scan: FileScan, segment: Segment, facts: dict[str, Any], formats: dict[str, LogFormat]) -> None:
    def placed(line: Sequence[Any]) -> LogLine:
        return _placed(line, scan.file.log, scan.file.path, segment.start, segment.line)

    for name in facts["formats"]:
        if name in formats:
            scan.read_as(formats[name])
    scan.size += segment.size
    scan.lines += facts["lines"]
    scan.blank = scan.blank and facts["blank"]
    scan.unread += facts["unread"]
    scan.lost += [placed(line) for line in facts["lost"]][: MAX_NOTED - len(scan.lost)]
    scan.overlong += [placed(line) for line in facts["overlong"]][: MAX_NOTED - len(scan.overlong)]
    if scan.binary is None and facts["binary"]:
        scan.binary = placed(facts["binary"])
    scan.cut = placed(facts["cut"]) if facts["cut"] else None
    scan.steps += [
        Step(segment.start + offset, segment.line + line, head.encode("latin-1"), timedelta(seconds=by))
        for offset, line, head, by in facts.get("steps", ())
    ]
    scan.edges += [
        Edge(segment.start + offset, segment.line + line, first.encode("latin-1"), last.encode("latin-1"))
        for offset, line, first, last in facts["edges"]
    ]


def _placed(line: Sequence[Any], log: str, path: str, offset: int, before: int) -> LogLine:
    at, number, raw, cut = line
    return LogLine(Place(log, path, number + before, at + offset), raw.encode("latin-1"), bool(cut))


def lines_at(content: bytes, segment: Segment, offsets: Iterable[int], file: LogFile, limit: int) -> Iterator[LogLine]:
    """Lines of a segment by where they start in it; of each at most ``limit`` octets."""
    for at in offsets:
        end = content.find(b"\n", at)
        raw = content[at : end if end >= 0 else len(content)].removesuffix(b"\r")
        place = Place(file.log, file.path, segment.line + content.count(b"\n", 0, at) + 1, segment.start + at)
        yield LogLine(place, raw[:limit], end < 0)
