"""What goes with a page: the sender's look from its configuration, and the files that a PDF encloses."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from deliverability import plugins
from deliverability.api.requests import Request
from deliverability.capture.small_files import read_small
from deliverability.compose.brand import MAX_LOGO, Brand, accent, logo
from deliverability.compose.catalog import catalog
from deliverability.compose.enclosed import enclose
from deliverability.config import ReportSettings
from deliverability.errors import CannotLookError, ParseError, TamperedError, UsageError, printable
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.document import Attachment, Document, Picture, Relationship

if TYPE_CHECKING:
    from deliverability.api.allowlisting import Made

MAX_BUNDLE = 8 << 20
"""Octets of a bundle that a page encloses: a ticket system takes few attachments that are larger."""
MAX_ENCLOSED = 32


def brand_of(request: Request, link: str = "") -> Brand:
    """The sender as its configuration describes it; ``link`` for a telephone message takes precedence.

    Raises :class:`~deliverability.errors.CannotLookError` for a logo that cannot be read or shown.
    """
    given = request.configuration.report
    return Brand(
        name=given.brand_name or "",
        contact=given.contact or "",
        action_url=given.action_url or "",
        change_address_url=given.change_address_url or "",
        sender=given.sender or "",
        link=link or given.short_link or "",
        logo=_picture(given),
        accent=accent(given.colour)[0] if given.colour else None,
    )


def brand_notes(request: Request) -> tuple[str, ...]:
    """What was changed of the configured look, a sentence each."""
    colour = request.configuration.report.colour
    note = accent(colour)[1] if colour else ""
    return (note,) if note else ()


def _picture(given: ReportSettings) -> Picture | None:
    if not given.logo:
        return None
    try:
        return logo(read_small(given.logo, MAX_LOGO), given.logo)
    except ParseError as problem:
        raise CannotLookError(str(problem)) from None


def bundle_file(path: str, lang: str) -> tuple[Attachment, ...]:
    """A sealed bundle and the page that verifies it without a network.

    Raises :class:`~deliverability.errors.TamperedError` for a bundle that does not hold: what fails here is not handed
    to a customer.
    """
    from deliverability.ledger.verifier_page import verifier_page
    from deliverability.ledger.verify import verify_bundle

    content = read_small(path, MAX_BUNDLE)
    if len(content) > MAX_BUNDLE:
        raise UsageError(f"{printable(path)}: larger than {MAX_BUNDLE >> 20} MiB: too large to enclose")
    verified = verify_bundle(content)
    if any(f.code == "form-other" for f in verified.findings):
        raise UsageError(f"{printable(path)} is no bundle: `deliverability ledger prove` writes one")
    if verified.tampered:
        raise TamperedError(f"{printable(path)} does not verify: `deliverability verify` says where")
    t = catalog(lang)
    return (
        Attachment("bundle.json", "application/json", content, Relationship.DATA, t("enclosed.bundle")),
        Attachment("verify.html", "text/html", verifier_page(), Relationship.SUPPLEMENT, t("enclosed.verifier")),
    )


def allowlist_files(assessment: Assessment, request: Request, lang: str) -> tuple[Attachment, ...]:
    """The files to import that the evidence allows, each with its steps: a page encloses them and prints their text."""
    from deliverability.api.allowlisting import files_for

    return tuple(allowlist_file(one, lang) for one in files_for(assessment, request))


def allowlist_file(made: "Made", lang: str) -> Attachment:
    """A file to import in words: what it is and for whom, how it is used, whose mail it changes, how to undo it."""
    t, form = catalog(lang), made.form
    return Attachment(
        made.name,
        form.media_type,
        made.content,
        Relationship.SUPPLEMENT,
        t(f"enclosed.allowlist.{form.kind}", title=form.title[lang]),
        steps=form.instructions[lang],
        remarks=t("enclosed.allowlist.remarks", reach=form.blast_radius[lang], undo=form.undo[lang]),
    )


def with_enclosures(document: Document, given: Iterable[Attachment] = ()) -> Document:
    """The document with itself as JSON and as plain text, and the files given, inside."""
    files = tuple(given)
    if len(files) > MAX_ENCLOSED:
        raise UsageError(f"{len(files)} files are too many to enclose; at most {MAX_ENCLOSED}")
    t = catalog(document.lang)
    own = (
        ("json", "application/json", Relationship.DATA, t("enclosed.json")),
        ("text", "text/plain", Relationship.ALTERNATIVE, t("enclosed.text")),
    )
    made = []
    for form, media_type, relationship, description in own:
        renderer = plugins.load("reports", form)
        name = f"{document.file_stem}.{renderer.extension}"
        made.append(Attachment(name, media_type, renderer.render(document), relationship, description))
    return enclose(document, (*made, *files))
