"""Whether a line is one of a log as its server wrote it: most logs are, and then nothing need be unwrapped."""

import re
from functools import cache

from deliverability.protocols.syslog import HEAD, parse_prologue

_EXIM = re.compile(rb"\d{4}-\d\d-\d\d [0-2]\d:[0-5]\d:[0-6]\d[. ]")

MAX_LOOKED_AT = 65_536  # octets of a line


@cache
def _another() -> re.Pattern[bytes]:
    date = rb"(?:\d{4}-\d\d-\d\d[T ]|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3]\d )"
    syslog = rb"[!-~]{1,255} [!-9;-Z\\^-~]{1,128}\[\d{1,10}\]: "
    exim = rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4} (?:<=|[=-]>|>>|\*\*|==|Completed)"
    return re.compile(rb"[ \t)]%s[0-2]\d:[0-5]\d:[0-6]\d\S{0,15} (?:%s|%s)" % (date, syslog, exim))


def holds_another(raw: bytes) -> bool:
    """Whether a second line begins within a line, as where a page joined them: only the first can be read.  Linear."""
    return _another().search(raw, 0, MAX_LOOKED_AT) is not None


@cache
def _head() -> re.Pattern[bytes]:
    return re.compile(HEAD)


def is_whole(text: bytes) -> bool:
    """Whether this is a log line as a server wrote it: syslog's head, or Exim's own time."""
    return _EXIM.match(text) is not None or parse_prologue(text[:1024]) is not None


def begins_whole(text: bytes) -> bool:
    """The quick look, once the first records or lines have shown what they are."""
    return _EXIM.match(text) is not None or _head().match(text) is not None
