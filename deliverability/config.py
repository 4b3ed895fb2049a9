"""``deliverability.toml``: what an operator says about the sending side, read strictly.

:func:`parse` turns text into frozen values and touches neither files nor network nor clock; ``capture.settings``
finds the file, ``capture.host`` writes one.  Every fault is a :class:`~deliverability.errors.CannotLookError` that
names the file, the key, what was wrong and what to do: a half-understood configuration would put wrong words into a
report.
"""

import re
import tomllib
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeVar

from deliverability.errors import CannotLookError, printable

SCHEMA_VERSION = 1
MAX_SIZE = 1 << 20  # octets of a configuration file
MAX_ITEMS = 10_000  # senders, hosts, networks: a web host may well have thousands
MAX_LOGS = 256
MAX_AUTHORITIES = 16
MAX_DAYS = 36_500  # of keeping
MAX_TEXT = 2_000  # characters of one text value

T = TypeVar("T")
IPNetwork = IPv4Network | IPv6Network

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,100}\Z")
_OFFSET = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d\Z")  # UTC offsets in use: -12:00 to +14:00
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9_+-]{1,32}){0,2}\Z")
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}))?\Z")  # RFC 5646 §2.1, the usual part
_UNPRINTABLE = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # Unicode UAX 9: they reorder what is shown


@dataclass(frozen=True, slots=True)
class Sender:
    """One domain that sends notices, and what its mail normally carries."""

    domain: str
    """Domain of the envelope sender (RFC5321.MailFrom), lower-case A-labels."""
    author_domain: str | None = None
    """Domain of RFC5322.From, where it differs."""
    selectors: tuple[str, ...] = ()
    """DKIM selectors (RFC 6376 §3.1) that its mail is signed with."""
    egress_ips: tuple[str, ...] = ()
    """Addresses that connect to the recipients' MX for it."""
    helo: str | None = None
    """The name that the egress host announces in EHLO."""


@dataclass(frozen=True, slots=True)
class LogSource:
    """A log by name: a path, or a command whose standard output is the log."""

    name: str
    path: str | None = None
    command: tuple[str, ...] | None = None
    """Program and arguments, never run through a shell."""


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """How reports look and whom they point to."""

    languages: tuple[str, ...] = ()
    """RFC 5646 tags, preferred first."""
    timezone: str | None = None
    """The reader's zone: an IANA name or ``±HH:MM``."""
    brand_name: str | None = None
    contact: str | None = None
    """How the customer reaches the sender, as text."""
    action_url: str | None = None
    """Where the customer pays or restores."""
    change_address_url: str | None = None
    """Where the customer corrects the address that was used."""
    short_link: str | None = None
    """Where a message to a telephone points to; else :attr:`action_url`."""
    logo: str | None = None
    """Path of a PNG or JPEG file."""
    colour: str | None = None
    """``#rrggbb``, of links and buttons."""
    sender: str | None = None
    """The address in the From line of the notices, where it is always the same."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamping authority (RFC 3161)."""

    name: str
    url: str
    roots: str | None = None
    """Path of a PEM file with the roots that its tokens are held against."""


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Where the tamper-evident log lies, and who signs and stamps its heads."""

    path: str | None = None
    """Its folder."""
    head: str | None = None
    """The last signed head; better on another disk than the log."""
    signer: tuple[str, ...] = ()
    """Program that signs a head given on standard input, never run through a shell; empty: the keys in the folder."""
    authorities: tuple[Authority, ...] = ()


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """Where logs are kept after they have rotated away (``deliverability ingest``)."""

    path: str | None = None
    """As written: relative to the configuration's own directory."""
    keep_days: int | None = None
    """How long; ``None``: for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that ``deliverability.toml`` may say."""

    senders: tuple[Sender, ...] = ()
    own_hosts: frozenset[str] = frozenset()
    own_networks: tuple[IPNetwork, ...] = ()
    intermediaries: frozenset[str] = frozenset()
    routed_by_mx: bool = False
    logs: tuple[LogSource, ...] = ()
    timezone: str | None = None
    """The zone of log lines that state none: an IANA name or ``±HH:MM``."""
    report: ReportSettings = field(default_factory=ReportSettings)
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    nameservers: tuple[str, ...] = ()
    """Resolvers to ask, ``IP``, ``IP:port`` or ``[IPv6]:port``; empty: those of the system."""
    trust_anchors: tuple[str, ...] = ()
    """DS records of the root that DNSSEC is held against, in presentation form; empty: IANA's."""
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    schema_version: int = SCHEMA_VERSION
    origin: str = ""
    """Where it was read from, for a person."""


