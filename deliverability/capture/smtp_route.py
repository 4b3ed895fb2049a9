"""Where mail for a domain goes: its mail exchangers in the order to try them, and their addresses.

RFC 5321 §5.1 (MX by preference, equal ones in random order, the implicit MX), RFC 7505 (null MX).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from deliverability.capture._connect import AsksDns
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observation
from deliverability.evidence.recorder import Finish
from deliverability.protocols.hosts import is_inside
from deliverability.protocols.mx import parse_ip

MAX_HOSTS: Final = 10
MAX_ADDRESSES: Final = 4
"""Addresses of one host that are tried."""


@dataclass(frozen=True, slots=True)
class Route:
    """The hosts to try, or why there are none."""

    hosts: tuple[str, ...]
    observations: tuple[Observation, ...]
    finish: Finish | None = None
    """What it means for the message that there is no host."""
    detail: str = ""


async def route(domain: Domain, dns: AsksDns) -> Route:
    """The mail exchangers of a domain, the first to be tried first."""
    found = await dns.observe([DnsQuestion(domain.name, "MX")])
    answer = next(iter(found), None)
    if not isinstance(answer, DnsAnswer):
        why = f"the mail exchangers of {domain} could not be looked up"
        if isinstance(answer, CouldNotLook):
            why += f": {answer.obstacle}"
        return Route((), found, Finish.DEFERRED, why)
    if not answer.exists:
        return Route((), found, Finish.FAILED, f"there is no domain {domain} (NXDOMAIN)")
    records = sorted(answer.records, key=lambda r: r.preference or 0)
    if not records:
        return Route((domain.name,), found)
    hosts: list[str] = []
    for _, equal in groupby(records, key=lambda r: r.preference or 0):
        group = [record.value.lower().removesuffix(".") for record in equal]
        random.shuffle(group)
        hosts += [host for host in group if host and host not in hosts]
    if not hosts:
        return Route((), found, Finish.FAILED, f"{domain} does not accept mail (null MX)")
    return Route(tuple(hosts[:MAX_HOSTS]), found)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a host can be reached, or why not."""

    ips: tuple[str, ...]
    observations: tuple[Observation, ...]
    unknown: bool = False
    """Whether the name servers could not say; else there is none."""
    detail: str = ""


async def addresses(host: str, dns: AsksDns, *, private: bool) -> Addresses:
    """The addresses of a host, IPv4 first: more networks have it.

    Without ``private``, those that only our own network knows are left out: a stranger's record must not make us
    knock at doors inside it.
    """
    found: Sequence[Observation] = await dns.observe(DnsQuestion(host, family) for family in ("A", "AAAA"))
    every = [record.value for answer in found if isinstance(answer, DnsAnswer) for record in answer.records]
    ips = tuple(dict.fromkeys(text for text in every if private or is_public(text)))
    if ips:
        return Addresses(ips[:MAX_ADDRESSES], tuple(found))
    failed = next((one for one in found if isinstance(one, CouldNotLook)), None)
    if failed:
        return Addresses((), tuple(found), unknown=True, detail=f"{host}: {failed.question}: {failed.obstacle}")
    return Addresses((), tuple(found), detail=f"{host} has no {'public ' if every else ''}address")


def is_public(text: str) -> bool:
    """Whether the address is one of the Internet's, and not of our own network."""
    ip = parse_ip(text)
    return ip is not None and not (is_inside(ip) or ip.is_multicast or ip.is_unspecified or ip.is_reserved)
