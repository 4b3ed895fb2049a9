r"""Exim 4.8x to 4.100: main log and reject log as files, and both through syslog.

Source: Exim specification, chapter "Log files"; ``log.c`` for the split of long entries in syslog (``[1/2]``: the
line goes on in the next part; ``[1\18]``: the next part is a line of its own).  The message headers that the reject
log quotes are a stranger's text and never events; of what follows a refusal only the envelope is read.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from deliverability.errors import ParseError
from deliverability.evidence.event import Action, DeliveryEvent, LogTime, TimeBasis
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import Glance, LogFormat
from deliverability.evidence.names import Mailbox
from deliverability.protocols.exim_fields import MESSAGE_ID, angle, octets_regex
from deliverability.protocols.ingesting import Recogniser
from deliverability.protocols.syslog import Prologue, head_for, parse_prologue, resolve

if TYPE_CHECKING:
    from deliverability.evidence.attempted import Lean
    from deliverability.protocols.exim_attempts import Facts

MAX_LINE = 65_536
"""Octets of a line that are read; Exim writes at most 8 KiB."""
MAX_PENDING = 256  # processes whose entries are still incomplete
MAX_ENVELOPE = 8  # Exim lists five

_TIME = r"((?!0001|9999)\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?: ([+-])(\d\d)(\d\d))?"
_HEAD = octets_regex(rf"({_TIME}) (?:\[(\d{{1,10}})\] )?(?:({MESSAGE_ID})(?: |\Z))?")
_WORDS = octets_regex(rf"(?:\[(\d{{1,10}})\] )?(?:({MESSAGE_ID})(?: |\Z))?")
_PART = octets_regex(r"\[(\d{1,4})([/\\])(\d{1,4})\] ")
_MAIN_HEAD = rb"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?(?: [+-]\d{4})? "
_SYSLOG_HEAD = head_for(rb"exim")
_IS_MAIN = re.compile(
    _MAIN_HEAD + rb"(?!#\d{1,10}\([a-z_]{1,32}\) )"
)  # rspamd writes the same date, then "#process(type) "
_is_by_syslog = Recogniser(_SYSLOG_HEAD, b" exim")
# What stands below a refusal in the reject log: the envelope and headers, each with a letter or a blank before it that
# Exim puts there, and what goes on a header.  Such lines can be read, and are nobody's events.
_QUOTED = rb"^(?:Envelope-(?:from|to): <|[BCFIPRST*] [!-9;-~]{1,998}+:|[ \t]++[^\s])"
_OWN = re.compile(
    rb"%s(?:\[\d{1,10}\] )?(?:%s(?: |\Z)|exim |(?:Start|End) queue run: |cwd=|H=|U=|SMTP |TLS |no host name found "
    rb"|no IP address found |unexpected disconnection |Sender identification )" % (_MAIN_HEAD, MESSAGE_ID.encode())
)
_LINKED = re.compile(
    rb"(?:%(date)s)?(?:\[\d{1,10}\] )?(%(id)s)(?: <= <> R=(%(id)s) |(?=[ ]|\Z)(?: [=>-]> .* C=\"[^\"]*\bid=(%(id)s))?)"
    % {b"date": _MAIN_HEAD, b"id": MESSAGE_ID.encode()}
)
_FLAGGED = re.compile(
    rb"(?:%s)?(?:\[\d{1,10}\] )?[0-9A-Za-z*<>._-]{3,40} (?:<=|\(=|[=-]>|>>|\*\*|==|\xe2\x80\xb9=|[=-]\xe2\x80\xba) "
    % _MAIN_HEAD
)
_PART_HEAD = re.compile(rb"\A\[\d{1,4}[/\\]\d{1,4}\] ")


@dataclass(slots=True)
class _Entry:
    """One log entry, put together from one line or several."""

    line: LogLine
    at: LogTime
    host: str | None
    process: str | None
    queue_id: str | None
    words: str
    cut: bool
    envelope: list[str] = field(default_factory=list)

    @property
    def refusal(self) -> bool:
        """Whether headers may follow it in the reject log."""
        return "rejected " in self.words and self.words.startswith(("H=", "U=", "F=<", "rejected ", "temporarily "))

    def events(self) -> Iterator[DeliveryEvent]:
        """One event, or one a recipient where the reject log lists them."""
        from deliverability.protocols.exim_lines import read_words, refused_recipients

        facts = read_words(self.words, self.queue_id, cut=self.cut)
        if facts is None:
            return
        if self.envelope and facts["action"] is Action.REJECTED:
            for recipient in self.envelope:
                yield self._event({**facts, **refused_recipients(recipient)})
        else:
            yield self._event(facts)

    def _event(self, facts: "Facts") -> DeliveryEvent:
        line = self.line if self.cut is self.line.cut else replace(self.line, cut=True)
        return DeliveryEvent(
            line=line,
            at=self.at,
            writer="exim",
            host=self.host,
            process=self.process,
            queue_id=self.queue_id,
            **facts,
        )


@dataclass(slots=True)
class _Parts:
    """A syslog entry in several parts, until the last one has come."""

    line: LogLine
    head: Prologue
    words: str
    total: int
    open: bool
    """The first line goes on in the next part."""
    expected: int = 2
    envelope: list[str] = field(default_factory=list)

    def take(self, number: int, words: str, *, ends_line: bool) -> None:
        """Add the part that was expected."""
        self.expected = number + 1
        if self.open:
            self.words = (self.words + words)[:MAX_LINE]
            self.open = not ends_line
        else:
            _add_envelope(self.envelope, words, number)

    def entry(self) -> _Entry | None:
        """What came so far; visibly cut if the line went on."""
        entry = _entry(self.line, self.head, self.words, cut=self.open)
        if entry:
            entry.envelope = self.envelope
        return entry


class _Reader:
    """Lines to entries; keeps what is incomplete, and no more than :data:`MAX_PENDING` of it."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str | None, str | None, str | None], _Parts] = {}
        self._refused: _Entry | None = None
        self._last_refusal: tuple[object, ...] = ()

    def take(self, line: LogLine) -> Iterator[_Entry]:
        """The entries that are complete with this line."""
        words = line.raw[:MAX_LINE].decode("latin-1")
        if line.raw[:1].isdigit() and _HEAD.match(words):
            yield from self._release()
            entry = _entry(line, None, words, cut=False)
            if entry and entry.refusal:
                self._refused = entry
            elif entry:
                yield entry
            return
        head = parse_prologue(line.raw[:MAX_LINE])
        if head is None:
            yield from self._continuation(line, words)
        elif head.tag.startswith("exim"):
            yield from self._release()
            for entry in self._from_syslog(line, head):
                yield from self._once(entry)

    def flush(self) -> Iterator[_Entry]:
        """What is left at the end."""
        yield from self._release()
        for parts in self._parts.values():
            entry = parts.entry()
            if entry:
                yield from self._once(entry)
        self._parts.clear()

    def _release(self) -> Iterator[_Entry]:
        if self._refused:
            yield self._refused
            self._refused = None

    def _continuation(self, line: LogLine, words: str) -> Iterator[_Entry]:
        """A line of the reject log without a head: the envelope, right after a refusal, or a stranger's headers."""
        refused = self._refused
        if refused:
            here, first = line.place, refused.line.place
            number = here.line - first.line + 1
            if (here.log, here.file) == (first.log, first.file) and 2 <= number <= MAX_ENVELOPE:
                _add_envelope(refused.envelope, words, number)
            else:
                yield from self._release()

    def _from_syslog(self, line: LogLine, head: Prologue) -> Iterator[_Entry]:
        words = head.rest.decode("latin-1")
        process = (line.place.log, head.host, head.tag, head.pid)
        part = _PART.match(words)
        pending = self._parts.get(process)
        number = int(part[1]) if part else 0
        if pending and number != pending.expected:
            # Exim writes the parts of an entry one after the other: the rest is lost.
            yield from filter(None, [self._parts.pop(process).entry()])
            pending = None
        if not part:
            yield from filter(None, [_entry(line, head, words, cut=False)])
            return
        total, ends_line = int(part[3]), part[2] == "\\" or number == int(part[3])
        if number == 1:
            pending = self._parts[process] = _Parts(line, head, words[part.end() :], total, open=not ends_line)
        elif pending:
            pending.take(number, words[part.end() :], ends_line=ends_line)
        if pending and number >= pending.total:
            del self._parts[process]
            yield from filter(None, [pending.entry()])
        elif len(self._parts) > MAX_PENDING:
            oldest = next(iter(self._parts))
            yield from filter(None, [self._parts.pop(oldest).entry()])

    def _once(self, entry: _Entry) -> Iterator[_Entry]:
        """Exim sends a refusal to syslog twice, for the main log and for the reject log."""
        if entry.refusal:
            said = (entry.host, entry.process, entry.at.local, entry.queue_id, entry.words)
            if said == self._last_refusal and not entry.envelope:
                return
            self._last_refusal = said
        yield entry


