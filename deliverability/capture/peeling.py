"""A log as it grows, with something before each line: what ``kubectl logs -f --prefix`` and the like put there goes.

What stands before the lines is settled once, by the first of them, as it is for a whole file
(:mod:`deliverability.capture.decoders.pasted`): a log whose first line is read as it stands is never looked at again.
Else a few lines are held back until they agree.
"""

from collections.abc import Iterator
from dataclasses import replace

from deliverability.capture.decoders import pasted
from deliverability.capture.unwrapping import Holding
from deliverability.evidence.exhibit import LogLine

AGREEING = 3  # lines that must be log lines without what stands before them
MAX_HELD = 100  # lines among which they are


class Peeled:
    """Lines of a source that grows, as their server wrote them."""

    def __init__(self, source: Holding) -> None:
        self._source = source
        self._held: list[LogLine] = []
        self._agreeing = 0
        self._settled = False
        self._shape: pasted.Shape | None = None

    @property
    def ended(self) -> bool:
        """Nothing more can come."""
        return self._source.ended

    def close(self) -> None:
        """Let go of what is followed."""
        self._source.close()

    def lines(self) -> Iterator[LogLine]:
        """What has come since the last look, but for what is held back."""
        for line in self._source.lines():
            yield from self._taken(line)
        if self._source.ended:
            yield from self._released()

    def last(self) -> Iterator[LogLine]:
        """What is held back, when nobody looks again."""
        for line in self._source.last():
            yield from self._taken(line)
        yield from self._released()

    def _taken(self, line: LogLine) -> Iterator[LogLine]:
        if self._settled:
            yield self._peeled(line)
            return
        self._held.append(line)
        self._settled = self._settles(line.raw)
        if self._settled or not self._agreeing:
            yield from self._released()

    def _settles(self, raw: bytes) -> bool:
        """Whether it is known with this line what stands before each."""
        if pasted.is_log_line(raw) or pasted.is_quoted_header(raw) or len(self._held) > MAX_HELD:
            return True
        self._agreeing += pasted.is_changed_line(raw)
        if self._agreeing < AGREEING:
            return False
        self._shape = pasted.shape_of(b"\n".join(line.raw for line in self._held), complete=True)
        return True

    def _released(self) -> Iterator[LogLine]:
        held, self._held = self._held, []
        yield from map(self._peeled, held)

    def _peeled(self, line: LogLine) -> LogLine:
        return line if self._shape is None else replace(line, raw=pasted.straightened(line.raw, self._shape))
