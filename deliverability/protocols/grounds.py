"""What a check may rest on: whose hop it was, whether the DNS was seen in time, which domains it is about.

RFC 7208 §2.1 and §10.3 (SPF speaks of the host that connected to the receiving side's border, not of those before
it), RFC 5598 §2 (administrative domains).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from deliverability.errors import ParseError
from deliverability.evidence.bundle import Evidence, Origin, Own, Subject
from deliverability.evidence.event import Transport
from deliverability.evidence.names import Domain, Mailbox
from deliverability.evidence.observation import CouldNotLook, Obstacle
from deliverability.evidence.smtp import Host
from deliverability.evidence.story import Attempt
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import hosts, mx

if TYPE_CHECKING:
    from deliverability.protocols.dkim import DkimSignature
    from deliverability.protocols.mail import Mail

_TRACE: Final = frozenset(
    {"received", "return-path", "delivered-to", "x-received", "x-original-to", "authentication-results", "arc-seal"}
)  # RFC 5321 §4.4, RFC 8601 §2, RFC 8617 §4.1, and what receiving servers write beside them
LATER: Final = timedelta(minutes=5)
"""DNS that was seen longer than this after the dispatch may support a claim, and can accuse nobody (DESIGN §4.2).

The grace is for a snapshot that is taken beside the sending."""

COULD_NOT_LOOK: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "The DNS gave no answer to go by ({what}), so nothing can be said. Try again, or ask another resolver with --nameserver.",
        "zh-Hant-TW": "DNS 沒有給出可用的答案（{what}），因此無法判斷。請稍後再試，或以 --nameserver 指定其他 DNS 伺服器。",
    }
)
_NOT_ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "The DNS was not asked ({what}), so nothing can be said. It is asked without --offline and --observations.",
        "zh-Hant-TW": "這次沒有查詢 DNS（{what}），因此無法判斷。不加 --offline 和 --observations 就會查詢。",
    }
)
SEVERAL_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "Several DKIM key records stand at {name}, where only one may: whether the signature verifies for a receiver depends on which it takes, and that is not defined (RFC 6376 §3.6.2.2). Keep one.",
        "zh-Hant-TW": "{name} 有多筆 DKIM 金鑰紀錄，而依規定只能有一筆：簽章能否通過驗證，取決於收件方採用哪一筆，這並無定論（RFC 6376 §3.6.2.2）。請只保留一筆。",
    }
)
OBSERVED_LATER: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "What the DNS says now does not support it ({what}), but that was looked up after the dispatch: records may have changed since, so it is no evidence against it.",
        "zh-Hant-TW": "目前的 DNS 內容不支持這一點（{what}），但這是寄出之後才查詢的：紀錄可能已經更改，不能當作反證。",
    }
)
NEED_AUTHOR_DOMAIN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "The domain of the From address is not known. Give --author-domain or --message.",
        "zh-Hant-TW": "不知道寄件者（From）地址的網域。請以 --author-domain 或 --message 提供。",
    }
)
NEED_CLIENT_IP: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "The address that connected to the recipient's mail server is not on record. Give it with --from-ip.",
        "zh-Hant-TW": "紀錄中沒有連線到收件方郵件伺服器的 IP 位址。請以 --from-ip 提供。",
    }
)
NEED_REVERSE_PATH: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "The envelope sender is not on record, or is no address.",
        "zh-Hant-TW": "紀錄中沒有信封寄件者，或其內容不是有效的地址。",
    }
)
NEED_HELO: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "The name that our server announced (HELO) is not on record. Give it with --helo.",
        "zh-Hant-TW": "紀錄中沒有我方伺服器自報的名稱（HELO）。請以 --helo 提供。",
    }
)
UNREADABLE_MESSAGE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "The message cannot be read ({problem}), so nothing can be said of it.",
        "zh-Hant-TW": "無法讀取這封郵件（{problem}），因此無法判斷。",
    }
)
EXPIRED_SINCE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "The DKIM signature of {domain} expired on {when}, after the date that the message bears (x=): it no longer counts, but may have when it was sent.",
        "zh-Hant-TW": "{domain} 的 DKIM 簽章已於 {when} 到期（x=），晚於郵件標示的日期：現在不再有效，但寄出當時可能有效。",
    }
)
HOP: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "no-hop": {
            "en": "No other mail server was reached, so there is nothing to check.",
            "zh-Hant-TW": "沒有連線到其他郵件伺服器，因此沒有可檢查的內容。",
        },
        "behind-own-relay": {
            "en": "This hop led to a server of our own ({relay}). The recipient's side sees the next hop, which is not on record; with --from-ip it can be judged.",
            "zh-Hant-TW": "這一段連線的對象是我方自己的伺服器（{relay}）。收件方看到的是下一段，紀錄中沒有；以 --from-ip 提供後即可判斷。",
        },
        "behind-intermediary": {
            "en": "This hop led to an intermediary ({relay}). The recipient's side sees the intermediary's address, not ours.",
            "zh-Hant-TW": "這一段連線的對象是中間服務（{relay}）。收件方看到的是該服務的 IP 位址，不是我方的。",
        },
        "hop-unconfirmed": {
            "en": "It is not shown that {relay} is a mail server of the recipient's domain, so what it may have checked says nothing about the recipient's side. With --from-ip it can be judged.",
            "zh-Hant-TW": "無法確認 {relay} 是收件者網域的郵件伺服器，因此不能據以判斷收件方看到的結果。以 --from-ip 提供後即可判斷。",
        },
    }
)


def is_own(host: Host, own: Own) -> bool:
    """Whether the host is one of ours: named so by the configuration, or on this very machine."""
    name = (host.name or "").lower().removesuffix(".")
    if name in own.hosts or hosts.is_this_machine(host):
        return True
    ip = mx.parse_ip(host.ip)
    return ip is not None and any(ip in network for network in own.networks if network.version == ip.version)


def is_intermediary(host: Host, own: Own) -> bool:
    """Whether the host is named, or given by its address, as an ESP, filter or relay that our mail goes through."""
    name = (host.name or "").lower().removesuffix(".")
    if any(name == known or name.endswith("." + known) for known in own.intermediaries):
        return True
    ip = mx.parse_ip(host.ip) if own.intermediaries else None
    return ip is not None and any(ip == mx.parse_ip(known) for known in own.intermediaries)


def recipient_domain(evidence: Evidence) -> Domain | None:
    """The domain whose MX counts: that of the address really tried, else of the one written to."""
    if evidence.attempt:
        try:
            return Mailbox.parse(evidence.attempt.recipient).domain
        except ParseError:
            pass
    return evidence.recipient_domain


def relayed(evidence: Evidence) -> Finding | None:
    """Why what the next hop saw says nothing about the recipient's side; ``None`` if it may.

    An address given by hand is by definition the one that connected to the recipient's MX.
    """
    if evidence.subject is not Subject.DISPATCH or _by_hand(evidence):
        return None
    attempt = evidence.attempt
    if attempt is None or attempt.relay is None or attempt.transport is not Transport.SMTP:
        return Finding.of("no-hop")
    if is_own(attempt.relay, evidence.own):
        return Finding.of("behind-own-relay", relay=attempt.relay)
    if is_intermediary(attempt.relay, evidence.own) and not _is_mx(attempt, evidence).matched:
        return Finding.of("behind-intermediary", relay=attempt.relay)
    return None


def unconfirmed(evidence: Evidence) -> Ruling | None:
    """Why it stays open whether the next hop was the recipient's side; ``None`` if it was."""
    attempt = evidence.attempt
    if evidence.subject is not Subject.DISPATCH or _by_hand(evidence) or attempt is None or attempt.relay is None:
        return None
    found = _is_mx(attempt, evidence)
    if found.matched or evidence.own.routed_by_mx:
        return None
    if found.kind is mx.MxKind.COULD_NOT_LOOK:
        return Ruling(Outcome.INDETERMINATE, Finding.of("could-not-look", what=found.obstacle))
    return Ruling(Outcome.INDETERMINATE, Finding.of("hop-unconfirmed", relay=attempt.relay))


