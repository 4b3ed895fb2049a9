"""Whether the first octets of a log stand as its server wrote them: a quick look, which most logs pass."""

import re

from deliverability.protocols.whole_line import is_whole

NO_BREAK = b"\xc2\xa0"
OPENING = b"\xe2\x80\x9c"
# Date and time parted by a blank, or the parts of the head by tabs: templates of syslog-ng and rsyslog, spreadsheets.
SPACED = re.compile(
    rb"(?P<day>\d{4}-\d\d-\d\d)[T \t](?P<clock>\d\d:\d\d:\d\d(?:[.,]\d{1,9})?) ?(?P<zone>Z|[+-]\d\d:?\d\d)?[ \t]"
    rb"(?P<host>[\w.:-]{0,254}[\w.-])[ \t](?P<tag>[\w./-]{1,128}(?:\[\d{1,10}\])?:)[ \t]"
)
_ODD_LINE = re.compile(rb"\n(?!\d{4}-\d\d-\d\d[T ]|(?:\d{4} )?[A-Z][a-z]{2} [ \d]\d |<\d|\d{9}|[ \t]*\r?(?:\n|\Z)|\Z)")


def is_plain(head: bytes) -> bool:
    """Whether the first octets are those of a plain log, so that nothing else need be looked at."""
    return head[:1].isalnum() and is_whole(head[:1024].split(b"\n", 1)[0]) and not _is_odd(head)


def _is_odd(head: bytes) -> bool:
    """Whether some line begins as no log line does, or something within one may have been changed: a quick look."""
    if may_be_marked_up(head) or _ODD_LINE.search(head) is not None:
        return True
    return is_spaced(head[:1024].split(b"\n", 1)[0])


def may_be_marked_up(head: bytes) -> bool:
    """Whether links, entities, colours or other blanks may stand in the first octets: a quick look."""
    return any(sign in head for sign in (b"\x1b[", b"mailto:", b"&lt;", NO_BREAK, b"=" + OPENING))


def is_spaced(line: bytes) -> bool:
    """Whether date and time are parted by a blank, or the parts of the head by tabs."""
    match = SPACED.match(line)
    return match is not None and match[0] != closed(match)


def closed(match: re.Match[bytes]) -> bytes:
    """The head as RFC 3339 and syslog have it."""
    zone = match["zone"] or b""
    return b"%sT%s%s %s %s " % (match["day"], match["clock"], zone, match["host"], match["tag"])
