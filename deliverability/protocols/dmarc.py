"""DMARC: what a domain wants done with mail that only claims to be from it (RFC 9989).

Policy discovery and organizational domains by the DNS tree walk (§4.10), not by a public suffix list.  All names
of a walk are asked at once; a name server that did not answer never reads as "no record".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsObservation, DnsQuestion, Observations

MAX_RECORD: Final = 65535
"""Octets of a record that are read: all that a DNS message can hold, so that none is too long to be seen."""
MAX_TAGS: Final = 50
MAX_KEPT: Final = 512
"""Octets of a record whose reading is kept for the next check that needs it; real ones have a hundred."""
MAX_NEAR: Final = 512
"""Octets of a text in which a misplaced version is looked for."""
WALK_LABELS: Final = 8
"""From so many labels on, the walk jumps to seven: eight queries at most (RFC 9989 §4.10)."""

_VERSION = re.compile(rb"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_NEAR = re.compile(rb"\bv[ \t]{0,9}=[ \t]{0,9}DMARC|\A[\"' \t]{0,9}DMARC1(?![a-z0-9-])", re.IGNORECASE)
# RFC 9989 §4.8, obs-dmarc-uri: a URI (RFC 3986) without comma, exclamation mark and semicolon, and an obsolete size
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@$&'()*+=%-]+(?:![0-9]+[kmgtKMGT]?)?\Z")
_PERCENT = re.compile(r"(?:100|[0-9]{1,2})\Z", re.ASCII)
_KNOWN: Final = frozenset({"adkim", "aspf", "fo", "np", "p", "psd", "rua", "ruf", "sp", "t", "v"})  # RFC 9989 §9.3
_REMOVED: Final = ("pct", "rf", "ri")
_CHOICES: Final = {"adkim": "rs", "aspf": "rs", "psd": "nuy", "t": "ny"}
"""Tags of one letter, and which it may be."""


class Policy(StrEnum):
    """Domain owner assessment policy (RFC 9989 §4.7)."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


class PolicyState(StrEnum):
    """What policy discovery found."""

    FOUND = "found"
    NONE = "none"
    """No record applies."""
    UNUSABLE = "unusable"
    """A record without a valid policy and without an address for reports: no DMARC (RFC 9989 §4.10.1)."""
    COULD_NOT_LOOK = "could-not-look"


class AlignmentState(StrEnum):
    """Whether two domains belong together."""

    ALIGNED = "aligned"
    NOT_ALIGNED = "not-aligned"
    COULD_NOT_LOOK = "could-not-look"


@dataclass(frozen=True, slots=True, kw_only=True)
class DmarcRecord:
    """One policy record, errors already replaced by defaults as RFC 9989 §4.8 says."""

    text: str
    """The record: foreign text."""
    p: Policy | None = None
    sp: Policy | None = None
    np: Policy | None = None
    invalid: tuple[str, ...] = ()
    """Which of ``p``, ``sp``, ``np`` have a value that is no policy."""
    psd: str = "u"
    testing: bool = False
    """``t=y``: apply one level below what is published."""
    strict_dkim: bool = False
    strict_spf: bool = False
    rua: tuple[str, ...] = ()
    """Syntactically valid addresses for aggregate reports."""
    ruf: tuple[str, ...] = ()
    """The same for failure reports."""
    unusable_uris: tuple[str, ...] = ()
    """What stands in ``rua`` or ``ruf`` and is no URI: foreign text."""
    repeated: tuple[str, ...] = ()
    """Tags that are given more than once, which voids a tag-list (RFC 6376 §3.2); here the first counts."""
    no_choice: tuple[str, ...] = ()
    """Which of ``adkim``, ``aspf``, ``psd``, ``t`` have a value that is none of theirs; the default stands."""
    stray: tuple[str, ...] = ()
    """What stands between semicolons and is no tag: foreign text."""
    percent: int | None = None
    """``pct`` of RFC 7489, which RFC 9989 removed."""
    removed: tuple[str, ...] = ()
    """Tags that RFC 9989 no longer knows: ``pct``, ``rf``, ``ri``."""
    unknown: tuple[str, ...] = ()
    """Tags that neither RFC knows."""

    @property
    def usable(self) -> bool:
        """It states a valid policy, or asks for reports (RFC 9989 §4.10.1)."""
        return (self.p is not None and not self.invalid) or bool(self.rua)


