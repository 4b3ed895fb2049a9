"""What Exim's delivery lines say: ``=>`` delivered, ``**`` failed, ``==`` deferred, and the free text of failures.

Source: Exim specification, chapter "Log files"; ``delivery_log``, ``failure_log`` and ``deferral_log`` in
``deliver.c``, ``check_response`` in ``transports/smtp.c``, Exim 4.80 to 4.100.
"""

from typing import Any, NamedTuple

from deliverability.evidence.event import Action, Result, Transport
from deliverability.evidence.smtp import Host, Reply
from deliverability.protocols.exim_fields import (
    DELIVERY_ORDER,
    IP,
    MAX_TEXT,
    Fields,
    Target,
    address_text,
    angle,
    confirmation,
    endpoint,
    fields,
    octets_regex,
    readable,
    reply,
    target,
    tls,
)
from deliverability.protocols.smtp import remote_queue_id

Facts = dict[str, Any]
"""Fields of a :class:`~deliverability.evidence.event.DeliveryEvent`."""

_DEFER = octets_regex(r"(?: routing)? defer \((-?\d{1,6})\)")
_ERRNO = octets_regex(r": [A-Za-z][A-Za-z0-9 ,()/'._-]{1,80}?(?= H=| DT=| PRX=| I=|: |\Z)")
_TIME_TAKEN = octets_regex(r" DT=[0-9wdhms.]{1,20}\Z")
_RETRY = octets_regex(r"(?:.{0,400}: )?retry time not reached")
_LONG_FAILED = octets_regex(
    r"all hosts (?:for .{1,300} )?have been failing for a long time"
    r"|retry time not reached for any host (?:for .{1,300} )?after a long failure period"
)
_RETRY_BASE = -51  # Exim's errors from here down say that nothing was tried
_SYSTEM_FILTER = "system-filter"
"""Stands where the address before aliases does, for what the system filter has done with the message."""
_TIMED_OUT = (60, 110, 145)  # ETIMEDOUT of BSD, Linux and Solaris
_SILENT = ("SMTP timeout ", "LMTP timeout ", "Remote host ", "Malformed SMTP reply ")
# Administrators name transports; these are the names of Exim's, Debian's, cPanel's and DirectAdmin's configurations.
_NAMES: tuple[tuple[tuple[str, ...], Transport], ...] = (
    (("autoreply", "address_reply", "autoresp", "vacation"), Transport.REPLY),
    (("pipe", "boxtrapper", "mailman", "majordomo", "procmail", "maildrop", "lda", "spamc", "_sa_"), Transport.PIPE),
    (("smtp",), Transport.SMTP),
    (("address_file", "address_directory", "mail_spool", "maildir", "mailbox", "mbox"), Transport.MAILBOX),
    (("local", "virtual", "delivery", "dovecot", "appendfile"), Transport.MAILBOX),
)
_ASIDE = ("boxtrapper_autowhitelist", "archiver_")
"""How the names of cPanel's transports begin that do something beside the delivery (``unseen``): no outcome of it."""
_SPAM_BOX = ("virtual_user_spam", "localuser_spam")
"""cPanel's routers for what its filter found to be spam; they file it to the folder ``spam`` ("Spam Box")."""
_FOLDER = octets_regex(
    r"/(?:[^/]{1,255}/){0,64}\.([^./][^/]{0,255})/?\Z"
)  # Maildir++: below the mailbox, with a dot first
_REPLIER = octets_regex(r"\|\s*(?:/[\w./-]{0,200}/)?(?:autorespond|vacation)(?: |\Z)")  # cPanel's, and the usual one
_PREFIX = octets_regex(r"(?:[A-Z][A-Za-z' ]{3,60}? ?: )(?=SMTP |LMTP |Remote host )")
_OLD_HOST = rf"(?:host )?(?P<name>[^\s\[\]]{{1,255}}) \[(?P<ip>{IP})\]"
_ANSWER = octets_regex(r"(?:SMTP|LMTP|PRDR) error(?: from remote (?:mail server|mailer))? after (?:pipelined )?")
_SILENCE = octets_regex(
    rf"(?:(?:SMTP|LMTP) timeout (?:while connected to {_OLD_HOST} )?after"
    rf"|Remote host (?:{_OLD_HOST.replace('<name>', '<name2>').replace('<ip>', '<ip2>')} )?"
    r"closed connection (?:in response to|after)"
    r"|Malformed SMTP reply (?:\(an empty line\) )?in response to) (?:pipelined )?"
)
# The process that delivered died, or told of too few recipients: "in case the delivery did actually happen", as
# ``deliver.c`` says (``par_wait``, ``par_read_pipe``), Exim keeps what it noted on disk.
_DIED = octets_regex(
    r"(?:[\w-]{1,64} transport process returned non-zero status 0x"
    r"|insufficient address data read from pipe for transport process )"
)
_COMMANDS = (
    ("end of data", "end-of-data"),
    ("initial connection", "connect"),
    ("sending data block", "data"),
    ("DATA", "data"),
    ("RCPT TO:", "rcpt"),
    ("MAIL FROM:", "mail"),
    ("STARTTLS", "starttls"),
    ("EHLO", "ehlo"),
    ("HELO", "ehlo"),
    ("LHLO", "ehlo"),
    ("BDAT", "data"),
)
_TLS = octets_regex(
    r"TLS session: |a TLS session is required|TLS session is required|DANE |failure while setting up TLS"
)
_LAST = octets_regex(r" \d{1,12} LAST")
_COLON = octets_regex(r"[^:]*: ")
_REPLY_HOST = octets_regex(rf"{_OLD_HOST}: ")


