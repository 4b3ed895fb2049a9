"""What a refusal means: an SMTP reply, or the text of a delivery status notification, to cause, actor and advice.

First the provider's own rules, then block lists and the words of mail programs, then the enhanced status code
(``replies_registry``).  What none of them knows is quoted and never guessed.  Pure; time linear in the (bounded) text.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from deliverability.evidence.plugin import Actor, Localized, Provider, ReplyRule
from deliverability.evidence.smtp import Reply
from deliverability.protocols.smtp import on_one_line, parse_reply

if TYPE_CHECKING:
    from deliverability.protocols.replies_registry import Registered

MAX_TEXT: Final = 8192
"""Characters of a text that are read."""
MAX_GIVEN: Final = 262_144
"""Characters of a text in which the reply is looked for."""

# How logs and notifications introduce what the other server said.
_INTRODUCED = re.compile(
    r"(?:Diagnostic-Code: {0,4}[a-z0-9-]{1,20};|\bsaid:|stat=|reply=|\(reason:|<<<) {0,4}", re.IGNORECASE
)
_CODE = re.compile(r"(?<![\w.:-])([245][0-5]\d)(?=[ -]|$)")
_STATUS = re.compile(
    r"\bStatus: {0,4}([245]\.\d{1,3}\.\d{1,3})\b|\bdsn=([245]\.\d{1,3}\.\d{1,3})\b|\(#([245]\.\d{1,3}\.\d{1,3})\)"
)
_ENHANCED_ANYWHERE = re.compile(r"(?<![\w.])([245]\.\d{1,3}\.\d{1,3})(?![\w.])")
_BLANKS = re.compile(r"\s+|\\[nr]")
# The codes at the head of each further line of a reply (RFC 5321 §4.2.1, RFC 2034 §4).
_REPEATED = re.compile(r" [245][0-5]\d-(?:[245]\.\d{1,3}\.\d{1,3})? ?")


class Basis(StrEnum):
    """What an explanation rests on, from strong to weak."""

    PROVIDER = "provider"
    """A rule of the provider's own."""
    WORDS = "words"
    """Words that mail programs and block lists share."""
    CODE = "code"
    """The enhanced status code alone, as registered."""
    CLASS = "class"
    """The first digit alone: whether another try may help."""
    NONE = "none"
    """Nothing: the words are quoted."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A reply, explained as far as that is possible."""

    reply: Reply
    """As it was found in the text given."""
    cause: str
    """One of ``replies_causes.CAUSES``."""
    actor: Actor
    meaning: Localized
    advice: Localized
    basis: Basis
    provider: str | None = None
    """The provider whose rule matched."""
    rule: str | None = None
    source: str | None = None
    registered: "Registered | None" = None
    """What the reply's enhanced status code means by the registry, whatever else was found."""


def explain(text: str, known: Iterable[Provider] = (), provider: str | None = None) -> Explanation:
    """Explain a reply or a notification; ``provider`` is the id of the one that said it, where that is known.

    Total: any text gives an :class:`Explanation`.
    """
    from deliverability.protocols.replies_causes import CAUSES
    from deliverability.protocols.replies_general import GENERAL
    from deliverability.protocols.replies_registry import REGISTRY, registered

    reply = find_reply(text)
    said = _plain(reply.text)
    code = reply.enhanced_status_code
    entry = registered(code) if code else None
    if reply.positive:
        return _of("other", reply, Basis.CLASS, entry, actor=Actor.NOBODY, meaning=_ACCEPTED, advice=_NOTHING)
    # Of several that share servers and rules the one with the most domains names them: Yahoo before AOL.
    by_provider = sorted(known, key=lambda p: (p.id != provider, -len(p.domains), p.id))
    for one in by_provider:
        theirs = one.id == provider
        for rule in one.replies:
            if _matches(rule, said, code if theirs else None):
                return _by_rule(rule, reply, Basis.PROVIDER, entry, one.id)
    for rule in GENERAL:
        if _matches(rule, said, None):
            return _by_rule(rule, reply, Basis.WORDS, entry, None)
    if entry and entry.cause != "other":
        return _of(entry.cause, reply, Basis.CODE, entry, source=REGISTRY)
    if reply.transient or (code and code.startswith("4")):
        return _of(
            "other", reply, Basis.CLASS, entry, actor=Actor.NOBODY, meaning=_LATER, advice=CAUSES["temporary"].advice
        )
    return _of("other", reply, Basis.NONE, entry)


_ACCEPTED: Final = {
    "en": "The server took the message: this is no refusal.",
    "zh-Hant-TW": "對方伺服器收下了這封信，這不是拒收。",
}
_NOTHING: Final = {"en": "There is nothing to do.", "zh-Hant-TW": "不需要處理。"}
_LATER: Final = {
    "en": "The server wants another try later; why, its words do not tell here.",
    "zh-Hant-TW": "對方伺服器要求稍後再試；從回覆看不出原因。",
}


def find_reply(text: str) -> Reply:
    """The reply in a log line, in a notification, or by itself; with all of the text where there is no code."""
    text = _flat(text)
    direct = parse_reply(text)
    if direct.code is not None:
        return direct
    places = [match.end() for match in _INTRODUCED.finditer(text)]
    for start in (*places, 0):
        match = _CODE.search(text, start)
        if match and (start == 0 or match.start() - start < 120):
            found = parse_reply(text[match.start() : match.start() + MAX_TEXT])
            if found.code is not None:
                return found if found.enhanced_status_code else Reply(found.code, _stated(text), found.text)
    return Reply(None, _stated(text), text[:MAX_TEXT])


def _stated(text: str) -> str | None:
    match = _STATUS.search(text)
    if match:
        return match[1] or match[2] or match[3]
    found = _ENHANCED_ANYWHERE.search(text[:200])
    return found[1] if found else None


def _flat(text: str) -> str:
    return _BLANKS.sub(" ", text[:MAX_GIVEN]).strip()


def _plain(text: str) -> str:
    """On one line, and without the codes that every line of a long reply repeats, or that stand amid it."""
    return _REPEATED.sub(" ", on_one_line(text[:MAX_TEXT]).replace("\u2019", "'"))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _matches(rule: ReplyRule, said: str, code: str | None) -> bool:
    return (code is not None and code in rule.codes) or _compiled(rule.pattern).search(said) is not None


def _by_rule(
    rule: ReplyRule, reply: Reply, basis: Basis, entry: "Registered | None", provider: str | None
) -> Explanation:
    from deliverability.protocols.replies_causes import CAUSES

    cause = CAUSES[rule.cause]
    return Explanation(
        reply=reply,
        cause=cause.id,
        actor=rule.actor,
        meaning=cause.meaning,
        advice=rule.advice or cause.advice,
        basis=basis,
        provider=provider,
        rule=rule.id,
        source=rule.source,
        registered=entry,
    )


def _of(  # noqa: PLR0913 - what a cause leaves open
    cause: str,
    reply: Reply,
    basis: Basis,
    entry: "Registered | None",
    *,
    actor: Actor | None = None,
    meaning: Localized | None = None,
    advice: Localized | None = None,
    source: str | None = None,
) -> Explanation:
    from deliverability.protocols.replies_causes import CAUSES

    known = CAUSES[cause]
    return Explanation(
        reply=reply,
        cause=cause,
        actor=actor or known.actor,
        meaning=meaning or known.meaning,
        advice=advice or known.advice,
        basis=basis,
        source=source,
        registered=entry,
    )
