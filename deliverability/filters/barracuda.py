"""Barracuda: ``X-Barracuda-Spam-Status`` with its score and the levels that the customer set."""

import re

from deliverability.evidence.plugin import Actor, Filter, Judgement, Reading, Stamp
from deliverability.evidence.verdict import Finding

_SCORE = re.compile(r"\bSCORE=(-?\d{1,4}(?:\.\d{1,3})?)", re.IGNORECASE)
_LEVEL = re.compile(r"\b(TAG|QUARANTINE|KILL)_LEVEL=(-?\d{1,5}(?:\.\d{1,3})?)", re.IGNORECASE)


def _read(stamps: tuple[Stamp, ...]) -> Reading | None:
    status = next((s.text for s in stamps if s.name.lower() == "x-barracuda-spam-status"), "")
    flag = any(s.name.lower() == "x-barracuda-spam-flag" and s.text.strip().lower()[:4] == "yes" for s in stamps)
    score = _SCORE.search(status) or next(
        (
            m
            for s in stamps
            if s.name.lower() == "x-barracuda-spam-score"
            and (m := re.match(r"\s{0,4}(-?\d{1,4}(?:\.\d{1,3})?)", s.text))
        ),
        None,
    )
    if not status and not flag and score is None:
        return None
    levels = {name.lower(): value for name, value in _LEVEL.findall(status)}
    shown = {
        "score": score[1] if score else "-",
        "tag": levels.get("tag", "-"),
        "quarantine": levels.get("quarantine", "-"),
        "kill": levels.get("kill", "-"),
    }
    passed = [name for name, level in levels.items() if score and float(score[1]) >= float(level)]
    if flag or passed or status.strip().lower().startswith("yes"):
        return Reading(Judgement.JUNK, (Finding.of("quarantine" if "quarantine" in passed else "junk", **shown),))
    return Reading(Judgement.CLEAN, (Finding.of("clean", **shown),))


FILTER = Filter(
    id="barracuda",
    name={"en": "Barracuda", "zh-Hant-TW": "Barracuda"},
    headers=frozenset(
        {"x-barracuda-spam-status", "x-barracuda-spam-score", "x-barracuda-spam-flag", "x-barracuda-spam-report"}
    ),
    read=_read,
    messages={
        "junk": {
            "en": "Barracuda marked the message: {score} points; the customer’s levels are {tag} to mark, {quarantine} to hold, {kill} to block.",
            "zh-Hant-TW": "Barracuda 標記了這封信：{score} 分；單位設定的門檻為標記 {tag}、隔離 {quarantine}、封鎖 {kill}。",
        },
        "quarantine": {
            "en": "Barracuda’s score of {score} points reaches the level to hold mail, {quarantine}.",
            "zh-Hant-TW": "Barracuda 的 {score} 分達到隔離門檻 {quarantine}。",
        },
        "clean": {
            "en": "Barracuda did not mark the message: {score} points; marked is from {tag}.",
            "zh-Hant-TW": "Barracuda 沒有標記這封信：{score} 分；達 {tag} 分才標記。",
        },
    },
    actors={"junk": Actor.RECIPIENT, "quarantine": Actor.RECIPIENT},
    advice={
        "junk": {
            "en": "Choose “Deliver” in the quarantine notice, and ask the IT department to add the sender’s whole address to the sender policy.",
            "zh-Hant-TW": "在隔離通知信選擇 Deliver，並請資訊人員把寄件者的完整地址加入 Sender Policy。",
        },
        "quarantine": {
            "en": "Choose “Deliver” in the quarantine notice, and ask the IT department to add the sender’s whole address to the sender policy.",
            "zh-Hant-TW": "在隔離通知信選擇 Deliver，並請資訊人員把寄件者的完整地址加入 Sender Policy。",
        },
    },
    hosts=("barracudanetworks.com",),
    source="https://campus.barracuda.com/",
)
