"""``deliverability trace --cohort``: a list of notices → which of them lack acceptance, and whom to tell."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from deliverability.errors import CannotLookError, UsageError, printable
from deliverability.protocols.shown_json import dumps
from deliverability.terminal.asking import read_file
from deliverability.terminal.status import COULD_NOT_LOOK, dispatch_status, worst
from deliverability.terminal.streams import number, progress, say, spare_inputs, stdout_stream, why_not_written

if TYPE_CHECKING:
    from deliverability.api import Request
    from deliverability.api.cohorts import Answer, Answers
    from deliverability.protocols.cohort_file import CohortFile

SHOWN_PROBLEMS = 20  # bad rows that are named on stderr
COHORT_HELP = """
  deliverability trace --log /var/log/exim_mainlog --cohort notices.csv
  deliverability trace --log mail.log --cohort notices.csv --format csv -o answers.csv --alert /usr/local/bin/tell-staff
"""


CohortOption = Annotated[
    Path | None,
    typer.Option(
        "--cohort",
        metavar="LIST.csv",
        help="Many notices, one a row: columns Message-ID, or Address and Date. Exit status: the worst row's.",
    ),
]
AlertOption = Annotated[
    str | None,
    typer.Option(
        "--alert",
        metavar="COMMAND",
        help="With --cohort: run this, without a shell, once for each notice that failed, or that no server took by"
        " --after; the notice is JSON on its standard input.",
    ),
]
AfterOption = Annotated[
    float, typer.Option("--after", metavar="MINUTES", min=0, max=525_600, help="How long a notice may take.")
]
AlertStateOption = Annotated[
    Path | None,
    typer.Option("--alert-state", metavar="FILE", help="Remembers for which notices it ran; else LIST.csv.alerted."),
]
AlertTimeoutOption = Annotated[
    float, typer.Option("--alert-timeout", metavar="SECONDS", min=1, max=3600, help="For one run of the command.")
]


def refuse_lone_alert(alert: str | None, cohort: Path | None) -> None:
    """A command that would never run."""
    if alert and not cohort:
        raise UsageError("--alert goes with --cohort LIST.csv: give that too")


def trace_cohort(given: dict[str, Any], request: "Request") -> int:
    """Answer for every notice of ``given["cohort"]``; returns the exit status, that of the worst row."""
    from deliverability.api import alerts
    from deliverability.api.cohorts import answer
    from deliverability.protocols.cohort_file import MAX_OCTETS, read_cohort_file

    path: Path = given["cohort"]
    if str(given.get("form") or "text") not in ("text", "csv", "json"):
        raise UsageError("--cohort answers as --format text, csv or json")
    _refuse_idle(given, request)
    listed = read_cohort_file(read_file(path, MAX_OCTETS), _zone(request))
    _tell_problems(path, listed)
    if not listed.rows:
        raise UsageError(f"{printable(str(path))}: no row names a notice")
    now = request.now or datetime.now(UTC)
    how = None
    if given.get("alert"):
        state = given.get("alert_state") or (None if str(path) == "-" else path.with_name(path.name + ".alerted"))
        if state is None:
            raise UsageError("--cohort -: name a file with --alert-state, by which no notice is announced twice")
        command = alerts.command_of(given["alert"])
        how = alerts.Alerting(command, state, timedelta(minutes=given["after"]), given["alert_timeout"])
    form = str(given.get("form") or "text")
    show = partial(_shown, _maker(form, given, request))
    with progress():
        answers = answer(request, listed.rows, _observer(request), *(() if how else (show,)))
    for note in answers.notes:
        say(note)
    done = alerts.Announced()
    rows = map(show, alerts.announced(answers.rows, how, now, say, done)) if how else answers.rows
    counts: Counter[str] = Counter()
    statuses: set[int] = {COULD_NOT_LOOK} if listed.bad else set()

    def counted() -> Iterator[bytes]:
        for state, status, piece in rows:
            counts[state] += 1
            statuses.add(status)
            yield piece

    _write(given, _whole(form, answers, counted(), listed, _language(given, request)))
    say(
        ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        + f" of {number(len(listed.rows), 'notice')}"
    )
    if done.run:
        vain = f", {number(done.failed, 'time')} in vain" if done.failed else ""
        say(f"the alert command ran for {number(done.run, 'notice')}{vain}")
    return worst(statuses)


def _refuse_idle(given: dict[str, Any], request: "Request") -> None:
    asked = (request.to, request.message_id, request.queue_id, request.subject, request.sender, request.mail)
    if any(asked):
        raise UsageError("--cohort says which notices are meant: leave out --to, --message-id, --subject and the like")
    if (given.get("alert_state") or given.get("after", 60) != 60) and not given.get("alert"):
        raise UsageError("--after and --alert-state go with --alert COMMAND: give that too")
    if given.get("follow"):
        raise UsageError("--cohort looks once: leave out --follow")


def _zone(request: "Request") -> tzinfo:
    from deliverability.correlate.clock import parse_zone

    text = request.tz or request.configuration.timezone
    try:
        return parse_zone(text) if text else UTC
    except ValueError as problem:
        raise UsageError(f"--tz: {printable(str(problem))}") from None


def _observer(request: "Request") -> Any:
    from deliverability import api

    return api._observer(request)  # noqa: SLF001 - the use cases of one package


def _tell_problems(path: Path, listed: "CohortFile") -> None:
    name = printable(str(path))
    for problem in listed.problems[:SHOWN_PROBLEMS]:
        say(f"{name}, line {problem.line}: {problem.why}; left out")
    if listed.bad > SHOWN_PROBLEMS:
        say(f"{name}: {listed.bad} rows were left out in all")


def _language(given: dict[str, Any], request: "Request") -> str:
    from deliverability.api.readers import language_of
    from deliverability.terminal.asking import reader_for

    return language_of(reader_for(given.get("lang")), request)


def _maker(form: str, given: dict[str, Any], request: "Request") -> "Callable[[Answer], bytes]":
    """What shows one answer in a form."""
    if form == "csv":
        from deliverability.api.cohorts import csv_row

        return csv_row
    if form == "json":
        return _as_json
    from deliverability.api.readers import language_of, zone_of
    from deliverability.compose.when import zone
    from deliverability.terminal.asking import reader_for

    reader = reader_for(given.get("lang"), given.get("zone"))
    where = zone(zone_of(reader, request))
    return _lines(every=bool(given.get("every")), lang=language_of(reader, request), where=where)


def _shown(make: "Callable[[Answer], bytes]", one: "Answer") -> tuple[str, int, bytes]:
    """The state of an answer, the exit status it asks for, and the answer as it is written."""
    from deliverability.api.cohorts import state_of

    status = dispatch_status(one.state, blind=one.blind)
    return state_of(one), status, make(one)


def _as_json(one: "Answer") -> bytes:
    from deliverability.api.cohorts import answer_to_json

    return dumps(answer_to_json(one)).encode("utf-8", "backslashreplace")


def _lines(*, every: bool, lang: str, where: tzinfo) -> "Callable[[Answer], bytes]":
    """Shows rows that lack acceptance, or all with ``--all``."""
    from deliverability.api.alerts import TAKEN
    from deliverability.compose.catalog import catalog
    from deliverability.terminal.cohort_table import shown

    t = catalog(lang)

    def make(one: "Answer") -> bytes:
        return shown(one, t, where).encode("utf-8", "backslashreplace") if every or one.state not in TAKEN else b""

    return make


def _whole(form: str, answers: "Answers", pieces: Iterator[bytes], listed: "CohortFile", lang: str) -> Iterator[bytes]:
    """What is written, with what stands around the answers."""
    if form == "json":
        yield from _json(answers, pieces, listed)
        return
    if form == "csv":
        from deliverability.api.cohorts import csv_head

        yield csv_head()
    else:
        from deliverability.compose.catalog import catalog
        from deliverability.terminal.cohort_table import heading

        yield heading(catalog(lang)).encode()
    yield from pieces


def _json(answers: "Answers", pieces: Iterator[bytes], listed: "CohortFile") -> Iterator[bytes]:
    problems = [{"line": bad.line, "why": bad.why} for bad in listed.problems]
    head = {
        "schema_version": 1,
        "kind": "cohort",
        "notes": list(answers.notes),
        "problems": problems,
        "bad": listed.bad,
    }
    yield dumps(head)[:-1].encode("utf-8", "backslashreplace") + b', "rows": [\n'
    for place, piece in enumerate(pieces):
        yield b",\n" + piece if place else piece
    yield b"\n]}\n"


def _write(given: dict[str, Any], pieces: Iterator[bytes]) -> None:
    """The answers as they come, to a file or to stdout; every row is gone through whoever listens."""
    output = given.get("output")
    with ExitStack() as opened:
        stream: IO[bytes] | None = None
        try:
            named = output if output is not None and str(output) != "-" else None
            if named:
                spare_inputs(named)
            stream = opened.enter_context(named.open("wb") if named else stdout_stream())
        except OSError as problem:
            raise CannotLookError(f"{printable(str(output))}: {why_not_written(output, problem)}") from problem
        for piece in pieces:
            if stream is None:
                continue
            try:
                stream.write(piece)
            except BrokenPipeError:
                stream = None  # the alerts are run all the same
