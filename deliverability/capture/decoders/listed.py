"""What PowerShell's ``Format-List`` shows: records of ``Name : value``, each as the JSON object that a table's row would be.

All names of a record are padded to one width, and what goes on below a value is indented beneath it: so a colon at that
place of a line that begins at its first column is PowerShell's own, whatever a subject holds.  Records are told only
where each has the names of the first.  A list that PowerShell cut short (``{a, b...}``) or a value that it broke in two
where no one can tell what stood there is no statement: the record is counted as unread.
"""

import re
from collections.abc import Iterator

from deliverability.capture.decoders.json_rows import as_json
from deliverability.capture.decoders.streams import Stream, lines
from deliverability.protocols.wrapped_line import inert

_FEWEST, _MOST = 5, 200  # names of a record
_MAX_BEFORE = 40  # lines before the first record: the prompt, the command
_MAX_LINES = 1000  # of a record
_MAX_OCTETS = 64 << 10
_FIELD = re.compile(rb"(?P<name>[A-Za-z][A-Za-z0-9_]{1,60}) ++:(?: (?P<value>.*))?\Z", re.DOTALL)
_CUT = ("...}", "…}")
_LISTS = frozenset({"Recipients", "RecipientStatus"})
_MAY_GO_ON = frozenset({"Subject", "MessageSubject", "SourceContext", "EventData", "MessageInfo", "Reference"})
"""Values that may be broken: nothing is decided by what stood at the break."""

Pair = tuple[str, str, int]


def names_of(head: bytes) -> tuple[str, ...] | None:
    """The names of the first record, where it is one about a message."""
    found: list[Pair] = []
    begun = head.replace(b"\r", b"").split(b"\n")
    for number, line in enumerate(begun):
        pair = _pair(line)
        if pair and (not found or pair[2] == found[0][2]):
            found.append(pair)
        elif found and line.startswith(b" ") and line.strip():
            continue  # a value goes on
        elif len(found) >= _FEWEST:
            break
        elif number > _MAX_BEFORE:
            return None
        else:
            found = [pair] if pair else []
    names = tuple(name for name, _, _ in found[:_MOST])
    told = len(names) >= _FEWEST and len(set(names)) == len(names) and "MessageId" in names
    return names if told and any(name in names for name in ("Recipients", "RecipientAddress")) else None


def _pair(line: bytes) -> Pair | None:
    """A name, its value, and where the colon stands, a blank before it."""
    match = _FIELD.match(line[:_MAX_OCTETS])
    if match is None:
        return None
    value = (match["value"] or b"").decode("utf-8", "backslashreplace").strip()
    return match["name"].decode("ascii"), value, line.index(b":")


def record_lines(stream: Stream, names: tuple[str, ...]) -> Iterator[bytes]:
    """Each record as one line where it begins, its other lines empty; what is no record stays."""
    record: list[bytes] = []
    end = b""
    for batch in lines(stream):
        for raw in batch:
            line = raw.removesuffix(b"\r")
            if record and _goes_on(record, line, names):
                record.append(line)
                continue
            if record:
                yield end + _shown(record, names)
                record, end = [], b"\n"
            if (pair := _pair(line)) and pair[0] == names[0]:
                record = [line]
            else:
                yield end + line
                end = b"\n"
    if record:
        yield end + _shown(record, names)


def _goes_on(record: list[bytes], line: bytes, names: tuple[str, ...]) -> bool:
    if not line.strip() or len(record) >= _MAX_LINES:
        return False
    pair = _pair(line)
    return line.startswith(b" ") or (pair is not None and pair[0] != names[0])


def _shown(record: list[bytes], names: tuple[str, ...]) -> bytes:
    """The record as one line, and an empty line for each of its others."""
    told = _told(record, names)
    return (inert(b"\n".join(record)) if told is None else as_json(told)) + b"\n" * (len(record) - 1)


def _told(record: list[bytes], names: tuple[str, ...]) -> dict[str, str] | None:
    pairs: list[Pair] = []
    for line in record:
        pair = _pair(line)
        if pair:
            pairs.append(pair)
        elif pairs and pairs[-1][0] in _MAY_GO_ON:
            name, value, colon = pairs[-1]
            pairs[-1] = name, f"{value} {line.decode('utf-8', 'backslashreplace').strip()}", colon
        else:
            return None
    if tuple(name for name, _, _ in pairs) != names or len({colon for _, _, colon in pairs}) != 1:
        return None
    values = {name: _plain(value) if name in _LISTS else value for name, value, _ in pairs}
    return None if any(values.get(name, "").endswith(_CUT) for name in _LISTS) else values


def _plain(value: str) -> str:
    """The members of a list without its braces; none where only what stands between them is there."""
    if not value.startswith("{") or value.endswith(_CUT) or not value.endswith("}"):
        return value
    return value[1:-1] if value.strip("{}, ") else ""
