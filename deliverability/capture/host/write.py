"""A survey as ``deliverability.toml``, commented, and as lines for the terminal."""

from collections.abc import Iterable, Sequence

from deliverability.capture.host.model import Found, HostSurvey, LogSet
from deliverability.config import SCHEMA_VERSION, IPNetwork, Sender
from deliverability.errors import printable

_HEAD = """\
# deliverability.toml: what this program should know about the sending side.
# Written from what was found on this machine; a line that begins with "#" is a comment or an example.
# `deliverability` reads it from the working directory (if you own it and nobody else can write it),
# from ~/.config/deliverability/, or from /etc/deliverability/.
"""
_LOG_EXAMPLE = """\
# [[log]]
# name = "mail2"
# path = "/var/log/mail.log"      # rotated and compressed files beside it are read too
#
# [[log]]                         # a command only in /etc/deliverability/ or with --config
# name = "mail3"
# command = ["ssh", "mail3.example.com", "cat /var/log/mail.log"]
"""
_SENDER_EXAMPLE = """\
# [[sender]]
# domain = "example.com"          # domain of the envelope sender (bounce address)
# author_domain = "example.com"   # domain of the From header, if it is another one
# selectors = ["s1"]              # DKIM selectors
# egress_ips = ["192.0.2.25"]     # addresses that connect to the recipients' servers
# helo = "mail.example.com"       # the name that they announce
"""
_REST = """\
# Where `deliverability ingest` keeps the logs, and `trace` and `report` look too.
[archive]
# path = "/var/lib/deliverability/archive.db"
# keep_days = 400

[report]
# languages = ["zh-Hant-TW", "en"]
# timezone = "Asia/Taipei"        # the reader's
# brand_name = "Example Hosting"
# contact = "support@example.com"
# action_url = "https://example.com/billing"
# change_address_url = "https://example.com/account/email"

[dns]
# nameservers = ["192.0.2.53"]    # empty: the system's
"""


def to_toml(survey: HostSurvey) -> str:
    """The configuration that holds exactly what was found; each value's comment says where."""
    out = [_HEAD]
    out += [_comment(f"Note: {note}") for note in survey.notes]
    out.append(f"\nschema_version = {SCHEMA_VERSION}\n")
    out.append("# The time zone of log lines that state none: an IANA name or ±HH:MM.")
    out.append(_value("log_timezone", survey.timezone) if survey.timezone else '# log_timezone = "Asia/Taipei"')
    out += [
        "",
        "[own]",
        "# Our own servers: a recipient's MX among them is ours, not another provider's.",
        *_own(survey),
    ]
    out += ["", "# Logs of our mail servers, by name.", *(_log(log) for log in survey.logs), _LOG_EXAMPLE]
    out += ["# Domains that send notices.", *(_sender(sender) for sender in survey.senders), _SENDER_EXAMPLE, _REST]
    return "\n".join(out)


def _own(survey: HostSurvey) -> Iterable[str]:
    yield from _list("hosts", survey.own_hosts, '# hosts = ["mail.example.com"]')
    yield from _list("networks", survey.own_networks, '# networks = ["192.0.2.25", "2001:db8::/64"]')
    yield "# Services that our mail passes through on its way (an ESP, a filter): host names or domains."
    yield '# intermediaries = ["filter.example.net"]'
    yield "# true only if our servers hand mail for other domains straight to their MX."
    yield _comment(f"Found: {survey.routed_by_mx.found_in}")
    yield f"routed_by_mx = {'true' if survey.routed_by_mx.value else 'false'}"


def _list(key: str, found: Sequence[Found[str] | Found[IPNetwork]], example: str) -> Iterable[str]:
    if not found:
        yield example
        return
    yield f"{key} = ["
    for item in found:
        yield f"    {_quoted(str(item.value))},  {_comment(item.found_in)}"
    yield "]"


def _log(log: LogSet) -> str:
    return "\n".join(
        [
            "[[log]]",
            _comment(f"{log.found_in}; {_reach(log)}"),
            f"name = {_quoted(log.name)}",
            f"path = {_quoted(log.path)}",
            "",
        ]
    )


def _sender(found: Found[Sender]) -> str:
    sender = found.value
    lines = ["[[sender]]", _comment(found.found_in), f"domain = {_quoted(sender.domain)}"]
    lines.append(f"selectors = [{', '.join(map(_quoted, sender.selectors))}]")
    if sender.egress_ips:
        lines.append(f"egress_ips = [{', '.join(map(_quoted, sender.egress_ips))}]")
    else:
        lines.append("# egress_ips = []  # not bound by the mail server's configuration: add what receivers see")
    lines.append(f"helo = {_quoted(sender.helo)}" if sender.helo else '# helo = "mail.example.com"  # not found')
    return "\n".join([*lines, ""])


def _value(key: str, found: Found[str]) -> str:
    return f"{key} = {_quoted(found.value)}  {_comment(found.found_in)}"


def _comment(text: str) -> str:
    # TOML 1.0: no control characters in comments; one line each.
    return "# " + printable(text, 2_000)


def _quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + '"'


def describe(survey: HostSurvey) -> list[str]:
    """What was found, for the terminal: one plain sentence a line, foreign text made printable."""
    lines = [f"Found {mta.name}{f' {mta.version}' if mta.version else ''} ({mta.found_in})." for mta in survey.mtas]
    if not survey.mtas:
        lines.append("Found no mail server's configuration on this machine.")
    if survey.panel:
        lines.append(f"Found {survey.panel.value} ({survey.panel.found_in}).")
    lines += [f"Log {log.path}: {log.files} file{'s' if log.files != 1 else ''}, {_reach(log)}." for log in survey.logs]
    if not survey.logs:
        lines.append("No mail log was found that can be read.")
    if survey.timezone:
        lines.append(f"Log times that state no zone are taken as {survey.timezone.value} ({survey.timezone.found_in}).")
    lines.append(f"Own host names: {_listed(survey.own_hosts)}.")
    lines.append(f"Own addresses: {_listed(survey.own_networks)}.")
    way = "goes straight to their MX" if survey.routed_by_mx.value else "is not known to go straight to their MX"
    lines.append(f"Mail for other domains {way} ({survey.routed_by_mx.found_in}).")
    for found in survey.senders:
        lines.append(f"Sender {found.value.domain}: selector {', '.join(found.value.selectors)} ({found.found_in}).")
    lines += [f"Note: {note}." if not note.endswith(".") else f"Note: {note}" for note in survey.notes]
    return [printable(line, 2_000) for line in lines]


def _reach(log: LogSet) -> str:
    if log.first is None or log.days is None:
        return "how far back it reaches could not be told"
    basis = ", the year by file date" if log.first_from == "file date" else ""
    return f"reaches back {log.days} day{'s' if log.days != 1 else ''} to {log.first:%Y-%m-%d}{basis}"


def _listed(found: Sequence[Found[str] | Found[IPNetwork]]) -> str:
    shown = ", ".join(str(item.value) for item in found[:10])
    return (shown + (f" and {len(found) - 10} more" if len(found) > 10 else "")) or "none found"
