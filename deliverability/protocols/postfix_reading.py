"""What each line of Postfix says, in the vocabulary of delivery events; read once a log holds such lines.

Who wrote a line decides what it may say: only a delivery agent or the queue manager reports an outcome, only
``cleanup`` a subject.  Where syslog kept only ``postfix`` of the tag, the line's own first word decides, and what
cannot be told apart is told as the weaker of the two.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deliverability.evidence.event import Action, DeliveryEvent, Relation, Result, Session, Transport
from deliverability.evidence.exhibit import LogLine
from deliverability.protocols.encoded_words import decode_header_text
from deliverability.protocols.postfix_attempts import Fields, attempt_fields, trouble_fields
from deliverability.protocols.postfix_lines import (
    Refusal,
    parse_header_line,
    parse_host,
    parse_proxied,
    parse_refusal,
    text,
)
from deliverability.protocols.postfix_names import AGENTS, CLIENTS, QUEUE_MANAGERS, REPEATED, REPORTERS
from deliverability.protocols.postfix_names import program as program_of
from deliverability.protocols.postfix_queue import (
    parse_active,
    parse_client,
    parse_expired,
    parse_notice,
    parse_pickup,
    split_queue_id,
)
from deliverability.protocols.smtp import parse_reply
from deliverability.protocols.syslog import Prologue, parse_prologue

MAX_LINE = 65_536
"""Octets of a line that are read; Postfix and syslog cut far earlier."""

_LOST = re.compile(
    rb"messages? lost due to rate-limiting|begins? to drop messages|\blost \d{1,9} messages"
    rb"|\bSuppressed \d{1,9} messages\b"
)
_REPEATS = re.compile(rb"message repeated \d{1,9} times: \[|" + REPEATED)
_FIRST_WORD = re.compile(rb"[A-Za-z_-]{1,24}")
_RULE = re.compile(rb"(?:milter-)?(hold|discard): [A-Z-]{3,24}(?: content)? from (\S{1,800})(?=: )")
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|\Z)")


@dataclass(frozen=True, slots=True)
class _Words:
    """What a Postfix program said: its own words without the syslog head and the queue id."""

    raw: bytes
    program: str | None
    """Program that wrote them; ``None`` where syslog lost it."""
    queue_id: str | None
    cut: bool
    """The line's end is missing: a value that runs up to it may be incomplete."""

    def by(self, *programs: str) -> bool:
        return self.program is None or self.program in programs


def _attempt(words: _Words) -> Fields | None:
    return attempt_fields(words.raw, words.program) if words.by(*AGENTS) else None


def _trouble(words: _Words) -> Fields | None:
    return trouble_fields(words.raw, queued=words.queue_id is not None) if words.by(*CLIENTS) else None


def _envelope(words: _Words) -> Fields | None:
    if not words.by(*QUEUE_MANAGERS):
        return None
    active = parse_active(words.raw)
    if active:
        return {
            "action": Action.DESCRIBED,
            "reverse_path": active.reverse_path,
            "size": active.size,
            "recipient_count": active.recipient_count,
        }
    reverse_path = parse_expired(words.raw)
    if reverse_path is None:
        return None
    return {
        "action": Action.ATTEMPTED,
        "result": Result.EXPIRED,
        "transport": Transport.NONE,
        "reverse_path": reverse_path,
        "text": "returned to sender",
    }


def _arrival(words: _Words) -> Fields | None:
    if words.cut:
        return None
    if words.raw.startswith(b"uid="):
        arrival = parse_pickup(words.raw) if words.by("pickup") else None
    else:
        arrival = parse_client(words.raw) if words.by("smtpd", "qmqpd") else None
    if arrival is None:
        return None
    return {
        "action": Action.ARRIVED,
        "reverse_path": arrival.reverse_path,
        "session": Session(client=arrival.client, authenticated=arrival.user),
        "related": ((Relation.REQUEUED_FROM, arrival.previous_id),) if arrival.previous_id else (),
    }


