"""Signed notes (C2SP signed-note v1.0.0): a text, and below it who signed it, with Ed25519.

A note is canonical: what :func:`parse_note` accepts, :meth:`Note.to_bytes` gives back octet by octet.  Signatures of
keys that the caller does not know are kept and count for nothing.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from deliverability.errors import ParseError

ED25519 = 1
"""Algorithm number of a timestamp-less Ed25519 signature."""
MAX_NOTE = 64 << 10  # octets; a checkpoint takes some 200
MAX_SIGNATURES = 16
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}\Z")
_LINE = re.compile(r"— ([^\s+\x00-\x1f\x7f]{1,255}) ([A-Za-z0-9+/]{8,8192}={0,2})\Z")
_KEY = re.compile(r"([^\s+\x00-\x1f\x7f]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{4,8192}={0,2})\Z")


@dataclass(frozen=True, slots=True)
class Signature:
    """One line below a note."""

    name: str
    key_id: bytes
    """4 octets that tell keys of one name apart; no proof of anything."""
    signature: bytes

    def to_line(self) -> str:
        """The line as it stands in the note, without its end."""
        return f"— {self.name} {b64encode(self.key_id + self.signature).decode()}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures, which nobody has checked yet."""

    text: str
    """With the newline at its end."""
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        """The note as it is passed around, and time-stamped."""
        return (self.text + "\n" + "".join(f"{s.to_line()}\n" for s in self.signatures)).encode()


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name it signs as."""

    name: str
    public: bytes
    """32 octets."""

    def __post_init__(self) -> None:
        if not _NAME.match(self.name) or len(self.public) != 32:
            msg = "a verifier key needs a name without spaces and plus signs, and 32 octets"
            raise ParseError(msg)

    @property
    def key_id(self) -> bytes:
        """The 4 octets by which a signature names its key."""
        return sha256(self.name.encode() + b"\n" + bytes([ED25519]) + self.public).digest()[:4]

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read ``name+id+base64``; raises :class:`ParseError` for anything else, another algorithm included."""
        match = _KEY.match(text) if len(text) <= MAX_NOTE else None
        if not match:
            raise ParseError("not a verifier key: NAME+8 hexadecimal digits+base64 was expected")
        octets = _octets(match[3])
        if not octets or octets[0] != ED25519 or len(octets) != 33:
            raise ParseError("a verifier key of an algorithm that this version does not know (Ed25519 is known)")
        key = cls(match[1], octets[1:])
        if key.key_id.hex() != match[2]:
            raise ParseError("the verifier key is damaged: its id is not that of its name and octets")
        return key

    def to_text(self) -> str:
        """The form in which it is published."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(bytes([ED25519]) + self.public).decode()}"

    def verify(self, note: Note) -> bool:
        """Whether the note carries a signature of this key that holds."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        for signature in note.signatures:
            if (signature.name, signature.key_id) != (self.name, self.key_id):
                continue
            try:
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature.signature, note.text.encode())
            except (InvalidSignature, ValueError):
                return False  # a line of ours that does not hold: the note was changed
            return True
        return False


def signed_by(note: Note, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Which of the keys signed the note."""
    return tuple(key for key in keys if key.verify(note))


def parse_note(content: bytes) -> Note:
    """Read a signed note; raises :class:`ParseError` for whatever is not exactly of the form."""
    if len(content) > MAX_NOTE:
        raise ParseError(f"a signed note is longer than {MAX_NOTE} octets")
    try:
        whole = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ParseError("a signed note is not UTF-8") from None
    if any(c < " " and c != "\n" for c in whole):
        raise ParseError("a signed note has a control character in it")
    text, separator, below = whole.rpartition("\n\n")
    if not separator or not text or not below.endswith("\n"):
        raise ParseError("a signed note needs a text, an empty line, and signature lines")
    lines = below[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise ParseError(f"a signed note has more than {MAX_SIGNATURES} signatures")
    note = Note(text + "\n", tuple(_signature(line) for line in lines))
    if len({(s.name, s.key_id) for s in note.signatures}) != len(note.signatures):
        raise ParseError("a signed note has two signatures of one key")
    if note.to_bytes() != content:
        raise ParseError("a signed note is not in its canonical form")
    return note


def _signature(line: str) -> Signature:
    match = _LINE.match(line)
    octets = _octets(match[2]) if match else b""
    if not match or len(octets) <= 4:
        raise ParseError("a signature line is not of the form '— NAME BASE64'")
    return Signature(match[1], octets[:4], octets[4:])


def _octets(text: str) -> bytes:
    """Base64 with padding, and no second spelling of the same octets."""
    try:
        octets = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise ParseError("base64 was expected") from None
    if b64encode(octets).decode() != text:
        raise ParseError("base64 is not in its canonical form")
    return octets
