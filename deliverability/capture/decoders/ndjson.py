"""JSON that holds syslog messages: a line a record (NDJSON, RFC 7464 text sequences) or one document of many records.

Loki, Elastic, Graylog, Splunk, CloudWatch, Vector, Fluent Bit, Filebeat, rsyslog and ``journalctl -o json`` write one
of these; :mod:`deliverability.protocols.wrapped` says which field is what.  JSON that wraps no syslog message (such as
KumoMTA's own log) is passed on as it is.
"""

from collections.abc import Iterator
from typing import Any

from deliverability.capture.decoders.json_walk import elements
from deliverability.capture.decoders.streams import MAX_RECORD, DamagedError, Stream, gathered, lines
from deliverability.protocols.wrapped import Layout, flat, parsed
from deliverability.protocols.wrapped_line import inert

_SAMPLED = 50  # records that tell what the fields are
_MARKS = (b"\x1e", b"data: ")  # RFC 7464 §2.2; journalctl -o json-sse


def sample_of(head: bytes) -> tuple[list[dict[str, Any]], bool]:
    """The first records, none where it is no JSON; and whether it is a document.

    ``head`` may end within a record.
    """
    if not head.lstrip(b" \t\r\n\x1e").startswith((b"{", b"[{", b"[", b"data: {")):
        return [], False
    *texts, last = (text for text in head.split(b"\n")[: 2 * _SAMPLED] if text.strip())
    by_line = [value for text in (*texts, last) if (value := record_of(text)) is not None]
    # One line that looks like a record may be a stranger's words, in a log whose beginning was cut off.
    if by_line and 2 * len(by_line) >= len(texts) and not head.lstrip().startswith(b"["):
        inside = _document(head) if not texts else by_line
        return (inside, True) if inside and inside != by_line else (by_line[:_SAMPLED], False)
    if texts and record_of(texts[0]) is not None:
        return [], False
    found = _document(head)
    return found or [], found is not None


def _document(head: bytes) -> list[dict[str, Any]] | None:
    """The first records of a document; ``None`` for what is no JSON."""
    try:
        return [value for text in elements((head,)) if isinstance(value := parsed(text), dict)][:_SAMPLED]
    except DamagedError:
        return None


def record_of(line: bytes) -> dict[str, Any] | None:
    """The record that stands on this line; ``None`` where none does."""
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
    value = record_of(text)
    if value is None:
        return inert(text[:MAX_RECORD])
    return layout.line(flat(value))


def document_lines(stream: Stream, layout: Layout) -> Iterator[bytes]:
    """The records of a document in their order, a line each; raises :class:`DamagedError` where it breaks off."""
    for text in elements(gathered(stream), whole=True):
        value = parsed(text)
        yield (layout.line(flat(value)) if isinstance(value, dict) else inert(text)) + b"\n"
