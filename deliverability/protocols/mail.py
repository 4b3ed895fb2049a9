"""The header of a message, read within bounds (RFC 5322), and the author domain that DMARC starts from.

Field bodies stay bytes, folding included, because signatures are over those bytes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.names import Domain
from deliverability.protocols.encoded_words import decode_header_text

MAX_MESSAGE: Final = 64 * 1024 * 1024
"""Octets of a message; receivers take 25 to 50 MiB."""
MAX_HEADER: Final = 512 * 1024
"""Octets of all header fields together."""
MAX_FIELDS: Final = 2000
MAX_LINES: Final = 10_000
"""Lines of the header, folded ones counted one by one."""
MAX_AUTHORS: Final = 100
MAX_ADDRESSES: Final = 65_536
"""Octets of one address list."""

_NAME = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:")  # RFC 5322 §2.2; blanks before the colon: §4.5


class LimitError(ParseError):
    """A message exceeds a bound of ours: what is beyond was not read."""

    def __init__(self, code: str, what: str, limit: str) -> None:
        super().__init__(f"{what} {limit}, and no more is read")
        self.code = code
        """Code of the finding that says so (``protocols.structure.NOT_READ``)."""
        self.limit = limit
        """The bound, with its unit."""


@dataclass(frozen=True, slots=True)
class Field:
    """One header field."""

    name: str
    """As it is spelled."""
    body: bytes
    """Everything after the colon, folding kept as CRLF, with the last CRLF."""

    @property
    def unfolded(self) -> bytes:
        """The body on one line (RFC 5322 §2.2.3), without blanks around it."""
        return self.body.replace(b"\r\n", b"").strip(b" \t")


@dataclass(frozen=True, slots=True)
class Mail:
    """A message: its header fields in order, and its body."""

    fields: tuple[Field, ...]
    body: bytes
    """Lines end in CRLF."""

    def all(self, name: str) -> tuple[Field, ...]:
        """All fields of that name, in order; names are case-insensitive."""
        wanted = name.lower()
        return tuple(field for field in self.fields if field.name.lower() == wanted)

    def text(self, name: str) -> str | None:
        """The first field of that name, readable (RFC 2047): foreign text."""
        found = self.all(name)
        return decode_header_text(found[0].unfolded) if found else None

    @property
    def message_id(self) -> str | None:
        """RFC 5322 §3.6.4, without angle brackets."""
        found = self.all("message-id")
        if not found:
            return None
        return found[0].unfolded[:998].decode("utf-8", "replace").strip().removeprefix("<").removesuffix(">") or None

    @property
    def subject(self) -> str | None:
        """Decoded: foreign text."""
        return self.text("subject")

    @property
    def date(self) -> datetime | None:
        """What the ``Date`` field claims, UTC; ``None`` if it has none or cannot be read."""
        from email.utils import parsedate_to_datetime

        found = self.all("date")
        if not found:
            return None
        try:
            claimed = parsedate_to_datetime(found[0].unfolded[:100].decode("ascii"))
            return claimed.replace(tzinfo=claimed.tzinfo or UTC).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None


@lru_cache(maxsize=1)  # every check of a message reads it; one entry, so that at most one large message stays in memory
def parse_mail(message: bytes) -> Mail:
    """Read a message whose lines end in CRLF or, as files on Unix do, in LF.

    Raises :class:`~deliverability.errors.ParseError` for what is no message, and its subclass :class:`LimitError` for
    what exceeds the bounds.  A line in the header that is neither field nor continuation ends the header, as MTAs treat it.
    """
    if len(message) > MAX_MESSAGE:
        raise LimitError("message-too-large", "the message is larger than", f"{MAX_MESSAGE >> 20} MiB")
    fields: list[tuple[bytes, list[bytes]]] = []
    position = 0
    for number, (line, end) in enumerate(_header_lines(message)):
        if number > MAX_LINES:
            raise LimitError("too-many-header-lines", "the lines of its header are more than", str(MAX_LINES))
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1][1].append(line)
        elif match := _NAME.match(line):
            fields.append((match.group(1), [line[match.end() :]]))
        elif line.startswith((b"From ", b">From ")) and not fields:
            pass  # mbox
        else:
            position = position if line else end  # a stray line already belongs to the body
            break
        position = end
        if len(fields) > MAX_FIELDS:
            raise LimitError("too-many-fields", "its header fields are more than", str(MAX_FIELDS))
    if not fields:
        raise ParseError("not a message: it does not begin with header fields")
    body = message[position:].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    parts = (Field(name.decode("ascii"), b"\r\n".join(lines) + b"\r\n") for name, lines in fields)
    return Mail(tuple(parts), body)


def author_domain(mail: Mail) -> Domain:
    """The domain of RFC5322.From.

    Raises :class:`~deliverability.errors.ParseError` where there is none to rely on: no ``From``, several of them,
    or authors of different domains (RFC 9989 §5.3.1 leaves such messages out of its scope).
    """
    found = mail.all("from")
    if len(found) != 1:
        raise ParseError(f"message has {len(found) or 'no'} From field{'s' * (len(found) > 1)}")
    authors = address_list(found[0].unfolded)
    domains = {Domain.parse(address.rpartition("@")[2]) for address in authors}
    if len(domains) != 1:
        told = printable(", ".join(sorted(d.name for d in domains))) or "no address"
        raise ParseError(f"From does not name one domain: {told}")
    return domains.pop()


def address_list(body: bytes) -> tuple[str, ...]:
    """The addr-specs of an address list (RFC 5322 §3.4), comments and display names left out; foreign text.

    Raises :class:`~deliverability.errors.ParseError`; takes time linear in its input.
    """
    if len(body) > MAX_ADDRESSES:
        raise ParseError(f"address list is longer than {MAX_ADDRESSES} octets")
    elements: list[list[str]] = [[]]
    inside = False
    for token in _tokens(body.decode("utf-8", "replace")):
        if token in (",", ";") and not inside:
            elements.append([])
        elif token == ":" and not inside:  # noqa: S105 - not a password
            elements[-1].clear()  # that was a group's display name
        else:
            inside = token == "<" or (inside and token != ">")  # noqa: S105 - not a password
            elements[-1].append(token)
    spelled = [element for element in elements if "".join(element).strip()]
    if len(spelled) > MAX_AUTHORS:
        raise ParseError(f"more than {MAX_AUTHORS} addresses")
    return tuple(_addr_spec(element) for element in spelled)


def _addr_spec(tokens: list[str]) -> str:
    if "<" in tokens:
        start = tokens.index("<")
        if ">" not in tokens[start:]:
            raise ParseError("address without closing '>'")
        tokens = tokens[start + 1 : tokens.index(">", start)]
    text = "".join(tokens).strip()
    text = text.rpartition(":")[2] if text.startswith("@") else text  # obsolete source route, RFC 5322 §4.4
    local, at, domain = text.rpartition("@")
    if not at or not local.strip() or not domain.strip():
        raise ParseError(f"not an address: {printable(text, 100)!r}")
    return f"{local.strip()}@{domain.strip()}"


def _tokens(text: str) -> Iterator[str]:
    """Characters, and quoted strings whole; comments are skipped (RFC 5322 §3.2.2, §3.2.4)."""
    depth = 0
    quoted: list[str] | None = None
    escaped = False
    for char in text:
        if quoted is not None:
            quoted.append(char)
            if char == '"' and not escaped:
                yield "".join(quoted)
                quoted = None
        elif depth:
            depth += 0 if escaped else (char == "(") - (char == ")")
        elif char == "(":
            depth = 1
        elif char == '"':
            quoted = [char]
        else:
            yield char
        escaped = char == "\\" and not escaped
    if depth or quoted is not None:
        raise ParseError("comment or quoted string without its end")


def _header_lines(message: bytes) -> Iterator[tuple[bytes, int]]:
    """Lines without their ends, and where the next one begins."""
    start = 0
    while start < len(message):
        end = message.find(b"\n", start, start + MAX_HEADER)
        stop = len(message) if end < 0 else end
        if stop > MAX_HEADER:
            raise LimitError("header-too-large", "its header is longer than", f"{MAX_HEADER >> 10} KiB")
        line = message[start:stop]
        start = stop + 1
        yield line.removesuffix(b"\r"), min(start, len(message))
