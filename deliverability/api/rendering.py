"""Answers as bytes: documents through ``compose`` and ``reports``, machine-readable forms through ``serial``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from deliverability import plugins
from deliverability.api.enclosing import allowlist_files, brand_of, with_enclosures
from deliverability.api.requests import Reader, Request
from deliverability.api.tracing import TraceResult
from deliverability.compose import Edition, compose
from deliverability.compose.enclosed import enclose
from deliverability.errors import ParseError, UsageError, printable
from deliverability.evidence.bundle import Assessment, Claim, Subject
from deliverability.evidence.document import Attachment, Document, Paper, SheetPart
from deliverability.evidence.observation import Observations
from deliverability.evidence.plugin import LANGUAGES, Renderer
from deliverability.evidence.spam import Scored
from deliverability.evidence.story import State
from deliverability.protocols import observed, serial
from deliverability.protocols.shown_json import dumps

SCHEMA_VERSION = 1
_PAPERS = {"a4": Paper.A4, "letter": Paper.LETTER}
DEFAULT_ZONE: Mapping[str, str] = {"zh-Hant-TW": "Asia/Taipei"}


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
    lang, edition = _lang(reader, request), reader.edition
    claim = assessment.claim
    if edition == Edition.CUSTOMER and claim and claim.state in (State.NOT_FOUND, State.RECORDED):
        edition = Edition.SUPPORT.value  # nothing was found: there is nothing to tell a customer (DESIGN §6)
    document = compose(
        assessment,
        lang=lang,
        timezone=_zone(reader, lang, request),
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


def _lang(reader: Reader, request: Request) -> str:
    chosen = reader.lang or next(iter(request.configuration.report.languages), LANGUAGES[0])
    if chosen not in LANGUAGES:
        raise UsageError(f"no language {printable(chosen)!r}; there are {', '.join(LANGUAGES)}")
    return chosen


def language_of(reader: Reader, request: Request) -> str:
    """The language in which this reader gets an answer."""
    return _lang(reader, request)


def _zone(reader: Reader, lang: str, request: Request) -> str:
    return reader.zone or request.configuration.report.timezone or DEFAULT_ZONE.get(lang, "UTC")


# --- trace ------------------------------------------------------------------------------------------------------------


def timeline(result: TraceResult, reader: Reader, form: str, request: Request) -> bytes:
    """The timeline of everything that matches, as text or JSON."""
    if form == "json":
        return _json(trace_to_json(result, request))
    from deliverability.api.tables import candidates_table, timeline_table

    lang = _lang(reader, request)
    table = timeline_table if result.picked_one else candidates_table
    return table(result, lang=lang, zone=_zone(reader, lang, request), screen=reader.screen)


def trace_to_json(result: TraceResult, request: Request) -> dict[str, Any]:
    """``schema_version`` 1: what was asked, what the logs cover, each message with its deliveries and their claims."""
    claims = {id(t.delivery): t.claim for t in result.told}
    messages = []
    for message in dict.fromkeys(t.message for t in result.told if t.message):
        value = serial.message_to_json(message)
        for told, delivery in zip(value["deliveries"], message.deliveries, strict=True):
            claim = claims.get(id(delivery))
            if claim:
                told |= {"state": claim.state, **_claim(claim)}
        messages.append(value)
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "trace",
        "query": {
            "to": list(request.to),
            "message_id": request.message_id,
            "queue_id": request.queue_id,
            "remote_id": request.remote_id,
            "subject": request.subject,
            "from": request.sender,
            "since": observed.instant_to_json(request.since),
            "until": observed.instant_to_json(request.until),
        },
        "made_at": observed.instant_to_json(result.made_at),
        "state": _overall(result),
        "coverage": serial.coverage_to_json(result.trace.coverage),
        "messages": messages,
        "notes": list(result.trace.notes),
        "observations": [observed.observation_to_json(o) for o in result.observations],
    }


def _claim(claim: Claim) -> dict[str, Any]:
    level = claim.level
    return {
        "level": f"L{level.value}" if level >= 0 else None,
        "role": claim.role,
        "basis": claim.basis,
        "strength": claim.strength,
        "observed_later": claim.observed_later,
    }


def _overall(result: TraceResult) -> str | None:
    """The state, where there is just one to tell."""
    states = {t.claim.state for t in result.told}
    return states.pop().value if len(states) == 1 else None


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

    lang = _lang(reader, request)
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


def _json(value: dict[str, Any]) -> bytes:
    return dumps(value, indent=2).encode("utf-8", "backslashreplace") + b"\n"
