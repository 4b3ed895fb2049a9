"""The parts of a message, found within bounds (RFC 2045, RFC 2046 §5.1).

Nesting, parts and the octets that are searched have limits, so that a message made to exhaust its reader gives a
remark instead.  Nothing is decoded here but what :func:`text_of` is asked for.
"""

import re
from binascii import Error as BinasciiError
from binascii import a2b_base64, a2b_qp
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from encodings.aliases import aliases
from enum import StrEnum
from typing import Final

from deliverability.protocols.mail import Mail

MAX_DEPTH: Final = 32
"""Multiparts within multiparts."""
MAX_PARTS: Final = 1000
MAX_PART_HEADER: Final = 64 * 1024
"""Octets of the header of one part; what is beyond counts as its body."""
MAX_PARAMETERS: Final = 4096
"""Octets of a Content-Type or Content-Disposition field that are read."""
MAX_SEARCHED: Final = 512 * 1024 * 1024
"""Octets that are searched for delimiters, all levels together: a message of 64 MiB eight levels deep."""
MAX_TEXT: Final = 1024 * 1024
"""Octets of one part that :func:`text_of` decodes."""

ENCODINGS: Final = frozenset({"7bit", "8bit", "binary", "quoted-printable", "base64"})
"""RFC 2045 §6.1; others begin with ``x-`` and mean nothing to a stranger."""
_BOUNDARY_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'()+_,-./:=? ")
_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,127}/[!#$%&'*+.^_`|~0-9A-Za-z-]{1,127}\Z")
_ONCE: Final = ("MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition")
_BLANKS: Final = b" \t\r\n"
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_QUOTED = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]{0,76}\r\n|[ \t]{0,76}\Z)")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_PLAIN: Final = "text/plain"
# Codecs of the standard library that turn octets into other octets.
_NOT_TEXT: Final = {
    "base64_codec",
    "bz2_codec",
    "hex_codec",
    "quopri_codec",
    "rot_13",
    "uu_codec",
    "zlib_codec",
    "mbcs",
}
_CODECS: Final = (frozenset(aliases.values()) | {"koi8_u", "cp874", "cp720", "cp737"}) - _NOT_TEXT
_EXTRA: Final = {
    "windows_874": "cp874",
    "x_big5": "cp950",
    "x_gbk": "gb18030",
    "x_sjis": "cp932",
    "iso_8859_8_i": "iso8859_8",
}


class Defect(StrEnum):
    """What is wrong with the parts of a message."""

    NO_VERSION = "no-mime-version"
    """MIME fields without ``MIME-Version`` (RFC 2045 §4)."""
    BAD_TYPE = "malformed-content-type"
    NO_BOUNDARY = "no-boundary"
    """A multipart without a usable ``boundary`` parameter (RFC 2046 §5.1.1)."""
    NO_PARTS = "no-parts"
    """A multipart in which its delimiter never stands."""
    UNCLOSED = "unclosed"
    """A multipart without its closing delimiter: as if cut off."""
    ENCODED_MULTIPART = "encoded-multipart"
    """A multipart in base64 or quoted-printable (RFC 2045 §6.4)."""
    UNKNOWN_ENCODING = "unknown-encoding"
    REPEATED = "repeated-mime-field"
    """A MIME field that stands more than once in the message's header: readers differ in which one they take."""
    TOO_DEEP = "too-deep"
    TOO_MANY = "too-many-parts"

    @property
    def ours(self) -> bool:
        """Whether it is our limit that ended the reading, rather than a rule that was broken."""
        return self in (Defect.TOO_DEEP, Defect.TOO_MANY)


@dataclass(frozen=True, slots=True)
class Part:
    """One entity: the message itself, a multipart, or a leaf."""

    number: str
    """Place in the tree, as IMAP writes it (RFC 9051 §6.4.5.1); empty for the message itself."""
    media_type: str
    """Lower-case; ``text/plain`` where nothing is said (RFC 2045 §5.2)."""
    parameters: Mapping[str, str]
    """Of the Content-Type field: names lower-case, values foreign text."""
    encoding: str
    """Content-Transfer-Encoding, lower-case; ``7bit`` where nothing is said."""
    disposition: str
    """``attachment``, ``inline`` or empty."""
    header: bytes
    """The header of a part within the message; empty for the message itself."""
    start: int
    end: int
    leaf: bool

    @property
    def charset(self) -> str | None:
        """The charset that is declared, lower-case; ``None`` where none is."""
        return self.parameters.get("charset", "").strip().lower() or None


