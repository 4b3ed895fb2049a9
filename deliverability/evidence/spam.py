"""What a spam filter of the caller's own said of a message: a fact beside the verdicts, never one of them.

Another filter, or the same one trained otherwise, scores otherwise.
"""

from dataclasses import dataclass
from datetime import datetime

from deliverability.evidence.observation import Obstacle


@dataclass(frozen=True, slots=True)
class SpamScore:
    """What the filter said."""

    engine: str
    """``spamd`` or ``rspamd``."""
    endpoint: str
    score: float
    threshold: float | None
    """From which score it calls a message spam; rspamd: from which it rejects."""
    spam: bool
    """Whether it calls this one spam; rspamd: whether its action is more than none."""
    action: str
    """rspamd's action: ``no action``, ``add header``, ``reject`` …; empty for spamd."""
    symbols: tuple[str, ...]
    """Names of the tests that hit, sorted."""
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class NoScore:
    """The filter did not say; nothing follows for the message."""

    engine: str
    endpoint: str
    obstacle: Obstacle
    detail: str
    observed_at: datetime


Scored = SpamScore | NoScore
"""A filter was asked."""
