"""The key that a domain publishes for its DKIM signatures (RFC 6376 §3.6, RFC 8301, RFC 8463).

Needs no message.  "No key", "revoked" and "nobody could say" are three states.
"""

import re
from base64 import b64decode
from binascii import Error as BinasciiError
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, Observations

MAX_RECORD: Final = 8192
"""Octets of a key record; 4096-bit RSA needs about 750."""
MAX_TAGS: Final = 50
MIN_RSA_BITS: Final = 1024
"""Shorter keys prove nothing (RFC 8301 §3.2)."""
ADVISED_RSA_BITS: Final = 2048
"""What signers should use (RFC 8301 §3.2)."""
MAX_RSA_BITS: Final = 8192
MAX_RSA_EXPONENT_BITS: Final = 64

_TAG_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*\Z")  # RFC 6376 §3.2
_SELECTOR = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\Z")
_BLANKS: Final = b" \t\r\n"
_RSA: Final = bytes.fromhex("300d06092a864886f70d0101010500")  # AlgorithmIdentifier rsaEncryption, parameters NULL


class KeyState(StrEnum):
    """What is published under a selector."""

    FOUND = "found"
    REVOKED = "revoked"
    """``p=`` is empty (RFC 6376 §3.6.1)."""
    NONE = "none"
    MALFORMED = "malformed"
    SEVERAL = "several-keys"
    """More than one key record: which of them a verifier takes is not defined (RFC 6376 §3.6.2.2, §6.1.2)."""
    COULD_NOT_LOOK = "could-not-look"


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    """A published key, or why there is none to use."""

    state: KeyState
    domain: str
    selector: str
    type: str | None = None
    """``rsa`` or ``ed25519``."""
    bits: int | None = None
    testing: bool = False
    """``t=y``: the domain says that it is testing DKIM."""
    strict_identity: bool = False
    """``t=s``: the domain part of ``i=`` must equal ``d=``."""
    hashes: tuple[str, ...] = ()
    """Hash algorithms that ``h=`` allows; empty: all."""
    for_mail: bool = True
    """``s=`` allows its use for mail."""
    data: bytes = b""
    """``p=`` in base64, without blanks."""
    record: str | None = None
    """The record: foreign text."""
    records: int = 0
    """TXT records at the name; more than one leaves the choice to the verifier (RFC 6376 §3.6.2.2)."""
    alias: str | None = None
    """The name that a CNAME at the key's name leads to."""
    problem: str | None = None
    observed_at: datetime | None = None

    @property
    def name(self) -> str:
        """Where it is, or would be, published."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def hash_allowed(self) -> bool:
        """It allows SHA-256, the only hash that signers and verifiers still use (RFC 8301 §3.1)."""
        return not self.hashes or "sha256" in self.hashes

    @property
    def weak(self) -> bool:
        """Too short for any verifier to accept."""
        return self.type == "rsa" and self.bits is not None and self.bits < MIN_RSA_BITS


def parse_tags(text: bytes) -> dict[str, bytes]:
    """Read a tag-list (RFC 6376 §3.2), values without blanks around them.

    Raises :class:`~deliverability.errors.ParseError`: a name given twice voids the whole list.
    """
    tags: dict[str, bytes] = {}
    specs = text.split(b";", MAX_TAGS)
    if not specs[-1].strip(_BLANKS):
        specs.pop()
    if len(specs) > MAX_TAGS:
        raise ParseError(f"more than {MAX_TAGS} tags")
    for spec in specs:
        name, equals, value = spec.partition(b"=")
        name = name.strip(_BLANKS)
        if not equals or not _TAG_NAME.match(name):
            raise ParseError(f"not a tag: {printable(spec.decode('latin-1'), 80)!r}")
        if (key := name.decode("ascii")) in tags:
            raise ParseError(f"tag {key}= is given twice")
        tags[key] = value.strip(_BLANKS)
    return tags


def without_blanks(value: bytes) -> bytes:
    """The value without folding and other blanks inside."""
    return b"".join(value.split())


def parse_selector(text: str) -> str:
    """A selector in its one comparable form.  Raises :class:`~deliverability.errors.ParseError`."""
    selector = text.strip().lower().removesuffix(".")
    if len(selector) > 200 or not _SELECTOR.match(selector):
        raise ParseError(f"not a DKIM selector: {printable(text, 80)!r}")
    return selector


def published_key(observations: Observations, domain: Domain, selector: str) -> DkimKey:
    """The key at ``selector._domainkey.domain``; may raise ``Unobserved``, or ``ParseError`` for the selector."""
    selector = parse_selector(selector)
    answer = observations.ask(f"{selector}._domainkey.{domain.name}", "TXT")
    key = partial(DkimKey, domain=domain.name, selector=selector, observed_at=answer.observed_at)
    if isinstance(answer, CouldNotLook):
        told = f"{answer.question}: {answer.obstacle}"
        return key(state=KeyState.COULD_NOT_LOOK, problem=told)
    records = [record.joined for record in answer.records]
    count = len(records)
    if len(records) > 1:  # a stray record of another kind harms nobody
        records = [record for record in records if b"p=" in record] or records[:1]
    if not records:
        alias = answer.canonical_name if answer.canonical_name != answer.question.name else None
        return key(state=KeyState.NONE, records=count, alias=alias)
    shown = records[0][:MAX_RECORD].decode("latin-1")
    if len(records) > 1:
        problem = f"{len(records)} key records at one name"
        return key(state=KeyState.SEVERAL, problem=problem, record=shown, records=count)
    try:
        return _parse_key(records[0], partial(key, records=count))
    except ParseError as wrong:
        return key(state=KeyState.MALFORMED, problem=str(wrong), record=shown, records=count)


def _parse_key(record: bytes, key: Callable[..., DkimKey]) -> DkimKey:
    if len(record) > MAX_RECORD:
        raise ParseError(f"key record is longer than {MAX_RECORD} octets")
    tags = parse_tags(record)
    if "v" in tags and tags["v"] != b"DKIM1":
        raise ParseError(f"v= is {printable(tags['v'].decode('latin-1'), 40)!r}, not DKIM1")
    if "v" in tags and next(iter(tags)) != "v":
        raise ParseError("v= is not the first tag")
    if "p" not in tags:
        raise ParseError("no p= tag")
    data = without_blanks(tags["p"])
    kind = tags.get("k", b"rsa").decode("latin-1").lower()
    flags = _list(tags.get("t", b""))
    services = _list(tags.get("s", b"*"))
    bits = _bits(kind, data) if data else None
    return key(
        state=KeyState.FOUND if data else KeyState.REVOKED,
        type=kind,
        bits=bits,
        testing="y" in flags,
        strict_identity="s" in flags,
        hashes=tuple(_list(tags["h"])) if "h" in tags else (),
        for_mail="*" in services or "email" in services,
        data=data,
        record=record.decode("latin-1"),
    )


def _bits(kind: str, data: bytes) -> int:
    """Size of the key; raises for one that is no key."""
    if kind not in ("rsa", "ed25519"):
        raise ParseError(f"unknown key type {printable(kind, 40)!r}")
    try:
        octets = b64decode(data, validate=True)
    except BinasciiError:
        raise ParseError("p= is not base64") from None
    if kind == "ed25519":
        if len(octets) != 32:  # RFC 8463 §4: the bare key
            raise ParseError(f"an Ed25519 key has 32 octets, not {len(octets)}")
        return 256
    numbers = _rsa_numbers(octets)
    if numbers is None:
        from deliverability.protocols import _dkimpy

        numbers = _dkimpy.rsa_numbers(octets)  # takes a bare RSAPublicKey too, and what is not quite DER
    if numbers is None:
        raise ParseError("p= holds no RSA key")
    modulus, exponent = numbers
    if modulus.bit_length() > MAX_RSA_BITS or exponent.bit_length() > MAX_RSA_EXPONENT_BITS or exponent < 3:
        raise ParseError(f"an RSA key of {modulus.bit_length()} bits with this exponent is not usable")
    return modulus.bit_length()


def _rsa_numbers(octets: bytes) -> tuple[int, int] | None:
    """Modulus and exponent of an RSA SubjectPublicKeyInfo in exact DER (RFC 8017 §A.1.1, RFC 3279 §2.3.1)."""
    try:
        start, end = _element(octets, 0, 0x30)
        if end != len(octets) or octets[start : start + len(_RSA)] != _RSA:
            return None
        start, end = _element(octets, start + len(_RSA), 0x03)
        if end != len(octets) or octets[start] != 0:  # no unused bits
            return None
        start, end = _element(octets, start + 1, 0x30)
        first, middle = _element(octets, start, 0x02)
        second, last = _element(octets, middle, 0x02)
    except IndexError:
        return None
    if not end == last == len(octets) or first == middle or second == last:
        return None
    if octets[first] > 0x7F or octets[second] > 0x7F:  # negative
        return None
    return int.from_bytes(octets[first:middle], "big"), int.from_bytes(octets[second:last], "big")


def _element(octets: bytes, at: int, tag: int) -> tuple[int, int]:
    """Start and end of the contents of the DER element at ``at``; :class:`IndexError` for another tag or form."""
    length, start = octets[at + 1], at + 2
    if octets[at] != tag or length > 0x82 or length == 0x80:
        raise IndexError
    if length > 0x80:
        start += length - 0x80
        length = int.from_bytes(octets[at + 2 : start], "big")
        if length < (0x80 if start == at + 3 else 0x100):  # DER: the shortest form
            raise IndexError
    return start, start + length


def _list(value: bytes) -> list[str]:
    return [without_blanks(item).decode("latin-1").lower() for item in value.split(b":")]
