"""Which allowlist files may be made for a sender, and the sentences that say why not (DESIGN §6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from deliverability.compose.because import because
from deliverability.compose.gate import Gate, authenticated, gate
from deliverability.compose.kinds import ARRIVED, REFUSED, Kind, kind_of
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.plugin import Form, Localized, Need
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.evidence.verdict import Outcome, Verdict, fill


class Reason(StrEnum):
    """Why a file is made, or not."""

    MADE = "made"
    NEVER = "never"
    """The message failed authentication: it may not be the sender's at all."""
    REFUSED = "refused"
    """The receiving side did not take it: no list of the reader's is asked."""
    NOT_THERE = "not-there"
    """Nothing shows that the receiving side has it."""
    NOT_ENFORCED = "not-enforced"
    """The sender's domain does not ask receivers to stop forged mail, or this message was not aligned."""
    QUARANTINE = "quarantine"
    """It asks them to put it into junk, and there a From-only list would take it out again."""
    UNDECIDED = "undecided"
    """Could not be looked up or is not shown."""
    NEEDS_AUTHSERV_ID = "needs-authserv-id"
    NEEDS_SIGNER = "needs-signer"
    NEEDS_EGRESS_IPS = "needs-egress-ips"
    CANNOT_HOLD = "cannot-hold"
    """The form's medium cannot hold this sender safely."""


SENTENCES: Final[Mapping[Reason, Localized]] = MappingProxyType(
    {
        Reason.NEVER: {
            "en": "This message did not pass its own authentication, so it may not be from this sender. Do not put the sender on any list because of it.",
            "zh-Hant-TW": "這封信沒有通過驗證，可能不是這個寄件者寄的。請勿因為這封信把寄件者加入任何清單。",
        },
        Reason.REFUSED: {
            "en": "The receiving server refused this message. A list in the mailbox is never asked then, so no file would help; the reply says who has to act.",
            "zh-Hant-TW": "收件伺服器已拒收這封信。這種情況不會查詢信箱中的清單，因此任何檔案都沒有幫助；回覆內容會說明該由誰處理。",
        },
        Reason.NOT_THERE: {
            "en": "Nothing shows that the receiving side has this message, so no list would find it. See deliverability report.",
            "zh-Hant-TW": "沒有紀錄顯示收件方已收到這封信，因此清單派不上用場。請看 deliverability report。",
        },
        Reason.NOT_ENFORCED: {
            "en": "{title}: this form looks at the From line alone, and the sender's domain does not ask receivers to stop forged mail (DMARC), or this message was not aligned with it: a forger would get in as well. Take an authenticated form.",
            "zh-Hant-TW": "{title}：這種形式只看寄件者欄位，而寄件網域沒有要求攔阻冒名郵件（DMARC），或這封信與該網域不一致，冒名者也會通過。請改用有驗證的形式。",
        },
        Reason.QUARANTINE: {
            "en": "{title}: this form looks at the From line alone, and the sender's DMARC policy is quarantine: forged mail is put into junk, and this file would take it out again. It is made where the policy is reject.",
            "zh-Hant-TW": "{title}：這種形式只看寄件者欄位，而寄件者的 DMARC 政策是 quarantine：冒名郵件只會放進垃圾郵件，這個檔案又會把它放出來。政策為 reject 時才會製作。",
        },
        Reason.UNDECIDED: {
            "en": "{title}: this form looks at the From line alone, and it could not be established that the sender's domain has forged mail refused. Try again where the DNS can be asked, and with the message itself (--message).",
            "zh-Hant-TW": "{title}：這種形式只看寄件者欄位，而目前無法確認寄件網域會讓冒名郵件被拒收。請在可查詢 DNS 的環境，並附上郵件本身（--message）再試一次。",
        },
        Reason.NEEDS_AUTHSERV_ID: {
            "en": "{title}: say what your own mail server is called at the head of its Authentication-Results lines, with --authserv-id NAME. A guess would let a forger write that line.",
            "zh-Hant-TW": "{title}：請以 --authserv-id 名稱 提供您自己的郵件伺服器在 Authentication-Results 開頭使用的名稱。用猜的，冒名者就能自己寫這一行。",
        },
        Reason.NEEDS_SIGNER: {
            "en": "{title}: no DKIM signing domain of this sender is known. Give a message with a valid signature (--message), or the selector that signs (--selector).",
            "zh-Hant-TW": "{title}：不知道這個寄件者的 DKIM 簽章網域。請提供簽章有效的郵件（--message），或使用的選擇器（--selector）。",
        },
        Reason.NEEDS_EGRESS_IPS: {
            "en": "{title}: the addresses from which this sender connects are not known. Give --from-ip, or egress_ips in the configuration.",
            "zh-Hant-TW": "{title}：不知道這個寄件者從哪些 IP 連線。請提供 --from-ip，或在設定檔填寫 egress_ips。",
        },
        Reason.CANNOT_HOLD: {"en": "{title}: {problem}", "zh-Hant-TW": "{title}：{problem}"},
    }
)
"""Said in place of a file."""
_NEEDS = (
    (Need.AUTHSERV_ID, Reason.NEEDS_AUTHSERV_ID),
    (Need.SIGNER, Reason.NEEDS_SIGNER),
    (Need.EGRESS_IPS, Reason.NEEDS_EGRESS_IPS),
)
WHOLE: Final = frozenset({Reason.NEVER, Reason.REFUSED, Reason.NOT_THERE})
"""Reasons that hold for every form at once."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether one form may be made."""

    reason: Reason
    problem: str = ""

    @property
    def made(self) -> bool:
        """Whether there is a file."""
        return self.reason is Reason.MADE

    def sentence(self, form: Form, lang: str) -> str:
        """Why there is none, in words; empty where there is one."""
        if self.made:
            return ""
        return fill(SENTENCES[self.reason][lang], {"title": form.title[lang], "problem": because(self.problem, lang)})


