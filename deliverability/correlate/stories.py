"""Chains of queue entries → messages → what became of each, for the addresses that were asked about."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from deliverability.correlate.attempts import (
    Sessions,
    attempt_of,
    plain_attempt,
    uncertain,
    with_expiries,
    without_second_records,
)
from deliverability.correlate.chains import Chain, chains
from deliverability.correlate.copies import each_once, in_known_time
from deliverability.correlate.entries import AddressKey as Key
from deliverability.correlate.entries import Entry, gather, in_order, once, with_holds
from deliverability.correlate.entries import address_key as _key
from deliverability.correlate.hosts import Near
from deliverability.correlate.masks import told_apart
from deliverability.correlate.recorded import with_recorded
from deliverability.correlate.states import Circumstances, Standing, judge, worst
from deliverability.correlate.targets import by_target
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import Action, DeliveryEvent, LogTime, Result, Transport
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.names import Mailbox
from deliverability.evidence.story import Attempt, Delivery, Message, Signing, State, Stay, Tie
from deliverability.protocols.encoded_words import subject_matches

_WORD = re.compile(r"[^\s<>()\[\],;:=\"']+")


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked.  Every given part must fit."""

    recipients: tuple[Mailbox, ...] = ()
    message_id: str | None = None
    queue_id: str | None = None
    remote_id: str | None = None
    """The id under which the receiving server says it keeps the message."""
    subject: str | None = None
    sender: Mailbox | None = None
    since: datetime | None = None
    until: datetime | None = None

    def wants(self, message: Message) -> bool:
        """Whether the message itself, apart from its recipients, is one that was asked about."""
        when = message.arrived.instant if message.arrived else None
        return (
            (self.message_id is None or message.message_id == self.message_id.strip("<> "))
            and (self.queue_id is None or self.queue_id in message.queue_ids)
            and (self.remote_id is None or any(self.was_answered(a) for d in message.deliveries for a in d.attempts))
            and (self.subject is None or subject_matches(self.subject, message.subject or ""))
            and (self.sender is None or _key(message.reverse_path) == self.sender.key)
            and (self.since is None or when is None or when >= self.since)
            and (self.until is None or when is None or when <= self.until)
        )

    def was_answered(self, attempt: Attempt | DeliveryEvent) -> bool:
        """Whether the other side answered the attempt with :attr:`remote_id`, as a word of its own."""
        if self.remote_id is None or attempt.reply is None:
            return False
        return self.remote_id in (attempt.remote_queue_id, *_WORD.findall(attempt.reply.text))


def tell(events: Sequence[DeliveryEvent], query: Query, own: Own | None = None) -> tuple[Message, ...]:
    """All messages that fit the query, oldest first, each with the deliveries that were asked about.

    ``own`` names hosts of ours whose word about the next queue is believed, beside those that the lines show.
    """
    asked = frozenset(m.key for m in query.recipients)
    events, shared = told_apart(with_holds(in_known_time(list(each_once(in_order(events))))))
    entries = gather(events, shared)
    sessions = Sessions(events)
    told = [(chain.began, _message(chain, asked, sessions)) for chain in chains(entries, Near(own))]
    refusals = once(e for e in events if not e.queue_id and _speaks_alone(e))
    told += [(event.at.instant, _rejected(event, asked)) for event in refusals]
    found = [(began, m) for began, m in told if m and m.deliveries]
    found = with_recorded(found, [e for e in events if e.action is Action.RECORDED], asked)
    wanted = [(began, m) for began, m in found if query.wants(m)]
    return tuple(message for _, message in sorted(wanted, key=_sort_key))


def _sort_key(told: tuple[datetime | None, Message]) -> tuple[str, str]:
    began, message = told
    return (began.isoformat() if began else "", message.queue_ids[0] if message.queue_ids else "")


# --- chains to messages -----------------------------------------------------------------------------------------------


