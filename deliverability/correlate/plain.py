"""The commonest stories in brief: each a message for one recipient that the next server took at once.

Nearly every notice of a long list is one: a queue entry that nothing ties to another, with one attempt, which succeeded.
What :func:`~deliverability.correlate.tell` would say of it follows from a few facts about its lines.  Of anything else
nothing is said here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from deliverability.correlate.attempts import plain_attempt
from deliverability.correlate.entries import address_key
from deliverability.correlate.masks import is_run
from deliverability.correlate.states import Circumstances, judge
from deliverability.correlate.stories import Query
from deliverability.evidence.event import Action, DeliveryEvent, Result
from deliverability.evidence.story import Delivery

_offset = attrgetter("offset")
_ENDED = Circumstances(ended=True, cancelled=False)


@dataclass(frozen=True, slots=True)
class Brief:
    """What a table shows of one message to one recipient: no more of the story than its claim rests on."""

    message_id: str | None
    queue_ids: tuple[str, ...]
    arrived: datetime | None
    delivery: Delivery
    """Without its attempts but the decisive one, which is without its lines."""


class Fact(NamedTuple):
    """What a line says, as far as a plain story rests on it."""

    offset: int
    """Of the line."""
    action: Action
    queue_id: str
    host: str | None
    message_id: str | None
    instant: datetime
    attempt: DeliveryEvent | None = None
    """The event of a line that tells of an attempt."""


def facts_of(events: Iterable[DeliveryEvent]) -> list[Fact] | None:
    """The facts of events with their instants; ``None`` where one says something that no plain story has."""
    facts: list[Fact] = []
    file: tuple[str, str] | None = None
    for event in events:
        place, instant = event.line.place, event.at.instant
        if not event.queue_id or not instant or event.related or event.writer.startswith("dovecot"):
            return None
        if file is not None and file != (place.log, place.file):
            return None
        file = place.log, place.file
        attempt = event if event.action is Action.ATTEMPTED else None
        facts.append(Fact(place.offset, event.action, event.queue_id, event.host, event.message_id, instant, attempt))
    return facts


def tell_plainly(facts: Sequence[Fact], query: Query) -> tuple[Brief, ...] | None:
    """What :func:`~deliverability.correlate.tell` says of plain stories, in brief; ``None`` where one may be no such.

    ``facts`` are all that lines of one file say.  A query for more than a recipient, a Message-ID and a window is not
    answered.
    """
    if query.queue_id or query.remote_id or query.subject or query.sender or len(query.recipients) > 1:
        return None
    in_order = sorted(facts, key=_offset)
    if not in_order or _may_be_newest_first(in_order):
        return None
    told: list[Brief] = []
    for entry in _entries(in_order):
        brief = _brief(entry, query)
        if brief is None:
            return None
        told.append(brief)
    if len(told) > 1 and _may_be_tied(told):
        return None
    wanted = [brief for brief in told if _is_wanted(brief, query)]
    wanted.sort(key=lambda brief: (brief.arrived.isoformat() if brief.arrived else "", brief.queue_ids))
    return tuple(wanted)


def _may_be_newest_first(facts: Sequence[Fact]) -> bool:
    """Whether the file may begin with its newest line: time goes back in it, and it does not end later than it begins."""
    return facts[0].instant >= facts[-1].instant and any(
        later.instant < earlier.instant for earlier, later in pairwise(facts)
    )


def _entries(facts: Iterable[Fact]) -> Iterable[list[Fact]]:
    """The facts of each queue id."""
    entries: dict[str, list[Fact]] = {}
    for fact in facts:
        entries.setdefault(fact.queue_id, []).append(fact)
    return entries.values()


def _brief(entry: Sequence[Fact], query: Query) -> Brief | None:
    """One queue entry that came, was taken by the next server in one attempt, and ended."""
    first, last = entry[0], entry[-1]
    if first.action is not Action.ARRIVED or last.action is not Action.REMOVED or is_run(first.queue_id):
        return None
    attempted: DeliveryEvent | None = None
    message_id = first.message_id
    for fact in entry[1:-1]:
        if fact.attempt and not attempted:
            attempted = fact.attempt
        elif fact.action is Action.DESCRIBED and (fact.message_id is None or message_id in (None, fact.message_id)):
            message_id = message_id or fact.message_id
        else:
            return None
    if attempted is None or any(fact.host != first.host for fact in entry):
        return None
    if attempted.result is not Result.SENT or attempted.probe or attempted.original_recipient:
        return None
    return _of_attempt(attempted, first, message_id) if _is_asked(attempted.recipient, query) else None


def _of_attempt(attempted: DeliveryEvent, first: Fact, message_id: str | None) -> Brief:
    recipient = attempted.recipient or ""
    standing = judge((plain_attempt(attempted, first.queue_id, lines=()),), _ENDED)
    delivery = Delivery(recipient, (), standing.state, (), standing.decisive)
    return Brief(message_id, (first.queue_id,), first.instant, delivery)


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
