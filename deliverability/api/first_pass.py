"""One pass over one file: the lines with a needle, and on the way what the file is, covers and lacks."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache

from deliverability.api import progress
from deliverability.api.needles import Needles
from deliverability.api.scan import (
    LOST_WORDS,
    MAX_NOTED,
    MAX_SNIFFED,
    MAX_UNREAD_KEPT,
    MAX_UNREAD_SHOWN,
    SAMPLE,
    Edge,
    FileScan,
    Part,
    events_of,
    strange,
)
from deliverability.api.sniffing import sniffable
from deliverability.api.surroundings import ENTRY_REACH, whole_entry
from deliverability.api.times import MAX_HEAD
from deliverability.capture.blocks import BLOCK, MAX_LINE, Window, windows
from deliverability.capture.files import LogFile, head
from deliverability.errors import CannotLookError
from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols import octets, syslog

LARGE = BLOCK - BLOCK // 4  # octets of a block whose lines are not looked at one by one where they are alike
PIECE = 128 << 10  # octets of lines that are compared at once

_BLANK = rb"[ \t\r]*+(?:\n|\Z)"
# The date with which all lines between two lines begin that begin with it.
_DATED = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d|(?:\d{4} )?[A-Z][a-z]{2} [ \d]\d \d")
# A date with which no line of syslog begins: where all lines begin so, no logger says that it dropped some.
_OTHER_DATE = re.compile(rb"\d{4}-\d\d-\d\d \d")
_LOST = b"messages"  # stands in every line with one of LOST_WORDS that counts


@cache
def _syslog() -> re.Pattern[bytes]:
    return re.compile(syslog.HEAD)


class FirstPass:
    """Lines with a needle in one file, each with the rest of its entry."""

    def __init__(
        self,
        file: LogFile,
        every: Sequence[LogFormat],
        needles: Callable[[LogFormat], Iterable[bytes]],
        part: Part | None = None,
        *,
        everything: bool = False,
    ) -> None:
        self._everything = everything
        self.scan = FileScan(file, damaged=file.problem, part=part)
        self._every = every
        # A file may hold what its head does not show: all spellings of all formats are looked for.
        self._needles = Needles(needle for fmt in every for needle in needles(fmt))
        self._heads: tuple[tuple[LogFormat, ...], re.Pattern[bytes]] | None = None

    def __iter__(self) -> Iterator[LogLine]:
        """Look through the file once."""
        scan, last = self.scan, None
        if scan.file.problem and scan.file.content is None:
            return
        begin, stop = (scan.part.begin, scan.part.stop) if scan.part else (0, None)
        try:
            self._recognise_head()
            for window in windows(scan.file, ENTRY_REACH, scan.marks, begin, stop):
                self._note(window)
                yield from self._found(window)
                last = window
                progress.tell(scan.file.path, scan.size)
        except CannotLookError as problem:
            scan.damaged = str(problem)
        if not scan.formats and not scan.blank:
            scan.unread = scan.lines  # other programs' lines alone are no mail log
        if last:
            scan.last = self._events(last, max(last.end - SAMPLE, 0), last.end) or self._events(last, 0, last.end)

    @staticmethod
    def moved(line: LogLine, before: int) -> LogLine:
        """A line that was found in a later part of the file, by its number in the whole file."""
        return replace(line, place=replace(line.place, line=line.place.line + before))

    def _recognise_head(self) -> None:
        self._recognise(head(self.scan.file))

    def _recognise(self, sample: bytes) -> None:
        shown = sniffable(sample)
        shares = [(fmt.sniff(shown), fmt) for fmt in self._every]
        for share, fmt in sorted(shares, key=lambda pair: -pair[0]):
            if share > 0:
                self.scan.read_as(fmt)

    def _recognise_line(self, raw: bytes) -> None:
        """One line may be of a format that the head of the file did not show."""
        for fmt in self._every:
            if fmt not in self.scan.formats and fmt.sniff(raw) > 0:
                self.scan.read_as(fmt)

    # --- what the file covers and lacks ---

    def _note(self, window: Window) -> None:
        scan, block = self.scan, window.block
        raw, end = block.raw, block.end
        scan.blank = scan.blank and (block.content.isspace() or not end)
        if not scan.formats:
            self._recognise(block.content if scan.size < MAX_SNIFFED else block.content[:SAMPLE])
        scan.size += end + (block.passed_over or 0)
        alike = self._count(window)
        ended = raw[end - 1] == 0x0A
        scan.lines += (block.ends or 0) + (not ended)
        if block.passed_over is not None:
            scan.overlong += [window.line(window.start)[0]][: MAX_NOTED - len(scan.overlong)]
        if block.unended or (block.passed_over is None and not ended):
            scan.cut = window.line(window.start_of(window.end))[0]
        if scan.binary is None:
            nul = raw.find(b"\0", 0, end)
            scan.binary = window.line(window.start_of(window.start + nul))[0] if nul >= 0 else None
        self._note_edge(window)
        if not (alike and _OTHER_DATE.match(raw)):
            self._note_lost(window)
        if not scan.first and scan.formats:
            beginning = window.start + SAMPLE
            scan.first = self._events(window, window.start, beginning) or self._events(window, beginning, window.end)

    def _note_edge(self, window: Window) -> None:
        raw, end, block = window.block.raw, window.block.end, window.block
        last = raw.rfind(b"\n", 0, end - 1) + 1
        self.scan.edges.append(Edge(block.offset, block.line, raw[:MAX_HEAD], raw[last : min(end, last + MAX_HEAD)]))

    def _count(self, window: Window) -> bool:
        """Count the lines of a block, and those of no known form; whether all begin with the date of the first.

        In a large log, lines that all begin with the date of the first are taken to be of its form: one that is broken
        between its date and its time passes for a whole one there.
        """
        block = window.block
        raw, end = block.raw, block.end
        block.ends = octets.count(raw, b"\n", 0, end)
        if end < LARGE:
            self._note_unread(window, window.start, window.start + end)
            return False
        if self._alike(raw, 0, end, block.ends):
            return True
        for at, stop in self._pieces(raw, end):
            if not self._alike(raw, at, stop):
                self._note_unread(window, window.start + at, window.start + stop)
        return False

    @staticmethod
    def _pieces(raw: bytes, end: int) -> Iterator[tuple[int, int]]:
        """A block in pieces; one in which the date changes is cut there."""
        at = 0
        while at < end:
            stop = raw.find(b"\n", min(at + PIECE, end) - 1, end) + 1 or end
            first, last = _DATED.match(raw, at), _DATED.match(raw, raw.rfind(b"\n", at, stop - 1) + 1 or at)
            turn = raw.find(b"\n" + last[0], at, stop) + 1 if first and last and first[0] != last[0] else 0
            if turn:
                yield at, turn
            yield turn or at, stop
            at = stop

    def _alike(self, raw: bytes, start: int, end: int, lines: int | None = None) -> bool:
        """Whether every line begins with the date of the first, and the first and the last can be read."""
        date = _DATED.match(raw, start)
        last = raw.rfind(b"\n", start, end - 1) + 1 or start
        if not date or raw[end - 1] != 0x0A or not raw.startswith(date[0], last):
            return False
        lines = octets.count(raw, b"\n", start, end) if lines is None else lines
        readable = self._readable()
        return octets.count(raw, b"\n" + date[0], start, end) + 1 == lines and all(
            readable.fullmatch(line) for line in (raw[start : raw.find(b"\n", start) + 1], raw[last:end])
        )

    def _note_unread(self, window: Window, at: int, end: int) -> None:
        """Count lines of no known form.  Other programs' lines in a shared syslog are read: they say nothing of mail."""
        scan = self.scan
        while at < end:
            at = self._readable().match(window.content, at, end).end()  # type: ignore[union-attr]
            if at >= end:
                return
            if len(scan.unread_lines) >= MAX_UNREAD_KEPT and (run := self._unread_run(window.content, at, end)) > at:
                scan.unread += window.content.count(b"\n", at, run) + (window.content[run - 1] != 0x0A)
                at = run
                continue
            line, at = window.line(at)
            if scan.unread <= MAX_UNREAD_KEPT:  # what matches is still recognised wherever it stands
                self._recognise_line(line.raw)
            if not self._is_read(line.raw):
                scan.unread += 1
                if len(scan.unread_lines) < MAX_UNREAD_KEPT:
                    shown = replace(line, raw=line.raw[:MAX_UNREAD_SHOWN]) if len(line.raw) > MAX_UNREAD_SHOWN else line
                    scan.unread_lines.append(shown)

    def _readable(self) -> re.Pattern[bytes]:
        """As many lines as can be read, one after the other, in one match."""
        formats = self.scan.formats
        if self._heads is None or self._heads[0] != formats:
            heads = b"|".join(b"(?:%s)" % one for one in (syslog.HEAD, *(f.head for f in formats if f.head)))
            # Empty lines first: a file may hold millions, and no head needs to be tried on them.
            whole = rb"(?:\n\n*+|(?:%s)[^\n]*+(?:\n|\Z)|^(?=[ \t\r])%s)*+" % (heads, _BLANK)
            self._heads = formats, re.compile(whole, re.MULTILINE)
        return self._heads[1]

    def _unread_run(self, content: bytes, at: int, end: int) -> int:
        """Where the lines end of which none can be read, in a file of no known form; ``at`` where a form is known."""
        if self.scan.formats:
            return at
        run = strange().match(content, at, end)
        return run.end() if run else at

    def _is_read(self, raw: bytes) -> bool:
        return not raw.strip() or _syslog().match(raw) is not None or any(f.is_line(raw) for f in self.scan.formats)

    def _note_lost(self, window: Window) -> None:
        raw, end = window.block.raw, window.block.end
        if len(self.scan.lost) >= MAX_NOTED:
            return
        following = 0
        for at in sorted(self._lost_places(raw, end)):
            if at < following:
                continue
            start, following = raw.rfind(b"\n", 0, at) + 1, raw.find(b"\n", at) + 1 or end
            said = raw[start:following]
            if _LOST not in said or not any(word in said for word in LOST_WORDS):
                continue
            line, _ = window.line(window.start + start)
            events = (event for fmt in self._every for event in fmt.parse([line]))
            if len(self.scan.lost) < MAX_NOTED and any(event.action is Action.GAP for event in events):
                self.scan.lost.append(line)

    def _lost_places(self, raw: bytes, end: int) -> Iterable[int]:
        """Where lines may be that tell of lost ones."""
        words = LOST_WORDS if end >= LARGE and octets.is_quick() else (_LOST,)
        return (at for word in words for at in octets.each_position(raw, word, 0, end))

    def _events(self, window: Window, start: int, end: int) -> list[DeliveryEvent]:
        """Events of the lines that start in a part of a window, in their order."""
        if not self.scan.formats:
            return []
        at = window.start_of(start)
        at = at if at == start else window.content.find(b"\n", start) + 1 or end
        stop = min(end, window.end)
        return events_of(self.scan.formats, lambda: _lines(window, at, stop))

    # --- what was looked for ---

    def _found(self, window: Window) -> Iterator[LogLine]:
        if self._everything:
            yield from self._all(window)
            return
        following = 0
        for place in self._needles.find(window.block.raw, window.block.end):
            at = window.start + place
            if at < following:
                continue
            start = window.start_of(at)
            line, following = window.line(start)
            if at - start < MAX_LINE:
                self._recognise_line(line.raw)
                yield from whole_entry(window, start)

    def _all(self, window: Window) -> Iterator[LogLine]:
        """Every line that says anything about a message."""
        at = window.start
        while at < window.end:
            line, at = window.line(at)
            self._recognise_line(line.raw)
            if any(True for fmt in self.scan.formats for _ in fmt.parse([line])):
                yield line


def _lines(window: Window, at: int, stop: int) -> Iterator[LogLine]:
    """The lines that start in a part of a window, one at a time: a block may hold a million blank ones."""
    while at < stop:
        line, at = window.line(at)
        yield line
