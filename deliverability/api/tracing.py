"""``trace``: the story of a notice from the logs, with the claim that it allows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from deliverability.api.observe import Observe, settle
from deliverability.api.requests import Pick, Request
from deliverability.api.search import MAX_IDS, FileScan, Found, search
from deliverability.assess import claim_of
from deliverability.capture.files import LogFile, log_files
from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.correlate.clock import parse_zone, resolve_one
from deliverability.errors import CannotLookError, ParseError, UsageError, printable
from deliverability.evidence.bundle import Claim, Evidence, Subject
from deliverability.evidence.event import DeliveryEvent, LogTime, TimeBasis
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.names import Mailbox
from deliverability.evidence.observation import Observations, Question, Unobserved
from deliverability.evidence.plugin import LogFormat
from deliverability.evidence.story import Coverage, Delivery, FileCoverage, Gap, Level, Message, Role, State, Trace


@dataclass(frozen=True, slots=True)
class Told:
    """One message to one recipient, and what may be claimed of it."""

    message: Message | None
    """``None`` when nothing was found."""
    delivery: Delivery
    claim: Claim


@dataclass(frozen=True, slots=True)
class TraceResult:
    """What ``trace`` answers."""

    trace: Trace
    told: tuple[Told, ...]
    observations: Observations
    unread: tuple[LogLine, ...]
    """Lines that could not be read (the first thousand of each file)."""
    picked_one: bool
    """Whether the question has one answer: one message, or ``--latest``, ``--all``."""
    made_at: datetime


def read_logs(request: Request) -> tuple[Trace, tuple[LogLine, ...]]:
    """Everything that the logs say about the question; no network."""
    query = request.query()
    zone = _zone(request)
    sources = request.logs or tuple(_configured(request))
    if not sources:
        raise UsageError("name the mail server's log with --log PATH (or '-' for pasted lines)")
    files = log_files(sources)
    now = request.now or datetime.now(UTC)
    hints = TimeHints({f.path: f.modified for f in files if f.modified}, zone, now)
    found = search(files, lambda fmt: _needles(query, fmt), [query.queue_id] if query.queue_id else [])
    _require_format(found, files)
    messages = tell(_resolved(found, hints), query)
    coverage = Coverage(tuple(_coverage(scan, hints) for scan in found.scans))
    unread = tuple(line for scan in found.scans for line in scan.unread_lines)
    return Trace(messages, coverage, tuple(_notes(found, coverage, query, messages))), unread


def _configured(request: Request) -> Iterable[str]:
    for source in request.configuration.logs:
        if source.path:
            yield f"{source.name}={source.path}" if source.name else source.path
        else:
            raise CannotLookError(f"log source {source.name!r} is a command; commands are not read yet: name a path")


def _zone(request: Request) -> tzinfo | None:
    text = request.tz or request.configuration.timezone
    if text is None:
        return None
    try:
        return parse_zone(text)
    except ValueError as problem:
        raise UsageError(
            f"--tz: {printable(str(problem))}; use a name like Asia/Taipei or an offset like +08:00"
        ) from None


def _needles(query: Query, fmt: LogFormat) -> Iterable[bytes]:
    """What must stand in a line for it to matter: the narrowest thing that was asked for."""
    if query.queue_id:
        return [query.queue_id.lower().encode()]
    if query.message_id:
        return [query.message_id.strip("<> ").lower().encode()]
    return [needle for mailbox in query.recipients for needle in fmt.needles(_plain(mailbox))]


def _plain(mailbox: Mailbox) -> str:
    return f"{mailbox.local_part}@{mailbox.domain.unicode}"


def _require_format(found: Found, files: tuple[LogFile, ...]) -> None:
    strange = [scan for scan in found.scans if not scan.formats and scan.size]
    if strange and len(strange) == len(found.scans):
        names = ", ".join(printable(s.file.path) for s in strange)
        raise CannotLookError(f"{names}: no mail log that this version can read (Postfix and Exim are known)")
    damaged = [s for s in found.scans if s.damaged and not s.lines]
    if damaged and len(damaged) == len(files):
        raise CannotLookError("; ".join(s.damaged or "" for s in damaged))


def _resolved(found: Found, hints: TimeHints) -> list[DeliveryEvent]:
    """The found events with their instants; each file's first and last lines help to tell its zone."""
    samples = [event for scan in found.scans for event in (*scan.first, *scan.last)]
    return resolve_times([*samples, *found.events], hints)[len(samples) :]


