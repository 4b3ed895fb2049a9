"""The certificates of the domain's mail servers are those that its signed DNS names.

RFC 7672 §2.2 and §3.1 (DANE for SMTP).  A mismatch stops mail to the domain, bounces and replies included, from every
sender that honours DANE.  It binds only where DNSSEC protects MX, addresses and TLSA records, which is validated here from
the root's keys (RFC 4035 §5); a resolver's word that it did so (AD) makes no pass.  Asked for by ``smtp``: it connects to
port 25 and leaves before any mail.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.observation import CouldNotLook
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols.inbound import (
    MAX_HOSTS,
    MAX_PROBED,
    PROBED,
    MailHosts,
    each,
    listed,
    not_all,
    not_asked,
    not_reached,
    probed,
    taking_mail,
)

if TYPE_CHECKING:
    from deliverability.protocols.dane import HostRecords
    from deliverability.protocols.dnssec import Validation, Validator


def _evaluate(evidence: Evidence) -> Ruling:
    found = taking_mail(evidence)
    if isinstance(found, Ruling):
        return found
    from deliverability.protocols.dnssec import Status, Validator, anchors_of, signed

    # Signatures must hold when they were seen: not when a plain answer was, which may be on record for longer.
    seen = evidence.observations.ask_all(signed(found.domain.name, "MX"), signed("", "DNSKEY"))
    at = max(int(one.observed_at.timestamp()) for one in seen)
    anchors = anchors_of(evidence.trust_anchors)
    validator = Validator(evidence.observations, at, anchors)
    mx = validator.validate(found.domain.name, "MX")
    if mx.status is Status.INSECURE:
        return Ruling(Outcome.NOT_APPLICABLE, Finding.of("insecure", domain=found.domain, why=mx.told))
    if _is_open(mx):
        return _not_shown(evidence, found, mx)
    hosts = _by_signed(found, mx)
    if not hosts.hosts:
        return Ruling(Outcome.NOT_APPLICABLE, Finding.of("no-inbound", domain=found.domain))
    return _by_hosts(evidence, hosts, validator, listed(str(anchor.key_tag) for anchor in anchors))


def _by_hosts(evidence: Evidence, found: MailHosts, validator: "Validator", anchors: str) -> Ruling:
    """The hosts are known for sure: what of their records, and of what they showed."""
    from deliverability.protocols.dane import host_records

    every = each(found.hosts[:MAX_PROBED], lambda host: host_records(host, validator))
    broken = next((one.shown for one in every if _wrong(one.shown)), None)
    if broken:
        return _not_shown(evidence, found, broken)
    unknown = next((one.shown for one in every if _is_open(one.shown)), None)
    with_records = [one for one in every if one.published]
    none = Ruling(Outcome.NOT_APPLICABLE, Finding.of("no-tlsa", domain=found.domain))
    held = _held(evidence, found, with_records, anchors) if with_records else none
    if unknown and held.outcome in (Outcome.PASS, Outcome.NOT_APPLICABLE):
        return _not_shown(evidence, found, unknown)
    rest = [one.host for one in every if not one.published and not _is_open(one.shown)]
    remarks = (Finding.of("without-tlsa", hosts=listed(rest)),) if rest and with_records else ()
    return Ruling(held.outcome, held.finding, details=(*remarks, *not_all(found)))


def _by_signed(found: MailHosts, mx: "Validation") -> MailHosts:
    """The hosts that the signed MX records name; without any the domain itself (RFC 5321 §5.1)."""
    ordered = sorted(mx.records, key=lambda record: (record.preference or 0, record.value))
    names = tuple(dict.fromkeys(record.value for record in ordered if record.value))
    names = names if ordered else (found.domain.name,)
    return replace(found, hosts=names[:MAX_HOSTS], count=len(names))


def _is_open(shown: "Validation") -> bool:
    """Whether DNSSEC does not say what is there."""
    from deliverability.protocols.dnssec import Status

    return shown.status in (Status.BOGUS, Status.INDETERMINATE)


def _wrong(shown: "Validation") -> bool:
    """Whether signatures are there and do not hold; those that are absent may have been lost on the way."""
    from deliverability.protocols.dnssec import Reason, Status

    return shown.status is Status.BOGUS and shown.reason is not Reason.UNSIGNED


def _not_shown(evidence: Evidence, found: MailHosts, shown: "Validation") -> Ruling:
    """DNSSEC is broken, or could not be looked at."""
    if _wrong(shown):
        return Ruling(Outcome.FAIL, Finding.of("bogus", question=shown.question, why=shown.told))
    resolver = evidence.observations.ask(found.domain.name, "MX").resolver
    code = "resolver-says" if found.authenticated else "dnssec-not-shown"
    return Ruling(Outcome.INDETERMINATE, Finding.of(code, domain=found.domain, why=shown.told, resolver=resolver))


def _held(evidence: Evidence, found: MailHosts, hosts: "list[HostRecords]", anchors: str) -> Ruling:
    """What the servers showed, held against their records."""
    from deliverability.protocols.dane import Match, match, reference_names

    answers = probed((host.host for host in hosts), evidence.observations)
    failures, unseen = [], []
    for host, shown in zip(hosts, answers, strict=True):
        if isinstance(shown, CouldNotLook):
            failures.append(shown)
            continue
        if not shown.certificate:
            return Ruling(Outcome.FAIL, Finding.of("no-tls", host=host.host))
        result = match(host.records, shown, reference_names(host, found.domain))
        if result is Match.CHAIN_NOT_SEEN:
            unseen.append(host.host)
        elif result is not Match.MATCHES:
            records = listed(str(record) for record in host.records) or "-"
            return Ruling(Outcome.FAIL, Finding.of(result.value, host=host.host, records=records))
    if failures:
        return not_reached(failures)
    if unseen:
        return Ruling(Outcome.INDETERMINATE, Finding.of("chain-not-seen", hosts=listed(unseen)))
    named = listed(host.host for host in hosts)
    return Ruling(Outcome.PASS, Finding.of("matches", hosts=named, anchors=anchors))


CHECK = Check(
    id="dane-tlsa-matches",
    subjects=frozenset({Subject.DOMAIN}),
    citation="RFC 7672 §2.2, §3.1",
    title={"en": "DANE: the certificates are those in the DNS", "zh-Hant-TW": "DANE：憑證與 DNS 所載相符"},
    applies=lambda evidence: not_asked(evidence, "smtp"),
    evaluate=_evaluate,
    opt_in="smtp",
    advisory=True,
    messages={
        "matches": {
            "en": "The certificates of {hosts} match their TLSA records. DNSSEC was validated here, from the root's keys ({anchors}) down.",
            "zh-Hant-TW": "{hosts} 的憑證與其 TLSA 紀錄相符。DNSSEC 由本程式自根區金鑰（{anchors}）起逐層驗證。",
        },
        "mismatch": {
            "en": "The certificate of {host} matches none of its TLSA records ({records}): senders that honour DANE deliver nothing to it. Publish a record for the certificate in use.",
            "zh-Hant-TW": "{host} 的憑證與任何一筆 TLSA 紀錄（{records}）都不符：遵守 DANE 的寄件方不會投遞給它。請為使用中的憑證公布紀錄。",
        },
        "unusable": {
            "en": "No TLSA record of {host} is of a kind that mail servers act on ({records}); usages 2 and 3 are.",
            "zh-Hant-TW": "{host} 的 TLSA 紀錄（{records}）都不是郵件伺服器會採用的類型；可用的是用途 2 與 3。",
        },
        "no-tls": {
            "en": "{host} has TLSA records, but set up no TLS: senders that honour DANE deliver nothing to it.",
            "zh-Hant-TW": "{host} 有 TLSA 紀錄，卻沒有建立 TLS：遵守 DANE 的寄件方不會投遞給它。",
        },
        "no-tlsa": {
            "en": "No mail server of {domain} that was looked at has TLSA records: DANE is not used.",
            "zh-Hant-TW": "查詢到的 {domain} 郵件伺服器都沒有 TLSA 紀錄：未使用 DANE。",
        },
        "without-tlsa": {
            "en": "These mail servers have no TLSA records, so mail may be led to them unprotected: {hosts}.",
            "zh-Hant-TW": "這些郵件伺服器沒有 TLSA 紀錄，郵件可能在未受保護的情況下送往它們：{hosts}。",
        },
        "insecure": {
            "en": "The MX records of {domain} are not protected by DNSSEC ({why}), so DANE does not apply to it.",
            "zh-Hant-TW": "{domain} 的 MX 紀錄未受 DNSSEC 保護（{why}），因此不適用 DANE。",
        },
        "bogus": {
            "en": "DNSSEC does not hold for {question} ({why}): senders whose resolvers validate cannot look it up, and deliver nothing. Have the zone's signatures, keys and DS records looked at.",
            "zh-Hant-TW": "{question} 的 DNSSEC 驗證不成立（{why}）：使用驗證型 DNS 伺服器的寄件方查不到這項資料，也就不會投遞。請檢查該網域的簽章、金鑰與 DS 紀錄。",
        },
        "resolver-says": {
            "en": "DNSSEC of {domain} could not be validated here ({why}). The resolver {resolver} says that it validated the MX records (AD), which is its word alone. Ask a resolver that passes signatures on, with --nameserver.",
            "zh-Hant-TW": "無法在此驗證 {domain} 的 DNSSEC（{why}）。DNS 伺服器 {resolver} 表示已驗證 MX 紀錄（AD），但這只是它的說法。請以 --nameserver 指定會傳回簽章的 DNS 伺服器。",
        },
        "dnssec-not-shown": {
            "en": "DNSSEC of {domain} could not be validated here ({why}). Ask a resolver that passes signatures on, with --nameserver; it was {resolver}.",
            "zh-Hant-TW": "無法在此驗證 {domain} 的 DNSSEC（{why}）。請以 --nameserver 指定會傳回簽章的 DNS 伺服器；這次查詢的是 {resolver}。",
        },
        "chain-not-seen": {
            "en": "The TLSA records of {hosts} name an authority, and the certificates above the server's own are not on record: before Python 3.13 they cannot be seen.",
            "zh-Hant-TW": "{hosts} 的 TLSA 紀錄指定憑證機構，但未取得伺服器憑證以上的憑證鏈：Python 3.13 之前的版本看不到。",
        },
        **PROBED,
    },
)
