"""A look at this machine: mail servers, logs, own names and addresses, signers (``deliverability init``).

Files are read, a few programs are asked when ``run`` is set; nothing is changed, nothing is sent, no private key is
opened.  What is found may have been written by anybody: it is bounded, validated, and made printable.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from deliverability.capture.host import exim, logs, panel, postfix, signing
from deliverability.capture.host.model import Facts, Found, HostSurvey, LogSet, Mta, T
from deliverability.capture.host.tree import Tree
from deliverability.capture.host.values import full_name, ip
from deliverability.capture.host.write import describe, to_toml
from deliverability.config import IPNetwork, Sender, network

__all__ = ["Found", "HostSurvey", "LogSet", "Mta", "describe", "survey", "to_toml"]

_MAX_FOUND = 1_000  # names or addresses that a configuration takes over


def survey(root: Path = Path("/"), run: bool = True, now: datetime | None = None) -> HostSurvey:
    """Look at the machine whose file system is at ``root``.

    ``run``: also ask ``postconf``, ``exim`` and ``ip``, which is done only where ``root`` is ``/``.  ``now`` is the
    clock against which a log's reach is counted.
    """
    tree = Tree(root, run=run)
    servers = [facts for facts in (postfix.look(tree), exim.look(tree)) if facts is not None]
    if len(servers) > 1:
        tree.note(
            f"Configurations of {' and '.join(facts.mta.name for facts in servers)} were found; which of them sends was"
            " not looked at, so no sender was given a name or an address"
        )
    control = panel.find(tree)
    found_logs = logs.look(
        tree,
        [log for facts in servers for log in facts.logs],
        frozenset(facts.mta.name for facts in servers),
        now or datetime.now(UTC),
    )
    return HostSurvey(
        mtas=tuple(facts.mta for facts in servers),
        panel=control,
        logs=found_logs,
        timezone=_timezone(tree, servers),
        own_hosts=_capped(tree, _hosts(tree, servers, control), "host names"),
        own_networks=_capped(tree, _networks(tree, servers, control), "addresses"),
        routed_by_mx=_routing(servers),
        senders=_senders(tree, servers, control),
        notes=tree.notes,
    )


def _capped(tree: Tree, found: dict[str, Found[T]], what: str) -> tuple[Found[T], ...]:
    if len(found) > _MAX_FOUND:
        tree.note(f"{len(found)} {what} were found; the first {_MAX_FOUND} are written out")
    return tuple(found.values())[:_MAX_FOUND]


def _hosts(tree: Tree, servers: list[Facts], control: Found[str] | None) -> dict[str, Found[str]]:
    found: dict[str, Found[str]] = {}
    for host in [host for facts in servers for host in facts.hosts] + (panel.names(tree) if control else []):
        found.setdefault(host.value, host)
    if name := full_name(tree.read("/etc/hostname") or ""):
        found.setdefault(name, Found(name, "/etc/hostname"))
    return found


def _networks(tree: Tree, servers: list[Facts], control: Found[str] | None) -> dict[str, Found[IPNetwork]]:
    """Addresses only: a network that may relay through us (``mynetworks``) is not a network of our servers."""
    addresses = [address for facts in servers for address in (*facts.egress_ips, *facts.own_ips)]
    addresses += panel.egress(tree) if control else []
    addresses += _interfaces(tree)
    if addresses and not any(ip_address(address.value).is_global for address in addresses):
        tree.note(
            "Only private addresses were found: this machine is behind address translation, and the address that"
            " receivers see is not known here; add it to own.networks and to each sender's egress_ips"
        )
    found: dict[str, Found[IPNetwork]] = {}
    for address in addresses:
        found.setdefault(address.value, Found(network(address.value), address.found_in))
    return found


def _interfaces(tree: Tree) -> list[Found[str]]:
    """The addresses of the interfaces, without loopback, link-local and short-lived ones (RFC 8981)."""
    try:
        links = json.loads(tree.output("ip", "-json", "addr") or "[]")
    except (ValueError, RecursionError):
        return []
    found = []
    for link in links if isinstance(links, list) else []:
        rows = link.get("addr_info", []) if isinstance(link, dict) else []
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and not row.get("temporary") and not row.get("deprecated"):
                local = ip(str(row.get("local", "")))
                if local is not None:
                    found.append(Found(local, f"interface {link.get('ifname', '')}"))
    return found


def _routing(servers: list[Facts]) -> Found[bool]:
    if not servers:
        return Found(False, "no mail server's configuration was found")
    diverting = [facts.routed_by_mx for facts in servers if not facts.routed_by_mx.value]
    return diverting[0] if diverting else servers[0].routed_by_mx


def _timezone(tree: Tree, servers: list[Facts]) -> Found[str] | None:
    said = [facts.timezone for facts in servers if facts.timezone is not None]
    link = tree.link("/etc/localtime").partition("zoneinfo/")[2]
    system = [Found(link, "/etc/localtime")] if link else []
    written = (tree.read("/etc/timezone") or "").strip()
    system += [Found(written, "/etc/timezone")] if written else []
    for zone in (*said, *system):
        if _is_zone(zone.value):
            return zone
    return None


def _is_zone(name: str) -> bool:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return False
    return True


def _senders(tree: Tree, servers: list[Facts], control: Found[str] | None) -> tuple[Found[Sender], ...]:
    # Which of two servers sends for a domain is not known: then neither's name and address are taken.
    only = servers[0] if len(servers) == 1 else None
    helo = only.helo.value if only and only.helo else None
    if control is not None:
        return tuple(panel.senders(tree, helo))
    egress = tuple(dict.fromkeys(found.value for found in only.egress_ips)) if only else ()
    found: dict[str, Found[Sender]] = {}
    for pair in [pair for facts in servers for pair in facts.signing] + signing.look(tree):
        domain, selector = pair.value
        known = found.get(domain)
        if known is None:
            found[domain] = Found(Sender(domain, None, (selector,), egress, helo), pair.found_in)
        elif selector not in known.value.selectors:
            sender = replace(known.value, selectors=(*known.value.selectors, selector))
            found[domain] = Found(sender, known.found_in)
    if not found:
        tree.note(
            "No DKIM selector was learned from a signer's configuration; add a [[sender]] for the domain that sends your notices"
        )
    if len(found) > exim.MAX_LISTED:
        tree.note(f"{len(found)} domains are signed for; add a [[sender]] for those that send notices")
        return ()
    return tuple(found.values())
