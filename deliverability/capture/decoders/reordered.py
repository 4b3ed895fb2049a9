"""KumoMTA's records as other programs hand them on: with sorted names, indented, as a list, or within another record.

As KumoMTA itself writes them they are left as they are; see :mod:`deliverability.protocols.kumomta_records`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deliverability.capture.decoders.json_walk import elements
from deliverability.capture.decoders.ndjson import record_of
from deliverability.capture.decoders.streams import Stream, gathered, lines
from deliverability.protocols.kumomta_records import as_written, taken_out
from deliverability.protocols.wrapped import parsed
from deliverability.protocols.wrapped_line import inert


def are_records(records: Sequence[Mapping[str, Any]], *, document: bool) -> bool:
    """Whether most of these are such records, and not as KumoMTA writes them."""
    found = [(one, record) for one in records if (record := taken_out(one)) is not None]
    as_they_are = all(record is one and list(one)[:2] == ["type", "id"] for one, record in found)
    return 2 * len(found) > len(records) and (document or not as_they_are)


def record_lines(stream: Stream) -> Iterator[bytes]:
    """One line out for each line in."""
    first = True
    for batch in lines(stream):
        if not first:
            yield b"\n"
        first = False
        yield b"\n".join([_line(text, record_of(text)) if text.strip() else b"" for text in batch])


def record_documents(stream: Stream) -> Iterator[bytes]:
    """The records of a document in their order, a line each."""
    for text in elements(gathered(stream), whole=True):
        yield _line(text, parsed(text)) + b"\n"


def _line(text: bytes, value: Any) -> bytes:
    record = taken_out(value) if isinstance(value, dict) else None
    if record is None:
        return inert(text)
    try:
        return as_written(record)
    except RecursionError:
        return inert(text)
