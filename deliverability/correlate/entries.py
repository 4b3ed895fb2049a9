"""Events of one queue id on one host → one queue entry.

Ids are scoped by log source (and by host, for ids that are reused): the same text in two logs is two ids.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby, pairwise

from deliverability.correlate.masks import Scope as MaskScope
from deliverability.correlate.masks import scope_of
from deliverability.errors import ParseError
from deliverability.evidence.event import Action, DeliveryEvent, LogTime, Relation, Result, Session
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.names import Mailbox
from deliverability.protocols import idclock

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)

MIN_BACK = 2  # steps back in time that a file needs to be taken for one with its newest line first
_GUID = re.compile(r"(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32})\Z")

NAMELESS = "\0"
"""Begins the key of what has no id: a delivery that Dovecot's LDA before 2.3 logged, known by user and Message-ID."""

EntryKey = tuple[str, str, str, int]
"""Log source, host (for reusable ids), queue id, epoch."""


AddressKey = tuple[str, str]


@lru_cache(maxsize=8192)  # each line of a message names the same few
def address_key(address: str | None) -> AddressKey:
    """The comparable form of an address as logged; a bare local part, or what no address is, stands for itself."""
    try:
        return Mailbox.parse(address or "").key
    except ParseError:
        return ((address or "").casefold(), "")


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
    def shown_id(self) -> str | None:
        """The id for a reader; ``None`` where the lines name none."""
        return None if self.is_nameless else self.queue_id

    @property
    def is_nameless(self) -> bool:
        """Whether its lines name no id."""
        return self.queue_id.startswith(NAMELESS)

    @property
    def log(self) -> str:
        """The log source."""
        return self.key[0]

    @property
    def host(self) -> str | None:
        """The host whose queue it is, where the log says so."""
        return next((e.host for e in self.events if e.host), None)

    @property
    def began(self) -> datetime | None:
        """When it came to be, or the first that is known of it."""
        return (self.arrived or self.events[0].at).instant

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
        if self.is_nameless:
            self.message_id = event.message_id
        if event.action in (Action.ARRIVED, Action.DESCRIBED, Action.REJECTED, Action.HELD, Action.CANCELLED):
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
    def is_store(self) -> bool:
        """Whether it is a session of a mail store, not a stay in a queue."""
        return self.events[0].writer.startswith("dovecot")

    @property
    def kept_nothing(self) -> bool:
        """Whether every attempt in it failed."""
        tried = [e for e in self.events if e.action is Action.ATTEMPTED]
        return bool(tried) and all(e.result is not Result.SENT for e in tried)

    def known_as(self, recipient: str | None) -> None:
        """A store may know an address by another name (without its detail): the sender's name is this one."""
        mine = address_key(recipient)
        self.events = [
            replace(e, original_recipient=recipient) if e.recipient and address_key(e.recipient) != mine else e
            for e in self.events
        ]

    def told_elsewhere(self) -> None:
        """Its attempts are told by the queue that made them: what it says of them is only detail."""
        self.events = [replace(e, action=Action.TROUBLE) if e.action is Action.ATTEMPTED else e for e in self.events]

    def may_hold(self, recipient: str | None) -> bool:
        """Whether this entry can have that recipient: it names it, or has not named them all."""
        tried = {address_key(a) for e in self.events for a in (e.recipient, e.original_recipient) if a}
        listed = {address_key(r) for r in self.recipients}
        if address_key(recipient) in tried | listed:
            return True
        if any(e.action is Action.ARRIVED and e.recipients for e in self.events):
            return False
        return self.recipient_count is None or len(tried) < self.recipient_count

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """The log lines of this entry, in order."""
        return tuple(e.line for e in self.events)


