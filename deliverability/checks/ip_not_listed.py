"""The sending address is on none of the block lists that were named.

RFC 5782 §2.1 (how a list answers), §5 (the test entry that tells "not listed" from silence).  A query that a list
refuses is not a listing.  Asked for by ``dnsbl`` with the names of lists, since each has terms of its own.
"""

from typing import TYPE_CHECKING

from deliverability.errors import ParseError, printable
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds
from deliverability.protocols.hosts import is_inside
from deliverability.protocols.inbound import each, listed
from deliverability.protocols.mx import parse_ip

if TYPE_CHECKING:
    from deliverability.protocols.dnsbl import ListAnswer

_MAX_LISTS = 20


def _applies(evidence: Evidence) -> Finding | None:
    from deliverability.protocols.dnsbl import PREFIX

    if not any(name.startswith(PREFIX) for name in evidence.asked_for):
        return Finding.of("not-asked", option="--with dnsbl:LIST")
    return grounds.relayed(evidence)


def _evaluate(evidence: Evidence) -> Ruling:
    ip = parse_ip(evidence.client_ip.value) if evidence.client_ip else None
    if ip is None:
        return grounds.need("need-client-ip")
    if is_inside(ip):
        return Ruling(Outcome.NOT_APPLICABLE, Finding.of("inside", ip=ip))
    open_hop = grounds.unconfirmed(evidence)
    if open_hop:
        return open_hop
    from deliverability.protocols.dnsbl import PREFIX, look_up

    names = sorted(name.removeprefix(PREFIX) for name in evidence.asked_for if name.startswith(PREFIX))
    if len(names) > _MAX_LISTS:
        return Ruling(Outcome.INDETERMINATE, Finding.of("too-many", count=len(names), most=_MAX_LISTS))
    try:
        zones = [Domain.parse(name) for name in names]
    except ParseError as problem:
        return Ruling(Outcome.INDETERMINATE, Finding.of("no-such-list", why=printable(str(problem))))
    answers = each(zones, lambda zone: look_up(ip, zone, evidence.observations))
    return _ruling(evidence, str(ip), answers)


def _ruling(evidence: Evidence, ip: str, answers: "tuple[ListAnswer, ...]") -> Ruling:
    from deliverability.protocols.dnsbl import Listing

    listings = [one for one in answers if one.listing is Listing.LISTED]
    others = tuple(_remark(one) for one in answers if one.listing not in (Listing.LISTED, Listing.NOT_LISTED))
    if listings:
        zones = listed(f"{one.zone} ({', '.join(one.codes)})" for one in listings)
        reasons = "; ".join(one.reason for one in listings if one.reason) or "-"
        finding = Finding.of("listed", ip=ip, zones=zones, reasons=reasons)
        ruled = grounds.against(evidence, listings[0].observed_at, finding, f"{ip}: {zones}", None)
        return Ruling(ruled.outcome, ruled.finding, details=others)
    clear = [one.zone for one in answers if one.listing is Listing.NOT_LISTED]
    if others:
        return Ruling(Outcome.INDETERMINATE, others[0], details=others[1:])
    return Ruling(Outcome.PASS, Finding.of("not-listed", ip=ip, zones=listed(clear)))


def _remark(one: "ListAnswer") -> Finding:
    """Why a list's answer says nothing; the list is named without the caller's key."""
    from deliverability.protocols.dnsbl import Listing

    if one.listing is Listing.COULD_NOT_LOOK:
        return Finding.of("could-not-look", what=f"{one.zone}: {one.obstacle}")
    told = ", ".join(one.codes) or one.obstacle or "-"
    return Finding.of(one.listing.value, zone=one.zone, told=told)


CHECK = Check(
    id="ip-not-listed",
    subjects=frozenset({Subject.DISPATCH, Subject.DOMAIN}),
    citation="RFC 5782 §2.1, §5",
    title={"en": "Block lists: the sending address", "zh-Hant-TW": "封鎖清單：寄送的 IP 位址"},
    applies=_applies,
    evaluate=_evaluate,
    opt_in="dnsbl",
    messages={
        "not-listed": {
            "en": "{ip} was not on {zones} when they were asked.",
            "zh-Hant-TW": "查詢時 {ip} 不在 {zones} 上。",
        },
        "listed": {
            "en": "{ip} is on {zones}. The list says: {reasons}. Removal is asked for at the list itself, once the cause is gone.",
            "zh-Hant-TW": "{ip} 在 {zones} 上。清單的說明：{reasons}。請先排除原因，再向該清單申請移除。",
        },
        "query-refused": {
            "en": "{zone} refused the query ({told}); that is no listing. Ask from a resolver that meets the list's terms.",
            "zh-Hant-TW": "{zone} 拒絕查詢（{told}）；這不代表被列入。請使用符合該清單使用條款的 DNS 伺服器查詢。",
        },
        "test-entry-missing": {
            "en": "{zone} does not even list its own test entry ({told}), so its silence says nothing: it is gone, or does not answer this resolver.",
            "zh-Hant-TW": "{zone} 連自己的測試項目都沒有（{told}），因此沒有回應不代表未被列入：清單可能已停用，或不回答這部 DNS 伺服器。",
        },
        "lists-everything": {
            "en": "{zone} lists an address that no list may contain ({told}), so its answer says nothing: the list seems to be abandoned.",
            "zh-Hant-TW": "{zone} 列入了任何清單都不應包含的位址（{told}），因此其回答沒有意義：清單似乎已廢棄。",
        },
        "strange-answer": {
            "en": "{zone} answered {told}, which is no answer of a block list: the list is gone, or the resolver makes answers up.",
            "zh-Hant-TW": "{zone} 回答 {told}，這不是封鎖清單的回應：清單可能已停用，或 DNS 伺服器回了不實的答案。",
        },
        "inside": {
            "en": "{ip} is an address inside a network of its own; no list speaks of it. Give the public one with --from-ip.",
            "zh-Hant-TW": "{ip} 是內部網路的位址，清單不會收錄。請以 --from-ip 提供對外的位址。",
        },
        "too-many": {
            "en": "{count} lists were named; at most {most} are asked at once.",
            "zh-Hant-TW": "指定了 {count} 份清單；一次最多查詢 {most} 份。",
        },
        "no-such-list": {
            "en": "A list is named by its zone, as in --with dnsbl:zen.example: {why}.",
            "zh-Hant-TW": "清單須以其網域名稱指定，例如 --with dnsbl:zen.example：{why}。",
        },
        "not-asked": {
            "en": "No block list was named. Each has terms of its own; name those whose terms you meet with {option}.",
            "zh-Hant-TW": "沒有指定封鎖清單。各清單有自己的使用條款；請以 {option} 指定您符合條款的清單。",
        },
        "need-client-ip": grounds.NEED_CLIENT_IP,
        "observed-later": grounds.OBSERVED_LATER,
        "could-not-look": grounds.COULD_NOT_LOOK,
        **grounds.HOP,
    },
)
