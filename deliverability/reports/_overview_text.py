"""An overview as plain text, complete: every chart is told by its table."""

import unicodedata
from collections.abc import Iterable, Sequence

from deliverability.compose.catalog import catalog
from deliverability.errors import printable
from deliverability.evidence.document import Facts, Note, Paragraph, Quote, Table
from deliverability.evidence.overview import Chart, Overview, Piece

GAP = "  "
MAX_CELL = 48
_NUMBER = frozenset("0123456789\u202f")


def render_text(page: Overview) -> bytes:
    """The whole overview, UTF-8."""
    colon = catalog(page.lang)("colon").rstrip()
    lines = [_seen(page.title), "=" * _width(page.title)]
    for part in page.parts:
        lines += ["", _seen(part.heading), "-" * _width(part.heading)]
        for piece in part.pieces:
            lines += _piece(piece, colon)
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _piece(piece: Piece, colon: str) -> Iterable[str]:
    match piece:
        case Facts():
            yield from _columns([(f"{name}{colon}", value) for name, value in piece.rows])
            yield ""
        case Table():
            yield from ("", _seen(piece.caption), *_columns([piece.head, *piece.rows]), "")
        case Paragraph():
            yield _seen(piece.text)
        case Note():
            yield f"! {_seen(piece.text)}"
        case Quote():
            yield from (f"{_seen(piece.label)}{colon}", f"    {_seen(piece.text)}")
        case Chart():
            return


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    shown = [tuple(_seen(cell) for cell in row) for row in rows]
    widths = [min(MAX_CELL, max(_width(row[i]) for row in shown)) for i in range(len(shown[0]))]
    return [GAP.join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]


def _padded(cell: str, width: int) -> str:
    blank = " " * max(0, width - _width(cell))
    return blank + cell if cell and set(cell) <= _NUMBER else cell + blank


def _seen(text: str) -> str:
    return printable(text, limit=len(text))


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
