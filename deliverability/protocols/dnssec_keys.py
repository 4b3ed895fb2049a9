"""Keys and the signatures that they made: which count, and whether one holds.

RFC 4034 (DNSKEY, RRSIG, DS; canonical form §6; key tag appendix B), RFC 4035 §5.2 and §5.3, RFC 6840 §5, RFC 5155 §5
(NSEC3 hash).  Algorithms: RFC 9904 names those to validate with; RSASHA1 and RSASHA1-NSEC3-SHA1 count as unsupported
(RFC 9905 §2), which makes what they sign insecure.  Cryptography and canonical forms are dnspython's.

What a stranger can make costly is bounded before it is done: keys of a zone, keys of one tag, signatures of a set, and all
verifications together (KeyTrap, CVE-2023-50387).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import dns.dnssec
import dns.rdataclass
import dns.rdataset
import dns.rdatatype

from deliverability.protocols.dnssec_records import MAX_SIGNATURES, LimitError, Name, RecordSet

MAX_KEYS: Final = 32
"""Keys of one zone."""
MAX_SAME_TAG: Final = 2
"""Keys with the tag and algorithm of one signature that are tried: tags of 16 bits collide by chance, rarely."""
MAX_VERIFICATIONS: Final = 256
"""Signatures verified for all that one validator is asked."""
RSA_BITS: Final = range(1024, 4097)
"""RFC 5702 §2 allows 4096 at most; below 1024 nothing is shown."""

ALGORITHMS: Final = frozenset({8, 10, 13, 14, 15, 16})
"""RSASHA256, RSASHA512, ECDSAP256SHA256, ECDSAP384SHA384, ED25519, ED448."""
DIGESTS: Final = {1: "SHA1", 2: "SHA256", 4: "SHA384"}
"""Of DS records; SHA-1 only where no other is there (RFC 4509 §3)."""
_RSA: Final = frozenset({8, 10})
_ZONE_KEY, _REVOKED = 0x0100, 0x0080  # RFC 4034 §2.1.1, RFC 5011 §3


@dataclass(slots=True)
class Budget:
    """Verifications that are left."""

    left: int = MAX_VERIFICATIONS

    def spend(self) -> None:
        """One more; raises :class:`LimitError` when there are none."""
        if self.left <= 0:
            raise LimitError("verifications")
        self.left -= 1


@dataclass(frozen=True, slots=True)
class Proof:
    """A signature that holds."""

    labels: int
    """Of the owner as it was signed: fewer than the owner has, where a wildcard was expanded (RFC 4034 §3.1.3)."""
    valid_from: int
    valid_until: int
    """Epoch seconds."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """A zone and the keys that may sign in it."""

    zone: Name
    keys: tuple[Any, ...] = ()


def verify(found: RecordSet, by: KeySet, at: int, budget: Budget) -> Proof | str:
    """Whether any signature by one of these keys holds at ``at``; else why not, in one word (RFC 4035 §5.3.1)."""
    why = "unsigned"
    for signature in found.signatures[:MAX_SIGNATURES]:
        if signature.signer != by.zone or not found.owner.is_subdomain(by.zone):
            why = _worse(why, "other-signer")
            continue
        if signature.algorithm not in ALGORITHMS:
            why = _worse(why, "unsupported-algorithm")
            continue
        told = _in_time(signature, at) or _verified(found, signature, by, budget)
        if not told:
            return Proof(signature.labels, signature.inception, signature.expiration)
        why = _worse(why, told)
    return why


_TELLING: Final = (
    "unsigned", "other-signer", "unsupported-algorithm", "no-such-key", "signature-wrong", "not-yet-valid", "expired",
)  # fmt: skip


def _worse(one: str, other: str) -> str:
    return max(one, other, key=_TELLING.index)


def _in_time(signature: Any, at: int) -> str | None:
    """Serial number arithmetic, RFC 4034 §3.1.5: the times are of 32 bits and wrap in 2106."""
    if (signature.expiration - at) & 0xFFFFFFFF >= 1 << 31:
        return "expired"
    if (at - signature.inception) & 0xFFFFFFFF >= 1 << 31:
        return "not-yet-valid"
    return None


def _verified(found: RecordSet, signature: Any, by: KeySet, budget: Budget) -> str | None:
    tag, algorithm = signature.key_tag, signature.algorithm
    keys = [key for key in by.keys if key.algorithm == algorithm and dns.dnssec.key_id(key) == tag]
    if len(keys) > MAX_SAME_TAG:
        raise LimitError("keys of one tag")
    for key in keys:
        budget.spend()
        rdataset = dns.rdataset.Rdataset(dns.rdataclass.IN, dns.rdatatype.DNSKEY)
        rdataset.add(key, 0)
        try:
            # the times were looked at before, by the arithmetic of their RFC
            dns.dnssec.validate_rrsig(found.data, signature, {by.zone: rdataset}, now=signature.inception)
        except Exception:  # noqa: BLE001, S112 - whatever a library makes of a stranger's key: it does not hold
            continue
        return None
    return "signature-wrong" if keys else "no-such-key"


def zone_keys(found: RecordSet, *, any_size: bool = False) -> tuple[Any, ...]:
    """The keys that may sign: of the zone, not revoked, for DNSSEC (RFC 4034 §2.1), of sizes that are taken."""
    if len(found.data) > MAX_KEYS:
        raise LimitError("keys")
    return tuple(
        key
        for key in found.data
        if key.flags & _ZONE_KEY
        and not key.flags & _REVOKED
        and key.protocol == 3
        and key.algorithm in ALGORITHMS
        and (any_size or key.algorithm not in _RSA or _modulus_bits(key.key) in RSA_BITS)
    )


def _modulus_bits(key: bytes) -> int:
    """RFC 3110 §2; 0 for what is no key."""
    if len(key) < 3:
        return 0
    size, start = (key[0], 1) if key[0] else (int.from_bytes(key[1:3], "big"), 3)
    if size > 8:  # no exponent in use is longer, and long ones cost time
        return 0
    return int.from_bytes(key[start + size :], "big").bit_length()


def usable_delegations(found: Iterable[tuple[int, int, int, bytes]]) -> tuple[tuple[int, int, int, bytes], ...]:
    """Of DS records those of supported algorithms; with SHA-1 only where there is no better (RFC 4509 §3)."""
    usable = [one for one in found if one[1] in ALGORITHMS and one[2] in DIGESTS]
    better = [one for one in usable if one[2] != 1]
    return tuple(better or usable)


def delegations(found: RecordSet) -> tuple[tuple[int, int, int, bytes], ...]:
    """Tag, algorithm, digest type and digest of each DS record."""
    if len(found.data) > MAX_KEYS:
        raise LimitError("DS records")
    return tuple((ds.key_tag, ds.algorithm, ds.digest_type, ds.digest) for ds in found.data)


def entry_keys(zone: Name, keys: Iterable[Any], trusted: Iterable[tuple[int, int, int, bytes]]) -> tuple[Any, ...]:
    """The keys that DS records name (RFC 4035 §5.2)."""
    wanted = tuple(trusted)
    found = []
    for key in keys:
        tag = dns.dnssec.key_id(key)
        for ds in wanted:
            if ds[:2] == (tag, key.algorithm) and _digest(zone, key, ds[2]) == ds[3]:
                found.append(key)
                break
    return tuple(found)


def _digest(zone: Name, key: Any, digest_type: int) -> bytes:
    made = dns.dnssec.make_ds(zone, key, DIGESTS[digest_type], validating=True)
    return bytes(made.digest)


def hashed(name: Name, salt: bytes, iterations: int) -> bytes:
    """The NSEC3 hash in base32hex, upper-case, whose order is that of the hashes (RFC 5155 §5)."""
    return dns.dnssec.nsec3_hash(name, salt, iterations, 1).encode("ascii")
