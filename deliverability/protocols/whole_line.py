"""Whether a line is one of a log as its server wrote it: most logs are, and then nothing need be unwrapped."""

import re
from functools import cache

from deliverability.protocols.syslog import HEAD, parse_prologue

_EXIM = re.compile(rb"\d{4}-\d\d-\d\d [0-2]\d:[0-5]\d:[0-6]\d[. ]")


@cache
def _head() -> re.Pattern[bytes]:
    return re.compile(HEAD)


def is_whole(text: bytes) -> bool:
    """Whether this is a log line as a server wrote it: syslog's head, or Exim's own time."""
    return _EXIM.match(text) is not None or parse_prologue(text[:1024]) is not None


def begins_whole(text: bytes) -> bool:
    """The quick look, once the first records or lines have shown what they are."""
    return _EXIM.match(text) is not None or _head().match(text) is not None