def _message(chain: Chain, asked: frozenset[Key], sessions: Sessions) -> Message | None:
    first = chain.entries[0]
    tried = [(e, event) for e in chain.entries for event in e.events if _counts(event)]
    chain.remember_originals()
    chosen = _chosen_recipients(chain, tried, asked)
    if not chosen:
        return None
    deliveries = tuple(_delivery(name, key, chain, tried, sessions) for key, name in chosen.items())
    return Message(
        message_id=_first(e.message_id for e in chain.entries),
        subject=_first(e.subject for e in chain.entries),
        reverse_path=_first(e.reverse_path for e in chain.entries),
        size=first.size,
        stays=tuple(_stay(e, chain.ties[e.key]) for e in chain.entries if e is first or not e.is_nameless),
        deliveries=deliveries,
        lines=_lines(chain, tried, deliveries),
        other_recipients=_others(chain, tried, frozenset(chosen)),
        signings=tuple(_signings(chain)),
        witness=_witness(event for entry in chain.entries for event in entry.events),
    )


def _witness(events: Iterable[DeliveryEvent]) -> str | None:
    """Whose record tells all of it, when no line is our own server's."""
    told_by = {event.witness for event in events}
    return told_by.pop() if len(told_by) == 1 else None


def _signings(chain: Chain) -> Iterable[Signing]:
    """What our signers say that they signed, each signature once."""
    said: set[tuple[str, str, str | None]] = set()
    for entry in chain.entries:
        for event in entry.events:
            signed = (entry.queue_id, event.signing_domain or "", event.selector)
            if event.action is Action.SIGNED and event.signing_domain and signed not in said:
                said.add(signed)
                yield Signing(event.signing_domain, event.selector, event.line)


def _others(chain: Chain, tried: list[tuple[Entry, DeliveryEvent]], chosen: frozenset[Key]) -> int:
    """How many recipients more there were, as the sender counts them where that is known."""
    mine = [e for _, e in tried if _original_key(e, chain) in chosen or _key(e.recipient) in chosen]
    told = chosen | {_original_key(e, chain) for e in mine} | {_key(e.recipient) for e in mine}
    listed = {_key(r) for e in chain.entries for r in e.recipients}
    named = len(({_original_key(e, chain) for _, e in tried} | listed) - told)
    # Postfix counts the addresses behind aliases, so those of the asked ones are taken off.
    finals = len({_key(e.recipient) for e in mine})
    counted = max((e.recipient_count or 0 for e in chain.entries), default=0)
    return max(named, counted - max(finals, len(chosen)), 0)


def _first(values: Iterable[str | None]) -> str | None:
    return next((v for v in values if v is not None), None)


def _counts(event: DeliveryEvent) -> bool:
    """Lines that speak of one recipient's fate; an address probe sent no message."""
    return event.action in (Action.ATTEMPTED, Action.REJECTED) and not event.probe and event.recipient is not None


def _original_key(event: DeliveryEvent, chain: Chain) -> Key:
    return _key(chain.original(event))


def _chosen_recipients(chain: Chain, tried: list[tuple[Entry, DeliveryEvent]], asked: frozenset[Key]) -> dict[Key, str]:
    """The addresses to tell about, by key, in the spelling of the log; all of them when none was asked for."""
    originals = {_original_key(e, chain): chain.original(e) for _, e in tried}
    finals = {_key(e.recipient): e.recipient or "" for _, e in tried}
    # An address that was only probed was sent nothing, though its probe passes through the queue like a message.
    probed = {_key(e.recipient) for entry in chain.entries for e in entry.events if e.probe}
    listed = {_key(r): r for entry in chain.entries for r in entry.recipients if _key(r) not in probed}
    # An operator marked it as done: that is its story.
    listed |= {
        _key(e.recipient): e.recipient
        for entry in chain.entries
        for e in entry.events
        if e.action is Action.CANCELLED and e.recipient
    }
    if not asked:
        return originals or listed
    on_the_way = {_key(e.original_recipient): e.original_recipient for _, e in tried if e.original_recipient}
    known = {**on_the_way, **listed, **finals, **originals}
    return {key: known[key] for key in known if key in asked}


def _stay(entry: Entry, tie: Tie) -> Stay:
    arrived = entry.events[0].at if entry.is_nameless else entry.arrived
    return Stay(entry.shown_id, entry.log, tie, arrived, entry.session, entry.ended, entry.held)


