"""A document as the data that a typst template reads: JSON in, so no text of anybody's ever becomes typst markup.

The template is a constant of ours.  What it shows arrives as strings of a JSON value, and typst's own rules make a
string content as it is: there is nothing to escape, and nothing to break out of.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import singledispatch
from typing import Any

from deliverability.evidence.document import (
    Answer,
    Attachment,
    Document,
    Facts,
    Instructions,
    Ladder,
    Link,
    Note,
    Paragraph,
    Quote,
    Table,
    Timeline,
)
from deliverability.protocols.typst_font import FAMILY, MONOSPACE, Font, shown

MAX_TEXT = 2_000
"""Characters of one text that a page shows; the enclosed text and JSON have it whole."""
MAX_HEADING = 300
"""The same of a heading, which becomes a bookmark as well."""
MAX_ROWS = 400
"""Rows of one table, the newest; the same."""
LONG_RUN = 12
"""Characters without a blank after which a line may break anywhere."""
_RUN = re.compile(rf"[!-~\u00a1-\u02ff]{{{LONG_RUN},}}")
_PIECE = re.compile(r"[^@./?&=_:;,+~-]{1,18}[@./?&=_:;,+~-]{0,4}|.", re.DOTALL)
_MARKS: Mapping[bool | None, str] = {True: "yes", False: "no", None: "open"}

Show = Callable[[str], list[str]]
"""A text as pieces: a line may break between two of them."""
Json = dict[str, Any]


def pieces(text: str, glyphs: Font) -> list[str]:
    """Text in which each character has a glyph, cut where a long run of letters may be broken."""
    seen = shown(text[: MAX_TEXT + 1], glyphs)
    if len(seen) > MAX_TEXT:
        seen = seen[:MAX_TEXT] + "…"
    cut, done = [""], 0
    for run in _RUN.finditer(seen):
        first, *more = _PIECE.findall(run.group())
        cut[-1] += seen[done : run.start()] + first
        cut += more
        done = run.end()
    cut[-1] += seen[done:]
    return cut


def page(document: Document, glyphs: Font, words: Callable[[str], str]) -> str:
    """The whole document as JSON; ``words`` gives the frame's own words by key, in the document's language."""

    def show(text: str) -> list[str]:
        return pieces(text, glyphs)

    look = document.look
    language, _, region = document.lang.partition("-")
    value = {
        "lang": language,
        "region": region.rpartition("-")[2] or None,
        "script": region.partition("-")[0].lower() or None,
        "title": _heading(document.title, show),
        "plain_title": "".join(_heading(document.title, show)),
        "author": shown(look.name[:MAX_HEADING], glyphs),
        "report_id": show(document.assessment.report_id or ""),
        "paper": document.paper,
        "family": FAMILY,
        "monospace": MONOSPACE,
        "accent": look.accent.light if look.accent else None,
        "on_accent": look.accent.on_light if look.accent else None,
        "colon": words("colon"),
        "yes": show(words("rung.yes")),
        "logo": _picture(document, show),
        "sections": [
            {
                "id": section.id,
                "heading": _heading(section.heading, show),
                "blocks": [_block(b, show) for b in section.blocks],
            }
            for section in document.sections
        ],
        "attachments": [_attachment(one, glyphs) for one in document.attachments],
    }
    return json.dumps(value, ensure_ascii=False)


def _heading(text: str, show: Show) -> list[str]:
    """A heading is never empty (ISO 14289-1 §7.4): who listens would jump to nothing."""
    made = show(text if len(text) <= MAX_HEADING else text[:MAX_HEADING] + "…")
    return made if "".join(made).strip() else ["–"]


def _picture(document: Document, show: Show) -> Json | None:
    logo = document.look.logo
    if logo is None:
        return None
    form = "png" if logo.media_type == "image/png" else "jpg"
    return {
        "content": list(logo.content),
        "format": form,
        "alt": "".join(show(document.look.name[:MAX_HEADING] or "logo")),
    }


def _attachment(attachment: Attachment, glyphs: Font) -> Json:
    """Text as text, which typst turns into its octets; anything else octet by octet."""
    try:
        content: Any = attachment.content.decode("utf-8")
    except UnicodeDecodeError:
        content = list(attachment.content)
    return {
        "name": attachment.name,
        "media_type": attachment.media_type,
        "relationship": attachment.relationship,
        "description": shown(attachment.description, glyphs),
        "content": content,
    }


@singledispatch
def _block(block: object, show: Show) -> Json:
    msg = f"no page form for {type(block).__name__} with {show}"
    raise TypeError(msg)


@_block.register
def _answer(block: Answer, show: Show) -> Json:
    return {"kind": "answer", "text": show(block.text), "tone": block.tone, "detail": show(block.detail)}


@_block.register
def _ladder(block: Ladder, show: Show) -> Json:
    rungs = [{"label": show(r.label), "mark": _MARKS[r.reached], "note": show(r.note)} for r in block.rungs]
    return {"kind": "ladder", "label": show(block.label), "rungs": rungs}


@_block.register
def _timeline(block: Timeline, show: Show) -> Json:
    marks = [
        {"when": show(m.when), "label": show(m.label), "tone": m.tone, "after": show(m.after), "room": m.room}
        for m in block.marks
    ]
    return {"kind": "timeline", "label": show(block.label), "marks": marks}


@_block.register
def _paragraph(block: Paragraph, show: Show) -> Json:
    return {"kind": "paragraph", "text": show(block.text)}


@_block.register
def _note(block: Note, show: Show) -> Json:
    return {"kind": "note", "text": show(block.text)}


@_block.register
def _link(block: Link, show: Show) -> Json:
    return {"kind": "link", "label": show(block.label), "url": show(block.url), "target": _target(block.url)}


def _target(url: str) -> str | None:
    """The address itself where it may be followed: never ``javascript:`` and its like, nor anything invisible."""
    plain = url.isascii() and url.isprintable() and " " not in url
    return url if plain and url.lower().startswith(("https://", "http://", "mailto:", "tel:")) else None


@_block.register
def _instructions(block: Instructions, show: Show) -> Json:
    steps = [show(step) for step in block.steps]
    label = _heading(block.label, show)
    return {"kind": "instructions", "label": label, "steps": steps, "small": show(block.small_print)}


@_block.register
def _facts(block: Facts, show: Show) -> Json:
    return {"kind": "facts", "rows": [[show(name), show(value)] for name, value in block.rows]}


@_block.register
def _table(block: Table, show: Show) -> Json:
    kept = block.rows[-MAX_ROWS:]
    rows = [[show(cell) for cell in row] for row in kept]
    if len(kept) < len(block.rows):
        rows.insert(0, [["…"]] * len(block.head))
    return {"kind": "table", "caption": show(block.caption), "head": [show(h) for h in block.head], "rows": rows}


@_block.register
def _quote(block: Quote, show: Show) -> Json:
    lines = [show(line) for line in _lines(block.text)]
    return {"kind": "quote", "label": show(block.label), "lines": lines, "literal": block.literal}


def _lines(text: str) -> Iterator[str]:
    lines = text.split("\n")
    yield from lines[:MAX_ROWS]
    if len(lines) > MAX_ROWS:
        yield "…"
