"""Fetching a document from real TLS servers on the loopback: every way to answer, and every way not to."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Sequence

import pytest
from bounded import hang_guard

from deliverability.capture._connect import CannotConnectError
from deliverability.capture.https import MAX_BODY, MAX_QUESTIONS, HttpsObserver
from deliverability.evidence.observation import CouldNotLook, HttpsAnswer, HttpsQuestion, Observation, Obstacle

NAME = "mta-sts.shop.example"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello"


async def loopback(host: str) -> Sequence[str]:
    assert host == NAME
    return ("127.0.0.1",)


class Server:
    """Answers each request with ``reply``, or by ``handler``."""

    def __init__(self, context: ssl.SSLContext | None, reply: bytes = OK, handler: Handler | None = None) -> None:
        self.context, self.reply, self.handler = context, reply, handler
        self.requests: list[bytes] = []
        self.sent = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            if self.handler:
                await self.handler(reader, writer)
            else:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(self.reply)
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def fetch(server: Server, path: str = "/.well-known/mta-sts.txt", **options: object) -> Observation:
    async def main() -> Observation:
        running = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=server.context)
        port = running.sockets[0].getsockname()[1]
        async with running:
            observer = HttpsObserver(**{"resolve": loopback, "timeout_seconds": 2, "private": True, **options})
            (found,) = await observer.observe([HttpsQuestion(f"https://{NAME}:{port}{path}")] * 2)
        return found

    return asyncio.run(main())


@pytest.fixture
def context(authority) -> ssl.SSLContext:
    return authority.server(NAME)


def answer(found: Observation) -> HttpsAnswer:
    assert isinstance(found, HttpsAnswer), found
    return found


def refused(found: Observation, obstacle: Obstacle) -> str:
    assert isinstance(found, CouldNotLook), found
    assert found.obstacle is obstacle
    return found.detail


def test_a_document(authority, context: ssl.SSLContext) -> None:
    server = Server(context)
    found = answer(fetch(server, roots=authority.roots))
    assert (found.status, found.media_type, found.body, found.certificate_error) == (200, "text/plain", b"hello", None)
    assert len(server.requests) == 1  # the same question twice is one
    assert server.requests[0].startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.shop.example:")


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, b"hello"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MAX_BODY + b"x" * MAX_BODY, b"x" * MAX_BODY),
    ],
)
def test_framings(authority, context: ssl.SSLContext, reply: bytes, body: bytes) -> None:
    found = answer(fetch(Server(context, reply), roots=authority.roots))
    assert found.status == 200
    assert found.body == body


def test_a_redirect_is_an_answer_and_not_followed(authority, context: ssl.SSLContext) -> None:
    server = Server(context, b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n")
    assert answer(fetch(server, roots=authority.roots)).status == 301
    assert len(server.requests) == 1


def test_a_media_type_that_is_none_is_left_out(authority, context: ssl.SSLContext) -> None:
    reply = OK.replace(b"text/plain", b"text/<script>")
    assert answer(fetch(Server(context, reply), roots=authority.roots)).media_type == ""


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (b"220 mail.example ESMTP\r\n\r\n", "no HTTP/1.1 response"),
        (b"\x00\xff garbage", "no HTTP response"),
        (b"", "empty response"),
        (b"HTTP/2 200\r\n\r\n", "no HTTP/1.1 response"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20000 + b"\r\n\r\n", "head of the response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "ended too soon"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n", "a body of"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "a body of"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n", "a body of"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BODY + 1), "a body longer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "transfer coding"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "without a size"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", "a body longer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", "without its end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "ended too soon"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1" + b";" * 20000, "without an end"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5, "interim"),
    ],
)
def test_what_is_no_answer(authority, context: ssl.SSLContext, reply: bytes, told: str) -> None:
    assert told in refused(fetch(Server(context, reply), roots=authority.roots), Obstacle.MALFORMED)


def test_a_certificate_for_another_name_is_an_answer(authority) -> None:
    server = Server(authority.server("www.shop.example"))
    found = answer(fetch(server, roots=authority.roots))
    assert found.status is None
    assert found.body == b""
    assert "mismatch" in (found.certificate_error or "").lower()
    assert server.requests == []  # nothing was asked of a server that is not the one meant


def test_a_certificate_of_nobodys_is_an_answer(authority, context: ssl.SSLContext) -> None:
    found = answer(fetch(Server(context)))  # the system's roots know nothing of ours
    assert found.certificate_error
    assert found.status is None


def test_a_server_without_tls(authority) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    found = fetch(Server(None, handler=plain), roots=authority.roots)
    assert "TLS was not established" in refused(found, Obstacle.MALFORMED)


def test_a_server_that_hangs_before_tls(authority) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    with hang_guard():
        refused(fetch(Server(None, handler=hang), roots=authority.roots, timeout_seconds=0.5), Obstacle.TIMEOUT)


def test_a_server_that_drips(authority, context: ssl.SSLContext) -> None:
    """The bound is on the whole, not on each read."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for octet in OK * 100:
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0.05)

    with hang_guard():
        found = fetch(Server(context, handler=drip), roots=authority.roots, timeout_seconds=0.5)
    refused(found, Obstacle.TIMEOUT)


