r"""What a row of Exchange's message tracking says, on one's own servers or in Microsoft 365's extended trace.

Sources: "Message tracking" in Microsoft's documentation of Exchange Server
(https://learn.microsoft.com/exchange/mail-flow/transport-logs/message-tracking: fields, event types, sources) and
"Message trace in the modern Exchange admin center" (the extended report has the same fields with underscores).

What these pages do not say, and so is not relied on: which of the two addresses of RESOLVE, REDIRECT and EXPAND is
the old one (the other one is tried, and tells); which host wrote a row (taken from the documented roles of client and server); the form of a remote
server's answer inside ``source-context`` (``…;250 …;ClientSubmitTime:``, seen in public samples).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from deliverability.evidence.event import Action, DeliveryEvent, Relation, Result, Session, Transport
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.smtp import Host, Reply
from deliverability.protocols.exim_attempts import Facts
from deliverability.protocols.export_rows import Row, addresses, message_id
from deliverability.protocols.export_times import unknown_time
from deliverability.protocols.smtp import parse_reply, remote_queue_id

EXTERNAL = "S:IsSmtpResponseFromExternalServer="

_SHOWN_TIME = "Timestamp"
"""Of ``Get-MessageTrackingLog``: in the zone, and in the words, of whoever asked."""

_WORD = re.compile(r"[A-Za-z]{1,40}\Z")
_GUID = re.compile(r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}\Z")
_INTERNAL = re.compile(r"\d{1,20}\Z", re.ASCII)
_IP = re.compile(r"[0-9A-Fa-f:.]{2,45}\Z")
_STATUS = re.compile(r"([2-5]\d\d)(?:[ -]|\Z)", re.ASCII)
_OWN_WORDS = re.compile(r"(?:[2-5]\d\d )?([245]\.\d{1,3}\.\d{1,3})(?=[\s;]|\Z)", re.ASCII)

_BETWEEN_ERRORS = re.compile(r"(?<=\}\]);\s?(?=\[\{)")
_ERROR_PARTS = frozenset({"LED", "MSG", "FQDN", "IP", "LRT"})
# SMTPSEND.OverAdvertisedSize, RESOLVER.ADR.RecipNotFound and the like; of the network and of routing (RFC 3463 §3.5); of
# the other server's certificate and DANE records, which are judged here.
_OWN_ERROR = re.compile(r"(?<![\w.])[A-Z]{3,20}\.[A-Za-z]{3,40}|\A\d{3}[ -]5\.(?:4\.\d|7\.32\d)")

_SENT = frozenset({"SEND", "SENDEXTERNAL"})
_GIVEN_UP = frozenset({"FAIL", "BADMAIL", "DROP", "MODERATORREJECT", "MODERATIONEXPIRE", "MODERATORSALLNDR"})
_OUTCOMES = _SENT | _GIVEN_UP | {"DELIVER", "DEFER"}
_MOVED = frozenset(
    {
        "INITMESSAGECREATED",
        "MODERATORAPPROVE",
        "SUBMIT",
        "TRANSFER",
        "RESOLVE",
        "REDIRECT",
        "EXPAND",
        "THROTTLE",
        "SUPPRESSED",
        "DUPLICATEDELIVER",
    }
)
_BY_EVENT = {
    "RECEIVE": Action.ARRIVED,
    "DSN": Action.NOTIFIED,
    **dict.fromkeys(_MOVED, Action.DESCRIBED),
}
_RENAMED = frozenset({"EXPAND", "REDIRECT", "RESOLVE"})
_FROM_CLIENT = _OUTCOMES | {"DUPLICATEDELIVER", "SUBMIT"}
"""Events whose client is the server that wrote the row, and whose server is the other end."""


def events_of(row: Row, line: LogLine, writer: str, witness: str | None = None) -> Iterator[DeliveryEvent]:
    """What one row reports: one event, or one for each recipient that it lists.  Shadow copies say nothing."""
    event_id, source = row.text("event-id").upper().replace(" ", ""), row.text("source").upper()
    if not _WORD.match(event_id):
        return
    frame = _frame(row, line, f"{writer}/{source.lower()}" if _WORD.match(source) else writer, witness, event_id)
    if frame is None:
        return
    named = recipients_of(row)
    outcome = _outcomes(row, event_id, source, named)
    if outcome is not None:
        # A file may hold these rows alone: they name the message as all others do.
        yield DeliveryEvent(**frame, **_description(row, "", Action.DESCRIBED, named))
        for facts in outcome:
            yield DeliveryEvent(**frame, **facts)
    elif event_id in _BY_EVENT or event_id in _OUTCOMES:
        action = _BY_EVENT.get(event_id, Action.DESCRIBED)
        yield DeliveryEvent(**frame, **_description(row, event_id, action, named))
        for facts in _renamings(row, event_id, named):
            yield DeliveryEvent(**frame, **facts)


def _frame(row: Row, line: LogLine, writer: str, witness: str | None, event_id: str) -> Facts | None:
    queue_id = queue_id_of(row)
    if queue_id is None:
        return None
    in_utc = ("date-time", "date_time_utc", "origin_timestamp_utc")
    at = row.time(*in_utc, offset=timedelta(0)) if row.text(*in_utc) else row.time(_SHOWN_TIME)
    host = row.text(*(("client-hostname", "server-hostname") if event_id in _FROM_CLIENT else ("server-hostname",)))
    return {
        "line": line,
        "at": at or unknown_time(row.text(*in_utc, _SHOWN_TIME)),
        "writer": writer,
        "host": (host.partition(".")[0].lower() or None) if witness is None else None,
        "queue_id": queue_id,
        "witness": witness,
    }


def recipients_of(row: Row) -> tuple[str, ...]:
    """The addresses that a row names; of what ``Get-MessageTrackingLog`` gives, whoever asked chose how they are parted."""
    shown = row.whole("recipient-address")
    return addresses(shown) if shown else addresses(row.whole("Recipients"), ";,")


def queue_id_of(row: Row) -> str | None:
    """The id that all of a message's rows share: the network id, or before Exchange 2013 the server's own."""
    network = row.text("network-message-id")
    if _GUID.match(network):
        return network
    internal = row.text("internal-message-id")
    return internal if _INTERNAL.match(internal) else None


def _description(row: Row, event_id: str, action: Action, named: tuple[str, ...]) -> Facts:
    sender = row.text("return-path")
    forked = row.text("reference") if event_id == "TRANSFER" and not row.text("network-message-id") else ""
    related = row.text("related-recipient-address")
    return {
        "action": action,
        "message_id": message_id(row.text("message-id")),
        "subject": row.text("message-subject") or None,
        "reverse_path": sender.removeprefix("<").removesuffix(">") if sender else None,
        "size": row.number("total-bytes"),
        "recipients": named if action is Action.ARRIVED or event_id == "EXPAND" else (),
        "recipient_count": row.number("recipient-count") if action is Action.ARRIVED else None,
        "session": _session(row) if action is Action.ARRIVED else None,
        "related": ((Relation.REQUEUED_FROM, forked),) if _INTERNAL.match(forked) else (),
        "text": " ".join(
            w for w in (event_id, related, row.text("reference") if action is Action.NOTIFIED else "") if w
        ),
    }


def _renamings(row: Row, event_id: str, named: tuple[str, ...]) -> list[Facts]:
    """Which addresses stand for which: of a list and its members, or of an address and what it was led to."""
    related = addresses(row.whole("related-recipient-address"))
    if event_id not in _RENAMED or len(related) != 1:
        return []
    (other,) = related
    return [
        {"action": Action.DESCRIBED, "recipient": one, "original_recipient": other, "text": event_id}
        for one in named
        if one.casefold() != other.casefold()
    ]


def _outcomes(row: Row, event_id: str, source: str, named: tuple[str, ...]) -> list[Facts] | None:
    """One outcome for each recipient; ``None`` where the row tells none that can be tied to a recipient."""
    if not named or event_id not in _OUTCOMES:
        return None
    if event_id == "DELIVER":
        # Deliveries by the store driver are into a mailbox of this organisation; of others nothing is documented.
        return [_fact(r, Result.SENT, Transport.MAILBOX) for r in named] if source == "STOREDRIVER" else None
    statuses = _statuses(row, len(named))
    if event_id in _SENT:
        return _sent(row, named, statuses) if source == "SMTP" and statuses is not None else None
    if event_id == "FAIL" and source == "ADMIN":
        return [{"action": Action.CANCELLED, "recipient": r, "text": "FAIL ADMIN"} for r in named]
    result = Result.DEFERRED if event_id == "DEFER" else Result.FAILED
    return [
        _unsent(row, r, result, status, f"{event_id} {source}".strip())
        for r, status in zip(named, statuses or [""] * len(named), strict=True)
    ]


def _fact(recipient: str, result: Result, transport: Transport) -> Facts:
    return {"action": Action.ATTEMPTED, "recipient": recipient, "result": result, "transport": transport}


def _statuses(row: Row, count: int) -> list[str] | None:
    """The status of each recipient, in their order; ``None`` when it cannot be told whose is whose.

    Statuses stand between semicolons, and may hold semicolons.
    """
    told = row.whole("recipient-status")
    if not told.strip("; "):
        return [""] * count
    if count == 1:
        return [told]
    if told.startswith("[{"):
        parts = _BETWEEN_ERRORS.split(told.rstrip("; "))
        return parts if len(parts) == count else None
    parts = [part.strip() for part in told.split(";")]
    parts = parts[:-1] if len(parts) == count + 1 and not parts[-1] else parts
    plain = len(parts) == count and all(_STATUS.match(p) or p in ("", "To", "Cc", "Bcc") for p in parts)
    return parts if plain else None


def _sent(row: Row, named: tuple[str, ...], statuses: list[str]) -> list[Facts] | None:
    """SEND: the next hop took the message over, unless the row's own status for a recipient says otherwise."""
    answer = _answer(row)
    if answer is not None and not answer.positive:
        return None
    outside = _is_external(row)
    said = {None: "", True: f"{EXTERNAL}True", False: f"{EXTERNAL}False"}[outside]
    common: Facts = {
        "relay": _host(row, "server"),
        "route": row.text("connector-id") or None,
        "reply": answer,
        "stage": "end-of-data" if answer else None,
        "remote_queue_id": remote_queue_id(answer.text) if answer else None,
    }
    facts = []
    for recipient, status in zip(named, statuses, strict=True):
        refused = _STATUS.match(status)
        if refused and refused[1][0] in "45":
            result = Result.DEFERRED if refused[1][0] == "4" else Result.FAILED
            own = {"reply": parse_reply(status), "stage": "rcpt", "remote_queue_id": None, "text": status}
            facts.append(_fact(recipient, result, Transport.SMTP) | common | own)
        else:
            words = " ".join(w for w in (status, said) if w)
            facts.append(_fact(recipient, Result.SENT, Transport.SMTP) | common | {"text": words})
    return facts


