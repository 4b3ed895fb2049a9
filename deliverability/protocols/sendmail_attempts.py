"""Attempts of Sendmail to deliver (``to=…``), in the vocabulary of delivery events.

The companion of :mod:`deliverability.protocols.sendmail_lines`.  Statuses: ``sm_sysexmsg`` in ``libsm/strexit.c``,
``giveresponse`` and ``logdelivery`` in ``deliver.c``, Sendmail 8.12 to 8.18; what is uncertain was run against receivers
that hang up or fall silent at each command.

Before 8.16 a reply is not logged, and of the words for what was given up one alone is certain to be the other server's:
"User unknown" behind the address of a connection is its 550, 551 or 553 to RCPT (``smtprcptstat`` in ``usersmtp.c``),
unless the rule ``tls_rcpt``, which is logged before it, said so.  "Service unavailable" is also said of our own rules for
TLS and of a time that ran out (``deliver``, ``smtpmailfrom``), "Data format error" of a message that cannot be sent in
seven bits, "Host unknown" of the DNS.

The mailer ``local`` is whatever program the administrator chose: on most systems procmail, whose recipes may forward a
message or throw it away.  Its success is told as handed to a program, unless it answered as LMTP does.
"""

import re
from typing import Any

from deliverability.evidence.event import Action, Result, Transport
from deliverability.protocols.sendmail_lines import Delivery, parse_delivery
from deliverability.protocols.smtp import parse_reply, remote_queue_id

Facts = dict[str, Any]
"""Keyword arguments of a delivery event."""

MAX_TEXT = 2000  # characters of a line that are kept as text

_SENT = re.compile(r"Sent(?: \((.*)\))?\Z", re.DOTALL)
_DEFERRED = re.compile(r"Deferred(?:: (.*))?\Z", re.DOTALL)
# Sendmail's own words in the shape of a reply: a broken connection, and 403, its number for TLS that did not come off.
_OWN_REPLY = re.compile(r"4\d\d 4\.4\.\d Connection (?:reset by|timed out with) |403[ -]")
_CODED = re.compile(r"[45]\d\d[ -]")
_LOST = "4.4.2"  # RFC 3463: bad connection
_UNCODED = "4.0.0"
"""What Sendmail to 8.16 gives every deferral of a whole transaction."""
_UNCODED_LOST = re.compile(r"Deferred(?:: (?:Connection reset by |Broken pipe)|\Z)")
_NOT_CONNECTED = (
    "Deferred: Connection refused",
    "Deferred: No route to host",
    "Deferred: Network is unreachable",
    "Deferred: Host is down",
)

_BY_MAILER = {
    "prog": Transport.PIPE,
    "*file*": Transport.MAILBOX,
    "discard": Transport.DISCARD,
    "bitbucket": Transport.DISCARD,
    "local": Transport.PIPE,
    "cyrus": Transport.PIPE,
    "procmail": Transport.PIPE,
    "error": Transport.NONE,
}
_STORES = ("local", "cyrus")
_OF_AN_ALIAS = ("prog", "*file*")
"""Mailers whose recipient is a program or file, and whose controlling address is the alias or user that named it."""


def attempts(words: bytes, queue_id: str | None, cut: bool) -> list[Facts]:
    """What a ``to=`` line says of each of its recipients: nothing, where it was cut or does not come out even."""
    # Of a line that was cut, what is lost may be the true outcome, and what is left an address that imitates one.
    said = parse_delivery(words) if queue_id is not None and not cut else None
    if said is None:
        return []
    if said.stat in ("queued", "quarantined"):
        action = Action.DESCRIBED if said.stat == "queued" else Action.HELD
        return [{"action": action, "recipients": said.recipients, "text": said.stat}]
    if said.mailer is None:
        refused = {"action": Action.REJECTED, "stage": "end-of-data", "text": said.stat[:MAX_TEXT]}
        return [{"recipient": to, **refused} for to in said.recipients]
    outcome = _outcome(said, said.mailer.lower())
    if outcome is None:
        return []
    original = said.controlling if said.mailer in _OF_AN_ALIAS else None
    return [
        {"action": Action.ATTEMPTED, "recipient": to, "original_recipient": original, **outcome}
        for to in said.recipients
    ]


def _outcome(said: Delivery, mailer: str) -> Facts | None:
    transport = _transport(said, mailer)
    facts: Facts = {
        "transport": transport,
        "relay": said.relay if said.relay and said.connected else None,
        "route": f"mailer={said.mailer}",
        "dsn_code": said.dsn_code,
    }
    sent = _SENT.match(said.stat)
    if sent:
        if said.reply is not None or (said.dsn_code or "2")[0] != "2":
            return None
        words = sent[1] or ""
        facts |= {"result": Result.SENT, "reply": parse_reply(words) if words else None}
        if transport in (Transport.SMTP, Transport.LMTP):
            facts |= {"stage": "end-of-data", "remote_queue_id": remote_queue_id(words)}
        return facts
    deferred = _DEFERRED.match(said.stat)
    words = said.reply if said.reply is not None else (deferred[1] or "" if deferred else "")
    reply = parse_reply(words) if _CODED.match(words) and not _OWN_REPLY.match(words) else None
    if reply is not None:
        result = Result.FAILED if reply.permanent else Result.DEFERRED
        return facts | {"result": result, "reply": reply, "text": said.stat[:MAX_TEXT]}
    facts["text"] = (f"{words}; {said.stat}" if said.reply else said.stat)[:MAX_TEXT]
    if transport is Transport.SMTP and facts["relay"] is None:
        facts["transport"] = transport = Transport.NONE  # no host was reached, nor tried
    if deferred:
        facts["stage"] = "connect" if said.stat.startswith("Deferred: Connection refused") else None
        return facts | {"result": Result.UNCERTAIN if _may_be_lost(said, transport) else Result.DEFERRED}
    if (
        said.stat == "User unknown"
        and said.reply is None
        and said.connected
        and ("smtp" in mailer or mailer == "relay")
    ):
        return facts | {"result": Result.REFUSED, "stage": "rcpt"}
    result_ = {"4": Result.DEFERRED, "5": Result.FAILED}.get((said.dsn_code or "?")[0])
    return facts | {"result": result_} if result_ else None


def _may_be_lost(said: Delivery, transport: Transport | None) -> bool:
    """Whether the connection may have broken after the end of the data, when the message may have been accepted.

    Hung up there, Sendmail writes ``Deferred`` and no more; after a TCP reset what it also writes for earlier commands.
    """
    if said.dsn_code == _UNCODED:
        if not _UNCODED_LOST.match(said.stat):
            return False  # a silence after the data has a line of its own; of one while connecting there is none
    elif said.dsn_code not in (_LOST, None) or said.stat.startswith(_NOT_CONNECTED):
        return False
    # A reply= of Sendmail's own is written for RCPT; over LMTP (RFC 2033) recipients are also answered after the data.
    return transport is Transport.LMTP or (transport is Transport.SMTP and said.reply is None)


def _transport(said: Delivery, mailer: str) -> Transport | None:
    if "lmtp" in mailer or mailer.startswith("cyrusv2"):
        return Transport.LMTP
    known = _BY_MAILER.get(mailer)
    if known is Transport.MAILBOX and said.recipients[0] == "/dev/null":
        return Transport.DISCARD
    if mailer in _STORES and said.stat.startswith("Sent ("):
        return Transport.LMTP
    if known is not None:
        return known
    by_smtp = "smtp" in mailer or mailer == "relay" or bool(said.relay and said.relay.ip)
    return Transport.SMTP if by_smtp else None
