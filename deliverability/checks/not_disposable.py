"""The address is not at a provider of mailboxes for minutes: a hint, from a short list of those that say so themselves.

RFC 5321 knows no such difference; a notice about next year goes to a mailbox that will be gone.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols.domain_lists import DISPOSABLE


def _applies(evidence: Evidence) -> Finding | None:
    return None if evidence.address else Finding.of("no-domain")


def _evaluate(evidence: Evidence) -> Ruling:
    labels = evidence.address.domain.labels if evidence.address else ()
    for start in range(len(labels)):
        name = ".".join(labels[start:])
        if name in DISPOSABLE:
            return Ruling(Outcome.INDETERMINATE, Finding.of("disposable", domain=name, source=DISPOSABLE[name]))
    shown = evidence.address.domain.unicode if evidence.address else ""
    return Ruling(Outcome.PASS, Finding.of("not-listed", domain=shown))


CHECK = Check(
    id="not-disposable",
    subjects=frozenset({Subject.ADDRESS}),
    citation="RFC 5321 §2.3.11",
    title={"en": "Not a throw-away mailbox", "zh-Hant-TW": "不是拋棄式信箱"},
    advisory=True,
    applies=_applies,
    evaluate=_evaluate,
    messages={
        "not-listed": {
            "en": "{domain} is not among the throw-away providers that are known here; the list is short.",
            "zh-Hant-TW": "{domain} 不在本程式所知的拋棄式信箱之列；這份清單很短。",
        },
        "disposable": {
            "en": "{domain} offers mailboxes for a short time ({source}): a later notice will reach nobody.",
            "zh-Hant-TW": "{domain} 提供短期使用的信箱（{source}），之後的通知不會有人收到。",
        },
        "no-domain": {
            "en": "There is no domain in the address to compare.",
            "zh-Hant-TW": "地址中沒有可比對的網域。",
        },
    },
)
