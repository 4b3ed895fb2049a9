"""Delivery lines of Exim's main log in a hurry: found and read with one expression, told in lean tuples.

As in :mod:`deliverability.protocols.postfix_fast`: a line is read here only in its plain form (addresses without
quotes or blanks, no quote in any field but one closed ``C="…"`` without escapes), what its fields and words mean is
asked of :func:`~deliverability.protocols.exim_lines.read_words`, once for each wording, and every other line goes to
the full parser.  Exim through syslog is for the full parser alone, because an entry may be split over lines.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from deliverability.evidence.attempted import Lean, Said, Saying
from deliverability.evidence.event import Action, Result
from deliverability.protocols.exim_fields import MESSAGE_ID
from deliverability.protocols.exim_lines import read_words
from deliverability.protocols.lean import (
    MAX_SAYINGS,
    REMOVED,
    SOMEBODY,
    Full,
    Hearing,
    read_fully,
    read_marked,
    said_of,
    saying_of,
)
from deliverability.protocols.taken_on import kept, kept_plainly, passes_on

_TO_THE_MINUTE, _SECONDS, _ZONE = (
    rb"[12]\d{3}-\d\d-\d\d [0-2]\d:[0-5]\d",
    rb":[0-5]\d(?:\.\d{1,6})?",
    rb"(?: [+-]\d{4})?",
)
_TIME = _TO_THE_MINUTE + _SECONDS + _ZONE
_ATTEMPT = re.compile(rb" (?:=>|->|>>|\*\*|==) ")
# Latin, Greek, Cyrillic, kana, Chinese and Hangul in UTF-8: nothing that a reader would see as something else.
_LETTER = rb"(?:[\xc3-\xcb\xce-\xd4][\x80-\xbf]|[\xe3-\xec][\x80-\xbf]{2})"
_LOCAL = rb"(?:[\w.+=%%'-]{1,64}+|%s){1,64}+" % _LETTER
_DOMAIN = rb"(?:[\w.-]{1,255}+|%s){1,255}+" % _LETTER
_ADDRESS = rb"%s@%s" % (_LOCAL, _DOMAIN)
_LINE = re.compile(
    rb"^(%s)(%s)(%s) (?:\[\d{1,10}\] )?(%s) (=>|->|>>|\*\*|==) (?:(%s|[\w.-]{1,64})( <%s>)?(?= |:(?: |$)))?([^\n]*)\n"
    % (_TO_THE_MINUTE, _SECONDS, _ZONE, MESSAGE_ID.encode(), _ADDRESS, _ADDRESS),
    re.MULTILINE | re.ASCII,
)
_CONFIRMED = re.compile(
    rb'([^"\n]*) C="((?:[^"\\\n]++|\\\\n)*+)"((?: QT=[0-9wdhms.]{1,20})?(?: DT=[0-9wdhms.]{1,20})?)\Z'
)
_TAKEN = re.compile(rb"(?: [QD]T=[0-9wdhms.]{1,20}){1,2}\Z")
_SPENT = re.compile(rb"T=[0-9wdhms.]{1,20}")
_SENDER = re.compile(rb' F=<[^\s"<>]*>')
_VARYING = re.compile(rb"(?<= I=)(\[[0-9A-Fa-f.:]{2,45}\]):\d{1,5}(?= |\Z)")
_SIZE = re.compile(rb" S=\d{1,15}(?= |\Z)")
_ANSWER = re.compile(
    rb"(?:[^:\n]{1,1500}+|:(?! )){0,99}+: (?:SMTP|LMTP) error from remote mail server after (?:pipelined )?"
    rb'(?:(?:RCPT TO|MAIL FROM):<[^\s<>"]{0,320}>|end of data|initial connection|sending data block|DATA|STARTTLS|[EHL]HLO)'
    rb'[^:"\n]{0,80}: (?:host [^\s\[\]]{1,255} \[[0-9A-Fa-f.:]{2,45}\]: )?[2-5]\d\d[ -].{16}'
)
_REMOVED = (
    b" removed by ",
    b" cancelled by ",
    b" Message removed because ",
)  # by an operator, or by a queue runner's age
_NO_TRIM = (b"retry timeout exceeded", b"overflowed log buffer ****")
_OVERFLOWED = b"overflowed log buffer ****"
_LINE_END = rb"\\n"  # between the lines of a reply
_CLOSED = re.compile(rb' C="([ !#-\[\]-~]*)"(?: QT=[0-9wdhms.]{1,20})?(?: DT=[0-9wdhms.]{1,20})?\Z')
_C = b' C="'
_FAILED = (b"**", b"==")
MAX_WORDING = 200  # octets of a wording that is remembered as it stands: longer ones are replies
_AN_ID = "1vcYV9-0000000002z-42Us"
_Known = tuple[Said, dict[bytes, Saying]]
"""What is said, and the same of each domain."""
_SAYINGS: dict[tuple[bytes, ...], _Known] = {}
"""What each wording means, once it was met: a memo of the grammar, which never changes."""
_Form = tuple[bytes, bytes, bool, bytes]
"""The flag; what stands for the recipient, where that is no address; whether another stands beside it; and the fields
before the confirmation."""
_Words = tuple[bool, bool] | None
"""What a server's words tell beside its 2yz (:func:`kept`); ``None`` where they are not asked."""


