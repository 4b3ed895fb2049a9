"""What a broken DNS may never become: "missing", "fail", an exception, or a wait without end.

A real responder on loopback, UDP and TCP, breaks the answer to one question in every way that resolvers meet; the whole
domain check runs against it.  Trouble leaves that question open and adds no failure; only NXDOMAIN and NODATA say "no".
"""

import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from bounded import hang_guard
from free_ports import free_port

import deliverability
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.verdict import Outcome

"""Seconds for one whole check; each server gets 0.3 s, twice, for each question."""
KEY = "v=DKIM1; k=ed25519; p=srI47Cs5cxbByTQPnYSsEDMg4JY1jQ47TcE4hATE9n8="
ZONE = {
    ("host.example.", "TXT"): ['"v=spf1 mx ip4:192.0.2.0/24 -all"'],
    ("host.example.", "MX"): ["10 mx.host.example."],
    ("host.example.", "A"): ["192.0.2.1"],
    ("mx.host.example.", "A"): ["192.0.2.2"],
    ("mx.host.example.", "AAAA"): ["2001:db8::2"],
    ("_dmarc.host.example.", "TXT"): ['"v=DMARC1; p=reject; rua=mailto:r@host.example"'],
    ("s1._domainkey.host.example.", "TXT"): [f'"{KEY}"'],
}
TARGETS = {
    "spf": (("host.example.", "TXT"), "spf-published"),
    "dkim": (("s1._domainkey.host.example.", "TXT"), "dkim-key-published"),
    "dmarc": (("_dmarc.host.example.", "TXT"), "dmarc-published"),
    "mx": (("host.example.", "MX"), None),
}
TROUBLE = ("servfail", "refused", "silent", "cut-and-tcp-refused", "lame", "looping-cname", "garbage", "other-id")
NO = ("nxdomain", "nodata")


class Server:
    """Answers from ``ZONE``, except for one question."""

    def __init__(self) -> None:
        self.broken: tuple[str, str] | None = None
        self.how = ""
        self.asked = 0

    def reply(self, wire: bytes, *, over_tcp: bool) -> bytes | None:
        query = dns.message.from_wire(wire)
        asked = query.question[0]
        self.asked += 1
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        key = (asked.name.to_text().lower(), dns.rdatatype.to_text(asked.rdtype))
        if self.broken in (key, ("*", "*")):
            return self._break(response, asked, over_tcp=over_tcp)
        return self._fill(response, asked, key).to_wire()

    def _fill(self, response: dns.message.Message, asked: dns.rrset.RRset, key: tuple[str, str]) -> dns.message.Message:
        if key in ZONE:
            response.answer.append(dns.rrset.from_text(asked.name, 60, "IN", key[1], *ZONE[key]))
        elif not any(name == key[0] or name.endswith("." + key[0]) for name, _ in ZONE):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    def _break(self, response: dns.message.Message, asked: dns.rrset.RRset, *, over_tcp: bool) -> bytes | None:
        match self.how:
            case "servfail":
                response.set_rcode(dns.rcode.SERVFAIL)
            case "refused":
                response.set_rcode(dns.rcode.REFUSED)
            case "nxdomain":
                response.set_rcode(dns.rcode.NXDOMAIN)
            case "silent":
                return None
            case "cut-and-tcp-refused":
                if over_tcp:
                    return None  # the connection is closed without a word
                response.flags |= dns.flags.TC
            case "lame":
                response.flags &= ~dns.flags.RA
                response.authority.append(dns.rrset.from_text("example.", 60, "IN", "NS", "ns.elsewhere.example."))
            case "looping-cname":
                other = dns.name.from_text("loop.example.")
                response.answer.append(dns.rrset.from_text(asked.name, 60, "IN", "CNAME", other.to_text()))
                response.answer.append(dns.rrset.from_text(other, 60, "IN", "CNAME", asked.name.to_text()))
            case "garbage":
                return response.to_wire()[:4] + b"\xff" * 60
            case "other-id":
                return bytes([response.id >> 8 ^ 0xFF, response.id & 0xFF]) + response.to_wire()[2:]
        return response.to_wire()


class _Udp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, sock = self.request
        answer = self.server.brain.reply(wire, over_tcp=False)
        if answer is not None:
            sock.sendto(answer, self.client_address)


class _Tcp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        head = self.request.recv(2)
        if len(head) < 2:
            return
        answer = self.server.brain.reply(self.request.recv(struct.unpack("!H", head)[0]), over_tcp=True)
        if answer is not None:
            self.request.sendall(struct.pack("!H", len(answer)) + answer)


