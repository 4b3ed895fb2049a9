"""The command line: which command is where.  No logic (DESIGN §8).

A command is imported and built when it is asked for; help and completion build all of them.
"""

from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer

from deliverability.terminal.light import LightCommand, LightGroup
from deliverability.terminal.status import ACCEPTED
from deliverability.terminal.streams import write

VERSION = "--version"
ABOUT = "Shows that a notice was dispatched, no stronger than the evidence, and helps the customer keep the next one."


class Command(NamedTuple):
    """Where a command is, below ``deliverability.terminal``, and what the list of commands says of it."""

    module: str
    name: str
    short_help: str
    help: str = ""
    """Name of the constant that holds its help; none: the function's first words."""


COMMANDS = {
    "report": Command("report", "report", "One notice, one page.", "REPORT_HELP"),
    "trace": Command("trace", "trace", "The timeline of a notice alone.", "TRACE_HELP"),
    "check": Command("check", "check", "A domain, a message, an address before sending.", "CHECK_HELP"),
    "init": Command("init", "init", "Write a configuration for this machine.", "INIT_HELP"),
    "allowlist": Command("allowlist", "allowlist", "Files that let the sender's mail in.", "ALLOWLIST_HELP"),
    "explain": Command("explain", "explain", "A refusal in words; why a message lies in junk.", "EXPLAIN_HELP"),
    "ingest": Command("ingest", "ingest", "Keep what the logs hold.", "INGEST_HELP"),
    "send": Command("send", "send", "Send a message, with its evidence.", "SEND_HELP"),
    "summary": Command("summary", "summary", "What the logs say in numbers.", "SUMMARY_HELP"),
    "verify": Command("verify", "verify_bundle_file", "Verify a bundle of evidence, offline.", "VERIFY_HELP"),
    "history": Command("history", "show_history", "Every notice to a customer, failures included.", "HISTORY_HELP"),
    "witness": Command("witness", "witness", "An old mail, held against the log.", "WITNESS_HELP"),
}
GROUPS = {
    "archive": Command("archive", "archive_app", "What is kept of the logs."),
    "ledger": Command("ledger", "ledger", "The tamper-evident log."),
}


def application(name: str = "") -> typer.Typer:
    """The command line with one command, with none for ``--version`` alone, or with all where ``name`` is no command."""
    one = name in COMMANDS or name in GROUPS or name == VERSION
    app = typer.Typer(
        name="deliverability",
        cls=LightGroup,
        add_completion=not one,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        help=ABOUT,
    )
    for known, command in COMMANDS.items():
        if known == name or not one:
            text: str | None = _found(command, command.help) if command.help else None
            app.command(name=known, help=text, short_help=command.short_help, cls=LightCommand)(
                _found(command, command.name)
            )
    for known, group in GROUPS.items():
        if known == name or not one:
            app.add_typer(_found(group, group.name), name=known, short_help=group.short_help)
    app.callback(invoke_without_command=True)(top)
    return app


def _found(command: Command, name: str) -> Any:
    return getattr(import_module(f"deliverability.terminal.{command.module}"), name)


def top(version: Annotated[bool, typer.Option(VERSION, help="Print the version.")] = False) -> None:
    """Only the options before the command."""
    if version:
        from importlib.metadata import version as installed

        write(f"deliverability {installed('deliverability')}\n".encode(), None)
        raise typer.Exit(ACCEPTED)
