"""Slips of the keyboard in the domain of an address, without "correcting" what is right.

The distance is Damerau and Levenshtein's: one letter too many, missing, wrong, or two in the wrong order.
"""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from deliverability.errors import ParseError
from deliverability.evidence.names import Domain
from deliverability.protocols.domain_lists import ENDINGS, MAILBOX_DOMAINS, PARENTS, SLIPS

MIN_LABEL: Final = 5
"""Letters of a provider's own label from which one wrong letter is a slip rather than another name."""
MAX_LABEL: Final = 24
"""Longer labels are not compared; no provider's is."""


class Ground(StrEnum):
    """Why another domain is suggested."""

    KNOWN_SLIP = "known-slip"
    NO_SUCH_ENDING = "no-such-ending"
    """The last label is no top-level domain."""
    WIDTH = "width"
    """Full-width letters, as an input method types them."""
    ONE_LETTER = "one-letter"
    TWO_LETTERS = "two-letters"
    """Only to be said of a domain that does not exist."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What may have been meant: a question, never a correction."""

    domain: str
    ground: Ground


def is_mailbox_domain(name: str) -> bool:
    """Whether people are known to have mailboxes there."""
    return name in MAILBOX_DOMAINS or any(name.endswith("." + parent) for parent in PARENTS)


def suggest(domain: Domain) -> Suggestion | None:
    """What may have been meant instead of ``domain``; ``None`` for every domain that is known to be right."""
    name = domain.name
    if is_mailbox_domain(name):
        return None
    slip = _known_slip(name)
    if slip:
        return Suggestion(slip, Ground.KNOWN_SLIP)
    narrow = _narrow(domain)
    if narrow and narrow != name:
        return Suggestion(narrow, Ground.WIDTH)
    mended = _with_ending(name) or _without_ending(name)
    if mended:
        return Suggestion(_nearest(mended, 1) or mended, Ground.NO_SUCH_ENDING)
    near = _nearest(name, 1)
    if near:
        return Suggestion(near, Ground.ONE_LETTER)
    far = _nearest(name, 2)
    return Suggestion(far, Ground.TWO_LETTERS) if far else None


def distance(one: str, other: str, limit: int) -> int:
    """Edits between two words, adjacent letters swapped counting one; more than ``limit`` gives ``limit + 1``."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        after = [i]
        for j, b in enumerate(other, 1):
            edits = min(row[j] + 1, after[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                edits = min(edits, before[j - 2] + 1)
            after.append(edits)
        if min(after) > limit:
            return limit + 1
        before, row = row, after
    return row[-1]


def _nearest(name: str, limit: int) -> str | None:
    """The provider's domain within ``limit`` edits; of several one of the commonest endings, then the alphabet."""
    if not name or max(map(len, name.split("."))) > MAX_LABEL:
        return None
    found: list[tuple[int, bool, str]] = []
    for known in MAILBOX_DOMAINS:
        if len(known.partition(".")[0]) < MIN_LABEL + (limit > 1) or _other_country(name, known):
            continue
        edits = distance(name, known, limit)
        if edits <= limit:
            found.append((edits, not known.endswith((".com", ".tw")), known))
    return min(found)[2] if found else None


def _other_country(name: str, known: str) -> bool:
    """Whether it may be the same provider in another country rather than a slip: ``inbox.eu``, ``inbox.ru``."""
    (label, _, ending), (known_label, _, known_ending) = name.partition("."), known.partition(".")
    last, known_last = ending.rpartition(".")[2], known_ending.rpartition(".")[2]
    return label == known_label and last != known_last and len(last) == len(known_last) == 2


def _known_slip(name: str) -> str:
    """From the table; a host below it keeps its name where the right domain has such hosts."""
    if name in SLIPS:
        return SLIPS[name]
    if name.endswith(".tv") and name[:-1] + "w" in MAILBOX_DOMAINS:
        return name[:-1] + "w"  # the key beside it, and a country of its own
    host, _, parent = name.partition(".")
    meant = SLIPS.get(parent, "")
    return f"{host}.{meant}" if meant in PARENTS else ""


def _with_ending(name: str) -> str:
    head, dot, last = name.rpartition(".")
    return f"{head}.{ENDINGS[last]}" if dot and head and last in ENDINGS else ""


def _without_ending(name: str) -> str:
    """``hinet`` alone: the provider's domain whose own label that is, of several the first of the commonest endings."""
    if "." in name:
        return ""
    known = [domain for domain in MAILBOX_DOMAINS if domain.partition(".")[0] == name]
    return min(known, key=lambda domain: (not domain.endswith(".com"), not domain.endswith(".tw"), domain), default="")


def _narrow(domain: Domain) -> str | None:
    """The name as it is if typed with half-width letters; ``None`` if that is no domain."""
    try:
        return Domain.parse(unicodedata.normalize("NFKC", domain.unicode)).name
    except ParseError:
        return None
