"""Google Workspace's Email Log Search, and Gmail log events of the investigation tool, exported as CSV.

Built from Google's help pages alone: "Email log search export fields" (https://support.google.com/a/answer/13828463)
and "Email Log Search delivery status definitions" (https://support.google.com/a/answer/2623280).  It is Google's
record, not our own server's: ``witness`` says so in every event.  ``SMTP_OUT`` is a hand-over to another server, with
its address and reply code where the row has them; ``GMAIL_INBOX`` and ``GMAIL_SPAM`` are mailboxes.
``protocols/google_log_rows.py`` names what could not be confirmed.
"""

from collections.abc import Iterable, Iterator

from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols.export_rows import Row, head_of, message_id, needles, parse_row, recogniser, sniffer


def _is_search(row: Row) -> bool:
    return row.has("Message ID", "Start date", "Event target") or row.has("Message ID", "Event target", "Event status")


def _is_investigation(row: Row) -> bool:
    return row.has("Message ID", "Event", "Date", "Subject") and row.has("Traffic source")


def _fits(row: Row) -> bool:
    return _is_search(row) or _is_investigation(row)


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """Each row's events; never raises, keeps nothing between rows."""
    from deliverability.protocols.google_log_rows import investigation_events, search_events

    for line in lines:
        row = parse_row(line.raw.strip())
        if row is None:
            continue
        if _is_search(row):
            yield from search_events(row, line)
        elif _is_investigation(row):
            yield from investigation_events(row, line)


def queue_ids(raw: bytes) -> list[str]:
    """The Message-ID, by which all rows of a message are found; which of them are one message is told by more."""
    from deliverability.protocols.google_log_rows import identity

    row = parse_row(raw.strip())
    if row is None or not _fits(row) or identity(row) is None:
        return []
    found = message_id(row.text("Message ID"))
    return [found] if found else []


FORMAT = LogFormat(
    id="google-workspace",
    title="Google Workspace log export",
    sniff=sniffer(_fits),
    parse=parse,
    is_line=recogniser(_fits),
    queue_ids=queue_ids,
    needles=needles,
    head=head_of(("Message ID", "Start date"), ("Date", "Event", "Message ID")),
    unproven=True,
)
