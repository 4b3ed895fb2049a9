"""The look-up against a real responder on the loopback: every way to answer, and every way not to."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from bounded import hang_guard
from free_ports import bound_pair

from deliverability.capture.dns import DnsObserver, Nameserver, parse_nameserver
from deliverability.capture.dns_query import encode_query
from deliverability.capture.dns_socket import Sockets
from deliverability.errors import UsageError
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observation, Obstacle, Rcode

Script = Callable[[dns.message.Message, str], bytes | None]


class Responder:
    """UDP and TCP on one port of 127.0.0.1; the script makes each reply, ``None`` drops the query."""

    def __init__(self, script: Script, *, tcp: bool = True) -> None:
        self.script = script
        self.asked: list[tuple[str, str]] = []
        self.clients: set[int] = set()
        self.last: tuple[str, int] = ("", 0)
        self.udp, self.tcp = bound_pair()
        self.address = Nameserver("127.0.0.1", self.udp.getsockname()[1])
        if tcp:
            self.tcp.listen(5)
        self.threads = [threading.Thread(target=self._serve_udp)]
        self.threads += [threading.Thread(target=self._serve_tcp)] if tcp else []
        self.running = True
        for thread in self.threads:
            thread.start()

    def _reply(self, wire: bytes, over: str) -> bytes | None:
        query = dns.message.from_wire(wire)
        self.asked.append((query.question[0].name.to_text(), over))
        return self.script(query, over)

    def _serve_udp(self) -> None:
        self.udp.settimeout(0.05)
        while self.running:
            with contextlib.suppress(TimeoutError):
                wire, client = self.udp.recvfrom(65535)
                self.last = client
                self.clients.add(client[1])
                if (reply := self._reply(wire, "udp")) is not None:
                    self.udp.sendto(reply, client)

    def _serve_tcp(self) -> None:
        self.tcp.settimeout(0.05)
        while self.running:
            with contextlib.suppress(TimeoutError):
                client, _ = self.tcp.accept()
                with client:
                    client.settimeout(1)
                    length = int.from_bytes(client.recv(2), "big")
                    if (reply := self._reply(client.recv(length), "tcp")) is not None:
                        client.sendall(len(reply).to_bytes(2, "big") + reply)

    def stop(self) -> None:
        self.running = False
        for thread in self.threads:
            thread.join()
        self.udp.close()
        self.tcp.close()


READY = [False]


@pytest.fixture(params=[False, True], ids=["its first query", "a socket is open"], autouse=True)
def ready(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whether the session has a socket already, so that a query is sent at once and its answer taken as it comes."""
    READY[0] = request.param
    yield
    READY[0] = False


@pytest.fixture
def serve() -> Iterator[Callable[..., Responder]]:
    running: list[Responder] = []

    def start(script: Script, **options: bool) -> Responder:
        running.append(Responder(script, **options))
        return running[-1]

    yield start
    for responder in running:
        responder.stop()


def reply(
    query: dns.message.Message,
    *rrsets: str,
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
    ad: bool = False,
    soa: bool = False,
) -> dns.message.Message:
    message = dns.message.make_response(query, recursion_available=True)
    message.flags = (message.flags & ~dns.flags.AD) | (dns.flags.AD if ad else 0)
    message.set_rcode(rcode)
    for text in rrsets:
        name, ttl, kind, data = text.split(" ", 3)
        message.answer.append(dns.rrset.from_text_list(name, int(ttl), "IN", kind, data.split("|")))
    if soa:
        message.authority.append(dns.rrset.from_text("example.", 900, "IN", "SOA", "ns. host. 1 2 3 4 77"))
    return message


def look(
    *servers: Responder, name: str = "a.example", rdtype: str = "A", timeout: float = 0.3, lifetime: float = 5
) -> Observation:
    observer = DnsObserver(tuple(s.address for s in servers), timeout_seconds=timeout, lifetime_seconds=lifetime)

    async def main() -> Observation:
        async with observer.session() as session:
            for server in servers if READY[0] else ():
                await session.sockets.open(server.address)
            (observation,) = await session.observe([DnsQuestion(name, rdtype)])
            return observation

    return asyncio.run(main())


