"""A mail server that the recipient's domain names as its MX took the message over.

RFC 5321 §4.2.5 and §6.1 (a 2yz reply to the end of DATA passes responsibility), §5.1 (MX, implicit MX).  Taken over is
not delivered: what that server did next, its reply does not say.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.event import Result, Transport
from deliverability.evidence.names import Domain
from deliverability.evidence.plugin import Check
from deliverability.evidence.smtp import Host
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds, hosts, mx


def _applies(evidence: Evidence) -> Finding | None:
    attempt = evidence.attempt
    if attempt is None or attempt.result is not Result.SENT:
        return Finding.of("nothing-accepted")
    if attempt.transport is not Transport.SMTP:
        return Finding.of("not-by-smtp")
    return None


def _evaluate(evidence: Evidence) -> Ruling:
    relay = evidence.attempt.relay if evidence.attempt else None
    domain = grounds.recipient_domain(evidence)
    if relay is None or domain is None:
        return grounds.need("relay-unknown")
    if hosts.is_this_machine(relay):
        return Ruling(Outcome.INDETERMINATE, Finding.of("own-relay", relay=relay))
    found = mx.match(relay, domain, evidence.observations)
    if found.matched:
        kind = "own-mx" if grounds.is_own(relay, evidence.own) else found.kind.value
        return Ruling(Outcome.PASS, Finding.of(kind, relay=relay, domain=domain, mx=found.host))
    return _by_configuration(evidence, relay, domain) or _unmatched(evidence, relay, domain, found)


def _by_configuration(evidence: Evidence, relay: Host, domain: Domain) -> Ruling | None:
    if grounds.is_own(relay, evidence.own):
        return Ruling(Outcome.INDETERMINATE, Finding.of("own-relay", relay=relay))
    if grounds.is_intermediary(relay, evidence.own):
        return Ruling(Outcome.INDETERMINATE, Finding.of("intermediary", relay=relay))
    if evidence.own.routed_by_mx:
        return Ruling(Outcome.PASS, Finding.of("routed-by-mx", relay=relay, domain=domain))
    return None


def _unmatched(evidence: Evidence, relay: Host, domain: Domain, found: mx.MxMatch) -> Ruling:
    if found.kind is mx.MxKind.COULD_NOT_LOOK:
        return grounds.open_question(found.obstacle)
    named = ", ".join(found.targets) or found.kind.value
    if grounds.seen_later(evidence, found.observed_at):
        return Ruling(Outcome.INDETERMINATE, Finding.of("observed-later", what=f"{domain} MX: {named}"))
    return Ruling(Outcome.INDETERMINATE, Finding.of("not-an-mx", relay=relay, domain=domain, named=named))


CHECK = Check(
    id="accepted-by-recipient-mx",
    subjects=frozenset({Subject.DISPATCH}),
    citation="RFC 5321 §4.2.5, §5.1",
    title={"en": "Accepted by an MX of the recipient's domain", "zh-Hant-TW": "由收件者網域的郵件伺服器（MX）收下"},
    applies=_applies,
    evaluate=_evaluate,
    messages={
        "nothing-accepted": {
            "en": "No mail server has accepted the message.",
            "zh-Hant-TW": "沒有郵件伺服器收下這封郵件。",
        },
        "not-by-smtp": {
            "en": "It was not handed over by SMTP: our own server dealt with it itself.",
            "zh-Hant-TW": "這封郵件不是以 SMTP 交出，而是由我方伺服器自行處理。",
        },
        "relay-unknown": {
            "en": "The log does not tell which server accepted it, or the recipient's domain.",
            "zh-Hant-TW": "紀錄中沒有收下郵件的伺服器，或收件者的網域。",
        },
        "mx-name": {
            "en": "{relay} accepted it; the DNS names {mx} as a mail server (MX) of {domain}.",
            "zh-Hant-TW": "{relay} 收下了這封郵件；DNS 顯示 {mx} 是 {domain} 的郵件伺服器（MX）。",
        },
        "mx-address": {
            "en": "{relay} accepted it; its address is one of {mx}, a mail server (MX) of {domain}.",
            "zh-Hant-TW": "{relay} 收下了這封郵件；它的 IP 位址屬於 {domain} 的郵件伺服器（MX）{mx}。",
        },
        "own-mx": {
            "en": "{relay} accepted it. It is the mail server (MX) of {domain}, {mx}, and it is our own server.",
            "zh-Hant-TW": "{relay} 收下了這封郵件。它是 {domain} 的郵件伺服器（MX）{mx}，而且是我方自己的伺服器。",
        },
        "routed-by-mx": {
            "en": "{relay} accepted it. By our configuration our server delivers straight to the mail servers (MX) of {domain}.",
            "zh-Hant-TW": "{relay} 收下了這封郵件。依我方設定，伺服器會直接寄到 {domain} 的郵件伺服器（MX）。",
        },
        "own-relay": {
            "en": "{relay} accepted it, which is our own server. Where it went from there is another entry; add that server's log.",
            "zh-Hant-TW": "收下郵件的是我方自己的伺服器 {relay}。之後的去向記在另一處，請加上該伺服器的紀錄。",
        },
        "intermediary": {
            "en": "{relay} accepted it, an intermediary that sends our mail on. Only its own records show the recipient's side.",
            "zh-Hant-TW": "收下郵件的是替我方轉送的中間服務 {relay}。收件方的結果只有該服務的紀錄才看得到。",
        },
        "not-an-mx": {
            "en": "{relay} accepted it, but the DNS does not name it as a mail server of {domain} ({named}).",
            "zh-Hant-TW": "{relay} 收下了這封郵件，但 DNS 沒有把它列為 {domain} 的郵件伺服器（{named}）。",
        },
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
