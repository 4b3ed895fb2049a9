"""Find the log lines of a message without parsing every line of the archive.

A first pass looks for the needle (an address, a Message-ID, a queue id) in the raw bytes and takes the queue ids
of its lines; further passes take the lines of those ids, until no new id turns up.  What is found is a superset:
``correlate`` decides what belongs to whom.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from deliverability import plugins
from deliverability.capture.files import Block, LogFile, blocks, head, line_at
from deliverability.errors import CannotLookError
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.plugin import LogFormat
from deliverability.protocols import syslog

MAX_PASSES = 8  # requeue of a requeue of a re-injection … more hops than any mail makes
MAX_IDS = 20_000  # messages to one address; past it the caller must narrow the question
MAX_FOUND_SINGLY = 8  # ids looked for one by one, which is fastest for few
MAX_ALTERNATION = 64  # more ids than this are found by their shape, then looked up
MAX_UNREAD_KEPT = 1000  # unread lines are counted without limit and kept up to here
MAX_ENTRY = 16 << 10  # octets of an entry that goes over several lines
MAX_ENTRY_LINES = 12  # of which only the first few are the mail server's own words
MAX_SESSION_LINES = 8  # lines of one process kept in wait for the delivery that they belong to

# The shapes of queue ids: Exim old and new, Postfix long and short, Sendmail.
_ID_SHAPE = re.compile(rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}|[0-9A-Za-z]{6,24}")
# Lines that speak of a session and carry no queue id: tied to a delivery by the process that wrote them.
_SESSION = re.compile(rb" [\w./-]+\[\d+\]: (?:\w+ TLS connection established to |connect to |SSL_connect error to )")
_PROCESS = re.compile(rb" ([\w./-]+\[\d+\]): ")
_PART = re.compile(rb" ([\w./-]+\[\d+\]): (?:\d{4}-\d\d-\d\d [\d:.]+ (?:[+-]\d{4} )?)?\[\d{1,4}[/\\]\d{1,4}\] ")
_TIME = re.compile(rb"\d{4}-\d\d-\d\d[ T]\d\d:|<?\d*>?[A-Z][a-z]{2} [ \d]\d \d\d:|<\d+>1 ")
_SYSLOG = re.compile(syslog.HEAD)
# Loggers' own words for lines that they dropped (rsyslog, journald).
_LOST_WORDS = (b"lost due to rate", b"uppressed ", b"rate-limit")
_LOST = re.compile(rb"lost due to rate|uppressed \d+ message|rate-limit")


@dataclass(slots=True)
class FileScan:
    """What one file turned out to be."""

    file: LogFile
    formats: tuple[LogFormat, ...]
    size: int = 0
    lines: int = 0
    unread: int = 0
    unread_lines: list[LogLine] = field(default_factory=list)
    first: list[DeliveryEvent] = field(default_factory=list)
    """Events of its first lines: they give the file's first time, and the zone."""
    last: list[DeliveryEvent] = field(default_factory=list)
    lost: list[LogLine] = field(default_factory=list)
    """Lines that say that lines are missing."""
    cut: LogLine | None = None
    damaged: str | None = None
    """Why it could not be read to its end."""


@dataclass(slots=True)
class Found:
    """Lines by file, and what each file is."""

    scans: list[FileScan]
    events: list[DeliveryEvent]
    too_many: bool = False


def load_formats() -> tuple[LogFormat, ...]:
    """All log formats; a broken one is skipped here and shown by the contract tests."""
    return tuple(f for _, f in plugins.load_all("ingest") if isinstance(f, LogFormat))


def search(
    files: Sequence[LogFile], needles: Callable[[LogFormat], Iterable[bytes]], known_ids: Iterable[str] = ()
) -> Found:
    """All events on lines that hold a needle, or belong to a queue id of such a line.

    ``needles`` gives the lower-case byte strings to look for in a log of that format.
    Raises :class:`CannotLookError` when a file is of no known format at all.
    """
    every = load_formats()
    scans = [FileScan(file, _recognise(file, every)) for file in files]
    lines: dict[tuple[str, str, int], tuple[FileScan, LogLine]] = {}
    ids: set[str] = set(known_ids)
    for scan in scans:
        wanted = sorted({n for f in scan.formats for n in needles(f)})
        for line in _first_pass(scan, wanted):
            lines[_where(line)] = (scan, line)
            ids.update(_ids(scan, line.raw))
    searched: set[str] = set()
    for _ in range(MAX_PASSES):
        fresh = ids - searched
        if not fresh or len(ids) > MAX_IDS:
            break
        searched |= fresh
        for scan in scans:
            for line in _lines_of(scan, fresh):
                lines[_where(line)] = (scan, line)
                ids.update(_ids(scan, line.raw))
    return Found(scans, _parse(scans, lines.values()), too_many=len(ids) > MAX_IDS)


