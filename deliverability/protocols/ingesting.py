"""What several log formats need to recognise and to search their lines."""

import re
import unicodedata
from collections.abc import Callable

from deliverability.errors import ParseError
from deliverability.evidence.names import Mailbox


def share(sample: bytes, belongs: Callable[[bytes], bool]) -> float:
    """The part, 0 to 1, of the sample's complete lines that ``belongs`` accepts; blank lines do not count."""
    lines = sample.split(b"\n")
    complete = [line for line in (lines[:-1] or lines) if line.strip()]
    return sum(belongs(line) for line in complete) / len(complete) if complete else 0.0


class Recogniser:
    """Whether a line begins as the expression ``head`` says; each such line holds one of ``words``.

    Most logs hold none of another server's, and then its expression is never compiled: a short log waits for that.
    """

    __slots__ = ("_compiled", "_head", "_words")

    def __init__(self, head: bytes, *words: bytes) -> None:
        self._head, self._words = head, words
        self._compiled: re.Pattern[bytes] | None = None

    def __call__(self, raw: bytes) -> bool:
        """Whether it is such a line."""
        for word in self._words:
            if word in raw:
                if self._compiled is None:
                    self._compiled = re.compile(self._head)
                return self._compiled.match(raw) is not None
        return False

    def share(self, sample: bytes) -> float:
        """As :func:`share` of such lines; a sample with none of the words is not taken apart."""
        return share(sample, self) if any(word in sample for word in self._words) else 0.0


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
