"""A usable DKIM key is published under the selector.

RFC 6376 §3.6.1 and §3.6.2, RFC 8301 §3.2 (1024 bits and more), RFC 8463.  Which selectors a domain uses cannot be known
from outside: they come from the message, or from whoever asks.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from deliverability.errors import ParseError
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import Unobserved
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds

if TYPE_CHECKING:
    from deliverability.protocols.dkim_key import DkimKey


def _evaluate(evidence: Evidence) -> Ruling:
    unreadable = grounds.unreadable(evidence)
    if unreadable:
        return unreadable
    wanted = _wanted(evidence)
    if not wanted:
        return replace(grounds.need("selector-unknown"), details=tuple(_suggestions(evidence)))
    from deliverability.protocols.dkim_key import published_key
    from deliverability.protocols.dkim_remarks import key_remarks

    keys: list[DkimKey] = []
    missing: list[Unobserved] = []
    for domain, selector in wanted:
        try:
            keys.append(published_key(evidence.observations, domain, selector))
        except Unobserved as unobserved:
            missing.append(unobserved)
        except ParseError:
            return Ruling(Outcome.INDETERMINATE, Finding.of("bad-selector", selector=selector))
    if missing:
        raise Unobserved(*dict.fromkeys(question for one in missing for question in one.questions))
    # Of a domain every selector that was named has to hold; of a message one signature is enough.
    decides = min(keys, key=_rank) if evidence.subject is Subject.DOMAIN else max(keys, key=_rank)
    details = tuple(remark for key in keys for remark in key_remarks(key))
    return replace(_ruling(evidence, decides), details=details)


def _suggestions(evidence: Evidence) -> Iterator[Finding]:
    """Selectors worth trying, from what the domain's own DNS names; none of them is looked up."""
    domain = evidence.signing_domain or evidence.author_domain
    if evidence.subject is not Subject.DOMAIN or domain is None:
        return
    from deliverability.protocols.selectors import suggested
    from deliverability.protocols.spf_lint import survey

    surveyed = survey(domain.value, evidence.observations)
    for one in suggested(domain.value, surveyed, evidence.observations):
        yield Finding.of(
            "suggestion",
            service=one.habit.service,
            seen=one.seen,
            selectors=", ".join(one.habit.selectors),
            source=one.habit.source,
        )


def _wanted(evidence: Evidence) -> tuple[tuple[Domain, str], ...]:
    """Domains and selectors: those of the message's own signatures, else those that were named."""
    if evidence.mail:
        from deliverability.protocols.dkim import signers

        found = signers(evidence.mail.content)
        if found:
            return found
    domain = evidence.signing_domain or evidence.author_domain
    return tuple((domain.value, selector.value) for selector in evidence.selectors) if domain else ()


def _rank(key: "DkimKey") -> int:
    from deliverability.protocols.dkim_key import KeyState

    if key.state is KeyState.FOUND:
        return 4 if _usable(key) else 2
    return 3 if key.state is KeyState.COULD_NOT_LOOK else 1


def _usable(key: "DkimKey") -> bool:
    from deliverability.protocols.dkim_key import KeyState

    return key.state is KeyState.FOUND and not key.weak and key.for_mail and key.hash_allowed


def _ruling(evidence: Evidence, key: "DkimKey") -> Ruling:
    from deliverability.protocols.dkim_key import KeyState

    told = {"name": key.name, "type": key.type or "", "bits": key.bits or ""}
    if key.state is KeyState.COULD_NOT_LOOK:
        return grounds.open_question(key.problem, "temperror")
    if _usable(key):
        return Ruling(Outcome.PASS, Finding.of("found-testing" if key.testing else "found", **told))
    code = key.state.value
    if key.state is KeyState.FOUND:
        code = "weak-key" if key.weak else "not-for-mail" if not key.for_mail else "hash-not-allowed"
    finding = Finding.of(code, **told, problem=key.problem or "")
    return grounds.against(evidence, key.observed_at, finding, f"{key.name}: {code}", None)


