"""The bundle: everything that shows one dispatch, in one file that needs no one's server (docs/bundle-format.md).

Canonical JSON.  Records stand in it as the exact text that was sealed; nothing in a bundle is true because the bundle
says so: :mod:`deliverability.ledger.verify` says what it shows.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deliverability.errors import ParseError, UsageError
from deliverability.ledger.leaves import LEAF_OCTETS, MAX_BODY, SALT_OCTETS
from deliverability.ledger.merkle import MAX_PROOF
from deliverability.ledger.notes import MAX_NOTE
from deliverability.ledger.timestamps import MAX_RESPONSE
from deliverability.protocols import canonical

KIND = "dispatch-evidence"
SCHEMA_VERSION = 1
MAX_BUNDLE = 64 << 20  # octets, a copy of the message included
MAX_ENTRIES = 10_000
MAX_TOKENS = 16
MAX_FILES = 64
MAX_KEYS = 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,60}\Z")


class NotABundleError(ParseError):
    """A file of something else, or of a newer version: nothing can be said of it."""


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """One entry of the log with its proof."""

    number: int
    leaf: bytes
    salt: bytes | None
    """``None``, with :attr:`record`, after erasure, or where the record is somebody else's."""
    record: bytes | None
    proof: tuple[bytes, ...]
    """To the root hash of the bundle's checkpoint (RFC 6962 §2.1.1)."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """That the log of the checkpoint continues an earlier head, or is continued by a later one."""

    note: bytes
    """The other signed head."""
    proof: tuple[bytes, ...]
    """Between the two (RFC 6962 §2.1.2)."""


@dataclass(frozen=True, slots=True)
class File:
    """A copy of something that a record names by its digest: the message, a log line, a DSN."""

    name: str
    """A plain name; never a path."""
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """One file of evidence."""

    origin: str
    keys: tuple[str, ...]
    """Verifier keys as the log lists them: for comparing with the published one, not for trusting."""
    checkpoint: bytes
    """Signed note."""
    entries: tuple[SealedEntry, ...]
    tokens: tuple[bytes, ...] = ()
    """RFC 3161 responses over the checkpoint."""
    continuations: tuple[Continuation, ...] = ()
    files: tuple[File, ...] = ()

    def to_bytes(self) -> bytes:
        """The file's content; raises :class:`UsageError` where no verifier would read it, for its length."""
        content = canonical.to_bytes(
            {
                "kind": KIND,
                "schema_version": SCHEMA_VERSION,
                "origin": self.origin,
                "keys": list(self.keys),
                "checkpoint": self.checkpoint.decode(),
                "entries": [_entry_to_json(entry) for entry in self.entries],
                "tokens": [b64encode(token).decode() for token in self.tokens],
                "continuations": [
                    {"checkpoint": c.note.decode(), "proof": [h.hex() for h in c.proof]} for c in self.continuations
                ],
                "files": [
                    {"name": f.name, "media_type": f.media_type, "content": b64encode(f.content).decode()}
                    for f in self.files
                ],
            }
        )
        if len(content) > MAX_BUNDLE:
            raise UsageError(
                f"a bundle of more than {MAX_BUNDLE >> 20} MiB, which no verifier reads: show fewer entries, or leave the"
                " copy of the message out"
            )
        return content


