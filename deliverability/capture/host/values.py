"""Values of configuration files, taken only when they are what they should be."""

import re
from collections.abc import Callable

from deliverability.config import address, domain_name

_LOCAL = ("localhost", "localdomain", "local", "invalid", "internal", "lan", "home", "test")
_MAX_WORDS = 2_000


def replaced(pattern: re.Pattern[str], value_of: Callable[[re.Match[str]], str], text: str, limit: int) -> str:
    """``pattern.sub``, stopping when the result is ``limit`` characters long, however much is put in."""
    pieces: list[str] = []
    size = end = 0
    text = text[:limit]
    for match in pattern.finditer(text):
        piece = text[end : match.start()] + value_of(match)
        pieces.append(piece[: limit - size])
        size += len(pieces[-1])
        end = match.end()
        if size >= limit:
            return "".join(pieces)
    return ("".join(pieces) + text[end:])[:limit]


def full_name(text: str) -> str | None:
    """A host or domain name of more than one label that can exist outside this machine, or ``None``."""
    try:
        name = domain_name(text.strip())
    except ValueError:
        return None
    labels = name.split(".")
    return name if len(labels) > 1 and labels[-1] not in _LOCAL else None


def ip(text: str) -> str | None:
    """An address that other machines can see, or ``None``."""
    try:
        found = address(text.strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    unfit = found.is_loopback or found.is_unspecified or found.is_link_local or found.is_multicast
    return None if unfit else str(found)


def addresses(text: str) -> list[str]:
    """The addresses in a list that is separated by blanks, commas or semicolons."""
    words = re.split(r"[\s,;]+", text)[:_MAX_WORDS]
    return [found for word in words if (found := ip(word)) is not None]
