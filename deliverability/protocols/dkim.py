"""DKIM: whether a domain signed a message as it is now (RFC 6376, RFC 8301, RFC 8463).

Everything but the arithmetic is decided here, so that a missing key, a revoked key and a name server that did
not answer stay apart, and so that the time of the judgement is an argument.
"""

import hashlib
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from deliverability.errors import ParseError
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import Observations, Unobserved
from deliverability.protocols.dkim_key import (
    DkimKey,
    KeyState,
    published_key,
    without_blanks,
)
from deliverability.protocols.dkim_signature import ALGORITHMS, SignatureClaim, parse_signature
from deliverability.protocols.mail import Field, Mail, parse_mail

MAX_SIGNATURES: Final = 20
"""Signatures of one message that are verified; receivers look at ten or fewer."""
CLOCK_SLACK: Final = timedelta(hours=1)
"""How far a signer's clock may be ahead of the one that gave the time of judgement."""

_BLANK_RUN = re.compile(rb"[ \t]+")


class DkimResult(StrEnum):
    """Results in the words of RFC 8601 §2.7.1."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    POLICY = "policy"
    """Something about the signature is not acceptable: RFC 8301's minimum, its age."""
    NEUTRAL = "neutral"
    """A signature that cannot be processed."""
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class Reason(StrEnum):
    """Why a signature has its result."""

    VERIFIED = "verified"
    BODY_HASH_MISMATCH = "body-hash-mismatch"
    """The body is not the one that was signed; no key is needed to see that."""
    SIGNATURE_MISMATCH = "signature-mismatch"
    """The signed fields, or the key, are not those of the signature."""
    MALFORMED = "malformed-signature"
    FROM_NOT_SIGNED = "from-not-signed"
    WEAK_HASH = "weak-hash"
    """``rsa-sha1`` (RFC 8301 §3.1)."""
    WEAK_KEY = "weak-key"
    """RSA below 1024 bits (RFC 8301 §3.2)."""
    EXPIRED = "expired"
    SIGNED_IN_FUTURE = "signed-in-future"
    KEY_NONE = "key-none"
    KEY_REVOKED = "key-revoked"
    KEY_MALFORMED = "key-malformed"
    KEY_NOT_USABLE = "key-not-usable"
    """The key's own tags forbid this use: another type, hash, service or identity."""
    KEY_SEVERAL = "several-keys"
    """Several key records: a verifier may take any of them (RFC 6376 §3.6.2.2, §6.1.2)."""
    COULD_NOT_LOOK = "could-not-look"


class Objection(StrEnum):
    """Why a key must not be used for a signature (RFC 6376 §3.6.1, §6.1.2)."""

    TYPE = "type"
    """``k=`` is not of the kind that ``a=`` names."""
    SERVICE = "service"
    """``s=`` does not allow mail."""
    HASH = "hash"
    """``h=`` does not allow the hash of ``a=``."""
    IDENTITY = "identity"
    """``t=s``, and the domain in ``i=`` is not ``d=`` itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimSignature:
    """One signature and what became of it."""

    result: DkimResult
    reason: Reason
    domain: Domain | None
    """``d=``, the signing domain; authenticated only if the result is ``pass``."""
    selector: str | None
    identity: str | None = None
    """``i=``: foreign text."""
    algorithm: str | None = None
    key: DkimKey | None = None
    body_hash_ok: bool | None = None
    """``None`` where it could not be computed."""
    signed_fields: tuple[str, ...] = ()
    """Names in ``h=``, lower-case, repeated as there."""
    signed_at: datetime | None = None
    expires_at: datetime | None = None
    unsigned_octets: int = 0
    """Octets of the body that ``l=`` leaves unsigned: anybody may have added them."""
    length: int | None = None
    """``l=``: octets of the body that are signed."""
    objections: tuple[Objection, ...] = ()
    """What the key's own tags forbid, if the reason is ``key-not-usable``."""
    problem: str | None = None

    @property
    def undecided(self) -> bool:
        """Whether it may verify elsewhere: its key could not be looked up, or receivers may choose among several."""
        return self.reason in (Reason.COULD_NOT_LOOK, Reason.KEY_SEVERAL)

    @property
    def depends_on_dns(self) -> bool:
        """Whether what is published later could have made this result."""
        return self.reason not in _WITHOUT_DNS


