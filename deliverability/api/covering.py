"""What the logs at hand cover and lack, without which "not found" means nothing (DESIGN §4.11)."""

from collections.abc import Iterable, Sequence

from deliverability.api.holes import clock_gaps, sources_of
from deliverability.api.scan import MAX_NOTED, FileScan
from deliverability.api.times import stamp
from deliverability.api.unheard import newly_unread
from deliverability.capture.blocks import MAX_LINE
from deliverability.capture.files import container_of
from deliverability.capture.files import head as sample
from deliverability.correlate import Query, TimeHints, resolve_times
from deliverability.correlate.clock import resolve_one
from deliverability.correlate.masks import shared_masks
from deliverability.errors import CannotLookError, printable
from deliverability.evidence.event import DeliveryEvent, LogTime, TimeBasis
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.story import UNREADABLE, Coverage, FileCoverage, Gap, Looked, Message, State
from deliverability.protocols.headless import is_headless
from deliverability.protocols.whole_line import is_whole

HEADLESS = (
    "lines without a time, as journalctl -o cat prints them, cannot be read: take them with journalctl -o short-iso or"
    " -o export"
)

UNHEARD = (
    "the line tells of an attempt that may be the one looked for, in a form that cannot be read: part of it may be gone, such"
    " as its queue id, or it was broken in two, or joined with the next; give it as the mail server wrote it"
)
NO_LOG = "no mail log in a format that this version knows"


def require_mail_log(scans: Sequence[FileScan]) -> None:
    """Raise :class:`CannotLookError` when nothing at all could be looked at; empty files could be."""
    reasons = [reason for scan in scans if (reason := _useless(scan))]
    if reasons and len(reasons) == len(scans):
        raise CannotLookError("; ".join(reasons))


def _useless(scan: FileScan) -> str | None:
    if scan.damaged and not scan.lines:
        return scan.damaged
    if scan.formats or scan.blank:
        return None
    return f"{printable(scan.file.path)}: {why_unread(scan)}"


def unread_of(scan: FileScan) -> list[LogLine]:
    """The lines of a file that could not be read, as far as they were kept."""
    known = {line.place.offset for line in scan.unread_lines}
    return [*scan.unread_lines, *(line for line in scan.unheard if line.place.offset not in known)]


def why_unread(scan: FileScan) -> str:
    """Why nothing could be read of a file in which lines stand, and what to do."""
    head = scan.unread_lines[0].raw[:40] if scan.unread_lines else b""
    # Latin text in UTF-16 has a zero in every other octet, and perhaps a byte order mark.
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or 10 < head.count(b"\0") <= 20:
        return "UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8"
    if _ends_with_cr(scan):
        return "its lines end with CR alone; convert it first: tr '\\r' '\\n'"
    if _is_headless(scan):
        return HEADLESS
    from deliverability.protocols import unread_kinds

    return next((reason for line in scan.unread_lines if (reason := unread_kinds.why(line.raw))), NO_LOG)


def _ends_with_cr(scan: FileScan) -> bool:
    try:
        first = sample(scan.file, 4 << 10)
    except CannotLookError:
        return False
    return b"\r" in first and b"\n" not in first and is_whole(first.split(b"\r", 1)[0])


def _is_headless(scan: FileScan) -> bool:
    """Whether it is no log, but what a mail server said without a time."""
    return not scan.formats and any(is_headless(line.raw) for line in scan.unread_lines)


def coverage_of(scans: Sequence[FileScan], hints: TimeHints) -> Coverage:
    """What each file covers, and what that makes of each log source."""
    files = tuple(_file(scan, hints) for scan in scans)
    return Coverage(files, sources_of(scans, files, hints))


def _file(scan: FileScan, hints: TimeHints) -> FileCoverage:
    sample = resolve_times([*scan.first, *scan.last], hints)
    messages = [e for e in sample if e.message_id or e.subject is not None]
    return FileCoverage(
        log=scan.file.log,
        file=scan.file.path,
        format=scan.formats[0].id if scan.formats else None,
        size=scan.size,
        lines=scan.lines,
        unread=scan.unread + newly_unread(scan.unheard),
        first=_edge(sample[: len(scan.first)], scan.file.path, hints),
        last=_edge(list(reversed(sample)), scan.file.path, hints),
        unproven_formats=tuple(sorted(fmt.id for fmt in scan.formats if fmt.unproven)),
        container=container_of(scan.file) if scan.lines else None,
        records_subjects=any(e.subject is not None for e in messages) if messages else None,
        gaps=tuple(_gaps(scan)),
        looked=_looked(scan, sample, hints),
    )


def _looked(scan: FileScan, sample: Sequence[DeliveryEvent], hints: TimeHints) -> Looked | None:
    part = scan.part
    if part is None:
        return None

    def time(head: bytes) -> LogTime | None:
        at = stamp(head)
        return resolve_one(at, scan.file.path, hints, sample) if at else None

    return Looked(part.begin, part.begin + scan.size, time(part.before), time(part.after))


def _edge(events: list[DeliveryEvent], path: str, hints: TimeHints) -> LogTime | None:
    return resolve_one(events[0].at, path, hints, events) if events else None


