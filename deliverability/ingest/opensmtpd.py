"""OpenSMTPD 5.9 to 7.x as it writes to syslog.

A message is named by its eight hexadecimal digits, each of its envelopes by eight more; no line holds a Message-ID or
a subject.  Every session has an id, and one process serves them all, so lines are tied by the session's.  OpenSMTPD
does not say by what a message was delivered on this machine (mailbox, program, LMTP): that is told as handed over.

Wordings: OpenSMTPD 6.8.0 of Debian 12, run for this purpose, and the sources of 5.9 to 7.8.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from deliverability.evidence.event import Action, DeliveryEvent, Session
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.evidence.smtp import Host
from deliverability.protocols import ingesting
from deliverability.protocols.syslog import head_for, parse_prologue

if TYPE_CHECKING:
    from deliverability.protocols.opensmtpd_lines import Facts

MAX_LINE = 65_536
"""Octets of a line that are read; syslog cuts far earlier."""
MAX_SESSIONS = 4096  # sessions whose other end is kept in mind

_TAG = "smtpd"
_HEAD = head_for(rb"smtpd")
_is_line = ingesting.Recogniser(_HEAD, _TAG.encode())

Key = tuple[str, str | None, str]
"""Log source, host and session."""


class _Sessions:
    """The other end of each session, as the line that opened it says."""

    def __init__(self) -> None:
        self._ends: OrderedDict[Key, Host | None] = OrderedDict()

    def take(self, key: Key, end: Host | None) -> None:
        """Keep what a line says of a session."""
        self._ends[key] = end
        if len(self._ends) > MAX_SESSIONS:
            self._ends.popitem(last=False)

    def end(self, key: Key) -> Host | None:
        """Who was at the other end."""
        return self._ends.get(key)


def _read(line: LogLine, sessions: _Sessions) -> DeliveryEvent | None:
    from deliverability.protocols.opensmtpd_lines import facts_of

    head = parse_prologue(line.raw[:MAX_LINE])
    said = None
    if head is not None and head.tag == _TAG:
        said = facts_of(head.rest, cut=line.cut or len(line.raw) > MAX_LINE)
    if head is None or said is None:
        return None
    session, facts = said
    key = (line.place.log, head.host, session or "")
    for name in ("client", "peer"):
        if name in facts:
            sessions.take(key, facts[name])
            return None
    return DeliveryEvent(
        line=line,
        at=head.at,
        writer="opensmtpd",
        host=head.host,
        process=f"{_TAG}/{session}" if session else None,
        **_with_end(facts, sessions.end(key)),
    )


def _with_end(facts: "Facts", end: Host | None) -> "Facts":
    """The facts of a line, with the other end of its session where the line leaves it out."""
    if facts["action"] is Action.ARRIVED and facts["session"].client is None:
        return {**facts, "session": Session(client=end, protocol=facts["session"].protocol)}
    if facts["action"] is Action.REJECTED:
        return {**facts, "session": Session(client=end)}
    return {**facts, "relay": end} if facts["action"] is Action.CONNECTED else facts


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """The events of lines in their order; never raises."""
    sessions = _Sessions()
    for line in lines:
        event = _read(line, sessions)
        if event is not None:
            yield event


def is_line(raw: bytes) -> bool:
    """Whether the head carries OpenSMTPD's syslog tag; Postfix's ``smtpd`` never writes without a name before it."""
    return _is_line(raw)


def sniff(sample: bytes) -> float:
    """Share of the sample's complete lines that OpenSMTPD wrote; none where all speak otherwise (Halon has the same tag)."""
    share = _is_line.share(sample)
    return share if share and any(_speaks(line) for line in sample.split(b"\n")) else 0.0


def _speaks(raw: bytes) -> bool:
    from deliverability.protocols.opensmtpd_lines import OWN_WORDS

    head = parse_prologue(raw[:MAX_LINE]) if is_line(raw) else None
    return head is not None and OWN_WORDS.match(head.rest) is not None


def queue_ids(raw: bytes) -> list[str]:
    """The message's id and that of the envelope; sessions name many messages and are not followed."""
    from deliverability.protocols.opensmtpd_lines import ids_of

    head = parse_prologue(raw[:MAX_LINE])
    return ids_of(head.rest) if head is not None and head.tag == _TAG else []


FORMAT = LogFormat(
    id="opensmtpd",
    title="OpenSMTPD (syslog)",
    sniff=sniff,
    parse=parse,
    is_line=is_line,
    queue_ids=queue_ids,
    needles=ingesting.needles,
    head=_HEAD,
)
