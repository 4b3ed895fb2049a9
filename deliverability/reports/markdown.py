"""Markdown of verdicts before sending: for an issue, a merge request, a job summary (CommonMark with GFM tables).

Every character that Markdown or HTML could act upon is escaped: what strangers wrote stays text.
"""

import re

from deliverability.errors import printable
from deliverability.evidence.document import Sheet, SheetPart
from deliverability.evidence.plugin import Renderer

_ACTIVE = re.compile(r"([\\\\`*_{}\[\]()<>#+\-.!|~&@:/])")


def render_sheet(sheet: Sheet) -> bytes:
    """The sheet as Markdown, UTF-8."""
    lines: list[str] = []
    for part in sheet.parts:
        lines += [*_part(part, sheet), ""]
    return ("\n".join(lines).rstrip("\n") + "\n").encode("utf-8", "backslashreplace")


def _part(part: SheetPart, sheet: Sheet) -> list[str]:
    head = [f"## {_text(part.subject)}", "", "| " + " | ".join(map(_text, sheet.head)) + " |", "|---|---|---|"]
    rows = [
        f"| {_text(row.outcome)} | {_text(row.title)} | " + "<br>".join(map(_text, (row.sentence, *row.details))) + " |"
        for row in part.rows
    ]
    facts = [line for fact in part.facts for line in ("", _text(fact))]
    return head + rows + facts


def _text(text: str) -> str:
    return _ACTIVE.sub(r"\\\1", printable(text, limit=2000))


RENDERER = Renderer(id="markdown", media_type="text/markdown; charset=utf-8", extension="md", render_sheet=render_sheet)
