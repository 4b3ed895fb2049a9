"""Every mail server that the domain names has an address, so that bounces and replies can be delivered.

RFC 5321 §5.1 (an MX name must have address records of its own), RFC 2181 §10.3 (it must not be an alias).
"""

from dataclasses import dataclass
from functools import lru_cache

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observations
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.hosts import is_inside
from deliverability.protocols.inbound import INBOUND, MailHosts, listed, taking_mail
from deliverability.protocols.mx import parse_ip


@dataclass(frozen=True, slots=True)
class _Host:
    name: str
    addresses: tuple[str, ...]
    alias: str | None
    obstacle: CouldNotLook | None

    @property
    def reachable(self) -> bool:
        return any(map(_from_outside, self.addresses))


@lru_cache(maxsize=1024)
def _from_outside(address: str) -> bool:
    ip = parse_ip(address)
    return ip is not None and not is_inside(ip)


def _evaluate(evidence: Evidence) -> Ruling:
    found = taking_mail(evidence)
    if isinstance(found, Ruling):
        return found
    hosts = _looked_up(found.hosts, evidence.observations)
    return _ruling(found.domain, found, hosts)


def _looked_up(names: tuple[str, ...], observations: Observations) -> tuple[_Host, ...]:
    answers = iter(observations.ask_all(*(DnsQuestion(n, family) for n in names for family in ("A", "AAAA"))))
    hosts = []
    for name, pair in zip(names, zip(answers, answers, strict=True), strict=True):
        answered = [one for one in pair if isinstance(one, DnsAnswer)]
        addresses = tuple(record.value for one in answered for record in one.records)
        alias = next((one.canonical_name for one in answered if one.canonical_name != name), None)
        hosts.append(_Host(name, addresses, alias, next((o for o in pair if isinstance(o, CouldNotLook)), None)))
    return tuple(hosts)


def _ruling(domain: Domain, found: MailHosts, hosts: tuple[_Host, ...]) -> Ruling:
    details = tuple(Finding.of("alias", host=h.name, target=h.alias) for h in hosts if h.alias)
    if found.count > len(hosts):
        details = (*details, Finding.of("not-all-looked-up", looked=len(hosts), all=found.count))
    literal = [host.name for host in hosts if not host.addresses and parse_ip(host.name)]
    if literal:
        return Ruling(Outcome.FAIL, Finding.of("names-address", domain=domain, hosts=listed(literal)), details=details)
    dead = [host.name for host in hosts if not host.addresses and not host.obstacle]
    if dead:
        finding = Finding.of("no-address", domain=domain, hosts=listed(dead))
        return Ruling(Outcome.FAIL, finding, details=details)
    inside = [f"{h.name} ({h.addresses[0]})" for h in hosts if h.addresses and not h.reachable and not h.obstacle]
    if inside:
        finding = Finding.of("inside-address", domain=domain, hosts=listed(inside))
        return Ruling(Outcome.FAIL, finding, details=details)
    unknown = next((host.obstacle for host in hosts if host.obstacle and not host.reachable), None)
    if unknown:
        return grounds.open_question(unknown)
    if found.count > len(hosts):
        return Ruling(Outcome.INDETERMINATE, details[-1], details=details[:-1])
    finding = Finding.of("resolves", domain=domain, hosts=listed(host.name for host in hosts))
    return Ruling(Outcome.PASS, finding, details=details)


CHECK = Check(
    id="mx-resolves",
    subjects=frozenset({Subject.DOMAIN}),
    citation="RFC 5321 §5.1, RFC 2181 §10.3",
    title={"en": "MX: the mail servers have addresses", "zh-Hant-TW": "MX：郵件伺服器有對應的位址"},
    evaluate=_evaluate,
    messages={
        "resolves": {
            "en": "Every mail server of {domain} has a public address: {hosts}.",
            "zh-Hant-TW": "{domain} 的每部郵件伺服器都有公開位址：{hosts}。",
        },
        "no-address": {
            "en": "Mail servers of {domain} have no address: {hosts}. Mail cannot be delivered to them; correct the MX record or add the address.",
            "zh-Hant-TW": "{domain} 的這些郵件伺服器沒有位址：{hosts}，郵件無法送達；請更正 MX 紀錄或加上位址。",
        },
        "names-address": {
            "en": "The MX of {domain} names an IP address instead of a host: {hosts}. Mail cannot be delivered to it; give the host a name, and name that.",
            "zh-Hant-TW": "{domain} 的 MX 填的是 IP 位址而不是主機名稱：{hosts}，郵件無法送達；請為主機設定名稱，再填入該名稱。",
        },
        "inside-address": {
            "en": "Mail servers of {domain} have only addresses that nobody outside can reach: {hosts}.",
            "zh-Hant-TW": "{domain} 的這些郵件伺服器只有外界無法連線的內部位址：{hosts}。",
        },
        "alias": {
            "en": "{host} is an alias of {target}; an MX must name a host itself, and some servers do not follow aliases.",
            "zh-Hant-TW": "{host} 是 {target} 的別名；MX 應直接指定主機，有些伺服器不會跟隨別名。",
        },
        "not-all-looked-up": {
            "en": "So many mail servers are named ({all}) that only the preferred ones were looked up ({looked}).",
            "zh-Hant-TW": "指定的郵件伺服器過多（{all} 部），只查詢了優先的 {looked} 部。",
        },
        **INBOUND,
    },
)