@dataclass(frozen=True, slots=True)
class Node:
    """One name of a tree walk."""

    domain: Domain
    record: DmarcRecord | None
    """Its policy record, if there is exactly one."""
    discarded: int = 0
    """Records that were discarded because there were several (RFC 9989 §4.10 step 2)."""
    ignored: tuple[str, ...] = ()
    """Texts that name DMARC's version in another place or spelling than a record must: no records to any receiver."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A tree walk, as far as it went."""

    nodes: tuple[Node, ...]
    obstacle: CouldNotLook | None = None
    """The name that could not be looked up: the walk ends before it."""


@dataclass(frozen=True, slots=True)
class OrganizationalDomain:
    """The organizational domain of a name."""

    domain: Domain | None
    """``None``: could not be looked up."""
    basis: str
    """``psd=n``, ``psd=y`` (one label below it), ``fewest-labels``, ``itself`` or ``could-not-look``."""
    obstacle: CouldNotLook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DmarcPolicy:
    """The policy that applies to an author domain."""

    state: PolicyState
    author_domain: Domain
    domain: Domain | None = None
    """Where the record stands."""
    record: DmarcRecord | None = None
    tag: str | None = None
    """The tag that applies: ``p``, ``sp``, ``np``; ``None`` where ``none`` is assumed."""
    published: Policy | None = None
    effective: Policy | None = None
    """After ``t=y``: what the owner asks receivers to apply today."""
    discarded: tuple[Domain, ...] = ()
    """Names with several records, all of which are discarded."""
    obstacle: CouldNotLook | None = None
    observed_at: datetime | None = None
    """When the newest of the answers that decided was seen."""

    @property
    def enforced(self) -> bool:
        """Whether the owner asks for anything but ``none``."""
        return self.effective in (Policy.QUARANTINE, Policy.REJECT)


@dataclass(frozen=True, slots=True)
class Alignment:
    """How an authenticated identifier relates to the author domain."""

    state: AlignmentState
    strict: bool
    identifier: Domain
    author_domain: Domain
    identifier_organization: Domain | None = None
    author_organization: Domain | None = None
    obstacle: CouldNotLook | None = None
    observed_at: datetime | None = None
    """When the newest of the answers was seen; ``None`` where none was needed."""


def parse_record(raw: bytes) -> DmarcRecord | None:
    """Read a TXT record; ``None`` if it is not a policy record of this version.  Never raises."""
    if len(raw) > MAX_RECORD or not _VERSION.match(raw):
        return None
    return _parse_ordinary(raw) if len(raw) <= MAX_KEPT else _parse(raw)


def _parse(raw: bytes) -> DmarcRecord:
    text = raw.decode("utf-8", "backslashreplace")
    tags: dict[str, str] = {}
    repeated: dict[str, None] = {}
    specs = text.split(";")[1 : MAX_TAGS + 1]
    for spec in specs:
        name, equals, value = spec.partition("=")
        tag = name.strip(" \t").lower()
        if equals and tag in tags:
            repeated.setdefault(tag)
        elif equals:
            tags[tag] = value.strip(" \t")
    policies = {name: _policy(tags[name]) for name in ("p", "sp", "np") if name in tags}
    uris = {
        name: [uri for uri in (part.strip(" \t") for part in tags.get(name, "").split(",")) if uri]
        for name in ("rua", "ruf")
    }
    percent = tags.get("pct", "")
    return DmarcRecord(
        text=text,
        **policies,
        invalid=tuple(name for name, policy in policies.items() if policy is None),
        psd=tags.get("psd", "u").lower() if tags.get("psd", "u").lower() in ("y", "n") else "u",
        testing=tags.get("t", "n").lower() == "y",
        strict_dkim=tags.get("adkim", "r").lower() == "s",
        strict_spf=tags.get("aspf", "r").lower() == "s",
        rua=tuple(uri for uri in uris["rua"] if _URI.match(uri)),
        ruf=tuple(uri for uri in uris["ruf"] if _URI.match(uri)),
        unusable_uris=tuple(uri for part in uris.values() for uri in part if not _URI.match(uri)),
        repeated=tuple(repeated),
        no_choice=tuple(
            name for name, letters in _CHOICES.items() if name in tags and not _is_one(tags[name], letters)
        ),
        stray=tuple(filter(None, (spec.strip(" \t") for spec in specs if "=" not in spec))),
        percent=int(percent) if _PERCENT.match(percent) else None,
        removed=tuple(name for name in _REMOVED if name in tags),
        unknown=tuple(name for name in tags if name not in _KNOWN and name not in _REMOVED),
    )


