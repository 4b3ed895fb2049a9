"""``deliverability send`` and ``report --receipt``: a message sent and recorded, and the page from its records."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deliverability.errors import UsageError, printable
from deliverability.terminal.asking import nameservers, read_message, settings_of
from deliverability.terminal.options import (
    ConfigOption,
    HeloOption,
    LedgerOption,
    OutputOption,
    SenderOption,
    ServerOption,
    TableFormat,
)
from deliverability.terminal.status import ACCEPTED, NEGATIVE, PENDING, UNKNOWN, dispatch_status, worst
from deliverability.terminal.streams import say, talk, write

if TYPE_CHECKING:
    from deliverability.api import Request
    from deliverability.api.receipts import Receipt
    from deliverability.evidence.bundle import Assessment

PASSWORD = "DELIVERABILITY_SMTP_PASSWORD"  # noqa: S105 - the name of a variable
SEND_HELP = """Send a message, and record what came of it: each recipient with the reply, no stronger than it was.

\b
  deliverability send notice.eml --ledger /var/lib/deliverability/ledger
  deliverability send notice.eml --to mei@customer.example --relay smtp.example:587 --username web -o receipt.json

Without --relay it goes to the recipients' mail exchangers. The password of --username is taken from the environment,
DELIVERABILITY_SMTP_PASSWORD. Exit status: 0 accepted; 1 refused; 3 handed over to a relay, or not taken yet; 4 unknown:
it may have been accepted; 6 it could not be recorded or read. Only what exits with 3 and says "not taken yet" may be
sent again without making a duplicate.
"""


class Gate(StrEnum):
    """What failing checks do."""

    WARN = "warn"
    HOLD = "hold"


class Security(StrEnum):
    """How much TLS has to hold."""

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    REQUIRED = "required"
    VERIFIED = "verified"
    POLICY = "policy"


ReceiptOption = Annotated[
    str | None,
    typer.Option(
        "--receipt", metavar="ID", help="A message that was sent: its dispatch in the ledger, or a receipt's file."
    ),
]


def send(
    file: Annotated[Path, typer.Argument(metavar="FILE.eml", readable=False, help="The message; - is standard input.")],
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="ADDRESS", help="Recipient; repeatable; else To, Cc and Bcc.")
    ] = None,
    sender: SenderOption = None,
    relay: Annotated[
        str | None,
        typer.Option("--relay", metavar="HOST:PORT", help="Hand it to this server; else to the recipients' MX."),
    ] = None,
    mx_port: Annotated[
        int, typer.Option("--mx-port", metavar="PORT", help="Of mail exchangers, for laboratories.")
    ] = 25,
    private: Annotated[
        bool, typer.Option("--allow-private", help="Also connect to mail exchangers with inside addresses.")
    ] = False,
    username: Annotated[str | None, typer.Option("--username", metavar="NAME", help="For the relay.")] = None,
    tls: Annotated[
        Security | None, typer.Option("--tls", help="Else verified with --username, and opportunistic without.")
    ] = None,
    roots: Annotated[
        Path | None, typer.Option("--roots", metavar="PEM", help="Who is trusted, instead of the system.")
    ] = None,
    helo: HeloOption = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ID", help="Your own name for the customer.")
    ] = None,
    preflight: Annotated[
        Gate | None, typer.Option("--preflight", help="Check first; a failure warns, or holds it back.")
    ] = None,
    nameserver: ServerOption = None,
    folder: LedgerOption = None,
    transcripts: Annotated[
        Path | None, typer.Option("--transcripts", metavar="FOLDER", help="Keep the session's octets there.")
    ] = None,
    form: Annotated[
        TableFormat, typer.Option("--format", help="A line a recipient, or the receipt.")
    ] = TableFormat.TEXT,
    output: OutputOption = None,
    config: ConfigOption = None,
) -> None:
    """See :data:`SEND_HELP`."""
    from deliverability.api.mailer import Mailer
    from deliverability.api.receipts import SendingError
    from deliverability.api.requests import Network
    from deliverability.api.sealing import ledger_folder

    settings = settings_of(config)
    content = read_message(file)
    password = os.environ.get(PASSWORD) if username else None
    if username and password is None:
        raise UsageError(f"--username needs the password in the environment: {PASSWORD}")
    place = ledger_folder(settings, folder)
    _look_for_ledger(place)
    mailer = Mailer(
        relay,
        recorder=place,
        username=username,
        password=password,
        tls=tls.value if tls else None,
        roots=str(roots) if roots else None,
        helo=helo,
        mx_port=mx_port,
        allow_private=private,
        preflight=preflight.value if preflight else None,
        network=Network(nameservers=nameservers(nameserver or settings.nameservers)),
        transcripts=transcripts,
    )

    import asyncio

    async def go() -> "Receipt":
        async with mailer:
            return await mailer.send(content, sender=_plain(sender), to=to or None, account=account, check=False)

    try:
        receipt = asyncio.run(go())
    except SendingError as held:
        say(printable(str(held), 1000))
        receipt = held.receipt
    for line in receipt.advice:
        say(f"preflight: {line}")
    if not receipt.recorded:
        say("evidence of this message could NOT be recorded: keep this receipt")
    # A file keeps the receipt whole; a person at the terminal wants to read.
    shown = receipt.to_json().encode() if form is TableFormat.JSON or output else _lines(receipt)
    write(shown, output)
    if output:
        say("; ".join(_lines(receipt).decode().splitlines()))
    raise typer.Exit(worst(_STATUS.get(c.state.value, NEGATIVE) for c in receipt.claims()))


def _look_for_ledger(folder: Path) -> None:
    """The spool works before there is a ledger (DESIGN §5); whoever mistyped its folder has to see it all the same."""
    shown = printable(str(folder))
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"{shown}: the folder that the ledger is to lie in is not there; nothing was sent")
    if not (folder / "ledger.sqlite").exists():
        say(f"{shown}: no ledger there yet; what is recorded waits in the spool until `deliverability ledger init`")
        say("has made one and `deliverability ledger checkpoint` seals it")


_STATUS = {
    "delivered": ACCEPTED,
    "accepted": ACCEPTED,
    "handed-over": PENDING,
    "deferred": PENDING,
    "queued": PENDING,
    "unknown": UNKNOWN,
}


def _plain(sender: str | None) -> str | None:
    return sender.strip().removeprefix("<").removesuffix(">") if sender is not None else None


def _lines(receipt: "Receipt") -> bytes:
    """A line for each recipient: state, address, what was answered, and the name of the dispatch."""
    told = []
    for intent, claim in zip(receipt.intents, receipt.claims(), strict=True):
        outcome = next((o for o in reversed(receipt.outcomes) if o.dispatch == intent.dispatch), None)
        words = "" if outcome is None else outcome.reply.text if outcome.reply else outcome.detail
        again = " (not taken yet: may be sent again)" if intent.forward_path in receipt.retryable else ""
        told.append(
            f"{claim.state.value}: {printable(intent.forward_path)}{again}: {printable(words, 300)} [{intent.dispatch}]"
        )
    return "\n".join(told).encode()


def receipt_assessments(name: str, folder: Path | None, request: "Request") -> "tuple[list[Assessment], int]":
    """A mailer's records, with what the logs show of each since, assessed; and the exit status."""
    from deliverability.api.observe import blocking
    from deliverability.api.receipt_pages import assess_records
    from deliverability.api.receipt_records import records_of

    configured = request.configuration.ledger.path
    place = folder or (Path(configured) if configured else None)
    assessments, statuses = [], []
    for records in records_of(name, place):
        assessment, traced = blocking(lambda r=records: assess_records(r, request), "report")  # type: ignore[misc]
        talk(traced, unread=False)
        assessments.append(assessment)
        statuses.append(dispatch_status(assessment.claim.state, blind=traced.blind) if assessment.claim else UNKNOWN)
    return assessments, worst(statuses)
