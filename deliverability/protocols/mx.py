"""Whether a host is one that a domain names as its mail exchanger.

RFC 5321 §5.1 (MX, and the implicit MX of a domain that has none), RFC 7505 (null MX).  A match shows that the
domain's owner names that host; the absence of a match shows nothing about the past.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observation, Observations
from deliverability.evidence.smtp import Host

MAX_ADDRESS = 64
"""Characters; the longest address with a zone has fewer."""
MAX_TARGETS = 32
"""MX names whose addresses are looked up; real domains have ten at most."""


class MxKind(StrEnum):
    """How a relay relates to the mail exchangers of a domain."""

    NAME = "mx-name"
    """The relay's name is an MX of the domain."""
    ADDRESS = "mx-address"
    """The relay's address is an address of an MX of the domain."""
    NO_MATCH = "no-match"
    NO_MX = "no-mx"
    """The domain has neither MX nor address records: it takes no mail."""
    NULL_MX = "null-mx"
    """The domain says that it takes no mail (RFC 7505)."""
    COULD_NOT_LOOK = "could-not-look"


class MxMatch(NamedTuple):
    """The relation, and what it rests on."""

    kind: MxKind
    host: str | None = None
    """The MX that matched."""
    targets: tuple[str, ...] = ()
    """All mail exchangers of the domain, the preferred first; as far as known."""
    implicit: bool = False
    """The domain has no MX record: its own addresses stand in (RFC 5321 §5.1)."""
    observed_at: datetime | None = None
    """When the MX records were looked up, UTC."""
    obstacle: str | None = None
    """What could not be looked up, and why."""

    @property
    def matched(self) -> bool:
        """Whether the relay is an MX of the domain."""
        return self.kind in (MxKind.NAME, MxKind.ADDRESS)


def match(relay: Host, domain: Domain, observations: Observations) -> MxMatch:
    """Hold ``relay`` against the mail exchangers of ``domain``; may raise ``Unobserved``."""
    answer = observations.ask(domain.name, "MX")
    if isinstance(answer, CouldNotLook):
        return MxMatch(MxKind.COULD_NOT_LOOK, observed_at=answer.observed_at, obstacle=_told(answer))
    when = answer.observed_at
    records = sorted(answer.records, key=lambda r: (r.preference or 0, r.value))
    targets = tuple(dict.fromkeys(_host_name(r.value) for r in records))[:MAX_TARGETS]
    if targets == ("",):
        return MxMatch(MxKind.NULL_MX, observed_at=when)
    targets = tuple(t for t in targets if t)
    implicit = not targets
    if not answer.exists:
        return MxMatch(MxKind.NO_MX, observed_at=when)
    hosts = (domain.name,) if implicit else targets
    named = _named(relay.name, targets)
    if named:
        return MxMatch(MxKind.NAME, named, targets, observed_at=when)
    return _by_address(relay, hosts, observations, implicit=implicit, when=when)


_END = 18


def _named(name: str | None, targets: tuple[str, ...]) -> str | None:
    """The target that a relay's name is; of a long one Sendmail logs 18 octets, three dots and 18 octets."""
    plain = _host_name(name or "")
    if plain in targets:
        return plain
    head, _, tail = plain.partition("...")
    if len(head) != _END or len(tail) not in (_END - 1, _END):  # the dot at its end counts, and was taken off
        return None
    fit = (t for t in targets if len(t) > len(plain) and t.startswith(head) and t.endswith(tail))
    return next(fit, None)


def addresses(
    hosts: Iterable[str], observations: Observations, *, families: tuple[str, ...]
) -> tuple[Observation, ...]:
    """The A and AAAA observations of ``hosts``; raises ``Unobserved`` for all that are missing at once."""
    return observations.ask_all(*(DnsQuestion(host, family) for host in hosts for family in families))


def parse_ip(text: str | None) -> IPv4Address | IPv6Address | None:
    """An address in its one comparable form; ``None`` if it is no address.

    IPv4-mapped IPv6 becomes IPv4, and a zone (``%eth0``, RFC 4007 §11) is left out: it means something on one host only.
    """
    return _parse_kept(text) if text and len(text) <= MAX_ADDRESS else _parse_ip(text or "")


def _parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    try:
        ip = ip_address(text.strip("[]"))
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        return ip.ipv4_mapped or (IPv6Address(int(ip)) if ip.scope_id else ip)
    return ip


_parse_kept = lru_cache(maxsize=1024)(_parse_ip)


def _by_address(
    relay: Host, hosts: tuple[str, ...], observations: Observations, *, implicit: bool, when: datetime
) -> MxMatch:
    targets = () if implicit else hosts
    ip = parse_ip(relay.ip)
    if ip is None and not implicit:
        return MxMatch(MxKind.NO_MATCH, None, targets, observed_at=when)
    families = ("A", "AAAA") if implicit or ip is None else ("A",) if ip.version == 4 else ("AAAA",)
    looked = addresses(hosts, observations, families=families)
    answers = [o for o in looked if isinstance(o, DnsAnswer)]
    for found in answers:
        if ip is not None and any(parse_ip(record.value) == ip for record in found.records):
            return MxMatch(MxKind.ADDRESS, found.question.name, targets, implicit, when)
    any_address = any(found.records for found in answers)
    if implicit and any_address and relay.name and _host_name(relay.name) in hosts:
        return MxMatch(MxKind.NAME, hosts[0], targets, implicit, when)
    missing = [o for o in looked if isinstance(o, CouldNotLook)]
    if missing:
        return MxMatch(MxKind.COULD_NOT_LOOK, None, targets, implicit, when, _told(missing[0]))
    if implicit and not any_address:
        return MxMatch(MxKind.NO_MX, None, targets, implicit, when)
    return MxMatch(MxKind.NO_MATCH, None, targets, implicit, when)


def _host_name(text: str) -> str:
    return text.lower().removesuffix(".")


def _told(observation: CouldNotLook) -> str:
    return f"{observation.question}: {observation.obstacle}"
