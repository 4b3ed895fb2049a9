"""What signed records prove not to be there: NSEC and NSEC3.

RFC 4035 §5.4 (NSEC), RFC 5155 §8 (NSEC3) with §9.2 (opt-out), RFC 6840 §4.1 and §4.4 (records of a parent's side of a
delegation prove nothing below it; DS is absent by the parent's word alone), RFC 9276 §3.2 (iterations).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from deliverability.protocols.dnssec_keys import Proof, hashed
from deliverability.protocols.dnssec_records import (
    CNAME,
    DNAME,
    DS,
    NS,
    NSEC,
    NSEC3,
    SOA,
    LimitError,
    Message,
    Name,
    RecordSet,
    has_type,
)

MAX_PROOFS: Final = 8
"""NSEC or NSEC3 records of one answer; a proof needs three."""
MAX_ITERATIONS: Final = 100
"""Additional NSEC3 iterations beyond which an answer counts as insecure: RFC 9276 §3.2 lets a validator choose."""
_OPT_OUT: Final = 1

Verify = Callable[[RecordSet], Proof | str]


class Kind(StrEnum):
    """What was proved."""

    NO_DATA = "no-data"
    """The name exists, or a wildcard stands for it, without this type."""
    NO_NAME = "no-name"
    DELEGATION = "delegation"
    """A delegation without DS: what lies below is not signed."""
    OPT_OUT = "opt-out"
    """Unsigned delegations were left out of the chain here, so the name may be one of them (RFC 5155 §6)."""
    ITERATIONS = "iterations"
    """The NSEC3 parameters ask for more work than is done for anybody."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Absence:
    """What the records of one answer prove, and until when."""

    kind: Kind
    why: str = ""
    """Of :attr:`Kind.NOTHING`: in one word."""
    proofs: tuple[Proof, ...] = ()


def prove(message: Message, zone: Name, name: Name, kind: int, verify: Verify) -> Absence:
    """Whether ``name`` has no records of type ``kind``, by records of ``zone``."""
    return _proving(message, zone, verify, lambda records: records.absent(name, kind))


def prove_wildcard(message: Message, zone: Name, name: Name, encloser: Name, verify: Verify) -> Absence:
    """Whether nothing closer than the wildcard below ``encloser`` stands for ``name`` (RFC 4035 §5.3.4)."""
    return _proving(message, zone, verify, lambda records: records.no_closer(name, encloser))


def _proving(message: Message, zone: Name, verify: Verify, ask: "Callable[[_Nsec | _Nsec3], Kind]") -> Absence:
    why, found = "unsigned", Kind.NOTHING
    for rdtype, make in ((NSEC, _Nsec), (NSEC3, _Nsec3)):
        sets = [one for one in message.authority.values() if one.rdtype == rdtype and one.owner.is_subdomain(zone)]
        if len(sets) > MAX_PROOFS:
            raise LimitError("proofs of absence")
        good, proofs = [], []
        for one in sets:
            told = verify(one)
            if isinstance(told, str):
                why = told
            elif told.labels == _labels(one.owner):  # never expanded from a wildcard itself
                good.append(one)
                proofs.append(told)
        if good:
            found = ask(make(zone, tuple(good)))
            if found is not Kind.NOTHING:
                return Absence(found, proofs=tuple(proofs))
            why = "not-proved"
    return Absence(found, why)


def _labels(owner: Name) -> int:
    return len(owner) - (2 if owner.is_wild() else 1)


def _lacks(rdata: Any, kind: int) -> Kind:
    """What a record at the very name proves of a type."""
    if has_type(rdata, kind) or has_type(rdata, CNAME):
        return Kind.NOTHING
    delegation = has_type(rdata, NS) and not has_type(rdata, SOA)
    if kind == DS:
        if has_type(rdata, SOA):  # the child's own word, RFC 6840 §4.4
            return Kind.NOTHING
        return Kind.DELEGATION if delegation else Kind.NO_DATA
    return Kind.NOTHING if delegation else Kind.NO_DATA


def _parent_side(rdata: Any) -> bool:
    """A delegation or DNAME: names below are another zone's, or substituted (RFC 6840 §4.1)."""
    return (has_type(rdata, NS) and not has_type(rdata, SOA)) or has_type(rdata, DNAME)


