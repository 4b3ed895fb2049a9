"""No line of the message is longer than 998 octets.

RFC 5322 §2.1.1 and RFC 5321 §4.5.3.1.6: a longer line may be cut, folded or refused on its way, and a signature over it
then no longer holds.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import structure


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.mail is None:
        return Ruling(Outcome.INDETERMINATE, Finding.of("need-message"))
    found = structure.long_lines(evidence.mail.content)
    if found is None:
        return Ruling(Outcome.PASS, Finding.of("within", limit=structure.MAX_LINE))
    told = {"count": found.count, "line": found.line, "octets": found.octets, "limit": structure.MAX_LINE}
    return Ruling(Outcome.FAIL, Finding.of("too-long", **told))


CHECK = Check(
    id="lines-within-limit",
    subjects=frozenset({Subject.MESSAGE}),
    citation="RFC 5322 §2.1.1, RFC 5321 §4.5.3.1.6",
    title={"en": "Lines of at most 998 octets", "zh-Hant-TW": "每行不超過 998 個位元組"},
    evaluate=_evaluate,
    messages={
        "within": {
            "en": "No line is longer than {limit} octets.",
            "zh-Hant-TW": "沒有任何一行超過 {limit} 個位元組。",
        },
        "too-long": {
            "en": "Lines longer than {limit} octets: {count}. The first is line {line}, with {octets}. Encode such text as quoted-printable or base64.",
            "zh-Hant-TW": "有 {count} 行超過 {limit} 個位元組；第一個超過的是第 {line} 行，共 {octets} 個位元組。請以 quoted-printable 或 base64 編碼。",
        },
        "need-message": structure.NEED_MESSAGE,
    },
)