def parse(text: str, origin: str, *, commands_allowed: bool = False) -> Configuration:
    """Read a configuration; ``origin`` names it in errors and in the result.

    ``commands_allowed`` says whether a ``[[log]]`` may name a program to run: the caller grants it for files that
    only an administrator, or the person who typed ``--config``, has chosen.
    Raises :class:`CannotLookError` for whatever is malformed, unknown, contradictory or too large.
    """
    if len(text) > MAX_SIZE or len(text.encode("utf-8", "surrogatepass")) > MAX_SIZE:
        raise CannotLookError(f"{printable(origin)}: larger than {MAX_SIZE >> 20} MiB; is this a configuration file?")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        # TOMLDecodeError is a ValueError; so is an integer with too many digits. It names line and column itself.
        what = "nested too deeply" if isinstance(problem, RecursionError) else printable(str(problem))
        raise CannotLookError(f"{printable(origin)}: not valid TOML: {what}") from problem
    return _configuration(_Table(origin, "", document), commands_allowed=commands_allowed)


def find_sender(configuration: Configuration, domain: str) -> Sender | None:
    """The sender whose *envelope* domain is ``domain``; a domain above or below it is another sender."""
    wanted = domain.rstrip(".").lower()
    return next((sender for sender in configuration.senders if sender.domain == wanted), None)


class _Table:
    """A TOML table that is emptied key by key, so that what is left over is a mistake."""

    def __init__(self, origin: str, where: str, content: dict[str, Any]) -> None:
        self.origin = origin
        self.where = where
        self._left = dict(content)
        self._known: list[str] = []

    def fault(self, key: str, what: str) -> CannotLookError:
        return CannotLookError(f"{printable(self.origin)}: {self.where}{printable(key, 80)}: {what}")

    def take(self, key: str, kind: type[T], form: str) -> T | None:
        self._known.append(key)
        value = self._left.pop(key, None)
        if value is None:
            return None
        # bool is an int to Python, never to TOML.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fault(key, f"must be {form}, not {_kind(value)}")
        return value

    def text(self, key: str, check: Callable[[str], str]) -> str | None:
        value = self.take(key, str, "a string in quotes")
        return None if value is None else self._checked(key, value, check)

    def texts(self, key: str, check: Callable[[str], T], limit: int = MAX_ITEMS) -> tuple[T, ...]:
        """Each entry checked, without repetitions, in the order written."""
        values = self._items(key, 'a list of strings, such as ["a", "b"]', limit)
        found: dict[T, None] = {}
        for index, value in enumerate(values, 1):
            if not isinstance(value, str):
                raise self.fault(key, f"entry {index} must be a string in quotes, not {_kind(value)}")
            found[self._checked(key, value, check)] = None
        return tuple(found)

    def table(self, key: str) -> "_Table":
        value = self.take(key, dict, f"a table, written [{key}]")
        return _Table(self.origin, f"{self.where}{key}.", value or {})

    def tables(self, key: str, limit: int) -> list["_Table"]:
        found = []
        for index, value in enumerate(self._items(key, f"written [[{key}]], once for each", limit), 1):
            if not isinstance(value, dict):
                raise self.fault(key, f"must be written [[{key}]], once for each")
            found.append(_Table(self.origin, f"{self.where}{key} {index}: ", value))
        return found

    def finish(self) -> None:
        for key in self._left:
            near = get_close_matches(key[:80], self._known, 1)
            advice = f"did you mean {near[0]}?" if near else f"known here: {', '.join(self._known)}"
            raise self.fault(key, f"unknown key; {advice}")

    def _items(self, key: str, form: str, limit: int) -> list[Any]:
        values: list[Any] = self.take(key, list, form) or []
        if len(values) > limit:
            raise self.fault(key, f"more than {limit} entries")
        return values

    def _checked(self, key: str, value: str, check: Callable[[str], T]) -> T:
        if len(value) > MAX_TEXT:
            raise self.fault(key, f"longer than {MAX_TEXT} characters")
        try:
            return check(value)
        except ValueError as problem:
            raise self.fault(key, f"{printable(value, 80)!r} {problem}") from problem


