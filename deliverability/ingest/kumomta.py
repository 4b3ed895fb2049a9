"""KumoMTA's JSON log records: reception, each attempt with the receiver's reply, and how it ended, by message id.

Read by KumoMTA's documentation alone (``docs/reference/log_record.md``, ``docs/userguide/configuration/logging.md``,
and the record's type in ``crates/kumo-log-types``; github.com/KumoCorp/kumomta): no such server ran in the tests.  Logs
that a configuration's ``template`` wrote are another format.  A message that carries a record to a log hook has the
recipient of the mail that the record is about, and is no mail: it is passed over.  ``OOB`` (a failure notice that came in) and ``Feedback``
are a stranger's message; they are told as a description and decide nothing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from deliverability.evidence.event import Action, DeliveryEvent, Result, Session, Transport
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.evidence.smtp import Tls
from deliverability.protocols import ingesting
from deliverability.protocols.encoded_words import decode_header_text
from deliverability.protocols.kumomta_records import HEAD, Record, parse_record, record_id
from deliverability.protocols.smtp import remote_queue_id

_OF_ATTEMPTS = tuple(b'{"type":"%s"' % kind for kind in (b"Delivery", b"Bounce", b"TransientFailure", b"Expiration"))
_is_line = ingesting.Recogniser(HEAD, b'{"type":')
_PLAIN = re.compile(r'[^\s"\\(),:;<>@\[\]]{1,64}@')
_TRANSPORTS = {"ESMTP": Transport.SMTP, "LMTP": Transport.LMTP, "Maildir": Transport.MAILBOX, "Lua": Transport.PIPE}
_RESULTS = {
    "Delivery": Result.SENT,
    "Bounce": Result.FAILED,
    "TransientFailure": Result.DEFERRED,
    "Expiration": Result.EXPIRED,
}


def _described(common: DeliveryEvent, record: Record) -> DeliveryEvent:
    subject, message_id = record.header("subject"), record.header("message-id")
    return replace(
        common,
        action=Action.DESCRIBED,
        reverse_path=record.reverse_path,
        size=record.size,
        message_id=message_id.strip().removeprefix("<").removesuffix(">") or None if message_id else None,
        subject=decode_header_text(subject.encode()) if subject else None,
    )


def _arrived(common: DeliveryEvent, record: Record) -> DeliveryEvent:
    peer = record.peer
    return replace(
        _described(common, record),
        action=Action.ARRIVED,
        recipients=record.recipients,
        recipient_count=len(record.recipients),
        session=Session(
            client=replace(peer, name=None) if peer and peer.ip else None,
            helo=peer.name if peer else None,
            protocol=record.text("reception_protocol"),
        ),
    )


def _attempted(common: DeliveryEvent, record: Record) -> Iterator[DeliveryEvent]:
    """The attempt, once for each recipient that shared it."""
    result, version = _RESULTS[record.kind], record.text("tls_protocol_version")
    transport = _TRANSPORTS.get(record.text("delivery_protocol") or "", Transport.NONE)
    ours = record.kind == "Expiration" or record.internal or transport in (Transport.MAILBOX, Transport.PIPE)
    if transport is Transport.NONE and not ours and record.peer:
        transport = Transport.SMTP
    if result is Result.DEFERRED and record.internal and record.stage == "end-of-data":
        result = Result.UNCERTAIN  # no answer came to the end of the data (RFC 1047)
    if result is Result.SENT and not ours and not (record.reply and record.reply.positive):
        return  # not a record that KumoMTA writes
    fields: dict[str, Any] = {
        "action": Action.ATTEMPTED,
        "result": result,
        "transport": Transport.NONE if record.kind == "Expiration" else transport,
        "relay": record.peer,
        "local_ip": record.local_ip,
        "route": record.text("egress_source"),
        "tls": Tls(version, record.text("tls_cipher")) if version else None,
        "reply": None if ours else record.reply,
        "stage": record.stage,
        "text": record.content if ours else "",
    }
    if result is Result.SENT:
        fields["remote_queue_id"] = remote_queue_id(record.content)
    for recipient in record.recipients:
        yield replace(common, recipient=recipient, **fields)


def _rejected(common: DeliveryEvent, record: Record) -> DeliveryEvent:
    """This server refused a command.  Whether it was about a recipient, the record says by naming one."""
    peer, reply = record.peer, record.reply
    return replace(
        common,
        action=Action.REJECTED,
        queue_id=None,
        reverse_path=record.reverse_path,
        recipient=next(iter(record.recipients), None),
        session=Session(
            client=replace(peer, name=None) if peer and peer.ip else None, helo=peer.name if peer else None
        ),
        reply=reply,
        stage=record.stage,
        text="" if reply else record.content,
    )


def _events(line: LogLine, record: Record) -> Iterator[DeliveryEvent]:
    common = DeliveryEvent(
        action=Action.DESCRIBED,
        line=line,
        at=record.at,
        writer="kumomta",
        host=record.text("nodeid"),
        queue_id=record.id,
    )
    if record.kind == "Rejection":
        if record.recipients:
            yield _rejected(common, record)
    elif record.id is None:
        return
    elif record.kind == "Reception":
        yield _arrived(common, record)
    elif record.kind in _RESULTS:
        yield _described(common, record)
        yield from _attempted(common, record)
    elif record.kind == "AdminBounce":
        yield _described(common, record)
        for recipient in record.recipients:
            yield replace(common, action=Action.CANCELLED, recipient=recipient, text=record.content)
    else:
        yield replace(common, text=f"{record.kind}: {record.content}".removesuffix(": "))


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """Each record's events; never raises, keeps nothing between lines."""
    for line in lines:
        record = parse_record(line.raw) if not line.cut and is_line(line.raw) else None
        if record and not record.is_of_hook:
            yield from _events(line, record)


def is_line(raw: bytes) -> bool:
    """Whether it begins as KumoMTA's records do."""
    return _is_line(raw)


def is_lost(raw: bytes) -> bool:
    """Whether a record tells of an attempt, and lacks what KumoMTA writes into each."""
    return raw.startswith(_OF_ATTEMPTS)


def sniff(sample: bytes) -> float:
    """Share of the sample's complete lines that begin as records."""
    return _is_line.share(sample)


def queue_ids(raw: bytes) -> list[str]:
    """The message's id."""
    found = record_id(raw)
    return [found] if found else []


def _as_json(address: str) -> str:
    return address.replace("\\", "\\\\").replace('"', '\\"')


def needles(address: str) -> tuple[bytes, ...]:
    """Spellings of an address in JSON; quoted only where the local part needs it (each one costs a pass over a log)."""
    spelled = ingesting.needles(address, _as_json)
    return tuple(s for s in spelled if not s.startswith(b'\\"')) if _PLAIN.match(address) else spelled


FORMAT = LogFormat(
    id="kumomta",
    title="KumoMTA (JSON log records)",
    sniff=sniff,
    parse=parse,
    is_line=is_line,
    queue_ids=queue_ids,
    needles=needles,
    is_lost=is_lost,
    head=HEAD,
    unproven=True,
)
