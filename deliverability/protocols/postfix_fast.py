"""Delivery lines of Postfix in a hurry: found by ``, status=``, read with one expression, told in lean tuples.

A line is read here only if every part of it has its plain form, in which no text of a stranger can stand for a field
of Postfix: an address without quotes, brackets, commas or blanks; the fields of 2.3 to 3.12 in Postfix's own order; a
closing parenthesis at the line's end.  What the words in the parentheses mean is asked of
:func:`~deliverability.protocols.postfix_attempts.attempt_fields`, once for each wording.  Every other line goes to the
full parser.  So both always agree; a test holds them to it.
"""

import re
from collections.abc import Callable, Iterator

from deliverability.evidence.attempted import Lean, Said
from deliverability.protocols.lean import MAX_SAYINGS, SOMEBODY, Full, read_fully, said_of
from deliverability.protocols.postfix_attempts import attempt_fields
from deliverability.protocols.postfix_queue import AGENTS, QUEUE_ID

MAX_LINE = 8192  # octets; syslog cuts earlier, and longer lines are for the full parser
MAX_SESSIONS = 4096  # processes whose TLS session is remembered
_LOCAL_WORDS = 28  # octets by which local delivery's own words differ: "delivered to file: /dev/null"

_TIME = (
    rb"(\d{4}-\d\d-\d\dT[0-2]\d:[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)?"
    rb"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3]\d [0-2]\d:[0-5]\d:[0-5]\d)"
)
_AGENT = b"|".join(sorted(name.encode() for name in AGENTS))
_LINE = re.compile(
    rb"%s [\w.-]{1,253} ([\w.-]{1,60}/(?:[\w.-]{1,20}/)?(%s)\[\d{1,10}\]): (%s): to=<([\w.!#$&'*+/=?^`{|}~%%\x80-\xff-]{1,255}@[\w.\x80-\xff-]{1,255})>, (?:orig_to=<[^\s\"<>,]{0,320}>, )?"
    rb"relay=([^\s,<>@]{1,600})(, conn_use=\d{1,9})?, delay=(\d{1,9}(?:\.\d{1,6})?), delays=[\d./]{1,60}"
    rb"(?:, tls=[^\s,]{1,300})?, dsn=([245]\.\d{1,3}\.\d{1,3}), status=(sent|deferred|bounced|expired) \((.*)\)\Z"
    % (_TIME, _AGENT, QUEUE_ID),
    re.ASCII,
)
_TLS = re.compile(
    rb"%s [\w.-]{1,253} ([\w./-]{1,128}\[\d{1,10}\]): "
    rb"(?:Anonymous|Untrusted|Trusted|Verified) TLS connection (?:established|reused) to ([^\s,<>@]{1,600}): "
    % _TIME,
    re.ASCII,
)
_STATUS, _SECURED = b", status=", b" TLS connection "
_AMBIGUOUS = b">, relay="
_AN_ANSWER = b" said: "
_CODES = 20  # octets of a reply that hold its codes, RFC 5321 §4.2.1 and RFC 3463 §2
_LOCAL = frozenset({b"local", b"virtual"})


class Reader:
    """Reads the blocks of one file in order; remembers wordings and TLS sessions, both within bounds."""

    def __init__(self, full: Full) -> None:
        self._full = full
        self._sayings: dict[tuple[bytes, ...], Said | None] = {}
        self._sessions: dict[bytes, tuple[bytes, bytes]] = {}

    def __call__(self, block: bytes) -> Iterator[Lean]:
        """The attempts that a block of whole lines reports, in order."""
        match_line, find, rfind = _LINE.match, block.find, block.rfind
        size = len(block)
        status, secured = find(_STATUS), find(_SECURED)
        while status >= 0:
            while 0 <= secured < status:
                secured = self._note_session(block, secured)
            start = rfind(b"\n", 0, status) + 1
            end = find(b"\n", status)
            ended = end >= 0
            if not ended:
                end = size
            match = match_line(block, start, end) if ended and end - start <= MAX_LINE else None
            lean = self._plain(start, match) if match else None
            if lean is None:
                yield from read_fully(self._full, block, start, end, ended=ended)
            else:
                yield lean
            status = find(_STATUS, end)

    def _plain(self, start: int, match: re.Match[bytes]) -> Lean | None:
        at, tag, program, queue_id, recipient, relay, reused, delay, dsn, outcome, words = match.groups()
        if _AMBIGUOUS in words or not (recipient.isascii() or _is_text(recipient)):
            return None
        key: tuple[bytes, ...]
        if outcome == b"sent":
            words = words[:_LOCAL_WORDS] if program in _LOCAL else _kept(words, program, relay)
            key = (program, relay, words)
        else:
            if _AN_ANSWER in words and words.startswith(b"host "):
                words = _essence(words)
            elif recipient in words:
                words = words.replace(recipient, SOMEBODY)
            key = (program, relay, words, outcome, dsn)
        said = self._sayings.get(key) or self._learn(key, program, relay, dsn, outcome, words)
        if said is None:
            return None
        session = self._sessions.get(tag)
        tls = False
        if session is not None and session[0] == relay and (reused or session[1] in (b"", queue_id)):
            self._sessions[tag] = (relay, queue_id)
            tls = True
        return start, at, queue_id, recipient, float(delay), tls, said

    def _learn(
        self, key: tuple[bytes, ...], program: bytes, relay: bytes, dsn: bytes, outcome: bytes, words: bytes
    ) -> Said | None:
        """Ask the full grammar about a wording that was not met yet."""
        line = b"to=<%s>, relay=%s, delay=0, dsn=%s, status=%s (%s)" % (SOMEBODY, relay, dsn, outcome, words)
        fields = attempt_fields(line, program.decode("ascii"))
        if not fields:
            return None
        said = said_of(fields)
        if len(self._sayings) >= MAX_SAYINGS:
            self._sayings.clear()
        self._sayings[key] = said
        return said

    def _note_session(self, block: bytes, at: int) -> int:
        """Remember which process has a TLS session with whom; answers where the next such line may be."""
        start = block.rfind(b"\n", 0, at) + 1
        match = _TLS.match(block, start, min(at + 700, len(block)))
        if match:
            if len(self._sessions) >= MAX_SESSIONS:
                self._sessions.clear()
            self._sessions[match[2]] = (match[3], b"")
        return block.find(_SECURED, at + 1)


def _is_text(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def _essence(words: bytes) -> bytes:
    """Of ``host … said: REPLY (in reply to COMMAND)`` what the grammar looks at: replies carry ids of their own."""
    said = words.find(_AN_ANSWER) + len(_AN_ANSWER)
    asked = words.rfind(b" (in reply to ")
    return words[: said + _CODES] + b" " + (words[asked:] if asked >= said else b"")


def _kept(words: bytes, program: bytes, relay: bytes) -> bytes:
    """Of a 2yz the words that matter: a filter of ours may have given it."""
    if b"discarded" in words or program == b"lmtp" or relay.endswith(b"]"):
        return words
    return b""


def reader(full: Full) -> Callable[[bytes], Iterator[Lean]]:
    """A reader for the blocks of one file; ``full`` is the full parser, for lines that are not of the plain form."""
    return Reader(full)