def _kind(value: object) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), "a date or time")


def _configuration(top: _Table, *, commands_allowed: bool) -> Configuration:
    # First the version: of a newer file, no other complaint would be fair.
    version = top.take("schema_version", int, "a whole number")
    if version is not None and version != SCHEMA_VERSION:
        advice = "update deliverability" if version > SCHEMA_VERSION else "run `deliverability init` for a new one"
        raise top.fault("schema_version", f"is {version}, this program reads {SCHEMA_VERSION}; {advice}")
    zone = top.text("log_timezone", _timezone)
    own, report, dns, archive = (top.table(key) for key in ("own", "report", "dns", "archive"))
    ledger, authorities = top.table("ledger"), top.tables("tsa", MAX_AUTHORITIES)
    senders, logs = top.tables("sender", MAX_ITEMS), top.tables("log", MAX_LOGS)
    top.finish()
    configuration = Configuration(
        senders=_distinct("domain", [(table, _sender(table)) for table in senders], lambda sender: sender.domain),
        own_hosts=frozenset(own.texts("hosts", domain_name)),
        own_networks=own.texts("networks", network),
        intermediaries=frozenset(own.texts("intermediaries", domain_name)),
        routed_by_mx=own.take("routed_by_mx", bool, "true or false") or False,
        logs=_distinct("name", [(table, _log(table, commands_allowed)) for table in logs], lambda log: log.name),
        timezone=zone,
        report=_report(report),
        archive=_archive(archive),
        nameservers=dns.texts("nameservers", _nameserver, 16),
        trust_anchors=dns.texts("trust_anchors", _trust_anchor, 16),
        ledger=_ledger(ledger, authorities, commands_allowed=commands_allowed),
        origin=top.origin,
    )
    for table in (own, report, dns, ledger):
        table.finish()
    return configuration


def _sender(table: _Table) -> Sender:
    domain = table.text("domain", domain_name)
    if domain is None:
        raise table.fault("domain", 'is missing; write domain = "example.com"')
    sender = Sender(
        domain=domain,
        author_domain=table.text("author_domain", domain_name),
        selectors=table.texts("selectors", selector_name, 100),
        egress_ips=table.texts("egress_ips", lambda text: str(address(text)), 1_000),
        helo=table.text("helo", _helo),
    )
    table.finish()
    return sender


def _log(table: _Table, commands_allowed: bool) -> LogSource:
    name = table.text("name", _source_name)
    if name is None:
        raise table.fault("name", 'is missing; write name = "mail1", the host that wrote the log')
    path = table.text("path", _path)
    command = _command(table)
    table.finish()
    if (path is None) == (not command):
        raise table.fault("path", "give either path or command")
    if command and not commands_allowed:
        where = "in /etc/deliverability, or name this file with --config"
        raise table.fault("command", f"a configuration found by itself may not run programs; put it {where}")
    return LogSource(name, path, command or None)


