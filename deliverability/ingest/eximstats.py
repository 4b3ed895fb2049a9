"""cPanel's eximstats database (SQLite): tables ``sends``, ``smtp``, ``failures`` and ``defers``, and what is found there.

Also the records that cPanel's interface gives as JSON (``EmailTrack::search``, WHM's ``emailtrack_search``).

Built from cPanel's documentation alone (https://docs.cpanel.net/cpanel/email/track-delivery/ and
https://api.docs.cpanel.net/cpanel-api-2/cpanel-api-2-modules-emailtrack/cpanel-api-2-functions-emailtrack-search); the
schema itself is not published, so columns are read by name and a missing one says nothing.  ``msgid`` is Exim's
message id: these rows and Exim's own log tell one story.  ``protocols/eximstats_rows.py`` names what could not be
confirmed.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from deliverability.evidence.event import Action, DeliveryEvent, Result
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols.export_rows import (
    Row,
    address,
    head_of,
    needles,
    parse_row,
    recogniser,
    sniffer,
    table_of,
)

if TYPE_CHECKING:
    from deliverability.protocols.exim_attempts import Facts

_TABLES = ("sends", "smtp", "failures", "defers")


_TYPES = {"success": "smtp", "failure": "failures", "defer": "defers", "inprogress": "sends"}
"""``type`` of a record that ``EmailTrack::search`` gives, and the table that it is of."""


def _fits(row: Row) -> bool:
    if table_of(row):
        return table_of(row) in _TABLES and row.has("sendunixtime", "msgid")
    return _is_found(row)


def _is_found(row: Row) -> bool:
    """A record that cPanel's interface gave (``EmailTrack::search``, ``emailtrack_search``)."""
    return row.text("type") in _TYPES and row.has("sendunixtime", "msgid", "recipient", "senderhost", "message")


def _table(row: Row) -> str:
    return table_of(row) or _TYPES[row.text("type")]


def _facts(row: Row) -> "Facts | None":
    from deliverability.protocols.exim_attempts import is_aside
    from deliverability.protocols.eximstats_rows import arrival, by_transport, host_of, route_of, success, trouble

    table = _table(row)
    if table == "sends" and _is_found(row):
        return None  # nothing more than what each record says of the message
    if table == "sends":
        return arrival(row, (row.text("host"), row.text("ip")), row.text("auth", "user"))
    named = row.whole("recipient") if _is_found(row) else row.whole("email", "recipient")
    recipient = address(named) or address(row.whole("deliveredto"))
    if recipient is None:
        return None
    remote = {"1": True, "0": False}.get(row.text("transport_is_remote"))
    transport = by_transport(row.text("transport"), remote)
    relay = host_of(row.text("host"), row.text("ip"))
    route, said = route_of(row.text("router"), row.text("transport")), row.text("message")
    final = address(row.whole("deliveredto"))
    tried: Facts = {"recipient": recipient}
    if final and final.casefold() != recipient.casefold():
        tried = {"recipient": final, "original_recipient": recipient}
    if table == "smtp" and is_aside(row.text("transport")):
        return None
    if table == "smtp":
        return tried | success(transport, relay, route, said)
    result = Result.FAILED if table == "failures" else Result.DEFERRED
    return tried | trouble(result, transport, relay, route, said)


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """Each row's event; never raises, keeps nothing between rows."""
    from deliverability.protocols.eximstats_rows import exim_id
    from deliverability.protocols.export_times import from_unix, unknown_time

    for line in lines:
        row = parse_row(line.raw.strip())
        if row is None or not _fits(row):
            continue
        queue_id, facts = exim_id(row.text("msgid")), _facts(row)
        if queue_id and _is_found(row):
            yield _described(row, line, queue_id)
        if facts is None:
            continue
        if queue_id is None:
            # Refused before it had an id: our own server's word, of no message in any queue.
            if _table(row) != "failures":
                continue
            facts |= {"action": Action.REJECTED, "relay": None}
        shown = row.text("actionunixtime", "sendunixtime")
        at = from_unix(shown) or unknown_time(shown)
        yield DeliveryEvent(line=line, at=at, writer=f"eximstats/{_table(row)}", queue_id=queue_id, **facts)


def _described(row: Row, line: LogLine, queue_id: str) -> DeliveryEvent:
    """What a record of the interface says of the message; of one under way it names no recipient."""
    from deliverability.protocols.eximstats_rows import arrival
    from deliverability.protocols.export_times import from_unix, unknown_time

    sent, recipient = row.text("sendunixtime"), address(row.whole("recipient"))
    told = arrival(row, (row.text("senderhost"), row.text("senderip")), row.text("senderauth", "user"))
    told |= {"action": Action.DESCRIBED, "recipients": (recipient,) if recipient else ()}
    at = from_unix(sent) or unknown_time(sent)
    return DeliveryEvent(line=line, at=at, writer="eximstats/sends", queue_id=queue_id, **told)


def queue_ids(raw: bytes) -> list[str]:
    """Exim's id of the message."""
    from deliverability.protocols.eximstats_rows import exim_id

    row = parse_row(raw.strip())
    queue_id = exim_id(row.text("msgid")) if row is not None and _fits(row) else None
    return [queue_id] if queue_id else []


FORMAT = LogFormat(
    id="eximstats",
    title="cPanel eximstats database",
    sniff=sniffer(_fits),
    parse=parse,
    is_line=recogniser(_fits),
    queue_ids=queue_ids,
    needles=needles,
    head=head_of(("_table", "sendunixtime"), ("_table", "msgid")),
    unproven=True,
)
