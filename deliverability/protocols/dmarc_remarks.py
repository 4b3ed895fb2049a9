"""What there is to say of a DMARC policy beside whether it is there: its reach, its slips, and the next step.

RFC 9989 §4.7 (tags), §5.1 (what domain owners do), §7.4 (who should not reject), Appendix C.5.2 (tags that are gone).
"""

from collections.abc import Iterator
from typing import Final

from deliverability.errors import printable
from deliverability.evidence.observation import Observations
from deliverability.evidence.verdict import Finding
from deliverability.protocols import dmarc_7489
from deliverability.protocols.dmarc import (
    DmarcPolicy,
    DmarcRecord,
    OrganizationalDomain,
    Policy,
    PolicyState,
    organizational_domain,
    walk,
)

MAX_IGNORED: Final = 3
"""Texts of one name that are shown."""
_RANK: Final = {Policy.NONE: 0, Policy.QUARANTINE: 1, Policy.REJECT: 2}


def remarks(found: DmarcPolicy, observations: Observations) -> Iterator[Finding]:
    """What the record says, and what is wrong with it."""
    organization = organizational_domain(found.author_domain, observations)
    if organization.domain:
        yield Finding.of(
            "organization", domain=found.author_domain, organization=organization.domain, basis=organization.basis
        )
    for name in found.discarded:
        yield Finding.of("discarded", where=name)
    yield from ignored(found, observations)
    if found.record:
        yield from _record_remarks(found, found.record)
    yield from _differences(found, organization, observations)


def ignored(found: DmarcPolicy, observations: Observations) -> Iterator[Finding]:
    """Texts that look like a policy record and are none: ``v=DMARC1`` comes first, and is spelled so (RFC 9989 §4.7)."""
    for node in walk(found.author_domain, observations).nodes:
        for text in node.ignored[:MAX_IGNORED]:
            yield Finding.of("ignored-record", where=f"_dmarc.{node.domain}", record=printable(text, 200))
        if node.domain == found.domain:
            return  # what stands above plays no part


def advice(found: DmarcPolicy) -> Iterator[Finding]:
    """The next step towards enforcement, in the order in which to take them."""
    domain, record = found.author_domain, found.record
    if found.state is not PolicyState.FOUND or record is None:
        yield Finding.of("advice-publish", domain=domain)
        return
    if not record.rua:
        yield Finding.of("advice-reports", where=found.domain)
    if record.testing and found.published is not Policy.NONE:
        yield Finding.of("advice-end-test", where=found.domain)
    elif found.published is Policy.NONE:
        yield Finding.of("advice-collect", where=found.domain)
        yield Finding.of("advice-quarantine", where=found.domain)
    elif found.published is Policy.QUARANTINE:
        yield Finding.of("advice-reject", where=found.domain)
    below = record.sp or record.p
    if record.p and below and _RANK[below] < _RANK[record.p]:
        yield Finding.of("advice-subdomains", where=found.domain, p=record.p, sp=below)


def _record_remarks(found: DmarcPolicy, record: DmarcRecord) -> Iterator[Finding]:
    where: dict[str, object] = {"where": found.domain}
    if found.state is PolicyState.FOUND:
        base = record.p if record.p and not record.invalid else Policy.NONE
        below = record.sp if record.sp and not record.invalid else base
        absent = record.np if record.np and not record.invalid else below
        yield Finding.of("reach", **where, p=base, sp=below, np=absent)
    for tag in record.invalid:
        yield Finding.of("invalid-policy" if record.rua else "invalid-policy-void", **where, tag=tag)
    if record.p is None and "p" not in record.invalid and record.rua:
        yield Finding.of("no-policy", **where)
    yield from _slips(where, record)


def _slips(where: dict[str, object], record: DmarcRecord) -> Iterator[Finding]:
    """What is written wrongly, and what receivers make of it."""
    for tag in record.removed:
        yield Finding.of("removed-tag", **where, tag=tag)
    for tag in record.unknown[:5]:
        yield Finding.of("unknown-tag", **where, tag=printable(tag, 40))
    for tag in record.repeated[:5]:
        yield Finding.of("repeated-tag", **where, tag=printable(tag, 40))
    for tag in record.no_choice:
        yield Finding.of("no-choice", **where, tag=tag)
    for text in record.stray[:5]:
        yield Finding.of("stray-text", **where, text=printable(text, 120))
    for uri in record.unusable_uris[:5]:
        yield Finding.of("not-a-uri", **where, uri=printable(uri, 120))
    if record.testing:
        yield Finding.of("test-mode", **where)


def _differences(
    found: DmarcPolicy, organization: OrganizationalDomain, observations: Observations
) -> Iterator[Finding]:
    """Where receivers that still go by RFC 7489 and a public suffix list find something else."""
    old = dmarc_7489.discover_policy(found.author_domain, observations)
    if old is None or old.obstacle or organization.domain is None:
        return
    told = {"domain": found.author_domain, "list": dmarc_7489.list_version()}
    if old.organizational_domain != organization.domain:
        yield Finding.of("old-organization", **told, organization=organization.domain, old=old.organizational_domain)
    new = found.published if found.state is PolicyState.FOUND else None
    if old.policy != new:
        yield Finding.of("old-policy", **told, policy=new or "-", old=old.policy or "-", where=old.domain or "-")
    if old.policy not in (None, Policy.NONE) and old.percent < 100:
        yield Finding.of("old-percent", **told, percent=old.percent)
