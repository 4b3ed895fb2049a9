"""The grammar of the lines that Postfix writes about a message, after the syslog head and the queue id.

Every field is read from the left and only as far as Postfix itself filled it in: an address, a header, a HELO name
or a reply that imitates Postfix's own wording is text, and where two readings of a line are possible the stronger
one is not taken.  Everything here is total (any bytes give a value or ``None``) and takes linear time.

Wordings: Postfix source, 2.0 to 3.12 (``log_adhoc.c``, ``smtp_proto.c``, ``smtp_trouble.c``, ``smtpd_check.c``,
``cleanup_message.c``, ``cleanup_milter.c``, ``tls_misc.c``).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from deliverability.evidence.smtp import Host, Reply, Tls
from deliverability.protocols.smtp import parse_reply

MAX_ADDRESS = 2048  # octets: Postfix's line_length_limit bounds what a client can send

# info_log_address_format = external (3.5 and later) quotes such a local part; before, it stands bare.
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*+"@[^<>\s",]{0,512}(?=>)')
_AFTER_RECIPIENT = re.compile(rb">, (?=orig_to=<|relay=)")
_AFTER_ORIGINAL = re.compile(rb">, (?=relay=)")
_FIELDS = (
    rb"relay=(?P<relay>[^\s,<>@]{1,600})(?P<more>(?:, [a-z_]{1,24}=[^\s,]{1,300}){1,8})"
    rb", status=(?P<status>[A-Za-z-]{1,32}) \("
)
_OUTCOME = re.compile(_FIELDS)
_ANOTHER_OUTCOME = re.compile(rb">, " + _FIELDS)
_DSN = re.compile(rb", dsn=([245]\.\d{1,3}\.\d{1,3})(?=,|\Z)")

_HOST = re.compile(r"([^\[\]\s]{0,512})\[([^\[\]\s]{0,256})\](?::(\d{1,5}))?\Z")

_SAID = re.compile(r"host (\S{1,800}) said: (.*) \(in reply to ([^()]{1,64})\)\Z", re.DOTALL)
_SAID_CUT = re.compile(r"host (\S{1,800}) said: (.*)\Z", re.DOTALL)
_REFUSED = re.compile(r"host (\S{1,800}) refused to talk to me: (.*)\Z", re.DOTALL)
_SASL = re.compile(r"SASL (?:\[CACHED\] )?authentication failed; server (\S{1,800}) said: (.*)\Z", re.DOTALL)
_BROKEN = re.compile(
    r"(?:lost connection with (\S{1,800})|conversation with (\S{1,800}) timed out) while (.*)\Z", re.DOTALL
)
_CONNECT = re.compile(r"connect to (\S{1,800}): ")
_TLS_TROUBLE = re.compile(
    r"(?:SSL_connect error to|certificate verification failed for|TLS is required, but was not offered by host"
    r"|Server certificate not (?:verified|trusted)|Cannot start TLS)(?=[: ]|\Z)(?: (\S{1,800}?)(?=:? |:?\Z))?"
)
_IN_REPLY_TO = {
    "HELO command": "ehlo",
    "EHLO command": "ehlo",
    "LHLO command": "ehlo",
    "STARTTLS command": "starttls",
    "MAIL FROM command": "mail",
    "RCPT TO command": "rcpt",
    "DATA command": "data",
    "end of DATA command": "end-of-data",
}
_WHILE = (
    ("receiving the initial", "connect"),
    ("performing the", "ehlo"),
    ("sending MAIL FROM", "mail"),
    ("sending RCPT TO", "rcpt"),
    ("sending DATA command", "data"),
    ("sending message body", "data"),
    ("sending end of data", "end-of-data"),
)

_TLS = re.compile(
    r"(Anonymous|Untrusted|Trusted|Verified) TLS connection (?:established|reused) to (\S{1,800}): "
    r"(\S{1,32}) with cipher (\S{1,80})"
)

_REJECTED = re.compile(
    rb"(?:milter-)?reject: (?P<stage>[A-Z][A-Z-]{2,20})(?: content)? from (?P<client>\S{1,800}): (?P<text>.*)",
    re.DOTALL,
)
_PROXY_REJECTED = re.compile(rb"proxy-reject: (?P<stage>[A-Z][A-Z-]{2,20}): (?P<text>.*)", re.DOTALL)
_PROXY_REFUSED = re.compile(
    rb"warning: proxy \S{1,800} rejected \"rcpt TO:<(?P<recipient>[^\s<>\",]{1,1024})>[^\"<>]{0,300}\": \"(?P<reply>.*)\"\Z",
    re.DOTALL | re.IGNORECASE,
)
_HEADER = re.compile(
    rb"(?P<action>[a-z-]{3,24}): (?:header (?P<name>[!-9;-~]{1,120}): ?|body |content )(?P<rest>.*)", re.DOTALL
)
_HEADER_CONTEXT = re.compile(rb" from [^\s;]{1,512};(?: from=<|\Z)")
_FOLDED_WORDS = re.compile(rb"\?=[ ?]+=\?")
_SESSION = re.compile(rb">,? proto=(?P<proto>[A-Z]{1,16})(?:,? helo=<(?P<helo>[^<>]{0,512})>)?")


def text(raw: bytes) -> str:
    r"""Bytes of a log as text: UTF-8, other octets shown as ``\xNN``."""
    return raw.decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a delivery agent logged about one recipient."""

    recipient: str
    original_recipient: str | None
    relay: str
    """As logged: ``none``, a service's name, ``host[ip]:port``, ``host[path]``."""
    dsn_code: str | None
    status: str
    words: str
    """What stands in the parentheses."""
    complete: bool
    """The closing parenthesis is there: the line was not cut."""
    ambiguous: bool
    """A second outcome stands in :attr:`words`, and nothing tells which of the two Postfix meant."""


