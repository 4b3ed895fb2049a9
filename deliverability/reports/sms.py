"""One message to a telephone: 70 characters of the Basic Multilingual Plane (UCS-2, 3GPP TS 23.038 §6.2.3), with the link.

What it says was chosen by ``compose``; this form takes the first sentence that fits, and cuts nothing.
"""

from urllib.parse import urlsplit

from deliverability.errors import UsageError, printable
from deliverability.evidence.document import Document
from deliverability.evidence.plugin import Renderer

LIMIT = 70
"""Characters of one message in UCS-2: 140 octets."""


def render(document: Document) -> bytes:
    """The line, UTF-8; raises :class:`~deliverability.errors.UsageError` where none is honest or none fits."""
    if not document.short:
        raise UsageError("nothing was found: there is no message to the customer's telephone")
    link = _link(document.link)
    for said in document.short:
        if not link and said.endswith((":", "：")):
            continue  # half a sentence: the link is the rest of it
        line = f"{said} {link}" if link else said
        if _plain(line) and len(line) <= LIMIT:
            return (line + "\n").encode()
    if link:
        raise UsageError(
            f"the link has {len(link)} characters: with it no message fits in {LIMIT}; give a shorter --link"
        )
    raise UsageError(f"no message of {LIMIT} characters says this without a link: set action_url, or give --link")


def _link(text: str) -> str:
    """An address that a telephone makes a link of, or nothing."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        fits = False
    if not fits or not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError(f"--link {printable(text, 80)!r}: write an address such as https://host.example/r")
    return text


def _plain(line: str) -> bool:
    """Whether each character takes one unit of UCS-2, and none is hidden."""
    return all(ord(char) <= 0xFFFF for char in line) and line == printable(line, limit=len(line))


RENDERER = Renderer(id="sms", media_type="text/plain; charset=utf-8", extension="txt", render=render)
