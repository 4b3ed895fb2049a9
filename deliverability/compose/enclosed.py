"""Files inside a page: what each is, its digest, and the text of those that somebody may have to type or paste."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

from deliverability.compose.catalog import catalog
from deliverability.evidence.document import (
    Attachment,
    Block,
    Document,
    Instructions,
    Paragraph,
    Quote,
    Relationship,
    Section,
    Table,
)

MAX_PRINTED = 20_000
"""Octets of an enclosed text that the page shows as well."""
MAX_NAME = 80
_PRINTED = ("text/", "application/sieve", "application/xml", "application/mbox")


def enclose(document: Document, attachments: Iterable[Attachment], form: str = "pdf") -> Document:
    """The document with these files, and a section that lists them; itself where there are none.

    A short text that supplements the page (a file to import) is printed too: some gateways distrust files in files.
    ``form`` is ``pdf`` or ``html``: where a reader finds the files.
    """
    files = _named_apart(attachments)
    if not files:
        return document
    t = catalog(document.lang)
    head = (t("enclosed.name"), t("enclosed.what"), t("enclosed.digest"))
    rows = tuple((file.name, file.description, sha256(file.content).hexdigest()) for file in files)
    heading = t("heading.enclosed")
    blocks: list[Block] = [Paragraph(t(f"enclosed.intro.{form}")), Table(t("enclosed.caption"), head, rows)]
    for file in files:
        if file.steps:
            blocks.append(Instructions(t("enclosed.use", name=file.name), file.steps, file.remarks))
        if _printed(file):
            text = file.content.decode("utf-8").replace("\r\n", "\n").rstrip("\n")
            blocks.append(Quote(t("enclosed.contents", name=file.name), text, literal=True))
    told = document.sections
    if any(file.steps for file in files):
        told = tuple(_pointing(section, Paragraph(t("keep.enclosed", heading=heading))) for section in told)
    section = Section("enclosed", heading, tuple(blocks))
    return replace(document, sections=(*told, section), attachments=(*document.attachments, *files))


def _pointing(section: Section, to: Paragraph) -> Section:
    """The section on keeping the next message, with where the file lies that does it; any other as it is."""
    return replace(section, blocks=(*section.blocks, to)) if section.id == "keep" else section


def reply_subject(document: Document) -> str:
    """The subject of a mail that brings the page to a ticket without a subject of its own."""
    return catalog(document.lang)("ticket.subject", title=document.title)


def _printed(file: Attachment) -> bool:
    if file.relationship is not Relationship.SUPPLEMENT or len(file.content) > MAX_PRINTED:
        return False
    if not file.media_type.startswith(_PRINTED) or file.media_type.startswith("text/html"):
        return False
    try:
        file.content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _named_apart(attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """Each under a name of its own that is safe on every file system."""
    taken: dict[str, Attachment] = {}
    for file in attachments:
        stem, dot, extension = _safe(file.name).rpartition(".")
        if not dot:
            stem, extension = extension, ""
        name, number = stem + dot + extension, 2
        while name.casefold() in taken:
            name, number = f"{stem}-{number}{dot}{extension}", number + 1
        taken[name.casefold()] = replace(file, name=name)
    return tuple(taken.values())


def _safe(name: str) -> str:
    last = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2][-4 * MAX_NAME :])
    kept = "".join(re.findall(r"[\w.+-]", last)).strip(".-")[-MAX_NAME:]
    return kept or "file"
