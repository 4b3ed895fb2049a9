"""Answers as bytes: documents through ``compose`` and ``reports``, machine-readable forms through ``serial``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from deliverability import plugins
from deliverability.api.enclosing import allowlist_files, brand_of, with_enclosures
from deliverability.api.readers import language_of, zone_of
from deliverability.api.requests import Reader, Request
from deliverability.compose.enclosed import enclose
from deliverability.compose.page import compose
from deliverability.errors import ParseError, UsageError, printable
from deliverability.evidence.bundle import Assessment, Subject
from deliverability.evidence.document import Attachment, Document, Edition, Paper, SheetPart
from deliverability.evidence.observation import Observations
from deliverability.evidence.plugin import Renderer
from deliverability.evidence.spam import Scored
from deliverability.evidence.story import State
from deliverability.protocols import observed

_PAPERS = {"a4": Paper.A4, "letter": Paper.LETTER}


def formats() -> tuple[str, ...]:
    """The forms that a report can take."""
    return plugins.ids("reports")


def render(
    assessment: Assessment, reader: Reader, form: str, request: Request, enclosed: Sequence[Attachment] = ()
) -> bytes:
    """One assessment as a page; raises :class:`UsageError` where no honest page of that kind exists.

    A PDF encloses the page as JSON and as text, the files given, and those to import that the evidence allows; HTML
    offers the latter; other forms hold none.
    """
    document = document_of(assessment, reader, request)
    if form == "pdf":
        document = with_enclosures(document, (*enclosed, *allowlist_files(assessment, request, document.lang)))
    elif form == "html":
        document = enclose(document, allowlist_files(assessment, request, document.lang), form)
    return _rendered(document, form)


def page_name(assessment: Assessment, reader: Reader, form: str, request: Request) -> str:
    """A file name for the page, by the notice's date and subject; no path, whatever the subject holds."""
    return f"{document_of(assessment, reader, request).file_stem}.{_renderer(form).extension}"


def document_of(assessment: Assessment, reader: Reader, request: Request) -> Document:
    """One assessment in words for its reader, before it has a form."""
    lang, edition = language_of(reader, request), reader.edition
    claim = assessment.claim
    if edition == Edition.CUSTOMER and claim and claim.state in (State.NOT_FOUND, State.RECORDED):
        edition = Edition.SUPPORT.value  # nothing was found: there is nothing to tell a customer (DESIGN §6)
    document = compose(
        assessment,
        lang=lang,
        timezone=zone_of(reader, request),
        brand=brand_of(request, reader.link),
        edition=Edition(edition),
        made_at=assessment.evidence.assessed_at,
    )
    return replace(document, paper=_PAPERS.get(reader.paper, Paper.A4))


def _rendered(document: Document, form: str) -> bytes:
    render = _renderer(form).render
    if render is None:
        raise UsageError(f"--format {printable(form)} is a form for checks, not for reports")
    return render(document)


def _renderer(form: str) -> Renderer:
    try:
        renderer: Renderer = plugins.load("reports", form)
    except LookupError as problem:
        raise UsageError(f"--format: {problem}") from None
    return renderer


# --- check ------------------------------------------------------------------------------------------------------------


def verdicts(  # noqa: PLR0913 - what, for whom, in which form; and what is not in an assessment
    assessments: Sequence[Assessment],
    reader: Reader,
    form: str,
    request: Request,
    *,
    names: Sequence[str] | None = None,
    scores: Mapping[str, tuple[Scored, ...]] | None = None,
) -> bytes:
    """The verdicts before sending in a form that has a sheet; a terminal gets a table.

    ``names`` are the subjects as the caller spelled them, where that is to be kept; ``scores`` what spam filters said of
    a message, by its subject.
    """
    from deliverability.api.tables import verdict_table
    from deliverability.compose.sheet import sheet

    lang = language_of(reader, request)
    made_at = max((a.evidence.assessed_at for a in assessments), default=request.now or datetime.now(UTC))
    page = sheet(assessments, lang=lang, made_at=made_at, names=names)
    if scores:
        page = replace(page, parts=tuple(_scored(part, scores.get(part.subject, ()), lang) for part in page.parts))
    if form == "text":
        return verdict_table(page, details=reader.details, screen=reader.screen)
    render_sheet = _renderer(form).render_sheet
    if render_sheet is None:
        raise UsageError(f"--format {printable(form)} is a form for reports, not for checks")
    return render_sheet(page)


def _scored(part: SheetPart, found: tuple[Scored, ...], lang: str) -> SheetPart:
    """The part of a message with what spam filters said of it."""
    if part.kind != Subject.MESSAGE or not found:
        return part
    from deliverability.api.spam import sentence

    return replace(part, spam_scores=found, facts=(*part.facts, *(sentence(one, lang) for one in found)))


# --- records ----------------------------------------------------------------------------------------------------------


def observations_of(content: bytes, origin: str) -> Observations:
    """The observations that a trace, check or report in JSON, or a check in NDJSON, carries: a replay needs no network.

    All that the file holds are joined; of two for one question the later in the file stands.
    """
    try:
        found = [one for record in _records(content) for one in _carried(record)]
        return Observations.of(observed.observation_from_json(o) for o in found)
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"--observations {printable(origin)}: {printable(str(problem))}") from None


def _records(content: bytes) -> list[Any]:
    """The records of a file: one JSON document, which may be a list of them, or one for each line."""
    try:
        value = json.loads(content)
    except ValueError:
        lines = [line for line in content.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[0].rstrip().endswith(b"}"):
            raise
        return [json.loads(line) for line in lines]
    return value if isinstance(value, list) else [value]


def _carried(record: Any) -> list[Any]:
    """The observations of one record: its own (a report, a trace, a line), or those of its subjects (a check)."""
    if not isinstance(record, dict):
        raise ParseError("it carries no observations")
    found = record.get("observations")
    if isinstance(found, list):
        return found
    subjects = record.get("subjects")
    if record.get("kind") != "check" or not isinstance(subjects, list):
        raise ParseError("it carries no observations")
    return [one for subject in subjects for one in _carried(subject)]
