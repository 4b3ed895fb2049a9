"""The shape of a log format (``docs/adding.md``), apart from the other plug-ins' shapes: whoever reads logs needs it alone."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine

if TYPE_CHECKING:
    from deliverability.evidence.attempted import Lean


class Glance(NamedTuple):
    """What a line says that only tells of a message that it came, what it is, or that the queue is done with it."""

    action: Action
    """``ARRIVED``, ``DESCRIBED`` or ``REMOVED``."""
    queue_id: str
    host: str | None
    message_id: str | None
    instant: datetime | None
    """UTC, from what the line itself states; ``None``: it states no zone."""
    local: datetime
    """The wall-clock time that the line states, naive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormat:
    """How one mail server writes.  Module constant ``FORMAT`` in ``ingest/``."""

    id: str
    title: str
    sniff: Callable[[bytes], float]
    """Share, 0 to 1, of the complete lines in a sample that are of this format."""
    parse: Callable[[Iterable[LogLine]], Iterator[DeliveryEvent]]
    """Lines in order to events; a line that says nothing about a message gives none.  Never raises."""
    is_line: Callable[[bytes], bool]
    """Whether a line is of this format at all (its own prologue), told from its head alone."""
    queue_ids: Callable[[bytes], Iterable[str]]
    """Ids by which a line belongs to a message, in fields that the writer fills itself, the line's own id first; cheap,
    may be too many."""
    needles: Callable[[str], Iterable[bytes]]
    """An address as this format may spell it: byte strings, lower-case, one of which stands in each of its lines."""
    head: bytes = b""
    """Regular expression (bytes, multi-line) that matches the head of every line of the format."""
    unproven: bool = False
    """Built from the documented fields alone: no such server ran in the tests.  Shown wherever its lines count."""
    is_lost: Callable[[bytes], bool] | None = None
    """Whether a line of which :attr:`parse` makes nothing tells of an attempt all the same, in a form that cannot be read;
    asked of lines that name what is looked for."""
    deliveries: "Callable[[bytes], Callable[[bytes, int], Iterator[Lean]] | None] | None" = None
    """Given a file's head: a reader that turns its blocks, each with the place where its whole lines end, in order, into the
    attempts that those report, without a model object each; ``None`` where only :attr:`parse` can read this file.  It says
    what ``parse`` says."""
    delivery_marks: tuple[bytes, ...] | None = None
    """Octets of which one stands in every line that reports an attempt, for a format that reads each line by itself;
    empty: none ever does; ``None``: not known, all lines have to be read."""
    glance: Callable[[], Callable[[bytes], Glance | None]] | None = None
    """For a format that reads each line by itself, gives what tells quickly what one whole line says, where :attr:`parse`
    makes one event of it that says the same and relates it to no other id; ``None`` where only ``parse`` tells."""
