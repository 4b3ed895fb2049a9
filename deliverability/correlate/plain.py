"""The commonest stories in brief: each a message for one recipient that the next server took at once.

Nearly every notice of a long list is one: a queue entry that nothing ties to another, with one attempt, which succeeded.
What :func:`~deliverability.correlate.tell` would say of it follows from a few of its events.  Of anything else nothing
is said here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from deliverability.correlate.attempts import plain_attempt
from deliverability.correlate.entries import NAMELESS, address_key
from deliverability.correlate.states import Circumstances, judge
from deliverability.correlate.stories import Query
from deliverability.evidence.event import Action, DeliveryEvent, Result
from deliverability.evidence.story import Delivery

_ENDED = Circumstances(ended=True, cancelled=False)


@dataclass(frozen=True, slots=True)
class Brief:
    """What a table shows of one message to one recipient: no more of the story than its claim rests on."""

    message_id: str | None
    queue_ids: tuple[str, ...]
    arrived: datetime | None
    delivery: Delivery
    """Without its attempts but the decisive one, which is without its lines."""


def tell_plainly(events: Sequence[DeliveryEvent], query: Query) -> tuple[Brief, ...] | None:
    """What :func:`~deliverability.correlate.tell` says of plain stories, in brief; ``None`` where one may be no such.

    ``events`` have their instants.  A query for more than one recipient, a Message-ID and a window is not answered.
    """
    if query.queue_id or query.remote_id or query.subject or query.sender or len(query.recipients) > 1:
        return None
    entries = _entries(events)
    if entries is None:
        return None
    briefs = [_brief(entry, query) for entry in entries.values()]
    told = [brief for brief in briefs if brief is not None]
    if len(told) < len(briefs) or (len(told) > 1 and _may_be_tied(told)):
        return None
    wanted = [brief for brief in told if _is_wanted(brief, query)]
    wanted.sort(key=lambda brief: (brief.arrived.isoformat() if brief.arrived else "", brief.queue_ids))
    return tuple(wanted)


def _entries(events: Sequence[DeliveryEvent]) -> dict[str, list[DeliveryEvent]] | None:
    """The events of each queue id, where all are of one file, whose lines are in order."""
    entries: dict[str, list[DeliveryEvent]] = {}
    place = events[0].line.place
    offset = place.offset
    for event in events:
        here = event.line.place
        if not event.queue_id or here.offset < offset or (here.log, here.file) != (place.log, place.file):
            return None
        offset = here.offset
        entries.setdefault(event.queue_id, []).append(event)
    first, last = events[0].at.instant, events[-1].at.instant
    # Of a file whose newest line comes first, the last event is none that is later than the first.
    return entries if first and last and first < last else None


def _brief(entry: Sequence[DeliveryEvent], query: Query) -> Brief | None:
    """One queue entry that came, was taken by the next server in one attempt, and ended."""
    first, last = entry[0], entry[-1]
    if first.action is not Action.ARRIVED or last.action is not Action.REMOVED or first.writer.startswith("dovecot"):
        return None
    attempted: DeliveryEvent | None = None
    message_id: str | None = first.message_id
    for event in entry:
        if event.related or event.host != first.host:
            return None
        if event.action is Action.ATTEMPTED:
            if attempted:
                return None
            attempted = event
        elif event.action is Action.DESCRIBED:
            if message_id and event.message_id and event.message_id != message_id:
                return None
            message_id = message_id or event.message_id
        elif event is not first and event is not last:
            return None
    if attempted is None or attempted.result is not Result.SENT or attempted.probe or attempted.original_recipient:
        return None
    return _of_attempt(attempted, first, message_id) if _is_asked(attempted.recipient, query) else None


def _of_attempt(attempted: DeliveryEvent, first: DeliveryEvent, message_id: str | None) -> Brief | None:
    queue_id, recipient = attempted.queue_id or "", attempted.recipient or ""
    if queue_id.startswith(NAMELESS) or not first.at.instant:
        return None
    standing = judge((plain_attempt(attempted, queue_id, brief=True),), _ENDED)
    delivery = Delivery(recipient, (), standing.state, (), standing.decisive)
    return Brief(message_id, (queue_id,), first.at.instant, delivery)


def _is_asked(recipient: str | None, query: Query) -> bool:
    """Whether it is an address in its plain form, and the one that was asked about."""
    key = address_key(recipient)
    return bool(recipient and recipient.isascii() and key[1]) and all(asked.key == key for asked in query.recipients)


def _may_be_tied(told: Sequence[Brief]) -> bool:
    """Whether one of them may have led to another, or be the same mail once more."""
    ids = {queue_id for brief in told for queue_id in brief.queue_ids}
    mails = [brief.message_id for brief in told if brief.message_id]
    led_to = (brief.delivery.decisive.remote_queue_id for brief in told if brief.delivery.decisive)
    return len(set(mails)) < len(mails) or not ids.isdisjoint(led_to)


def _is_wanted(brief: Brief, query: Query) -> bool:
    """As :meth:`Query.wants`."""
    when = brief.arrived
    return (
        (query.message_id is None or brief.message_id == query.message_id.strip("<> "))
        and (query.since is None or when is None or when >= query.since)
        and (query.until is None or when is None or when <= query.until)
    )
