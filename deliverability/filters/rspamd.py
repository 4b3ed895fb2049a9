"""rspamd: ``X-Rspamd-Action``, ``X-Spam``, ``X-Spamd-Result``.

``X-Spamd-Result: default: False [6.20 / 15.00]`` does not mean "no spam": rspamd writes ``True`` only where the action is
``reject`` (milter_headers.lua of 3.4).  Whether such a message was junked stands in the action alone.
"""

import re

from deliverability.evidence.plugin import Actor, Filter, Judgement, Reading, Stamp
from deliverability.evidence.verdict import Finding

_RESULT = re.compile(
    r"[a-z0-9_-]{1,40}:\s{0,4}(True|False)\s{0,4}\[(-?\d{1,5}\.\d{1,3})\s{0,4}/\s{0,4}(-?\d{1,5}\.\d{1,3})\]",
    re.IGNORECASE,
)
_SYMBOL = re.compile(r"\b([A-Z][A-Z0-9_]{2,60})\((-?\d{1,4}\.\d{1,3})\)")
_JUNKED = frozenset({"add header", "rewrite subject", "quarantine"})
_SHOWN = 10


def _read(stamps: tuple[Stamp, ...]) -> Reading | None:
    by_name = {stamp.name.lower(): stamp.text for stamp in reversed(stamps)}
    result = by_name.get("x-spamd-result", "")
    match = _RESULT.match(result.strip())
    action = by_name.get("x-rspamd-action", "").strip().lower()[:30]
    spam = by_name.get("x-spam", "").strip().lower()[:8] == "yes"
    if not match and not action and not spam:
        return None
    shown = {
        "score": match[2] if match else "-",
        "limit": match[3] if match else "-",
        "symbols": _weighty(result) or "-",
        "action": action or "-",
    }
    if (match and match[1].lower() == "true") or action == "reject":
        return Reading(Judgement.JUNK, (Finding.of("reject", **shown),))
    if spam or action in _JUNKED:
        return Reading(Judgement.JUNK, (Finding.of("junk", **shown),))
    if action in ("no action", "greylist", "soft reject"):
        return Reading(Judgement.CLEAN, (Finding.of("clean", **shown),))
    return Reading(Judgement.NONE, (Finding.of("score-only", **shown),))


def _weighty(result: str) -> str:
    """The symbols that weigh most against the message, heaviest first."""
    found = sorted(
        ((float(weight), name) for name, weight in _SYMBOL.findall(result) if float(weight) > 0), reverse=True
    )
    return ", ".join(f"{name} {weight:g}" for weight, name in found[:_SHOWN])


FILTER = Filter(
    id="rspamd",
    name={"en": "rspamd", "zh-Hant-TW": "rspamd"},
    headers=frozenset(
        {"x-spamd-result", "x-rspamd-action", "x-spam", "x-rspamd-score", "x-rspamd-server", "x-spamd-bar"}
    ),
    read=_read,
    messages={
        "reject": {
            "en": "rspamd would have refused the message: {score} points, {limit} are enough. What weighed most: {symbols}.",
            "zh-Hant-TW": "rspamd 認為應拒收：{score} 分，門檻 {limit} 分。主要項目：{symbols}。",
        },
        "junk": {
            "en": "rspamd marked the message as spam (action {action}): {score} points. What weighed most: {symbols}.",
            "zh-Hant-TW": "rspamd 把這封信標為垃圾信（動作 {action}）：{score} 分。主要項目：{symbols}。",
        },
        "clean": {
            "en": "rspamd did not mark the message (action {action}): {score} points.",
            "zh-Hant-TW": "rspamd 沒有標記這封信（動作 {action}）：{score} 分。",
        },
        "score-only": {
            "en": "rspamd gave {score} points; from {limit} on it refuses. Whether it marked the message as spam below that does not stand here. What weighed most: {symbols}.",
            "zh-Hant-TW": "rspamd 給了 {score} 分，達 {limit} 分才會拒收；低於此分數是否標為垃圾信，這裡看不出來。主要項目：{symbols}。",
        },
    },
    actors={"reject": Actor.RECIPIENT, "junk": Actor.RECIPIENT, "score-only": Actor.RECIPIENT},
    advice={
        "reject": {
            "en": "Ask whoever runs the mail server; a list entry with valid_dmarc lets genuine mail of the sender pass. The sender reads what weighed.",
            "zh-Hant-TW": "請詢問郵件伺服器管理者；以 valid_dmarc 列入名單可讓真正的寄件者通過。寄件者可依主要項目改善。",
        },
        "junk": {
            "en": "Mark the message as not junk; whoever runs the server lists the sender with valid_dmarc. The sender reads what weighed.",
            "zh-Hant-TW": "請標為非垃圾郵件；伺服器管理者可用 valid_dmarc 列入寄件者。寄件者可依主要項目改善。",
        },
        "score-only": {
            "en": "Ask whoever runs the mail server from how many points on mail is put into Junk.",
            "zh-Hant-TW": "請詢問郵件伺服器管理者，幾分以上會放進垃圾信匣。",
        },
    },
    source="https://docs.rspamd.com/modules/milter_headers/",
)
