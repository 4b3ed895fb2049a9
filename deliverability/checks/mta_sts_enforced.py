"""Senders are told to deliver to this domain over verified TLS only, to the servers that its policy names.

RFC 8461 §3 (record and policy), §4.1 (names of mail servers), §5 (modes).  It protects bounces and replies on their way
to the sender; without it anyone on the way can strip the encryption.  Asked for by ``https``: it fetches the policy.
"""

from deliverability.errors import ParseError
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, DnsQuestion, HttpsAnswer, Observations
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds, mta_sts
from deliverability.protocols.inbound import INBOUND, NOT_ASKED, MailHosts, listed, not_asked, taking_mail

_SHORT = 86400  # seconds; RFC 8461 §3.2 expects weeks
_OK = 200


def _evaluate(evidence: Evidence) -> Ruling:
    found = taking_mail(evidence)
    if isinstance(found, Ruling):
        return found
    domain, observations = found.domain, evidence.observations
    answer = observations.ask(mta_sts.record_name(domain), "TXT")
    if isinstance(answer, CouldNotLook):
        return grounds.open_question(answer)
    records = mta_sts.announced(answer)
    if not records:
        return _fail("none", domain=domain)
    if len(records) > 1:
        return _fail("several", domain=domain, count=len(records))
    try:
        mta_sts.parse_record(records[0])
    except ParseError as problem:
        return _fail("bad-record", domain=domain, why=problem)
    served = _served(domain, observations)
    return served if isinstance(served, Ruling) else _with_policy(found, served)


def _served(domain: Domain, observations: Observations) -> HttpsAnswer | Ruling:
    """The policy as it was served, or why there is none."""
    host = mta_sts.policy_host(domain)
    addresses = observations.ask_all(DnsQuestion(host, "A"), DnsQuestion(host, "AAAA"))
    if not any(isinstance(one, CouldNotLook) or one.records for one in addresses):
        return _fail("no-policy-host", host=host)
    answer = observations.fetch(mta_sts.policy_url(domain))
    if isinstance(answer, CouldNotLook):
        what = f"{answer.question}: {answer.obstacle}, {answer.detail}"
        return Ruling(Outcome.INDETERMINATE, Finding.of("not-fetched", what=what))
    if answer.certificate_error:
        return _fail("policy-certificate", host=host, why=answer.certificate_error)
    if answer.status != _OK:
        return _fail("policy-not-served", url=answer.question, status=answer.status)
    return answer


def _with_policy(found: MailHosts, answer: HttpsAnswer) -> Ruling:
    domain = found.domain
    try:
        policy = mta_sts.parse_policy(answer.body)
    except ParseError as problem:
        return _fail("bad-policy", url=answer.question, why=problem)
    details = []
    if answer.media_type != "text/plain":
        details.append(Finding.of("media-type", media_type=answer.media_type or "-"))
    if policy.max_age < _SHORT and policy.mode is not mta_sts.Mode.NONE:
        details.append(Finding.of("short-age", seconds=policy.max_age))
    if policy.mode is not mta_sts.Mode.ENFORCE:
        return Ruling(Outcome.FAIL, Finding.of(f"mode-{policy.mode}", domain=domain), details=tuple(details))
    uncovered = [host for host in found.hosts if not policy.matches(host)]
    if uncovered:
        finding = Finding.of("mx-not-covered", domain=domain, hosts=listed(uncovered), patterns=listed(policy.mx))
        return Ruling(Outcome.FAIL, finding, details=tuple(details))
    if found.count > len(found.hosts):
        told = {"looked": len(found.hosts), "all": found.count}
        return Ruling(Outcome.INDETERMINATE, Finding.of("not-all-compared", **told), details=tuple(details))
    finding = Finding.of("enforced", domain=domain, patterns=listed(policy.mx))
    return Ruling(Outcome.PASS, finding, details=tuple(details))


def _fail(code: str, **told: object) -> Ruling:
    return Ruling(Outcome.FAIL, Finding.of(code, **told))


