"""``deliverability explain``: a refusal in words, and why a message lies in junk."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from deliverability.errors import UsageError
from deliverability.terminal.asking import read_message, reader_for, request_from
from deliverability.terminal.named_form import named_form
from deliverability.terminal.options import (
    ConfigOption,
    Lang,
    OfflineOption,
    OutputOption,
    ReplayOption,
    ServerOption,
    TableFormat,
    TimeoutOption,
    lang_option,
)
from deliverability.terminal.status import ACCEPTED, UNKNOWN
from deliverability.terminal.streams import write

MAX_REPLY_INPUT = 1 << 20  # octets from standard input

EXPLAIN_HELP = """What a refusal means, who has to act and what to do; or why a message lies in junk.

\b
  deliverability explain --reply '550 5.7.515 Access denied, sending domain ...' --provider outlook-com
  deliverability explain from-the-junk-folder.eml
  deliverability explain copy.eml --side mx.customer.example --milter
  deliverability explain --banner similar

The copy is read on this machine; nothing is asked of any network without --verify.
Exit status: 0 explained; 4 not known, or no verdict that can be believed; 2 usage; 6 could not read.
"""


def explain(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.eml]", help="The recipient's own copy, saved from the junk folder.")
    ] = None,
    reply: Annotated[
        str | None,
        typer.Option("--reply", metavar="TEXT", help="A refusal or a delivery notification; - reads standard input."),
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="ID", help="Who gave the reply: gmail, hinet, mimecast …")
    ] = None,
    banner: Annotated[
        str | None,
        typer.Option(
            "--banner", metavar="NAME", help="What Gmail shows above the message; a wrong name lists them all."
        ),
    ] = None,
    side: Annotated[
        list[str] | None,
        typer.Option(
            "--side",
            metavar="HOST|NETWORK",
            help="A host name of the receiving side, its end, or its network; repeatable.",
        ),
    ] = None,
    milter: Annotated[
        bool, typer.Option("--milter", help="Vouch that the receiving server's filter writes below its Received line.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check DKIM, DMARC and ARC of the copy again; asks the DNS.")
    ] = False,
    nameserver: ServerOption = None,
    timeout: TimeoutOption = 3.0,
    offline: OfflineOption = False,
    observations: ReplayOption = None,
    lang: Annotated[Lang | None, lang_option("Language of the answer.")] = None,
    form: Annotated[
        TableFormat | None, typer.Option("--format", help="Form of the answer; else by the name of -o, else text.")
    ] = None,
    zone: Annotated[str | None, typer.Option("--zone", metavar="ZONE", help="The reader's time zone.")] = None,
    output: OutputOption = None,
    config: ConfigOption = None,
) -> None:
    """See :data:`EXPLAIN_HELP`."""
    from deliverability.api.explaining import (
        Question,
        explain_message,
        explain_reply,
        known,
        message_answer,
        reply_answer,
    )

    given = {
        "nameserver": nameserver,
        "timeout": timeout,
        "offline": offline,
        "observations": observations,
        "config": config,
    }
    form = named_form(form, TableFormat, output) or TableFormat.TEXT
    reader = reader_for(lang, zone)
    if reply is not None:
        if file or banner or side or milter or verify:
            raise UsageError("--reply stands alone, with --provider: a copy of a message is another question")
        words = explain_reply(_typed(reply), provider)
        write(reply_answer(words, reader, form.value), output)
        raise typer.Exit(ACCEPTED if known(words) else UNKNOWN)
    if provider:
        raise UsageError("--provider says who gave a --reply")
    question = Question(tuple(side or ()), milter, banner, verify)
    found = explain_message(read_message(file) if file else None, question, request_from(given))
    write(message_answer(found, reader, form.value), output)
    raise typer.Exit(ACCEPTED if known(found) else UNKNOWN)


def _typed(reply: str) -> str:
    if reply != "-":
        return reply
    if sys.stdin is None:
        raise UsageError("standard input is closed: give the text itself to --reply")
    return sys.stdin.buffer.read(MAX_REPLY_INPUT).decode("utf-8", "backslashreplace")
