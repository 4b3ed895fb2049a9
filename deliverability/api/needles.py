"""Where byte strings stand in a block, ASCII case not counting, as fast as the block can be read.

Hyperscan finds all of them in one go, and fastest by what they share.  Without it, each string is found by the part of
it that takes the least time in this very log: a rare one, whose letters are rare too, perhaps one without letters, which
needs no folding of case.
What is found is the same whatever part is chosen: every place is held against the whole string.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from deliverability.protocols.octets import PIECE, WORTHWHILE, Places, any_of, each_position

MIN_ANCHOR = 6
MIN_SHARED = 3  # where Hyperscan looks for it
SAMPLE = PIECE  # octets by which parts are compared
MIN_SAMPLE = WORTHWHILE  # octets: less is looked through before parts are compared
MAX_TRIED = 60  # parts of one string
MAX_SHARED = 16  # strings that are looked for by one part
MAX_SHARED_PART = 64  # octets: what is longer is no rarer
TRIES = 3  # measurements of each part; the least counts, as a busy machine only ever adds
HIT_COST = 0.4e-6  # seconds: a place that has to be held against the whole string
HIT_STOPS = 200  # the same, as often as Hyperscan stops at two octets in that time
TOO_MANY = 4096  # places in one block: the choice is made again


class _Anchor(NamedTuple):
    """A part, and the strings that it stands in, each with where in it."""

    part: bytes
    wholes: tuple[tuple[bytes, int], ...]

    @property
    def caseless(self) -> bool:
        return self.part.upper() == self.part


class Needles:
    """Byte strings in lower case, to be found in any."""

    def __init__(self, wanted: Iterable[bytes]) -> None:
        self.wanted = tuple(sorted({w for w in wanted if w}))
        self._anchors = [_Anchor(w, ((w, 0),)) for w in self.wanted]
        self._tuned = self._asked = False
        self._at_once: Places | None = None

    def __bool__(self) -> bool:
        return bool(self.wanted)

    def find(self, content: bytes, end: int) -> list[int]:
        """Where any of them begins in ``content`` before ``end``, in order."""
        if not self.wanted:
            return []
        if not self._asked and end >= WORTHWHILE:
            sample = content[max(0, end // 2 - SAMPLE // 2) :][:SAMPLE]
            self._asked, self._at_once = True, self._by_shared(sample) or any_of(self.wanted, caseless=True)
        if self._at_once is not None:
            return sorted({at for at, _ in self._at_once(content, end)})
        if not self._tuned and end >= MIN_SAMPLE:
            self._tune(content[max(0, end // 2 - SAMPLE // 2) :][:SAMPLE])
        folded = content if all(a.caseless for a in self._anchors) else content.lower()
        found: list[int] = []
        hits = 0
        for anchor in self._anchors:
            for at in each_position(folded, anchor.part, 0, end):
                hits += 1
                for whole, before in anchor.wholes:
                    start = at - before
                    if start >= 0 and start + len(whole) <= end and _stands(content, folded, whole, start):
                        found.append(start)
        self._tuned = self._tuned and hits < TOO_MANY
        return sorted(set(found))

    def _by_shared(self, sample: bytes) -> Places | None:
        """All of them by a part that stands in each: to look for one string takes a third of the time."""
        part = _rarest(_shared_part(self.wanted), sample.lower())
        places = any_of([part], caseless=True) if len(part) >= MIN_SHARED else None
        if places is None:
            return None
        wholes = [(which, whole, whole.index(part)) for which, whole in enumerate(self.wanted)]

        def find(content: bytes, end: int) -> Iterable[tuple[int, int]]:
            found = []
            hits = list(places(content, end))
            if len(hits) > TOO_MANY // len(wholes):  # a part that is not rare: each for itself from now on
                self._at_once = any_of(self.wanted, caseless=True)
                if self._at_once is not None:
                    return self._at_once(content, end)
            for at, _ in hits:
                for which, whole, before in wholes:
                    start = at - before
                    if start >= 0 and start + len(whole) <= end and _stands(content, content, whole, start):
                        found.append((start, which))
            return found

        return find

    def _tune(self, sample: bytes) -> None:
        """Choose parts by what they take in a sample."""
        self._tuned = True
        folded = sample.lower()
        folding = min(_timed(sample.lower) for _ in range(TRIES))
        singly = [_best(folded, [w], folding) for w in self.wanted]
        self._anchors = [anchor for _, anchor in singly]
        if 1 < len(self.wanted) <= MAX_SHARED:
            shared = _best(folded, self.wanted, folding)
            if shared[0] < sum(cost for cost, _ in singly):
                self._anchors = [shared[1]]


def _shared_part(wholes: Sequence[bytes]) -> bytes:
    """The longest string that stands in all of them."""
    shortest = min(wholes, key=len)[:MAX_SHARED_PART]
    for length in range(len(shortest), 0, -1):
        for at in range(len(shortest) - length + 1):
            part = shortest[at : at + length]
            if all(part in whole for whole in wholes):
                return part
    return b""


def _rarest(whole: bytes, sample: bytes) -> bytes:
    """A part of a string: Hyperscan stops where a short one's first two octets stand, and we where all of it does."""
    parts = {whole[at : at + MIN_ANCHOR]: None for at in range(max(1, len(whole) - MIN_ANCHOR + 1))}
    return min(parts, key=lambda part: sample.count(part[:2]) + HIT_STOPS * sample.count(part))


def _stands(content: bytes, folded: bytes, whole: bytes, start: int) -> bool:
    if folded is not content:
        return folded.startswith(whole, start)
    return content[start : start + len(whole)].lower() == whole


def _best(sample: bytes, wholes: Iterable[bytes], folding: float) -> tuple[float, _Anchor]:
    """The quickest part that stands in all of ``wholes``, and what it takes."""
    wholes = tuple(wholes)
    best: tuple[float, _Anchor] | None = None
    for part in _parts(min(wholes, key=len)):
        if not all(part in whole for whole in wholes):
            continue
        anchor = _Anchor(part, tuple((whole, whole.index(part)) for whole in wholes))
        count = partial(sample.count, part)
        seconds = min(_timed(count) for _ in range(TRIES))
        cost = seconds + count() * HIT_COST * len(wholes) + (0 if anchor.caseless else folding)
        if best is None or cost < best[0]:
            best = cost, anchor
    return best or (float("inf"), _Anchor(wholes[0], ((wholes[0], 0),)))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _parts(whole: bytes) -> Iterator[bytes]:
    """The string itself, and some of its parts that stand in it only once.

    None that overlaps itself: of two places with octets in common only the first is found, which may be the wrong one.
    """
    yield whole
    lengths = [n for n in (MIN_ANCHOR, 10, 16) if n < len(whole)]
    places = [(at, n) for n in lengths for at in range(len(whole) - n + 1)]
    for at, n in places[:: len(places) // MAX_TRIED + 1]:
        part = whole[at : at + n]
        overlaps = any(part.endswith(part[:n]) for n in range(1, len(part)))
        if not overlaps and whole.find(part, at + 1) < 0 and whole.find(part) == at:
            yield part
