"""The first page as a picture that a chat shows: about a thousand pixels wide.  Needs the extra ``pdf``."""

from dataclasses import replace
from importlib.resources import files

from deliverability.compose.catalog import catalog
from deliverability.evidence.document import Document, Paper
from deliverability.evidence.plugin import Renderer

WIDTH = 1000
"""Pixels."""
_INCHES = {Paper.A4: 210 / 25.4, Paper.LETTER: 8.5}


def render(document: Document) -> bytes:
    """Page one; raises :class:`~deliverability.errors.UsageError` where the extra or the font is missing."""
    from deliverability.protocols.typst_font import font
    from deliverability.protocols.typst_page import page
    from deliverability.protocols.typst_run import engine, picture

    engine()
    found = font()
    template = files("deliverability.reports").joinpath("templates", "report.typ").read_text(encoding="utf-8")
    data = page(replace(document, attachments=()), found, catalog(document.lang))
    return picture(template, data, found, pixels_per_inch=WIDTH / _INCHES[document.paper])


RENDERER = Renderer(id="png", media_type="image/png", extension="png", render=render)