@dataclass(frozen=True, slots=True)
class Structure:
    """The tree of a message, in order, and what is wrong with it."""

    parts: tuple[Part, ...]
    defects: tuple[tuple[Defect, str], ...]
    """Each with the number of the part, or what it is about: foreign text."""
    text: bytes

    @property
    def leaves(self) -> tuple[Part, ...]:
        """Parts that hold no other parts."""
        return tuple(part for part in self.parts if part.leaf)

    def content(self, part: Part, limit: int | None = None) -> bytes:
        """The octets of a part as they stand, encoded; the first ``limit`` of them."""
        end = part.end if limit is None else min(part.end, part.start + limit)
        return self.text[part.start : end]


def read_structure(mail: Mail) -> Structure:
    """Find the parts of a message.  Total: what cannot be read is a defect."""
    walk = _Walk(b"\r\n" + mail.body)
    named = {field.name.lower(): field.unfolded for field in reversed(mail.fields)}
    fields = {name: body for name, body in named.items() if name.startswith("content-")}
    if "mime-version" not in named and {"content-type", "content-transfer-encoding"} & fields.keys():
        walk.defects.append((Defect.NO_VERSION, ""))
    names = Counter(field.name.lower() for field in mail.fields)
    walk.defects += [(Defect.REPEATED, name) for name in _ONCE if names[name.lower()] > 1]
    walk.entity(fields, b"", 2, len(walk.text), "", _PLAIN)
    return Structure(tuple(walk.parts), tuple(walk.defects), walk.text)


def badly_encoded(structure: Structure, part: Part) -> bool:
    """Whether a leaf is not what its encoding says (RFC 2045 §6.7, §6.8); takes time linear in the part.

    That is octets that base64 does not know, or ``=`` before anything but two hexadecimal digits or a line end.
    """
    if part.encoding == "base64":
        kept = structure.content(part).translate(None, _BLANKS)
        digits = kept.rstrip(b"=")
        return bool(digits.translate(None, _BASE64)) or len(kept) % 4 != 0 or len(kept) - len(digits) > 2
    return part.encoding == "quoted-printable" and _NOT_QUOTED.search(structure.content(part)) is not None


def text_of(structure: Structure, part: Part) -> str:
    """The text of a leaf, decoded within :data:`MAX_TEXT`; octets that do not fit become U+FFFD.  Never raises."""
    raw = structure.content(part, MAX_TEXT)
    if part.encoding == "base64":
        kept = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
        kept = kept[:-1] if len(kept) % 4 == 1 else kept  # six bits make no octet
        try:
            raw = a2b_base64(kept + b"=" * (-len(kept) % 4))
        except BinasciiError:  # pragma: no cover - alphabet and length were just made right
            raw = b""
    elif part.encoding == "quoted-printable":
        raw = a2b_qp(raw)
    return raw.decode(codec_of(part.charset or "utf-8") or "utf-8", "replace")


def codec_of(charset: str) -> str | None:
    """The text codec of a charset's name; ``None`` for names of no charset that is known here."""
    name = charset.strip().lower().replace("-", "_").replace(".", "_")
    codec = _EXTRA.get(name) or aliases.get(name) or (name if name in _CODECS else None)
    return codec if codec in _CODECS else None


def parse_parameters(body: bytes) -> tuple[str, dict[str, str]]:
    """The value and parameters of a field such as Content-Type, in linear time (RFC 2045 §5.1, RFC 2231 §3).

    Of a parameter given twice the first stands; numbered sections are joined; comments are skipped.
    """
    pieces = _split(body[:MAX_PARAMETERS].decode("utf-8", "replace"))
    parameters: dict[str, str] = {}
    sections: dict[str, list[str]] = {}
    for piece in pieces[1:]:
        name, equals, value = piece.partition("=")
        name, value = name.strip().lower(), _unquoted(value.strip())
        base, star, number = name.partition("*")
        if equals and star and number.rstrip("*").isdecimal():
            sections.setdefault(base, []).append(value)
        elif equals and base:
            parameters.setdefault(base, value)
    for base, values in sections.items():
        parameters.setdefault(base, "".join(values))
    return pieces[0].strip().lower(), parameters


def _split(text: str) -> list[str]:
    """At semicolons outside quotes and comments."""
    pieces: list[list[str]] = [[]]
    quoted = escaped = False
    depth = 0
    for char in text:
        if escaped or (char == "\\" and (quoted or depth)):
            escaped = not escaped
        elif char == '"' and not depth:
            quoted = not quoted
        elif not quoted and char in "()":
            depth = max(0, depth + (1 if char == "(" else -1))
            continue
        elif char == ";" and not quoted and not depth:
            pieces.append([])
            continue
        if not depth:
            pieces[-1].append(char)
    return ["".join(piece) for piece in pieces]


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