def _add_envelope(envelope: list[str], words: str, number: int) -> None:
    """Exim writes ``Envelope-from:`` as the second line, ``Envelope-to:`` as the third, headers only after them."""
    prefix = "Envelope-to: <" if number == 3 else "    <"
    if words.startswith(prefix) and len(envelope) == number - 3 and number <= MAX_ENVELOPE:
        found = angle(words, len(prefix) - 1)
        if found:
            envelope.append(found[0])


def _main_time(match: re.Match[str]) -> LogTime | None:
    year, month, day, hour, minute, second = (int(match[i]) for i in range(2, 8))
    micro = int((match[8] or "0").ljust(6, "0"))
    offset = timedelta(hours=int(match[10]), minutes=int(match[11])) if match[9] else None
    if offset is not None and offset >= timedelta(hours=24):
        return None
    try:
        # datetime knows no leap second: 23:59:60 is told as 23:59:59.
        local = datetime(year, month, day, hour, minute, min(second, 59), micro)  # noqa: DTZ001 - naive on purpose
    except ValueError:
        return None
    at = LogTime(
        logged=match[1],
        local=local,
        has_year=True,
        offset=-offset if offset is not None and match[9] == "-" else offset,
        year_from=TimeBasis.LOGGED,
        zone_from=TimeBasis.LOGGED if offset is not None else None,
    )
    return resolve(at, year=None, year_from=None, offset=None, zone_from=None)


