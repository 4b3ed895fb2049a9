"""``deliverability trace``: the timeline of a notice alone."""

from typing import Annotated

import typer

from deliverability.errors import UsageError
from deliverability.terminal.archive import ArchiveOption, with_archive
from deliverability.terminal.asking import reader_for, request_from, say_narrowing
from deliverability.terminal.cohort import (
    AfterOption,
    AlertOption,
    AlertStateOption,
    AlertTimeoutOption,
    CohortOption,
    refuse_lone_alert,
    trace_cohort,
)
from deliverability.terminal.follow import FollowOption, ForOption, TraceFormat, refuse_idle
from deliverability.terminal.follow import follow as follow_logs
from deliverability.terminal.named_form import named_form
from deliverability.terminal.options import (
    AllOption,
    AuthorOption,
    ConfigOption,
    FromIpOption,
    HeloOption,
    Lang,
    LatestOption,
    LogsOption,
    MailOption,
    MessageIdOption,
    NowOption,
    OfflineOption,
    OutputOption,
    QueueIdOption,
    RemoteIdOption,
    ReplayOption,
    RoutedOption,
    SelectorOption,
    SenderOption,
    ServerOption,
    SinceOption,
    SubjectOption,
    TimeoutOption,
    ToOption,
    TzOption,
    UnreadOption,
    UntilOption,
    lang_option,
)
from deliverability.terminal.status import USAGE, dispatch_status, worst
from deliverability.terminal.streams import progress, say, several_match, talk, write

TRACE_HELP = """The timeline alone: every attempt, with the words of the log.

\b
  deliverability trace --log /var/log/maillog --to mei@gmail.com
  deliverability trace --log - --to mei@gmail.com --format json < pasted-lines
  deliverability trace --log /var/log/maillog --to mei@gmail.com --follow --for 30m
  deliverability trace --log /var/log/maillog --cohort notices.csv -o answers.csv --alert /usr/local/bin/tell-staff

--follow exits with 0 when an event was shown, 4 when none was.

Exit status otherwise as for report.
"""


def trace(
    log: LogsOption = None,
    archive: ArchiveOption = None,
    to: ToOption = None,
    message_id: MessageIdOption = None,
    queue_id: QueueIdOption = None,
    remote_id: RemoteIdOption = None,
    subject: SubjectOption = None,
    sender: SenderOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    tz: TzOption = None,
    message: MailOption = None,
    from_ip: FromIpOption = None,
    helo: HeloOption = None,
    selector: SelectorOption = None,
    author_domain: AuthorOption = None,
    nameserver: ServerOption = None,
    timeout: TimeoutOption = 3.0,
    offline: OfflineOption = False,
    observations: ReplayOption = None,
    routed_by_mx: RoutedOption = False,
    lang: Annotated[Lang | None, lang_option("Language of the table.")] = None,
    form: Annotated[
        TraceFormat | None,
        typer.Option(
            "--format", help="Table or JSON; with --follow text or ndjson; else by the name of -o, else text."
        ),
    ] = None,
    zone: Annotated[str | None, typer.Option("--zone", metavar="ZONE", help="The reader's time zone.")] = None,
    latest: LatestOption = False,
    every: AllOption = False,
    unread: UnreadOption = False,
    follow: FollowOption = False,
    during: ForOption = None,
    cohort: CohortOption = None,
    alert: AlertOption = None,
    after: AfterOption = 60.0,
    alert_state: AlertStateOption = None,
    alert_timeout: AlertTimeoutOption = 30.0,
    output: OutputOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """See :data:`TRACE_HELP`."""
    from deliverability import api
    from deliverability.api.timelines import timeline

    form = named_form(form, TraceFormat, output) or TraceFormat.TEXT
    request = request_from(locals())
    if follow:
        if output is not None and str(output) != "-":
            raise UsageError("--follow shows events on the screen as they come: for a file write > FILE instead of -o")
        from deliverability.api.readers import language_of

        follow_logs(request, during, form, zone, language_of(reader_for(lang, zone), request))
    refuse_idle(form, during, cohort)
    refuse_lone_alert(alert, cohort)
    request = with_archive(request, archive, log)
    if cohort:
        raise typer.Exit(trace_cohort(locals(), request))
    with progress():
        result = api.trace(request)
    reader = reader_for(lang, zone, output=output)
    talk(result, unread=unread)
    write(timeline(result, reader, form.value, request), output)
    if any(t.claim.state == "not-found" for t in result.told):
        say_narrowing(request)
    if not result.picked_one:
        say(several_match(result))
        raise typer.Exit(USAGE)
    raise typer.Exit(worst(dispatch_status(t.claim.state, blind=result.blind) for t in result.told))
