"""DNSSEC validated over name spaces that are signed here: what is secure, and everything that must not be."""

import importlib.util
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dns.dnssec
import dns.message
import dns.name
import dns.rdata
import dns.rdataset
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from deliverability.errors import ParseError
from deliverability.evidence.observation import CouldNotLook, DnsQuestion, Observations, Obstacle, Unobserved
from deliverability.protocols import dnssec_absence, dnssec_keys, dnssec_records
from deliverability.protocols.dnssec import (
    IANA_ANCHORS,
    Reason,
    Status,
    TrustAnchor,
    Validation,
    Validator,
    anchors_of,
    signed,
    validate,
)
from deliverability.protocols.dnssec_chain import chain_for
from deliverability.protocols.observed import observation_from_json, observation_to_json

_spec = importlib.util.spec_from_file_location("dnssec_world", Path(__file__).parents[1] / "dnssec_world.py")
signing = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(signing)

NOW, DAY = signing.NOW, signing.DAY
T, name = signing.T, signing.name
DENIALS = [
    pytest.param({}, id="nsec"),
    pytest.param({"nsec3": True}, id="nsec3"),
    pytest.param({"nsec3": True, "iterations": 5, "salt": b"\xab\xcd"}, id="nsec3-salt"),
]


def make(algorithm: int = 13, root: dict | None = None, **how) -> "signing.World":
    """Root, TLD, a shop with all kinds of names, and a neighbour that is not signed."""
    world = signing.World()
    world.zone("", **{"algorithm": algorithm, **how, **(root or {})})
    world.zone("example", algorithm=algorithm, **how)
    shop = world.zone("shop.example", algorithm=algorithm, **how)
    shop.add(name("shop.example"), "MX", "10 mx1.shop.example.", "20 mx2.shop.example.")
    shop.add(name("mx1.shop.example"), "A", "192.0.2.25")
    shop.add(name("a.b.shop.example"), "TXT", '"deep"')
    shop.add(name("*.wild.shop.example"), "A", "192.0.2.26")
    shop.add(name("*.aliases.shop.example"), "CNAME", "mx1.shop.example.")
    shop.add(name("www.shop.example"), "CNAME", "mx1.shop.example.")
    shop.add(name("out.shop.example"), "CNAME", "www.plain.example.")
    shop.add(name("gone.shop.example"), "CNAME", "no.shop.example.")
    plain = world.zone("plain.example", algorithm=None)
    plain.add(name("www.plain.example"), "A", "192.0.2.80")
    return world


def judge(world, question: str, at: int = NOW, anchors=None) -> Validation:
    owner, _, rdtype = question.partition(" ")
    trusted = anchors_of(anchors or world.anchors)
    return world.settle(lambda seen: validate(signed(owner, rdtype), seen, at, trusted))[0]


def said(found: Validation) -> tuple[Status, Reason]:
    return found.status, found.reason


SECURE = [
    ("shop.example MX", 2),
    ("mx1.shop.example A", 1),
    ("a.b.shop.example TXT", 1),
    ("mx1.shop.example AAAA", 0),  # no such type
    ("b.shop.example A", 0),  # an empty non-terminal
    ("wild.shop.example A", 0),
    ("no.shop.example A", 0),  # no such name
    ("zzz.shop.example A", 0),
    ("_25._tcp.mx1.shop.example TLSA", 0),
    ("x.wild.shop.example A", 1),  # wildcards
    ("x.y.wild.shop.example A", 1),
    ("*.wild.shop.example A", 1),
    ("x.wild.shop.example AAAA", 0),
    ("www.shop.example A", 1),  # aliases
    ("www.shop.example CNAME", 1),
    ("x.aliases.shop.example A", 1),
    ("gone.shop.example A", 0),
    ("shop.example DS", 1),
    ("plain.example DS", 0),
    ("no.example DS", 0),
    (" DNSKEY", 1),
    ("nowhere A", 0),
]


