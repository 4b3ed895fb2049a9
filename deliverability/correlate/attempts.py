"""Events of one queue entry → the attempts for one address: with what the session said, and what was said apart."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from deliverability.correlate.chains import Chain
from deliverability.correlate.entries import AddressKey as Key
from deliverability.correlate.entries import Entry, session_events
from deliverability.correlate.entries import address_key as _key
from deliverability.evidence.event import Action, DeliveryEvent, Result, Transport
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.smtp import Host, Tls
from deliverability.evidence.story import Attempt

MAX_APART = 16  # attempts between two records of one
TWINS = timedelta(seconds=2)


class Sessions:
    """Session facts by the event that they belong to."""

    def __init__(self, events: Sequence[DeliveryEvent]) -> None:
        tied = session_events(events)
        self._tied = {id(events[index]): found for index, found in tied.items()}

    def of(self, event: DeliveryEvent) -> list[DeliveryEvent]:
        """What was said of the session that the attempt was made in."""
        return self._tied.get(id(event), [])


def attempt_of(entry: Entry, event: DeliveryEvent, chain: Chain, sessions: Sessions) -> Attempt:
    """The attempt that a line reports, with the session's TLS and the entry that it led to."""
    if event.result is Result.REFUSED and _may_be_anothers(entry, event):
        event = replace(event, result=Result.FAILED)
    tied = sessions.of(event)
    followed = chain.followed.get(id(event))
    secured = [e.tls for e in tied if e.tls and _same_host(e, event)]
    return plain_attempt(
        event,
        entry.shown_id,
        tls=secured[-1] if secured else None,
        lines=(*(e.line for e in tied if _same_host(e, event) or e.tls is None), event.line),
        followed_to=(followed.shown_id or followed.message_id) if followed else None,
    )


def _may_be_anothers(entry: Entry, event: DeliveryEvent) -> bool:
    """Whether a refusal of which no reply is logged may have been said of another recipient.

    Sendmail to 8.17 puts a reply that comes while it sends the next RCPT down to that next recipient (``smtprcpt`` in
    ``usersmtp.c``), so more than one in the transaction make it nobody's for certain.
    """
    others: dict[Key, bool] = {}
    for other in entry.events:
        key = _key(other.recipient)
        if other.action is Action.ATTEMPTED and other.recipient and key != _key(event.recipient):
            beside = other.process == event.process and _same_host(other, event)
            others[key] = others.get(key, False) or beside
    return any(others.values()) or (entry.recipient_count or 0) - 1 > len(others)


def _same_host(one: DeliveryEvent, other: DeliveryEvent) -> bool:
    """By name and address; where one line gives no address, by the name that both give."""
    if one.relay is None or other.relay is None:
        return False
    same_ip = one.relay.ip == other.relay.ip or (one.relay.name is not None and None in (one.relay.ip, other.relay.ip))
    return same_ip and _name(one.relay) == _name(other.relay)


def _name(host: Host) -> str | None:
    return host.name.lower().removesuffix(".") if host.name else None


def plain_attempt(
    event: DeliveryEvent,
    queue_id: str | None,
    *,
    tls: Tls | None = None,
    lines: tuple[LogLine, ...] | None = None,
    followed_to: str | None = None,
) -> Attempt:
    """The attempt that a line reports by itself; ``lines`` are to be shown for it, in place of that line alone."""
    return Attempt(
        at=event.at,
        queue_id=queue_id,
        log=event.line.place.log,
        recipient=event.recipient or "",
        result=event.result or Result.FAILED,
        transport=event.transport or Transport.NONE,
        relay=event.relay,
        reply=event.reply,
        tls=event.tls or tls,
        local_ip=event.local_ip,
        remote_queue_id=event.remote_queue_id,
        stage=event.stage,
        route=event.route,
        text=event.text,
        folder=event.folder,
        witness=event.witness,
        lines=(event.line,) if lines is None else lines,
        followed_to=followed_to,
    )


def without_second_records(tried: list[tuple[Entry, DeliveryEvent]]) -> list[tuple[Entry, DeliveryEvent]]:
    """Each attempt once, though two records of one server tell of it (Exim's main log and cPanel's database of it)."""
    kept: list[tuple[Entry, DeliveryEvent]] = []
    for entry, event in tried:
        twins = (i for i in range(max(0, len(kept) - MAX_APART), len(kept)) if _is_twin(kept[i], (entry, event)))
        twin = next(twins, None)
        if twin is None:
            kept.append((entry, event))
        elif event.reply and not kept[twin][1].reply:
            kept[twin] = entry, event  # the record that has the other side's words
    return kept


