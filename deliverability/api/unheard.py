"""Lines that name what was asked for and tell of an attempt, in a form that cannot be read.

Beside such a line "not found" would be "could not look": an anonymiser took the queue id out, the line was wrapped, or a
page put several lines into one.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from deliverability.correlate.entries import REMARKS
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols.whole_line import holds_another, is_whole

MAX_LOOKED_AT = 65_536  # octets of a line
# What mail servers say of an attempt, wherever it stands: a line whose head nobody knows may have any order.
_ATTEMPT = re.compile(rb"\bto=|\bstat(?:us)?=|\brcpt=|[ \t](?:[=-]>|>>|\*\*|==|<=)[ \t]?")


def unheard(
    formats: Sequence[LogFormat],
    lines: Iterable[LogLine],
    heard: Iterable[DeliveryEvent],
    words: Collection[bytes] = (),
) -> Iterator[LogLine]:
    """Those of the lines; ``heard`` is what could be read of them, ``words`` what was looked for, in lower case.

    A line of no known form may also only stand below one that was found: then none of the words is in it.
    """
    told = _told(list(heard))
    for line in lines:
        if line.place.offset not in told and _is_lost(formats, line.raw, words):
            yield line


def _told(heard: Sequence[DeliveryEvent]) -> set[int]:
    """Where the lines stand that belong to a story: what a filter says of a message that no other line names does not."""
    named = {event.queue_id for event in heard if event.action not in REMARKS}
    return {event.line.place.offset for event in heard if event.action not in REMARKS or event.queue_id in named}


def joined(lines: Iterable[LogLine]) -> Iterator[LogLine]:
    """Lines of a paste within which another begins: only the first can be read."""
    return (line for line in lines if holds_another(line.raw))


def newly_unread(lines: Iterable[LogLine]) -> int:
    """How many of them passed for lines that can be read: they have the head of one."""
    return sum(is_whole(line.raw) for line in lines)


def _is_lost(formats: Sequence[LogFormat], raw: bytes, words: Collection[bytes]) -> bool:
    known = [fmt for fmt in formats if fmt.is_line(raw)]
    if known:
        return any(fmt.is_lost(raw) for fmt in known if fmt.is_lost is not None)
    if is_whole(raw) or _ATTEMPT.search(raw, 0, MAX_LOOKED_AT) is None:
        return False
    shown = raw[:MAX_LOOKED_AT].lower()
    return not words or any(word in shown for word in words)
