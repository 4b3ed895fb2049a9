"""Time-stamps of RFC 3161 over a signed head: that it existed before a time, on an authority's word.

A token is verified before it is kept, and again by whoever verifies a bundle: imprint over the whole note, signature,
chain to a root that the verifier trusts, all as of the token's own time.  A token outlives its authority's certificate
only through a newer one over the same head; see :func:`renew_before`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING

from deliverability.errors import ParseError

if TYPE_CHECKING:
    from cryptography import x509

MAX_RESPONSE = 64 << 10  # octets; one certificate makes 2 kB, a chain 5 kB
RENEW = timedelta(days=60)


class UnvouchedError(ParseError):
    """None of the roots stands above the authority: nothing can be said of its token, good or bad."""


@dataclass(frozen=True, slots=True)
class Stamped:
    """What a token shows."""

    at: datetime
    """UTC, on the authority's word."""
    authority: str
    """Subject of the certificate that signed it."""
    expires: datetime
    """When that certificate does."""


def request_for(note: bytes) -> bytes:
    """A query for a time-stamp over a signed head, DER, with a nonce; the authority is asked for its certificate."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    built = (
        TimestampRequestBuilder()
        .data(note)
        .hash_algorithm(HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
    )
    return built.build().as_bytes()


def verify_response(
    response: bytes, note: bytes, roots: Sequence["x509.Certificate"], request: bytes | None = None
) -> Stamped:
    """What a response to a query over this note shows; raises :class:`ParseError` for whatever does not hold.

    A token of an authority that the roots do not vouch for raises :class:`UnvouchedError`.  With the ``request`` its nonce is held against the response as well.
    """
    if not roots:
        raise ParseError("no trusted root for time-stamps was given")
    with _reading():
        return _verified(response, note, roots, request)


def _verified(response: bytes, note: bytes, roots: Sequence["x509.Certificate"], request: bytes | None) -> Stamped:
    from cryptography import x509
    from rfc3161_client import VerificationError, VerifierBuilder

    decoded = _decoded(response)
    brought = [x509.load_der_x509_certificate(bytes(c)) for c in decoded.signed_data.certificates]
    signers = _signing_certificates(brought)
    if len(signers) != 1:
        raise ParseError(
            "a time-stamp needs the one certificate of its authority, with the purpose time-stamping alone"
        )
    if unchecked_method(response):
        raise ParseError("the authority signed with RSASSA-PSS or Ed25519, which cannot be checked here")
    if [(one.issuer, one.serial_number) for one in decoded.signed_data.signer_infos] != [
        (signers[0].issuer, signers[0].serial_number)
    ]:
        raise ParseError("a certificate whose one purpose is not time-stamping signed it")
    # The authority's certificate is not passed along: the library would trust it as it trusts the roots, and everybody
    # could sign one for himself.
    builder = VerifierBuilder(roots=list(roots), nonce=_nonce(request) if request else None)
    try:
        held = builder.build().verify(decoded, sha256(note).digest())
    except (VerificationError, ValueError) as problem:
        if not _is_vouched(signers[0], brought, roots):
            raise UnvouchedError("none of the roots that were given stands above the authority") from problem
        raise ParseError(f"the time-stamp does not hold: {str(problem)[:200]}") from problem
    if not held:
        raise ParseError("the time-stamp does not hold")
    return Stamped(
        decoded.tst_info.gen_time.astimezone(UTC),
        signers[0].subject.rfc4514_string()[:200],
        signers[0].not_valid_after_utc,
    )


def _is_vouched(
    signer: "x509.Certificate", brought: Sequence["x509.Certificate"], roots: Sequence["x509.Certificate"]
) -> bool:
    """Whether signatures lead from the authority's certificate, over those in the token, to one of the roots."""
    reached, left = [signer], [one for one in brought if one != signer]
    for certificate in reached:  # which grows
        if any(_issued(certificate, root) for root in roots):
            return True
        above = [one for one in left if _issued(certificate, one)]
        left = [one for one in left if one not in above]
        reached += above
    return False


def _issued(certificate: "x509.Certificate", by: "x509.Certificate") -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def unchecked_method(response: bytes) -> str:
    """RSASSA-PSS (RFC 4056) or Ed25519 (RFC 8419), where the authority signed so: the library checks neither; else empty.

    Nothing can be said then of a token over the right octets: neither that it holds nor that it does not.
    """
    try:
        signers = _children(response, *_signed_data(response)[-1][1:], 0x30)
        parts = _children(response, *signers[0][1:], None)
        method = next(part for part, after in pairwise(parts) if part[0] == 0x30 and after[0] == 4)
        oid, *parameters = _children(response, *method[1:], None)
    except (IndexError, StopIteration):
        return ""
    name = response[oid[1] : oid[2]]
    if name == _PSS and [tag for tag, *_ in parameters] == [_SEQUENCE]:
        return "RSASSA-PSS"
    return "Ed25519" if name == _ED25519 and not parameters else ""


