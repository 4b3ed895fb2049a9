"""What the words of one Exim log entry say, after time and message id.

Source: Exim specification, chapter "Log files", and the calls of ``log_write`` in Exim 4.80 to 4.100.
"""

import re
from collections.abc import Callable, Mapping

from deliverability.evidence.event import Action, Relation, Result, Session
from deliverability.protocols.encoded_words import decode_header_text, unescape_exim
from deliverability.protocols.exim_attempts import Facts, Failure, deferred, delivered, failed, failure, of_filter
from deliverability.protocols.exim_fields import (
    ARRIVAL_ORDER,
    DELIVERY_ORDER,
    MAX_TEXT,
    MESSAGE_ID,
    Fields,
    addr_spec,
    address_text,
    angle,
    endpoint,
    fields,
    octets_regex,
    readable,
    tls,
)

MAX_RECIPIENTS = 10_000

_OVERFLOWED = "**** log string overflowed log buffer ****"
_ID = octets_regex(MESSAGE_ID)
_SHORT = octets_regex(r" ([A-Z][A-Za-z]+(?: [A-Za-z()/-]+){0,7})\Z")
_COMPLETED = octets_regex(r"Completed(?: QT=\S+)?\Z")
_REFUSED = octets_regex(r" ?(temporarily )?rejected (.*)\Z")
_OLD_REFUSED = octets_regex(r"(temporarily )?rejected from (?=<)")
_FAILED_TO_CONNECT = octets_regex(r"Failed to connect to (?=\S{1,255} \[)")
_NO_MAIL = octets_regex(r"(?:EHLO|HELO|VRFY|EXPN|AUTH|ETRN|STARTTLS|QUIT|NOTQUIT|connection)\b")
_COMMAND = octets_regex(r"(RCPT|MAIL) (?:TO:|FROM:)?(?=<|[^\s<:])")
_BARE = octets_regex(r"[A-Za-z0-9._+-]{1,64}")
_FOLD = re.compile(r"\r?\n(?=[ \t])")  # RFC 5322 §2.2.3
_VERIFY = octets_regex(r" (?:sender|recipient) verify (?:fail|defer) for (?=<)")


def read_words(words: str, queue_id: str | None, *, cut: bool) -> Facts | None:
    """The facts of one entry, or ``None`` where it says nothing about a message that can be relied on."""
    words = words.rstrip(" \t\r")  # a paste may have blanks there
    if words.endswith(_OVERFLOWED):
        words, cut = words.removesuffix(_OVERFLOWED), True
    if queue_id is not None:
        for pattern, action in _STATES:
            if pattern.match(words):
                return {"action": action, "text": readable(words)[:MAX_TEXT]}
        handler = _FLAGS.get(words[:3])
        if handler:
            facts = handler(words, cut)
            return of_filter(facts) if facts else None
        about = _by_operator(words) or _ignored(words)
        if about:
            return about
    return _about_host(words, queue_id)


def refused_recipients(recipient: str) -> Facts:
    """What the envelope that follows a refusal in the reject log adds."""
    return {"recipient": address_text(recipient), "recipients": (address_text(recipient),)}


# --- arrival ----------------------------------------------------------------------------------------------------------


def _arrival(words: str, cut: bool) -> Facts | None:
    sender = addr_spec(words, 3)
    if not sender:
        return None
    reverse_path = "" if sender[0] == "<>" else address_text(sender[0])
    facts: Facts = {"action": Action.ARRIVED, "reverse_path": reverse_path}
    if words.startswith("(="):
        facts["text"] = "fakereject: the client was told that the message was refused"
    found = fields(words, sender[1], ARRIVAL_ORDER)
    parent = found.values.get("R")
    if parent and _ID.fullmatch(parent) and reverse_path == "":
        facts["related"] = ((Relation.NOTICE_FOR, parent),)
    recipients = _recipients(words, found.end, cut=cut or found.cut)
    if found.broken or recipients is None or "P" not in found.values:
        # A stranger's text takes part in the rest of the line: only what stands before it is told.
        return facts
    return {**facts, **_described(found), **recipients}


