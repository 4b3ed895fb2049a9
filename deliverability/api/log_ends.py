"""What the first and the last lines of a log say: they tell its times, and the zone of its clock."""

from collections.abc import Iterable, Sequence

from deliverability.api.scan import SAMPLE, events_of
from deliverability.capture.blocks import Block
from deliverability.capture.files import LogFile
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.log_format import LogFormat

MAX_LINES = 16_384  # of one look: more of them in a sample are shorter than any line of a log
MAX_EVENTS = 1000

_Line = tuple[int, bytes]
"""Where it starts in its block, and its octets."""


def first_events(file: LogFile, formats: Sequence[LogFormat], block: Block) -> list[DeliveryEvent]:
    """Events of the first lines of a block; of all its lines where those give none."""
    content = block.content if formats else b""
    for end in (content.find(b"\n", SAMPLE) + 1 or len(content), len(content)):
        lines = _lines(content, 0, end)[:MAX_LINES]
        found = _events(file, formats, block, lines)
        if found or end == len(content):
            return found[:MAX_EVENTS]
    return []


def last_events(file: LogFile, formats: Sequence[LogFormat], block: Block) -> list[DeliveryEvent]:
    """Events of the last lines of a block; of all its lines where those give none."""
    content = block.content if formats else b""
    for begin in (content.find(b"\n", len(content) - SAMPLE) + 1 if len(content) > SAMPLE else 0, 0):
        lines = _lines(content, begin, len(content))[-MAX_LINES:]
        found = _events(file, formats, block, lines)
        if found or not begin:
            return found[-MAX_EVENTS:]
    return []


def _lines(content: bytes, begin: int, end: int) -> list[_Line]:
    """Lines with anything in them."""
    found: list[_Line] = []
    at = begin
    for raw in content[begin:end].split(b"\n"):
        if raw:
            found.append((at, raw))
        at += len(raw) + 1
    return found


def _events(file: LogFile, formats: Sequence[LogFormat], block: Block, lines: Iterable[_Line]) -> list[DeliveryEvent]:
    """Events in the order of their lines, whatever wrote them."""
    placed: list[LogLine] = []
    content, before, counted = block.content, block.line, 0
    for at, raw in lines:
        before += content.count(b"\n", counted, at)
        counted = at
        place = Place(file.log, file.path, before + 1, block.offset + at)
        placed.append(LogLine(place, raw.removesuffix(b"\r"), at + len(raw) == len(content)))
    return events_of(formats, lambda: placed)
