"""Reports as bytes: documents through ``compose``, in the forms of ``reports``."""

from collections.abc import Sequence
from dataclasses import replace

from deliverability.api.enclosing import allowlist_files, brand_of, with_enclosures
from deliverability.api.forms import renderer_of
from deliverability.api.readers import language_of, zone_of
from deliverability.api.requests import Reader, Request
from deliverability.compose.enclosed import enclose
from deliverability.compose.page import compose
from deliverability.errors import UsageError, printable
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.document import Attachment, Document, Edition, Paper
from deliverability.evidence.story import State

_PAPERS = {"a4": Paper.A4, "letter": Paper.LETTER}


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
    return f"{document_of(assessment, reader, request).file_stem}.{renderer_of(form).extension}"


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
    render = renderer_of(form).render
    if render is None:
        raise UsageError(f"--format {printable(form)} is a form for checks, not for reports")
    return render(document)
