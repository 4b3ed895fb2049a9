"""Subscribed mail offers one-click unsubscription, and a signature covers the offer.

RFC 8058 §3.1 (both fields, an https URI, the one value, in either case: §5 and RFC 5234 §2.3), §4 (a valid DKIM signature names both in ``h=``).  A notice about
the customer's own account is no subscribed mail, and nobody but its sender knows which it is.
"""

from typing import TYPE_CHECKING

from deliverability.errors import printable
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds, structure

if TYPE_CHECKING:
    from deliverability.protocols.dkim import DkimSignature


def _applies(evidence: Evidence) -> Finding | None:
    return Finding.of("transactional") if evidence.bulk is False else None


def _evaluate(evidence: Evidence) -> Ruling:
    mail = structure.message_of(evidence)
    if isinstance(mail, Ruling):
        return mail
    if evidence.bulk is None:
        return grounds.need("need-kind")
    from deliverability.protocols import unsubscribe
    from deliverability.protocols.dkim import verify
    from deliverability.protocols.unsubscribe import Coverage, Offer

    found = unsubscribe.read(mail)
    if found.offer is not Offer.COMPLETE:
        return Ruling(Outcome.FAIL, Finding.of(found.offer.value, field=found.repeated))
    content = evidence.mail.content if evidence.mail else b""
    signatures = verify(content, evidence.observations, grounds.judged_at(evidence))
    covered, signature = unsubscribe.coverage(signatures)
    domain = signature.domain.name if signature and signature.domain else "-"
    if covered is Coverage.COVERED:
        return Ruling(Outcome.PASS, Finding.of("covered", domain=domain, uri=printable(found.https, 200)))
    if covered is Coverage.UNVERIFIED and signature:
        return _unverified(evidence, signature, domain)
    # A draft, and what a mailer keeps, is often older than the signature that the server adds.
    outcome = Outcome.INDETERMINATE if covered is Coverage.UNSIGNED else Outcome.FAIL
    return Ruling(outcome, Finding.of(covered.value, domain=domain))


def _unverified(evidence: Evidence, signature: "DkimSignature", domain: str) -> Ruling:
    from deliverability.protocols.dkim import Reason

    if signature.undecided:
        return grounds.undecided(signature)
    if signature.reason is Reason.EXPIRED and grounds.expired_since(evidence, signature.expires_at):
        return Ruling(Outcome.INDETERMINATE, Finding.of("expired-since", domain=domain, when=signature.expires_at))
    finding = Finding.of("unverified", domain=domain)
    if not signature.depends_on_dns or signature.key is None:
        return Ruling(Outcome.FAIL, finding)
    return grounds.against(
        evidence, signature.key.observed_at, finding, f"{signature.key.name}: {signature.reason}", None
    )


CHECK = Check(
    id="one-click-unsubscribe",
    subjects=frozenset({Subject.MESSAGE}),
    citation="RFC 8058 §3.1, §4",
    title={"en": "One-click unsubscription, signed", "zh-Hant-TW": "一鍵取消訂閱，且受簽章保護"},
    applies=_applies,
    evaluate=_evaluate,
    messages={
        "covered": {
            "en": "The message offers one-click unsubscription ({uri}), and the signature of {domain} covers it.",
            "zh-Hant-TW": "郵件提供一鍵取消訂閱（{uri}），且受 {domain} 的簽章保護。",
        },
        "transactional": {
            "en": "It is no subscribed or marketing mail, which alone needs this.",
            "zh-Hant-TW": "這不是訂閱或行銷郵件，不需要一鍵取消訂閱。",
        },
        "need-kind": {
            "en": "Whether this is subscribed or marketing mail cannot be seen in it. Say --bulk or --transactional.",
            "zh-Hant-TW": "從郵件看不出是否為訂閱或行銷郵件。請以 --bulk 或 --transactional 說明。",
        },
        "no-field": {
            "en": "The message has no List-Unsubscribe field.",
            "zh-Hant-TW": "郵件沒有 List-Unsubscribe 標頭。",
        },
        "repeated": {
            "en": "The field {field} stands more than once.",
            "zh-Hant-TW": "{field} 標頭出現不只一次。",
        },
        "no-https": {
            "en": "List-Unsubscribe names no https address, to which alone one click may go.",
            "zh-Hant-TW": "List-Unsubscribe 沒有 https 網址；一鍵取消訂閱只能使用 https。",
        },
        "no-post": {
            "en": "The field List-Unsubscribe-Post is missing, so mailbox providers offer no one-click button.",
            "zh-Hant-TW": "缺少 List-Unsubscribe-Post 標頭，信箱業者不會顯示一鍵取消訂閱。",
        },
        "other-post": {
            "en": "List-Unsubscribe-Post has to read List-Unsubscribe=One-Click, and nothing besides.",
            "zh-Hant-TW": "List-Unsubscribe-Post 的內容必須是 List-Unsubscribe=One-Click，不能有其他文字。",
        },
        "encoded": {
            "en": "List-Unsubscribe is written as an encoded word (RFC 2047), which receivers do not decode where an address stands: write it plainly, and fold it instead.",
            "zh-Hant-TW": "List-Unsubscribe 寫成了 RFC 2047 編碼文字；位址不得編碼，收件方不會解碼。請直接寫出，過長時改用折行。",
        },
        "unsigned": {
            "en": "This copy of the message carries no DKIM signature, and the offer counts only if one covers it; the server may add one as it leaves. Give the copy that left the server with --message.",
            "zh-Hant-TW": "這份郵件沒有 DKIM 簽章；一鍵取消訂閱必須受簽章保護才算數。簽章可能在伺服器寄出時才加上，請以 --message 提供實際寄出的郵件。",
        },
        "not-covered": {
            "en": "The signature of {domain} does not cover both List-Unsubscribe fields: add them to h= when signing.",
            "zh-Hant-TW": "{domain} 的簽章沒有同時涵蓋兩個 List-Unsubscribe 標頭，請在簽署時加入 h=。",
        },
        "unverified": {
            "en": "The signature of {domain} names both List-Unsubscribe fields, but does not verify.",
            "zh-Hant-TW": "{domain} 的簽章涵蓋兩個 List-Unsubscribe 標頭，但沒有通過驗證。",
        },
        "expired-since": grounds.EXPIRED_SINCE,
        "need-message": structure.NEED_MESSAGE,
        **structure.NOT_READ,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
        "several-keys": grounds.SEVERAL_KEYS,
    },
)
