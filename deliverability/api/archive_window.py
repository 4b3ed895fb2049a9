"""Which of an archive's segments a time window reaches, by the times that were read when they were kept.

For questions with which the index cannot help: without a window all would be unpacked.
"""

from collections.abc import Sequence
from datetime import datetime

from deliverability.api import archive_shape as shape
from deliverability.api.seeking import AFTER, BEFORE, UNKNOWN_ZONE
from deliverability.api.times import in_order
from deliverability.ledger.archive import Segment


def reached(segments: Sequence[Segment], since: datetime | None, until: datetime | None) -> set[int]:
    """Ids of the segments of one log in which lines of messages can stand that arrived in the window.

    As for a plain file there is room for disorder and for messages that are tried later; more of it, for the zone may
    be known better by now.  A log whose clock goes back, or that has no times, is reached everywhere.
    """
    if not _in_order(segments):
        return {segment.id for segment in segments}
    return {segment.id for segment in segments if not _is_before(segment, since) and not _is_after(segment, until)}


def _is_before(segment: Segment, since: datetime | None) -> bool:
    return since is not None and segment.last is not None and since - segment.last > BEFORE + UNKNOWN_ZONE


def _is_after(segment: Segment, until: datetime | None) -> bool:
    return until is not None and segment.first is not None and segment.first - until > AFTER + UNKNOWN_ZONE


def _in_order(segments: Sequence[Segment]) -> bool:
    """Whether no line of a log can stand far from where its time belongs."""
    if any(segment.first is None or segment.last is None or _goes_back(segment) for segment in segments):
        return False
    return in_order([at for segment in segments for at in (segment.first, segment.last) if at])


def _goes_back(segment: Segment) -> bool:
    """Whether the clock was set back within a segment, or nobody looked."""
    steps = shape.of_segment(segment).get("steps")
    return steps is None or any(by < 0 for *_, by in steps)