def _entry(line: LogLine, head: Prologue | None, text: str, *, cut: bool) -> _Entry | None:
    """Split what syslog kept, or a line of a file, into time, process, id and words."""
    match = _HEAD.match(text)
    at = _main_time(match) if match else None
    if match and at:
        pid, queue_id, end = match[12], match[13], match.end()
        at = _with_zone_of(at, head.at) if head else at
    elif head:
        at = head.at
        words = _WORDS.match(text)
        pid, queue_id, end = (words[1], words[2], words.end()) if words else (None, None, 0)
    else:
        return None
    pid = (head.pid if head else None) or pid
    return _Entry(
        line=line,
        at=at,
        host=head.host if head else None,
        process=f"{head.tag if head else 'exim'}[{pid}]" if pid else None,
        queue_id=queue_id,
        words=text[end:],
        cut=cut or line.cut or len(line.raw) > MAX_LINE,
    )


def _with_zone_of(at: LogTime, logged: LogTime) -> LogTime:
    """The same clock read twice: where syslog also wrote the zone, it holds for both."""
    if at.offset is not None or logged.offset is None or abs(at.local - logged.local) > timedelta(seconds=2):
        return at
    zoned = replace(at, offset=logged.offset, zone_from=TimeBasis.LOGGED)
    return resolve(zoned, year=None, year_from=None, offset=None, zone_from=None)


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """Events of lines in their order; never raises.

    Entries that syslog split are joined and stand at their first line; where a part is missing, the event's line
    is marked as cut.
    """
    reader = _Reader()
    for line in lines:
        for entry in reader.take(line):
            yield from entry.events()
    for entry in reader.flush():
        yield from entry.events()


