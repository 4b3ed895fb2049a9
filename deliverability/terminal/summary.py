"""``deliverability summary``: options → ``api`` → stdout; logs that say nothing exit with what that means."""

from enum import StrEnum
from typing import Annotated

import typer

from deliverability.terminal.archive import ArchiveOption, with_archive
from deliverability.terminal.asking import reader_for, request_from
from deliverability.terminal.named_form import named_form
from deliverability.terminal.options import (
    ConfigOption,
    Lang,
    LogsOption,
    NowOption,
    OutputOption,
    RoutedOption,
    SinceOption,
    TzOption,
    UntilOption,
    lang_option,
)
from deliverability.terminal.status import ACCEPTED, COULD_NOT_LOOK
from deliverability.terminal.streams import progress, say, write


class SummaryFormat(StrEnum):
    """Forms of a summary."""

    TEXT = "text"
    HTML = "html"
    JSON = "json"


SUMMARY_HELP = """What the logs say in numbers: by recipient domain, provider, cause, day and hour.

\b
  deliverability summary --log /var/log/maillog
  deliverability summary --log /var/log/exim_mainlog --since 2026-11-01 -o november.html
  deliverability summary --archive /var/lib/deliverability/archive.db --since 2026-10-01 --until 2026-11-01

Exit status: 0 counted; 6 a log could not be read, or not to its end.
"""


def summary(
    log: LogsOption = None,
    archive: ArchiveOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    tz: TzOption = None,
    routed_by_mx: RoutedOption = False,
    lang: Annotated[Lang | None, lang_option("Language; else the configuration's, else en.")] = None,
    form: Annotated[
        SummaryFormat | None, typer.Option("--format", help="Form of the answer; else by the name of -o, else text.")
    ] = None,
    zone: Annotated[str | None, typer.Option("--zone", metavar="ZONE", help="Time zone of days and hours.")] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", metavar="N", min=1, max=64, help="Processes; else as many as large logs are worth."),
    ] = None,
    output: OutputOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """See :data:`SUMMARY_HELP`."""
    from deliverability.api.readers import zone_of
    from deliverability.api.summary import summarise
    from deliverability.api.summary_rendering import rendered

    form = named_form(form, SummaryFormat, output) or SummaryFormat.TEXT
    request = with_archive(request_from(locals()), archive, log)
    reader = reader_for(lang, zone, output=output)
    with progress():
        counted = summarise(request, zone=zone_of(reader, request), jobs=jobs)
    for note in counted.notes:
        say(note)
    write(rendered(counted, reader, form.value, request), output)
    raise typer.Exit(COULD_NOT_LOOK if counted.coverage.blind else ACCEPTED)
