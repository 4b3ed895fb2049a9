"""Delivery lines of Postfix in a hurry: found by ``, status=``, read with one expression, told in lean tuples.

A line is read here only if every part of it has its plain form, in which no text of a stranger can stand for a field
of Postfix: an address without quotes, brackets, commas or blanks; the fields of 2.3 to 3.12 in Postfix's own order; a
closing parenthesis at the line's end.  What the words in the parentheses mean is asked of
:func:`~deliverability.protocols.postfix_attempts.attempt_fields`, once for each wording.  Every other line goes to the
full parser.  So both always agree; a test holds them to it.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from operator import itemgetter

from deliverability.evidence.attempted import Lean, Said, Saying
from deliverability.protocols import octets
from deliverability.protocols.lean import (
    MAX_SAYINGS,
    REMOVED,
    REQUEUED,
    SOMEBODY,
    Full,
    Hearing,
    read_fully,
    read_marked,
    said_of,
)
from deliverability.protocols.postfix_attempts import attempt_fields
from deliverability.protocols.postfix_names import AGENTS, QUEUE_ID
from deliverability.protocols.taken_on import kept

MAX_SESSIONS = 4096  # processes whose TLS session is remembered from one block to the next
_SHORTEST_TIME = 15  # octets: "Jan  5 00:01:38"; those of the other form stand together
_TLS_WORDS = 700  # octets in which the host of a TLS session stands
_LOCAL_WORDS = 28  # octets by which local delivery's own words differ: "delivered to file: /dev/null"

# Sets are spelled out, and what need not be tried again in a shorter form is taken for good ("+"): it costs a quarter less.
# What a line shares with others (host, program, domain, relay) is only cut off here, and read once for all of them.
_TO_THE_MINUTE = (
    rb"[12][0-9]{3}-[0-9][0-9]-[0-9][0-9]T[0-2][0-9]:[0-5][0-9]"
    rb"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3][0-9] [0-2][0-9]:[0-5][0-9](?=:[0-5][0-9] )"
)
_SECONDS = rb":[0-5][0-9](?:\.[0-9]{1,9}+)?+"
_WRITER = rb"[^ ]{0,6}+ [^ ]{1,253}+ [^ ]{1,128}+"
_NAME = rb"0-9A-Za-z_.\-"
_LINE = re.compile(
    rb"(%(minute)s)(%(seconds)s)(%(writer)s) (%(id)s): "
    rb"to=<((?:[%(name)s!#$&'*+/=?^`{|}~%%\x80-\xff]{1,255}+|\"[ %(name)s!#$&'*+/=?^`{|}~%%]{1,64}+\")@([^>]{1,255}+))>, (?:orig_to=<[^\t-\r \"<>,]{0,320}+>, )?+"
    rb"relay=([^,]{1,600}+)(, conn_use=[0-9]{1,9}+)?+, delay=([0-9]{1,9}+(?:\.[0-9]{1,6}+)?+), delays=[0-9./]{1,60}+"
    rb"(?:, tls=[^\t-\r ,]{1,300}+)?+, (dsn=[245]\.[0-9]{1,3}+\.[0-9]{1,3}+, "
    rb"status=(?:sent|deferred|bounced|expired|deliverable|undeliverable)) \(([!-~][^\n]{0,8192})\)\n"
    % {b"minute": _TO_THE_MINUTE, b"seconds": _SECONDS, b"writer": _WRITER, b"name": _NAME, b"id": QUEUE_ID}
)
_AGENT = b"|".join(name.encode() for name in sorted(AGENTS))
_BY_AN_AGENT = re.compile(
    rb"(Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])? [%s]{1,253}+ ([%s]{1,60}+/(?:[%s]{1,20}+/)?(%s)\[[0-9]{1,10}+\]):"
    % (_NAME, _NAME, _NAME, _AGENT)
)
_TAKEN_IN = re.compile(
    rb"(%(minute)s)(%(seconds)s)(%(writer)s) (%(id)s): uid=[0-9]{1,10}+ from=<[^\t-\r \"<>]{0,320}+> orig_id=(%(id)s)\n"
    % {b"minute": _TO_THE_MINUTE, b"seconds": _SECONDS, b"writer": _WRITER, b"id": QUEUE_ID}
)
_BY_PICKUP = re.compile(
    rb"(Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])? [%s]{1,253}+ [%s]{1,60}+/(?:[%s]{1,20}+/)?pickup\[[0-9]{1,10}+\]:"
    % (_NAME, _NAME, _NAME)
)
_DOMAIN = re.compile(rb"[%s\x80-\xff]{1,255}" % _NAME)
_RELAY = re.compile(rb"[^\t-\r ,<>@]{1,600}")
_TLS = re.compile(
    rb"(?:%s)%s(%s) (?:Untrusted|Anonymous|Trusted|Verified) TLS connection (?:established|reused) to ([^\t-\r ,<>@]{1,600}): "
    % (_TO_THE_MINUTE, _SECONDS, _WRITER)
)
_STATUS, _SECURED = b", status=", b" TLS connection "
_POSITIVE, _SLASH, _ENDS_ADDRESS = b"2/>"  # of octets: asked for as numbers they are found in a tenth of the time
_AMBIGUOUS = b">, relay="
# Of a reply that has codes nothing else is told (RFC 5321 §4.2.1, RFC 3463 §2); what may be read otherwise is left whole.
_AN_ANSWER = re.compile(
    rb"host [!-~]{1,800}+ said: [2-5][0-9][0-9][ -](?:#?[245]\.[0-9]{1,3}+\.[0-9]{1,3}+(?=[ ;:,.])|(?!#?[245]\.))"
)
_SAID_SO, _ASKED = b" said: ", b" (in reply to "
_FILTERED, _FILTERED_WITHIN = b", ", 24  # "250 2.7.0 Ok, discarded", as a filter says that it kept nothing
# One of these is in all words that tell that a message was queued or thrown away, unless letters are not of ASCII.
_KEEPING = re.compile(rb"[qfiado](?:ueued|rom mta\(|d=|ccepted for delivery|orwarded|iscarded|k \()")
_LOCAL = frozenset({b"local", b"virtual"})
_REMOVED, _REQUEUED = b"/postsuper[", b" orig_id="
_SAID: dict[tuple[bytes, ...], Said] = {}
"""What each wording means, once it was met: a memo of the grammar, which never changes."""
_SAYINGS: dict[tuple[bytes, ...], Saying] = {}
"""The same for each domain; without the wording for what was sent where no words matter but those of :func:`_sense`."""

_Origin = tuple[bytes, bytes, bytes]
"""Zone of the clock, tag with the process's number, and program."""


