"""``deliverability ingest``: logs into the archive, before they rotate away."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from deliverability.errors import printable
from deliverability.terminal.archive import ArchiveOption, archive_of, keep_for
from deliverability.terminal.asking import request_from
from deliverability.terminal.options import ConfigOption, LogsOption, NowOption, TableFormat, TzOption
from deliverability.terminal.status import ACCEPTED, COULD_NOT_LOOK
from deliverability.terminal.streams import number, progress, say, write

if TYPE_CHECKING:
    from deliverability.api.archiving import IngestResult

INGEST_HELP = """Keep what the logs hold, each line once, before they rotate away; run it as often as you like.

\b
  deliverability ingest --log /var/log/exim_mainlog --archive /var/lib/deliverability/archive.db --keep 400d
  deliverability trace --archive /var/lib/deliverability/archive.db --to mei@gmail.com

Exit status: 0 kept; 6 a log could not be read, or not to its end (what could be read is kept), or no file is a mail log.
"""


def ingest(
    log: LogsOption = None,
    archive: ArchiveOption = None,
    keep: Annotated[
        str | None, typer.Option("--keep", metavar="DAYS", help="Drop what is older, such as 400d; else all is kept.")
    ] = None,
    tz: TzOption = None,
    form: Annotated[TableFormat, typer.Option("--format", help="Table or JSON.")] = TableFormat.TEXT,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """See :data:`INGEST_HELP`."""
    from deliverability.api.archiving import ingest as kept
    from deliverability.errors import UsageError

    request = request_from(locals())
    path = archive_of(archive, request.configuration)
    if path is None:
        raise UsageError("name the archive with --archive FILE, or in the configuration: [archive] path = …")
    with progress():
        done = kept(request, path, keep_for(keep, request.configuration))
    for file in done.files:
        if file.note:
            say(file.note)
    write(_as_json(done) if form is TableFormat.JSON else _as_text(done), None)
    raise typer.Exit(COULD_NOT_LOOK if done.failed else ACCEPTED)


def _as_text(done: "IngestResult") -> bytes:
    lines = []
    for file in done.files:
        name = f"{printable(file.log)}={printable(file.path)}" if file.log else printable(file.path)
        if file.unknown:
            lines.append(f"{name}: not kept")
            continue
        new = ", first read now" if file.new else ""
        waiting = f"; of a line without its end {number(file.waiting, 'octet')} held back" if file.waiting else ""
        lines.append(f"{name}: {number(file.lines, 'new line')}, {number(file.octets, 'octet')}{new}{waiting}")
    if done.pruned:
        lines.append(f"{number(done.pruned, 'segment')} dropped, older than is to be kept")
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _as_json(done: "IngestResult") -> bytes:
    files = [
        {
            "log": file.log,
            "file": file.path,
            "octets": file.octets,
            "lines": file.lines,
            "new": file.new,
            "waiting_octets": file.waiting,
            "note": file.note,
            "failed": file.failed,
            "unknown": file.unknown,
        }
        for file in done.files
    ]
    top = {"schema_version": 1, "files": files, "pruned_segments": done.pruned}
    return json.dumps(top, ensure_ascii=False, indent=2, sort_keys=True).encode("utf-8", "backslashreplace") + b"\n"
