"""Which mailbox provider an address belongs to."""

from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address

from deliverability import plugins
from deliverability.evidence.bundle import Evidence, Own
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import DnsAnswer, DnsQuestion
from deliverability.evidence.plugin import Provider, ProviderKind
from deliverability.evidence.smtp import Host


def providers() -> tuple[Provider, ...]:
    """All providers that load; a broken file takes no other with it."""
    return tuple(loaded for _, loaded in plugins.load_all("providers") if isinstance(loaded, Provider))


def recognise(
    recipient_domain: Domain,
    mx_hosts: tuple[str, ...],
    own: Own,
    known: Iterable[Provider],
    relay: Host | None = None,
) -> Provider:
    """The provider of a mailbox, the surest sign first.

    Our own MX (by name, or by the address of ``relay``, the host that accepted), then the recipient's domain, then
    the MX hosts in order of preference, a mailbox before a gateway; else the generic one.  Suffixes match on
    label boundaries only.
    """
    by_kind = tuple(known)
    if any(is_own(host, own) for host in mx_hosts) or (relay is not None and _is_own_relay(relay, own)):
        ours = _of_kind(by_kind, ProviderKind.OWN)
        if ours:
            return ours
    for provider in by_kind:
        if any(matches(recipient_domain.name, domain) for domain in provider.domains):
            return provider
    mailboxes = [p for p in by_kind if p.kind not in (ProviderKind.GATEWAY, ProviderKind.OWN, ProviderKind.GENERIC)]
    gateways = [p for p in by_kind if p.kind is ProviderKind.GATEWAY]
    for candidates in (mailboxes, gateways):
        found = _by_mx(mx_hosts, candidates)
        if found:
            return found
    generic = _of_kind(by_kind, ProviderKind.GENERIC)
    if generic is None:
        msg = "no provider of kind 'generic' among the known ones"
        raise LookupError(msg)
    return generic


def provider_id(evidence: Evidence) -> str:
    """The id of the recipient's provider, by its domain and by the MX hosts on record, if any."""
    domain = evidence.recipient_domain
    if domain is None:
        return "generic"
    observed = evidence.observations.answers.get(DnsQuestion(domain.name, "MX"))
    records = observed.records if isinstance(observed, DnsAnswer) else ()
    hosts = tuple(record.value for record in sorted(records, key=lambda r: (r.preference or 0, r.value)))
    ours = any(is_own(host, evidence.own) for host in hosts)
    return (None if ours else _namesake(domain)) or recognise(domain, hosts, evidence.own, providers()).id


def _namesake(domain: Domain) -> str | None:
    """The provider that is named after its domain, as most are: gmail.com needs no look into fifty files."""
    labels = frozenset(domain.name.split("."))
    for plugin in plugins.ids("providers"):
        if plugin.partition("-")[0] not in labels:
            continue
        with suppress(Exception):  # a broken file is passed over here as it is among all
            provider = plugins.load("providers", plugin)
            if isinstance(provider, Provider) and any(matches(domain.name, one) for one in provider.domains):
                return provider.id
    return None


def at_host(host: str, known: Iterable[Provider]) -> str | None:
    """The id of the provider whose mail servers bear such a name; ``None`` where no provider is known by it."""
    found = _by_mx((host,), [p for p in known if p.kind not in (ProviderKind.OWN, ProviderKind.GENERIC)])
    return found.id if found else None


def matches(name: str, pattern: str) -> bool:
    """Whether a host or domain is ``pattern`` or, where that begins with a dot, below it."""
    name = name.lower().removesuffix(".")
    pattern = pattern.lower()
    return name.endswith(pattern) if pattern.startswith(".") else name == pattern


def is_own(host: str, own: Own) -> bool:
    """Whether configuration names this host, or the network that its address literal is in, as ours."""
    return any(matches(host, pattern) for pattern in own.hosts) or _in_networks(host, own)


def _is_own_relay(relay: Host, own: Own) -> bool:
    return bool(relay.name and is_own(relay.name, own)) or bool(relay.ip and _in_networks(relay.ip, own))


def _in_networks(text: str, own: Own) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in own.networks if network.version == address.version)


def _by_mx(mx_hosts: tuple[str, ...], candidates: list[Provider]) -> Provider | None:
    for host in mx_hosts:
        name = host.lower().removesuffix(".")
        found = [
            # The longest suffix is the surest; a company's own domain at Google is Workspace, not Gmail.
            (-len(suffix), provider.kind is ProviderKind.CONSUMER, provider.id, provider)
            for provider in candidates
            for suffix in provider.mx_suffixes
            if name == suffix or name.endswith("." + suffix)
        ]
        if found:
            return min(found, key=lambda entry: entry[:3])[3]
    return None


def _of_kind(known: tuple[Provider, ...], kind: ProviderKind) -> Provider | None:
    return next((provider for provider in known if provider.kind is kind), None)
