"""WHM's Mail Delivery Reports and cPanel's Track Delivery, exported as CSV.

Built from cPanel's documentation alone (https://docs.cpanel.net/whm/email/mail-delivery-reports/ and
https://docs.cpanel.net/cpanel/email/track-delivery/).  The pages describe the events as icons; their words in a CSV
(``success``, ``inprogress``, ``defer``, ``failure``, ``rejected``, ``filtered``, ``archived``) follow the options of
WHM's ``emailtrack_search`` and could not be confirmed, nor could the form of the times, which are in the time zone of
whoever exported them.  Where day and month could be either, the clock inside Exim's message id decides, or nothing.

A success is no stronger than its transport; "filtered" means accepted and kept out of the inbox.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from deliverability.evidence.event import Action, DeliveryEvent, LogTime, Result
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols import idclock
from deliverability.protocols.export_rows import (
    Row,
    address,
    column_key,
    head_of,
    needles,
    parse_row,
    recogniser,
    sniffer,
)

if TYPE_CHECKING:
    from deliverability.protocols.exim_attempts import Facts

_ID = ("ID", "Message ID", "msgid")
_SENT = ("Sent Time", "senttime")
_OUT = ("Out Time", "Action Time", "outtime")
_RESULT = ("Result", "message")


def _fits(row: Row) -> bool:
    return "_table" not in row.values and row.has("Event", "Sent Time", "Recipient", "Result")


def _time(row: Row, names: tuple[str, ...], queue_id: str | None) -> LogTime | None:
    from deliverability.protocols.export_times import decided_by

    at = row.time(*names)
    return decided_by(at, [idclock.exim(queue_id)]) if at and queue_id else at


def _by_event(row: Row) -> "Facts | None":
    from deliverability.protocols.exim_attempts import is_aside
    from deliverability.protocols.eximstats_rows import by_transport, host_of, route_of, success, trouble

    name = row.text("Transport")
    transport = by_transport(name, None)
    relay = host_of(row.text("Delivery Host", "host"), row.text("Delivery IP Address", "Delivery IP", "ip"))
    route, said = route_of(row.text("Router"), name), row.text(*_RESULT)
    match column_key(row.text("Event")):
        case "success":
            return None if is_aside(name) else success(transport, relay, route, said)
        case "filtered":
            # Accepted, and kept out of the inbox by a filter: into a folder or away, the report does not say.
            return success(None, relay, route, f"filtered {said}".strip())
        case "defer" | "deferred":
            return trouble(Result.DEFERRED, transport, relay, route, said)
        case "failure" | "failed" | "error":
            return trouble(Result.FAILED, transport, relay, route, said)
        case "rejected":
            return trouble(Result.FAILED, transport, relay, route, said) | {"action": Action.REJECTED, "relay": None}
        case _:
            return None


def _events(row: Row, line: LogLine) -> Iterator[DeliveryEvent]:
    from deliverability.protocols.eximstats_rows import arrival, exim_id
    from deliverability.protocols.export_times import of_something_else, unknown_time

    queue_id = exim_id(row.text(*_ID))
    facts = _by_event(row)
    recipient = address(row.whole("Recipient"))
    sent = _time(row, _SENT, queue_id)
    shown = sent or unknown_time(row.text(*_SENT))
    if queue_id:
        client = (row.text("Sender Host"), row.text("Sender IP Address", "Sender IP"))
        told = arrival(row, client, row.text("User"))
        yield DeliveryEvent(
            line=line,
            at=shown,
            writer="whm-mail-delivery",
            queue_id=queue_id,
            **told | {"action": Action.DESCRIBED, "recipients": (recipient,) if recipient else ()},
        )
    if facts is None or recipient is None or (queue_id is None and facts["action"] is not Action.REJECTED):
        return
    final = address(row.whole("Delivered To"))
    tried: Facts = {"recipient": recipient}
    if final and final.casefold() != recipient.casefold():
        tried = {"recipient": final, "original_recipient": recipient}
    out = _time(row, _OUT, queue_id) or of_something_else(shown)
    yield DeliveryEvent(line=line, at=out, writer="whm-mail-delivery", queue_id=queue_id, **tried, **facts)


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """Each row's events; never raises, keeps nothing between rows."""
    for line in lines:
        row = parse_row(line.raw.strip())
        if row is not None and _fits(row):
            yield from _events(row, line)


def queue_ids(raw: bytes) -> list[str]:
    """Exim's id of the message, where the report shows that column."""
    from deliverability.protocols.eximstats_rows import exim_id

    row = parse_row(raw.strip())
    queue_id = exim_id(row.text(*_ID)) if row is not None and _fits(row) else None
    return [queue_id] if queue_id else []


FORMAT = LogFormat(
    id="whm-mail-delivery",
    title="WHM Mail Delivery Reports, cPanel Track Delivery",
    sniff=sniffer(_fits),
    parse=parse,
    is_line=recogniser(_fits),
    queue_ids=queue_ids,
    needles=needles,
    head=head_of(("Event", "From Address"), ("Event", "User"), ("Event", "Sender"), ("Event", "Domain")),
    unproven=True,
)
