"""The grammar of the lines that Sendmail writes about a message, after the syslog head and the queue id.

Recipients, senders and Message-IDs are strangers' words, and so are replies.  Addresses are therefore read from the
left, quoted local parts as such, and fields only in Sendmail's own order; a line that does not come out even says
nothing.  Any bytes give a value or ``None``, in linear time.

Wordings: Sendmail 8.17.1 run for this purpose, and the format strings of ``logdelivery`` and ``logsender``.  Of a
reply in several lines Sendmail keeps the first; of a 2yz reply the text without its codes.
"""

import re
from dataclasses import dataclass

from deliverability.evidence.smtp import Host
from deliverability.protocols.encoded_words import decode_said

QUEUE_ID = rb"[0-9A-Za-z]{8}\d{5,8}"
"""Regular expression (bytes): six digits of time in base 60, two of a counter, the process id (8.12 and later)."""

MAX_RECIPIENTS = 1000  # of one line; Sendmail's own lines end at 1 or 2 KiB

_AT_START = re.compile(rb"(%s): " % QUEUE_ID)
_LINKED = re.compile(rb"(%s): (?:DSN|return to sender|sender notify|postmaster notify|clone): " % QUEUE_ID)
_CLONED = re.compile(rb"clone (%s), owner=" % QUEUE_ID)
_HANDED_OVER = re.compile(
    rb", stat=Sent \((?:(%s) Message accepted|.{0,100}?\bqueued as ([0-9A-Za-z]{6,24})\b)" % QUEUE_ID
)
_BARE = rb"[^\s<>,()\"\\\x00-\x1f]{1,1024}"
_LOCAL = rb"[^\s<>@,()\"\\\x00-\x1f]{1,320}"
_QUOTED = rb'"(?:[^"\\]|\\.)*+"'
_ANGLE = rb"<(?:%s(?:@%s)?|%s)?>" % (_QUOTED, _BARE, _BARE)
_ADDRESS = re.compile(rb"%s|%s(?:@%s)?|%s" % (_ANGLE, _QUOTED, _BARE, _BARE), re.DOTALL)
# RFC 5322 §3.4: what ``sendmail -t`` took from the header; a comma in a name is in quotation marks, or ends it.
_NAMED = re.compile(
    rb"(?! )(?:%s|[^<>,()\"\\@:;\[\]\x00-\x1f]++){1,40}+(?P<address><(?:%s|%s)@%s>)"
    % (_QUOTED, _QUOTED, _LOCAL, _BARE),
    re.DOTALL,
)
_OWNER = re.compile(rb" \(\d{1,10}/\d{1,10}\)")
_DELAY = rb"(?:\d{1,5}\+)?\d\d:\d\d:\d\d"
# Sendmail built with _FFR_LOG_MORE2, from 8.16 on with the last two as well.
_TLS_USED = rb"(?:, tls_verify=[A-Z_.]{1,20}(?:, tls_version=[^\s,]{1,10}, cipher=[^\s,]{1,20})?)?"
_FIELDS = re.compile(
    rb", delay=%s(?:, xdelay=%s)?(?:, mailer=(?P<mailer>[!-+\--~]{1,32}))?%s, pri=-?\d{1,18}"
    rb"(?:, relay=(?P<relay>[^\s,\[\]]{0,300}(?:\[[^\s,\[\]]{1,64}\])?(?: \[[^\s,\[\]]{1,64}\])?))?"
    rb"(?:, ntries=\d{1,9})?(?:, dsn=(?P<dsn>[245]\.\d{1,3}\.\d{1,3}))?(?:, tls_verify=[A-Z_]{1,16})?"
    rb"(?:, reply=(?P<reply>.*), stat=|, quarantine=.*, stat=|, stat=)" % (_DELAY, _DELAY, _TLS_USED),
    re.DOTALL,
)
_CONNECTED = re.compile(rb"[^ ]+ \[")
_ANOTHER = re.compile(rb", delay=%s, (?:xdelay=%s, )?(?:mailer=|pri=|tls_verify=)" % (_DELAY, _DELAY))
_HOST = re.compile(
    r"(?:([^\s\[\]]{1,300})|\[[^\s\[\]]{1,64}\](?= \[))? ?(?:\[(?:IPv6:)?([0-9A-Fa-f:.]{2,64})\])?(?: \(may be forged\))?\Z"
)

