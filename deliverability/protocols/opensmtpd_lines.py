"""The grammar of the lines that OpenSMTPD writes, after the syslog head, and what they mean.

OpenSMTPD refuses quoted local parts and white space in addresses, so a bare address ends at its bracket.  Commands that
it refused and replies are strangers' words: they stand last, between quotation marks that nothing escapes, and are
read as one text up to the line's end.  Any bytes give a value or ``None``, in linear time.

Wordings: OpenSMTPD 6.8.0 run for this purpose; ``mta.c``, ``mda.c``, ``queue.c`` and ``smtp_session.c`` of 5.9 to 7.8
(until 6.3 with ``event=`` before the second word).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from deliverability.evidence.event import Action, Result, Session, Transport
from deliverability.evidence.smtp import Host, Tls
from deliverability.protocols.encoded_words import decode_said
from deliverability.protocols.smtp import parse_reply, remote_queue_id

Facts = dict[str, Any]
"""Keyword arguments of a delivery event."""

MAX_TEXT = 2000  # characters of a line that are kept as text

_SESSION = rb"(?P<session>[0-9a-f]{16}) "
_ADDRESS = rb"[^\s<>\"]{0,1024}"
_ENVELOPE = rb"evpid=(?P<evpid>[0-9a-f]{16}) from=<(?P<from>%s)> to=<(?P<to>%s)>" % (_ADDRESS, _ADDRESS)
_HOST = rb"[^\s\"()]{1,300}"

OWN_WORDS = re.compile(
    rb"[0-9a-f]{16} (?:mta|mda|smtp) [a-z]|(?:relay|delivery): (?:Expire|Remove) for |info: OpenSMTPD (?:5\.9|[6-9]\.)|Exiting\Z"
)
"""How the words of most lines begin; those before 5.8 had another form (``relay: Ok for``), which is not read."""
_AT_START = re.compile(_SESSION + rb"(?P<part>mta|mda|smtp) (?:event=)?(?P<what>[a-z-]{3,24})(?: |\Z)")
_MTA = re.compile(
    rb"%s rcpt=<(?P<rcpt>%s)> source=\"(?P<source>[^\s\"]{1,64})\" relay=\"(?P<relay>%s)(?: \((?P<name>%s)\))?\" "
    rb"delay=[0-9a-z]{1,32} result=\"(?P<result>[A-Za-z]{2,16})\" stat=\"(?P<stat>.*)"
    % (_ENVELOPE, _ADDRESS, _HOST, _HOST),
    re.DOTALL,
)
_MDA = re.compile(
    rb"%s (?:rcpt=<(?P<rcpt>%s)> )?user=\S{1,256} (?:method=\S{1,64} )?delay=[0-9a-z]{1,32} "
    rb"result=(?P<result>[A-Za-z]{2,16}) stat=(?P<stat>.*)" % (_ENVELOPE, _ADDRESS),
    re.DOTALL,
)
_MESSAGE = re.compile(
    rb"(?:address=(?P<address>\S{1,128}) host=(?P<host>%s) )?msgid=(?P<msgid>[0-9a-f]{8}) "
    rb"(?:from=<(?P<from>%s)> to=<(?P<to>%s)> )?size=(?P<size>\d{1,18}) n(?:rcpt|dest)=(?P<count>\d{1,9}) "
    rb"proto=(?P<proto>[A-Z]{1,16})\Z" % (_HOST, _ADDRESS, _ADDRESS)
)
_ENVELOPE_LINE = re.compile(_ENVELOPE + rb"\Z")
_CONNECTED = re.compile(rb"address=(\S{1,128}) host=(%s)\Z" % _HOST)
_CONNECTING = re.compile(rb"address=(?:[a-z+]{1,16}://)?\[?([0-9A-Fa-f:.]{2,64})\]?:\d{1,5} host=(%s)\Z" % _HOST)
_TLS = re.compile(rb"ciphers=(?:version=)?([A-Za-z0-9.]{1,16})(?::|, cipher=)([^\s:,]{1,80})(?::|, bits=)")
_REFUSED = re.compile(
    rb"(?:address=\S{1,128} host=%s )?command=\"(RCPT TO|MAIL FROM): ?<(%s)>[^\"]{0,600}\" result=\"(\d{3} [^\"]*)\"\Z"
    % (_HOST, _ADDRESS),
    re.IGNORECASE,
)
_QUEUE = re.compile(
    rb"(?:relay|delivery): (?P<what>Expire|Remove) for (?P<evpid>[0-9a-f]{16}): from=<%s>, to=<(?P<to>%s)>, "
    rb"rcpt=<(?P<rcpt>%s)>, delay=[0-9a-z]{1,32}, stat=(?P<stat>.*)" % (_ADDRESS, _ADDRESS, _ADDRESS),
    re.DOTALL,
)
_NO_SESSION = b"0" * 16  # nothing was connected
_RESULTS = {
    "Ok": Result.SENT,
    "TempFail": Result.DEFERRED,
    "PermFail": Result.FAILED,
    "LoopDetected": Result.FAILED,
    "Loop": Result.FAILED,
}
# mta_session.c: what it says when the connection breaks while a message is under way, whatever the command was.
# "Too much" is what comes behind a reply before the next command: that reply, perhaps to the data, is passed over.
_BROKEN = (
    *("Connection closed unexpectedly", "Connection timeout", "IO Error: ", "Connection reset"),
    "Remote host sent too much data",
)
_CODED = re.compile(r"[2-5]\d\d(?:[ -]|\Z)")


def text(raw: bytes) -> str:
    r"""Bytes of a log as text: UTF-8, other octets shown as ``\xNN``."""
    return raw.decode("utf-8", "backslashreplace")


def ids_of(words: bytes) -> list[str]:
    """The message's id, and those of the envelopes that the line names."""
    match = re.match(
        rb"(?:[0-9a-f]{16} (?:mta|mda|smtp) (?:event=)?(?:delivery|envelope) evpid=|(?:relay|delivery): [A-Z][a-z]{2,16} for )"
        rb"(([0-9a-f]{8})[0-9a-f]{8})[ :]",
        words,
    )
    if match:
        return [text(match[2]), text(match[1])]
    said = _AT_START.match(words)
    message = _MESSAGE.match(words, said.end()) if said and said["what"] == b"message" else None
    return [text(message["msgid"])] if message else []


