"""What was said in an SMTP session, octet by octet with times, as one text that can be kept, hashed and read again.

The body of a message stands in it by size and digests only, and credentials not at all: see :data:`NOTE` entries.
"""

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from deliverability.errors import ParseError
from deliverability.protocols.records import time_from_text, time_to_text

CLIENT: Final = "C"
SERVER: Final = "S"
NOTE: Final = "#"
"""Our own words about what happened then: TLS, a message body, octets that were left out."""
MAX_TRANSCRIPT: Final = 4 << 20

_MAGIC: Final = "deliverability-transcript 1"
_HEAD: Final = re.compile(r"([a-z][a-z0-9-]{0,30}) (\S.*)\Z")
_BLANKS: Final = re.compile(rb"[ \t]+")
_LINE: Final = re.compile(r"\+(\d{9}) ([CS#]) (.*)\Z")


@dataclass(frozen=True, slots=True)
class Said:
    """A run of octets as one side wrote it, or our note."""

    after: int
    """Microseconds since the session began."""
    side: str
    """:data:`CLIENT`, :data:`SERVER` or :data:`NOTE`."""
    octets: bytes

    def to_line(self) -> str:
        r"""One line: the octets as printable ASCII, others as ``\n``, ``\xNN``; a backslash doubled."""
        return f"+{min(self.after, 999_999_999):09d} {self.side} {escaped(self.octets)}\n"


@dataclass(frozen=True, slots=True)
class Transcript:
    """One transaction, with the opening of the session that it was made in."""

    began: datetime
    facts: tuple[tuple[str, str], ...]
    """What no octet of the dialogue says: ``peer``, ``local``, ``tls``, ``certificate`` (base64 of DER; several)."""
    said: tuple[Said, ...]

    def to_bytes(self) -> bytes:
        """The one spelling of a transcript."""
        head = [_MAGIC, f"began {time_to_text(self.began)}"]
        head += [f"{name} {escaped(value.encode('utf-8', 'backslashreplace'))}" for name, value in self.facts]
        return ("\n".join(head) + "\n\n" + "".join(said.to_line() for said in self.said)).encode("ascii")

    @property
    def sha256(self) -> str:
        """Of :meth:`to_bytes`, hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote; raises :class:`ParseError` for anything else."""
        if len(content) > MAX_TRANSCRIPT:
            raise ParseError(f"a transcript of more than {MAX_TRANSCRIPT} octets")
        try:
            head, blank, body = content.decode("ascii").partition("\n\n")
        except UnicodeDecodeError:
            raise ParseError("a transcript is ASCII") from None
        magic, _, rest = head.partition("\n")
        facts = [_fact(line) for line in rest.split("\n")]
        if magic != _MAGIC or not blank or facts[0][0] != "began":
            raise ParseError("not a transcript")
        said = tuple(_said(line) for line in body.split("\n")[:-1])
        found = cls(time_from_text(facts[0][1]), tuple(facts[1:]), said)
        if found.to_bytes() != content:
            raise ParseError("not in canonical form")
        return found


def escaped(octets: bytes) -> str:
    """Octets as printable ASCII on one line."""
    return octets.decode("latin-1").encode("unicode_escape").decode("ascii")


def body_hashes(content: bytes) -> tuple[str, str]:
    """SHA-256 of a message's body in DKIM's canonical forms, base64 as in ``bh=``: simple, and relaxed.

    The relaxed one is worked out where the header speaks of it, else it is empty.  RFC 6376 §3.4.3, §3.4.4.  Lines end
    in CRLF, the last one too; linear in the size of the body.
    """
    end = content.find(b"\r\n\r\n")
    body = content[end + 4 :] if end >= 0 else b""
    digest = _digest(_without_empty_end(body) or b"\r\n")
    if end < 0 or b"relaxed" not in content[:end].lower():
        return digest, ""
    relaxed = _without_empty_end(_BLANKS.sub(b" ", body).replace(b" \r\n", b"\r\n"))
    return digest, _digest(b"" if relaxed == b"\r\n" else relaxed)


def _without_empty_end(body: bytes) -> bytes:
    end = len(body)
    while body.endswith(b"\r\n\r\n", 0, end):
        end -= 2
    return body[:end]


def _digest(body: bytes) -> str:
    return b64encode(hashlib.sha256(body).digest()).decode("ascii")


def _unescaped(text: str) -> bytes:
    try:
        return text.encode("ascii").decode("unicode_escape").encode("latin-1")
    except UnicodeError:
        raise ParseError("a backslash that stands for nothing") from None


def _fact(line: str) -> tuple[str, str]:
    match = _HEAD.match(line)
    if not match:
        raise ParseError("a line of a transcript's head that is none")
    return match[1], _unescaped(match[2]).decode("utf-8", "replace")


def _said(line: str) -> Said:
    match = _LINE.match(line)
    if not match:
        raise ParseError("a line of a transcript that is none")
    return Said(int(match[1]), match[2], _unescaped(match[3]))
