"""An overview as plain text, complete: every chart is told by its table."""

from collections.abc import Iterable, Sequence

from deliverability.compose.catalog import catalog
from deliverability.evidence.document import Facts, Note, Paragraph, Quote, Table
from deliverability.evidence.overview import Chart, Overview, Piece
from deliverability.protocols.columns import WIDTH, visible, width, wrap

GAP = "  "
MAX_CELL = 48
MIN_CELL = 16  # columns below which no text is squeezed
_NUMBER = frozenset("0123456789\u202f")

Rows = Sequence[tuple[str, ...]]


def render_text(page: Overview, screen: int | None = None) -> bytes:
    """The whole overview, UTF-8.

    ``screen`` is the terminal's width in columns; without one (a file, a pipe) a row of a table is one line.
    """
    colon = catalog(page.lang)("colon").rstrip()
    lines = [visible(page.title), "=" * width(page.title)]
    for part in page.parts:
        lines += ["", visible(part.heading), "-" * width(part.heading)]
        for piece in part.pieces:
            lines += _piece(piece, colon, screen)
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _piece(piece: Piece, colon: str, screen: int | None) -> Iterable[str]:
    most = min(WIDTH, screen or WIDTH)
    match piece:
        case Facts():
            yield from _facts([(f"{name}{colon}", value) for name, value in piece.rows], most)
            yield ""
        case Table():
            yield from ("", visible(piece.caption), *_table([piece.head, *piece.rows], screen), "")
        case Paragraph():
            yield from wrap(piece.text, columns=most)
        case Note():
            yield from wrap(piece.text, "! ", "  ", columns=most)
        case Quote():
            yield from wrap(f"{piece.label}{colon}", columns=most)
            yield from wrap(piece.text, "    ", "    ", screen) if screen else [f"    {visible(piece.text)}"]
        case Chart():
            return


def _facts(rows: Sequence[tuple[str, str]], most: int) -> Iterable[str]:
    """Names in one column; what does not fit beside the longest goes below it."""
    names = max((width(name) for name, _ in rows), default=0)
    for name, value in rows:
        yield from wrap(value, f"{name}{' ' * (names - width(name))}{GAP}", " " * (names + len(GAP)), most)


def _table(rows: Rows, screen: int | None) -> list[str]:
    """Aligned columns.  On a screen that is too narrow long texts are wrapped, else further columns stand below."""
    shown = [tuple(visible(cell) for cell in row) for row in rows]
    widths = [max(width(row[i]) for row in shown) for i in range(len(shown[0]))]
    if screen is None or _taken(widths) <= screen:
        widths = [min(MAX_CELL, most) for most in widths]
        return [GAP.join(_padded(cell, most) for cell, most in zip(row, widths, strict=True)).rstrip() for row in shown]
    squeezed = _squeezed(shown, widths, screen)
    if _taken(squeezed) <= screen:
        return [line for row in shown for line in _wrapped(row, squeezed)]
    lines: list[str] = []
    for group in _groups(widths, screen):
        lines += [""] if lines else []
        lines += [line for row in shown for line in _wrapped([row[i] for i in group], [widths[i] for i in group])]
    return lines


def _taken(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _squeezed(rows: Rows, widths: Sequence[int], screen: int) -> list[int]:
    """The widths with the widest made narrower, one column at a time, as far as their words allow."""
    made = list(widths)
    least = [max(MIN_CELL, *map(width, _words(rows, i))) for i in range(len(made))]
    while _taken(made) > screen:
        wide = [i for i in range(len(made)) if made[i] > least[i]]
        if not wide:
            break
        made[max(wide, key=made.__getitem__)] -= 1
    return made


def _words(rows: Rows, column: int) -> Iterable[str]:
    return (word for row in rows for word in wrap(row[column], columns=1))


def _groups(widths: Sequence[int], screen: int) -> Iterable[list[int]]:
    """Columns that fit beside each other; the first, which names the row, begins each group."""
    group = [0]
    for i in range(1, len(widths)):
        if len(group) > 1 and _taken([widths[j] for j in (*group, i)]) > screen:
            yield group
            group = [0]
        group.append(i)
    yield group


def _wrapped(row: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    cells = [list(wrap(cell, columns=most)) for cell, most in zip(row, widths, strict=True)]
    for at in range(max(map(len, cells))):
        parts = [cell[at] if at < len(cell) else "" for cell in cells]
        yield GAP.join(_padded(part, most) for part, most in zip(parts, widths, strict=True)).rstrip()


def _padded(cell: str, most: int) -> str:
    blank = " " * max(0, most - width(cell))
    return blank + cell if cell and set(cell) <= _NUMBER else cell + blank