class Failure(NamedTuple):
    """What the free text of a failure says."""

    text: str
    """Exim's own words, without the reply."""
    reply: Reply | None = None
    stage: str | None = None
    host: Host | None = None
    lost: bool = False
    """No reply, or none that could be read, came to the end of DATA, or nobody noted it: it may have been accepted
    (RFC 1047)."""


def failure(text: str) -> Failure:
    """Read the text behind the fields of a ``**``, ``==`` or ``H=`` line; only Exim's own first words count."""
    prefix = _PREFIX.match(text)
    start = prefix.end() if prefix else 0
    answer = _ANSWER.match(text, start)
    if answer:
        stage, end = _stage(text, answer.end())
        colon = _COLON.match(text, end)
        if not colon:
            return Failure(readable(text)[:MAX_TEXT], None, stage)
        host = _REPLY_HOST.match(text, colon.end())
        said = host.end() if host else colon.end()
        named = Host(readable(host["name"]), host["ip"]) if host else None
        return Failure(readable(text[: colon.end() - 2])[:MAX_TEXT], reply(text[said:]), stage, named)
    silence = _SILENCE.match(text, start)
    if silence:
        stage, _ = _stage(text, silence.end())
        name, ip = silence["name"] or silence["name2"], silence["ip"] or silence["ip2"]
        named = Host(readable(name), ip) if name else None
        return Failure(readable(text)[:MAX_TEXT], None, stage, named, lost=stage == "end-of-data")
    if _DIED.match(text):
        return Failure(readable(text)[:MAX_TEXT], lost=True)
    return Failure(readable(text)[:MAX_TEXT], stage="starttls" if _TLS.match(text) else None)


def _stage(text: str, place: int) -> tuple[str | None, int]:
    for word, stage in _COMMANDS:
        if text.startswith(word, place):
            end = place + len(word)
            if word == "BDAT":
                # RFC 3030 §2: the reply to the last chunk is the reply to the message.
                return ("end-of-data" if _LAST.match(text, end) else stage), end
            path = angle(text, end) if word.endswith(":") else None
            return stage, path[1] if path else end
    return None, place


def _attempted(tried: Target, result: Result, found: Fields) -> Facts:
    values = found.values
    route = " ".join(f"{key}={readable(values[key])}" for key in ("R", "T") if values.get(key))
    return {
        "action": Action.ATTEMPTED,
        "recipient": address_text(tried.shown),
        "original_recipient": address_text(tried.original) if tried.original else None,
        "result": result,
        "relay": found.host,
        "local_ip": endpoint(values.get("I")),
        "route": route or None,
        "tls": tls(values),
    }


def delivered(words: str, cut: bool) -> Facts | None:
    """``=>``, ``->`` and ``>>``: handed over, or written by a local transport.

    ``None`` unless the whole line is made of Exim's fields.
    """
    tried = target(words[3:])
    if tried is None:
        return None
    found = fields(words, tried.end + 3, DELIVERY_ORDER)
    rest = words[found.end :]
    # In a line cut short, one unfinished field may be left; anything else is a stranger's text.
    if found.broken or (rest.strip(" ") and not (cut and " " not in rest.strip(" "))):
        return None
    if is_aside(found.values.get("T", "")):
        return {"action": Action.DESCRIBED}
    transport = _transport(tried.shown, found)
    if transport is Transport.NONE and not (found.cut or cut):
        return None
    facts = _attempted(tried, Result.SENT, found)
    facts["transport"] = None if transport is Transport.NONE else transport
    if transport in (Transport.MAILBOX, Transport.LMTP):
        facts["folder"] = _folder(tried.shown, found.values.get("R", ""))
    if "C" in found.values:
        facts["reply"] = confirmation(found.values["C"])
        facts |= {"stage": "end-of-data", "remote_queue_id": remote_queue_id(facts["reply"].text)}
    return facts


def _folder(shown: str, router: str) -> str | None:
    """The folder of a mailbox that Exim itself wrote into; ``None`` where nothing names one."""
    if router in _SPAM_BOX:
        return "spam"
    named = _FOLDER.match(shown)
    return readable(named[1]) if named else None


def of_filter(facts: Facts) -> Facts:
    """The same of an attempt for the system filter: what it sent has an address; a reply, a file, a program is no delivery."""
    if facts.get("original_recipient") != _SYSTEM_FILTER:
        return facts
    sent = not facts["recipient"].startswith((">", "|", "/", ":"))
    return facts | {"original_recipient": None} if sent else {"action": Action.DESCRIBED}