def test_a_flood_is_not_read(authority, context: ssl.SSLContext) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1600):
            writer.write(b"x" * 65536)
            await writer.drain()
            server.sent += 65536

    server = Server(context, handler=flood)
    assert "longer" in refused(fetch(server, roots=authority.roots), Obstacle.MALFORMED)
    assert server.sent < 16 << 20


def test_nobody_listens(authority) -> None:
    observer = HttpsObserver(resolve=loopback, private=True, roots=authority.roots)
    (found,) = asyncio.run(observer.observe([HttpsQuestion(f"https://{NAME}:1/")]))
    assert "127.0.0.1" in refused(found, Obstacle.NETWORK)


def test_names_that_lead_nowhere() -> None:
    async def none(host: str) -> Sequence[str]:
        return ()

    async def silent(host: str) -> Sequence[str]:
        raise CannotConnectError(Obstacle.SERVFAIL, f"{host} A: servfail")

    async def inside(host: str) -> Sequence[str]:
        return ("127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1", "nonsense")

    def told(resolve: object, obstacle: Obstacle) -> str:
        observer = HttpsObserver(resolve=resolve)  # type: ignore[arg-type]
        (found,) = asyncio.run(observer.observe([HttpsQuestion(f"https://{NAME}/")]))
        return refused(found, obstacle)

    assert "no address" in told(none, Obstacle.NETWORK)
    assert "servfail" in told(silent, Obstacle.SERVFAIL)
    assert "no public address" in told(inside, Obstacle.NETWORK)


@pytest.mark.parametrize(
    "url",
    [
        "http://mta-sts.shop.example/",
        "https://",
        "https://user@mta-sts.shop.example/",
        "https://mta-sts.shop.example:99999/",
        "https://mta-sts.shop.example/a b",
        "https://mta-sts.shop.example/文",
        "https://[::1/",
        "https://exa mple/",
        "https://mta-sts.shop.example/" + "x" * 3000,
        "",
    ],
)
def test_what_is_no_url(url: str) -> None:
    (found,) = asyncio.run(HttpsObserver(resolve=loopback).observe([HttpsQuestion(url)]))
    assert "URL" in refused(found, Obstacle.MALFORMED)


def test_more_than_are_asked_at_once() -> None:
    questions = [HttpsQuestion(f"http://{i}.example/") for i in range(MAX_QUESTIONS + 2)]
    found = asyncio.run(HttpsObserver(resolve=loopback).observe(questions))
    assert [one.question for one in found] == questions
    refused(found[-1], Obstacle.LIMIT)
    assert asyncio.run(HttpsObserver(resolve=loopback).observe([])) == ()
