"""The domain names hosts that take its mail, so that bounces and replies arrive somewhere.

RFC 5321 §5.1 (MX; without one the domain's own addresses stand in), RFC 7505 §3 and §4.2 (null MX: a domain that takes
no mail should not send any either).  Receivers refuse senders that nobody could answer; a bounce that goes nowhere is a
failed notice that nobody hears of.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.inbound import Inbound, MailHosts, inbound_domain, listed, mail_hosts


def _evaluate(evidence: Evidence) -> Ruling:
    domain = inbound_domain(evidence)
    if domain is None:
        return grounds.need("need-author-domain")
    found = mail_hosts(domain, evidence.observations)
    if found.kind is Inbound.COULD_NOT_LOOK:
        return grounds.open_question(found.obstacle)
    return _ruling(found)


def _ruling(found: MailHosts) -> Ruling:
    domain, hosts = found.domain, listed(found.hosts, found.count)
    if found.kind in (Inbound.NONE, Inbound.NULL_MX):
        return Ruling(Outcome.FAIL, Finding.of(found.kind.value, domain=domain))
    if found.null_among:
        return Ruling(Outcome.FAIL, Finding.of("null-among-others", domain=domain, hosts=hosts))
    if found.kind is Inbound.IMPLICIT:
        return Ruling(Outcome.PASS, Finding.of("implicit", domain=domain))
    return Ruling(Outcome.PASS, Finding.of("published", domain=domain, hosts=hosts, count=found.count))


CHECK = Check(
    id="mx-published",
    subjects=frozenset({Subject.DOMAIN}),
    citation="RFC 5321 §5.1, RFC 7505",
    title={"en": "MX: the domain can be answered", "zh-Hant-TW": "MX：網域可以收到退信與回覆"},
    evaluate=_evaluate,
    messages={
        "published": {
            "en": "{domain} names where bounces and replies go. Mail servers: {count} ({hosts}).",
            "zh-Hant-TW": "{domain} 指定了 {count} 部接收退信與回覆的郵件伺服器：{hosts}。",
        },
        "implicit": {
            "en": "{domain} has no MX record, so mail for it goes to its own address. That is allowed, but the host there is often a web server that takes no mail: publish an MX record.",
            "zh-Hant-TW": "{domain} 沒有 MX 紀錄，因此寄給它的郵件會送到網域本身的位址。這是允許的，但該主機往往是不收信的網站伺服器，建議設定 MX 紀錄。",
        },
        "none": {
            "en": "{domain} has neither an MX record nor an address: bounces and replies cannot reach it, and receivers may refuse what it sends.",
            "zh-Hant-TW": "{domain} 既沒有 MX 紀錄也沒有位址：退信與回覆無法送達，收件方也可能拒收它寄出的郵件。",
        },
        "null-mx": {
            "en": "{domain} says with a null MX that it takes no mail: bounces and replies cannot reach it, and receivers may refuse what it sends.",
            "zh-Hant-TW": "{domain} 以 null MX 聲明不收信：退信與回覆無法送達，收件方也可能拒收它寄出的郵件。",
        },
        "null-among-others": {
            "en": "{domain} publishes a null MX, which says that it takes no mail, beside {hosts}. Only one of the two can be meant.",
            "zh-Hant-TW": "{domain} 同時有代表不收信的 null MX，以及 {hosts}，兩者互相矛盾，只能擇一。",
        },
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