def _where(line: LogLine) -> tuple[str, str, int]:
    return (line.place.log, line.place.file, line.place.offset)


def _ids(scan: FileScan, raw: bytes) -> set[str]:
    return {i for f in scan.formats for i in f.queue_ids(raw)}


def _recognise(file: LogFile, every: tuple[LogFormat, ...]) -> tuple[LogFormat, ...]:
    """The formats that a file's lines are of, by its head; by all of it when the head has none."""
    sample = head(file)
    found = tuple(f for f in every if f.sniff(sample) > 0)
    if found or not sample:
        return found
    for block in blocks(file):
        found = tuple(f for f in every if f.sniff(block.content) > 0)
        if found:
            return found
    return ()


def _first_pass(scan: FileScan, wanted: list[bytes]) -> Iterator[LogLine]:
    """Lines with a needle; on the way, count, and note what the file covers and lacks."""
    # Other programs' lines in a shared syslog are read: they say nothing of mail.
    readable = b"|".join(b"(?:%s)" % h for h in (*(f.head for f in scan.formats), syslog.HEAD))
    heads = re.compile(readable, re.MULTILINE) if scan.formats else None
    try:
        for block in blocks(scan.file):
            if not scan.lines:
                scan.first = _sample(scan, block, from_end=False)
            last = block
            _count(scan, block, heads)
            if any(word in block.content for word in _LOST_WORDS):
                scan.lost += [line for line in _matching(scan.file, block, _LOST) if _is_read(scan, line)][:100]
            yield from _with_needles(scan.file, block, wanted)
    except CannotLookError as problem:
        scan.damaged = str(problem)
    if scan.lines:
        scan.last = _sample(scan, last, from_end=True)


def _count(scan: FileScan, block: Block, heads: re.Pattern[bytes] | None) -> None:
    newlines = block.content.count(b"\n")
    complete = block.content.endswith(b"\n")
    count = newlines + (not complete)
    scan.size += len(block.content)
    scan.lines += count
    if not complete:
        scan.cut = _line_from(scan.file, block, len(block.content) - 1)
    read = len(heads.findall(block.content)) if heads else 0
    if read < count:
        _note_unread(scan, block)


def _note_unread(scan: FileScan, block: Block) -> None:
    for line in _each(scan.file, block):
        if not _is_read(scan, line):
            scan.unread += 1
            if len(scan.unread_lines) < MAX_UNREAD_KEPT:
                scan.unread_lines.append(line)


def _is_read(scan: FileScan, line: LogLine) -> bool:
    return (
        not line.raw.strip()
        or any(f.is_line(line.raw) for f in scan.formats)
        or bool(scan.formats and _SYSLOG.match(line.raw))
    )


def _each(file: LogFile, block: Block) -> Iterator[LogLine]:
    start, number = 0, block.line + 1
    while start < len(block.content):
        line, start = line_at(file, block, start, number)
        number += 1
        yield line


def _with_needles(file: LogFile, block: Block, wanted: list[bytes]) -> Iterator[LogLine]:
    lines, end = _Lines(file, block), -1
    for at in _positions(block.content.lower(), wanted):
        if at >= end:
            line, end = lines.around(at)
            yield from _whole_entry(file, block, line)


class _Lines:
    """Whole lines of one block by position, asked for from the front to the back: newlines are counted once."""

    def __init__(self, file: LogFile, block: Block) -> None:
        self._file, self._block = file, block
        self._counted_to, self._number = 0, block.line + 1

    def around(self, at: int) -> tuple[LogLine, int]:
        """The line around position ``at``, and where the next one starts."""
        start = self._block.content.rfind(b"\n", 0, at) + 1
        if start < self._counted_to:  # going back is right, only slower
            self._counted_to, self._number = 0, self._block.line + 1
        self._number += self._block.content.count(b"\n", self._counted_to, start)
        self._counted_to = start
        return line_at(self._file, self._block, start, self._number)


def _line_from(file: LogFile, block: Block, at: int) -> LogLine:
    return _Lines(file, block).around(at)[0]


def _matching(file: LogFile, block: Block, pattern: re.Pattern[bytes]) -> Iterator[LogLine]:
    lines, at = _Lines(file, block), 0
    while match := pattern.search(block.content, at):
        line, at = lines.around(match.start())
        yield line


