"""Proofs of absence record by record, and which keys count: what signed records say must not be read for more."""

import importlib.util
from pathlib import Path

import dns.dnssec
import dns.flags
import dns.message
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from deliverability.evidence.observation import DnsQuestion
from deliverability.protocols import dnssec_keys
from deliverability.protocols.dnssec import Reason, Status, anchors_of, signed, validate
from deliverability.protocols.dnssec_absence import Kind, prove, prove_wildcard
from deliverability.protocols.dnssec_keys import Budget, KeySet, Proof
from deliverability.protocols.dnssec_records import Message, RecordSet

_spec = importlib.util.spec_from_file_location("dnssec_world", Path(__file__).parents[1] / "dnssec_world.py")
signing = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(signing)
T, name, NOW, DAY = signing.T, signing.name, signing.NOW, signing.DAY
ZONE = name("example")


def believed(found: RecordSet) -> Proof:
    """As if every signature held, over the owner as it stands."""
    return Proof(len(found.owner) - (2 if found.owner.is_wild() else 1), NOW - DAY, NOW + DAY)


def authority(*lines: str) -> Message:
    sets = {}
    for line in lines:
        owner, rdtype, data = line.split(" ", 2)
        rrset = dns.rrset.from_text(f"{owner}.", 60, "IN", rdtype, data)
        sets[rrset.name, int(rrset.rdtype)] = RecordSet(rrset.name, int(rrset.rdtype), rrset)
    return Message({}, sets)


def absent(owner: str, rdtype: str, *lines: str, verify=believed) -> Kind:
    return prove(authority(*lines), ZONE, name(owner), int(T[rdtype]), verify).kind


APEX = "example NSEC b.example. NS SOA RRSIG NSEC DNSKEY"


@pytest.mark.parametrize(
    ("owner", "rdtype", "lines", "kind"),
    [
        ("b.example", "MX", ["b.example NSEC d.example. A RRSIG NSEC"], Kind.NO_DATA),
        ("b.example", "A", ["b.example NSEC d.example. A RRSIG NSEC"], Kind.NOTHING),
        ("b.example", "A", ["b.example NSEC d.example. CNAME RRSIG NSEC"], Kind.NOTHING),
        # a delegation speaks of DS alone; the child's own record does not speak of DS
        ("b.example", "DS", ["b.example NSEC d.example. NS RRSIG NSEC"], Kind.DELEGATION),
        ("b.example", "DS", ["b.example NSEC d.example. NS DS RRSIG NSEC"], Kind.NOTHING),
        ("b.example", "DS", ["b.example NSEC d.example. A RRSIG NSEC"], Kind.NO_DATA),
        ("b.example", "DS", ["b.example NSEC d.example. NS SOA RRSIG NSEC"], Kind.NOTHING),
        ("b.example", "MX", ["b.example NSEC d.example. NS RRSIG NSEC"], Kind.NOTHING),
        # no such name: the name and the wildcard that would stand for it
        ("c.example", "A", ["b.example NSEC d.example. A RRSIG NSEC", APEX], Kind.NO_NAME),
        ("c.example", "A", ["b.example NSEC d.example. A RRSIG NSEC"], Kind.NOTHING),
        ("c.example", "A", [APEX], Kind.NOTHING),
        ("z.example", "A", ["y.example NSEC example. A RRSIG NSEC", APEX], Kind.NO_NAME),
        ("x.b.example", "A", ["b.example NSEC d.example. A RRSIG NSEC"], Kind.NO_NAME),
        ("x.b.example", "A", ["b.example NSEC d.example. NS RRSIG NSEC"], Kind.NOTHING),
        ("x.b.example", "A", ["b.example NSEC d.example. DNAME RRSIG NSEC"], Kind.NOTHING),
        # the next name is not of this zone
        ("c.example", "A", ["b.example NSEC d.test. A RRSIG NSEC", APEX], Kind.NOTHING),
        # an empty non-terminal
        ("c.example", "A", ["b.example NSEC x.c.example. A RRSIG NSEC"], Kind.NO_DATA),
        # a wildcard without the type, and one with it
        ("c.example", "MX", ["*.example NSEC b.example. A RRSIG NSEC", "b.example NSEC d.example. A RRSIG NSEC"], Kind.NO_DATA),
        ("c.example", "A", ["*.example NSEC b.example. A RRSIG NSEC", "b.example NSEC d.example. A RRSIG NSEC"], Kind.NOTHING),
        ("c.example", "A", ["*.example NSEC b.example. CNAME RRSIG NSEC", "b.example NSEC d.example. A RRSIG NSEC"], Kind.NOTHING),
        ("c.example", "A", [], Kind.NOTHING),
    ],
)  # fmt: skip
def test_nsec(owner: str, rdtype: str, lines: list[str], kind: Kind) -> None:
    assert absent(owner, rdtype, *lines) is kind


