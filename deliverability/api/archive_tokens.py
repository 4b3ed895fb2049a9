"""By what the archive's segments are found again: 32-bit sums of the addresses and queue ids that stand in them.

A token may stand for several things (``a.b@x`` and ``c/a.b@x``, one id in both cases): then a segment too many is
read, which takes a millisecond.  None is left out: an address, a Message-ID or a queue id is cut to its token in a
question just as it is in a log.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from zlib import crc32

from deliverability.evidence.log_format import LogFormat
from deliverability.protocols import octets

MAX_PROBE = 4096  # octets of a line
SELDOM = 1 << 10  # octets to an "@", from which it is quicker to look at its line alone
PROBES = 16  # lines of a segment that tell which formats are in it, apart from those that are known

# What can stand next to "@" in an address, but for marks that logs put around addresses or that an address may be
# spelled with in several ways; cut shorter than it is, an address is still found.
_PLAIN = re.compile(rb"<([0-9A-Za-z._+\-]*+@(?!\.)[0-9A-Za-z._\-\x80-\xff]*+(?<!\.))>")
"""An address of these alone between the usual marks: nearly all are, and one look finds both of its halves."""
_AT = re.compile(rb"@[^\n]*+")
_LOCAL = re.compile(rb'@"?\\?([0-9a-z._+\-]*)')  # in reversed text; a quoted local part counts like a bare one
_DOMAIN = re.compile(rb"@([0-9a-z._\-\x80-\xff]*)")
_USER = re.compile(rb"[<:]\)([0-9a-z._+\-]*)")  # in reversed text: a name in parentheses, or the end of one
_OWN = rb": ([0-9A-Za-z]{5,40}+)(?=:)"  # TAG[PID]: ID: and TAG: ID:
SOLARIS = rb"\] ([0-9A-Za-z]{5,40}+):"  # [ID 197553 mail.info] ID:
_STRUCTURED = rb" - - +(?:\xef\xbb\xbf)?([0-9A-Za-z]{5,40}+):"  # RFC 5424 without data
_QUEUED_AS = rb"queued as ([0-9A-Za-z]{5,40}+)"
_FORWARDED = rb"forwarded as ([0-9A-Za-z]{5,40}+)"
_ORIGINAL = rb"orig_(?:queue_)?id=([0-9A-Za-z]{5,40}+)"
_NOTIFIED = rb"notification: ([0-9A-Za-z]{5,40}+)"
_SYSLOG = (_OWN, SOLARIS, _STRUCTURED)
# An id of Exim in two halves: looked for by its hyphen, for what stands before it may be anywhere.
_EXIM = re.compile(rb"-(?<=([0-9A-Za-z]{6})-)((?:[0-9A-Za-z]{6}|[0-9A-Za-z]{11})-[0-9A-Za-z]{2,4})(?![0-9A-Za-z])")
COVERED = {
    "postfix": (*_SYSLOG, _QUEUED_AS, _FORWARDED, _ORIGINAL, _NOTIFIED),
    "sendmail": (
        *_SYSLOG,
        _QUEUED_AS,
        rb"\(([0-9A-Za-z]{5,40}+) [Mm]essage accepted",
        rb": clone ([0-9A-Za-z]{5,40}+)",
    ),
    "opendkim": _SYSLOG,
    "opendmarc": _SYSLOG,
    "exim": (),
}
"""By format: expressions that find all of its queue ids at once; of all other formats each line is asked."""
MARKS = {SOLARIS: b"[ID ", _STRUCTURED: b" - - "}
"""What stands wherever such an expression finds something, to be looked for first: it is seldom there."""
LITERALS = {
    _QUEUED_AS: b"queued as ",
    _FORWARDED: b"forwarded as ",
    _ORIGINAL: b"orig_",
    _NOTIFIED: b"notification: ",
}
"""What such an expression begins with: to look for that first is quicker."""


def tokens_of(content: bytes, formats: Sequence[LogFormat], probed: Sequence[LogFormat] = ()) -> tuple[int, ...]:
    """The tokens of whole lines; ``formats`` are those known of the log, ``probed`` those that may be in it too.

    One may stand there twice.
    """
    found = addresses_in(content)
    found |= ids_in(content, formats, probed)
    return tuple(map(crc32, found))


def needle_token(needle: bytes, fmt: LogFormat) -> int | None:
    """The token that every line of a format has in which this byte string counts; ``None`` where there is none."""
    token = address_token(needle)
    if token is not None or fmt.id in COVERED:
        return token
    user = _USER.search(needle.lower()[::-1])  # Dovecot's users may have no domain
    return crc32(b"(" + user[1][::-1]) if user and user[1] else None


def address_token(needle: bytes) -> int | None:
    """The token that every line with this byte string has; ``None`` where there is none."""
    lower = needle.lower()
    at = lower.rfind(b"@")
    if at < 0:
        return None
    local, domain = _LOCAL.match(lower[at::-1]), _DOMAIN.match(lower, at)
    if not local or not domain:
        return None
    return crc32(local[1][::-1] + b"@" + domain[1].strip(b"."))


def id_token(queue_id: str) -> int:
    """The token of a queue id."""
    return crc32(queue_id.encode("utf-8", "surrogateescape").lower())


def addresses_in(content: bytes) -> set[bytes]:
    """What stands around each "@", and each domain by itself."""
    parts = _PLAIN.split(content)
    plain = b"\n".join(set(parts[1::2])).lower()
    found = set(plain.split(b"\n")) if plain else set()
    found.update(_AT.findall(plain))
    rest = _around(b"<>".join(parts[::2])).lower()
    domains = _DOMAIN.findall(rest)
    locals_ = _LOCAL.findall(rest[::-1])
    locals_.reverse()
    spelled = {domain: b"@" + domain.strip(b".") for domain in set(domains)}
    found.update(local[::-1] + spelled[domain] for local, domain in set(zip(locals_, domains, strict=True)))
    found.update(spelled.values())
    return found


def _around(text: bytes) -> bytes:
    """The lines with an "@", where that is little of a text; no address goes beyond a line."""
    if octets.count(text, b"@", 0, len(text)) > len(text) // SELDOM:
        return text
    lines, end = [], -1
    for at in octets.each_position(text, b"@", 0, len(text)):
        if at > end:
            start, end = text.rfind(b"\n", 0, at), text.find(b"\n", at)
            lines.append(text[start + 1 : end if end >= 0 else None])
            end = end if end >= 0 else len(text)
    return b"\n".join(lines)


def ids_in(content: bytes, formats: Sequence[LogFormat], probed: Sequence[LogFormat] = ()) -> set[bytes]:
    """Every queue id by which a line belongs to a message, and some words that look like one."""
    found: set[bytes] = set()
    present = [*formats, *_met(content, [fmt for fmt in probed if fmt not in formats])]
    for pattern in dict.fromkeys(p for fmt in present for p in COVERED.get(fmt.id, ())):
        found.update(_found(pattern, content))
    if any(fmt.id == "exim" for fmt in present):
        found.update(_exim_ids(content))
    found = set(map(bytes.lower, found))
    asked = [fmt for fmt in present if fmt.id not in COVERED]
    if asked:
        found.update(b"(" + user[::-1] for user in _USER.findall(content.lower()[::-1]))
        lines = content.split(b"\n")
        found.update(i.encode("utf-8", "surrogateescape").lower() for i in _asked(lines, asked))
    return found


def _found(pattern: bytes, content: bytes) -> Iterable[bytes]:
    """All that an expression finds, no octet in two of them."""
    literal, mark, end = LITERALS.get(pattern), MARKS.get(pattern), len(content)
    if literal:
        return _after(literal, re.compile(pattern), content)
    if mark and octets.find(content, mark, 0, end) < 0:
        return ()
    return re.findall(pattern, content)


def _after(literal: bytes, pattern: re.Pattern[bytes], content: bytes) -> Iterator[bytes]:
    """What an expression that begins with a literal finds."""
    following = 0
    for at in octets.each_position(content, literal, 0, len(content)):
        if at >= following and (found := pattern.match(content, at)):
            following = found.end()
            yield found[1]


def _met(content: bytes, formats: Sequence[LogFormat]) -> list[LogFormat]:
    """Those of the formats that some lines here and there are of."""
    lines, size = [], len(content)
    for n in range(PROBES):
        start = content.rfind(b"\n", 0, size * n // PROBES) + 1
        end = content.find(b"\n", start) + 1 or size
        lines.append(content[start : min(end, start + MAX_PROBE)])
    sample = b"".join(line if line.endswith(b"\n") else line + b"\n" for line in lines)
    return [fmt for fmt in formats if fmt.sniff(sample) > 0]


def _exim_ids(content: bytes) -> Iterable[bytes]:
    return map(b"-".join, set(_EXIM.findall(content)))


def _asked(lines: Sequence[bytes], formats: Sequence[LogFormat]) -> Iterable[str]:
    for fmt in formats:
        for line in lines:
            yield from fmt.queue_ids(line)
