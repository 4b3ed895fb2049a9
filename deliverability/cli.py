"""The command line: arguments → ``api`` → stdout, and the exit status (DESIGN §8).  No logic.

Heavy imports happen inside the commands, so that ``--help`` is quick.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from deliverability.errors import AmbiguousError, UsageError, printable
from deliverability.terminal.allowlist import ALLOWLIST_HELP, allowlist
from deliverability.terminal.archive import ArchiveOption, archive_app, with_archive
from deliverability.terminal.asking import read_message, reader_for, refuse_idle_options, request_from
from deliverability.terminal.attach import enclosures, refuse_idle_forms, reply, ticket_of
from deliverability.terminal.cohort import (
    AfterOption,
    AlertOption,
    AlertStateOption,
    AlertTimeoutOption,
    CohortOption,
    refuse_lone_alert,
    trace_cohort,
)
from deliverability.terminal.explain import EXPLAIN_HELP, explain
from deliverability.terminal.follow import FollowOption, ForOption, TraceFormat, refuse_idle
from deliverability.terminal.follow import follow as follow_logs
from deliverability.terminal.ingest import INGEST_HELP, ingest
from deliverability.terminal.ledger import ledger, show_history, verify_bundle_file
from deliverability.terminal.lists import ListTask, check_list_file
from deliverability.terminal.options import (
    SUFFIXES,
    AllOption,
    AttachOption,
    AuthorOption,
    BundleOption,
    CheckFormat,
    ConfigOption,
    EditionName,
    FailOn,
    FromIpOption,
    HeloOption,
    Lang,
    LatestOption,
    LinkOption,
    LogsOption,
    MailOption,
    MessageIdOption,
    NowOption,
    OfflineOption,
    OutputOption,
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
)
from deliverability.terminal.send import SEND_HELP, LedgerOption, ReceiptOption, report_receipt, send
from deliverability.terminal.status import ACCEPTED, USAGE, check_status, dispatch_status, worst
from deliverability.terminal.streams import create, joined, progress, say, several_match, talk, tell, write
from deliverability.terminal.summary import SUMMARY_HELP, summary
from deliverability.terminal.witness import WITNESS_HELP, witness

app = typer.Typer(
    name="deliverability",
    add_completion=True,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Shows that a notice was dispatched, no stronger than the evidence, and helps the customer keep the next one.",
)

REPORT_HELP = """One notice, one page: what is known of it, and what the customer can do.

\b
  deliverability report --log /var/log/exim_mainlog --to mei@gmail.com --latest
  deliverability report --log mail.log --to mei@gmail.com --subject 續約通知 --lang zh-Hant-TW --format html -o notice.html
  deliverability report --receipt receipt.json --log /var/log/mail.log
  deliverability report --log mail.log --to mei@gmail.com --latest --attach-to ticket.eml -o reply.eml

Exit status: 0 accepted or better; 1 refused, bounced, expired; 2 usage, or several messages match;
3 deferred, queued or only handed over; 4 unknown or not found; 6 could not look.
"""
TRACE_HELP = """The timeline alone: every attempt, with the words of the log.

\b
  deliverability trace --log /var/log/maillog --to mei@gmail.com
  deliverability trace --log - --to mei@gmail.com --format json < pasted-lines
  deliverability trace --log /var/log/maillog --to mei@gmail.com --follow --for 30m
  deliverability trace --log /var/log/maillog --cohort notices.csv -o lacking.csv --alert /usr/local/bin/tell-staff

--follow exits with 0 when an event was shown, 4 when none was.

Exit status otherwise as for report.
"""
CHECK_HELP = """A domain, a message or an address, before anything is sent.

\b
  deliverability check hosting.example --from-ip 203.0.113.25 --selector s2026 --for gmail
  deliverability check --message notice.eml --from-ip 203.0.113.25 --transactional
  deliverability check --address chen@hinet.com --about customer.example

