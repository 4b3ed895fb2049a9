"""The domain's mail servers offer STARTTLS and set up TLS, so that bounces and replies travel encrypted.

RFC 3207 §4 (STARTTLS), RFC 8996 (no TLS before 1.2).  Asked for by ``smtp``: it connects to port 25 of each server and
leaves before any mail.
"""

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


def _evaluate(evidence: Evidence) -> Ruling:
    found = taking_mail(evidence)
    if isinstance(found, Ruling):
        return found
    answers = probed(found.hosts[:MAX_PROBED], evidence.observations)
    seen = [one for one in answers if isinstance(one, SmtpAnswer)]
    details = (*(_told(one) for one in seen), *not_all(found))
    without = [one.question.host for one in seen if not one.starttls]
    if without:
        return Ruling(Outcome.FAIL, Finding.of("not-offered", hosts=listed(without)), details=details)
    broken = next((one for one in seen if one.tls_version is None), None)
    if broken:
        finding = Finding.of("not-established", host=broken.question.host, why=broken.certificate_error or "-")
        return Ruling(Outcome.FAIL, finding, details=details)
    failures = [one for one in answers if isinstance(one, CouldNotLook)]
    if failures:
        return not_reached(failures, details)
    finding = Finding.of("offered", domain=found.domain, hosts=listed(one.question.host for one in seen))
    return Ruling(Outcome.PASS, finding, details=details)


def _told(answer: SmtpAnswer) -> Finding:
    return Finding.of("server", host=answer.question.host, ip=answer.ip, tls=answer.tls_version or "-")


CHECK = Check(
    id="starttls-offered",
    subjects=frozenset({Subject.DOMAIN}),
    citation="RFC 3207 §4",
    title={"en": "STARTTLS: the mail servers encrypt", "zh-Hant-TW": "STARTTLS：郵件伺服器支援加密"},
    applies=lambda evidence: not_asked(evidence, "smtp"),
    evaluate=_evaluate,
    opt_in="smtp",
    advisory=True,
    messages={
        "offered": {
            "en": "Every mail server of {domain} that was asked offers STARTTLS and set up TLS: {hosts}.",
            "zh-Hant-TW": "查問到的 {domain} 郵件伺服器都提供 STARTTLS，並成功建立 TLS：{hosts}。",
        },
        "not-offered": {
            "en": "These mail servers offer no STARTTLS, so mail to them travels in the clear: {hosts}.",
            "zh-Hant-TW": "這些郵件伺服器沒有提供 STARTTLS，寄給它們的郵件不會加密：{hosts}。",
        },
        "not-established": {
            "en": "{host} offers STARTTLS, but TLS 1.2 or later could not be set up with it ({why}).",
            "zh-Hant-TW": "{host} 提供 STARTTLS，但無法與它建立 TLS 1.2 以上的連線（{why}）。",
        },
        "server": {
            "en": "{host} [{ip}]: TLS version {tls}.",
            "zh-Hant-TW": "{host} [{ip}]：TLS 版本 {tls}。",
        },
        **PROBED,
    },
)