def parse_bundle(content: bytes) -> Bundle:
    """Read a bundle; raises :class:`ParseError` for whatever is not exactly of the form, of a newer version included."""
    if len(content) > MAX_BUNDLE:
        raise ParseError(f"a bundle of more than {MAX_BUNDLE >> 20} MiB")
    if KIND.encode() not in content:
        raise NotABundleError("this is no bundle of dispatch evidence")
    value = canonical.parse(content, limit=MAX_BUNDLE)
    if not isinstance(value, dict) or value.get("kind") != KIND:
        raise NotABundleError("this is no bundle of dispatch evidence")
    version = value.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise NotABundleError(f"a bundle of version {version}, which this program does not know yet; use a newer one")
    lists = dict.fromkeys(("keys", "entries", "tokens", "continuations", "files"), list)
    shape = {"kind": str, "schema_version": int, "origin": str, "checkpoint": str, **lists}
    fields = canonical.members(value, shape, "a bundle")
    if version != SCHEMA_VERSION:
        raise ParseError("a bundle of an unknown version")
    bounds = {"keys": MAX_KEYS, "entries": MAX_ENTRIES, "tokens": MAX_TOKENS, "continuations": 16, "files": MAX_FILES}
    for name, most in bounds.items():
        if len(fields[name]) > most:
            raise ParseError(f"a bundle with more than {most} {name}")
    bundle = Bundle(
        origin=fields["origin"],
        keys=tuple(_text(key) for key in fields["keys"]),
        checkpoint=_note(fields["checkpoint"]),
        entries=tuple(_entry(entry) for entry in fields["entries"]),
        tokens=tuple(_base64(token, MAX_RESPONSE) for token in fields["tokens"]),
        continuations=tuple(_continuation(one) for one in fields["continuations"]),
        files=tuple(_file(file) for file in fields["files"]),
    )
    if bundle.to_bytes() != content:
        raise ParseError("a bundle is not in its canonical form")
    return bundle


def _entry_to_json(entry: SealedEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "leaf": entry.leaf.hex(),
        "salt": entry.salt.hex() if entry.salt is not None else None,
        "record": entry.record.decode() if entry.record is not None else None,
        "proof": [h.hex() for h in entry.proof],
    }


def _entry(value: object) -> SealedEntry:
    shape: canonical.Shape = {
        "number": int,
        "leaf": str,
        "salt": (str, type(None)),
        "record": (str, type(None)),
        "proof": list,
    }
    fields = canonical.members(value, shape, "an entry")
    record = fields["record"].encode() if fields["record"] is not None else None
    if (record is None) != (fields["salt"] is None):
        raise ParseError("an entry has its record and its salt, or neither")
    if record is not None and len(record) > MAX_BODY:
        raise ParseError("a record is too long")
    return SealedEntry(
        number=fields["number"],
        leaf=_hex(fields["leaf"], LEAF_OCTETS),
        salt=_hex(fields["salt"], SALT_OCTETS) if fields["salt"] is not None else None,
        record=record,
        proof=_proof(fields["proof"]),
    )


def _continuation(value: object) -> Continuation:
    fields = canonical.members(value, {"checkpoint": str, "proof": list}, "a continuation")
    return Continuation(_note(fields["checkpoint"]), _proof(fields["proof"]))


def _file(value: object) -> File:
    fields = canonical.members(value, {"name": str, "media_type": str, "content": str}, "a file")
    if not _NAME.match(fields["name"]) or not _MEDIA_TYPE.match(fields["media_type"]):
        raise ParseError("a file in a bundle has a plain name and a media type")
    return File(fields["name"], fields["media_type"], _base64(fields["content"], MAX_BUNDLE))


def _proof(value: Sequence[object]) -> tuple[bytes, ...]:
    if len(value) > MAX_PROOF:
        raise ParseError("a proof of too many hashes")
    return tuple(_hex(_text(one), 32) for one in value)


def _note(text: str) -> bytes:
    octets = text.encode()
    if len(octets) > MAX_NOTE:
        raise ParseError("a checkpoint is too long")
    return octets


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ParseError("text was expected")
    return value


def _hex(text: str, octets: int) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        raise ParseError("hexadecimal digits were expected") from None
    if len(found) != octets:
        raise ParseError(f"{octets} octets in hexadecimal were expected")
    return found


def _base64(value: object, most: int) -> bytes:
    try:
        found = b64decode(_text(value), validate=True)
    except (Base64Error, ValueError):
        raise ParseError("base64 was expected") from None
    if len(found) > most:
        raise ParseError(f"more than {most} octets")
    return found
