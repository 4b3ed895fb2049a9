"""Proofpoint: ``X-Proofpoint-Spam-Details``, whose ``rule`` names what decided and whose scores run from 0 to 100."""

import re

from deliverability.evidence.plugin import Actor, Filter, Judgement, Reading, Stamp
from deliverability.evidence.verdict import Finding

_RULE = re.compile(r"\brule=([A-Za-z0-9_.-]{1,80})")
_SCORE = re.compile(r"\b(?:spamscore|score)=(\d{1,3})\b")
_BULK = re.compile(r"\bbulkscore=(\d{1,3})\b")
# What a rule is called tells what it found; the first that fits.
_RULES: tuple[tuple[tuple[str, ...], str, Judgement], ...] = (
    (("notspam", "safe"), "clean", Judgement.CLEAN),
    (("phish", "malware", "virus"), "dangerous", Judgement.DANGEROUS),
    (("bulk",), "bulk", Judgement.BULK),
    (("block",), "blocked", Judgement.LISTED_BAD),
    (("spam", "quarantine"), "junk", Judgement.JUNK),
)
_UNKNOWN = ("score", Judgement.NONE)


def _read(stamps: tuple[Stamp, ...]) -> Reading | None:
    details = next((s.text for s in stamps if s.name.lower() == "x-proofpoint-spam-details"), "")
    rule = _RULE.search(details)
    if not rule:
        return None
    score, bulk = _SCORE.search(details), _BULK.search(details)
    name = rule[1].lower()
    shown = {"rule": rule[1], "score": score[1] if score else "-", "bulk": bulk[1] if bulk else "-"}
    code, judgement = next(((c, j) for words, c, j in _RULES if any(word in name for word in words)), _UNKNOWN)
    return Reading(judgement, (Finding.of(code, **shown),))


FILTER = Filter(
    id="proofpoint",
    name={"en": "Proofpoint", "zh-Hant-TW": "Proofpoint"},
    headers=frozenset({"x-proofpoint-spam-details", "x-proofpoint-spam-reason"}),
    read=_read,
    messages={
        "clean": {
            "en": "Proofpoint did not take the message for spam (rule {rule}, score {score}).",
            "zh-Hant-TW": "Proofpoint 不認為這是垃圾信（規則 {rule}、分數 {score}）。",
        },
        "junk": {
            "en": "Proofpoint took the message for spam (rule {rule}, score {score} of 100).",
            "zh-Hant-TW": "Proofpoint 認為這是垃圾信（規則 {rule}、分數 {score}，滿分 100）。",
        },
        "bulk": {
            "en": "Proofpoint took the message for bulk mail (rule {rule}, bulk score {bulk}).",
            "zh-Hant-TW": "Proofpoint 認為這是大量郵件（規則 {rule}、大量郵件分數 {bulk}）。",
        },
        "blocked": {
            "en": "A block list in Proofpoint condemned the sender (rule {rule}).",
            "zh-Hant-TW": "Proofpoint 的封鎖名單擋下寄件者（規則 {rule}）。",
        },
        "dangerous": {
            "en": "Proofpoint took the message for dangerous (rule {rule}).",
            "zh-Hant-TW": "Proofpoint 認為這封信有危險（規則 {rule}）。",
        },
        "score": {
            "en": "Proofpoint’s rule {rule} decided, with a score of {score} of 100; what that rule does is the organization’s setting.",
            "zh-Hant-TW": "由 Proofpoint 的規則 {rule} 決定，分數 {score}（滿分 100）；該規則的動作由單位設定。",
        },
    },
    actors={"junk": Actor.RECIPIENT, "bulk": Actor.RECIPIENT, "blocked": Actor.RECIPIENT, "dangerous": Actor.SENDER},
    advice={
        "junk": {
            "en": "Choose “Release and Allow Sender” in the digest. Do not forward the digest: its links act for anybody.",
            "zh-Hant-TW": "在摘要通知信選擇 Release and Allow Sender。請勿轉寄通知信，裡面的連結誰按都有效。",
        },
        "bulk": {
            "en": "Choose “Release and Allow Sender” in the digest.",
            "zh-Hant-TW": "在摘要通知信選擇 Release and Allow Sender。",
        },
        "blocked": {
            "en": "Take the sender off your list of blocked senders, or ask the IT department.",
            "zh-Hant-TW": "請把寄件者從封鎖名單移除，或詢問資訊人員。",
        },
        "dangerous": {
            "en": "Do not release it before the sender has confirmed it by another way. The sender checks links and attachments.",
            "zh-Hant-TW": "在寄件者以其他方式確認之前請勿放行。寄件者需檢查連結與附件。",
        },
    },
    hosts=("pphosted.com", "ppe-hosted.com"),
    source="https://www.proofpoint.com/us/resources",
)