def parse_outcome(words: bytes) -> Outcome | None:
    """Read ``to=<…>, [orig_to=<…>,] relay=…, …, status=… (…)`` from its first byte."""
    if not words.startswith(b"to=<"):
        return None
    recipient = _address(words, 4, _AFTER_RECIPIENT)
    if recipient is None:
        return None
    address, at, sure = recipient
    original: bytes | None = None
    if words.startswith(b"orig_to=<", at):
        before_aliases = _address(words, at + 9, _AFTER_ORIGINAL)
        if before_aliases is None:
            return None
        original, at, original_sure = before_aliases
        sure = sure and original_sure
    match = _OUTCOME.match(words, at)
    if not match or b", delay=" not in match["more"]:
        return None
    rest = words[match.end() :]
    complete = rest.endswith(b")")
    dsn = _DSN.search(match["more"])
    return Outcome(
        recipient=text(address),
        original_recipient=text(original) if original else None,
        relay=text(match["relay"]),
        dsn_code=text(dsn[1]) if dsn else None,
        status=text(match["status"]).lower(),
        words=text(rest[:-1] if complete else rest),
        complete=complete,
        ambiguous=not sure and _ANOTHER_OUTCOME.search(rest) is not None,
    )


def _address(words: bytes, start: int, end: re.Pattern[bytes]) -> tuple[bytes, int, bool] | None:
    """The address at ``start``, where the next field begins, and whether its end is beyond doubt.

    Only a quoted local part can hold what looks like its own end; read bare, as Postfix before 3.5 logs it,
    nothing says that the first end is the true one.
    """
    quoted = _QUOTED.match(words, start)
    if quoted:
        match = end.match(words, quoted.end())
        if match and quoted.end() - start <= MAX_ADDRESS:
            return quoted[0], match.end(), True
    match = end.search(words, start, start + MAX_ADDRESS + 16)
    return (words[start : match.start()], match.end(), False) if match else None


@lru_cache(maxsize=1024)  # a log names the same few again and again
def parse_host(shown: str) -> tuple[Host | None, str | None]:
    """``name[ip]:port`` as a host; ``name[path]`` as a host and the socket's path; anything else is none."""
    match = _HOST.match(shown)
    if not match:
        return None, None
    name, inside, port = match[1] or None, match[2], match[3]
    number = int(port) if port and int(port) < 0x10000 else None
    try:
        ip = str(ip_address(inside.removeprefix("IPv6:")))
    except ValueError:
        return (Host(name, None, number) if name else None), (inside if "/" in inside else None)
    return Host(None if name in (inside, "unknown") else name, ip, number), None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What an SMTP or LMTP client says went wrong."""

    host: Host | None = None
    reply: Reply | None = None
    stage: str | None = None
    uncertain: bool = False
    """The connection broke after the end of the data: the message may have been accepted (RFC 1047)."""


def parse_trouble(words: str) -> Trouble | None:
    """Read the client's own wording of a failure; ``None`` for any other wording."""
    match = _SAID.match(words)
    if match:
        return Trouble(parse_host(match[1])[0], parse_reply(match[2]), _IN_REPLY_TO.get(match[3]))
    for pattern, stage in ((_REFUSED, "connect"), (_SASL, "auth"), (_SAID_CUT, None)):
        match = pattern.match(words)
        if match:
            return Trouble(parse_host(match[1])[0], parse_reply(match[2]), stage)
    match = _BROKEN.match(words)
    if match:
        doing = match[3]
        stage = next((stage for start, stage in _WHILE if doing.startswith(start)), None)
        uncertain = doing.startswith("sending end of data")  # " -- message may be sent more than once"
        return Trouble(parse_host(match[1] or match[2])[0], None, stage, uncertain)
    match = _CONNECT.match(words)
    if match:
        return Trouble(parse_host(match[1])[0], None, "connect")
    match = _TLS_TROUBLE.match(words)
    return Trouble(parse_host(match[1] or "")[0], None, "starttls") if match else None