def is_line(raw: bytes) -> bool:
    """Whether the head is Exim's own date, or syslog's with Exim's tag; quoted headers have neither."""
    return _IS_MAIN.match(raw) is not None or _is_by_syslog(raw)


def is_lost(raw: bytes) -> bool:
    """Whether an entry tells of an arrival or an attempt, in a form that Exim does not write."""
    if _IS_MAIN.match(raw):
        return _FLAGGED.match(raw) is not None
    head = parse_prologue(raw[:MAX_LINE])
    return head is not None and head.tag.startswith("exim") and _FLAGGED.match(head.rest) is not None


def sniff(sample: bytes) -> float:
    """Share of the sample's complete lines that Exim wrote; 0 unless one shows more than a date."""
    lines = sample.split(b"\n")
    complete = [line for line in (lines[:-1] or lines) if line.strip()]
    if not any(_OWN.match(line) or _is_by_syslog(line) for line in complete):
        return 0.0
    own = 0
    quoting = False
    for line in complete:
        dated = is_line(line)
        # The reject log quotes the headers of what it refused.
        quoting = b" rejected " in line if dated else quoting
        own += dated or quoting
    return own / len(complete)


def queue_ids(raw: bytes) -> list[str]:
    """The id at the line's head, the message that a notice is about, and the id that an Exim next hop gave."""
    raw = raw[:MAX_LINE]
    match = _LINKED.match(raw)
    if not match:
        # Exim's own date alone, in a main log's line about no message, is no head of syslog's.
        head = None if _IS_MAIN.match(raw) else parse_prologue(raw)
        if head is None or not head.tag.startswith("exim"):
            return []
        match = _LINKED.match(_PART_HEAD.sub(b"", head.rest, count=1))
    return [found.decode("ascii") for found in match.groups() if found] if match else []


def needles(address: str) -> tuple[bytes, ...]:
    """Spellings of an address: local part bare or quoted, domain in A-labels or UTF-8, octets as they are or escaped.

    A delivery into a local mailbox may show only ``user``, but has ``<user@domain>`` beside it.
    """
    try:
        mailbox = Mailbox.parse(address)
    except ParseError:
        spelled = {address.strip().strip("<>")}
    else:
        quoted = re.sub(r'(["\\])', r"\\\1", mailbox.local_part)
        domains = {mailbox.domain.name, mailbox.domain.unicode}
        spelled = {f"{local}@{domain}" for local in (mailbox.local_part, f'"{quoted}"') for domain in domains}
    cased = {form for s in spelled for form in (s, s.lower(), s.upper())}
    normal = {unicodedata.normalize(form, s) for s in cased for form in ("NFC", "NFD")}
    octets = {s.encode("utf-8", "surrogatepass").lower() for s in normal if s}
    return tuple(sorted(octets | {_octal(o) for o in octets}))


def _octal(octets: bytes) -> bytes:
    return b"".join(b"\\%03o" % octet if octet > 0x7E else bytes((octet,)) for octet in octets)


def _deliveries(sample: bytes) -> "Callable[[bytes, int], Iterator[Lean]] | None":
    from deliverability.protocols.exim_fast import reader
    from deliverability.protocols.lean import Hearing

    return reader(Hearing(parse, is_lost), sample)


def _glance() -> Callable[[bytes], Glance | None]:
    from deliverability.protocols.exim_glance import glance

    return glance


FORMAT = LogFormat(
    id="exim",
    title="Exim (main log, reject log, syslog)",
    sniff=sniff,
    parse=parse,
    is_line=is_line,
    queue_ids=queue_ids,
    needles=needles,
    is_lost=is_lost,
    head=rb"%s|%s|%s" % (_MAIN_HEAD, _SYSLOG_HEAD, _QUOTED),
    deliveries=_deliveries,
    glance=_glance,
)
