"""``check --file``: many domains, each answered with a line as soon as it is known."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deliverability.errors import UsageError, printable
from deliverability.protocols.shown_json import dumps
from deliverability.terminal.options import CheckFormat, FailOn
from deliverability.terminal.status import ACCEPTED, COULD_NOT_LOOK, INTERNAL, check_status, worst
from deliverability.terminal.streams import PROGRESS_SECONDS, spare_inputs, stdout_stream, tell

if TYPE_CHECKING:
    from deliverability.api import Reader, Request
    from deliverability.api.bulk import Checked


@dataclass(frozen=True, slots=True)
class ListTask:
    """What is to be made of each domain of a list."""

    request: "Request"
    reader: "Reader"
    providers: tuple[str, ...]
    bulk: bool | None
    form: CheckFormat
    fail_on: FailOn
    jobs: int


def check_list_file(path: Path, task: ListTask, output: Path | None, *, resume: bool) -> int:
    """Check a list of domains, writing each answer as a line when it is there; returns the worst status."""
    from deliverability.api.bulk import Checked, check_list
    from deliverability.capture.resume import append_after, done_names, listed

    if task.form not in (CheckFormat.NDJSON, CheckFormat.TEXT):
        raise UsageError("--file answers each domain as it is done: --format ndjson or text")
    if resume and (output is None or task.form is not CheckFormat.NDJSON):
        raise UsageError("--resume goes on with the ndjson in the file of -o: name it, and leave --format text out")
    done = done_names(output, "subject") if resume and output else None
    names = (name for name in listed(path) if done is None or name not in done)
    statuses: set[int] = set()
    shown = time.monotonic()
    if output:
        spare_inputs(output)
    with append_after(output, done.octets if done else 0) if output else stdout_stream() as out:

        def emit(checked: Checked) -> None:
            nonlocal shown
            line, status = list_entry(checked, task)
            statuses.add(status)
            out.write(line)
            out.flush()
            if time.monotonic() - shown >= PROGRESS_SECONDS and sys.stderr is not None and sys.stderr.isatty():
                shown = time.monotonic()
                tell(f"\r\x1b[Kdeliverability: {checked.index + 1} checked")

        check_list(names, task.request, jobs=task.jobs, emit=emit)
    if not statuses and not done:
        raise UsageError(f"{printable(str(path))} names no domain")
    return worst(statuses) if statuses else ACCEPTED


def list_entry(checked: "Checked", task: ListTask) -> tuple[bytes, int]:
    """One line of NDJSON, or one table, and its status; a name that is no domain is named with what is wrong with it."""
    from deliverability.api.preflight import with_rules
    from deliverability.api.sheets import verdicts

    if checked.assessment is None:
        return _unchecked(checked.name, checked.problem or "", task), INTERNAL if checked.defect else COULD_NOT_LOOK
    assessment = checked.assessment
    if task.providers:
        assessment = with_rules(assessment, task.providers, bulk=task.bulk)
    entry = verdicts([assessment], task.reader, task.form.value, task.request, names=[checked.name])
    return entry + _between(task), check_status(assessment, task.fail_on)


def _unchecked(name: str, problem: str, task: ListTask) -> bytes:
    """What could not be checked, in the form of what could."""
    from deliverability.protocols.serial import unchecked_to_json

    if task.form is CheckFormat.TEXT:
        return f"{printable(name)}\n{printable(problem)}\n".encode("utf-8", "backslashreplace") + _between(task)
    row = {"schema_version": 1, **unchecked_to_json("domain", name, problem)}
    text = dumps(row, sort_keys=True)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _between(task: ListTask) -> bytes:
    """A blank line after each table."""
    return b"\n" if task.form is CheckFormat.TEXT else b""
