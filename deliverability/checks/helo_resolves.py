"""The name that our server announces is a full host name and has an address.

RFC 5321 §2.3.5 and §4.1.1.1 (EHLO takes a name that resolves to an address, or an address literal where there is no
name).  Receivers refuse servers that announce ``localhost``, a bare word or a name that does not exist.
"""

from deliverability.errors import ParseError
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.inbound import listed
from deliverability.protocols.mx import parse_ip


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.helo is None:
        return grounds.need("need-helo")
    open_hop = grounds.unconfirmed(evidence)
    if open_hop:
        return open_hop
    announced = evidence.helo.value.strip()
    if announced.startswith("[") or parse_ip(announced):
        return Ruling(Outcome.FAIL, Finding.of("literal", helo=announced))
    try:
        name = Domain.parse(announced)
    except ParseError:
        return Ruling(Outcome.FAIL, Finding.of("not-a-name", helo=announced))
    if len(name.labels) == 1:
        return Ruling(Outcome.FAIL, Finding.of("not-a-name", helo=name))
    return _with_name(evidence, name)


def _with_name(evidence: Evidence, name: Domain) -> Ruling:
    looked = evidence.observations.ask_all(DnsQuestion(name.name, "A"), DnsQuestion(name.name, "AAAA"))
    addresses = [record.value for one in looked if isinstance(one, DnsAnswer) for record in one.records]
    if addresses:
        details = _elsewhere(evidence, name, addresses)
        return Ruling(Outcome.PASS, Finding.of("resolves", helo=name, addresses=listed(addresses)), details=details)
    obstacle = next((one for one in looked if isinstance(one, CouldNotLook)), None)
    if obstacle:
        return grounds.open_question(obstacle)
    finding = Finding.of("no-address", helo=name)
    return grounds.against(evidence, looked[0].observed_at, finding, f"{name}: -", None)


def _elsewhere(evidence: Evidence, name: Domain, addresses: list[str]) -> tuple[Finding, ...]:
    """The remark that the name has other addresses than the one that connected, of the same family."""
    ip = parse_ip(evidence.client_ip.value) if evidence.client_ip else None
    known = [parse_ip(text) for text in addresses]
    if ip is None or ip in known or not any(one and one.version == ip.version for one in known):
        return ()
    return (Finding.of("leads-elsewhere", helo=name, ip=ip),)


CHECK = Check(
    id="helo-resolves",
    subjects=frozenset({Subject.DISPATCH, Subject.DOMAIN}),
    citation="RFC 5321 §2.3.5, §4.1.1.1",
    title={"en": "HELO: the announced name exists", "zh-Hant-TW": "HELO：自報的名稱確實存在"},
    applies=grounds.relayed,
    evaluate=_evaluate,
    messages={
        "resolves": {
            "en": "Our server announces {helo}, which has an address: {addresses}.",
            "zh-Hant-TW": "我方伺服器自報 {helo}，該名稱有位址：{addresses}。",
        },
        "leads-elsewhere": {
            "en": "{helo} does not lead to {ip}, from where it is announced; some receivers count that against the sender.",
            "zh-Hant-TW": "{helo} 沒有指向自報時所用的位址 {ip}；有些收件方會因此扣分。",
        },
        "no-address": {
            "en": "Our server announces {helo}, which has no address. Announce a name that exists, best the reverse name of the sending address.",
            "zh-Hant-TW": "我方伺服器自報 {helo}，但該名稱沒有位址。請改為存在的名稱，最好是寄送 IP 位址的反解名稱。",
        },
        "not-a-name": {
            "en": "Our server announces {helo}, which is no full host name. Announce one that exists.",
            "zh-Hant-TW": "我方伺服器自報 {helo}，這不是完整的主機名稱。請改為存在的名稱。",
        },
        "literal": {
            "en": "Our server announces the address {helo} instead of a name; that is for hosts without a name, and many receivers refuse it.",
            "zh-Hant-TW": "我方伺服器以位址 {helo} 代替名稱自報；這只供沒有名稱的主機使用，許多收件方會拒收。",
        },
        "need-helo": grounds.NEED_HELO,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
        **grounds.HOP,
    },
)