def answered(observation: Observation) -> DnsAnswer:
    assert isinstance(observation, DnsAnswer), observation
    return observation


def obstacle(observation: Observation) -> Obstacle:
    assert isinstance(observation, CouldNotLook), observation
    return observation.obstacle


def always(*rrsets: str, **options: object) -> Script:
    return lambda query, _over: reply(query, *rrsets, **options).to_wire()


@pytest.mark.parametrize(
    ("rdtype", "data", "values"),
    [
        ("A", "192.0.2.1|192.0.2.2", ["192.0.2.1", "192.0.2.2"]),
        ("AAAA", "2001:db8::1", ["2001:db8::1"]),
        ("MX", "10 Mail.Example.", ["mail.example"]),
        ("MX", "0 .", [""]),
        ("PTR", "Host.Example.", ["host.example"]),
        ("TXT", '"v=spf1 " "-all"', ["v=spf1 -all"]),
        ("NS", "ns.example.", ["ns.example"]),
        ("CAA", '0 issue "x"', ['0 issue "x"']),
    ],
)
def test_records_of_each_type(serve: Callable[..., Responder], rdtype: str, data: str, values: list[str]) -> None:
    responder = serve(always(f"a.example. 300 {rdtype} {data}", ad=True))
    found = answered(look(responder, rdtype=rdtype))
    assert sorted(record.value for record in found.records) == values
    assert (found.rcode, found.ttl, found.authenticated) == (Rcode.NOERROR, 300, True)
    assert found.resolver == str(responder.address)
    assert found.canonical_name == "a.example"
    assert dns.message.from_wire(found.wire).answer


def test_txt_strings_stay_apart_and_any_bytes_survive(serve: Callable[..., Responder]) -> None:
    found = answered(look(serve(always('a.example. 300 TXT "a\\255" "b"')), rdtype="TXT"))
    assert found.records[0].strings == (b"a\xff", b"b")
    assert found.records[0].preference is None


def test_nxdomain_and_nodata_are_different_answers(serve: Callable[..., Responder]) -> None:
    gone = answered(look(serve(always(rcode=dns.rcode.NXDOMAIN, soa=True))))
    none = answered(look(serve(always(soa=True))))
    assert (gone.rcode, gone.records, gone.ttl) == (Rcode.NXDOMAIN, (), 77)
    assert (none.rcode, none.records, none.ttl) == (Rcode.NOERROR, (), 77)
    assert (gone.exists, none.exists) == (False, True)


@pytest.mark.parametrize(
    ("rcode", "expected"),
    [
        (dns.rcode.SERVFAIL, Obstacle.SERVFAIL),
        (dns.rcode.REFUSED, Obstacle.REFUSED),
        (dns.rcode.NOTIMP, Obstacle.SERVFAIL),
        (dns.rcode.FORMERR, Obstacle.SERVFAIL),
    ],
)
def test_a_server_that_says_no(serve: Callable[..., Responder], rcode: dns.rcode.Rcode, expected: Obstacle) -> None:
    responder = serve(always(rcode=rcode))
    assert obstacle(look(responder)) is expected
    assert len(responder.asked) == (2 if rcode == dns.rcode.FORMERR else 1)  # it is not asked again and again


def test_silence_is_a_timeout_within_the_time_given(serve: Callable[..., Responder]) -> None:
    responder = serve(lambda _query, _over: None)
    with hang_guard():  # far less than the lifetime
        assert obstacle(look(responder, timeout=0.1, lifetime=600)) is Obstacle.TIMEOUT
    assert len(responder.asked) == 2


def test_the_lifetime_ends_it_all(serve: Callable[..., Responder]) -> None:
    with hang_guard():
        assert obstacle(look(serve(lambda _query, _over: None), timeout=600, lifetime=0.2)) is Obstacle.TIMEOUT


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, None])
def test_the_next_server_is_asked(serve: Callable[..., Responder], rcode: dns.rcode.Rcode | None) -> None:
    bad = serve(lambda _q, _o: None) if rcode is None else serve(always(rcode=rcode))
    good = serve(always("a.example. 60 A 192.0.2.9"))
    found = answered(look(bad, good, timeout=0.2))
    assert found.records[0].value == "192.0.2.9"
    assert found.resolver == str(good.address)


