"""What a question is looked for by: the byte strings, one of which stands in every line that can begin an answer.

Too many lines are no harm: what a line says is judged by ``correlate``, from fields that the mail server fills itself.
A line too few is a wrong "not found", so every spelling is looked for.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from deliverability.api.requests import Request
from deliverability.api.search import Looking, clock_of, load_formats
from deliverability.api.seeking import AFTER, TimeWindow, parts_of
from deliverability.capture.files import LogFile
from deliverability.correlate import Query, TimeHints
from deliverability.errors import ParseError
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.evidence.names import Domain, Mailbox
from deliverability.protocols.encoded_words import subject_matches

ID_SLACK = timedelta(hours=1)  # an id's clock may be off; correlation compares exactly
ENCODED = b"=?"  # RFC 2047 §2: how a subject may begin that no byte string can be looked for in
CHARSETS = ("utf-8", "gb18030", "cp950", "cp932", "cp949", "cp1252")
"""What a subject that was not encoded is met in."""
MIN_WORD = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and how it is looked for."""

    query: Query
    domains: tuple[Domain, ...] = ()
    everybody: bool = False

    @property
    def _by_subject(self) -> bool:
        """Whether nothing narrower than the subject was given."""
        query = self.query
        narrower = (query.queue_id, query.message_id, query.remote_id, query.recipients, self.domains, query.sender)
        return query.subject is not None and not any(narrower)

    def needles(self, fmt: LogFormat) -> Iterable[bytes]:
        """What must stand in a line for it to matter, in lower case: the narrowest thing that was asked for."""
        query = self.query
        for given in (query.queue_id, query.message_id, query.remote_id):
            if given:
                return _spelled(given.strip("<> "))
        if query.recipients or self.domains:
            whole = [needle for mailbox in query.recipients for needle in fmt.needles(_plain(mailbox))]
            return [*whole, *(needle for domain in self.domains for needle in _of_domain(domain, fmt))]
        if query.sender:
            return fmt.needles(_plain(query.sender))
        return [*_of_subject(query.subject), ENCODED] if query.subject else []

    def how(self, files: tuple[LogFile, ...], hints: TimeHints) -> Looking:
        """How the search goes about it."""
        query = self.query
        since = query.since
        everything = self._everything
        formats = load_formats()
        window = self.window()
        accept = self._has_subject if self._by_subject else self._arrived_by_until if everything else None
        return Looking(
            known_ids=[query.queue_id] if query.queue_id else [],
            keep=lambda queue_id: _not_before(queue_id, since),
            parts=parts_of(files, window, hints, formats),
            accept=accept,
            everything=everything,
        )

    @property
    def _everything(self) -> bool:
        """Whether nothing narrower than the time was given."""
        query = self.query
        return self.everybody and not any(
            (query.queue_id, query.message_id, query.remote_id, query.subject, query.sender)
        )

    def window(self) -> TimeWindow:
        """When lines stand by which the messages are found."""
        # Where every line counts, the line of the arrival is among them, and it stands in the window.
        return TimeWindow(self.query.since, self.query.until, ID_SLACK if self._everything else AFTER)

    def _arrived_by_until(self, formats: Sequence[LogFormat], line: LogLine) -> bool:
        """Whether the message of a line can have arrived in the window; ids without a clock always can."""
        own = next((i for fmt in formats for i in fmt.queue_ids(line.raw)), None)
        made = clock_of(own) if own else None
        return made is None or self.query.until is None or made - ID_SLACK <= self.query.until

    def _has_subject(self, formats: Sequence[LogFormat], line: LogLine) -> bool:
        wanted = self.query.subject or ""
        events = (event for fmt in formats for event in fmt.parse([line]))
        return any(event.subject is not None and subject_matches(wanted, event.subject) for event in events)

    def among(self, events: Iterable[DeliveryEvent]) -> Query | None:
        """The query with the addresses that the events show for a domain, or ``None`` when they show none."""
        narrow = self.query.remote_id is not None and not self.query.recipients and not self.domains
        if self.everybody or not (self.domains or narrow):
            return replace(self.query, recipients=()) if self.everybody else self.query
        names = {domain.name for domain in self.domains}
        found = {m.key: m for m in self.query.recipients}
        for event in events:
            answered = narrow and self.query.was_answered(event)
            for text in (event.recipient, event.original_recipient, *event.recipients):
                mailbox = _parsed(text)
                if mailbox and (answered or mailbox.domain.name in names):
                    found.setdefault(mailbox.key, mailbox)
        return replace(self.query, recipients=tuple(found.values())) if found else None


def asked_in(request: Request) -> Asked:
    """The question of a request; raises :class:`~deliverability.errors.UsageError` for what cannot be meant."""
    return Asked(request.query(), request.domains(), request.everybody())


def _plain(mailbox: Mailbox) -> str:
    return f"{mailbox.local_part}@{mailbox.domain.unicode}"


def _parsed(text: str | None) -> Mailbox | None:
    try:
        return Mailbox.parse(text) if text else None
    except ParseError:
        return None


def _not_before(queue_id: str, since: datetime | None) -> bool:
    """Whether a message of this id can have arrived at ``since`` or later; ids without a clock always can."""
    if since is None:
        return True
    made = clock_of(queue_id)
    return made is None or made + ID_SLACK >= since


def _spelled(text: str) -> list[bytes]:
    return sorted({form.encode("utf-8", "surrogatepass").lower() for form in (text, text.lower(), text.upper())})


def _of_domain(domain: Domain, fmt: LogFormat) -> Iterator[bytes]:
    """The spellings that the format knows for any address of the domain, from the ``@`` on."""
    for needle in fmt.needles(f"x@{domain.unicode}"):
        _, at, rest = needle.rpartition(b"@")
        yield at + rest


def _of_subject(subject: str) -> set[bytes]:
    """A word of the subject in the forms that a log may have it in; the longest that is plain ASCII where there is one."""
    words = subject.split()
    plain = [word for word in words if word.isascii() and len(word) >= MIN_WORD]
    if plain:
        return {max(plain, key=len).lower().encode()}
    word = max(words, key=len)
    forms = {unicodedata.normalize(form, cased) for cased in _cased(word) for form in ("NFC", "NFD", "NFKC")}
    found: set[bytes] = set()
    for form in forms:
        for charset in CHARSETS:
            try:
                octets = form.encode(charset).lower()
            except UnicodeEncodeError:
                continue
            found |= {octets, re.sub(rb"[\x80-\xff]", lambda m: b"\\%03o" % m[0][0], octets)}
    return found


def _cased(word: str) -> set[str]:
    return {word, word.lower(), word.upper(), word.casefold()}