_SENDER = re.compile(rb", size=(\d{1,18}), class=-?\d{1,9}, nrcpts=(\d{1,9})(?=, |\Z)")
_CLIENT = re.compile(
    rb"(?:[^\s,@\[\]]{1,256}@)?(?P<host>[^\s,@\[\]]{0,300}(?: ?\[[^\s,\[\]]{1,64}\])?(?: \(may be forged\))?)\Z"
)
_TAIL = (
    (b", auth=", re.compile(rb"[^,\s]{1,64}\Z")),
    (b", tls_verify=", re.compile(rb"[A-Z_.]{1,32}\Z")),
    (b", daemon=", re.compile(rb"[^,\s]{1,128}\Z")),
    (b", proto=", re.compile(rb"[^,\s]{1,64}\Z")),
    (b", bodytype=", re.compile(rb"[^,\s]{1,32}\Z")),
)


def text(raw: bytes) -> str:
    r"""Bytes of a log as text: UTF-8, other octets shown as ``\xNN``."""
    return raw.decode("utf-8", "backslashreplace")


def bare(address: bytes) -> str:
    """An address without its angle brackets."""
    return text(address[1:-1] if address.startswith(b"<") else address)


def split_queue_id(words: bytes) -> tuple[str | None, bytes]:
    """The queue id that a line begins with, and what follows it."""
    match = _AT_START.match(words)
    return (match[1].decode("ascii"), words[match.end() :]) if match else (None, words.removeprefix(b"NOQUEUE: "))


def linked_ids(words: bytes) -> list[str]:
    """The line's own id, that of a notice or clone, and the one that the next server gave it."""
    queue_id, rest = split_queue_id(words)
    if queue_id is None:
        return []
    match = _LINKED.match(rest) or _CLONED.match(rest)
    if match is None and rest.startswith(b"to="):
        match = _HANDED_OVER.search(rest)
    return [queue_id, *(found.decode("ascii") for found in match.groups() if found)] if match else [queue_id]


def address_at(words: bytes, start: int) -> tuple[bytes, int] | None:
    """The address at ``start`` and where it ends; ``None`` where its end is not beyond doubt."""
    match = _ADDRESS.match(words, start)
    return (match[0], match.end()) if match else None


def host(shown: str) -> Host | None:
    """``name. [address]`` as a host."""
    match = _HOST.match(shown)
    if not match or not (match[1] or match[2]):
        return None
    return Host(match[1].removesuffix(".") if match[1] else None, match[2])


def is_shortened(name: str) -> bool:
    """Whether Sendmail left out the middle of a host's name (``shortenstring``: 18 octets, three dots, 18 octets)."""
    return "..." in name


def whole_name(shown: str, name: str) -> bool:
    """Whether ``name`` is the whole of what a line shows shortened."""
    head, _, tail = shown.lower().partition("...")
    whole = name.lower()
    return len(whole) > len(shown) and len(head) == _END and whole.startswith(head) and whole.endswith(tail)


_END = 18


@dataclass(frozen=True, slots=True)
class Delivery:
    """``to=…``: what became of some recipients in one attempt."""

    recipients: tuple[str, ...]
    controlling: str | None
    """``ctladdr``: on whose behalf; the sender, or the user or alias whose file named a program."""
    mailer: str | None
    """``None`` where nothing was delivered: a milter refused the message."""
    relay: Host | None
    dsn_code: str | None
    reply: str | None
    """``reply=`` (8.16 and later)."""
    stat: str
    connected: bool = False
    """Whether ``relay`` has the address of a connection behind its name; without one it is the host part of the address."""


