"""The sending address has a name that leads back to it, and is the name our server announces.

RFC 5321 §4.1.1.1 and §4.1.3 (EHLO with the host's own name), RFC 1912 §2.1 (matching PTR and A), RFC 8601 §2.7.3
(``iprev``).  Large receivers demand it of every sender.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.hosts import is_inside
from deliverability.protocols.iprev import INSIDE, TOO_MANY_NAMES, IprevResult, iprev, resolves_to
from deliverability.protocols.mx import parse_ip


def _evaluate(evidence: Evidence) -> Ruling:
    ip = parse_ip(evidence.client_ip.value) if evidence.client_ip else None
    if ip is None:
        return grounds.need("need-client-ip")
    if is_inside(ip):
        return Ruling(Outcome.NOT_APPLICABLE, Finding.of("inside", ip=ip))
    open_hop = grounds.unconfirmed(evidence)
    if open_hop:
        return open_hop
    return _with_names(evidence, str(ip))


def _with_names(evidence: Evidence, ip: str) -> Ruling:
    found = iprev(ip, evidence.observations)
    word = found.result.value
    if found.result is IprevResult.TEMPERROR:
        return grounds.open_question(found.obstacle, word)
    if not found.names:
        return grounds.against(evidence, found.observed_at, Finding.of("no-ptr", ip=ip), f"{ip} PTR: -", word)
    named = ", ".join(found.names)
    if found.more and found.result is IprevResult.FAIL:
        return Ruling(Outcome.INDETERMINATE, Finding.of("too-many-names", ip=ip, names=named))
    if found.result is not IprevResult.PASS:
        finding = Finding.of("not-confirmed", ip=ip, names=named)
        return grounds.against(evidence, found.observed_at, finding, f"{ip} PTR: {named}", word)
    if evidence.helo is None:
        return grounds.need("need-helo")
    return _with_helo(evidence, ip, evidence.helo.value.lower().removesuffix("."), found.confirmed)


def _with_helo(evidence: Evidence, ip: str, helo: str, confirmed: tuple[str, ...]) -> Ruling:
    told = {"ip": ip, "names": ", ".join(confirmed), "helo": helo}
    if helo in confirmed:
        return Ruling(Outcome.PASS, Finding.of("matches", **told), "pass")
    reached = resolves_to(helo, ip, evidence.observations)
    if reached.obstacle:
        return grounds.open_question(reached.obstacle, "pass")
    if reached.yes:
        return Ruling(Outcome.PASS, Finding.of("helo-resolves", **told), "pass")
    finding = Finding.of("helo-differs", **told)
    return grounds.against(evidence, reached.observed_at, finding, f"{ip} PTR: {told['names']}; HELO {helo}", "pass")


CHECK = Check(
    id="ptr-matches-helo",
    subjects=frozenset({Subject.DISPATCH, Subject.DOMAIN}),
    citation="RFC 5321 §4.1.1.1, RFC 1912 §2.1",
    title={"en": "Reverse name of the sending address", "zh-Hant-TW": "寄送 IP 位址的反解名稱"},
    applies=grounds.relayed,
    evaluate=_evaluate,
    messages={
        "matches": {
            "en": "{ip} has the name {names}, which leads back to it and is the name our server announced ({helo}).",
            "zh-Hant-TW": "{ip} 的反解名稱 {names} 可正解回同一位址，且與我方伺服器自報的名稱相符（{helo}）。",
        },
        "helo-resolves": {
            "en": "{ip} has the name {names}, which leads back to it; so does {helo}, the name our server announced.",
            "zh-Hant-TW": "{ip} 的反解名稱 {names} 可正解回同一位址；我方伺服器自報的名稱 {helo} 也指向該位址。",
        },
        "helo-differs": {
            "en": "{ip} has the name {names}, but our server announced {helo}, which does not lead to that address.",
            "zh-Hant-TW": "{ip} 的反解名稱是 {names}，但我方伺服器自報 {helo}，該名稱並未指向這個位址。",
        },
        "no-ptr": {
            "en": "{ip} has no reverse name (PTR); large receivers refuse such senders.",
            "zh-Hant-TW": "{ip} 沒有反解名稱（PTR）；大型郵件服務會拒收這類寄件來源。",
        },
        "not-confirmed": {
            "en": "{ip} has the reverse name {names}, but that name does not lead back to the address.",
            "zh-Hant-TW": "{ip} 的反解名稱是 {names}，但該名稱沒有正解回這個位址。",
        },
        "too-many-names": TOO_MANY_NAMES,
        "inside": INSIDE,
        "need-client-ip": grounds.NEED_CLIENT_IP,
        "need-helo": grounds.NEED_HELO,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
        **grounds.HOP,
    },
)
