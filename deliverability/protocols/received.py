"""The ``Received`` fields of a message, one a hop (RFC 5321 §4.4).

A field is a statement of the host after ``by``; what it says of the other side is what that host saw on its connection (the
name and the address in parentheses) or what the other side called itself (before the parentheses).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

MAX_FIELD: Final = 8192
"""Characters of a field that are read."""
MAX_TOKENS: Final = 400

_WORDS = frozenset({"from", "by", "via", "with", "id", "for"})
_HOST = re.compile(r"(?=.{1,253}\.?\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_-]{1,63}){1,30}\.?\Z")
_ADDRESS = re.compile(r"\[?(?:IPv6:)?([0-9A-Fa-f:.]{3,45})\]?(?::\d{1,5})?\Z", re.IGNORECASE)
_SAID_ITSELF = re.compile(r"(?:helo|ehlo)\b", re.IGNORECASE)
_FORGED = re.compile(r"\bmay be forged\b", re.IGNORECASE)

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Hop:
    """One ``Received`` field: what a host says of how it got the message."""

    by: str | None
    """The host that wrote the field; its own word."""
    helo: str | None
    """What the other side called itself: anybody's word."""
    client_name: str | None
    """The name of the other side by reverse DNS, where the field shows that it was looked up."""
    client_ip: str | None
    """The address that connected, as ``by`` saw it."""
    protocol: str | None
    """After ``with``: ESMTPS, LMTP, HTTP …"""
    at: datetime | None
    """When ``by`` wrote it, by its own clock: UTC."""
    has_from: bool
    """Whether it names another side at all; a step within one server names none."""
    text: str
    """The field, bounded; foreign text."""


def parse_received(text: str) -> Hop:
    """Read the body of a ``Received`` field.  Total: what is not there is ``None``."""
    text = text[:MAX_FIELD]
    clauses = _clauses(_tokens(text))
    words, comments = clauses.get("from", ((), ()))
    by = clauses.get("by", ((), ()))[0]
    protocol = clauses.get("with", ((), ()))[0]
    said = words[0] if words else None
    name, ip = _client(said, comments, exim="(Exim" in text)
    return Hop(
        by=by[0].rstrip(".").lower() if by else None,
        helo=said,
        client_name=name,
        client_ip=str(ip) if ip else None,
        protocol=protocol[0] if protocol else None,
        at=_date(text),
        has_from="from" in clauses,
        text=text,
    )


def _client(said: str | None, comments: tuple[str, ...], *, exim: bool) -> tuple[str | None, Address | None]:
    """Name and address of the other side, as the writer saw them, never as the other side called itself.

    Two comments with addresses are one too many: some servers print a HELO name as it came, parentheses and all.
    """
    client: tuple[str | None, Address | None] | None = None
    for comment in comments:
        words = comment.replace(",", " ").split()
        if words and _SAID_ITSELF.match(words[0]) and "=" not in words[0]:
            continue  # qmail: (HELO whoever) (192.0.2.1)
        seen = [word for word in words if not _SAID_ITSELF.match(word)]
        found = [ip for ip in map(_ip, seen) if ip]
        if found and client:
            return None, None
        if found:
            name = next((word for word in seen if _HOST.match(word) and _ip(word) is None), None)
            # Exim puts the looked-up name before the parentheses, and what the other side said inside.
            if name is None and exim and said and _HOST.match(said) and any(_SAID_ITSELF.match(w) for w in words):
                name = said
            if _FORGED.search(comment):  # Sendmail: the name's own addresses do not name this client
                name = None
            client = name.rstrip(".").lower() if name else None, found[-1]
    if client:
        return client
    # Exim, of an address without a name: from [192.0.2.1] (helo=whoever); Yahoo: from 192.0.2.1 (EHLO whoever).
    literal = _ip(said) if said and comments and _SAID_ITSELF.match(comments[0]) else None
    return None, literal


def _ip(word: str) -> Address | None:
    match = _ADDRESS.match(word)
    if not match:
        return None
    try:
        return ip_address(match[1])
    except ValueError:
        return None


_Clause = tuple[tuple[str, ...], tuple[str, ...]]


def _clauses(tokens: list[tuple[bool, str]]) -> dict[str, _Clause]:
    """Words and comments after each keyword; of a keyword that comes twice the first."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    current: tuple[list[str], list[str]] = ([], [])
    for is_comment, token in tokens:
        if is_comment:
            current[1].append(token)
        elif token.lower() in _WORDS and token.lower() not in found:
            current = found[token.lower()] = ([], [])
        else:
            current[0].append(token)
    return {word: (tuple(words), tuple(comments)) for word, (words, comments) in found.items()}


def _tokens(text: str) -> list[tuple[bool, str]]:
    """Words, and comments whole, up to the semicolon before the date."""
    out: list[tuple[bool, str]] = []
    depth = 0
    word: list[str] = []
    for char in text:
        if char == "(":
            if depth == 0:
                _flush(out, word)
            depth += 1
            word.append(" ")
        elif char == ")" and depth:
            depth -= 1
            if depth == 0:
                out.append((True, "".join(word).strip()))
                word.clear()
        elif depth == 0 and (char.isspace() or char == ";"):
            _flush(out, word)
            if char == ";":
                break
        else:
            word.append(char)
        if len(out) >= MAX_TOKENS:
            break
    if depth == 0:
        _flush(out, word)
    return out


def _flush(out: list[tuple[bool, str]], word: list[str]) -> None:
    if word:
        out.append((False, "".join(word)))
        word.clear()


def _date(text: str) -> datetime | None:
    from email.utils import parsedate_to_datetime

    _, semicolon, date = text.rpartition(";")
    if not semicolon:
        return None
    try:
        stamp = parsedate_to_datetime(date.strip()[:80])
        return stamp.replace(tzinfo=stamp.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
