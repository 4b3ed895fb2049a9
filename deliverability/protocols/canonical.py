"""Canonical JSON of our own records: one value, one spelling, so that octets can be hashed and compared.

UTF-8, members sorted by code point, no blanks, no numbers but integers below 2^53 (RFC 8259 §6), no member twice,
bounded depth.  ``to_bytes(parse(x)) == x``, or ``x`` is refused (DESIGN §4.9).
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn, TypeAlias

from deliverability.errors import ParseError

MAX_OCTETS = 16 << 20
MAX_DEPTH = 32
MAX_MARKS = 1_000_000
"""Commas and opening brackets outside of strings, so that there are no more values; the largest bundle has 700,000."""
MAX_INTEGER = (1 << 53) - 1

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))

_UNMARKED = bytes(set(range(256)) - set(b'"[]{},'))
_STRING = re.compile(rb'"[^"]*"?')

Json: TypeAlias = Any
"""``dict`` with ``str`` keys, ``list``, ``str``, ``int``, ``bool``, ``None``."""

Shape: TypeAlias = Mapping[str, type | tuple[type, ...]]
"""The members of an object, each with its type or types."""


def to_bytes(value: Json) -> bytes:
    """The one spelling of a value; raises :class:`ParseError` for a value that has none."""
    _check(value, 0)
    try:
        return _ENCODER.encode(value).encode()
    except (UnicodeEncodeError, TypeError, ValueError) as problem:
        raise ParseError(f"no canonical JSON: {type(problem).__name__}") from None


def parse(content: bytes, *, limit: int = MAX_OCTETS) -> Json:
    """Read canonical JSON; raises :class:`ParseError` for anything else, well-formed JSON in another spelling included."""
    if len(content) > limit:
        raise ParseError(f"longer than {limit} octets")
    _bound(content)
    try:
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=_members, parse_float=_refuse, parse_constant=_refuse
        )
    except ParseError:
        raise
    except (ValueError, RecursionError) as problem:
        raise ParseError(f"not JSON: {type(problem).__name__}") from None
    if to_bytes(value) != content:
        raise ParseError("not in canonical form: members sorted, no blanks, no needless escapes")
    return value


def members(value: Json, required: Shape, what: str) -> dict[str, Any]:
    """An object with exactly these members of these types, or :class:`ParseError`."""
    if not isinstance(value, dict):
        raise ParseError(f"{what} is not an object")
    unknown = sorted(set(value) - set(required))
    missing = sorted(set(required) - set(value))
    if unknown or missing:
        odd = [f"unknown member {n[:60]!r}" for n in unknown[:3]] + [f"no member {n!r}" for n in missing[:3]]
        raise ParseError(f"{what}: {', '.join(odd)}")
    for name, kind in required.items():
        kinds = kind if isinstance(kind, tuple) else (kind,)
        # bool is an int to Python, and none to JSON.
        if not isinstance(value[name], kinds) or (isinstance(value[name], bool) and bool not in kinds):
            raise ParseError(f"{what}: member {name!r} is of the wrong type")
    return value


def _bound(content: bytes) -> None:
    """Refuse deep nesting before the parser recurses, and more values than any of ours has before it makes them."""
    if content.count(b"[") + content.count(b"{") <= MAX_DEPTH and len(content) <= MAX_MARKS:
        return
    # Without what is escaped, a quotation mark begins a string or ends one.
    marks = content.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _UNMARKED)
    if marks.count(b'"') <= 4 * MAX_MARKS:  # a name and a value for each
        marks = _STRING.sub(b"", marks)
    if marks.count(b",") + marks.count(b"[") + marks.count(b"{") > MAX_MARKS or len(marks) > 2 * MAX_MARKS:
        raise ParseError(f"more than {MAX_MARKS} commas and brackets")
    depth = 0
    for mark in marks.translate(None, b","):
        depth += 1 if mark in b"[{" else -1
        if depth > MAX_DEPTH:
            raise ParseError(f"nested deeper than {MAX_DEPTH}")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ParseError("a member stands twice in one object")
    return found


def _refuse(text: str) -> NoReturn:
    raise ParseError(f"{text[:20]} is no integer")


def _check(value: Json, depth: int) -> None:
    if type(value) is not str and value is not None:  # which most are
        _check_other(value, depth)


def _check_other(value: Json, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ParseError(f"nested deeper than {MAX_DEPTH}")
    match value:
        case None | bool() | str():
            return
        case int():
            if abs(value) > MAX_INTEGER:
                raise ParseError("an integer beyond 2^53")
        case list():
            for item in value:
                _check(item, depth + 1)
        case dict():
            for name, item in value.items():
                if not isinstance(name, str):
                    raise ParseError("a member's name is no text")
                _check(item, depth + 1)
        case _:
            raise ParseError(f"{type(value).__name__} has no canonical form")