@dataclass(slots=True)
class _Taken:
    """What was taken by a server: how, by its words, with a saying for each domain."""

    tls: bool
    asked: bool
    """Whether the words of the server matter."""
    by_words: dict[_Words, _Known] = field(default_factory=dict)


_TAKEN_SO: dict[_Form, _Taken] = {}
_FAILED_SO: dict[_Form, _Known] = {}
"""What did not succeed, by all that stands behind the recipient, where that names nobody."""


class Reader:
    """Reads the blocks of one file in order."""

    def __init__(self, full: Full) -> None:
        self._full = full

    @property
    def unheard(self) -> set[int]:
        """Where lines start of which nothing could be made though they tell of an attempt, if the parser notes them."""
        return self._full.unheard if isinstance(self._full, Hearing) else set()

    def __call__(self, block: bytes, size: int) -> Iterator[Lean]:
        """The attempts that the whole lines before ``size`` report, in order."""
        done = 0
        for match in _LINE.finditer(block, 0, size):
            minute, seconds, zone, queue_id, flag, shown, original, tail = match.groups()
            start = match.start()
            if done < start:
                yield from self._others(block, done, start)
            done = match.end()
            told = _told(flag, shown, original, tail) if shown else None
            if told is None:
                yield from read_fully(self._full, block, start, done - 1)
            else:
                yield (start, minute, seconds, zone, queue_id, told[0], None, told[1], told[2])
        yield from self._others(block, done, size)
        removed = read_marked(self._full, block, size, _REMOVED)
        yield from (lean for lean in removed if lean[-1] is REMOVED)

    def _others(self, block: bytes, begin: int, end: int) -> Iterator[Lean]:
        """Lines between: those that syslog brought, and a last one without an end."""
        if block.find(b": ", begin, end) < 0:
            return
        for found in _ATTEMPT.finditer(block, begin, end):
            start = block.rfind(b"\n", 0, found.start()) + 1
            if start < begin:
                continue
            stop = block.find(b"\n", found.start(), end)
            begin = stop if stop >= 0 else end
            yield from read_fully(self._full, block, start, begin, ended=stop >= 0)


def _told(flag: bytes, shown: bytes, original: bytes | None, tail: bytes) -> tuple[bytes, bool, Saying] | None:
    """The recipient, whether it was over TLS, and how it ended; ``None`` where the full parser has to read it."""
    whom = shown if b"@" in shown or not original else original[2:-1]
    failed = flag in _FAILED
    at = len(tail) if failed else tail.find(_C)
    if at >= 0:
        form = (flag, b"" if b"@" in shown else shown, original is None, tail[:at])
        if failed:
            known = _FAILED_SO.get(form)
            if known:
                return whom, b" X=" in tail, _saying(known, whom)
        elif (so := _TAKEN_SO.get(form)) and (closed := _CLOSED.match(tail, at)):
            known = so.by_words.get(kept_plainly(closed[1].strip()) if so.asked else None)
            if known:
                return whom, so.tls, _saying(known, whom)
    wording = _wording(flag, shown, original, tail)
    known = (_SAYINGS.get(wording) or _learn(wording)) if wording else None
    if wording is None or known is None:
        return None
    tls = b" X=" in wording[1]
    if at >= 0:
        (_remember_failed if failed else _remember)(form, tail[at:], known, tls=tls)
    return whom, tls, _saying(known, whom)


