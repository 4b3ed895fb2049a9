"""OpenDMARC 1.3 and 1.4 as it writes to syslog: what our own filter made of a message's SPF and DMARC (RFC 9989).

Facts about our side: ``example.com pass`` is what this filter concluded about the author domain when the message came
in.  It says nothing of what a receiver of ours concluded.

Wordings: Debian's opendmarc 1.4.2, run behind Postfix.
"""

from collections.abc import Iterable, Iterator

from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols import ingesting
from deliverability.protocols.milter_lines import filtered, job_ids
from deliverability.protocols.syslog import head_for

_NAME = "opendmarc"
_HEAD = head_for(_NAME.encode())
_is_line = ingesting.Recogniser(_HEAD, _NAME.encode())


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """Each line's event, if it names a message; never raises, keeps nothing between lines."""
    for line in lines:
        event = filtered(line, _NAME)
        if event is not None:
            yield event


def is_line(raw: bytes) -> bool:
    """Whether OpenDMARC wrote it, by its syslog tag."""
    return _is_line(raw)


def sniff(sample: bytes) -> float:
    """Share of the sample's complete lines that OpenDMARC wrote."""
    return _is_line.share(sample)


def queue_ids(raw: bytes) -> list[str]:
    """The id that the line begins with."""
    return job_ids(raw, _NAME)


FORMAT = LogFormat(
    id="opendmarc",
    title="OpenDMARC (syslog)",
    sniff=sniff,
    parse=parse,
    is_line=is_line,
    queue_ids=queue_ids,
    needles=ingesting.needles,
    head=_HEAD,
    delivery_marks=(),
)
