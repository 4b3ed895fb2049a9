"""How values are written into the languages of mail filters: each so that it ends no string, line or pattern early.

Facts arrive checked (:mod:`deliverability.evidence.sender_facts`): printable, on one line, ASCII but for display names.
What is done here is the second lock: the quoting of one medium each.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.plugin import LANGUAGES, Form
from deliverability.evidence.sender_facts import SenderFacts

WIDTH: Final = 96
"""Columns of a line of remarks."""
_WORD = re.compile(
    r"[^\u2e80-\uffff\s][^\u2e80-\uffff\s]*[，。；：、）」！？]*|\s+|[（「]*[\u2e80-\uffff][，。；：、）」！？]*"
)
"""What stays on one line: a word in Latin letters, or a Chinese character with its punctuation."""
QUOTES: Final = r'^[^"]*("[^";()\\]*"[^"]*)*$'
"""Matches a header value whose quoted strings can begin no result of their own (RFC 8601 §2.2): receivers do quote, an
envelope's sender with ``=`` or the beginning of a signature, and a stranger chooses what stands there."""
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_@")
_SAID: Final = {
    "en": (
        "deliverability: {title}",
        "Sender: {address}. Made on {issued}.",
        "What it does: {effect}",
        "What it does not do: {limits}",
        "Reach: {reach}",
        "Undo: {undo}",
    ),
    "zh-Hant-TW": (
        "deliverability：{title}",
        "寄件者：{address}。製作日期：{issued}。",
        "作用：{effect}",
        "不作用：{limits}",
        "影響範圍：{reach}",
        "復原方式：{undo}",
    ),
}
_ENDS: Final = {
    True: {
        "en": "Expires: after {expires} it has no effect any more; delete it then.",
        "zh-Hant-TW": "有效期限：{expires} 之後自動失效；屆時請刪除。",
    },
    False: {
        "en": "Expires: {expires}. Nothing removes it by itself: undo it on that day, or ask for a new one.",
        "zh-Hant-TW": "有效期限：{expires}。不會自動移除：請在當天復原，或索取新的檔案。",
    },
}


def remarks(form: Form, facts: SenderFacts) -> tuple[str, ...]:
    """What each file says of itself, in every language: effect, limits, reach, undo, expiry; lines of plain text."""
    lines: list[str] = []
    for lang in LANGUAGES:
        values = {
            "title": form.title[lang],
            "address": facts.address,
            "issued": facts.issued_on.isoformat(),
            "expires": facts.expires_on.isoformat(),
            "effect": form.effect[lang],
            "limits": form.limits[lang],
            "reach": form.blast_radius[lang],
            "undo": form.undo[lang],
        }
        for template in (*_SAID[lang], _ENDS[form.ends_by_itself][lang]):
            # Values are put in at once: braces in an address stay what they are.
            line = template.format_map(values)
            whole = "{address}" in template  # an address is never cut in two
            lines += [line] if whole else _wrapped(line)
        lines.append("")
    return tuple(lines[:-1])


def _wrapped(text: str) -> list[str]:
    """Text in lines of :data:`WIDTH` columns, the following ones indented."""
    lines, line = [], ""
    for word in _WORD.findall(text):
        if line.strip() and _columns(line) + _columns(word.rstrip()) > WIDTH:
            lines.append(line.rstrip())
            line = "  "
        line += "" if word.isspace() and not line.strip() else word
    return [*lines, line.rstrip()]


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def commented(lines: Iterable[str], mark: str = "#") -> str:
    """Remarks as comments that reach to the end of their line."""
    return "".join(f"{mark} {line}".rstrip() + "\n" for line in lines)


def plain_address(facts: SenderFacts, engine: str, also: str = "+=~") -> str:
    """The address where nothing in it could mean something to the engine, lower-case.

    Raises :class:`~deliverability.errors.ParseError` for a sign that the engine takes for a wildcard or the like.
    """
    odd = sorted(set(facts.address) - _PLAIN - set(also))
    if odd:
        raise ParseError(
            f"{engine} may give a meaning of its own to {' '.join(odd)} in {printable(facts.address, 120)}:"
            " no file is made for this address"
        )
    return facts.address.lower()


def sieve_string(text: str) -> str:
    """A quoted string (RFC 5228 §2.4.2); without the variables extension nothing in it is expanded."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def pattern(text: str) -> str:
    """Text that a POSIX extended or a Perl pattern matches as it is."""
    return "".join(char if char.isalnum() or char in "-_@" else f"\\{char}" for char in text)


def exim_string(text: str) -> str:
    r"""The inside of a quoted string of an Exim filter: read for backslashes once, then expanded (``\\xHH``)."""
    return "".join(char if char in _PLAIN else f"\\\\x{ord(char):02x}" for char in text)


def exim_pattern(text: str) -> str:
    """A Perl pattern as the inside of such a string: every backslash survives both readings."""
    return text.replace("\\", "\\\\\\\\").replace("$", "\\\\$").replace('"', "\\\\x22")


def perl_string(text: str) -> str:
    """A string in single quotes, in which Perl expands nothing."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def powershell_string(text: str) -> str:
    """A string in single quotes, in which PowerShell expands nothing; typographic quotes count as quotes there too."""
    for quote in "'\u2018\u2019\u201a\u201b":
        text = text.replace(quote, quote * 2)
    return f"'{text}'"


def xml_text(text: str) -> str:
    """Text for an attribute in single quotes or for an element."""
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;"), ('"', "&quot;")):
        text = text.replace(char, entity)
    return text


def xml_comment(lines: Iterable[str]) -> str:
    """Remarks as one comment, which ``--`` would end (XML 1.0 §2.5)."""
    inside = "\n".join(lines)
    while "--" in inside:
        inside = inside.replace("--", "- -")
    return f"<!--\n{inside}\n-->\n"


def vcard_text(text: str) -> str:
    """The value of a text property (RFC 2426 §5)."""
    for char, escaped in (("\\", "\\\\"), (",", "\\,"), (";", "\\;"), ("\r", ""), ("\n", "\\n")):
        text = text.replace(char, escaped)
    return text


def vcard_lines(lines: Iterable[str]) -> bytes:
    """Content lines, folded at 75 octets without cutting a character (RFC 2426 §2.6), ended with CRLF."""
    out: list[bytes] = []
    for line in lines:
        part, room = b"", 75
        for char in line:
            octets = char.encode()
            if len(part) + len(octets) > room:
                out.append(part)
                part, room = b" ", 75
            part += octets
        out.append(part)
    return b"\r\n".join(out) + b"\r\n"


def leaflet(form: Form, facts: SenderFacts, fields: Iterable[tuple[str, str]]) -> bytes:
    """A page with exact field values, for a system that takes no file; field names are in the system's own words."""
    out = [*remarks(form, facts), ""]
    for lang in LANGUAGES:
        out += [*(f"{number}. {step}" for number, step in enumerate(form.instructions[lang], 1)), ""]
    out += [f"{name}: {value}" for name, value in fields]
    return "\n".join([*out, "", *about(facts), ""]).encode()


def about(facts: SenderFacts) -> tuple[str, ...]:
    """What an administrator may hold the sender's mail against."""
    rows = [("From", facts.address)]
    rows += [
        ("DKIM d=", f"{one.domain}" + (f" (s={', '.join(one.selectors)})" if one.selectors else ""))
        for one in facts.signers
    ]
    rows += [("Envelope domain", facts.envelope_domain)] if facts.envelope_domain else []
    rows += [("Sending IP", ip) for ip in facts.egress_ips]
    return tuple(f"{name}: {value}" for name, value in rows)
