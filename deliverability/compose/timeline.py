"""The picture of several attempts: what became of each, and how long after the one before.  Data; renderers draw it."""

from datetime import datetime, timedelta

from deliverability.compose.case import Case
from deliverability.compose.results import result_of
from deliverability.compose.when import exact
from deliverability.evidence.document import Timeline, TimelineMark, Tone
from deliverability.evidence.story import Attempt

MAX_MARKS = 8
"""The newest attempts; a picture of more would be longer than the page."""
_TONES = {
    "sent": Tone.GOOD,
    "stored": Tone.GOOD,
    "program": Tone.GOOD,
    "passed-on": Tone.GOOD,
    "discarded": Tone.UNKNOWN,
    "deferred": Tone.WAITING,
    "uncertain": Tone.UNKNOWN,
}
_ROOM = tuple(timedelta(**span) for span in ({"minutes": 2}, {"minutes": 15}, {"hours": 2}, {"hours": 12}))
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def timeline(case: Case) -> Timeline | None:
    """The attempts whose time is known, in order; ``None`` where there are not several."""
    attempts = case.delivery.attempts if case.delivery else ()
    timed = sorted(((a.instant, a) for a in attempts if a.instant), key=lambda pair: pair[0])[-MAX_MARKS:]
    if len(timed) < 2:
        return None
    marks, before = [], None
    for instant, attempt in timed:
        marks.append(_mark(case, attempt, instant, before))
        before = instant
    t, (first, _), (last, attempt) = case.t, timed[0], timed[-1]
    description = t(
        "timeline.description",
        count=len(timed),
        first=exact(first, case.where),
        last=exact(last, case.where),
        result=t(f"result.{result_of(attempt)}"),
    )
    return Timeline(t("timeline.label"), description, tuple(marks))


def _mark(case: Case, attempt: Attempt, instant: datetime, before: datetime | None) -> TimelineMark:
    t, result = case.t, result_of(attempt)
    waited = instant - before if before else None
    return TimelineMark(
        when=exact(instant, case.where),
        label=t(f"result.{result}"),
        tone=_TONES.get(result, Tone.BAD),
        after=t("timeline.after", span=_span(case, waited)) if waited is not None else "",
        room=sum(waited > bound for bound in _ROOM) if waited is not None else 0,
    )


def _span(case: Case, waited: timedelta) -> str:
    """The two largest units: ``2 h 10 min``."""
    left, words = round(waited.total_seconds()), []
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            words.append(case.t(f"timeline.{unit}", count=count))
        if len(words) == 2:
            break
    return " ".join(words) or case.t("timeline.second", count=0)