@pytest.mark.parametrize("how", DENIALS)
@pytest.mark.parametrize(("question", "count"), SECURE)
def test_secure(question: str, count: int, how: dict) -> None:
    found = judge(make(**how), question)
    assert said(found) == (Status.SECURE, Reason.NONE), found
    assert len(found.records) == count
    assert (found.valid_from, found.valid_until) == (NOW - DAY, NOW + 10 * DAY)


@pytest.mark.parametrize("algorithm", [8, 10, 13, 14, 15, 16])
def test_algorithms(algorithm: int) -> None:
    world = make(algorithm)
    found = judge(world, "shop.example MX")
    assert said(found) == (Status.SECURE, Reason.NONE)
    records = sorted((r.preference, r.value) for r in found.records)
    assert records == [(10, "mx1.shop.example"), (20, "mx2.shop.example")]
    assert judge(world, "no.shop.example MX").status is Status.SECURE


@pytest.mark.parametrize("digest", ["SHA1", "SHA256", "SHA384"])
def test_digests(digest: str) -> None:
    assert judge(make(digest=digest), "shop.example MX").status is Status.SECURE


def test_a_sha1_digest_beside_a_better_one_counts_for_nothing() -> None:
    world = make()
    shop, example = world.zones[name("shop.example")], world.zones[name("example")]
    del example.sets[name("shop.example"), int(T.DS)]
    wrong = shop.ds().to_text()[:-8] + "00000000"
    shop.digest = "SHA1"
    example.add(name("shop.example"), "DS", shop.ds().to_text(), wrong)
    assert said(judge(world, "shop.example MX")) == (Status.BOGUS, Reason.DS_MISMATCH)


@pytest.mark.parametrize("algorithm", [5, 7])
def test_what_is_signed_with_sha1_is_insecure(algorithm: int) -> None:
    """RFC 9905 §2."""
    world = make()
    world.zone("old.example", algorithm=algorithm).add(name("old.example"), "A", "192.0.2.1")
    found = judge(world, "old.example A")
    assert (*said(found), found.where) == (Status.INSECURE, Reason.UNSUPPORTED_ALGORITHM, "old.example")


def test_rounds() -> None:
    """Two rounds for a chain, three to show that there is none: what will be needed is asked along."""
    world = make()
    judge(world, "shop.example MX")
    assert (world.rounds, len(world.asked)) == (2, 6)
    judge(world, "www.plain.example A")
    assert world.rounds <= 4


def test_every_question_is_asked_with_its_signatures() -> None:
    with pytest.raises(Unobserved) as missing:
        validate(DnsQuestion("shop.example", "MX"), Observations(), NOW)
    assert missing.value.questions == (signed("shop.example", "MX"), signed("", "DNSKEY"))


# --- insecure ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", DENIALS)
@pytest.mark.parametrize("question", ["www.plain.example A", "no.plain.example A", "a.b.c.plain.example A"])
def test_below_an_unsigned_delegation(question: str, how: dict) -> None:
    found = judge(make(**how), question)
    assert (*said(found), found.where) == (Status.INSECURE, Reason.UNSIGNED_DELEGATION, "plain.example")


@pytest.mark.parametrize("how", DENIALS)
def test_an_alias_out_of_what_is_signed(how: dict) -> None:
    found = judge(make(**how), "out.shop.example A")
    assert said(found) == (Status.INSECURE, Reason.UNSIGNED_DELEGATION)
    assert (found.alias_status, found.canonical_name) == (Status.SECURE, "www.plain.example")
    assert [r.value for r in found.records] == ["192.0.2.80"]


def test_a_signed_zone_without_ds_is_insecure() -> None:
    world = make()
    world.zone("island.example", delegate=False).add(name("island.example"), "A", "192.0.2.1")
    assert said(judge(world, "island.example A")) == (Status.INSECURE, Reason.UNSIGNED_DELEGATION)


def test_opt_out() -> None:
    world = make(nsec3=True, opt_out=True)
    assert said(judge(world, "www.plain.example A")) == (Status.INSECURE, Reason.OPT_OUT)
    assert said(judge(world, "no.shop.example A")) == (Status.INSECURE, Reason.OPT_OUT)
    assert judge(world, "shop.example MX").status is Status.SECURE
    assert judge(world, "mx1.shop.example AAAA").status is Status.SECURE


