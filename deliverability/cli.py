"""The command line: arguments → ``api`` → stdout, and the exit status (DESIGN §8).  No logic.

stdout is the data, stderr the talk.  Heavy imports happen inside the commands, so that ``--help`` is quick.
"""

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from deliverability.errors import AmbiguousError, CannotLookError, UsageError, printable

if TYPE_CHECKING:
    from deliverability.api import Reader, Request, TraceResult
    from deliverability.api.bulk import Checked
    from deliverability.config import Configuration
    from deliverability.evidence.bundle import Assessment
    from deliverability.evidence.story import State

ACCEPTED, NEGATIVE, USAGE, PENDING, UNKNOWN, COULD_NOT_LOOK, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 4, 6, 70, 130
WORST_FIRST = (5, INTERNAL, COULD_NOT_LOOK, UNKNOWN, NEGATIVE, PENDING, ACCEPTED)
MAX_MESSAGE_FILE = 64 << 20
PROGRESS_SECONDS = 0.5  # between two lines of progress
FIRST_YEAR, LAST_YEAR = 1970, 2999  # of mail; and far enough from the ends of ``datetime`` to calculate with

app = typer.Typer(
    name="deliverability",
    add_completion=True,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Shows that a notice was dispatched, no stronger than the evidence, and helps the customer keep the next one.",
)


class Lang(StrEnum):
    """Languages of a report."""

    EN = "en"
    ZH = "zh-Hant-TW"


class ReportFormat(StrEnum):
    """Forms of a report."""

    TEXT = "text"
    HTML = "html"
    JSON = "json"


SUFFIXES = {".html": ReportFormat.HTML, ".htm": ReportFormat.HTML, ".json": ReportFormat.JSON}


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
    SUPPORT = "support"


LogsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--log", metavar="PATH...", help="Mail log; brings its rotations along. NAME=PATH names a host, - is stdin."
    ),
]
ToOption = Annotated[list[str] | None, typer.Option("--to", metavar="ADDRESS...", help="The customer's address.")]
MessageIdOption = Annotated[str | None, typer.Option("--message-id", metavar="ID", help="Message-ID of the notice.")]
QueueIdOption = Annotated[str | None, typer.Option("--queue-id", metavar="ID", help="Queue id in the log.")]
SubjectOption = Annotated[
    str | None,
    typer.Option(
        "--subject", metavar="TEXT", help="Part of the subject, decoded (logs keep its first 100 to 190 octets)."
    ),
]
SenderOption = Annotated[str | None, typer.Option("--from", metavar="ADDRESS", help="Envelope sender of the notice.")]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Not before: 2026-11-22, with 13:05, with +08:00.")
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Not after; a bare date includes that day.")
]
TzOption = Annotated[
    str | None, typer.Option("--tz", metavar="ZONE", help="Zone of log lines that state none: Asia/Taipei, +08:00.")
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
    Path | None, typer.Option("--observations", metavar="FILE", help="DNS answers on record: a report in JSON.")
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
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout.")
]
NowOption = Annotated[
    str | None, typer.Option("--now", metavar="TIME", help="The clock, for a replay that gives equal bytes.")
]