def _message_id(words: _Words) -> Fields | None:
    if not words.by("cleanup") or words.cut:
        return None
    name, _, value = words.raw.partition(b"=")
    if name != b"message-id":  # Resent-Message-ID names another sending of the same message
        return {"action": Action.DESCRIBED, "text": text(words.raw)}
    shown = text(value).strip().removeprefix("<").removesuffix(">")
    return {"action": Action.DESCRIBED, "message_id": shown} if shown else None


_ENDINGS = frozenset({b"removed", b"removed (canceled)", b"removed (discarded)"})  # the latter two by cleanup, 3.10


def _removed(words: _Words) -> Fields | None:
    if words.raw not in _ENDINGS or not words.by(*QUEUE_MANAGERS, "cleanup", "postsuper"):
        return None
    return {
        "action": Action.CANCELLED if words.program == "postsuper" else Action.REMOVED,
        "text": text(words.raw.removeprefix(b"removed").strip(b" ()")),
    }


_BY_OPERATOR = {
    b"placed on hold": Action.HELD,
    b"released from hold": Action.RELEASED,
    b"requeued": Action.REMOVED,  # back to the maildrop; pickup gives it a new id and names this one
}


def _by_operator(words: _Words) -> Fields | None:
    action = _BY_OPERATOR.get(words.raw) if words.by("postsuper") else None
    return {"action": action, "text": text(words.raw)} if action else None


def _notice(words: _Words) -> Fields | None:
    notice = parse_notice(words.raw) if words.by("bounce", "defer", "trace") and not words.cut else None
    if notice is None:
        return None
    kind, queue_id = notice
    return {"action": Action.NOTIFIED, "related": ((Relation.NOTICE, queue_id),), "text": kind}


def _refused(refusal: Refusal) -> Fields:
    reply = parse_reply(refusal.words)
    enhanced = _ENHANCED.match(refusal.words)
    return {
        "action": Action.REJECTED,
        "reverse_path": refusal.reverse_path,
        "recipient": refusal.recipient,
        "session": Session(client=refusal.client, helo=refusal.helo, protocol=refusal.protocol),
        "reply": reply if reply.code else None,
        "dsn_code": reply.enhanced_status_code or (enhanced[0] if enhanced else None),
        "text": "" if reply.code else refusal.words,
    }


_ABOUT_A_MESSAGE = frozenset({"MAIL", "RCPT", "DATA", "BDAT", "END-OF-MESSAGE"})


def _refusal(words: _Words) -> Fields | None:
    refusal = parse_refusal(words.raw) if words.by("smtpd", "cleanup", "postscreen") else None
    if refusal is None or (words.queue_id is None and refusal.stage not in _ABOUT_A_MESSAGE):
        return None
    return _refused(refusal)


def _proxied(words: _Words) -> Fields | None:
    refusal = parse_proxied(words.raw) if words.by("smtpd") and not words.cut else None
    if refusal is None or refusal.stage not in _ABOUT_A_MESSAGE:
        return None
    # Without an answer of the filter's, which was lost, this server tells the client to come back.
    return _refused(refusal) | ({} if refusal.words.strip() else {"result": Result.DEFERRED})


_BY_RULE = {"hold": Action.HELD, "discard": Action.CANCELLED}


def _rule(words: _Words) -> Fields | None:
    """What an access rule or a milter does with the message instead of sending it on."""
    match = _RULE.match(words.raw)
    if match is None:
        return None
    # The rule of a first recipient speaks before the message has an id; process and client tie the two.
    told: Fields = {
        "action": _BY_RULE[text(match[1])],
        "session": Session(client=parse_host(text(match[2]))[0]),
        "text": text(words.raw),
    }
    about = parse_refusal(b"reject: " + words.raw.partition(b": ")[2])
    if about and words.queue_id is None and match[1] == b"discard":
        told |= {"recipient": about.recipient, "reverse_path": about.reverse_path}
    elif about and words.queue_id is not None:
        told |= {"recipients": (about.recipient,) if about.recipient else (), "reverse_path": about.reverse_path}
    return told


