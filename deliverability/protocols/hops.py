"""Which header fields the receiving side wrote, and how long each hop took.

A header is read from the top, newest first.  The fields above the first ``Received`` by which the message entered the
receiving side's own servers are theirs; all below came with the message and may be anybody's (RFC 8601 §5, RFC 5321 §4.4).
Where the entry cannot be told for sure it is taken to be earlier, so that less is believed, never more.

Some providers write below that line in ways of their own: those are in :mod:`deliverability.protocols.hop_providers`.
Filters that work as milters write just *below* the ``Received`` field of their own server, where a sender could write as
well: such a run of fields is set apart and believed only by those who know that the server does so.  One case cannot be
seen from here: a server behind address translation takes everybody for a neighbour; name its hosts, and distrust the rest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from deliverability.evidence.plugin import Stamp
from deliverability.protocols.hop_fields import names_field, readable
from deliverability.protocols.hop_hosts import is_address, is_private, is_rented, is_within, network
from deliverability.protocols.hop_providers import (
    OWNERS,
    WRAPPER_WRITES,
    is_apple_gateway,
    is_wrap,
    is_wrapped,
    is_yahoo_within,
    of_exim,
    of_microsoft,
)
from deliverability.protocols.mail import Field, Mail
from deliverability.protocols.received import Hop, parse_received

MAX_HOPS: Final = 200
SKEW: Final = timedelta(seconds=5)
"""Clocks this far apart are no news."""

# Second-level names under which many countries register (a host's owner has one label more).
_SECOND_LEVEL: Final = frozenset({"ac", "co", "com", "edu", "gob", "gov", "idv", "mil", "ne", "net", "or", "org"})
# RFC 3848, RFC 6531: the client had logged in.
_LOGGED_IN: Final = frozenset(
    {"ESMTPA", "ESMTPSA", "LMTPA", "LMTPSA", "UTF8SMTPA", "UTF8SMTPSA", "UTF8LMTPA", "UTF8LMTPSA"}
)


class Origin(StrEnum):
    """Whose word a header field is."""

    RECEIVING = "receiving"
    """Written after the message had entered the receiving side."""
    BORDER = "border"
    """Just below the entry: the receiving side's milter, or the sender."""
    OUTSIDE = "outside"
    """It came with the message."""


@dataclass(frozen=True, slots=True)
class Side:
    """The receiving side's servers."""

    names: tuple[str, ...]
    """Suffixes of host names, on a label boundary."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def has(self, host: str | None) -> bool:
        """Whether a host name is one of its own."""
        return host is not None and any(host == name or host.endswith("." + name) for name in self.names)


@dataclass(frozen=True, slots=True)
class Delay:
    """The time from the hop before to this one."""

    hop: Hop
    seconds: float | None
    """``None`` where a time is missing."""
    skewed: bool = False
    """The later hop's clock shows an earlier time: clocks differ, so the number is no delay."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """A header, divided by whose word it is."""

    side: Side | None
    """``None``: no ``Received`` field names a server, and nothing is believed."""
    entry: Hop | None
    """The hop by which the message entered the receiving side."""
    fields: tuple[tuple[Origin, Field], ...]
    """All fields but ``Received``, in order."""
    hops: tuple[Hop, ...]
    """Newest first, as they stand."""

    def of(self, origin: Origin) -> tuple[Field, ...]:
        """The fields of one origin, in order."""
        return tuple(field for whose, field in self.fields if whose is origin)


