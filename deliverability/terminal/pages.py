"""``report``: assessments, from logs or from a mailer's records, to pages in a file or on stdout."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from deliverability.errors import UsageError
from deliverability.terminal.asking import say_narrowing
from deliverability.terminal.options import EditionName, ReportFormat
from deliverability.terminal.streams import joined, make_folder, say, write

if TYPE_CHECKING:
    from deliverability.api import Reader, Request
    from deliverability.evidence.bundle import Assessment
    from deliverability.evidence.document import Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """In which form, and where to."""

    form: ReportFormat
    output: Path | None = None
    folder: bool = False
    """Whether the output was named as a folder, by the slash at its end."""
    edition: EditionName | None = None
    """As it was asked for; ``None``: the customer's, masked where a ticket is of another address."""
    attach_to: str | None = None
    bundle: Path | None = None
    link: str | None = None


def write_pages(assessments: "Sequence[Assessment]", reader: "Reader", request: "Request", wanted: Wanted) -> None:
    """One page for each assessment; several only into a folder, or where the form can hold them one after the other.

    Raises :class:`~deliverability.errors.UsageError` for options that contradict each other.
    """
    from deliverability.api.rendering import render

    found = any(a.claim and a.claim.state == "not-found" for a in assessments)
    if wanted.edition in (None, EditionName.CUSTOMER) and found:
        say("nothing was found: this page is for support, there is none for the customer")
    if found:
        say_narrowing(request)
    refuse_idle_forms(wanted.form.value, attach_to=wanted.attach_to, bundle=wanted.bundle, link=wanted.link)
    folder = wanted.output if wanted.output is not None and (wanted.folder or wanted.output.is_dir()) else None
    several = len(assessments) > 1 and not folder
    if several and (wanted.attach_to or wanted.form not in (ReportFormat.TEXT, ReportFormat.JSON)):
        number = len(assessments)
        raise UsageError(f"{number} notices make {number} pages: choose one, -o FOLDER/, or --format text or json")
    if len(assessments) > 1 and wanted.bundle:
        raise UsageError("a bundle is about one notice: choose one")
    enclosed = enclosures(wanted.bundle, reader, request)
    if wanted.edition is EditionName.REDACTED:
        from deliverability.terminal.attach import refuse_telling

        refuse_telling(enclosed)
    if wanted.attach_to:
        from deliverability.terminal.attach import reply, ticket_of

        in_full = wanted.edition is EditionName.CUSTOMER
        ticket = ticket_of(wanted.attach_to)
        pages = [reply(ticket, a, reader, request, enclosed, in_full=in_full) for a in assessments]
    else:
        pages = [render(a, reader, wanted.form.value, request, enclosed) for a in assessments]
    if folder is None:
        write(joined(pages, wanted.form.value), wanted.output)
        return
    form = "eml" if wanted.attach_to else wanted.form.value
    make_folder(folder)
    taken: set[str] = set()
    for assessment, page in zip(assessments, pages, strict=True):
        write(page, folder / _name(assessment, reader, request, form, taken))


def _name(assessment: "Assessment", reader: "Reader", request: "Request", form: str, taken: set[str]) -> str:
    """By date and subject; two notices of one day and subject are told apart by a number."""
    from deliverability.api.rendering import page_name

    named = Path(page_name(assessment, reader, "text" if form == "eml" else form, request))
    suffix = ".eml" if form == "eml" else named.suffix
    name = next(n for i in count(1) if (n := f"{named.stem}{f'-{i}' if i > 1 else ''}{suffix}") not in taken)
    taken.add(name)
    return name


def refuse_idle_forms(form: str, *, attach_to: str | None, bundle: Path | None, link: str | None) -> None:
    """Options of ``report`` that would do nothing: whoever gave them meant another form."""
    if bundle and form != "pdf" and not attach_to:
        raise UsageError("--bundle is enclosed in a PDF: add --format pdf, or --attach-to a ticket")
    if link and form != "sms":
        raise UsageError("--link is for --format sms")


def enclosures(bundle: Path | None, reader: "Reader", request: "Request") -> "tuple[Attachment, ...]":
    """The files that a PDF encloses beside the page itself; what was changed of the configured look is said."""
    from deliverability.api.enclosing import brand_notes, bundle_file
    from deliverability.api.readers import language_of

    for note in brand_notes(request):
        say(note)
    return bundle_file(str(bundle), language_of(reader, request)) if bundle else ()