REPORT_HELP = """One notice, one page: what is known of it, and what the customer can do.

\b
  deliverability report --log /var/log/exim_mainlog --to mei@gmail.com --latest
  deliverability report --log mail.log --to mei@gmail.com --subject 續約通知 --lang zh-Hant-TW --format html -o notice.html

Exit status: 0 accepted or better; 1 refused, bounced, expired; 2 usage, or several messages match;
3 deferred, queued or only handed over; 4 unknown or not found; 6 could not look.
"""
TRACE_HELP = """The timeline alone: every attempt, with the words of the log.

\b
  deliverability trace --log /var/log/maillog --to mei@gmail.com
  deliverability trace --log - --to mei@gmail.com --format json < pasted-lines

Exit status as for report.
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
    to: ToOption = None,
    message_id: MessageIdOption = None,
    queue_id: QueueIdOption = None,
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
    unread: UnreadOption = False,
    output: OutputOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """See :data:`REPORT_HELP`."""
    from deliverability import api
    from deliverability.api.rendering import render, timeline

    request = _request(locals())
    reader = _reader(lang, zone, edition.value)
    try:
        with _progress():
            result = api.report(request)
    except AmbiguousError as several:
        if isinstance(several.candidates, api.TraceResult):
            _tell(timeline(several.candidates, reader, "text", request).decode())
            raise UsageError(_several(several.candidates)) from None
        raise
    _talk(result.traced, unread=unread)
    if edition is EditionName.CUSTOMER and any(a.claim and a.claim.state == "not-found" for a in result.assessments):
        say("nothing was found: this page is for support, there is none for the customer")
    form = form or SUFFIXES.get(output.suffix.lower() if output else "", ReportFormat.TEXT)
    pages = [render(a, reader, form.value, request) for a in result.assessments]
    if len(pages) > 1 and form is ReportFormat.HTML:
        raise UsageError(f"{len(pages)} notices make {len(pages)} pages: choose one, or --format text or json")
    _write(_joined(pages, form.value), output)
    raise typer.Exit(_worst(_dispatch_status(a.claim.state, result.traced) for a in result.assessments if a.claim))


@app.command(help=TRACE_HELP, short_help="The timeline of a notice alone.")
def trace(
    log: LogsOption = None,
    to: ToOption = None,
    message_id: MessageIdOption = None,
    queue_id: QueueIdOption = None,
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
    form: Annotated[TableFormat, typer.Option("--format", help="Table or JSON.")] = TableFormat.TEXT,
    zone: Annotated[str | None, typer.Option("--zone", metavar="ZONE", help="The reader's time zone.")] = None,
    latest: LatestOption = False,
    every: AllOption = False,
    unread: UnreadOption = False,
    output: OutputOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """See :data:`TRACE_HELP`."""
    from deliverability import api
    from deliverability.api.rendering import timeline

    request = _request(locals())
    with _progress():
        result = api.trace(request)
    reader = _reader(lang, zone)
    _talk(result, unread=unread)
    _write(timeline(result, reader, form.value, request), output)
    if not result.picked_one:
        say(_several(result))
        raise typer.Exit(USAGE)
    raise typer.Exit(_worst(_dispatch_status(t.claim.state, result) for t in result.told))


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
        Path | None, typer.Option("--file", metavar="LIST", help="Many domains, one a line; answers as they are done.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="Domains of --file under way at once.")] = 50,
    resume: Annotated[
        bool, typer.Option("--resume", help="With --file: go on where the file of -o (ndjson) stops.")
    ] = False,
    about: Annotated[
        str | None, typer.Option("--about", metavar="DOMAIN", help="The domain that the notice is about.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--for", metavar="PROVIDER", help="Hold it against a provider's rules: gmail, yahoo …")
    ] = None,
    bulk: Annotated[
        bool | None, typer.Option("--bulk/--transactional", help="Subscribed or marketing mail, or not.")
    ] = None,
    asked: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME", help="Checks that contact others: smtp, https, dnsbl:LIST."),
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
    form: Annotated[CheckFormat, typer.Option("--format", help="Form of the answer.")] = CheckFormat.TEXT,
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

    given = locals() | {"message": None}
    request = _request(given)
    reader = replace(_reader(lang), details=details)
    if file:
        if domain or message or address:
            raise UsageError("--file stands alone: put its domains on the command line, or these into the list")
        task = _ListTask(request, reader, provider, bulk, CheckFormat.NDJSON if form is CheckFormat.TEXT else form)
        raise typer.Exit(_check_list(file, task, jobs, fail_on, output, resume=resume))
    assessments = [api.check_domain(name, request) for name in domain or ()]
    for mail in message or ():
        about_file = replace(request, mail_origin=str(mail))
        assessments.append(api.check_message(_read(mail, MAX_MESSAGE_FILE), about_file, bulk=bulk))
    assessments += [api.check_address(text, request, about) for text in address or ()]
    if not assessments:
        raise UsageError("say what to check: DOMAIN, --message FILE.eml or --address ADDRESS")
    if provider:
        assessments = [with_rules(a, provider, bulk=bulk) for a in assessments]
    _write(verdicts(assessments, reader, form.value, request), output)
    raise typer.Exit(_worst(_check_status(a, fail_on) for a in assessments))


@dataclass(frozen=True, slots=True)
class _ListTask:
    """What is to be made of each domain of a list."""

    request: "Request"
    reader: "Reader"
    provider: str | None
    bulk: bool | None
    form: CheckFormat


def _check_list(path: Path, task: _ListTask, jobs: int, fail_on: FailOn, output: Path | None, *, resume: bool) -> int:
    """Check a list of domains, writing each answer as a line when it is there; returns the worst status."""
    from deliverability.api.bulk import Checked, check_list
    from deliverability.capture.resume import append_after, done_names, listed

    if task.form is not CheckFormat.NDJSON:
        raise UsageError("--file answers line by line: --format ndjson")
    if resume and output is None:
        raise UsageError("--resume needs the file of -o to go on with")
    done = done_names(output, "subject") if resume and output else None
    names = (name for name in listed(path) if done is None or name not in done)
    statuses: set[int] = set()
    shown = time.monotonic()
    with append_after(output, done.octets if done else 0) if output else _stdout() as out:

        def emit(checked: Checked) -> None:
            nonlocal shown
            line, status = _list_line(checked, task, fail_on)
            statuses.add(status)
            out.write(line)
            out.flush()
            if time.monotonic() - shown >= PROGRESS_SECONDS and sys.stderr is not None and sys.stderr.isatty():
                shown = time.monotonic()
                _tell(f"\r\x1b[Kdeliverability: {checked.index + 1} checked")

        check_list(names, task.request, jobs=jobs, emit=emit)
    return _worst(statuses) if statuses else ACCEPTED


def _list_line(checked: "Checked", task: _ListTask, fail_on: FailOn) -> tuple[bytes, int]:
    """One line of NDJSON and its status; a name that is no domain is named with what is wrong with it."""
    import json

    from deliverability.api.preflight import with_rules
    from deliverability.api.rendering import verdicts

    if checked.assessment is None:
        problem = {"schema_version": 1, "kind": "domain", "subject": checked.name, "problem": checked.problem}
        line = json.dumps(problem, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        return line, INTERNAL if checked.defect else COULD_NOT_LOOK
    assessment = checked.assessment
    if task.provider:
        assessment = with_rules(assessment, task.provider, bulk=task.bulk)
    line = verdicts([assessment], task.reader, "ndjson", task.request, names=[checked.name])
    return line, _check_status(assessment, fail_on)


@contextmanager
def _stdout() -> Iterator[IO[bytes]]:
    if sys.stdout is None:
        raise CannotLookError("standard output is closed: name a file with -o")
    yield sys.stdout.buffer


@app.command(short_help="Write a configuration for this machine.")
def init(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write; - is stdout.")] = Path(
        "deliverability.toml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Look at this machine's mail server and write a commented deliverability.toml."""
    from deliverability.capture import host

    survey = host.survey()
    for line in host.describe(survey):
        say(line)
    text = host.to_toml(survey)
    if str(output) == "-":
        _write(text.encode(), None)
        return
    _create(output, text.encode(), replace=force)
    say(f"wrote {printable(str(output))}")


