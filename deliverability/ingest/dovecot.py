"""Dovecot 2.2 to 2.4: what its LMTP server and delivery agent (LDA) did with a message, and the folder they chose.

This is the mail store's own word of final delivery, and shows when our own server filed a notice to Junk.  A store says
``Saved`` to the mail server even where the user's Sieve script forwarded, refused or threw the message away: only these
lines tell.  Logins, searches and whatever else Dovecot logs give no event.

Read from syslog and from Dovecot's own log files (``log_path``).  Each recipient's delivery has a session id, which the
store's reply repeats; where Dovecot logs none (LDA before 2.3) the event has none, and user, Message-ID and time tie it.

Wordings: see :mod:`deliverability.protocols.dovecot_lines`.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from deliverability.errors import ParseError
from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.evidence.names import Mailbox
from deliverability.protocols import ingesting
from deliverability.protocols.syslog import Prologue, head_for, parse_prologue

if TYPE_CHECKING:
    from deliverability.protocols.dovecot_lines import About

MAX_LINE = 65_536
"""Octets of a line that are read; Dovecot cuts at a few KiB."""
MAX_SESSIONS = 4096  # deliveries whose first line is kept in mind

_TAG = re.compile(r"dovecot(?:[-.][A-Za-z0-9-]{1,32})?\Z")
_SYSLOG_HEAD = head_for(rb"dovecot(?:[-.][A-Za-z0-9-]{1,32})?")
_DATE = (
    rb"(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3]\d|\d{4}-\d\d-\d\d)[ T][0-2]\d:[0-5]\d:[0-6]\d"
    rb"(?:\.\d{1,9})?"
)
_OWN_HEAD = (
    rb"^%s (?=[a-z][a-z0-9-]{1,31}(?:\([^()\n]{0,530}\))?(?:<\d{1,10}><[^<>\s]{0,100}>)?: "
    rb"(?:Debug|Info|Warning|Error|Fatal|Panic): )" % _DATE
)
_HEAD = rb"(?:%s|%s)" % (_SYSLOG_HEAD, _OWN_HEAD)
_LEVELS = (b": Debug: ", b": Info: ", b": Warning: ", b": Error: ", b": Fatal: ", b": Panic: ")
_is_line = ingesting.Recogniser(_HEAD, b" dovecot", *_LEVELS)

Key = tuple[str, str | None, str]
"""Log source, host and session."""


@cache
def _own() -> re.Pattern[bytes]:
    return re.compile(_OWN_HEAD)


def _prologue(raw: bytes) -> Prologue | None:
    """The head of a line in syslog or in a file of Dovecot's own, which names neither host nor program."""
    own = _own().match(raw)
    if own:
        time = own[0].rstrip(b" ")
        if time[4:5] == b"-":
            time = time.replace(b" ", b"T", 1)
        return parse_prologue(time + b" dovecot: " + raw[own.end() :])
    head = parse_prologue(raw)
    return head if head is not None and _TAG.match(head.tag) else None


class _Sessions:
    """Deliveries that were told of already."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, None] = OrderedDict()

    def is_new(self, key: Key) -> bool:
        """Whether this is the first line of a delivery."""
        if key in self._known:
            return False
        self._known[key] = None
        if len(self._known) > MAX_SESSIONS:
            self._known.popitem(last=False)
        return True


def _read(line: LogLine, sessions: _Sessions) -> Iterator[DeliveryEvent]:
    from deliverability.protocols.dovecot_lines import parse_outcome, parse_start

    if line.cut or len(line.raw) > MAX_LINE:
        return  # what is lost may be the true outcome, and what is left a stranger's
    head = _prologue(line.raw)
    about = parse_start(head.rest) if head else None
    said = parse_outcome(head.rest, about.start) if head and about else None
    if head is None or about is None or said is None:
        return
    common = _event(line, head, about)
    if about.session and sessions.is_new((line.place.log, head.host, about.session)):
        yield DeliveryEvent(action=Action.ARRIVED, message_id=said.message_id, **common)
    if said.thrown_away:
        yield DeliveryEvent(action=Action.CANCELLED, recipient=about.user, text=said.text, **common)
    elif said.result is not None:
        yield DeliveryEvent(
            action=Action.ATTEMPTED,
            recipient=about.user,
            message_id=said.message_id,
            result=said.result,
            transport=said.transport,
            folder=said.folder,
            text=said.text,
            **common,
        )


def _event(line: LogLine, head: Prologue, about: "About") -> dict[str, Any]:
    return {
        "line": line,
        "at": head.at,
        "writer": f"dovecot/{about.service}",
        "host": head.host,
        "process": about.process,
        "queue_id": about.session,
    }


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """The events of lines in their order: a delivery's first line also says that it began; never raises."""
    sessions = _Sessions()
    for line in lines:
        yield from _read(line, sessions)


def is_line(raw: bytes) -> bool:
    """Whether Dovecot wrote it: by its syslog tag, or by the date, program and level of its own files."""
    return _is_line(raw)


def sniff(sample: bytes) -> float:
    """Share of the sample's complete lines that Dovecot wrote."""
    return _is_line.share(sample)


def queue_ids(raw: bytes) -> list[str]:
    """The session id of a delivery; sessions of readers are not deliveries."""
    from deliverability.protocols.dovecot_lines import parse_start

    head = _prologue(raw[:MAX_LINE])
    about = parse_start(head.rest) if head else None
    return [about.session] if about and about.session else []


def needles(address: str) -> tuple[bytes, ...]:
    """Spellings of an address, of it without its detail, and of the local part alone (``auth_username_format = %n``)."""
    found = set(ingesting.needles(address))
    try:
        mailbox = Mailbox.parse(address)
    except ParseError:
        return tuple(sorted(found))
    whole = mailbox.local_part.lower()
    for local in {whole, whole.partition("+")[0] or whole}:
        user = local.encode("utf-8", "surrogatepass")
        found |= {b"(%s)<" % user, b", %s): " % user, b"lda(%s): " % user, b"deliver(%s): " % user}
        if local != whole:
            found |= {b"(%s@%s)" % (user, name.encode()) for name in (mailbox.domain.name, mailbox.domain.unicode)}
    return tuple(sorted(found))


FORMAT = LogFormat(
    id="dovecot",
    title="Dovecot LMTP and LDA (syslog, own log files)",
    sniff=sniff,
    parse=parse,
    is_line=is_line,
    queue_ids=queue_ids,
    needles=needles,
    head=_HEAD,
    delivery_marks=(b"msgid=",),
)
