"""``deliverability check``: a domain, a message or an address, before anything is sent."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from deliverability.errors import UsageError
from deliverability.terminal.asking import read_message, reader_for, refuse_idle_options, request_from
from deliverability.terminal.named_form import named_form
from deliverability.terminal.options import (
    AuthorOption,
    CheckFormat,
    ConfigOption,
    FailOn,
    FromIpOption,
    HeloOption,
    Lang,
    NowOption,
    OfflineOption,
    OutputOption,
    ReplayOption,
    SelectorOption,
    SenderOption,
    ServerOption,
    TimeoutOption,
    lang_option,
)
from deliverability.terminal.status import check_status, worst
from deliverability.terminal.streams import write

CHECK_HELP = """A domain, a message or an address, before anything is sent.

\b
  deliverability check hosting.example --from-ip 203.0.113.25 --selector s2026 --for gmail
  deliverability check --message notice.eml --from-ip 203.0.113.25 --transactional
  deliverability check --address chen@hinet.com --about customer.example

Exit status: 0 pass; 1 fail; 3 could not be decided; 6 could not look. Hints decide nothing, unless --fail-on advice.
"""


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
    lang: Annotated[Lang | None, lang_option("Language of the sentences.")] = None,
    form: Annotated[
        CheckFormat | None,
        typer.Option("--format", help="Form of the answer; else by the name of -o, else text, with --file ndjson."),
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
    from deliverability.api.sheets import verdicts
    from deliverability.api.spam import spam_scores
    from deliverability.capture.resume import listed
    from deliverability.terminal.lists import ListTask, check_list_file

    refuse_idle_options(locals())
    form = named_form(form, CheckFormat, output)
    given = locals() | {"message": None}
    request = request_from(given)
    reader = replace(reader_for(lang, output=output), details=details)
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
