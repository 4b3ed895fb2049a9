"""Tables with a header (CSV, TSV): each row as a JSON object, or as the syslog line that it wraps.

RFC 4180 with any of ``,`` ``;`` tab as delimiter; Microsoft Exchange's logs name their columns in a ``#Fields:`` line
(Exchange Server, "Message tracking"), spreadsheets may begin with ``sep=;``.  Line numbers stay those of the file: a
header becomes an empty line, and a row with line breaks in quotes is followed by as many empty lines.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from deliverability.capture.decoders.json_rows import MAX_LONG_ROW, as_json
from deliverability.capture.decoders.streams import DAMAGED, MAX_RECORD, Stream, lines
from deliverability.protocols.whole_line import is_whole
from deliverability.protocols.wrapped import Layout, layout_of
from deliverability.protocols.wrapped_line import inert

DELIMITERS = ",;\t"
_MAX_COLUMNS = 200
_MAX_NAME = 128
_MAX_HEADER = 16 << 10
_MAX_ROW_LINES = 20_000  # of a notice's text
_MANY = 1000  # lines that are no text of a notice, where the row has another form
_FEWEST = 5  # columns of a table whose first row nobody has seen whole
_SAMPLED = 50  # rows
_NAME = re.compile(r"[^\x00-\x1f\x7f<>=]{0,128}\Z")
_LETTER = re.compile(r"[^\W\d_]")
_FIELDS = "#Fields:"
_PAPERTRAIL = [
    "id",
    "generated_at",
    "received_at",
    "source_id",
    "source_name",
    "source_ip",
    "facility_name",
    "severity_name",
    "program",
    "message",
]
_PAPERTRAIL_ROW = re.compile(r"\d{1,20}(?:\t\d{4}-\d\d-\d\d[T ][^\t]{8,24}){2}\t\d{1,20}(?:\t[^\t]*){6}\Z")
_VALUES = {one: re.compile(rf'(?:"((?:[^"]++|"")*+)"|([^"\r\n{one}]*+))({one}|\r?\n?\Z)') for one in DELIMITERS}
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Table:
    """How a table is read."""

    columns: tuple[str, ...]
    delimiter: str
    skipped: int
    """Lines up to and with the header."""
    remarks: bool = False
    """Lines that begin with ``#`` are remarks: the header was such a line."""
    layout: Layout | None = None
    """How a row wraps a syslog message, if it does."""


def table_of(head: bytes) -> Table | None:
    """The table that begins so, or ``None``; ``head`` may end within a row."""
    text = head.removeprefix(_BOM)
    if is_whole(text[:1024].split(b"\n", 1)[0]) or text[:1] in (b"", b"{", b"["):
        return None
    *whole, tail = text.split(b"\n")
    found = _header([_text(line) for line in whole[:20]] or [_text(tail)])
    if found is None:
        return None
    # Only rows are looked at, never lines: a line within a value is a stranger's, and may imitate a log.
    sampled = _sampled(found, [_text(line) + "\n" for line in whole[found.skipped :][:200]])
    rows = [row for row in sampled if len(row) == len(found.columns)]
    if 2 * len(rows) < len(sampled) and not _is_cut(found, sampled, text):
        return None
    layout = layout_of([dict(zip(found.columns, row, strict=True)) for row in rows]) if rows else None
    if layout is None and 2 * sum(is_whole(row[0].encode("utf-8", "replace")) for row in rows) > len(rows):
        return None  # a plain log that begins with other words
    # Two columns are no statement of their own, and what looks like them is often a sentence.
    return replace(found, layout=layout) if layout or len(found.columns) > 2 else None


def _sampled(table: Table, following: list[str]) -> list[list[str]]:
    rows: list[list[str]] = []
    reader = csv.reader(following, delimiter=table.delimiter)
    try:
        for row in reader:
            if row and not (table.remarks and row[0].startswith("#")):
                rows.append(row)
            if len(rows) >= _SAMPLED:
                return rows
    except csv.Error:
        pass
    return rows[:-1] if len(rows) > 1 else rows  # the last may be cut


def _is_cut(table: Table, sampled: list[list[str]], text: bytes) -> bool:
    """Whether all that was seen is the beginning of one row, with a quote that is still open: a notice's text is long."""
    after = text.split(b"\n", table.skipped)[-1]
    return len(sampled) == 1 and _FEWEST <= len(table.columns) > len(sampled[0]) and after.count(b'"') % 2 == 1


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace").rstrip("\r")


def _header(first: list[str]) -> Table | None:
    delimiters = DELIMITERS
    if _PAPERTRAIL_ROW.match(first[0]):  # its archives have no header (Papertrail, "Permanent log archives")
        return Table(tuple(_PAPERTRAIL), "\t", 0)
    for number, line in enumerate(first, 1):
        if line.startswith(_FIELDS):
            found = _named(line.removeprefix(_FIELDS).lstrip(" "), DELIMITERS, number)
            return replace(found, remarks=True) if found else None
        if number == 1 and len(line) == 5 and line.lower().startswith("sep="):
            delimiters = line[4]
            if delimiters not in DELIMITERS:
                return None
        elif line.strip() and not line.startswith("#"):
            return _named(line, delimiters, number)
    return None


