"""The options of the commands, each defined once, and the values that they choose from."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from deliverability.errors import printable


class Lang(StrEnum):
    """Languages of a report."""

    EN = "en"
    ZH = "zh-Hant-TW"


_LANGUAGES = {
    **dict.fromkeys(("en", "en-us", "en-gb"), Lang.EN),
    **dict.fromkeys(("zh-hant-tw", "zh-tw", "zh-hant"), Lang.ZH),
}


def language(text: str) -> Lang:
    """A language as people and locales write it; Simplified Chinese is another one."""
    found = _LANGUAGES.get(text.partition(".")[0].replace("_", "-").lower())
    if found is None:
        raise typer.BadParameter(f"no language {printable(text, 40)!r}; there are {', '.join(Lang)}")
    return found


def lang_option(purpose: str) -> Any:
    """``--lang`` of one command."""
    return typer.Option("--lang", parser=language, metavar="|".join(Lang), help=purpose)


class ReportFormat(StrEnum):
    """Forms of a report."""

    TEXT = "text"
    HTML = "html"
    PDF = "pdf"
    PNG = "png"
    JSON = "json"
    SMS = "sms"


class PaperName(StrEnum):
    """The size of a printed page."""

    A4 = "a4"
    LETTER = "letter"


class TableFormat(StrEnum):
    """Forms of everything else."""

    TEXT = "text"
    JSON = "json"


class CheckFormat(StrEnum):
    """Forms of the verdicts before sending."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"
    JUNIT = "junit"
    SARIF = "sarif"
    MARKDOWN = "markdown"


class FailOn(StrEnum):
    """What a gate takes for a failure."""

    FAIL = "fail"
    UNDECIDED = "undecided"
    ADVICE = "advice"


class EditionName(StrEnum):
    """For whom a report is."""

    CUSTOMER = "customer"
    REDACTED = "redacted"
    SUPPORT = "support"


LogsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--log", metavar="PATH...", help="Mail log; brings its rotations along. NAME=PATH names a host, - is stdin."
    ),
]
ToOption = Annotated[
    list[str] | None,
    typer.Option(
        "--to", metavar="ADDRESS...", help="The customer's address; @DOMAIN for all of a domain, '*' for everybody."
    ),
]
MessageIdOption = Annotated[str | None, typer.Option("--message-id", metavar="ID", help="Message-ID of the notice.")]
QueueIdOption = Annotated[str | None, typer.Option("--queue-id", metavar="ID", help="Queue id in the log.")]
RemoteIdOption = Annotated[
    str | None, typer.Option("--remote-id", metavar="ID", help="Id that the receiving server gave it, from its reply.")
]
SubjectOption = Annotated[
    str | None,
    typer.Option(
        "--subject", metavar="TEXT", help="Part of the subject, decoded (logs keep its first 100 to 190 octets)."
    ),
]
SenderOption = Annotated[str | None, typer.Option("--from", metavar="ADDRESS", help="Envelope sender of the notice.")]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="Not before: 2026-11-22, with 13:05, with +08:00; else in --tz, else UTC."
    ),
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Not after; a bare date includes that day.")
]
TzOption = Annotated[
    str | None, typer.Option("--tz", metavar="ZONE", help="Zone of log lines that state none: Asia/Taipei, +08:00.")
]
LedgerOption = Annotated[
    Path | None, typer.Option("--ledger", metavar="FOLDER", help="The ledger; else [ledger] path of the configuration.")
]
MailOption = Annotated[
    Path | None, typer.Option("--message", metavar="FILE.eml", help="The notice as it was sent: DKIM and DMARC.")
]
FromIpOption = Annotated[
    str | None, typer.Option("--from-ip", metavar="IP", help="The address that connected to the recipient's MX.")
]
HeloOption = Annotated[str | None, typer.Option("--helo", metavar="NAME", help="The name it announced in EHLO.")]
SelectorOption = Annotated[
    list[str] | None, typer.Option("--selector", metavar="NAME", help="DKIM selector; may be repeated.")
]
AuthorOption = Annotated[
    str | None, typer.Option("--author-domain", metavar="DOMAIN", help="Domain of the From header.")
]
ServerOption = Annotated[
    list[str] | None, typer.Option("--nameserver", metavar="IP[:PORT]", help="Ask this resolver; may be repeated.")
]
TimeoutOption = Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=0.1, max=60, help="For one DNS try.")]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Ask no DNS: what is not on record stays open.")]
ReplayOption = Annotated[
    Path | None,
    typer.Option(
        "--observations",
        metavar="FILE",
        help="DNS answers on record, instead of the network: what report, trace or check wrote as JSON or ndjson.",
    ),
]
RoutedOption = Annotated[
    bool,
    typer.Option(
        "--routed-by-mx", help="Vouch that our server hands mail straight to the recipients' MX: no smarthost."
    ),
]
LatestOption = Annotated[bool, typer.Option("--latest", help="Of several messages the newest.")]
AllOption = Annotated[bool, typer.Option("--all", help="Of several messages all.")]
UnreadOption = Annotated[bool, typer.Option("--unread", help="List the log lines that could not be read, on stderr.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Configuration instead of the usual places.")
]
LinkOption = Annotated[
    str | None, typer.Option("--link", metavar="URL", help="With --format sms: where it points; else short_link.")
]
PaperOption = Annotated[PaperName, typer.Option("--paper", help="Of PDF and PNG.")]
BundleOption = Annotated[
    Path | None,
    typer.Option("--bundle", metavar="FILE", help="Enclose this sealed bundle and its verifier in the PDF."),
]
AttachOption = Annotated[
    str | None,
    typer.Option(
        "--attach-to",
        metavar="ADDRESS|FILE.eml",
        help="Write a reply to this ticket, with the page as text and as PDF; nothing is sent.",
    ),
]
EditionOption = Annotated[
    EditionName | None,
    typer.Option(
        "--edition",
        help="For whom; else customer, and redacted (the recipient masked) in a ticket of another address.",
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout.")
]
NowOption = Annotated[
    str | None, typer.Option("--now", metavar="TIME", help="The clock, for a replay that gives equal bytes.")
]
