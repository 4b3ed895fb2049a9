"""What Microsoft 365's message trace says of one recipient: summary, enhanced summary, PowerShell.

Sources: "Message trace in the modern Exchange admin center"
(https://learn.microsoft.com/exchange/monitoring/trace-an-email-message/message-trace-modern-eac) and
``Get-MessageTraceV2`` (https://learn.microsoft.com/powershell/module/exchange/get-messagetracev2), which states that
its times are UTC.

``Delivered`` means, in Microsoft's words there, delivery to the intended destination.  For mail that leaves the tenant
that is the next server; for mail that stays, the summary does not say whether it is a mailbox or a server behind a
connector.  So a summary's ``Delivered`` is a hand-over; only the enhanced summary's ``Deliver`` is documented as
delivery to the mailbox.  ``FilteredAsSpam`` is "rejected or blocked" on one page and "marked as spam" on the other:
it decides nothing, as words do that the pages do not have (in another language, say).  The only time in these reports is when the service received the message; it is no time of a
delivery and becomes none.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from deliverability.evidence.event import Action, DeliveryEvent, LogTime, Result, Session, Transport
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.smtp import Host
from deliverability.protocols.exim_attempts import Facts
from deliverability.protocols.export_rows import MAX_RECIPIENTS, Row, address, column_key, message_id
from deliverability.protocols.export_times import of_something_else, unknown_time
from deliverability.protocols.mx import parse_ip

WITNESS = "Microsoft 365"

_GUID = re.compile(r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}\Z")
_STEPS = re.compile(r"[A-Za-z ]{1,40}+(?:,[A-Za-z ]{1,40}+){0,20}+\Z")

_IN_UTC = ("origin_timestamp_utc", "date_time_utc", "Received", "Received (UTC)", "receivedDateTime")
_IN_SOME_ZONE = ("origin_timestamp", "Date", "Date time")
_SENDER = ("SenderAddress", "sender_address", "Sender")
_MESSAGE_ID = ("MessageId", "message_id", "Message ID")
_SIZE = ("Size", "total_bytes", "Message size")
_RECIPIENT = ("RecipientAddress", "recipient_address", "Recipient")


def lead(row: Row) -> str | None:
    """What all records of one message have in them: Microsoft's id, or in exports without it the Message-ID.

    Whoever asked may have left out both: then it is the time, and each row stands for itself.
    """
    found = row.text("MessageTraceId", "network_message_id", "Message trace ID")
    return found if _GUID.match(found) else message_id(row.text(*_MESSAGE_ID)) or row.text(*_IN_UTC) or None


def identity(row: Row) -> str | None:
    """What records of one message share; a Message-ID, which its sender chose, only with sender and size."""
    found = lead(row)
    if found is None or _GUID.match(found):
        return found
    if not message_id(row.text(*_MESSAGE_ID)):
        named = (address(row.whole(*_SENDER)), address(row.whole(*_RECIPIENT)), row.text("Subject"))
        return " ".join((found, *(word for word in named if word)))
    return " ".join((found, *(w for w in (address(row.whole(*_SENDER)), row.text(*_SIZE)) if w)))


def time_of(row: Row) -> LogTime:
    """When the service received the message: UTC where the column is documented so, else as written."""
    at = row.time(*_IN_UTC, offset=timedelta(0)) if row.text(*_IN_UTC) else row.time(*_IN_SOME_ZONE)
    return at or unknown_time(row.text(*_IN_UTC, *_IN_SOME_ZONE))


def summary_events(row: Row, line: LogLine) -> Iterator[DeliveryEvent]:
    """A summary's row: the message, then how it stands for its one recipient."""
    recipient = address(row.whole(*_RECIPIENT))
    frame = _frame(row, line)
    if frame is None:
        return
    yield DeliveryEvent(**frame, **_arrival(row, (recipient,) if recipient else ()))
    if recipient is None:
        return
    facts = _by_status(row, row.text("Status", "Delivery status"))
    if facts is not None:
        yield DeliveryEvent(**_later(frame), recipient=recipient, **facts)