def is_aside(transport: str) -> bool:
    """Whether a transport of that name makes a copy, or notes something, while the message goes on to its recipient."""
    return transport.lower().startswith(_ASIDE)


def _transport(shown: str, found: Fields) -> Transport | None:
    """By what it went; ``None`` for a name that tells nothing, ``NONE`` when there is none."""
    name = found.values.get("T", "").lower()
    # Of local deliveries Exim confirms only those over LMTP.
    if "lmtp" in name or ("C" in found.values and found.host is None):
        return Transport.LMTP
    if found.host is not None and (found.host.ip or "[" in found.values.get("H", "")):
        return Transport.SMTP
    if shown.startswith("|"):
        return Transport.REPLY if _REPLIER.match(shown) else Transport.PIPE
    if shown.startswith(">"):
        return Transport.REPLY
    if shown.startswith(":") or shown in ("discarded", "/dev/null"):
        return Transport.DISCARD  # ":blackhole:", a filter's "seen finish"
    return _by_name(name) if name else Transport.NONE


def _by_name(name: str) -> Transport | None:
    for words, transport in _NAMES:
        if any(word in name for word in words):
            return transport
    return None


def _is_open(text: str, told: Failure, number: int = -1) -> bool:
    """Whether a line that was cut could go on to say that the message may have been accepted after all."""
    if told.lost or told.reply is not None or told.stage not in (None, "data") or number <= _RETRY_BASE:
        return False
    if not text:
        return number < 0 or number in _TIMED_OUT
    return any(text.startswith(start) or start.startswith(text) for start in _SILENT)


def failed(words: str, cut: bool) -> Facts | None:
    """``**``: given up; uncertain where the last attempt lost the answer to the end of DATA."""
    tried = target(words[3:])
    if tried is None:
        return None
    found = fields(words, tried.end + 3, DELIVERY_ORDER)
    text = _free_text(words, found)
    if text is None:
        return None
    told = failure(text)
    if cut and _is_open(text, told):
        return None
    result = Result.FAILED
    if told.lost:
        result = Result.UNCERTAIN
    elif _expired(text, told):
        result = Result.EXPIRED
    return _unsuccessful(tried, result, found, told)


def _expired(text: str, told: Failure) -> bool:
    given_up = text.endswith("retry timeout exceeded") or _LONG_FAILED.match(text) is not None
    # A 5yz reply ends an address at once, whatever its text says.
    return given_up and (told.reply is None or not told.reply.permanent)


def deferred(words: str, cut: bool) -> Facts | None:
    """``==``: to be tried again; transport ``NONE`` where only the retry time had not come and nothing was tried."""
    tried = target(words[3:])
    if tried is None:
        return None
    found = fields(words, tried.end + 3, DELIVERY_ORDER)
    defer = _DEFER.match(words, found.end)
    if found.broken or not defer:
        return None
    number = int(defer[1])
    errno = _ERRNO.match(words, defer.end()) if number > 0 else None
    end = errno.end() if errno else defer.end()
    after = fields(words, end, DELIVERY_ORDER)
    text = _free_text(words, after)
    if text is None:
        return None
    found.values = {**after.values, **found.values}
    found.host = after.host or found.host
    system = errno[0][2:] if errno else ""
    told = failure(text) if text else failure(system)
    if cut and (_is_open(text, told, number) or (number in _TIMED_OUT and errno is None)):
        return None  # also where the line breaks off within the system's own words
    facts = _unsuccessful(tried, Result.UNCERTAIN if told.lost else Result.DEFERRED, found, told)
    if number <= _RETRY_BASE or _RETRY.match(text):
        facts["transport"] = Transport.NONE
    elif number > 0 and found.host is not None and told.stage is None and facts["reply"] is None:
        facts["stage"] = "connect" if not text or text == system else None
    if system and text and system not in facts["text"]:
        facts["text"] = f"{system}: {facts['text']}"
    return facts


def _free_text(words: str, found: Fields) -> str | None:
    """The text behind the fields, without the time taken that some versions put last."""
    if found.broken:
        return None
    rest = words[found.end :]
    for colon in (": ", " : "):
        if rest.startswith(colon):
            text = rest[len(colon) :]
            taken = _TIME_TAKEN.search(text, max(0, len(text) - 24))
            return text[: taken.start()] if taken else text
    return "" if not rest.strip(" :") else None


def _unsuccessful(tried: Target, result: Result, found: Fields, told: Failure) -> Facts:
    facts = _attempted(tried, result, found)
    facts |= {"relay": found.host or told.host, "reply": told.reply, "stage": told.stage, "text": told.text}
    if found.values.get("T"):
        with_host = Fields(values=found.values, host=facts["relay"])
        facts["transport"] = _transport(tried.shown, with_host)
    else:
        facts["transport"] = Transport.NONE
    return facts
