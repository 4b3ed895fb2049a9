"""What Sendmail's lines mean, in the vocabulary of delivery events.

Arrivals, notices, clones, refusals of our own server, rules and milters; attempts are read by
:mod:`deliverability.protocols.sendmail_attempts`.
"""

import re
from collections.abc import Callable, Mapping

from deliverability.evidence.event import Action, Relation, Result, Session, Transport
from deliverability.evidence.smtp import Tls
from deliverability.protocols.sendmail_attempts import MAX_TEXT, Facts, attempts
from deliverability.protocols.sendmail_lines import (
    QUEUE_ID,
    address_at,
    bare,
    host,
    parse_arrival,
    text,
)
from deliverability.protocols.smtp import parse_reply

_NEW_ID = re.compile(rb"(%s): " % QUEUE_ID)
_NOTICE = re.compile(rb"(DSN|return to sender|sender notify|postmaster notify): ")
_CLONE = re.compile(rb"clone: owner=")
_OLD_CLONE = re.compile(rb"clone (%s), owner=" % QUEUE_ID)
_EXPIRED = (b"Cannot send message for ", b"Cannot send message within ", b"Message could not be delivered for ")
_TIMEOUT = re.compile(rb"timeout waiting for input from (\S{1,300}) during client ([A-Za-z0-9 ]{1,40})\Z")
_WRITING = re.compile(rb"SYSERR\([^()]{1,64}\): timeout writing message to (\S{1,300}?)(?:: |\Z)")
_STAGES = {
    "greeting": "connect",
    "EHLO": "ehlo",
    "HELO": "ehlo",
    "LHLO": "ehlo",
    "STARTTLS": "starttls",
    "MAIL": "mail",
    "RCPT": "rcpt",
    "DATA 354": "data",
    "DATA status": "end-of-data",
}
_TLS = re.compile(
    rb"STARTTLS=client, relay=([^\s,]{1,300}?)(?: \[([0-9A-Fa-f:.]{2,64})\])?, version=([^\s,]{1,32}), "
    rb"verify=([A-Z]{1,16}), cipher=([^\s,]{1,80}), bits="
)
_RULE = re.compile(rb"ruleset=(check_[a-z]{1,32}), arg1=")
_RULED = re.compile(
    rb"(?:, arg2=[^,]{0,300})?, relay=(?P<relay>[^,]{0,400}), (?:(?P<how>reject|quarantine)=(?P<words>.*)|discard\Z)",
    re.DOTALL,
)
_UNKNOWN = re.compile(rb"\.\.\. (.*)", re.DOTALL)
_MILTER = re.compile(rb"Milter: (?:(to|from)=)?")
_MILTER_END = re.compile(rb"(?:cmd=)?(data|eom)(?:, reject=(?P<words>.*)|, discard\Z)", re.DOTALL)
_REJECT = re.compile(rb", reject=(.*)", re.DOTALL)
_MILTER_QUARANTINE = re.compile(rb"milter=[^,]{1,128}, quarantine=(.*)", re.DOTALL)
_EXPANSION = re.compile(rb"(?:alias|forward) ")


def facts_of(words: bytes, queue_id: str | None, *, cut: bool) -> list[Facts]:
    """What the words behind the queue id say: nothing, one fact, or one for each recipient; ``cut``: the end is lost."""
    for start, read in _READERS.items():
        if words.startswith(start):
            return read(words, queue_id, cut)
    return _other(words, queue_id, cut)


def expansion(words: bytes) -> tuple[str, tuple[str, ...]] | None:
    """``alias <a> => b, c`` or ``forward <a> => b`` (LogLevel 11 and higher): the address and what it leads to."""
    match = _EXPANSION.match(words)
    name = address_at(words, match.end()) if match else None
    if name is None or not words.startswith(b" => ", name[1]):
        return None
    targets: list[str] = []
    at = name[1] + len(b" => ")
    while (one := address_at(words, at)) is not None and len(targets) < 1000:
        targets.append(bare(one[0]))
        at = one[1]
        if at == len(words):
            return bare(name[0]), tuple(targets)
        if not words.startswith(b", ", at):
            return None
        at += 2
    return None


def _arrival(words: bytes, queue_id: str | None, cut: bool) -> list[Facts]:
    arrival = None if cut or queue_id is None else parse_arrival(words)
    if arrival is None or not arrival.recipient_count:
        return []  # nobody was accepted as a recipient: no message came of it
    return [
        {
            "action": Action.ARRIVED,
            "reverse_path": arrival.reverse_path,
            "size": arrival.size,
            "recipient_count": arrival.recipient_count,
            "message_id": arrival.message_id,
            "session": Session(client=arrival.client, protocol=arrival.protocol),
        }
    ]


def _about_new_id(words: bytes, queue_id: str | None, cut: bool) -> list[Facts]:
    """``NEWID: DSN: …`` and ``NEWID: clone: owner=…``: another id came of this one."""
    new = _NEW_ID.match(words)
    if new is None or queue_id is None:
        return []
    told = text(new[1])
    notice = _NOTICE.match(words, new.end())
    if notice:
        rest = words[notice.end() :]
        facts: list[Facts] = [
            {
                "action": Action.NOTIFIED,
                "related": ((Relation.NOTICE, told),),
                "text": text(words[new.end() :])[:MAX_TEXT],
            }
        ]
        if rest.startswith(_EXPIRED):
            expired = {"result": Result.EXPIRED, "transport": Transport.NONE, "text": text(rest)[:MAX_TEXT]}
            facts.append({"action": Action.ATTEMPTED, **expired})
        return facts
    if _CLONE.match(words, new.end()) and not cut:
        return [{"action": Action.ARRIVED, "queue_id": told, "related": ((Relation.REQUEUED_FROM, queue_id),)}]
    return []