def parse_tls(words: str) -> tuple[Host | None, Tls] | None:
    """Read the summary of a TLS session that our client opened (``smtp_tls_loglevel`` 1 or more)."""
    match = _TLS.match(words)
    if not match:
        return None
    # "Trusted" names no host: the chain was good, but whose certificate it is was not compared.
    return parse_host(match[2])[0], Tls(match[3], match[4], verified=match[1] == "Verified")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Our own server refused a message or a recipient."""

    stage: str
    """The SMTP command that was refused, ``END-OF-MESSAGE``, or the ``header`` that was."""
    client: Host | None
    protocol: str | None
    helo: str | None
    reverse_path: str | None
    recipient: str | None
    words: str


def parse_refusal(words: bytes) -> Refusal | None:
    """Read ``[milter-]reject: STAGE from CLIENT: …; from=<…> to=<…> proto=… helo=<…>``.

    The text, the addresses and the HELO name are the client's: unless each field's name stands there exactly
    once, whom it is about stays unsaid.
    """
    match = _REJECTED.match(words)
    if not match:
        return None
    what, _, tail = match["text"].partition(b"; from=<")
    envelope = _envelope(tail, may_have_recipient=match["stage"] != b"MAIL")
    return Refusal(text(match["stage"]), parse_host(text(match["client"]))[0], *envelope, words=text(what))


def parse_proxied(words: bytes) -> Refusal | None:
    """What a filter before the queue (``smtpd_proxy_filter``) refused; this server only passes its reply on.

    ``proxy-reject: STAGE: REPLY; from=<…> to=<…> proto=… helo=<…>``, and, of a recipient, ``warning: proxy HOST rejected
    "rcpt TO:<…>": "REPLY"``.
    """
    match = _PROXY_REFUSED.match(words)
    if match:
        return Refusal("RCPT", None, None, None, None, text(match["recipient"]), words=text(match["reply"]))
    match = _PROXY_REJECTED.match(words)
    if not match:
        return None
    what, _, tail = match["text"].partition(b"; from=<")
    envelope = _envelope(tail, may_have_recipient=match["stage"] != b"MAIL")
    return Refusal(text(match["stage"]), None, *envelope, words=text(what))


def _envelope(tail: bytes, *, may_have_recipient: bool) -> tuple[str | None, str | None, str | None, str | None]:
    """Protocol, HELO name, reverse-path and recipient from what follows ``; from=<``."""
    nothing = (None, None, None, None)
    counts = [tail.count(name) for name in (b"; from=<", b" to=<", b" proto=", b" helo=<")]
    if counts[0] or max(counts) > 1 or counts[1] > may_have_recipient:
        return nothing
    match = _SESSION.search(tail)
    if match:
        addresses = tail[: match.start()]
    else:  # submitted on this machine: no session, perhaps a text of ours at the end
        addresses, end, _ = tail.partition(b">")
        if counts[1]:
            recipient, end, _ = tail[len(addresses) :].removeprefix(b">").partition(b">")
            addresses += b">" + recipient
        if not end or tail.count(b">") > 1 + counts[1]:
            return nothing
    sender, found, forward_path = addresses.partition(b" to=<")
    if found and not sender.endswith((b">", b">,")):
        return nothing
    return (
        text(match["proto"]) if match else None,
        text(match["helo"]) if match and match["helo"] is not None else None,
        text(sender.removesuffix(b",").removesuffix(b">") if found else sender),
        text(forward_path) if found else None,
    )


@dataclass(frozen=True, slots=True)
class HeaderLine:
    """A header that ``header_checks`` logged, or a line of the text that ``body_checks`` did."""

    action: str
    """``info``, ``warning``, ``hold``, ``reject``, ``discard`` …"""
    subject: bytes | None
    """Body of a ``Subject`` header, as logged: at most some 190 octets, folds shown as ``?``."""
    envelope: Refusal
    """The context that follows the header."""


def parse_header_line(words: bytes) -> HeaderLine | None:
    """Read ``ACTION: header NAME: BODY from CLIENT; from=<…> to=<…> proto=… helo=<…>[: TEXT]``, or ``ACTION: body …``."""
    match = _HEADER.match(words)
    if not match:
        return None
    body = match["rest"]
    context = _HEADER_CONTEXT.search(body)
    if context:
        tail = body[context.end() :] if context[0].endswith(b"<") else b""
        body = body[: context.start()]
    else:
        tail = b""
    is_subject = (match["name"] or b"").lower() == b"subject"
    return HeaderLine(
        action=text(match["action"]),
        subject=_FOLDED_WORDS.sub(b"?= =?", body) if is_subject else None,
        envelope=Refusal("header", None, *_envelope(tail, may_have_recipient=True), words=text(words)),
    )
