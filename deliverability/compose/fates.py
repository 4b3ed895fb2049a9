"""What one attempt counts as in a summary, and why it did not succeed: no more than its line shows."""

from dataclasses import dataclass

from deliverability.compose.own_words import why_own
from deliverability.compose.reason import why_answered
from deliverability.evidence.attempted import Said
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import ABOUT_US, Result, Transport
from deliverability.evidence.smtp import Reply
from deliverability.evidence.summary import Fate
from deliverability.protocols import grounds, hosts


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
    if said.transport in (Transport.DISCARD, Transport.REPLY) or said.thrown_away:
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
    if said.result is Result.REFUSED:
        return Fate.REFUSED
    if said.reply_code is not None and said.reply_code // 100 == 4:
        return Fate.EXPIRED  # given up on a reply that was meant to be tried again
    permanent = said.reply_code is not None and said.reply_code // 100 == 5 and said.stage not in ABOUT_US
    return Fate.REFUSED if permanent else Fate.FAILED


_CONNECTIONS = ("connect", "ehlo")


def _reason(said: Said, fate: Fate) -> str:
    if said.reply_code is None:
        return _own_reason(said, fate)
    # Of a reply the codes alone are kept; they tell less than its words, and the same of every reply that has them.
    if (said.enhanced_status_code or "").startswith("4.7."):
        return "policy"
    codes = " ".join(str(code) for code in (said.reply_code, said.enhanced_status_code) if code)
    return why_answered(Reply(said.reply_code, said.enhanced_status_code, codes), said.relay)


def _own_reason(said: Said, fate: Fate) -> str:
    """Why, where no other server answered."""
    if fate is Fate.UNKNOWN:
        return "connection"
    if fate is Fate.REFUSED:
        return "other"  # another server did, in words that the log does not hold
    found = why_own(said.words, (said.dsn_code or "") if said.relay is None else "")  # else it may be another's code
    if said.stage == "starttls" and found != "no-domain":
        return "tls"
    if found == "no-domain" and fate is Fate.DEFERRED:
        return "dns"  # no answer yet is not "there is none"
    return found if found != "other" else _by_stage(said, fate)


def _by_stage(said: Said, fate: Fate) -> str:
    """Why, where the words do not tell it, from how far it came."""
    if said.stage in _CONNECTIONS:
        return "connection"
    if fate is Fate.EXPIRED:
        return "retry-over"
    return "not-tried" if said.transport is Transport.NONE and fate is Fate.DEFERRED else "other"