def enhanced_events(row: Row, line: LogLine) -> Iterator[DeliveryEvent]:
    """An enhanced summary's row: the message, then the last step of each recipient in ``recipient_status``."""
    frame = _frame(row, line)
    if frame is None:
        return
    told = _recipients(row.whole("recipient_status"))
    yield DeliveryEvent(**frame, **_arrival(row, tuple(r for r, _ in told)))
    for recipient, steps in told:
        facts = _by_steps([step.strip().lower() for step in steps.split(",")])
        if facts is not None:
            yield DeliveryEvent(**_later(frame), recipient=recipient, **facts, text=steps)


def _by_steps(steps: list[str]) -> Facts | None:
    """What the last step says; none for what is under way."""
    if steps[-1] in _UNDER_WAY:
        return None
    # What follows a hand-over or a delivery in other words does not undo it.
    done = next((_STEP[step] for step in reversed(steps) if step in ("send", "deliver")), None)
    return _STEP.get(steps[-1]) or done or _UNTOLD


def _frame(row: Row, line: LogLine) -> Facts | None:
    queue_id = identity(row)
    if queue_id is None:
        return None
    at = time_of(row)
    return {"line": line, "at": at, "writer": "microsoft-365", "queue_id": queue_id, "witness": WITNESS}


def _later(frame: Facts) -> Facts:
    return frame | {"at": of_something_else(frame["at"])}


def _arrival(row: Row, recipients: tuple[str, ...]) -> Facts:
    sender = address(row.whole(*_SENDER))
    client = parse_ip(row.text("FromIP", "From IP", "original_client_ip"))
    return {
        "action": Action.ARRIVED,
        "message_id": message_id(row.text(*_MESSAGE_ID)),
        "subject": row.text("Subject", "message_subject") or None,
        "size": row.number(*_SIZE),
        "recipients": recipients,
        "session": Session(client=Host(None, str(client))) if client else None,
        # Whether it is the envelope's or the header's sender, the page does not say.
        "text": f"sender {sender}" if sender else "",
    }


def _by_status(row: Row, status: str) -> Facts | None:
    key = column_key(status)
    facts = _STATUS.get(key) or (_UNTOLD if key and key not in _UNDER_WAY else None)
    if facts is None or facts.get("transport") is not Transport.SMTP:
        return facts | {"text": status} if facts else None
    # Where several addresses were tried, which of them took it is not said.
    accepting = parse_ip(row.text("ToIP", "To IP"))
    return facts | {"text": status, "relay": Host(None, str(accepting)) if accepting else None}


def _fact(result: Result, transport: Transport) -> Facts:
    return {"action": Action.ATTEMPTED, "result": result, "transport": transport}


_UNTOLD: Facts = {"action": Action.FILTERED}
"""The service speaks of this recipient's copy, in words that tell no outcome; HELD would speak for the whole message."""
_UNDER_WAY = frozenset({"gettingstatus", "receive", "submit", "resolve", "redirect", "transfer", "process"})
_STATUS: dict[str, Facts] = {
    "delivered": _fact(Result.SENT, Transport.SMTP),
    "failed": _fact(Result.FAILED, Transport.NONE),
    "pending": _fact(Result.DEFERRED, Transport.NONE),
    "expanded": _fact(Result.SENT, Transport.FORWARD),
    "resolved": _fact(Result.SENT, Transport.FORWARD),
}
_STEP: dict[str, Facts] = {
    "send": _fact(Result.SENT, Transport.SMTP),
    "deliver": _fact(Result.SENT, Transport.MAILBOX),
    "fail": _fact(Result.FAILED, Transport.NONE),
    "defer": _fact(Result.DEFERRED, Transport.NONE),
    "drop": _fact(Result.FAILED, Transport.NONE),
    "expand": _fact(Result.SENT, Transport.FORWARD),
}


def _recipients(text: str) -> list[tuple[str, str]]:
    """``address##steps`` between semicolons.

    Nothing at all unless every part is of that form: an address may hold what stands between them, and then whose
    steps are whose cannot be told.
    """
    parts = [part.strip() for part in text.split(";") if part.strip()]
    found = []
    for part in parts:
        mailbox, mark, steps = part.partition("##")
        if not mark or '"' in mailbox or address(mailbox) != mailbox or not _STEPS.match(steps.strip()):
            return []
        found.append((mailbox, steps.strip()))
    return found if len(found) <= MAX_RECIPIENTS else []
