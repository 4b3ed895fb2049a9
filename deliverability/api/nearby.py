"""The lines of one block, told without putting its surroundings together where a line stands alone, as almost all do."""

from deliverability.api.surroundings import (
    _NUMBERED,
    _NUMBERED_BEGINS,
    _PART,
    _PROCESS,
    _SESSION,
    _TIME,
    MAX_HEAD,
    MAX_SESSION,
    session_before,
    whole_entry,
)
from deliverability.capture.blocks import MAX_LINE, Block, Window
from deliverability.protocols.octets import count, last

NEWLINE = 0x0A
UNNUMBERED = -(1 << 40)  # far from the numbers of all lines: none seems to follow such a line

Found = tuple[int, int, bytes, bool]
"""A line without the name of its file, as it is kept by the thousand: offset, number, octets, whether it was cut."""


class Nearby:
    """The lines of a block; ``before`` is the block just before it, where that is known.

    To number lines takes about as long as to look for them.  Where nobody shows numbers, only lines that belong to one
    entry have them.
    """

    def __init__(self, window: Window, before: Block | None = None, *, numbered: bool = True) -> None:
        self._window, self._numbered = window, numbered
        known = before if before and before.following == window.block.offset else None
        self._before, self._size = (known.raw, known.end) if known else (b"", 0)
        self._number, self._at = window.block.line + 1, 0

    def line(self, at: int) -> tuple[int, int]:
        """Where the line around a place of the block begins, and where the next one does."""
        raw, end = self._window.block.raw, self._window.block.end
        following = raw.find(b"\n", at, end) + 1
        return raw.rfind(b"\n", 0, at) + 1, following or end

    def entry(self, at: int, start: int, following: int, *, session: bool = False) -> list[Found]:
        """The entry of the line around a place, its own line first; with ``session``, what its process said comes before.

        ``start`` and ``following`` are what :meth:`line` gives for the place.  Nothing, where the place is so far in its
        line that nobody reads it there.
        """
        window, raw = self._window, self._window.block.raw
        if at - start >= MAX_LINE:
            return []
        if self._is_alone(start, following) and not (session and self._may_have_session(start, following)):
            own = raw[start : following - 1].removesuffix(b"\r")
            return [(window.block.offset + start, self._number_of(start), own, False)]
        begin = window.start + start
        before = session_before(window, begin) if session else []
        return [(i.place.offset, i.place.line, i.raw, i.cut) for i in (*before, *whole_entry(window, begin))]

    def _number_of(self, start: int) -> int:
        if not self._numbered:
            return UNNUMBERED
        self._number += count(self._window.block.raw, b"\n", self._at, start)
        self._at = start
        return self._number

    def _is_alone(self, start: int, following: int) -> bool:
        """Whether :func:`whole_entry` would give this line and nothing beside it, as far as the block shows that."""
        raw = self._window.block.raw
        if following - start > MAX_LINE or raw[following - 1] != NEWLINE:
            return False
        timed = _TIME.match(raw, start) and _TIME.match(raw, following)
        may_be_part = raw.find(b" [", start, following) >= 0  # quick, and seldom
        return timed is not None and not (may_be_part and _PART.search(raw, start, following))

    def _may_have_session(self, start: int, following: int) -> bool:
        """Whether :func:`session_before` might give something for a whole line."""
        raw = self._window.block.raw
        stop = min(following, start + MAX_HEAD)
        if raw.find(_NUMBERED_BEGINS, start, stop) >= 0 and _NUMBERED.search(raw, start, stop):
            return True
        process = _PROCESS.search(raw, start, stop)
        if not process:
            return False
        at = last(raw, process[0], max(0, start - MAX_SESSION), start)
        if at >= 0:
            return _SESSION.match(raw, at) is not None
        left = MAX_SESSION - start
        if left <= 0:
            return False
        at = last(self._before, process[0], max(0, self._size - left), self._size)
        return self._size < left if at < 0 else _SESSION.match(self._before, at) is not None