def _coverage(scan: FileScan, hints: TimeHints) -> FileCoverage:
    sample = resolve_times([*scan.first, *scan.last], hints)
    gaps = [Gap("rate-limit", line, "the log says that lines were lost") for line in scan.lost]
    if scan.cut:
        gaps.append(Gap("cut-line", scan.cut, "the last line has no end"))
    if scan.damaged:
        gaps.append(Gap("damaged", None, scan.damaged))
    messages = [e for e in sample if e.message_id or e.subject is not None]
    return FileCoverage(
        log=scan.file.log,
        file=scan.file.path,
        format=scan.formats[0].id if scan.formats else None,
        size=scan.size,
        lines=scan.lines,
        unread=scan.unread,
        first=_edge(sample[: len(scan.first)], scan.file.path, hints),
        last=_edge(list(reversed(sample)), scan.file.path, hints),
        records_subjects=any(e.subject is not None for e in messages) if messages else None,
        gaps=tuple(gaps),
    )


def _edge(events: list[DeliveryEvent], path: str, hints: TimeHints) -> LogTime | None:
    return resolve_one(events[0].at, path, hints, events) if events else None


def _notes(found: Found, coverage: Coverage, query: Query, messages: tuple[Message, ...]) -> Iterable[str]:
    """What the reader must know about the logs, as sentences for a terminal."""
    for file in coverage.files:
        if file.format is None:
            yield (
                f"{printable(file.file)}: empty"
                if not file.size
                else f"{printable(file.file)}: no known log format; not read"
            )
        if file.unread:
            yield f"{printable(file.file)}: {file.unread} of {file.lines} lines could not be read (--unread lists them)"
        for gap in file.gaps:
            where = f", line {gap.line.place.line}" if gap.line else ""
            yield f"{printable(file.file)}{where}: {printable(gap.detail)}"
        if query.subject is not None and file.records_subjects is False:
            yield (
                f"{printable(file.file)}: this log records no subjects, so --subject cannot find anything in it"
                " (Exim: log_selector = +subject; Postfix: header_checks with INFO)"
            )
    if any(_assumed(m.arrived) for m in messages):
        yield "the log states no time zone and nothing in it tells one: times are taken as UTC (--tz ZONE says otherwise)"
    if found.too_many:
        yield f"more than {MAX_IDS} messages match: the answer is not complete; narrow it with --message-id or --since"


def _assumed(at: LogTime | None) -> bool:
    return at is not None and at.zone_from is TimeBasis.ASSUMED


# --- choosing and claiming --------------------------------------------------------------------------------------------


def pick(trace: Trace, how: Pick) -> tuple[tuple[Message, ...], bool]:
    """The messages that the answer is about, and whether the question had one answer."""
    if how is Pick.LATEST:
        return trace.messages[-1:], True
    return trace.messages, how is Pick.ALL or len(trace.messages) <= 1


async def claims(request: Request, trace: Trace, observe: Observe | None, now: datetime) -> TraceResult:
    """Say what may be claimed of every delivery that was picked."""
    messages, one = pick(trace, request.pick)
    base = Evidence(subject=Subject.DISPATCH, assessed_at=now, own=request.own())
    pairs = [(m, d) for m in messages for d in m.deliveries]

    def step(observations: Observations) -> tuple[Told, ...] | frozenset[Question]:
        missing: set[Question] = set()
        told: list[Told] = []
        for message, delivery in pairs:
            try:
                claim = claim_of(replace(base, message=message, delivery=delivery, observations=observations))
            except Unobserved as wanted:
                missing.update(wanted.questions)
                continue
            if claim:
                told.append(Told(message, delivery, claim))
        return frozenset(missing) if missing else tuple(told)

    told, observations = await settle(step, request.observations, observe, now)
    if not told:
        told = tuple(not_found(address) for address in request.to or ("",))
    return TraceResult(trace, told, observations, (), one, now)


def not_found(address: str) -> Told:
    """The answer when no log line speaks of the address."""
    delivery = Delivery(address, (), State.NOT_FOUND, (), None)
    return Told(None, delivery, Claim(State.NOT_FOUND, Level.NONE, Role.NONE, "not-found"))


def recipient_of(delivery: Delivery) -> Mailbox | None:
    """The address whose domain the answering host is held against."""
    for text in (delivery.decisive.recipient if delivery.decisive else "", delivery.recipient):
        try:
            return Mailbox.parse(text)
        except ParseError:
            continue
    return None