def _ledger(table: _Table, authorities: list[_Table], *, commands_allowed: bool) -> LedgerSettings:
    signer = _command(table, "signer")
    if signer and not commands_allowed:
        where = "in /etc/deliverability, or name this file with --config"
        raise table.fault("signer", f"a configuration found by itself may not run programs; put it {where}")
    return LedgerSettings(
        path=table.text("path", _path),
        head=table.text("head", _path),
        signer=signer,
        authorities=_distinct("name", [(one, _authority(one)) for one in authorities], lambda one: one.name),
    )


def _authority(table: _Table) -> Authority:
    name, url = table.text("name", _source_name), table.text("url", _url)
    if name is None or url is None:
        raise table.fault("name" if name is None else "url", "is missing; an authority has a name and a url")
    authority = Authority(name, url, table.text("roots", _path))
    table.finish()
    return authority


def _command(table: _Table, key: str = "command") -> tuple[str, ...]:
    words: list[object] = table.take(key, list, 'a list of words, such as ["ssh", "mail1", "cat /var/log/…"]') or []
    if len(words) > 100:
        raise table.fault(key, "more than 100 words")
    for word in words:
        if not isinstance(word, str) or len(word) > MAX_TEXT or "\0" in word:
            raise table.fault(key, f"every word must be a string of at most {MAX_TEXT} characters")
    if words and not words[0]:
        raise table.fault(key, "the first word, the program, is empty")
    return tuple(str(word) for word in words)


def _archive(table: _Table) -> ArchiveSettings:
    days = table.take("keep_days", int, "a whole number of days")
    if days is not None and not 0 < days <= MAX_DAYS:
        raise table.fault("keep_days", f"must be 1 to {MAX_DAYS}")
    return ArchiveSettings(table.text("path", _path), days)


def _report(table: _Table) -> ReportSettings:
    return ReportSettings(
        languages=table.texts("languages", _language, 20),
        timezone=table.text("timezone", _timezone),
        brand_name=table.text("brand_name", _line),
        contact=table.text("contact", _line),
        action_url=table.text("action_url", _url),
        change_address_url=table.text("change_address_url", _url),
        short_link=table.text("short_link", _url),
        logo=table.text("logo", _path),
        colour=table.text("colour", _colour),
        sender=table.text("sender", _line),
    )


def _colour(text: str) -> str:
    if len(text) == 7 and text[0] == "#" and all(char in "0123456789abcdefABCDEF" for char in text[1:]):
        return text.lower()
    raise ValueError("is no colour; write #rrggbb, such as #0a5a85")


def _distinct(key: str, items: list[tuple[_Table, T]], name: Callable[[T], str]) -> tuple[T, ...]:
    seen: set[str] = set()
    for table, item in items:
        if name(item) in seen:
            raise table.fault(key, f"{name(item)!r} appears twice; merge the two")
        seen.add(name(item))
    return tuple(item for _, item in items)


# Checks of single values: each returns the canonical form or raises ValueError with the end of a sentence that
# begins with the value.


def domain_name(text: str) -> str:
    """Lower-case A-labels without trailing dot; :class:`ValueError` for what is no domain or host name."""
    if len(text) <= 254:
        bare = unicodedata.normalize("NFC", text).lower().removesuffix(".")
        labels = [_a_label(label) for label in bare.split(".")]
        name = ".".join(labels)
        if len(name) <= 253 and all(_LABEL.match(label) for label in labels) and not _is_address(name):
            return name
    raise ValueError("is not a domain or host name")


def _a_label(label: str) -> str:
    """RFC 5891 §4.4, for letters, marks, digits and hyphens; anything else stays, and is refused as no label."""
    if label.isascii() or not all(char == "-" or unicodedata.category(char)[0] in "LMN" for char in label):
        return label
    return "xn--" + label.encode("punycode").decode("ascii")