def seen_later(evidence: Evidence, observed_at: datetime | None) -> bool:
    """Whether an observation is too late to accuse: made after the dispatch, or nobody knows how long after."""
    if evidence.subject in (Subject.DOMAIN, Subject.ADDRESS):
        return False
    sent_at = evidence.dispatched_at if evidence.subject is Subject.DISPATCH else _handled_at(evidence)
    if sent_at is None:
        return evidence.subject is Subject.DISPATCH
    return observed_at is None or observed_at - sent_at > LATER


def latest(*times: datetime | None) -> datetime | None:
    """The newest of several observations: what rests on all of them is no older."""
    return max((time for time in times if time), default=None)


def expired_since(evidence: Evidence, expires_at: datetime | None) -> bool:
    """Whether an expired signature was in force on the date that the message bears: then it may be a copy that arrived.

    A dispatch has a time of its own, against which it is judged.
    """
    mail = _mail(evidence) if evidence.subject is Subject.MESSAGE else None
    dated = mail.date if mail else None
    return dated is not None and expires_at is not None and dated <= expires_at


def against(evidence: Evidence, observed_at: datetime | None, finding: Finding, what: str, word: str | None) -> Ruling:
    """A failure that rests on the DNS: it fails only if the DNS was seen in time."""
    if seen_later(evidence, observed_at):
        return Ruling(Outcome.INDETERMINATE, Finding.of("observed-later", what=what), word)
    return Ruling(Outcome.FAIL, finding, word)


