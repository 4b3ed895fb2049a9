"""ARC: what the servers that handled a message on its way say they saw (RFC 8617).

Read and reported, built on by nothing: ARC is being retired (draft-ietf-dmarc-arc-to-historic), and a chain is worth
as much as the trust in those who sealed it.  DNS answers come from outside; the arithmetic is dkimpy's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, Observations, Unobserved
from deliverability.protocols.dkim import CLOCK_SLACK, body_hash_matches
from deliverability.protocols.dkim_key import KeyState, parse_selector, parse_tags, published_key, without_blanks
from deliverability.protocols.mail import Field, Mail, parse_mail

MAX_SETS: Final = 50
"""RFC 8617 §4.2.1: instances above 50 are an error."""
MAX_FIELD: Final = 16_384
"""Octets of one ARC field."""
MAX_FIELDS: Final = 3 * MAX_SETS

_LONG_RUN = re.compile(rb"[ \t\r\n]{65}")
_INSTANCE = re.compile(rb"\s*i\s*=\s*([0-9]{1,3})\s*(?:;|\Z)", re.IGNORECASE)
_BASE64 = re.compile(rb"[0-9A-Za-z+/]+={0,2}\Z")
_NUMBER = re.compile(rb"[0-9]{1,12}\Z")
_RESULTS, _MESSAGE, _SEAL = "arc-authentication-results", "arc-message-signature", "arc-seal"
_NAMES: Final = (_RESULTS, _MESSAGE, _SEAL)
_ALGORITHMS: Final = frozenset({b"rsa-sha256", b"ed25519-sha256"})
_SIMPLE: Final = frozenset({b"simple", b"relaxed", b"simple/simple", b"simple/relaxed", b"relaxed/simple"})


class ArcState(StrEnum):
    """Chain validation status (RFC 8617 §4.4), and that nobody could say."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    TERMINATED = "terminated"
    """The newest seal itself says ``cv=fail``: nothing after it counts."""
    COULD_NOT_LOOK = "could-not-look"


@dataclass(frozen=True, slots=True)
class ArcSet:
    """One hop: what it saw, and who sealed it."""

    instance: int
    sealer: str
    """``d=`` of the seal."""
    claimed: str
    """``cv=`` of the seal."""
    results: str
    """The authentication results that the hop recorded: foreign text, readable."""


@dataclass(frozen=True, slots=True)
class ArcChain:
    """The chain of a message, newest set last."""

    state: ArcState
    sets: tuple[ArcSet, ...] = ()
    problem: str | None = None
    obstacle: str | None = None
    observed_at: datetime | None = None
    """When the key was looked up that decided against the chain."""
    rests_on_dns: bool = False
    """Whether a key that is published otherwise later could have made this result."""


@dataclass(frozen=True, slots=True)
class _Set:
    """One complete set, its tags read."""

    instance: int
    fields: Mapping[str, Field]
    message: Mapping[str, bytes]
    seal: Mapping[str, bytes]


class _BrokenError(Exception):
    """The chain does not hold."""

    def __init__(self, problem: str, observed_at: datetime | None = None, *, dns: bool = False) -> None:
        super().__init__(problem)
        self.observed_at, self.dns = observed_at, dns


class _TroubleError(Exception):
    """A key could not be looked up."""

    def __init__(self, obstacle: CouldNotLook | str | None) -> None:
        super().__init__(str(obstacle))


def read_chain(message: bytes, observations: Observations, at: datetime) -> ArcChain:
    """Validate the chain (RFC 8617 §5.2) as at the time ``at``.

    Raises ``Unobserved`` naming the keys that are missing, and :class:`~deliverability.errors.ParseError` for what is
    no message.
    """
    mail = parse_mail(message)
    if not any(mail.all(name) for name in _NAMES):
        return ArcChain(ArcState.NONE)
    try:
        sets = _sets(mail)
    except (_BrokenError, ParseError) as broken:
        return ArcChain(ArcState.FAIL, problem=str(broken))
    shown = tuple(map(_shown, sets))
    try:
        for one in sets:
            _well_formed(one, at)
        state = _validate(mail, sets, observations)
    except (_BrokenError, ParseError) as broken:
        dns = isinstance(broken, _BrokenError) and broken.dns
        seen = broken.observed_at if isinstance(broken, _BrokenError) else None
        return ArcChain(ArcState.FAIL, shown, str(broken), observed_at=seen, rests_on_dns=dns)
    except _TroubleError as trouble:
        return ArcChain(ArcState.COULD_NOT_LOOK, shown, obstacle=str(trouble))
    return ArcChain(state, shown)


