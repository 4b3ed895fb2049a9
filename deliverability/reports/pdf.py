"""One PDF for a ticket: PDF/A-3u (ISO 19005-3), tagged for reading aloud (ISO 14289-1), Chinese that can be selected.

The files that a document carries are enclosed with their relationship to the page.  Equal documents give equal octets.
Needs the extra ``pdf``: typst and the font.
"""

from importlib.resources import files

from deliverability.compose.catalog import catalog
from deliverability.evidence.document import Document
from deliverability.evidence.plugin import Renderer


def render(document: Document) -> bytes:
    """The whole report; raises :class:`~deliverability.errors.UsageError` where the extra or the font is missing."""
    from deliverability.protocols.typst_font import font
    from deliverability.protocols.typst_page import page
    from deliverability.protocols.typst_run import engine, typeset

    engine()
    found = font()
    template = files("deliverability.reports").joinpath("templates", "report.typ").read_text(encoding="utf-8")
    made_at = int(document.made_at.timestamp())
    return typeset(template, page(document, found, catalog(document.lang)), found, made_at=made_at)


RENDERER = Renderer(id="pdf", media_type="application/pdf", extension="pdf", render=render)