CHECK = Check(
    id="dkim-key-published",
    subjects=frozenset({Subject.DISPATCH, Subject.MESSAGE, Subject.DOMAIN}),
    citation="RFC 6376 §3.6, RFC 8301 §3.2",
    title={"en": "DKIM: the key is published", "zh-Hant-TW": "DKIM：已公布金鑰"},
    evaluate=_evaluate,
    messages={
        "found": {
            "en": "A DKIM key is published at {name} ({type}, {bits} bits).",
            "zh-Hant-TW": "{name} 公布了 DKIM 金鑰（{type}，{bits} 位元）。",
        },
        "found-testing": {
            "en": "A DKIM key is published at {name} ({type}, {bits} bits); it is marked as a test (t=y).",
            "zh-Hant-TW": "{name} 公布了 DKIM 金鑰（{type}，{bits} 位元），並標記為測試（t=y）。",
        },
        "weak-key": {
            "en": "The DKIM key at {name} has only {bits} bits; receivers ignore keys below 1024.",
            "zh-Hant-TW": "{name} 的 DKIM 金鑰只有 {bits} 位元；收件方會忽略低於 1024 位元的金鑰。",
        },
        "not-for-mail": {
            "en": "The key at {name} is not meant for mail (s=).",
            "zh-Hant-TW": "{name} 的金鑰並非供郵件使用（s=）。",
        },
        "hash-not-allowed": {
            "en": "The key at {name} does not allow SHA-256 (h=), and receivers accept no other hash.",
            "zh-Hant-TW": "{name} 的金鑰不允許 SHA-256（h=），而收件方不接受其他雜湊演算法。",
        },
        "revoked": {
            "en": "The DKIM key at {name} has been revoked (empty p=).",
            "zh-Hant-TW": "{name} 的 DKIM 金鑰已撤銷（p= 為空）。",
        },
        "none": {
            "en": "No DKIM key is published at {name}.",
            "zh-Hant-TW": "{name} 沒有公布 DKIM 金鑰。",
        },
        "malformed": {
            "en": "The DKIM record at {name} cannot be used: {problem}.",
            "zh-Hant-TW": "{name} 的 DKIM 紀錄無法使用：{problem}。",
        },
        "several-keys": {
            "en": "Several DKIM key records stand at {name}, where only one may: which of them a receiver takes is not defined (RFC 6376 §3.6.2.2). Keep one.",
            "zh-Hant-TW": "{name} 有多筆 DKIM 金鑰紀錄，而依規定只能有一筆：收件方採用哪一筆並無定論（RFC 6376 §3.6.2.2）。請只保留一筆。",
        },
        "selector-unknown": {
            "en": "Which DKIM selector is used cannot be known from outside. Give --selector, or the message with --message.",
            "zh-Hant-TW": "從外部無法得知使用哪個 DKIM 選擇器（selector）。請以 --selector 提供，或以 --message 提供郵件。",
        },
        "suggestion": {
            "en": "Worth trying with --selector: {selectors}. {seen} points to {service}, which usually names them so ({source}); that says nothing about what is published.",
            "zh-Hant-TW": "可用 --selector 試試：{selectors}。{seen} 顯示使用 {service}，該服務通常如此命名（{source}）；這不代表實際公布的內容。",
        },
        "key": {
            "en": "The key at {name}: {type}, {bits} bits.",
            "zh-Hant-TW": "{name} 的金鑰：{type}，{bits} 位元。",
        },
        "key-below-advice": {
            "en": "The key at {name} has {bits} bits; {advised} are advised (RFC 8301 §3.2).",
            "zh-Hant-TW": "{name} 的金鑰是 {bits} 位元；建議使用 {advised} 位元（RFC 8301 §3.2）。",
        },
        "key-testing": {
            "en": "The key at {name} is marked as a test (t=y): receivers may treat the message as if it were not signed.",
            "zh-Hant-TW": "{name} 的金鑰標記為測試（t=y）：收件方可能把郵件當作沒有簽章。",
        },
        "key-strict": {
            "en": "The key at {name} may sign for exactly its own domain (t=s), not for names below it.",
            "zh-Hant-TW": "{name} 的金鑰只能為網域本身簽章（t=s），不能用於子網域。",
        },
        "alias-without-key": {
            "en": "{name} is an alias of {target}, where no key stands: either it is to be published there, or the alias is wrong.",
            "zh-Hant-TW": "{name} 是 {target} 的別名，但那裡沒有金鑰：應在該處公布金鑰，或更正別名。",
        },
        "several-records": {
            "en": "{count} TXT records stand at {name}; which one a receiver takes is left to it. Keep one.",
            "zh-Hant-TW": "{name} 有 {count} 筆 TXT 紀錄；收件方採用哪一筆並不一定。請只保留一筆。",
        },
        "bad-selector": {
            "en": "{selector} is no DKIM selector. Give another with --selector.",
            "zh-Hant-TW": "{selector} 不是有效的 DKIM 選擇器（selector）。請以 --selector 重新提供。",
        },
        "unreadable-message": grounds.UNREADABLE_MESSAGE,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
