"""TLSA records, and what servers showed, held against each other (RFC 7672)."""

import hashlib
import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.errors import ParseError
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, DnsQuestion, Obstacle, SmtpAnswer, SmtpProbe
from deliverability.protocols.certificate import public_key_info
from deliverability.protocols.dane import HostRecords, Match, Tlsa, host_records, match, reference_names
from deliverability.protocols.dnssec import Status, Validator, anchors_of

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
_spec = importlib.util.spec_from_file_location("dnssec_world", Path(__file__).parents[1] / "dnssec_world.py")
signing = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(signing)


def world_of(*, hosting: int | None = 13, **records: list[str]) -> "signing.World":
    """A shop in a signed zone, and a host's zone that is signed or not."""
    world = signing.World()
    world.zone("")
    world.zone("example")
    world.zone("shop.example")
    world.zone("host.example", algorithm=hosting)
    for question, texts in records.items():
        owner, _, rdtype = question.partition(" ")
        world.over(signing.name(owner)).add(signing.name(owner), rdtype, *texts)
    return world


def looked(world: "signing.World", host: str = HOST) -> HostRecords:
    anchors = anchors_of(world.anchors)
    return world.settle(lambda seen: host_records(host, Validator(seen, signing.NOW, anchors)))[0]


def test_a_host_with_records() -> None:
    found = looked(world_of(**{f"{HOST} A": ["192.0.2.25"], f"_25._tcp.{HOST} TLSA": [TLSA]}))
    assert (found.base, found.malformed, found.shown.status, found.published) == (HOST, 0, Status.SECURE, True)
    assert found.records == (Tlsa.parse(TLSA),)


def test_records_that_are_not_signed_bind_nobody() -> None:
    """The host's zone is not signed: nobody looks for its TLSA records (RFC 7672 §2.2.2)."""
    world = world_of(hosting=None, **{"mx.host.example A": ["192.0.2.25"], "_25._tcp.mx.host.example TLSA": [TLSA]})
    found = looked(world, "mx.host.example")
    assert (found.shown.status, found.records, found.published) == (Status.INSECURE, (), False)
    assert not any(question.rdtype == "TLSA" for question in world.asked)


ALIAS = {f"{HOST} CNAME": ["mail.host.example."], "mail.host.example A": ["192.0.2.25"]}


def test_an_alias_that_is_protected_is_followed_first() -> None:
    at_target, own = {"_25._tcp.mail.host.example TLSA": [TLSA]}, {f"_25._tcp.{HOST} TLSA": ["3 1 1 " + "cd" * 32]}
    found = looked(world_of(**ALIAS, **at_target, **own))
    assert (found.base, found.records) == ("mail.host.example", (Tlsa.parse(TLSA),))
    assert reference_names(found, Domain("shop.example")) == ("mail.host.example", HOST, "shop.example")
    assert looked(world_of(**ALIAS, **own)).base == HOST


def test_an_alias_out_of_what_is_signed_leaves_the_hosts_own_records() -> None:
    """RFC 7672 §2.2.2: the alias itself is secure, what it leads to is not."""
    own, at_target = {f"_25._tcp.{HOST} TLSA": [TLSA]}, {"_25._tcp.mail.host.example TLSA": ["3 1 1 " + "cd" * 32]}
    found = looked(world_of(hosting=None, **ALIAS, **own, **at_target))
    assert (found.base, found.records) == (HOST, (Tlsa.parse(TLSA),))


@pytest.mark.parametrize("question", [f"{HOST} A", f"{HOST} AAAA", f"_25._tcp.{HOST} TLSA"])
def test_what_could_not_be_looked_up_is_told(question: str) -> None:
    world = world_of(**{f"{HOST} A": ["192.0.2.25"], f"_25._tcp.{HOST} TLSA": [TLSA]})
    owner, _, rdtype = question.partition(" ")
    asked = DnsQuestion(owner, rdtype, signed=True)
    world.obstacles[str(asked)] = CouldNotLook(asked, Obstacle.SERVFAIL, "", "", NOW)
    found = looked(world)
    assert (found.shown.status, found.published, found.shown.obstacle.question) == (Status.INDETERMINATE, False, asked)