def gather(events: Iterable[DeliveryEvent], shared: Collection[MaskScope] = ()) -> list[Entry]:
    """Sort events, in the order of :func:`in_order`, into entries; a reused id starts a new epoch.

    Each event of an id in ``shared``, which stands for several messages, is an entry by itself.
    """
    events = [event for event in map(_keyed, events) if event.queue_id]
    hosts = _hosts_of(events)
    epochs: dict[tuple[str, str, str], Entry] = {}
    seen: dict[EntryKey, _Said] = {}
    entries: list[Entry] = []
    for event in _remarks_last(events, hosts):
        lasting = _is_lasting(event.queue_id or "")
        scope = _scope(event, hosts)
        entry = epochs.get(scope)
        alone = bool(shared) and scope_of(event) in shared
        if entry and not alone and seen[entry.key].is_repeated(event):
            continue
        if entry is None or alone or (not lasting and event.action not in REMARKS and _is_reuse(entry, event)):
            entry = Entry((*scope, entry.key[3] + 1 if entry else 0))
            epochs[scope] = entry
            seen[entry.key] = _Said()
            seen[entry.key].is_repeated(event)
            entries.append(entry)
        entry.take(event)
    return entries


def _keyed(event: DeliveryEvent) -> DeliveryEvent:
    """A store's word without an id, under a key of its own: one user's copy of one Message-ID."""
    if event.queue_id or not event.message_id or not event.writer.startswith("dovecot/"):
        return event
    return replace(event, queue_id=f"{NAMELESS}{event.recipient}{NAMELESS}{event.message_id}")


REMARKS = frozenset({Action.FILTERED, Action.SIGNED})
"""What a filter or signer says of a queue entry, also after its end: it makes no entry of its own."""

Scope = tuple[str, str, str]
Hosts = dict[tuple[str, str], set[str]]


def _hosts_of(events: Iterable[DeliveryEvent]) -> Hosts:
    """By log and id: the hosts whose queue it is, as far as lines name them."""
    found: Hosts = {}
    for event in events:
        if event.host:
            found.setdefault((event.line.place.log, event.queue_id or ""), set()).add(event.host)
    return found


def _scope(event: DeliveryEvent, hosts: Hosts) -> Scope:
    log, queue_id = event.line.place.log, event.queue_id or ""
    if _is_lasting(queue_id):
        return (log, "", queue_id)
    named = hosts.get((log, queue_id), set())
    # A program with a log file of its own names no host; where one host alone has the id, it is that one's.
    host = event.host or (next(iter(named)) if len(named) == 1 else "")
    return (log, host, queue_id)


def _remarks_last(events: Sequence[DeliveryEvent], hosts: Hosts) -> list[DeliveryEvent]:
    """Remarks on an id before its first line of another kind are put behind that line; the rest stays in order."""
    if not any(event.action in REMARKS for event in events):
        return list(events)
    waiting: dict[Scope, list[DeliveryEvent]] = {}
    begun: set[Scope] = set()
    told: list[DeliveryEvent] = []
    for event in events:
        scope = _scope(event, hosts)
        if event.action in REMARKS and scope not in begun:
            waiting.setdefault(scope, []).append(event)
            continue
        told.append(event)
        if event.action not in REMARKS:
            begun.add(scope)
            told += waiting.pop(scope, ())
    return told + [event for remarks in waiting.values() for event in remarks]


def in_order(events: Iterable[DeliveryEvent]) -> list[DeliveryEvent]:
    """The events of each log source as they were written, whichever way round its files were given.

    Within a file the order of lines is kept: a clock may be set back.  An export that begins with its newest line is
    read from its end.  Across files the latest time so far decides.
    """
    by_file: dict[tuple[str, str], list[DeliveryEvent]] = {}
    for event in events:
        by_file.setdefault((event.line.place.log, event.line.place.file), []).append(event)
    files = []
    for found in by_file.values():
        # Of a file that several programs write, each format brings its own events.
        found.sort(key=lambda e: e.line.place.offset)
        files.append(list(_turned(found)) if _is_newest_first(found) else found)
    if len(files) == 1:
        return files[0]
    keyed = []
    for found in files:
        reached = _BEFORE_ALL
        for event in found:
            if event.at.instant and not event.at.contradicted:
                reached = max(reached, event.at.instant)
            keyed.append((reached, event))
    return [event for _, event in sorted(keyed, key=lambda pair: pair[0])]