def _delivery(
    name: str, key: Key, chain: Chain, tried: list[tuple[Entry, DeliveryEvent]], sessions: Sessions
) -> Delivery:
    """The story of one asked address: one chain of attempts, or one for each address behind an alias."""
    mine = [(entry, e) for entry, e in tried if _original_key(e, chain) == key]
    if not mine:
        mine = [(entry, e) for entry, e in tried if _key(e.recipient) == key]
    if not mine:
        mine = [(entry, e) for entry, e in tried if e.original_recipient and _key(e.original_recipient) == key]
    if not mine and chain.through:
        mine = [(entry, e) for entry, e in tried if _key(e.recipient) in chain.through.get(key, ())]
    parts = [_one(target, found, chain, sessions) for target, found in by_target(mine, key, chain).items()]
    parts += [_one(member, [], chain, sessions) for member in chain.untried.get(key, ())]
    # An automatic reply is not the message, nor is a copy that a filter throws away.
    parts = [p for p in parts if not _is_reply(p)] or parts[:1]
    parts = [p for p in parts if not _is_discarded(p)] or parts[:1]
    if not parts:
        parts = [_one(name, [], chain, sessions)]
    if len(parts) == 1:
        part = parts[0]
        forward = part.forward_paths if _key(part.recipient) == key else (part.recipient, *part.forward_paths)
        return _renamed(part, name, tuple(dict.fromkeys(forward)))
    # In the mailbox of the address itself it is, whatever became of copies that went on from there.
    own = [p for p in parts if p.state is State.DELIVERED and _is_itself(p, key)]
    state = worst([p.state for p in own or parts])
    decisive = next((p.decisive for p in own or parts if p.state is state and p.decisive), None)
    return Delivery(
        recipient=name,
        forward_paths=tuple(p.recipient for p in parts),
        state=state,
        attempts=tuple(sorted((a for p in parts for a in p.attempts), key=_when)),
        decisive=decisive,
        refused_by_us=all(p.refused_by_us for p in parts),
        held=any(p.held for p in parts),
        notices=tuple(dict.fromkeys(n for p in parts for n in p.notices)),
        parts=tuple(parts),
        halted=next((p.halted for p in parts if p.state is state and p.halted), None),
    )


def _is_reply(part: Delivery) -> bool:
    return bool(part.attempts) and all(a.transport is Transport.REPLY for a in part.attempts)


def _is_itself(part: Delivery, asked: Key) -> bool:
    """Whether it was tried for the asked address itself.

    Exim tells a mailbox of ours by its local part alone, and a filter's folder by its path, which on cPanel names both.
    """
    local, domain = _key(part.recipient)
    own = f"/{asked[1]}/{asked[0]}/".casefold()
    return (local, domain) == asked or (not domain and (local == asked[0].casefold() or own in local))


def _is_discarded(part: Delivery) -> bool:
    return bool(part.decisive and part.decisive.transport is Transport.DISCARD)


def _renamed(part: Delivery, name: str, forward_paths: tuple[str, ...]) -> Delivery:
    return replace(part, recipient=name, forward_paths=forward_paths)


def _one(name: str, found: list[tuple[Entry, DeliveryEvent]], chain: Chain, sessions: Sessions) -> Delivery:
    """One address: its attempts through all queue entries, and where they leave it."""
    # In the order of the entries, and of the lines in each: a clock may be set back between two lines.
    tried = [(entry, e) for entry, e in found if e.action is Action.ATTEMPTED]
    tried = with_expiries(name, chain, without_second_records(tried))
    attempts = [attempt_of(entry, event, chain, sessions) for entry, event in tried]
    last = _last_entry(found, chain)
    rejections = [e for _, e in found if e.action is Action.REJECTED]
    if rejections and not attempts:
        return _refused_by_us(name, rejections[-1], last)
    marked = any(
        e.action is Action.CANCELLED and e.recipient and _key(e.recipient) == _key(name)
        for entry in chain.entries
        for e in entry.events
    )
    around = Circumstances(
        ended=last.ended,
        held=last.held,
        cancelled=last.cancelled or marked,
        marked=marked,
        uncertain=uncertain(chain, attempts, name, sessions),
        withheld=any(
            e.action is Action.FILTERED and e.recipient and _key(e.recipient) == _key(name)
            for entry in chain.entries
            for e in entry.events
        ),
    )
    standing: Standing = judge(attempts, around)
    return Delivery(
        recipient=name,
        forward_paths=(),
        state=standing.state,
        attempts=tuple(attempts),
        decisive=standing.decisive,
        held=last.held and standing.state in (State.QUEUED, State.DEFERRED),
        halted=_halted(name, chain),
        notices=tuple(dict.fromkeys(n for e in chain.entries for n in e.notices)),
    )