def _described(found: Fields) -> Facts:
    values = found.values
    facts: Facts = {"session": _session(found), "tls": tls(values)}
    size = values.get("S", "")
    if size.isdecimal() and len(size) < 16:
        facts["size"] = int(size)
    message_id = values.get("id") or values.get("id*")
    if message_id:
        facts["message_id"] = readable(message_id)[:MAX_TEXT]
    if "T" in values:
        facts["subject"] = _FOLD.sub("", decode_header_text(unescape_exim(values["T"].encode("latin-1"))))
    return facts


def _session(found: Fields) -> Session:
    values = found.values
    user = values.get("A") or (values.get("U") if found.host is None else None)
    return Session(
        client=found.host,
        helo=found.helo,
        protocol=readable(values["P"]) if values.get("P") else None,
        authenticated=readable(user) if user else None,
    )


def _recipients(words: str, place: int, *, cut: bool) -> Facts | None:
    """``from <a> for b c`` at the end of an arrival; ``None`` if anything else stands there."""
    if words.startswith(" from <", place):
        sender = angle(words, place + 6)
        if not sender:
            return {} if cut else None
        place = sender[1]
    elif words.startswith(" from  for ", place):  # a web page took <address> for a tag
        place += len(" from ")
    if not words.startswith(" for ", place):
        return {} if cut or not words[place:].strip(" ") else None
    place += 4
    found: list[str] = []
    while words.startswith(" ", place) and len(found) < MAX_RECIPIENTS:
        address = addr_spec(words, place + 1)
        if not address:
            break
        place = address[1]
        if cut and place == len(words):
            break  # the last address may not be whole
        found.append(address[0].removesuffix("<trunc>"))
    named = [a for a in found if a and not _BARE.fullmatch(a)]
    if not all(_is_address(a) for a in named) or (words[place:].strip(" ") and not cut):
        return None
    if len(named) < len(found):
        return {}  # "for root", as cron submits it: which domain Exim gave it, the delivery's own line says
    return {"recipients": tuple(address_text(a) for a in found if a)}


def _is_address(text: str) -> bool:
    return text.startswith('"') or ("@" in text and not any(c in text for c in '()<>,;"'))


# --- lines about a whole message, or about one host -------------------------------------------------------------------

_STATES: tuple[tuple[re.Pattern[str], Action], ...] = (
    (_COMPLETED, Action.REMOVED),
    (octets_regex(r"Message is frozen\Z|[Ff]rozen by |Frozen(?: \(|\Z)"), Action.HELD),
    (octets_regex(r"[Uu]nfrozen by "), Action.RELEASED),
    (octets_regex(r"removed by |cancelled by |Message removed because older than "), Action.CANCELLED),
    # An ACL, local_scan or the system filter threw away the whole message: it went to nobody.
    (
        octets_regex(
            r"=> (?:blackhole (?:\((?:[\w-]{1,20} ACL|local_scan) discarded recipients\)|\*)|discarded \(system filter\))"
        ),
        Action.CANCELLED,
    ),
    (octets_regex(r"rescind the above message-accept"), Action.REJECTED),
)
_MARKED = octets_regex(r"address (?=<)")
_ADDED = octets_regex(r"recipient (?=<)")
_CHANGED = octets_regex(r"sender address changed to (?=<)")


def _by_operator(words: str) -> Facts | None:
    """What an operator did to one address (``exim -Mmd``, ``-Mar``, ``-Mes``); none of it delivers anything."""
    for pattern, after in ((_MARKED, " marked delivered by "), (_ADDED, " added by "), (_CHANGED, " by ")):
        match = pattern.match(words)
        address = angle(words, match.end()) if match else None
        if not address or not words.startswith(after, address[1]):
            continue
        text = {"text": readable(words)[:MAX_TEXT]}
        if pattern is _MARKED:
            return {"action": Action.CANCELLED, "recipient": address_text(address[0]), **text}
        if pattern is _ADDED:
            return {"action": Action.DESCRIBED, "recipients": (address_text(address[0]),), **text}
        return {"action": Action.DESCRIBED, "reverse_path": address_text(address[0]), **text}
    return None


def _ignored(words: str) -> Facts | None:
    """``addr <parent>: error ignored``: the failure was logged before, and nobody will be told of it."""
    address = angle(words, 0) or addr_spec(words, 0)
    if not address:
        return None
    parent = angle(words, address[1] + 1) if words.startswith(" <", address[1]) else None
    if not words.startswith(": error ignored", parent[1] if parent else address[1]):
        return None
    return {"action": Action.DESCRIBED, "recipient": address_text(address[0]), "text": readable(words)[:MAX_TEXT]}


