"""Ask name servers, and write down exactly what came of it.

RFC 1035, RFC 6891 (EDNS), RFC 7766 (TCP), RFC 5452 §4 (matching replies), RFC 2308 (negative answers).  An answer, and
why there is none, are two types; nothing here raises for trouble with the DNS.  Names are absolute: the system's
search list is never used.
"""

import asyncio
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from deliverability.errors import UsageError, printable
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    Observation,
    Obstacle,
    Rcode,
)

if TYPE_CHECKING:
    from deliverability.capture._dns_reply import Reply

MAX_QUESTIONS: Final = 1000
"""Questions of one call; what is beyond becomes ``limit``."""
MAX_CNAMES: Final = 10
"""Links of a CNAME chain, in all answers together."""
PAYLOAD: Final = 1232
"""EDNS UDP payload that avoids fragmentation (DNS flag day 2020)."""
_ROUNDS: Final = 2
_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15})(?=:))(?::([0-9]{1,5}))?\Z")
# When servers fail in different ways, the one that says most about the name is told.
_TELLING: Final = (Obstacle.SERVFAIL, Obstacle.REFUSED, Obstacle.MALFORMED, Obstacle.TIMEOUT, Obstacle.NETWORK)


@dataclass(frozen=True, slots=True, order=True)
class Nameserver:
    """Where a resolver listens."""

    address: str
    port: int = 53

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class DnsObserver:
    """Asks recursive name servers, in the order given; without any, those of the system."""

    nameservers: tuple[Nameserver, ...] = ()
    timeout_seconds: float = 3.0
    """For one try at one server."""
    lifetime_seconds: float = 20.0
    """For one question, all tries together."""
    concurrency: int = 64
    """Questions under way at once."""

    async def observe(self, questions: Iterable[DnsQuestion]) -> tuple[Observation, ...]:
        """One observation for each different question, in order; raises nothing for DNS trouble."""
        wanted = tuple(dict.fromkeys(questions))
        servers = self.nameservers or system_nameservers()
        gate = asyncio.Semaphore(max(1, self.concurrency))

        async def one(question: DnsQuestion) -> Observation:
            async with gate:
                return await _Inquiry(self, question, servers).run()

        asked = await asyncio.gather(*(one(question) for question in wanted[:MAX_QUESTIONS]))
        told = f"more than {MAX_QUESTIONS} questions at once"
        beyond = (CouldNotLook(q, Obstacle.LIMIT, told, "", _now()) for q in wanted[MAX_QUESTIONS:])
        return (*asked, *beyond)


def parse_nameserver(text: str) -> Nameserver:
    """Read ``IP``, ``IPv4:PORT`` or ``[IPv6]:PORT``.

    Raises :class:`~deliverability.errors.UsageError`: a name would have to be looked up first.
    """
    bare = text.strip()
    match = _WITH_PORT.match(bare)
    address, port = (match[1] or match[2], int(match[3] or 53)) if match else (bare, 53)
    try:
        ip = ip_address(address)
    except ValueError:
        ip = None
    if ip is None or not 0 < port < 65536:
        raise UsageError(f"not a name server: {printable(text)!r}; give IP, IP:PORT or [IPv6]:PORT")
    return Nameserver(str(ip), port)


def system_nameservers() -> tuple[Nameserver, ...]:
    """The name servers that this machine is set up with; none if it has no such set-up."""
    import dns.resolver

    try:
        found = dns.resolver.Resolver(configure=True)
    except (dns.exception.DNSException, OSError):
        return ()
    texts = [server for server in found.nameservers if isinstance(server, str) and "/" not in server]
    return tuple(Nameserver(text, found.port) for text in texts)


@dataclass(slots=True)
class _Failure:
    """Why one try gave no answer."""

    obstacle: Obstacle
    detail: str
    server: Nameserver


