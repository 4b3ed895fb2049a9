"""Whether a file is a message at all, and if not, what it looks like instead (RFC 5322 §2.1, RFC 4155).

A file that is no message gives no finding about any message: it is told apart here, before anything is judged.  A
message that breaks rules is still one.
"""

import re
from dataclasses import dataclass
from typing import Final

from deliverability.errors import ParseError
from deliverability.protocols.mail import LimitError, parse_mail

_KNOWN: Final = frozenset(
    {"from", "date", "to", "cc", "bcc", "subject", "message-id", "sender", "reply-to", "received", "return-path"}
    | {
        "mime-version",
        "content-type",
        "content-transfer-encoding",
        "delivered-to",
        "dkim-signature",
        "list-unsubscribe",
    }
)
"""Fields of which every message bears one; ``Note: buy milk`` is a line with a colon, and no message."""
_SAMPLE: Final = 4096
_OUTLOOK: Final = "an Outlook item (.msg) or another OLE file; save the mail as .eml"
_MAGIC: Final = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OUTLOOK),
    (b"!BDN", "an Outlook data file (.pst); save the one mail as .eml"),
    (b"\x78\x9f\x3e\x22", "a winmail.dat (TNEF), which is a part of a mail"),
    (b"PK\x03\x04", "a ZIP archive; unpack it"),
    (b"\x1f\x8b", "a gzip archive; unpack it"),
    (b"%PDF-", "a PDF, which shows a mail and is none"),
    (b"\x89PNG", "an image, which shows a mail and is none"),
    (b"\xff\xd8\xff", "an image, which shows a mail and is none"),
    (b"\xff\xfe", "text in UTF-16; save the mail as it was sent"),
    (b"\xfe\xff", "text in UTF-16; save the mail as it was sent"),
    (b"\xef\xbb\xbf", "text after a byte order mark, which stands before no header; save it without"),
)
# The separator of the default mbox format (RFC 4155 appendix A): an address, and a date as asctime(3) writes it.
_FROM_LINE: Final = (
    rb"From [^\r\n]{0,998}? (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d(?::\d\d)? [^\r\n]{0,40}"
)
_SEPARATOR: Final = re.compile(rb"(?:\A|\n\r?\n)" + _FROM_LINE + rb"(?=\r?\n)")


@dataclass(frozen=True, slots=True)
class MessageFile:
    """What a file holds."""

    message: bytes
    """The message; empty where there is none."""
    problem: str = ""
    """Why it is no message: what it looks like, in English, and what to do."""
    from_line: bool = False
    """It was an mbox with this one message, whose From line was left out."""


def read_message_file(content: bytes) -> MessageFile:
    """The message that a file holds, or what it looks like instead.  Total, and linear in the size of the file."""
    if not content.strip():
        return MessageFile(b"", "it is empty")
    for magic, what in _MAGIC:
        if content.startswith(magic):
            return MessageFile(b"", f"it looks like {what}")
    if content.startswith(b"From "):
        return _mbox(content)
    why_not = _why_not(content)
    return MessageFile(b"", why_not) if why_not else MessageFile(content)


def _mbox(content: bytes) -> MessageFile:
    count = sum(1 for _ in _SEPARATOR.finditer(content))
    if count > 1:
        return MessageFile(b"", f"it looks like a mailbox (mbox) of {count} messages; give each as a file of its own")
    message = content.partition(b"\n")[2]
    why_not = _why_not(message)
    return MessageFile(b"", why_not) if why_not else MessageFile(message, from_line=True)


def _why_not(content: bytes) -> str:
    """Why these octets do not begin with the header of a message; empty if they do."""
    try:
        mail = parse_mail(content)
    except LimitError:
        return ""  # a message beyond our bounds, and a finding
    except ParseError:
        return _looks(content[:_SAMPLE]) or (
            "it does not begin with header fields (From, Date, Subject …); give the mail as it was sent"
        )
    if any(field.name.lower() in _KNOWN for field in mail.fields):
        return ""
    return _looks(content[:_SAMPLE]) or (
        "its first lines have colons, but none of them is a header field of a message (From, Date, Subject …)"
    )


def _looks(sample: bytes) -> str:
    """What it is, where that can be told; else empty."""
    start = sample.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "it looks like a web page (HTML); give the mail with its header, as it was sent"
    if start.startswith(b"<"):
        return "it looks like XML or a piece of HTML; give the mail with its header, as it was sent"
    if start.startswith((b"{", b"[")):
        return "it looks like JSON; give the mail as it was sent"
    if b"\0" in sample:
        return "it looks like binary data"
    if sample.lstrip(b"\r\n") != sample:
        return "it begins with an empty line, where the header of a message should begin; remove that line"
    return ""
