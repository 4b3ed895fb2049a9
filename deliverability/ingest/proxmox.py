"""Proxmox Mail Gateway's filter as it writes to syslog (``pmg-smtp-filter``): what it let pass, and what it kept.

Postfix hands every message to the filter over LMTP and is answered with the filter's own id: ``250 2.5.0 OK (C0FFEE…)``.
Under that id the filter names the message, and then for each recipient the queue id under which it goes on
(``accept mail to``), or that it does not (``moved mail for … to spam quarantine``, ``block mail to``).

Wordings: ``PMG/RuleDB/{Accept,Block,Quarantine}.pm`` of Proxmox Mail Gateway 7 and 8, and lines that administrators
published; none ran here.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache

from deliverability.evidence.event import Action, DeliveryEvent, Result, Transport
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.evidence.smtp import Host
from deliverability.protocols import ingesting
from deliverability.protocols.syslog import head_for, parse_prologue

MAX_LINE = 65_536
"""Octets of a line that are read; syslog cuts far earlier."""
MAX_TEXT = 2000  # characters of a line that are kept as text

_NAME = "pmg-smtp-filter"
_HEAD = head_for(_NAME.encode())
_is_line = ingesting.Recogniser(_HEAD, _NAME.encode())
_HERE = Host("localhost", "127.0.0.1")
"""Where the filter puts a message back: Postfix on the same machine."""


@cache
def _words() -> re.Pattern[bytes]:
    """The filter's own id, and what it says of the message or of one recipient."""
    return re.compile(
        rb"(?P<id>[0-9A-F]{10,32}): (?:"
        rb"new mail message-id=<(?P<mail>[^<>\x00-\x20]{1,998})>(?:#012)?"
        rb"|accept mail to <(?P<passed>[^<>\x00-\x20]{1,320})> \((?P<onward>[0-9A-Za-z]{6,24})\)(?: \(rule: .*\))?"
        rb"|(?:moved mail for <(?P<kept>[^<>\x00-\x20]{1,320})> to (?:spam|virus) quarantine - [0-9A-Za-z]{1,40}"
        rb"|block mail to <(?P<blocked>[^<>\x00-\x20]{1,320})>)(?: \(rule: .*\))?"
        rb")\Z"
    )


def _said(raw: bytes) -> re.Match[bytes] | None:
    head = parse_prologue(raw[:MAX_LINE])
    return _words().match(head.rest.rstrip()) if head is not None and head.tag == _NAME else None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _facts(said: re.Match[bytes]) -> dict[str, object]:
    if said["mail"]:
        return {"action": Action.ARRIVED, "message_id": _text(said["mail"])}
    if said["passed"]:
        return {
            "action": Action.ATTEMPTED,
            "result": Result.SENT,
            "transport": Transport.SMTP,
            "recipient": _text(said["passed"]),
            "relay": _HERE,
            "remote_queue_id": _text(said["onward"]),
        }
    return {"action": Action.CANCELLED, "recipient": _text(said["kept"] or said["blocked"])}


def _read(line: LogLine) -> DeliveryEvent | None:
    head = parse_prologue(line.raw[:MAX_LINE])
    said = _said(line.raw) if not line.cut else None
    if head is None or said is None:
        return None
    return DeliveryEvent(
        line=line,
        at=head.at,
        writer="proxmox",
        host=head.host,
        process=f"{head.tag}[{head.pid}]" if head.pid else None,
        queue_id=_text(said["id"]),
        text=_text(head.rest)[:MAX_TEXT],
        **_facts(said),  # type: ignore[arg-type]
    )


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """Each line's event, if it says what becomes of a message; never raises, keeps nothing between lines."""
    for line in lines:
        event = _read(line)
        if event is not None:
            yield event


def is_line(raw: bytes) -> bool:
    """Whether the filter wrote it, by its syslog tag."""
    return _is_line(raw)


def sniff(sample: bytes) -> float:
    """Share of the sample's complete lines that the filter wrote."""
    return _is_line.share(sample)


def queue_ids(raw: bytes) -> list[str]:
    """The filter's own id, and the queue id under which the message goes on."""
    said = _said(raw)
    return [_text(found) for found in (said["id"], said["onward"]) if found] if said else []


FORMAT = LogFormat(
    id="proxmox",
    title="Proxmox Mail Gateway's filter (syslog)",
    sniff=sniff,
    parse=parse,
    is_line=is_line,
    queue_ids=queue_ids,
    needles=ingesting.needles,
    head=_HEAD,
    delivery_marks=(b": accept mail to <",),
    unproven=True,
)
