"""cPanel: which address and name each domain sends from, and which domains it signs for.

``/etc/mailips`` and ``/etc/mailhelo`` hold ``domain: value`` lines, ``*`` for all others; Exim reads them with
``lsearch*``.  Keys lie in ``/var/cpanel/domain_keys/private``, one file a domain, selector ``default``.
"""

from deliverability.capture.host.exim import MAX_LISTED
from deliverability.capture.host.model import Found
from deliverability.capture.host.tree import MAX_ENTRIES, Tree
from deliverability.capture.host.values import addresses, full_name
from deliverability.config import Sender

MAILIPS = "/etc/mailips"
MAILHELO = "/etc/mailhelo"
_KEYS = "/var/cpanel/domain_keys/private"
_SELECTOR = "default"  # what cPanel's transport sets as dkim_selector


def find(tree: Tree) -> Found[str] | None:
    """The panel and its version, if it is there."""
    version = (tree.read("/usr/local/cpanel/version") or "").strip()
    if version:
        return Found(f"cPanel {version[:40]}", "/usr/local/cpanel/version")
    for path in ("/usr/local/cpanel", MAILIPS):
        if tree.exists(path):
            return Found("cPanel", path)
    return None


def egress(tree: Tree) -> list[Found[str]]:
    """All addresses that mail leaves from: those of ``/etc/mailips``, else the server's main address."""
    table = _table(tree, MAILIPS)
    found = [Found(ip, MAILIPS) for value in table.values() for ip in addresses(value)]
    if "*" not in table:
        main = "/var/cpanel/mainip"
        found += [Found(ip, main) for ip in addresses((tree.read(main) or "")[:200])]
    return list({ip.value: ip for ip in found}.values())


def senders(tree: Tree, helo: str | None) -> list[Found[Sender]]:
    """Each domain that cPanel signs for, with the address and name it sends with."""
    domains = [name for name in tree.names(_KEYS) if full_name(name) == name]
    if len(domains) > MAX_LISTED:
        tree.note(
            f"cPanel has DKIM keys for {len(domains)} domains; add a [[sender]] for those that send notices"
            f" (selector {_SELECTOR!r})"
        )
        return []
    ips, names = _table(tree, MAILIPS), _table(tree, MAILHELO)
    main = (tree.read("/var/cpanel/mainip") or "")[:200]
    found = []
    for domain in domains:
        sender = Sender(
            domain=domain,
            selectors=(_SELECTOR,),
            egress_ips=tuple(dict.fromkeys(addresses(ips.get(domain, ips.get("*", main))))),
            helo=full_name(names.get(domain, names.get("*", ""))) or helo,
        )
        found.append(Found(sender, f"{_KEYS}, {MAILIPS}, {MAILHELO}"))
    return found


def names(tree: Tree) -> list[Found[str]]:
    """The names that this server introduces itself with."""
    values = dict.fromkeys(_table(tree, MAILHELO).values())
    hosts = [name for value in values if (name := full_name(value))]
    if len(hosts) > MAX_LISTED:
        tree.note(f"{MAILHELO} names {len(hosts)} hosts; they were not written out one by one")
        return []
    return [Found(name, MAILHELO) for name in hosts]


def _table(tree: Tree, path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in (tree.read(path) or "").splitlines()[:MAX_ENTRIES]:
        key, colon, value = line.partition(":")
        key = key.strip().lower()
        if colon and value.strip() and not key.startswith("#"):
            found.setdefault(key, value.strip())  # lsearch takes the first line that matches
    return found
