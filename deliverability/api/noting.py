"""What the lines of a part of a log show beside attempts: how many there are, which cannot be read, what is missing."""

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from deliverability.api.scan import (
    LOST_WORDS,
    MAX_NOTED,
    MAX_SNIFFED,
    MAX_UNREAD_KEPT,
    MAX_UNREAD_SHOWN,
    SAMPLE,
    strange,
)
from deliverability.api.sniffing import sniffable
from deliverability.capture.blocks import Block, Window
from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols import octets, syslog

_DATED = re.compile(rb"(?:\d{4}-\d\d-\d\d[T ]|(?:\d{4} )?[A-Z][a-z]{2} [ \d]\d )")
SIGNS = {
    "dovecot": b"msgid=",
    "exim": b" exim",
    "opensmtpd": b" result=",
    "postfix": b", status=",
    "sendmail": b", stat=",
}
"""Of formats that come through syslog, whose heads tell nobody apart: what stands in every line with an attempt."""


@dataclass(slots=True)
class Seen:
    """What the lines of a part showed beside attempts."""

    size: int = 0
    lines: int = 0
    unread: int = 0
    blank: bool = True
    unread_lines: list[LogLine] = field(default_factory=list)
    lost: list[LogLine] = field(default_factory=list)
    overlong: list[LogLine] = field(default_factory=list)
    cut: LogLine | None = None
    binary: LogLine | None = None
    damaged: str | None = None
    formats: tuple[str, ...] = ()
    """Ids of formats that the head of the file did not show."""
    first: list[DeliveryEvent] = field(default_factory=list)
    """Events of its first lines, where they were asked for."""
    last: list[DeliveryEvent] = field(default_factory=list)


class Noting:
    """Counts the lines of a part, and those of no known form, and notes where the log says that something is missing.

    Lines may be of a format that the head of the file did not show: of ``every`` those are added to :attr:`formats`.
    """

    def __init__(self, formats: tuple[LogFormat, ...], every: Sequence[LogFormat] = ()) -> None:
        self.seen = Seen()
        self.formats = formats
        self._others = tuple(fmt for fmt in every if fmt not in formats)
        self._readable = _readable(formats)

    def renew(self) -> Seen:
        """What was seen since the last time."""
        seen, self.seen = self.seen, Seen()
        return seen

    def take(self, window: Window) -> Mapping[LogFormat, bytes]:
        """Look at one block; the formats that it showed for the first time, each with lines that show it."""
        block, seen = window.block, self.seen
        found = dict(self._shown(block))
        raw, end = block.raw, block.end
        ended = raw[end - 1] == 0x0A
        if block.ends is None:
            block.ends = octets.count(raw, b"\n", 0, end)
        lines = block.lines() + (not ended and block.passed_over is None)
        seen.blank = seen.blank and not raw[: min(end, 4096)].strip() and not block.content.strip()
        seen.size += end + (block.passed_over or 0)
        seen.lines += lines
        if block.passed_over is not None:
            seen.overlong += [window.line(window.start)[0]][: MAX_NOTED - len(seen.overlong)]
        elif not ended:
            seen.cut = window.line(window.start_of(window.end))[0]
        if seen.binary is None:
            nul = raw.find(b"\0", 0, end)
            seen.binary = window.line(window.start_of(window.start + nul))[0] if nul >= 0 else None
        if not self._alike(block, lines):
            found |= self._count_unread(window)
        self._note_lost(window)
        return found

    def _shown(self, block: Block) -> Mapping[LogFormat, bytes]:
        """Formats of lines that a head of syslog makes readable; while none is known all that the block may hold.

        Far into a file of none yet, that is what it begins with: a system's log may hold few lines of its mail server.
        """
        found: dict[LogFormat, bytes] = {}
        if not self.formats:
            if block.offset < MAX_SNIFFED:
                return self._recognise(block.content)
            found |= self._recognise(block.raw[: min(block.end, SAMPLE)])
        for fmt in self._others:
            sign = SIGNS.get(fmt.id)
            if sign and octets.find(block.raw, sign, 0, block.end) >= 0:
                found |= self._recognise(_sample(_lines_with(sign, block)), (fmt,))
        return found

    def _recognise(self, sample: bytes, among: Sequence[LogFormat] | None = None) -> dict[LogFormat, bytes]:
        shown = sniffable(sample)
        found = {fmt: sample for fmt in (self._others if among is None else among) if fmt.sniff(shown) > 0}
        if found:
            self.formats = (*self.formats, *found)
            self._others = tuple(fmt for fmt in self._others if fmt not in found)
            self._readable = _readable(self.formats)
            self.seen.formats = (*self.seen.formats, *(fmt.id for fmt in found))
        return found

    def _alike(self, block: Block, lines: int) -> bool:
        """Whether every line begins with the date of the first, which is a head of a known form, as the last one is."""
        dated = _DATED.match(block.raw)
        if not dated:
            return False
        last = block.raw.rfind(b"\n", 0, block.end - 1) + 1
        ends = (self._readable.match(block.raw, at) for at in (0, last))
        return all(ends) and octets.count(block.raw, b"\n" + dated[0], 0, block.end) + 1 == lines

    def _count_unread(self, window: Window) -> Mapping[LogFormat, bytes]:
        """Count lines of no known form; they may be of one that was not met before."""
        block, seen, at = window.block, self.seen, 0
        if not self.formats and len(seen.unread_lines) >= MAX_UNREAD_KEPT:
            # Before its lines, the block was asked whether any format knows it: millions may be counted as one.
            runs = (run[0] for run in strange().finditer(block.content))
            seen.unread += sum(run.count(b"\n") + (not run.endswith(b"\n")) for run in runs)
            return {}
        unread: list[tuple[int, bytes]] = []
        for raw in io.BytesIO(block.content):
            if raw.strip() and not self._is_read(raw.rstrip(b"\r\n")):
                unread.append((at, raw))
            at += len(raw)
        # While no format is known, a block near the beginning was asked whole, before its lines were.
        asked = not self.formats and block.offset < MAX_SNIFFED
        found = self._recognise(_sample(raw for _, raw in unread)) if unread and not asked else {}
        for at, raw in unread:
            if found and self._is_read(raw.rstrip(b"\r\n")):
                continue
            seen.unread += 1
            if len(seen.unread_lines) < MAX_UNREAD_KEPT:
                line, _ = window.line(window.start + at)
                seen.unread_lines.append(replace(line, raw=line.raw[:MAX_UNREAD_SHOWN]))
        return found

    def note_unheard(self, window: Window, starts: Iterable[int]) -> None:
        """Count lines of a known form, by where they start in the block, that tell of an attempt and could not be read."""
        seen = self.seen
        for start in starts:
            seen.unread += 1
            if len(seen.unread_lines) < MAX_UNREAD_KEPT:
                line, _ = window.line(window.start + start)
                seen.unread_lines.append(replace(line, raw=line.raw[:MAX_UNREAD_SHOWN]))

    def _is_read(self, raw: bytes) -> bool:
        return self._readable.match(raw) is not None or any(f.is_line(raw) for f in self.formats)

    def _note_lost(self, window: Window) -> None:
        raw, end, seen = window.block.raw, window.block.end, self.seen
        stop = 0
        for at in octets.each_position(raw, b"messages", 0, end):
            if len(seen.lost) >= MAX_NOTED:
                return
            if at < stop:
                continue
            start, stop = raw.rfind(b"\n", 0, at) + 1, raw.find(b"\n", at)
            stop = stop if stop >= 0 else end
            words = raw[start:stop]
            if any(word in words for word in LOST_WORDS):
                line, _ = window.line(window.start + start)
                said = (event for fmt in self.formats for event in fmt.parse([line]))
                if any(event.action is Action.GAP for event in said):
                    seen.lost.append(line)


