"""The same line once more: written twice, kept in a backup, or told by two collectors of one host."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from deliverability.evidence.event import Action, DeliveryEvent, TimeBasis

_QUARTER = timedelta(minutes=15)  # every civil UTC offset in use is a multiple of it
_WIDEST = timedelta(hours=14, minutes=1)
_SECOND = timedelta(seconds=1)
_TOGGLES = frozenset({Action.HELD, Action.RELEASED})


def each_once(events: Iterable[DeliveryEvent]) -> Iterator[DeliveryEvent]:
    """Without what stands there again to the octet: syslog was told to write twice, or a log holds its own backup.

    No server ends two attempts for one recipient in one second and the same words, nor two messages under one id.
    """
    told: dict[tuple[object, ...], tuple[str, int]] = {}
    for event in events:
        place = event.line.place
        about = (place.log, event.line.raw, event.action, event.recipient, event.original_recipient)
        if event.action in _TOGGLES or told.setdefault(about, (place.file, place.offset)) == (place.file, place.offset):
            yield event


def in_known_time(events: Sequence[DeliveryEvent]) -> list[DeliveryEvent]:
    """Without what a log that states no zone repeats of one that does: a file of syslog's beside its host's journal.

    The same process said the same of the same id, and the clocks differ by what a zone is.
    """
    if all(_is_assumed(e) for e in events) or not any(_is_assumed(e) for e in events):
        return list(events)
    known: dict[tuple[object, ...], list[datetime]] = {}
    for event in events:
        if event.queue_id and event.at.instant and not _is_assumed(event):
            known.setdefault(_said_by(event), []).append(event.at.instant)
    return [e for e in events if not (_is_assumed(e) and any(_is_shifted(e, at) for at in known.get(_said_by(e), ())))]


def _is_assumed(event: DeliveryEvent) -> bool:
    return event.at.zone_from is TimeBasis.ASSUMED


def _said_by(event: DeliveryEvent) -> tuple[object, ...]:
    reply = event.reply.text if event.reply else None
    who = (event.line.place.log, event.host, event.process, event.queue_id)
    return (*who, event.action, event.recipient, event.result, event.text, reply, event.message_id, event.reverse_path)


def _is_shifted(event: DeliveryEvent, at: datetime) -> bool:
    apart = abs(event.at.instant - at) if event.at.instant else _WIDEST
    beyond = apart % _QUARTER
    return apart < _WIDEST and min(beyond, _QUARTER - beyond) <= _SECOND