def _halted(name: str, chain: Chain) -> LogTime | None:
    """When somebody, or a rule, last stopped it for that address."""
    stops = [
        e.at
        for entry in chain.entries
        for e in entry.events
        if e.action in (Action.HELD, Action.CANCELLED) and (e.recipient is None or _key(e.recipient) == _key(name))
    ]
    return stops[-1] if stops else None


def _when(attempt: Attempt) -> tuple[str, str, int]:
    place = attempt.lines[-1].place
    return (attempt.instant.isoformat() if attempt.instant else "", place.file, place.offset)


def _last_entry(found: list[tuple[Entry, DeliveryEvent]], chain: Chain) -> Entry:
    """The entry in which the address was last seen, or where its last attempt led."""
    if not found:
        return chain.entries[-1]
    entry, event = found[-1]
    followed = chain.followed.get(id(event))
    if followed:
        return followed
    left = [e for e in chain.entries if e is not entry]
    while later := [e for e in left if e.requeued_from == entry.queue_id and e.log == entry.log]:
        entry = later[-1]  # and what was requeued once may be again
        left.remove(entry)
    return entry


def _refused_by_us(name: str, event: DeliveryEvent, entry: Entry | None) -> Delivery:
    attempt = plain_attempt(event, entry.shown_id if entry else None)
    # A milter's reply may have only the enhanced code: "4.7.1 Try again later".
    code = event.dsn_code or ""
    transient = event.result is Result.DEFERRED or (event.reply.transient if event.reply else code.startswith("4."))
    if transient:
        attempt = replace(attempt, result=Result.DEFERRED)
    state = State.DEFERRED if transient else State.REFUSED
    if event.action is Action.CANCELLED:  # a rule of ours threw it away, and the client was told that it was taken
        return Delivery(name, (), State.CANCELLED, (), None)
    return Delivery(name, (), state, (attempt,), attempt, refused_by_us=True)


def _speaks_alone(event: DeliveryEvent) -> bool:
    """Whether it tells a story without an id: a refusal, or a rule that threw away what a client was about to send."""
    return event.action is Action.REJECTED or (event.action is Action.CANCELLED and event.session is not None)


def _rejected(event: DeliveryEvent, asked: frozenset[Key]) -> Message | None:
    """A message, or one recipient of it, that our own server refused, or threw away, before it had an id."""
    named = [r for r in (event.recipient, *event.recipients) if r]
    chosen = [r for r in dict.fromkeys(named) if not asked or _key(r) in asked]
    if not chosen or event.probe:
        return None
    return Message(
        message_id=event.message_id,
        subject=event.subject,
        reverse_path=event.reverse_path,
        size=event.size,
        stays=(Stay(None, event.line.place.log, Tie.FIRST, event.at, event.session, ended=True),),
        deliveries=tuple(_refused_by_us(r, event, None) for r in chosen),
        lines=(event.line,),
        witness=event.witness,
    )


def _lines(
    chain: Chain, tried: list[tuple[Entry, DeliveryEvent]], deliveries: tuple[Delivery, ...]
) -> tuple[LogLine, ...]:
    """The lines that the story rests on: about the message, and about the deliveries that are told; no one else's."""
    names = {n for d in deliveries for n in (d.recipient, *d.forward_paths, *(a.recipient for a in d.attempts))}
    mine = {_key(n) for n in names}
    others = {a for _, e in tried for a in (e.recipient, e.original_recipient) if a and _key(a) not in mine}
    others |= {r for e in chain.entries for r in e.recipients if _key(r) not in mine}
    spelled = tuple(a.lower().encode("utf-8", "surrogateescape") for a in others)
    about_message = {
        e.line
        for entry in chain.entries
        for e in entry.events
        if (e.recipient is None or (e.action is Action.CANCELLED and _key(e.recipient) in mine))
        and not (e.action is Action.TROUBLE and any(s in e.line.raw.lower() for s in spelled))
    }
    told = {line for d in deliveries for a in d.attempts for line in a.lines}
    decisive = {line for d in deliveries if d.decisive for line in d.decisive.lines}
    return tuple(sorted(about_message | told | decisive, key=lambda line: line.place))