def facts_of(words: bytes, *, cut: bool) -> tuple[str | None, Facts] | None:
    """The session that a line is about, and what it says; ``cut``: the line's end is lost."""
    queued = _queue(words, cut)
    if queued:
        return None, queued
    match = _AT_START.match(words)
    read = _READERS.get((match["part"], match["what"])) if match else None
    facts = read(words, match.end(), cut) if match and read else None
    if match is None or facts is None:
        return None
    return (None if match["session"] == _NO_SESSION else text(match["session"])), facts


def _delivery(match: re.Match[bytes]) -> Facts:
    rcpt = match["rcpt"]
    to = text(match["to"])
    return {
        "action": Action.ATTEMPTED,
        "queue_id": text(match["evpid"][:8]),
        "recipient": to,
        "original_recipient": text(rcpt) if rcpt not in (None, b"-", match["to"]) else None,
        "result": _RESULTS[text(match["result"])],
        "reverse_path": text(match["from"]),
    }


def _mta(words: bytes, at: int, cut: bool) -> Facts | None:
    match = _MTA.match(words, at)
    if match is None or text(match["result"]) not in _RESULTS:
        return None
    whole = match["stat"].endswith(b'"')
    stat = decode_said(match["stat"][:-1] if whole else match["stat"])
    if not whole and not cut:
        return None
    facts = _delivery(match)
    relay = _relay(match)
    reply = parse_reply(stat) if _CODED.match(stat) else None
    facts |= {
        "transport": Transport.SMTP if relay else Transport.NONE,
        "relay": relay,
        "local_ip": text(match["source"]) if relay and match["source"] != b"-" else None,
        "reply": reply,
        "text": "" if reply else stat[:MAX_TEXT],
    }
    if facts["result"] is Result.SENT:
        told = remote_queue_id(stat)
        facts |= {
            "stage": "end-of-data",
            "remote_queue_id": None if not whole and told and stat.endswith(told) else told,
        }
    elif facts["result"] is Result.DEFERRED and reply is None and relay:
        if cut:
            return None
        if stat.startswith(_BROKEN) and not words.startswith(_NO_SESSION):
            # It may have been after the end of the data (RFC 1047): the line does not say at which command.
            facts["result"] = Result.UNCERTAIN
    return facts


def _relay(match: re.Match[bytes]) -> Host | None:
    """``address (name)``: the name is what the address points back to, not what DNS said on the way there."""
    if match["name"] is None:
        return None
    address, name = text(match["relay"]), text(match["name"])
    ip = address.removeprefix("[").removesuffix("]").removeprefix("IPv6:")
    return Host(None if name in (address, ip) else name, ip)


