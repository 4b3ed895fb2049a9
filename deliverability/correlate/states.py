"""Attempts of one message to one address → how that story stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from deliverability.evidence.event import Result, Transport
from deliverability.evidence.story import Attempt, State
from deliverability.protocols.hosts import is_loopback, is_no_store
from deliverability.protocols.taken_on import by_router, kept, passes_on


class Standing(NamedTuple):
    """A state and the attempt that it rests on."""

    state: State
    decisive: Attempt | None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of the queue entries behind the attempts."""

    ended: bool
    """The last queue entry was closed by the MTA."""
    cancelled: bool
    """An operator deleted it, or marked the address as done."""
    marked: bool = False
    """Somebody, or a filter of ours, took this address out."""
    held: bool = False
    """On hold: nothing is tried until somebody releases it."""
    uncertain: Attempt | None = None
    """A connection that broke after the end of DATA and is not itself the end of an attempt."""
    withheld: bool = False
    """A filter of ours, or of the service that sends for us, judged this recipient's copy, and nothing tells what then
    became of it."""


# What ended in one of these needs no later line.
_FINAL = (Result.FAILED, Result.REFUSED, Result.EXPIRED)


def judge(attempts: Sequence[Attempt], around: Circumstances) -> Standing:
    """The state of one chain of attempts, in the order in which they were made.

    One 2yz settles it, whatever was tried around it, unless its own line cannot be true.  Without one, a connection that broke after the end of
    DATA leaves it open for good (RFC 1047): the message may have been accepted then.
    """
    attempts = _without_replies(attempts)
    if _is_reply(attempts) and not around.ended:
        attempts = ()  # what is to become of the message itself is not told yet
    told = _without_asides(attempts)
    last = (told or attempts)[-1] if attempts else None
    successes = [a for a in told if a.result is Result.SENT and not a.followed_to]
    believed = [a for a in successes if not a.at.contradicted]
    if believed:
        # A record may tell of steps on our own side as well: what went furthest is how it ended.
        success = max(believed, key=_how_far) if len(believed) > 1 else believed[0]
        if around.marked and success.relay and is_loopback(success.relay):
            return Standing(State.CANCELLED, success)  # a filter of ours took it, and says that it kept it
        return Standing(_of_success(success), success)
    if successes:
        return Standing(State.UNKNOWN, successes[0])  # its line contradicts its own id: the record is not whole
    uncertain = next((a for a in attempts if a.result is Result.UNCERTAIN), around.uncertain)
    if uncertain:
        return Standing(State.UNKNOWN, uncertain)
    if last and last.result in _FINAL:
        last = _with_the_reply(attempts, last)
        return Standing(_of_failure(last), last)
    return Standing(_unsettled(last, around), last)


RUN = 1
"""Seconds: within them Exim tries no address twice: the least time until another try is a queue runner's."""
_LOCAL = (Transport.PIPE, Transport.MAILBOX, Transport.LMTP, Transport.NONE)


def _is_reply(attempts: Sequence[Attempt]) -> bool:
    """Whether automatic replies are all that was made of the message."""
    return bool(attempts) and all(a.transport is Transport.REPLY and a.result is Result.SENT for a in attempts)


def _without_replies(attempts: Sequence[Attempt]) -> Sequence[Attempt]:
    """What was tried with the message itself, where that was tried at all."""
    return [a for a in attempts if a.transport is not Transport.REPLY] or attempts