Exit status: 0 pass; 1 fail; 3 could not be decided; 6 could not look. Hints decide nothing, unless --fail-on advice.
"""


@app.command(help=REPORT_HELP, short_help="One notice, one page.")
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
    lang: Annotated[Lang | None, typer.Option("--lang", help="Language; else the configuration's, else en.")] = None,
    form: Annotated[
        ReportFormat | None, typer.Option("--format", help="Form of the report; else by the name of -o, else text.")
    ] = None,
    edition: Annotated[EditionName, typer.Option("--edition", help="For whom.")] = EditionName.CUSTOMER,
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
    output: OutputOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """See :data:`REPORT_HELP`."""
    from deliverability import api
    from deliverability.api.rendering import render, timeline

    request = with_archive(request_from(locals()), archive, log)
    reader = replace(reader_for(lang, zone, edition.value), link=link or "", paper=paper.value)
    form = form or SUFFIXES.get(output.suffix.lower() if output else "", ReportFormat.TEXT)
    if receipt and (attach_to or bundle):
        raise UsageError("--attach-to and --bundle do not go with --receipt yet: report from --log")
    if receipt:
        raise typer.Exit(report_receipt(receipt, folder, request, reader, form.value, output))
    try:
        with progress():
            result = api.report(request)
    except AmbiguousError as several:
        if isinstance(several.candidates, api.TraceResult):
            tell(timeline(several.candidates, reader, "text", request).decode())
            raise UsageError(several_match(several.candidates)) from None
        raise
    talk(result.traced, unread=unread)
    if edition is EditionName.CUSTOMER and any(a.claim and a.claim.state == "not-found" for a in result.assessments):
        say("nothing was found: this page is for support, there is none for the customer")
    refuse_idle_forms(form.value, attach_to=attach_to, bundle=bundle, link=link)
    enclosed = enclosures(bundle, reader, request)
    if attach_to:
        pages = [reply(ticket_of(attach_to), a, reader, request, enclosed) for a in result.assessments]
    else:
        pages = [render(a, reader, form.value, request, enclosed) for a in result.assessments]
    if len(pages) > 1 and (attach_to or form not in (ReportFormat.TEXT, ReportFormat.JSON)):
        raise UsageError(f"{len(pages)} notices make {len(pages)} pages: choose one, or --format text or json")
    write(joined(pages, form.value), output)
    raise typer.Exit(worst(dispatch_status(a.claim.state, result.traced) for a in result.assessments if a.claim))


@app.command(help=TRACE_HELP, short_help="The timeline of a notice alone.")
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
    lang: Annotated[Lang | None, typer.Option("--lang", help="Language of the table.")] = None,
    form: Annotated[
        TraceFormat, typer.Option("--format", help="Table or JSON; with --follow text or ndjson.")
    ] = TraceFormat.TEXT,
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
    from deliverability.api.rendering import timeline

    request = request_from(locals())
    if follow:
        follow_logs(request, during, form, zone)
    refuse_idle(form, during, cohort)
    refuse_lone_alert(alert, cohort)
    request = with_archive(request, archive, log)
    if cohort:
        raise typer.Exit(trace_cohort(locals(), request))
    with progress():
        result = api.trace(request)
    reader = reader_for(lang, zone)
    talk(result, unread=unread)
    write(timeline(result, reader, form.value, request), output)
    if not result.picked_one:
        say(several_match(result))
        raise typer.Exit(USAGE)
    raise typer.Exit(worst(dispatch_status(t.claim.state, result) for t in result.told))


@app.command(help=CHECK_HELP, short_help="A domain, a message, an address before sending.")
def check(
    domain: Annotated[list[str] | None, typer.Argument(metavar="[DOMAIN...]", help="Domains that send.")] = None,
    message: Annotated[
        list[Path] | None, typer.Option("--message", metavar="FILE.eml", help="A message; may be repeated.")
    ] = None,
    address: Annotated[
        list[str] | None, typer.Option("--address", metavar="ADDRESS", help="A recipient's address; may be repeated.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", metavar="LIST", help="Many domains, one a line; each answered when done, as ndjson or text."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="Domains of --file under way at once.")] = 50,
    resume: Annotated[
        bool, typer.Option("--resume", help="With --file: go on where the file of -o (ndjson) stops.")
    ] = False,
    about: Annotated[
        str | None, typer.Option("--about", metavar="DOMAIN", help="The domain that the notice is about.")
    ] = None,
    addresses: Annotated[
        Path | None, typer.Option("--addresses", metavar="LIST", help="Many addresses, one a line.")
    ] = None,
    provider: Annotated[
        list[str] | None,
        typer.Option(
            "--for", metavar="PROVIDER", help="Hold it against a provider's rules: gmail, yahoo …; repeatable."
        ),
    ] = None,
    bulk: Annotated[
        bool | None, typer.Option("--bulk/--transactional", help="Subscribed or marketing mail, or not.")
    ] = None,
    asked: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME", help="Checks that contact others: smtp, https, dnsbl:LIST."),
    ] = None,
    spamd: Annotated[
        str | None, typer.Option("--spamd", metavar="HOST:PORT", help="Ask this SpamAssassin about --message.")
    ] = None,
    rspamd: Annotated[
        str | None, typer.Option("--rspamd", metavar="URL", help="Ask this rspamd about --message.")
    ] = None,
    selector: SelectorOption = None,
    from_ip: FromIpOption = None,
    helo: HeloOption = None,
    sender: SenderOption = None,
    author_domain: AuthorOption = None,
    nameserver: ServerOption = None,
    timeout: TimeoutOption = 3.0,
    offline: OfflineOption = False,
    observations: ReplayOption = None,
    lang: Annotated[Lang | None, typer.Option("--lang", help="Language of the sentences.")] = None,
    form: Annotated[
        CheckFormat | None, typer.Option("--format", help="Form of the answer; else text, with --file ndjson.")
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="Show the steps and remarks behind each verdict.")] = False,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="What makes exit status 1: a failure, also the undecided, also advice.")
    ] = FailOn.FAIL,
    output: OutputOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """See :data:`CHECK_HELP`."""
    from deliverability import api
    from deliverability.api.preflight import with_rules
    from deliverability.api.rendering import verdicts
    from deliverability.api.spam import spam_scores
    from deliverability.capture.resume import listed

    refuse_idle_options(locals())
    given = locals() | {"message": None}
    request = request_from(given)
    reader = replace(reader_for(lang), details=details)
    if file:
        if domain or message or address or addresses:
            raise UsageError("--file stands alone: put its domains on the command line, or these into the list")
        task = ListTask(request, reader, tuple(provider or ()), bulk, form or CheckFormat.NDJSON, fail_on, jobs)
        raise typer.Exit(check_list_file(file, task, output, resume=resume))
    assessments, scores = [api.check_domain(name, request) for name in domain or ()], {}
    for mail in message or ():
        about_file, content = replace(request, mail_origin=str(mail)), read_message(mail)
        assessments.append(api.check_message(content, about_file, bulk=bulk))
        scores[str(mail)] = spam_scores(content, spamd=spamd, rspamd=rspamd)
    listed_addresses = listed(addresses) if addresses else ()
    assessments += [api.check_address(text, request, about) for text in (*(address or ()), *listed_addresses)]
    if not assessments:
        raise UsageError("say what to check: DOMAIN, --message FILE.eml, --address ADDRESS, or a list that holds some")
    if provider:
        assessments = [with_rules(a, provider, bulk=bulk) for a in assessments]
    write(verdicts(assessments, reader, (form or CheckFormat.TEXT).value, request, scores=scores), output)
    raise typer.Exit(worst(check_status(a, fail_on) for a in assessments))


@app.command(short_help="Write a configuration for this machine.")
def init(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write; - is stdout.")] = Path(
        "deliverability.toml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    units: Annotated[
        Path | None,
        typer.Option("--units", metavar="DIR", help="Write a systemd service and timer for `ingest` there too."),
    ] = None,
) -> None:
    """Look at this machine's mail server and write a commented deliverability.toml."""
    from deliverability.capture import host
    from deliverability.capture.host import units as running

    survey = host.survey()
    for line in host.describe(survey):
        say(line)
    text = host.to_toml(survey)
    if str(output) == "-":
        if units:
            raise UsageError("--units name the configuration: give it a file with -o")
        write(text.encode(), None)
        return
    create(output, text.encode(), replace=force)
    say(f"wrote {printable(str(output))}")
    job = running.job(output)
    if units is None:
        for line in running.offer(job):
            say(line)
        return
    for name, content in running.files(job).items():
        create(units / name, content.encode(), replace=force)
        say(f"wrote {printable(str(units / name))}")


app.command(name="allowlist", help=ALLOWLIST_HELP, short_help="Files that let the sender's mail in.")(allowlist)
app.command(name="explain", help=EXPLAIN_HELP, short_help="A refusal in words; why a message lies in junk.")(explain)
app.command(name="ingest", help=INGEST_HELP, short_help="Keep what the logs hold.")(ingest)
app.add_typer(archive_app, name="archive", short_help="What is kept of the logs.")
app.add_typer(ledger, name="ledger", short_help="The tamper-evident log.")
app.command(name="send", help=SEND_HELP, short_help="Send a message, with its evidence.")(send)
app.command(name="summary", help=SUMMARY_HELP, short_help="What the logs say in numbers.")(summary)
app.command(name="verify", short_help="Verify a bundle of evidence, offline.")(verify_bundle_file)
app.command(name="history", short_help="Every notice to a customer, failures included.")(show_history)


app.command(name="witness", help=WITNESS_HELP, short_help="An old mail, held against the log.")(witness)


@app.callback(invoke_without_command=True)
def top(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Only the options before the command."""
    if version:
        from importlib.metadata import version as installed

        write(f"deliverability {installed('deliverability')}\n".encode(), None)
        raise typer.Exit(ACCEPTED)
