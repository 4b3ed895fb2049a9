"""Whose a host is, as far as lines and configuration show: what a reply may be believed about our own queues.

A loopback or private address is inside our own network by its nature: no stranger on the Internet answers there.
"""

from deliverability.correlate.entries import Entry
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import DeliveryEvent, Transport
from deliverability.evidence.smtp import Host
from deliverability.protocols import grounds
from deliverability.protocols.hosts import is_inside
from deliverability.protocols.mx import parse_ip


class Near:
    """Which hosts are ours: by configuration, by their address, or by the log of theirs that we hold."""

    def __init__(self, own: Own | None = None) -> None:
        self._own = own or Own()

    def is_ours(self, host: Host | None) -> bool:
        """Whether only a host of our own can have answered, or connected, from there."""
        if host is None:
            return False
        ip = parse_ip(host.ip)
        return (ip is not None and is_inside(ip)) or grounds.is_own(Host(host.name, str(ip) if ip else None), self._own)

    def is_our_store(self, event: DeliveryEvent) -> bool:
        """Whether an LMTP attempt went to a store of ours: through a socket of this machine, or to a host of ours."""
        if event.transport is not Transport.LMTP:
            return False
        socket = event.route is not None and event.route.startswith(("/", "private/", "public/"))
        return self.is_ours(event.relay) or (socket and (event.relay is None or event.relay.ip is None))

    def handed_over(self, entry: Entry, event: DeliveryEvent, candidate: Entry) -> bool:
        """Whether ``candidate`` came in from the host that ``event`` handed the message to, or from ``entry``'s own.

        Within one queue only a filter of ours gives a message back, or another queue of the host that it reached by
        its public address.  Of another queue whose log we hold, the client that it names must be the host of ``entry``.
        """
        client = candidate.session.client if candidate.session else None
        elsewhere = candidate.log != entry.log or (candidate.host or "") != (entry.host or "")
        if self.is_ours(event.relay):
            return client is None or self.is_ours(client) or (elsewhere and _is_host_of(client, entry, event))
        if client is None:
            return False
        return _is_host_of(client, entry, event) if elsewhere else _is_this_host(client, entry, event)


def _is_this_host(client: Host, entry: Entry, event: DeliveryEvent) -> bool:
    """Whether the host spoke to itself by a public address, which both ends of that connection then have.

    A receiver may send us the message back and know the id that it got here.  So the address has to be shown to be our
    own: the one that our server says it connected from, or one whose verified name is the whole name of this host.
    """
    relay = parse_ip(event.relay.ip) if event.relay else None
    if relay is None or relay != parse_ip(client.ip):
        return False
    name, host = ((text or "").lower().removesuffix(".") for text in (client.name, entry.host))
    return relay == parse_ip(event.local_ip) or ("." in name and name == host)


def _is_host_of(client: Host, entry: Entry, event: DeliveryEvent) -> bool:
    """Whether the next queue's client is the host that wrote ``entry``: by address, else by a name that was verified."""
    local = parse_ip(event.local_ip)
    if local and (local == parse_ip(client.ip) or not is_inside(local)):  # a private one may be translated on the way
        return local == parse_ip(client.ip)
    name = (client.name or "").lower().removesuffix(".")
    # The host as syslog names it, or, where lines name none (Exim's mainlog), as the user named the log.
    hosts = [h.lower().removesuffix(".") for h in (entry.host, entry.log) if h]
    return bool(name) and any(name == h if "." in h else name.partition(".")[0] == h for h in hosts)