_parse_ordinary = lru_cache(maxsize=512)(_parse)


@lru_cache(maxsize=256)
def walk_names(domain: Domain) -> tuple[Domain, ...]:
    """The names of a full tree walk, the longest first (RFC 9989 §4.10)."""
    labels = domain.labels
    rest = labels[1:] if len(labels) < WALK_LABELS else labels[-(WALK_LABELS - 1) :]
    return (domain, *(Domain(".".join(rest[i:])) for i in range(len(rest))))


def walk(domain: Domain, observations: Observations) -> Walk:
    """Walk the tree; raises ``Unobserved`` for all of its names at once."""
    return observations.once(_walk, domain)


def _walk(domain: Domain, observations: Observations) -> Walk:
    answers = observations.ask_all(*_questions(domain))
    nodes: list[Node] = []
    for name, answer in zip(walk_names(domain), answers, strict=True):
        if isinstance(answer, CouldNotLook):
            return Walk(tuple(nodes), answer)
        records = [record for record in (parse_record(r.joined) for r in answer.records) if record]
        ignored = tuple(_near_misses(answer)) if len(records) < len(answer.records) else ()
        if len(records) != 1:
            nodes.append(Node(name, None, len(records), ignored))
            continue
        nodes.append(Node(name, records[0], ignored=ignored))
        if records[0].psd != "u":
            break
    return Walk(tuple(nodes))


def _near_misses(answer: DnsAnswer) -> Iterator[str]:
    for record in answer.records:
        head = record.joined[:MAX_NEAR]
        if not _VERSION.match(record.joined) and _NEAR.search(head):
            yield head.decode("latin-1")


def organizational_domain(domain: Domain, observations: Observations) -> OrganizationalDomain:
    """The organizational domain of any name (RFC 9989 §4.10.2)."""
    return _organization(domain, walk(domain, observations))


def discover_policy(author_domain: Domain, observations: Observations) -> DmarcPolicy:
    """The policy record that applies, and the policy it states (RFC 9989 §4.10.1)."""
    return observations.once(_discover, author_domain)


def _discover(author_domain: Domain, observations: Observations) -> DmarcPolicy:
    walked = walk(author_domain, observations)
    own = observations.ask(f"_dmarc.{author_domain.name}", "TXT")
    own_record = walked.nodes[0].record if walked.nodes else None
    found = DmarcPolicy(
        state=PolicyState.NONE,
        author_domain=author_domain,
        domain=author_domain if own_record else None,
        record=own_record,
        discarded=tuple(node.domain for node in walked.nodes if node.discarded),
        observed_at=own.observed_at,
    )
    if own_record:
        return _stated(found, "p")
    if walked.obstacle:
        return replace(found, state=PolicyState.COULD_NOT_LOOK, obstacle=walked.obstacle)
    asked = observations.ask_all(*_questions(author_domain))
    found = replace(found, observed_at=max(answer.observed_at for answer in asked))
    organization = _organization(author_domain, walked).domain
    above = [node for node in walked.nodes[1:] if node.record]
    applies = [node for node in above if node.domain == organization]
    applies += [node for node in above if node.record and node.record.psd == "y"]
    if not applies or not applies[0].record:
        return found
    found = replace(found, domain=applies[0].domain, record=applies[0].record)
    return _for_subdomain(found, applies[0].record, own, observations)