def test_the_most_telling_failure_is_told_and_all_are_listed(serve: Callable[..., Responder]) -> None:
    silent, failing = serve(lambda _q, _o: None), serve(always(rcode=dns.rcode.SERVFAIL))
    found = look(silent, failing, timeout=0.1)
    assert isinstance(found, CouldNotLook)
    assert found.obstacle is Obstacle.SERVFAIL
    assert str(silent.address) in found.detail
    assert str(failing.address) in found.detail


def truncating(query: dns.message.Message, over: str) -> bytes | None:
    message = reply(query, "a.example. 60 A 192.0.2.1")
    if over == "udp":
        message.answer.clear()
        message.flags |= dns.flags.TC
    return message.to_wire()


def test_a_cut_answer_is_fetched_over_tcp(serve: Callable[..., Responder]) -> None:
    responder = serve(truncating)
    assert answered(look(responder)).records[0].value == "192.0.2.1"
    assert [over for _, over in responder.asked] == ["udp", "tcp"]


def test_a_cut_answer_without_tcp_is_no_answer(serve: Callable[..., Responder]) -> None:
    assert obstacle(look(serve(truncating, tcp=False))) is Obstacle.NETWORK


def test_an_answer_cut_in_the_middle_of_a_record_is_fetched_over_tcp(serve: Callable[..., Responder]) -> None:
    def script(query: dns.message.Message, over: str) -> bytes:
        message = reply(query, "a.example. 60 A 192.0.2.1")
        message.flags |= dns.flags.TC if over == "udp" else 0
        return message.to_wire()[:-3] if over == "udp" else message.to_wire()

    assert answered(look(serve(script))).records[0].value == "192.0.2.1"


def test_cut_over_tcp_too_is_malformed(serve: Callable[..., Responder]) -> None:
    def script(query: dns.message.Message, _over: str) -> bytes:
        message = reply(query)
        message.flags |= dns.flags.TC
        return message.to_wire()

    assert obstacle(look(serve(script))) is Obstacle.MALFORMED


def test_a_huge_txt_comes_whole(serve: Callable[..., Responder]) -> None:
    strings = " ".join('"' + "x" * 255 + '"' for _ in range(200))

    def script(query: dns.message.Message, over: str) -> bytes:
        return (
            truncating(query, over)
            if over == "udp"
            else reply(query, f"a.example. 60 TXT {strings}").to_wire(max_size=65535)
        )

    found = answered(look(serve(script), rdtype="TXT"))
    assert len(found.records[0].joined) == 51_000


