"""Heads of the log as C2SP tlog-checkpoint: origin, size, root hash, in a signed note.

Three lines and no more: a time or any other claim in an extension line would be outside of what every verifier reads.
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from deliverability.errors import ParseError
from deliverability.ledger.merkle import EMPTY_ROOT
from deliverability.ledger.notes import Note, parse_note

MAX_SIZE = (1 << 63) - 1
_ORIGIN = re.compile(r"[!-*,-~]{1,255}\Z")  # printable ASCII without spaces and plus signs: it is the key's name too
_SIZE = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a head says: this log, so many entries, this root hash."""

    origin: str
    size: int
    root: bytes
    """32 octets."""

    def __post_init__(self) -> None:
        if not _ORIGIN.match(self.origin):
            raise ParseError("an origin is a name like example.com/dispatch, without spaces")
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != 32:
            raise ParseError("a checkpoint has a size below 2^63 and a root hash of 32 octets")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise ParseError("the root hash of an empty log is that of no octets")

    def to_text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def parse_checkpoint(content: bytes) -> tuple[Checkpoint, Note]:
    """Read a signed checkpoint, signatures unchecked; raises :class:`ParseError` for any other form."""
    note = parse_note(content)
    return parse_text(note.text), note


def parse_text(text: str) -> Checkpoint:
    """Read a checkpoint's text; raises :class:`ParseError` unless it is exactly what :meth:`Checkpoint.to_text` gives."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not _SIZE.match(lines[1]) or not re.fullmatch(r"[A-Za-z0-9+/]{43}=", lines[2]):
        raise ParseError("a checkpoint has three lines: origin, size, root hash in base64")
    checkpoint = Checkpoint(lines[0], int(lines[1]), b64decode(lines[2]))
    if checkpoint.to_text() != text:
        raise ParseError("a checkpoint is not in its canonical form")
    return checkpoint
