"""``deliverability trace --follow``: events as they come, one line each."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Annotated

import typer

from deliverability.errors import UsageError, printable
from deliverability.protocols.shown_json import dumps
from deliverability.terminal.status import ACCEPTED, UNKNOWN
from deliverability.terminal.streams import say, silence_stdout, stdout_stream

if TYPE_CHECKING:
    from deliverability.api import Request
    from deliverability.compose.catalog import Catalog
    from deliverability.evidence.event import DeliveryEvent


class TraceFormat(StrEnum):
    """Forms of a timeline."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"
    """Of single events, as they come."""
    CSV = "csv"
    """Of a cohort, a row a notice."""


FollowOption = Annotated[
    bool, typer.Option("--follow", help="Show each new event of such messages as a live log grows; Ctrl-C ends it.")
]
ForOption = Annotated[
    str | None, typer.Option("--for", metavar="TIME", help="With --follow: end after that time, such as 90s, 30m, 2h.")
]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def refuse_idle(form: TraceFormat, during: str | None, cohort: object = None) -> None:
    """Options that say how to follow, or to list a cohort, where nothing of that is done."""
    if form is TraceFormat.CSV and cohort is None:
        raise UsageError("--format csv goes with --cohort: give that too")
    if during is not None or form is TraceFormat.NDJSON:
        raise UsageError("--for and --format ndjson go with --follow: give that too")


def follow(request: "Request", during: str | None, form: TraceFormat, zone: str | None, lang: str = "en") -> None:
    """Follow the logs of a request; exits with 0 when an event was shown, 4 when none was."""
    from deliverability.api.following import follow as followed
    from deliverability.compose.catalog import catalog
    from deliverability.correlate.clock import parse_zone

    if form in (TraceFormat.JSON, TraceFormat.CSV):
        raise UsageError("--follow shows events as they come: --format text or ndjson")
    if request.since or request.until:
        raise UsageError("--follow shows what comes from now on: leave --since and --until out, or --follow")
    try:
        shown_in = parse_zone(zone) if zone else None
    except ValueError as problem:
        raise UsageError(f"--zone: {printable(str(problem))}") from None
    words = catalog(lang)
    shown: Callable[[DeliveryEvent], str] = (
        as_json if form is TraceFormat.NDJSON else lambda event: as_text(event, shown_in, words)
    )
    with stdout_stream() as out:
        try:
            told = followed(
                request,
                lambda event: _put(out, shown(event)),
                lasting(during),
                ready=lambda: say("waiting for new lines; Ctrl-C ends it"),
                remark=say,
            )
        except BrokenPipeError:
            silence_stdout()  # ``| head -1``: whoever took them has enough
            told = 1
    raise typer.Exit(ACCEPTED if told else UNKNOWN)


def _put(out: IO[bytes], line: str) -> None:
    out.write(line.encode("utf-8", "backslashreplace") + b"\n")
    out.flush()


def lasting(text: str | None) -> timedelta | None:
    """``30m`` as a time."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if not match or not int(match[1]):
        raise UsageError(f"--for {printable(text)!r}: write 90s, 30m, 2h or 1d")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def as_text(event: "DeliveryEvent", zone: tzinfo | None = None, t: "Catalog | None" = None) -> str:
    """One line for a person, in English without ``t``; text that strangers control is made printable."""
    if t is None:
        from deliverability.compose.catalog import catalog

        t = catalog("en")
    words = [_time(event.at.instant, zone) or printable(event.at.logged, 60)]
    if event.line.place.log:
        words.append(printable(event.line.place.log))
    words += [printable(event.queue_id or "-"), t(f"event.{event.action.value}")]
    words += [t(f"event.result-{event.result.value}")] if event.result else []
    subject = event.subject
    fields = {
        "to": event.recipient and printable(event.recipient),
        "for": event.original_recipient and printable(event.original_recipient),
        "from": None if event.reverse_path is None else f"<{printable(event.reverse_path)}>",
        "message-id": event.message_id and printable(event.message_id),
        "subject": None if subject is None else f"{printable(subject)!r}",
        "relay": event.relay and printable(str(event.relay)),
    }
    if event.original_recipient == event.recipient:
        del fields["for"]
    words += [f"{t(f'event.field-{name}')}={value}" for name, value in fields.items() if value]
    said = event.reply.text if event.reply else event.text
    return " ".join(words) + (f"{t('colon')}{printable(said)}" if said else "")


def _time(instant: datetime | None, zone: tzinfo | None) -> str | None:
    if instant is None:
        return None
    return instant.astimezone(zone).isoformat(timespec="seconds") if zone else f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def as_json(event: "DeliveryEvent") -> str:
    """One object a line."""
    place = event.line.place
    fields: dict[str, object] = {
        "schema_version": 1,
        "at": _time(event.at.instant, None),
        "logged": event.at.logged,
        "log": place.log,
        "file": place.file,
        "line": place.line,
        "offset": place.offset,
        "action": event.action.value,
        "result": event.result.value if event.result else None,
        "queue_id": event.queue_id,
        "message_id": event.message_id,
        "reverse_path": event.reverse_path,
        "subject": event.subject,
        "recipient": event.recipient,
        "original_recipient": event.original_recipient,
        "relay": {"name": event.relay.name, "ip": event.relay.ip, "port": event.relay.port} if event.relay else None,
        "reply": {"code": event.reply.code, "text": event.reply.text} if event.reply else None,
        "dsn_code": event.dsn_code,
        "remote_queue_id": event.remote_queue_id,
        "text": event.text or None,
    }
    known = {key: value for key, value in fields.items() if value is not None}
    return dumps(known, sort_keys=True)
