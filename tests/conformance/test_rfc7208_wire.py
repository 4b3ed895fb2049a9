"""The RFC 7208 suite once more, over real DNS: a responder on loopback serves each scenario, our own observer asks.

The suite's usual runners replace the resolver, so what a resolver does to odd names, long TXT records, CNAMEs and errors
is never tested.  A name that must time out answers SERVFAIL, which means the same to SPF (RFC 7208 §2.6.6).
"""

import asyncio
import importlib.util
import socketserver
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.rrset
import pytest

from deliverability.capture.dns import DnsObserver, parse_nameserver
from deliverability.evidence.observation import (
    DnsAnswer,
    DnsQuestion,
    Observation,
    Observations,
    Rcode,
    Record,
    Unobserved,
)
from deliverability.protocols.spf import check_host

_SPEC = importlib.util.spec_from_file_location("rfc7208_suite", Path(__file__).with_name("test_rfc7208.py"))
assert _SPEC
assert _SPEC.loader
rfc7208 = importlib.util.module_from_spec(_SPEC)
sys.modules["rfc7208_suite"] = rfc7208
_SPEC.loader.exec_module(rfc7208)
scenarios = rfc7208.scenarios


class Server(socketserver.ThreadingUDPServer):
    """Answers from the scenario at hand."""

    daemon_threads = True
    zone: object = None


def wire_answer(zone: object, wire: bytes, limit: int) -> bytes:
    query = dns.message.from_wire(wire)
    asked = query.question[0]
    response = dns.message.make_response(query)
    response.flags |= dns.flags.RA
    name = b".".join(asked.name.labels[:-1]).decode("utf-8", "surrogateescape")
    found: Observation = zone.look(DnsQuestion(name, dns.rdatatype.to_text(asked.rdtype)))
    if not isinstance(found, DnsAnswer):
        response.set_rcode(dns.rcode.SERVFAIL)
        return response.to_wire()
    if found.rcode is Rcode.NXDOMAIN:
        response.set_rcode(dns.rcode.NXDOMAIN)
    owner = asked.name
    if found.canonical_name != name.lower().removesuffix("."):
        target = dns.name.Name([*(label.encode() for label in found.canonical_name.split(".")), b""])
        response.answer.append(dns.rrset.from_text(owner, 60, "IN", "CNAME", target.to_text()))
        owner = target
    if found.records:
        records = [rdata(asked.rdtype, record) for record in found.records]
        response.answer.append(dns.rrset.from_rdata_list(owner, 60, records))
    return response.to_wire(max_size=limit) if len(response.to_wire(max_size=65535)) <= limit else cut(response)


def cut(response: dns.message.Message) -> bytes:
    response.answer.clear()
    response.flags |= dns.flags.TC
    return response.to_wire()


def rdata(rdtype: int, record: Record) -> object:
    rdclass = dns.rdataclass.IN
    match dns.rdatatype.to_text(rdtype):
        case "TXT":
            return dns.rdtypes.ANY.TXT.TXT(rdclass, rdtype, record.strings or (b"",))
        case "MX":
            return dns.rdtypes.ANY.MX.MX(rdclass, rdtype, record.preference, absolute(record.value))
        case "PTR":
            return dns.rdtypes.ANY.PTR.PTR(rdclass, rdtype, absolute(record.value))
        case "A":
            return dns.rdtypes.IN.A.A(rdclass, rdtype, record.value)
        case _:
            return dns.rdtypes.IN.AAAA.AAAA(rdclass, rdtype, record.value)


def absolute(text: str) -> dns.name.Name:
    return dns.name.Name([*(label.encode() for label in text.removesuffix(".").split(".") if label), b""])


class Udp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, sock = self.request
        sock.sendto(wire_answer(self.server.zone, wire, 1232), self.client_address)


class Tcp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        size = struct.unpack("!H", self.request.recv(2))[0]
        answer = wire_answer(self.server.udp.zone, self.request.recv(size), 65535)
        self.request.sendall(struct.pack("!H", len(answer)) + answer)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    udp = Server(("127.0.0.1", 0), Udp)
    tcp = socketserver.ThreadingTCPServer(udp.server_address, Tcp)
    tcp.udp, tcp.daemon_threads = udp, True
    threads = [threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.05}) for one in (udp, tcp)]
    for thread in threads:
        thread.start()
    yield udp
    for one in (udp, tcp):
        one.shutdown()
        one.server_close()
    for thread in threads:
        thread.join()


async def evaluate(case: dict, observer: DnsObserver) -> tuple[str, str | None]:
    observations = Observations()
    for _round in range(60):
        try:
            found = check_host(case["host"], case["mailfrom"], case["helo"], observations, receiver="receiver")
        except Unobserved as missing:
            questions = [q for q in missing.questions if isinstance(q, DnsQuestion)]
        else:
            return found.result.value, found.explanation
        observations = observations.joined(await observer.observe(questions))
    raise AssertionError("asks without end")


def test_all_cases_of_the_suite_over_the_wire(scenarios: list[dict], server: Server) -> None:
    nameserver = parse_nameserver(f"127.0.0.1:{server.server_address[1]}")
    observer = DnsObserver(nameservers=(nameserver,), timeout_seconds=2.0)
    run, explained, failures = 0, 0, []
    for scenario in scenarios:
        server.zone = rfc7208.Zone(scenario["zonedata"])
        for name, case in scenario["tests"].items():
            run += 1
            result, explanation = asyncio.run(evaluate(case, observer))
            expected = case["result"] if isinstance(case["result"], list) else [case["result"]]
            wanted = case.get("explanation")
            if result not in expected:
                failures.append(f"{scenario['description']} / {name}: {result}, not {expected}")
            elif wanted and wanted != "DEFAULT" and result == "fail":
                explained += 1
                if explanation != wanted:
                    failures.append(f"{scenario['description']} / {name}: {explanation!r}, not {wanted!r}")
    assert failures == []
    assert run == rfc7208.CASES
    assert explained >= 10
