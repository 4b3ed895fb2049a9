"""Exit statuses (DESIGN §8): 1 is only ever a finding, and of several results the worst wins."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deliverability.evidence.bundle import Assessment
    from deliverability.evidence.story import State
    from deliverability.terminal.options import FailOn

ACCEPTED, NEGATIVE, USAGE, PENDING, UNKNOWN, TAMPERED, COULD_NOT_LOOK, INTERNAL, INTERRUPTED = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    70,
    130,
)
WORST_FIRST = (TAMPERED, INTERNAL, COULD_NOT_LOOK, UNKNOWN, NEGATIVE, PENDING, ACCEPTED)


def dispatch_status(state: "State", *, blind: bool) -> int:
    """What "was it dispatched?" exits with; ``blind``: a log could not be read, or not to its end."""
    if state.value == "not-found" and blind:
        return COULD_NOT_LOOK  # it may stand where nobody could look
    return {
        "delivered": ACCEPTED,
        "accepted": ACCEPTED,
        "handed-over": PENDING,
        "deferred": PENDING,
        "queued": PENDING,
        "recorded": UNKNOWN,
        "unknown": UNKNOWN,
        "not-found": UNKNOWN,
    }.get(state.value, NEGATIVE)


def check_status(assessment: "Assessment", fail_on: "FailOn") -> int:
    """What checks exit with; hints count only where ``fail_on`` says so."""
    from deliverability.terminal.options import FailOn

    binding = {v.outcome.value for v in assessment.verdicts if not v.advisory or fail_on is FailOn.ADVICE}
    if any(v.outcome.value == "error" for v in assessment.verdicts):
        return INTERNAL
    if "fail" in binding or (fail_on is not FailOn.FAIL and "indeterminate" in binding):
        return NEGATIVE
    return PENDING if "indeterminate" in binding else ACCEPTED


def worst(statuses: Iterable[int]) -> int:
    """The status that stands for several."""
    return min(statuses, key=WORST_FIRST.index, default=UNKNOWN)
