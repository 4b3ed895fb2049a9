"""systemd's journal as ``journalctl -o export`` writes it (systemd.io/JOURNAL_EXPORT_FORMATS): entries to syslog lines.

An entry is lines ``FIELD=value``, ended by an empty line; a value that is not plain text comes as ``FIELD``, its
length as 64 bits, little endian, and its octets.  One line comes out for each entry, so line numbers are those of the
entries.
"""

import re
from collections.abc import Iterator

from deliverability.capture.decoders.streams import MAX_RECORD, PIECE, DamagedError, Stream
from deliverability.protocols.wrapped import HOSTS, PIDS, PROGRAMS, TIMES
from deliverability.protocols.wrapped_line import compose, inert, of_microseconds

_HOSTS, _PIDS, _PROGRAMS, _TIMES = (
    tuple(name.encode() for name in names if name.isupper()) for names in (HOSTS, PIDS, PROGRAMS, TIMES)
)
_NAMES = frozenset({*_HOSTS, *_PIDS, *_PROGRAMS, *_TIMES, b"MESSAGE"})
_NO_TEXT = re.compile(rb"^[^=\n]++$", re.MULTILINE)
_BEGINS = re.compile(rb"[A-Z_][A-Z0-9_]{0,63}(?:=|\n[\x00-\xff]{8})")
_KNOWN = re.compile(rb"^(?:__CURSOR|__REALTIME_TIMESTAMP|_SOURCE_REALTIME_TIMESTAMP|_BOOT_ID)=", re.MULTILINE)
_MAX_VALUE = 64 << 10  # no longer line is read
_MAX_TEXT = 300  # of a host, a program, a process number
_MAX_NAME = 64 << 10
_MAX_GROWING = 8 << 20  # octets of one entry that are waited for while an export grows

Fields = dict[bytes, bytes]


def is_export(head: bytes) -> bool:
    """Whether this is the beginning of a journal export: a field that the journal itself writes, in the first entry."""
    return _BEGINS.match(head) is not None and _KNOWN.search(head, 0, 64 << 10) is not None


def export_lines(stream: Stream) -> Iterator[bytes]:
    """The entries as syslog lines; raises :class:`DamagedError` where the export breaks off within one."""
    source = _Source(stream)
    while True:
        if lines := _plain_entries(source):
            yield lines
        elif not source.more_than(len(source.data) - source.at):
            break
        elif len(source.data) - source.at < MAX_RECORD and not _NO_TEXT.search(source.data, source.at):
            continue
        else:
            yield _line(_entry(source))
    if source.data[source.at :].strip(b"\n"):
        yield _line(_entry(source))


def _plain_entries(source: "_Source") -> bytes:
    """All entries at hand that hold text alone: the usual case, and the quick one."""
    found: list[bytes] = []
    while True:
        while source.data.startswith(b"\n", source.at):
            source.at += 1
        end = source.data.find(b"\n\n", source.at)
        if end < 0:
            break
        entry = source.data[source.at : end]
        try:
            # The first of several values is the one that counts.
            fields: Fields = dict([line.split(b"=", 1) for line in reversed(entry.split(b"\n"))])
        except ValueError:  # a line without "=": the name of a value that is not plain text
            if not found:  # else first give what was found: this one may break off
                found.append(_line(_entry(source)))
            break
        found.append(_line(fields))
        source.at = end + 2
    return b"".join(found)


def _entry(source: "_Source") -> Fields:
    """One entry, field by field, whatever its size; of a long value only the beginning is kept."""
    fields: Fields = {}
    while True:
        line, ended = source.line()
        if not line and ended:
            return fields
        if not ended:
            if line:
                raise DamagedError("the journal export breaks off within an entry")
            return fields
        name, text, value = line.partition(b"=")
        if not text:
            value = source.value(keep=name in _NAMES)
        if name in _NAMES:
            fields.setdefault(name, value[:_MAX_VALUE])