_WITHOUT_DNS: Final = frozenset(
    {
        Reason.BODY_HASH_MISMATCH,
        Reason.MALFORMED,
        Reason.FROM_NOT_SIGNED,
        Reason.WEAK_HASH,
        Reason.EXPIRED,
        Reason.SIGNED_IN_FUTURE,
    }
)


def verify(message: bytes, observations: Observations, at: datetime) -> tuple[DkimSignature, ...]:
    """Verify every signature of a message, as at the time ``at``, in the order of the fields.

    Raises ``Unobserved`` naming all keys that are missing, and :class:`~deliverability.errors.ParseError` for what
    is no message.  A message without signatures gives an empty tuple (RFC 8601: ``none``).
    """
    mail = parse_mail(message)
    results: list[DkimSignature] = []
    missing: list[Unobserved] = []
    for field in mail.all("dkim-signature")[:MAX_SIGNATURES]:
        try:
            results.append(_verify_one(mail, field, observations, at))
        except Unobserved as needed:
            missing.append(needed)
    if missing:
        raise Unobserved(*dict.fromkeys(question for needed in missing for question in needed.questions))
    return tuple(results)


def signers(message: bytes) -> tuple[tuple[Domain, str], ...]:
    """Signing domain and selector of each well-formed signature, without verifying it."""
    found: dict[tuple[Domain, str], None] = {}
    for field in parse_mail(message).all("dkim-signature")[:MAX_SIGNATURES]:
        try:
            claim = parse_signature(field)
        except ParseError:
            continue
        found.setdefault((claim.domain, claim.selector))
    return tuple(found)


def passing_domains(message: bytes, observations: Observations, at: datetime) -> tuple[Domain, ...]:
    """The DKIM-authenticated identifiers: signing domains of the signatures that verify."""
    found = verify(message, observations, at)
    return tuple(dict.fromkeys(s.domain for s in found if s.result is DkimResult.PASS and s.domain))


def body_hash_matches(mail: Mail, tags: Mapping[str, bytes]) -> bool:
    """Whether ``bh=`` is the hash of the body as ``a=``, ``c=`` and ``l=`` have it (RFC 6376 §3.7)."""
    size, digest = _body_hash(mail.body, tags)
    return int(tags.get("l", b"0")) <= size and digest == b64decode(without_blanks(tags["bh"]) + b"==")


def _verify_one(mail: Mail, field: Field, observations: Observations, at: datetime) -> DkimSignature:
    try:
        claim = parse_signature(field)
    except ParseError as problem:
        return DkimSignature(
            result=DkimResult.NEUTRAL, reason=Reason.MALFORMED, domain=None, selector=None, problem=str(problem)
        )
    size, digest = _body_hash(mail.body, claim.tags)
    length = int(claim.tags["l"]) if "l" in claim.tags else None
    body_hash_ok = (length or 0) <= size and digest == b64decode(claim.tags["bh"])
    early = _before_dns(claim, body_hash_ok=body_hash_ok, at=at)
    key = None if early else published_key(observations, claim.domain, claim.selector)
    result, reason = early or _with_key(mail, claim, key)
    return DkimSignature(
        result=result,
        reason=reason,
        domain=claim.domain,
        selector=claim.selector,
        identity=claim.identity.decode("utf-8", "replace"),
        algorithm=claim.tags["a"].decode("ascii"),
        key=key,
        body_hash_ok=body_hash_ok,
        signed_fields=claim.signed_fields,
        signed_at=claim.signed_at,
        expires_at=claim.expires_at,
        unsigned_octets=0 if length is None else max(0, size - length),
        length=length,
        objections=_objections(claim, key) if key and key.state is KeyState.FOUND else (),
        problem=key.problem if key else None,
    )


