"""What Google Workspace's exports say: Email Log Search, and Gmail log events of the investigation tool.

Sources: "Email log search export fields" (https://support.google.com/a/answer/13828463), "Email Log Search delivery
status definitions" (https://support.google.com/a/answer/2623280), "Gmail log events"
(https://support.google.com/a/answer/11479100) and "Gmail Activity Events"
(https://developers.google.com/workspace/admin/reports/v1/appendix/activity/gmail) for the meaning of the events.

Not confirmed: the spelling of ``Event status`` in the CSV (read with or without capitals, blanks and underscores), the
exact heads beyond ``Event target``, and any zone of the dates, which the pages say is that of the browser.

Google gives a message no id but its Message-ID, which its sender chose.  Rows are therefore taken for one message only
where Message-ID, sender and size agree.
"""

from collections.abc import Iterator

from deliverability.evidence.event import Action, DeliveryEvent, LogTime, Result, Session, Transport
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.smtp import Host, Reply
from deliverability.protocols.exim_attempts import Facts
from deliverability.protocols.export_rows import Row, address, addresses, column_key, message_id
from deliverability.protocols.export_times import of_something_else, unknown_time
from deliverability.protocols.mx import parse_ip
from deliverability.protocols.smtp import parse_reply

WITNESS = "Google Workspace"

_SENDER = ("Sender", "Sender address", "From (Envelope)", "From (Header address)")
_RECIPIENT = ("Recipient address", "Recipient", "To (Envelope)", "To")
_MAILBOXES = {"gmailinbox": None, "gmailspam": "Spam"}
_DELIVERED = frozenset(
    {"delivered", "deliveredtoansmtpserver", "deliveredtogmailinbox", "bypassedspam", "markedasspam"}
)
_UNDER_WAY = frozenset({"", "smtpin"})
"""Targets of steps that come before all others."""
_FAILED = frozenset({"bounced", "bounce", "rejected", "dropped", "failed", "permanentfailure"})
_WAITING = frozenset({"temporaryfailure", "temporarilydeferred", "deferred", "retrying", "willretry", "delayed"})


def identity(row: Row) -> str | None:
    """What rows of one message share; an id of ours, which no server knows."""
    found = message_id(row.text("Message ID"))
    if not found or found.upper() == "N/A":
        return None
    return " ".join((found, *(word for word in (address(row.whole(*_SENDER)), row.text("Message size")) if word)))


def search_events(row: Row, line: LogLine) -> Iterator[DeliveryEvent]:
    """A step of Email Log Search: the message, and what became of it for the recipient at this step's target."""
    frame = _frame(row, line, row.time("Start date", "Date"), row.text("Start date", "Date"))
    if frame is None:
        return
    named = addresses(row.whole(*_RECIPIENT), ";,")
    yield DeliveryEvent(**frame, **_arrival(row, named))
    facts = _by_target(row)
    if facts is None or len(named) != 1:
        # A step that lists several recipients does not say whose it was; nor all words what became of the message.
        facts = None if column_key(row.text("Event target")) in _UNDER_WAY else {"action": Action.FILTERED}
    at = row.time("Event date") or of_something_else(frame["at"])
    for recipient in named if facts else ():
        yield DeliveryEvent(**(frame | {"at": at}), recipient=recipient, **(facts or {}))


def investigation_events(row: Row, line: LogLine) -> Iterator[DeliveryEvent]:
    """A Gmail log event: sending and receiving describe the message; what users did later is told in words only.

    "Receive" says that Gmail received the message for a user of the domain, not where it put it.
    """
    frame = _frame(row, line, row.time("Date"), row.text("Date"))
    if frame is None:
        return
    event = column_key(row.text("Event"))
    recipient = address(row.whole(*_RECIPIENT))
    if event in ("send", "messagesent", "receive", "messagereceived"):
        yield DeliveryEvent(**frame, **_arrival(row, (recipient,) if recipient else ()))
    else:
        yield DeliveryEvent(**frame, action=Action.DESCRIBED, recipient=None, text=row.text("Event"))
        return
    if event in ("receive", "messagereceived") and recipient:
        facts = _fact(Result.SENT, Transport.SMTP, row.text("Event"))
        yield DeliveryEvent(**frame, recipient=recipient, **facts)