def _about_host(words: str, queue_id: str | None) -> Facts | None:
    """Lines that begin with a host: a refusal of ours, a check of an address, or trouble at a next hop."""
    old = _OLD_REFUSED.match(words)
    if old:
        return _old_refusal(words, old)
    if not words.startswith(("H=", "U=", "F=<")):
        return _old_trouble(words) if queue_id is not None else None
    found = fields(" " + words, 0, ARRIVAL_ORDER)
    rest = (" " + words)[found.end :]
    if found.broken:
        return None
    refused = _REFUSED.match(rest)
    if refused:
        return _refused(found, refused)
    checked = _VERIFY.match(rest)
    if checked:
        address = angle(rest, checked.end())
        verified = address_text(address[0]) if address else None
        return {"action": Action.CONNECTED, "probe": True, "recipient": verified, "text": readable(words)[:MAX_TEXT]}
    outgoing = found.host is not None and found.helo is None and set(found.values) <= {"H", "DS", "I", "TFO"}
    return _new_trouble(found, rest) if outgoing and queue_id is not None else None


def _new_trouble(found: Fields, rest: str) -> Facts | None:
    if rest.startswith((": ", " SMTP error from ")):  # no colon where RCPT was put off and hosts are left to try
        return _trouble(found, failure(rest.removeprefix(":")[1:]))
    short = _SHORT.match(rest)
    return _trouble(found, Failure(readable(short[1]), stage="connect")) if short else None


def _old_trouble(words: str) -> Facts | None:
    """Before 4.83 or so the host stood inside the sentence."""
    told = failure(words)
    if told.reply or told.stage:
        return _trouble(None, told)
    match = _FAILED_TO_CONNECT.match(words)
    if not match:
        return None
    found = fields(" H=" + words[match.end() :], 0, DELIVERY_ORDER)
    return None if found.broken else _trouble(found, Failure(readable(words)[:MAX_TEXT], stage="connect"))


def _old_refusal(words: str, match: re.Match[str]) -> Facts | None:
    sender = angle(words, match.end())
    facts = _refusal(words[sender[1] :].partition(": ")[2], temporary=bool(match[1])) if sender else None
    return {**facts, "reverse_path": address_text(sender[0])} if facts and sender else None


def _trouble(found: Fields | None, told: Failure) -> Facts:
    return {
        "action": Action.TROUBLE,
        "relay": (found.host if found else None) or told.host,
        "local_ip": endpoint(found.values.get("I")) if found else None,
        "reply": told.reply,
        "stage": told.stage,
        "result": Result.UNCERTAIN if told.lost else None,
        "text": told.text,
    }


def _refused(found: Fields, refused: re.Match[str]) -> Facts | None:
    facts = _refusal(refused[2], temporary=bool(refused[1]))
    if facts is None:
        return None
    sender = found.values.get("F")
    return {
        "reverse_path": address_text(sender) if sender is not None else None,
        "session": _session(found),
        **facts,
    }


def _refusal(words: str, *, temporary: bool) -> Facts | None:
    """``RCPT <a>: text``, ``after DATA: text``: our own server refused it; the reply's number is not logged."""
    if _NO_MAIL.match(words):
        return None
    facts: Facts = {
        "action": Action.REJECTED,
        "result": Result.DEFERRED if temporary else Result.FAILED,
        "text": readable(words)[:MAX_TEXT],
        "stage": "data",
    }
    command = _COMMAND.match(words)
    if command:
        address = angle(words, command.end()) or addr_spec(words, command.end())
        facts["stage"] = "rcpt" if command[1] == "RCPT" else "mail"
        if address and command[1] == "RCPT":
            facts |= refused_recipients(address[0])
        elif address:
            facts["reverse_path"] = address_text(address[0])
    elif words.startswith("after DATA"):
        facts["stage"] = "end-of-data"
    return facts


_FLAGS: Mapping[str, Callable[[str, bool], Facts | None]] = {
    "<= ": _arrival,
    "(= ": _arrival,
    "=> ": delivered,
    "-> ": delivered,
    ">> ": delivered,
    "** ": failed,
    "== ": deferred,
    "*> ": lambda _words, _cut: None,  # a delivery that -N suppressed: nothing was delivered
}
