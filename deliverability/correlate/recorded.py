"""A mailer's own list (L0) beside what the mail servers' logs show.

Such a row names no Message-ID and no queue id: nothing in it proves which message of the log it made.  It never raises
a claim.  Where one logged message alone has its recipient and subject and arrived when the row was made, the row stands
beside that message; else it stands for itself, as *recorded* and no more.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from deliverability.correlate.entries import AddressKey, address_key
from deliverability.evidence.event import DeliveryEvent, TimeBasis
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.story import Delivery, Message, State, Stay, Tie

BEFORE, AFTER = timedelta(minutes=2), timedelta(minutes=15)  # between the row and the arrival in our queue
ANY_ZONE = timedelta(hours=14)  # of a row whose zone nobody knows

Told = tuple[datetime | None, Message]


def with_recorded(told: list[Told], rows: Sequence[DeliveryEvent], asked: frozenset[AddressKey]) -> list[Told]:
    """The messages with the rows that fit them, and a message for each row that fits none."""
    if not rows:
        return told
    by_recipient: dict[AddressKey, list[int]] = {}
    for index, (_, message) in enumerate(told):
        for delivery in message.deliveries:
            by_recipient.setdefault(address_key(delivery.recipient), []).append(index)
    alone: list[Told] = []
    # A notice that was copied to several people is one row, told once for each of them.
    for row in rows:
        key = address_key(row.recipient)
        if asked and key not in asked:
            continue
        fitting = [i for i in by_recipient.get(key, []) if _fits(row, told[i][1])]
        if len(fitting) == 1:
            began, message = told[fitting[0]]
            account = message.account or row.account
            told[fitting[0]] = began, replace(message, recorded=(*message.recorded, row.line), account=account)
        else:
            alone.append((row.at.instant, _alone(row)))
    return told + alone


def _fits(row: DeliveryEvent, message: Message) -> bool:
    arrived = message.arrived.instant if message.arrived else None
    if arrived is None or row.at.instant is None or not row.subject:
        return False
    assumed = row.at.zone_from is TimeBasis.ASSUMED
    slack = ANY_ZONE if assumed else timedelta(0)
    in_time = row.at.instant - BEFORE - slack <= arrived <= row.at.instant + AFTER + slack
    return in_time and _plain(row.subject) == _plain(message.subject)


def _plain(subject: str | None) -> str:
    return " ".join((subject or "").split())


def _alone(row: DeliveryEvent) -> Message:
    lines: tuple[LogLine, ...] = (row.line,)
    return Message(
        message_id=row.message_id,
        subject=row.subject,
        reverse_path=row.reverse_path,
        size=None,
        stays=(Stay(None, row.line.place.log, Tie.FIRST, row.at),),
        deliveries=(Delivery(row.recipient or "", (), State.RECORDED, (), None),),
        lines=lines,
        recorded=lines,
        account=row.account,
    )
