"""What a recipient's domain has published about TLS, as a demand upon one of its mail servers: DANE, else MTA-STS.

RFC 7672 §2.2 (DANE for SMTP), RFC 8461 §4 and §5 (MTA-STS), §2 (a DANE record that fails is not helped by MTA-STS).
Pure: what was not looked at raises ``Unobserved``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, HttpsAnswer, Observations
from deliverability.protocols import mta_sts
from deliverability.protocols.dane import HostRecords, Tlsa, host_records, reference_names
from deliverability.protocols.dnssec import Status, Validator

_OK: Final = 200


class Source(StrEnum):
    """Where a demand comes from."""

    NONE = "none"
    DANE = "dane"
    MTA_STS = "mta-sts"


@dataclass(frozen=True, slots=True)
class Demand:
    """What has to hold before one host is given mail for a domain."""

    source: Source
    told: str
    """For the record, in words of ours."""
    refused: bool = False
    """Whether the host must not be used: it is not the domain's, or nobody can say."""
    verified: bool = False
    """Whether the certificate has to hold for the host's name by the public roots."""
    records: tuple[Tlsa, ...] = ()
    """TLSA records one of which the certificate has to match; if none is usable, TLS alone is demanded."""
    names: tuple[str, ...] = ()
    """Those that a certificate may be for where an authority vouches for it (RFC 7672 §3.2.2)."""

    @property
    def encrypted(self) -> bool:
        """Whether nothing may be said in plain text."""
        return self.source is not Source.NONE

    @property
    def key(self) -> tuple[object, ...]:
        """What two demands share that one connection can meet."""
        return (self.source, self.verified, self.records, self.names)


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """An MTA-STS policy with the id of its record."""

    id: str
    policy: mta_sts.Policy


@dataclass(frozen=True, slots=True)
class Sts:
    """What was found of a domain's MTA-STS."""

    found: StsPolicy | None
    told: str
    """Why there is none."""


def dane_demand(domain: Domain, host: str, validator: Validator) -> Demand | None:
    """What DANE demands of a host; ``None`` where it says nothing of it.  May raise ``Unobserved``.

    Where the MX records are not protected, nothing behind them is (RFC 7672 §2.2.1).  Signatures that do not hold, and
    those that could not be looked at, let nobody through: else whoever suppresses them has switched DANE off.
    """
    mx = validator.validate(domain.name, "MX")
    if mx.status is Status.INSECURE:
        return None
    if mx.status is not Status.SECURE:
        return Demand(Source.DANE, f"DNSSEC of the MX records of {domain.name} was not shown: {mx.told}", refused=True)
    hosts = {record.value.lower().removesuffix(".") for record in mx.records} if mx.records else {domain.name}
    if host not in hosts:
        return Demand(Source.DANE, f"{host} is not among the signed MX records of {domain.name}", refused=True)
    found = host_records(host, validator)
    if found.shown.status in (Status.BOGUS, Status.INDETERMINATE):
        return Demand(Source.DANE, f"DNSSEC of {found.shown.question} was not shown: {found.shown.told}", refused=True)
    return _by_records(found, domain) if found.published else None


def _by_records(found: HostRecords, domain: Domain) -> Demand:
    usable = tuple(record for record in found.records if record.usable)
    where = f"_25._tcp.{found.base}"
    if not usable:
        return Demand(Source.DANE, f"DANE: no TLSA record of {where} is usable; TLS alone was demanded")
    listed = ", ".join(str(record) for record in usable[:3])
    told = f"DANE: the certificate had to match a TLSA record of {where} ({listed})"
    return Demand(Source.DANE, told, records=usable, names=reference_names(found, domain))


def sts_of(domain: Domain, observations: Observations) -> Sts:
    """The policy that a domain publishes now; may raise ``Unobserved``.

    One that cannot be fetched, or read, counts as none: mail goes on (RFC 8461 §3.3, §5.1).
    """
    answer = observations.ask(mta_sts.record_name(domain), "TXT")
    if isinstance(answer, CouldNotLook):
        return Sts(None, f"MTA-STS: {answer.question} could not be looked up: {answer.obstacle}")
    records = mta_sts.announced(answer)
    if len(records) != 1:
        return Sts(None, "" if not records else f"MTA-STS: {domain.name} publishes {len(records)} records")
    try:
        name = mta_sts.parse_record(records[0])
        served = observations.fetch(mta_sts.policy_url(domain))
        why = _unusable(served)
        if why or not isinstance(served, HttpsAnswer):
            return Sts(None, f"MTA-STS: the policy of {domain.name} could not be fetched: {why}")
        return Sts(StsPolicy(name, mta_sts.parse_policy(served.body)), "")
    except ParseError as problem:
        return Sts(None, f"MTA-STS: what {domain.name} publishes cannot be read: {printable(str(problem), 200)}")


def _unusable(served: HttpsAnswer | CouldNotLook) -> str:
    if isinstance(served, CouldNotLook):
        return f"{served.obstacle}, {printable(served.detail, 100)}"
    if served.certificate_error:
        return f"the certificate does not hold: {printable(served.certificate_error, 100)}"
    return "" if served.status == _OK else f"status {served.status}"


def sts_demand(domain: Domain, host: str, sts: Sts) -> Demand:
    """What MTA-STS demands of a host (RFC 8461 §4.1, §5)."""
    if sts.found is None:
        return Demand(Source.NONE, sts.told or f"{domain.name} publishes no policy for TLS")
    policy, name = sts.found.policy, f"the MTA-STS policy of {domain.name} (id {sts.found.id})"
    if policy.mode is not mta_sts.Mode.ENFORCE:
        meets = "names" if policy.matches(host) else "does not name"
        return Demand(Source.NONE, f"{name} is in mode {policy.mode}, and {meets} {host}")
    if not policy.matches(host):
        return Demand(Source.MTA_STS, f"{host} is not named by {name}", refused=True)
    return Demand(Source.MTA_STS, f"{name} was in force: the certificate had to hold for {host}", verified=True)