@pytest.mark.parametrize("garbage", [b"", b"\x00", b"\xff" * 40, b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\xc0\x0c"])
def test_garbage_with_the_right_id_is_malformed(serve: Callable[..., Responder], garbage: bytes) -> None:
    def script(query: dns.message.Message, _over: str) -> bytes:
        return query.id.to_bytes(2, "big") + garbage

    found = obstacle(look(serve(script)))
    # all bits set includes TC: the look-up goes on over TCP, where the same garbage ends it
    assert found is Obstacle.MALFORMED


def test_a_reply_with_another_id_is_not_to_the_query(serve: Callable[..., Responder]) -> None:
    def script(query: dns.message.Message, _over: str) -> bytes:
        message = reply(query, "a.example. 60 A 203.0.113.66")
        message.id ^= 1
        return message.to_wire()

    assert obstacle(look(serve(script), timeout=0.1)) is Obstacle.TIMEOUT


def test_an_answer_to_another_question_is_malformed(serve: Callable[..., Responder]) -> None:
    def script(query: dns.message.Message, _over: str) -> bytes:
        other = dns.message.make_query("evil.example", "A", id=query.id)
        return reply(other, "evil.example. 60 A 203.0.113.66").to_wire()

    assert obstacle(look(serve(script))) is Obstacle.MALFORMED


def test_records_of_other_names_and_types_are_not_taken(serve: Callable[..., Responder]) -> None:
    responder = serve(always("evil.example. 60 A 203.0.113.66", "a.example. 60 TXT evil", soa=True))
    assert answered(look(responder)).records == ()


def test_an_echoed_query_is_malformed(serve: Callable[..., Responder]) -> None:
    assert obstacle(look(serve(lambda query, _over: query.to_wire()))) is Obstacle.MALFORMED


def test_a_referral_is_not_the_absence_of_records(serve: Callable[..., Responder]) -> None:
    def script(query: dns.message.Message, _over: str) -> bytes:
        message = dns.message.make_response(query)
        message.authority.append(dns.rrset.from_text("example.", 900, "IN", "NS", "ns.example."))
        return message.to_wire()

    assert obstacle(look(serve(script))) is Obstacle.REFUSED


def test_a_cname_chain_within_the_answer(serve: Callable[..., Responder]) -> None:
    chain = ("a.example. 300 CNAME b.example.", "b.example. 20 CNAME c.example.", "c.example. 60 A 192.0.2.3")
    found = answered(look(serve(always(*chain))))
    assert (found.records[0].value, found.canonical_name, found.ttl) == ("192.0.2.3", "c.example", 20)


def test_a_cname_that_leads_out_of_the_answer_is_followed(serve: Callable[..., Responder]) -> None:
    def script(query: dns.message.Message, _over: str) -> bytes:
        if query.question[0].name.to_text() == "a.example.":
            return reply(query, "a.example. 300 CNAME far.example.").to_wire()
        return reply(query, "far.example. 30 A 192.0.2.7").to_wire()

    responder = serve(script)
    found = answered(look(responder))
    assert (found.records[0].value, found.canonical_name, found.ttl) == ("192.0.2.7", "far.example", 30)
    assert found.question == DnsQuestion("a.example", "A")
    assert [name for name, _ in responder.asked] == ["a.example.", "far.example."]


def test_nxdomain_at_the_end_of_a_chain(serve: Callable[..., Responder]) -> None:
    found = answered(look(serve(always("a.example. 9 CNAME b.example.", rcode=dns.rcode.NXDOMAIN, soa=True))))
    assert (found.rcode, found.canonical_name, found.records) == (Rcode.NXDOMAIN, "b.example", ())


@pytest.mark.parametrize(
    "chain",
    [
        ("a.example. 9 CNAME a.example.",),
        ("a.example. 9 CNAME b.example.", "b.example. 9 CNAME a.example."),
        tuple(f"{'a' if n == 0 else n}.example. 9 CNAME {n + 1}.example." for n in range(15)),
    ],
)
def test_cname_loops_and_endless_chains_end(serve: Callable[..., Responder], chain: tuple[str, ...]) -> None:
    assert obstacle(look(serve(always(*chain)))) is Obstacle.MALFORMED


def test_a_cname_loop_over_several_answers_ends(serve: Callable[..., Responder]) -> None:
    def script(query: dns.message.Message, _over: str) -> bytes:
        name = query.question[0].name.to_text()
        target = "b.example." if name == "a.example." else "a.example."
        return reply(query, f"{name} 9 CNAME {target}").to_wire()

    responder = serve(script)
    assert obstacle(look(responder)) is Obstacle.MALFORMED
    assert len(responder.asked) == 2


def test_a_server_without_edns_is_asked_plainly(serve: Callable[..., Responder]) -> None:
    def script(query: dns.message.Message, _over: str) -> bytes:
        if query.edns >= 0:
            return reply(query, rcode=dns.rcode.FORMERR).to_wire()
        return reply(query, "a.example. 60 A 192.0.2.5").to_wire()

    assert answered(look(serve(script))).records[0].value == "192.0.2.5"


def test_nobody_listening_is_the_network(serve: Callable[..., Responder]) -> None:
    responder = serve(always())
    responder.stop()
    assert obstacle(look(responder, timeout=0.2)) is Obstacle.NETWORK


@pytest.mark.parametrize("name", ["x" * 64 + ".example", ".".join(["abcdefgh"] * 40), "a..example"])
def test_a_name_that_the_dns_cannot_hold_is_told_not_raised(serve: Callable[..., Responder], name: str) -> None:
    assert obstacle(look(serve(always()), name=name)) is Obstacle.MALFORMED


def test_names_are_labels_not_escapes(serve: Callable[..., Responder]) -> None:
    responder = serve(always(soa=True))
    answered(look(responder, name="we\\ird b\u00fc.example"))
    assert responder.asked[0][0] == "we\\\\ird\\032b\\195\\188.example."


def test_each_question_once_in_order_and_at_the_same_time(serve: Callable[..., Responder]) -> None:
    responder = serve(lambda query, _o: reply(query, f"{query.question[0].name} 60 A 192.0.2.1").to_wire())
    questions = [DnsQuestion(f"n{n}.example", "A") for n in (3, 1, 2, 1, 3)]
    found = asyncio.run(DnsObserver((responder.address,)).observe(questions))
    assert [str(o.question) for o in found] == ["n3.example A", "n1.example A", "n2.example A"]
    assert len(responder.asked) == 3


def test_too_many_questions_become_limit_not_silence(
    monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Responder]
) -> None:
    monkeypatch.setattr("deliverability.capture.dns.MAX_QUESTIONS", 2)
    responder = serve(always(soa=True))
    questions = [DnsQuestion(f"n{n}.example", "A") for n in range(4)]
    found = asyncio.run(DnsObserver((responder.address,)).observe(questions))
    assert [isinstance(o, DnsAnswer) for o in found] == [True, True, False, False]
    assert obstacle(found[3]) is Obstacle.LIMIT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.53", Nameserver("192.0.2.53")),
        ("192.0.2.53:5353", Nameserver("192.0.2.53", 5353)),
        ("2001:db8::53", Nameserver("2001:db8::53")),
        ("[2001:db8::53]:5353", Nameserver("2001:db8::53", 5353)),
        ("[2001:db8::53]", Nameserver("2001:db8::53")),
    ],
)
def test_name_server_addresses(text: str, expected: Nameserver) -> None:
    assert parse_nameserver(text) == expected
    assert parse_nameserver(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "dns.example", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:99999", "[::1]x", "[::1", "1.2.3.4:5:6", "[::1]:²"],
)
def test_what_is_no_name_server_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_nameserver(text)


# --- many questions over few sockets ----------------------------------------------------------------------------------


def numbered(query: dns.message.Message, _over: str) -> bytes:
    """An address that says which name was asked for."""
    name = query.question[0].name.to_text()
    return reply(query, f"{name} 60 A 192.0.2.{int(name.split('.')[0][1:]) % 250}").to_wire()


def test_each_of_many_answers_comes_to_its_own_question(serve: Callable[..., Responder]) -> None:
    responder = serve(numbered)
    questions = [DnsQuestion(f"n{n}.example", "A") for n in range(600)]
    found = asyncio.run(DnsObserver((responder.address,), concurrency=300).observe(questions))
    assert [answered(o).records[0].value for o in found] == [f"192.0.2.{n % 250}" for n in range(600)]
    assert len(responder.asked) == 600
    assert 2 <= len(responder.clients) <= 5  # of 300 at once at most 128 share a socket


def test_replies_may_come_in_any_order(serve: Callable[..., Responder]) -> None:
    held: list[bytes] = []

    def script(query: dns.message.Message, over: str) -> bytes | None:
        held.append(numbered(query, over))
        for wire in reversed(held if len(held) == 5 else []):
            responder.udp.sendto(wire, responder.last)
        return None

    responder = serve(script)
    questions = [DnsQuestion(f"n{n}.example", "A") for n in range(5)]
    found = asyncio.run(DnsObserver((responder.address,)).observe(questions))
    assert [answered(o).records[0].value for o in found] == [f"192.0.2.{n}" for n in range(5)]


def test_a_session_keeps_its_socket_and_what_it_was_told(serve: Callable[..., Responder]) -> None:
    responder = serve(numbered)

    async def main() -> list[Observation]:
        async with DnsObserver((responder.address,)).session() as session:
            question = DnsQuestion("n7.example", "A")
            assert session.peek(question) is None
            (first,) = await session.observe([question])
            (again,) = await session.observe([question])
            assert session.peek(question) is first is again
            await session.observe([DnsQuestion("n8.example", "A")])
            return [first]

    asyncio.run(main())
    assert [name for name, _ in responder.asked] == ["n7.example.", "n8.example."]
    assert len(responder.clients) == 1


def test_a_socket_is_given_up_after_a_while(serve: Callable[..., Responder], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliverability.capture.dns_socket.QUERIES_PER_SOCKET", 3)
    responder = serve(numbered)

    async def main() -> None:
        async with DnsObserver((responder.address,)).session() as session:
            for n in range(9):
                answered((await session.observe([DnsQuestion(f"n{n}.example", "A")]))[0])

    asyncio.run(main())
    assert len(responder.clients) == 3


def test_a_late_reply_meets_no_other_question(serve: Callable[..., Responder]) -> None:
    late: list[bytes] = []

    def script(query: dns.message.Message, over: str) -> bytes | None:
        if query.question[0].name.to_text() == "n1.example.":
            late.append(numbered(query, over))
            return None
        for wire in late:
            responder.udp.sendto(wire, responder.last)
        return numbered(query, over)

    responder = serve(script)

    async def main() -> list[Observation]:
        async with DnsObserver((responder.address,), timeout_seconds=0.1).session() as session:
            (first,) = await session.observe([DnsQuestion("n1.example", "A")])
            return [first, *await session.observe([DnsQuestion("n2.example", "A")])]

    first, second = asyncio.run(main())
    assert obstacle(first) is Obstacle.TIMEOUT
    assert answered(second).records[0].value == "192.0.2.2"


def test_each_query_of_a_socket_has_its_own_time(serve: Callable[..., Responder]) -> None:
    """The one sent last is given up first, and the other is still awaited: one timer serves both."""
    server = serve(lambda _query, _over: None).address

    async def main() -> list[str]:
        ended: list[str] = []

        async def ask(name: str, seconds: float) -> None:
            try:
                await sockets.exchange(server, encode_query(name, 1, 0, None), seconds)
            except TimeoutError:
                ended.append(name)

        async with Sockets() as sockets:
            long = asyncio.ensure_future(ask("long.example", 0.4))
            await asyncio.gather(ask("short.example", 0.05), ask("shorter.example", 0.01))
            assert not long.done()
            await long
        return ended

    assert asyncio.run(main()) == ["shorter.example", "short.example", "long.example"]


def test_a_server_that_stays_silent_is_asked_after_the_others(serve: Callable[..., Responder]) -> None:
    silent, good = serve(lambda _query, _over: None), serve(numbered)

    async def main() -> None:
        observer = DnsObserver((silent.address, good.address), timeout_seconds=0.05)
        async with observer.session() as session:
            for n in range(6):
                answered((await session.observe([DnsQuestion(f"n{n}.example", "A")]))[0])

    asyncio.run(main())
    assert len(silent.asked) == 3
    assert len(good.asked) == 6


def test_one_closed_port_fails_all_that_is_under_way_and_nothing_hangs(serve: Callable[..., Responder]) -> None:
    responder = serve(numbered)
    responder.stop()
    questions = [DnsQuestion(f"n{n}.example", "A") for n in range(40)]
    found = asyncio.run(DnsObserver((responder.address,), timeout_seconds=0.5).observe(questions))
    assert {obstacle(o) for o in found} == {Obstacle.NETWORK}


def test_a_session_that_ends_early_leaves_no_socket_open(serve: Callable[..., Responder]) -> None:
    responder = serve(lambda _query, _over: None)

    async def main() -> None:
        async with DnsObserver((responder.address,), timeout_seconds=600).session() as session:
            waiting = asyncio.ensure_future(session.observe([DnsQuestion("n1.example", "A")]))
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    with hang_guard():
        asyncio.run(main())
