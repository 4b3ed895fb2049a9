"""Queue entries → chains: the entries that lines prove to be one message.

A requeue names the old id; a reply names the next queue's id, the Message-IDs agree, and the queue that took the
message in names the host that handed it over; OpenSMTPD logs no Message-ID, so sender and recipient have to agree
instead.  Where a reply names no id, size, recipient and time must agree as well, and fit one entry alone.  One
Message-ID in two entries is not enough: two messages with one Message-ID stay two.  A reply alone is not enough either:
it is another server's text, and whoever runs that server may have read the id in a message of his own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deliverability.correlate.entries import AddressKey, Entry, EntryKey, address_key
from deliverability.correlate.hosts import Near
from deliverability.correlate.masks import is_run
from deliverability.evidence.event import Action, DeliveryEvent, Result, Transport
from deliverability.evidence.smtp import Host
from deliverability.evidence.story import Tie
from deliverability.protocols.hosts import is_loopback

HANDOVER_WINDOW = timedelta(minutes=10)  # between a queue's own first line and the reply that names it
CLOCK_SLACK = timedelta(seconds=10)  # between two hosts
MAX_NAMESAKES = 64  # entries with one Message-ID; where there are more, none is told from another by it
MAX_GROWTH = 8192  # octets that a hop may add: Received, and what filters and signers put on top
_LAST = "9999"  # sorts after every time

_NAMELESS_WRITERS = frozenset({"opensmtpd"})
"""Writers whose lines never hold a Message-ID."""

Claims = dict[int, tuple[DeliveryEvent, Entry, Entry]]
"""By ``id()`` of the event that handed a message on: it, its own entry, and the entry that it seems to lead to."""


@dataclass(slots=True)
class Chain:
    """The entries of one message, in order of arrival, and what ties each to one before."""

    entries: list[Entry]
    ties: dict[EntryKey, Tie] = field(default_factory=dict)
    followed: dict[int, Entry] = field(default_factory=dict)
    """By ``id()`` of the event that handed the message on: the entry it led to."""
    originals: dict[int, str] = field(default_factory=dict)
    """By ``id()`` of an attempt: the address that aliases led from, which only the hop before saw, or another line."""
    untried: dict[AddressKey, list[str]] = field(default_factory=dict)
    """By list: those of its members that lines name, and none tells an attempt of."""
    through: dict[AddressKey, set[AddressKey]] = field(default_factory=dict)
    """By address in the middle of a row of aliases: the ones that were tried behind it."""

    def remember_originals(self) -> None:
        """Fill :attr:`originals`, from each entry to the one that it led to."""
        self.untried.clear()
        named: dict[tuple[EntryKey, AddressKey], str] = {}
        first: dict[tuple[EntryKey, AddressKey], str] = {}
        for entry in self.entries:
            led_from = _led_from(entry, self)
            for event in entry.events:
                if event.action is not Action.ATTEMPTED or event.recipient is None:
                    continue
                key = address_key(event.recipient)
                original = event.original_recipient or named.get((entry.key, key)) or led_from.get(key)
                original = original or _whole(event, entry)
                if original is None:
                    continue
                if event.writer == "exim" and key[1]:
                    # It delivers to an address once, and names one alias of several now and another then.
                    original = first.setdefault((entry.key, key), original)
                self.originals[id(event)] = original
                if id(event) in self.followed:
                    named.setdefault((self.followed[id(event)].key, key), original)

    def original(self, event: DeliveryEvent) -> str:
        """The address that the sender wrote to, as far as lines show it."""
        return self.originals.get(id(event)) or event.original_recipient or event.recipient or ""

    @property
    def began(self) -> datetime | None:
        """When the first of its entries came to be, or the first that is known of it."""
        return min((e.began for e in self.entries if e.began), default=None)


def _whole(event: DeliveryEvent, entry: Entry) -> str | None:
    """The address of which Exim's line has only the local part: the one recipient of the message that begins with it.

    Exim always adds the address, in angle brackets; a page that the log came over may have lost them.
    """
    local, domain = address_key(event.recipient)
    if domain or event.writer != "exim":
        return None
    fit = [recipient for recipient in entry.recipients if address_key(recipient)[0].casefold() == local]
    return fit[0] if len(fit) == 1 and local else None


def _led_from(entry: Entry, chain: Chain) -> dict[AddressKey, str]:
    """By address: the one that lines of their own say it came from, as Exchange's do (EXPAND, REDIRECT, RESOLVE).

    Which of the two is the old one they do not say: it is the one that was never tried.  Members of lists that were not
    tried either, and lists within lists, are noted in the chain.
    """
    said = [e for e in entry.events if e.action is Action.DESCRIBED and e.recipient and e.original_recipient]
    if not said:
        return {}
    pairs = [(e.recipient or "", e.original_recipient or "") for e in said]
    tried = {address_key(e.recipient) for e in entry.events if e.action is Action.ATTEMPTED and e.recipient}
    before: dict[AddressKey, str] = {}
    for one, other in pairs:
        old, new = (one, other) if address_key(one) not in tried and address_key(other) in tried else (other, one)
        if address_key(old) not in tried:
            before.setdefault(address_key(new), old)
    passed_through = set(map(address_key, before.values()))
    for event in said:
        key = address_key(event.recipient)
        if event.text == "EXPAND" and key in before and key not in tried | passed_through:
            chain.untried.setdefault(address_key(_row(key, before)[-1]), []).append(event.recipient or "")
    rows = {key: _row(key, before) for key in before if key in tried}
    for key, row in rows.items():
        for between in row[:-1]:
            chain.through.setdefault(address_key(between), set()).add(key)
    return {key: row[-1] for key, row in rows.items()}


def _row(key: AddressKey, before: dict[AddressKey, str]) -> list[str]:
    """The addresses that led to one, the first of them last; lists may hold each other."""
    passed = {key}
    row = [before[key]]
    while (earlier := address_key(row[-1])) in before and earlier not in passed:
        passed.add(earlier)
        row.append(before[earlier])
    return row


class _Union:
    """Chains that grow together as ties between their entries are found."""

    def __init__(self, entries: list[Entry]) -> None:
        self._chain_of = {e.key: Chain([e], {e.key: Tie.FIRST}) for e in entries}
        self._order = {e.key: number for number, e in enumerate(entries)}
        self._before: dict[EntryKey, list[Entry]] = {}

    def join(self, earlier: Entry, later: Entry, tie: Tie) -> Chain:
        """Make one chain of the two that these entries belong to."""
        first, second = self._chain_of[earlier.key], self._chain_of[later.key]
        if first is not second:
            first.entries += second.entries
            first.ties |= second.ties
            first.followed |= second.followed
            self._chain_of.update({entry.key: first for entry in second.entries})
        if first.ties[later.key] is Tie.FIRST:
            first.ties[later.key] = tie
        self._before.setdefault(later.key, []).append(earlier)
        return first

    def chains(self) -> list[Chain]:
        """Every chain once, its entries in order of arrival, and each after those that it came from."""
        unique = list({id(chain): chain for chain in self._chain_of.values()}.values())
        for chain in unique:
            chain.entries.sort(key=lambda e: (e.began.isoformat() if e.began else _LAST, self._order[e.key]))
            if len(chain.entries) > 1:
                chain.entries = self._in_turn(chain.entries)
        return unique

    def _in_turn(self, entries: list[Entry]) -> list[Entry]:
        """The same, and none before one that it came from: of two hosts' clocks one may be slow, or show no fractions."""
        entered: set[EntryKey] = set()
        told: dict[EntryKey, Entry] = {}
        for entry in entries:
            path = [entry]
            while path:
                entered.add(path[-1].key)
                before = next((e for e in self._before.get(path[-1].key, ()) if e.key not in entered), None)
                if before:
                    path.append(before)
                else:
                    last = path.pop()
                    told.setdefault(last.key, last)
        return list(told.values())