_PSS, _ED25519 = bytes.fromhex("2a864886f70d01010a"), bytes.fromhex("2b6570")


def stamped_at(response: bytes) -> datetime:
    """The time that a token claims, unchecked."""
    with _reading():
        at: datetime = _decoded(response).tst_info.gen_time
        return at.astimezone(UTC)


def is_over(response: bytes, note: bytes) -> bool:
    """Whether a token is over this note, unchecked whether it holds."""
    with _reading():
        return bool(_decoded(response).tst_info.message_imprint.message == sha256(note).digest())


def renew_before(stamped: Stamped) -> datetime:
    """When a head with this token wants a new one, while the old one can still be checked without further ado."""
    return stamped.expires - RENEW


def certificates_from_pem(content: bytes) -> tuple["x509.Certificate", ...]:
    """Certificates out of a PEM file; raises :class:`ParseError`."""
    from cryptography import x509

    try:
        return tuple(x509.load_pem_x509_certificates(content[: 1 << 20]))
    except ValueError as problem:
        raise ParseError("certificates in PEM form were expected") from problem


def _nonce(request: bytes) -> int | None:
    from rfc3161_client import _rust

    try:
        return _rust.parse_timestamp_request(request).nonce
    except ValueError as problem:
        raise ParseError("not a time-stamp query") from problem


def _signing_certificates(certificates: Sequence["x509.Certificate"]) -> list["x509.Certificate"]:
    """Those whose one purpose, marked critical, is time-stamping (RFC 3161 §2.3)."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    found = []
    for certificate in certificates:
        try:
            usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        except (x509.ExtensionNotFound, ValueError):
            continue
        if usage.critical and list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]:
            found.append(certificate)
    return found


@contextmanager
def _reading() -> Iterator[None]:
    """What the libraries say of a token that is not of its form, some of it only as a part is read, as ours."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import InvalidVersion

    try:
        yield
    except ParseError:
        raise
    except (ValueError, LookupError, TypeError, ArithmeticError, UnsupportedAlgorithm, InvalidVersion) as problem:
        raise ParseError("not a time-stamp response of RFC 3161") from problem


def _decoded(response: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN202 - the library's own type, imported late
    from rfc3161_client import decode_timestamp_response

    if len(response) > MAX_RESPONSE:
        raise ParseError(f"a time-stamp of more than {MAX_RESPONSE} octets")
    for octets in (response, _with_sorted_certificates(response)):
        try:
            decoded = decode_timestamp_response(octets)
            decoded.signed_data.certificates  # noqa: B018 - it is read here or never
        except ValueError:
            continue
        if decoded.status != 0:
            raise ParseError("the authority refused to time-stamp")
        return decoded
    raise ParseError("not a time-stamp response of RFC 3161")


# --- certificates in the order that DER asks for ----------------------------------------------------------------------

_SEQUENCE, _SET, _CONTEXT_0 = 0x30, 0x31, 0xA0


def _with_sorted_certificates(response: bytes) -> bytes:
    """The response with its certificates sorted as X.690 §11.6 asks: OpenSSL writes them as they come.

    They stand outside of what is signed, and sorting changes no length.  Returns the response itself where it is not
    of that form.
    """
    try:
        certificates = next(part for part in _signed_data(response)[3:] if part[0] == _CONTEXT_0)
        found = _elements(response, certificates[1], certificates[2])
    except (IndexError, StopIteration):
        return response
    ordered = b"".join(sorted(response[start:end] for start, end in found))
    return response[: certificates[1]] + ordered + response[certificates[2] :]


def _signed_data(response: bytes) -> list[tuple[int, int, int]]:
    """The parts of TimeStampResp { status, ContentInfo { oid, [0] { SignedData; IndexError for another form."""
    place = _children(response, 0, len(response), _SEQUENCE)[0]
    token = _children(response, *place[1:], None)[1]
    explicit = _children(response, *token[1:], None)[1]
    signed_data = _children(response, *explicit[1:], None)[0]
    return _children(response, *signed_data[1:], None)


def _children(octets: bytes, start: int, end: int, tag: int | None) -> list[tuple[int, int, int]]:
    """Tag and content of each element in a stretch."""
    found = []
    for first, after in _elements(octets, start, end):
        header = _header(octets, first)
        if tag is not None and octets[first] != tag:
            raise IndexError
        found.append((octets[first], first + header, after))
    return found


def _elements(octets: bytes, start: int, end: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    while start < end:
        header = _header(octets, start)
        length = octets[start + 1]
        if length & 0x80:
            length = int.from_bytes(octets[start + 2 : start + header], "big")
        after = start + header + length
        if after > end or len(found) > 32:
            raise IndexError
        found.append((start, after))
        start = after
    return found


def _header(octets: bytes, start: int) -> int:
    """Octets of tag and length; IndexError for a form that DER does not have."""
    length = octets[start + 1]
    if not length & 0x80:
        return 2
    more = length & 0x7F
    if not 1 <= more <= 4:
        raise IndexError
    return 2 + more
