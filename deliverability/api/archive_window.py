"""Which of an archive's segments a time window reaches, by the times that were read when they were kept.

For questions with which the index cannot help: without a window all would be unpacked.
"""

from collections.abc import Sequence
from datetime import timedelta

from deliverability.api import archive_shape as shape
from deliverability.api.seeking import BEFORE, UNKNOWN_ZONE, TimeWindow
from deliverability.api.times import DISORDER, in_order, stamp
from deliverability.ledger.archive import Segment


def reached(segments: Sequence[Segment], window: TimeWindow) -> set[int]:
    """Ids of the segments of one log in which lines of messages can stand that arrived in the window.

    As for a plain file there is room for disorder and for messages that are tried later, and for a zone that may be
    known better by now.  A log whose clock goes back, or that has no times, is reached everywhere.
    """
    if not _in_order(segments):
        return {segment.id for segment in segments}
    slack = timedelta() if all(map(_states_its_zone, segments)) else UNKNOWN_ZONE
    return {s.id for s in segments if not _is_before(s, window, slack) and not _is_after(s, window, slack)}


def _is_before(segment: Segment, window: TimeWindow, slack: timedelta) -> bool:
    since = window.since
    return since is not None and segment.last is not None and since - segment.last > BEFORE + slack


def _is_after(segment: Segment, window: TimeWindow, slack: timedelta) -> bool:
    until, most = window.until, window.after + DISORDER + slack
    return until is not None and segment.first is not None and segment.first - until > most


def _states_its_zone(segment: Segment) -> bool:
    """Whether lines here and there state it: then the times that were kept are instants, whatever is known by now."""
    heads = (head for _, _, *ends in shape.of_segment(segment)["edges"] for head in ends)
    stamps = [at for head in heads if (at := stamp(head.encode("latin-1")))]
    return bool(stamps) and all(at.instant for at in stamps)


def _in_order(segments: Sequence[Segment]) -> bool:
    """Whether no line of a log can stand far from where its time belongs."""
    if any(segment.first is None or segment.last is None or _goes_back(segment) for segment in segments):
        return False
    return in_order([at for segment in segments for at in (segment.first, segment.last) if at])


def _goes_back(segment: Segment) -> bool:
    """Whether the clock was set back within a segment, or nobody looked."""
    steps = shape.of_segment(segment).get("steps")
    return steps is None or any(by < 0 for *_, by in steps)
