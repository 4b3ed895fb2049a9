"""``trace --follow``: each new event of the messages that were asked about, as the log grows.

Lines before the one that names the recipient (the arrival, the Message-ID) are held back for a while, and told with
it.  What is shown of a message is what the log says of it and of the asked recipients; nothing is concluded here.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from deliverability.api.named_logs import zone_of_lines
from deliverability.api.requests import Request
from deliverability.api.search import load_formats
from deliverability.capture.files import parse_log_argument
from deliverability.capture.follow import GrowingFile, GrowingInput
from deliverability.capture.peeling import Peeled
from deliverability.capture.unwrapping import Unwrapped
from deliverability.correlate import Query, TimeHints, resolve_times
from deliverability.errors import CannotLookError, UsageError, printable
from deliverability.evidence.event import Action, DeliveryEvent, Relation
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.names import Mailbox
from deliverability.protocols.encoded_words import subject_matches

POLL_SECONDS = 1.0
MAX_MESSAGES = 20_000  # queue ids that are remembered
MAX_HELD = 64  # events of one message that are held back until it is known to be meant
SAMPLES = 5  # arrivals that tell the zone of a log
ENDS = frozenset({Action.REMOVED, Action.CANCELLED})


@dataclass(slots=True)
class _Seen:
    """What is known of one queue id so far."""

    message_id: str | None = None
    subject: str | None = None
    reverse_path: str | None = None
    recipients: set[tuple[str, str]] = field(default_factory=set)
    remote_id: bool = False
    wanted: bool = False
    held: deque[DeliveryEvent] = field(default_factory=lambda: deque(maxlen=MAX_HELD))


class Matching:
    """Events in, events of the messages that were asked about out."""

    def __init__(self, request: Request) -> None:
        self._query: Query = request.query()
        self._asked = {mailbox.key for mailbox in self._query.recipients}
        self._domains = {domain.name for domain in request.domains()}
        if any(text.strip() == "*" for text in request.to):
            self._asked, self._domains = set(), set()
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()

    def take(self, event: DeliveryEvent) -> Iterator[DeliveryEvent]:
        """The events that may be told now that this one has come."""
        seen = self._of(event)
        self._learn(seen, event)
        if not seen.wanted and self._is_wanted(seen, event.queue_id):
            seen.wanted = True
            while seen.held:
                yield from self._told(seen.held.popleft())
        if seen.wanted:
            yield from self._told(event)
            self._follow(event)
        else:
            seen.held.append(event)
        if event.queue_id and event.action in ENDS:
            self._seen.pop((event.line.place.log, event.queue_id), None)  # short ids come again

    def _of(self, event: DeliveryEvent) -> _Seen:
        if not event.queue_id:
            return _Seen()
        key = event.line.place.log, event.queue_id
        seen = self._seen.setdefault(key, _Seen())
        self._seen.move_to_end(key)
        while len(self._seen) > MAX_MESSAGES:
            self._seen.popitem(last=False)
        return seen

    def _learn(self, seen: _Seen, event: DeliveryEvent) -> None:
        seen.message_id = event.message_id or seen.message_id
        seen.subject = event.subject if event.subject is not None else seen.subject
        seen.reverse_path = event.reverse_path if event.reverse_path is not None else seen.reverse_path
        seen.recipients |= {key for name in _named(event) if (key := _key(name))}
        seen.remote_id = seen.remote_id or self._query.was_answered(event)
        for relation, other in event.related:
            before = self._seen.get((event.line.place.log, other))
            if relation is Relation.REQUEUED_FROM and before and before.wanted:
                seen.wanted = True

    def _is_wanted(self, seen: _Seen, queue_id: str | None) -> bool:
        query = self._query
        if query.message_id is not None and seen.message_id != query.message_id.strip("<> "):
            return False
        if query.queue_id is not None and queue_id != query.queue_id:
            return False
        if query.remote_id is not None and not seen.remote_id:
            return False
        if query.subject is not None and not subject_matches(query.subject, seen.subject or ""):
            return False
        if query.sender is not None and _key(seen.reverse_path or "") != query.sender.key:
            return False
        return not (self._asked or self._domains) or any(map(self._is_asked, seen.recipients))

    def _is_asked(self, key: tuple[str, str]) -> bool:
        return key in self._asked or key[1] in self._domains

    def _told(self, event: DeliveryEvent) -> Iterator[DeliveryEvent]:
        """Nothing is told of other recipients of the same message."""
        names = [name for name in (event.recipient, event.original_recipient) if name]
        theirs = any((key := _key(name)) and self._is_asked(key) for name in names)
        if not names or theirs or not (self._asked or self._domains):
            yield event

    def _follow(self, event: DeliveryEvent) -> None:
        """A filter of ours takes the message and gives it back under another id."""
        if event.remote_queue_id and event.relay and event.relay.ip and _is_loopback(event.relay.ip):
            key = event.line.place.log, event.remote_queue_id
            self._seen.setdefault(key, _Seen()).wanted = True


def _named(event: DeliveryEvent) -> list[str]:
    return [name for name in (event.recipient, event.original_recipient, *event.recipients) if name]


def _key(address: str) -> tuple[str, str] | None:
    try:
        mailbox = Mailbox.parse(address)
    except ValueError:
        return None
    return mailbox.key


def _is_loopback(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False


class Follower:
    """The logs of a request, followed from their present end."""

    def __init__(self, request: Request, remark: Callable[[str], None] = lambda _: None) -> None:
        """``remark`` is told what cannot be read as it comes; raises :class:`CannotLookError` for what cannot grow."""
        self._matching = Matching(request)
        self._formats = load_formats()
        self._zone = zone_of_lines(request)
        self._arrivals: dict[str, deque[DeliveryEvent]] = {}
        self._read = 0
        growing = [(_growing(name, path, remark), path) for name, path in _paths(request)]
        self._files = [one for one, _ in growing if isinstance(one, GrowingFile)]
        self._unwrapped = [Unwrapped(one, path, remark) for one, path in growing]
        self._sources = [Peeled(source) for source in self._unwrapped]

    @property
    def ended(self) -> bool:
        """Nothing more can come."""
        return all(source.ended for source in self._sources)

    def close(self) -> None:
        """Let go of the files."""
        for source in self._sources:
            source.close()

    def events(self) -> Iterator[DeliveryEvent]:
        """What has come since the last look, of the messages that were asked about."""
        for source in self._sources:
            yield from self._matched(source.lines())

    def last(self) -> Iterator[DeliveryEvent]:
        """The same of lines that were held back until more would come, when nobody looks again."""
        for source in self._sources:
            yield from self._matched(source.last())

    def unseen(self) -> str | None:
        """Of which files nothing can be seen, and why."""
        return "; ".join(file.problem for file in self._files if file.problem) or None

    def remarks(self) -> Iterator[str]:
        """What of all that came could not be read."""
        given = unread = cut = 0
        for source in self._unwrapped:
            given, unread, cut = given + source.given, unread + source.unread, cut + source.cut
        if unread:
            yield f"{unread} of {given} records held no log line"
        if cut:
            yield f"{cut} of {given} lines were longer than 64 KiB, or broke off: read to there"
        if given and not self._read:
            yield f"no event of a mail log in a format that this version knows was in the {given} lines that came"

    def _matched(self, lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
        for line in lines:
            for event in self._parsed(line):
                self._read += 1
                yield from self._matching.take(event)

    def _parsed(self, line: LogLine) -> Iterator[DeliveryEvent]:
        for fmt in self._formats:
            for event in fmt.parse([line]):
                yield self._resolved(event)

    def _resolved(self, event: DeliveryEvent) -> DeliveryEvent:
        """With its instant: the zone as the last arrivals tell it, the year as the clock does."""
        arrivals = self._arrivals.setdefault(event.line.place.log, deque(maxlen=SAMPLES))
        if event.action is Action.ARRIVED and event.at.offset is None:
            arrivals.append(event)
        if event.at.instant:
            return event
        now = datetime.now(UTC)
        hints = TimeHints({event.line.place.file: now}, self._zone, now)
        return resolve_times([*arrivals, event], hints)[-1]


def _growing(name: str, path: str, remark: Callable[[str], None]) -> GrowingInput | GrowingFile:
    return GrowingInput(name) if path == "-" else GrowingFile(name, path, remark)


def _paths(request: Request) -> list[tuple[str, str]]:
    if request.logs:
        return list(dict.fromkeys(map(parse_log_argument, request.logs)))
    paths = [(source.name, source.path) for source in request.configuration.logs if source.path]
    commands = [source.name for source in request.configuration.logs if source.command]
    if commands:
        raise UsageError(
            f"the log {printable(commands[0])!r} comes from a command, which ends: pipe one that goes on into --log -,"
            " such as: ssh mail1 tail -F /var/log/mail.log | deliverability trace --follow --log - …"
        )
    if not paths:
        raise UsageError("name the mail server's log with --log PATH (or '-' for standard input)")
    return paths


def follow(  # noqa: PLR0913 - what a caller wires together
    request: Request,
    emit: Callable[[DeliveryEvent], None],
    during: timedelta | None = None,
    pause: Callable[[float], None] = time.sleep,
    *,
    ready: Callable[[], None] = lambda: None,
    remark: Callable[[str], None] = lambda _: None,
) -> int:
    """Give ``emit`` every new event, until ``during`` is over or nothing more can come; how many there were.

    ``ready`` is called once the files are open: what is written from then on is seen.  ``remark`` is told, in words,
    what came and could not be read: the first such line of a file at once, how many there were at the end; and where
    lines may have come unseen.  Raises :class:`CannotLookError` where there was none, and of a file nothing can be seen.
    """
    follower = Follower(request.checked(), remark)
    until = None if during is None else time.monotonic() + during.total_seconds()
    told = 0
    try:
        ready()
        while True:
            for event in follower.events():
                told += 1
                emit(event)
            left = None if until is None else until - time.monotonic()
            if follower.ended or (left is not None and left <= 0):
                for event in follower.last():
                    told += 1
                    emit(event)
                if not told and (unseen := follower.unseen()):
                    raise CannotLookError(unseen)
                return told
            pause(POLL_SECONDS if left is None else min(POLL_SECONDS, left))
    finally:
        for text in follower.remarks():
            remark(text)
        follower.close()
