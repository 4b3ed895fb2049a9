"""Postfix: ``main.cf`` and ``master.cf`` (postconf(5), master(5))."""

import re
from collections.abc import Iterator

from deliverability.capture.host.model import Facts, Found, Mta
from deliverability.capture.host.tree import Tree
from deliverability.capture.host.values import addresses, full_name, replaced

_DIRECTORY = "/etc/postfix"
_MAIN = f"{_DIRECTORY}/main.cf"
_REFERENCE = re.compile(r"\$(?:\{(\w{1,80})\}|\((\w{1,80})\)|(\w{1,80}))", re.ASCII)
_MAX_VALUE = 20_000  # characters of an expanded value
# Whatever sends mail for other domains elsewhere than to their MX.
_DIVERSIONS = (
    "relayhost",
    "transport_maps",
    "sender_dependent_relayhost_maps",
    "sender_dependent_default_transport_maps",
    "default_transport_maps",
    "smtp_fallback_relay",
    "fallback_relay",
    "content_filter",
)
_OVERRIDE = re.compile(r"(?:-o\s{1,9}|[{,]\s{0,9})([a-z_]{1,60})\s{0,9}=\s{0,9}([^\s}]{1,200})")
_SUBJECT = re.compile(r"subject.{0,200}\bINFO\b", re.IGNORECASE)


def look(tree: Tree) -> Facts | None:
    """What Postfix's configuration says, or ``None`` where there is none."""
    if not tree.exists(_MAIN):
        return None
    text = tree.output("postconf", "-c", _DIRECTORY, "-n") or tree.read(_MAIN)
    version = parameters(tree.output("postconf", "-d", "-h", "mail_version") or "", bare=True)
    if text is None:
        unread = Found(False, f"{_MAIN} could not be read")
        return Facts(Mta("Postfix", version.get("", None), _MAIN), unread)
    main = _Main(parameters(text), tree)
    facts = Facts(Mta("Postfix", version.get("", None), _MAIN), _routing(tree, main))
    _identity(tree, main, facts)
    for name in ("smtp_bind_address", "smtp_bind_address6"):
        facts.egress_ips += [Found(ip, f"{_MAIN}, {name}") for ip in addresses(main[name])]
    facts.own_ips += [Found(ip, f"{_MAIN}, inet_interfaces") for ip in addresses(main["inet_interfaces"])]
    if main["maillog_file"].startswith("/") and not main["maillog_file"].startswith("/dev/"):
        facts.logs.append(Found(main["maillog_file"], f"{_MAIN}, maillog_file"))
    _subjects(tree, main)
    return facts


def parameters(text: str, *, bare: bool = False) -> dict[str, str]:
    """``name = value`` lines; a line that begins with white space continues the one before (postconf(5)).

    ``bare``: the first line is a value without a name, kept under ``""``.
    """
    if bare:
        return {"": text.strip()} if re.fullmatch(r"[\w.-]{1,40}", text.strip()) else {}
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace():
            if name:
                found[name] += " " + line.strip()
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if equals:
            found[name] = value
        else:
            name = ""
    return found


class _Main:
    """``main.cf`` with the defaults that matter here, ``$name`` expanded."""

    def __init__(self, given: dict[str, str], tree: Tree) -> None:
        name = (tree.read("/etc/hostname") or "").strip()
        self._values = {
            "myhostname": name,
            "mydomain": given.get("myhostname", name).partition(".")[2],
            "mydestination": "$myhostname, localhost.$mydomain, localhost",
            "smtp_helo_name": "$myhostname",
            "default_transport": "smtp",
        } | given

    def __getitem__(self, name: str) -> str:
        value = self._values.get(name, "")
        for _ in range(8):  # references to references; a circle ends here
            expanded = replaced(_REFERENCE, self._referred, value, _MAX_VALUE)
            if expanded == value:
                break
            value = expanded
        return value

    def _referred(self, match: re.Match[str]) -> str:
        return self._values.get(match[1] or match[2] or match[3], "")


def _identity(tree: Tree, main: _Main, facts: Facts) -> None:
    name = full_name(main["myhostname"])
    if name is None:
        tree.note(
            f"Postfix's myhostname is {main['myhostname'] or '(empty)'!r}, not a full host name: receivers may refuse"
            f" mail that introduces itself so; set myhostname in {_MAIN}"
        )
    else:
        facts.hosts.append(Found(name, f"{_MAIN}, myhostname"))
    for word in re.split(r"[\s,]+", main["mydestination"]):
        own = full_name(word)
        if own is not None:
            facts.hosts.append(Found(own, f"{_MAIN}, mydestination"))
    helo = full_name(main["smtp_helo_name"])
    if helo is not None:
        facts.helo = Found(helo, f"{_MAIN}, smtp_helo_name")


def _routing(tree: Tree, main: _Main) -> Found[bool]:
    for name, value, where in _settings(tree, main):
        if name in _DIVERSIONS and value and not _is_here(value):
            return Found(False, f"{where}: {name} = {value[:100]}")
        if name == "default_transport" and value.partition(":")[0] != "smtp":
            return Found(False, f"{where}: default_transport = {value[:100]}")
        if name == "default_transport" and value.partition(":")[2]:
            return Found(False, f"{where}: default_transport = {value[:100]}, a fixed next hop")
        if (name, value) in (("disable_dns_lookups", "yes"), ("smtp_dns_support_level", "disabled")):
            return Found(False, f"{where}: {name} = {value}")
    return Found(True, f"{_MAIN}: default_transport is smtp; no relayhost, no transport maps")


def _settings(tree: Tree, main: _Main) -> Iterator[tuple[str, str, str]]:
    """Every setting that could divert mail, from ``main.cf`` and from the ``-o`` overrides of ``master.cf``."""
    for name in (*_DIVERSIONS, "default_transport", "disable_dns_lookups", "smtp_dns_support_level"):
        yield name, main[name].strip(), _MAIN
    path = f"{_DIRECTORY}/master.cf"
    text = tree.read(path)
    if text is None:
        yield "transport_maps", "could not be read", path
        return
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            for match in _OVERRIDE.finditer(line):
                yield match[1], match[2], path


def _is_here(value: str) -> bool:
    """Whether a next hop is this very host: a content filter on loopback hands the mail back."""
    host = re.search(r":\[?(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|localhost)\]?:\d{1,5}\Z", value)
    return host is not None


def _subjects(tree: Tree, main: _Main) -> None:
    """Say so when ``header_checks`` does not write subjects to the log (header_checks(5), action INFO)."""
    value = main["header_checks"]
    tables = [value, *(tree.read(path) or "" for path in re.findall(r"(?:regexp|pcre):(/[^\s,{}]{1,500})", value)[:20])]
    lines = (line for table in tables for line in table.splitlines() if not line.lstrip().startswith("#"))
    if not any(_SUBJECT.search(line[:1000]) for line in lines):
        tree.note(
            "Postfix does not record subjects, so a notice cannot be found by its subject. To record them: in"
            f" {_MAIN} `header_checks = regexp:{_DIRECTORY}/header_checks`, in that file `/^Subject:/ INFO`"
        )
