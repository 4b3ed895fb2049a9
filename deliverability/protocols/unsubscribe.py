"""One-click unsubscription as a message offers it (RFC 2369 §3.2, RFC 8058)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from deliverability.protocols.dkim import DkimResult, DkimSignature
from deliverability.protocols.mail import Mail

FIELDS: Final = ("list-unsubscribe", "list-unsubscribe-post")
ONE_CLICK: Final = b"List-Unsubscribe=One-Click"
"""The one value that the field may have (RFC 8058 §3.1).  In the grammar of §5 it is a literal string, and such a string
stands for its spellings in either case (RFC 5234 §2.3)."""
MAX_FIELD: Final = 16_384
MAX_URIS: Final = 50


class Offer(StrEnum):
    """What the two fields say."""

    COMPLETE = "complete"
    NO_FIELD = "no-field"
    REPEATED = "repeated"
    NO_HTTPS = "no-https"
    """No ``https`` URI, to which alone a POST may go (RFC 8058 §3.1)."""
    ENCODED = "encoded"
    """An encoded word, which may not stand in an address (RFC 2047 §5)."""
    NO_POST = "no-post"
    OTHER_POST = "other-post"


class Coverage(StrEnum):
    """How the signatures stand to the two fields (RFC 8058 §4)."""

    COVERED = "covered"
    UNSIGNED = "unsigned"
    NOT_COVERED = "not-covered"
    """Signatures verify, but none signs both fields."""
    UNVERIFIED = "unverified"
    """No signature verifies, or none of those that would cover both."""


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """What is offered."""

    offer: Offer
    uris: tuple[str, ...] = ()
    """All URIs, in order: foreign text."""
    https: str = ""
    """The first with https: foreign text."""
    repeated: str = ""
    """Name of the field that stands more than once."""


def read(mail: Mail) -> Unsubscribe:
    """The offer that a message makes.  Total."""
    named = {name: mail.all(name) for name in FIELDS}
    if not named[FIELDS[0]]:
        return Unsubscribe(Offer.NO_FIELD)
    uris = _uris(named[FIELDS[0]][0].unfolded)
    # A POST goes to a server: what has no host is no such URI.
    https = next((u for u in uris if u[:8].lower() == "https://" and u[8:].strip("/?#")), "")
    twice = next((name for name, found in named.items() if len(found) > 1), "")
    if twice:
        return Unsubscribe(Offer.REPEATED, uris, https, twice)
    if named[FIELDS[0]][0].unfolded.lstrip().startswith(b"=?"):
        return Unsubscribe(Offer.ENCODED, uris)
    if not https:
        return Unsubscribe(Offer.NO_HTTPS, uris)
    if not named[FIELDS[1]]:
        return Unsubscribe(Offer.NO_POST, uris, https)
    right = named[FIELDS[1]][0].unfolded.lower() == ONE_CLICK.lower()
    return Unsubscribe(Offer.COMPLETE if right else Offer.OTHER_POST, uris, https)


def signs_both(signature: DkimSignature) -> bool:
    """Whether a signature names both fields in ``h=``."""
    return set(FIELDS) <= set(signature.signed_fields)


def coverage(signatures: tuple[DkimSignature, ...]) -> tuple[Coverage, DkimSignature | None]:
    """How they stand to the two fields, and the signature that decides."""
    if not signatures:
        return Coverage.UNSIGNED, None
    covering = [signature for signature in signatures if signs_both(signature)]
    passed = [signature for signature in signatures if signature.result is DkimResult.PASS]
    both = next((signature for signature in covering if signature in passed), None)
    if both:
        return Coverage.COVERED, both
    undecided = next((s for s in covering if s.undecided), None)
    if undecided:
        return Coverage.UNVERIFIED, undecided
    if passed and not covering:
        return Coverage.NOT_COVERED, passed[0]
    if covering:
        # The one that later DNS could still excuse accuses nobody.
        return Coverage.UNVERIFIED, next((s for s in covering if s.depends_on_dns), covering[0])
    return Coverage.NOT_COVERED, signatures[0]


def _uris(body: bytes) -> tuple[str, ...]:
    """Between angle brackets, white space inside removed (RFC 2369 §2), comments outside passed over."""
    found: list[str] = []
    text, place = body[:MAX_FIELD].decode("utf-8", "replace"), 0
    while len(found) < MAX_URIS:
        start = text.find("<", place)
        end = text.find(">", start + 1)
        if start < 0 or end < 0:
            break
        found.append("".join(text[start + 1 : end].split()))
        place = end + 1
    return tuple(found)
