"""Signatures are asked for where they are wanted, and only there; what comes is kept as it came."""

import asyncio
import importlib.util
import json
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import pytest

from deliverability.capture.dns import DnsObserver, Nameserver
from deliverability.errors import ParseError
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observation, Observations
from deliverability.protocols.dnssec import Status, anchors_of, signed, validate
from deliverability.protocols.observed import observation_from_json, observation_to_json

_spec = importlib.util.spec_from_file_location("dnssec_world", Path(__file__).parents[1] / "dnssec_world.py")
signing = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(signing)


class Resolver(asyncio.DatagramProtocol):
    """Answers out of a signed name space; without DO it leaves the signatures out."""

    def __init__(self, world: "signing.World", *, edns: bool = True) -> None:
        self.world = world
        self.edns = edns
        self.queries: list[dns.message.Message] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        query = dns.message.from_wire(data)
        self.queries.append(query)
        reply = dns.message.make_response(query, recursion_available=True)
        if query.edns >= 0 and not self.edns:
            reply = dns.message.make_response(query)
            reply.use_edns(False)
            reply.set_rcode(1)
        else:
            asked = query.question[0]
            found = self.world.message(DnsQuestion(asked.name.to_text(), asked.rdtype.name))
            wanted = query.ednsflags & dns.flags.DO
            keep = [r for r in found.answer if wanted or r.rdtype != signing.T.RRSIG]
            reply.answer[:] = keep
            reply.authority[:] = found.authority if wanted else []
            reply.set_rcode(found.rcode())
        self.transport.sendto(reply.to_wire(max_size=4096), addr)


async def _observe(resolver: Resolver, *questions: DnsQuestion) -> tuple[Observation, ...]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: resolver, local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        return await DnsObserver((Nameserver("127.0.0.1", port),), timeout_seconds=5).observe(questions)
    finally:
        transport.close()


def observe(resolver: Resolver, *questions: DnsQuestion) -> tuple[Observation, ...]:
    return asyncio.run(_observe(resolver, *questions))


@pytest.fixture
def world() -> "signing.World":
    made = signing.World()
    for origin in ("", "example"):
        made.zone(origin)
    made.zones[signing.name("example")].add(signing.name("mx.example"), "A", "192.0.2.25")
    made.zones[signing.name("example")].add(signing.name("www.example"), "CNAME", "mx.example.")
    return made


def flags(query: dns.message.Message) -> tuple[bool, bool, bool]:
    """DO, CD, AD."""
    return (
        bool(query.ednsflags & dns.flags.DO),
        bool(query.flags & dns.flags.CD),
        bool(query.flags & dns.flags.AD),
    )


def test_flags(world: "signing.World") -> None:
    resolver = Resolver(world)
    observe(resolver, DnsQuestion("mx.example", "A"))
    observe(resolver, signed("mx.example", "A"))
    assert [flags(query) for query in resolver.queries] == [(False, False, True), (True, True, False)]
    assert [query.payload for query in resolver.queries] == [1232, 1232]


def test_both_questions_have_answers_of_their_own(world: "signing.World") -> None:
    plain, with_signatures = observe(Resolver(world), DnsQuestion("mx.example", "A"), signed("mx.example", "A"))
    assert isinstance(plain, DnsAnswer)
    assert isinstance(with_signatures, DnsAnswer)
    assert plain.records == with_signatures.records
    assert plain.question != with_signatures.question
    kinds = [{r.rdtype for r in dns.message.from_wire(one.wire).answer} for one in (plain, with_signatures)]
    assert [signing.T.RRSIG in kind for kind in kinds] == [False, True]


def test_what_was_captured_is_secure(world: "signing.World") -> None:
    questions = (signed("www.example", "A"), signed("example", "DS"), signed("example", "DNSKEY"), signed("", "DNSKEY"))
    seen = Observations.of(observe(Resolver(world), *questions))
    found = validate(questions[0], seen, signing.NOW, anchors_of(world.anchors))
    assert (found.status, [r.value for r in found.records]) == (Status.SECURE, ["192.0.2.25"])


def test_an_alias_that_leads_out_of_the_answer_is_left_to_be_asked(world: "signing.World") -> None:
    """What it leads to has signatures of its own, which one answer could not hold beside its own octets."""
    world.tamper["www.example A"] = lambda reply: reply.answer.__delitem__(slice(2, None))
    resolver = Resolver(world)
    (found,) = observe(resolver, signed("www.example", "A"))
    assert isinstance(found, DnsAnswer)
    assert (found.canonical_name, found.records, len(resolver.queries)) == ("mx.example", (), 1)
    observe(resolver, DnsQuestion("www.example", "A"))
    assert [query.question[0].name.to_text() for query in resolver.queries[1:]] == ["www.example.", "mx.example."]


def test_a_server_without_edns_has_no_signatures_to_give(world: "signing.World") -> None:
    questions = (signed("mx.example", "A"), signed("", "DNSKEY"))
    answers = observe(Resolver(world, edns=False), *questions)
    assert not any(isinstance(answer, CouldNotLook) for answer in answers)
    found = validate(questions[0], Observations.of(answers), signing.NOW, anchors_of(world.anchors))
    assert found.status is Status.INDETERMINATE


def test_the_flag_in_json(world: "signing.World") -> None:
    """Recorded before there was a flag: as ever; with it: as it was; another spelling of "without": refused."""
    plain, with_signatures = observe(Resolver(world), DnsQuestion("mx.example", "A"), signed("mx.example", "A"))
    assert "signed" not in observation_to_json(plain)
    for one in (plain, with_signatures):
        value = json.loads(json.dumps(observation_to_json(one)))
        assert observation_from_json(value) == one
    for other in (False, 1, "yes", None):
        with pytest.raises(ParseError):
            observation_from_json({**observation_to_json(plain), "signed": other})
    failed = CouldNotLook(signed("x", "A"), "timeout", "", "", signing.SEEN_AT)
    assert observation_from_json(observation_to_json(failed)) == failed
