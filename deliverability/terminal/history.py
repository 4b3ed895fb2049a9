"""``deliverability history``: every notice to a customer, failures included."""

from enum import StrEnum
from typing import Annotated

import typer

from deliverability.errors import UsageError
from deliverability.terminal.asking import settings_of
from deliverability.terminal.named_form import named_form
from deliverability.terminal.options import ConfigOption, Lang, LedgerOption, OutputOption, lang_option
from deliverability.terminal.status import UNKNOWN
from deliverability.terminal.streams import write


class HistoryFormat(StrEnum):
    """Forms of a customer's notices."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


HISTORY_HELP = """Every notice to a customer, failures included: "My Mail".

\b
  deliverability history --customer 4711 --ledger /var/lib/deliverability/ledger
  deliverability history --to mei@gmail.com --lang zh-Hant-TW
  deliverability history --customer 4711 --format html --proof-link '/proof/{dispatch}'

Exit status: 0 listed; 4 none is sealed; 5 the ledger was changed; 6 could not look.
"""


def show_history(
    account: Annotated[
        str | None, typer.Option("--customer", metavar="ID", help="The mailer's own name for the customer.")
    ] = None,
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="ADDRESS", help="An address; may be repeated.")
    ] = None,
    folder: LedgerOption = None,
    lang: Annotated[Lang, lang_option("Language.")] = Lang.EN,
    zone: Annotated[str | None, typer.Option("--zone", metavar="ZONE", help="Time zone of the times shown.")] = None,
    form: Annotated[
        HistoryFormat | None,
        typer.Option("--format", help="Html is a fragment to embed; else by the name of -o, else text."),
    ] = None,
    proof_link: Annotated[
        str | None,
        typer.Option("--proof-link", metavar="URL", help="Where a proof can be had; {dispatch} stands for its id."),
    ] = None,
    output: OutputOption = None,
    config: ConfigOption = None,
) -> None:
    """See :data:`HISTORY_HELP`."""
    from deliverability.api import sealing
    from deliverability.api.sealed_pages import catalog_and_zone, history_page

    if account is None and not to:
        raise UsageError("say whose notices: --customer ID or --to ADDRESS")
    form = named_form(form, HistoryFormat, output) or HistoryFormat.TEXT
    with sealing.open_ledger(settings_of(config), folder, write=False) as log:
        found = sealing.history(log, account=account, addresses=tuple(to or ()))
    where = zone or ("Asia/Taipei" if lang is Lang.ZH else "UTC")
    customer = account or ", ".join(to or ())
    write(history_page(found, customer, catalog_and_zone(lang.value, where), form.value, proof_link), output)
    if not found.told:
        raise typer.Exit(UNKNOWN)
