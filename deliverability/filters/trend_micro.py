"""Trend Micro: ``X-TM-AS-Result`` and ``X-TMASE-Result``, and the lists that it applied."""

import re

from deliverability.evidence.plugin import Actor, Filter, Judgement, Reading, Stamp
from deliverability.evidence.verdict import Finding

_RESULT = re.compile(r"\s{0,4}(yes|no)\b-{0,3}(-?\d{1,4}(?:\.\d{1,6})?)?", re.IGNORECASE)


def _read(stamps: tuple[Stamp, ...]) -> Reading | None:
    by_name = {stamp.name.lower(): stamp.text.strip() for stamp in reversed(stamps)}
    yes = {name for name, text in by_name.items() if text.lower()[:4] == "yes"}
    if yes & {"x-tm-as-user-blocked-sender", "x-tmase-user-blocked-sender"}:
        return Reading(Judgement.LISTED_BAD, (Finding.of("user-blocked"),))
    if yes & {"x-tm-as-user-approved-sender", "x-tmase-user-approved-sender"}:
        return Reading(Judgement.LISTED_GOOD, (Finding.of("user-approved"),))
    match = next((m for n in ("x-tm-as-result", "x-imss-result") if (m := _RESULT.match(by_name.get(n, "")))), None)
    if match:
        shown = {"score": match[2] or "-"}
        if match[1].lower() == "yes":
            return Reading(Judgement.JUNK, (Finding.of("junk", **shown),))
        return Reading(Judgement.CLEAN, (Finding.of("clean", **shown),))
    if "x-tmase-result" in by_name:
        return Reading(Judgement.NONE, (Finding.of("score", score=by_name["x-tmase-result"][:40]),))
    return None


FILTER = Filter(
    id="trend-micro",
    name={"en": "Trend Micro", "zh-Hant-TW": "Trend Micro（趨勢科技）"},
    headers=frozenset({"x-tm-as-*", "x-tmase-*", "x-imss-*"}),
    read=_read,
    messages={
        "user-blocked": {
            "en": "The sender is on the reader’s own list of blocked senders.",
            "zh-Hant-TW": "寄件者在收件者自己的封鎖名單上。",
        },
        "user-approved": {
            "en": "The sender is on the reader’s own list of approved senders.",
            "zh-Hant-TW": "寄件者在收件者自己的允許名單上。",
        },
        "junk": {
            "en": "Trend Micro took the message for spam ({score}).",
            "zh-Hant-TW": "Trend Micro 認為這是垃圾信（{score}）。",
        },
        "clean": {
            "en": "Trend Micro did not take the message for spam ({score}).",
            "zh-Hant-TW": "Trend Micro 不認為這是垃圾信（{score}）。",
        },
        "score": {
            "en": "Trend Micro wrote the scores {score}; they stand without a verdict.",
            "zh-Hant-TW": "Trend Micro 記下分數 {score}，但沒有判定結果。",
        },
    },
    actors={"user-blocked": Actor.RECIPIENT, "junk": Actor.RECIPIENT},
    advice={
        "user-blocked": {
            "en": "Take the sender off the list of blocked senders.",
            "zh-Hant-TW": "請把寄件者從封鎖名單移除。",
        },
        "junk": {
            "en": "Release the message from quarantine, and ask the IT department to add the sender’s whole address to the approved senders.",
            "zh-Hant-TW": "請從隔離區放行，並請資訊人員把寄件者的完整地址加入允許的寄件者。",
        },
    },
    hosts=("tmes.trendmicro.com", "trendmicro.com", "trendmicro.eu"),
    source="https://docs.trendmicro.com/",
)