def selector_name(text: str) -> str:
    """A DKIM selector, lower-case; :class:`ValueError` for what is none."""
    # RFC 6376 §3.1: sub-domains of _domainkey, so labels; unlike a domain it may look like an address ("2026.1.1.1").
    name = text.lower()
    if len(name) <= 253 and all(_LABEL.match(label) for label in name.split(".")):
        return name
    raise ValueError("is not a DKIM selector")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def address(text: str) -> IPv4Address | IPv6Address:
    """An IP address without zone index; :class:`ValueError` for anything else."""
    try:
        found = ip_address(text)
    except ValueError:
        raise ValueError("is not an IP address") from None
    if isinstance(found, IPv6Address) and found.scope_id:
        raise ValueError("has a zone index, which means something on one host only; leave the part from '%' out")
    return found


def network(text: str) -> IPNetwork:
    """An IP network, or an address as the smallest one; :class:`ValueError` for anything else."""
    try:
        found = ip_network(text)
    except ValueError:
        try:
            meant = ip_network(text, strict=False)
        except ValueError:
            raise ValueError("is not an IP address or network, such as 192.0.2.0/24") from None
        raise ValueError(f"has bits set after the prefix; write {meant}") from None
    if not found.prefixlen:
        raise ValueError("is the whole Internet; name the networks that are yours")
    if "%" in str(found):
        raise ValueError("has a zone index; leave the part from '%' out")
    return found


def _nameserver(text: str) -> str:
    host, bracket, port = text.removeprefix("[").partition("]") if text.startswith("[") else (text, "", "")
    if not bracket and text.count(":") == 1:
        host, _, port = text.partition(":")
        port = ":" + port
    ip = address(host)
    if not port:
        return str(ip)
    digits = port.removeprefix(":")
    if not port.startswith(":") or not re.fullmatch(r"[0-9]{1,5}", digits) or not 0 < int(digits) < 65536:
        raise ValueError("is not IP, IP:port or [IPv6]:port")
    return f"[{ip}]:{int(digits)}" if ip.version == 6 else f"{ip}:{int(digits)}"


def _trust_anchor(text: str) -> str:
    """A DS record of the root: key tag, algorithm, digest type, digest (RFC 4034 §5.3)."""
    match = re.fullmatch(r"([0-9]{1,5}) ([0-9]{1,3}) ([0-9]{1,3}) (?:[0-9A-Fa-f]{2}){20,64}", text)
    if match and int(match[1]) < 1 << 16 and max(int(match[2]), int(match[3])) < 1 << 8:
        return text
    raise ValueError("is no DS record: write key tag, algorithm, digest type and digest, as IANA publishes them")


def _helo(text: str) -> str:
    # RFC 5321 §4.1.3: a host without a name announces an address literal.
    if text.startswith("[") and text.endswith("]"):
        literal = text[1:-1]
        prefix = "IPv6:" if literal[:5].lower() == "ipv6:" else ""
        return f"[{prefix}{address(literal[len(prefix) :])}]"
    return domain_name(text)


def _timezone(text: str) -> str:
    if _OFFSET.match(text) or (_ZONE.match(text) and ".." not in text):
        return text
    raise ValueError("is no time zone; write an IANA name such as Asia/Taipei, or ±HH:MM such as +08:00")


def _language(text: str) -> str:
    match = _LANGUAGE.match(text)
    if not match:
        raise ValueError("is no language tag, such as en or zh-Hant-TW")
    language, script, region = match.groups()
    parts = (language.lower(), script and script.title(), region and region.upper())
    return "-".join(part for part in parts if part)


def _source_name(text: str) -> str:
    if _NAME.match(text):
        return text
    raise ValueError("is no name for a log: letters, digits and . _ : - only, at most 100")


def _path(text: str) -> str:
    if not text or any(unicodedata.category(char) in _UNPRINTABLE for char in text):
        raise ValueError("is not a path")
    return text


def _line(text: str) -> str:
    shown = text.strip()
    if not shown or any(unicodedata.category(char) in _UNPRINTABLE or char in _BIDI for char in shown):
        raise ValueError("must be one line of visible text")
    return shown


def _url(text: str) -> str:
    if not re.match(r"https?://[^/?#\s@]", text) or re.search(r"[\s<>\"\\]", text):
        raise ValueError("is no web address that starts with https://")
    return _line(text)
