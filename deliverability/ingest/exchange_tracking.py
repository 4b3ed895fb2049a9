"""Microsoft Exchange's message tracking log (2007 and later): ``MSGTRK*.LOG`` files, CSV behind ``#Fields``.

Also what ``Get-MessageTrackingLog`` gives, by ``Export-Csv`` or ``Format-List``.  Its ``Timestamp`` is in the zone and the
form of whoever asked: the day is not guessed where it can be two, and the zone never.

Built from Microsoft's documentation alone
(https://learn.microsoft.com/exchange/mail-flow/transport-logs/message-tracking); no Exchange server ran in the tests.
``DELIVER`` by the store driver is final delivery into a mailbox of one's own organisation; ``SEND`` says that the next
hop took the message over, which may be another service of the same organisation
(``IsSmtpResponseFromExternalServer``).  ``protocols/exchange_rows.py`` names what could not be confirmed.
"""

from collections.abc import Iterable, Iterator

from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols.export_rows import Row, head_of, needles, parse_row, recogniser, sniffer


def _fits(row: Row) -> bool:
    """The log's own spelling, with hyphens: Microsoft 365's extended trace has the same fields with underscores."""
    columns = row.columns
    return all(name in columns for name in ("date-time", "source", "event-id", "internal-message-id")) or _is_shown(row)


def _is_shown(row: Row) -> bool:
    """What ``Get-MessageTrackingLog`` gave, with recipients that can be read: ``Export-Csv`` may write only their type."""
    from deliverability.protocols.exchange_rows import recipients_of

    columns = row.columns
    told = all(name in columns for name in ("Timestamp", "Source", "EventId", "InternalMessageId", "Recipients"))
    return told and (not row.whole("Recipients") or bool(recipients_of(row)))


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """Each row's events; never raises, keeps nothing between rows."""
    from deliverability.protocols.exchange_rows import events_of

    for line in lines:
        row = parse_row(line.raw.strip())
        if row is not None and _fits(row):
            yield from events_of(row, line, "exchange")


def queue_ids(raw: bytes) -> list[str]:
    """The message's network id, or the server's own in logs that have none; then the id that a fork came from."""
    from deliverability.protocols.exchange_rows import queue_id_of

    row = parse_row(raw.strip())
    if row is None or not _fits(row):
        return []
    queue_id = queue_id_of(row)
    return [queue_id] if queue_id else []


FORMAT = LogFormat(
    id="exchange-tracking",
    title="Microsoft Exchange message tracking",
    sniff=sniffer(_fits),
    parse=parse,
    is_line=recogniser(_fits),
    queue_ids=queue_ids,
    needles=needles,
    head=head_of(("date-time", "client-ip")),
    unproven=True,
)
