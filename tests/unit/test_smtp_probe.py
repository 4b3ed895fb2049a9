"""Greeting real SMTP servers on the loopback, well behaved and not."""

import asyncio
import contextlib
import hashlib
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence

import pytest
from bounded import hang_guard

from deliverability.capture._connect import resolver
from deliverability.capture.dns import DnsObserver
from deliverability.capture.smtp_probe import MAX_LINES, MAX_QUESTIONS, SmtpObserver
from deliverability.errors import ParseError
from deliverability.evidence.observation import CouldNotLook, Observation, Obstacle, SmtpAnswer, SmtpProbe
from deliverability.protocols.certificate import public_key_info, read_certificate
from deliverability.protocols.dane import Match, Tlsa, match

NAME = "mx1.shop.example"
Handler = Callable[["Sink", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def loopback(host: str) -> Sequence[str]:
    return ("127.0.0.1",)


class Sink:
    """A small mail server that writes down what it is told."""

    def __init__(self, context: ssl.SSLContext | None = None, handler: Handler | None = None, **replies: bytes) -> None:
        self.context, self.handler = context, handler
        self.greeting = replies.get("greeting", b"220-mx1.shop.example ESMTP\r\n220 welcome\r\n")
        extension = b"250-STARTTLS\r\n" if context or "starttls" in replies else b""
        self.ehlo = replies.get("ehlo", b"250-mx1.shop.example\r\n" + extension + b"250 SIZE 1000\r\n")
        self.starttls = replies.get("starttls", b"220 go ahead\r\n")
        self.said: list[str] = []
        self.sessions = self.sent = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        with contextlib.suppress(OSError, EOFError, ssl.SSLError):
            await (self.handler(self, reader, writer) if self.handler else self.talk(reader, writer))
        writer.transport.abort()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting)
        while line := await reader.readline():
            self.said.append(line.decode().strip())
            match line.split()[0]:
                case b"EHLO":
                    writer.write(self.ehlo)
                case b"STARTTLS":
                    writer.write(self.starttls)
                    if self.context and self.starttls.startswith(b"220"):
                        await writer.start_tls(self.context)
                case _:
                    writer.write(b"221 bye\r\n")
                    return


def probe(sink: Sink, host: str = NAME, **options: object) -> Observation:
    async def main() -> Observation:
        running = await asyncio.start_server(sink.serve, "127.0.0.1", 0)
        port = running.sockets[0].getsockname()[1]
        async with running:
            given = {"resolve": loopback, "timeout_seconds": 1, "lifetime_seconds": 3, "private": True, **options}
            (found,) = await SmtpObserver(**given).observe([SmtpProbe(host, port)] * 2)
            await asyncio.sleep(0.05)  # the farewell arrives
        return found

    return asyncio.run(main())


def answer(found: Observation) -> SmtpAnswer:
    assert isinstance(found, SmtpAnswer), found
    return found


def refused(found: Observation, obstacle: Obstacle) -> str:
    assert isinstance(found, CouldNotLook), found
    assert found.obstacle is obstacle, found
    return found.detail


def test_a_good_server(authority) -> None:
    issued = authority.issue(NAME)
    sink = Sink(issued.context(authority.folder))
    found = answer(probe(sink, roots=authority.roots, helo="probe.example"))
    assert found.greeting == "220 mx1.shop.example ESMTP welcome"
    assert found.capabilities == ("STARTTLS", "SIZE 1000")
    assert (found.starttls, found.tls_version, found.certificate_error) == (True, "TLSv1.3", None)
    assert found.certificate == issued.der
    assert found.chain == (issued.chain if sys.version_info >= (3, 13) else ())
    assert found.ip == "127.0.0.1"
    assert sink.sessions == 1  # the same question twice is one


def test_what_was_shown_can_be_held_against_the_dns(authority) -> None:
    issued = authority.issue("other.example")
    found = answer(probe(Sink(issued.context(authority.folder)), roots=authority.roots))
    key = hashlib.sha256(public_key_info(issued.der)).digest()
    assert match([Tlsa(3, 1, 1, key)], found, [NAME]) is Match.MATCHES
    assert match([Tlsa(3, 1, 1, key[::-1])], found, [NAME]) is Match.MISMATCH


def test_no_mail_is_ever_begun(authority) -> None:
    sink = Sink(authority.server(NAME))
    answer(probe(sink, roots=authority.roots))
    assert sink.said[:2] == ["EHLO [127.0.0.1]", "STARTTLS"]
    assert set(sink.said[2:]) <= {"QUIT"}


def test_without_starttls() -> None:
    sink = Sink()
    found = answer(probe(sink))
    assert (found.starttls, found.tls_version, found.certificate, found.certificate_error) == (False, None, b"", None)
    assert sink.said == ["EHLO [127.0.0.1]", "QUIT"]


def test_a_word_that_only_begins_like_starttls() -> None:
    assert not answer(probe(Sink(ehlo=b"250-x\r\n250-STARTTLSX\r\n250 X STARTTLS\r\n"))).starttls


@pytest.mark.parametrize(("names", "trusted"), [((NAME,), False), (("other.example",), True)])
def test_a_certificate_that_does_not_hold_is_shown_all_the_same(authority, names: tuple, trusted: bool) -> None:
    sink = Sink(authority.server(*names, trusted=trusted))
    found = answer(probe(sink, roots=authority.roots))
    assert found.certificate_error
    assert found.tls_version == "TLSv1.3"
    assert read_certificate(found.certificate).names == names
    assert sink.sessions == 2


def test_starttls_refused(authority) -> None:
    found = answer(probe(Sink(starttls=b"454 4.7.0 TLS not available\r\n")))
    assert (found.starttls, found.tls_version) == (True, None)
    assert "454" in (found.certificate_error or "")


def test_tls_that_is_too_old(authority) -> None:
    """A server that answers the handshake with something else than TLS."""

    async def plain(sink: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sink.greeting)
        await reader.readline()
        writer.write(sink.ehlo)
        await reader.readline()
        writer.write(b"220 go ahead\r\n")
        await reader.read(100)
        writer.write(b"500 what was that?\r\n")
        await reader.read()

    found = answer(probe(Sink(handler=plain, starttls=b"")))
    assert (found.starttls, found.tls_version) == (True, None)
    assert "TLS was not established" in (found.certificate_error or "")


def test_a_drop_after_starttls_says_nothing(authority) -> None:
    async def drop(sink: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sink.greeting)
        await reader.readline()
        writer.write(sink.ehlo)
        await reader.readline()
        writer.write(b"220 go ahead\r\n")
        await writer.drain()

    assert "after STARTTLS" in refused(probe(Sink(handler=drop, starttls=b"")), Obstacle.NETWORK)


@pytest.mark.parametrize(
    ("replies", "obstacle", "told"),
    [
        ({"greeting": b"554 no service\r\n"}, Obstacle.REFUSED, "554 no service"),
        ({"greeting": b"421 4.7.0 busy\x1b[2J\r\n"}, Obstacle.REFUSED, "busy\\x1b"),
        ({"greeting": b"SSH-2.0-OpenSSH\r\n"}, Obstacle.MALFORMED, "not an SMTP reply"),
        ({"greeting": b"\x16\x03\x01\x00\n"}, Obstacle.MALFORMED, "not an SMTP reply"),
        ({"greeting": b"220-x\r\n" * (MAX_LINES + 1)}, Obstacle.MALFORMED, "lines"),
        ({"greeting": b"2" * 9000}, Obstacle.MALFORMED, "octets"),
        ({"ehlo": b"550 5.7.1 you are on a list\r\n"}, Obstacle.REFUSED, "on a list"),
        ({"ehlo": b"\xb2\xb5\xb0 x\r\n"}, Obstacle.MALFORMED, "not an SMTP reply"),
    ],
)
def test_what_is_no_answer(replies: dict, obstacle: Obstacle, told: str) -> None:
    assert told in refused(probe(Sink(**replies)), obstacle)


def test_a_server_that_knows_no_extensions() -> None:
    found = answer(probe(Sink(ehlo=b"502 not implemented\r\n")))
    assert (found.capabilities, found.starttls) == ((), False)


@pytest.mark.parametrize("speaks", [b"", b"220-slow\r\n"])
def test_a_server_that_hangs(speaks: bytes) -> None:
    async def hang(sink: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(speaks)
        await reader.read()

    with hang_guard():
        refused(probe(Sink(handler=hang), lifetime_seconds=0.5), Obstacle.TIMEOUT)


def test_a_line_without_end_is_not_read() -> None:
    async def flood(sink: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ")
        for _ in range(1600):
            writer.write(b"x" * 65536)
            await writer.drain()
            sink.sent += 65536

    sink = Sink(handler=flood)
    assert "octets" in refused(probe(sink), Obstacle.MALFORMED)
    assert sink.sent < 16 << 20


def test_the_second_address_answers() -> None:
    async def two(host: str) -> Sequence[str]:
        return ("127.0.0.2", "127.0.0.1")

    assert answer(probe(Sink(), resolve=two)).ip == "127.0.0.1"


def test_inside_addresses_are_not_knocked_at() -> None:
    sink = Sink()
    assert "no public address" in refused(probe(sink, private=False), Obstacle.NETWORK)
    assert sink.sessions == 0


@pytest.mark.parametrize("host", ["", "mx 1", "a" * 70, "192.0.2.1\r\nMAIL FROM:<x>"])
def test_what_is_no_host(host: str) -> None:
    (found,) = asyncio.run(SmtpObserver(resolve=loopback, private=True).observe([SmtpProbe(host)]))
    assert "not a host name" in refused(found, Obstacle.MALFORMED)


def test_a_name_to_announce_is_a_name() -> None:
    with pytest.raises(ParseError):
        SmtpObserver(resolve=loopback, helo="x\r\nMAIL FROM:<a@b.example>")


def test_more_than_are_asked_at_once() -> None:
    questions = [SmtpProbe(f"{'x' * 64}{i}") for i in range(MAX_QUESTIONS + 1)]
    found = asyncio.run(SmtpObserver(resolve=loopback).observe(questions))
    refused(found[-1], Obstacle.LIMIT)
    assert asyncio.run(SmtpObserver(resolve=loopback).observe([])) == ()


def test_hosts_are_resolved_by_our_own_name_servers() -> None:
    """The ready-made resolver keeps "could not look" apart from "no address"."""
    from deliverability.capture.dns import Nameserver

    silent = DnsObserver(nameservers=(Nameserver("127.0.0.1", 1),), timeout_seconds=0.2, lifetime_seconds=0.5)
    (found,) = asyncio.run(SmtpObserver(resolve=resolver(silent)).observe([SmtpProbe(NAME)]))
    assert f"{NAME} A" in refused(found, Obstacle.NETWORK)