def _line(fields: Fields) -> bytes:
    if not fields:
        return b""
    at = _time(fields)
    program = _text(fields, _PROGRAMS)
    if at is None or not program or b"MESSAGE" not in fields:
        return inert(b" ".join(b"%s=%s" % pair for pair in fields.items() if pair[0] in _NAMES)) + b"\n"
    return compose(at, _text(fields, _HOSTS), program, _text(fields, _PIDS), fields[b"MESSAGE"][:_MAX_VALUE]) + b"\n"


def _time(fields: Fields) -> str | None:
    for name in _TIMES:
        value = fields.get(name, b"")
        if value.isdigit() and len(value) <= 20:
            return of_microseconds(int(value))
    return None


def _text(fields: Fields, names: tuple[bytes, ...]) -> str:
    for name in names:
        if found := fields.get(name):
            return found[:_MAX_TEXT].decode("utf-8", "replace")
    return ""


class Entries:
    """The entries of an export that is still being written: each once all of it has come."""

    def __init__(self) -> None:
        self.rest = b""
        """What has come of the next entry."""

    def lines(self, more: bytes) -> Iterator[tuple[int, bytes]]:
        """How many octets each entry took, and the syslog line it stands for, without its end; none for a blank one.

        Raises :class:`DamagedError` for what is no export any more, and for an entry of more than 8 MiB.
        """
        source = _Source(_Waiting())
        source.data = self.rest + more
        while True:
            begin = source.at
            try:
                fields = _entry(source)
            except _NotYetError:
                break
            yield source.at - begin, _line(fields).removesuffix(b"\n")
        self.rest = source.data[begin:]
        if len(self.rest) > _MAX_GROWING:
            raise DamagedError(f"an entry longer than {_MAX_GROWING >> 20} MiB in the journal export")


class _NotYetError(Exception):
    """The rest of an entry has not come."""


class _Waiting:
    """What a growing export holds after what has come."""

    def read1(self, _size: int = PIECE, /) -> bytes:
        raise _NotYetError


class _Source:
    """A stream with what was read ahead of it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.data, self.at = b"", 0

    def more_than(self, size: int) -> bool:
        """Read until more than ``size`` octets are at hand; false when the stream ends before."""
        while len(self.data) - self.at <= size:
            piece = self._stream.read1(PIECE)
            if not piece:
                return False
            self.data, self.at = self.data[self.at :] + piece, 0
        return True

    def line(self) -> tuple[bytes, bool]:
        """The next line, or the beginning of a long one, and whether it has an end."""
        searched = 0
        while (end := self.data.find(b"\n", self.at + searched)) < 0:
            searched = len(self.data) - self.at
            if searched > MAX_RECORD:
                return self._rest_of_line(), True
            if not self.more_than(searched):
                line, self.at = self.data[self.at :], len(self.data)
                return line, False
        line, self.at = self.data[self.at : end], end + 1
        return line, True

    def _rest_of_line(self) -> bytes:
        kept = self.data[self.at : self.at + _MAX_NAME]
        while (end := self.data.find(b"\n", self.at)) < 0:
            self.at = len(self.data)
            if not self.more_than(0):
                raise DamagedError("the journal export breaks off within an entry")
        self.at = end + 1
        return kept

    def value(self, *, keep: bool) -> bytes:
        """A value with its length before it; the line end after it goes too."""
        if not self.more_than(7):
            raise DamagedError("the journal export breaks off within an entry")
        left = int.from_bytes(self.data[self.at : self.at + 8], "little")
        self.at += 8
        kept: list[bytes] = []
        size = 0
        while left:
            if not self.more_than(0):
                raise DamagedError("the journal export breaks off within an entry")
            part = self.data[self.at : self.at + left]
            self.at += len(part)
            left -= len(part)
            if keep and size < _MAX_VALUE:
                kept.append(part)
                size += len(part)
        if not self.more_than(0):
            raise DamagedError("the journal export breaks off within an entry")
        if self.data[self.at] != 0x0A:
            raise DamagedError("not a journal export any more: a value is longer than it says")
        self.at += 1
        return b"".join(kept)[:_MAX_VALUE]