def _is_newest_first(found: Sequence[DeliveryEvent]) -> bool:
    """Whether time only ever goes back, and more than once; a clock that is set back goes on from there."""
    times = [event.at.instant for event in found if event.at.instant]
    back = sum(later < earlier for earlier, later in pairwise(times))
    return back >= MIN_BACK and all(later <= earlier for earlier, later in pairwise(times))


def _turned(found: Sequence[DeliveryEvent]) -> Iterator[DeliveryEvent]:
    """From the last line to the first; what one line says of several recipients stays in its order."""
    for _, of_line in groupby(reversed(found), key=lambda event: event.line.place.offset):
        yield from reversed(list(of_line))


def with_holds(events: Iterable[DeliveryEvent]) -> list[DeliveryEvent]:
    """Give what a rule did with a message before it had an id the id that the same process logs next.

    A message that is thrown away has an id only if its data came; its rule speaks for it otherwise.
    """
    told: list[DeliveryEvent] = []
    waiting: dict[tuple[str, str | None, str], int] = {}
    for event in events:
        told.append(event)
        if not event.process or event.session is None:
            continue
        process = (event.line.place.log, event.host, event.process)
        if event.action in (Action.HELD, Action.CANCELLED) and not event.queue_id:
            waiting[process] = len(told) - 1
        elif event.action is Action.ARRIVED and (place := waiting.pop(process, None)) is not None:
            rule = told[place]
            same_client = rule.session is not None and rule.session.client == event.session.client
            if same_client and _same_second(rule.at, event.at):
                named = (rule.recipient,) if rule.recipient else ()
                told.append(replace(rule, queue_id=event.queue_id, recipient=None, recipients=named))
                told[place] = replace(rule, session=None, recipient=None)  # told under the id
    return told


@lru_cache(maxsize=1024)
def _is_lasting(queue_id: str) -> bool:
    """Ids that carry a full clock, or 122 random bits (RFC 9562), do not repeat; short Postfix ids are inode numbers."""
    return bool(idclock.postfix_long(queue_id) or idclock.exim(queue_id) or _GUID.match(queue_id))


def _is_reuse(entry: Entry, event: DeliveryEvent) -> bool:
    """Whether a short id came to name another message.

    Notices and forwarded mail have no line of arrival; what follows the end of an entry, or names another
    Message-ID, is another message too.
    """
    if entry.ended or event.action is Action.ARRIVED:
        return True
    described = event.action is Action.DESCRIBED and event.message_id is not None
    return described and entry.message_id is not None and entry.message_id != event.message_id


class _Said:
    """What an entry's lines said, to tell the same thing in another copy of the log (mainlog and syslog together)."""

    def __init__(self) -> None:
        self._said: dict[tuple[object, ...], dict[str, list[LogTime]]] = {}

    def is_repeated(self, event: DeliveryEvent) -> bool:
        """Whether another file said it already: as often as this file has by now, so that twice in one is twice."""
        by_file = self._said.setdefault(_saying(event), {})
        here = event.line.place.file
        by_file.setdefault(here, []).append(event.at)
        if len(by_file) == 1:
            return False  # one copy only, as almost always; thousands of equal deferrals stay linear
        said = {file: sum(_same_second(at, event.at) for at in times) for file, times in by_file.items()}
        return any(count >= said[here] for file, count in said.items() if file != here)


def _saying(event: DeliveryEvent) -> tuple[object, ...]:
    reply = event.reply.text if event.reply else None
    about = (event.message_id, event.subject, event.reverse_path)
    return (event.action, event.recipient, event.result, event.text, reply, *about)


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