def open_question(obstacle: CouldNotLook | str | None, word: str | None = None) -> Ruling:
    """Nobody could say."""
    what = f"{obstacle.question}: {obstacle.obstacle}" if isinstance(obstacle, CouldNotLook) else obstacle
    return Ruling(Outcome.INDETERMINATE, Finding.of("could-not-look", what=what), word)


def undecided(signature: "DkimSignature", word: str | None = None) -> Ruling:
    """A signature that may verify elsewhere."""
    from deliverability.protocols.dkim import Reason

    if signature.reason is Reason.KEY_SEVERAL and signature.key:
        finding = Finding.of("several-keys", name=signature.key.name)
        return Ruling(Outcome.INDETERMINATE, finding, word)
    return open_question(signature.problem, word)


def words(finding: Finding, texts: Mapping[str, str]) -> Mapping[str, str]:
    """A finding's texts; where the DNS was not asked at all, none that advises to ask it again."""
    what = finding.parameters.get("what", "") if texts is COULD_NOT_LOOK else ""
    return _NOT_ASKED if what == Obstacle.OFFLINE or what.endswith(f": {Obstacle.OFFLINE}") else texts


def need(code: str) -> Ruling:
    """Something is missing that the reader may be able to give."""
    return Ruling(Outcome.INDETERMINATE, Finding.of(code))


def unreadable(evidence: Evidence) -> Ruling | None:
    """Why the message that was given cannot be judged: it is none, or exceeds the bounds; ``None`` if it can."""
    if evidence.mail is None:
        return None
    from deliverability.protocols.mail import parse_mail

    try:
        parse_mail(evidence.mail.content)
    except ParseError as problem:
        return Ruling(Outcome.INDETERMINATE, Finding.of("unreadable-message", problem=problem))
    return None


def judged_at(evidence: Evidence) -> datetime:
    """The time as of which a message is judged: its dispatch, else now."""
    return evidence.dispatched_at or evidence.assessed_at


def mail_from_domain(evidence: Evidence) -> Domain | None:
    """The domain of the MAIL FROM identity, that of HELO if the reverse-path is null (RFC 7208 §2.4)."""
    if evidence.reverse_path is None:
        return None
    path = evidence.reverse_path.value.strip().removeprefix("<").removesuffix(">")
    text = path.rpartition("@")[2] if path else evidence.helo.value if evidence.helo else ""
    try:
        return Domain.parse(text) if text else None
    except ParseError:
        return None


def _by_hand(evidence: Evidence) -> bool:
    return evidence.client_ip is not None and evidence.client_ip.origin is Origin.OPTION


def _is_mx(attempt: Attempt, evidence: Evidence) -> mx.MxMatch:
    domain = recipient_domain(evidence)
    if domain is None or attempt.relay is None:
        return mx.MxMatch(mx.MxKind.NO_MATCH)
    return mx.match(attempt.relay, domain, evidence.observations)


def _mail(evidence: Evidence) -> "Mail | None":
    if evidence.mail is None:
        return None
    from deliverability.protocols.mail import parse_mail

    try:
        return parse_mail(evidence.mail.content)
    except ParseError:
        return None


def _handled_at(evidence: Evidence) -> datetime | None:
    """The date of a message whose header shows that a server has had it; a draft has not been dispatched yet."""
    mail = _mail(evidence)
    return mail.date if mail and any(field.name.lower() in _TRACE for field in mail.fields) else None