def test_a_denial_that_a_wildcard_was_expanded_to_denies_nothing() -> None:
    short = lambda found: Proof(1, NOW, NOW)  # noqa: E731
    assert absent("b.example", "MX", "b.example NSEC d.example. A RRSIG NSEC", verify=short) is Kind.NOTHING


@pytest.mark.parametrize(
    ("encloser", "lines", "kind"),
    [
        ("example", ["a.example NSEC c.example. A RRSIG NSEC"], Kind.NO_NAME),
        ("b.example", ["0.b.example NSEC c.b.example. A RRSIG NSEC"], Kind.NO_NAME),
        ("example", ["0.b.example NSEC c.b.example. A RRSIG NSEC"], Kind.NOTHING),  # b.example is there: closer
        ("example", ["c.example NSEC d.example. A RRSIG NSEC"], Kind.NOTHING),
        ("example", ["a.example NSEC x.a.b.example. A RRSIG NSEC"], Kind.NOTHING),  # the name itself is there
        ("example", [], Kind.NOTHING),
    ],
)
def test_nothing_closer_than_a_wildcard(encloser: str, lines: list[str], kind: Kind) -> None:
    assert prove_wildcard(authority(*lines), ZONE, name("a.b.example"), name(encloser), believed).kind is kind


def nsec3(
    owner: str, types: str, *, flags: int = 0, zone: str = "example", iterations: int = 0, algorithm: int = 1
) -> str:
    """A record at exactly this name, up to the next hash but one."""
    digest = dns.dnssec.nsec3_hash(name(owner), b"", iterations, 1)
    return f"{digest}.{zone} NSEC3 {algorithm} {flags} {iterations} - {_after(digest)} {types}"


def over(owner: str, *, flags: int = 0, zone: str = "example") -> str:
    """A record that covers this name and hardly another."""
    digest = dns.dnssec.nsec3_hash(name(owner), b"", 0, 1)
    return f"{_before(digest)}.{zone} NSEC3 1 {flags} 0 - {_after(digest)} A RRSIG"


def _shift(digest: str, by: int) -> str:
    import base64

    number = int.from_bytes(base64.b32hexdecode(digest), "big") + by
    return base64.b32hexencode(number.to_bytes(20, "big")).decode()


def _before(digest: str) -> str:
    return _shift(digest, -1)


def _after(digest: str) -> str:
    return _shift(digest, 1)


TOP = nsec3("example", "NS SOA RRSIG DNSKEY NSEC3PARAM")


