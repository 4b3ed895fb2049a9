"""What several log formats need to recognise and to search their lines."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

from deliverability.errors import ParseError
from deliverability.evidence.names import Mailbox


def share(sample: bytes, belongs: Callable[[bytes], bool]) -> float:
    """The part, 0 to 1, of the sample's complete lines that ``belongs`` accepts; blank lines do not count."""
    lines = sample.split(b"\n")
    complete = [line for line in (lines[:-1] or lines) if line.strip()]
    return sum(belongs(line) for line in complete) / len(complete) if complete else 0.0


def recogniser(head: bytes, *words: bytes) -> Callable[[bytes], bool]:
    """Whether a line begins as the expression ``head`` says; each such line holds one of ``words``.

    Most logs hold none of another server's, and then its expression is never compiled: a short log waits for that.
    """

    @cache
    def compiled() -> re.Pattern[bytes]:
        return re.compile(head)

    def is_line(raw: bytes) -> bool:
        for word in words:
            if word in raw:
                return compiled().match(raw) is not None
        return False

    return is_line


def spellings(address: str) -> frozenset[str]:
    """How logs may spell an address: as typed, local part quoted or bare, domain in A-labels or UTF-8, any case."""
    try:
        mailbox = Mailbox.parse(address)
    except ParseError:
        spelled = {address.strip().strip("<>")}
    else:
        escaped = re.sub(r'(["\\])', r"\\\1", mailbox.local_part)
        domains = {mailbox.domain.name, mailbox.domain.unicode}
        spelled = {f"{local}@{domain}" for local in (mailbox.local_part, f'"{escaped}"') for domain in domains}
    cased = {form for s in spelled for form in (s, s.lower(), s.upper())}
    return frozenset(unicodedata.normalize(form, s) for s in cased for form in ("NFC", "NFD")) - {""}


def needles(address: str, written: Callable[[str], str] = str) -> tuple[bytes, ...]:
    """The spellings as lower-case octets; ``written`` says how the format writes one, where that is not plainly."""
    shown = {written(s).encode("utf-8", "surrogatepass").lower() for s in spellings(address)}
    return tuple(sorted(shown - {b""}))
