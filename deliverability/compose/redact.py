"""Other people's addresses stay out of a customer's report (DESIGN §4.12)."""

import re
from collections.abc import Callable, Iterable

# A run of characters that an address can hold, with an "@" in it.  Each run is entered once, so time is linear.
_ADDRESS = re.compile(
    r"""(?<![^\s<>()\[\],;:"'|\\])(?:"[^"\n]{0,128}"@|[^\s<>()\[\],;:"'|\\@]+@)[^\s<>()\[\],;:"'|\\]+"""
)
# What logs write before an address without a separator that the run above would end at.
_KEY = re.compile(r"(?:id|to|from|orig_to|message-id|resent-message-id|for|user|login|[ACFPTUf])=", re.IGNORECASE)


def redactor(kept: Iterable[str], hidden: str) -> Callable[[str], str]:
    """A function that replaces every address in a text by ``hidden``, except those in ``kept``.

    Message-IDs have the form of addresses; name the message's own in ``kept``.
    """
    known = frozenset(address.casefold() for address in kept if address)

    def replace(match: re.Match[str]) -> str:
        run = match.group()
        key = _KEY.match(run)
        before, address = (key.group(), run[key.end() :]) if key else ("", run)
        bare = address.rstrip(".")
        if bare.casefold() in known:
            return run
        return f"{before}{hidden}{address[len(bare) :]}"

    return lambda text: _ADDRESS.sub(replace, text)


def masked(address: str) -> str:
    """An address that its owner recognises and nobody else can use: first character and domain."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}•••{at}{domain}" if at and local else "•••"