def _readable(formats: Iterable[LogFormat]) -> re.Pattern[bytes]:
    """The heads of all lines that can be read."""
    heads = b"|".join(b"(?:%s)" % one for one in (syslog.HEAD, *(f.head for f in formats if f.head)))
    return re.compile(rb"(?:%s)" % heads, re.MULTILINE)


def _lines_with(sign: bytes, block: Block) -> Iterator[bytes]:
    raw, end, stop = block.raw, block.end, 0
    for at in octets.each_position(raw, sign, 0, end):
        if at >= stop:
            stop = raw.find(b"\n", at, end) + 1 or end
            yield raw[raw.rfind(b"\n", 0, at) + 1 : stop]


def _sample(lines: Iterable[bytes]) -> bytes:
    """Whole lines, as many as a sample has; of a line that is longer its beginning."""
    taken: list[bytes] = []
    left = SAMPLE
    for raw in lines:
        taken.append(raw[:left].removesuffix(b"\n"))
        left -= len(raw)
        if left <= 0:
            break
    return b"\n".join(taken) + b"\n"


def joined(first: Seen, more: Seen, lines: int = 0) -> Seen:
    """What two parts of one file showed; ``lines`` stand before the second."""

    def moved(found: list[LogLine]) -> list[LogLine]:
        return [_moved(line, lines) for line in found] if lines else found

    return Seen(
        size=first.size + more.size,
        lines=first.lines + more.lines,
        unread=first.unread + more.unread,
        blank=first.blank and more.blank,
        unread_lines=(first.unread_lines + moved(more.unread_lines))[:MAX_UNREAD_KEPT],
        lost=(first.lost + moved(more.lost))[:MAX_NOTED],
        overlong=(first.overlong + moved(more.overlong))[:MAX_NOTED],
        cut=_moved(more.cut, lines) if more.cut else first.cut,
        binary=first.binary or (_moved(more.binary, lines) if more.binary else None),
        damaged=first.damaged or more.damaged,
        formats=tuple(dict.fromkeys((*first.formats, *more.formats))),
        first=first.first or _said_at(more.first, lines),
        last=_said_at(more.last, lines) or first.last,
    )


def _moved(line: LogLine, lines: int) -> LogLine:
    return replace(line, place=replace(line.place, line=line.place.line + lines))


def _said_at(events: list[DeliveryEvent], lines: int) -> list[DeliveryEvent]:
    return [replace(event, line=_moved(event.line, lines)) for event in events] if lines else events
