"""The page that a mailer's records make, through the same assessment as the logs', with later logs joined to it.

What joins: a log has to show the queue id that the accepting reply named, under the same Message-ID, or, where no reply
was heard, the same Message-ID, sender and recipient, taken in at that time.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from deliverability.api.observe import Observe, settle
from deliverability.api.receipt_story import from_records, own_of
from deliverability.api.receipts import Receipt, utc_now
from deliverability.api.reporting import ReportResult, assess_all
from deliverability.api.requests import Pick, Reader, Request
from deliverability.api.tracing import Told, TraceResult, read_logs
from deliverability.assess import claim_of
from deliverability.correlate.entries import address_key
from deliverability.errors import UsageError
from deliverability.evidence.bundle import Assessment, Claim, Evidence, Subject
from deliverability.evidence.event import Result
from deliverability.evidence.observation import Observations, Question, Unobserved
from deliverability.evidence.recorder import Intent, Later, Outcome, Record, Snapshot
from deliverability.evidence.story import Coverage, Delivery, Message, Trace
from deliverability.protocols.smtp_session_mail import with_crlf, without_blind_copies

TAKEN_IN: Final = timedelta(hours=1)
"""Between our handing over and the arrival in a log, where no queue id ties them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What page is wanted."""

    lang: str | None = None
    form: str = "text"
    recipient: str | None = None
    message: bytes | None = None
    snapshot: Snapshot | None = None
    later: tuple[Later, ...] = ()
    edition: str = "customer"


async def report_async(receipt: Receipt, asked: Asked, request: Request | None = None) -> bytes:
    """The page for one recipient; see :meth:`Receipt.report`."""
    from deliverability.api.rendering import render

    request = request or Request()
    intent = _one(receipt, asked.recipient)
    records: list[Record] = [intent, *receipt.outcomes, *asked.later]
    if asked.snapshot:
        records.append(asked.snapshot)
    request = replace(request, observations=receipt.observed(tuple(request.observations)), mail=asked.message)
    assessment, _ = await assess_records(records, request)
    return render(assessment, Reader(lang=asked.lang, edition=asked.edition), asked.form, request)


def _one(receipt: Receipt, recipient: str | None) -> Intent:
    fitting = [i for i in receipt.intents if recipient is None or i.forward_path == recipient]
    if len(fitting) != 1:
        raise UsageError(f"the receipt is about {len(receipt.intents)} recipients: name one with recipient=")
    return fitting[0]


async def assess_records(records: Sequence[Record], request: Request) -> tuple[Assessment, TraceResult]:
    """The assessment of one dispatch, from its records, and from the request's logs where it names some."""
    from deliverability.api import _observer

    intent = next((r for r in records if isinstance(r, Intent)), None)
    if intent is None:
        raise UsageError("these records have no intent: nothing tells what was sent, and to whom")
    request = _with_same_message(intent, request)
    outcomes = [r for r in records if isinstance(r, Outcome)]
    told = from_records(intent, outcomes, [r for r in records if isinstance(r, Later)])
    seen = [o for r in records if isinstance(r, Snapshot) for o in r.observations]
    now = request.now or utc_now()
    observations = request.observations.joined(seen)  # type: ignore[arg-type]  # as the record's docstring says
    configuration = replace(request.configuration, intermediaries=own_of(intent, outcomes, request).intermediaries)
    request = replace(request, now=now, observations=observations, configuration=configuration, pick=Pick.ALL)
    message, coverage, notes = _with_logs(told, intent, outcomes, request)
    helo = next((o.helo for o in outcomes if o.helo and not o.helo.startswith("[")), None)
    if helo and request.helo is None and message is told:
        request = replace(request, helo=helo)
    trace = Trace((message,), coverage or Coverage(()), notes)
    observe = _observer(request)
    result = await _assessed(request, trace, observe, now)
    assessment = result.assessments[0]
    return (assessment if coverage else replace(assessment, coverage=None)), result.traced


async def _assessed(request: Request, trace: Trace, observe: Observe | None, now: datetime) -> ReportResult:
    message = trace.messages[0]
    base = Evidence(subject=Subject.DISPATCH, assessed_at=now, own=request.own(), message=message)

    def step(observations: Observations) -> Claim | frozenset[Question]:
        try:
            claim = claim_of(replace(base, delivery=message.deliveries[0], observations=observations))
        except Unobserved as wanted:
            return frozenset(wanted.questions)
        if claim is None:
            raise UsageError("a message without a delivery")
        return claim

    claim, observations = await settle(step, request.observations, observe, now)
    told = (Told(message, message.deliveries[0], claim),)
    return await assess_all(request, TraceResult(trace, told, observations, (), True, now), observe, now)


def _with_same_message(intent: Intent, request: Request) -> Request:
    """The request with the message as it was sent; raises :class:`UsageError` for another one."""
    if request.mail is None:
        return request
    for content in (request.mail, without_blind_copies(with_crlf(request.mail))):
        if hashlib.sha256(content).hexdigest() == intent.sha256:
            return replace(request, mail=content)
    raise UsageError("--message is another message than the one that was sent: its SHA-256 differs")


# --- later evidence ---------------------------------------------------------------------------------------------------


def _with_logs(
    told: Message, intent: Intent, outcomes: Sequence[Outcome], request: Request
) -> tuple[Message, Coverage | None, tuple[str, ...]]:
    """The story with what the logs of the next hop show of it; as it was, where nothing there is proven to be it."""
    if not (request.logs or request.configuration.logs) or intent.message_id is None:
        return told, None, ()
    trace, _ = read_logs(replace(request, message_id=intent.message_id, to=(intent.forward_path,), queue_id=None))
    found = [m for m in trace.messages if _is_same(m, intent, outcomes)]
    if len(found) != 1:
        why = (
            "none of the messages in the logs is shown to be it" if not found else "several messages in the logs fit it"
        )
        return told, trace.coverage, (*trace.notes, why)
    return _joined(told, found[0], intent), trace.coverage, trace.notes


def _is_same(message: Message, intent: Intent, outcomes: Sequence[Outcome]) -> bool:
    if message.message_id != intent.message_id or not _deliveries(message, intent):
        return False
    named = {o.remote_queue_id for o in outcomes if o.remote_queue_id}
    if named:
        return bool(named & set(message.queue_ids))
    arrived = message.arrived.instant if message.arrived else None
    same_path = (message.reverse_path or "").lower() == intent.reverse_path.lower()
    last = max([intent.at, *(o.at for o in outcomes)])
    return bool(arrived and same_path and intent.at - timedelta(minutes=2) <= arrived <= last + TAKEN_IN)


def _deliveries(message: Message, intent: Intent) -> list[Delivery]:
    return [d for d in message.deliveries if address_key(d.recipient) == address_key(intent.forward_path)]


def _joined(told: Message, found: Message, intent: Intent) -> Message:
    """Our attempts led into that queue; how it went on from there is the log's to say."""
    ours, theirs = told.deliveries[0], _deliveries(found, intent)[0]
    queue_id = found.queue_ids[0] if found.queue_ids else None
    led = (Result.SENT, Result.UNCERTAIN)
    handed = tuple(replace(a, followed_to=queue_id) if a.result in led else a for a in ours.attempts)
    delivery = replace(theirs, attempts=(*handed, *theirs.attempts))
    return replace(
        found,
        subject=told.subject or found.subject,
        reverse_path=told.reverse_path if found.reverse_path is None else found.reverse_path,
        stays=(*told.stays, *found.stays),
        deliveries=(delivery,),
        lines=(*told.lines, *found.lines),
        other_recipients=0,
        account=told.account,
    )
