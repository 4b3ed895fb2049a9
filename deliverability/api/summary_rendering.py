"""A summary as bytes: text, HTML or JSON."""

from deliverability.api.readers import language_of
from deliverability.api.requests import Reader, Request
from deliverability.compose.overview import overview
from deliverability.errors import UsageError, printable
from deliverability.evidence.summary import Summary


def rendered(summary: Summary, reader: Reader, form: str, request: Request) -> bytes:
    """``form`` is ``text``, ``html`` or ``json``; raises :class:`UsageError` for another."""
    if form == "json":
        from deliverability.reports._overview_json import render_json

        return render_json(summary)
    page = overview(summary, lang=language_of(reader, request))
    if form == "html":
        from deliverability.reports._overview_html import render_html

        return render_html(page)
    if form == "text":
        from deliverability.reports._overview_text import render_text

        return render_text(page, reader.screen)
    raise UsageError(f"--format {printable(form)}: there are text, html and json")
