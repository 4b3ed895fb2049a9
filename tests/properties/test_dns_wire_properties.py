"""The codec against dnspython: of every message that both read, both say the same; nothing else escapes."""

import random
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deliverability.capture import _dns_reply
from deliverability.capture.dns_query import KINDS, RefusedError, encode_name, encode_query
from deliverability.capture.dns_wire import Reply, UnfamiliarError, decode

NAMES = ["a.example", "b.example", "c.mail.b.example", "example", "", "_x-1.a.example", "x" * 63 + ".example"]
label = st.binary(min_size=1, max_size=12) | st.sampled_from([b"a", b"Mail", b"a.b", b'q"', b"\\", b" ", b"\xff"])


@st.composite
def names(draw: st.DrawFn) -> dns.name.Name:
    if draw(st.booleans()):
        return dns.name.from_text(draw(st.sampled_from(NAMES)) + ".")
    return dns.name.Name([*draw(st.lists(label, max_size=5)), b""])


def name_wire(name: dns.name.Name) -> bytes:
    return name.to_wire() or b""


@st.composite
def rdata(draw: st.DrawFn, kind: str) -> bytes:
    """The data of a record, uncompressed."""
    match kind:
        case "A":
            return draw(st.binary(min_size=4, max_size=4))
        case "AAAA":
            zeros = draw(st.sampled_from([0, 2, 9, 10, 12]))
            return bytes(zeros) + draw(st.binary(min_size=16 - zeros, max_size=16 - zeros))
        case "MX":
            return draw(st.binary(min_size=2, max_size=2)) + name_wire(draw(names()))
        case "TXT":
            strings = draw(st.lists(st.binary(max_size=255), min_size=1, max_size=3))
            return b"".join(bytes((len(one),)) + one for one in strings)
        case "SOA":
            return name_wire(draw(names())) + name_wire(draw(names())) + draw(st.binary(min_size=20, max_size=20))
        case "TLSA":
            matching = draw(st.integers(0, 3))
            shortest, longest = {1: (32, 32), 2: (64, 64)}.get(matching, (1, 80))
            return (
                draw(st.binary(min_size=2, max_size=2))
                + bytes((matching,))
                + draw(st.binary(min_size=shortest, max_size=longest))
            )
        case _:
            return name_wire(draw(names()))


@st.composite
def rrsets(draw: st.DrawFn, owners: list[dns.name.Name], kinds: list[str]) -> dns.rrset.RRset:
    kind = draw(st.sampled_from(kinds))
    found = dns.rrset.RRset(draw(st.sampled_from(owners)), dns.rdataclass.IN, dns.rdatatype.from_text(kind))
    found.ttl = draw(st.integers(0, 2**31 - 1))
    for _ in range(draw(st.integers(1, 3))):
        data = draw(rdata(kind))
        found.add(dns.rdata.from_wire("IN", kind, data, 0, len(data)))
    return found


@dataclass(frozen=True)
class Exchange:
    """A query and what an answer to it holds."""

    name: str
    kind: str
    query: bytes
    flags: int
    rcode: dns.rcode.Rcode
    sections: tuple[list[dns.rrset.RRset], ...]

    @property
    def wire(self) -> bytes:
        message = dns.message.make_response(dns.message.from_wire(self.query))
        message.flags |= self.flags
        message.set_rcode(self.rcode)
        message.answer, message.authority, message.additional = self.sections
        return message.to_wire(max_size=65535)


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    name, kind = draw(st.sampled_from(NAMES)), draw(st.sampled_from(sorted(KINDS)))
    query = encode_query(name, KINDS[kind], draw(st.integers(0, 65535)), draw(st.sampled_from([None, 1232])))
    owners = [dns.name.from_text(name + "."), dns.name.from_text("b.example."), draw(names())]
    flags = draw(st.sampled_from([0, dns.flags.RA, dns.flags.AD, dns.flags.AA, dns.flags.TC]))
    rcode = draw(st.sampled_from([dns.rcode.NOERROR] * 4 + [dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL]))
    sections = (
        draw(st.lists(rrsets(owners, [kind, kind, "CNAME", "TXT"]), max_size=4)),
        draw(st.lists(rrsets(owners, ["SOA", "NS"]), max_size=2)),
        draw(st.lists(rrsets(owners, ["A", "AAAA", "TXT"]), max_size=2)),
    )
    return Exchange(name, kind, query, int(flags), rcode, sections)


