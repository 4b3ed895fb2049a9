"""The domain publishes one SPF record that every receiver can evaluate.

RFC 7208 §3.2 (one record), §4.6 (syntax), §4.6.4 (ten look-ups, two void ones), §8.2 (``neutral`` counts as ``none``).
Whether a certain address passes is another claim; a record that lets everybody pass authorises nobody in particular, and
fails.  What each include costs, and what is risky in the records, is told beside it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deliverability.errors import printable
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds

if TYPE_CHECKING:
    from deliverability.protocols.spf import SpfPublication
    from deliverability.protocols.spf_lint import Survey

MAX_BRANCHES_SHOWN = 20
MAX_RECORD_SHOWN = 2000
"""Characters of the record in a sentence; a real one has a few hundred."""


def _evaluate(evidence: Evidence) -> Ruling:
    domain = grounds.mail_from_domain(evidence) or (evidence.author_domain.value if evidence.author_domain else None)
    if domain is None:
        return grounds.need("need-author-domain")
    from deliverability.protocols.spf import MAX_LOOKUPS, PublicationState, published
    from deliverability.protocols.spf_lint import Flaw, survey

    found = published(domain, evidence.observations)
    if found.state is PublicationState.COULD_NOT_LOOK:
        return grounds.open_question(found.problem, "temperror")
    surveyed = survey(domain, evidence.observations)
    details = tuple(_details(domain, surveyed))
    told: dict[str, object] = {
        "domain": domain,
        "record": printable(found.record or "", MAX_RECORD_SHOWN),
        "limit": MAX_LOOKUPS,
    }
    if found.state is PublicationState.PUBLISHED:
        return _published(domain, found, surveyed, told, details)
    word = "none" if found.state is PublicationState.NONE else "permerror"
    near = next((remark for remark in surveyed.remarks if remark.flaw is Flaw.NEAR_MISS), None)
    if near and found.state is PublicationState.NONE:
        return Ruling(Outcome.FAIL, Finding.of(near.flaw.value, at=near.domain, term=near.text), word, details)
    loop = next((remark for remark in surveyed.remarks if remark.flaw is Flaw.LOOP), None)
    if loop:
        return Ruling(Outcome.FAIL, Finding.of("loops", **told, at=loop.domain, term=loop.text), word, details)
    lookups = max(found.lookups, surveyed.price.lookups)
    finding = Finding.of(found.state.value, **told, problem=found.problem or "", lookups=lookups)
    return Ruling(Outcome.FAIL, finding, word, details)


def _published(
    domain: Domain, found: "SpfPublication", surveyed: "Survey", told: dict[str, object], details: tuple[Finding, ...]
) -> Ruling:
    """One well-formed record: whether it stays within the limits, and authorises somebody in particular."""
    broken = _beyond_limits(domain, surveyed)
    if broken:
        return Ruling(Outcome.FAIL, broken, "permerror", details)
    if surveyed.everybody:
        at, term = surveyed.everybody
        return Ruling(Outcome.FAIL, Finding.of("passes-everybody", domain=domain, at=at, term=term), None, details)
    code = "published-at-least" if found.depends_on_client else "published"
    if surveyed.neutral and not found.depends_on_client:
        code = "published-neutral"
    return Ruling(Outcome.PASS, Finding.of(code, **told, lookups=found.lookups), details=details)


def _beyond_limits(domain: Domain, found: "Survey") -> Finding | None:
    """A limit beside that of ten look-ups which stops a receiver that no earlier term lets out, over IPv4 and IPv6."""
    from deliverability.protocols.spf import MAX_VOID_LOOKUPS
    from deliverability.protocols.spf_lint import Flaw

    many = next((remark for remark in found.remarks if remark.flaw is Flaw.MANY_MX), None)
    if many:
        return Finding.of(many.flaw.value, at=many.domain, term=many.text)
    price = found.price
    if min(price.void_v4, price.void_v6) > MAX_VOID_LOOKUPS:
        told = {"v4": price.void_v4, "v6": price.void_v6, "void_limit": MAX_VOID_LOOKUPS}
        return Finding.of("too-many-void", domain=domain, **told)
    return None


def _details(domain: Domain, found: "Survey") -> Iterator[Finding]:
    from deliverability.protocols.spf import MAX_LOOKUPS, MAX_VOID_LOOKUPS
    from deliverability.protocols.spf_lint import branches_below

    if found.branches:
        price = found.price
        yield Finding.of(
            "price" if found.complete else "price-at-least",
            domain=domain,
            lookups=price.lookups,
            v4=price.void_v4,
            v6=price.void_v6,
            limit=MAX_LOOKUPS,
            void_limit=MAX_VOID_LOOKUPS,
        )
        if max(price.void_v4, price.void_v6) > MAX_VOID_LOOKUPS:
            told = {"v4": price.void_v4, "v6": price.void_v6, "void_limit": MAX_VOID_LOOKUPS}
            yield Finding.of("too-many-void", domain=domain, **told)
    for branch in list(branches_below(found))[:MAX_BRANCHES_SHOWN]:
        # the look-up of the term itself is counted in the record above
        yield Finding.of(
            "branch",
            term=branch.via,
            lookups=branch.total.lookups + 1,
            v4=branch.total.void_v4,
            v6=branch.total.void_v6,
        )
    for remark in found.remarks:
        yield Finding.of(remark.flaw.value, at=remark.domain, term=remark.text)


CHECK = Check(
    id="spf-published",
    subjects=frozenset({Subject.DOMAIN}),
    citation="RFC 7208 §3.2, §4.6.4",
    title={"en": "SPF: one usable record is published", "zh-Hant-TW": "SPF：公布了一筆可用的紀錄"},
    evaluate=_evaluate,
    messages={
        "published": {
            "en": "{domain} publishes one SPF record, {lookups} of at most {limit} look-ups: {record}",
            "zh-Hant-TW": "{domain} 公布了一筆 SPF 紀錄，需要 {lookups} 次查詢（上限 {limit} 次）：{record}",
        },
        "published-at-least": {
            "en": "{domain} publishes one SPF record, at least {lookups} of at most {limit} look-ups; a part depends on who sends and was not followed: {record}",
            "zh-Hant-TW": "{domain} 公布了一筆 SPF 紀錄，至少需要 {lookups} 次查詢（上限 {limit} 次）；有一部分取決於由誰寄信，無法事先查詢：{record}",
        },
        "published-neutral": {
            "en": "{domain} publishes one SPF record, {lookups} of at most {limit} look-ups. It says nothing of senders that it does not name, which receivers treat as if there were no record: end it with ~all or -all. {record}",
            "zh-Hant-TW": "{domain} 公布了一筆 SPF 紀錄，需要 {lookups} 次查詢（上限 {limit} 次）。對未列出的寄件來源沒有任何表示，收件方會當作沒有紀錄；結尾請用 ~all 或 -all。{record}",
        },
        "passes-everybody": {
            "en": "SPF authorises the whole Internet to send as {domain}: {term} in the record of {at}. Forged mail passes too. Name your own servers instead, and end with ~all or -all.",
            "zh-Hant-TW": "SPF 授權整個網際網路以 {domain} 的名義寄信：{at} 紀錄中的 {term}。冒名郵件也會通過。請改為只列出自己的伺服器，結尾用 ~all 或 -all。",
        },
        "none": {
            "en": "{domain} publishes no SPF record.",
            "zh-Hant-TW": "{domain} 沒有公布 SPF 紀錄。",
        },
        "several": {
            "en": "{domain} publishes several SPF records; receivers treat that as an error. Keep one: {record}",
            "zh-Hant-TW": "{domain} 公布了多筆 SPF 紀錄，收件方會視為錯誤。請只保留一筆：{record}",
        },
        "too-many-lookups": {
            "en": "The SPF record of {domain} needs {lookups} look-ups; after {limit} receivers stop with an error: {record}",
            "zh-Hant-TW": "{domain} 的 SPF 紀錄需要 {lookups} 次查詢，超過 {limit} 次收件方就會停止並視為錯誤：{record}",
        },
        "malformed": {
            "en": "The SPF record of {domain} has an error ({problem}): {record}",
            "zh-Hant-TW": "{domain} 的 SPF 紀錄有錯（{problem}）：{record}",
        },
        "loops": {
            "en": "The SPF record of {domain} leads back to itself, by {term} in the record of {at}; receivers stop with an error: {record}",
            "zh-Hant-TW": "{domain} 的 SPF 紀錄經由 {at} 紀錄中的 {term} 又指回原處；收件方會停止並視為錯誤：{record}",
        },
        "price": {
            "en": "When nothing matches, {domain} costs {lookups} look-ups (limit {limit}); without an answer: {v4} for a client on IPv4, {v6} on IPv6 (limit {void_limit}).",
            "zh-Hant-TW": "都不符合時，{domain} 需要 {lookups} 次查詢（上限 {limit}）；查無結果的次數：IPv4 用戶端 {v4} 次，IPv6 用戶端 {v6} 次（上限 {void_limit}）。",
        },
        "price-at-least": {
            "en": "When nothing matches, {domain} costs at least {lookups} look-ups (limit {limit}); without an answer: at least {v4} for a client on IPv4, {v6} on IPv6 (limit {void_limit}). A part could not be followed.",
            "zh-Hant-TW": "都不符合時，{domain} 至少需要 {lookups} 次查詢（上限 {limit}）；查無結果的次數：IPv4 用戶端至少 {v4} 次，IPv6 用戶端至少 {v6} 次（上限 {void_limit}）。有一部分無法繼續查。",
        },
        "too-many-void": {
            "en": "The SPF records of {domain} ask for names that have no answer: {v4} on IPv4, {v6} on IPv6. After {void_limit} of them a receiver may stop with an error: remove the names that no longer exist.",
            "zh-Hant-TW": "{domain} 的 SPF 紀錄所查詢的名稱查無結果：IPv4 {v4} 次，IPv6 {v6} 次。超過 {void_limit} 次時收件方可能會停止並視為錯誤：請刪除已不存在的名稱。",
        },
        "branch": {
            "en": "{term} costs {lookups} look-ups with all below it; without an answer: {v4} on IPv4, {v6} on IPv6.",
            "zh-Hant-TW": "{term} 連同其下共需 {lookups} 次查詢；查無結果：IPv4 {v4} 次，IPv6 {v6} 次。",
        },
        "several-records": {
            "en": "{at} publishes {term} SPF records where one is allowed; keep one.",
            "zh-Hant-TW": "{at} 公布了 {term} 筆 SPF 紀錄，只能有一筆；請只保留一筆。",
        },
        "near-miss": {
            "en": "{at} publishes a text that looks like SPF and that receivers pass over, because it does not begin with exactly 'v=spf1 ', the blank included: {term}",
            "zh-Hant-TW": "{at} 公布了一段像 SPF 的文字，但開頭不是「v=spf1 」（含空白），收件方會略過：{term}",
        },
        "plus-all": {
            "en": "{term} in the record of {at} lets everybody send in its name. Use ~all or -all.",
            "zh-Hant-TW": "{at} 紀錄中的 {term} 讓任何人都能以其名義寄信。請改用 ~all 或 -all。",
        },
        "neutral-all": {
            "en": "{term} in the record of {at} says nothing about anybody else. Use ~all or -all.",
            "zh-Hant-TW": "{at} 紀錄中的 {term} 對其他來源沒有任何表示。請改用 ~all 或 -all。",
        },
        "no-all": {
            "en": "The record of {at} ends without 'all' or 'redirect': it says nothing about anybody else. Add ~all or -all.{term}",
            "zh-Hant-TW": "{at} 的紀錄結尾沒有 all 或 redirect：對其他來源沒有任何表示。請加上 ~all 或 -all。{term}",
        },
        "after-all": {
            "en": "In the record of {at}, {term} stands after 'all' and is never read.",
            "zh-Hant-TW": "{at} 的紀錄中，{term} 在 all 之後，永遠不會被讀到。",
        },
        "redirect-with-all": {
            "en": "In the record of {at}, {term} is ignored because the record has 'all'.",
            "zh-Hant-TW": "{at} 的紀錄已有 all，因此 {term} 會被忽略。",
        },
        "ptr": {
            "en": "{term} in the record of {at} is slow and unreliable, and some receivers skip it; RFC 7208 §5.5 says not to use it.",
            "zh-Hant-TW": "{at} 紀錄中的 {term} 又慢又不可靠，部分收件方會略過；RFC 7208 §5.5 建議不要使用。",
        },
        "unknown-mechanism": {
            "en": "{term} in the record of {at} is no mechanism; receivers stop with an error.",
            "zh-Hant-TW": "{at} 紀錄中的 {term} 不是有效的機制；收件方會視為錯誤。",
        },
        "unknown-modifier": {
            "en": "Receivers ignore {term} in the record of {at}: they know no modifier of that name. A mechanism takes ':', as in ip4:192.0.2.1.",
            "zh-Hant-TW": "收件方會忽略 {at} 紀錄中的 {term}，因為沒有這個名稱的修飾詞。機制要用「:」，例如 ip4:192.0.2.1。",
        },
        "more-remarks": {
            "en": "Remarks left out here, because there are so many: {term}.{at}",
            "zh-Hant-TW": "項目過多，此處省略：{term} 項。{at}",
        },
        "syntax": {
            "en": "{term} in the record of {at} is not written correctly; receivers stop with an error.",
            "zh-Hant-TW": "{at} 紀錄中的 {term} 寫法有誤；收件方會視為錯誤。",
        },
        "long-record": {
            "en": "The record of {at} has {term} octets; above 450 the DNS answer may not fit into 512 octets (RFC 7208 §3.4).",
            "zh-Hant-TW": "{at} 的紀錄有 {term} 個位元組；超過 450 時，DNS 回應可能裝不進 512 個位元組（RFC 7208 §3.4）。",
        },
        "joined-strings": {
            "en": "The record of {at} is split where a blank is missing: {term}",
            "zh-Hant-TW": "{at} 的紀錄分成多段字串，接合處少了空白：{term}",
        },
        "not-ascii": {
            "en": "The record of {at} holds characters outside ASCII: {term}",
            "zh-Hant-TW": "{at} 的紀錄含有 ASCII 以外的字元：{term}",
        },
        "macro-by-sender": {
            "en": "{term} in the record of {at} depends on the sender's address, which a sender chooses freely.",
            "zh-Hant-TW": "{at} 紀錄中的 {term} 取決於寄件地址，而寄件地址可由寄信的人任意填寫。",
        },
        "bad-macro": {
            "en": "{term} in the record of {at} holds a macro that does not exist; receivers stop with an error.",
            "zh-Hant-TW": "{at} 紀錄中的 {term} 含有不存在的巨集；收件方會視為錯誤。",
        },
        "include-without-record": {
            "en": "{term} in the record of {at} leads to a name without an SPF record; receivers stop with an error.",
            "zh-Hant-TW": "{at} 紀錄中的 {term} 指向沒有 SPF 紀錄的名稱；收件方會視為錯誤。",
        },
        "loop": {
            "en": "{term} in the record of {at} leads back to where it came from.",
            "zh-Hant-TW": "{at} 紀錄中的 {term} 又指回原處，形成迴圈。",
        },
        "void-lookup": {
            "en": "{term} in the record of {at} asks for a name that has no answer.",
            "zh-Hant-TW": "{at} 紀錄中的 {term} 查詢的名稱沒有結果。",
        },
        "many-mx": {
            "en": "{term} in the record of {at} (with the number of mail servers that it leads to): more than ten are an error for receivers that get there (RFC 7208 §4.6.4).",
            "zh-Hant-TW": "{at} 紀錄中的 {term}（後面是所指向的郵件伺服器數量）：超過十部時，查到這裡的收件方會視為錯誤（RFC 7208 §4.6.4）。",
        },
        "broad-network": {
            "en": "{term} in the record of {at} authorises a very large network; anybody in it can send in its name.",
            "zh-Hant-TW": "{at} 紀錄中的 {term} 授權了非常大的網段；其中任何人都能以其名義寄信。",
        },
        "private-network": {
            "en": "{term} in the record of {at} is a private network: no receiver ever sees such an address.",
            "zh-Hant-TW": "{at} 紀錄中的 {term} 是私有網段：收件方不會看到這種位址。",
        },
        "repeated-term": {
            "en": "{term} stands more than once in the record of {at}.",
            "zh-Hant-TW": "{at} 的紀錄中 {term} 重複出現。",
        },
        "depends-on-client": {
            "en": "{term} in the record of {at} depends on who sends; what is behind it cannot be listed from outside.",
            "zh-Hant-TW": "{at} 紀錄中的 {term} 取決於由誰寄信；從外部無法列出其內容。",
        },
        "not-counted": {
            "en": "A part of the record of {at} could not be looked up ({term}), so it is not counted.",
            "zh-Hant-TW": "{at} 的紀錄有一部分無法查詢（{term}），因此沒有計入。",
        },
        "survey-limit": {
            "en": "The records below {at} are so many that only a part was followed (limit {term}).",
            "zh-Hant-TW": "{at} 之下的紀錄過多，只查了其中一部分（上限 {term}）。",
        },
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "could-not-look": grounds.COULD_NOT_LOOK,
    },
)