@pytest.mark.parametrize(("iterations", "status"), [(100, Status.SECURE), (101, Status.INSECURE)])
def test_nsec3_iterations(iterations: int, status: Status) -> None:
    """RFC 9276 §3.2; what needs no proof of absence does not depend on them."""
    world = make(nsec3=True, iterations=iterations)
    assert judge(world, "no.shop.example A").status is status
    assert judge(world, "shop.example MX").status is Status.SECURE


def test_too_many_iterations_count_only_if_they_are_signed() -> None:
    """Else anybody could raise the number on the way, and with it switch DNSSEC off."""
    world = make(nsec3=True)

    def raised(message: dns.message.Message) -> None:
        for rrset in message.authority:
            if rrset.rdtype == T.NSEC3:
                rdata = rrset[0]
                rrset.clear()
                rrset.add(rdata.replace(iterations=500))

    world.tamper["no.shop.example A"] = raised
    assert said(judge(world, "no.shop.example A")) == (Status.BOGUS, Reason.SIGNATURE_WRONG)


# --- bogus ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "times", "reason"),
    [
        ("shop.example", {"expiration": NOW - 1}, Reason.EXPIRED),
        ("example", {"expiration": NOW - 1}, Reason.EXPIRED),
        ("", {"expiration": NOW - 1}, Reason.EXPIRED),
        ("shop.example", {"inception": NOW + 1}, Reason.NOT_YET_VALID),
        ("", {"inception": NOW + 1}, Reason.NOT_YET_VALID),
    ],
)
def test_times(zone: str, times: dict, reason: Reason) -> None:
    world = make()
    for field, value in times.items():
        setattr(world.zones[name(zone)], field, value)
    found = judge(world, "shop.example MX")
    assert (*said(found), found.where) == (Status.BOGUS, reason, zone or ".")


def test_the_ends_of_a_signatures_time_belong_to_it() -> None:
    world = make()
    for at, status in (
        (NOW - DAY - 1, Status.BOGUS),
        (NOW - DAY, Status.SECURE),
        (NOW + 10 * DAY, Status.SECURE),
        (NOW + 10 * DAY + 1, Status.BOGUS),
    ):
        assert judge(world, "shop.example MX", at).status is status


def test_another_key() -> None:
    """The zone is signed anew with a key that the zone above does not name."""
    world = make()
    shop = world.zones[name("shop.example")]
    shop.private = signing.key_of(13, 1)
    shop.key = dns.dnssec.make_dnskey(shop.private.public_key(), 13, flags=257)
    assert said(judge(world, "shop.example MX")) == (Status.BOGUS, Reason.NO_SUCH_KEY)
    shop.sets[shop.origin, int(T.DNSKEY)].clear()
    shop.add(shop.origin, "DNSKEY", shop.key.to_text())
    assert said(judge(world, "shop.example MX")) == (Status.BOGUS, Reason.DS_MISMATCH)


def test_another_trust_anchor() -> None:
    assert said(judge(make(), "shop.example MX", anchors=list(map(str, IANA_ANCHORS)))) == (
        Status.BOGUS,
        Reason.ANCHOR_MISMATCH,
    )


def strip(message: dns.message.Message) -> None:
    """Take every signature away."""
    for section in (message.answer, message.authority):
        section[:] = [rrset for rrset in section if rrset.rdtype != T.RRSIG]


def test_stripped_signatures() -> None:
    for question in ("shop.example MX", "no.shop.example A", "www.shop.example A", "x.wild.shop.example A"):
        world = make()
        world.tamper[question] = strip
        assert said(judge(world, question)) == (Status.BOGUS, Reason.UNSIGNED), question


@pytest.mark.parametrize(
    ("asked", "reason"), [("shop.example DS", Reason.UNSIGNED), ("example DNSKEY", Reason.UNSIGNED)]
)
def test_signatures_stripped_on_the_way_down(asked: str, reason: Reason) -> None:
    world = make()
    world.tamper[asked] = strip
    assert said(judge(world, "shop.example MX")) == (Status.BOGUS, reason)