class _Inquiry:
    """One question, until there is an answer or nobody left to ask."""

    def __init__(self, observer: DnsObserver, question: DnsQuestion, servers: tuple[Nameserver, ...]) -> None:
        self._observer = observer
        self._question = question
        self._servers = servers
        self._failures: list[_Failure] = []

    async def run(self) -> Observation:
        if not self._servers:
            return CouldNotLook(self._question, Obstacle.NETWORK, "no name server is configured", "", _now())
        try:
            async with asyncio.timeout(self._observer.lifetime_seconds):
                return await self._follow() or self._could_not()
        except TimeoutError:
            told = f"no answer within {self._observer.lifetime_seconds:g} s"
            self._failures.append(_Failure(Obstacle.TIMEOUT, told, self._servers[0]))
            return self._could_not()

    async def _follow(self) -> DnsAnswer | None:
        """Ask, and ask on where a CNAME leads out of the answer."""
        name, seen, ttls = self._question.name, {self._question.name}, []
        while True:
            found = await self._ask_servers(name)
            if found is None:
                return None
            reply, server = found
            links = set(reply.chain)
            if links & seen or len(seen) + len(links) > MAX_CNAMES + 1:
                self._failures.append(_Failure(Obstacle.MALFORMED, "CNAME loop or too long a chain", server))
                return None
            seen |= links
            ttls += [reply.ttl] if reply.ttl is not None else []
            if not reply.goes_on:
                return DnsAnswer(
                    self._question,
                    Rcode.NXDOMAIN if reply.nxdomain else Rcode.NOERROR,
                    reply.records,
                    reply.chain[-1] if reply.chain else name,
                    min(ttls, default=None),
                    str(server),
                    _now(),
                    reply.authenticated,
                    reply.wire,
                )
            name = reply.chain[-1]

    async def _ask_servers(self, name: str) -> "tuple[Reply, Nameserver] | None":
        """The first answer of any server; a server that said no is not asked twice."""
        pending = self._servers
        for _round in range(_ROUNDS):
            again: list[Nameserver] = []
            for server in pending:
                result = await self._try(server, name)
                if not isinstance(result, _Failure):
                    return result, server
                self._failures.append(result)
                if result.obstacle in (Obstacle.TIMEOUT, Obstacle.NETWORK):
                    again.append(server)
            pending = tuple(again)
        return None

    async def _try(self, server: Nameserver, name: str) -> "Reply | _Failure":
        from deliverability.capture import _dns_reply

        try:
            async with asyncio.timeout(self._observer.timeout_seconds):
                return await self._exchange(server, name)
        except TimeoutError:
            return _Failure(Obstacle.TIMEOUT, f"no answer within {self._observer.timeout_seconds:g} s", server)
        except _dns_reply.RefusedError as refused:
            return _Failure(refused.obstacle, str(refused), server)
        except (OSError, EOFError) as problem:
            return _Failure(Obstacle.NETWORK, printable(str(problem) or type(problem).__name__, 120), server)

    async def _exchange(self, server: Nameserver, name: str) -> "Reply":
        """UDP, and TCP where the answer is cut (RFC 7766 §5); without EDNS for servers that do not know it."""
        from deliverability.capture import _dns_reply

        payload = PAYLOAD
        query = _dns_reply.make_query(name, self._question.rdtype, secrets.randbits(16), payload)
        reply = _dns_reply.read(query, await _udp(server, query), name, self._question.rdtype)
        if reply.format_error:  # RFC 6891 §7
            query = _dns_reply.make_query(name, self._question.rdtype, secrets.randbits(16), None)
            reply = _dns_reply.read(query, await _udp(server, query), name, self._question.rdtype)
        if reply.truncated:
            reply = _dns_reply.read(query, await _tcp(server, query), name, self._question.rdtype)
        return reply.checked()

    def _could_not(self) -> CouldNotLook:
        worst = min(self._failures, key=lambda failure: _TELLING.index(failure.obstacle))
        told = "; ".join(dict.fromkeys(f"{f.server}: {f.detail}" for f in self._failures))
        return CouldNotLook(self._question, worst.obstacle, told, str(worst.server), _now())


class _Datagram(asyncio.DatagramProtocol):
    """Waits for the reply with the query's id; others are not to it (RFC 5452 §4.2)."""

    def __init__(self, query_id: bytes) -> None:
        self._id = query_id
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """The socket is connected: only the server's packets arrive here."""
        del addr
        if data[:2] == self._id and not self.reply.done():
            self.reply.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(exc)


async def _udp(server: Nameserver, query: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: _Datagram(query[:2]), remote_addr=(server.address, server.port)
    )
    try:
        transport.sendto(query)
        return await protocol.reply
    finally:
        transport.close()


async def _tcp(server: Nameserver, query: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        writer.write(len(query).to_bytes(2, "big") + query)
        await writer.drain()
        length = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(length)
    finally:
        writer.close()


def _now() -> datetime:
    return datetime.now(UTC)
