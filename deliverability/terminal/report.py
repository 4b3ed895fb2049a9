"""``deliverability report``: one notice, one page."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from deliverability.errors import AmbiguousError, UsageError
from deliverability.terminal.archive import ArchiveOption, with_archive
from deliverability.terminal.asking import reader_for, request_from
from deliverability.terminal.named_form import named_form
from deliverability.terminal.options import (
    AllOption,
    AttachOption,
    AuthorOption,
    BundleOption,
    ConfigOption,
    EditionName,
    EditionOption,
    FromIpOption,
    HeloOption,
    Lang,
    LatestOption,
    LedgerOption,
    LinkOption,
    LogsOption,
    MailOption,
    MessageIdOption,
    NowOption,
    OfflineOption,
    PaperName,
    PaperOption,
    QueueIdOption,
    RemoteIdOption,
    ReplayOption,
    ReportFormat,
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
from deliverability.terminal.pages import Wanted, write_pages
from deliverability.terminal.send import ReceiptOption, receipt_assessments
from deliverability.terminal.status import dispatch_status, worst
from deliverability.terminal.streams import progress, several_match, talk, tell

REPORT_HELP = """One notice, one page: what is known of it, and what the customer can do.

\b
  deliverability report --log /var/log/exim_mainlog --to mei@gmail.com --latest
  deliverability report --log mail.log --to mei@gmail.com --subject 續約通知 --lang zh-Hant-TW --format html -o notice.html
  deliverability report --receipt receipt.json --log /var/log/mail.log
  deliverability report --log mail.log --to mei@gmail.com --latest --attach-to ticket.eml -o reply.eml

Exit status: 0 accepted or better; 1 refused, bounced, expired; 2 usage, or several messages match;
3 deferred, queued or only handed over; 4 unknown or not found; 6 could not look.
"""


def report(
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
    lang: Annotated[Lang | None, lang_option("Language; else the configuration's, else en.")] = None,
    form: Annotated[
        ReportFormat | None, typer.Option("--format", help="Form of the report; else by the name of -o, else text.")
    ] = None,
    edition: EditionOption = None,
    zone: Annotated[str | None, typer.Option("--zone", metavar="ZONE", help="The reader's time zone.")] = None,
    latest: LatestOption = False,
    every: AllOption = False,
    receipt: ReceiptOption = None,
    folder: LedgerOption = None,
    link: LinkOption = None,
    paper: PaperOption = PaperName.A4,
    bundle: BundleOption = None,
    attach_to: AttachOption = None,
    unread: UnreadOption = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE|FOLDER/", help="Write there; in a folder, named by date and subject."
        ),
    ] = None,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """See :data:`REPORT_HELP`."""
    from deliverability import api
    from deliverability.api.timelines import timeline

    request = with_archive(request_from(locals()), archive, log)
    for_whom = (edition or EditionName.CUSTOMER).value
    reader = replace(reader_for(lang, zone, for_whom), link=link or "", paper=paper.value)
    target = Path(output) if output else None
    form = named_form(form, ReportFormat, None if attach_to else output) or ReportFormat.TEXT
    wanted = Wanted(
        form=form,
        output=target,
        folder=(output or "").endswith("/"),
        edition=edition,
        attach_to=attach_to,
        bundle=bundle,
        link=link,
    )
    if receipt:
        assessments, status = receipt_assessments(receipt, folder, request)
        write_pages(assessments, reader, request, wanted)
        raise typer.Exit(status)
    try:
        with progress():
            result = api.report(request)
    except AmbiguousError as several:
        if isinstance(several.candidates, api.TraceResult):
            tell(timeline(several.candidates, reader, "text", request).decode())
            raise UsageError(several_match(several.candidates)) from None
        raise
    talk(result.traced, unread=unread)
    write_pages(result.assessments, reader, request, wanted)
    raise typer.Exit(
        worst(dispatch_status(a.claim.state, blind=result.traced.blind) for a in result.assessments if a.claim)
    )
