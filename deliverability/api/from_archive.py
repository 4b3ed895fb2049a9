"""The answer from the archive that the files would give: the same stories, places and coverage.

The index names the segments in which the question's addresses and ids stand; they are laid out as if they were the
file, with so much around them as a search looks at, and searched by the same search.  Ids that turn up there may stand
in more segments: it goes on until none is left.  Where the index cannot help, all is read that the time window reaches.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from deliverability.api import archive_facts as facts
from deliverability.api import archive_shape as shape
from deliverability.api.archive_layout import KeptLog, Places, holes, moved, moved_event, places_of, with_surroundings
from deliverability.api.archive_sources import apart, distinct, in_order
from deliverability.api.archive_tokens import id_token, needle_token
from deliverability.api.archive_window import reached
from deliverability.api.asked import Asked, asked_in
from deliverability.api.covering import coverage_of, masked, notes, require_mail_log, unread_of
from deliverability.api.named_logs import resolved, surroundings, zone_of_lines
from deliverability.api.requests import Request
from deliverability.api.scan import MAX_UNREAD_KEPT, MAX_UNREAD_SHOWN, FileScan, events_of
from deliverability.api.search import MAX_IDS, MAX_LINES, MAX_PASSES, Found, load_formats, look
from deliverability.capture.files import LogFile
from deliverability.correlate import TimeHints, tell
from deliverability.errors import CannotLookError, UsageError, printable
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.log_format import LogFormat
from deliverability.evidence.story import Trace
from deliverability.ledger.archive import Archive, Segment, Source

MAX_UNREAD_SEGMENTS = 64  # segments that are unpacked only to show lines that could not be read
MAX_WINDOWED = 2
"""Looks at what a time window reaches, and where its ids lead; ids without a clock may lead everywhere by and by."""


def read_archive(request: Request, path: Path, *, identities: bool = False) -> tuple[Trace, tuple[LogLine, ...]]:
    """Everything that the archive, and the logs that are named beside it, say about the question.

    With ``identities``, lines name the archive's own number of their log instead of its path.
    """
    asked = asked_in(request)
    hints, files = beside(request)
    with Archive.open(path) as archive:
        kept = Kept(archive, asked, hints, files, identities=identities)
        found = kept.look()
        if found.too_many:
            raise UsageError(
                f"more than {MAX_IDS} messages (or {MAX_LINES} lines) match: narrow the question with --since,"
                " --message-id or --queue-id"
            )
        require_mail_log(found.scans)
        events = resolved(found, kept.hints)
        query = asked.among(events)
        messages = tell(events, query, request.own()) if query else ()
        coverage = coverage_of(found.scans, kept.hints)
        unread = tuple(line for scan in found.scans for line in unread_of(scan))
        said = (*kept.notes(), *notes(coverage, asked.query, messages), *masked(events, messages))
        return Trace(messages, coverage, said), unread


def beside(request: Request) -> tuple[TimeHints, tuple[LogFile, ...]]:
    """The logs that are to be read beside the archive, and what is known of times apart from what they say."""
    named = request.logs or (request.configuration.archive.path and request.configuration.logs)
    return surroundings(request) if named else (_hints(request), ())


def _hints(request: Request) -> TimeHints:
    return TimeHints({}, zone_of_lines(request), request.now or datetime.now(UTC))


class Kept:
    """One question to one archive, and to the logs beside it; without a question, all that they hold."""

    def __init__(
        self,
        archive: Archive,
        asked: Asked | None,
        hints: TimeHints,
        files: Sequence[LogFile],
        *,
        identities: bool = False,
    ) -> None:
        self._archive, self._asked = archive, asked
        self._formats = {fmt.id: fmt for fmt in load_formats()}
        sources, segments = archive.overview()
        self._files, known = apart(archive, files, sources)
        self._segments: dict[int, tuple[Segment, ...]] = {}
        self._empty = sum(s.position > 0 for s in known.values()) - len({s.source for s in segments} & known.keys())
        for segment in segments:
            if segment.source in known:
                self._segments[segment.source] = (*self._segments.get(segment.source, ()), segment)
        self._sources = in_order([s for i, s in known.items() if i in self._segments], self._segments)
        self._paths = {s.id: str(s.id) for s in self._sources} if identities else distinct(self._sources, self._files)
        dated = {self._paths[s.id]: s.modified for s in self._sources if s.modified}
        self.hints = replace(hints, modified={**hints.modified, **dated})
        self._laid: dict[int, LogFile | None] = {}
        self._windowed = False
        if not (self._sources or self._files):
            raise CannotLookError(
                f"{printable(str(archive.path))}: the archive holds no lines of any log: nothing to look through"
            )

    def notes(self) -> Iterator[str]:
        """What must be said of an answer from the archive."""
        erased = sum(segment.erased for segments in self._segments.values() for segment in segments)
        count = f"{len(self._sources)} log file{'s' if len(self._sources) != 1 else ''}"
        said = f"{printable(str(self._archive.path))}: searched {count} as the archive holds them"
        said += ", where the time window reaches" if self._windowed else ""
        said += f"; nothing is left of {self._empty} more" if self._empty else ""
        yield said + (f"; lines erased in it: {erased}" if erased else "")
        for source in self._sources:
            if changed := shape.of_source(source).get("changed"):
                yield f"{printable(self._paths[source.id])}: {changed}"

    def look(self) -> Found:
        """Search what the index names, until no id leads further."""
        asked = self._question()
        tokens = self._tokens(asked)
        chosen = self._reached(asked) if tokens is None else self._archive.holding(tokens)
        self._windowed = tokens is None and chosen is not None
        for _ in range(MAX_WINDOWED if self._windowed else MAX_PASSES):
            found, ids = self._look_in(chosen)
            if chosen is None or found.too_many:
                return found
            more = self._archive.holding(map(id_token, ids)) - chosen
            if not more:
                return found
            chosen |= more
        self._windowed = False
        return self._look_in(None)[0]

    def _reached(self, asked: Asked) -> set[int] | None:
        """Where the index cannot help: the segments that the time window reaches; ``None`` where those are all."""
        window = asked.window()
        # Among lines with a subject none is passed over for its id's time: those after the window would lead on and on.
        if asked.query.subject:
            window = replace(window, until=None)
        chosen = {i for segments in self._segments.values() for i in reached(segments, window)}
        return chosen if len(chosen) < sum(map(len, self._segments.values())) else None

    def _question(self) -> Asked:
        if self._asked is None:
            raise UsageError("nothing was asked of the archive")
        return self._asked

    # --- everything ---

    def whole(self) -> tuple[LogFile, ...]:
        """Every kept log from its first line to its last, and the logs beside."""
        self._laid = {source.id: self._laid_out(source, None) for source in self._sources}
        return (*(file for file in self._laid.values() if file), *self._files)

    def described(self, scans: Iterable[FileScan]) -> list[FileScan]:
        """What each log is, from what was found when it was kept and from a look at :meth:`whole`."""
        by_file = {scan.file: scan for scan in scans}
        places = places_of(by_file)
        return [
            *(self._scan(source, self._laid.get(source.id), by_file, places) for source in self._sources),
            *(by_file[file] for file in self._files),
        ]

    # --- what was asked for ---

    def _tokens(self, asked: Asked) -> set[int] | None:
        """What the index is asked for; ``None`` where it cannot help."""
        query = asked.query
        if query.queue_id:
            return {id_token(query.queue_id)}
        found: set[int] = set()
        for fmt in self._formats.values():
            for needle in asked.needles(fmt):
                token = needle_token(needle, fmt)
                if token is None:
                    return None
                found.add(token)
        return found or None

    def _look_in(self, chosen: set[int] | None) -> tuple[Found, set[str]]:
        laid = {source.id: self._laid_out(source, chosen) for source in self._sources}
        files = [file for file in laid.values() if file]
        asked = self._question()
        how = asked.how((*files, *self._files), self.hints)
        ids: set[str] = set()

        def keep(queue_id: str) -> bool:
            wanted = how.keep(queue_id)
            if wanted:
                ids.add(queue_id)
            return wanted

        found = look([*files, *self._files], asked.needles, replace(how, keep=keep))
        by_file = {scan.file: scan for scan in found.scans}
        places = places_of(by_file)
        scans = [self._scan(source, laid[source.id], by_file, places) for source in self._sources]
        events = [moved_event(event, places) for event in found.events]
        return replace(found, scans=[*scans, *(by_file[file] for file in self._files)], events=events), ids

    # --- one log ---

    def _laid_out(self, source: Source, chosen: set[int] | None) -> LogFile | None:
        """The part of a log that is to be searched; ``None`` where there is none."""
        segments = self._segments[source.id]
        wanted = range(len(segments)) if chosen is None else with_surroundings(segments, chosen)
        if not wanted:
            return None
        return self._file(source, tuple(segments[n] for n in wanted))

    def _file(self, source: Source, segments: tuple[Segment, ...]) -> LogFile:
        kept = KeptLog(self._archive.path, segments, source.container)
        missing = [text for text in (shape.of_source(source).get("missing"),) if text]
        missing += holes(source, self._segments[source.id])
        return LogFile(
            source.log, self._paths[source.id], source.modified, missing="; ".join(missing) or None, kept=kept
        )

    def _scan(
        self,
        source: Source,
        file: LogFile | None,
        searched: dict[LogFile, FileScan],
        places: "Places",
    ) -> FileScan:
        """What the whole log is: from what was found when it was kept, and from the look at a part of it."""
        segments, known = self._segments[source.id], shape.of_source(source)
        whole, unread = facts.joined(self._file(source, segments), segments, self._formats, known.get("damaged"))
        whole.unread_lines = self._unread(whole.file, unread)
        if known.get("waiting"):
            place = Place(source.log, whole.file.path, source.line + 1, source.position)
            whole.cut = LogLine(place, b"", cut=True)
        if file is None:
            whole.first, whole.last = self._ends(source, known, whole)
            return whole
        part = searched[file]
        for fmt in part.formats:
            whole.read_as(fmt)
        whole.first = [moved_event(event, places) for event in part.first]
        whole.unheard = [moved(line, places) for line in part.unheard]
        whole.last = [moved_event(event, places) for event in part.last] or self._ends(source, known, whole)[1]
        problems = file.kept.problems if isinstance(file.kept, KeptLog) else []
        whole.damaged = "; ".join(dict.fromkeys(problems)) or part.damaged or whole.damaged
        return whole

    def _ends(
        self, source: Source, known: dict[str, object], scan: FileScan
    ) -> tuple[list[DeliveryEvent], list[DeliveryEvent]]:
        """Events of both ends of a log that was not looked into."""
        ends = []
        segments = self._segments[source.id]
        for key, nearest in (("first", segments[:1]), ("last", segments[:-3:-1])):
            sample = known.get(key)
            # The last segment may hold half a line, and nothing more.
            if not isinstance(sample, list) or (not sample if key == "last" else nearest[0].start):
                samples = (self._sampled(segment, scan.formats, last=key == "last") for segment in nearest)
                sample = next(filter(None, samples), [])
            lines = facts.lines_of(sample, source.log, scan.file.path)
            ends.append(events_of(scan.formats, partial(iter, lines)))
        return ends[0], ends[1]

    def _sampled(self, segment: Segment, formats: Iterable[LogFormat], *, last: bool) -> list[list[object]]:
        try:
            content = self._archive.content(segment)
        except CannotLookError:
            return []  # whoever searches it says what is wrong
        events = facts.events_at_end if last else facts.events_at_beginning
        return facts.sampled(events(content, segment.start, segment.line, formats), last=last)

    def _unread(self, file: LogFile, unread: Sequence[tuple[Segment, list[int]]]) -> list[LogLine]:
        lines: list[LogLine] = []
        for segment, offsets in unread[:MAX_UNREAD_SEGMENTS]:
            if len(lines) >= MAX_UNREAD_KEPT:
                break
            try:
                content = self._archive.content(segment)
            except CannotLookError:
                continue
            lines += facts.lines_at(content, segment, offsets, file, MAX_UNREAD_SHOWN)
        return lines[:MAX_UNREAD_KEPT]
