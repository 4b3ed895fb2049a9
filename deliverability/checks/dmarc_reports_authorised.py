"""Whoever is to receive the domain's DMARC reports has agreed to take them.

RFC 9990 §4 (before it RFC 7489 §7.1): receivers send nothing to an address of another organization that has not said
yes in its own DNS, so a domain may wait for reports that never come.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from deliverability.errors import printable
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds

if TYPE_CHECKING:
    from deliverability.protocols.dmarc import DmarcRecord
    from deliverability.protocols.dmarc_reports import Destination


def _applies(evidence: Evidence) -> Finding | None:
    if evidence.author_domain is None:
        return None
    from deliverability.protocols.dmarc import PolicyState, discover_policy

    policy = discover_policy(evidence.author_domain.value, evidence.observations)
    if policy.state in (PolicyState.NONE, PolicyState.UNUSABLE) or policy.record is None:
        return (
            None if policy.state is PolicyState.COULD_NOT_LOOK else Finding.of("no-policy", domain=policy.author_domain)
        )
    if not (policy.record.rua or policy.record.ruf or policy.record.unusable_uris):
        return Finding.of("no-addresses", domain=policy.domain)
    return None


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.author_domain is None:
        return grounds.need("need-author-domain")
    from deliverability.protocols.dmarc import discover_policy
    from deliverability.protocols.dmarc_reports import destinations

    policy = discover_policy(evidence.author_domain.value, evidence.observations)
    if policy.record is None or policy.domain is None:
        return grounds.open_question(policy.obstacle, "temperror")
    found = destinations(policy.record, policy.domain, evidence.observations)
    return replace(_ruling(found, policy.record), details=tuple(_details(found)))


def _ruling(found: "tuple[Destination, ...]", record: "DmarcRecord") -> Ruling:
    from deliverability.protocols.dmarc_reports import Consent

    refused = [one for one in found if one.consent is Consent.MISSING]
    if refused:
        named = {"uri": refused[0].uri, "where": refused[0].where, "count": len(refused)}
        return Ruling(Outcome.FAIL, Finding.of("not-authorised", **named))
    unusable = [one.uri for one in found if one.consent is Consent.UNREADABLE]
    unusable += [printable(uri, 200) for uri in record.unusable_uris]
    if unusable:
        return Ruling(Outcome.FAIL, Finding.of("unreadable", uri=unusable[0]))
    unknown = next((one for one in found if one.consent is Consent.COULD_NOT_LOOK), None)
    if unknown:
        return grounds.open_question(unknown.obstacle)
    if all(one.consent is Consent.NOT_MAIL for one in found):
        return Ruling(Outcome.INDETERMINATE, Finding.of("no-mail-address", uri=found[0].uri if found else "-"))
    outside = sum(one.consent is Consent.GIVEN for one in found)
    usable = outside + sum(one.consent is Consent.OWN for one in found)
    return Ruling(Outcome.PASS, Finding.of("authorised", count=usable, outside=outside))


def _details(found: "tuple[Destination, ...]") -> Iterator[Finding]:
    for one in found:
        yield Finding.of(f"to-{one.consent}", tag=one.tag, uri=one.uri, where=one.where)


CHECK = Check(
    id="dmarc-reports-authorised",
    subjects=frozenset({Subject.DOMAIN}),
    citation="RFC 9990 §4, RFC 7489 §7.1",
    title={"en": "DMARC: reports can be delivered", "zh-Hant-TW": "DMARC：報告送得到"},
    applies=_applies,
    evaluate=_evaluate,
    messages={
        "authorised": {
            "en": "Every address for DMARC reports that was looked at may be used. Addresses: {count}; at other organizations, which have agreed: {outside}.",
            "zh-Hant-TW": "查詢過的 DMARC 報告地址都可使用：共 {count} 個，其中屬於其他組織且已同意接收的有 {outside} 個。",
        },
        "not-authorised": {
            "en": "Receivers send no DMARC reports to {uri}: its domain has not agreed. It has to publish 'v=DMARC1;' at {where} (addresses concerned: {count}).",
            "zh-Hant-TW": "收件方不會把 DMARC 報告寄到 {uri}：該網域尚未同意。須在 {where} 公布「v=DMARC1;」（受影響的地址共 {count} 個）。",
        },
        "unreadable": {
            "en": "{uri} is no address that a report could be sent to: each is written mailto:ADDRESS, without blanks, with commas between them.",
            "zh-Hant-TW": "{uri} 不是可寄送報告的地址：每個都要寫成 mailto:地址，不含空白，彼此以逗號分隔。",
        },
        "no-mail-address": {
            "en": "No address for DMARC reports is a mailto address ({uri}); receivers need not support any other, so whether reports come is not shown.",
            "zh-Hant-TW": "DMARC 報告地址都不是 mailto 地址（{uri}）；收件方不一定支援其他形式，因此無法得知是否會收到報告。",
        },
        "no-policy": {
            "en": "No DMARC record applies to {domain}, so nobody sends reports.",
            "zh-Hant-TW": "沒有適用於 {domain} 的 DMARC 紀錄，因此不會有報告。",
        },
        "no-addresses": {
            "en": "The DMARC record at {domain} asks for no reports (no rua=, no ruf=).",
            "zh-Hant-TW": "{domain} 的 DMARC 紀錄沒有要求報告（沒有 rua=、ruf=）。",
        },
        "to-own": {
            "en": "{tag}: {uri} is of the same organization.{where}",
            "zh-Hant-TW": "{tag}：{uri} 屬於同一組織。{where}",
        },
        "to-given": {
            "en": "{tag}: {uri} belongs to others, who have agreed at {where}.",
            "zh-Hant-TW": "{tag}：{uri} 屬於其他組織，已在 {where} 表示同意。",
        },
        "to-missing": {
            "en": "{tag}: {uri} belongs to others, and there is no agreement at {where}.",
            "zh-Hant-TW": "{tag}：{uri} 屬於其他組織，{where} 沒有表示同意。",
        },
        "to-not-mail": {
            "en": "{tag}: {uri} is not a mailto address; receivers need not support it.{where}",
            "zh-Hant-TW": "{tag}：{uri} 不是 mailto 地址；收件方不一定支援。{where}",
        },
        "to-unreadable": {
            "en": "{tag}: {uri} holds no address.{where}",
            "zh-Hant-TW": "{tag}：{uri} 沒有地址。{where}",
        },
        "to-could-not-look": {
            "en": "{tag}: {uri} belongs to others; whether they have agreed ({where}) could not be looked up.",
            "zh-Hant-TW": "{tag}：{uri} 屬於其他組織；無法查詢對方是否同意（{where}）。",
        },
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
