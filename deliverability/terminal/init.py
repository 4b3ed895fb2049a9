"""``deliverability init``: a configuration for this machine."""

from pathlib import Path
from typing import Annotated

import typer

from deliverability.errors import UsageError, printable
from deliverability.terminal.streams import create, say, write

INIT_HELP = """Look at this machine's mail server and write a commented deliverability.toml.

\b
  deliverability init -o -
  deliverability init -o /etc/deliverability/deliverability.toml
  deliverability init -o /etc/deliverability/deliverability.toml --units /etc/systemd/system --force

Nothing else on the machine is changed. Exit status: 0 written; 2 it is there already; 6 could not be written.
"""


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
    """See :data:`INIT_HELP`."""
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
    if units is not None and not units.is_dir():
        raise UsageError(f"--units {printable(str(units))}: there is no such folder; make it first")
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
