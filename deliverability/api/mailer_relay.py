"""How a relay is written, and where hosts are found: a relay through the system, exchangers through the DNS."""

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deliverability.api.mailer_delivery import Finder
from deliverability.api.mailer_policy import Policies, Ruled
from deliverability.capture.smtp_route import Addresses, addresses, is_public
from deliverability.errors import ParseError, UsageError, printable
from deliverability.evidence.names import Domain
from deliverability.protocols.mx import parse_ip
from deliverability.protocols.tls_policy import Demand, Source

if TYPE_CHECKING:
    from deliverability.capture._connect import AsksDns

NOTHING: Final = Ruled(Demand(Source.NONE, ""), ())
MAX_ADDRESSES: Final = 4
SUBMISSION, SUBMISSIONS, SMTP, LMTP = 587, 465, 25, 24


@dataclass(frozen=True, slots=True)
class Relay:
    """The next hop that was named."""

    host: str
    """A name, an address, or the path of a socket."""
    port: int
    lmtp: bool = False
    implicit_tls: bool = False


def parse_relay(text: str, *, credentials: bool = False) -> Relay:
    """Read a relay; raises :class:`~deliverability.errors.UsageError` saying how it is written."""
    scheme, rest = "", text
    for known in ("smtp://", "smtps://", "lmtp://", "lmtp:", "smtp:"):
        if text.lower().startswith(known):
            scheme, rest = known.rstrip(":/"), text[len(known) :]
            break
    if rest.startswith("/"):
        return Relay(rest, 0, lmtp=scheme == "lmtp")
    host, port = _host_and_port(rest, text)
    default = {"smtps": SUBMISSIONS, "lmtp": LMTP}.get(scheme, SUBMISSION if credentials else SMTP)
    chosen = port or default
    return Relay(host, chosen, lmtp=scheme == "lmtp", implicit_tls=scheme == "smtps" or chosen == SUBMISSIONS)


def _host_and_port(rest: str, text: str) -> tuple[str, int | None]:
    if "@" in text:  # never repeated: a password may stand there, and an error ends up in a log
        raise UsageError(
            f"relay ...@{printable(text.rpartition('@')[2], 100)}: credentials are given as username= and password=, and"
            " not in the relay"
        )
    usage = UsageError(
        f"relay {printable(text, 100)!r}: write HOST:PORT, [IPv6]:PORT, smtps://HOST, lmtp://HOST:PORT or lmtp:/PATH"
    )
    host, colon, port = rest.rstrip("/").rpartition(":")
    if rest.startswith("["):
        host, closed, port = rest[1:].partition("]")
        colon, port = port[:1], port[1:]
        if not closed or colon not in ("", ":"):
            raise usage
    elif not colon or rest.count(":") > 1:
        host, colon, port = rest, "", ""
    if colon and not (port.isdecimal() and 0 < int(port) < 65536):
        raise usage
    if parse_ip(host) is None:
        try:
            host = Domain.parse(host).name
        except ParseError:
            raise usage from None
    return host, int(port) if colon else None


class ThroughRelay(Finder):
    """The relay's addresses, as the system resolves them: it may stand in ``/etc/hosts``."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    async def ruled(self, host: str) -> Ruled:  # noqa: ARG002 - the mailer's own settings rule
        """Nothing but the mailer's own settings: nobody publishes anything of a relay."""
        return NOTHING

    async def addresses(self, host: str) -> Addresses:
        """A path or an address stands for itself."""
        if host.startswith("/") or parse_ip(host) is not None:
            return Addresses((host,), ())
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, self._relay.port, type=socket.SOCK_STREAM)
        except OSError as problem:
            return Addresses((), (), unknown=True, detail=f"{host}: {problem.strerror or type(problem).__name__}")
        ips = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        return Addresses(ips[:MAX_ADDRESSES], ())


class Direct(Finder):
    """The addresses of mail exchangers, by our own observer: they are evidence."""

    def __init__(self, dns: "AsksDns", *, private: bool, policies: Policies | None = None, domain: str = "") -> None:
        self._dns, self._private, self._policies, self._domain = dns, private, policies, domain

    async def ruled(self, host: str) -> Ruled:
        """What the recipients' domain has published, where the mailer goes by it."""
        return await self._policies.of(self._domain, host) if self._policies else NOTHING

    async def addresses(self, host: str) -> Addresses:
        """As the domain's owner publishes them."""
        if parse_ip(host) is None:
            return await addresses(host, self._dns, private=self._private)
        if self._private or is_public(host):  # an address literal stands for itself
            return Addresses((host,), ())
        return Addresses((), (), detail=f"{host} is no public address")