def _header(words: _Words) -> Fields | None:
    """A header that ``header_checks`` logged, or what access rules and milters decided."""
    if not words.by("cleanup", "smtpd", "postscreen") or words.cut:
        return None
    line = parse_header_line(words.raw) if words.by("cleanup") else None
    if line is None:
        return _rule(words) or _refusal(words)
    subject = decode_header_text(line.subject) if line.subject is not None else None
    verb = line.action.removeprefix("milter-header-")
    if verb == "reject":
        return _refused(line.envelope) | {"subject": subject}
    # Of several recipients the context names the first; it is Postfix's own, or (imitated) nothing at all.
    told: Fields = {"subject": subject, "reverse_path": line.envelope.reverse_path}
    if line.envelope.recipient:
        told["recipients"] = (line.envelope.recipient,)
    if verb in _BY_RULE:
        return told | {"action": _BY_RULE[verb], "text": text(words.raw)}
    return None if subject is None else told | {"action": Action.DESCRIBED}


_HANDLERS: Mapping[bytes, Callable[[_Words], Fields | None]] = {
    b"to": _attempt,
    b"from": _envelope,
    b"client": _arrival,
    b"uid": _arrival,
    b"message-id": _message_id,
    b"resent-message-id": _message_id,
    b"removed": _removed,
    b"placed": _by_operator,
    b"released": _by_operator,
    b"requeued": _by_operator,
    b"sender": _notice,
    b"postmaster": _notice,
    b"proxy-reject": _proxied,
    **dict.fromkeys((b"host", b"lost", b"conversation", b"connect", b"SASL", b"TLS", b"Cannot", b"Server"), _trouble),
    **dict.fromkeys((b"Anonymous", b"Untrusted", b"Trusted", b"Verified"), _trouble),
    **dict.fromkeys((b"SSL_connect", b"certificate"), _trouble),
    **dict.fromkeys((b"info", b"warning", b"hold", b"reject", b"discard", b"filter", b"redirect", b"prepend"), _header),
    **dict.fromkeys((b"replace", b"pass", b"bcc", b"strip", b"milter-hold", b"milter-discard"), _header),
    **dict.fromkeys((b"milter-reject", b"milter-header-reject", b"milter-header-discard"), _header),
    **dict.fromkeys((b"milter-header-hold", b"milter-header-info", b"milter-header-warn"), _header),
}


def _gap(head: Prologue, program: str | None) -> bool:
    """Whether the logger says that lines are missing here."""
    if head.tag in REPORTERS:
        return _LOST.search(head.rest) is not None
    return (program != "" or not head.tag) and _REPEATS.match(head.rest) is not None


def _fields(line: LogLine, rest: bytes, program: str | None, queue_id: str | None) -> Fields | None:
    # A paste may have blanks there, or mailcow's log viewer its comma; Postfix ends no line with one that matters.
    rest = rest.rstrip(b" \t\r").removesuffix(b",")
    never_queued = queue_id is None and rest.startswith(b"NOQUEUE: ")
    raw = rest.removeprefix(b"NOQUEUE: ") if never_queued else rest
    first = _FIRST_WORD.match(raw)
    handler = _HANDLERS.get(first[0]) if first else None
    if queue_id is None and raw.startswith(b"warning: proxy "):
        handler = _proxied
    without_id = (_header,) if never_queued else (_trouble, _proxied)
    if handler is None or (queue_id is None and handler not in without_id):
        return None
    return handler(_Words(raw, program, queue_id, cut=line.cut or len(line.raw) > MAX_LINE))


def read(line: LogLine) -> DeliveryEvent | None:
    """The line's event, if it says anything about a message; never raises."""
    head = parse_prologue(line.raw[:MAX_LINE])
    if head is None:
        return None
    program, queue_id = program_of(head.tag), None
    if _gap(head, program):
        fields: Fields | None = {"action": Action.GAP, "text": text(head.rest)}
    elif program == "":
        return None
    else:
        queue_id, rest = split_queue_id(head.rest)
        fields = _fields(line, rest, program, queue_id)
    if not fields:
        return None
    return DeliveryEvent(
        line=line,
        at=head.at,
        writer=f"postfix/{program}" if program else head.tag or "syslog",
        host=head.host,
        process=f"{head.tag}[{head.pid}]" if head.pid else None,
        queue_id=queue_id,
        **fields,
    )
