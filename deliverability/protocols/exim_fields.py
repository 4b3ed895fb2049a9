r"""How Exim's log lines are built: addresses and ``KEY=value`` fields.

Source: Exim specification, chapter "Log files", and what ``deliver.c``, ``receive.c`` and ``smtp_in.c`` (4.80 to
4.100) append, in that order.  Text is Latin-1, one character an octet, so that nothing is lost before a field's
own charset is known.

Strangers choose the HELO name, Message-ID, subject, peer certificate names, replies, and the local parts of
addresses, which Exim writes without their quotes.  So everything is read strictly from left to right, fields come
once and in Exim's order, and a line that does not come out even says nothing at all.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from deliverability.evidence.smtp import Host, Reply, Tls
from deliverability.protocols.encoded_words import decode_octets, unescape_exim
from deliverability.protocols.smtp import parse_reply

MESSAGE_ID = r"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{11}-[0-9A-Za-z]{4}|[0-9A-Za-z]{6}-[0-9A-Za-z]{2})"
IP = r"[0-9A-Fa-f.:]{2,45}"
MAX_LOCAL_PART = 64  # octets, RFC 5321 §4.5.3.1.1
MAX_ANGLES = 64
MAX_TEXT = 2000


def octets_regex(pattern: str) -> re.Pattern[str]:
    """A pattern for octets in Latin-1's place: NEL and NBSP are halves of UTF-8 characters there, not blanks."""
    return re.compile(pattern, re.ASCII | re.DOTALL)


_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_ANGLE = octets_regex(rf'<((?:{_QUOTED}|[^"<>])*+)>')
_ADDR_SPEC = octets_regex(rf'(?:{_QUOTED}@)?[^\s"]*?(?=:?(?:\s|\Z))')
_PARENTS = octets_regex(rf' \((?:{_QUOTED}|[^"()])*+\)')
_PIPED = octets_regex(r"([\w.=-]{1,64})(?:\+[\w.+=-]{0,64})? (?=\|)")
_QUOTED_START = octets_regex(rf"{_QUOTED}@[^\s\",()<>]+(?=[,)])")
_BOUNDARY = octets_regex(r" ?: | ?:?\Z| (?:[A-Z][A-Za-z0-9]{0,7}=|defer \(|routing defer \()")
_FIELD = octets_regex(r" (?:([A-Za-z][A-Za-z0-9]{0,7}\*?)=|(DS|K|PRDR|ARC|SPF|L[*.-]{0,2}|TFO\*{0,2})(?=:? |:?\Z))")
_VALUE = octets_regex(r'[^\s"]*?(?=:?(?:\s|\Z))')
_SHADOW = octets_regex(r"[^\s()]{1,64}(?: \((?:[^()]|\([^()]*+\))*+\))?(?=\s|\Z)")
_STRING = octets_regex(r'"((?:[^"\\]|\\.)*+)(?:"(?=:?(?:\s|\Z))|\Z)')
_NAME = octets_regex(r'"([^"]*)"(?=:?(?:\s|\Z))')
_HOST = octets_regex(
    r"(?:(?P<name>[^\s()\[\]]+)(?: |(?=:?\Z|: )))?(?:DS )?(?:\((?P<helo>[^()\s]*)\) )?"
    rf"(?:\[(?:(?P<ip>{IP})(?:%[\w.-]{{1,16}})?|(?P<masked>[\w*#.:-]{{1,45}}))\](?::(?P<port>\d{{1,5}}))?\*?)?"
)
"""``masked``: what somebody put into the address's place before the line was shown, as in ``[xxx.xxx.xxx.xxx]``."""
_ENDPOINT = octets_regex(rf"\[({IP})\](?::\d{{1,5}})?")

DELIVERY_ORDER = {
    **dict.fromkeys(("F", "Q", "P"), 0),
    "R": 1,
    "T": 2,
    **dict.fromkeys(("S", "H", "DS"), 3),
    **dict.fromkeys(("PRX", "I", "TFO", "ST"), 4),
    **dict.fromkeys(("X", "CV"), 5),
    "DN": 6,
    **dict.fromkeys(("A", "L", "PRDR", "K", "DKIM"), 7),
    **dict.fromkeys(("C", "QT", "DT"), 8),
}
"""Fields of ``=>``, ``**`` and ``==`` lines; what a peer's certificate says (DN) stands after what Exim knows."""

ARRIVAL_ORDER = {
    "R": 0,
    **dict.fromkeys(("H", "DS"), 1),
    **dict.fromkeys(("I", "TFO", "U", "Ci"), 2),
    **dict.fromkeys(("P", "L", "SPF"), 3),
    **dict.fromkeys(("X", "CV"), 4),
    "DN": 5,
    **dict.fromkeys(("SNI", "A", "PRDR", "PRX", "K"), 6),
    **dict.fromkeys(("S", "F", "M8S", "DKIM", "ARC", "DMARC", "RT", "Q"), 7),
    **dict.fromkeys(("id", "id*"), 8),
    "T": 9,
}
"""Fields of ``<=`` lines and, up to ``F``, of refusals."""


