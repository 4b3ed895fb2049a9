"""systemd's journal as ``journalctl -o verbose`` shows it: entries to syslog lines.

An entry is a line with its time and its cursor (systemd.journal-fields(7), ``__CURSOR``), whose part ``t=`` is the time in
microseconds since 1970, hexadecimal; then a line ``NAME=value`` for each field behind four blanks.  What goes on a value is
indented further, so no value can pass for a field or for an entry.  One line comes out where an entry begins, and an empty
one for each of its others, so line numbers are those of the file.
"""

import re
from collections.abc import Iterator

from deliverability.capture.decoders.streams import Stream, lines
from deliverability.protocols.wrapped import HOSTS, PIDS, PROGRAMS
from deliverability.protocols.wrapped_line import compose, inert, of_microseconds

_MAX_LINES = 1000  # of an entry
_MAX_VALUE = 64 << 10
_MAX_TEXT = 300
_BEGINS = re.compile(
    rb"[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? [!-~]{1,12} "
    rb"\[s=[0-9a-f]{1,32};i=[0-9a-f]{1,16};b=[0-9a-f]{32};m=[0-9a-f]{1,16};t=([0-9a-f]{1,16});x=[0-9a-f]{1,16}\]\r?\Z"
)
_FIELD = re.compile(rb"    ([A-Z_][A-Z0-9_]{0,63})=(.*)", re.DOTALL)
_NO_TEXT = re.compile(rb"\[[0-9.]{1,8}[KMGTPE]?B? blob data\]\Z")

Fields = dict[str, bytes]


def is_verbose(head: bytes) -> bool:
    """Whether it begins with an entry and its first field."""
    first, _, following = head.partition(b"\n")
    return _BEGINS.match(first) is not None and _FIELD.match(following.split(b"\n", 1)[0]) is not None


def entry_lines(stream: Stream) -> Iterator[bytes]:
    """Each entry as a syslog line; what is none stays as it is."""
    entry: list[bytes] = []
    end = b""
    for batch in lines(stream):
        for line in batch:
            if entry and line.startswith(b"    ") and len(entry) < _MAX_LINES:
                entry.append(line)
                continue
            if entry:
                yield end + _shown(entry)
                entry, end = [], b"\n"
            if _BEGINS.match(line):
                entry = [line]
            else:
                yield end + line
                end = b"\n"
    if entry:
        yield end + _shown(entry)


def _shown(entry: list[bytes]) -> bytes:
    begins = _BEGINS.match(entry[0])
    at = of_microseconds(int(begins[1], 16)) if begins else None
    fields: Fields = {}
    for line in entry[1:]:
        if field := _FIELD.match(line[:_MAX_VALUE].removesuffix(b"\r")):
            fields.setdefault(field[1].decode("ascii"), field[2])
    words, program = _words(entry, fields.get("MESSAGE")), _text(fields, PROGRAMS)
    made = inert(entry[0])
    if at is not None and words is not None and program:
        made = compose(at, _text(fields, HOSTS), program, _text(fields, PIDS), words)
    return made + b"\n" * (len(entry) - 1)


def _words(entry: list[bytes], message: bytes | None) -> bytes | None:
    """The words of an entry, whose lines stand beneath each other; ``None`` where they were not shown."""
    if message is None or _NO_TEXT.match(message):
        return None
    found: list[bytes] | None = None
    indent = b" " * len("    MESSAGE=")
    for line in entry[1:]:
        if found is None:
            found = [message] if line.startswith(b"    MESSAGE=") else None
        elif line.startswith(indent):
            found.append(line.removeprefix(indent))
        else:
            break
    return b"\n".join(found or [message])[:_MAX_VALUE]


def _text(fields: Fields, names: tuple[str, ...]) -> str:
    for name in names:
        if found := fields.get(name):
            return found[:_MAX_TEXT].decode("utf-8", "replace")
    return ""
