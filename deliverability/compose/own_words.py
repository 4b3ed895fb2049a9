"""Why our own server did not get a message off: told from its own words, where no other server answered.

Each rule is anchored at the words' beginning, and passes over names only where the program writes one: names of hosts and
domains, and what a program prints, are a stranger's.  Sources: the words of Exim 4.98 (``src/deliver.c``,
``src/transports/smtp.c``, ``appendfile.c``, ``src/routers/dnslookup.c``), Postfix 3.9 (``smtp_addr.c``,
``smtp_connect.c``, ``smtp_trouble.c``, ``qmgr_message.c``, ``local/``), Sendmail 8.18 (``deliver.c``, ``sysexits.c``),
OpenSMTPD 7 (``mta.c``), and cPanel's routers as its documentation and forum quote them.
"""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

_NAME = r"[^\s]{1,300}"
_RULES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "not-tried",
        (
            r"retry time not reached",
            r"delivery temporarily suspended",
        ),
    ),
    (
        "retry-over",
        (
            r"(?:[^:]{1,200}: )?retry timeout exceeded\Z",
            rf"all hosts (?:for '{_NAME}' )?have been failing for a long time",
            r"cannot send message (?:for|within) ",
        ),
    ),
    (
        "no-mail",
        (
            rf"(?:domain )?(?:{_NAME} )?does not accept mail",
            r"an mx or srv record indicated no smtp service",
        ),
    ),
    (
        "no-domain",
        (
            r"host or domain name not found",
            r"there is no domain ",
            r"all relevant mx records point to non-existent hosts",
            r"unable to look up host [^:]{1,300}: (?:name or service|no address|nodename|hostname) ",
            r"host unknown",
            r"no mx found for (?:domain|destination)",
            r"domain not found",
            r"name not found",
        ),
    ),
    (
        "dns",
        (
            r"host lookup did not complete",
            rf"lookup of (?:host )?\S?{_NAME} (?:failed|gave defer)",
            r"unable to look up host ",
            r"(?:deferred: )?name server: ",
            r"(?:deferred: )?[^:]{1,300}: host name lookup failure",
            r"temporary failure in mx lookup",
        ),
    ),
    (
        "connection",
        (
            (
                r"(?:deferred: )?(?:[^\s:]{1,300}: )?(?:connection (?:timed out|refused|reset by|reset\b|closed)|no route to host"
                r"|network is (?:unreachable|down)|host is (?:down|unreachable)|operation timed out|broken pipe)"
            ),
            r"connect to [^:]{1,300}(?:\[[0-9a-f.:]{1,60}\])?:\d{1,5}: ",
            r"(?:smtp|lmtp) timeout ",
            r"remote host (?:.{1,300} )?closed connection",
            rf"lost connection with {_NAME} ",
            rf"conversation with {_NAME} timed out ",
            r"network error on destination mx",
        ),
    ),
    (
        "tls",
        (r"tls session", r"a tls session is required", r"dane error", r"tlsa lookup error", r"tls is required"),
    ),
    (
        "quota",
        (
            r"mailbox is full",
            r"quota exceeded",
            r"disk quota exceeded",
            r"cannot update mailbox [^:]{1,300}\. error writing message: (?:disk quota exceeded|file too large)",
            r"maildir delivery failed: [^:]{0,100}: (?:disk quota exceeded|file too large)",
            rf"(?:{_NAME} )?over quota",
        ),
    ),
    (
        "no-mailbox-here",
        (
            r"no such user here",
            r"unknown user: ",
            r"user unknown in (?:virtual|local|relay)",
        ),
    ),
    (
        "no-way",
        (
            r"unrouteable address",
            r"lowest numbered mx record points to local host",
            r"remote host address is the local host",
            rf"mail for {_NAME} loops back to myself",
            r"the mail server could not deliver mail to ",
        ),
    ),
    (
        "own-limit",
        (
            rf"domain {_NAME} has exceeded the max (?:emails|defers and failures) per hour",
            r"message is too big",
        ),
    ),
    ("loop", (r"loop\Z", r"mail forwarding loop", r"too many hops", r"too many \"?received")),
    ("too-large", (r"message size \d{1,20} exceeds size limit \d{1,20} of server ",)),
    (
        "technical",
        (
            r"smtputf8 (?:is )?required, but was not offered",
            r"message has lines too long for transport",
        ),
    ),
    (
        "own-trouble",
        (
            r"mail transport unavailable",
            r"unknown mail transport error",
            r"(?:\w{1,60} )?transport process returned non-zero status",
            r"failed to expand ",
            r"dkim signing failed",
            r"child process of ",
            r"command (?:died with|time limit|output)",
            r"temporary failure(?:\.|\Z)",
            r"local delivery failed\Z",
            r"(?:deferred: )?insufficient disk space",
            r"(?:deferred: )?(?:local|internal) (?:configuration )?error",
            r"can't create ",
            r"cannot (?:append|open|create) ",
        ),
    ),
)
_OWN_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "1.2": "no-domain",
        "2.2": "quota",
        "3.0": "own-trouble",
        "3.5": "own-trouble",
        "4.1": "connection",
        "4.2": "connection",
        "4.3": "dns",
        "4.6": "loop",
        "4.7": "retry-over",
        "7.4": "tls",
        "7.5": "tls",
    }
)
"""What our own server's code says where its words are not known (RFC 3463 §3), without its class; the others tell less."""


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((reason, re.compile("|".join(f"(?:{rule})" for rule in rules))) for reason, rules in _RULES)


def why_own(words: str, code: str = "") -> str:
    """The reason that our own server's words give, else its own enhanced status code; ``other`` where neither tells one.

    A domain that was not found is ``no-domain``, whether or not our server looks again.
    """
    text = words.lower()
    for reason, pattern in _patterns():
        if pattern.match(text):
            return reason
    return _OWN_CODES.get(code.partition(".")[2], "other")
