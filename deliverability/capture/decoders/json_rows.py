"""JSON that is itself a list of statements, such as WHMCS's e-mail log: each row one line of bounded length.

A row is a flat object: names, and a text, number or nothing for each.  Rows that stand on lines of their own keep their
octets; those of a document (a list, however it is indented, phpMyAdmin's export, the answer of an interface) are put on
one line each.  A row may hold the whole text of a notice: what makes it longer than a line may be is left out.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deliverability.capture.decoders.json_walk import elements
from deliverability.capture.decoders.streams import DamagedError, Stream, gathered, lines
from deliverability.protocols.wrapped_line import inert

MAX_ROW = 60 << 10  # octets: a line of a log is read up to 64 KiB
MAX_LONG_ROW = 4 << 20  # octets that are read of a row, to tell what is in it beside a long text
_FEWEST = 5  # columns of a statement; other programs' objects have fewer, or hold others
_MOST = 200  # as a table has at most
_STRING = rb'"(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+"'
# Nothing within a row can be many things: so a long one takes no more memory than its text.
_FLAT = re.compile(rb"\s*+\{(?:\s*+%s\s*+:\s*+(?:%s|[-+.\w]{1,40}+)\s*+,?){0,%d}+\}\s*+" % (_STRING, _STRING, _MOST))
_REMARKS = frozenset({"header", "database"})  # objects that phpMyAdmin writes before its tables


def begins_long(head: bytes) -> bool:
    """Whether the first record goes on behind ``head``."""
    try:
        return all((_row(text) or {}).get("type") in _REMARKS for text in elements((head,)))
    except DamagedError:
        return False


def are_rows(records: Sequence[Mapping[str, Any]]) -> bool:
    """Whether half of these records or more are statements: one may be all that was found, beside a remark on the search."""
    told = [one for one in records if one.get("type") not in _REMARKS]
    return bool(told) and 2 * sum(_is_row(one) for one in told) >= len(told)


def _is_row(record: Mapping[str, Any]) -> bool:
    return _FEWEST <= len(record) <= _MOST and all(
        v is None or isinstance(v, str | int | float) for v in record.values()
    )


def row_lines(stream: Stream) -> Iterator[bytes]:
    """One line out for each line in: a row as it is, unless it is longer than a line may be."""
    first = True
    for batch in lines(stream, MAX_LONG_ROW):
        if not first:
            yield b"\n"
        first = False
        yield b"\n".join([text if len(text) <= MAX_ROW else _line(text) for text in batch])


def row_documents(stream: Stream) -> Iterator[bytes]:
    """The rows of a document in their order, a line each; raises :class:`DamagedError` where it breaks off."""
    for text in elements(gathered(stream), whole=True, most=MAX_LONG_ROW):
        yield _line(text) + b"\n"


def _line(text: bytes) -> bytes:
    """The row as one line; what is none becomes a line that is counted as unread."""
    row = _row(text)
    if row is None:
        return inert(text[: MAX_ROW // 8])
    return b"" if row.get("type") in _REMARKS and not _is_row(row) else as_json(row)


def _row(text: bytes) -> dict[str, Any] | None:
    if len(text) > MAX_ROW and (len(text) > MAX_LONG_ROW or not _FLAT.fullmatch(text)):
        return None
    try:
        row = json.loads(text.decode("utf-8", "replace"), object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def as_json(row: Mapping[str, Any]) -> bytes:
    """A record that is itself the statement, as one line: names in the order of the source.

    A row that would be longer than a line may be is told without its longest values, such as the text of a notice.
    """
    made = _dumped(row)
    if len(made) <= MAX_ROW:
        return made
    kept = dict(row)
    long = {name: len(value) for name, value in row.items() if isinstance(value, str)}
    for name in sorted(long, key=lambda name: -long[name]):
        kept[name] = f"({long[name]} characters left out)"  # whole: of a list of addresses no part may pass for all
        made = _dumped(kept)
        if len(made) <= MAX_ROW:
            break
    return made


def _dumped(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
