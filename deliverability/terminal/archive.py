"""``deliverability archive``: what is kept of the logs, and what becomes of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deliverability.errors import UsageError, printable
from deliverability.protocols.shown_json import dumps
from deliverability.terminal.asking import moment, request_from, settings_of
from deliverability.terminal.light import LightCommand
from deliverability.terminal.options import ConfigOption, NowOption, TableFormat
from deliverability.terminal.status import ACCEPTED, TAMPERED
from deliverability.terminal.streams import number, say, write

if TYPE_CHECKING:
    from deliverability.api import Request
    from deliverability.api.keeping import KeptFile, Status
    from deliverability.config import Configuration

ArchiveOption = Annotated[
    Path | None, typer.Option("--archive", metavar="FILE", help="The archive; else that of the configuration.")
]
PersonOption = Annotated[
    list[str] | None, typer.Option("--to", metavar="ADDRESS...", help="The person's own address; may be repeated.")
]
FormOption = Annotated[TableFormat, typer.Option("--format", help="Table or JSON.")]

archive_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What is kept of the logs.")


def archive_of(given: Path | None, settings: "Configuration") -> Path | None:
    """The archive that was named, else that of the configuration, whose own directory it is relative to."""
    if given is not None or settings.archive.path is None:
        return given
    return Path(settings.origin).absolute().parent / settings.archive.path


def archive_beside(given: Path | None, log: list[str] | None, settings: "Configuration") -> Path | None:
    """What ``trace`` and ``report`` look into: an archive that was named; that of the configuration unless logs were."""
    if given is not None or log:
        return given
    found = archive_of(None, settings)
    if found is not None and not found.is_file():
        say(f"{printable(str(found))}: the archive is not there yet: `deliverability ingest` makes it")
        return None
    return found


def with_archive(request: "Request", given: Path | None, log: list[str] | None) -> "Request":
    """A question that is asked of the archive too."""
    return replace(request, archive=archive_beside(given, log, request.configuration))


def required(given: Path | None, config: Path | None) -> Path:
    """The archive of a command that is about one."""
    found = archive_of(given, settings_of(config))
    if found is None:
        raise UsageError("name the archive with --archive FILE, or in the configuration: [archive] path = …")
    return found


@archive_app.command(cls=LightCommand, short_help="What is in it.")
def status(archive: ArchiveOption = None, form: FormOption = TableFormat.TEXT, config: ConfigOption = None) -> None:
    """What an archive holds: each log, from when to when, and how much."""
    from deliverability.api.keeping import status as looked_over

    path = required(archive, config)
    found = looked_over(path)
    write(_as_json(path, found) if form is TableFormat.JSON else _as_text(path, found), None)


def _as_text(path: Path, found: "Status") -> bytes:
    held = f"{number(found.kept, 'octet')} of {number(len(found.files), 'log file')}"
    lines = [f"{printable(str(path))}: {held}, kept in {number(found.octets, 'octet')}"]
    for file in found.files:
        name = f"{printable(file.log)}={printable(file.path)}" if file.log else printable(file.path)
        more = [f"{number(file.erased, 'line')} erased"] * bool(file.erased) + [
            f"{number(file.pruned, 'octet')} pruned"
        ] * bool(file.pruned)
        span = f"{_when(file.first)} to {_when(file.last)}"
        lines.append(f"  {name}: {span}, {number(file.lines, 'line')}" + "".join(f", {one}" for one in more))
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _when(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}" if instant else "?"


def _as_json(path: Path, found: "Status") -> bytes:
    top = {
        "schema_version": 1,
        "archive": str(path),
        "octets": found.octets,
        "kept_octets": found.kept,
        "files": [_file(file) for file in found.files],
    }
    return dumps(top, indent=2, sort_keys=True).encode("utf-8", "backslashreplace") + b"\n"


def _file(file: "KeptFile") -> dict[str, object]:
    return {
        "log": file.log,
        "file": file.path,
        "octets": file.octets,
        "lines": file.lines,
        "first": _when(file.first) if file.first else None,
        "last": _when(file.last) if file.last else None,
        "pruned_octets": file.pruned,
        "erased_lines": file.erased,
        "looked_at": _when(file.looked_at) if file.looked_at else None,
    }


@archive_app.command(cls=LightCommand, short_help="Drop what is older than a date.")
def prune(
    before: Annotated[str, typer.Option("--before", metavar="DATE", help="Lines before that day, UTC, are dropped.")],
    archive: ArchiveOption = None,
    config: ConfigOption = None,
) -> None:
    """Drop what is older than a date, and give the space back."""
    from deliverability.api.keeping import prune as dropped

    until = moment(before, "--before", None)
    assert until is not None  # noqa: S101 - the option is required
    count = dropped(required(archive, config), until)
    say(f"{number(count, 'segment')} dropped; lines that are as old and stand beside newer ones stay with them")


@archive_app.command(cls=LightCommand, short_help="Erase a person.")
def erase(
    to: PersonOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: what is erased cannot be brought back.")] = False,
    archive: ArchiveOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """Erase the log lines that speak of a person, and their address from lines that speak of others too.

    The logs themselves are not touched.
    """
    from deliverability.api.erasing import erase as erased

    path = required(archive, config)
    if not yes:
        raise UsageError("erasing cannot be undone: add --yes")
    done = erased(request_from({"to": to, "config": config, "now": now}), path)
    say(
        f"{number(done.blanked, 'line')} made blank; the address struck out of {number(done.struck, 'line')} "
        "where others are spoken of too"
    )


@archive_app.command(cls=LightCommand, short_help="Hold it against its digests.")
def verify(archive: ArchiveOption = None, config: ConfigOption = None) -> None:
    """Hold everything that is kept against its digests.

    Exit status: 0 all is as it was kept; 5 something is not; 6 could not look.
    """
    from deliverability.api.keeping import verify as verified

    path = required(archive, config)
    found = verified(path)
    for problem in found.problems:
        say(problem)
    if found.unindexed:
        say(f"the index lacks {number(found.unindexed, 'entry')}: `deliverability archive reindex` puts them back")
    good = not found.problems
    words = "all as they were kept" if good else number(len(found.problems), "problem")
    write(
        f"{printable(str(path))}: {number(found.segments, 'segment')}, {number(found.octets, 'octet')}: {words}\n".encode(),
        None,
    )
    raise typer.Exit(ACCEPTED if good else TAMPERED)


@archive_app.command(cls=LightCommand, short_help="Build its index again.")
def reindex(archive: ArchiveOption = None, config: ConfigOption = None) -> None:
    """Build the index again from what is kept."""
    from deliverability.api.keeping import reindex as indexed

    say(f"{number(indexed(required(archive, config)), 'segment')} indexed")


def keep_for(text: str | None, settings: "Configuration") -> timedelta | None:
    """``400d`` as a time; without it what the configuration says."""
    if text is None:
        return timedelta(days=settings.archive.keep_days) if settings.archive.keep_days else None
    days = text.removesuffix("d")
    if not days.isdecimal() or not days.isascii() or len(days) > 5 or not int(days):
        raise UsageError(f"--keep {printable(text)!r}: write a number of days, such as 400d")
    return timedelta(days=int(days))
