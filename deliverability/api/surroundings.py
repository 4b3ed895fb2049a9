"""The lines around a found line that belong to it: the rest of its entry, and what its process said just before.

Each reach is counted in octets from the found line, so that it is the same wherever a block ends.
"""

import re
from collections.abc import Iterator

from deliverability.capture.blocks import MAX_LINE, Window
from deliverability.evidence.exhibit import LogLine

MAX_ENTRY = 16 << 10  # octets of an entry that goes over several lines
MAX_ENTRY_LINES = 12  # of which only the first few are the mail server's own words
MAX_SESSION_LINES = 8  # lines of one process kept in wait for the delivery that they belong to
MAX_SESSION = 1 << 20  # octets between a session line and the delivery that it belongs to
MAX_HEAD = 512  # octets of a line in which its process is named

ENTRY_REACH = MAX_ENTRY + 2 * MAX_LINE
"""What a window must hold before a line for :func:`whole_entry`."""
SESSION_REACH = MAX_SESSION + MAX_LINE
"""What a window must hold before a line for :func:`session_before`."""

_TIME = re.compile(rb"\d{4}-\d\d-\d\d[ T]\d\d:|<?\d*>?[A-Z][a-z]{2} [ \d]\d \d\d:|<\d+>1 ")
_PART = re.compile(rb" ([\w./-]+\[\d+\]): (?:\d{4}-\d\d-\d\d [\d:.]+ (?:[+-]\d{4} )?)?\[\d{1,4}[/\\]\d{1,4}\] ")
_BY = rb"(?:[\w./-]+\[\d+\]: |[\w./-]+ \d+ - -  ?)"  # RFC 3164 §4.1.3, RFC 5424 §6.2 without structured data
_PROCESS = re.compile(rb" " + _BY)
# Lines that speak of a session and carry no queue id: tied to a delivery by the process that wrote them.
_SESSION = re.compile(
    rb" %s(?:\w+ TLS connection (?:established|reused) to |connect to |SSL_connect error to |NOQUEUE: hold: "
    rb"|certificate verification failed for |STARTTLS=client, )" % _BY
)
# One process of OpenSMTPD serves all sessions: its lines begin with the session's id.
_NUMBERED_BEGINS = b" smtpd["  # quicker to look for
_NUMBERED = re.compile(rb" smtpd\[\d+\]: ([0-9a-f]{16}) (?:mta|smtp) ")
_OF_NUMBERED = re.compile(rb"[0-9a-f]{16} (?:mta|smtp) (?:event=)?(?:connecting|connected|tls|error)\b")
MAX_NUMBERED = 64  # lines of one session that are looked at


def whole_entry(window: Window, start: int) -> Iterator[LogLine]:
    """The line at ``start`` with the rest of its entry.

    Exim's refusals go on in lines without a head, and its syslog entries in parts.
    """
    line, following = window.line(start)
    yield line
    if not _TIME.match(line.raw) or (following < len(window.content) and not _TIME.match(window.content, following)):
        yield from _headless(window, start)
    part = _PART.search(line.raw)
    if part:
        yield from _parts(window, start, part[1])


def _headless(window: Window, start: int) -> Iterator[LogLine]:
    """Lines without a time after the one at ``start``; from one of those, also back to the line that begins the entry."""
    content = window.content
    first = start
    while first and not _TIME.match(content, first) and start - first < MAX_ENTRY:
        first = window.start_of(first - 1)
    at = first
    for _ in range(MAX_ENTRY_LINES):
        line, following = window.line(at)
        if at != start:
            yield line
        at = following
        if at >= len(content) or at - first >= MAX_ENTRY or _TIME.match(content, at):
            return


def _parts(window: Window, start: int, process: bytes) -> Iterator[LogLine]:
    """The other parts of a syslog entry that its writer split: the same process, close by."""
    content = window.content
    for match in _PART.finditer(content, max(0, start - MAX_ENTRY), min(len(content), start + MAX_ENTRY)):
        if match[1] == process:
            yield window.line(window.start_of(match.start()))[0]


def session_before(window: Window, start: int) -> list[LogLine]:
    """Session lines that the process of the line at ``start`` wrote just before it; they carry no queue id."""
    content = window.content
    stop = content.find(b"\n", start, start + MAX_HEAD)
    stop = min(len(content), start + MAX_HEAD) if stop < 0 else stop
    numbered = _NUMBERED.search(content, start, stop)
    if numbered:
        return _of_session(window, start, numbered[1])
    process = _PROCESS.search(content, start, stop)
    found: list[LogLine] = []
    at = start
    while process and len(found) < MAX_SESSION_LINES:
        at = content.rfind(process[0], max(0, start - MAX_SESSION), at)
        if at < 0 or not _SESSION.match(content, at):
            break
        at = window.start_of(at)
        found.append(window.line(at)[0])
    return found[::-1]


def _of_session(window: Window, start: int, session: bytes) -> list[LogLine]:
    """What OpenSMTPD says of the session of the line at ``start``: who was at its other end, and its TLS."""
    content = window.content
    found: list[LogLine] = []
    at = start
    for _ in range(MAX_NUMBERED):
        at = content.rfind(b": %s " % session, max(0, start - MAX_SESSION), at)
        if at < 0 or len(found) >= MAX_SESSION_LINES:
            break
        if _OF_NUMBERED.match(content, at + 2):
            found.append(window.line(window.start_of(at))[0])
        at = window.start_of(at)
    return found[::-1]
