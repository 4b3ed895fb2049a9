"""The logs that a request names, and what is known of their times apart from what they say."""

from datetime import UTC, datetime, tzinfo

from deliverability.api.requests import Request
from deliverability.api.search import Found
from deliverability.capture.files import LogFile, log_files
from deliverability.correlate import TimeHints, resolve_times
from deliverability.correlate.clock import parse_zone
from deliverability.errors import UsageError, printable
from deliverability.evidence.event import DeliveryEvent


def surroundings(request: Request) -> tuple[TimeHints, tuple[LogFile, ...]]:
    """The logs, and what is known about their times apart from what they say."""
    zone = zone_of_lines(request)
    files = _files(request)
    now = request.now or datetime.now(UTC)
    return TimeHints({f.path: f.modified for f in files if f.modified}, zone, now), files


def _files(request: Request) -> tuple[LogFile, ...]:
    """The logs that were named, else those of the configuration."""
    if request.logs:
        return log_files(request.logs)
    sources = request.configuration.logs
    if not sources:
        raise UsageError("name the mail server's log with --log PATH (or '-' for pasted lines)")
    from deliverability.capture.commands import Command

    paths = tuple(f"{s.name}={s.path}" if s.name else s.path for s in sources if s.path)
    return log_files(paths, [Command(s.name, s.command) for s in sources if s.command])


def zone_of_lines(request: Request) -> tzinfo | None:
    """The zone of log lines that state none, as the user or the configuration says."""
    text = request.tz or request.configuration.timezone
    if text is None:
        return None
    try:
        return parse_zone(text)
    except ValueError as problem:
        raise UsageError(
            f"--tz: {printable(str(problem))}; use a name like Asia/Taipei or an offset like +08:00"
        ) from None


def resolved(found: Found, hints: TimeHints) -> list[DeliveryEvent]:
    """The found events with their instants; each file's first and last lines help to tell its zone."""
    samples = [event for scan in found.scans for event in (*scan.first, *scan.last)]
    return resolve_times([*samples, *found.events], hints)[len(samples) :]
