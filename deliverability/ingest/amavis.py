"""amavis (amavisd-new 2.6 to 2.13) as it writes to syslog: what our own content filter did with a message.

``Passed …, Queue-ID: X, …, queued_as: Y`` is the filter's word for the hop between two entries of our own queues.
``Blocked …`` with ``Discarded`` or ``Bounced`` means that it never left the filter for those recipients, although the
mail server that handed it over logs ``sent (250 …)``: such a recipient is cancelled, never accepted.  ``dkim_new``
says that amavis says it signed; ``dkim_sd`` are signatures that it found valid, a fact about our side.

The verbose form of the line (``$log_verbose_templ``) is read up to ``queued_as``; the rest of it holds text of
strangers in no reliable order.  The lines for single recipients (``$log_recip_templ``) name no queue id.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from deliverability.evidence.event import Action, DeliveryEvent, Relation
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols import ingesting
from deliverability.protocols.syslog import Prologue, head_for, parse_prologue

if TYPE_CHECKING:
    from deliverability.protocols.amavis_lines import Verdict

MAX_LINE = 65_536
"""Octets of a line that are read; amavis splits its entries below 1000."""
MAX_OPEN = 256
"""Entries of several lines that are being put together at once: one for each process of the filter."""

_TAG = rb"(?:/usr/s?bin/)?amavis[a-z0-9._-]{0,32}"
_HEAD = head_for(_TAG)
_is_line = ingesting.Recogniser(_HEAD, b"amavis")
_MORE = b"..."
"""Where amavis splits an entry: at the end of a line, and at the beginning of the next, after the task id."""
_IDS = re.compile(rb", (?:Queue-ID|queued_as): ([0-9A-Za-z]{5,40}(?:/[0-9A-Za-z]{5,40}){0,63})(?=,|\Z)")


class _Piece(NamedTuple):
    """One line about a message: its head, the task, and its words."""

    head: Prologue
    task: str
    words: bytes

    @property
    def first(self) -> bool:
        return not self.words.startswith(_MORE)

    @property
    def last(self) -> bool:
        return not self.words.endswith(_MORE)


def _piece(raw: bytes) -> _Piece | None:
    from deliverability.protocols.amavis_lines import TASK

    if not is_line(raw):
        return None
    head = parse_prologue(raw[:MAX_LINE])
    task = TASK.match(head.rest) if head else None
    if head is None or task is None:
        return None
    words = head.rest[task.end() :]
    return _Piece(head, task[1].decode("ascii"), words) if words.startswith((b"Passed ", b"Blocked ", _MORE)) else None


class _Entries:
    """Puts entries together that amavis wrote in several lines."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str | None, str | None, str], tuple[LogLine, Prologue, bytearray]] = {}

    def take(self, line: LogLine, piece: _Piece) -> tuple[LogLine, Prologue, bytes] | None:
        """The first line, its head, and all words of an entry, once its last line is there."""
        from deliverability.protocols.amavis_lines import MAX_ENTRY

        key = (line.place.log, piece.head.host, piece.head.pid, piece.task)
        if piece.first:
            self._open.pop(key, None)
            if piece.last:
                return line, piece.head, piece.words
            if len(self._open) >= MAX_OPEN:
                self._open.pop(next(iter(self._open)))
            self._open[key] = line, piece.head, bytearray(piece.words[: -len(_MORE)])
            return None
        begun = self._open.get(key)
        if begun is None:
            return None
        first, head, words = begun
        words.extend(piece.words[len(_MORE) :] if piece.last else piece.words[len(_MORE) : -len(_MORE)])
        if piece.last or len(words) > MAX_ENTRY:
            del self._open[key]
        return (first, head, bytes(words)) if piece.last else None


def _told(line: LogLine, head: Prologue, verdict: "Verdict") -> Iterator[DeliveryEvent]:
    """The events of one entry: of the message, of who is not getting it, of the next queue, and of signatures."""
    following = verdict.queued_as[0] if len(verdict.queued_as) == 1 else None
    common = DeliveryEvent(
        action=Action.FILTERED,
        line=line,
        at=head.at,
        writer="amavis",
        host=head.host,
        process=f"{head.tag}[{head.pid}]" if head.pid else None,
        queue_id=verdict.queue_id or following,
        message_id=verdict.message_id,
        text=verdict.words,
    )
    yield replace(
        common,
        reverse_path=verdict.reverse_path,
        recipients=verdict.recipients,
        size=verdict.size,
        remote_queue_id=following if verdict.queue_id else None,
    )
    if verdict.kept and verdict.queue_id:
        for recipient in verdict.recipients:
            yield replace(common, action=Action.CANCELLED, recipient=recipient)
    if verdict.queue_id:
        before = ((Relation.REQUEUED_FROM, verdict.queue_id),)
        for queue_id in verdict.queued_as:
            yield replace(common, queue_id=queue_id, related=before)
    for selector, domain in verdict.added if common.queue_id and not verdict.blocked else ():
        told = f"dkim_new={selector}:{domain}"
        yield replace(common, action=Action.SIGNED, selector=selector, signing_domain=domain, text=told)


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """Each entry's events, at its last line and with the place of its first; never raises."""
    from deliverability.protocols.amavis_lines import parse_verdict

    entries = _Entries()
    for line in lines:
        piece = None if line.cut else _piece(line.raw)
        whole = entries.take(line, piece) if piece else None
        verdict = parse_verdict(whole[2]) if whole else None
        if whole and verdict:
            yield from _told(whole[0], whole[1], verdict)


def is_line(raw: bytes) -> bool:
    """Whether amavis wrote it, by its syslog tag."""
    return _is_line(raw)


def is_lost(raw: bytes) -> bool:
    """Whether it is an entry, or a piece of one, on what became of a message."""
    return _piece(raw) is not None


def sniff(sample: bytes) -> float:
    """Share of the sample's complete lines that amavis wrote."""
    return _is_line.share(sample)


def queue_ids(raw: bytes) -> list[str]:
    """The id before the filter and those behind it; of a line that is part of an entry, the task that it belongs to."""
    from deliverability.protocols.amavis_lines import parse_verdict

    piece = _piece(raw)
    if piece is None:
        return []
    verdict = parse_verdict(piece.words) if piece.first and piece.last else None
    if verdict:
        return [i for i in (verdict.queue_id, *verdict.queued_as) if i]
    if piece.first and piece.last:
        return []
    found = (i.decode("ascii") for ids in _IDS.findall(piece.words) for i in ids.split(b"/"))
    return [piece.task, *found]


FORMAT = LogFormat(
    id="amavis",
    title="amavis (syslog)",
    sniff=sniff,
    parse=parse,
    is_line=is_line,
    queue_ids=queue_ids,
    needles=lambda address: ingesting.needles(address, lambda s: s.replace("\\", "\\\\")),
    is_lost=is_lost,
    head=_HEAD,
    delivery_marks=(),
)
