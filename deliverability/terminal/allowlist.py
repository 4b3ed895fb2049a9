"""``allowlist``: files to stdout or into a folder, the steps and whatever was not made to stderr."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deliverability.errors import UsageError, printable
from deliverability.terminal.asking import reader_for, request_from
from deliverability.terminal.options import (
    ConfigOption,
    FromIpOption,
    Lang,
    LatestOption,
    LogsOption,
    MailOption,
    MessageIdOption,
    NowOption,
    OfflineOption,
    QueueIdOption,
    ReplayOption,
    RoutedOption,
    SelectorOption,
    ServerOption,
    SinceOption,
    SubjectOption,
    TimeoutOption,
    ToOption,
    TzOption,
    UntilOption,
    lang_option,
)
from deliverability.terminal.status import ACCEPTED, NEGATIVE, PENDING, USAGE
from deliverability.terminal.streams import create, make_folder, progress, say, tell, write

if TYPE_CHECKING:
    from deliverability.api.allowlisting import AllowlistResult, Made, NotMade

ALLOWLIST_HELP = """Files that let one sender's mail in, for the recipient's own mail system; only where the evidence allows it.

\b
  deliverability allowlist --list
  deliverability allowlist --for gmail --sender billing@hosting.example -o filter.xml
  deliverability allowlist --for sieve --message notice.eml --authserv-id mx.customer.example -o allow.sieve
  deliverability allowlist --log /var/log/exim_mainlog --to mei@gmail.com --latest --message notice.eml -o files/

Exit status: 0 written; 1 the evidence speaks against it; 2 usage, or a fact is missing; 3 could not be decided;
6 could not look. The steps to use a file go to stderr.
"""
_HEADS = {
    "en": ("For whom", "Reach", "Undo", "Steps", "end user", "administrator"),
    "zh-Hant-TW": ("由誰操作", "影響範圍", "復原方式", "步驟", "信箱使用者", "管理員"),
}
_COLUMNS = {
    "en": ("form", "for", "authenticated", "tested with the engine", "title", "yes", "no"),
    "zh-Hant-TW": ("形式", "由誰操作", "有驗證", "以實際引擎測試", "名稱", "是", "否"),
}


def allowlist(
    names: Annotated[
        list[str] | None,
        typer.Option("--for", metavar="NAME", help="A provider or a form, see --list; else the recipient's provider."),
    ] = None,
    address: Annotated[
        str | None, typer.Option("--sender", metavar="ADDRESS", help="The sender's address in From.")
    ] = None,
    message: MailOption = None,
    log: LogsOption = None,
    to: ToOption = None,
    message_id: MessageIdOption = None,
    queue_id: QueueIdOption = None,
    subject: SubjectOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    tz: TzOption = None,
    latest: LatestOption = False,
    authserv_id: Annotated[
        str | None,
        typer.Option(
            "--authserv-id",
            metavar="NAME",
            help="What the recipient's own server writes at the head of Authentication-Results.",
        ),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="DATE", help="Last day of the rule; else a year from now.")
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="Show the forms, and make none.")] = False,
    selector: SelectorOption = None,
    from_ip: FromIpOption = None,
    nameserver: ServerOption = None,
    timeout: TimeoutOption = 3.0,
    offline: OfflineOption = False,
    observations: ReplayOption = None,
    routed_by_mx: RoutedOption = False,
    lang: Annotated[Lang | None, lang_option("Language of the steps; files speak all of them.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE|FOLDER/", help="Write there instead of to stdout.")
    ] = None,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """See :data:`ALLOWLIST_HELP`."""
    from deliverability.api import allowlisting

    request = request_from(locals())
    spoken = (lang or Lang.EN).value
    if list_all:
        write(list_forms(spoken, reader_for(lang, output=output).screen), output)
        return
    wish = allowlisting.Wish(
        names=tuple(names or ()), address=address, authserv_id=authserv_id, expires=_day(expires) if expires else None
    )
    with progress():
        result = allowlisting.allowlist(request, wish)
    for line in _refusals(result.not_made, spoken):
        say(line)
    if result.made:
        _write(result.made, output, spoken)
    raise typer.Exit(ACCEPTED if result.made else _status(result))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--expires {printable(text)!r}: write a date such as 2027-11-22") from None


def _write(made: "tuple[Made, ...]", output: Path | None, lang: str) -> None:
    folder = output if output is not None and (output.is_dir() or output.suffix == "") else None
    if len(made) > 1 and folder is None:
        names = ", ".join(one.form.id for one in made)
        raise UsageError(f"{len(made)} files are to be written ({names}): name a folder, -o FOLDER/, or one of them")
    if folder is not None:
        make_folder(folder)
    for one in made:
        _steps(one, lang)
        if folder is None:
            write(one.content, output)
        else:
            create(folder / one.name, one.content, replace=True)
            say(f"wrote {printable(str(folder / one.name))}")


def list_forms(lang: str, screen: int | None = None) -> bytes:
    """The table of ``--list``; ``screen`` is the width of the terminal in columns."""
    from deliverability.api.allowlisting import forms
    from deliverability.api.tables import plain_table
    from deliverability.evidence.plugin import FormKind

    head = _COLUMNS[lang]
    rows = [head[:5]]
    for form in forms():
        kind = _HEADS[lang][4 if form.kind is FormKind.END_USER else 5]
        rows.append(
            (form.id, kind, head[5 if form.authenticated else 6], head[5 if form.run_here else 6], form.title[lang])
        )
    return plain_table(rows, screen=screen)


def _refusals(not_made: "tuple[NotMade, ...]", lang: str) -> list[str]:
    """Why there is no file; a reason that holds for all of them once."""
    return list(dict.fromkeys(printable(one.decision.sentence(one.form, lang), 1000) for one in not_made))


def _status(result: "AllowlistResult") -> int:
    from deliverability.compose.allowlisting import Reason

    reasons = {one.decision.reason for one in result.not_made}
    against = {Reason.NEVER, Reason.REFUSED, Reason.NOT_THERE, Reason.NOT_ENFORCED, Reason.QUARANTINE}
    if reasons & against:
        return NEGATIVE
    return PENDING if Reason.UNDECIDED in reasons else USAGE


def _steps(made: "Made", lang: str) -> None:
    """How to use a file, on stderr: the file is the data."""
    from deliverability.compose.catalog import catalog
    from deliverability.evidence.plugin import FormKind

    form, head, colon = made.form, _HEADS[lang], catalog(lang)("colon")
    kind = head[4 if form.kind is FormKind.END_USER else 5]
    told = zip(head[:3], (kind, form.blast_radius[lang], form.undo[lang]), strict=True)
    lines = [form.title[lang], *(f"  {name}{colon}{value}" for name, value in told), f"  {head[3]}{colon.rstrip()}"]
    lines += [f"    {n}. {step}" for n, step in enumerate(form.instructions[lang], 1)]
    tell("\n" + "\n".join(lines) + "\n\n")
