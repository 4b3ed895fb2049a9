"""What an entry of the log is made of: record, salt, commitment, leaf.

``record`` is canonical JSON, written once.  ``commitment`` is SHA-256 over a fixed prefix, 32 random octets of salt and
the record; the leaf is 42 octets that name no one.  Without its salt a commitment tells nothing of its record, so salt
and record can be erased and every proof stays as it was (DESIGN §5).
"""

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from json.encoder import encode_basestring
from struct import Struct
from typing import Any, Final

from deliverability.errors import ParseError
from deliverability.protocols import canonical
from deliverability.protocols.records import MAX_RECORD

PREFIX: Final = b"dispatch-evidence/v1\0"
LEAF_VERSION: Final = 1
SALT_OCTETS: Final = 32
LEAF_OCTETS: Final = 42
MAX_BODY: Final = MAX_RECORD + 8192
SCHEMA_VERSION: Final = 1
_LEAF_START: Final = Struct(">BBQ")


class LeafKind(IntEnum):
    """What an entry is; stands in the leaf, in the open."""

    INTENT = 1
    OUTCOME = 2
    SNAPSHOT = 3
    LATER = 4
    BATCH = 5
    """Digest of log exhibits that were taken in."""
    ERASURE = 6
    INCIDENT = 7
    KEY = 8
    """A signing key that begins, or ends, to be used."""
    ORIGIN = 9
    """First entry: what this log continues, if anything."""


_NAMES: Final = {kind: kind.name.lower() for kind in LeafKind}


@dataclass(frozen=True, slots=True)
class Body:
    """A record as it is sealed: the event as it was spooled, and its place among those of one customer."""

    kind: LeafKind
    origin: str
    account: str | None
    """``None`` for entries about the log itself."""
    sequence: int | None
    """1, 2, 3 … without a gap, of this account in this log."""
    previous: bytes | None
    """Leaf hash of the account's entry before it."""
    event: bytes
    """Canonical JSON of an object."""

    def to_bytes(self) -> bytes:
        """The octets that are committed to."""
        return body_octets(self.kind, self.origin, self.account, self.sequence, self.previous, self.event)


def body_octets(  # noqa: PLR0913, PLR0917 - a body's fields, in their order: made for each entry, without an object
    kind: LeafKind, origin: str, account: str | None, sequence: int | None, previous: bytes | None, event: bytes
) -> bytes:
    """The octets of a :class:`Body` of these fields; raises :class:`ParseError`."""
    # The event is canonical already: the whole is put together from it, by the order of the members' names.
    start = f'{{"account":{"null" if account is None else encode_basestring(account)},"event":'
    link = f'"{previous.hex()}"' if previous else "null"
    end = (
        f',"kind":"{_NAMES[kind]}","origin":{encode_basestring(origin)},"previous":{link},'
        f'"schema_version":{SCHEMA_VERSION},"sequence":{"null" if sequence is None else sequence}}}'
    )
    try:
        return start.encode() + event + end.encode()
    except UnicodeEncodeError:
        raise ParseError("a name with an unpaired surrogate has no canonical form") from None


_TEXT_OR_NONE = (str, type(None))


def parse_body(octets: bytes) -> Body:
    """Read a sealed record; raises :class:`ParseError` for any other form."""
    shape: dict[str, Any] = {
        "account": _TEXT_OR_NONE,
        "event": dict,
        "kind": str,
        "origin": str,
        "previous": _TEXT_OR_NONE,
        "schema_version": int,
        "sequence": (int, type(None)),
    }
    fields = canonical.members(canonical.parse(octets, limit=MAX_BODY), shape, "a sealed record")
    if fields["schema_version"] != SCHEMA_VERSION:
        raise ParseError("a sealed record of another schema version")
    try:
        kind = LeafKind[fields["kind"].upper()]
        previous = bytes.fromhex(fields["previous"]) if fields["previous"] is not None else None
    except (KeyError, ValueError):
        raise ParseError("a sealed record of an unknown kind, or with a damaged link") from None
    placed = fields["account"] is not None
    sequence = fields["sequence"]
    if placed != (sequence is not None) or (sequence is not None and sequence < 1):
        raise ParseError("a sealed record has a place in its account's sequence, or has no account")
    if (previous is not None and len(previous) != 32) or (previous is not None) != (
        sequence is not None and sequence > 1
    ):
        raise ParseError("a sealed record names the entry before it, unless it is its account's first")
    body = Body(kind, fields["origin"], fields["account"], sequence, previous, canonical.to_bytes(fields["event"]))
    if body.to_bytes() != octets:
        raise ParseError("a sealed record is not in its canonical form")
    return body


def commitment(salt: bytes, body: bytes) -> bytes:
    """What the leaf holds of salt and record."""
    return sha256(PREFIX + salt + body).digest()


@dataclass(frozen=True, slots=True)
class Leaf:
    """The public 42 octets of an entry."""

    kind: LeafKind
    reference: int | None
    """Number of the entry that this one is about: the intent of an outcome."""
    commitment: bytes

    def to_bytes(self) -> bytes:
        """Version, kind, reference plus one (0: none) in 8 octets, commitment."""
        return leaf_octets(self.kind, self.reference, self.commitment)


def leaf_octets(kind: LeafKind, reference: int | None, committed: bytes) -> bytes:
    """The octets of a :class:`Leaf` of these fields."""
    number = 0 if reference is None else reference + 1
    return _LEAF_START.pack(LEAF_VERSION, kind, number) + committed


def parse_leaf(octets: bytes) -> Leaf:
    """Read a leaf; raises :class:`ParseError`."""
    if len(octets) != LEAF_OCTETS or octets[0] != LEAF_VERSION:
        raise ParseError("a leaf has 42 octets and begins with its version, 1")
    try:
        kind = LeafKind(octets[1])
    except ValueError:
        raise ParseError("a leaf of an unknown kind") from None
    number = int.from_bytes(octets[2:10], "big")
    return Leaf(kind, number - 1 if number else None, octets[10:])