CHECK = Check(
    id="mta-sts-enforced",
    subjects=frozenset({Subject.DOMAIN}),
    citation="RFC 8461 §3, §4.1, §5",
    title={"en": "MTA-STS: encryption to the domain is enforced", "zh-Hant-TW": "MTA-STS：強制加密寄到此網域的郵件"},
    applies=lambda evidence: not_asked(evidence, "https"),
    evaluate=_evaluate,
    opt_in="https",
    advisory=True,
    messages={
        "enforced": {
            "en": "{domain} asks senders to deliver over verified TLS only, to {patterns}; that covers all its mail servers.",
            "zh-Hant-TW": "{domain} 要求寄件方只以經過驗證的 TLS 投遞到 {patterns}，涵蓋其所有郵件伺服器。",
        },
        "none": {
            "en": "{domain} publishes no MTA-STS record.",
            "zh-Hant-TW": "{domain} 沒有公布 MTA-STS 紀錄。",
        },
        "several": {
            "en": "{domain} publishes {count} MTA-STS records; senders then act as if there were none. Keep one.",
            "zh-Hant-TW": "{domain} 公布了 {count} 筆 MTA-STS 紀錄，寄件方會視為沒有。請只保留一筆。",
        },
        "bad-record": {
            "en": "The MTA-STS record of {domain} cannot be read: {why}.",
            "zh-Hant-TW": "{domain} 的 MTA-STS 紀錄無法解讀：{why}。",
        },
        "no-policy-host": {
            "en": "There is an MTA-STS record, but {host}, which has to serve the policy, has no address.",
            "zh-Hant-TW": "雖有 MTA-STS 紀錄，但應提供政策的 {host} 沒有位址。",
        },
        "policy-certificate": {
            "en": "The policy cannot be trusted, because the certificate of {host} does not hold: {why}.",
            "zh-Hant-TW": "{host} 的憑證無效，因此政策不可信任：{why}。",
        },
        "policy-not-served": {
            "en": "{url} answered with HTTP status {status}; senders accept 200 only and follow no redirect.",
            "zh-Hant-TW": "{url} 回應 HTTP 狀態 {status}；寄件方只接受 200，且不跟隨轉址。",
        },
        "bad-policy": {
            "en": "The policy at {url} cannot be read: {why}.",
            "zh-Hant-TW": "{url} 的政策無法解讀：{why}。",
        },
        "mode-testing": {
            "en": "The policy of {domain} is in testing: failures are reported, and mail goes out all the same.",
            "zh-Hant-TW": "{domain} 的政策仍在測試模式：失敗會回報，但郵件照樣寄出。",
        },
        "mode-none": {
            "en": "The policy of {domain} is none: senders are told that there is nothing to enforce.",
            "zh-Hant-TW": "{domain} 的政策是 none：告訴寄件方沒有要強制的事項。",
        },
        "mx-not-covered": {
            "en": "The policy of {domain} names {patterns}, which does not cover {hosts}: senders that honour it deliver nothing there.",
            "zh-Hant-TW": "{domain} 的政策列出 {patterns}，未涵蓋 {hosts}：遵守政策的寄件方不會投遞到那裡。",
        },
        "not-all-compared": {
            "en": "So many mail servers are named ({all}) that only the preferred ones were held against the policy ({looked}); it covers those.",
            "zh-Hant-TW": "指定的郵件伺服器過多（{all} 部），只比對了優先的 {looked} 部；政策涵蓋這些伺服器。",
        },
        "not-fetched": {
            "en": "The policy could not be fetched ({what}), so nothing can be said. Try again later.",
            "zh-Hant-TW": "無法取得政策（{what}），因此無法判斷。請稍後再試。",
        },
        "media-type": {
            "en": "The policy is served as {media_type}; it should be text/plain, and strict senders ignore others.",
            "zh-Hant-TW": "政策的內容類型是 {media_type}；應為 text/plain，嚴格的寄件方會忽略其他類型。",
        },
        "short-age": {
            "en": "Senders keep the policy for {seconds} seconds only; weeks are usual, so that it survives an attack.",
            "zh-Hant-TW": "寄件方只保留政策 {seconds} 秒；一般設為數週，才能在攻擊期間持續生效。",
        },
        "not-asked": NOT_ASKED,
        **INBOUND,
    },
)