@contextmanager
def serving(brain: Server, *, tcp: bool = True) -> Iterator[str]:
    udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), _Udp)
    address = udp.server_address
    servers: list[socketserver.BaseServer] = [udp]
    if tcp:
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        servers.append(socketserver.ThreadingTCPServer(address, _Tcp))
    threads = []
    for server in servers:
        server.brain = brain
        server.daemon_threads = True
        threads.append(threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}))
        threads[-1].start()
    try:
        yield f"127.0.0.1:{address[1]}"
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()


def check(nameserver: str, selectors: tuple[str, ...] = ("s1",)) -> Assessment:
    network = deliverability.Network(nameservers=(nameserver,), timeout=0.3)
    request = deliverability.Request(network=network, from_ip="192.0.2.7", selectors=selectors)
    with hang_guard():
        return deliverability.check_domain("host.example", request)


def outcomes(assessment: Assessment) -> dict[str, Outcome]:
    return {verdict.check: verdict.outcome for verdict in assessment.verdicts}


@pytest.fixture(scope="module")
def brain() -> Server:
    return Server()


@pytest.fixture(scope="module")
def nameserver(brain: Server) -> Iterator[str]:
    with serving(brain) as address:
        yield address


@pytest.fixture(scope="module")
def healthy(brain: Server, nameserver: str) -> dict[str, Outcome]:
    brain.broken = None
    return outcomes(check(nameserver))


def test_the_healthy_zone_passes(healthy: dict[str, Outcome]) -> None:
    for name in ("spf-published", "spf-pass", "dkim-key-published", "dmarc-published", "dmarc-enforced"):
        assert healthy[name] is Outcome.PASS, name
    assert Outcome.ERROR not in healthy.values()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("how", TROUBLE)
def test_trouble_is_never_a_failure(
    how: str, target: str, brain: Server, nameserver: str, healthy: dict[str, Outcome]
) -> None:
    (brain.broken, looked), brain.how = TARGETS[target], how
    found = outcomes(check(nameserver))
    assert [name for name, outcome in found.items() if outcome is Outcome.ERROR] == []
    failed = {name for name, outcome in found.items() if outcome is Outcome.FAIL}
    assert failed <= {name for name, outcome in healthy.items() if outcome is Outcome.FAIL}
    if looked:
        assert found[looked] is Outcome.INDETERMINATE


@pytest.mark.parametrize("target", [name for name, (_, looked) in TARGETS.items() if looked])
@pytest.mark.parametrize("how", NO)
def test_a_no_is_a_no(how: str, target: str, brain: Server, nameserver: str) -> None:
    (brain.broken, looked), brain.how = TARGETS[target], how
    found = {verdict.check: verdict for verdict in check(nameserver).verdicts}
    assert found[looked].outcome is Outcome.FAIL
    assert found[looked].ruling.finding.code == "none"


@pytest.mark.parametrize("how", TROUBLE)
def test_when_nothing_answers_nothing_is_concluded(how: str, brain: Server, nameserver: str) -> None:
    brain.broken, brain.how = ("*", "*"), how
    found = outcomes(check(nameserver))
    assert not {Outcome.FAIL, Outcome.ERROR} & set(found.values())
    for name in ("spf-published", "spf-pass", "dkim-key-published", "dmarc-published", "dmarc-enforced"):
        assert found[name] is Outcome.INDETERMINATE, name


def test_cut_answers_without_any_tcp() -> None:
    brain = Server()
    brain.broken, brain.how = TARGETS["dmarc"][0], "cut-and-tcp-refused"
    with serving(brain, tcp=False) as nameserver:
        assert outcomes(check(nameserver))["dmarc-published"] is Outcome.INDETERMINATE


def test_nobody_listens() -> None:
    found = outcomes(check(f"127.0.0.1:{free_port()}"))
    assert Outcome.FAIL not in found.values()
    assert Outcome.ERROR not in found.values()
    assert found["spf-published"] is Outcome.INDETERMINATE


def test_without_a_selector_nothing_is_missing(brain: Server, nameserver: str) -> None:
    brain.broken = None
    found = {verdict.check: verdict for verdict in check(nameserver, ()).verdicts}
    verdict = found["dkim-key-published"]
    assert (verdict.outcome, verdict.ruling.finding.code) == (Outcome.INDETERMINATE, "selector-unknown")
