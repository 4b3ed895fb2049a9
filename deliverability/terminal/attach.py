"""``report --attach-to``: a reply to a ticket, as a file that a mail program or a ticket system takes (RFC 5322, 2045).

Nothing is sent.  The reply carries the page as text, so that it is read even where attachments are taken off, and as
a PDF, or as HTML where the extra for PDF is missing.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import SMTP, compat32
from email.utils import format_datetime, formataddr, getaddresses
from pathlib import Path
from typing import TYPE_CHECKING

from deliverability.errors import ParseError, UsageError, printable
from deliverability.terminal.asking import MAX_MESSAGE_FILE, read_file
from deliverability.terminal.streams import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deliverability.api import Reader, Request
    from deliverability.evidence.bundle import Assessment
    from deliverability.evidence.document import Attachment, Document

MAX_HEADER = 64 << 10  # octets of the ticket's mail that are looked at
MAX_REFERENCES = 20  # the newest; RFC 5322 §3.6.4 sets no limit, mail servers do
MAX_SUBJECT = 200  # characters
_MSG_ID = re.compile(r"<[!-;=?A-Z\[-~]{1,120}@[!-;=?A-Z\[-~]{1,120}>")
# A dot-atom and A-labels: what needs no quotes can end no header (RFC 5322 §3.4.1).
_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}\Z")
_POLICY = SMTP.clone(cte_type="7bit")


@dataclass(frozen=True, slots=True)
class Ticket:
    """To whom a reply goes, and what it replies to."""

    address: str
    subject: str = ""
    message_id: str = ""
    references: tuple[str, ...] = ()


def ticket_of(target: str) -> Ticket:
    """A ticket by its address, or by a file with the customer's mail.

    Raises :class:`~deliverability.errors.UsageError` for what is neither.
    """
    if target.lower().endswith(".eml") or target == "-":
        return _ticket_in(read_file(Path(target), MAX_MESSAGE_FILE), target)
    address = _address(target)
    if not address:
        raise UsageError(f"--attach-to {printable(target, 80)!r} is neither an address nor a FILE.eml")
    return Ticket(address)


def _ticket_in(content: bytes, name: str) -> Ticket:
    from deliverability.protocols.encoded_words import decode_header_text

    header = BytesHeaderParser(policy=compat32).parsebytes(content[:MAX_HEADER])
    senders = getaddresses([str(line) for line in header.get_all("Reply-To", header.get_all("From", []))][:1])
    address = _address(senders[0][1]) if senders else ""
    if not address:
        raise UsageError(f"--attach-to {printable(name, 80)}: it has no From line with an address to reply to")
    subject = " ".join(str(header.get("Subject", "")).split())
    ids = _MSG_ID.findall(str(header.get("Message-ID", "")))
    before = _MSG_ID.findall(str(header.get("References", header.get("In-Reply-To", ""))))
    return Ticket(
        address=address,
        subject=printable(decode_header_text(subject.encode("utf-8", "surrogateescape")), MAX_SUBJECT),
        message_id=ids[0] if ids else "",
        references=tuple(dict.fromkeys((*before, *ids[:1])))[-MAX_REFERENCES:],
    )


def _address(text: str) -> str:
    from deliverability.evidence.names import Mailbox

    try:
        mailbox = Mailbox.parse(text)
    except ParseError:
        return ""
    return str(mailbox) if _PLAIN.match(str(mailbox)) else ""


def reply(
    ticket: Ticket,
    assessment: "Assessment",
    reader: "Reader",
    request: "Request",
    enclosed: "Sequence[Attachment]",
    *,
    in_full: bool = False,
) -> bytes:
    """The reply, CRLF line ends; the recipient is masked where the ticket is of another address, unless ``in_full``.

    Raises :class:`~deliverability.errors.UsageError` where there is no customer's page.
    """
    from deliverability.api.enclosing import brand_of
    from deliverability.api.rendering import document_of, render
    from deliverability.evidence.document import Edition

    reader = _for_ticket(ticket, assessment, reader, in_full=in_full)
    document = document_of(assessment, reader, request)
    if document.edition is Edition.SUPPORT:
        raise UsageError("only the customer's page goes into a ticket: this one is for our own staff")
    if document.edition is Edition.REDACTED:
        refuse_telling(enclosed)
    form, content = _attachable(assessment, reader, request, enclosed)
    text = render(assessment, reader, "text", request).decode("utf-8")
    brand = brand_of(request)
    sender = _address(brand.sender)
    if not sender:
        say("no sender is configured ([report] sender): the reply has no From line, your mail program adds it")
    return _message(
        document, ticket, text, (form, content), formataddr((printable(brand.name), sender)) if sender else ""
    )


def refuse_telling(enclosed: "Sequence[Attachment]") -> None:
    """Raise :class:`~deliverability.errors.UsageError` where files hold the address that a page masks."""
    if enclosed:
        raise UsageError("a bundle holds the recipient's address, which this page masks: leave out --bundle")


def _for_ticket(ticket: Ticket, assessment: "Assessment", reader: "Reader", *, in_full: bool) -> "Reader":
    """The reader of the page: one whose address is not the recipient's sees that masked (DESIGN §6)."""
    from deliverability.correlate.entries import address_key

    recipient = assessment.evidence.delivery.recipient if assessment.evidence.delivery else ""
    if not recipient or reader.edition != "customer" or address_key(recipient) == address_key(ticket.address):
        return reader
    went = f"the notice went to {printable(recipient)}, the ticket is {printable(ticket.address)}"
    if in_full:
        say(f"{went}: the page shows that address; make sure that it is the same customer's")
        return reader
    say(f"{went}: the page shows a part of that address alone; --edition customer shows it in full")
    return replace(reader, edition="redacted")


def _attachable(
    assessment: "Assessment", reader: "Reader", request: "Request", enclosed: "Sequence[Attachment]"
) -> tuple[str, bytes]:
    from deliverability.api.rendering import render
    from deliverability.protocols.typst_font import ExtraMissingError

    try:
        return "pdf", render(assessment, reader, "pdf", request, enclosed)
    except ExtraMissingError as missing:
        say(f"{missing}; the reply carries HTML instead")
        return "html", render(assessment, reader, "html", request)


def _message(document: "Document", ticket: Ticket, text: str, page: tuple[str, bytes], sender: str) -> bytes:
    from deliverability.compose.enclosed import reply_subject

    form, content = page
    message = EmailMessage(policy=_POLICY)
    if sender:
        message["From"] = sender
    message["To"] = ticket.address
    subject = ticket.subject if ticket.subject.lower().startswith("re:") else f"Re: {ticket.subject}"
    message["Subject"] = printable(subject if ticket.subject else reply_subject(document), MAX_SUBJECT)
    message["Date"] = format_datetime(document.made_at.astimezone(UTC))
    if ticket.message_id:
        message["In-Reply-To"] = ticket.message_id
        message["References"] = " ".join(ticket.references)
    message["X-Unsent"] = "1"  # a mail program opens it as a draft
    message["Content-Language"] = document.lang
    message.set_content(text, cte="quoted-printable" if text.isascii() else "base64")
    kind = {"pdf": ("application", "pdf"), "html": ("text", "html")}[form]
    message.add_attachment(content, maintype=kind[0], subtype=kind[1], filename=f"{document.file_stem}.{form}")
    # Drawn from the content, not from chance: equal input gives equal octets.
    message.set_boundary(f"=_{hashlib.sha256(content + text.encode()).hexdigest()[:32]}")
    return message.as_bytes(policy=_POLICY)