_Session = tuple[bytes, tuple[bytes, bytes]]
"""Tag with the process's number, and the host of its TLS session with the message that it is known for, none as yet."""

_NO_SESSION: _Session = (b"", (b"", b""))


class Reader:
    """Reads the blocks of one file in order; remembers wordings, programs and TLS sessions, all within bounds."""

    def __init__(self, full: Full) -> None:
        self._full = full
        self._origins: dict[bytes, _Origin] = {}
        self._sessions: dict[bytes, tuple[bytes, bytes]] = {}
        self._shown: dict[bytes, _Session] = {}

    @property
    def unheard(self) -> set[int]:
        """Where lines start of which nothing could be made though they tell of an attempt, if the parser notes them."""
        return self._full.unheard if isinstance(self._full, Hearing) else set()

    def __call__(self, block: bytes, size: int) -> Iterator[Lean]:  # noqa: C901 - hot loop
        """The attempts that the whole lines before ``size`` report, in order."""
        match_line, rfind, last = _LINE.match, block.rfind, -1
        known, origins, sessions = _SAYINGS.get, self._origins, self._sessions
        if len(sessions) > MAX_SESSIONS:
            sessions.clear()
        left = deque(sorted(self._of_all_left(block, size), key=itemgetter(0)))
        securing = octets.each_position(block, _SECURED, 0, size)
        secured = next(securing, size)
        for status in octets.each_position(block, _STATUS, 0, size):
            while secured < status:
                tag, begun = self._begun(block, secured, size)
                sessions[tag] = begun
                secured = next(securing, size)
            start = rfind(b"\n", 0, status) + 1
            if start == last:  # in a reply
                continue
            last, saying = start, None
            while left and left[0][0] < start:
                yield left.popleft()
            match = match_line(block, start, size)
            if match is not None:
                minute, seconds, writer, queue_id, recipient, domain, relay, reused, delay, outcome, words = (
                    match.groups()
                )
                origin = origins.get(writer) or self._origin(writer)
                plain = _ENDS_ADDRESS not in words or words.find(_AMBIGUOUS) < 0
                if origin is not None and plain and (recipient.isascii() or _is_text(recipient)):
                    zone, tag, program = origin
                    if words[0] == _POSITIVE and words.find(_FILTERED, 0, _FILTERED_WITHIN) < 0:
                        saying = known((relay, outcome, program, domain))
                    saying = saying or _saying(relay, outcome, program, domain, words, recipient)
            if match is None or saying is None:
                end = block.find(b"\n", status, size)
                yield from read_fully(self._full, block, start, end if end >= 0 else size, ended=end >= 0)
                continue
            tls = False
            if (session := sessions.get(tag)) is not None:
                host, user = session
                tls = host == relay and (reused is not None or user == queue_id or not user)
                if tls and user != queue_id:
                    sessions[tag] = (relay, queue_id)
            yield start, minute, seconds, zone, queue_id, recipient, delay, tls, saying
        while secured < size:  # what follows them is in the next block
            tag, begun = self._begun(block, secured, size)
            sessions[tag] = begun
            secured = next(securing, size)
        yield from left

    def _of_all_left(self, block: bytes, size: int) -> Iterator[Lean]:
        """What lines without a recipient say of all that a message still has: removed by somebody, or put under a new id."""
        for lean in read_marked(self._full, block, size, (_REMOVED,)):
            if lean[-1] is REMOVED:
                yield lean
        following = 0
        for at in octets.each_position(block, _REQUEUED, 0, size):
            if at < following:
                continue
            start, following = block.rfind(b"\n", 0, at) + 1, (block.find(b"\n", at, size) + 1) or size
            match = _TAKEN_IN.match(block, start, following)
            by = _BY_PICKUP.fullmatch(match[3]) if match else None
            if match and by:
                minute, seconds, _, now, before = match.groups()
                yield start, minute, seconds, by[1] or b"", before, b"", None, False, Saying(REQUEUED, now)
                continue
            ended = block.startswith(b"\n", following - 1)
            for lean in read_fully(self._full, block, start, following - ended, ended=ended):
                if lean[-1].said is REQUEUED:
                    yield lean

    def _origin(self, writer: bytes) -> _Origin | None:
        """Who wrote a line, by what stands between the seconds and its words; ``None`` for none of the agents."""
        match = _BY_AN_AGENT.fullmatch(writer)
        if match is None:
            return None
        if len(self._origins) >= MAX_SESSIONS:
            self._origins.clear()
        origin = self._origins[writer] = (match[1] or b"", match[2], match[3])
        return origin

    def _begun(self, block: bytes, secured: int, size: int) -> _Session:
        """The TLS session that begins in the line around a place."""
        start = block.rfind(b"\n", 0, secured) + 1
        shown = block[block.find(b" ", start + _SHORTEST_TIME, secured) : block.find(b"\n", secured, size)]
        return self._shown.get(shown) or self._session(block, start, secured, shown)

    def _session(self, block: bytes, start: int, secured: int, shown: bytes) -> _Session:
        """What a line says of a TLS session; the next line of the same host and words, ``shown``, says the same."""
        match = _TLS.match(block, start, secured + _TLS_WORDS)
        origin = self._origin(match[1]) if match is not None else None
        if match is None or origin is None:
            return _NO_SESSION
        session = (origin[1], (match[2], b""))
        if len(shown) <= _TLS_WORDS:
            if len(self._shown) >= MAX_SESSIONS:
                self._shown.clear()
            self._shown[shown] = session
        return session