@app.callback(invoke_without_command=True)
def top(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Only the options before the command."""
    if version:
        from importlib.metadata import version as installed

        _write(f"deliverability {installed('deliverability')}\n".encode(), None)
        raise typer.Exit(ACCEPTED)


# --- arguments --------------------------------------------------------------------------------------------------------


def _request(given: dict[str, Any]) -> "Request":
    """The options of a command as one request; a name that a command lacks is left at its default."""
    from deliverability.api import Network, Pick, Request

    settings = _settings(given.get("config"))
    if given.get("routed_by_mx"):
        settings = replace(settings, routed_by_mx=True)
    mail = given.get("message")
    if given.get("latest") and given.get("every"):
        raise UsageError("--latest and --all exclude each other")
    now = given.get("now")
    return Request(
        logs=tuple(given.get("log") or ()),
        to=tuple(given.get("to") or ()),
        message_id=given.get("message_id"),
        queue_id=given.get("queue_id"),
        subject=given.get("subject"),
        sender=given.get("sender"),
        since=_time(given.get("since"), "--since", given.get("tz")),
        until=_time(given.get("until"), "--until", given.get("tz"), end=True),
        tz=given.get("tz"),
        pick=Pick.LATEST if given.get("latest") else Pick.ALL if given.get("every") else Pick.ONE,
        mail=_read(mail, MAX_MESSAGE_FILE) if mail else None,
        mail_origin=str(mail) if mail else "message",
        from_ip=given.get("from_ip"),
        helo=given.get("helo"),
        selectors=tuple(given.get("selector") or ()),
        author_domain=given.get("author_domain"),
        asked_for=tuple(given.get("asked") or ()),
        network=Network(
            nameservers=_nameservers(given.get("nameserver") or ()),
            timeout=given.get("timeout", 3.0),
            offline=bool(given.get("offline") or given.get("observations")),
        ),
        observations=_replayed(given.get("observations")),
        configuration=settings,
        now=_time(now, "--now", None),
    )


def _nameservers(given: Iterable[str]) -> tuple[str, ...]:
    """As given; a wrong form is wrong even where nothing is asked."""
    from deliverability.capture.dns import parse_nameserver

    names = tuple(given)
    for name in names:
        parse_nameserver(name)
    return names


def _reader(lang: Lang | None, zone: str | None = None, edition: str = "customer") -> "Reader":
    """For whom the answer is; a table for a terminal knows how wide that is."""
    import shutil

    from deliverability.api import Reader

    screen = shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None
    return Reader(lang=lang.value if lang else None, zone=zone, edition=edition, screen=screen)


def _settings(explicit: Path | None) -> "Configuration":
    from deliverability.capture import settings
    from deliverability.config import Configuration

    loaded = settings.load(explicit, Path.cwd(), os.environ)
    for note in loaded.notes:
        say(note)
    return loaded.configuration or Configuration()


def _replayed(path: Path | None) -> Any:
    from deliverability.api.rendering import observations_of
    from deliverability.evidence.observation import Observations

    return observations_of(_read(path, MAX_MESSAGE_FILE), str(path)) if path else Observations()


def _time(text: str | None, option: str, zone: str | None, *, end: bool = False) -> datetime | None:
    """A date or time as ISO 8601 writes it; without an offset it is in ``--tz``, else UTC."""
    if text is None:
        return None
    from datetime import timedelta

    from deliverability.correlate.clock import parse_zone

    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=parse_zone(zone) if zone else UTC)
    except ValueError:
        raise UsageError(f"{option} {printable(text)!r}: write 2026-11-22, 2026-11-22T13:05 or with +08:00") from None
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        raise UsageError(f"{option} {printable(text)!r}: no mail was sent then; is the year right?")
    bare = re.fullmatch(r"\d{4}-\d\d-\d\d", text)
    return when + timedelta(days=1) if end and bare else when


def _read(path: Path, limit: int) -> bytes:
    try:
        if str(path) == "-":
            content = sys.stdin.buffer.read(limit + 1)
        else:
            with path.open("rb") as file:
                content = file.read(limit + 1)
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: {problem.strerror}") from problem
    if len(content) > limit:
        raise CannotLookError(f"{printable(str(path))}: larger than {limit >> 20} MiB")
    return content


# --- output -----------------------------------------------------------------------------------------------------------


def _write(content: bytes, output: Path | None) -> None:
    if output is not None and str(output) != "-":
        _create(output, content, replace=True)
        say(f"wrote {printable(str(output))}")
        return
    if sys.stdout is None:
        raise CannotLookError("standard output is closed: name a file with -o")
    try:
        sys.stdout.buffer.write(content if content.endswith(b"\n") else content + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        silence_stdout()  # ``| head -1``: the answer, and so the exit status, is what it is
    except OSError as problem:
        silence_stdout()
        raise CannotLookError(f"standard output: cannot write: {problem.strerror}") from problem


def _create(path: Path, content: bytes, *, replace: bool) -> None:
    try:
        with path.open("wb" if replace else "xb") as file:
            file.write(content)
    except FileExistsError:
        raise UsageError(f"{printable(str(path))} is there already: --force replaces it, -o names another") from None
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: cannot write: {problem.strerror}") from problem


def _joined(pages: list[bytes], form: str) -> bytes:
    if form == "json" and len(pages) != 1:
        return b"[" + b",\n".join(p.strip() for p in pages) + b"]\n"
    return b"\n\n".join(pages)


def say(line: str) -> None:
    """One line of talk."""
    _tell(f"deliverability: {line}\n")


def _tell(text: str) -> None:
    """Talk; that nobody listens (a closed or broken stderr) changes no answer."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


@contextmanager
def _progress() -> Iterator[None]:
    """Show how far the reading of logs has come, where a person looks on; and leave no trace of it."""
    from deliverability.api.progress import watched

    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    shown = started = time.monotonic()

    def show(file: str, octets: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= PROGRESS_SECONDS:
            shown = now
            _tell(f"\r\x1b[Kdeliverability: reading {printable(file, 60)}: {octets >> 20} MiB")

    try:
        with watched(show):
            yield
    finally:
        if shown > started:
            _tell("\r\x1b[K")


def _talk(result: "TraceResult", *, unread: bool) -> None:
    for note in result.trace.notes:
        say(note)
    if unread:
        for line in result.unread:
            _tell(f"{printable(str(line.place))}: {printable(line.raw.decode('utf-8', 'backslashreplace'))}\n")


def _several(result: "TraceResult") -> str:
    return (
        f"{len(result.trace.messages)} messages match: choose one with --message-id or --queue-id,"
        " or take --latest or --all"
    )


# --- exit status ------------------------------------------------------------------------------------------------------


def _dispatch_status(state: "State", traced: "TraceResult") -> int:
    if state.value == "not-found" and traced.blind:
        return COULD_NOT_LOOK  # it may stand where nobody could look
    return {
        "delivered": ACCEPTED,
        "accepted": ACCEPTED,
        "handed-over": PENDING,
        "deferred": PENDING,
        "queued": PENDING,
        "unknown": UNKNOWN,
        "not-found": UNKNOWN,
    }.get(state.value, NEGATIVE)


def _check_status(assessment: "Assessment", fail_on: FailOn) -> int:
    binding = {v.outcome.value for v in assessment.verdicts if not v.advisory or fail_on is FailOn.ADVICE}
    if any(v.outcome.value == "error" for v in assessment.verdicts):
        return INTERNAL
    if "fail" in binding or (fail_on is not FailOn.FAIL and "indeterminate" in binding):
        return NEGATIVE
    return PENDING if "indeterminate" in binding else ACCEPTED


def _worst(statuses: Iterable[int]) -> int:
    return min(statuses, key=WORST_FIRST.index, default=UNKNOWN)


def silence_stdout() -> None:
    """Nobody takes our output any more; let the interpreter's last flush find nothing to complain about."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
