"""What was said in an SMTP session, octet by octet with times, as one text that can be kept, hashed and read again.

The body of a message stands in it by size and digests only, and credentials not at all: see :data:`NOTE` entries.
"""

import hashlib
import re
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
