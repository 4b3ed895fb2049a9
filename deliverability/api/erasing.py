"""Erasing a person from the archive: the lines that speak of them become blank, and the others stay where they are.

Of a message to them alone nothing stays; of a message to several, their own delivery lines go, and in lines that
speak of others too their address alone is struck out.  Every line keeps its length, so all places stay true.  The
logs themselves are not touched.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deliverability.api import archive_facts as facts
from deliverability.api import archive_shape as shape
from deliverability.api.archive_tokens import needle_token, tokens_of
from deliverability.api.archiving import known_formats
from deliverability.api.from_archive import read_archive
from deliverability.api.requests import Request
from deliverability.api.search import load_formats
from deliverability.errors import UsageError
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.log_format import LogFormat
from deliverability.evidence.names import Mailbox
from deliverability.ledger.archive import Archive, Segment, Source, pack

__all__ = ["Erased", "erase"]

STRUCK = b"*"
_BEFORE = rb"(?<![A-Za-z0-9._+\-])"  # another address may end alike
_AFTER = rb"(?![A-Za-z0-9_\-]|\.[A-Za-z0-9])"


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased."""

    blanked: int
    """Lines of which nothing is left."""
    struck: int
    """Lines in which an address was struck out."""


def erase(request: Request, path: Path) -> Erased:
    """Erase the recipients of a request from an archive, and the copies of it that an update of its schema left.

    All that speaks of them is erased, or, where something cannot be read, nothing.  Raises :class:`UsageError` where they are not addresses, :class:`CannotLookError` as an archive does.
    """
    if not request.to or request.domains() or request.everybody():
        raise UsageError("erase --to ADDRESS: name the person's own addresses, one by one")
    alone = Request(to=request.to, configuration=request.configuration, now=request.now)
    every = load_formats()
    person = _Person(alone.query().recipients, every)
    with Archive.open(path, write=True) as archive:  # from here on nobody puts more of them into it
        whole = _whole_messages(alone, path)
        with archive.together():
            erased = _erased(archive, person, whole, every)
        if erased.blanked or erased.struck:
            archive.shrink()  # no free page keeps what was erased
        archive.drop_copies()
    return erased


def _erased(archive: Archive, person: "_Person", whole: dict[int, set[int]], every: Sequence[LogFormat]) -> Erased:
    sources = {source.id: source for source in archive.sources()}
    holding = archive.holding(person.tokens)
    blanked = struck = 0
    touched: set[int] = set()
    for segment in archive.segments():
        offsets = {at - segment.start for at in whole.get(segment.source, ()) if segment.start <= at < segment.end}
        if not offsets and segment.id not in holding:
            continue
        done = person.erased(archive.content(segment), offsets, known_formats(segment, every))
        if done.blanked or done.struck:
            _rewrite(archive, segment, done, every)
            touched.add(segment.source)
            blanked, struck = blanked + done.blanked, struck + done.struck
    for identity in touched & sources.keys():
        _sample_again(archive, sources[identity], every)
    return Erased(blanked, struck)


def _whole_messages(request: Request, path: Path) -> dict[int, set[int]]:
    """Where the lines of messages stand that went to these recipients alone, by source."""
    trace, _ = read_archive(request, path, identities=True)
    found: dict[int, set[int]] = {}
    for message in trace.messages:
        if not message.other_recipients:
            for line in message.lines:
                found.setdefault(int(line.place.file), set()).add(line.place.offset)
    return found


@dataclass(frozen=True, slots=True)
class _Done:
    content: bytes
    blanked: int
    struck: int


class _Person:
    """Whoever is erased: in which spellings their addresses stand in a log."""

    def __init__(self, mailboxes: Sequence[Mailbox], every: Sequence[LogFormat]) -> None:
        self._keys = {mailbox.key for mailbox in mailboxes}
        spelled = {
            (n, fmt) for m in mailboxes for fmt in every for n in fmt.needles(f"{m.local_part}@{m.domain.unicode}")
        }
        tokens = (needle_token(needle, fmt) for needle, fmt in spelled)
        self.tokens = {token for token in tokens if token is not None}
        needles = sorted({needle for needle, _ in spelled}, key=len, reverse=True)
        self._pattern = re.compile(_BEFORE + rb"(?:%s)" % b"|".join(map(re.escape, needles)) + _AFTER, re.IGNORECASE)

    def erased(self, content: bytes, offsets: set[int], formats: Iterable[LogFormat]) -> _Done:
        """A segment without them; ``offsets`` are those of lines of which nothing may stay."""
        left = bytearray(content)
        blanked = struck = 0
        formats = tuple(formats)
        for start, end in sorted({*_lines(content, offsets), *self._found(content)}):
            line = content[start:end]
            if start in offsets or self._speaks_of_them_alone(line, formats):
                left[start:end] = b" " * (end - start)
                blanked += 1
            else:
                left[start:end] = self._pattern.sub(lambda match: STRUCK * len(match[0]), line)
                struck += 1
        return _Done(bytes(left), blanked, struck)

    def _found(self, content: bytes) -> Iterable[tuple[int, int]]:
        return _lines(
            content, (content.rfind(b"\n", 0, match.start()) + 1 for match in self._pattern.finditer(content))
        )

    def _speaks_of_them_alone(self, line: bytes, formats: Iterable[LogFormat]) -> bool:
        events = [event for fmt in formats for event in fmt.parse([LogLine(Place("", "", 1, 0), line)])]
        named = [name for event in events for name in _recipients(event)]
        return bool(named) and all(self._is_theirs(name) for name in named)

    def _is_theirs(self, name: str) -> bool:
        try:
            return Mailbox.parse(name).key in self._keys
        except ValueError:
            return False


def _recipients(event: DeliveryEvent) -> list[str]:
    named = (event.recipient, event.original_recipient, *event.recipients)
    return [name for name in named if name]


def _lines(content: bytes, starts: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Where lines stand that begin at these places, their ends left out."""
    for start in starts:
        end = content.find(b"\n", start)
        yield start, end if end >= 0 else len(content)


def _rewrite(archive: Archive, segment: Segment, done: _Done, every: Sequence[LogFormat]) -> None:
    formats = known_formats(segment, every)
    found = facts.to_json(facts.scan_segment(done.content, segment.start, every, formats))
    tokens = tokens_of(done.content, formats, every)
    archive.rewrite(segment, pack(done.content), found, erased=done.blanked + done.struck, tokens=tokens)


def _sample_again(archive: Archive, source: Source, every: Sequence[LogFormat]) -> None:
    """What is known of the log's ends, without what was erased there."""
    segments = archive.segments(source.id)
    known = shape.of_source(source)
    for key, segment, events in (
        ("first", segments[0], facts.events_at_beginning),
        ("last", segments[-1], facts.events_at_end),
    ):
        formats = known_formats(segment, every)
        found = events(archive.content(segment), segment.start, segment.line, formats)
        known[key] = facts.sampled(found, last=key == "last")
    archive.note_source(replace(source, facts=json.dumps(known)))
