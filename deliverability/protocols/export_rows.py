r"""Rows of exports: one JSON object a line, ``{"column": "text", …}``, as the sources unwrap CSV and SQLite (ADR 7).

A row is a flat table of names and values.  Whatever a value imitates (quotes, braces, whole rows), JSON has escaped
it; a line that names a column twice, holds a list or an object, or is cut short is no row at all.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from deliverability.evidence.event import LogTime

MAX_LINE = 1 << 20
"""Octets of a line that are read at all."""
MAX_COLUMNS = 200
MAX_TEXT = 4_096
"""Characters of a value that are kept."""
MAX_RECIPIENTS = 5_000

_NOT_NAME = re.compile(r"[\W_]+")
_MAILBOX = r'(?:"(?:[^"\\]|\\.){0,200}+"|[^\s"<>@;,]{1,320}+)@[^\s"<>@;,]{1,320}+'
_ADDRESS = re.compile(_MAILBOX)
_ANGLE = re.compile(rf"<({_MAILBOX})>\Z")

Value = str | int | float | None


class _NotARowError(ValueError):
    """Valid JSON, perhaps, but no row."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: values by column, in whatever case and with whatever separators the export spells the names."""

    columns: tuple[str, ...]
    """As spelled, in file order."""
    values: dict[str, Value]
    """By :func:`column_key`."""

    def has(self, *names: str) -> bool:
        """Whether the export has all of these columns, filled or not."""
        return all(column_key(name) in self.values for name in names)

    def whole(self, *names: str) -> str:
        """The first of these columns that is filled, trimmed, as text; empty when none is."""
        for name in names:
            value = self.values.get(column_key(name))
            shown = "" if value is None else str(value).strip()
            if shown:
                return shown
        return ""

    def text(self, *names: str) -> str:
        """The same for a person: at most :data:`MAX_TEXT` characters."""
        return self.whole(*names)[:MAX_TEXT]

    def number(self, *names: str) -> int | None:
        """The first filled of these columns as a whole number, not negative."""
        shown = self.whole(*names)
        return int(shown) if shown.isascii() and shown.isdecimal() and len(shown) <= 18 else None

    def time(self, *names: str, offset: timedelta | None = None) -> LogTime | None:
        """The first filled of these columns as a time; ``offset`` is what the column's documentation states."""
        from deliverability.protocols.export_times import parse_export_time

        return parse_export_time(self.whole(*names), offset)


def column_key(name: str) -> str:
    """A column's name without what exports vary: case, blanks, hyphens, underscores, a byte order mark."""
    return _NOT_NAME.sub("", name.lower()[:MAX_TEXT])


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) or len(pairs) > MAX_COLUMNS:
        raise _NotARowError
    return found


def _constant(_word: str) -> Any:
    raise _NotARowError  # NaN and Infinity are not JSON


def parse_row(raw: bytes) -> Row | None:
    """Read a line; ``None`` unless it is one flat JSON object whose columns differ.  Never raises."""
    if len(raw) > MAX_LINE or not raw.startswith(b"{"):
        return None
    try:
        found = json.loads(raw.decode("utf-8", "replace"), object_pairs_hook=_pairs, parse_constant=_constant)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(v is None or isinstance(v, str | int | float) for v in found.values()):
        return None
    keyed = {column_key(name): _printable(value) for name, value in found.items() if name != "_table"}
    if len(keyed) != len(found) - ("_table" in found):
        return None  # two columns that differ in spelling alone: nobody knows which is meant
    if "_table" in found:
        keyed["_table"] = _printable(found["_table"])
    return Row(tuple(found), keyed)


def table_of(row: Row) -> str:
    """The SQLite table that a row comes from; empty for other exports."""
    value = row.values.get("_table")
    return value if isinstance(value, str) else ""


def _printable(value: Value) -> Value:
    """Text without lone surrogates, which JSON can spell and no encoding can write."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def sniffer(fits: Callable[[Row], bool]) -> Callable[[bytes], float]:
    """Share of a sample's complete lines whose set of columns fits a format."""

    def sniff(sample: bytes) -> float:
        if b"{" not in sample:
            return 0.0  # no row stands there: it need not be taken apart
        lines = sample.split(b"\n")
        complete = [line for line in (lines[:-1] or lines) if line.strip()]
        return sum(_is(line, fits) for line in complete) / len(complete) if complete else 0.0

    return sniff


