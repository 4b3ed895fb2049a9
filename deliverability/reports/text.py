"""Plain text, complete, at most 72 columns: it pastes into any ticket.

Columns are counted as a terminal shows them: Chinese characters take two.  Ids and URLs stay in one piece, even
where they are longer than a line.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache, singledispatch

from deliverability.compose import Catalog, catalog
from deliverability.errors import printable
from deliverability.evidence.document import (
    Answer,
    Document,
    Facts,
    Instructions,
    Ladder,
    Link,
    Note,
    Paragraph,
    Quote,
    Section,
    Sheet,
    Table,
    Timeline,
)
from deliverability.evidence.plugin import Renderer

WIDTH = 72
_MARKS = {True: "[x]", False: "[ ]", None: "[?]"}
# Characters that must not begin a line, and those that must not end one (the usual rule of Chinese typesetting).
_NOT_FIRST = frozenset("。，、；：？！）」』》〉】〕…‧—%.,;:?!)]}”’")
_NOT_LAST = frozenset("（「『《〈【〔([{“‘")


def width(text: str) -> int:
    """Columns that ``text`` takes (UAX 11): two for wide characters, none for combining ones."""
    return len(text) if text.isascii() else sum(map(_columns, text))


@lru_cache(maxsize=8192)
def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def visible(text: str) -> str:
    """Foreign text on one line, with control and bidirectional characters shown as escapes."""
    return printable(text, limit=len(text))


def wrap(text: str, first: str = "", rest: str = "") -> Iterator[str]:
    """Lines of at most :data:`WIDTH` columns; ``first`` and ``rest`` stand before them."""
    line: list[str] = []
    indent, used = first, width(first)
    for piece in _pieces(visible(text)):
        if line and used + width(piece.rstrip()) > WIDTH:
            yield (indent + "".join(line)).rstrip()
            line, indent, used = [], rest, width(rest)
        kept = piece if line else piece.lstrip()
        if kept:
            line.append(kept)
            used += width(kept)
    yield (indent + "".join(line)).rstrip()


@cache
def _piece() -> re.Pattern[str]:
    """Blanks, a word, or one letter; compiled where a text is wrapped, for it takes long."""
    return re.compile(r"\s+|[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+|.", re.DOTALL)


def _pieces(text: str) -> Iterator[str]:
    """What may not be broken: a word with the blank after it, a Chinese character with its punctuation."""
    piece = ""
    for match in _piece().finditer(text):
        token = match.group()
        if piece and not token.isspace() and token[0] not in _NOT_FIRST and piece[-1] not in _NOT_LAST:
            yield piece
            piece = ""
        piece += " " if token.isspace() else token
    if piece:
        yield piece


@singledispatch
def _block(block: object, t: Catalog) -> Iterator[str]:
    msg = f"no text form for {type(block).__name__} in {t.lang}"
    raise TypeError(msg)


@_block.register
def _answer(block: Answer, _t: Catalog) -> Iterator[str]:
    yield from wrap(block.text)
    if block.detail:
        yield ""
        yield from wrap(block.detail)


@_block.register
def _ladder(block: Ladder, _t: Catalog) -> Iterator[str]:
    yield from wrap(block.label)
    for rung in block.rungs:
        note = f" – {rung.note}" if rung.note else ""
        yield from wrap(rung.label + note, f"  {_MARKS[rung.reached]} ", "      ")


@_block.register
def _paragraph(block: Paragraph, _t: Catalog) -> Iterator[str]:
    yield from wrap(block.text)


@_block.register
def _note(block: Note, _t: Catalog) -> Iterator[str]:
    yield from wrap(block.text, "!! ", "!! ")


@_block.register
def _link(block: Link, t: Catalog) -> Iterator[str]:
    yield from wrap(f"{block.label}{t('colon')}", "  ", "  ")
    yield f"  {visible(block.url)}"


@_block.register
def _instructions(block: Instructions, _t: Catalog) -> Iterator[str]:
    yield from wrap(block.label)
    for number, step in enumerate(block.steps, 1):
        yield from wrap(step, f"  {number}. ", "     ")
    if block.small_print:
        yield from wrap(block.small_print, "     ", "     ")


@_block.register
def _facts(block: Facts, t: Catalog) -> Iterator[str]:
    for name, value in block.rows:
        yield from wrap(f"{name}{t('colon')}{value}", "- ", "  ")


@_block.register
def _table(block: Table, t: Catalog) -> Iterator[str]:
    """A table row by row: columns would not fit, and a screen reader follows this too."""
    yield from wrap(block.caption)
    for row in block.rows:
        for number, (name, cell) in enumerate(zip(block.head, row, strict=True)):
            yield from wrap(f"{name}{t('colon')}{cell}", "  " if number else "- ", "    ")


@_block.register
def _quote(block: Quote, t: Catalog) -> Iterator[str]:
    yield from wrap(f"{block.label}{t('colon')}")
    for line in block.text.split("\n"):
        # Literal text stays as it is: what is compared with a file must not be folded.
        yield from ((f"| {visible(line)}",) if block.literal else wrap(line, "| ", "| "))


def _section(section: Section, t: Catalog) -> Iterator[str]:
    yield from wrap(section.heading)
    yield "-" * min(WIDTH, width(section.heading))
    # The table beside a picture says the same in words.
    for number, block in enumerate(block for block in section.blocks if not isinstance(block, Timeline)):
        if number:
            yield ""
        yield from _block(block, t)


def render(document: Document) -> bytes:
    """The whole report, UTF-8, lines ending in LF."""
    t = catalog(document.lang)
    lines = [*wrap(document.title), "=" * min(WIDTH, max(width(line) for line in wrap(document.title)))]
    for section in document.sections:
        lines += ["", *_section(section, t)]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def render_sheet(sheet: Sheet) -> bytes:
    """Verdicts before sending, row by row, UTF-8: for a file or a ticket; a terminal gets a table."""
    t = catalog(sheet.lang)
    lines: list[str] = []
    for part in sheet.parts:
        lines += ["", *wrap(part.subject)] if lines else [*wrap(part.subject)]
        for row in part.rows:
            lines += wrap(f"{row.outcome}{t('colon')}{row.title}", "- ", "  ")
            for said in (row.sentence, *row.details):
                lines += wrap(said, "    ", "    ")
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


RENDERER = Renderer(
    id="text", media_type="text/plain; charset=utf-8", extension="txt", render=render, render_sheet=render_sheet
)
