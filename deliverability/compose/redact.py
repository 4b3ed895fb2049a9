"""Other people's addresses stay out of a customer's report (DESIGN §4.12)."""

import re
from collections.abc import Callable, Iterable

# A run of characters that an address can hold, with an "@" in it.  Each run is entered once, so time is linear.
_ADDRESS = re.compile(
    r"""(?<![^\s<>()\[\],;:"'|\\])(?:"[^"\n]{0,128}"@|[^\s<>()\[\],;:"'|\\@]+@)[^\s<>()\[\],;:"'|\\]+"""
)
# What logs write before an address without a separator that the run above would end at.
_KEY = re.compile(r"(?:id|to|from|orig_to|message-id|resent-message-id|for|user|login|[ACFPTUf])=", re.IGNORECASE)


def redactor(kept: Iterable[str], hidden: str, recipient: str = "") -> Callable[[str], str]:
    """A function that replaces every address in a text by ``hidden``, except those in ``kept``.

    Message-IDs have the form of addresses; name the message's own in ``kept``.  With ``recipient`` that address is
    masked, and so is its local part where it stands alone, as Exim writes it; what is kept must not :func:`tell` it.
    """
    known = frozenset(address.casefold() for address in kept if address and not tells(address, recipient))
    local = recipient.rpartition("@")[0]
    pattern = _ADDRESS
    if local:
        alone = rf"(?P<alone>(?<!\w){re.escape(local)}(?!\w))"
        pattern = re.compile(f"{_ADDRESS.pattern}|{alone}", re.IGNORECASE)

    def replace(match: re.Match[str]) -> str:
        run = match.group()
        if local and match.group("alone"):
            return f"{run[:1]}•••"
        key = _KEY.match(run)
        before, address = (key.group(), run[key.end() :]) if key else ("", run)
        bare = address.rstrip(".")
        if bare.casefold() in known:
            return run
        if local and bare.casefold() == recipient.casefold():
            return f"{before}{masked(bare)}{address[len(bare) :]}"
        return f"{before}{hidden}{address[len(bare) :]}"

    return lambda text: pattern.sub(replace, text)


def tells(text: str, recipient: str) -> bool:
    """Whether a text gives an address away: itself, or packed into another, as return addresses do (VERP, SRS)."""
    local, _, domain = recipient.casefold().rpartition("@")
    return bool(local) and local in text.casefold() and domain in text.casefold()


def masked(address: str) -> str:
    """An address that its owner recognises and nobody else can use: first character and domain."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}•••{at}{domain}" if at and local else "•••"