class Target(NamedTuple):
    """The address part of a delivery line."""

    shown: str
    """What was really tried: an address, a bare local part, a pipe, a file."""
    original: str | None
    """The address before aliases, where the line gives one."""
    end: int


@dataclass(slots=True)
class Fields:
    """The fields that could be read, and where they end."""

    values: dict[str, str] = field(default_factory=dict)
    host: Host | None = None
    helo: str | None = None
    end: int = 0
    broken: bool = False
    """A field stands where Exim never writes it, or twice: a stranger's text is taking part."""
    cut: bool = False
    """The last field's end is missing."""


def readable(value: str) -> str:
    """Text of a field that Exim writes as it came, or with octal escapes."""
    return decode_octets(unescape_exim(value.encode("latin-1")) if "\\" in value else value.encode("latin-1"))


def address_text(value: str) -> str:
    """Text of an address; quoting backslashes are part of it and stay, unless they begin an octal escape."""
    octal = re.sub(r"\\([23][0-7]{2})", lambda m: chr(int(m[1], 8)), value)
    return decode_octets(octal.encode("latin-1"))[:MAX_TEXT]


def angle(text: str, place: int) -> tuple[str, int] | None:
    """The address between ``<`` and ``>`` at ``place``, quoted local part respected, and where it ends."""
    match = _ANGLE.match(text, place)
    return (match[1], match.end()) if match else None


def addr_spec(text: str, place: int) -> tuple[str, int] | None:
    """An address that ends at a blank, or at a colon before one; its local part may be quoted."""
    match = _ADDR_SPEC.match(text, place)
    return (match[0], match.end()) if match and match[0] else None


def target(text: str) -> Target | None:
    """The address at the start of a delivery line's words; ``None`` if there is no one way to read it.

    Exim takes the quotes off a local part: ``odd name@d <"odd name"@d>``.  Whatever such a name imitates, Exim
    repeats it in quotes, and the repetition decides.
    """
    if ' <"' in text:
        repeated = _repeated(text)
        if repeated:
            return repeated if len(repeated.shown.rpartition("@")[0]) <= MAX_LOCAL_PART else None
        if text.count(' <"') > MAX_ANGLES:
            return None
    if ' ("' in text:
        redirected = _repeated_by_parent(text)
        if redirected:
            return redirected
    piped = None if ' <"' in text else _PIPED.match(text)
    if piped or text.startswith(("|", ">", "/", "save ", ":", "discarded ")):
        return _special_of(text, piped) if piped else _special(text)
    plain = addr_spec(text, 0)
    if plain:
        shown, end = plain
        parents = _PARENTS.match(text, end)
        end = parents.end() if parents else end
        original = angle(text, end + 1) if text.startswith(" <", end) else None
        end = original[1] if original else end
        if original is None and text.startswith("  ", end) and " <" not in text:
            end += 1  # a web page took <address> for a tag
        if _BOUNDARY.match(text, end):
            return Target(shown, original[0] if original else None, end)
    return _unquoted(text)


def _angles(text: str, opening: str = " <") -> Iterator[tuple[int, str, int]]:
    """The first few ``<address>`` that a field or the end follows: place, address, end."""
    place = text.find(opening)
    for _ in range(MAX_ANGLES):
        if place < 0:
            return
        match = _ANGLE.match(text, place + 1)
        if match and _BOUNDARY.match(text, match.end()):
            yield place, match[1], match.end()
        place = text.find(opening, place + 2)


def _special(text: str) -> Target | None:
    for place, original, end in _angles(text):
        shown = text[:place]
        parents = shown.rfind(" (")
        if parents > 0 and shown.endswith(")"):
            shown = shown[:parents]
        return Target(shown, original, end)
    if text.startswith("discarded (system filter)"):
        return Target("discarded", None, len("discarded (system filter)"))
    end = text.find(" ")
    return Target(text if end < 0 else text[:end], None, len(text) if end < 0 else end)


def _special_of(text: str, piped: re.Match[str]) -> Target | None:
    """``ana+spam |program … (ana@d) <ana@d>``, as cPanel's Exim logs it: the local part before the program."""
    found = _special(text[piped.end() :])
    local = found.original.partition("@")[0] if found and found.original else None
    if found is None or local is None or local.lower() != piped[1].lower():
        return None
    return found._replace(end=found.end + piped.end())


