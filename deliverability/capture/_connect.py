"""A TCP connection to a host that a stranger's DNS names: through our own resolver, and not into private networks."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Final, Protocol

from deliverability.errors import ParseError, printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observation, Obstacle

MAX_ADDRESSES: Final = 4
"""Addresses of one host that are tried."""
_FAREWELL_SECONDS: Final = 0.25
Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""A host name to its addresses, the preferred first; may raise :class:`CannotConnectError`."""
Roots = ssl.SSLContext | str | None
"""Who is trusted: a ready context, a file of certificates (PEM), or the system's roots."""
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter, str]


class CannotConnectError(Exception):
    """Nobody was reached; says why."""

    def __init__(self, obstacle: Obstacle, detail: str) -> None:
        super().__init__(printable(detail, 200))
        self.obstacle = obstacle


class AsksDns(Protocol):
    """Whoever observes the DNS: an observer, a session of one, something else."""

    async def observe(self, questions: Iterable[DnsQuestion], /) -> tuple[Observation, ...]:
        """One observation for each question."""


def resolver(dns: AsksDns) -> Resolve:
    """Resolve hosts by the name servers of ``dns``, IPv4 first: more networks have it."""

    async def resolve(host: str) -> tuple[str, ...]:
        found = await dns.observe(DnsQuestion(host, family) for family in ("A", "AAAA"))
        addresses = tuple(r.value for answer in found if isinstance(answer, DnsAnswer) for r in answer.records)
        failed = next((one for one in found if isinstance(one, CouldNotLook)), None)
        if not addresses and failed:
            raise CannotConnectError(failed.obstacle, f"{failed.question}: {failed.obstacle}")
        return addresses

    return resolve


def trust(roots: Roots) -> ssl.SSLContext:
    """The context that verifies certificates and names by ``roots``."""
    if isinstance(roots, ssl.SSLContext):
        return roots
    context = ssl.create_default_context(cafile=roots)
    # From Python 3.13 on the default is stricter than the servers that will send mail here; one finding for all.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


async def addresses_of(host: str, resolve: Resolve, *, private: bool) -> tuple[str, ...]:
    """Where to connect; raises :class:`CannotConnectError` where there is nowhere.

    Without ``private``, addresses that are not public are left out: a stranger's record must not make us knock at
    doors inside our own network.
    """
    try:
        name = Domain.parse(host).name
    except ParseError:
        raise CannotConnectError(Obstacle.MALFORMED, f"not a host name: {host!r}") from None
    found = list(dict.fromkeys(await resolve(name)))[: MAX_ADDRESSES * 4]
    if not found:
        raise CannotConnectError(Obstacle.NETWORK, f"{name} has no address")
    usable = [text for text in found if private or _is_public(text)]
    if not usable:
        raise CannotConnectError(Obstacle.NETWORK, f"{name} has no public address: {found[0]}")
    return tuple(usable[:MAX_ADDRESSES])


async def connect(addresses: Sequence[str], port: int, *, limit: int, timeout_seconds: float) -> Streams:
    """The first address that answers, each for at most ``timeout_seconds``; ``limit`` bounds what is read ahead.

    Raises :class:`CannotConnectError`.
    """
    failures: list[tuple[Obstacle, str]] = []
    for address in addresses:
        try:
            async with asyncio.timeout(timeout_seconds):
                reader, writer = await asyncio.open_connection(address, port, limit=limit)
        except TimeoutError:
            failures.append((Obstacle.TIMEOUT, f"{address}: no connection within {timeout_seconds:g} s"))
        except OSError as problem:
            failures.append((Obstacle.NETWORK, f"{address}: {problem.strerror or type(problem).__name__}"))
        else:
            return reader, writer, address
    obstacle = Obstacle.TIMEOUT if any(why is Obstacle.TIMEOUT for why, _ in failures) else Obstacle.NETWORK
    raise CannotConnectError(obstacle, "; ".join(told for _, told in failures))


async def leave(writer: asyncio.StreamWriter, farewell: bytes = b"") -> None:
    """Close, and do not wait for a server that does not."""
    try:
        async with asyncio.timeout(_FAREWELL_SECONDS):
            if farewell:
                writer.write(farewell)
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        pass
    finally:
        writer.transport.abort()


def _is_public(text: str) -> bool:
    try:
        ip = ip_address(text)
    except ValueError:
        return False
    return ip.is_global and not ip.is_multicast
