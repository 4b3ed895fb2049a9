"""What one attempt counts as in a summary, and why it did not succeed: no more than its line shows."""

from dataclasses import dataclass
from datetime import datetime

from deliverability.compose.reason import why_failed, why_refused
from deliverability.evidence.attempted import Said
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import LogTime, Result, Transport
from deliverability.evidence.smtp import Reply
from deliverability.evidence.story import Attempt
from deliverability.evidence.summary import Fate
from deliverability.protocols import grounds, hosts

_NEVER = LogTime("", datetime(2000, 1, 1), has_year=False, offset=None)  # noqa: DTZ001 - a time that nobody asks for


@dataclass(frozen=True, slots=True)
class Judged:
    """A saying, judged once for all lines that say it."""

    fate: Fate
    reason: str = ""
    code: str = ""
    own_code: bool = False


def judge(said: Said, own: Own) -> Judged | None:
    """The fate of an attempt that ended so; ``None`` for an address probe."""
    if said.result is None:
        return None
    if said.result is Result.SENT:
        return Judged(_sent(said, own))
    fate = _unsuccessful(said)
    code = said.enhanced_status_code or (str(said.reply_code) if said.reply_code else "")
    return Judged(fate, _reason(said, fate), code or said.dsn_code or "", own_code=not code and bool(said.dsn_code))


def _sent(said: Said, own: Own) -> Fate:
    if said.transport is Transport.DISCARD or said.thrown_away:
        return Fate.DISCARDED
    if said.transport is Transport.MAILBOX:
        return Fate.DELIVERED
    if said.transport is Transport.LMTP:  # per recipient, by the store itself (RFC 2033 §4.2), unless a filter answers
        return Fate.PASSED_ON if said.taken_on else Fate.DELIVERED
    if said.transport is not Transport.SMTP or said.relay is None or grounds.is_own(said.relay, own):
        return Fate.PASSED_ON
    vouched = own.routed_by_mx and not grounds.is_intermediary(said.relay, own) and not hosts.is_loopback(said.relay)
    return Fate.ACCEPTED if vouched else Fate.HANDED_OVER


def _unsuccessful(said: Said) -> Fate:
    if said.result is Result.DEFERRED:
        return Fate.DEFERRED
    if said.result is Result.UNCERTAIN:
        return Fate.UNKNOWN
    if said.result is Result.EXPIRED:
        return Fate.EXPIRED
    if said.reply_code is not None and said.reply_code // 100 == 4:
        return Fate.EXPIRED  # given up on a reply that was meant to be tried again
    return Fate.REFUSED if said.reply_code is not None and said.reply_code // 100 == 5 else Fate.FAILED


_CONNECTIONS = ("connect", "ehlo")


def _reason(said: Said, fate: Fate) -> str:
    # Of a reply the codes alone are kept; they tell less than its words, and the same of every reply that has them.
    codes = " ".join(str(code) for code in (said.reply_code, said.enhanced_status_code) if code)
    reply = Reply(said.reply_code, said.enhanced_status_code, codes) if said.reply_code else None
    if reply is None and said.transport is Transport.NONE and fate is Fate.DEFERRED:
        return "not-tried"
    attempt = Attempt(
        at=_NEVER,
        queue_id=None,
        log="",
        recipient="",
        result=said.result or Result.DEFERRED,
        transport=said.transport or Transport.NONE,
        relay=said.relay,
        reply=reply,
        tls=None,
        local_ip=None,
        remote_queue_id=None,
        stage=said.stage,
        route=None,
        text=said.words,
        lines=(),
    )
    if reply is not None:
        soft = reply.enhanced_status_code or ""
        return "policy" if soft.startswith("4.7.") else why_refused(attempt)
    failed = why_failed(attempt)
    if failed == "no-domain" and fate is Fate.DEFERRED:
        return "dns"  # no answer yet is not "there is none"
    if failed != "other":
        return failed
    if said.stage == "starttls":
        return "tls"
    return "connection" if said.stage in _CONNECTIONS or fate is Fate.UNKNOWN else "other"