def parse_delivery(words: bytes) -> Delivery | None:
    """Read ``to=<a>,<b>[, [more]][, ctladdr=…], delay=…, …, stat=…`` from its first byte."""
    if not words.startswith(b"to="):
        return None
    recipients, at = _recipients(words, 3)
    if not recipients:
        return None
    controlling: bytes | None = None
    if words.startswith(b", ctladdr=", at):
        owner = address_at(words, at + len(b", ctladdr="))
        if owner is None:
            return None
        controlling, at = owner
        numbers = _OWNER.match(words, at)
        at = numbers.end() if numbers else at
    match = _FIELDS.match(words, at)
    # A list cut within a quoted comma would let an address tell a whole outcome: the true one still follows it.
    if not match or _ANOTHER.search(words, match.start() + 1):
        return None
    return Delivery(
        recipients=tuple(bare(recipient) for recipient in recipients),
        controlling=bare(controlling) if controlling else None,
        mailer=text(match["mailer"]) if match["mailer"] else None,
        relay=host(text(match["relay"])) if match["relay"] else None,
        dsn_code=text(match["dsn"]) if match["dsn"] else None,
        reply=decode_said(match["reply"]) if match["reply"] is not None else None,
        stat=decode_said(words[match.end() :]),
        connected=match["relay"] is not None and _CONNECTED.match(match["relay"]) is not None,
    )


def _recipients(words: bytes, at: int) -> tuple[list[bytes], int]:
    """The addresses of a list, and where it ends; none where one of them cannot be told."""
    found: list[bytes] = []
    while len(found) < MAX_RECIPIENTS:
        named = _NAMED.match(words, at)
        one = (named["address"], named.end()) if named else address_at(words, at)
        if one is None:
            return [], at
        found.append(one[0])
        at = one[1]
        if words.startswith(b", [more], ", at):
            return found, at + len(b", [more]")
        if not words.startswith(b",", at) or words.startswith(b", ", at):
            return found, at
        at += 1
    return [], at


@dataclass(frozen=True, slots=True)
class Arrival:
    """``from=…``: a message entered the queue, or none came of the session (``recipient_count`` 0)."""

    reverse_path: str
    size: int
    recipient_count: int
    message_id: str | None
    client: Host | None
    protocol: str | None


def parse_arrival(words: bytes) -> Arrival | None:
    """Read ``from=…, size=…, class=…, nrcpts=…[, msgid=…][, bodytype=…][, proto=…][, daemon=…][, relay=…]``.

    The Message-ID stands between Sendmail's own fields, so it is what is left when those on its right are taken off.
    """
    if not words.startswith(b"from="):
        return None
    sender = (b"<>", 5) if words.startswith(b"from=, ") else address_at(words, 5)
    numbers = _SENDER.match(words, sender[1]) if sender else None
    if sender is None or numbers is None:
        return None
    rest, protocol, client = words[numbers.end() :], None, None
    start = rest.rfind(b", relay=")
    relay = _CLIENT.match(rest, start + len(b", relay=")) if start >= 0 else None
    if relay:
        rest, client = rest[:start], host(text(relay["host"]).strip())
    for name, form in _TAIL:
        start = rest.rfind(name)
        value = form.match(rest, start + len(name)) if start >= 0 else None
        if value:
            rest = rest[:start]
            protocol = text(value[0]) if name == b", proto=" else protocol
    message_id = text(rest.removeprefix(b", msgid=")).strip() if rest.startswith(b", msgid=") else None
    return Arrival(
        reverse_path=bare(sender[0]),
        size=int(numbers[1]),
        recipient_count=int(numbers[2]),
        message_id=(message_id.removeprefix("<").removesuffix(">") or None) if message_id else None,
        client=client,
        protocol=protocol,
    )