def test_a_resolver_that_knows_no_signatures_is_told_apart() -> None:
    world = make()
    for question in ("shop.example MX", " DNSKEY", "example DS", "shop.example DS"):
        world.tamper[question] = strip
    found = judge(world, "shop.example MX")
    assert (*said(found), found.where) == (Status.INDETERMINATE, Reason.NO_SIGNATURES, ".")


@pytest.mark.parametrize("how", DENIALS)
def test_a_removed_ds(how: dict) -> None:
    """DS taken out of an answer, whatever is put in its place, proves nothing about the delegation."""
    world = make(**how)
    honest = world.message(signed("shop.example", "DS"))
    other = world.message(signed("plain.example", "DS"))
    apex = world.message(signed("shop.example", "AAAA"))

    def removed(authority):
        def change(message: dns.message.Message) -> None:
            message.answer[:] = []
            message.authority[:] = authority

        return change

    for authority in ([], honest.authority, other.authority, apex.authority):
        world.tamper["shop.example DS"] = removed(list(authority))
        world.tamper["shop.example MX"] = strip
        world.tamper["shop.example DNSKEY"] = strip
        assert judge(world, "shop.example MX").status is Status.BOGUS


@pytest.mark.parametrize("how", DENIALS)
def test_an_absence_proved_by_records_of_another_name(how: dict) -> None:
    """Every signed denial of the zone, for a name that is there."""
    world = make(**how)
    shop = world.zones[name("shop.example")]
    for owner, rrset in shop._chain().items():
        if owner == name("mx1.shop.example"):
            continue

        def replaced(message: dns.message.Message, rrset=rrset) -> None:
            message.answer[:] = []
            message.authority[:] = [rrset, shop.sign(rrset)]

        world.tamper["mx1.shop.example A"] = replaced
        assert judge(world, "mx1.shop.example A").status is Status.BOGUS, owner


@pytest.mark.parametrize("how", DENIALS)
def test_the_parents_record_of_a_delegation_proves_nothing_below_it(how: dict) -> None:
    """RFC 6840 §4.1, RFC 5155 §8.3: the TLD's own denial at the cut, replayed for a name of the child."""
    world = make(**how)
    tld = world.zones[name("example")]
    proofs = list(tld._chain().values())

    def replaced(message: dns.message.Message) -> None:
        message.answer[:] = []
        message.authority[:] = [one for rrset in proofs for one in (rrset, tld.sign(rrset))]

    world.tamper["mx1.shop.example A"] = replaced
    world.tamper["shop.example A"] = replaced
    assert judge(world, "mx1.shop.example A").status is Status.BOGUS
    assert judge(world, "shop.example A").status is Status.BOGUS


@pytest.mark.parametrize("how", DENIALS)
def test_a_wildcard_in_place_of_a_name_that_is_there(how: dict) -> None:
    world = make(**how)
    shop = world.zones[name("shop.example")]
    shop.add(name("here.wild.shop.example"), "A", "192.0.2.99")
    expanded = world.message(signed("x.wild.shop.example", "A"))

    def replaced(message: dns.message.Message) -> None:
        answers = [dns.rrset.from_rdata_list(message.question[0].name, 300, list(r)) for r in expanded.answer]
        message.answer[:] = answers
        message.authority[:] = expanded.authority

    world.tamper["here.wild.shop.example A"] = replaced
    assert said(judge(world, "here.wild.shop.example A")) == (Status.BOGUS, Reason.NOT_PROVED)


def test_records_of_a_zone_signed_by_its_neighbour() -> None:
    world = make()
    world.zone("rogue.example", key_number=3)
    rogue = world.zones[name("rogue.example")]

    def replaced(message: dns.message.Message) -> None:
        mx = dns.rrset.from_text("shop.example.", 300, "IN", "MX", "5 mx.rogue.example.")
        message.answer[:] = [mx, rogue.sign(mx)]

    world.tamper["shop.example MX"] = replaced
    assert judge(world, "shop.example MX").status is Status.BOGUS