def _named(line: str, delimiters: str, number: int) -> Table | None:
    """The columns of a header; ``None`` for a line that cannot be one."""
    if len(line) > _MAX_HEADER:
        return None
    best = max(delimiters, key=line.count)
    try:
        columns = next(csv.reader([line], delimiter=best))
    except (csv.Error, StopIteration):
        return None
    named = [name for name in columns if name.strip()]
    if not 2 <= len(columns) <= _MAX_COLUMNS or len(named) < 0.8 * len(columns):
        return None
    if not all(_NAME.match(name) for name in columns) or not all(_LETTER.search(name) for name in named):
        return None
    return Table(_distinct(columns), best, number)


def _distinct(columns: list[str]) -> tuple[str, ...]:
    """Each name once: a second ``Subject`` becomes ``Subject#2``."""
    seen: dict[str, int] = {}
    names: list[str] = []
    for name in map(str.strip, columns):
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return tuple(names)


class _Lines:
    """The lines of a file one by one, with those of the present row kept."""

    def __init__(self, stream: Stream) -> None:
        self._batches = lines(stream, MAX_LONG_ROW)
        self._batch: list[bytes] = []
        self._next = 0
        self._size = 0
        self._problem: Exception | None = None
        self.row: list[bytes] = []
        self._last = False

    def ended(self) -> bool:
        """Whether the line that came last is the file's last, which has no end."""
        return self._last

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._last:
            raise StopIteration
        if len(self.row) >= _MAX_ROW_LINES or self._size >= MAX_LONG_ROW:
            raise _TooLongError
        line = self._line()
        self.row.append(line)
        self._size += len(line)
        return _text(line) + "\n"

    def _line(self) -> bytes:
        if self._problem:
            raise self._problem
        if self._next >= len(self._batch):
            self._batch, self._next = next(self._batches), 0
        line = self._batch[self._next]
        self._next += 1
        if self._next >= len(self._batch):
            following = self._more()
            self._last = following is None
            self._batch, self._next = following or [], 0
        return line

    def _more(self) -> list[bytes] | None:
        try:
            return next(self._batches, None)
        except DAMAGED as problem:
            self._problem = problem  # first the line at hand
            return []

    def begin(self) -> None:
        """The next line begins a row."""
        self.row, self._size = [], 0


class _TooLongError(Exception):
    """A row never ends: a quote that is not closed."""


def row_lines(stream: Stream, table: Table) -> Iterator[bytes]:
    """The rows as lines; a row that is not of the table's form becomes one that is counted as unread."""
    source = _Lines(stream)
    for _ in range(table.skipped):
        next(source, None)
    yield b"\n" * (len(source.row) - source.ended())
    while not source.ended():
        source.begin()
        reader = csv.reader(source, delimiter=table.delimiter)
        made: list[bytes] = []
        size = 0
        while size < MAX_RECORD // 4 and not source.ended():
            source.begin()
            try:
                line, table = _row(reader, source, table)
            except DAMAGED:
                yield b"".join(made)
                raise
            made.append(line if source.ended() else line + b"\n")
            size += len(line) + 1
        yield b"".join(made)


def _row(reader: "Iterator[list[str]]", source: _Lines, table: Table) -> tuple[bytes, Table]:
    """The next row as lines, the last without its end; and the table, which a new ``#Fields:`` line changes."""
    try:
        try:
            row = next(reader, [])
        except csv.Error:
            row = _long_row(source, table.delimiter)
    except _TooLongError:
        return _unread(source.row), table
    empty = b"\n" * (len(source.row) - 1)
    if not any(row):
        return empty, table
    if table.remarks and row[0].startswith("#"):
        whole = _text(source.row[0])
        if whole.startswith(_FIELDS):
            again = _named(whole.removeprefix(_FIELDS).lstrip(" "), table.delimiter, 1)
            table = replace(table, columns=again.columns) if again else table
        return empty, table
    if len(row) != len(table.columns):
        return (_unread(source.row) if len(source.row) > _MANY else inert(b"\n".join(source.row)) + empty), table
    record = dict(zip(table.columns, row, strict=True))
    return (as_json(record) if table.layout is None else table.layout.line(record)) + empty, table


def _unread(swallowed: list[bytes]) -> bytes:
    """What was taken for a row may be many: all of it is told as unread."""
    return b"\n".join(inert(line[:MAX_RECORD]) if line.strip() else b"" for line in swallowed)


def _long_row(source: _Lines, delimiter: str) -> list[str]:
    """The row that the library gave up because of a value that is too long for it, by RFC 4180 §2 alone."""
    quotes = sum(line.count(b'"') for line in source.row)
    while quotes % 2 and next(source, None) is not None:
        quotes += source.row[-1].count(b'"')
    text = "\n".join(map(_text, source.row))
    row: list[str] = []
    at = 0
    while len(row) <= _MAX_COLUMNS and (match := _VALUES[delimiter].match(text, at)):
        row.append(match[2] if match[1] is None else match[1].replace('""', '"'))
        at = match.end()
        if match[3] != delimiter:
            return row
    raise _TooLongError