def _without_asides(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Without what was done beside the delivery: the same address was tried elsewhere from the same queue entry.

    Exim's ``unseen`` routers make copies so, also into mailboxes, and Postfix's ``pipe`` hands a message to a filter that
    gives it back.  An address whose mail goes to another server has no mailbox in the same queue's hands.
    """
    elsewhere = _Elsewhere(attempts)
    kept: list[Attempt] = []
    failed, failed_elsewhere = False, set()
    for attempt in reversed(attempts):
        if attempt.result is not Result.SENT:
            failed = True
            if attempt.transport is Transport.SMTP or (
                attempt.transport is Transport.NONE and by_router(attempt.route)
            ):
                failed_elsewhere.add(attempt.queue_id)
        elif attempt.transport in _LOCAL and elsewhere.proves_copy(attempt):
            continue
        elif attempt.transport in (Transport.PIPE, Transport.NONE):
            if failed:
                continue
        elif attempt.transport in _LOCAL and attempt.queue_id in failed_elsewhere:
            continue
        kept.append(attempt)
    return kept[::-1]


class _Elsewhere:
    """What Exim's routers did with an address apart from a delivery on this machine."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        self._sent_on: set[str | None] = set()
        self._put_off: dict[tuple[str | None, int], set[str]] = {}
        for attempt in attempts:
            if not by_router(attempt.route) or attempt.transport not in (Transport.SMTP, Transport.NONE):
                continue
            if attempt.result is Result.SENT and attempt.transport is Transport.SMTP:
                self._sent_on.add(attempt.queue_id)
            elif attempt.result is Result.DEFERRED:
                when = attempt.queue_id, _second(attempt)
                self._put_off.setdefault(when, set()).add(_router(attempt))

    def proves_copy(self, attempt: Attempt) -> bool:
        """Whether another router sent the same address on, or took it in the same run and put it off."""
        if not by_router(attempt.route):
            return False
        second = _second(attempt)
        return attempt.queue_id in self._sent_on or any(
            self._put_off.get((attempt.queue_id, second - back), set()) - {_router(attempt)} for back in range(RUN + 1)
        )


def _second(attempt: Attempt) -> int:
    """Of the clock that its line shows."""
    local = attempt.at.local
    return local.toordinal() * 86_400 + local.hour * 3600 + local.minute * 60 + local.second


def _router(attempt: Attempt) -> str:
    return (attempt.route or "").split(" ", 1)[0]


def _with_the_reply(attempts: Sequence[Attempt], last: Attempt) -> Attempt:
    """The failure itself, where a record tells it twice: Exchange's ``FAIL`` row repeats what ``SEND`` was answered."""
    if last.result is not Result.FAILED or last.reply is not None:
        return last
    return next((a for a in reversed(attempts) if a.refused), last)


def _unsettled(last: Attempt | None, around: Circumstances) -> State:
    if around.cancelled:
        return State.CANCELLED
    if around.ended or (around.withheld and last is None):
        return State.UNKNOWN  # the MTA closed it, and the line that says why is missing
    waiting = last is not None and last.result is Result.DEFERRED and not around.held
    return State.DEFERRED if waiting else State.QUEUED


_BY_TRANSPORT = {
    Transport.MAILBOX: State.DELIVERED,
    Transport.LMTP: State.DELIVERED,  # per recipient, by the store itself (RFC 2033 §4.2)
    Transport.DISCARD: State.CANCELLED,
    Transport.REPLY: State.CANCELLED,  # and nothing else was done by the end of the message
    Transport.FORWARD: State.UNKNOWN,  # back in our own queue, under an id whose lines are missing
    Transport.NONE: State.UNKNOWN,
}


_FURTHEST = {State.DELIVERED: 2, State.HANDED_OVER: 1}


def _how_far(attempt: Attempt) -> tuple[int, bool]:
    """What it came to; of two hand-overs the one that left this machine, for a filter's log may begin too late."""
    return _FURTHEST.get(_of_success(attempt), 0), not (attempt.relay and is_loopback(attempt.relay))


def _of_success(attempt: Attempt) -> State:
    if not passes_on(attempt.transport, attempt.relay):
        return _BY_TRANSPORT.get(attempt.transport, State.HANDED_OVER)
    taken_on, thrown_away = kept(attempt.reply.text if attempt.reply else "")
    if thrown_away:
        return State.CANCELLED  # a filter of ours answered 2yz and kept nothing
    if attempt.transport is Transport.LMTP and (taken_on or is_no_store(attempt.relay)):
        return State.HANDED_OVER  # a filter that speaks LMTP: it put the message into another queue
    return _BY_TRANSPORT.get(attempt.transport, State.HANDED_OVER)


def _of_failure(attempt: Attempt) -> State:
    if attempt.result is Result.EXPIRED:
        return State.EXPIRED
    if attempt.refused:
        return State.REFUSED
    if attempt.reply and attempt.reply.transient:
        return State.EXPIRED  # given up on a reply that was meant to be tried again
    return State.FAILED


SEVERITY = (
    # Of several addresses behind one alias the state that needs attention most stands for all.
    State.UNKNOWN,
    State.REFUSED,
    State.FAILED,
    State.BOUNCED,
    State.EXPIRED,
    State.CANCELLED,
    State.DEFERRED,
    State.RECORDED,
    State.QUEUED,
    State.HANDED_OVER,
    State.ACCEPTED,
    State.DELIVERED,
)


def worst(states: Sequence[State]) -> State:
    """The state that stands for several."""
    return min(states, key=SEVERITY.index, default=State.NOT_FOUND)
