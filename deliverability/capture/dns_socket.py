"""Sockets to name servers, kept open: many questions under way on few of them.

RFC 5452 §4 (a reply counts only from the server asked, to the port it was asked from, with the id it was asked with),
§9.2 (random ids; the system picks a random port for each socket, and a socket is given up after a while), RFC 7766 §5
and §8 (TCP).  A socket is connected: the system drops whatever comes from elsewhere.
"""

import asyncio
import random
import re
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType
from typing import Final, Self, cast

from deliverability.errors import UsageError, printable

QUERIES_PER_SOCKET: Final = 4096
"""After that many a socket is replaced, and with it its port."""
WAITING_PER_SOCKET: Final = 128
"""Replies that may be under way at once to one socket: what its buffer holds for sure."""
RECEIVE_OCTETS: Final = 1 << 20
"""Asked for; the system may grant less."""
LATE_IDS: Final = 1024
"""Ids of queries given up that a late reply may still carry, for each socket."""

_WITH_PORT: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15})(?=:))(?::([0-9]{1,5}))?\Z")
_random = random.SystemRandom()


@dataclass(frozen=True, slots=True, order=True)
class Nameserver:
    """Where a resolver listens."""

    address: str
    port: int = 53

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


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


class Sockets:
    """The sockets of one event loop; an asynchronous context manager that closes them."""

    def __init__(self) -> None:
        self._open: dict[Nameserver, list[_Socket]] = {}
        self._retired: list[_Socket] = []
        self._opening: dict[Nameserver, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        opening = list(self._opening.values())
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        for one in [*self._retired, *(one for pool in self._open.values() for one in pool)]:
            one.close()
        self._open.clear()
        self._retired.clear()

    async def exchange(self, server: Nameserver, query: bytes, seconds: float) -> tuple[bytes, bytes]:
        """Send a query over UDP under an id of its own; the query as sent, and the reply.

        Raises :class:`TimeoutError`, or :class:`OSError` where the system says that nobody can be reached.
        """
        one = self._free(server) or await self._another(server)
        try:
            return await one.exchange(query, seconds)
        finally:
            if one.worn and one.idle:
                self._drop(one)

    def _free(self, server: Nameserver) -> "_Socket | None":
        """A socket with room, chosen at random so that a stranger cannot tell which port comes next."""
        pool = self._open.get(server)
        if not pool:
            return None
        one = pool[0] if len(pool) == 1 else _random.choice(pool)
        if one.worn:
            pool.remove(one)
            self._retired.append(one)
            return self._free(server)
        return one if one.room else next((other for other in pool if other.room and not other.worn), None)

    async def _another(self, server: Nameserver) -> "_Socket":
        """One more socket; all that want one at the same time wait for the same."""
        while (found := self._free(server)) is None:
            opening = self._opening.get(server)
            if opening is None:
                opening = self._opening[server] = asyncio.ensure_future(self._open_one(server))
            await asyncio.wait((opening,))
            opening.result()
        return found

    async def _open_one(self, server: Nameserver) -> None:
        try:
            loop = asyncio.get_running_loop()
            _, one = await loop.create_datagram_endpoint(_Socket, remote_addr=(server.address, server.port))
            self._open.setdefault(server, []).append(one)
        finally:
            del self._opening[server]

    def _drop(self, one: "_Socket") -> None:
        one.close()
        if one in self._retired:
            self._retired.remove(one)
        for pool in self._open.values():
            if one in pool:
                pool.remove(one)


class _Socket(asyncio.DatagramProtocol):
    """One connected UDP socket."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._until: dict[bytes, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._late: dict[bytes, None] = {}
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._sent = 0

    @property
    def worn(self) -> bool:
        """Whether its port has been in use for long enough."""
        return self._sent >= QUERIES_PER_SOCKET

    @property
    def room(self) -> bool:
        """Whether one more reply would find its place."""
        return len(self._waiting) < WAITING_PER_SOCKET

    @property
    def idle(self) -> bool:
        """Whether no reply is awaited."""
        return not self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for room to receive in: many replies may come at once."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # in Python 3.11 it is not of that class
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_OCTETS)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Give a reply to whoever awaits its id; others are to nobody (RFC 5452 §4.2)."""
        del addr
        waiting = self._waiting.get(data[:2])
        if waiting is not None and not waiting.done():
            waiting.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there: that holds for all that is under way."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(exc)

    async def exchange(self, query: bytes, seconds: float) -> tuple[bytes, bytes]:
        """Send, and await the reply to this very query."""
        if self._transport is None or self._transport.is_closing():
            raise OSError("the socket is closed")
        query_id = self._fresh_id()
        query = query_id + query[2:]
        reply: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting[query_id] = reply
        self._sent += 1
        self._until[query_id] = until = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > until:
            self._wake_at(until)
        answered = False
        try:
            self._transport.sendto(query)
            found = await reply
            answered = True
        finally:
            del self._waiting[query_id], self._until[query_id]
            if not answered:
                self._remember(query_id)
        return query, found

    def _wake_at(self, instant: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(instant, self._give_up)

    def _give_up(self) -> None:
        """One timer serves all that wait here: few of them ever need it."""
        self._timer = None
        now = self._loop.time()
        for query_id, until in self._until.items():
            if until <= now and not self._waiting[query_id].done():
                self._waiting[query_id].set_exception(TimeoutError())
        left = [until for until in self._until.values() if until > now]
        if left:
            self._wake_at(min(left))

    def close(self) -> None:
        """Close; whoever still waits is told."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.close()
        self.error_received(OSError("the socket was closed"))

    def _fresh_id(self) -> bytes:
        while True:
            query_id = _random.randbytes(2)
            if query_id not in self._waiting and query_id not in self._late:
                return query_id

    def _remember(self, query_id: bytes) -> None:
        """A reply that comes too late must not meet another query under its id."""
        self._late[query_id] = None
        if len(self._late) > LATE_IDS:
            del self._late[next(iter(self._late))]


async def exchange_tcp(server: Nameserver, query: bytes) -> bytes:
    """The same over TCP, one connection for one query (RFC 7766 §5, RFC 1035 §4.2.2)."""
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        writer.write(len(query).to_bytes(2, "big") + query)
        await writer.drain()
        length = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(length)
    finally:
        writer.close()
