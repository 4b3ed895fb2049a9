"""Why a file of a known kind tells nothing, and what to give instead: for lines that no format took.

Sources: journalctl(1), ``-o short-monotonic``; Microsoft's pages on ``Get-MessageTraceDetailV2`` and on message tracking
(whose columns stand in a ``#Fields:`` line alone, and are not the same in all versions).
"""

import json
import re

from deliverability.errors import printable

MONOTONIC = (
    "lines that tell the time since the machine was started alone, as journalctl -o short-monotonic and -o short-delta print"
    " them, cannot be read: take them with journalctl -o short-iso or -o export"
)
STEPS = (
    "the steps of a message trace (Get-MessageTraceDetail), not the trace itself: export what Get-MessageTraceV2 gives,"
    " or the message trace report"
)
NO_COLUMNS = (
    "rows of Exchange's message tracking without the line that names their columns (#Fields:), which are not the same in all"
    " versions: give the whole file, from its first line on"
)
QUEUE = (
    "a listing of what waits in the queue (mailq, postqueue -p, exim -bp), not a log: it says nothing of what has left;"
    " give the mail server's log"
)
BOUNCE = (
    "a notice of non-delivery, not a log: deliverability explain --reply - tells what it means; the attempts stand in the"
    " log of the mail server that wrote it"
)
VERBOSE = "what exim -v shows of a delivery by hand, without times and ids: the same stands in its main log (exim_mainlog, mainlog)"
MAX_LOOKED_AT = 4096  # octets of a line
MAX_NAMED = 8  # columns
MAX_NAME = 40  # characters

_MONOTONIC = re.compile(rb"\[ {0,8}\d{1,10}\.\d{6}(?: <[ \d.]{1,20}>| {1,20})?\] [!-~]{1,255} [!-~]{1,128}: ")
_QUEUE = re.compile(
    rb"-Queue ID-  ?-|[ \t]*+\d{1,4}[smhdw][ \t]++[\d.]{1,8}[KMG]?[ \t]++[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4} <"
)
_BOUNCE = re.compile(
    rb"This is the mail system at host |This message was created automatically by mail delivery software"
    rb"|The original message was received at |Hi\. This is the qmail-send program|   ----- The following addresses had "
)
_VERBOSE = re.compile(rb"LOG: (?:MAIN|REJECT|PANIC)")
_TRACKING = re.compile(
    rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z,(?:[^,\n]{0,300},){5,8}"
    rb"(?:SMTP|STOREDRIVER|ROUTING|DNS|DSN|AGENT|MAILBOXRULE|RESOLVER),"
    rb"(?:RECEIVE|SEND|SENDEXTERNAL|DELIVER|DEFER|FAIL|DSN|EXPAND|REDIRECT|RESOLVE|SUBMIT|TRANSFER|HARECEIVE|HADISCARD"
    rb"|HAREDIRECT|HAREDIRECTFAIL|DROP|DUPLICATEDELIVER|BADMAIL|NOTIFYMAPI|PROCESS|LOAD|THROTTLE|SUBMITDEFER|SUBMITFAIL),"
)


def why(raw: bytes) -> str | None:
    """What is known of a line that no format took; ``None`` for nothing."""
    looked = raw[:MAX_LOOKED_AT]
    if _MONOTONIC.match(looked):
        return MONOTONIC
    if _TRACKING.match(looked):
        return NO_COLUMNS
    for pattern, reason in ((_QUEUE, QUEUE), (_BOUNCE, BOUNCE), (_VERBOSE, VERBOSE)):
        if pattern.match(looked):
            return reason
    return _of_record(raw) if raw.startswith(b"{") and len(raw) <= 1 << 20 else None


def _of_record(raw: bytes) -> str | None:
    """A row of a table, or an object of JSON, with its columns or names."""
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not record:
        return None
    names = [name.lower() for name in record]
    if {"event", "detail"} <= set(names) and any("messageid" in name or "messagetraceid" in name for name in names):
        return STEPS
    shown = ", ".join(printable(name[:MAX_NAME]) for name in list(record)[:MAX_NAMED])
    more = ", …" if len(record) > MAX_NAMED else ""
    return f"its columns are those of no export that this version reads: {shown}{more} (docs/log-sources.md lists which it does)"