class _Walk:
    """Depth first, in the order of the message."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.parts: list[Part] = []
        self.defects: list[tuple[Defect, str]] = []
        self.searched = 0

    def entity(  # noqa: PLR0913, PLR0917 - where it stands, and what it is
        self, fields: Mapping[str, bytes], header: bytes, start: int, end: int, number: str, default: str
    ) -> None:
        if len(self.parts) >= MAX_PARTS:
            self._once(Defect.TOO_MANY)
            return
        kind, parameters = parse_parameters(fields.get("content-type", default.encode()))
        if not _TYPE.match(kind):
            self.defects.append((Defect.BAD_TYPE, number))
            kind, parameters = _PLAIN, {}  # RFC 2045 §5.2
        encoding = fields.get("content-transfer-encoding", b"7bit")[:80].decode("utf-8", "replace").strip().lower()
        encoding = encoding.partition("(")[0].strip() or "7bit"
        if encoding not in ENCODINGS:
            self.defects.append((Defect.UNKNOWN_ENCODING, number))
        holds = kind.startswith("multipart/") or kind == "message/rfc822"
        disposition = parse_parameters(fields.get("content-disposition", b""))[0]
        disposition = disposition if disposition in ("", "inline") else "attachment"  # RFC 2183 §2.8
        self.parts.append(Part(number, kind, parameters, encoding, disposition, header, start, end, not holds))
        if not holds:
            return
        if number.count(".") + 1 >= MAX_DEPTH:
            self._once(Defect.TOO_DEEP)
        elif encoding not in ("7bit", "8bit", "binary"):
            if encoding in ENCODINGS:
                self.defects.append((Defect.ENCODED_MULTIPART, number))
        elif kind == "message/rfc822":
            self._within(start, end, f"{number}.1" if number else "1", _PLAIN)
        else:
            self._multipart(kind, parameters.get("boundary", ""), start, end, number)

    def _multipart(self, kind: str, boundary: str, start: int, end: int, number: str) -> None:
        # A trailing blank would be lost in transport (RFC 2046 §5.1.1); other characters need no mercy.
        if not 1 <= len(boundary) <= 70 or not set(boundary) <= _BOUNDARY_CHARS or boundary.endswith(" "):
            self.defects.append((Defect.NO_BOUNDARY, number))
            return
        self.searched += end - start
        if self.searched > MAX_SEARCHED:
            self._once(Defect.TOO_DEEP)
            return
        delimiter = re.compile(rb"\n--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*\r?(?=\n|\Z)")
        default = "message/rfc822" if kind == "multipart/digest" else _PLAIN  # RFC 2046 §5.1.5
        opened: int | None = None
        count, closed = 0, False
        for found in delimiter.finditer(self.text, start - 1, end):
            if opened is not None:
                count += 1
                # The CRLF before a delimiter belongs to the delimiter.
                self._within(
                    opened, max(opened, found.start() - 1), f"{number}.{count}" if number else str(count), default
                )
            if found.group(1) or len(self.parts) >= MAX_PARTS:
                closed = True
                break
            opened = min(found.end() + 1, end)
        if opened is None:
            self.defects.append((Defect.NO_PARTS, number))
        elif not closed:
            self.defects.append((Defect.UNCLOSED, number))
            self._within(opened, end, f"{number}.{count + 1}" if number else str(count + 1), default)
        elif len(self.parts) >= MAX_PARTS:
            self._once(Defect.TOO_MANY)

    def _within(self, start: int, end: int, number: str, default: str) -> None:
        """An entity that brings its own header."""
        stop = self.text.find(b"\r\n\r\n", start - 2, min(end, start + MAX_PART_HEADER))
        if stop < 0:
            stop = min(end, start + MAX_PART_HEADER)
        header = self.text[start : max(start, stop)]
        fields: dict[str, bytes] = {}
        for line in _FOLD.sub(b"", header).split(b"\r\n"):
            name, colon, body = line.partition(b":")
            if colon and name[:8].lower() == b"content-":
                fields.setdefault(name.strip().lower().decode("latin-1"), body.strip())
        self.entity(fields, header, min(end, stop + 4), end, number, default)

    def _once(self, defect: Defect) -> None:
        if defect not in (known for known, _ in self.defects):
            self.defects.append((defect, ""))
