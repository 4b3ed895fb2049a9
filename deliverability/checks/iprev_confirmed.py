"""The sending address has a reverse name, and that name leads back to the address.

RFC 8601 §2.7.3 (``iprev``), RFC 1912 §2.1 (matching PTR and A).  Gmail demands it of every sender and refuses with
4.7.23 or 5.7.25 where it is missing; others count it heavily.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.hosts import is_inside
from deliverability.protocols.inbound import listed
from deliverability.protocols.iprev import INSIDE, TOO_MANY_NAMES, Iprev, IprevResult, iprev
from deliverability.protocols.mx import parse_ip


def _evaluate(evidence: Evidence) -> Ruling:
    address = parse_ip(evidence.client_ip.value) if evidence.client_ip else None
    if address is None:
        return grounds.need("need-client-ip")
    ip = str(address)
    if is_inside(address):
        return Ruling(Outcome.NOT_APPLICABLE, Finding.of("inside", ip=ip))
    open_hop = grounds.unconfirmed(evidence)
    if open_hop:
        return open_hop
    found = iprev(ip, evidence.observations)
    word = found.result.value
    if found.result is IprevResult.TEMPERROR:
        return grounds.open_question(found.obstacle, word)
    if found.result is IprevResult.PASS:
        return Ruling(Outcome.PASS, Finding.of("confirmed", ip=ip, names=listed(found.confirmed)), word)
    return _against(evidence, ip, found)


def _against(evidence: Evidence, ip: str, found: Iprev) -> Ruling:
    """No name leads back."""
    word = found.result.value
    if not found.names:
        return grounds.against(evidence, found.observed_at, Finding.of("no-ptr", ip=ip), f"{ip} PTR: -", word)
    named = listed(found.names)
    if found.more:
        return Ruling(Outcome.INDETERMINATE, Finding.of("too-many-names", ip=ip, names=named))
    finding = Finding.of("not-confirmed", ip=ip, names=named)
    return grounds.against(evidence, found.observed_at, finding, f"{ip} PTR: {named}", word)


CHECK = Check(
    id="iprev-confirmed",
    subjects=frozenset({Subject.DISPATCH, Subject.DOMAIN}),
    citation="RFC 8601 §2.7.3, RFC 1912 §2.1",
    title={"en": "Reverse name leads back to the address", "zh-Hant-TW": "反解名稱可正解回同一位址"},
    applies=grounds.relayed,
    evaluate=_evaluate,
    messages={
        "confirmed": {
            "en": "{ip} has the reverse name {names}, which leads back to it.",
            "zh-Hant-TW": "{ip} 的反解名稱 {names} 可正解回同一位址。",
        },
        "no-ptr": {
            "en": "{ip} has no reverse name (PTR). Gmail refuses such senders; ask whoever provides the address to set one.",
            "zh-Hant-TW": "{ip} 沒有反解名稱（PTR）。Gmail 會拒收這類寄件來源；請向提供此位址的業者申請設定。",
        },
        "not-confirmed": {
            "en": "{ip} has the reverse name {names}, which does not lead back to it. Add an address record for the name, or correct the PTR.",
            "zh-Hant-TW": "{ip} 的反解名稱 {names} 沒有正解回同一位址。請為該名稱加上位址紀錄，或更正 PTR。",
        },
        "too-many-names": TOO_MANY_NAMES,
        "inside": INSIDE,
        "need-client-ip": grounds.NEED_CLIENT_IP,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
        **grounds.HOP,
    },
)