def _unquote(address: str) -> tuple[str, str]:
    local, _, domain = address.rpartition("@")
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = re.sub(r"\\(.)", r"\1", local[1:-1], flags=re.DOTALL)
    return local, domain


def _repeated(text: str) -> Target | None:
    for place, original, end in _angles(text, ' <"'):
        local, domain = _unquote(original)
        if text[:place].lower() == f"{local}@{domain}".lower():
            return Target(text[:place], original, end)
    return None


def _repeated_by_parent(text: str) -> Target | None:
    """A local part with blanks that redirection made: ``ana+in box ("ana+in box"@d, ana@d) <ana@d>`` (cPanel's folders)."""
    place = text.find(' ("')
    shown = text[:place]
    parents = _PARENTS.match(text, place)
    quoted = _QUOTED_START.match(text, place + 2)
    original = angle(text, parents.end() + 1) if parents and text.startswith(" <", parents.end()) else None
    if quoted is None or original is None or not _BOUNDARY.match(text, original[1]):
        return None
    local, _ = _unquote(quoted[0])
    if shown.lower() != local.lower() or len(local) > MAX_LOCAL_PART:
        return None
    return Target(shown, original[0], original[1])


def _unquoted(text: str) -> Target | None:
    """A local part with blanks, which routing has changed, or which stands without its domain."""
    for place, original, end in _angles(text, ' <"'):
        shown = text[:place]
        local, domain = _unquote(original)
        tried, at, tried_domain = shown.rpartition("@")
        tried = tried if at else shown
        if (
            len(local) <= MAX_LOCAL_PART
            and tried.lower() in local.lower()
            and (not at or tried_domain.lower() == domain.lower())
        ):
            return Target(shown, original, end)
    return None


def fields(text: str, place: int, order: Mapping[str, int]) -> Fields:
    """Read ``KEY=value`` fields from ``place`` on, until something else stands there."""
    found = Fields(end=place)
    rank = 0
    while True:
        match = _FIELD.match(text, found.end)
        if not match:
            return found
        key = match[1] or match[2].rstrip("*.-")
        known = order.get(key)
        if key in found.values or (known is not None and known < rank):
            found.broken = True
            return found
        value = _value(text, match.end(), key, found) if match[1] else ("", match.end())
        if value is None:
            found.broken = True
            return found
        rank = rank if known is None else known
        found.values[key], found.end = value


def _value(text: str, place: int, key: str, found: Fields) -> tuple[str, int] | None:
    if key == "H":
        return _host(text, place, found)
    if key in ("F", "P") and text.startswith("<", place):
        return angle(text, place)
    if key in ("id", "id*"):
        return addr_spec(text, place)
    if text.startswith('"', place):
        # Exim escapes quotes in C= and T=, but not in what a peer names (DN=; SNI= before 4.93): it ends at the first.
        match = (_STRING if key in ("C", "T") else _NAME if key in ("DN", "SNI") else _VALUE).match(text, place)
        if not match or not match.lastindex:
            return None
        found.cut = not match[0].endswith('"') or len(match[0]) == 1
        return match[1], match.end()
    match = (_SHADOW if key == "ST" else _VALUE).match(text, place)  # a shadow transport, and why it failed
    return (match[0], match.end()) if match else None


def _host(text: str, place: int, found: Fields) -> tuple[str, int] | None:
    match = _HOST.match(text, place)
    if not match or match.end() == place:
        return None
    end = match.end() - (text[match.end() - 1] == " ")
    if match["ip"] is None and match["masked"] is None and (match["helo"] is not None or not match["name"]):
        return None
    port, name = match["port"], match["name"] or match["masked"]
    found.host = Host(readable(name) if name else None, match["ip"], int(port) if port else None)
    found.helo = readable(match["helo"]) if match["helo"] is not None else None
    return text[place:end], end


def endpoint(value: str | None) -> str | None:
    """The address of an ``I=[…]:port`` field."""
    match = _ENDPOINT.fullmatch(value or "")
    return match[1] if match else None


def tls(values: Mapping[str, str]) -> Tls | None:
    """``X=`` and ``CV=``: version, cipher, and whether the certificate was verified (by CA or DANE)."""
    if not values.get("X"):
        return None
    version, _, rest = values["X"].rstrip("*").partition(":")
    verified = {"yes": True, "dane": True, "no": False}.get(values.get("CV", ""))
    return Tls(version, rest.partition(":")[0] or None, verified)


def confirmation(value: str) -> Reply:
    r"""The reply inside ``C="…"``: quotes and backslashes are escaped around text that is escaped already."""
    inner = re.sub(r'\\(["\\])', r"\1", value)
    return reply(inner)


def reply(text: str) -> Reply:
    """A reply as it stands in a failure's text: one line, its line breaks as blanks."""
    return parse_reply(" ".join(readable(text).splitlines()))