def _before_dns(claim: SignatureClaim, *, body_hash_ok: bool, at: datetime) -> tuple[DkimResult, Reason] | None:
    """What can be said without a key, in the order of how much it says about the message."""
    if not body_hash_ok:
        return DkimResult.FAIL, Reason.BODY_HASH_MISMATCH
    if "from" not in claim.signed_fields:
        return DkimResult.PERMERROR, Reason.FROM_NOT_SIGNED  # RFC 6376 §5.4
    if claim.tags["a"] == b"rsa-sha1":
        return DkimResult.POLICY, Reason.WEAK_HASH
    if claim.expires_at and claim.expires_at < at:
        return DkimResult.POLICY, Reason.EXPIRED
    if claim.signed_at and claim.signed_at > at + CLOCK_SLACK:
        return DkimResult.POLICY, Reason.SIGNED_IN_FUTURE
    return None


_UNUSABLE: Final = {
    KeyState.COULD_NOT_LOOK: (DkimResult.TEMPERROR, Reason.COULD_NOT_LOOK),
    KeyState.NONE: (DkimResult.PERMERROR, Reason.KEY_NONE),
    KeyState.REVOKED: (DkimResult.PERMERROR, Reason.KEY_REVOKED),
    KeyState.MALFORMED: (DkimResult.PERMERROR, Reason.KEY_MALFORMED),
    KeyState.SEVERAL: (DkimResult.NEUTRAL, Reason.KEY_SEVERAL),
}


def _with_key(mail: Mail, claim: SignatureClaim, key: DkimKey | None) -> tuple[DkimResult, Reason]:
    if key is None:
        return _UNUSABLE[KeyState.NONE]
    if key.state in _UNUSABLE:
        return _UNUSABLE[key.state]
    if _objections(claim, key):
        return DkimResult.PERMERROR, Reason.KEY_NOT_USABLE
    if key.weak:
        return DkimResult.POLICY, Reason.WEAK_KEY
    from deliverability.protocols import _dkimpy

    headers = [(field.name.encode("ascii"), field.body) for field in mail.fields]
    signature = (claim.field.name.encode("ascii"), claim.field.body)
    kind, _hash = ALGORITHMS[claim.tags["a"]]
    if _dkimpy.signature_holds(headers, signature, claim.tags, kind, key.data):
        return DkimResult.PASS, Reason.VERIFIED
    return DkimResult.FAIL, Reason.SIGNATURE_MISMATCH


def _objections(claim: SignatureClaim, key: DkimKey) -> tuple[Objection, ...]:
    kind, hashed = ALGORITHMS[claim.tags["a"]]
    domain_part = claim.identity.rpartition(b"@")[2].lower().decode("latin-1")
    forbids = {
        Objection.TYPE: key.type != kind,
        Objection.SERVICE: not key.for_mail,
        Objection.HASH: bool(key.hashes) and hashed not in key.hashes,
        Objection.IDENTITY: key.strict_identity and domain_part != claim.domain.name,
    }
    return tuple(objection for objection, holds in forbids.items() if holds)


def _body_hash(body: bytes, tags: Mapping[str, bytes]) -> tuple[int, bytes]:
    """Octets of the canonical body, and the hash of as many of them as ``l=`` names."""
    relaxed = tags.get("c", b"").partition(b"/")[2] == b"relaxed"
    return _hashed(body, ALGORITHMS[tags["a"]][1], int(tags["l"]) if "l" in tags else None, relaxed=relaxed)


@lru_cache(maxsize=2)  # several checks verify the same signatures; few entries, because each keeps a body in memory
def _hashed(body: bytes, name: str, length: int | None, *, relaxed: bool) -> tuple[int, bytes]:
    body = _canonical_body(body, relaxed=relaxed)
    return len(body), hashlib.new(name, body[:length], usedforsecurity=False).digest()


def _canonical_body(body: bytes, *, relaxed: bool) -> bytes:
    """RFC 6376 §3.4.3 and §3.4.4, in time linear in the body."""
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    if relaxed:
        body = _BLANK_RUN.sub(b" ", body).replace(b" \r\n", b"\r\n")
    end = len(body)
    while body.endswith(b"\r\n\r\n", 0, end):
        end -= 2
    body = body[:end]
    if body == b"\r\n" or not body:
        return b"" if relaxed else b"\r\n"
    return body
