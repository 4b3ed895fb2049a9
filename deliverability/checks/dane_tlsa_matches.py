"""The certificates of the domain's mail servers are those that its signed DNS names.

RFC 7672 §2.2 and §3.1 (DANE for SMTP).  A mismatch stops mail to the domain, bounces and replies included, from every
sender that honours DANE.  It binds only where DNSSEC protects MX, addresses and TLSA records; that they are protected is
the resolver's word (AD), not ours.  Asked for by ``smtp``: it connects to port 25 and leaves before any mail.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.observation import CouldNotLook
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.dane import HostRecords, Match, host_records, match, reference_names
from deliverability.protocols.inbound import (
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


def _evaluate(evidence: Evidence) -> Ruling:
    found = taking_mail(evidence)
    if isinstance(found, Ruling):
        return found
    every = each(found.hosts[:MAX_PROBED], lambda host: host_records(host, evidence.observations))
    unknown = next((one.obstacle for one in every if one.obstacle), None)
    with_records = [one for one in every if one.published]
    if not with_records:
        if unknown:
            return grounds.open_question(unknown)
        return Ruling(Outcome.NOT_APPLICABLE, Finding.of("no-tlsa", domain=found.domain))
    unshown = [one.host for one in with_records if not (found.authenticated and one.authenticated)]
    if unshown:
        return Ruling(Outcome.INDETERMINATE, Finding.of("dnssec-not-shown", hosts=listed(unshown)))
    held = _held(evidence, found, with_records)
    if held.outcome is Outcome.PASS and unknown:
        return grounds.open_question(unknown)
    rest = [one.host for one in every if not one.published and not one.obstacle]
    remarks = (Finding.of("without-tlsa", hosts=listed(rest)),) if rest else ()
    return Ruling(held.outcome, held.finding, details=(*remarks, *not_all(found)))


def _held(evidence: Evidence, found: MailHosts, hosts: list[HostRecords]) -> Ruling:
    """What the servers showed, held against their records."""
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
    resolver = evidence.observations.ask(found.domain.name, "MX").resolver
    named = listed(host.host for host in hosts)
    return Ruling(Outcome.PASS, Finding.of("matches", hosts=named, resolver=resolver))


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
            "en": "The certificates of {hosts} match their TLSA records. That the records are protected by DNSSEC is the word of the resolver {resolver}; it was not validated here.",
            "zh-Hant-TW": "{hosts} 的憑證與其 TLSA 紀錄相符。紀錄受 DNSSEC 保護是 DNS 伺服器 {resolver} 的說法，並未在此驗證。",
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
        "dnssec-not-shown": {
            "en": "There are TLSA records for {hosts}, but the resolver does not say that it validated DNSSEC for all of MX, addresses and records (AD). Ask a validating resolver with --nameserver.",
            "zh-Hant-TW": "{hosts} 有 TLSA 紀錄，但 DNS 伺服器並未表示已對 MX、位址與紀錄全部驗證 DNSSEC（AD）。請以 --nameserver 指定會驗證的 DNS 伺服器。",
        },
        "chain-not-seen": {
            "en": "The TLSA records of {hosts} name an authority, and the certificates above the server's own are not on record: before Python 3.13 they cannot be seen.",
            "zh-Hant-TW": "{hosts} 的 TLSA 紀錄指定憑證機構，但未取得伺服器憑證以上的憑證鏈：Python 3.13 之前的版本看不到。",
        },
        **PROBED,
    },
)
