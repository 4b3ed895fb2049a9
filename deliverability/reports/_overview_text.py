"""An overview as plain text, complete: every chart is told by its table."""

from collections.abc import Iterable, Sequence

from deliverability.compose.catalog import catalog
from deliverability.evidence.document import Facts, Note, Paragraph, Quote, Table
from deliverability.evidence.overview import Chart, Overview, Piece
from deliverability.protocols.columns import visible, width, wrap

GAP = "  "
MAX_CELL = 48
_NUMBER = frozenset("0123456789\u202f")


def render_text(page: Overview) -> bytes:
    """The whole overview, UTF-8."""
    colon = catalog(page.lang)("colon").rstrip()
    lines = [visible(page.title), "=" * width(page.title)]
    for part in page.parts:
        lines += ["", visible(part.heading), "-" * width(part.heading)]
        for piece in part.pieces:
            lines += _piece(piece, colon)
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _piece(piece: Piece, colon: str) -> Iterable[str]:
    match piece:
        case Facts():
            yield from _facts([(f"{name}{colon}", value) for name, value in piece.rows])
            yield ""
        case Table():
            yield from ("", visible(piece.caption), *_columns([piece.head, *piece.rows]), "")
        case Paragraph():
            yield from wrap(piece.text)
        case Note():
            yield from wrap(piece.text, "! ", "  ")
        case Quote():
            yield from (*wrap(f"{piece.label}{colon}"), f"    {visible(piece.text)}")
        case Chart():
            return


def _facts(rows: Sequence[tuple[str, str]]) -> Iterable[str]:
    """Names in one column; what does not fit beside the longest goes below it."""
    names = max((width(name) for name, _ in rows), default=0)
    for name, value in rows:
        yield from wrap(value, f"{name}{' ' * (names - width(name))}{GAP}", " " * (names + len(GAP)))


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    shown = [tuple(visible(cell) for cell in row) for row in rows]
    widths = [min(MAX_CELL, max(width(row[i]) for row in shown)) for i in range(len(shown[0]))]
    return [GAP.join(_padded(cell, most) for cell, most in zip(row, widths, strict=True)).rstrip() for row in shown]


def _padded(cell: str, most: int) -> str:
    blank = " " * max(0, most - width(cell))
    return blank + cell if cell and set(cell) <= _NUMBER else cell + blank
