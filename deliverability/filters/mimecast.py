"""Mimecast: spam score, bulk mark, and what its protection from impersonation hit.

The score stands without the level from which the customer holds mail, so it is told and not judged.
"""

import re

from deliverability.evidence.plugin import Actor, Filter, Judgement, Reading, Stamp
from deliverability.evidence.verdict import Finding

_SCORE = re.compile(r"\s{0,4}(-?\d{1,4}(?:\.\d{1,3})?)")
_HIT = re.compile(r"([A-Za-z][A-Za-z /-]{2,60})=true\b", re.IGNORECASE)


def _read(stamps: tuple[Stamp, ...]) -> Reading | None:
    findings: list[Finding] = []
    judgement = Judgement.NONE
    for stamp in stamps:
        name = stamp.name.lower()
        if name == "x-mimecast-impersonation-protect":
            hits = [hit.strip() for hit in _HIT.findall(stamp.text)][:10]
            if hits:
                findings.insert(0, Finding.of("impersonation", hits=", ".join(hits)))
                judgement = Judgement.FORGED
        elif name == "x-mimecast-bulk-signature" and stamp.text.strip().lower()[:4] == "yes":
            findings.append(Finding.of("bulk"))
            judgement = Judgement.BULK if judgement is Judgement.NONE else judgement
        elif name == "x-mimecast-spam-score" and (match := _SCORE.match(stamp.text)):
            findings.append(Finding.of("score", score=match[1]))
    return Reading(judgement, tuple(findings)) if findings else None


FILTER = Filter(
    id="mimecast",
    name={"en": "Mimecast", "zh-Hant-TW": "Mimecast"},
    headers=frozenset({"x-mimecast-spam-score", "x-mimecast-impersonation-protect", "x-mimecast-bulk-signature"}),
    read=_read,
    messages={
        "impersonation": {
            "en": "Mimecast finds that the sender looks like somebody else; what it hit: {hits}.",
            "zh-Hant-TW": "Mimecast 認為寄件者像是另一個人；命中項目：{hits}。",
        },
        "bulk": {"en": "Mimecast takes the message for bulk mail.", "zh-Hant-TW": "Mimecast 認為這是大量郵件。"},
        "score": {
            "en": "Mimecast’s spam score is {score}; from which score on mail is held is the organization’s own setting.",
            "zh-Hant-TW": "Mimecast 的垃圾信分數是 {score}；幾分會攔下由單位自行設定。",
        },
    },
    actors={"impersonation": Actor.RECIPIENT, "bulk": Actor.RECIPIENT, "score": Actor.RECIPIENT},
    advice={
        "impersonation": {
            "en": "Compare the address letter by letter. If it is genuine, the IT department makes an exception for the sender.",
            "zh-Hant-TW": "請逐字比對地址。如果是真的，由資訊人員為寄件者設定例外。",
        },
        "bulk": {
            "en": "Permit the sender’s whole address under “Managed Senders”.",
            "zh-Hant-TW": "在 Managed Senders 允許寄件者的完整地址。",
        },
        "score": {
            "en": "Choose “Release” in the notice about held mail, and permit the sender’s whole address under “Managed Senders”.",
            "zh-Hant-TW": "在攔截通知信選擇 Release，並在 Managed Senders 允許寄件者的完整地址。",
        },
    },
    hosts=("mimecast.com", "mimecast-offshore.com"),
    source="https://mimecastsupport.zendesk.com/hc/en-us/articles/34000390156947",
)
