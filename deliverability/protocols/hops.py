"""Which header fields the receiving side wrote, and how long each hop took.

A header is read from the top, newest first.  The fields above the first ``Received`` by which the message entered the
receiving side's own servers are theirs; all below came with the message and may be anybody's (RFC 8601 §5, RFC 5321 §4.4).
Where the entry cannot be told for sure it is taken to be earlier, so that less is believed, never more.

Some providers write below that line in ways of their own; what makes such a field theirs stands at each function here.
Filters that work as milters write just *below* the ``Received`` field of their own server, where a sender could write as
well: such a run of fields is set apart and believed only by those who know that the server does so.  One case cannot be
seen from here: a server behind address translation takes everybody for a neighbour; name its hosts, and distrust the rest.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from deliverability.evidence.plugin import Stamp
from deliverability.protocols.mail import Field, Mail
from deliverability.protocols.received import Hop, parse_received

MAX_STAMP: Final = 65_536
"""Octets of a field that a filter's reader gets."""
MAX_HOPS: Final = 200
SKEW: Final = timedelta(seconds=5)
"""Clocks this far apart are no news."""

# Second-level names under which many countries register (a host's owner has one label more).
_SECOND_LEVEL: Final = frozenset({"ac", "co", "com", "edu", "gob", "gov", "idv", "mil", "ne", "net", "or", "org"})
_MICROSOFT: Final = ("outlook.com", "office365.com", "exchangelabs.com", "microsoft.com", "hotmail.com")
_OWNERS: Final = (
    # Names of one owner; and addresses that only its own servers have among themselves.
    (("google.com", "googlemail.com", "gmail.com"), ()),
    (_MICROSOFT, (ip_network("2603:1000::/24"),)),
    (("yahoo.com", "yahoodns.net", "yahoo.net", "aol.com"), ()),
    (("icloud.com", "apple.com", "me.com", "mac.com"), ()),
)
# RFC 3848, RFC 6531: the client had logged in.
_LOGGED_IN: Final = frozenset(
    {"ESMTPA", "ESMTPSA", "LMTPA", "LMTPSA", "UTF8SMTPA", "UTF8SMTPSA", "UTF8LMTPA", "UTF8LMTPSA"}
)
_RENTED: Final = frozenset(
    {"adsl", "cable", "customer", "dhcp", "dialup", "dsl", "dyn", "dynamic", "pool", "ppp", "pppoe", "vdsl", "vps"}
)
_MICROSOFT_ENTRY: Final = ".protection.outlook.com"
_MICROSOFT_WRITES: Final = ("x-forefront-antispam-report", "x-microsoft-antispam", "x-ms-exchange-organization-scl")
_CIP: Final = re.compile(r"\bCIP: {0,4}([0-9A-Fa-f.:]{3,45})\s{0,4};")
_APPLE_GATEWAY: Final = re.compile(r"p\d{1,5}-mailgateway-smtp\b")
_RAN_ON: Final = re.compile(r"\brunning on the system \"([^\"\s]{1,253})\"")
_WRAPPER_WRITES: Final = ("x-spam-*",)


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
    wrapper = _wrapper(mail, hops)
    fields: list[tuple[Origin, Field]] = []
    below = place >= 0
    for number, field in enumerate(mail.fields):
        if field.name.lower() == "received":
            below = below and number <= place
            continue
        if number < place or (wrapper and names_field(field.name, _WRAPPER_WRITES)):
            origin = Origin.RECEIVING
        else:
            below = below and names_field(field.name, wanted)
            origin = Origin.BORDER if below else Origin.OUTSIDE
        fields.append((origin, field))
    if side and entry:
        fields = _with_exim(_with_microsoft(fields, entry), side, entry)
    return Boundary(side, entry, tuple(fields), hops)


def names_field(name: str, wanted: Iterable[str]) -> bool:
    """Whether a field is one of those named, where a name that ends in ``*`` stands for all that begin so."""
    lower = name.lower()
    return any(lower.startswith(one[:-1]) if one.endswith("*") else lower == one for one in wanted)


def readable(field: Field) -> str:
    """A field's body on one line, within :data:`MAX_STAMP`."""
    return field.body[:MAX_STAMP].replace(b"\r\n", b" ").decode("utf-8", "replace").strip()


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
    told = tuple(network for network in map(_network, named) if network)
    given = tuple(name for name in named if not _network(name))
    top = next((hop.by for hop in hops if hop.by and "." in hop.by and not _is_address(hop.by)), None)
    if top is None and hops and hops[0].by and _is_wrap(hops[0]):
        top = hops[0].by
    if top is None and hops and _is_apple_gateway(hops[0]):  # its newer servers go by no domain at all
        top = "icloud.com"
    found = (*given, *((owner(top),) if top and not given else ()))
    if not found:
        return None
    for known, networks in _OWNERS:
        if any(name == one or name.endswith("." + one) for name in found for one in known):
            return Side(tuple(dict.fromkeys((*found, *known))), (*networks, *told))
    return Side(found, told)


