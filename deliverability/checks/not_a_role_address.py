"""The address is a person's rather than a role's: a hint, for shared mailboxes are often read by nobody in particular.

RFC 2142 names the common ones.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols.domain_lists import ROLES, UNREAD


def _applies(evidence: Evidence) -> Finding | None:
    return None if evidence.address else Finding.of("no-mailbox")


def _evaluate(evidence: Evidence) -> Ruling:
    local = evidence.address.local_part.casefold() if evidence.address else ""
    base = local.partition("+")[0]
    told = {"local_part": evidence.address.local_part if evidence.address else ""}
    if base in UNREAD:
        return Ruling(Outcome.INDETERMINATE, Finding.of("unread", **told))
    if base in ROLES:
        return Ruling(Outcome.INDETERMINATE, Finding.of("role", **told))
    return Ruling(Outcome.PASS, Finding.of("personal", **told))


CHECK = Check(
    id="not-a-role-address",
    subjects=frozenset({Subject.ADDRESS}),
    citation="RFC 2142",
    title={"en": "Not a shared mailbox", "zh-Hant-TW": "不是公用信箱"},
    advisory=True,
    applies=_applies,
    evaluate=_evaluate,
    messages={
        "personal": {
            "en": "“{local_part}” is no common name of a shared mailbox.",
            "zh-Hant-TW": "「{local_part}」不是常見的公用信箱名稱。",
        },
        "role": {
            "en": "“{local_part}” stands for a role: several people may read it, or nobody. A second contact helps.",
            "zh-Hant-TW": "「{local_part}」代表職務：可能多人共用，也可能沒有人看。建議另留一位聯絡人。",
        },
        "unread": {
            "en": "“{local_part}” says itself that nobody reads it.",
            "zh-Hant-TW": "「{local_part}」從名稱來看就是沒有人閱讀的信箱。",
        },
        "no-mailbox": {"en": "There is no mailbox to judge.", "zh-Hant-TW": "沒有可判斷的信箱。"},
    },
)