def chains(entries: list[Entry], near: Near) -> list[Chain]:
    """Join the entries that lines tie together; ``near`` knows which hosts are our own."""
    by_id: dict[str, list[Entry]] = {}
    for entry in entries:
        by_id.setdefault(entry.queue_id, []).append(entry)
    union = _Union(entries)
    claims = _named(entries, by_id, near, union)
    for event, entry, following in _undisputed(claims):
        if following.is_store:
            following.known_as(event.original_recipient or event.recipient)
        union.join(entry, following, Tie.QUEUED_AS).followed[id(event)] = following
    for entry, session in _refused_by_store(entries, near):
        union.join(entry, session, Tie.SAME_MAIL)
    for event, entry, following in _undisputed(_fitting_claims(entries, claims, near)):
        union.join(entry, following, Tie.SAME_MAIL).followed[id(event)] = following
    for event, entry, following in _undisputed(_stored_claims(entries, claims)):
        following.known_as(event.original_recipient or event.recipient)
        union.join(entry, following, Tie.SAME_MAIL).followed[id(event)] = following
    return _without_echoes(union.chains())


def _without_echoes(found: list[Chain]) -> list[Chain]:
    """Without what a store says under no id of a message that a queue's own lines tell of: nothing says which of them."""
    queued = {e.message_id for chain in found for e in chain.entries if e.message_id and not e.is_store}
    return [
        c for c in found if not (len(c.entries) == 1 and c.entries[0].is_nameless and c.entries[0].message_id in queued)
    ]