def _answer(row: Row) -> Reply | None:
    """The next hop's answer to the message, as ``source-context`` keeps it behind the session's id, if it has one."""
    context, mark, _ = row.whole("source-context").rpartition(";ClientSubmitTime:")
    context = context if mark else row.whole("source-context")
    for said in (context, context.partition(";")[2]):
        if _STATUS.match(said):
            return parse_reply(said)
    return None


def _unsent(row: Row, recipient: str, result: Result, status: str, words: str) -> Facts:
    """FAIL and DEFER: the status is the other server's answer only where the row says that an external one gave it."""
    host = _host(row, "server") if row.text("source").upper() == "SMTP" else None
    error = _last_error(status)
    said = error.words if error else status
    theirs = _is_external(row) is True and _STATUS.match(said) is not None
    if error and result is Result.FAILED and row.text("source").upper() == "SMTP" and _is_refusal(error):
        theirs, host = _is_external(row) is not False, error.server
    code = _OWN_WORDS.match(said)
    enhanced = code[1] if code else None
    expired = not theirs and result is Result.FAILED and enhanced in ("4.4.7", "5.4.7")  # RFC 3463 §3.5: time expired
    return _fact(recipient, Result.EXPIRED if expired else result, Transport.SMTP if theirs else Transport.NONE) | {
        "relay": host if theirs else None,
        "route": row.text("connector-id") or None,
        "reply": parse_reply(said) if theirs else None,
        "dsn_code": None if theirs else enhanced,
        "text": f"{words}: {status}"[:4096] if status else words,
    }


