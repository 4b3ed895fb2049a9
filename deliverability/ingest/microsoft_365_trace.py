"""Microsoft 365's message trace as CSV: summary, enhanced summary, extended report, or ``Get-MessageTraceV2``.

Built from Microsoft's documentation alone: "Message trace in the modern Exchange admin center"
(https://learn.microsoft.com/exchange/monitoring/trace-an-email-message/message-trace-modern-eac) and
``Get-MessageTraceV2`` (https://learn.microsoft.com/powershell/module/exchange/get-messagetracev2).  It is Microsoft's
record, not our own server's: ``witness`` says so in every event.  A summary's ``Delivered`` is told as a hand-over;
see ``protocols/m365_rows.py`` for why.  Not confirmed: the exact column heads of the summary's CSV, which the page
describes but does not spell, and the time zone of its ``Date``, which whoever asked for the trace chooses.
"""

from collections.abc import Iterable, Iterator

from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols.export_rows import Row, head_of, needles, parse_row, recogniser, sniffer


def _is_extended(row: Row) -> bool:
    return "event_id" in row.columns and row.has("internal_message_id", "source", "message_id")


def _is_enhanced(row: Row) -> bool:
    return not row.has("event_id") and row.has("recipient_status", "message_id", "network_message_id")


def _is_summary(row: Row) -> bool:
    if row.has("Event", "Detail"):
        return False  # a step of Get-MessageTraceDetail, which is no outcome
    return (
        row.has("SenderAddress", "RecipientAddress", "Status") or row.has("Sender", "Recipient", "Status", "From IP")
    ) and (
        any(row.has(name) for name in ("MessageTraceId", "network_message_id", "MessageId"))
        or row.has("SenderAddress", "Received")  # of PowerShell, where whoever asked chose the columns
    )


def _fits(row: Row) -> bool:
    return _is_extended(row) or _is_enhanced(row) or _is_summary(row)


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """Each row's events; never raises, keeps nothing between rows."""
    from deliverability.protocols import exchange_rows, m365_rows

    for line in lines:
        row = parse_row(line.raw.strip())
        if row is None:
            continue
        if _is_extended(row):
            yield from exchange_rows.events_of(row, line, "microsoft-365", m365_rows.WITNESS)
        elif _is_enhanced(row):
            yield from m365_rows.enhanced_events(row, line)
        elif _is_summary(row):
            yield from m365_rows.summary_events(row, line)


def queue_ids(raw: bytes) -> list[str]:
    """The id that all records of the message have in them."""
    from deliverability.protocols import exchange_rows, m365_rows

    row = parse_row(raw.strip())
    if row is None or not _fits(row):
        return []
    queue_id = exchange_rows.queue_id_of(row) if _is_extended(row) else m365_rows.lead(row)
    return [queue_id] if queue_id else []


FORMAT = LogFormat(
    id="microsoft-365-trace",
    title="Microsoft 365 message trace",
    sniff=sniffer(_fits),
    parse=parse,
    is_line=recogniser(_fits),
    queue_ids=queue_ids,
    needles=needles,
    head=head_of(
        ("date_time_utc", "client_ip"),
        ("origin_timestamp_utc", "sender_address"),
        ("origin_timestamp", "sender_address"),
        ("MessageTraceId",),
        ("Received", "SenderAddress"),
        ("Received", "Sender"),
        ("MessageId", "Received"),
    ),
    unproven=True,
)
