"""MailScanner 4 and 5 beside Postfix, as it writes to syslog: the queue id that a scanned message goes on under.

Postfix puts every message on hold; MailScanner takes it out of the hold queue, scans it, and puts it back into the
queue under another id: ``Requeue: 8DC3BBDEAF.A29D3 to 5AD9ABDEB5``.  Without that line the message seems to stay on hold
for ever.  What it is told to do with spam stands in ``Spam Actions: message 8DC3BBDEAF.A29D3 actions are delete``.

Wordings: ``PFDiskStore.pm``, ``Postfix.pm`` and ``Message.pm`` of MailScanner, and lines that administrators published; none ran here.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache

from deliverability.evidence.event import Action, DeliveryEvent, Relation
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols import ingesting
from deliverability.protocols.syslog import head_for, parse_prologue

MAX_LINE = 65_536
"""Octets of a line that are read; syslog cuts far earlier."""
MAX_TEXT = 2000  # characters of a line that are kept as text

_NAME = "MailScanner"
_HEAD = head_for(_NAME.encode())
_is_line = ingesting.Recogniser(_HEAD, _NAME.encode())
_ID = rb"([0-9A-F]{6,22}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{1,13})"
_KEEPING = re.compile(rb"\b(?:deliver|forward|bounce|custom)\b")


@cache
def _requeue() -> re.Pattern[bytes]:
    return re.compile(rb"Requeue: %s\.[0-9A-Fa-f]{1,8} to %s\Z" % (_ID, _ID))


@cache
def _actions() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:[A-Z][A-Za-z-]{1,16} ){1,4}Actions: message %s\.[0-9A-Fa-f]{1,8} actions are ([a-z][a-z, -]{1,200})\Z"
        % _ID
    )


def _words(raw: bytes) -> tuple[re.Match[bytes] | None, re.Match[bytes] | None]:
    head = parse_prologue(raw[:MAX_LINE])
    if head is None or head.tag != _NAME:
        return None, None
    words = head.rest.rstrip()
    return _requeue().match(words), _actions().match(words)


def _read(line: LogLine) -> DeliveryEvent | None:
    head = parse_prologue(line.raw[:MAX_LINE])
    requeued, acted = _words(line.raw) if not line.cut else (None, None)
    if head is None:
        return None
    told: dict[str, object] = {}
    if requeued:
        old, new = (found.decode("ascii") for found in requeued.groups())
        told = {"action": Action.DESCRIBED, "queue_id": new, "related": ((Relation.REQUEUED_FROM, old),)}
    elif acted and not _KEEPING.search(acted[2]):
        told = {"action": Action.CANCELLED, "queue_id": acted[1].decode("ascii")}
    else:
        return None
    return DeliveryEvent(
        line=line,
        at=head.at,
        writer="mailscanner",
        host=head.host,
        process=f"{head.tag}[{head.pid}]" if head.pid else None,
        text=head.rest.decode("utf-8", "backslashreplace")[:MAX_TEXT],
        **told,  # type: ignore[arg-type]
    )


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """Each line's event, if it says what becomes of a message; never raises, keeps nothing between lines."""
    for line in lines:
        event = _read(line)
        if event is not None:
            yield event


def is_line(raw: bytes) -> bool:
    """Whether MailScanner wrote it, by its syslog tag."""
    return _is_line(raw)


def sniff(sample: bytes) -> float:
    """Share of the sample's complete lines that MailScanner wrote."""
    return _is_line.share(sample)


def queue_ids(raw: bytes) -> list[str]:
    """The id that the message goes on under and the one that it had, or the one that something was done with."""
    requeued, acted = _words(raw)
    if requeued:
        return [requeued[2].decode("ascii"), requeued[1].decode("ascii")]
    return [acted[1].decode("ascii")] if acted else []


FORMAT = LogFormat(
    id="mailscanner",
    title="MailScanner (syslog)",
    sniff=sniff,
    parse=parse,
    is_line=is_line,
    queue_ids=queue_ids,
    needles=ingesting.needles,
    head=_HEAD,
    delivery_marks=(),
    unproven=True,
)
