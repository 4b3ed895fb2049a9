"""Fetch a small document over HTTPS, and write down exactly what came of it.

RFC 9112 (one GET, one response, no redirect: RFC 8461 §3.3), RFC 9525 (the certificate must hold for the name).  That a
certificate does not hold is an answer; whatever else goes wrong is *could not look*, and nothing is raised.
"""

import asyncio
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from deliverability.capture._connect import (
    CannotConnectError,
    Resolve,
    Roots,
    addresses_of,
    connect,
    leave,
    trust,
)
from deliverability.errors import printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, HttpsAnswer, HttpsQuestion, Observation, Obstacle

MAX_BODY: Final = 65536
"""Octets of a body, RFC 8461 §3.3; a longer one is no answer."""
MAX_HEAD: Final = 16384
"""Octets of a status line with its header fields."""
MAX_QUESTIONS: Final = 100
"""Questions of one call; what is beyond becomes ``limit``."""
_MAX_INTERIM: Final = 3  # 1xx responses before the final one
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: |\r\n)")
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")  # RFC 6838 §4.2
_TARGET: Final = re.compile(r"/[!-~]*")


class _NoAnswerError(Exception):
    """What came is no HTTP response that may be kept; says why."""


@dataclass(frozen=True, slots=True)
class _Url:
    host: str
    port: int
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsObserver:
    """Fetches documents, each over a connection of its own."""

    resolve: Resolve
    timeout_seconds: float = 10.0
    """For one document, from the look-up of its host to the last octet."""
    concurrency: int = 8
    """Documents under way at once."""
    roots: Roots = None
    private: bool = False
    """Whether to connect to addresses that are not public."""

    async def observe(self, questions: Iterable[HttpsQuestion]) -> tuple[Observation, ...]:
        """One observation for each different question, in order; raises nothing for trouble on the way."""
        wanted = tuple(dict.fromkeys(questions))
        if not wanted:
            return ()
        context, gate = trust(self.roots), asyncio.Semaphore(max(1, self.concurrency))

        async def one(question: HttpsQuestion) -> Observation:
            async with gate:
                return await self._look(question, context)

        asked = await asyncio.gather(*(one(question) for question in wanted[:MAX_QUESTIONS]))
        told = f"more than {MAX_QUESTIONS} documents at once"
        beyond = (CouldNotLook(q, Obstacle.LIMIT, told, "", _now()) for q in wanted[MAX_QUESTIONS:])
        return (*asked, *beyond)

    async def _look(self, question: HttpsQuestion, context: ssl.SSLContext) -> Observation:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await self._fetch(question, context)
        except TimeoutError:
            obstacle, told = Obstacle.TIMEOUT, f"no answer within {self.timeout_seconds:g} s"
        except CannotConnectError as problem:
            obstacle, told = problem.obstacle, str(problem)
        except _NoAnswerError as problem:
            obstacle, told = Obstacle.MALFORMED, str(problem)
        except ssl.SSLError as problem:
            obstacle, told = Obstacle.MALFORMED, f"TLS was not established: {problem.reason or problem.strerror}"
        except (OSError, EOFError) as problem:
            obstacle, told = Obstacle.NETWORK, f"the connection broke: {type(problem).__name__}"
        return CouldNotLook(question, obstacle, printable(told, 200), "", _now())

    async def _fetch(self, question: HttpsQuestion, context: ssl.SSLContext) -> HttpsAnswer:
        url = _split(question.url)
        addresses = await addresses_of(url.host, self.resolve, private=self.private)
        reader, writer, _ = await connect(addresses, url.port, limit=MAX_HEAD, timeout_seconds=self.timeout_seconds / 2)
        try:
            await writer.start_tls(context, server_hostname=url.host)
            writer.write(_request(url))
            await writer.drain()
            status, media_type, body = await _response(reader)
        except ssl.SSLCertVerificationError as problem:
            why = printable(problem.verify_message or str(problem), 200)
            return HttpsAnswer(question, None, "", b"", why, _now())
        finally:
            await leave(writer)
        return HttpsAnswer(question, status, media_type, body, None, _now())


def _split(text: str) -> _Url:
    try:
        parts = urlsplit(text)
        host, port = Domain.parse(parts.hostname or "").name, parts.port or 443
    except ValueError:  # ParseError is one
        raise _NoAnswerError("not a URL") from None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme != "https" or parts.username is not None or not _TARGET.fullmatch(target) or len(text) > 2000:
        raise _NoAnswerError("not an https URL that can be asked for")
    return _Url(host, port, target)


def _request(url: _Url) -> bytes:
    host = url.host if url.port == 443 else f"{url.host}:{url.port}"
    fields = (
        f"GET {url.target} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: deliverability",
        "Accept: */*",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    return "".join(f"{field}\r\n" for field in (*fields, "")).encode("ascii")


async def _response(reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
    for _ in range(_MAX_INTERIM + 1):
        status, fields = await _head(reader)
        if status >= 200:
            break
    else:
        raise _NoAnswerError("only interim responses came")
    media_type = fields.get("content-type", "").partition(";")[0].strip().lower()
    body = b"" if status in (204, 304) else await _body(reader, fields)
    return status, media_type if _MEDIA_TYPE.fullmatch(media_type) else "", body


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _NoAnswerError(f"the head of the response is longer than {MAX_HEAD} octets") from None
    except asyncio.IncompleteReadError as cut:
        raise _NoAnswerError("no HTTP response" if cut.partial else "an empty response") from None
    match = _STATUS.match(raw)
    if not match or len(raw) > MAX_HEAD:
        raise _NoAnswerError("no HTTP/1.1 response")
    fields: dict[str, str] = {}
    for line in raw.decode("latin-1").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.lower(), value.strip(" \t"))
    return int(match[1]), fields


async def _body(reader: asyncio.StreamReader, fields: dict[str, str]) -> bytes:
    """The body by its framing, RFC 9112 §6.3."""
    coding, length = fields.get("transfer-encoding"), fields.get("content-length")
    try:
        if coding is not None:
            if coding.lower() != "chunked":
                raise _NoAnswerError("a transfer coding that was not asked for")
            return await _chunked(reader)
        if length is None:
            return await _to_the_end(reader)
        if not re.fullmatch(r"[0-9]{1,10}", length) or int(length) > MAX_BODY:
            raise _NoAnswerError(f"a body of {length!r} octets")
        return await reader.readexactly(int(length))
    except asyncio.IncompleteReadError:
        raise _NoAnswerError("the body ended too soon") from None
    except asyncio.LimitOverrunError:
        raise _NoAnswerError("a chunk without an end to its size") from None


async def _to_the_end(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while piece := await reader.read(MAX_HEAD):
        body += piece
        if len(body) > MAX_BODY:
            raise _NoAnswerError(f"a body longer than {MAX_BODY} octets")
    return bytes(body)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    """RFC 9112 §7.1; trailer fields are not read."""
    body = bytearray()
    while True:
        size = (await reader.readuntil(b"\r\n")).partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size):
            raise _NoAnswerError("a chunk without a size")
        octets = int(size, 16)
        if octets == 0:
            return bytes(body)
        if len(body) + octets > MAX_BODY:
            raise _NoAnswerError(f"a body longer than {MAX_BODY} octets")
        body += await reader.readexactly(octets)
        if await reader.readexactly(2) != b"\r\n":
            raise _NoAnswerError("a chunk without its end")


def _now() -> datetime:
    return datetime.now(UTC)
