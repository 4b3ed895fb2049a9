"""The name of an address, and whether it leads back (RFC 8601 §2.7.3 ``iprev``, RFC 1035 §3.5, RFC 3596 §2.5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observations
from deliverability.protocols.mx import parse_ip

MAX_NAMES: Final = 10
"""PTR names that are followed."""


TOO_MANY_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "{ip} has so many reverse names that only the first were followed ({names}), and none of those leads back to it. Leave it one name.",
        "zh-Hant-TW": "{ip} 的反解名稱過多，只查了最前面幾個（{names}），都沒有正解回同一位址。請只保留一個名稱。",
    }
)


INSIDE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "{ip} is an address inside a network of its own, which no receiver ever sees. Give the public one with --from-ip.",
        "zh-Hant-TW": "{ip} 是內部網路的位址，收件方不會看到。請以 --from-ip 提供對外的位址。",
    }
)


class IprevResult(StrEnum):
    """Results in the words of RFC 8601 §2.7.3."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"
    """There is no name at all."""


@dataclass(frozen=True, slots=True)
class Iprev:
    """Names of an address."""

    result: IprevResult
    names: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    """Those whose addresses include it."""
    obstacle: CouldNotLook | None = None
    observed_at: datetime | None = None
    more: bool = False
    """There are more names than were followed, one of which may lead back."""


@dataclass(frozen=True, slots=True)
class Resolves:
    """Whether a name has a certain address."""

    yes: bool
    obstacle: CouldNotLook | None = None
    observed_at: datetime | None = None


def iprev(client_ip: str, observations: Observations) -> Iprev:
    """Look at the address's PTR names and back; raises ``Unobserved``, and ``ParseError`` for what is no address."""
    return observations.once(_iprev, client_ip)


def _iprev(client_ip: str, observations: Observations) -> Iprev:
    ip = parse_ip(client_ip)
    if ip is None:
        raise ParseError(f"not an IP address: {printable(client_ip)!r}")
    answer = observations.ask(_reverse_pointer(ip), "PTR")
    if isinstance(answer, CouldNotLook):
        return Iprev(IprevResult.TEMPERROR, obstacle=answer, observed_at=answer.observed_at)
    every = tuple(dict.fromkeys(record.value for record in answer.records if record.value))
    names = every[:MAX_NAMES]
    if not names:
        return Iprev(IprevResult.PERMERROR, observed_at=answer.observed_at)
    family = "A" if ip.version == 4 else "AAAA"
    looked = observations.ask_all(*(DnsQuestion(name, family) for name in names))
    confirmed = tuple(
        name
        for name, found in zip(names, looked, strict=True)
        if isinstance(found, DnsAnswer) and any(parse_ip(record.value) == ip for record in found.records)
    )
    if confirmed:
        return Iprev(IprevResult.PASS, names, confirmed, observed_at=answer.observed_at)
    obstacle = next((found for found in looked if isinstance(found, CouldNotLook)), None)
    result = IprevResult.TEMPERROR if obstacle else IprevResult.FAIL
    more = len(every) > len(names)
    return Iprev(result, names, obstacle=obstacle, observed_at=answer.observed_at, more=more)


@lru_cache(maxsize=64)
def _reverse_pointer(ip: IPv4Address | IPv6Address) -> str:
    """Where its PTR records stand; thousands of domains are checked for one sending address."""
    return ip.reverse_pointer


def resolves_to(name: str, client_ip: str, observations: Observations) -> Resolves:
    """Whether ``name`` has the address ``client_ip``; may raise ``Unobserved``.  An address literal is no name."""
    ip = parse_ip(client_ip)
    if ip is None or not name or name.startswith("["):
        return Resolves(yes=False)
    found = observations.ask(name, "A" if ip.version == 4 else "AAAA")
    if isinstance(found, CouldNotLook):
        return Resolves(yes=False, obstacle=found, observed_at=found.observed_at)
    yes = any(parse_ip(record.value) == ip for record in found.records)
    return Resolves(yes, observed_at=found.observed_at)
