"""The ARC chain that forwarders left on the message holds.

RFC 8617 §5.2.  It shows what those servers say they saw before the message was changed on its way; a receiver believes
it only as far as it trusts them.  ARC is being retired, so nothing rests on this.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds

if TYPE_CHECKING:
    from deliverability.protocols.arc import ArcChain

MAX_SETS_SHOWN = 10


def _chain(evidence: Evidence) -> "ArcChain | None":
    if evidence.mail is None or grounds.unreadable(evidence):
        return None
    from deliverability.protocols.arc import read_chain

    return read_chain(evidence.mail.content, evidence.observations, grounds.judged_at(evidence))


def _applies(evidence: Evidence) -> Finding | None:
    from deliverability.protocols.arc import ArcState

    found = _chain(evidence)
    return Finding.of("no-arc") if found and found.state is ArcState.NONE else None


def _evaluate(evidence: Evidence) -> Ruling:
    found = _chain(evidence)
    if found is None:
        return grounds.unreadable(evidence) or grounds.need("need-message")
    return replace(_ruling(evidence, found), details=tuple(_details(found)))


def _ruling(evidence: Evidence, found: "ArcChain") -> Ruling:
    from deliverability.protocols.arc import ArcState

    if found.state is ArcState.COULD_NOT_LOOK:
        return grounds.open_question(found.obstacle, "temperror")
    if found.state is ArcState.PASS:
        return Ruling(Outcome.PASS, Finding.of("holds", count=len(found.sets)), "pass")
    if found.state is ArcState.TERMINATED:
        return Ruling(Outcome.FAIL, Finding.of("terminated"), "fail")
    finding = Finding.of("broken", problem=found.problem or "")
    if found.rests_on_dns:
        return grounds.against(evidence, found.observed_at, finding, f"ARC: {found.problem}", "fail")
    return Ruling(Outcome.FAIL, finding, "fail")


def _details(found: "ArcChain") -> Iterator[Finding]:
    for one in found.sets[:MAX_SETS_SHOWN]:
        yield Finding.of("set", instance=one.instance, sealer=one.sealer, claimed=one.claimed, results=one.results)


CHECK = Check(
    id="arc-chain-valid",
    subjects=frozenset({Subject.MESSAGE}),
    citation="RFC 8617 §5.2",
    title={"en": "ARC: the chain of forwarders holds", "zh-Hant-TW": "ARC：轉寄鏈有效"},
    applies=_applies,
    evaluate=_evaluate,
    advisory=True,
    messages={
        "holds": {
            "en": "The ARC chain holds (sets: {count}): the seals over what these servers recorded verify. Whether to believe them is up to the receiver.",
            "zh-Hant-TW": "ARC 轉寄鏈有效（共 {count} 組）：這些伺服器的紀錄，其封緘簽章都通過驗證。是否採信由收件方決定。",
        },
        "broken": {
            "en": "The ARC chain does not hold: {problem}.",
            "zh-Hant-TW": "ARC 轉寄鏈無效：{problem}。",
        },
        "terminated": {
            "en": "The newest server in the ARC chain had already found it broken (cv=fail).",
            "zh-Hant-TW": "ARC 轉寄鏈中最後一台伺服器已判定其無效（cv=fail）。",
        },
        "no-arc": {
            "en": "The message carries no ARC fields: no forwarder recorded anything.",
            "zh-Hant-TW": "這封郵件沒有 ARC 標頭：沒有轉寄伺服器留下紀錄。",
        },
        "set": {
            "en": "{instance}: {sealer} recorded (cv={claimed}): {results}",
            "zh-Hant-TW": "{instance}：{sealer} 的紀錄（cv={claimed}）：{results}",
        },
        "need-message": {
            "en": "Without the message itself there is no ARC chain to read. Give it with --message.",
            "zh-Hant-TW": "沒有郵件本身，無法讀取 ARC 轉寄鏈。請以 --message 提供。",
        },
        "unreadable-message": grounds.UNREADABLE_MESSAGE,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
