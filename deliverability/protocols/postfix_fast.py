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
from deliverability.protocols.lean import MAX_SAYINGS, SOMEBODY, Full, kept, read_fully, said_of
from deliverability.protocols.postfix_attempts import attempt_fields
from deliverability.protocols.postfix_queue import AGENTS, QUEUE_ID

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
    rb"(?:, tls=[^\s,]{1,300})?, dsn=([245]\.\d{1,3}\.\d{1,3}), status=(sent|deferred|bounced|expired|deliverable|undeliverable) \((.{0,8192})\)\n"
    % (_TIME, _AGENT, QUEUE_ID),
    re.ASCII,
)
_TLS = re.compile(
    rb"%s [\w.-]{1,253} ([\w./-]{1,128}\[\d{1,10}\]): "
    rb"(?:Anonymous|Untrusted|Trusted|Verified) TLS connection (?:established|reused) to ([^\s,<>@]{1,600}): " % _TIME,
    re.ASCII,
)
_STATUS, _SECURED = b", status=", b" TLS connection "
_AMBIGUOUS = b">, relay="
# The codes of a reply stand in its first 20 octets (RFC 5321 §4.2.1, RFC 3463 §2).
_AN_ANSWER = re.compile(rb"host [!-~]{1,800} said: [2-5]\d\d[ -].{16}", re.DOTALL)
_ASKED = b" (in reply to "
_LOCAL = frozenset({b"local", b"virtual"})
_SAYINGS: dict[tuple[bytes, ...], Said] = {}
"""What each wording means, once it was met: a memo of the grammar, which never changes."""


class Reader:
    """Reads the blocks of one file in order; remembers wordings and TLS sessions, both within bounds."""

    def __init__(self, full: Full) -> None:
        self._full = full
        self._sessions: dict[bytes, tuple[bytes, bytes]] = {}

    def __call__(self, block: bytes) -> Iterator[Lean]:
        """The attempts that a block of whole lines reports, in order."""
        match_line, find, rfind, known = _LINE.match, block.find, block.rfind, _SAYINGS.get
        sessions = self._sessions
        status, secured = find(_STATUS), find(_SECURED)
        while status >= 0:
            while 0 <= secured < status:
                self._note_session(block, secured)
                secured = find(_SECURED, secured + 1)
            start = rfind(b"\n", 0, status) + 1
            said = None
            match = match_line(block, start)
            if match is not None:
                at, tag, program, queue_id, recipient, relay, reused, delay, dsn, outcome, words = match.groups()
                if _AMBIGUOUS not in words and (recipient.isascii() or _is_text(recipient)):
                    words = _sense(words, outcome, program, relay, recipient)
                    key = (relay, words, program, outcome, dsn)
                    said = known(key) or _learn(key)
            if match is None or said is None:
                end = find(b"\n", status)
                status = find(_STATUS, end) if end >= 0 else -1
                yield from read_fully(self._full, block, start, end if end >= 0 else len(block), ended=end >= 0)
            else:
                status = find(_STATUS, match.end())
                tls = tag in sessions
                if tls:
                    host, user = sessions[tag]
                    tls = host == relay and (reused is not None or user == queue_id or not user)
                    if tls:
                        sessions[tag] = (relay, queue_id)
                yield start, at, queue_id, recipient, float(delay), tls, said

    def _note_session(self, block: bytes, at: int) -> None:
        """Remember which process has a TLS session with whom."""
        match = _TLS.match(block, block.rfind(b"\n", 0, at) + 1, at + 700)
        if match:
            if len(self._sessions) >= MAX_SESSIONS:
                self._sessions.clear()
            self._sessions[match[2]] = (match[3], b"")


def _learn(key: tuple[bytes, ...]) -> Said | None:
    """Ask the full grammar about a wording that was not met yet."""
    relay, words, program, outcome, dsn = key
    line = b"to=<%s>, relay=%s, delay=0, dsn=%s, status=%s (%s)" % (SOMEBODY, relay, dsn, outcome, words)
    fields = attempt_fields(line, program.decode("ascii"))
    if not fields:
        return None
    said = said_of(fields)
    if len(_SAYINGS) >= MAX_SAYINGS:
        _SAYINGS.clear()
    _SAYINGS[key] = said
    return said


def _sense(words: bytes, outcome: bytes, program: bytes, relay: bytes, recipient: bytes) -> bytes:
    """Shorter words that the grammar reads alike: replies carry ids and addresses of their own."""
    if outcome == b"sent":
        if program in _LOCAL:
            return words[:_LOCAL_WORDS]
        if program == b"lmtp" or b"discarded" in words or b"/" in relay:
            return _kept(words)
        return b""
    words = words.replace(recipient, SOMEBODY)
    return _essence(words) if words.startswith(b"host ") else words


def _is_text(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def _essence(words: bytes) -> bytes:
    """Of ``host … said: REPLY (in reply to COMMAND)`` what the grammar looks at: replies carry ids of their own."""
    said = _AN_ANSWER.match(words)
    asked = words.rfind(_ASKED)
    if said is None or 0 <= asked < said.end():
        return words
    return said[0] + b" " + (words[asked:] if asked >= 0 else b"")


def _kept(words: bytes) -> bytes:
    """The same of a 2yz that a filter of ours may have given."""
    taken_on, thrown_away = kept(words.decode("utf-8", "backslashreplace").strip())
    if taken_on and thrown_away:
        return words
    return b"250 Ok, discarded" if thrown_away else b"250 queued" if taken_on else b"250 Saved"


def reader(full: Full) -> Callable[[bytes], Iterator[Lean]]:
    """A reader for the blocks of one file; ``full`` is the full parser, for lines that are not of the plain form."""
    return Reader(full)
