"""Certificates as facts, and what is no certificate."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deliverability.errors import ParseError
from deliverability.protocols.certificate import (
    MAX_DER,
    Certificate,
    issued_by,
    public_key_info,
    read_certificate,
)

NOW = datetime.now(UTC)


def facts(*names: str) -> Certificate:
    return Certificate("", "", names, NOW, NOW + timedelta(days=1), "RSA", 1024, is_authority=False)


def test_what_it_says(authority) -> None:
    issued = authority.issue("MX1.shop.example", "*.mail.example")
    found = read_certificate(issued.der)
    assert found.names == ("mx1.shop.example", "*.mail.example")
    assert (found.subject, found.issuer) == ("CN=MX1.shop.example", "CN=Example Root")
    assert (found.key, found.bits, found.weak, found.is_authority) == ("secp256r1", 256, False, False)
    assert found.valid_at(NOW)
    assert not found.valid_at(NOW - timedelta(days=2))
    assert not found.valid_at(NOW + timedelta(days=31))
    assert timedelta(days=29) < found.left_at(NOW) < timedelta(days=31)
    assert read_certificate(authority.root.der).is_authority


@pytest.mark.parametrize(
    ("host", "held"),
    [
        ("mail.example", True),
        ("MAIL.example.", True),
        ("a.wild.example", True),
        ("wild.example", False),
        ("a.b.wild.example", False),
        ("xmail.example", False),
        (".wild.example", False),
        ("", False),
    ],
)
def test_names(host: str, held: bool) -> None:
    assert facts("mail.example", "*.wild.example").holds_for(host) is held


def test_a_weak_key() -> None:
    assert facts().weak


def test_who_issued_it(authority) -> None:
    middle = authority.below("Middle")
    leaf = authority.issue_by(middle, "mx1.shop.example")
    assert issued_by(leaf.der, middle.der)
    assert issued_by(middle.der, authority.root.der)
    assert not issued_by(leaf.der, authority.root.der)
    assert not issued_by(leaf.der, b"")
    assert not issued_by(b"x", leaf.der)


def test_the_key_is_cut_out_of_the_octets(authority) -> None:
    for issued in (authority.root, authority.issue("mx1.shop.example")):
        key = issued.certificate.public_key()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        assert public_key_info(issued.der) == key.public_bytes(serialization.Encoding.DER, form)


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x80", b"\x30\x85\x01\x01\x01\x01\x01", b"x" * (MAX_DER + 1)])
def test_what_is_no_certificate(der: bytes) -> None:
    with pytest.raises(ParseError):
        read_certificate(der)
    with pytest.raises(ParseError):
        public_key_info(der)


@given(octets=st.binary(max_size=300))
def test_any_octets_give_a_parse_error(octets: bytes) -> None:
    with pytest.raises(ParseError):
        read_certificate(octets)
    with pytest.raises(ParseError):
        public_key_info(octets)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data())
def test_a_damaged_certificate_raises_nothing_else(authority, data: st.DataObject) -> None:
    der = bytearray(authority.root.der)
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    for read in (read_certificate, public_key_info):
        try:
            found = read(bytes(der))
        except ParseError:
            continue
        assert found
