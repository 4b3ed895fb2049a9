"""Octets of a server → SMTP replies, within bounds (RFC 5321 §4.2, §4.5.3.1.5).  Knows no socket."""

import contextlib
import re
from collections import deque
from functools import lru_cache
from typing import Final

from deliverability.errors import ParseError
from deliverability.evidence.smtp import Reply
from deliverability.protocols.smtp import parse_reply

MAX_LINE: Final = 4096
"""Octets of a reply line; RFC 5321 §4.5.3.1.5 allows 512."""
MAX_REPLY: Final = 64 << 10
"""Octets of a reply; an EHLO reply has some hundreds."""
MAX_WAITING: Final = 512
"""Replies that nobody has fetched yet."""

MAX_KEPT: Final = 120
_LINE: Final = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\n]*))?\r?\n\Z")


_parsed = lru_cache(maxsize=256)(parse_reply)  # a server says the same things to every message


class BadReplyError(ParseError):
    """The server said what is no SMTP reply."""


class ReplyReader:
    """Takes octets as they come; :attr:`replies` holds the whole replies, oldest first."""

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()
        self._rest = bytearray()
        self._lines: list[bytes] = []
        self._size = 0

    @property
    def at_rest(self) -> bool:
        """Whether nothing has come that nobody has fetched."""
        return not (self.replies or self._rest or self._lines)

    def feed(self, data: bytes) -> None:
        """Take octets; raises :class:`BadReplyError`, after which nothing more can be made of the stream."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._rest += data[start : end + 1]
            self._take(bytes(self._rest))
            self._rest.clear()
            start = end + 1
        self._rest += data[start : start + MAX_LINE + 1]
        if len(self._rest) > MAX_LINE:
            raise BadReplyError(f"a reply line of more than {MAX_LINE} octets")

    def _take(self, line: bytes) -> None:
        match = _LINE.match(line) if len(line) <= MAX_LINE else None
        if match is None:
            raise BadReplyError("what the server said is no SMTP reply")
        if self._lines and self._lines[0][:3] != match[1]:
            raise BadReplyError("the lines of a reply have different codes")
        self._lines.append(line.rstrip(b"\r\n"))
        self._size += len(line)
        if self._size > MAX_REPLY:
            raise BadReplyError(f"a reply of more than {MAX_REPLY} octets")
        if match[2] == b"-":
            return
        # As logs keep it: the lines in a row, each with its code.
        text = b" ".join(self._lines).decode("utf-8", "backslashreplace")
        self.replies.append(_parsed(text) if len(text) < MAX_KEPT else parse_reply(text))
        self._lines, self._size = [], 0
        if len(self.replies) > MAX_WAITING:
            raise BadReplyError("more replies than commands")


def first_reply(octets: bytes) -> Reply | None:
    """The first whole reply in what a server said, if there is one."""
    reader = ReplyReader()
    with contextlib.suppress(BadReplyError):
        reader.feed(octets[:MAX_REPLY])
    return reader.replies[0] if reader.replies else None


def beyond_first_reply(octets: bytes) -> int:
    """How many octets follow the first whole reply: a server that waits for a command has said none."""
    at = 0
    while (end := octets.find(b"\n", at)) >= 0:
        line, at = octets[at : end + 1], end + 1
        if line[3:4] != b"-":
            return len(octets) - at
    return 0
