"""Queue ids that somebody replaced before the log was handed on: one text may stand for several messages.

``XXXXXXXXXX`` or ``QUEUEID`` in place of each id ties nothing to anything.  Its lines are told together as long as they
can be those of one message at a time; where they cannot, each attempt is told by itself.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from deliverability.evidence.event import Action, DeliveryEvent, Result
from deliverability.protocols.postfix_names import QUEUE_ID

FEW, FEW_BESIDE_DASHES = 2, 3  # different characters at most of a mask
LONG = 10  # characters from which so few different ones are no accident
NOT_SHORT = 8
BREAKS = 5  # characters to one at which a row may break off

Scope = tuple[str, str | None, str]


@lru_cache(maxsize=8192)
def is_run(queue_id: str) -> bool:
    """Whether it is one character again and again, or a row as on a keyboard: ``1XXXXX-00XXXX-XX``, ``ABCDEF12345``."""
    text = queue_id.replace("-", "").lower()
    few = FEW if text == queue_id.lower() else FEW_BESIDE_DASHES
    if len(set(text)) <= (few if len(text) >= LONG else 1):
        return True
    breaks = sum(ord(after) - ord(before) not in (0, 1) for before, after in pairwise(text))
    return breaks <= (len(text) // BREAKS if len(text) >= NOT_SHORT else 0)


def is_mask(event: DeliveryEvent) -> bool:
    """Whether no mail server made the id that a line bears."""
    queue_id = event.queue_id
    return bool(queue_id) and _is_mask(queue_id or "", postfix=event.writer.startswith("postfix"))


@lru_cache(maxsize=8192)
def _is_mask(queue_id: str, *, postfix: bool) -> bool:
    return is_run(queue_id) or (postfix and re.fullmatch(QUEUE_ID, queue_id.encode("utf-8", "replace")) is None)


def shared_masks(events: Iterable[DeliveryEvent]) -> frozenset[Scope]:
    """The masks, each in its log and on its host, that stand for several messages."""
    masked: dict[Scope, list[DeliveryEvent]] = {}
    for event in events:
        if is_mask(event):
            masked.setdefault(scope_of(event), []).append(event)
    return frozenset(scope for scope, found in masked.items() if not _can_be_one_at_a_time(found))


def told_apart(events: Sequence[DeliveryEvent]) -> tuple[Sequence[DeliveryEvent], frozenset[Scope]]:
    """The events, in their order, but of a mask for several messages only the attempts; and those masks."""
    shared = shared_masks(events)
    if not shared:
        return events, shared
    told: list[DeliveryEvent] = []
    for event in events:
        if scope_of(event) not in shared:
            told.append(event)
        elif event.action is Action.ATTEMPTED or (event.action is Action.REJECTED and event.recipient):
            told.append(replace(event, remote_queue_id=None))
    return told, shared


def scope_of(event: DeliveryEvent) -> Scope:
    """In which log, and on which host, an id stands."""
    return event.line.place.log, event.host, event.queue_id or ""


def _can_be_one_at_a_time(events: Iterable[DeliveryEvent]) -> bool:
    """Whether they can tell of one message after the other, each from its arrival to its end."""
    current = _Stay()
    for event in events:
        if current.ended:
            current = _Stay()
        if not current.takes(event):
            return False
    return True


_DONE = frozenset({Result.SENT, Result.FAILED, Result.REFUSED, Result.EXPIRED})


class _Stay:
    """What is known of the message that an id stands for just now."""

    def __init__(self) -> None:
        self.ended = False
        self._known: dict[str, object] = {}
        self._most = 0
        self._tried: set[str] = set()
        self._done: set[tuple[str, str]] = set()

    def takes(self, event: DeliveryEvent) -> bool:
        """Note what a line says; whether it can be of the same message."""
        if event.action is Action.REMOVED:
            self.ended = True
        if event.action is Action.ATTEMPTED and event.recipient and not self._tries(event):
            return False
        if event.action is Action.ARRIVED and not self._same("arrived", event.line.place.offset):
            return False
        if event.action not in (Action.ARRIVED, Action.DESCRIBED):
            return True
        self._most = max(self._most, event.recipient_count or 0)  # on a later run the queue manager counts those left
        told = ("message_id", "reverse_path", "size")
        return all(self._same(name, value) for name in told if (value := getattr(event, name)) is not None)

    def _same(self, name: str, value: object) -> bool:
        return self._known.setdefault(name, value) == value

    def _tries(self, event: DeliveryEvent) -> bool:
        tried = (event.recipient or "").lower()
        whom = (event.original_recipient or tried).lower(), tried
        if whom in self._done:
            return False
        if event.result in _DONE:
            self._done.add(whom)
        self._tried.add(whom[0])
        return not self._most or len(self._tried) <= self._most