def _frame(row: Row, line: LogLine, at: LogTime | None, shown: str) -> Facts | None:
    queue_id = identity(row)
    if queue_id is None:
        return None
    return {
        "line": line,
        "at": at or unknown_time(shown),
        "writer": "google-workspace",
        "queue_id": queue_id,
        "witness": WITNESS,
    }


def _arrival(row: Row, named: tuple[str, ...]) -> Facts:
    subject = row.text("Subject")
    client = parse_ip(row.text("IP address", "Client IP", "Source IP"))
    return {
        # Every step repeats these facts; none of them is the message's coming into a queue.
        "action": Action.DESCRIBED,
        "message_id": message_id(row.text("Message ID")),
        "subject": subject if subject and subject != "N/A" else None,
        "reverse_path": address(row.whole("From (Envelope)")),
        "size": row.number("Message size", "Size"),
        "recipients": named,
        "session": Session(client=Host(None, str(client))) if client else None,
        "text": f"sender {row.text('Sender')}" if row.text("Sender") else "",
    }


def _fact(result: Result, transport: Transport, text: str = "") -> Facts:
    return {"action": Action.ATTEMPTED, "result": result, "transport": transport, "text": text}


def _by_target(row: Row) -> Facts | None:
    """What the step's target and status say; ``None`` for what they do not, and where they contradict each other."""
    status = row.text("Event status", "Status")
    kind = _kind(column_key(status))
    said = " ".join(w for w in (row.text("Event target"), status, row.text("Event description")) if w)
    target = column_key(row.text("Event target"))
    if kind == "held":
        return {"action": Action.FILTERED, "text": said}  # for this recipient; HELD would speak for the whole message
    if target == "smtpout":
        return _handed_over(row, kind, said)
    if target in _MAILBOXES:
        return _final(kind, _MAILBOXES[target], said)
    # An internal server took it over: whether it was delivered, Google says, this does not tell.
    transport = {"internalserver": Transport.SMTP, "listserver": Transport.FORWARD}.get(target, Transport.NONE)
    return _outcome(kind, transport, said) if transport is not Transport.NONE or kind in ("failed", "waiting") else None


def _kind(status: str) -> str:
    if status.startswith("quarantine") or status == "inquarantine":
        return "held"
    if status in _DELIVERED:
        return "delivered"
    if status in _FAILED:
        return "failed"
    return "waiting" if status in _WAITING else "" if status else "unsaid"


def _outcome(kind: str, transport: Transport, said: str) -> Facts | None:
    result = {"delivered": Result.SENT, "failed": Result.FAILED, "waiting": Result.DEFERRED}.get(kind)
    return _fact(result, transport, said) if result else None


def _final(kind: str, folder: str | None, said: str) -> Facts | None:
    facts = _outcome(kind, Transport.MAILBOX, said)
    return facts | {"folder": folder} if facts and folder and kind == "delivered" else facts


def _handed_over(row: Row, kind: str, said: str) -> Facts | None:
    """To another server: its reply code decides, and the status must not say otherwise."""
    reply = _reply(row)
    by_code = {2: "delivered", 4: "waiting", 5: "failed"}.get(reply.code // 100) if reply and reply.code else None
    if by_code and kind not in (by_code, "unsaid"):
        return None
    facts = _outcome(by_code or kind, Transport.SMTP, said)
    if facts is None:
        return None
    ip = parse_ip(row.text("Event target IP address", "Event target ip"))
    stage = "end-of-data" if by_code == "delivered" else None
    return facts | {"reply": reply, "relay": Host(None, str(ip)) if ip else None, "stage": stage}


def _reply(row: Row) -> Reply | None:
    reply = parse_reply(row.text("Event SMTP reply code", "SMTP reply code"))
    return reply if reply.code else None
