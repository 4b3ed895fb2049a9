"""Events of one queue id on one host → one queue entry.

Ids are scoped by log source (and by host, for ids that are reused): the same text in two logs is two ids.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from deliverability.evidence.event import Action, DeliveryEvent, LogTime, Relation, Session
from deliverability.evidence.exhibit import LogLine
from deliverability.protocols import idclock

EntryKey = tuple[str, str, str, int]
"""Log source, host (for reusable ids), queue id, epoch."""


@dataclass(slots=True)
class Entry:
    """What the lines of one queue id say; filled line by line, read-only afterwards."""

    key: EntryKey
    events: list[DeliveryEvent] = field(default_factory=list)
    arrived: LogTime | None = None
    session: Session | None = None
    message_id: str | None = None
    subject: str | None = None
    reverse_path: str | None = None
    size: int | None = None
    recipients: tuple[str, ...] = ()
    recipient_count: int | None = None
    requeued_from: str | None = None
    notice_for: str | None = None
    notices: list[str] = field(default_factory=list)
    ended: bool = False
    cancelled: bool = False
    held: bool = False

    @property
    def queue_id(self) -> str:
        """The id as the MTA writes it."""
        return self.key[2]

    @property
    def log(self) -> str:
        """The log source."""
        return self.key[0]

    def take(self, event: DeliveryEvent) -> None:
        """Add one line of this id."""
        self.events.append(event)
        match event.action:
            case Action.ARRIVED:
                self.arrived = self.arrived or event.at
                self.session = self.session or event.session
            case Action.HELD:
                self.held = True
            case Action.RELEASED:
                self.held = False
            case Action.REMOVED:
                self.ended = True
            case Action.CANCELLED:
                self.cancelled = self.cancelled or event.recipient is None
            case _:
                pass
        self._describe(event)

    def _describe(self, event: DeliveryEvent) -> None:
        if event.action in (Action.ARRIVED, Action.DESCRIBED, Action.REJECTED, Action.HELD):
            self.message_id = self.message_id or event.message_id
            self.subject = self.subject if self.subject is not None else event.subject
            self.size = self.size if self.size is not None else event.size
            self.reverse_path = self.reverse_path if self.reverse_path is not None else event.reverse_path
            self.recipients += tuple(r for r in event.recipients if r not in self.recipients)
            self.recipient_count = event.recipient_count or self.recipient_count
        for relation, other in event.related:
            if relation is Relation.REQUEUED_FROM:
                self.requeued_from = other
            elif relation is Relation.NOTICE_FOR:
                self.notice_for = other
            elif other not in self.notices:
                self.notices.append(other)

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """The log lines of this entry, in order."""
        return tuple(e.line for e in self.events)


def gather(events: Iterable[DeliveryEvent]) -> list[Entry]:
    """Sort events with a queue id into entries; a reused id starts a new epoch."""
    epochs: dict[tuple[str, str, str], Entry] = {}
    entries: list[Entry] = []
    for event in events:
        if not event.queue_id:
            continue
        scope = (event.line.place.log, _host_scope(event), event.queue_id)
        entry = epochs.get(scope)
        if entry is None or _is_reuse(entry, event):
            entry = Entry((*scope, entry.key[3] + 1 if entry else 0))
            epochs[scope] = entry
            entries.append(entry)
        if not _is_repeated(entry, event):
            entry.take(event)
    return entries


def _host_scope(event: DeliveryEvent) -> str:
    """Ids that carry a full clock do not repeat; short Postfix ids are inode numbers of one host."""
    queue_id = event.queue_id or ""
    if idclock.postfix_long(queue_id) or idclock.exim(queue_id):
        return ""
    return event.host or ""


def _is_reuse(entry: Entry, event: DeliveryEvent) -> bool:
    return event.action is Action.ARRIVED and entry.arrived is not None and not _same_second(entry.arrived, event.at)


def _is_repeated(entry: Entry, event: DeliveryEvent) -> bool:
    """The same thing said by another copy of the log (mainlog and syslog given together)."""
    return any(
        other.line.place.file != event.line.place.file
        and _same_second(other.at, event.at)
        and (other.action, other.recipient, other.result, other.text, other.message_id, other.subject)
        == (event.action, event.recipient, event.result, event.text, event.message_id, event.subject)
        for other in entry.events[-64:]
    )


def once(events: Iterable[DeliveryEvent]) -> list[DeliveryEvent]:
    """Events without a queue id, each told once though several copies of the log hold it (mainlog and rejectlog)."""
    kept: list[DeliveryEvent] = []
    for event in events:
        if not any(
            k.line.place.file != event.line.place.file
            and _same_second(k.at, event.at)
            and (k.recipient, k.reverse_path, k.text) == (event.recipient, event.reverse_path, event.text)
            for k in kept[-256:]
        ):
            kept.append(event)
    return kept


def _same_second(one: LogTime, other: LogTime) -> bool:
    if one.instant and other.instant:
        return abs((one.instant - other.instant).total_seconds()) <= 1
    return one.local == other.local


def session_events(events: Sequence[DeliveryEvent]) -> dict[int, list[DeliveryEvent]]:
    """For the index of each attempt: the session lines (TLS, failed connections) of its process before it.

    They carry no queue id; the process that wrote them handles one delivery at a time, so they belong to the
    attempt that it logs next.
    """
    waiting: dict[tuple[str, str, str], list[DeliveryEvent]] = {}
    latest: dict[tuple[str, str, str], tuple[str | None, list[DeliveryEvent]]] = {}
    tied: dict[int, list[DeliveryEvent]] = {}
    for index, event in enumerate(events):
        if not event.process:
            continue
        process = (event.line.place.log, event.host or "", event.process)
        if event.action in (Action.CONNECTED, Action.TROUBLE):
            waiting.setdefault(process, []).append(event)
        elif event.action is Action.ATTEMPTED:
            queue_id, shared = latest.get(process, (None, []))
            # One transaction has a line for each recipient: what was said of the session holds for all of them.
            found = waiting.pop(process, []) or (shared if queue_id == event.queue_id else [])
            latest[process] = (event.queue_id, found)
            tied[index] = found
    return tied
