"""What the name and the address of a host in a ``Received`` field tell of it, without any look-up."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

_RENTED: Final = frozenset(
    {"adsl", "cable", "customer", "dhcp", "dialup", "dsl", "dyn", "dynamic", "pool", "ppp", "pppoe", "vdsl", "vps"}
)
# Python counts these as private; in a header they stand for somebody's public address.
_EXAMPLES: Final = tuple(
    ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "198.18.0.0/15")
)


def network(text: str) -> IPv4Network | IPv6Network | None:
    """An address or a network (CIDR) among the names: Microsoft 365 writes no looked-up name of who connects."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def is_rented(name: str, address: str | None) -> bool:
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


def is_within(by: str) -> bool:
    """A host that names itself by an address of a closed network, or by no domain at all."""
    return ("." not in by and ":" not in by) or (is_address(by) and is_private(by))


def is_address(text: str) -> bool:
    """Whether it is an address, in brackets or not."""
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def is_private(text: str) -> bool:
    """Whether an address is one that no other network sees; raises :class:`ValueError` for what is none."""
    ip = ip_address(text.strip("[]"))
    inner = ip.sixtofour or ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    documentation = any(ip in examples for examples in _EXAMPLES if examples.version == ip.version)
    return (inner or ip).is_private and not documentation
