"""Server certificates as facts: names, validity, key (RFC 5280), and whether a name is among them (RFC 9525 §6.3).

Nothing here trusts a certificate; whether it holds by somebody's roots is the observer's finding.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from deliverability.errors import ParseError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Parsed

MAX_DER: Final = 65536
"""Octets; a certificate with hundreds of names has a few thousand."""
_MAX_NAMES: Final = 1000
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0  # [0] EXPLICIT Version, left out in version 1
_LONG: Final = 0x80


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says of itself."""

    subject: str
    """RFC 4514; foreign text."""
    issuer: str
    names: tuple[str, ...]
    """DNS names of the subject alternative name extension, lower-case."""
    not_before: datetime
    not_after: datetime
    key: str
    """``RSA``, the curve's name, ``Ed25519`` …"""
    bits: int | None
    """Size of the key; ``None`` where the kind fixes it."""
    is_authority: bool
    """Basic constraints say that it may issue certificates (RFC 5280 §4.2.1.9)."""

    def valid_at(self, at: datetime) -> bool:
        """Whether ``at`` lies within its time of validity, both ends included (RFC 5280 §4.1.2.5)."""
        return self.not_before <= at <= self.not_after

    def left_at(self, at: datetime) -> timedelta:
        """How long it remains valid; negative once expired."""
        return self.not_after - at

    def holds_for(self, host: str) -> bool:
        """Whether one of the names is ``host``; ``*`` stands for exactly one whole label, the leftmost."""
        host = host.lower().removesuffix(".")
        first, dot, rest = host.partition(".")
        return bool(first) and (host in self.names or (bool(dot) and f"*.{rest}" in self.names))

    @property
    def weak(self) -> bool:
        """An RSA key under 2048 bits, which no public authority may certify any more."""
        return self.key == "RSA" and self.bits is not None and self.bits < 2048


def read_certificate(der: bytes) -> Certificate:
    """Read a certificate; raises :class:`~deliverability.errors.ParseError` and nothing else."""
    try:
        return _read(_load(der))
    except ParseError:
        raise
    except Exception as problem:  # noqa: BLE001 - the library has many ways to dislike a stranger's certificate
        raise ParseError(f"unreadable certificate: {type(problem).__name__}") from None


def issued_by(child: bytes, issuer: bytes) -> bool:
    """Whether ``issuer`` is named as the issuer of ``child`` and its key verifies the signature."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        _load(child).verify_directly_issued_by(_load(issuer))
    except (ParseError, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def public_key_info(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo, its very octets (RFC 5280 §4.1): what hashes of keys are taken over.

    Raises :class:`~deliverability.errors.ParseError`.
    """
    start, _ = _inside(der, 0, _SEQUENCE)
    at, end = _inside(der, start, _SEQUENCE)
    if at < end and der[at] == _VERSION:
        at = _extent(der, at)[1]
    for _field in ("serialNumber", "signature", "issuer", "validity", "subject"):
        at = _extent(der, at)[1]
    if at >= end or der[at] != _SEQUENCE or _extent(der, at)[1] > end:
        raise ParseError("no public key where a certificate has it")
    return der[at : _extent(der, at)[1]]


def _inside(der: bytes, at: int, tag: int) -> tuple[int, int]:
    start, end = _extent(der, at)
    if der[at] != tag:
        raise ParseError("not a certificate")
    return start, end


def _extent(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at ``at`` begins and ends (X.690 §8.1.3, definite form)."""
    try:
        length, start = der[at + 1], at + 2
        if length & _LONG:
            octets = length & 0x7F
            if not 1 <= octets <= 4:
                raise ParseError("not a certificate: length form")
            length, start = int.from_bytes(der[start : start + octets], "big"), start + octets
    except IndexError:
        raise ParseError("not a certificate: cut short") from None
    if start + length > len(der):
        raise ParseError("not a certificate: cut short")
    return start, start + length


def _load(der: bytes) -> "Parsed":
    import warnings

    from cryptography import x509

    if not 0 < len(der) <= MAX_DER:
        raise ParseError(f"a certificate of {len(der)} octets")
    with warnings.catch_warnings():  # the library remarks on oddities that a stranger's certificate may have
        warnings.simplefilter("ignore")
        try:
            return x509.load_der_x509_certificate(der)
        except Exception as problem:  # noqa: BLE001 - as above
            raise ParseError(f"unreadable certificate: {type(problem).__name__}") from None


def _read(found: "Parsed") -> Certificate:
    from cryptography import x509

    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        hosts = []
    try:
        authority = found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    key, bits = _key(found)
    return Certificate(
        subject=found.subject.rfc4514_string(),
        issuer=found.issuer.rfc4514_string(),
        names=tuple(str(host).lower() for host in hosts[:_MAX_NAMES]),
        not_before=found.not_valid_before_utc,
        not_after=found.not_valid_after_utc,
        key=key,
        bits=bits,
        is_authority=authority,
    )


def _key(found: "Parsed") -> tuple[str, int | None]:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key = found.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name, key.key_size
    return type(key).__name__.removesuffix("PublicKey").removeprefix("_"), None
