"""The certificates of the domain's mail servers hold for their names, by roots that the public trusts.

RFC 8461 §4.2 (what MTA-STS demands of an MX), RFC 9525 §6 (names), RFC 5280 §4.1.2.5 (validity).  Ordinary mail does
not demand it: senders that encrypt opportunistically accept any certificate.  Asked for by ``smtp``.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from deliverability.errors import ParseError
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.observation import CouldNotLook, SmtpAnswer
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols.inbound import (
    MAX_PROBED,
    PROBED,
    listed,
    not_all,
    not_asked,
    not_reached,
    probed,
    taking_mail,
)

if TYPE_CHECKING:
    from deliverability.protocols.certificate import Certificate

_SOON = timedelta(days=14)


def _evaluate(evidence: Evidence) -> Ruling:
    found = taking_mail(evidence)
    if isinstance(found, Ruling):
        return found
    answers = probed(found.hosts[:MAX_PROBED], evidence.observations)
    seen = [one for one in answers if isinstance(one, SmtpAnswer)]
    details = (*(remark for one in seen for remark in _remarks(one)), *not_all(found))
    without = [one.question.host for one in seen if not one.certificate]
    if without:
        return Ruling(Outcome.FAIL, Finding.of("no-certificate", hosts=listed(without)), details=details)
    bad = next((one for one in seen if one.certificate_error), None)
    if bad:
        finding = Finding.of("invalid", host=bad.question.host, why=bad.certificate_error)
        return Ruling(Outcome.FAIL, finding, details=details)
    failures = [one for one in answers if isinstance(one, CouldNotLook)]
    if failures:
        return not_reached(failures, details)
    finding = Finding.of("valid", domain=found.domain, hosts=listed(one.question.host for one in seen))
    return Ruling(Outcome.PASS, finding, details=details)


def _remarks(answer: SmtpAnswer) -> tuple[Finding, ...]:
    """What the certificate says of itself; nothing where there is none, or none that can be read."""
    from deliverability.protocols.certificate import read_certificate

    try:
        shown = read_certificate(answer.certificate)
    except ParseError:
        return ()
    host = answer.question.host
    remarks = [_facts(host, shown)]
    if shown.left_at(answer.observed_at) < _SOON:
        remarks.append(Finding.of("expires", host=host, day=shown.not_after.date()))
    if shown.weak:
        remarks.append(Finding.of("weak-key", host=host, bits=shown.bits))
    return tuple(remarks)


def _facts(host: str, shown: "Certificate") -> Finding:
    return Finding.of(
        "certificate",
        host=host,
        names=listed(shown.names),
        issuer=shown.issuer,
        first=shown.not_before.date(),
        last=shown.not_after.date(),
        key=f"{shown.key} {shown.bits}" if shown.bits else shown.key,
    )


CHECK = Check(
    id="mx-certificate-valid",
    subjects=frozenset({Subject.DOMAIN}),
    citation="RFC 8461 §4.2, RFC 9525 §6",
    title={"en": "TLS: the mail servers' certificates", "zh-Hant-TW": "TLS：郵件伺服器的憑證"},
    applies=lambda evidence: not_asked(evidence, "smtp"),
    evaluate=_evaluate,
    opt_in="smtp",
    advisory=True,
    messages={
        "valid": {
            "en": "The certificate of every mail server of {domain} that was asked holds for its name: {hosts}.",
            "zh-Hant-TW": "查問到的 {domain} 郵件伺服器，其憑證都與名稱相符且有效：{hosts}。",
        },
        "invalid": {
            "en": "The certificate of {host} does not hold: {why}.",
            "zh-Hant-TW": "{host} 的憑證無效：{why}。",
        },
        "no-certificate": {
            "en": "These mail servers showed no certificate, because TLS was not set up: {hosts}.",
            "zh-Hant-TW": "這些郵件伺服器沒有建立 TLS，因此沒有出示憑證：{hosts}。",
        },
        "certificate": {
            "en": "{host}: issued by {issuer} for {names}; valid {first} to {last}; key {key}.",
            "zh-Hant-TW": "{host}：由 {issuer} 簽發給 {names}；有效期間 {first} 至 {last}；金鑰 {key}。",
        },
        "expires": {
            "en": "The certificate of {host} is valid until {day} only.",
            "zh-Hant-TW": "{host} 的憑證只到 {day} 有效。",
        },
        "weak-key": {
            "en": "The key of {host} has {bits} bits; 2048 are the least that authorities certify.",
            "zh-Hant-TW": "{host} 的金鑰只有 {bits} 位元；憑證機構至少要求 2048 位元。",
        },
        **PROBED,
    },
)
