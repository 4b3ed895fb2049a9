"""A DKIM signature of the message verifies: it is now what its signer signed.

RFC 6376 §6, RFC 8301, RFC 8463.  A body that no longer matches its hash fails whatever the DNS says; a key that is gone
since is no evidence against anybody.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds

if TYPE_CHECKING:
    from deliverability.protocols.dkim import DkimSignature


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.mail is None:
        return grounds.need("need-message")
    unreadable = grounds.unreadable(evidence)
    if unreadable:
        return unreadable
    from deliverability.protocols.dkim import DkimResult, verify
    from deliverability.protocols.dkim_remarks import remarks
    from deliverability.protocols.mail import parse_mail

    found = verify(evidence.mail.content, evidence.observations, grounds.judged_at(evidence))
    if not found:
        # A draft, and what a mailer keeps, is often older than the signature that the server adds.
        return Ruling(Outcome.INDETERMINATE, Finding.of("unsigned"), "none")
    details = (*remarks(parse_mail(evidence.mail.content), found), *_alignment(evidence, found))
    passed = [signature for signature in found if signature.result is DkimResult.PASS]
    if passed:
        ruling = _passed(next((s for s in passed if not s.unsigned_octets), passed[0]))
    else:
        ruling = _failed(evidence, found)
    return replace(ruling, details=details)


def _alignment(evidence: Evidence, found: "tuple[DkimSignature, ...]") -> Iterator[Finding]:
    """Whether each signature that verifies speaks for the From domain (RFC 9989 §4.4.1)."""
    if evidence.author_domain is None:
        return
    from deliverability.protocols.dkim import DkimResult
    from deliverability.protocols.dmarc import AlignmentState, aligned, discover_policy

    author = evidence.author_domain.value
    for number, signature in enumerate(found, 1):
        if signature.domain is None or signature.result is not DkimResult.PASS:
            continue
        record = discover_policy(author, evidence.observations).record
        strict = record is not None and record.strict_dkim
        state = aligned(signature.domain, author, evidence.observations, strict=strict).state
        if state is not AlignmentState.COULD_NOT_LOOK:
            yield Finding.of(f"signature-{state}", number=number, domain=signature.domain, author=author)


def _passed(signature: "DkimSignature") -> Ruling:
    told = {"domain": signature.domain, "selector": signature.selector}
    if signature.unsigned_octets:
        finding = Finding.of("verified-in-part", **told, octets=signature.unsigned_octets)
        return Ruling(Outcome.PASS, finding, "pass")
    return Ruling(Outcome.PASS, Finding.of("verified", **told), "pass")


def _failed(evidence: Evidence, found: "tuple[DkimSignature, ...]") -> Ruling:
    """The signature that leaves most open decides: one that may have passed accuses nobody."""
    from deliverability.protocols.dkim import Reason

    undecided = next((s for s in found if s.undecided), None)
    if undecided:
        return grounds.undecided(undecided, undecided.result.value)
    chosen = next((s for s in found if s.depends_on_dns), found[0])
    named = {"domain": chosen.domain or "", "selector": chosen.selector or ""}
    if chosen.reason is Reason.EXPIRED and grounds.expired_since(evidence, chosen.expires_at):
        told = {"domain": chosen.domain, "when": chosen.expires_at}
        return Ruling(Outcome.INDETERMINATE, Finding.of("expired-since", **told), chosen.result.value)
    finding = Finding.of(chosen.reason.value, **named, problem=chosen.problem or "")
    if not chosen.depends_on_dns or chosen.key is None:
        return Ruling(Outcome.FAIL, finding, chosen.result.value)
    what = f"{chosen.key.name}: {chosen.reason}"
    return grounds.against(evidence, chosen.key.observed_at, finding, what, chosen.result.value)


CHECK = Check(
    id="dkim-pass",
    subjects=frozenset({Subject.DISPATCH, Subject.MESSAGE}),
    citation="RFC 6376 §6, RFC 8301",
    title={"en": "DKIM: a signature verifies", "zh-Hant-TW": "DKIM：簽章通過驗證"},
    evaluate=_evaluate,
    messages={
        "verified": {
            "en": "The DKIM signature of {domain} (selector {selector}) verifies: the message is what was signed.",
            "zh-Hant-TW": "{domain} 的 DKIM 簽章（選擇器 {selector}）通過驗證：郵件內容與簽署時相同。",
        },
        "verified-in-part": {
            "en": "The DKIM signature of {domain} (selector {selector}) verifies, but leaves the last {octets} octets unsigned (l=).",
            "zh-Hant-TW": "{domain} 的 DKIM 簽章（選擇器 {selector}）通過驗證，但最後 {octets} 個位元組不在簽章範圍內（l=）。",
        },
        "unsigned": {
            "en": "This copy of the message carries no DKIM signature; the server may add one as it leaves. Give the copy that left the server with --message.",
            "zh-Hant-TW": "這份郵件沒有 DKIM 簽章；簽章可能在伺服器寄出時才加上。請以 --message 提供實際寄出的郵件。",
        },
        "need-message": {
            "en": "Without the message itself no signature can be verified. Give it with --message.",
            "zh-Hant-TW": "沒有郵件本身，無法驗證簽章。請以 --message 提供。",
        },
        "body-hash-mismatch": {
            "en": "The body of this message is not the one that {domain} signed.",
            "zh-Hant-TW": "這封郵件的內文與 {domain} 簽署時不同。",
        },
        "signature-mismatch": {
            "en": "The DKIM signature of {domain} (selector {selector}) does not fit the header fields, or the key.",
            "zh-Hant-TW": "{domain} 的 DKIM 簽章（選擇器 {selector}）與郵件標頭或金鑰不符。",
        },
        "malformed-signature": {
            "en": "The DKIM signature cannot be read: {problem}.",
            "zh-Hant-TW": "無法解讀 DKIM 簽章：{problem}。",
        },
        "from-not-signed": {
            "en": "The DKIM signature of {domain} does not cover the From line.",
            "zh-Hant-TW": "{domain} 的 DKIM 簽章沒有涵蓋寄件者（From）標頭。",
        },
        "weak-hash": {
            "en": "The DKIM signature of {domain} uses SHA-1, which receivers no longer accept.",
            "zh-Hant-TW": "{domain} 的 DKIM 簽章使用 SHA-1，收件方已不再接受。",
        },
        "weak-key": {
            "en": "The DKIM key of {domain} (selector {selector}) is shorter than 1024 bits; receivers ignore it.",
            "zh-Hant-TW": "{domain} 的 DKIM 金鑰（選擇器 {selector}）短於 1024 位元，收件方會忽略。",
        },
        "expired": {
            "en": "The DKIM signature of {domain} had expired (x=).",
            "zh-Hant-TW": "{domain} 的 DKIM 簽章已過期（x=）。",
        },
        "expired-since": grounds.EXPIRED_SINCE,
        "signed-in-future": {
            "en": "The DKIM signature of {domain} bears a time after the dispatch (t=).",
            "zh-Hant-TW": "{domain} 的 DKIM 簽章時間晚於寄出時間（t=）。",
        },
        "key-none": {
            "en": "{domain} publishes no DKIM key under the selector {selector}.",
            "zh-Hant-TW": "{domain} 沒有公布選擇器 {selector} 的 DKIM 金鑰。",
        },
        "key-revoked": {
            "en": "{domain} has revoked the DKIM key of the selector {selector}.",
            "zh-Hant-TW": "{domain} 已撤銷選擇器 {selector} 的 DKIM 金鑰。",
        },
        "key-malformed": {
            "en": "The DKIM key of {domain} (selector {selector}) cannot be used: {problem}.",
            "zh-Hant-TW": "{domain} 的 DKIM 金鑰（選擇器 {selector}）無法使用：{problem}。",
        },
        "key-not-usable": {
            "en": "The DKIM key of {domain} (selector {selector}) is not meant for this signature.",
            "zh-Hant-TW": "{domain} 的 DKIM 金鑰（選擇器 {selector}）不適用於這個簽章。",
        },
        "signature": {
            "en": "Signature {number}: {domain}, selector {selector}, {algorithm}: {result} ({reason}).",
            "zh-Hant-TW": "簽章 {number}：{domain}，選擇器 {selector}，{algorithm}：{result}（{reason}）。",
        },
        "signature-unreadable": {
            "en": "Signature {number} cannot be read: {problem}.",
            "zh-Hant-TW": "簽章 {number} 無法解讀：{problem}。",
        },
        "signature-aligned": {
            "en": "Signature {number}: {domain} and the From domain {author} belong together.",
            "zh-Hant-TW": "簽章 {number}：{domain} 與寄件者（From）網域 {author} 屬於同一組織網域。",
        },
        "signature-not-aligned": {
            "en": "Signature {number}: {domain} and the From domain {author} do not belong together, so it does not count for DMARC.",
            "zh-Hant-TW": "簽章 {number}：{domain} 與寄件者（From）網域 {author} 不屬於同一組織網域，因此不計入 DMARC。",
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
        "key-forbids-type": {
            "en": "The key at {name} is not of the kind that {algorithm} needs (k=).",
            "zh-Hant-TW": "{name} 的金鑰種類與 {algorithm} 不符（k=）。",
        },
        "key-forbids-service": {
            "en": "The key at {name} is not meant for mail (s=).",
            "zh-Hant-TW": "{name} 的金鑰並非供郵件使用（s=）。",
        },
        "key-forbids-hash": {
            "en": "The key at {name} does not allow the hash of {algorithm} (h=).",
            "zh-Hant-TW": "{name} 的金鑰不允許 {algorithm} 所用的雜湊（h=）。",
        },
        "key-forbids-identity": {
            "en": "The key at {name} may sign for {domain} alone (t=s), and the signature names {identity}.",
            "zh-Hant-TW": "{name} 的金鑰只能為 {domain} 簽章（t=s），但簽章寫的是 {identity}。",
        },
        "signed-at": {
            "en": "Signature {number} says that it was made at {when} (t=).",
            "zh-Hant-TW": "簽章 {number} 標示簽署於 {when}（t=）。",
        },
        "expires-at": {
            "en": "Signature {number} expires at {when} (x=).",
            "zh-Hant-TW": "簽章 {number} 於 {when} 到期（x=）。",
        },
        "signed-fields": {
            "en": "Signature {number} covers: {fields}.",
            "zh-Hant-TW": "簽章 {number} 涵蓋：{fields}。",
        },
        "identity": {
            "en": "Signature {number} was made for {identity} (i=).",
            "zh-Hant-TW": "簽章 {number} 是為 {identity} 所簽（i=）。",
        },
        "length-tag": {
            "en": "Signature {number} covers the first {length} octets of the body (l=) and leaves {octets} open: text can be appended without breaking it. Leave l= out.",
            "zh-Hant-TW": "簽章 {number} 只涵蓋內文前 {length} 個位元組（l=），其餘 {octets} 個位元組未受保護：附加文字不會使簽章失效。請不要使用 l=。",
        },
        "from-signed-once": {
            "en": "Signature {number} covers From once: a second From could be added unnoticed. Sign it twice (over-sign).",
            "zh-Hant-TW": "簽章 {number} 只涵蓋 From 一次：有人可能再加一個 From 而不被發現。請重複簽署（over-sign）。",
        },
        "from-over-signed": {
            "en": "Signature {number} covers From more often than it stands there: none can be added.",
            "zh-Hant-TW": "簽章 {number} 涵蓋 From 的次數多於實際數量：無法再加入另一個 From。",
        },
        "fields-left-open": {
            "en": "Signature {number} leaves fields open that a reader acts on: {fields}.",
            "zh-Hant-TW": "簽章 {number} 未涵蓋收件者會依據的標頭：{fields}。",
        },
        "unsubscribe-signed": {
            "en": "Signature {number} covers both List-Unsubscribe fields, as one-click unsubscription needs (RFC 8058 §4).{fields}",
            "zh-Hant-TW": "簽章 {number} 涵蓋兩個 List-Unsubscribe 標頭，符合一鍵取消訂閱的要求（RFC 8058 §4）。{fields}",
        },
        "unsubscribe-not-signed": {
            "en": "One-click unsubscription needs both List-Unsubscribe fields present and signed (RFC 8058 §4); signature {number} lacks: {fields}.",
            "zh-Hant-TW": "一鍵取消訂閱要求兩個 List-Unsubscribe 標頭都存在並受簽章涵蓋（RFC 8058 §4）；簽章 {number} 缺少：{fields}。",
        },
        "ed25519-alone": {
            "en": "Only an Ed25519 signature verifies; receivers that do not know it see no signature. Add an RSA signature beside it (RFC 8463 §6).",
            "zh-Hant-TW": "只有 Ed25519 簽章通過驗證；不支援的收件方會視為沒有簽章。請另加一個 RSA 簽章（RFC 8463 §6）。",
        },
        "unreadable-message": grounds.UNREADABLE_MESSAGE,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
        "several-keys": grounds.SEVERAL_KEYS,
    },
)