@dataclass(frozen=True, slots=True)
class _Nsec:
    """Verified NSEC records of one zone."""

    zone: Name
    sets: tuple[RecordSet, ...]

    def absent(self, name: Name, kind: int) -> Kind:
        at = self._at(name)
        if at is not None:
            return _lacks(at, kind)
        over = self._over(name)
        if over is None:
            return Kind.NOTHING
        owner, rdata = over
        if rdata.next.is_subdomain(name):  # an empty non-terminal
            return Kind.NO_DATA
        encloser = self._encloser(name, owner, rdata.next)
        wildcard = _wildcard(encloser)
        if wildcard is None:
            return Kind.NOTHING
        at = self._at(wildcard)
        if at is not None:
            return Kind.NO_DATA if _lacks(at, kind) in (Kind.NO_DATA, Kind.DELEGATION) else Kind.NOTHING
        return Kind.NO_NAME if self._over(wildcard) else Kind.NOTHING

    def no_closer(self, name: Name, encloser: Name) -> Kind:
        over = self._over(name)
        if over is None or over[1].next.is_subdomain(name):
            return Kind.NOTHING
        return Kind.NO_NAME if self._encloser(name, over[0], over[1].next) == encloser else Kind.NOTHING

    def _at(self, name: Name) -> Any:
        return next((one.data[0] for one in self.sets if one.owner == name), None)

    def _over(self, name: Name) -> tuple[Name, Any] | None:
        """The record between whose two names ``name`` would stand; the last one leads back to the zone's own."""
        for one in self.sets:
            owner, rdata = one.owner, one.data[0]
            if not rdata.next.is_subdomain(self.zone) or not owner < name:
                continue
            if not (name < rdata.next or rdata.next == self.zone):
                continue
            if name.is_subdomain(owner) and _parent_side(rdata):
                continue
            return owner, rdata
        return None

    @staticmethod
    def _encloser(name: Name, owner: Name, following: Name) -> Name:
        """The closest name above that exists: what the covered name has in common with one of its neighbours."""
        common = max(name.fullcompare(owner)[2], name.fullcompare(following)[2])
        return name.split(common)[1]


@dataclass(frozen=True, slots=True)
class _Nsec3:
    """Verified NSEC3 records of one zone."""

    zone: Name
    sets: tuple[RecordSet, ...]
    _hashes: dict[Name, bytes] = field(default_factory=dict)

    def absent(self, name: Name, kind: int) -> Kind:
        if (unfit := self._unfit()) is not None:
            return unfit
        at = self._at(name)
        if at is not None:
            return _lacks(at, kind)
        found = self._closest(name)
        if found is None:
            return Kind.NOTHING
        encloser, over = found
        opted_out = bool(over.flags & _OPT_OUT)
        if kind == DS and opted_out:  # RFC 5155 §8.6
            return Kind.OPT_OUT
        proved = self._no_wildcard(encloser, kind)
        return Kind.OPT_OUT if opted_out and proved is not Kind.NOTHING else proved  # RFC 5155 §9.2

    def _no_wildcard(self, encloser: Name, kind: int) -> Kind:
        """That no wildcard stands in with records of the type (RFC 5155 §8.4, §8.7)."""
        wildcard = _wildcard(encloser)
        at = self._at(wildcard) if wildcard else None
        if at is not None:
            return Kind.NO_DATA if _lacks(at, kind) in (Kind.NO_DATA, Kind.DELEGATION) else Kind.NOTHING
        return Kind.NO_NAME if wildcard and self._over(wildcard) is not None else Kind.NOTHING

    def no_closer(self, name: Name, encloser: Name) -> Kind:
        if (unfit := self._unfit()) is not None:
            return unfit
        over = self._over(name.split(len(encloser) + 1)[1])
        if over is None:
            return Kind.NOTHING
        return Kind.OPT_OUT if over.flags & _OPT_OUT else Kind.NO_NAME

    def _unfit(self) -> Kind | None:
        """Parameters that are not those of one chain, unknown, or too costly (RFC 5155 §8.1, §8.2)."""
        forms = {(one.data[0].algorithm, one.data[0].iterations, one.data[0].salt) for one in self.sets}
        if len(forms) != 1 or any(len(one.data) != 1 or one.data[0].flags > _OPT_OUT for one in self.sets):
            return Kind.NOTHING
        algorithm, iterations, _salt = next(iter(forms))
        if algorithm != 1:
            return Kind.NOTHING
        return Kind.ITERATIONS if iterations > MAX_ITERATIONS else None

    def _hash(self, name: Name) -> bytes:
        known = self._hashes.get(name)
        if known is None:
            one = self.sets[0].data[0]
            known = self._hashes[name] = hashed(name, one.salt, one.iterations)
        return known

    def _owners(self) -> list[tuple[bytes, Any]]:
        return [(one.owner[0].upper(), one.data[0]) for one in self.sets if one.owner.parent() == self.zone]

    def _at(self, name: Name) -> Any:
        wanted = self._hash(name)
        return next((rdata for owner, rdata in self._owners() if owner == wanted), None)

    def _over(self, name: Name) -> Any:
        wanted = self._hash(name)
        for owner, rdata in self._owners():
            following = _base32hex(rdata.next)
            if owner < wanted < following or (following <= owner and (wanted > owner or wanted < following)):
                return rdata
        return None

    def _closest(self, name: Name) -> tuple[Name, Any] | None:
        """The closest name above that exists, and the record over the next one down (RFC 5155 §8.3)."""
        below = name
        while below != self.zone and below.is_subdomain(self.zone):
            encloser = below.parent()
            at = self._at(encloser)
            if at is not None:
                over = self._over(below)
                return None if over is None or _parent_side(at) else (encloser, over)
            below = encloser
        return None


def _wildcard(encloser: Name) -> Name | None:
    """The wildcard that would stand for names below; ``None`` where its name would be too long."""
    try:
        return Name([b"*", *encloser.labels])
    except ValueError:
        return None
    except Exception:  # noqa: BLE001 - dnspython's own for a name that is too long
        return None


def _base32hex(octets: bytes) -> bytes:
    import base64

    return base64.b32hexencode(octets)