def test_alias_loops_end() -> None:
    world = make()
    shop = world.zones[name("shop.example")]
    shop.add(name("l1.shop.example"), "CNAME", "l2.shop.example.")
    shop.add(name("l2.shop.example"), "CNAME", "l1.shop.example.")
    assert said(judge(world, "l1.shop.example A")) == (Status.BOGUS, Reason.ALIASES)
    for index in range(15):
        shop.add(name(f"c{index}.shop.example"), "CNAME", f"c{index + 1}.shop.example.")
    assert said(judge(world, "c0.shop.example A")) == (Status.BOGUS, Reason.ALIASES)


def test_a_dname() -> None:
    """The CNAME made from it carries no signature (RFC 6672 §5.3.1)."""
    world = make()
    shop = world.zones[name("shop.example")]
    shop.add(name("old.shop.example"), "DNAME", "shop.example.")
    dname = dns.rrset.from_text("old.shop.example.", 300, "IN", "DNAME", "shop.example.")

    def made(target: str):
        def change(message: dns.message.Message) -> None:
            alias = dns.rrset.from_text("mx1.old.shop.example.", 300, "IN", "CNAME", target)
            message.answer[:] = [dname, shop.sign(dname), alias]
            message.authority[:] = []
            message.set_rcode(0)

        return change

    world.tamper["mx1.old.shop.example A"] = made("mx1.shop.example.")
    found = judge(world, "mx1.old.shop.example A")
    assert (*said(found), len(found.records)) == (Status.SECURE, Reason.NONE, 1)
    world.tamper["mx1.old.shop.example A"] = made("mx2.shop.example.")
    assert judge(world, "mx1.old.shop.example A").status is Status.BOGUS


# --- what could not be looked at, and what costs too much ------------------------------------------------------------


def test_a_missing_link_is_no_proof() -> None:
    for question in ("shop.example MX", "shop.example DS", "shop.example DNSKEY", "example DS", " DNSKEY"):
        owner, _, rdtype = question.partition(" ")
        world = make()
        asked = signed(owner, rdtype)
        world.obstacles[str(asked)] = CouldNotLook(asked, Obstacle.TIMEOUT, "", "192.0.2.53:53", signing.SEEN_AT)
        found = judge(world, "shop.example MX")
        assert said(found) == (Status.INDETERMINATE, Reason.COULD_NOT_LOOK), question
        assert found.obstacle.question == asked
        assert "timeout" in found.told


@pytest.mark.parametrize("wire", [b"", b"\0" * 12, b"\xff" * 40])
def test_answers_without_octets_are_no_answers(wire: bytes) -> None:
    """As in observations recorded before signatures were asked for."""
    world = make()
    answer = replace(world.observe(signed("shop.example", "MX")), wire=wire)
    found = world.settle(lambda seen: validate(answer.question, seen, NOW), Observations.of([answer]))[0]
    assert found.status is Status.INDETERMINATE


def test_an_answer_to_another_question_is_none() -> None:
    world = make()
    other = replace(world.observe(signed("mx1.shop.example", "A")), question=signed("shop.example", "A"))
    found = world.settle(lambda seen: validate(other.question, seen, NOW), Observations.of([other]))[0]
    assert said(found) == (Status.INDETERMINATE, Reason.UNREADABLE)


def test_too_many_keys() -> None:
    world = make()
    shop = world.zones[name("shop.example")]
    for index in range(dnssec_keys.MAX_KEYS):
        shop.add(shop.origin, "DNSKEY", f"256 3 13 {dns.rdata._base64ify(bytes([index]) * 64, None)}")
    assert said(judge(world, "shop.example MX")) == (Status.INDETERMINATE, Reason.LIMIT)


def test_many_keys_of_one_tag() -> None:
    """KeyTrap, CVE-2023-50387: the tag is a sum, so any number of keys can be given the same."""
    world = make()
    shop = world.zones[name("shop.example")]
    key = shop.key.key
    for index in range(2, 12, 2):  # swap two 16-bit words: another key, the same sum
        swapped = key[index : index + 2] + key[2:index] + key[:2] + key[index + 2 :]
        shop.add(shop.origin, "DNSKEY", f"257 3 13 {dns.rdata._base64ify(swapped, None)}")
    tags = {dns.dnssec.key_id(one) for one in shop.sets[shop.origin, int(T.DNSKEY)]}
    assert len(tags) == 1
    # of all these only the one named by DS may sign the keys; the answer could be by any of them
    assert said(judge(world, "shop.example MX")) == (Status.INDETERMINATE, Reason.LIMIT)