@pytest.mark.parametrize(
    ("owner", "rdtype", "lines", "kind"),
    [
        ("b.example", "MX", [nsec3("b.example", "A RRSIG")], Kind.NO_DATA),
        ("b.example", "A", [nsec3("b.example", "A RRSIG")], Kind.NOTHING),
        ("b.example", "A", [nsec3("b.example", "CNAME RRSIG")], Kind.NOTHING),
        ("b.example", "DS", [nsec3("b.example", "NS")], Kind.DELEGATION),
        ("b.example", "DS", [nsec3("b.example", "NS SOA RRSIG")], Kind.NOTHING),
        ("c.example", "A", [TOP, over("c.example"), over("*.example")], Kind.NO_NAME),
        ("c.example", "A", [TOP, over("c.example")], Kind.NOTHING),
        ("c.example", "A", [TOP, over("*.example")], Kind.NOTHING),
        ("c.example", "A", [over("c.example"), over("*.example")], Kind.NOTHING),
        ("c.example", "MX", [TOP, over("c.example"), nsec3("*.example", "A RRSIG")], Kind.NO_DATA),
        ("c.example", "A", [TOP, over("c.example"), nsec3("*.example", "A RRSIG")], Kind.NOTHING),
        ("c.example", "A", [TOP, over("c.example", flags=1), over("*.example", flags=1)], Kind.OPT_OUT),
        ("c.example", "DS", [TOP, over("c.example", flags=1)], Kind.OPT_OUT),
        ("c.example", "DS", [TOP, over("c.example")], Kind.NOTHING),
        # below a delegation or a DNAME the zone has nothing to say
        ("x.b.example", "A", [nsec3("b.example", "NS"), over("x.b.example"), over("*.b.example")], Kind.NOTHING),
        ("x.b.example", "A", [nsec3("b.example", "DNAME RRSIG"), over("x.b.example"), over("*.b.example")], Kind.NOTHING),
        ("x.b.example", "A", [nsec3("b.example", "A RRSIG"), over("x.b.example"), over("*.b.example")], Kind.NO_NAME),
        # records of another zone's chain, of two chains, of unknown hashes
        ("b.example", "MX", [nsec3("b.example", "A RRSIG", zone="sub.example")], Kind.NOTHING),
        ("b.example", "MX", [nsec3("b.example", "A RRSIG"), nsec3("x.example", "A", iterations=1)], Kind.NOTHING),
        ("b.example", "MX", [nsec3("b.example", "A RRSIG", algorithm=2)], Kind.NOTHING),
        ("b.example", "MX", [nsec3("b.example", "A RRSIG", flags=2)], Kind.NOTHING),
        ("b.example", "MX", [nsec3("b.example", "A RRSIG", iterations=101)], Kind.ITERATIONS),
    ],
)  # fmt: skip
def test_nsec3(owner: str, rdtype: str, lines: list[str], kind: Kind) -> None:
    assert absent(owner, rdtype, *lines) is kind


def test_the_hash_example_of_the_specification() -> None:
    """RFC 5155 appendix A: salt AABBCCDD, 12 iterations."""
    assert dnssec_keys.hashed(name("example"), bytes.fromhex("aabbccdd"), 12) == b"0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM"
    assert dnssec_keys.hashed(name("*.w.Example"), bytes.fromhex("aabbccdd"), 12) == b"R53BQ7CC2UVMUBFU5OCMM6PERS9TK9EN"


# --- keys and signatures ----------------------------------------------------------------------------------------------


def dnskey(flags: int = 257, protocol: int = 3, algorithm: int = 13):
    return dns.rdata.from_text(dns.rdataclass.IN, T.DNSKEY, f"{flags} {protocol} {algorithm} {'A' * 86}==")


@pytest.mark.parametrize(
    ("key", "counts"),
    [
        (dnskey(), True),
        (dnskey(256), True),
        (dnskey(1), False),  # no zone key, RFC 4034 §2.1.1
        (dnskey(0), False),
        (dnskey(257 | 0x80), False),  # revoked, RFC 5011 §2.1
        (dnskey(protocol=2), False),
        (dnskey(algorithm=5), False),
        (dnskey(algorithm=253), False),
    ],
)
def test_keys_that_count(key, counts: bool) -> None:
    assert dnssec_keys.zone_keys(RecordSet(ZONE, int(T.DNSKEY), [key])) == ((key,) if counts else ())


def shop_of(world: "signing.World"):
    return world.zones[name("shop.example")]


@pytest.fixture
def world() -> "signing.World":
    made = signing.World()
    for origin in ("", "example", "shop.example"):
        made.zone(origin)
    shop_of(made).add(name("shop.example"), "MX", "10 mx1.shop.example.")
    return made


def judge(world: "signing.World", question: str = "shop.example MX"):
    owner, _, rdtype = question.partition(" ")
    anchors = anchors_of(world.anchors)
    found = world.settle(lambda seen: validate(signed(owner, rdtype), seen, NOW, anchors))[0]
    return found.status, found.reason


def test_a_zone_signs_for_no_other_name(world: "signing.World") -> None:
    shop, stranger = shop_of(world), dns.rrset.from_text("mx.test.", 60, "IN", "A", "192.0.2.1")
    found = RecordSet(stranger.name, int(T.A), stranger, tuple(shop.sign(stranger)))
    told = dnssec_keys.verify(found, KeySet(shop.origin, (shop.key,)), NOW, Budget())
    assert told == "other-signer"


