"""Verdicts before sending as bytes: a table for a terminal, or a form that has a sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from deliverability.api.forms import renderer_of
from deliverability.api.readers import language_of
from deliverability.api.requests import Reader, Request
from deliverability.compose.sheet import sheet
from deliverability.errors import UsageError, printable
from deliverability.evidence.bundle import Assessment, Subject
from deliverability.evidence.document import SheetPart
from deliverability.evidence.spam import Scored


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
    lang = language_of(reader, request)
    made_at = max((a.evidence.assessed_at for a in assessments), default=request.now or datetime.now(UTC))
    page = sheet(assessments, lang=lang, made_at=made_at, names=names)
    if scores:
        page = replace(page, parts=tuple(_scored(part, scores.get(part.subject, ()), lang) for part in page.parts))
    if form == "text":
        from deliverability.api.tables import verdict_table

        return verdict_table(page, details=reader.details, screen=reader.screen)
    render_sheet = renderer_of(form).render_sheet
    if render_sheet is None:
        raise UsageError(f"--format {printable(form)} is a form for reports, not for checks")
    return render_sheet(page)


def _scored(part: SheetPart, found: tuple[Scored, ...], lang: str) -> SheetPart:
    """The part of a message with what spam filters said of it."""
    if part.kind != Subject.MESSAGE or not found:
        return part
    from deliverability.api.spam import sentence

    return replace(part, spam_scores=found, facts=(*part.facts, *(sentence(one, lang) for one in found)))