def _sets(mail: Mail) -> tuple[_Set, ...]:
    """Every set complete and single, numbered from 1 (RFC 8617 §5.2 step 2 and 3.A)."""
    found: dict[int, dict[str, Field]] = {}
    fields = [field for field in mail.fields if field.name.lower() in _NAMES]
    if len(fields) > MAX_FIELDS:
        raise _BrokenError(f"more than {MAX_SETS} sets")
    for field in fields:
        name = field.name.lower()
        if len(field.body) > MAX_FIELD or _LONG_RUN.search(field.body):
            raise _BrokenError("a field is too long, or holds too many blanks in a row")
        instance = _instance(name, field)
        if name in found.setdefault(instance, {}):
            raise _BrokenError(f"{field.name} of instance {instance} stands twice")
        found[instance][name] = field
    if max(found) > MAX_SETS or sorted(found) != list(range(1, len(found) + 1)):
        raise _BrokenError("the instances are not numbered from 1 on")
    sets: list[_Set] = []
    for instance in sorted(found):
        absent = [name for name in _NAMES if name not in found[instance]]
        if absent:
            raise _BrokenError(f"instance {instance} has no {absent[0]}")
        tags = [_tags(found[instance][name]) for name in (_MESSAGE, _SEAL)]
        sets.append(_Set(instance, found[instance], tags[0], tags[1]))
    return tuple(sets)


def _instance(name: str, field: Field) -> int:
    if name == _RESULTS:
        match = _INSTANCE.match(field.unfolded)
        number = match[1] if match else b""
    else:
        number = _tags(field).get("i", b"")
    if not _NUMBER.match(number) or len(number) > 3:
        raise _BrokenError(f"{field.name} without a readable instance")
    return int(number)


def _tags(field: Field) -> dict[str, bytes]:
    return parse_tags(field.body.replace(b"\r\n", b""))


def _well_formed(one: _Set, at: datetime) -> None:
    """RFC 8617 §4.1.2, §4.1.3: the tags of both signatures."""
    for which, tags, needed in (
        ("ARC-Message-Signature", one.message, ("a", "b", "bh", "d", "h", "s")),
        ("ARC-Seal", one.seal, ("a", "b", "cv", "d", "s")),
    ):
        absent = [tag for tag in needed if tag not in tags or not (tags[tag] or tag == "h")]
        if absent:
            raise _BrokenError(f"{which} {one.instance}: no {absent[0]}= tag")
        known = {
            "a": tags["a"] in _ALGORITHMS,
            "b": _BASE64.match(without_blanks(tags["b"])) is not None,
            "bh": _BASE64.match(without_blanks(tags.get("bh", b"A"))) is not None,
            "cv": tags.get("cv", b"none") in (b"none", b"pass", b"fail"),
            "c": without_blanks(tags.get("c", b"simple")) in _SIMPLE | {b"relaxed/relaxed"},
            "t": _NUMBER.match(tags.get("t", b"0")) is not None,
            "x": _NUMBER.match(tags.get("x", b"0")) is not None,
            "l": _NUMBER.match(tags.get("l", b"0")) is not None,
            "q": tags.get("q", b"dns/txt") == b"dns/txt",
        }
        wrong = [tag for tag, well in known.items() if not well]
        if wrong:
            shown = printable(tags[wrong[0]].decode("latin-1"), 40)
            raise _BrokenError(f"{which} {one.instance}: {wrong[0]}= has a value of unknown meaning: {shown!r}")
        _times(which, one.instance, tags, at)
    if "h" in one.seal:
        raise _BrokenError(f"ARC-Seal {one.instance}: h= is not allowed")
    if _SEAL.encode() in _signed(one.message):
        raise _BrokenError(f"ARC-Message-Signature {one.instance} covers ARC-Seal")


