"""Sockets to name servers, kept open: many questions under way on few of them.

RFC 5452 §4 (a reply counts only from the server asked, to the port it was asked from, with the id it was asked with),
§9.2 (random ids; the system picks a random port for each socket, and a socket is given up after a while), RFC 7766 §5
and §8 (TCP).  A socket is connected: the system drops whatever comes from elsewhere.
"""

import asyncio
import random
import re
import socket
from collections.abc import Callable
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
Told = Callable[[bytes, bytes | Exception], None]
"""Hears of a query, as it was sent, the reply or why there is none."""
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
        return await one.exchange(query, seconds)

    async def open(self, server: Nameserver) -> None:
        """Have a socket ready before there is a query."""
        await self._another(server)

    def post(self, server: Nameserver, query: bytes, seconds: float, told: "Told") -> bool:
        """The same at once and without waiting: ``told`` hears what comes of it, never before this returns ``True``.

        ``False`` where no socket is open and has room; then nothing was sent.
        """
        one = self._free(server)
        if one is None or one.closed:
            return False
        one.post(query, seconds, told)
        return True

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
            _, one = await loop.create_datagram_endpoint(
                lambda: _Socket(self._drop), remote_addr=(server.address, server.port)
            )
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

    def __init__(self, drop: "Callable[[_Socket], None]") -> None:
        self._waiting: dict[bytes, tuple[bytes, Told]] = {}
        self._until: dict[bytes, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._late: dict[bytes, None] = {}
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._sent = 0
        self._drop = drop

    @property
    def worn(self) -> bool:
        """Whether its port has been in use for long enough."""
        return self._sent >= QUERIES_PER_SOCKET

    @property
    def room(self) -> bool:
        """Whether one more reply would find its place."""
        return len(self._waiting) < WAITING_PER_SOCKET

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for room to receive in: many replies may come at once."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # in Python 3.11 it is not of that class
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_OCTETS)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Give a reply to whoever awaits its id; others are to nobody (RFC 5452 §4.2)."""
        del addr
        if data[:2] in self._waiting:
            self._tell(data[:2], data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there: that holds for all that is under way."""
        for query_id in list(self._waiting):
            # Not at once: the system may say so while the query is still being sent.
            self._loop.call_soon(self._tell, query_id, exc)

    def post(self, query: bytes, seconds: float, told: Told) -> bytes:
        """Send under an id of its own, which is returned; ``told`` hears what comes of it."""
        query_id = self._fresh_id()
        query = query_id + query[2:]
        self._waiting[query_id] = query, told
        self._sent += 1
        self._until[query_id] = until = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > until:
            self._wake_at(until)
        cast("asyncio.DatagramTransport", self._transport).sendto(query)
        return query_id

    async def exchange(self, query: bytes, seconds: float) -> tuple[bytes, bytes]:
        """Send, and await the reply to this very query."""
        if self.closed:
            raise OSError("the socket is closed")
        reply: asyncio.Future[tuple[bytes, bytes]] = self._loop.create_future()

        def told(sent: bytes, outcome: bytes | Exception) -> None:
            if reply.done():
                return
            if isinstance(outcome, bytes):
                reply.set_result((sent, outcome))
            else:
                reply.set_exception(outcome)

        query_id = self.post(query, seconds, told)
        try:
            return await reply
        except asyncio.CancelledError:
            if query_id in self._waiting and self._waiting[query_id][1] is told:
                self._tell(query_id, TimeoutError())
            raise

    def _tell(self, query_id: bytes, outcome: bytes | Exception) -> None:
        """What came of a query; it is awaited no longer."""
        waiting = self._waiting.pop(query_id, None)
        if waiting is None:
            return
        del self._until[query_id]
        if not isinstance(outcome, bytes):
            self._remember(query_id)
        query, told = waiting
        told(query, outcome)
        if self.worn and not self._waiting:
            self._drop(self)

    def _wake_at(self, instant: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(instant, self._give_up)

    def _give_up(self) -> None:
        """One timer serves all that wait here: few of them ever need it."""
        self._timer = None
        now = self._loop.time()
        for query_id in [one for one, until in self._until.items() if until <= now]:
            self._tell(query_id, TimeoutError())
        if self._until and self._timer is None:
            self._wake_at(min(self._until.values()))

    def close(self) -> None:
        """Close; whoever still waits is told."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.close()
        for query_id in list(self._waiting):
            self._tell(query_id, OSError("the socket was closed"))

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