def _lines_of(scan: FileScan, ids: set[str]) -> Iterator[LogLine]:
    """Lines that name one of ``ids``, each with the session lines of its process just before it."""
    names = sorted(i.encode("utf-8", "surrogateescape") for i in ids)
    before: Block | None = None
    try:
        for block in blocks(scan.file):
            lines, end = _Lines(scan.file, block), -1
            for at in _positions(block.content, names):
                if at < end:
                    continue
                line, end = lines.around(at)
                yield from _session_before(scan.file, block, before, line)
                yield from _whole_entry(scan.file, block, line)
            before = block
    except CannotLookError:
        return  # noted by the first pass


def _positions(content: bytes, names: list[bytes]) -> Iterable[int]:
    """Where one of ``names`` stands, in order."""
    if len(names) <= MAX_FOUND_SINGLY:
        return sorted(at for name in names for at in _each_position(content, name))
    if len(names) <= MAX_ALTERNATION:
        return [m.start() for m in re.finditer(b"|".join(re.escape(n) for n in names), content)]
    wanted = frozenset(names)
    return [m.start() for m in _ID_SHAPE.finditer(content) if m[0] in wanted]


def _each_position(content: bytes, name: bytes) -> Iterator[int]:
    at = content.find(name)
    while at >= 0:
        yield at
        at = content.find(name, at + len(name))


def _whole_entry(file: LogFile, block: Block, line: LogLine) -> Iterator[LogLine]:
    """A found line with the rest of its entry: Exim's refusals go on without a head, and its syslog entries in parts."""
    start = line.place.offset - block.offset
    yield from _headless(file, block, start)
    part = _PART.search(line.raw)
    if part:
        yield from _parts(file, block, start, part[1])
    yield line


def _headless(file: LogFile, block: Block, start: int) -> Iterator[LogLine]:
    """Lines without a time after the one at ``start``; from one of those, also back to the line that begins the entry."""
    lines, content = _Lines(file, block), block.content
    first = start
    while first and not _TIME.match(content, first) and start - first < MAX_ENTRY:
        first = content.rfind(b"\n", 0, first - 1) + 1
    at = first
    for _ in range(MAX_ENTRY_LINES):
        line, following = lines.around(at)
        if at != start and (at == first or not _TIME.match(content, at)):
            yield line
        at = following
        if at >= len(content) or _TIME.match(content, at):
            return


def _parts(file: LogFile, block: Block, start: int, process: bytes) -> Iterator[LogLine]:
    """The other parts of a syslog entry that its writer split: the same process, close by."""
    near = block.content[max(0, start - MAX_ENTRY) : start + MAX_ENTRY]
    for match in _PART.finditer(near):
        if match[1] == process:
            yield _line_from(file, block, max(0, start - MAX_ENTRY) + match.start())


def _session_before(file: LogFile, block: Block, before: Block | None, line: LogLine) -> list[LogLine]:
    """Session lines that the process of ``line`` wrote just before it; they carry no queue id."""
    process = _PROCESS.search(line.raw)
    if not process:
        return []
    found: list[LogLine] = []
    for part in (block, before):
        at = line.place.offset - block.offset if part is block else len(part.content) if part else 0
        while part and at > 0 and (at := part.content.rfind(process[0], 0, at)) >= 0:
            start = part.content.rfind(b"\n", 0, at) + 1
            if not _SESSION.match(part.content, at) or len(found) >= MAX_SESSION_LINES:
                return found[::-1]
            found.append(_line_from(file, part, at))
            at = start
    return found[::-1]


def _sample(scan: FileScan, block: Block, *, from_end: bool) -> list[DeliveryEvent]:
    """Events of the first or last lines of a block."""
    size = 64 << 10
    if not from_end:
        lines = list(_each(scan.file, Block(_whole(block.content[:size]), block.offset, block.line)))
    else:
        start = block.content.find(b"\n", max(0, len(block.content) - size)) + 1 if len(block.content) > size else 0
        before = block.line + block.content.count(b"\n", 0, start)
        lines = list(_each(scan.file, Block(block.content[start:], block.offset + start, before)))
    return [event for f in scan.formats for event in f.parse(lines)]


def _whole(content: bytes) -> bytes:
    end = content.rfind(b"\n")
    return content[: end + 1] if end >= 0 else content


def _parse(scans: list[FileScan], found: Iterable[tuple[FileScan, LogLine]]) -> list[DeliveryEvent]:
    """Events of the found lines: files in the order given, lines in the order written."""
    order = {id(scan): index for index, scan in enumerate(scans)}
    by_scan: dict[int, list[LogLine]] = {}
    for scan, line in found:
        by_scan.setdefault(order[id(scan)], []).append(line)
    events: list[DeliveryEvent] = []
    for index in sorted(by_scan):
        lines = sorted(by_scan[index], key=lambda line: line.place.offset)
        for fmt in scans[index].formats:
            events += fmt.parse(lines)
    return events
