"""The domain of the address does not look like a slip of the keyboard.

RFC 5321 §2.3.5 takes any domain as it is written; this is a hint from a list of mailbox providers, Taiwan's among them.
A domain on that list is never doubted, and one that takes mail only when it is a single slip away.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.observation import DnsAnswer
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds


def _applies(evidence: Evidence) -> Finding | None:
    return None if evidence.address else Finding.of("no-domain")


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.address is None:
        return Ruling(Outcome.NOT_APPLICABLE, Finding.of("no-domain"))
    from deliverability.protocols.typo import Ground, is_mailbox_domain, suggest

    domain = evidence.address.domain
    found = suggest(domain)
    if found is None:
        code = "known" if is_mailbox_domain(domain.name) else "nothing-like-it"
        return Ruling(Outcome.PASS, Finding.of(code, domain=domain.unicode))
    if found.ground is Ground.TWO_LETTERS:
        answer = evidence.observations.ask(domain.name, "MX")
        if not isinstance(answer, DnsAnswer):
            return grounds.open_question(answer)
        if answer.exists:
            return Ruling(Outcome.PASS, Finding.of("nothing-like-it", domain=domain.unicode))
    return Ruling(
        Outcome.INDETERMINATE,
        Finding.of("likely-typo", domain=domain.unicode, suggestion=found.domain, ground=found.ground),
    )


CHECK = Check(
    id="no-likely-typo",
    subjects=frozenset({Subject.ADDRESS}),
    citation="RFC 5321 §2.3.5",
    title={"en": "No likely slip in the domain", "zh-Hant-TW": "網域不像打錯字"},
    advisory=True,
    applies=_applies,
    evaluate=_evaluate,
    messages={
        "known": {
            "en": "{domain} is a domain where people have mailboxes.",
            "zh-Hant-TW": "{domain} 是常見的信箱網域。",
        },
        "nothing-like-it": {
            "en": "{domain} is not close to a common mailbox domain.",
            "zh-Hant-TW": "{domain} 與常見的信箱網域並不相近。",
        },
        "likely-typo": {
            "en": "Was {suggestion} meant instead of {domain}? Ask the customer; nothing was changed.",
            "zh-Hant-TW": "{domain} 是否應為 {suggestion}？請向客戶確認，程式不會更改。",
        },
        "no-domain": {
            "en": "There is no domain in the address to compare.",
            "zh-Hant-TW": "地址中沒有可比對的網域。",
        },
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
