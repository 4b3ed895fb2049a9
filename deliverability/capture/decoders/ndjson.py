"""JSON that holds syslog messages: a line a record (NDJSON, RFC 7464 text sequences) or one document of many records.

Loki, Elastic, Graylog, Splunk, CloudWatch, Vector, Fluent Bit, Filebeat, rsyslog and ``journalctl -o json`` write one
of these; :mod:`deliverability.protocols.wrapped` says which field is what.  JSON that wraps no syslog message (such as
KumoMTA's own log) is passed on as it is.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from deliverability.capture.decoders.streams import MAX_RECORD, PIECE, DamagedError, Stream, lines
from deliverability.protocols.wrapped import Layout, flat, layout_of, parsed
from deliverability.protocols.wrapped_line import inert

_SAMPLED = 50  # records that tell what the fields are
MAX_ROW = 60 << 10  # octets: a line of a log is read up to 64 KiB
_MAX_DEPTH = 50
_MARKS = (b"\x1e", b"data: ")  # RFC 7464 §2.2; journalctl -o json-sse
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?P<end>")?|[{}\[\]]', re.DOTALL)
_GAP = re.compile(rb"[\s,:]*+(?:(?:true|false|null|[-+.0-9eE]+)[\s,:]*+)*+")
_KEY = re.compile(rb'"(\w{1,40})"\s*:\s*\Z')
_LISTS = frozenset({b"hits", b"events", b"messages", b"results", b"logs", b"entries", b"data", b"records", b"rows"})
"""Members of a document in which the records stand: Elastic's ``hits.hits``, CloudWatch's ``events``, …"""


def sample_of(head: bytes) -> tuple[Layout | None, bool]:
    """How the records are read by the first of them, ``None`` where they wrap nothing; and whether it is a document.

    ``head`` may end within a record.
    """
    if not head.lstrip(b" \t\r\n\x1e").startswith((b"{", b"[{", b"[", b"data: {")):
        return None, False
    *texts, last = (text for text in head.split(b"\n")[: 2 * _SAMPLED] if text.strip())
    by_line = [value for text in (*texts, last) if (value := _record(text)) is not None]
    # One line that looks like a record may be a stranger's words, in a log whose beginning was cut off.
    if by_line and 2 * len(by_line) >= len(texts) and not head.lstrip().startswith(b"["):
        return layout_of(by_line[:_SAMPLED]), False
    if texts and _record(texts[0]) is not None:
        return None, False
    try:
        document = [value for text in _elements((head,)) if isinstance(value := parsed(text), dict)]
    except DamagedError:
        return None, False
    return (layout_of(document[:_SAMPLED]) if document else None), True


def _record(line: bytes) -> dict[str, Any] | None:
    line = line.strip(b" \t\r\0")
    for mark in _MARKS:
        line = line.removeprefix(mark)
    value = parsed(line) if line.startswith(b"{") else None
    return value if isinstance(value, dict) else None


def record_lines(stream: Stream, layout: Layout) -> Iterator[bytes]:
    """One line out for each line in; what is no record is passed on so that it is counted as unread."""
    first = True
    for batch in lines(stream):
        if not first:
            yield b"\n"
        first = False
        yield b"\n".join([_line(text, layout) for text in batch])


def _line(text: bytes, layout: Layout) -> bytes:
    if not text.strip(b"\x1e \t\r"):
        return b""
    value = _record(text)
    if value is None:
        return inert(text[:MAX_RECORD])
    return layout.line(flat(value))


def document_lines(stream: Stream, layout: Layout) -> Iterator[bytes]:
    """The records of a document in their order, a line each; raises :class:`DamagedError` where it breaks off."""
    for text in _elements(iter(lambda: stream.read1(PIECE), b""), whole=True):
        value = parsed(text)
        yield (layout.line(flat(value)) if isinstance(value, dict) else inert(text)) + b"\n"


def _elements(pieces: Iterable[bytes], *, whole: bool = False) -> Iterator[bytes]:
    """The text of each record: an object that stands alone, or in the outermost list of objects.

    With ``whole``, a text that ends within a record raises :class:`DamagedError`.
    """
    walk = _Walk()
    for piece in pieces:
        yield from walk.feed(piece)
    if whole:
        walk.finish()


class _Walk:
    """Follows brackets and strings; knows nothing else of JSON, so that it is quick and never deep."""

    def __init__(self) -> None:
        self._text = b""
        self._at = 0  # up to where the text was looked at
        self._start: int | None = None  # where the present record begins
        self._open: list[bool] = []  # of each open bracket around records: whether it is a list
        self._inside = 0  # open brackets within the record

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """More text; yields the records that end in it."""
        self._text += piece
        while match := _TOKEN.search(self._text, self._at):
            self._between(match.start())
            mark = self._text[match.start()]
            if mark == 0x22:
                if match["end"] is None:
                    self._at = match.start()
                    break
            elif (record := self._bracket(chr(mark), match.start())) is not None:
                yield record
            self._at = match.end()
        else:
            # Outside of records a word may be cut here: it is looked at when the rest has come.
            self._at = len(self._text) if self._start is not None else self._at
        self._forget()

    def finish(self) -> None:
        """No more text comes; raises :class:`DamagedError` when it should."""
        if self._open or self._start is not None:
            raise DamagedError("the JSON text breaks off within a record")
        self._between(len(self._text))

    def _between(self, end: int) -> None:
        """Between records stands nothing but JSON: a log may hold brackets too, and a stranger's objects in them."""
        if self._start is None and not _GAP.fullmatch(self._text, self._at, end):
            raise DamagedError("something that is no JSON stands between the records")

    def _forget(self) -> None:
        keep = self._at if self._start is None else self._start
        # The name before a list may still be needed.
        keep = max(min(keep, self._at) - 64, 0) if self._start is None else keep
        self._text, self._at = self._text[keep:], self._at - keep
        if self._start is not None:
            self._start -= keep
        if len(self._text) > 2 * MAX_RECORD:
            raise DamagedError(f"a record longer than {MAX_RECORD >> 20} MiB")

    def _bracket(self, mark: str, at: int) -> bytes | None:
        if self._start is None:
            if mark == "{":
                self._start, self._inside = at, 1
            elif mark == "[":
                self._list(0)
            elif self._open:
                self._open.pop()
            return None
        if mark in "{[":
            if mark == "[" and self._holds_records(at):
                self._list(self._inside)
                self._start, self._inside = None, 0
            else:
                self._inside += 1
            return None
        self._inside -= 1
        if self._inside:
            return None
        start, self._start = self._start, None
        return self._text[start : at + 1]

    def _list(self, within: int) -> None:
        self._open += [False] * within + [True]
        if len(self._open) > _MAX_DEPTH:
            raise DamagedError("lists within lists, far too deep")

    def _holds_records(self, at: int) -> bool:
        """Whether the list that begins here is where a document that is no record itself keeps its records."""
        if any(self._open):
            return False  # the record is an element of a list already
        key = _KEY.search(self._text, max(at - 64, 0), at)
        if key is None or key[1] not in _LISTS:
            return False
        return parsed(self._text[self._start : at] + b"[]" + b"}" * self._inside) is not None


def as_json(row: dict[str, str]) -> bytes:
    """A record that is itself the statement, as one line: all values text, names in the order of the source.

    A row that would be longer than a line may be is told without its longest values, such as the text of a notice.
    """
    made = _dumped(row)
    if len(made) <= MAX_ROW:
        return made
    kept = dict(row)
    for name in sorted(row, key=lambda name: -len(row[name])):
        kept[name] = f"({len(row[name])} characters left out)"  # whole: of a list of addresses no part may pass for all
        made = _dumped(kept)
        if len(made) <= MAX_ROW:
            break
    return made


def _dumped(row: dict[str, str]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