def _stored_claims(entries: list[Entry], named: Claims) -> Claims:
    """Hand-overs to Dovecot's delivery agent as a program, by the one delivery that it tells of; it answers no id."""
    sessions: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.is_nameless and len(entry.events) > 1:
            continue  # two copies, or one mail in two folders: without an id nothing says which
        if entry.is_store and entry.message_id and entry.events[0].writer == "dovecot/lda":
            sessions.setdefault(entry.message_id, []).append(entry)
    claims: Claims = {}
    for entry in entries:
        namesakes = [] if entry.is_store else sessions.get(entry.message_id or "", [])
        for event in entry.events if namesakes else ():
            found = [s for s in namesakes if _is_users(s, event) and (s.log, s.host) == (entry.log, event.host)]
            found = [s for s in found if _in_time(s, event.at.instant)]
            if len(found) == 1 and id(event) not in named:
                claims[id(event)] = event, entry, found[0]
    return claims


def _is_users(session: Entry, event: DeliveryEvent) -> bool:
    """Whether a program was handed the message for that very user: by address, or by the local part before its detail."""
    handed_over = event.action is Action.ATTEMPTED and event.result is Result.SENT and not event.probe
    if not handed_over or event.transport is not Transport.PIPE:
        return False
    users = {address_key(e.recipient) for e in session.events if e.recipient}
    for address in (event.recipient, event.original_recipient):
        local, domain = address_key(address)
        if users & {(local, domain), (local.partition("+")[0], domain), (local, ""), (local.partition("+")[0], "")}:
            return True
    return False


def _fitting_claims(entries: list[Entry], named: Claims, near: Near) -> Claims:
    """Hand-overs whose reply names no id, by the one entry that each can have become."""
    by_mail: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.message_id:
            by_mail.setdefault(entry.message_id, []).append(entry)
    taken = {following.key for _, _, following in named.values()}
    return {
        id(event): (event, entry, following)
        for entry in entries
        if len(by_mail.get(entry.message_id or "", ())) in range(2, MAX_NAMESAKES)
        for event in entry.events
        if id(event) not in named
        and (following := _fitting(entry, event, by_mail[entry.message_id or ""], near))
        and following.key not in taken
    }


def _undisputed(claims: Claims) -> Iterable[tuple[DeliveryEvent, Entry, Entry]]:
    """A message comes into a queue once: where two hand-overs name one entry, neither is believed."""
    named_by: dict[EntryKey, set[EntryKey]] = {}
    for _, entry, following in claims.values():
        named_by.setdefault(following.key, set()).add(entry.key)
    return [claim for claim in claims.values() if len(named_by[claim[2].key]) == 1]