def _saying(  # noqa: PLR0913, PLR0917 - a line's
    relay: bytes, outcome: bytes, program: bytes, domain: bytes, words: bytes, recipient: bytes
) -> Saying | None:
    """What a wording means; the full grammar is asked about one that was not met yet."""
    if outcome.endswith(b"=sent"):
        sense = _sense_of_sent(words, program, relay)
    else:
        answer = _AN_ANSWER.match(words) if words.find(_SAID_SO) >= 0 else None
        if answer is None:
            sense = words.replace(recipient, SOMEBODY)
        else:
            asked = words.rfind(_ASKED, answer.end() - 1)
            sense = answer[0] + words[asked:] if asked >= 0 else answer[0]
    key = (relay, outcome, program, domain) if sense is None else (relay, outcome, program, domain, sense)
    saying = _SAYINGS.get(key)
    if saying is None:
        said = _SAID.get((relay, outcome, program, sense or b"")) or _learn(relay, outcome, program, sense or b"")
        if said is None or _DOMAIN.fullmatch(domain) is None:
            return None
        if len(_SAYINGS) >= MAX_SAYINGS:
            _SAYINGS.clear()
        saying = _SAYINGS[key] = Saying(said, domain)
    return saying


def _learn(relay: bytes, outcome: bytes, program: bytes, sense: bytes) -> Said | None:
    if _RELAY.fullmatch(relay) is None:
        return None
    line = b"to=<%s>, relay=%s, delay=0, %s (%s)" % (SOMEBODY, relay, outcome, sense)
    fields = attempt_fields(line, program.decode("ascii"))
    if not fields:
        return None
    if len(_SAID) >= MAX_SAYINGS:
        _SAID.clear()
    said = _SAID[relay, outcome, program, sense] = said_of(fields)
    return said


def _sense_of_sent(words: bytes, program: bytes, relay: bytes) -> bytes | None:
    """Shorter words that the grammar reads alike, as replies carry ids and addresses of their own; ``None``: any words."""
    if program in _LOCAL:
        return words[:_LOCAL_WORDS]
    if program == b"lmtp" or _SLASH in relay or words.find(_FILTERED, 0, _FILTERED_WITHIN) >= 0:
        return _kept(words)
    return None


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _kept(words: bytes) -> bytes:
    """The same of a 2yz that a filter of ours may have given."""
    low = words.lower()
    if low.isascii() and _KEEPING.search(low) is None:
        return b"250 Saved"
    taken_on, thrown_away = kept(words.decode("utf-8", "backslashreplace").strip())
    if taken_on and thrown_away:
        return words
    return b"250 Ok, discarded" if thrown_away else b"250 queued" if taken_on else b"250 Saved"


def reader(full: Full) -> Callable[[bytes, int], Iterator[Lean]]:
    """A reader for the blocks of one file; ``full`` is the full parser, for lines that are not of the plain form."""
    return Reader(full)
