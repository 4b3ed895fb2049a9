"""Records of a mailer → the story that logs would tell, and what may be claimed of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from deliverability.api.receipts import Receipt, utc_now
from deliverability.api.requests import Request
from deliverability.assess import claim_of
from deliverability.errors import UsageError
from deliverability.evidence.bundle import Claim, Evidence, Subject
from deliverability.evidence.event import LogTime, Result, TimeBasis, Transport
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.observation import Observation, Observations, Question, Unobserved
from deliverability.evidence.recorder import Finish, Hop, Intent, Later, Outcome, Record
from deliverability.evidence.story import Attempt, Delivery, Message, State, Stay, Tie
from deliverability.protocols.grounds import is_own
from deliverability.protocols.records import record_to_bytes, time_to_text

if TYPE_CHECKING:
    from deliverability.evidence.bundle import Own

LOG: Final = "mailer"
"""The name of the source, where log lines have that of a host."""

_RESULTS: Final = {
    Finish.ACCEPTED: Result.SENT,
    Finish.DEFERRED: Result.DEFERRED,
    Finish.REFUSED: Result.FAILED,
    Finish.FAILED: Result.FAILED,
    Finish.UNCERTAIN: Result.UNCERTAIN,
}
_STATES: Final = {
    Finish.ACCEPTED: State.HANDED_OVER,
    Finish.DEFERRED: State.DEFERRED,
    Finish.REFUSED: State.REFUSED,
    Finish.FAILED: State.FAILED,
    Finish.UNCERTAIN: State.UNKNOWN,
    Finish.UNKNOWN: State.UNKNOWN,
}


# --- records to a story -----------------------------------------------------------------------------------------------


def from_records(intent: Intent, outcomes: Sequence[Outcome] = (), later: Sequence[Later] = ()) -> Message:
    """The message to this one recipient, as a trace of logs would have it; its lines are the records themselves.

    The state is that of what went furthest, as with logs: a 2yz stands whatever was tried before or after it, and a
    bounce or a delivery that was told later changes it.  Without an outcome it is *unknown*.
    """
    mine = [o for o in outcomes if o.dispatch == intent.dispatch]
    after = [one for one in later if one.dispatch == intent.dispatch]
    records: list[Record] = [intent, *mine, *after]
    lines = tuple(_line(record, number) for number, record in enumerate(records, 1))
    arrived = _time(intent.at)
    attempts = tuple(_attempt(o, intent, line) for o, line in zip(mine, lines[1:], strict=False) if _tried(o))
    delivery = _with_later(_delivery(intent, mine, attempts), intent, after, lines[1 + len(mine) :])
    return Message(
        message_id=intent.message_id,
        subject=intent.subject,
        reverse_path=intent.reverse_path,
        size=intent.size,
        stays=(Stay(None, LOG, Tie.FIRST, arrived, ended=bool(mine)),),
        deliveries=(delivery,),
        lines=lines,
        account=intent.account if intent.account != intent.forward_path else None,
        by_mailer=True,
    )


def _delivery(intent: Intent, outcomes: Sequence[Outcome], attempts: tuple[Attempt, ...]) -> Delivery:
    order = (Finish.ACCEPTED, Finish.UNCERTAIN)
    finish, at = Finish.UNKNOWN, None
    if outcomes:
        strongest = next((o for kind in order for o in outcomes if o.finish is kind), outcomes[-1])
        finish = strongest.finish
        tried = [o for o in outcomes if _tried(o)]
        at = attempts[tried.index(strongest)] if strongest in tried else None
    return Delivery(intent.forward_path, (), _STATES[finish], attempts, at)


def _tried(outcome: Outcome) -> bool:
    return outcome.finish is not Finish.UNKNOWN


def _attempt(outcome: Outcome, intent: Intent, line: LogLine) -> Attempt:
    reached = outcome.relay is not None
    return Attempt(
        at=_time(outcome.at),
        queue_id=None,
        log=LOG,
        recipient=intent.forward_path,
        result=_RESULTS[outcome.finish],
        transport=Transport.SMTP if reached else Transport.NONE,
        relay=outcome.relay,
        reply=outcome.reply,
        tls=outcome.tls,
        local_ip=outcome.local_ip,
        remote_queue_id=outcome.remote_queue_id,
        stage=outcome.stage,
        route=None,
        text=outcome.detail,
        lines=(line,),
    )


def _with_later(delivery: Delivery, intent: Intent, later: Sequence[Later], lines: Sequence[LogLine]) -> Delivery:
    for one, line in zip(later, lines, strict=True):
        attempt = _later_attempt(one, intent, line)
        attempts = (*delivery.attempts, attempt)
        if one.finish in (Finish.REFUSED, Finish.FAILED):
            taken = delivery.state in (State.HANDED_OVER, State.ACCEPTED, State.UNKNOWN)
            state = State.BOUNCED if taken else delivery.state
            delivery = replace(
                delivery, state=state, attempts=attempts, decisive=attempt if taken else delivery.decisive
            )
        elif one.level in ("delivered", "displayed"):
            # That it was displayed is an MDN's word; of the ladder it shows delivery for sure.
            delivery = replace(delivery, state=State.DELIVERED, attempts=attempts, decisive=attempt)
        elif one.level == "accepted" and delivery.state in (State.HANDED_OVER, State.UNKNOWN):
            delivery = replace(delivery, state=State.HANDED_OVER, attempts=attempts, decisive=attempt)
        else:
            delivery = replace(delivery, attempts=attempts)
    return delivery


def _later_attempt(one: Later, intent: Intent, line: LogLine) -> Attempt:
    result = _RESULTS.get(one.finish or Finish.ACCEPTED, Result.SENT)
    return Attempt(
        at=_time(one.at),
        queue_id=None,
        log=LOG,
        recipient=intent.forward_path,
        result=result,
        transport=Transport.SMTP if one.relay else Transport.NONE,
        relay=one.relay,
        reply=one.reply,
        tls=None,
        local_ip=None,
        remote_queue_id=None,
        stage=None,
        route=None,
        text=one.detail or one.kind,
        lines=(line,),
        witness=one.witness,
    )


def _line(record: Record, number: int) -> LogLine:
    return LogLine(Place(LOG, record.dispatch, number, 0), record_to_bytes(record))


def _time(at: datetime) -> LogTime:
    return LogTime(
        logged=time_to_text(at),
        local=at.replace(tzinfo=None),
        has_year=True,
        offset=timedelta(0),
        instant=at,
        year_from=TimeBasis.LOGGED,
        zone_from=TimeBasis.LOGGED,
    )


# --- claims -----------------------------------------------------------------------------------------------------------


def claims(receipt: Receipt, request: Request | None = None) -> tuple[Claim, ...]:
    """What may be claimed of each recipient, from the receipt alone; what it lacks stays open."""
    observations = receipt.observed()
    return tuple(_claim(intent, receipt, observations, request or Request()) for intent in receipt.intents)


def _claim(intent: Intent, receipt: Receipt, observations: Observations, request: Request) -> Claim:
    message = from_records(intent, receipt.outcomes)
    evidence = Evidence(
        subject=Subject.DISPATCH,
        assessed_at=request.now or utc_now(),
        own=own_of(intent, receipt.outcomes, request),
        message=message,
        delivery=message.deliveries[0],
    )
    while True:
        try:
            claim = claim_of(replace(evidence, observations=observations))
        except Unobserved as missing:
            observations = observations.joined(_not_on_record(missing.questions, evidence.assessed_at))
        else:
            if claim is None:
                raise UsageError("a receipt without a delivery")  # cannot be: from_records makes one
            return claim


def _not_on_record(questions: Sequence[Question], now: datetime) -> list[Observation]:
    from deliverability.evidence.observation import CouldNotLook, Obstacle

    return [CouldNotLook(q, Obstacle.OFFLINE, "not on the receipt", "", now) for q in questions]


def own_of(intent: Intent, outcomes: Sequence[Outcome], request: Request) -> "Own":
    """Our own side: a relay that the mailer was told to use stands between us and the recipient (DESIGN §4.8)."""
    own = request.own()
    if intent.hop is not Hop.RELAY:
        return own
    relays = {o.relay for o in outcomes if o.dispatch == intent.dispatch and o.relay}
    named = {(r.name or r.ip or "").lower() for r in relays if not is_own(r, own)} - {""}
    return replace(own, intermediaries=own.intermediaries | named)
