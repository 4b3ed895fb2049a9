"""One pass over one file: the lines with a needle, and on the way what the file is, covers and lacks."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from deliverability.api import progress
from deliverability.api.surroundings import ENTRY_REACH, whole_entry
from deliverability.capture.blocks import MAX_LINE, Window, windows
from deliverability.capture.files import LogFile, head
from deliverability.errors import CannotLookError
from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.plugin import LogFormat
from deliverability.protocols import syslog

MAX_UNREAD_KEPT = 1000  # unread lines are counted without limit and kept up to here
MAX_UNREAD_SHOWN = 1024  # octets of each
MAX_NOTED = 100  # lines of each kind that say what is missing
SAMPLE = 64 << 10  # octets at either end of a file that tell its times

_SYSLOG = re.compile(syslog.HEAD)
_BLANK = rb"[ \t\r]*+(?:\n|\Z)"
# Words of loggers that dropped lines.  A receiver's reply may hold them too: the format decides.
_LOST_WORDS = (b"rate-limit", b"uppressed ", b"drop messages")


@dataclass(slots=True)
class FileScan:
    """What one file turned out to be."""

    file: LogFile
    formats: tuple[LogFormat, ...] = ()
    size: int = 0
    lines: int = 0
    blank: bool = True
    """Nothing but white space is in it."""
    unread: int = 0
    unread_lines: list[LogLine] = field(default_factory=list)
    first: list[DeliveryEvent] = field(default_factory=list)
    """Events of its first lines: they give the file's first time, and the zone."""
    last: list[DeliveryEvent] = field(default_factory=list)
    lost: list[LogLine] = field(default_factory=list)
    """Lines that say that lines are missing."""
    cut: LogLine | None = None
    """The last line, when it has no end."""
    overlong: list[LogLine] = field(default_factory=list)
    """Lines that were not read to their end."""
    binary: LogLine | None = None
    """The first line with octets that no text has."""
    damaged: str | None = None
    """Why it could not be read, or not to its end."""

    def read_as(self, fmt: LogFormat) -> None:
        """Lines of this format are in the file too."""
        if fmt not in self.formats:
            self.formats = (*self.formats, fmt)


class FirstPass:
    """Lines with a needle in one file, each with the rest of its entry."""

    def __init__(
        self, file: LogFile, every: Sequence[LogFormat], needles: Callable[[LogFormat], Iterable[bytes]]
    ) -> None:
        self.scan = FileScan(file, damaged=file.problem)
        self._every = every
        # A file may hold what its head does not show: all spellings of all formats are looked for.
        self._wanted = sorted({needle for fmt in every for needle in needles(fmt)})
        self._heads: tuple[tuple[LogFormat, ...], re.Pattern[bytes]] | None = None

    def __iter__(self) -> Iterator[LogLine]:
        """Look through the file once."""
        scan, last = self.scan, None
        if scan.file.problem and scan.file.content is None:
            return
        try:
            self._recognise(head(scan.file))
            for window in windows(scan.file, ENTRY_REACH):
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

    def _recognise(self, sample: bytes) -> None:
        shares = [(fmt.sniff(sample), fmt) for fmt in self._every]
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
        scan = self.scan
        core = window.content[window.start : window.end]
        scan.blank = scan.blank and not core.strip()
        if not scan.formats:
            self._recognise(core)
        scan.size += len(core) + (window.passed_over or 0)
        scan.lines += core.count(b"\n") + (not core.endswith(b"\n"))
        if window.passed_over is not None:
            scan.overlong += [window.line(window.start)[0]][: MAX_NOTED - len(scan.overlong)]
        if window.unended or (window.passed_over is None and not core.endswith(b"\n")):
            scan.cut = window.line(window.start_of(window.end))[0]
        if scan.binary is None and b"\0" in core:
            scan.binary = window.line(window.start_of(window.start + core.index(b"\0")))[0]
        self._note_unread(window)
        self._note_lost(window)
        if not scan.first and scan.formats:
            beginning = window.start + SAMPLE
            scan.first = self._events(window, window.start, beginning) or self._events(window, beginning, window.end)

    def _note_unread(self, window: Window) -> None:
        """Count lines of no known form.  Other programs' lines in a shared syslog are read: they say nothing of mail."""
        scan, at = self.scan, window.start
        while at < window.end:
            at = self._readable().match(window.content, at, window.end).end()  # type: ignore[union-attr]
            if at >= window.end:
                return
            line, at = window.line(at)
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
            whole = rb"(?:(?:%s)[^\n]*+(?:\n|\Z)|^(?=[ \t\r\n])%s)*+" % (heads, _BLANK)
            self._heads = formats, re.compile(whole, re.MULTILINE)
        return self._heads[1]

    def _is_read(self, raw: bytes) -> bool:
        return not raw.strip() or _SYSLOG.match(raw) is not None or any(f.is_line(raw) for f in self.scan.formats)

    def _note_lost(self, window: Window) -> None:
        for word in _LOST_WORDS:
            end = window.start
            while len(self.scan.lost) < MAX_NOTED:
                at = window.content.find(word, end, window.end)
                if at < 0:
                    break
                line, end = window.line(window.start_of(at))
                said = (event for fmt in self._every for event in fmt.parse([line]))
                if line not in self.scan.lost and any(event.action is Action.GAP for event in said):
                    self.scan.lost.append(line)

    def _events(self, window: Window, start: int, end: int) -> list[DeliveryEvent]:
        """Events of the lines that start in a part of a window."""
        lines, at = [], window.start_of(start)
        at = at if at == start else window.content.find(b"\n", start) + 1 or end
        while at < min(end, window.end):
            line, at = window.line(at)
            lines.append(line)
        return [event for fmt in self.scan.formats for event in fmt.parse(lines)]

    # --- what was looked for ---

    def _found(self, window: Window) -> Iterator[LogLine]:
        lower, end = window.content[window.start : window.end].lower(), 0
        for at in sorted(at for needle in self._wanted for at in each_position(lower, needle, 0, len(lower))):
            if at < end:
                continue
            start = window.start_of(window.start + at)
            line, following = window.line(start)
            end = following - window.start
            if window.start + at - start < MAX_LINE:
                self._recognise_line(line.raw)
                yield from whole_entry(window, start)


def each_position(content: bytes, name: bytes, start: int, end: int) -> Iterator[int]:
    """Where ``name`` stands between ``start`` and ``end``."""
    at = content.find(name, start, end)
    while at >= 0:
        yield at
        at = content.find(name, at + len(name), end)
