"""Whether what an archive says of its logs and segments has the shape in which it was written; else it is damaged.

Whoever can write the archive file can write anything into it: nothing of it is used before it was held against this.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from deliverability.errors import CannotLookError
from deliverability.ledger.archive import MAX_SEGMENT, Segment, Source

MAX_STEP = 1e10  # seconds by which a clock was set back; more is no time any more
MAX_PLACE = 1 << 62

_ALWAYS = ("formats", "lines", "blank", "unread", "unread_at", "lost", "overlong", "binary", "cut", "edges")
"""What every version of this program noted of a segment."""

Shape = Callable[[object], bool]


def of_segment(segment: Segment) -> dict[str, Any]:
    """What its scan found in a segment; raises :class:`CannotLookError` where that is something else."""
    return _loaded(segment.facts, _in_segment(segment.size), required=_ALWAYS)


def of_source(source: Source) -> dict[str, Any]:
    """What is known of a log as a whole; raises :class:`CannotLookError` where that is something else."""
    return _loaded(source.facts, _IN_SOURCE)


def _loaded(text: str, shapes: dict[str, Shape], required: Iterable[str] = ()) -> dict[str, Any]:
    try:
        found = json.loads(text)
        right = (
            isinstance(found, dict)
            and all(key in found for key in required)
            and all(shape(found[key]) for key, shape in shapes.items() if key in found)
        )
    except (ValueError, RecursionError):
        right = False
    if not right:
        raise CannotLookError("the archive is damaged: what is known of a log cannot be read")
    return dict(found)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_yes_or_no(value: object) -> bool:
    return isinstance(value, bool)


def _is_octets(value: object) -> bool:
    """Each character is one octet."""
    return isinstance(value, str) and (value.isascii() or max(value) <= "\xff")


def _is_step(value: object) -> bool:
    return isinstance(value, int | float) and -MAX_STEP < value < MAX_STEP  # which nothing is that is no number


def _up_to(most: int) -> Shape:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _or_none(shape: Shape) -> Shape:
    return lambda value: value is None or shape(value)


def _each(shape: Shape) -> Shape:
    return lambda value: isinstance(value, list) and all(map(shape, value))


def _row(*shapes: Shape) -> Shape:
    return lambda value: (
        isinstance(value, list)
        and len(value) == len(shapes)
        and all(shape(one) for shape, one in zip(shapes, value, strict=True))
    )


def _in_segment(size: int) -> dict[str, Shape]:
    """Nothing in a segment lies beyond its end, and it has no more lines than octets."""
    at = _up_to(size)
    line = _row(at, at, _is_octets, _is_yes_or_no)
    return {
        "formats": _each(_is_text),
        "lines": at,
        "blank": _is_yes_or_no,
        "unread": at,
        "unread_at": _each(_row(at, at)),
        "lost": _each(line),
        "overlong": _each(line),
        "binary": _or_none(line),
        "cut": _or_none(line),
        "steps": _each(_row(at, at, _is_octets, _is_step)),
        "edges": _each(_row(at, at, _is_octets, _is_octets)),
    }


_SAMPLE = _each(_row(_up_to(MAX_PLACE), _up_to(MAX_PLACE), _is_octets, _is_yes_or_no))
_IN_SOURCE: dict[str, Shape] = {
    "first": _SAMPLE,
    "last": _SAMPLE,
    "look": _is_text,
    "missing": _is_text,
    "changed": _is_text,
    "damaged": _is_text,
    "waiting": _up_to(MAX_SEGMENT),
}
