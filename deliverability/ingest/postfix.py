"""Postfix 2.0 to 3.12 as it writes to syslog: which lines are its own, and which belong to a message.

What each line says is read by :mod:`deliverability.protocols.postfix_reading`, which only a log with such lines needs.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from deliverability.errors import ParseError
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import Glance, LogFormat
from deliverability.evidence.names import Mailbox
from deliverability.protocols import ingesting
from deliverability.protocols.postfix_names import AGENTS, PROGRAMS, REPEATED, REPORTERS, TAG, linked_ids
from deliverability.protocols.postfix_names import program as program_of
from deliverability.protocols.syslog import HEAD, head_for, parse_prologue

if TYPE_CHECKING:
    from deliverability.evidence.attempted import Lean

MAX_LINE = 65_536
"""Octets of a line that are read; Postfix and syslog cut far earlier."""

_HEAD = rb"(?:%s|%s)" % (
    head_for(rb"(?:%s|%s)" % (TAG, b"|".join(name.encode() for name in REPORTERS))),
    HEAD + rb"(?=%s)" % REPEATED,
)

_TO = re.compile(rb"(?:[!-~]{1,40} )?to=")
_TAGGED = (b"postfix", *(b"/" + name.encode() for name in sorted(PROGRAMS)))  # one of them is in each tag of Postfix
_is_own = ingesting.Recogniser(head_for(TAG), *_TAGGED)
_is_line = ingesting.Recogniser(_HEAD, *_TAGGED, b"last message repeated", *(name.encode() for name in REPORTERS))


@cache
def _plain_head() -> re.Pattern[bytes]:
    """The usual head, whose words can be cut off without reading its time."""
    return re.compile(
        rb"(?:\d{4}-\d\d-\d\dT[0-2]\d:[0-5]\d:[0-6]\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
        rb"|[A-Z][a-z]{2} [ 0-3]\d [0-2]\d:[0-5]\d:[0-6]\d)"
        rb" [0-9A-Za-z._-]{1,254} postfix[0-9A-Za-z._-]{0,32}/(?:[0-9A-Za-z._-]{1,32}/)?[a-z-]{1,32}\[\d{1,10}\]: (?=[0-9A-Za-z])"
    )


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """Each line's event, if it says anything about a message; never raises, keeps nothing between lines."""
    from deliverability.protocols.postfix_reading import read

    for line in lines:
        event = read(line)
        if event is not None:
            yield event


def is_line(raw: bytes) -> bool:
    """Whether the head is that of a Postfix program, or of the logger itself, which reports lost lines."""
    return _is_line(raw)


def sniff(sample: bytes) -> float:
    """Share of the sample's complete lines that a Postfix program wrote."""
    return _is_own.share(sample)


def queue_ids(raw: bytes) -> list[str]:
    """The id that the line begins with, and ids that it links to.

    ``queued as`` stands in another server's reply: a lead only, to be held against that server's own lines.
    """
    plain = _plain_head().match(raw)
    if plain:
        return linked_ids(raw[plain.end() : MAX_LINE])
    head = parse_prologue(raw[:MAX_LINE])
    return [] if head is None or program_of(head.tag) == "" else linked_ids(head.rest)


def needles(address: str) -> tuple[bytes, ...]:
    """Spellings of an address: as typed, quoted or bare local part, domain in A-labels or UTF-8; ASCII lower-case."""
    try:
        mailbox = Mailbox.parse(address)
    except ParseError:
        spelled = {address.strip().strip("<>")}
    else:
        escaped = re.sub(r'(["\\])', r"\\\1", mailbox.local_part)
        domains = {mailbox.domain.name, mailbox.domain.unicode}
        spelled = {f"{local}@{domain}" for local in (mailbox.local_part, f'"{escaped}"') for domain in domains}
    cased = {form for s in spelled for form in (s, s.lower(), s.upper())}
    normal = {unicodedata.normalize(form, s) for s in cased for form in ("NFC", "NFD")}
    return tuple(sorted({s.encode("utf-8", "surrogatepass").lower() for s in normal if s}))


def is_lost(raw: bytes) -> bool:
    """Whether a delivery agent tells of an attempt without an id that could be one, or with other words cut out."""
    head = parse_prologue(raw[:MAX_LINE]) if b"to=" in raw else None
    if head is None:
        return False
    by = program_of(head.tag)
    return (by is None or (by in AGENTS and by != "cleanup")) and _TO.match(head.rest) is not None


def _deliveries(_sample: bytes) -> "Callable[[bytes, int], Iterator[Lean]]":
    from deliverability.protocols.lean import Hearing
    from deliverability.protocols.postfix_fast import reader

    return reader(Hearing(parse, is_lost))


def _glance() -> Callable[[bytes], Glance | None]:
    from deliverability.protocols.postfix_glance import glance

    return glance


FORMAT = LogFormat(
    id="postfix",
    title="Postfix (syslog)",
    sniff=sniff,
    parse=parse,
    is_line=is_line,
    queue_ids=queue_ids,
    needles=needles,
    head=_HEAD,
    is_lost=is_lost,
    deliveries=_deliveries,
    glance=_glance,
)