def aligned(identifier: Domain, author_domain: Domain, observations: Observations, *, strict: bool) -> Alignment:
    """Whether an authenticated identifier is aligned with the author domain (RFC 9989 §4.4, §4.10.2).

    Raises ``Unobserved`` for both walks at once.
    """
    if identifier == author_domain:
        return Alignment(AlignmentState.ALIGNED, strict, identifier, author_domain)
    if strict:
        return Alignment(AlignmentState.NOT_ALIGNED, strict, identifier, author_domain)
    asked = observations.ask_all(*dict.fromkeys((*_questions(identifier), *_questions(author_domain))))
    seen = max(answer.observed_at for answer in asked)
    ours, theirs = (organizational_domain(domain, observations) for domain in (identifier, author_domain))
    obstacle = ours.obstacle or theirs.obstacle
    state = AlignmentState.ALIGNED if ours.domain == theirs.domain else AlignmentState.NOT_ALIGNED
    if ours.domain is None or theirs.domain is None:
        state = AlignmentState.COULD_NOT_LOOK
    return Alignment(state, strict, identifier, author_domain, ours.domain, theirs.domain, obstacle, seen)


@lru_cache(maxsize=256)
def _questions(domain: Domain) -> tuple[DnsQuestion, ...]:
    return tuple(DnsQuestion(f"_dmarc.{name.name}", "TXT") for name in walk_names(domain))


def _organization(domain: Domain, walked: Walk) -> OrganizationalDomain:
    if walked.obstacle:
        return OrganizationalDomain(None, "could-not-look", walked.obstacle)
    published = [node for node in walked.nodes if node.record]
    last = published[-1] if published else None
    if last is None or last.record is None:
        return OrganizationalDomain(domain, "itself")
    if last.record.psd == "n":
        return OrganizationalDomain(last.domain, "psd=n")
    if last.record.psd == "y" and last.domain != domain:
        below = len(last.domain.labels) + 1
        return OrganizationalDomain(Domain(".".join(domain.labels[-below:])), "psd=y")
    return OrganizationalDomain(last.domain, "fewest-labels")


def _for_subdomain(
    found: DmarcPolicy, record: DmarcRecord, own: DnsObservation, observations: Observations
) -> DmarcPolicy:
    """``sp`` if the author domain exists, ``np`` if it does not (RFC 9989 §4.7, §3.2.13: NXDOMAIN)."""
    tag = "sp" if record.sp else "p"
    if record.np and not record.invalid:
        # a name that answers below it exists (RFC 8020)
        exists = own
        if not isinstance(own, DnsAnswer) or not own.exists:
            exists = observations.ask(found.author_domain.name, "TXT")
        if isinstance(exists, CouldNotLook):
            return replace(found, state=PolicyState.COULD_NOT_LOOK, obstacle=exists)
        tag = tag if exists.exists else "np"
    return _stated(found, tag)


def _stated(found: DmarcPolicy, tag: str) -> DmarcPolicy:
    record = found.record
    if record is None or not record.usable:
        return replace(found, state=PolicyState.UNUSABLE)
    if record.p is None or record.invalid:  # RFC 9989 §4.10.1: as if it said p=none
        return replace(found, state=PolicyState.FOUND, published=Policy.NONE, effective=Policy.NONE)
    policy = {"p": record.p, "sp": record.sp, "np": record.np}[tag] or record.p
    effective = _ONE_LEVEL_LOWER[policy] if record.testing else policy
    return replace(found, state=PolicyState.FOUND, tag=tag, published=policy, effective=effective)


_ONE_LEVEL_LOWER: Final = {
    Policy.REJECT: Policy.QUARANTINE,
    Policy.QUARANTINE: Policy.NONE,
    Policy.NONE: Policy.NONE,
}


def _is_one(text: str, letters: str) -> bool:
    return len(text) == 1 and text.lower() in letters


def _policy(text: str) -> Policy | None:
    try:
        return Policy(text.lower())
    except ValueError:
        return None