def recogniser(fits: Callable[[Row], bool]) -> Callable[[bytes], bool]:
    """Whether a line is a row of a format."""
    return lambda raw: _is(raw, fits)


def _is(raw: bytes, fits: Callable[[Row], bool]) -> bool:
    row = parse_row(raw.strip(b" \t\r\n"))
    return row is not None and fits(row)


def head_of(*beginnings: tuple[str, ...]) -> bytes:
    """A regular expression for the start of a line whose first columns are one of ``beginnings``, in that order."""
    value = rb'(?:"(?:[^"\\\n]|\\[^\n])*+"|null|[-+.0-9eE]{1,40})'
    forms = []
    for names in beginnings:
        spelled = [rb'"(?:\xef\xbb\xbf|\\ufeff)?%s"[ ]?:' % re.escape(name.encode()) for name in names]
        forms.append((rb"[ ]?" + value + rb"[ ]?,[ ]?").join(spelled))
    return rb"\{[ ]?(?:%s)" % b"|".join(forms)


def addresses(text: str, separators: str = ";") -> tuple[str, ...]:
    """The addresses of a list; empty when any of it is not an address, for then nobody knows where one ends.

    Quoted local parts may hold separators.
    """
    found: list[str] = []
    place = 0
    while place < len(text):
        if text[place] in separators or text[place].isspace():
            place += 1
            continue
        match = _ADDRESS.match(text, place)
        if match is None or len(found) >= MAX_RECIPIENTS or (text[match.end() :][:1] or ";") not in separators + " ":
            return ()
        found.append(match[0])
        place = match.end()
    return tuple(dict.fromkeys(found))


def address(text: str) -> str | None:
    """One address, bare, in angle brackets or behind a display name; ``None`` for anything else."""
    shown = text.strip()
    match = _ADDRESS.fullmatch(shown)
    if match:
        return match[0]
    angle = _ANGLE.search(shown)
    return angle[1] if angle else None


def message_id(text: str) -> str | None:
    """A Message-ID without its angle brackets."""
    bare = text.strip().removeprefix("<").removesuffix(">")
    return bare or None


def rows(lines: Iterable[bytes]) -> Iterator[Row]:
    """The lines that are rows."""
    for raw in lines:
        row = parse_row(raw.strip(b" \t\r\n"))
        if row is not None:
            yield row


def needles(text: str) -> tuple[bytes, ...]:
    """An address as a JSON string may hold it: as typed or folded, domain in A-labels or UTF-8, escaped or not."""
    import unicodedata

    from deliverability.errors import ParseError
    from deliverability.evidence.names import Mailbox

    try:
        mailbox = Mailbox.parse(text)
    except ParseError:
        spelled = {text.strip().strip("<>")}
    else:
        quoted = '"' + mailbox.local_part.replace("\\", "\\\\").replace('"', '\\"') + '"'
        domains = {mailbox.domain.name, mailbox.domain.unicode}
        spelled = {f"{local}@{domain}" for local in (mailbox.local_part, quoted) for domain in domains}
    cased = {form for s in spelled for form in (s, s.lower(), s.upper(), *_as_typed(text))}
    normal = {unicodedata.normalize(form, s) for s in cased for form in ("NFC", "NFD")}
    forms = {escaped for s in normal if s for escaped in _escaped(s)}
    return tuple(sorted({form.encode("utf-8", "replace").lower() for form in forms}))


def _as_typed(text: str) -> tuple[str, ...]:
    bare = text.strip().strip("<>")
    return (bare,) if bare else ()


def _escaped(text: str) -> tuple[str, ...]:
    clean = text.encode("utf-8", "replace").decode()
    plain, ascii_only = (json.dumps(clean, ensure_ascii=choice)[1:-1] for choice in (False, True))
    return (plain, ascii_only, plain.replace("/", "\\/"), ascii_only.replace("/", "\\/"))
