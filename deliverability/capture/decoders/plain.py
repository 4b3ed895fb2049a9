"""Whether the first octets of a log stand as its server wrote them: a quick look, which most logs pass."""

import re

from deliverability.protocols.whole_line import is_whole

NO_BREAK = b"\xc2\xa0"
OPENING = b"\xe2\x80\x9c"
# Date and time parted by a blank, or the parts of the head by tabs: templates of syslog-ng and rsyslog, spreadsheets.
_SPACED = re.compile(
    rb"(?P<day>\d{4}-\d\d-\d\d)[T \t](?P<clock>\d\d:\d\d:\d\d(?:[.,]\d{1,9})?) ?(?P<zone>Z|[+-]\d\d:?\d\d)?[ \t]"
    rb"(?P<host>[\w.:-]{0,254}[\w.-])[ \t](?P<tag>[\w./-]{1,128}(?:\[\d{1,10}\])?:)[ \t]"
)
# What journalctl prints for a Chinese or Japanese locale: "11月 22 10:00:00 host program[1]: ", " 1月" (glibc's ABMON).
_MONTH = re.compile(
    rb" ?(?P<month>1[0-2]|[1-9])\xe6\x9c\x88 (?P<day>[ 0-3]\d) (?P<rest>[0-2]\d:[0-5]\d:[0-6]\d(?:\.\d{1,9})? "
    rb"[\w.:-]{1,255} [\w./-]{1,128}(?:\[\d{1,10}\])?: )"
)
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
# Postfix puts its addresses in angle brackets; a page that took them for tags shows what stood in them.
UNBRACKETED = re.compile(rb": to=(?P<address>[^\s<>\",]{1,320}), (?:orig_to=(?P<original>[^\s<>\",]{1,320}), )?relay=")
BOARD_ENDS = tuple(
    end
    for name in (b"email", b"url", b"font", b"size", b"color", b"b", b"code", b"quote")
    for end in (b"[/%s]" % name, b"[/%s]" % name.upper())
)
"""How what a forum marks up ends."""
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
    """Whether links, entities, colours or other blanks may stand in the first octets, or brackets lack: a quick look."""
    signs = (b"\x1b[", b"mailto:", b"&lt;", *BOARD_ENDS, NO_BREAK, b"=" + OPENING)
    return any(sign in head for sign in signs) or UNBRACKETED.search(head) is not None


def is_spaced(line: bytes) -> bool:
    """Whether date and time are parted by a blank, the parts of the head by tabs, or the month's name is Chinese."""
    return headed(line) != line


def headed(line: bytes) -> bytes:
    """The line with its head as RFC 3339 and syslog have it."""
    match = _SPACED.match(line)
    if match:
        zone = match["zone"] or b""
        head = b"%sT%s%s %s %s " % (match["day"], match["clock"], zone, match["host"], match["tag"])
        return head + line[match.end() :]
    named = _MONTH.match(line)
    if named:
        return b"%s %s %s" % (_MONTHS[int(named["month"]) - 1], named["day"], named["rest"]) + line[named.end() :]
    return line