def _mda(words: bytes, at: int, _cut: bool) -> Facts | None:
    """Handed to a delivery agent: a mailbox, a program and LMTP look alike, so it is told as the weakest of them."""
    match = _MDA.match(words, at)
    if match is None or text(match["result"]) not in _RESULTS:
        return None
    return _delivery(match) | {"transport": Transport.PIPE, "text": text(match["stat"])[:MAX_TEXT]}


def _queue(words: bytes, cut: bool) -> Facts | None:
    match = _QUEUE.match(words)
    if match is None or cut:
        return None
    facts: Facts = {
        "action": Action.CANCELLED,
        "queue_id": text(match["evpid"][:8]),
        "recipient": text(match["to"]),
        "original_recipient": text(match["rcpt"]) if match["rcpt"] not in (b"-", match["to"]) else None,
        "text": text(match["stat"])[:MAX_TEXT],
    }
    if match["what"] == b"Expire":
        facts |= {"action": Action.ATTEMPTED, "result": Result.EXPIRED, "transport": Transport.NONE}
    return facts


def _message(words: bytes, at: int, cut: bool) -> Facts | None:
    match = None if cut else _MESSAGE.match(words, at)
    if match is None:
        return None
    facts: Facts = {
        "action": Action.ARRIVED,
        "queue_id": text(match["msgid"]),
        "size": int(match["size"]),
        "recipient_count": int(match["count"]),
        "session": Session(client=_client(match["address"], match["host"]), protocol=text(match["proto"])),
    }
    if match["to"] is not None:  # until 6.3, one line for each recipient
        facts |= {"action": Action.DESCRIBED, "recipients": (text(match["to"]),), "reverse_path": text(match["from"])}
        del facts["recipient_count"]  # how many addresses this one stands for
    return facts


def _envelope(words: bytes, at: int, cut: bool) -> Facts | None:
    match = None if cut else _ENVELOPE_LINE.match(words, at)
    if match is None:
        return None
    return {
        "action": Action.DESCRIBED,
        "queue_id": text(match["evpid"][:8]),
        "reverse_path": text(match["from"]),
        "recipients": (text(match["to"]),),
    }


def _client(address: bytes | None, name: bytes | None) -> Host | None:
    if address is None or name is None or address == b"local":
        return None
    ip = text(address).removeprefix("[").removesuffix("]").removeprefix("IPv6:")
    return Host(None if text(name) in (ip, "<unknown>") else text(name), ip)


def _connected(words: bytes, at: int, cut: bool) -> Facts | None:
    match = None if cut else _CONNECTED.match(words, at)
    return {"client": _client(match[1], match[2])} if match else None


def _connecting(words: bytes, at: int, cut: bool) -> Facts | None:
    match = None if cut else _CONNECTING.match(words, at)
    if match is None:
        return None
    ip, name = text(match[1]), text(match[2])
    return {"peer": Host(None if name == ip else name, ip)}


def _tls(words: bytes, at: int, _cut: bool) -> Facts | None:
    match = _TLS.match(words, at)
    if match is None:
        return None
    return {"action": Action.CONNECTED, "tls": Tls(text(match[1]), text(match[2])), "text": text(words)[:MAX_TEXT]}


def _error(words: bytes, _at: int, _cut: bool) -> Facts | None:
    return {"action": Action.CONNECTED, "stage": None, "text": text(words)[:MAX_TEXT]}


def _refused(words: bytes, at: int, cut: bool) -> Facts | None:
    match = None if cut else _REFUSED.match(words, at)
    if match is None:
        return None
    reply = parse_reply(text(match[3]))
    to_recipient = match[1].upper() == b"RCPT TO"
    return {
        "action": Action.REJECTED,
        "recipient" if to_recipient else "reverse_path": text(match[2]),
        "reply": reply,
        "dsn_code": reply.enhanced_status_code,
        "result": Result.DEFERRED if reply.transient else Result.FAILED,
        "stage": "rcpt" if to_recipient else "mail",
    }


_READERS: Mapping[tuple[bytes, bytes], Callable[[bytes, int, bool], Facts | None]] = {
    (b"mta", b"delivery"): _mta,
    (b"mda", b"delivery"): _mda,
    (b"smtp", b"message"): _message,
    (b"smtp", b"envelope"): _envelope,
    (b"smtp", b"connected"): _connected,
    (b"mta", b"connecting"): _connecting,
    (b"mta", b"tls"): _tls,
    (b"mta", b"error"): _error,
    (b"smtp", b"failed-command"): _refused,
}