def _saying(known: _Known, whom: bytes) -> Saying:
    """As :func:`saying_of`, kept with what was said."""
    said, sayings = known
    domain = whom.rpartition(b"@")[2] if b"@" in whom else b""
    saying = sayings.get(domain)
    if saying is None:
        if len(sayings) >= MAX_SAYINGS:
            sayings.clear()
        saying = sayings[domain] = saying_of(said, whom)
    return saying


def _remember_failed(form: _Form, _: bytes, known: _Known, *, tls: bool) -> None:  # noqa: ARG001 - as the other
    """What waits for its next time is told in a few wordings."""
    if len(form[3]) <= MAX_WORDING and b"@" not in form[3]:
        if len(_FAILED_SO) >= MAX_SAYINGS:
            _FAILED_SO.clear()
        _FAILED_SO[form] = known


def _remember(form: _Form, ending: bytes, known: _Known, *, tls: bool) -> None:
    """Lines of the same form, whose words tell the same, say the same."""
    closed, said = _CLOSED.match(ending), known[0]
    if not closed or said.result is not Result.SENT or b" S=" in form[3] or b" I=[" in form[3]:
        return
    so = _TAKEN_SO.get(form)
    if so is None:
        if len(_TAKEN_SO) >= MAX_SAYINGS:
            _TAKEN_SO.clear()
        so = _TAKEN_SO[form] = _Taken(tls, passes_on(said.transport, said.relay))
    so.by_words[kept_plainly(closed[1].strip()) if so.asked else None] = known


def _wording(flag: bytes, shown: bytes, original: bytes | None, tail: bytes) -> tuple[bytes, ...] | None:
    """The wording without anything that is one message's own; ``None`` where only the full parser can tell that."""
    if tail.endswith(_OVERFLOWED):
        return None
    form = b"%s %s%s" % (flag, SOMEBODY if b"@" in shown else shown, b" <" + SOMEBODY + b">" if original else b"")
    if flag in _FAILED:
        tail, ending = _essence(tail.replace(shown, SOMEBODY) if b"@" in shown else tail), b""
    else:
        match = _CONFIRMED.match(tail)
        if match is not None:
            tail, ending = match[1], b' C="%s"%s' % (_kept(match[2]), _SPENT.sub(b"T=0s", match[3]))
        elif b'"' in tail:
            return None
        else:
            taken = _TAKEN.search(tail)
            ending = _SPENT.sub(b"T=0s", taken[0]) if taken else b""
            tail = tail[: taken.start()] if taken else tail
        if b" S=" in tail:
            tail = _SIZE.sub(b" S=1", tail)
        if b" I=[" in tail:
            tail = _VARYING.sub(rb"\1", tail)
    if tail.startswith(b" F=<"):
        tail = _SENDER.sub(b" F=<>", tail, count=1)
    return form, tail, ending


def _essence(tail: bytes) -> bytes:
    """Of a reply the codes: what follows them is one message's own."""
    if b'"' in tail or tail.endswith(_NO_TRIM):
        return tail
    match = _ANSWER.match(tail)
    return match[0] if match else tail


def _kept(words: bytes) -> bytes:
    """A confirmation that means the same."""
    text = words.replace(_LINE_END, b" ").decode("latin-1").strip()
    taken_on, thrown_away = kept(text)
    if taken_on and thrown_away:
        return words
    return b"250 Ok, discarded" if thrown_away else b"250 queued" if taken_on else b"250 Saved"


def _learn(key: tuple[bytes, ...]) -> _Known | None:
    """Ask the full grammar about a wording that was not met yet; ``None`` too where it takes another recipient from it.

    A local part with blanks imitates the words that follow a plain one: its repetition in quotes decides.
    """
    facts = read_words(b"".join(key).decode("latin-1"), _AN_ID, cut=False)
    if not facts or facts["action"] is not Action.ATTEMPTED:
        return None
    if facts["recipient"] != key[0].decode("latin-1").split(" ")[1]:
        return None
    said = said_of(facts, facts["recipient"])
    if len(_SAYINGS) >= MAX_SAYINGS:
        _SAYINGS.clear()
    known = _SAYINGS[key] = said, {}
    return known


def reader(full: Full, sample: bytes) -> Callable[[bytes, int], Iterator[Lean]] | None:
    """A reader for the blocks of one file; ``None`` for a file whose head shows that syslog wrote it."""
    return Reader(full) if _LINE_OF_FILE.search(sample) else None


_LINE_OF_FILE = re.compile(rb"\A(?:[^\n]{0,4096}\n){0,20}?%s " % _TIME)
