"""Queue entries → chains: the entries that lines prove to be one message.

A requeue names the old id; a reply names the next queue's id and the Message-IDs agree.  One Message-ID in two
entries is not enough: two messages with one Message-ID stay two.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from deliverability.correlate.entries import Entry, EntryKey
from deliverability.evidence.event import DeliveryEvent, Result, Transport
from deliverability.evidence.story import Tie

HANDOVER_WINDOW = timedelta(minutes=10)  # between a reply that names a queue id and that queue's own line
CLOCK_SLACK = timedelta(seconds=10)  # between two hosts
_LAST = "9999"  # sorts after every time


@dataclass(slots=True)
class Chain:
    """The entries of one message, in order of arrival, and what ties each to one before."""

    entries: list[Entry]
    ties: dict[EntryKey, Tie] = field(default_factory=dict)
    followed: dict[int, Entry] = field(default_factory=dict)
    """By ``id()`` of the event that handed the message on: the entry it led to."""


class _Union:
    """Chains that grow together as ties between their entries are found."""

    def __init__(self, entries: list[Entry]) -> None:
        self._chain_of = {e.key: Chain([e], {e.key: Tie.FIRST}) for e in entries}

    def join(self, earlier: Entry, later: Entry, tie: Tie) -> Chain:
        """Make one chain of the two that these entries belong to."""
        first, second = self._chain_of[earlier.key], self._chain_of[later.key]
        if first is not second:
            first.entries += second.entries
            first.ties |= second.ties
            first.followed |= second.followed
            self._chain_of.update({entry.key: first for entry in second.entries})
        first.ties[later.key] = tie
        return first

    def chains(self) -> list[Chain]:
        """Every chain once, its entries in order of arrival."""
        unique = list({id(chain): chain for chain in self._chain_of.values()}.values())
        for chain in unique:
            chain.entries.sort(key=lambda e: (_instant(e) or _LAST, e.events[0].line.place))
        return unique


def chains(entries: list[Entry]) -> list[Chain]:
    """Join the entries that lines tie together."""
    by_id: dict[str, list[Entry]] = {}
    for entry in entries:
        by_id.setdefault(entry.queue_id, []).append(entry)
    union = _Union(entries)
    for entry in entries:
        old = _predecessor(entry, by_id.get(entry.requeued_from or "", []))
        if old:
            union.join(old, entry, Tie.REQUEUED)
        for event in entry.events:
            following = _following(entry, event, by_id)
            if following:
                union.join(entry, following, Tie.QUEUED_AS).followed[id(event)] = following
    return union.chains()


def _instant(entry: Entry) -> str | None:
    at = entry.arrived or entry.events[0].at
    return at.instant.isoformat() if at.instant else None


def _predecessor(entry: Entry, candidates: list[Entry]) -> Entry | None:
    same_log = [c for c in candidates if c.log == entry.log and c is not entry]
    return same_log[-1] if same_log else None


def _following(entry: Entry, event: DeliveryEvent, by_id: dict[str, list[Entry]]) -> Entry | None:
    """The entry that a reply's queue id leads to: only with the same Message-ID, and at the same time."""
    if event.result is not Result.SENT or not event.remote_queue_id:
        return None
    for candidate in by_id.get(event.remote_queue_id, []):
        if candidate is entry or not candidate.arrived:
            continue
        if event.transport is Transport.FORWARD and candidate.log == entry.log:
            return candidate  # our own MTA names its own new entry
        if not entry.message_id or candidate.message_id != entry.message_id:
            continue
        then, now = candidate.arrived.instant, event.at.instant
        if then and now and -HANDOVER_WINDOW <= then - now <= CLOCK_SLACK:
            return candidate
    return None
