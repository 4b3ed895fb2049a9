"""What spam filters of the caller's own say about a message: facts, and no verdict of ours.

The whole message goes to the filter that the caller names, and nowhere else.
"""

from collections.abc import Awaitable
from types import MappingProxyType
from typing import Final

from deliverability.api.observe import blocking
from deliverability.errors import printable
from deliverability.evidence.spam import NoScore, Scored, SpamScore
from deliverability.evidence.verdict import Messages, fill

MAX_SHOWN: Final = 40
"""Names of tests that a sentence carries; the JSON has all."""
MESSAGES: Final[Messages] = MappingProxyType(
    {
        "spam": {
            "en": "{engine} at {endpoint} calls it spam: score {score}{limit}{action}; tests: {tests}. Another filter may see it otherwise.",
            "zh-Hant-TW": "{endpoint} 的 {engine} 判定為垃圾郵件：分數 {score}{limit}{action}；觸發規則：{tests}。其他過濾軟體的判斷可能不同。",
        },
        "not-spam": {
            "en": "{engine} at {endpoint} does not call it spam: score {score}{limit}{action}; tests: {tests}. Another filter may see it otherwise.",
            "zh-Hant-TW": "{endpoint} 的 {engine} 未判定為垃圾郵件：分數 {score}{limit}{action}；觸發規則：{tests}。其他過濾軟體的判斷可能不同。",
        },
        "no-score": {
            "en": "{engine} at {endpoint} gave no score ({obstacle}: {detail}); nothing follows from that.",
            "zh-Hant-TW": "{endpoint} 的 {engine} 沒有給分（{obstacle}：{detail}）；這不代表郵件有問題。",
        },
        "limit": {"en": " of {limit}", "zh-Hant-TW": "（上限 {limit}）"},
        "action": {"en": ", action {action}", "zh-Hant-TW": "，處置 {action}"},
        "none": {"en": "none", "zh-Hant-TW": "無"},
        "more": {"en": " and {count} more", "zh-Hant-TW": "等，另有 {count} 項"},
    }
)
"""The sentences, by code and language."""


def spam_scores(message: bytes, *, spamd: str | None = None, rspamd: str | None = None) -> tuple[Scored, ...]:
    """Ask the filters that are named: ``spamd`` as ``HOST:PORT``, ``rspamd`` as a URL.

    A filter that does not answer gives a :class:`NoScore`; raises :class:`~deliverability.errors.UsageError` for an
    endpoint that is none.
    """
    from deliverability.capture.spam_score import ask_rspamd, ask_spamd

    async def ask() -> tuple[Scored, ...]:
        asked: list[Awaitable[Scored]] = [ask_spamd(spamd, message)] if spamd else []
        asked += [ask_rspamd(rspamd, message)] if rspamd else []
        return tuple([await one for one in asked])

    return blocking(ask, "spam_scores")


def sentence(found: Scored, lang: str) -> str:
    """What a filter said, in words; foreign text inside is made visible."""
    told = {"engine": found.engine, "endpoint": printable(found.endpoint, 100)}
    if isinstance(found, NoScore):
        told |= {"obstacle": found.obstacle.value, "detail": printable(found.detail, 200)}
        return fill(MESSAGES["no-score"][lang], told)
    limit = "" if found.threshold is None else fill(MESSAGES["limit"][lang], {"limit": f"{found.threshold:g}"})
    action = fill(MESSAGES["action"][lang], {"action": printable(found.action)}) if found.action else ""
    told |= {"score": f"{found.score:g}", "limit": limit, "action": action, "tests": _tests(found, lang)}
    return fill(MESSAGES["spam" if found.spam else "not-spam"][lang], told)


def _tests(found: SpamScore, lang: str) -> str:
    shown, more = found.symbols[:MAX_SHOWN], len(found.symbols) - MAX_SHOWN
    names = printable(", ".join(shown), 4000) or MESSAGES["none"][lang]
    return names + (fill(MESSAGES["more"][lang], {"count": str(more)}) if more > 0 else "")