def _predecessor(entry: Entry, candidates: list[Entry]) -> Entry | None:
    """The entry whose id this one names as its own from before, on the same host."""
    fitting = [
        c
        for c in candidates
        if c is not entry
        and c.log == entry.log
        and (c.host is None or entry.host is None or c.host == entry.host)
        and (c.message_id is None or entry.message_id is None or c.message_id == entry.message_id)
        and (c.began is None or entry.began is None or c.began <= entry.began + CLOCK_SLACK)
    ]
    return fitting[-1] if fitting else None


def _following(entry: Entry, event: DeliveryEvent, by_id: dict[str, list[Entry]], near: Near) -> Entry | None:
    """The entry that a reply's queue id leads to."""
    if event.result is not Result.SENT or event.probe or not event.remote_queue_id or is_run(event.remote_queue_id):
        return None
    candidates = [c for c in by_id.get(event.remote_queue_id, []) if c is not entry and _in_time(c, event.at.instant)]
    candidates.sort(key=lambda c: c.log != entry.log)
    if near.is_our_store(event):
        # A store names its own session, and no one else's: its id is proof enough.
        session = next((c for c in candidates if c.is_store), None)
        if session:
            return session
    if event.transport is Transport.FORWARD:
        # Our own MTA names its own new entry, and no Message-ID changes by that: a short id may have named another just before.
        own = [c for c in candidates if (c.log, c.host) == (entry.log, entry.host)]
        return next(
            (c for c in reversed(own) if not entry.message_id or c.message_id in (None, entry.message_id)), None
        )
    return next((c for c in candidates if _is_same_mail(entry, event, c) and near.handed_over(entry, event, c)), None)


def _fitting(entry: Entry, event: DeliveryEvent, namesakes: list[Entry], near: Near) -> Entry | None:
    """The one entry of another queue that a hand-over can have become, where the reply names no id."""
    handed_over = event.action is Action.ATTEMPTED and event.result is Result.SENT and not event.probe
    if not handed_over or event.remote_queue_id or event.transport not in (Transport.SMTP, Transport.PIPE):
        return None
    candidates = [
        c
        for c in namesakes
        if c.requeued_from is None
        and _in_time(c, event.at.instant)
        and _grew(entry.size, c.size)
        and _is_same_mail(entry, event, c)
        and (
            _gave_back(entry, event, c)
            if event.transport is Transport.PIPE
            else (c.log, c.host) != (entry.log, entry.host) and near.handed_over(entry, event, c)
        )
    ]
    return candidates[0] if len(candidates) == 1 else None


def _gave_back(entry: Entry, event: DeliveryEvent, candidate: Entry) -> bool:
    """Whether a program that Postfix's ``pipe(8)`` ran may have given the message back with the ``sendmail`` command.

    On the same host ``pickup`` took it in while the message was in the program's hands, from the same sender, for the same
    recipient (FILTER_README, "Simple content filter").
    """
    first = candidate.events[0]
    began, came = entry.began, candidate.began
    return (
        (candidate.log, candidate.host) == (entry.log, entry.host)
        and first.action is Action.ARRIVED
        and first.writer.endswith("/pickup")
        and entry.reverse_path is not None
        and candidate.reverse_path == entry.reverse_path
        and bool(began and came and began <= came)
        and address_key(event.recipient) in map(address_key, _tried_in(candidate))
    )


def _grew(before: int | None, after: int | None) -> bool:
    """Whether a message of one size can be the other one hop later: every hop adds at least its Received line."""
    return before is not None and after is not None and 0 < after - before <= MAX_GROWTH


def _named(entries: list[Entry], by_id: dict[str, list[Entry]], near: Near, union: _Union) -> Claims:
    """Hand-overs whose reply names an entry; those that an entry itself names as its past are joined at once."""
    claims: Claims = {}
    for entry in entries:
        old = _predecessor(entry, by_id.get(entry.requeued_from or "", []))
        if old:
            union.join(old, entry, Tie.REQUEUED)
            # Not requeued by an operator, but handed to a filter, which gave it back.  Without its line of arrival
            # only a success of the old entry tells: of what was requeued nothing had been sent.
            if entry.arrived is None or (entry.session and entry.session.client):
                claims |= {id(e): (e, old, entry) for e in old.events if _led_to(e, entry)}
        for event in entry.events:
            following = _following(entry, event, by_id, near)
            if following:
                claims.setdefault(id(event), (event, entry, following))
    return claims


