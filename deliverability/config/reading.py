"""From the text of ``deliverability.toml`` to its values, section by section."""

from deliverability.config import values
from deliverability.config.settings import (
    MAX_SIZE,
    SCHEMA_VERSION,
    ArchiveSettings,
    Authority,
    Configuration,
    LedgerSettings,
    LogSource,
    ReportSettings,
    Sender,
)
from deliverability.config.table import MAX_ITEMS, MAX_TEXT, Table, distinct
from deliverability.errors import CannotLookError, printable

MAX_LOGS = 256
MAX_AUTHORITIES = 16
MAX_DAYS = 36_500  # of keeping


def parse(text: str, origin: str, *, commands_allowed: bool = False) -> Configuration:
    """Read a configuration; ``origin`` names it in errors and in the result.

    ``commands_allowed`` says whether a ``[[log]]`` may name a program to run: the caller grants it for files that
    only an administrator, or the person who typed ``--config``, has chosen.
    Raises :class:`CannotLookError` for whatever is malformed, unknown, contradictory or too large.
    """
    import tomllib

    if len(text) > MAX_SIZE or len(text.encode("utf-8", "surrogatepass")) > MAX_SIZE:
        raise CannotLookError(f"{printable(origin)}: larger than {MAX_SIZE >> 20} MiB; is this a configuration file?")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        # TOMLDecodeError is a ValueError; so is an integer with too many digits. It names line and column itself.
        what = "nested too deeply" if isinstance(problem, RecursionError) else printable(str(problem))
        raise CannotLookError(f"{printable(origin)}: not valid TOML: {what}") from problem
    return _configuration(Table(origin, "", document), commands_allowed=commands_allowed)


def _configuration(top: Table, *, commands_allowed: bool) -> Configuration:
    # First the version: of a newer file, no other complaint would be fair.
    version = top.take("schema_version", int, "a whole number")
    if version is not None and version != SCHEMA_VERSION:
        advice = "update deliverability" if version > SCHEMA_VERSION else "run `deliverability init` for a new one"
        raise top.fault("schema_version", f"is {version}, this program reads {SCHEMA_VERSION}; {advice}")
    zone = top.text("log_timezone", values.time_zone)
    own, report, dns, archive = (top.table(key) for key in ("own", "report", "dns", "archive"))
    ledger, authorities = top.table("ledger"), top.tables("tsa", MAX_AUTHORITIES)
    senders, logs = top.tables("sender", MAX_ITEMS), top.tables("log", MAX_LOGS)
    top.finish()
    configuration = Configuration(
        senders=distinct("domain", [(table, _sender(table)) for table in senders], lambda sender: sender.domain),
        own_hosts=frozenset(own.texts("hosts", values.domain_name)),
        own_networks=own.texts("networks", values.network),
        intermediaries=frozenset(own.texts("intermediaries", values.domain_name)),
        routed_by_mx=own.take("routed_by_mx", bool, "true or false") or False,
        logs=distinct("name", [(table, _log(table, commands_allowed)) for table in logs], lambda log: log.name),
        timezone=zone,
        report=_report(report),
        archive=_archive(archive),
        nameservers=dns.texts("nameservers", values.nameserver, 16),
        trust_anchors=dns.texts("trust_anchors", values.trust_anchor, 16),
        ledger=_ledger(ledger, authorities, commands_allowed=commands_allowed),
        origin=top.origin,
    )
    for table in (own, report, dns, ledger):
        table.finish()
    return configuration


def _sender(table: Table) -> Sender:
    domain = table.text("domain", values.domain_name)
    if domain is None:
        raise table.fault("domain", 'is missing; write domain = "example.com"')
    sender = Sender(
        domain=domain,
        author_domain=table.text("author_domain", values.domain_name),
        selectors=table.texts("selectors", values.selector_name, 100),
        egress_ips=table.texts("egress_ips", lambda text: str(values.address(text)), 1_000),
        helo=table.text("helo", values.helo_name),
    )
    table.finish()
    return sender


def _log(table: Table, commands_allowed: bool) -> LogSource:
    name = table.text("name", values.source_name)
    if name is None:
        raise table.fault("name", 'is missing; write name = "mail1", the host that wrote the log')
    path = table.text("path", values.path)
    command = _command(table)
    table.finish()
    if (path is None) == (not command):
        raise table.fault("path", "give either path or command")
    if command and not commands_allowed:
        where = "in /etc/deliverability, or name this file with --config"
        raise table.fault("command", f"a configuration found by itself may not run programs; put it {where}")
    return LogSource(name, path, command or None)


def _ledger(table: Table, authorities: list[Table], *, commands_allowed: bool) -> LedgerSettings:
    signer = _command(table, "signer")
    if signer and not commands_allowed:
        where = "in /etc/deliverability, or name this file with --config"
        raise table.fault("signer", f"a configuration found by itself may not run programs; put it {where}")
    return LedgerSettings(
        path=table.text("path", values.path),
        head=table.text("head", values.path),
        signer=signer,
        authorities=distinct("name", [(one, _authority(one)) for one in authorities], lambda one: one.name),
    )


def _authority(table: Table) -> Authority:
    name, url = table.text("name", values.source_name), table.text("url", values.url)
    if name is None or url is None:
        raise table.fault("name" if name is None else "url", "is missing; an authority has a name and a url")
    authority = Authority(name, url, table.text("roots", values.path))
    table.finish()
    return authority


def _command(table: Table, key: str = "command") -> tuple[str, ...]:
    words: list[object] = table.take(key, list, 'a list of words, such as ["ssh", "mail1", "cat /var/log/…"]') or []
    if len(words) > 100:
        raise table.fault(key, "more than 100 words")
    for word in words:
        if not isinstance(word, str) or len(word) > MAX_TEXT or "\0" in word:
            raise table.fault(key, f"every word must be a string of at most {MAX_TEXT} characters")
    if words and not words[0]:
        raise table.fault(key, "the first word, the program, is empty")
    return tuple(str(word) for word in words)


def _archive(table: Table) -> ArchiveSettings:
    days = table.take("keep_days", int, "a whole number of days")
    if days is not None and not 0 < days <= MAX_DAYS:
        raise table.fault("keep_days", f"must be 1 to {MAX_DAYS}")
    return ArchiveSettings(table.text("path", values.path), days)


def _report(table: Table) -> ReportSettings:
    return ReportSettings(
        languages=table.texts("languages", values.language, 20),
        timezone=table.text("timezone", values.time_zone),
        brand_name=table.text("brand_name", values.one_line),
        contact=table.text("contact", values.one_line),
        action_url=table.text("action_url", values.url),
        change_address_url=table.text("change_address_url", values.url),
        short_link=table.text("short_link", values.url),
        logo=table.text("logo", values.path),
        colour=table.text("colour", values.colour),
        sender=table.text("sender", values.one_line),
    )
