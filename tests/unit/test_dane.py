"""TLSA records, and what servers showed, held against each other (RFC 7672)."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.errors import ParseError
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    Observations,
    Obstacle,
    Rcode,
    Record,
    SmtpAnswer,
    SmtpProbe,
    Unobserved,
)
from deliverability.protocols.certificate import public_key_info
from deliverability.protocols.dane import Match, Tlsa, host_records, match, reference_names

NOW = datetime.now(UTC)
HOST = "mx1.shop.example"


def shown(leaf: bytes, *chain: bytes) -> SmtpAnswer:
    return SmtpAnswer(SmtpProbe(HOST), "192.0.2.25", "220", (), True, "TLSv1.3", leaf, chain, "untrusted", NOW)


def record(usage: int, selector: int, matching: int, der: bytes) -> Tlsa:
    selected = public_key_info(der) if selector else der
    digest = {0: bytes, 1: lambda b: hashlib.sha256(b).digest(), 2: lambda b: hashlib.sha512(b).digest()}[matching]
    return Tlsa(usage, selector, matching, digest(selected))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3 1 1 " + "ab" * 32, Tlsa(3, 1, 1, b"\xab" * 32)),
        ("2 0 2 " + "AB" * 32 + " " + "ab" * 32, Tlsa(2, 0, 2, b"\xab" * 64)),
        ("255 255 255 ", Tlsa(255, 255, 255, b"")),
    ],
)
def test_records(text: str, found: Tlsa) -> None:
    assert Tlsa.parse(text) == found


@pytest.mark.parametrize(
    "text", ["", "3 1 1", "3 1 1 abc", "3 1 1 xy", "256 1 1 ab", "-1 1 1 ab", "３ 1 1 ab", "3 1 1 ab\n"]
)
def test_what_is_no_record(text: str) -> None:
    with pytest.raises(ParseError):
        Tlsa.parse(text)


@given(st.text(max_size=100) | st.text("0123 abf", max_size=60))
def test_any_text_is_a_record_or_a_parse_error(text: str) -> None:
    try:
        found = Tlsa.parse(text)
    except ParseError:
        return
    assert max(found.usage, found.selector, found.matching) <= 255


@pytest.mark.parametrize(
    ("record", "usable"),
    [
        (Tlsa(3, 1, 1, b"x" * 32), True),
        (Tlsa(2, 0, 0, b"x"), True),
        (Tlsa(3, 0, 2, b"x" * 64), True),
        (Tlsa(3, 1, 1, b"x" * 31), False),
        (Tlsa(3, 1, 0, b""), False),
        (Tlsa(0, 1, 1, b"x" * 32), False),  # RFC 7672 §3.1.3
        (Tlsa(1, 1, 1, b"x" * 32), False),
        (Tlsa(3, 2, 1, b"x" * 32), False),
        (Tlsa(3, 1, 3, b"x" * 32), False),
    ],
)
def test_what_mail_servers_act_on(record: Tlsa, usable: bool) -> None:
    assert record.usable is usable


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_a_servers_own_certificate(authority, selector: int, matching: int) -> None:
    """Neither names nor dates nor who signed it count (RFC 7672 §3.1.1)."""
    past = {"first": NOW - timedelta(days=9), "last": NOW - timedelta(days=8)}
    leaf, other = authority.issue("other.example", **past), authority.issue(HOST)
    right, wrong = record(3, selector, matching, leaf.der), record(3, selector, matching, other.der)
    assert match([wrong, right], shown(leaf.der), [HOST]) is Match.MATCHES
    assert match([wrong], shown(leaf.der), [HOST]) is Match.MISMATCH


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_an_authority_above_it(authority, selector: int, matching: int) -> None:
    middle = authority.below("Middle")
    leaf = authority.issue_by(middle, HOST)
    chain = (middle.der, authority.root.der)
    for anchor in (middle, authority.root):
        records = [record(2, selector, matching, anchor.der)]
        assert match(records, shown(leaf.der, *chain), [HOST]) is Match.MATCHES
        assert match(records, shown(leaf.der, *reversed(chain)), [HOST]) is Match.MATCHES
        assert match(records, shown(leaf.der, *chain), ["other.example"]) is Match.MISMATCH
    assert (
        match([record(2, selector, matching, authority.root.der)], shown(leaf.der, middle.der), [HOST])
        is Match.MISMATCH
    )


def test_an_authority_with_nothing_to_hold_it_against(authority) -> None:
    leaf = authority.issue(HOST)
    anchor = record(2, 0, 1, authority.root.der)
    assert match([anchor], shown(leaf.der), [HOST]) is Match.CHAIN_NOT_SEEN
    assert match([anchor, record(3, 1, 1, leaf.der)], shown(leaf.der), [HOST]) is Match.MATCHES


def test_an_authority_that_did_not_sign_it(authority) -> None:
    """A certificate that is merely sent along vouches for nothing."""
    leaf, stranger = authority.unsigned(HOST), authority.root
    assert match([record(2, 0, 1, stranger.der)], shown(leaf.der, stranger.der), [HOST]) is Match.MISMATCH


def test_a_certificate_that_may_not_sign(authority) -> None:
    middle = authority.issue("not an authority")
    leaf = authority.issue_by(middle, HOST)
    assert match([record(2, 0, 1, middle.der)], shown(leaf.der, middle.der), [HOST]) is Match.MISMATCH


def test_an_expired_certificate_under_an_authority(authority) -> None:
    leaf = authority.issue(HOST, first=NOW - timedelta(days=9), last=NOW - timedelta(days=8))
    assert match([record(2, 0, 1, authority.root.der)], shown(leaf.der, authority.root.der), [HOST]) is Match.MISMATCH


def test_nothing_usable(authority) -> None:
    leaf = authority.issue(HOST).der
    assert match([record(1, 1, 1, leaf), Tlsa(3, 1, 1, b"short")], shown(leaf), [HOST]) is Match.UNUSABLE
    assert match([], shown(leaf), [HOST]) is Match.UNUSABLE


@given(st.binary(max_size=100), st.lists(st.binary(max_size=100), max_size=3))
def test_octets_that_are_no_certificates_match_nothing(leaf: bytes, chain: list[bytes]) -> None:
    records = [Tlsa(2, 1, 1, b"x" * 32), Tlsa(3, 1, 1, b"x" * 32), Tlsa(2, 0, 0, b"y")]
    assert match(records, shown(leaf, *chain), [HOST]) in (Match.MISMATCH, Match.CHAIN_NOT_SEEN)


# --- what the DNS says ------------------------------------------------------------------------------------------------

TLSA = "3 1 1 " + "ab" * 32


def dns(name: str, rdtype: str, *values: str, target: str = "", ad: bool = True) -> DnsAnswer:
    records = tuple(Record(value) for value in values)
    return DnsAnswer(DnsQuestion(name, rdtype), Rcode.NOERROR, records, target or name, 60, "192.0.2.53:53", NOW, ad)


def test_a_host_with_records() -> None:
    own = dns(f"_25._tcp.{HOST}", "TLSA", TLSA, "nonsense")
    answers = [dns(HOST, "A", "192.0.2.25"), dns(HOST, "AAAA"), own]
    found = host_records(HOST, Observations.of(answers))
    assert (found.base, found.malformed, found.authenticated, found.published) == (HOST, 1, True, True)
    assert found.records == (Tlsa.parse(TLSA),)
    for index in range(3):
        doubted = [replace(a, authenticated=i != index) for i, a in enumerate(answers)]
        assert not host_records(HOST, Observations.of(doubted)).authenticated


def test_an_alias_that_is_protected_is_followed_first() -> None:
    answers = [
        dns(HOST, "A", "192.0.2.25", target="mail.host.example"),
        dns(HOST, "AAAA", target="mail.host.example"),
        dns(f"_25._tcp.{HOST}", "TLSA"),
    ]
    with pytest.raises(Unobserved) as missing:
        host_records(HOST, Observations.of(answers))
    assert missing.value.questions == (DnsQuestion("_25._tcp.mail.host.example", "TLSA"),)
    expanded = dns("_25._tcp.mail.host.example", "TLSA", TLSA)
    found = host_records(HOST, Observations.of([*answers, expanded]))
    assert (found.base, len(found.records)) == ("mail.host.example", 1)
    assert reference_names(found, Domain("shop.example")) == ("mail.host.example", HOST, "shop.example")
    silent = CouldNotLook(expanded.question, Obstacle.SERVFAIL, "", "", NOW)
    assert host_records(HOST, Observations.of([*answers, silent])).obstacle == silent


def test_an_alias_that_is_not_protected_is_not_followed() -> None:
    answers = [
        dns(HOST, "A", "192.0.2.25", target="mail.host.example", ad=False),
        dns(HOST, "AAAA", target="mail.host.example", ad=False),
        dns(f"_25._tcp.{HOST}", "TLSA", TLSA),
    ]
    found = host_records(HOST, Observations.of(answers))
    assert (found.base, found.authenticated) == (HOST, False)