def _times(which: str, instance: int, tags: Mapping[str, bytes], at: datetime) -> None:
    now = int(at.astimezone(UTC).timestamp())
    if "t" in tags and int(tags["t"]) > now + CLOCK_SLACK.total_seconds():
        raise _BrokenError(f"{which} {instance} bears a time in the future")
    if "x" in tags and int(tags["x"]) < now:
        raise _BrokenError(f"{which} {instance} has expired")


def _signed(tags: Mapping[str, bytes]) -> list[bytes]:
    return without_blanks(tags["h"]).lower().split(b":")


def _validate(mail: Mail, sets: tuple[_Set, ...], observations: Observations) -> ArcState:
    """RFC 8617 §5.2 steps 3 to 5, the newest first."""
    newest = sets[-1]
    _require_keys(sets, observations)
    tags = newest.message
    if not body_hash_matches(mail, {**tags, "c": without_blanks(tags.get("c", b"relaxed/relaxed"))}):
        raise _BrokenError("the body is not the one that the newest ARC-Message-Signature covers")
    _check(newest, _MESSAGE, [(f.name.encode("ascii"), f.body) for f in mail.fields], _signed(tags), observations)
    for one in reversed(sets):
        claimed = one.seal["cv"]
        if claimed == b"fail":
            return ArcState.TERMINATED
        below = sets[: one.instance]
        fields = [item.fields[name] for item in reversed(below) for name in (_SEAL, _MESSAGE, _RESULTS)][1:]
        names = [name.encode("ascii") for item in below for name in _NAMES][:-1]
        _check(one, _SEAL, [(f.name.encode("ascii"), f.body) for f in fields], names, observations)
        if (claimed == b"none") is not (one.instance == 1):
            raise _BrokenError(f"ARC-Seal {one.instance} says cv={claimed.decode('ascii')}")
    return ArcState.PASS


def _require_keys(sets: tuple[_Set, ...], observations: Observations) -> None:
    """Ask for all keys at once."""
    missing: list[Unobserved] = []
    for tags in (sets[-1].message, *(one.seal for one in sets)):
        try:
            published_key(observations, *_signer(tags))
        except Unobserved as needed:
            missing.append(needed)
    if missing:
        raise Unobserved(*dict.fromkeys(question for needed in missing for question in needed.questions))


def _signer(tags: Mapping[str, bytes]) -> tuple[Domain, str]:
    return Domain.parse(tags["d"].decode("utf-8", "replace")), parse_selector(tags["s"].decode("latin-1"))


def _check(
    one: _Set, name: str, headers: list[tuple[bytes, bytes]], signed: list[bytes], observations: Observations
) -> None:
    """One of the two signatures; raises where it does not hold."""
    tags = one.message if name == _MESSAGE else one.seal
    field = one.fields[name]
    told = f"{field.name} {one.instance}"
    key = published_key(observations, *_signer(tags))
    if key.state is KeyState.COULD_NOT_LOOK:
        raise _TroubleError(key.problem)
    if key.state is KeyState.SEVERAL:  # a verifier may take any of them (RFC 6376 §3.6.2.2)
        raise _TroubleError(f"{key.name} TXT: {key.problem}")
    kind = "ed25519" if tags["a"] == b"ed25519-sha256" else "rsa"
    if key.state is not KeyState.FOUND or key.weak or key.type != kind or not key.for_mail:
        state = key.state if key.state is not KeyState.FOUND else "not usable"
        raise _BrokenError(f"{told}: the key at {key.name} is {state}", key.observed_at, dns=True)
    from deliverability.protocols import _dkimpy

    default = b"relaxed/relaxed"
    header = without_blanks(tags.get("c", default)) if name == _MESSAGE else default
    used = {"a": tags["a"], "b": without_blanks(tags["b"]), "c": header, "d": tags["d"], "s": tags["s"]}
    used["h"] = b":".join(signed)
    if not _dkimpy.signature_holds(headers, (field.name.encode("ascii"), field.body), used, kind, key.data):
        raise _BrokenError(f"{told} does not verify", key.observed_at, dns=True)


def _shown(one: _Set) -> ArcSet:
    text = one.fields[_RESULTS].unfolded.decode("utf-8", "replace")
    return ArcSet(
        one.instance,
        printable(one.seal.get("d", b"").decode("utf-8", "replace"), 253),
        printable(one.seal.get("cv", b"").decode("latin-1"), 20),
        printable(text.partition(";")[2].strip(), 400),
    )
