"""What one pass over one file finds out about it: what it is, what it covers and what it lacks."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from deliverability.api.times import earliest, in_order, stamp
from deliverability.capture.blocks import Marks, lines_before
from deliverability.capture.files import LogFile
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols import syslog

MAX_UNREAD_KEPT = 1000  # unread lines are counted without limit and kept up to here
MAX_UNREAD_SHOWN = 1024  # octets of each
MAX_NOTED = 100  # lines of each kind that say what is missing
MAX_SNIFFED = 4 << 20  # octets at whose every line each format is tried; behind them the beginning of each block is
SAMPLE = 64 << 10  # octets at either end of a file that tell its times

# Words of loggers that dropped lines.  A receiver's reply may hold them too: the format decides.
LOST_WORDS = (b"rate-limit", b"uppressed ", b"drop messages")


@dataclass(frozen=True, slots=True)
class Edge:
    """The heads of the first and the last line of a block."""

    offset: int
    line: int
    """Number of lines before it."""
    first: bytes
    last: bytes


class Part(NamedTuple):
    """A part of a file, between two line starts, that a time window reaches."""

    begin: int
    stop: int | None
    before: bytes = b""
    """Head of the last line that was left out before it."""
    after: bytes = b""
    """Head of the first line that was left out after it."""


@cache
def strange() -> re.Pattern[bytes]:
    """Lines that are neither blank nor syslog's."""
    return re.compile(rb"(?:^(?!(?:%s)|[ \t\r\v\f]*+(?:\n|\Z))[^\n]*+(?:\n|\Z))++" % syslog.HEAD, re.MULTILINE)


class Step(NamedTuple):
    """A line whose time does not follow that of the line before it."""

    offset: int
    line: int
    """Its number, from 1."""
    head: bytes
    by: timedelta


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
    unheard: list[LogLine] = field(default_factory=list)
    """Lines that name what was asked and tell of an attempt, in a form that cannot be read."""
    cut: LogLine | None = None
    """The last line, when it has no end."""
    overlong: list[LogLine] = field(default_factory=list)
    """Lines that were not read to their end."""
    binary: LogLine | None = None
    """The first line with octets that no text has."""
    damaged: str | None = None
    """Why it could not be read, or not to its end."""
    marks: Marks = field(default_factory=dict)
    """Where its blocks begin, and how many lines stand before each."""
    edges: list[Edge] = field(default_factory=list)
    """The first and the last line of each block: neighbours wherever one block ends and the next begins."""
    steps: list[Step] = field(default_factory=list)
    """Of a kept log: where its time steps back or far ahead from one line to the next."""
    part: Part | None = None
    """What was looked at, when not all of it."""
    _times: list[datetime] | None = None

    def times(self) -> list[datetime] | None:
        """The instant at which each block begins, at the earliest, in order; ``None`` where that cannot be relied on."""
        if self._times is None and self.edges:
            found = [stamp(edge.first) for edge in self.edges]
            instants = [earliest(at) for at in found if at and at.has_year]
            self._times = instants if len(instants) == len(found) and in_order(instants) else []
        return self._times or None

    def numbered(self, lines: list[LogLine]) -> list[LogLine]:
        """Lines with the numbers that they have in the whole file."""
        if not lines or self.part is None or not self.part.begin:
            return lines
        before = lines_before(self.file, self.part.begin)
        return [replace(one, place=replace(one.place, line=one.place.line + before)) for one in lines]

    def read_as(self, fmt: LogFormat) -> None:
        """Lines of this format are in the file too."""
        if fmt not in self.formats:
            self.formats = (*self.formats, fmt)


def events_of(formats: Iterable[LogFormat], lines: Callable[[], Iterable[LogLine]]) -> list[DeliveryEvent]:
    """What lines say, in their order, whichever program wrote them; ``lines`` gives them once for each format."""
    found = [event for fmt in formats for event in fmt.parse(lines())]
    return sorted(found, key=lambda event: event.line.place.offset)
