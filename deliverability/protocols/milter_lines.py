"""What OpenDKIM and OpenDMARC, both Sendmail milters, have in common in their logs: the job before the words.

A milter names each message by the queue id that the mail server gave it (macro ``i``), then a colon.  Lines without
one are about the filter itself.
"""

import re

from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.protocols.syslog import parse_prologue

MAX_LINE = 65_536
"""Octets of a line that are read; syslog cuts far earlier."""

_JOB = re.compile(
    rb"("
    rb"[0-9A-F]{6,22}"  # Postfix, short
    rb"|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{1,13}"  # Postfix, long
    rb"|[0-9A-Za-z]{8}\d{5,8}"  # Sendmail 8.12 and later
    rb"): (?=\S)"
)
DOMAIN = r"(?:[0-9A-Za-z_](?:[0-9A-Za-z_-]{0,61}[0-9A-Za-z])?\.){0,20}[0-9A-Za-z][0-9A-Za-z-]{0,62}"
"""Regular expression: a domain in A-labels, as ``d=`` holds it (RFC 6376 §3.5)."""
SELECTOR = r"[0-9A-Za-z](?:[0-9A-Za-z._-]{0,253}[0-9A-Za-z])?"
"""Regular expression: a selector (RFC 6376 §3.1)."""


def split_job(words: bytes) -> tuple[str, bytes] | None:
    """The queue id that a milter's line begins with, and its words; ``None`` for a line about no message."""
    match = _JOB.match(words)
    return (match[1].decode("ascii"), words[match.end() :]) if match else None


def filtered(line: LogLine, program: str) -> DeliveryEvent | None:
    """The event of a milter's line about one message, its words as text; ``None`` for any other line."""
    head = parse_prologue(line.raw[:MAX_LINE])
    job = split_job(head.rest) if head and head.tag == program else None
    if head is None or job is None:
        return None
    return DeliveryEvent(
        action=Action.FILTERED,
        line=line,
        at=head.at,
        writer=program,
        host=head.host,
        process=f"{head.tag}[{head.pid}]" if head.pid else None,
        queue_id=job[0],
        text=job[1].decode("utf-8", "backslashreplace"),
    )


def job_ids(raw: bytes, program: str) -> list[str]:
    """The queue id that a milter's line begins with, if it names one."""
    head = parse_prologue(raw[:MAX_LINE])
    job = split_job(head.rest) if head and head.tag == program else None
    return [job[0]] if job else []
