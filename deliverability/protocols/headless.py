"""A mail server's words without the head of a log line, as ``journalctl -o cat`` prints them.

They have no time and no host, so nothing can be claimed by them; but they are a mail log, and whoever asks is to know.
Program names are left out as well, so the words alone must do: Postfix's, Sendmail's and Dovecot's as in the formats of
those names; Exim's with ``log_timestamp`` off (the specification, chapter 53); OpenSMTPD's.
"""

import re
from functools import cache

MAX_LOOKED_AT = 512  # octets of a line


@cache
def _words() -> re.Pattern[bytes]:
    before = (
        rb"(?:[0-9A-Za-z._-]{1,255} )?(?:[0-9A-Za-z._/-]{1,64}(?:\[\d{1,10}\])?: )?"  # host and program may be left
    )
    ways = (
        rb"[0-9A-Za-z]{5,20}: (?:(?:to|from|client|message-id|uid|milter-\w{1,12})=|removed\Z|sender non-delivery)",
        rb"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}|[0-9A-Za-z]{11})-[0-9A-Za-z]{2,4} (?:<=|[-=*]>|>>|==|\*\*|Completed\Z)",
        rb"(?:lmtp|lda|deliver)\([^)\s]{1,200}\)[^ ]{0,200}: .{0,100}?msgid=",
        rb"[0-9a-f]{16} (?:smtp|mta|mda) (?:message|delivery) ",
    )
    return re.compile(before + rb"(?:%s)" % rb"|".join(b"(?:%s)" % way for way in ways))


def is_headless(raw: bytes) -> bool:
    """Whether a mail server may have said this, and nobody knows when.  Linear; never raises."""
    return _words().match(raw[:MAX_LOOKED_AT].rstrip(b"\r\n")) is not None
