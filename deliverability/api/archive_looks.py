"""Segments looked through in the order of the log, some of them by a child where there is a second processor.

What is known of a log's formats grows with each segment.  A child that is given one knows those before the segments
that are still looked through, which nearly always are all: else what it found is not used.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from deliverability.api.archive_cuts import Cut, Looked, look
from deliverability.capture import aside
from deliverability.capture.files import LogFile
from deliverability.capture.worker import Worker
from deliverability.evidence.log_format import LogFormat
from deliverability.ledger.archive import MAX_SEGMENT

WORTHWHILE = 8 << 20  # octets of a file below which a child is not made
UNDER_WAY = 6  # segments that are held until the first of them is done

_Known = tuple[str, ...]
_Answer = tuple[Looked, _Known]


class Looks:
    """How segments are looked through; to be closed."""

    def __init__(self, every: Sequence[LogFormat], files: Iterable[LogFile] = ()) -> None:
        self._every, self._by_name = every, {fmt.id: fmt for fmt in every}
        self._worker: Worker | None = None
        if aside.possible() and any(file.octets >= WORTHWHILE for file in files):
            with suppress(OSError):  # no more processes are allowed
                self._worker = Worker(self._answer, MAX_SEGMENT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_worker()

    def through(self, cuts: Iterable[Cut], known: Sequence[LogFormat]) -> Iterator[Cut]:
        """Each of them when it was looked through; ``known`` are the formats of what stands before."""
        under_way = _UnderWay(self, known)
        try:
            for cut in cuts:
                under_way.add(cut)
                yield from under_way.done(UNDER_WAY)
            yield from under_way.done(0)
        finally:
            if under_way.given:  # nobody wants them any more
                self._end_worker()

    @property
    def worker(self) -> Worker | None:
        """The child."""
        return self._worker

    def here(self, cut: Cut, known: Sequence[LogFormat]) -> Looked:
        """Look through one in this process."""
        return look(cut.content, cut.start, self._every, known)

    def taken(self) -> tuple[Looked, tuple[LogFormat, ...]] | None:
        """What the child found next; ``None`` where it was ended, and never is asked again."""
        if self._worker is None:
            return None
        try:
            looked, names = self._worker.take()
        except EOFError:
            self._end_worker()
            return None
        formats = tuple(self._by_name[name] for name in names)
        return replace(looked, scan=replace(looked.scan, formats=formats)), formats

    def _answer(self, content: bytes, said: tuple[int, _Known]) -> _Answer:
        """In the child: what it finds, as what can be handed over between processes."""
        start, names = said
        looked = look(content, start, self._every, [self._by_name[name] for name in names])
        bare = replace(looked.scan, file=LogFile("", "", None), formats=())
        return replace(looked, scan=bare), tuple(fmt.id for fmt in looked.scan.formats)

    def _end_worker(self) -> None:
        if self._worker:
            self._worker.close()
        self._worker = None


class _UnderWay:
    """Segments of one log, some of which are looked through."""

    def __init__(self, looks: Looks, known: Sequence[LogFormat]) -> None:
        self._looks, self._known = looks, tuple(known)
        self._cuts: deque[tuple[Cut, tuple[LogFormat, ...]]] = deque()
        self.given = 0
        """How many of them the child has."""

    def add(self, cut: Cut) -> None:
        """Have one looked through: by the child, if it has room and something is known of the log."""
        worker = self._looks.worker
        if worker and worker.has_room and self._known:
            worker.give(cut.content, (cut.start, tuple(fmt.id for fmt in self._known)))
            self.given += 1
        else:
            cut.looked = self._looks.here(cut, self._known)
        self._cuts.append((cut, self._known))

    def done(self, held: int) -> Iterator[Cut]:
        """Those that are done, in order, until no more than ``held`` are left, or the first is not done."""
        while self._cuts:
            cut, known = self._cuts[0]
            worker = self._looks.worker
            if cut.looked is None and len(self._cuts) <= held and worker and not worker.has_answer:
                return
            self._cuts.popleft()
            if cut.looked is None:
                taken = self._looks.taken()
                self.given -= 1
                cut.looked = taken[0] if taken else None
            if cut.looked is None or known != self._known:
                cut.looked = self._looks.here(cut, self._known)
            self._known = tuple(cut.looked.scan.formats)
            yield cut
