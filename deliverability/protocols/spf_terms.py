"""The terms of an SPF record, as they are written (RFC 7208 §4.6.1, §5, §6, §7.2, §12).

Reads what a receiver would refuse, too, so that it can be named.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Network, IPv6Network, NetmaskValueError
from typing import Final

MAX_TERMS: Final = 5_500
"""Terms of one record that are read: as many networks as the longest record can name."""
BROAD_V4: Final = 15
"""IPv4 prefixes up to this length authorise 131,072 addresses and more."""
BROAD_V6: Final = 31
"""Shorter than what a registry gives to one provider."""
MECHANISMS: Final = frozenset({"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"})
# RFC 7208 §7.2; the letters c, r and t belong to explanations alone
MACRO: Final = re.compile(r"%(?:\{([slodiphvSLODIPHV])\d{0,3}[rR]?[-.+,/_=]{0,7}\}|[%_-])")

_TOP_LABEL = re.compile(r"(?!\d+\Z)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\Z")
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)\Z", re.DOTALL)
_MECHANISM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9]*)(?::([^\s]*?))?((?:/\d{1,3})?(?://\d{1,3})?)\Z")


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a record."""

    text: str
    name: str
    """Mechanism or modifier, lower-case; empty if it is neither."""
    qualifier: str
    value: str
    cidr: str
    modifier: bool


def terms(record: str) -> tuple[Term, ...]:
    """The terms of a record, as they are written; never raises."""
    return tuple(_term(text) for text in record.split(" ")[1 : MAX_TERMS + 1] if text)


def _term(text: str) -> Term:
    # RFC 7208 §4.6.1: what holds "=" after a name is a modifier, unless ":" or "/" comes first
    found = _MODIFIER.match(text)
    if found:
        return Term(text, found[1].lower(), "", found[2], "", modifier=True)
    parsed = _MECHANISM.match(text)
    if not parsed:
        return Term(text, "", "", "", "", modifier=False)
    return Term(text, parsed[2].lower(), parsed[1] or "+", parsed[3] or "", parsed[4], modifier=False)


def misformed(term: Term) -> bool:
    """RFC 7208 §5.1, §5.2, §5.7: ``all`` takes nothing, ``include`` and ``exists`` need a name; only addresses a prefix."""
    if term.name in ("include", "exists"):
        return not term.value or bool(term.cidr)
    if term.name in ("a", "mx") and term.cidr:
        v4, _, v6 = term.cidr.removeprefix("/").partition("//") if term.cidr[1:2] != "/" else ("", "", term.cidr[2:])
        return int(v4 or 0) > 32 or int(v6 or 0) > 128
    return (term.name == "all" and term.text.lstrip("+?~-").lower() != "all") or (
        term.name == "ptr" and bool(term.cidr)
    )


def domain_flaw(value: str) -> bool:
    """Whether a name is none that RFC 7208 §7.1 allows: it has to end in a top-level label, or in a macro."""
    if value.endswith("}"):
        return False
    _rest, dot, last = value.removesuffix(".").rpartition(".")
    return not dot or not _TOP_LABEL.match(last)


def network_flaw(term: Term) -> str | None:
    """What is wrong with an ``ip4`` or ``ip6`` term: ``syntax``, ``private-network``, ``broad-network``."""
    text = term.value + term.cidr
    try:
        network = IPv4Network(text, strict=False) if term.name == "ip4" else IPv6Network(text, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        return "syntax"
    if network.is_private and not _documentation(network):
        return "private-network"
    return "broad-network" if network.prefixlen <= (BROAD_V4 if term.name == "ip4" else BROAD_V6) else None


def _documentation(network: IPv4Network | IPv6Network) -> bool:
    """Networks of RFC 5737 and RFC 3849: examples, in tests and manuals."""
    return any(network.version == known.version and network.subnet_of(known) for known in _EXAMPLES)  # type: ignore[arg-type]


_EXAMPLES: Final = (
    IPv4Network("192.0.2.0/24"),
    IPv4Network("198.51.100.0/24"),
    IPv4Network("203.0.113.0/24"),
    IPv6Network("2001:db8::/32"),
)