def _gaps(scan: FileScan) -> Iterable[Gap]:
    if scan.file.missing:
        yield Gap("missing-rotation", None, f"{scan.file.missing}: what came before this file was not looked at")
    for line in scan.lost:
        yield Gap("rate-limit", line, "the log says that lines were lost")
    for line in scan.overlong:
        yield Gap("cut-line", line, f"the line is far too long; only its first {MAX_LINE >> 10} KiB were read")
    if scan.binary and scan.formats:
        yield Gap("binary", scan.binary, "NUL octets: the machine may have crashed here, and lines may be missing")
    if scan.cut:
        yield Gap("cut-line", scan.cut, "the last line has no end")
    yield from clock_gaps(scan)
    for line in scan.unheard[:MAX_NOTED]:
        yield Gap("unreadable", line, UNHEARD)
    if _is_headless(scan):
        yield Gap("unreadable", None, HEADLESS)
    if scan.damaged:
        yield Gap("damaged" if scan.lines else "unreadable", None, scan.damaged)


def notes(coverage: Coverage, query: Query, messages: Sequence[Message]) -> Iterable[str]:
    """What the reader must know about the logs, as sentences for a terminal."""
    for file in coverage.files:
        name = printable(file.file)
        blind = any(gap.kind in UNREADABLE for gap in file.gaps)
        if file.looked:
            yield f"{name}: looked through {_span(file.looked, file.size)} only, which the time window reaches"
        if file.unproven_formats:
            formats = ", ".join(file.unproven_formats)
            yield f"{name}: {formats}: read by the documentation of the format; no such server ran in the tests"
        if not blind and file.format is None and not file.looked:
            yield f"{name}: no known log format; not read" if file.unread else f"{name}: empty: nothing to look at"
        if file.format is not None and file.unread:
            yield f"{name}: {file.unread} of {file.lines} lines could not be read (--unread lists them)"
        for gap in file.gaps:
            detail = printable(gap.detail)
            where = f"{name}, line {gap.line.place.line}: " if gap.line else f"{name}: "
            yield detail if detail.startswith((f"{name}: ", f"{name} is", "log ")) else where + detail
        if query.subject is not None and file.records_subjects is False:
            yield (
                f"{name}: this log records no subjects, so --subject cannot find anything in it"
                " (Exim: log_selector = +subject; Postfix: header_checks with INFO)"
            )
    yield from _endings(coverage, messages)
    yield from _assumptions(coverage, messages)


def masked(events: Iterable[DeliveryEvent], messages: Iterable[Message]) -> Iterable[str]:
    """What the reader must know of ids that somebody replaced before the log came here."""
    shown = {queue_id for message in messages if message.arrived is None for queue_id in message.queue_ids}
    for queue_id in sorted(shown & {scope[2] for scope in shared_masks(events)}):
        yield (
            f"{printable(queue_id)} stands in place of the queue ids of several messages: no line can be tied to another by it,"
            " so each attempt is told by itself, without what other lines say of its message"
        )


def _endings(coverage: Coverage, messages: Sequence[Message]) -> Iterable[str]:
    """Where a log ends in the middle of a story, as an excerpt does: how it stands there is not how it stands now."""
    last = {file.log: file for file in coverage.files if file.size}
    waiting = [m for m in messages if any(d.state in (State.QUEUED, State.DEFERRED) for d in m.deliveries)]
    for file in last.values():
        lines = (line for message in waiting for line in message.lines)
        own = [line for line in lines if (line.place.log, line.place.file) == (file.log, file.file)]
        if any(line.place.offset + len(line.raw) + 2 >= file.size for line in own):  # the line end may be two octets
            yield f"{printable(file.file)} ends with a line of this message: what became of it afterwards is not in it"


def _assumptions(coverage: Coverage, messages: Sequence[Message]) -> Iterable[str]:
    """What no line and no file states of the times that are told, and of those that say what is covered."""
    edges = [at for file in coverage.files for at in (file.first, file.last) if at]
    times = [*edges, *(at for message in messages for at in _times(message) if at)]
    if any(at.zone_from is TimeBasis.ASSUMED for at in times):
        yield "the log states no time zone and nothing in it tells one: times are taken as UTC (--tz ZONE says otherwise)"
    if any(at.year_from is TimeBasis.ASSUMED for at in times):
        yield "the log states no year and nothing in it tells one: the latest that is not in the future is taken"


def _span(looked: Looked, size: int) -> str:
    begin = f"from after {_when(looked.before)}" if looked.before else "from the beginning"
    end = f"to before {_when(looked.after)}" if looked.after else "to the end"
    return f"{begin} {end} ({size} octets)"


def _when(at: LogTime) -> str:
    return f"{at.instant:%Y-%m-%dT%H:%M:%SZ}" if at.instant else at.logged


def _times(message: Message) -> Iterable[LogTime | None]:
    """Every time that its story shows: a log need not have a line of its arrival."""
    yield message.arrived
    for delivery in message.deliveries:
        for told in (delivery, *delivery.parts):
            yield from (attempt.at for attempt in told.attempts)