def divide(mail: Mail, names: Iterable[str] = (), filters: Iterable[str] = ()) -> Boundary:
    """Divide a message's header by whose word it is.

    ``names`` are host names, addresses and networks that the caller knows for the receiving side's; without a host name, the topmost ``Received`` field's
    host and its owner's other names are.  ``filters`` are names of fields that a milter would write.
    """
    rows = [(n, parse_received(readable(f))) for n, f in enumerate(mail.fields) if f.name.lower() == "received"]
    hops = tuple(hop for _, hop in rows[:MAX_HOPS])
    side = _side(tuple(names), hops)
    place, entry = _entry(rows[:MAX_HOPS], side) if side else (-1, None)
    wanted = tuple(filters)
    wrapper = is_wrapped(mail, hops)
    fields: list[tuple[Origin, Field]] = []
    below = place >= 0
    for number, field in enumerate(mail.fields):
        if field.name.lower() == "received":
            below = below and number <= place
            continue
        if number < place or (wrapper and names_field(field.name, WRAPPER_WRITES)):
            origin = Origin.RECEIVING
        else:
            below = below and names_field(field.name, wanted)
            origin = Origin.BORDER if below else Origin.OUTSIDE
        fields.append((origin, field))
    if side and entry:
        bare = [field for _, field in fields]
        told = of_microsoft(bare, entry) | of_exim(bare, side.has, entry)
        fields = [(Origin.RECEIVING if n in told else whose, field) for n, (whose, field) in enumerate(fields)]
    return Boundary(side, entry, tuple(fields), hops)


def stamps(fields: Iterable[Field], wanted: Iterable[str]) -> tuple[Stamp, ...]:
    """Those of the fields that a filter writes, as its reader gets them."""
    names = tuple(wanted)
    return tuple(Stamp(field.name, readable(field)) for field in fields if names_field(field.name, names))


def delays(hops: Iterable[Hop]) -> tuple[Delay, ...]:
    """How long each hop took, oldest first; the first has nothing before it."""
    out: list[Delay] = []
    before: Hop | None = None
    for hop in reversed(tuple(hops)):
        gap = hop.at - before.at if before and before.at and hop.at else None
        out.append(Delay(hop, gap.total_seconds() if gap is not None else None, gap is not None and gap < -SKEW))
        before = hop
    return tuple(out)


def owner(host: str) -> str:
    """The name under which a host is most likely registered: its last two labels, or three under a country's.

    A guess without the public suffix list, used only to take hosts of one name for one side.
    """
    labels = host.lower().rstrip(".").split(".")
    three = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3:] if three else labels[-2:])


def _side(names: tuple[str, ...], hops: tuple[Hop, ...]) -> Side | None:
    named = tuple(name.lower().strip(". ") for name in names if name.strip(". "))
    told = tuple(one for one in map(network, named) if one)
    given = tuple(name for name in named if not network(name))
    top = next((hop.by for hop in hops if hop.by and "." in hop.by and not is_address(hop.by)), None)
    if top is None and hops and hops[0].by and is_wrap(hops[0]):
        top = hops[0].by
    if top is None and hops and is_apple_gateway(hops[0]):  # its newer servers go by no domain at all
        top = "icloud.com"
    found = (*given, *((owner(top),) if top and not given else ()))
    if not found:
        return None
    for known, networks in OWNERS:
        if any(name == one or name.endswith("." + one) for name in found for one in known):
            return Side(tuple(dict.fromkeys((*found, *known))), (*networks, *told))
    return Side(found, told)


def _entry(rows: list[tuple[int, Hop]], side: Side) -> tuple[int, Hop | None]:
    """Where the message entered: the first hop, from the top, whose other side is not the receiving side's own."""
    last: tuple[int, Hop | None] = (-1, None)
    for number, hop in rows:
        if not (side.has(hop.by) or hop.by is None or is_within(hop.by)):
            return last  # the hop above took it from there, whatever it says
        if side.has(hop.by):
            last = (number, hop)
        if hop.has_from and not _is_own(hop, side):
            return number, hop
    return last


def _is_own(hop: Hop, side: Side) -> bool:
    """Whether the other side of a hop is one of the receiving side's servers, as seen and not as it called itself.

    Whoever logs in to send is a user, and a line that an access provider rents out is a customer's, whatever its name.
    """
    if (hop.protocol or "").upper() in _LOGGED_IN:
        return False
    if side.has(hop.client_name):
        return not is_rented(hop.client_name or "", hop.client_ip)
    if hop.client_ip is None:
        return is_yahoo_within(hop) or is_apple_gateway(hop)
    ip = ip_address(hop.client_ip)
    return is_private(hop.client_ip) or any(ip in one for one in side.networks if one.version == ip.version)