@dataclass(frozen=True, slots=True)
class _LastError:
    """What newer servers put into a status: ``[{LED=…};{MSG=};{FQDN=…};{IP=…};{LRT=…}]``."""

    words: str
    server: Host | None
    """The host that it was connected to then, where it names one."""


def _last_error(status: str) -> _LastError | None:
    """The last error of a status; ``None`` where a server's words imitate its other parts."""
    if not (status.startswith("[{") and status.endswith("}]")):
        return None
    parts = [part.partition("=") for part in status[2:-2].split("};{")]
    found = {name: value.strip() for name, _, value in parts}
    if len(found) != len(parts) or not found.keys() <= _ERROR_PARTS or not found.get("LED"):
        return None
    name, ip = found.get("FQDN", ""), found.get("IP", "")
    # Without a name it may be the address of whoever handed the message in, and was refused by this server.
    return _LastError(found["LED"], Host(name, ip if _IP.match(ip) else None) if name else None)


def _is_refusal(error: _LastError) -> bool:
    """Whether the words are those of the server that it was connected to, and final; Exchange's own name their origin."""
    status = _STATUS.match(error.words)
    own = _OWN_ERROR.search(error.words) is not None
    return error.server is not None and status is not None and status[1][0] == "5" and not own


def _is_external(row: Row) -> bool | None:
    """Whether the answer came from a server outside of the organisation, where the row says so, and once."""
    told = [p for p in row.whole("custom-data").split(";") if p.startswith(EXTERNAL)]
    values = {"True": True, "False": False}
    return values.get(told[0].removeprefix(EXTERNAL)) if len(told) == 1 else None


def _session(row: Row) -> Session:
    """Who handed it in: by its address; whether the name was looked up or merely claimed is not documented."""
    client = _host(row, "client")
    return Session(client=Host(None, client.ip) if client and client.ip else None, helo=client.name if client else None)


def _host(row: Row, end: str) -> Host | None:
    name, ip = row.text(f"{end}-hostname"), row.text(f"{end}-ip")
    known = ip if _IP.match(ip) else None
    return Host(name or None, known) if name or known else None