def _is_twin(one: tuple[Entry, DeliveryEvent], other: tuple[Entry, DeliveryEvent]) -> bool:
    (entry, first), (same, second) = one, other
    return bool(
        entry is same
        and first.writer.partition("/")[0] != second.writer.partition("/")[0]
        and (first.result, _key(first.recipient)) == (second.result, _key(second.recipient))
        and first.at.instant
        and second.at.instant
        and abs(first.at.instant - second.at.instant) <= TWINS
    )


def with_expiries(
    name: str, chain: Chain, tried: list[tuple[Entry, DeliveryEvent]]
) -> list[tuple[Entry, DeliveryEvent]]:
    """Postfix's queue manager gives up all that is left of an entry in one line, which names no recipient."""
    whole: list[tuple[Entry, DeliveryEvent]] = []
    before = False
    for place, entry in enumerate(chain.entries):
        mine = [pair for pair in tried if pair[0] is entry]
        whole += mine
        ended = [e for _, e in mine if e.result in (Result.SENT, Result.FAILED, Result.REFUSED)]
        settled = bool(ended) or before
        # What was handed to no other entry is over: a clone made for others does not end it again.
        before |= any(id(e) not in chain.followed for e in ended)
        # An entry that led to the one where this address was tried gave up others than it.
        led_on = any(pair[0] in chain.entries[place + 1 :] for pair in tried)
        if not settled and (mine or not tried or (entry.requeued_from and not led_on)):
            whole += [(entry, _for_recipient(e, name)) for e in entry.events if _is_expiry(e)]
    return whole


def _is_expiry(event: DeliveryEvent) -> bool:
    return event.action is Action.ATTEMPTED and event.recipient is None and event.result is Result.EXPIRED


def _for_recipient(event: DeliveryEvent, name: str) -> DeliveryEvent:
    return replace(event, recipient=name)


def uncertain(chain: Chain, attempts: list[Attempt], name: str, sessions: Sessions) -> Attempt | None:
    """A broken end of DATA on a host of the entry, logged apart from the attempt it was part of."""
    queue_ids = {a.queue_id for a in attempts}
    for entry in chain.entries:
        for place, event in enumerate(entry.events):
            apart = event.action is Action.TROUBLE and event.result is Result.UNCERTAIN
            known = entry.queue_id in queue_ids or not attempts
            if apart and known and _may_be_part(_key(name), entry.events[:place], event, entry.events[place + 1 :]):
                return attempt_of(entry, _for_recipient(event, name), chain, sessions)
    return None


def _may_be_part(
    key: Key, before: Sequence[DeliveryEvent], trouble: DeliveryEvent, after: Sequence[DeliveryEvent]
) -> bool:
    """Whether the recipient may have been in the transaction that broke: not settled by then, not in another's hands."""
    mine = [e for e in before if e.action is Action.ATTEMPTED and _key(e.recipient) == key]
    if any(e.result in (Result.SENT, Result.FAILED, Result.REFUSED, Result.EXPIRED) for e in mine):
        return False
    following = [e for e in after if e.action is Action.ATTEMPTED and e.recipient]
    if _is_elsewhere(key, trouble, following):
        return False
    if trouble.process is None or not any(e.process == trouble.process for e in following):
        return True
    # The process that lost the connection tells next how it ended for each recipient it had.
    return any(e.process == trouble.process and _key(e.recipient) == key for e in following)


def _is_elsewhere(key: Key, trouble: DeliveryEvent, following: Sequence[DeliveryEvent]) -> bool:
    """Whether Exim's next lines show that the recipient was not in the transaction that broke.

    It tries a host once in each run, and all addresses of a transaction go on to the same hosts.  So a recipient with an
    answer of its own at that host was not in it; nor one that ended otherwise, where others tell of the break as theirs.
    """
    firsts: dict[Key, DeliveryEvent] = {}
    for event in following:
        firsts.setdefault(_key(event.recipient), event)
    mine = firsts.pop(key, None)
    if mine is None or mine.writer != "exim" or mine.result is Result.UNCERTAIN:
        return False
    alone = mine.stage == "rcpt" or mine.transport is Transport.LMTP
    if alone and mine.reply is not None and _same_host(mine, trouble):
        return True
    return any(other.result is Result.UNCERTAIN and _same_host(other, trouble) for other in firsts.values())
