"""What a host's address alone says: that it is this machine, or inside a network of its own."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from deliverability.evidence.smtp import Host
from deliverability.protocols.mx import parse_ip

# RFC 1122 §3.2.1.3, RFC 1918 §3, RFC 3927, RFC 4291 §2.5.3 and §2.5.6, RFC 4193; not documentation networks.
_INSIDE: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)
_ITSELF = (ip_address("127.0.0.1"), ip_address("::1"))
_FILTER_PORTS = range(10020, 10031)
_LISTS_PORT = 8024


def is_inside(ip: IPv4Address | IPv6Address) -> bool:
    """Whether the address means something only within a network, or a machine: no stranger answers there."""
    return any(ip in network for network in _INSIDE if network.version == ip.version)


def is_loopback(host: Host) -> bool:
    """Whether the host is the machine that wrote the line."""
    ip = parse_ip(host.ip)
    if ip is not None:
        return ip.is_loopback
    return (host.name or "").lower().removesuffix(".") == "localhost"


def is_no_store(host: Host | None) -> bool:
    """Whether it is a port where, by custom, something listens that keeps no mailbox, though it may speak LMTP.

    Postfix's FILTER_README, amavis and Proxmox Mail Gateway have filters of this machine on ports from 10023 on;
    Mailman 3 has its lists on 8024 (``[mta] lmtp_port``).  Stores use 24, 2003 and 7025.
    """
    if host is None:
        return False
    return host.port == _LISTS_PORT or (host.port in _FILTER_PORTS and is_loopback(host))


def is_this_machine(host: Host) -> bool:
    """Whether the host goes by a name or address that every machine uses for itself and no mail exchanger for others.

    Of the rest of 127.0.0.0/8 only that it is local is known: laboratories put whole networks of mail servers there,
    and a name that a recipient's domain publishes can still tell which of them answered.
    """
    ip = parse_ip(host.ip)
    if ip is not None:
        return ip in _ITSELF
    return (host.name or "").lower().removesuffix(".") == "localhost"
