"""One DKIM-Signature field: what it claims, before anything is verified (RFC 6376 §3.5, §6.1.1)."""

import re
from base64 import b64decode
from binascii import Error as BinasciiError
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.names import Domain
from deliverability.protocols.dkim_key import parse_selector, parse_tags, without_blanks
from deliverability.protocols.mail import Field

MAX_FIELD: Final = 8192
"""Octets of one DKIM-Signature field."""
MAX_BLANKS: Final = 64
"""Blanks in a row within one: dkimpy's expressions take more than linear time on long runs."""
MAX_SIGNED: Final = 200
"""Names in ``h=``."""
ALGORITHMS: Final = {
    b"rsa-sha256": ("rsa", "sha256"),
    b"ed25519-sha256": ("ed25519", "sha256"),
    b"rsa-sha1": ("rsa", "sha1"),
}
"""``a=``: key type and hash."""

_LONG_RUN = re.compile(rb"[ \t\r\n]{%d}" % (MAX_BLANKS + 1))
_NUMBER = re.compile(rb"\d{1,12}\Z")  # RFC 6376 §3.5: verifiers need not go beyond 12 digits
_LENGTH = re.compile(rb"\d{1,19}\Z")
_QUOTED_PAIR = re.compile(rb"=([0-9A-F]{2})")  # dkim-quoted-printable, RFC 6376 §2.11
_CANONICALIZATIONS: Final = frozenset(
    {b"simple", b"relaxed", b"simple/simple", b"simple/relaxed", b"relaxed/simple", b"relaxed/relaxed"}
)


@dataclass(frozen=True, slots=True)
class SignatureClaim:
    """What one well-formed field claims; the tags without folding, ``b=`` and ``bh=`` still in base64."""

    field: Field
    tags: Mapping[str, bytes]
    domain: Domain
    selector: str
    signed_fields: tuple[str, ...]
    signed_at: datetime | None
    expires_at: datetime | None
    identity: bytes


def parse_signature(field: Field) -> SignatureClaim:
    """Read one field (RFC 6376 §3.5, §6.1.1)."""
    tags = _parse_tags(field)
    domain = Domain.parse(tags["d"].decode("utf-8", "replace"))
    names = tags["h"].lower().split(b":")
    if len(names) > MAX_SIGNED:
        raise ParseError(f"h= names more than {MAX_SIGNED} fields")
    signed_at, expires_at = _instant(tags, "t"), _instant(tags, "x")
    if signed_at and expires_at and expires_at <= signed_at:
        raise ParseError("x= is not later than t=")
    spelled = without_blanks(tags.get("i", b"@" + tags["d"]))
    identity = _QUOTED_PAIR.sub(lambda match: bytes([int(match.group(1), 16)]), spelled)
    part = identity.rpartition(b"@")[2].decode("latin-1").lower()
    if part != domain.name and not part.endswith("." + domain.name):
        raise ParseError("i= is not within d=")
    return SignatureClaim(
        field=field,
        tags=tags,
        domain=domain,
        selector=parse_selector(tags["s"].decode("latin-1")),
        signed_fields=tuple(name.decode("latin-1") for name in names),
        signed_at=signed_at,
        expires_at=expires_at,
        identity=identity,
    )


def _parse_tags(field: Field) -> dict[str, bytes]:
    """The tags that are needed, present and of known meaning."""
    if len(field.body) > MAX_FIELD or _LONG_RUN.search(field.body):
        raise ParseError("signature field is too long, or holds too many blanks in a row")
    tags = parse_tags(field.body.replace(b"\r\n", b""))
    absent = [name for name in ("v", "a", "b", "bh", "d", "h", "s") if not tags.get(name)]
    if absent:
        raise ParseError(f"no {absent[0]}= tag")
    tags |= {name: without_blanks(tags[name]) for name in ("a", "bh", "b", "c", "d", "h", "s", "q") if name in tags}
    known = {
        "v": tags["v"] == b"1",
        "a": tags["a"] in ALGORITHMS,
        "q": b"dns/txt" in tags.get("q", b"dns/txt").split(b":"),
        "c": tags.get("c", b"simple") in _CANONICALIZATIONS,
        "l": _LENGTH.match(tags.get("l", b"0")) is not None,
        "b": _is_base64(tags["b"]),
        "bh": _is_base64(tags["bh"]),
    }
    wrong = [name for name, well in known.items() if not well]
    if wrong:
        shown = printable(tags[wrong[0]].decode("latin-1"), 40)
        raise ParseError(f"{wrong[0]}= has a value of unknown meaning: {shown!r}")
    return tags


def _is_base64(value: bytes) -> bool:
    try:
        return bool(b64decode(value, validate=True))
    except BinasciiError:
        return False


def _instant(tags: Mapping[str, bytes], name: str) -> datetime | None:
    if name not in tags:
        return None
    if not _NUMBER.match(tags[name]):
        raise ParseError(f"{name}= is not a number of seconds")
    return datetime.fromtimestamp(min(int(tags[name]), _LAST_SECOND), UTC)


_LAST_SECOND: Final = 253_402_300_799  # the end of the year 9999
