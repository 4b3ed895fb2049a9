"""What validating DNSSEC comes to: a status, its reason, what is proved, and the anchors that it begins with."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, Self

from deliverability.errors import ParseError, printable
from deliverability.evidence.observation import CouldNotLook, DnsQuestion, Record


class Status(StrEnum):
    """RFC 4033 §5, RFC 4035 §4.3."""

    SECURE = "secure"
    """Signatures lead from a trust anchor to the answer."""
    INSECURE = "insecure"
    """It is proved that no signatures lead there: the zone, or one above it, is not signed (or not by means we take)."""
    BOGUS = "bogus"
    """They should lead there, and do not."""
    INDETERMINATE = "indeterminate"
    """Could not be looked at."""


class Reason(StrEnum):
    """Why a status is not ``secure``; ``secure`` has none."""

    NONE = ""
    # insecure
    UNSIGNED_DELEGATION = "unsigned-delegation"
    OPT_OUT = "opt-out"
    """The name may lie below an unsigned delegation that NSEC3 leaves out (RFC 5155 §6)."""
    UNSUPPORTED_ALGORITHM = "unsupported-algorithm"
    """All of the zone's DS records are of algorithms that do not count (RFC 4035 §5.2, RFC 9905 §2)."""
    ITERATIONS = "iterations"
    """NSEC3 with more iterations than are computed (RFC 9276 §3.2)."""
    # bogus
    UNSIGNED = "unsigned"
    """The zone is signed, and this came without a signature: left out by the zone, or lost on the way."""
    OTHER_SIGNER = "other-signer"
    NO_SUCH_KEY = "no-such-key"
    SIGNATURE_WRONG = "signature-wrong"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    DS_MISMATCH = "ds-mismatch"
    """None of the zone's keys is one that the zone above names."""
    ANCHOR_MISMATCH = "anchor-mismatch"
    """None of the root's keys is a trust anchor."""
    NOT_PROVED = "not-proved"
    """Signed records are there, and do not prove that the name or type is absent."""
    ALIASES = "aliases"
    """A loop of aliases, or too long a chain."""
    # indeterminate
    COULD_NOT_LOOK = "could-not-look"
    NO_SIGNATURES = "no-signatures"
    """Not even the root's keys came with signatures: the resolver leaves them out."""
    UNREADABLE = "unreadable"
    LIMIT = "limit"
    """Beyond the bounds of what is computed for anybody."""


@dataclass(frozen=True, slots=True, order=True)
class TrustAnchor:
    """A DS record of the root zone (RFC 4034 §5.1)."""

    key_tag: int
    algorithm: int
    digest_type: int
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``20326 8 2 E06D…``, also with ``. IN DS`` before it.

        Raises :class:`~deliverability.errors.ParseError`.
        """
        found = _form().match(text.strip()) if len(text) <= _MAX_TEXT else None
        digits = found[4].replace(" ", "") if found else ""
        tag, algorithm, kind = (int(n) for n in found.group(1, 2, 3)) if found else (0, 0, 0)
        if not digits or len(digits) % 2 or tag > 65535 or max(algorithm, kind) > 255:
            raise ParseError(f"not a DS record of the root: {printable(text, 80)!r}; it reads 'TAG ALGORITHM TYPE HEX'")
        return cls(tag, algorithm, kind, bytes.fromhex(digits))

    def __str__(self) -> str:
        return f"{self.key_tag} {self.algorithm} {self.digest_type} {self.digest.hex().upper()}"


_MAX_TEXT: Final = 400

IANA_ANCHORS: Final = (
    TrustAnchor(20326, 8, 2, bytes.fromhex("E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D")),
    TrustAnchor(38696, 8, 2, bytes.fromhex("683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16")),
)
"""The root's key signing keys KSK-2017 (in force since 2017-02-02) and KSK-2024 (since 2024-07-18), as IANA publishes
them at https://data.iana.org/root-anchors/root-anchors.xml (format: RFC 9718)."""


def anchors_of(texts: Iterable[str]) -> tuple[TrustAnchor, ...]:
    """Trust anchors as they are configured; :data:`IANA_ANCHORS` where none are.  Raises ``ParseError``."""
    return tuple(TrustAnchor.parse(text) for text in texts) or IANA_ANCHORS


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What is proved of one question."""

    question: DnsQuestion
    status: Status
    reason: Reason = Reason.NONE
    where: str = ""
    """The zone or name at which the reason arose; the root is ``.``."""
    records: tuple[Record, ...] = ()
    """Of the asked type, after aliases; proved only if :attr:`status` is ``secure``."""
    canonical_name: str = ""
    """The name after aliases."""
    alias_status: Status | None = None
    """Of the first alias alone; ``None`` where the name is none."""
    valid_from: int | None = None
    valid_until: int | None = None
    """Epoch seconds between which every signature that was relied upon holds."""
    used: tuple[DnsQuestion, ...] = ()
    """The answers that it rests on, from the root down."""
    obstacle: CouldNotLook | None = None

    @property
    def exists(self) -> bool:
        """Whether there is any record of the type."""
        return bool(self.records)

    @property
    def told(self) -> str:
        """Reason and place, for a sentence."""
        if self.obstacle is not None:
            return f"{self.obstacle.question}: {self.obstacle.obstacle}"
        return f"{self.where}: {self.reason}" if self.where else str(self.reason)


@cache
def _form() -> re.Pattern[str]:
    return re.compile(
        r"(?:\.\s{1,9}(?:\d{1,10}\s{1,9})?IN\s{1,9}DS\s{1,9})?"
        r"(\d{1,5}) (\d{1,3}) (\d{1,3}) ([0-9A-Fa-f][0-9A-Fa-f ]*)\Z",
        re.ASCII,
    )