def by_codec(query: bytes, wire: bytes, kind: str) -> Reply | None:
    try:
        return decode(query, wire, KINDS[kind])
    except UnfamiliarError:
        return None


def by_dnspython(query: bytes, wire: bytes, name: str, kind: str) -> Reply | None:
    try:
        return _dns_reply.read(query, wire, name, kind)
    except RefusedError:
        return None


@given(exchanges())
def test_both_say_the_same(exchange: Exchange) -> None:
    wire = exchange.wire
    ours = by_codec(exchange.query, wire, exchange.kind)
    if ours is not None:
        assert ours == by_dnspython(exchange.query, wire, exchange.name, exchange.kind)


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(data=st.data())
def test_ordinary_answers_are_read_here(kind: str, data: st.DataObject) -> None:
    query = encode_query("a.example", KINDS[kind], 7, 1232)
    message = dns.message.make_response(dns.message.from_wire(query), recursion_available=True)
    owner = dns.name.from_text("A.example.")
    if kind == "AAAA":
        address = b"\x20\x01" + data.draw(st.binary(min_size=14, max_size=14))
        message.answer = [dns.rrset.from_rdata(owner, 60, dns.rdata.from_wire("IN", "AAAA", address, 0, 16))]
    elif kind == "TLSA":
        digest = b"\3\1\1" + data.draw(st.binary(min_size=32, max_size=32))
        message.answer = [dns.rrset.from_rdata(owner, 60, dns.rdata.from_wire("IN", "TLSA", digest, 0, len(digest)))]
    else:
        message.answer = [data.draw(rrsets([owner], [kind]))]
    wire = message.to_wire(max_size=65535)
    ours = by_codec(query, wire, kind)
    assert ours is not None
    assert ours.records
    assert ours == by_dnspython(query, wire, "a.example", kind)


@given(exchanges(), st.randoms(use_true_random=False), st.integers(1, 4))
def test_of_damaged_answers_both_say_the_same_or_one_says_nothing(
    exchange: Exchange, chance: random.Random, damages: int
) -> None:
    query, name, kind = exchange.query, exchange.name, exchange.kind
    broken = bytearray(exchange.wire)
    for _ in range(damages):
        broken[chance.randrange(2, len(broken))] = chance.choice([0, 1, 0x29, 0x3F, 0xC0, 0xFF, chance.randrange(256)])
    if chance.random() < 0.3:
        del broken[chance.randrange(12, len(broken)) :]
    ours, theirs = by_codec(query, bytes(broken), kind), by_dnspython(query, bytes(broken), name, kind)
    if ours is not None and theirs is not None:
        assert ours == theirs


@given(st.binary(max_size=200), st.sampled_from(sorted(KINDS)))
@example(b"", "A")
@example(b"\x00\x07\x81\x80\x00\x01\xff\xff\xff\xff\xff\xff", "TXT")
def test_garbage_raises_nothing_else(garbage: bytes, kind: str) -> None:
    query = encode_query("a.example", KINDS[kind], 7, 1232)
    assert by_codec(query, garbage, kind) is None
    by_codec(query, query[:2] + b"\x81\x80\x00\x01\x00\x02\x00\x01\x00\x01" + query[12:-11] + garbage, kind)


@given(
    st.text(max_size=40) | st.lists(st.text("abc-_é", min_size=1, max_size=30), max_size=12).map(".".join),
    st.sampled_from(sorted(KINDS)),
    st.integers(0, 65535),
    st.sampled_from([None, 512, 1232]),
)
def test_queries_are_those_that_dnspython_makes(name: str, kind: str, query_id: int, payload: int | None) -> None:
    try:
        theirs = _dns_reply.to_name(name)
    except RefusedError:
        with pytest.raises(RefusedError):
            encode_name(name)
        return
    message = dns.message.make_query(theirs, kind, use_edns=0 if payload else False, payload=payload or 0, id=query_id)
    message.flags |= dns.flags.AD
    assert encode_query(name, KINDS[kind], query_id, payload) == message.to_wire()
