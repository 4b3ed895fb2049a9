"""The names by which a line of Postfix is told: programs and their tags, queue ids and what links them.

What a log needs that may hold no such line at all stands here, apart from what reads one: most logs are another
server's, and wait for none of that.
"""

import re
from functools import cache

_LONG_DIGIT = rb"[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]"
QUEUE_ID = rb"(?:[0-9A-F]{6,22}|%s{10}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{1,13})" % _LONG_DIGIT
"""Regular expression (bytes): a short id, or a long one (``enable_long_queue_ids``)."""

CLIENTS = frozenset({"lmtp", "smtp"})
QUEUE_MANAGERS = frozenset({"nqmgr", "oqmgr", "qmgr"})
AGENTS = CLIENTS | QUEUE_MANAGERS | {"cleanup", "discard", "error", "local", "pipe", "retry", "virtual"}
"""The programs that may say how an attempt to deliver ended."""
PROGRAMS = AGENTS | {
    *("anvil", "bounce", "defer", "dnsblog", "flush", "master", "pickup", "postdrop", "postfix-script", "postlog"),
    *("postlogd", "postqueue", "postscreen", "postsuper", "proxymap", "proxywrite", "qmqpd", "scache", "sendmail"),
    *("showq", "smtpd", "spawn", "tlsmgr", "tlsproxy", "trace", "trivial-rewrite", "verify"),
}
TAG = rb"(?:postfix[!-9;-Z\\^-~]{0,128}|[!-9;-Z\\^-~]{1,128}/(?:%s))" % b"|".join(
    program.encode() for program in sorted(PROGRAMS)
)
"""Regular expression (bytes): a syslog tag of Postfix, whatever its ``syslog_name`` (``postfix-out/smtp``, ``mta/smtp``)."""
REPORTERS = ("imjournal", "journal", "rsyslogd", "syslog-ng", "syslogd", "systemd-journald")
"""Loggers, which say that lines are missing."""
REPEATED = rb"last message repeated \d{1,9} times?\b"
"""Regular expression (bytes): a logger's word for lines that it did not write again."""


_OF_A_MESSAGE = (
    rb"(?:(?:to|from|(?:resent-)?message-id)=|client=|uid=\d|removed(?:\s|,|\Z)|(?:sender|postmaster) [a-z -]{5,20} notification"
    rb"|host \S{1,800} (?:said|refused)|(?:lost connection|conversation) with |(?:milter-)?(?:reject|hold|discard): [A-Z]"
    rb"|(?:info|warning): header )"
)
LINKED_ID = rb"[0-9A-Za-z]{5,40}"
"""Regular expression (bytes) for one where Postfix puts nothing else: also what an anonymiser made of it."""
_MASKED = rb"%s+(?=: %s)(?<!NOQUEUE)(?<!warning)(?<!error)(?<!fatal)(?<!panic)" % (LINKED_ID, _OF_A_MESSAGE)
"""What stands where an id does in a log whose ids were replaced (``QUEUEID1``): no id of Postfix's, and in its place."""


@cache
def at_start() -> re.Pattern[bytes]:
    """The queue id at the beginning of a line's words."""
    return re.compile(rb"(?:(?:warning|error|fatal): )?(%s(?=: )|%s): " % (QUEUE_ID, _MASKED))


@cache
def _whole_id() -> re.Pattern[bytes]:
    return re.compile(QUEUE_ID)


@cache
def _links_of_masked() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?: orig_id=|, orig_queue_id=| notification: |\b(?:queued|forwarded) as )(%s)(?![0-9A-Za-z])" % LINKED_ID
    )


@cache
def _sender_links() -> re.Pattern[bytes]:
    return re.compile(rb"(?: orig_id=|, orig_queue_id=| notification: )(%s)(?=,|\Z)" % QUEUE_ID)


@cache
def _reply_links() -> re.Pattern[bytes]:
    return re.compile(rb"\b(?:queued|forwarded) as (%s)(?![0-9A-Za-z])" % QUEUE_ID)


def program(tag: str) -> str | None:
    """The program that a tag names: ``None`` where syslog lost it, ``""`` for a tag that is not Postfix's."""
    _, slash, last = tag.rpartition("/")
    if slash:
        return last if tag.startswith("postfix") or last in PROGRAMS else ""
    return None if tag.startswith("postfix") else ""


def linked_ids(words: bytes) -> list[str]:
    """The line's own id and those that it links to; ids in a reply are another server's word."""
    match = at_start().match(words)
    if not match:
        return []
    rest = words[match.end() :].rstrip(b" \t\r")
    if _whole_id().fullmatch(match[1]) is None:
        others = _links_of_masked().findall(rest)  # an anonymiser replaces all ids of a log
    elif rest.startswith(b"to=<"):
        others = _reply_links().findall(rest)
    elif rest.startswith((b"uid=", b"client=", b"sender ", b"postmaster ")):
        others = _sender_links().findall(rest)
    else:
        others = []
    return [found.decode("ascii") for found in (match[1], *others)]
