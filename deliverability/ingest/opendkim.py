"""OpenDKIM 2.10 and 2.11 as it writes to syslog: what it signed, why it did not, and what it found on mail from outside.

``DKIM-Signature field added`` is the filter's own word that it asked the mail server to add a signature.  Whether the
message left with it, and whether it verifies, only the message itself shows.

Wordings: Debian's opendkim 2.11.0~beta2, run behind Postfix, and the format strings in its program.  ``LogWhy`` and
``LogResults`` add lines; ``SyslogSuccess`` must be on for the one that says a message was signed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols import ingesting
from deliverability.protocols.milter_lines import DOMAIN, SELECTOR, filtered, job_ids
from deliverability.protocols.syslog import head_for

_NAME = "opendkim"
_HEAD = head_for(_NAME.encode())
_is_line = ingesting.Recogniser(_HEAD, _NAME.encode())
_SIGNED = re.compile(rf"DKIM-Signature field added \(s=({SELECTOR}), d=({DOMAIN})\)")


def _read(line: LogLine) -> DeliveryEvent | None:
    event = filtered(line, _NAME)
    signed = _SIGNED.fullmatch(event.text) if event and not line.cut else None
    if event is None or signed is None:
        return event
    return replace(event, action=Action.SIGNED, selector=signed[1], signing_domain=signed[2].lower())


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """Each line's event, if it names a message; never raises, keeps nothing between lines."""
    for line in lines:
        event = _read(line)
        if event is not None:
            yield event


def is_line(raw: bytes) -> bool:
    """Whether OpenDKIM wrote it, by its syslog tag."""
    return _is_line(raw)


def sniff(sample: bytes) -> float:
    """Share of the sample's complete lines that OpenDKIM wrote."""
    return _is_line.share(sample)


def queue_ids(raw: bytes) -> list[str]:
    """The id that the line begins with."""
    return job_ids(raw, _NAME)


FORMAT = LogFormat(
    id="opendkim",
    title="OpenDKIM (syslog)",
    sniff=sniff,
    parse=parse,
    is_line=is_line,
    queue_ids=queue_ids,
    needles=ingesting.needles,
    head=_HEAD,
    delivery_marks=(),
)
