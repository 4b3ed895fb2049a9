"""RSA keys are read by a small DER reader of our own; what it reads, it reads as dkimpy does."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from deliverability.protocols import _dkimpy
from deliverability.protocols.dkim_key import _rsa_numbers

NUMBERS = rsa.generate_private_key(65537, 1024).public_key().public_numbers()


def der(form: serialization.PublicFormat) -> bytes:
    return NUMBERS.public_key().public_bytes(serialization.Encoding.DER, form)


SPKI = der(serialization.PublicFormat.SubjectPublicKeyInfo)


def test_an_ordinary_key_is_read() -> None:
    assert _rsa_numbers(SPKI) == (NUMBERS.n, NUMBERS.e)


def test_other_forms_are_left_to_dkimpy() -> None:
    assert _rsa_numbers(der(serialization.PublicFormat.PKCS1)) is None
    assert _rsa_numbers(b"") is None
    assert _rsa_numbers(SPKI + b"\0") is None
    assert all(_rsa_numbers(SPKI[:length]) is None for length in range(len(SPKI)))


@given(st.integers(0, len(SPKI) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_damaged_key_is_read_as_dkimpy_reads_it_or_not_at_all(place: int, put: bytes, taken: int) -> None:
    octets = SPKI[:place] + put + SPKI[place + taken :]
    found = _rsa_numbers(octets)
    assert found is None or found == _dkimpy.rsa_numbers(octets)


@given(st.binary(max_size=60))
def test_octets_of_any_kind_are_no_trouble(octets: bytes) -> None:
    assert _rsa_numbers(octets) is None
