"""One attempt of Postfix to deliver, in the vocabulary of delivery events: by what, to whom, how it ended.

Fields of :class:`~deliverability.evidence.event.DeliveryEvent`, made from the parts that
:mod:`deliverability.protocols.postfix_lines` reads.
"""

import re
from collections.abc import Mapping
from typing import Any

from deliverability.evidence.event import Action, Result, Transport
from deliverability.protocols.postfix_lines import (
    Outcome,
    parse_host,
    parse_outcome,
    parse_tls,
    parse_trouble,
    text,
)
from deliverability.protocols.smtp import parse_reply, remote_queue_id
from deliverability.protocols.whole_line import holds_another

Fields = dict[str, Any]
"""Keyword arguments of a delivery event."""

_FORWARDED = re.compile(r"forwarded as (\S{6,40})\Z")

_RESULTS: Mapping[str, Result | None] = {
    "sent": Result.SENT,
    "deferred": Result.DEFERRED,
    "softbounce": Result.DEFERRED,  # soft_bounce = yes: a bounce that is tried again
    "bounced": Result.FAILED,
    "expired": Result.EXPIRED,
    "force-expired": Result.EXPIRED,
    "deliverable": None,  # probes: nothing was sent
    "undeliverable": None,
    "undeliverable-but-not-cached": None,  # verify.c: address_verify_negative_cache = no
}


def attempt_fields(words: bytes, program: str | None) -> Fields | None:
    """What a delivery agent's or the queue manager's line about one recipient says; ``None`` for any other line.

    A line that is cut before it tells a deferral from a lost answer to the end of DATA says nothing.

    ``program`` is ``None`` where syslog lost it: the kind of delivery is then told from what the agent wrote.
    """
    said = parse_outcome(words)
    if said is None or said.status not in _RESULTS or _is_open(said) or (said.ambiguous and holds_another(words)):
        return None
    relay, socket = parse_host(said.relay)
    transport = _transport(program, said, has_host=relay is not None, has_socket=socket is not None)
    fields: Fields = {
        "action": Action.ATTEMPTED,
        "recipient": said.recipient,
        "original_recipient": said.original_recipient,
        "result": _RESULTS[said.status],
        "probe": _RESULTS[said.status] is None,
        "transport": transport,
        "relay": relay,
        "route": socket or (said.relay if relay is None and said.relay != "none" else None),
        "dsn_code": said.dsn_code,
    }
    if transport in (Transport.SMTP, Transport.LMTP):
        fields |= _conversation(said)
    else:
        forwarded = _FORWARDED.match(said.words) if transport is Transport.FORWARD and said.complete else None
        fields |= {"text": said.words, "remote_queue_id": forwarded[1] if forwarded else None}
    if said.ambiguous:
        fields |= {"result": Result.UNCERTAIN, "reply": None, "remote_queue_id": None, "text": text(words)}
    return fields


def _is_open(said: Outcome) -> bool:
    """Whether the line is cut where its rest could say that the message may have been accepted after all."""
    if said.complete or _RESULTS[said.status] is not Result.DEFERRED:
        return False
    trouble = parse_trouble(said.words)
    return trouble is None or (trouble.reply is None and trouble.stage in (None, "end-of-data"))


def _conversation(said: Outcome) -> Fields:
    """What the other server answered, or what went wrong before it could."""
    if said.status in ("sent", "deliverable"):
        told = remote_queue_id(said.words)
        if told and not said.complete and said.words.endswith(told):
            told = None  # the line was cut within the id
        stage = "end-of-data" if said.status == "sent" else "rcpt"
        return {"reply": parse_reply(said.words), "stage": stage, "remote_queue_id": told}
    trouble = parse_trouble(said.words)
    if trouble is None:
        return {"text": said.words}
    fields: Fields = {"stage": trouble.stage, "reply": trouble.reply}
    if trouble.reply is None:
        fields["text"] = said.words
    if trouble.uncertain:
        fields["result"] = Result.UNCERTAIN
    return fields


_REPLIERS = frozenset({"autoreply", "autorespond", "autoresponder", "vacation"})
"""Usual names of transports that answer a message and keep nothing of it."""

_BY_PROGRAM = {
    "smtp": Transport.SMTP,
    "lmtp": Transport.LMTP,
    "pipe": Transport.PIPE,
    "discard": Transport.DISCARD,
}


def _transport(program: str | None, said: Outcome, *, has_host: bool, has_socket: bool) -> Transport:
    if has_socket and program in (None, "smtp"):
        return Transport.LMTP  # smtp(8) also serves as lmtp(8), which alone speaks over UNIX sockets
    if program == "pipe" and said.relay in _REPLIERS:
        return Transport.REPLY
    if program in _BY_PROGRAM:
        return _BY_PROGRAM[program]
    if (program or said.relay) in ("local", "virtual"):
        return _local_transport(said)
    if program is not None or said.relay == "none":
        return Transport.NONE
    return Transport.SMTP if has_host else Transport.PIPE


def _local_transport(said: Outcome) -> Transport:
    words = said.words
    if words.startswith("forwarded as "):
        return Transport.FORWARD
    if words.startswith("delivered to command"):
        return Transport.PIPE
    if words.startswith("delivered to file: /dev/null"):
        return Transport.DISCARD
    final = words.startswith(("delivered to mailbox", "delivered to maildir", "delivered to file"))
    # Success in words that are not known to mean a mailbox is not told as final delivery.
    return Transport.MAILBOX if final or said.status != "sent" else Transport.PIPE


def trouble_fields(words: bytes, *, queued: bool) -> Fields | None:
    """What an SMTP or LMTP client says of a session; ``queued``: the line names the message it was for."""
    shown = text(words)
    session = parse_tls(shown)
    if session:
        return {"action": Action.CONNECTED, "relay": session[0], "tls": session[1], "text": shown}
    trouble = parse_trouble(shown)
    if trouble is None:
        return None
    return {
        "action": Action.TROUBLE if queued else Action.CONNECTED,
        "relay": trouble.host,
        "reply": trouble.reply,
        "stage": trouble.stage,
        "result": Result.UNCERTAIN if trouble.uncertain else None,
        "text": "" if trouble.reply else shown,
    }
