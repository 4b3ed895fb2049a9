"""The contact address does not go down together with what the notice is about.

RFC 5321 §5.1: without its domain, or the host that its MX names, an address takes no mail.  A notice that a domain is
about to lapse, sent to a mailbox on that domain, can be answered only until it does.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds


def _applies(evidence: Evidence) -> Finding | None:
    if evidence.about is None:
        return Finding.of("about-unknown")
    return None if evidence.address else Finding.of("no-domain")


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.address is None or evidence.about is None:
        return Ruling(Outcome.NOT_APPLICABLE, Finding.of("no-domain"))
    domain, about = evidence.address.domain, evidence.about
    told = {"address": evidence.address, "domain": domain.unicode, "about": about.unicode}
    if domain.is_within(about):
        return Ruling(Outcome.FAIL, Finding.of("within", **told))
    from deliverability.protocols.address import Takes, reception

    found = reception(domain, evidence.observations)
    if found.targets:
        inside = [target for target in found.targets if _is_within(target, about)]
        if len(inside) == len(found.targets):
            return Ruling(Outcome.FAIL, Finding.of("mx-within", **told, targets=", ".join(inside[:5])))
    elif found.takes is Takes.COULD_NOT_LOOK:
        return grounds.open_question(found.obstacle)
    return Ruling(Outcome.PASS, Finding.of("elsewhere", **told))


def _is_within(host: str, about: Domain) -> bool:
    return host == about.name or host.endswith("." + about.name)


CHECK = Check(
    id="reachable-when-about-expires",
    subjects=frozenset({Subject.ADDRESS}),
    citation="RFC 5321 §5.1",
    title={"en": "The contact outlives what the notice is about", "zh-Hant-TW": "到期後聯絡地址仍可收信"},
    applies=_applies,
    evaluate=_evaluate,
    messages={
        "elsewhere": {
            "en": "{address} is not at {about}, nor are all of its mail servers. (Name servers and the bill for that domain are not looked at.)",
            "zh-Hant-TW": "{address} 不在 {about} 上，其郵件伺服器也不全在 {about} 上。（不包含該網域的 DNS 代管與費用。）",
        },
        "within": {
            "en": "{address} is at {about} itself: when that lapses, no further notice arrives. Ask for a second contact now.",
            "zh-Hant-TW": "{address} 就在 {about} 上：一旦到期，後續通知都收不到。請現在就請客戶提供另一個聯絡地址。",
        },
        "mx-within": {
            "en": "The mail servers of {domain} ({targets}) are at {about}: when that lapses, {address} takes no mail either.",
            "zh-Hant-TW": "{domain} 的郵件伺服器（{targets}）在 {about} 上：一旦到期，{address} 也無法收信。",
        },
        "about-unknown": {
            "en": "What the notice is about was not said. Give the domain with --about.",
            "zh-Hant-TW": "沒有說明通知與哪個網域有關。請以 --about 提供。",
        },
        "no-domain": {
            "en": "There is no domain in the address to compare.",
            "zh-Hant-TW": "地址中沒有可比對的網域。",
        },
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