def _refused_by_store(entries: list[Entry], near: Near) -> Iterable[tuple[Entry, Entry]]:
    """Sessions in which a store of ours did not keep the message, each with the entry that had offered it.

    The store says why; how the attempt ended, and what follows from it, our queue says.
    """
    sessions: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.is_store and entry.message_id and entry.kept_nothing:
            sessions.setdefault(entry.message_id, []).append(entry)
    for entry in entries:
        for event in entry.events if entry.message_id in sessions and not entry.is_store else ():
            if event.action is not Action.ATTEMPTED or event.result is Result.SENT or not near.is_our_store(event):
                continue
            found = [
                s
                for s in sessions[entry.message_id or ""]
                if s.log == entry.log
                and s.host == entry.host
                and s.may_hold(event.recipient)
                and _in_time(s, event.at.instant)
            ]
            if len(found) == 1:
                found[0].told_elsewhere()
                yield entry, found[0]


def _led_to(event: DeliveryEvent, later: Entry) -> bool:
    """Whether a success of the old entry was the hand-over to whoever gave the message back as ``later``."""
    return (
        event.action is Action.ATTEMPTED
        and event.result is Result.SENT
        and not event.probe
        and event.transport in (Transport.SMTP, Transport.LMTP, Transport.PIPE)
        and _in_time(later, event.at.instant)
        and later.may_hold(event.recipient)
    )


def _is_same_mail(entry: Entry, event: DeliveryEvent, candidate: Entry) -> bool:
    if not candidate.arrived:
        return _came_back(entry, event, candidate)
    if not candidate.may_hold(event.recipient):
        return False
    if entry.message_id is None and (event.writer in _NAMELESS_WRITERS or candidate.message_id is None):
        # The reply names the entry, which came from this host: then the envelope has to agree in the place of the id.
        same_sender = entry.reverse_path is not None and entry.reverse_path == candidate.reverse_path
        went_there = _is_host(event.relay, candidate)
        return went_there and same_sender and address_key(event.recipient) in map(address_key, _tried_in(candidate))
    return bool(entry.message_id) and candidate.message_id == entry.message_id


def _came_back(entry: Entry, event: DeliveryEvent, candidate: Entry) -> bool:
    """Whether a filter on this machine named the entry that it gave the message back as, in an excerpt without its arrival.

    Nothing that is known of the two may differ, and the entry was tried for that recipient.
    """
    known = ((entry.message_id, candidate.message_id), (entry.reverse_path, candidate.reverse_path))
    return (
        event.relay is not None
        and is_loopback(event.relay)
        and (entry.log, entry.host) == (candidate.log, candidate.host)
        and entry.queue_id != candidate.queue_id
        and all(one is None or other is None or one == other for one, other in known)
        and (entry.size is None or candidate.size is None or _grew(entry.size, candidate.size))
        and address_key(event.recipient) in map(address_key, _tried_in(candidate))
    )


def _is_host(relay: Host | None, candidate: Entry) -> bool:
    """Whether an attempt went to the host that wrote an entry, by its name, or to one that is inside by its address."""
    if relay is None or is_loopback(relay):
        return relay is not None
    name = (relay.name or "").lower().removesuffix(".")
    hosts = [host.lower().removesuffix(".") for host in (candidate.host, candidate.log) if host]
    return bool(name) and any(name == host if "." in host else name.partition(".")[0] == host for host in hosts)


def _tried_in(entry: Entry) -> Iterable[str]:
    """The recipients that an entry's lines name."""
    for event in entry.events:
        yield from (address for address in (event.recipient, event.original_recipient) if address)
    yield from entry.recipients


def _in_time(candidate: Entry, handed_over: datetime | None) -> bool:
    began = candidate.began
    return bool(began and handed_over and -HANDOVER_WINDOW <= began - handed_over <= CLOCK_SLACK)