def _old_clone(words: bytes, queue_id: str | None, cut: bool) -> list[Facts]:
    match = _OLD_CLONE.match(words)
    if match is None or queue_id is None or cut:
        return []
    return [{"action": Action.ARRIVED, "related": ((Relation.REQUEUED_FROM, text(match[1])),)}]


def _trouble(words: bytes, queue_id: str | None, _cut: bool) -> list[Facts]:
    match = _TIMEOUT.match(words) or _WRITING.match(words)
    if match is None or queue_id is None:
        return []
    stage = _STAGES.get(text(match[2])) if match.re is _TIMEOUT else "data"
    uncertain = stage == "end-of-data"
    return [
        {
            "action": Action.TROUBLE,
            "relay": host(text(match[1])),
            "stage": stage,
            "result": Result.UNCERTAIN if uncertain else None,
            "text": text(words)[:MAX_TEXT],
        }
    ]


def _tls(words: bytes, _queue_id: str | None, _cut: bool) -> list[Facts]:
    match = _TLS.match(words)
    if match is None:
        return []
    shown = text(match[1]) + (f" [{text(match[2])}]" if match[2] else "")
    verified = match[4] in (b"OK", b"TRUSTED")
    tls = Tls(text(match[3]), text(match[5]), verified=verified)
    return [{"action": Action.CONNECTED, "relay": host(shown), "tls": tls, "text": text(words)[:MAX_TEXT]}]


_RULES = {"check_rcpt": "rcpt", "check_mail": "mail", "check_data": "data", "check_eom": "end-of-data"}


def _ruled(words: bytes, queue_id: str | None, cut: bool) -> list[Facts]:
    rule = _RULE.match(words)
    stage = _RULES.get(text(rule[1]), "") if rule else ""
    subject = address_at(words, rule.end()) if rule else None
    match = _RULED.match(words, subject[1]) if subject else None
    if not stage or subject is None or match is None or cut:
        return []
    if match["how"] == b"quarantine":
        return [{"action": Action.HELD, "text": text(words)[:MAX_TEXT]}] if queue_id else []
    if match["how"] is None:
        return [{"action": Action.CANCELLED, "text": text(words)[:MAX_TEXT]}] if queue_id else []
    client = Session(client=host(text(match["relay"])))
    return [_refused(stage, subject[0], match["words"]) | {"session": client}]


def _refused(stage: str, address: bytes | None, words: bytes) -> Facts:
    reply = parse_reply(text(words)[:MAX_TEXT])
    facts: Facts = {
        "action": Action.REJECTED,
        "stage": stage,
        "result": Result.DEFERRED if reply.transient else Result.FAILED,
        "reply": reply if reply.code else None,
        "dsn_code": reply.enhanced_status_code,
        "text": "" if reply.code else reply.text,
    }
    if address is not None and stage in ("rcpt", "mail"):
        facts["recipient" if stage == "rcpt" else "reverse_path"] = bare(address)
    return facts


def _milter(words: bytes, queue_id: str | None, cut: bool) -> list[Facts]:
    match = _MILTER.match(words)
    if match is None or cut:
        return []
    if match[1] is None:
        end = _MILTER_END.match(words, match.end())
        if end is None or queue_id is None:
            return []
        if end["words"] is None:
            return [{"action": Action.CANCELLED, "text": text(words)[:MAX_TEXT]}]
        return [_refused("end-of-data", None, end["words"])]
    subject = address_at(words, match.end())
    reject = _REJECT.match(words, subject[1]) if subject else None
    if subject is None or reject is None:
        return []
    return [_refused("rcpt" if match[1] == b"to" else "mail", subject[0], reject[1])]


def _other(words: bytes, queue_id: str | None, cut: bool) -> list[Facts]:
    """Lines that begin with an id or an address."""
    if _NEW_ID.match(words):
        return _about_new_id(words, queue_id, cut)
    subject = address_at(words, 0) if words.startswith(b"<") else None
    match = _UNKNOWN.match(words, subject[1]) if subject else None
    if subject is None or match is None or queue_id is None or cut:
        return []
    return [_refused("rcpt", subject[0], match[1])]


def _done(_words: bytes, queue_id: str | None, _cut: bool) -> list[Facts]:
    return [{"action": Action.REMOVED}] if queue_id is not None else []


def _quarantined(words: bytes, queue_id: str | None, cut: bool) -> list[Facts]:
    if queue_id is None or cut or not _MILTER_QUARANTINE.match(words):
        return []
    return [{"action": Action.HELD, "text": text(words)[:MAX_TEXT]}]


_READERS: Mapping[bytes, Callable[[bytes, str | None, bool], list[Facts]]] = {
    b"to=": attempts,
    b"from=": _arrival,
    b"done; delay=": _done,
    b"timeout waiting for input from ": _trouble,
    b"SYSERR(": _trouble,
    b"STARTTLS=client, relay=": _tls,
    b"ruleset=": _ruled,
    b"Milter: ": _milter,
    b"milter=": _quarantined,
    b"clone ": _old_clone,
}
