"""A summary as bytes: text, HTML or JSON."""

from deliverability.api.requests import Reader, Request
from deliverability.compose.overview import overview
from deliverability.errors import UsageError, printable
from deliverability.evidence.plugin import LANGUAGES
from deliverability.evidence.summary import Summary

DEFAULT_ZONES = {"zh-Hant-TW": "Asia/Taipei"}


def language(reader: Reader, request: Request) -> str:
    """The language that a reader asked for, else the configuration's first, else English."""
    chosen = reader.lang or next(iter(request.configuration.report.languages), LANGUAGES[0])
    if chosen not in LANGUAGES:
        raise UsageError(f"no language {printable(chosen)!r}; there are {', '.join(LANGUAGES)}")
    return chosen


def zone(reader: Reader, request: Request) -> str:
    """The zone of the reader's days and hours."""
    given = reader.zone or request.configuration.report.timezone
    return given or DEFAULT_ZONES.get(language(reader, request), "UTC")


def rendered(summary: Summary, reader: Reader, form: str, request: Request) -> bytes:
    """``form`` is ``text``, ``html`` or ``json``; raises :class:`UsageError` for another."""
    if form == "json":
        from deliverability.reports._overview_json import render_json

        return render_json(summary)
    page = overview(summary, lang=language(reader, request))
    if form == "html":
        from deliverability.reports._overview_html import render_html

        return render_html(page)
    if form == "text":
        from deliverability.reports._overview_text import render_text

        return render_text(page)
    raise UsageError(f"--format {printable(form)}: there are text, html and json")
