"""Domains and mailboxes, parsed once at the border and compared only through their keys.

RFC 1034 §3.1 (length of labels and names), RFC 5321 §4.1.2 and §4.5.3.1 (mailboxes and their limits),
RFC 5890 §2.3.2.1 (A-labels), RFC 6531 §3.3 (UTF-8 in both halves).
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from deliverability.errors import ParseError, printable

MAX_DOMAIN_OCTETS = 253  # RFC 1034 §3.1: 255 octets on the wire
MAX_LABEL_OCTETS = 63
MAX_MAILBOX_CHARACTERS = 320  # 64 + "@" + 255, RFC 5321 §4.5.3.1

# Underscore is no host name character but stands in names that mail looks up (_dmarc, _domainkey).
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")


def _a_label(label: str) -> str:
    if label.isascii():
        return label
    folded = unicodedata.normalize("NFC", label).lower()
    if not all(unicodedata.category(c)[0] in "LMN" or c == "-" for c in folded):  # RFC 5892 §2, roughly: no bidi marks
        raise ParseError(f"not a domain label: {printable(label)!r}")
    return "xn--" + folded.encode("punycode").decode("ascii")  # RFC 5891 §4.4


def _u_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        shown = label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return label
    return shown if all(unicodedata.category(c)[0] in "LMN" or c == "-" for c in shown) else label


@lru_cache(1024)  # a list of thousands of addresses has a few domains
def _is_name(plain: str) -> bool:
    """Whether ASCII text in lower case is a domain name."""
    return len(plain) <= MAX_DOMAIN_OCTETS and _NAME.match(plain) is not None


@dataclass(frozen=True, slots=True, order=True)
class Domain:
    """A domain name in its one comparable form: lower-case A-labels, no trailing dot."""

    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a domain name in either spelling.

        Raises :class:`~deliverability.errors.ParseError` for anything that the DNS could not hold.
        """
        if len(text) > MAX_DOMAIN_OCTETS + 1:
            msg = f"domain is longer than {MAX_DOMAIN_OCTETS} octets"
            raise ParseError(msg)
        if text.isascii():
            plain = text.lower().removesuffix(".")
            if _is_name(plain):
                return cls(plain)
        # U+3002, U+FF0E and U+FF61 separate labels too (RFC 3490 §3.1; what Chinese keyboards type).
        bare = re.sub("[\u3002\uff0e\uff61]", ".", text).removesuffix(".")
        name = ".".join(_a_label(label) for label in bare.lower().split("."))
        if len(name) > MAX_DOMAIN_OCTETS or not all(_LABEL.match(label) for label in name.split(".")):
            msg = f"not a domain name: {printable(text)!r}"
            raise ParseError(msg)
        return cls(name)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, leftmost first."""
        return tuple(self.name.split("."))

    @property
    def unicode(self) -> str:
        """The name as its owner would write it."""
        if "xn--" not in self.name:
            return self.name
        return ".".join(_u_label(label) for label in self.labels)

    def is_within(self, other: "Domain") -> bool:
        """Whether this is ``other`` or below it, on a label boundary."""
        return self.name == other.name or self.name.endswith("." + other.name)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address, kept as it was written, compared through :attr:`key`."""

    local_part: str
    """Without quotes and quoting backslashes."""
    domain: Domain

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``local@domain``, with or without ``<>``, quoted local part included.

        Raises :class:`~deliverability.errors.ParseError`; control characters are never accepted.
        """
        text = text.strip()
        if text.startswith("<") and text.endswith(">"):
            text = text[1:-1]
        if len(text) > MAX_MAILBOX_CHARACTERS:
            msg = f"address is longer than {MAX_MAILBOX_CHARACTERS} characters"
            raise ParseError(msg)
        plain = text.isascii() and text.isprintable()  # as almost all are: no need to look at each character
        if not plain and any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text):
            msg = f"control character in address {printable(text)!r}"
            raise ParseError(msg)
        local, at, domain = text.rpartition("@")
        if not at or not local:
            msg = f"not an address (no '@' with something before it): {printable(text)!r}"
            raise ParseError(msg)
        if len(local) > 1 and local.startswith('"') and local.endswith('"'):
            local = re.sub(r"\\(.)", r"\1", local[1:-1])
        return cls(local if plain else unicodedata.normalize("NFC", local), Domain.parse(domain))

    @property
    def key(self) -> tuple[str, str]:
        """What two spellings of one address share.

        RFC 5321 §2.4 makes local parts case-sensitive and tells senders not to exploit it; a customer who
        types their own address in another case is still asking for the same mailbox.
        """
        return (self.local_part.casefold(), self.domain.name)

    def __str__(self) -> str:
        return f"{self.local_part}@{self.domain.unicode}"