def whole(assessment: Assessment) -> Reason:
    """What the evidence says of any list at all, before a form is chosen."""
    if gate(assessment.verdicts) is Gate.NEVER:
        return Reason.NEVER
    if assessment.claim is None:
        return Reason.MADE
    kind = kind_of(assessment)
    if kind in ARRIVED | {Kind.HANDED_OVER}:
        return Reason.MADE
    return Reason.REFUSED if kind in REFUSED | {Kind.REFUSED_ON_THE_WAY} else Reason.NOT_THERE


def decide(form: Form, assessment: Assessment, facts: SenderFacts) -> Decision:
    """Whether a form may be made.

    An authenticated one, unless the evidence speaks against any; a From-only one only where forged mail is refused.
    """
    reason = whole(assessment)
    if reason is not Reason.MADE:
        return Decision(reason)
    if not form.authenticated:
        reason = _from_only(assessment)
        if reason is not Reason.MADE:
            return Decision(reason)
    return Decision(lacking(form, facts) or Reason.MADE)


def lacking(form: Form, facts: SenderFacts) -> Reason | None:
    """The fact that a form needs and that is not known."""
    there = {
        Need.AUTHSERV_ID: facts.authserv_id is not None,
        Need.SIGNER: bool(facts.signers),
        Need.EGRESS_IPS: bool(facts.egress_ips),
    }
    return next((reason for need, reason in _NEEDS if need in form.needs and not there[need]), None)


def _from_only(assessment: Assessment) -> Reason:
    if gate(assessment.verdicts) is Gate.NOT_YET:
        return Reason.NOT_ENFORCED
    enforced = _verdict(assessment, "dmarc-enforced")
    if enforced is None or enforced.outcome is not Outcome.PASS:
        return Reason.UNDECIDED
    if enforced.ruling.finding.parameters.get("policy") != "reject":
        return Reason.QUARANTINE
    # A message at hand that is not shown to be genuine is no reason to trust its From.
    if assessment.evidence.mail is not None and not authenticated(assessment.verdicts):
        return Reason.UNDECIDED
    return Reason.MADE


def _verdict(assessment: Assessment, check: str) -> Verdict | None:
    return next((verdict for verdict in assessment.verdicts if verdict.check == check), None)