def test_many_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are sent, a few are tried."""
    tried = []
    real = dns.dnssec.validate_rrsig
    monkeypatch.setattr(dns.dnssec, "validate_rrsig", lambda *a, **k: tried.append(1) or real(*a, **k))
    world = make()

    def multiplied(message: dns.message.Message) -> None:
        good = next(r for r in message.answer if r.rdtype == T.RRSIG)
        wrong = [good[0].replace(signature=bytes([n]) * 64) for n in range(200)]
        message.answer[:] = [r for r in message.answer if r is not good]
        message.answer.append(dns.rrset.from_rdata_list(good.name, 300, wrong))

    world.tamper["shop.example MX"] = multiplied
    assert said(judge(world, "shop.example MX")) == (Status.BOGUS, Reason.SIGNATURE_WRONG)
    assert len(tried) <= 5 + dnssec_keys.MAX_SIGNATURES


def test_all_verifications_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dnssec_keys.Budget.__init__, "__defaults__", (3,))
    assert said(judge(make(), "shop.example MX")) == (Status.INDETERMINATE, Reason.LIMIT)


def test_too_many_records_and_labels() -> None:
    world = make()

    def filled(message: dns.message.Message) -> None:
        addresses = [f"10.{n >> 8}.{n & 255}.1" for n in range(1100)]
        message.answer[:] = [dns.rrset.from_text("mx1.shop.example.", 1, "IN", "A", *addresses)]

    world.tamper["mx1.shop.example A"] = filled
    assert said(judge(world, "mx1.shop.example A")) == (Status.INDETERMINATE, Reason.LIMIT)
    long = ".".join(["a"] * (dnssec_records.MAX_LABELS + 1))
    assert said(validate(signed(long, "A"), Observations(), NOW)) == (Status.INDETERMINATE, Reason.LIMIT)


def test_an_alias_to_a_name_of_many_labels() -> None:
    world = make()
    long = ".".join(["a"] * dnssec_records.MAX_LABELS) + ".shop.example."
    world.zones[name("shop.example")].add(name("long.shop.example"), "CNAME", long)
    assert said(judge(world, "long.shop.example A")) == (Status.INDETERMINATE, Reason.LIMIT)


def test_more_denials_than_a_proof_needs() -> None:
    world = make(nsec3=True)
    shop = world.zones[name("shop.example")]

    def filled(message: dns.message.Message) -> None:
        for n in range(dnssec_absence.MAX_PROOFS + 1):
            shop.add(name(f"n{n}.shop.example"), "A", "192.0.2.1")
        message.authority[:] = list(shop._nsec3().values())

    world.tamper["no.shop.example A"] = filled
    assert said(judge(world, "no.shop.example A")) == (Status.INDETERMINATE, Reason.LIMIT)


@pytest.mark.parametrize("bits", [1024, 8192])
def test_sizes_of_rsa_keys(bits: int) -> None:
    numbers = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) | 1)
    key = dns.dnssec.make_dnskey.__globals__["DNSKEY"](
        dns.rdataclass.IN, T.DNSKEY, 257, 3, 8, b"\x03\x01\x00\x01" + numbers.n.to_bytes(bits // 8, "big")
    )
    found = dnssec_records.RecordSet(name("x"), int(T.DNSKEY), [key])
    assert len(dnssec_keys.zone_keys(found)) == (bits in dnssec_keys.RSA_BITS)


@pytest.mark.parametrize("rdtype", ["NONSENSE", "", "TYPE70000"])
def test_types_that_there_are_not(rdtype: str) -> None:
    assert said(validate(signed("shop.example", rdtype), Observations(), NOW)) == (
        Status.INDETERMINATE,
        Reason.UNREADABLE,
    )


@pytest.mark.parametrize("owner", ["a..b", "x" * 64, ".".join(["x" * 63] * 5)])
def test_names_that_the_dns_cannot_hold(owner: str) -> None:
    assert said(validate(signed(owner, "A"), Observations(), NOW)) == (Status.INDETERMINATE, Reason.UNREADABLE)


# --- trust anchors, chains, observations on record --------------------------------------------------------------------


def test_trust_anchors() -> None:
    assert [a.key_tag for a in IANA_ANCHORS] == [20326, 38696]
    assert anchors_of(()) == IANA_ANCHORS
    assert anchors_of(map(str, IANA_ANCHORS)) == IANA_ANCHORS
    assert TrustAnchor.parse(f". 172800 IN DS {IANA_ANCHORS[0]}") == IANA_ANCHORS[0]


@pytest.mark.parametrize(
    "text",
    ["", "20326 8 2", "20326 8 2 E0 6", "65536 8 2 E0", "1 256 2 E0", "example. IN DS 1 8 2 E0", "1 8 2 " + "E" * 999],
)
def test_what_is_no_trust_anchor(text: str) -> None:
    with pytest.raises(ParseError):
        TrustAnchor.parse(text)


@pytest.mark.parametrize("how", DENIALS)
@pytest.mark.parametrize(
    ("question", "length"),
    [
        ("shop.example MX", 6),
        ("a.b.shop.example TXT", 6),
        ("no.shop.example A", 6),
        ("out.shop.example A", 8),
        ("www.plain.example A", 5),
        ("q.r.s.plain.example A", 5),
    ],
)
def test_a_chain_proves_by_itself_and_nothing_in_it_is_idle(question: str, length: int, how: dict) -> None:
    world = make(**how)
    owner, _, rdtype = question.partition(" ")
    anchors = anchors_of(world.anchors)
    chain, seen = world.settle(lambda seen: chain_for(DnsQuestion(owner, rdtype), seen, anchors, NOW))
    again = [observation_from_json(json.loads(json.dumps(observation_to_json(a)))) for a in chain.answers]
    assert tuple(again) == chain.answers
    assert [str(a.question) for a in chain.answers][:2] == [". DNSKEY +dnssec", "example DS +dnssec"]
    assert len(chain.answers) <= length <= len(seen)
    alone = chain.validate(NOW, anchors)
    assert alone == chain.validation
    for left_out in chain.answers:
        rest = replace(chain, answers=tuple(a for a in chain.answers if a is not left_out))
        assert rest.validate(NOW, anchors).status is Status.INDETERMINATE
    assert chain.validate(NOW + 11 * DAY, anchors).status is Status.BOGUS
    assert chain.validate(NOW, IANA_ANCHORS).status is Status.BOGUS


def test_one_validator_proves_a_zone_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make()
    anchors = anchors_of(world.anchors)
    questions = [question.split(" ") for question, _ in SECURE]

    def all_of(seen: Observations) -> list[Validation]:
        validator = Validator(seen, NOW, anchors)
        return [validator.validate(owner, rdtype) for owner, rdtype in questions]

    seen = Observations()
    for owner, rdtype in questions:
        seen = world.settle(lambda known, o=owner, t=rdtype: validate(signed(o, t), known, NOW, anchors), seen)[1]
    tried = []
    real = dns.dnssec.validate_rrsig
    monkeypatch.setattr(dns.dnssec, "validate_rrsig", lambda *a, **k: tried.append(1) or real(*a, **k))
    assert all(found.status is Status.SECURE for found in all_of(seen))
    assert len(tried) < 4 * len(questions)


def test_serial_arithmetic_of_times() -> None:
    """Signatures made before 2106 that run out after it (RFC 4034 §3.1.5)."""
    end = 1 << 32
    world = make(inception=end - DAY)
    for zone in world.zones.values():
        zone.expiration = end - 1
    assert judge(world, "shop.example MX", end - 1).status is Status.SECURE
    assert judge(world, "shop.example MX", end + 5).status is Status.BOGUS
    assert datetime.fromtimestamp(end, UTC).year == 2106
