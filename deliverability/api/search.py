"""Find the log lines of a message without parsing every line of the archive.

A first pass looks for the needle (an address, a Message-ID, a queue id) in the raw bytes and takes the queue ids
of its lines; further passes take the lines of those ids, until no new id turns up.  What is found is a superset:
``correlate`` decides what belongs to whom.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from deliverability import plugins
from deliverability.api import progress
from deliverability.api.scan import FileScan, FirstPass, each_position
from deliverability.api.surroundings import SESSION_REACH, session_before, whole_entry
from deliverability.capture.blocks import MAX_LINE, windows
from deliverability.capture.files import LogFile
from deliverability.errors import CannotLookError
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.plugin import LogFormat

MAX_PASSES = 8  # requeue of a requeue of a re-injection … more hops than any mail makes
MAX_IDS = 20_000  # messages to one address; past it the caller must narrow the question
MAX_LINES = 400_000  # found lines; refusals at submission have no id to count
MAX_FOUND_SINGLY = 8  # ids looked for one by one, which is fastest for few

# The shapes of queue ids (Exim old and new, Postfix long and short, Sendmail) between marks that stand around them.
_ID = rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}|[0-9A-Za-z]{6,24}"
_ID_IN_LINE = re.compile(rb"[ =:<(\"'\n](%s)(?![0-9A-Za-z-])" % _ID)
_ID_ALONE = re.compile(_ID)


@dataclass(slots=True)
class Found:
    """Events of the lines that were found, and what each file is."""

    scans: list[FileScan]
    events: list[DeliveryEvent]
    too_many: bool = False
    """A limit was reached: the events tell of some messages only in part, and of others not at all."""


def load_formats() -> tuple[LogFormat, ...]:
    """All log formats; a broken one is skipped here and shown by the contract tests."""
    return tuple(f for _, f in plugins.load_all("ingest") if isinstance(f, LogFormat))


def search(
    files: Sequence[LogFile],
    needles: Callable[[LogFormat], Iterable[bytes]],
    known_ids: Iterable[str] = (),
    keep: Callable[[str], bool] = lambda _id: True,
) -> Found:
    """All events on lines that hold a needle, or belong to a queue id of such a line.

    ``needles`` gives the lower-case byte strings to look for in a log of that format; ids that ``keep`` refuses are
    not followed.
    """
    search_ = _Search(keep, set(known_ids))
    every = load_formats()
    passes = [FirstPass(file, every, needles) for file in files]
    for first in passes:
        search_.take(first.scan, first)
    scans = [first.scan for first in passes]
    searched: set[str] = set()
    for _ in range(MAX_PASSES):
        fresh = search_.ids - searched
        if not fresh or search_.too_many:
            break
        searched |= fresh
        for scan in scans:
            search_.take(scan, _lines_of(scan, fresh))
    return Found(scans, [] if search_.too_many else search_.events(scans), search_.too_many)


class _Search:
    """The lines found so far, each once, and the ids that they name."""

    def __init__(self, keep: Callable[[str], bool], ids: set[str]) -> None:
        self._keep, self.ids = keep, ids
        self._lines: dict[tuple[str, str], dict[int, LogLine]] = {}
        self._count = 0

    @property
    def too_many(self) -> bool:
        return len(self.ids) > MAX_IDS or self._count > MAX_LINES

    def take(self, scan: FileScan, lines: Iterable[LogLine]) -> None:
        """Keep lines, but those of a message that is not to be followed: half of it would be told wrongly."""
        known = self._lines.setdefault((scan.file.log, scan.file.path), {})
        for line in lines:
            if line.place.offset not in known:
                # A line's own id comes first, what it links to after it.
                ids = [i for f in scan.formats for i in f.queue_ids(line.raw)]
                if ids and not self._keep(ids[0]):
                    continue
                known[line.place.offset] = line
                self._count += 1
                self.ids.update(i for i in ids if self._keep(i))
            if self.too_many:
                return

    def events(self, scans: Sequence[FileScan]) -> list[DeliveryEvent]:
        """Events of the found lines: files in the order given, lines in the order written."""
        events: list[DeliveryEvent] = []
        for scan in scans:
            found = self._lines[scan.file.log, scan.file.path]
            lines = [found[offset] for offset in sorted(found)]
            for fmt in scan.formats:
                events += fmt.parse(lines)
        return events


def _lines_of(scan: FileScan, ids: set[str]) -> Iterator[LogLine]:
    """Lines that name one of ``ids``, each with the session lines of its process just before it."""
    if not scan.formats:
        return
    find, octets = _finder(ids), 0
    try:
        for window in windows(scan.file, SESSION_REACH):
            end = window.start
            for at in find(window.content, window.start, window.end):
                if at < end:
                    continue
                start = window.start_of(at)
                _, end = window.line(start)
                if at - start < MAX_LINE:
                    yield from session_before(window, start)
                    yield from whole_entry(window, start)
            octets += window.end - window.start
            progress.tell(scan.file.path, octets)
    except CannotLookError as problem:
        scan.damaged = scan.damaged or str(problem)  # rotated between two passes


def _finder(ids: set[str]) -> Callable[[bytes, int, int], Iterable[int]]:
    """A function that gives where one of ``ids`` stands in a part of the content, in order."""
    names = sorted(i.encode("utf-8", "surrogateescape") for i in ids)
    shaped = frozenset(name for name in names if _ID_ALONE.fullmatch(name))
    if len(names) <= MAX_FOUND_SINGLY:
        shaped = frozenset()
    singly = [name for name in names if name and name not in shaped]

    def find(content: bytes, start: int, end: int) -> Iterable[int]:
        found = [at for name in singly for at in each_position(content, name, start, end)]
        if shaped:
            # The mark before the first id may be the end of the line before.
            matches = _ID_IN_LINE.finditer(content, max(start - 1, 0), end)
            found += [match.start(1) for match in matches if match[1] in shaped]
        return sorted(found)

    return find
