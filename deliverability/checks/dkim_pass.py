"""A DKIM signature of the message verifies: it is now what its signer signed.

RFC 6376 §6, RFC 8301, RFC 8463.  A body that no longer matches its hash fails whatever the DNS says; a key that is gone
since is no evidence against anybody.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.dkim import DkimResult, DkimSignature, Reason, verify


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.mail is None:
        return grounds.need("need-message")
    found = verify(evidence.mail.content, evidence.observations, grounds.judged_at(evidence))
    if not found:
        # What a mailer keeps may be older than the signature that its server adds.
        unsigned = Outcome.FAIL if evidence.subject is Subject.MESSAGE else Outcome.INDETERMINATE
        return Ruling(unsigned, Finding.of("unsigned"), "none")
    passed = [signature for signature in found if signature.result is DkimResult.PASS]
    if passed:
        return _passed(next((s for s in passed if not s.unsigned_octets), passed[0]))
    return _failed(evidence, found)


def _passed(signature: DkimSignature) -> Ruling:
    told = {"domain": signature.domain, "selector": signature.selector}
    if signature.unsigned_octets:
        finding = Finding.of("verified-in-part", **told, octets=signature.unsigned_octets)
        return Ruling(Outcome.PASS, finding, "pass")
    return Ruling(Outcome.PASS, Finding.of("verified", **told), "pass")


def _failed(evidence: Evidence, found: tuple[DkimSignature, ...]) -> Ruling:
    """The signature that leaves most open decides: one that may have passed accuses nobody."""
    unanswered = next((s for s in found if s.reason is Reason.COULD_NOT_LOOK), None)
    if unanswered:
        return grounds.open_question(unanswered.problem, "temperror")
    chosen = next((s for s in found if s.depends_on_dns), found[0])
    named = {"domain": chosen.domain or "", "selector": chosen.selector or ""}
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
            "en": "This copy of the message carries no DKIM signature. Give the copy that left the server with --message.",
            "zh-Hant-TW": "這份郵件沒有 DKIM 簽章。請以 --message 提供實際寄出的郵件。",
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
            "zh-Hant-TW": "{domain} 的 DKIM 簽章沒有涵蓋寄件人（From）標頭。",
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
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
