"""The first pass over a large plain file, its second half in a child process: the same lines, the same counts.

Where the halves do not agree on what the file is, or anything is odd, it is looked through again in one go.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice

from deliverability.api.first_pass import FirstPass
from deliverability.api.scan import MAX_NOTED, MAX_UNREAD_KEPT, FileScan, Part
from deliverability.capture import aside
from deliverability.capture.files import LogFile
from deliverability.capture.sources import plain
from deliverability.errors import CannotLookError
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine

REACH = 1 << 20  # octets within which a line must end where the file is cut in two

Make = Callable[[Part | None], FirstPass]
"""Makes the pass over a part of a file, or over all of it."""


def first_pass(
    file: LogFile, make: Make, most: int, ready: Callable[[], None] = lambda: None
) -> tuple[FileScan, Iterable[LogLine]]:
    """What the file is, and the lines with a needle: as one pass would give them, and at least ``most`` of them.

    ``ready`` is called before there are two processes, where there will be.
    """
    middle = _middle(file)
    if middle is None:
        return in_one(make(None))
    ready()
    child = aside.start(lambda: _packed(make(Part(middle, None)), most))
    try:
        front = make(Part(0, middle))
        lines = list(islice(front, most))
        result = child.result()
    finally:
        child.abandon()
    if result is None or front.scan.damaged or [f.id for f in front.scan.formats] != result[2]:
        return in_one(make(None))
    more, rear, _ = result
    before = front.scan.lines
    return _joined(front.scan, rear), [*lines, *(front.moved(line, before) for line in more)]


def in_one(whole: FirstPass) -> tuple[FileScan, Iterable[LogLine]]:
    """The same from one pass in this process."""
    return whole.scan, whole


def _middle(file: LogFile) -> int | None:
    """Where a line starts near the middle of a file that is worth two processes."""
    if file.problem or file.content is not None or not aside.possible():
        return None
    try:
        with plain(file) as reader:
            if reader is None or reader.size < aside.WORTHWHILE:
                return None
            at = reader.size // 2
            end = reader.read(at, REACH).find(b"\n")
            return at + end + 1 if end >= 0 else None
    except CannotLookError:
        return None


def middle_of(scan: FileScan, begin: int) -> int | None:
    """Near the middle of what follows ``begin``: the beginning of a block, where a file is worth two processes again."""
    if scan.part or scan.damaged or scan.size - begin < aside.WORTHWHILE or not aside.possible():
        return None
    with plain(scan.file) as reader:
        if reader is None:
            return None
    middle = (begin + scan.size) // 2
    at = min(scan.marks, key=lambda mark: abs(mark - middle), default=begin)
    return at if at > begin else None


def _packed(rear: FirstPass, most: int) -> tuple[list[LogLine], FileScan, list[str]]:
    """The pass over the second half, as what can be handed over between processes."""
    lines = list(islice(rear, most))
    return lines, replace(rear.scan, formats=()), [fmt.id for fmt in rear.scan.formats]


def _joined(front: FileScan, rear: FileScan) -> FileScan:
    before = front.lines

    def moved(line: LogLine) -> LogLine:
        return FirstPass.moved(line, before)

    def each(events: Iterable[DeliveryEvent]) -> list[DeliveryEvent]:
        return [replace(event, line=moved(event.line)) for event in events]

    front.part = None
    front.size += rear.size
    front.lines += rear.lines
    front.blank = front.blank and rear.blank
    front.unread += rear.unread
    front.unread_lines = [*front.unread_lines, *map(moved, rear.unread_lines)][:MAX_UNREAD_KEPT]
    front.first = front.first or each(rear.first)
    front.last = each(rear.last) or front.last
    front.lost = [*front.lost, *map(moved, rear.lost)][:MAX_NOTED]
    front.overlong = [*front.overlong, *map(moved, rear.overlong)][:MAX_NOTED]
    front.cut = moved(rear.cut) if rear.cut else None
    front.binary = front.binary or (moved(rear.binary) if rear.binary else None)
    front.damaged = rear.damaged
    front.marks.update((offset, number + before) for offset, number in rear.marks.items())
    front.edges += [replace(edge, line=edge.line + before) for edge in rear.edges]
    return front