@pytest.mark.parametrize("by_entry", [True, False])
def test_the_key_that_ds_names_signs_the_keys(world: "signing.World", by_entry: bool) -> None:
    """A second key may sign the records, but cannot vouch for itself."""
    shop = shop_of(world)
    entry = shop.private, shop.key
    second = signing.key_of(13, 7)
    working = second, dns.dnssec.make_dnskey(second.public_key(), 13, flags=256)
    shop.add(shop.origin, "DNSKEY", working[1].to_text())
    keys = world.message(DnsQuestion("shop.example", "DNSKEY"))
    shop.private, shop.key = working
    by_working = world.message(DnsQuestion("shop.example", "DNSKEY"))

    def replaced(message: dns.message.Message) -> None:
        message.answer[:] = (keys if by_entry else by_working).answer

    world.tamper["shop.example DNSKEY"] = replaced
    assert judge(world) == ((Status.SECURE, Reason.NONE) if by_entry else (Status.BOGUS, Reason.NO_SUCH_KEY))
    assert entry[1] != working[1]


def test_a_child_cannot_vouch_for_itself(world: "signing.World") -> None:
    """Its DS records signed by its own key, where the zone above has none."""
    island = world.zone("island.example", delegate=False)
    island.add(island.origin, "A", "192.0.2.1")
    ds = dns.rrset.from_rdata(island.origin, 300, island.ds())

    def replaced(message: dns.message.Message) -> None:
        message.answer[:] = [ds, island.sign(ds)]
        message.authority[:] = []

    world.tamper["island.example DS"] = replaced
    assert judge(world, "island.example A")[0] is Status.BOGUS


def test_an_alias_in_place_of_ds_is_proved_too(world: "signing.World") -> None:
    """An unsigned CNAME must not turn a delegation into a name of the zone above."""
    alias = dns.rrset.from_text("shop.example.", 300, "IN", "CNAME", "x.example.")
    tld = world.zones[ZONE]

    def replaced(message: dns.message.Message) -> None:
        message.answer[:] = [alias]
        message.authority[:] = []

    forged = dns.rrset.from_text("shop.example.", 300, "IN", "MX", "1 mx.evil.test.")

    def by_parent(message: dns.message.Message) -> None:
        message.answer[:] = [forged]

    world.tamper["shop.example DS"] = replaced
    world.tamper["shop.example MX"] = by_parent
    assert judge(world) == (Status.BOGUS, Reason.UNSIGNED)
    world.tamper["shop.example DS"] = lambda message: message.answer.__setitem__(slice(None), [alias, tld.sign(alias)])
    assert judge(world) == (Status.BOGUS, Reason.UNSIGNED)  # proved an alias: a name of a signed zone, unsigned


def test_ds_of_a_wildcard_delegates_nothing(world: "signing.World") -> None:
    tld = world.zones[ZONE]
    rogue = world.zone("rogue.example", delegate=False)
    rogue.add(rogue.origin, "A", "192.0.2.66")
    ds = dns.rrset.from_rdata(rogue.origin, 300, rogue.ds())

    def replaced(message: dns.message.Message) -> None:
        message.answer[:] = [ds, tld.sign(ds, name("*.example"))]
        message.authority[:] = []

    world.tamper["rogue.example DS"] = replaced
    assert judge(world, "rogue.example A") == (Status.BOGUS, Reason.NOT_PROVED)


def test_keys_of_a_wildcard_are_none(world: "signing.World") -> None:
    shop = shop_of(world)
    keys = dns.rrset.from_rdata_list(shop.origin, 300, list(shop.sets[shop.origin, int(T.DNSKEY)]))
    real = dns.dnssec.sign(
        dns.rrset.from_rdata_list(name("*.example"), 300, list(keys)), shop.private, shop.origin, shop.key,
        inception=NOW - DAY, expiration=NOW + DAY,
    )  # fmt: skip

    def replaced(message: dns.message.Message) -> None:
        message.answer[:] = [keys, dns.rrset.from_rdata(shop.origin, 300, real)]

    world.tamper["shop.example DNSKEY"] = replaced
    assert judge(world) == (Status.BOGUS, Reason.SIGNATURE_WRONG)


@pytest.mark.parametrize("change", ["query", "cut", "opcode", "servfail"])
def test_messages_that_are_no_answers(world: "signing.World", change: str) -> None:
    def changed(message: dns.message.Message) -> None:
        if change == "query":
            message.flags &= ~dns.flags.QR
        elif change == "cut":
            message.flags |= dns.flags.TC
        elif change == "opcode":
            message.set_opcode(4)
        else:
            message.set_rcode(2)

    world.tamper["shop.example MX"] = changed
    assert judge(world) == (Status.INDETERMINATE, Reason.UNREADABLE)
