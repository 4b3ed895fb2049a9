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
from deliverability.protocols import octets
from deliverability.protocols.lean import MAX_SAYINGS, SOMEBODY, Full, kept, read_fully, said_of
from deliverability.protocols.postfix_attempts import attempt_fields
from deliverability.protocols.postfix_queue import AGENTS, QUEUE_ID

MAX_SESSIONS = 4096  # processes whose TLS session is remembered from one block to the next
_LOCAL_WORDS = 28  # octets by which local delivery's own words differ: "delivered to file: /dev/null"

# Sets are spelled out, and what need not be tried again in a shorter form is taken for good ("+"): it costs a quarter less.
_TIME = (
    rb"[0-9]{4}-[0-9][0-9]-[0-9][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9}+)?+(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?+"
    rb"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]"
)
_NAME = rb"0-9A-Za-z_.\-"
_RELAY = rb"[^\t-\r ,<>@]{1,600}+"
_AGENT = b"|".join(name.encode() for name in ("smtp", *sorted(AGENTS - {"smtp"})))  # the usual one first
_LINE = re.compile(
    rb"(%(time)s) [%(name)s]{1,253}+ ([%(name)s]{1,60}+/(?:[%(name)s]{1,20}+/)?(%(agent)s)\[[0-9]{1,10}+\]): (%(id)s): "
    rb"to=<([%(name)s!#$&'*+/=?^`{|}~%%\x80-\xff]{1,255}+@[%(name)s\x80-\xff]{1,255}+)>, (?:orig_to=<[^\t-\r \"<>,]{0,320}+>, )?+"
    rb"relay=(%(relay)s)(, conn_use=[0-9]{1,9}+)?+, delay=([0-9]{1,9}+(?:\.[0-9]{1,6}+)?+), delays=[0-9./]{1,60}+"
    rb"(?:, tls=[^\t-\r ,]{1,300}+)?+, dsn=([245]\.[0-9]{1,3}+\.[0-9]{1,3}+), "
    rb"status=(sent|deferred|bounced|expired|deliverable|undeliverable) \(([^\n]{0,8192})\)\n"
    % {b"time": _TIME, b"name": _NAME, b"agent": _AGENT, b"id": QUEUE_ID, b"relay": _RELAY}
)
_TLS = re.compile(
    rb"(?:%s) [%s]{1,253}+ ([/%s]{1,128}+\[[0-9]{1,10}+\]): "
    rb"(?:Untrusted|Anonymous|Trusted|Verified) TLS connection (?:established|reused) to ([^\t-\r ,<>@]{1,600}): "
    % (_TIME, _NAME, _NAME)
)
_STATUS, _SECURED = b", status=", b" TLS connection "
_TO = (b"established to ", b"reused to ")
_AMBIGUOUS = b">, relay="
# The codes of a reply stand in its first 20 octets (RFC 5321 §4.2.1, RFC 3463 §2).
_AN_ANSWER = re.compile(rb"host [!-~]{1,800}+ said: [2-5][0-9][0-9][ -].{16}", re.DOTALL)
_ASKED = b" (in reply to "
# One of these is in all words that tell that a message was queued or thrown away, unless letters are not of ASCII.
_KEEPING = (b"queued", b"from mta(", b"id=", b"accepted for delivery", b"forwarded", b"discarded", b"ok (")
_LOCAL = frozenset({b"local", b"virtual"})
_SAYINGS: dict[tuple[bytes, ...], Said] = {}
"""What each wording means, once it was met: a memo of the grammar, which never changes."""
_WORDLESS: dict[tuple[bytes, bytes, bytes], Said] = {}
"""The same by relay, program and code, for what was sent where no words matter but those of :func:`_sense`."""


class Reader:
    """Reads the blocks of one file in order; remembers wordings and TLS sessions, both within bounds."""

    def __init__(self, full: Full) -> None:
        self._full = full
        self._sessions: dict[bytes, tuple[bytes, bytes]] = {}

    def __call__(self, block: bytes) -> Iterator[Lean]:  # noqa: C901 - hot loop
        """The attempts that a block of whole lines reports, in order."""
        match_line, match_session, rfind, size = _LINE.match, _TLS.match, block.rfind, len(block)
        wordless, sessions = _WORDLESS.get, self._sessions
        if len(sessions) > MAX_SESSIONS:
            sessions.clear()
        securing, following = octets.each_position(block, _SECURED, 0, size), 0
        secured = next(securing, size)
        for status in octets.each_position(block, _STATUS, 0, size):
            if status < following:  # in a reply
                continue
            while secured < status:
                secure = match_session(block, rfind(b"\n", 0, secured) + 1, secured + 700)
                if secure is not None:
                    sessions[secure[1]] = (secure[2], b"")
                secured = next(securing, size)
            start = rfind(b"\n", 0, status) + 1
            said = None
            match = match_line(block, start)
            if match is not None:
                at, tag, program, queue_id, recipient, relay, reused, delay, dsn, outcome, words = match.groups()
                if _AMBIGUOUS not in words and (recipient.isascii() or _is_text(recipient)):
                    if outcome == b"sent" and b"discarded" not in words:
                        said = wordless((relay, program, dsn))
                    said = said or _said(relay, program, dsn, outcome, words, recipient)
            if match is None or said is None:
                end = block.find(b"\n", status)
                following = end if end >= 0 else size
                yield from read_fully(self._full, block, start, following, ended=end >= 0)
                continue
            following = match.end()
            tls = False
            if (session := sessions.get(tag)) is not None:
                host, user = session
                tls = host == relay and (reused is not None or user == queue_id or not user)
                if tls and user != queue_id:
                    sessions[tag] = (relay, queue_id)
            yield start, at, queue_id, recipient, float(delay), tls, said


def _said(relay: bytes, program: bytes, dsn: bytes, outcome: bytes, words: bytes, recipient: bytes) -> Said | None:  # noqa: PLR0913, PLR0917 - a line's
    """What a wording means; the full grammar is asked about one that was not met yet."""
    sense = _sense(words, outcome, program, relay, recipient)
    key = (relay, sense, program, outcome, dsn)
    said = _SAYINGS.get(key)
    if said is None:
        line = b"to=<%s>, relay=%s, delay=0, dsn=%s, status=%s (%s)" % (SOMEBODY, relay, dsn, outcome, sense)
        fields = attempt_fields(line, program.decode("ascii"))
        if not fields:
            return None
        if len(_SAYINGS) >= MAX_SAYINGS:
            _SAYINGS.clear()
            _WORDLESS.clear()
        said = _SAYINGS[key] = said_of(fields)
    if not sense and outcome == b"sent" and program not in _LOCAL:
        _WORDLESS[relay, program, dsn] = said
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
    answer = _AN_ANSWER.match(words)
    if answer is None:
        return words
    asked = words.rfind(_ASKED)
    if asked < 0:
        return answer[0] + b" "
    return answer[0] + b" " + words[asked:] if asked >= answer.end() else words


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _kept(words: bytes) -> bytes:
    """The same of a 2yz that a filter of ours may have given."""
    low = words.lower()
    if low.isascii() and not any(map(low.__contains__, _KEEPING)):
        return b"250 Saved"
    taken_on, thrown_away = kept(words.decode("utf-8", "backslashreplace").strip())
    if taken_on and thrown_away:
        return words
    return b"250 Ok, discarded" if thrown_away else b"250 queued" if taken_on else b"250 Saved"


def reader(full: Full) -> Callable[[bytes], Iterator[Lean]]:
    """A reader for the blocks of one file; ``full`` is the full parser, for lines that are not of the plain form."""
    return Reader(full)
