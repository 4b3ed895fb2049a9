"""DMARC as RFC 7489 has it, beside RFC 9989: in 2026 receivers go by either.

RFC 7489 §3.2 (organizational domain by a public suffix list), §6.6.3 (policy discovery), §6.3 (``pct``).  The list comes
with the optional extra ``psl``; without it nothing is compared and nothing is claimed.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, Observations
from deliverability.protocols.dmarc import DmarcRecord, Policy, parse_record

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


@dataclass(frozen=True, slots=True)
class OldPolicy:
    """What a receiver that goes by RFC 7489 finds for an author domain."""

    organizational_domain: Domain
    domain: Domain | None
    """Where the record stands; ``None``: no DMARC."""
    policy: Policy | None
    """``None``: no DMARC."""
    percent: int = 100
    """Share of failing messages that the policy is applied to; to the others the next lower one (§6.6.4)."""
    obstacle: CouldNotLook | None = None


def list_version() -> str | None:
    """Which public suffix list is at hand; ``None`` without the extra ``psl``."""
    try:
        import publicsuffixlist
    except ImportError:
        return None
    return publicsuffixlist.__version__


def organizational_domain(domain: Domain) -> Domain | None:
    """One label below the public suffix (§3.2); a public suffix stands for itself.  ``None`` without a list."""
    suffixes = _suffixes()
    if suffixes is None:
        return None
    private = suffixes.privatesuffix(domain.name)
    return Domain(private) if private else domain


def discover_policy(author_domain: Domain, observations: Observations) -> OldPolicy | None:
    """§6.6.3: the author domain, then its organizational domain; several records at one end the search.

    ``None`` without a public suffix list.  Raises ``Unobserved`` for both names at once.
    """
    return observations.once(_discover, author_domain)


def _discover(author_domain: Domain, observations: Observations) -> OldPolicy | None:
    organization = organizational_domain(author_domain)
    if organization is None:
        return None
    names = tuple(dict.fromkeys((author_domain, organization)))
    for name in names:
        answer = observations.ask(f"_dmarc.{name.name}", "TXT")
        if isinstance(answer, CouldNotLook):
            return OldPolicy(organization, None, None, obstacle=answer)
        records = [record for record in (parse_record(r.joined) for r in answer.records) if record]
        if len(records) == 1:
            return _stated(organization, name, records[0], author_domain)
        if records:
            break
    return OldPolicy(organization, None, None)


def _stated(organization: Domain, where: Domain, record: DmarcRecord, author_domain: Domain) -> OldPolicy:
    """§6.6.3 step 6: without a valid ``p`` and ``sp``, a record that asks for reports counts as ``p=none``."""
    if record.p is None or "sp" in record.invalid:
        if record.rua:
            return OldPolicy(organization, where, Policy.NONE)
        return OldPolicy(organization, None, None)
    below = where != author_domain
    policy = record.sp if below and record.sp else record.p
    return OldPolicy(organization, where, policy, 100 if record.percent is None else record.percent)


@lru_cache(maxsize=1)
def _suffixes() -> "PublicSuffixList | None":
    try:
        from publicsuffixlist import PublicSuffixList
    except ImportError:
        return None
    return PublicSuffixList()
