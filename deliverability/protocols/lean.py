"""Delivery events → what counting needs of them; shared by the full parsers and those that are in a hurry.

A fast reader and the full parser of a format must say the same of every line: both make their :class:`Said` here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from deliverability.evidence.attempted import MAX_WORDS, Lean, Said, Saying
from deliverability.evidence.event import Action, DeliveryEvent, Relation, Result, Transport
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.protocols import octets
from deliverability.protocols.hosts import is_no_store
from deliverability.protocols.taken_on import by_router, kept, passes_on

MAX_SAYINGS = 8192
"""Distinct sayings that a reader remembers; past it it begins anew."""
SOMEBODY = b"somebody@recipient.invalid"
"""Stands for the recipient wherever a saying names it."""

_SOMEBODY = SOMEBODY.decode()
HERE = ("|", ">", "/", ":")
"""What a program, an automatic reply, a file or a word begins with, in the place of an address: one may name an address."""


def said_of(fields: Mapping[str, Any], recipient: str = "") -> Said:
    """What an attempt's fields (names as in :class:`DeliveryEvent`) say of how it ended."""
    reply, transport, relay = fields.get("reply"), fields.get("transport"), fields.get("relay")
    result = fields.get("result")
    said = reply.text if reply else ""
    if result in (None, Result.SENT):
        flags = kept(said) if result and passes_on(transport, relay) else (False, False)
        taken_on = transport is Transport.LMTP and result is not None and (flags[0] or is_no_store(relay))
        return Said(
            result,
            transport,
            relay,
            stage=fields.get("stage"),
            taken_on=taken_on,
            thrown_away=flags[1],
            router=by_router(fields.get("route")),
        )
    # Codes tell the reason of a reply; words only where no server of the other side gave one.
    words = "" if reply and reply.code else f"{fields.get('text') or ''} {said}".strip()
    return Said(
        result=result,
        transport=transport,
        relay=relay,
        reply_code=reply.code if reply else None,
        enhanced_status_code=reply.enhanced_status_code if reply else None,
        dsn_code=fields.get("dsn_code"),
        stage=fields.get("stage"),
        words=(words.replace(recipient, _SOMEBODY) if "@" in recipient else words)[:MAX_WORDS].lower(),
        router=by_router(fields.get("route")),
    )


REMOVED = Saying(Said(Result.SENT, Transport.DISCARD, None), b"")
"""Of a message, with no recipient: somebody, or a rule, took what was left of it out of the queue."""

REQUEUED = Said(Result.SENT, Transport.NONE, None)
"""Of a message, with no recipient: what was left of it goes on under another id, which stands in the domain's place."""

PICKUP = "/pickup"
"""Postfix's program that takes a requeued message in again; what smtpd says of an earlier id was sent on, and counted so."""

_FIELDS = ("result", "transport", "relay", "reply", "dsn_code", "stage", "text", "route")


def lean_of(event: DeliveryEvent, start: int) -> Lean | None:
    """The same for an event; ``None`` for one that ends no attempt, or whose outcome nobody could tell."""
    if event.action is Action.CANCELLED and event.queue_id and not event.recipient:
        return _of_all_left(start, event, event.queue_id, REMOVED)
    if event.action is Action.ARRIVED and event.writer.endswith(PICKUP):
        before = next((other for relation, other in event.related if relation is Relation.REQUEUED_FROM), None)
        now = Saying(REQUEUED, (event.queue_id or "").encode("utf-8", "backslashreplace"))
        return _of_all_left(start, event, before, now) if before and event.queue_id else None
    if event.action is not Action.ATTEMPTED or (event.result is None and not event.probe):
        return None
    tried = event.recipient or ""
    of_its_own = "@" in tried and not (event.original_recipient and tried.startswith(HERE))
    whom = tried if of_its_own else event.original_recipient or tried
    said = said_of({name: getattr(event, name) for name in _FIELDS}, tried)
    queue_id, recipient = (text.encode("utf-8", "backslashreplace") for text in (event.queue_id or "", whom))
    saying = saying_of(said, recipient)
    return (start, event.at, b"", b"", queue_id, recipient, None, event.tls is not None, saying)


def _of_all_left(start: int, event: DeliveryEvent, queue_id: str, saying: Saying) -> Lean:
    return (start, event.at, b"", b"", queue_id.encode("utf-8", "backslashreplace"), b"", None, False, saying)


def saying_of(said: Said, recipient: bytes) -> Saying:
    """The same of a recipient's domain, as one object where it was asked for lately."""
    return _saying(said, recipient.rpartition(b"@")[2] if b"@" in recipient else b"")


_saying = lru_cache(MAX_SAYINGS)(Saying)


Full = Callable[[Iterable[LogLine]], Iterable[DeliveryEvent]]
"""The full parser of a format."""


class Hearing:
    """A full parser that notes of which lines it makes nothing though they tell of an attempt."""

    def __init__(self, full: Full, is_lost: Callable[[bytes], bool]) -> None:
        self._full, self._is_lost = full, is_lost
        self.unheard: set[int] = set()
        """Where those lines start; whoever takes them away counts them."""

    def __call__(self, lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
        """The events of each line by itself."""
        for line in lines:
            told = False
            for event in self._full([line]):
                told = True
                yield event
            if not told and self._is_lost(line.raw):
                self.unheard.add(line.place.offset)


def read_fully(full: Full, block: bytes, start: int, end: int, *, ended: bool = True) -> Iterator[Lean]:
    """What the full parser makes of one line of a block."""
    raw = block[start:end]
    line = LogLine(Place("", "", 0, start), raw.removesuffix(b"\r"), not ended)
    for event in full([line]):
        lean = lean_of(event, start)
        if lean is not None:
            yield lean


def by_marks(full: Full, marks: tuple[bytes, ...]) -> Callable[[bytes, int], Iterator[Lean]]:
    """A reader that gives the full parser only lines with one of ``marks``."""

    def read(block: bytes, size: int) -> Iterator[Lean]:
        return read_marked(full, block, size, marks)

    return read


def read_marked(full: Full, block: bytes, size: int, marks: tuple[bytes, ...]) -> Iterator[Lean]:
    """What the full parser makes of the lines of a block with one of ``marks``, in order."""
    starts = set()
    for mark in marks:
        following = 0
        for at in octets.each_position(block, mark, 0, size):
            if at >= following:
                starts.add(block.rfind(b"\n", 0, at) + 1)
                following = (block.find(b"\n", at, size) + 1) or size
    for start in sorted(starts):
        end = block.find(b"\n", start, size)
        yield from read_fully(full, block, start, end if end >= 0 else size, ended=end >= 0)
