"""A summary before it has a form: sections of plain text, tables and charts, in reading order.

As in :mod:`deliverability.evidence.document` every string is plain text that may hold a stranger's words.
"""

from dataclasses import dataclass

from deliverability.evidence.document import Facts, Note, Paragraph, Quote, Table
from deliverability.evidence.summary import Summary


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers of one kind."""

    label: str
    kind: str
    """A fate, or ``all``: it chooses the colour and the pattern."""
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars.  The table that follows it in the same section says the same numbers."""

    id: str
    label: str
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    upright: bool = False
    """Columns over a time axis rather than lines under each other."""


Piece = Facts | Note | Paragraph | Quote | Table | Chart


@dataclass(frozen=True, slots=True)
class Part:
    """A heading and what stands under it."""

    id: str
    heading: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A whole summary in one language."""

    lang: str
    title: str
    parts: tuple[Part, ...]
    summary: Summary
