"""Cisco Secure Email (IronPort): reputation, sender group and the verdict of its spam scan.

``X-IronPort-Anti-Spam-Filtered: true`` says that the message was scanned, not that it is spam.
"""

import re

from deliverability.evidence.plugin import Actor, Filter, Judgement, Reading, Stamp
from deliverability.evidence.verdict import Finding

_REPUTATION = re.compile(r"\s{0,4}(-?\d{1,2}(?:\.\d{1,2})?|none)\b", re.IGNORECASE)
_POOR = -1.0  # SBRS: −10 to −1 is what its default sender groups throttle or block


def _read(stamps: tuple[Stamp, ...]) -> Reading | None:
    by_name = {stamp.name.lower(): stamp.text.strip() for stamp in reversed(stamps)}
    findings: list[Finding] = []
    judgement = Judgement.NONE
    verdict = by_name.get("x-threatscanner-verdict", "")[:20].lower()
    if verdict == "positive":
        findings.append(Finding.of("threat"))
        judgement = Judgement.JUNK
    marked = next((by_name[n][:20].lower() for n in ("x-ironport-spam", "x-ipas-result-verdict") if n in by_name), "")
    if marked in ("spam", "positive", "suspect", "true"):
        findings.append(Finding.of("spam", verdict=marked))
        judgement = Judgement.JUNK
    score = _REPUTATION.match(by_name.get("x-sbrs", by_name.get("x-ironport-sbrs", "")))
    if score and score[1].lower() != "none":
        findings.append(Finding.of("poor-reputation" if float(score[1]) <= _POOR else "reputation", score=score[1]))
    group = by_name.get("x-sendergrp", by_name.get("x-ironport-sendergroup", ""))[:60]
    if group:
        findings.append(Finding.of("group", group=group))
    if by_name.get("x-ironport-anti-spam-filtered", "").lower()[:8] == "true":
        findings.append(Finding.of("scanned"))
    return Reading(judgement, tuple(findings)) if findings else None


FILTER = Filter(
    id="cisco",
    name={"en": "Cisco Secure Email (IronPort)", "zh-Hant-TW": "Cisco Secure Email（IronPort）"},
    headers=frozenset({"x-ironport-*", "x-sbrs", "x-sendergrp", "x-threatscanner-verdict", "x-ipas-result-verdict"}),
    read=_read,
    messages={
        "threat": {"en": "Cisco’s scan was positive.", "zh-Hant-TW": "Cisco 的掃描結果為陽性。"},
        "spam": {
            "en": "Cisco’s scan took the message for spam ({verdict}).",
            "zh-Hant-TW": "Cisco 的掃描認為這是垃圾信（{verdict}）。",
        },
        "poor-reputation": {
            "en": "Cisco gave the sending address a poor reputation: {score} on a scale from −10 to 10.",
            "zh-Hant-TW": "Cisco 給寄送 IP 位址的信譽不佳：{score}（範圍 −10 到 10）。",
        },
        "reputation": {
            "en": "Cisco gave the sending address a reputation of {score} on a scale from −10 to 10.",
            "zh-Hant-TW": "Cisco 給寄送 IP 位址的信譽為 {score}（範圍 −10 到 10）。",
        },
        "group": {"en": "The sender fell into the group {group}.", "zh-Hant-TW": "寄件者被歸入 {group} 群組。"},
        "scanned": {
            "en": "Cisco scanned the message; that mark says nothing about the result.",
            "zh-Hant-TW": "Cisco 掃描過這封信；這個標記不代表結果。",
        },
    },
    actors={"threat": Actor.RECIPIENT, "spam": Actor.RECIPIENT, "poor-reputation": Actor.SENDER},
    advice={
        "threat": {
            "en": "Ask the IT department what the scan found before anything is released.",
            "zh-Hant-TW": "放行之前，請先向資訊人員詢問掃描結果。",
        },
        "spam": {
            "en": "In the spam quarantine choose “Release and Add to Safelist”.",
            "zh-Hant-TW": "在 Spam Quarantine 選擇 Release and Add to Safelist。",
        },
        "poor-reputation": {
            "en": "The sender looks its address up at talosintelligence.com, removes the reason and asks for a review there.",
            "zh-Hant-TW": "寄件者需到 talosintelligence.com 查詢 IP 位址，排除原因並申請重新評估。",
        },
    },
    hosts=("iphmx.com",),
    source="https://www.cisco.com/c/en/us/support/security/email-security-appliance/products-user-guide-list.html",
)