def _with_microsoft(fields: list[tuple[Origin, Field]], entry: Hop) -> list[tuple[Origin, Field]]:
    """Exchange Online writes its verdict below the message's own header, after the entry in every copy that was seen.

    What came with the message under the same name it calls ``-Untrusted``.  Believed is a report that stands alone and
    names the very address that connected to Microsoft's server, and with it what it counts there, if that stands alone too.
    """
    if not (entry.by or "").endswith(_MICROSOFT_ENTRY) or entry.client_ip is None:
        return fields
    names = [field.name.lower() for _, field in fields]
    alone = {name for name in _MICROSOFT_WRITES if names.count(name) == 1}
    report = next((readable(field) for _, field in fields if field.name.lower() == _MICROSOFT_WRITES[0]), "")
    told = _CIP.search(report)
    if _MICROSOFT_WRITES[0] not in alone or told is None or _network(told[1]) != _network(entry.client_ip):
        return fields
    return [
        (Origin.RECEIVING if name in alone else whose, field)
        for name, (whose, field) in zip(names, fields, strict=True)
    ]


def _with_exim(fields: list[tuple[Origin, Field]], side: Side, entry: Hop) -> list[tuple[Origin, Field]]:
    """Exim adds the fields of its ACLs below the message's own header, as on cPanel those of SpamAssassin.

    Believed only where they mark the message as spam, which nobody does with his own, and where SpamAssassin's report says
    that it ran on the receiving side: another host may have marked the message before it forwarded it.
    """
    own = [field for _, field in fields if names_field(field.name, _WRAPPER_WRITES)]
    names = [field.name.lower() for field in own]
    said = {field.name.lower(): readable(field) for field in own}
    ran = _RAN_ON.search(said.get("x-spam-report", ""))
    marked = said.get("x-spam-status", "")[:3].lower() == "yes" and len(set(names)) == len(names)
    if "(Exim" not in entry.text or not marked or ran is None or not side.has(ran[1].lower()):
        return fields
    return [(Origin.RECEIVING if field in own else whose, field) for whose, field in fields]


def _network(text: str) -> IPv4Network | IPv6Network | None:
    """An address or a network (CIDR) among the names: Microsoft 365 writes no looked-up name of who connects."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _entry(rows: list[tuple[int, Hop]], side: Side) -> tuple[int, Hop | None]:
    """Where the message entered: the first hop, from the top, whose other side is not the receiving side's own."""
    last: tuple[int, Hop | None] = (-1, None)
    for number, hop in rows:
        if not (side.has(hop.by) or hop.by is None or _is_within(hop.by)):
            return last  # the hop above took it from there, whatever it says
        if side.has(hop.by):
            last = (number, hop)
        if hop.has_from and not _is_own(hop, side):
            return number, hop
    return last


def _is_wrap(hop: Hop) -> bool:
    return (hop.protocol or "").lower() == "spamassassin" and hop.helo == "localhost"


def _wrapper(mail: Mail, hops: tuple[Hop, ...]) -> bool:
    """Whether the message is SpamAssassin's own report around the original (``report_safe``, its default).

    Its ``Received`` line then stands above all others, its marks anywhere below; what a sender brought is in the
    attachment.  Below any other ``Received`` line the same words came with the message.
    """
    return bool(hops) and _is_wrap(hops[0]) and sum(field.name.lower() == "received" for field in mail.fields) == 1


def _is_own(hop: Hop, side: Side) -> bool:
    """Whether the other side of a hop is one of the receiving side's servers, as seen and not as it called itself.

    Whoever logs in to send is a user, and a line that an access provider rents out is a customer's, whatever its name.
    """
    if (hop.protocol or "").upper() in _LOGGED_IN:
        return False
    if side.has(hop.client_name):
        return not _is_rented(hop.client_name or "", hop.client_ip)
    if hop.client_ip is None:
        return _is_yahoo_within(hop) or _is_apple_gateway(hop)
    ip = ip_address(hop.client_ip)
    return _is_private(hop.client_ip) or any(
        ip in network for network in side.networks if network.version == ip.version
    )


def _is_apple_gateway(hop: Hop) -> bool:
    """The store of iCloud takes mail from Apple's own servers alone, and names the one only by what it called itself."""
    return _APPLE_GATEWAY.match(hop.by or "") is not None and "(mailgateway " in hop.text


def _is_yahoo_within(hop: Hop) -> bool:
    """Yahoo's store takes mail from its own servers over HTTP, and names no client but by an address of a closed network."""
    within = hop.client_name is None and _is_address(hop.helo or "") and _is_private(hop.helo or "")
    return within and (hop.protocol or "").upper() in ("HTTP", "HTTPS") and (hop.by or "").endswith(".yahoo.com")


def _is_rented(name: str, address: str | None) -> bool:
    """Whether a host's name is that of a line or machine for a customer: its address is in it, or a word for such lines."""
    if any(word in _RENTED for label in name.split(".") for word in label.replace("_", "-").split("-")):
        return True
    if address is None or ":" in address:
        return False
    octets = address.split(".")
    digits = "".join(char if char.isdigit() else " " for char in name).split()
    last = len(digits) - len(octets) + 1
    runs = [[number.lstrip("0") or "0" for number in digits[at : at + len(octets)]] for at in range(max(last, 0))]
    return octets in runs or octets[::-1] in runs or f"{int(ip_address(address)):08x}" in name


def _is_within(by: str) -> bool:
    """A host that names itself by an address of a closed network, or by no domain at all."""
    return ("." not in by and ":" not in by) or (_is_address(by) and _is_private(by))


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _is_private(text: str) -> bool:
    ip = ip_address(text.strip("[]"))
    inner = ip.sixtofour or ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    documentation = any(ip in network for network in _EXAMPLES if network.version == ip.version)
    return (inner or ip).is_private and not documentation


# Python counts these as private; in a header they stand for somebody's public address.
_EXAMPLES: Final = tuple(
    ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "198.18.0.0/15")
)
