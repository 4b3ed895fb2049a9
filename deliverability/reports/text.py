"""Plain text, complete, at most 72 columns: it pastes into any ticket.

How lines are broken stands in :mod:`deliverability.protocols.columns`.
"""

from collections.abc import Iterator
from functools import singledispatch

from deliverability.compose.catalog import Catalog, catalog
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
from deliverability.protocols.columns import WIDTH, visible, width, wrap

__all__ = ["RENDERER", "WIDTH", "render", "render_sheet", "visible", "width", "wrap"]

_MARKS = {True: "[x]", False: "[ ]", None: "[?]"}


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
