"""Log lines as they come out of a ticket, a terminal or a container's output: with something before each, or wrapped.

Taken off are quotation marks and blanks of a mail, bullets and backticks, ``grep``'s file names and line numbers, the
numbers of ``cat -n``, the time and stream that ``kubectl logs --timestamps``, ``docker logs -t`` and CRI files put first,
and the names of ``kubectl logs --prefix``, ``docker compose logs`` and ``aws logs tail``; what was done within the lines
is undone (:mod:`deliverability.capture.decoders.markup`); a date and a time with a blank between them are written as RFC 3339 does.
A line that was wrapped is put together again.  What is done is settled once, by the first lines, and only where those can be read no other way: within a log
that is read as it is, no message can choose to be taken for a paste.
"""

import itertools
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deliverability.capture.decoders.markup import Markup, markup_of
from deliverability.capture.decoders.plain import headed, is_spaced, may_be_marked_up
from deliverability.capture.decoders.streams import Stream, lines
from deliverability.protocols.whole_line import begins_whole, is_whole

_SAMPLED = 400  # lines that tell the shape
_CLEARLY = 3  # so many times more lines must be whole without what stands before them
_SHARE = 0.9  # of the places where lines seem to be wrapped that must bear it out
_MAX_WRAPS = 40  # pieces of one line
_MAX_JOINED = 64 << 10
_NARROWEST = 40  # octets; nobody wraps at less
_WIDEST = 120  # octets; a single line that was wrapped at more is nobody's ticket
_WRAP_SLACK = 20  # octets by which a word that cannot be broken stands out

_IN_A_LOG = re.compile(rb"[=\[\]/@<>(){}|]|\d[.:]\d")  # what a piece of a log's line has, and few sentences
_OUTCOME = re.compile(rb", status=[a-z-]{1,32} \(")
_RECIPIENT = re.compile(rb"\]: [0-9A-Za-z]{5,40}: to=<")
_ENDED = re.compile(rb": removed\Z|\(queue active\)\Z| Completed(?: QT=\S+)?\Z| C=\"[^\"]*\"(?: [QD]T=\S+)*\Z")
_PIECE = re.compile(rb"(?:> ?)++|[ \t]++")
_QUOTED = rb"[ \t]*+(?:>[ \t]*+)*+"
_ISO = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d) "
_LOG = (  # how a line begins
    rb"(?=\d{4}-\d\d-\d\d[T \t]|(?:\d{4} )?[A-Z][a-z]{2} [ \d]?\d |[A-Z][a-z]{2} \d{4}-|<\d|\d{9}"
    rb"| ?1?\d\xe6\x9c\x88 )"
)
_BULLET = rb"(?:(?:[-*+]|\xe2\x80\xa2)[ \t]++)?+`{0,3}+"
_NAMED = rb"(?:\[[^\]\s]{1,200}\] |[\w.-]{1,100} +\| )"  # kubectl logs --prefix, docker compose logs
_PREFIXES = tuple(
    re.compile(_QUOTED + prefix)
    for prefix in (
        rb"",
        _BULLET,
        rb"[^\s:]{1,255}?(?::(?:\d{1,9}:)?|-(?:\d{1,9}-)?)" + _LOG,  # grep -H, -n, and -C's lines around
        rb"\d{1,9}(?:[:.)-][ \t]*+|[ \t]++)",  # grep -n, cat -n, less -N
        _NAMED,
        rb"%s?%s(?:(?:stdout|stderr) [FP] )?" % (_NAMED, _ISO),
        rb"%s[\w./$-]{1,200} " % _ISO + _LOG,  # aws logs tail: the time, and the stream's name
        rb"<[a-z0-9]{1,12}\.[a-z]{1,12}> ",
    )
)
# Exim's reject log quotes whole headers, a line each: in them a stranger writes at the beginning of a line.
_REJECTED = re.compile(rb"Envelope-(?:from|to): <|-{40}[ \t]*\Z")
_QUOTED_HEADER = re.compile(rb"[A-Z* ] [A-Za-z][A-Za-z0-9-]{1,70}: ")  # "P Received: ", "  Subject: "
# A message that was saved as a file: fields that a stranger wrote may hold whole log lines.
_FIELD = re.compile(
    rb"(?:From|To|Date|Subject|Received|Return-Path|Message-ID|MIME-Version|Content-Type):", re.IGNORECASE
)
_HEADED = 40  # octets in which a date, a time and its zone stand
_OUTLINE = bytes.maketrans(
    b" " + string.digits.encode() + string.ascii_letters.encode(), b"0" * 11 + b"a" * 26 + b"A" * 26
)
"""Of all times alike: another second, another month, a day of one digit."""
_UNCHANGED = Markup()
_SEPARATOR = b"--"  # of grep, and of journalctl: "-- Boot …"


@dataclass(frozen=True, slots=True)
class Shape:
    """What was done to the lines."""

    prefix: re.Pattern[bytes] | None = None
    width: int | None = None
    """Octets at which lines were wrapped; ``None``: none was."""
    joint: bytes = b""
    """What stood where a line was broken."""
    markup: Markup = _UNCHANGED
    """What was done within the lines."""
    by_hand: bool = False
    """Postfix's lines about a recipient were broken where somebody saw fit."""
    spaced: bool = False
    """Date and time are parted by a blank, the head's parts by tabs, or the month has a Chinese name."""


def shape_of(head: bytes, *, complete: bool) -> Shape | None:
    """How the first lines were changed; ``None`` where they stand as they were written, or are no log at all.

    ``complete``: there is nothing after them, so that the last one has its end.
    """
    every = head.split(b"\n")[:_SAMPLED]
    every = [line.removesuffix(b"\r") for line in (every if complete else every[:-1] or every)]
    markup = (
        markup_of(every, _is_known, _is_read, whole=complete) if may_be_marked_up(head) or b"\t" in head else _UNCHANGED
    )
    every = [markup.undone(line) for line in every]
    shown = [line for line in every if line.strip()]
    plain = sum(is_whole(line) or is_spaced(line) for line in shown)
    counted = [(sum(_bare(line, prefix) is not None for line in shown), prefix) for prefix in _PREFIXES]
    most, best = max(counted, key=lambda pair: pair[0])
    prefix = best if most > _CLEARLY * plain else None
    if plain and prefix in _PREFIXES[:2]:
        return None  # only some lines are indented or quoted: folded header fields are
    if not plain and prefix is None:
        return None
    width, joint = _wrapping(every[:-1] if complete and _is_begun(every) else every, prefix)
    begun = [bare for line in every if _begins(bare := _without(line, prefix))]
    spaced = sum(map(is_spaced, begun)) >= _SHARE * len(begun)
    by_hand = complete and width is None and _is_by_hand(every, prefix)
    shape = Shape(prefix, width, b" " if by_hand else joint, markup, by_hand, bool(begun) and spaced)
    strange = shape == Shape() or any(_is_rejected(line, prefix) for line in every) or _is_header(every, prefix)
    return None if strange else shape


def _is_begun(every: Sequence[bytes]) -> bool:
    """Whether the last line has no end and is what a line before it begins with: it is being written just now.

    Otherwise one look at a live log that comes too early would take it for the piece of a wrapped line.
    """
    *others, last = every
    begun = last.translate(_OUTLINE)
    return 0 < len(last) <= _HEADED and any(line[: len(last)].translate(_OUTLINE) == begun for line in others)


def _is_header(every: Sequence[bytes], prefix: re.Pattern[bytes] | None) -> bool:
    """Whether what would become log lines stands among the header fields of a message, before the first empty line."""
    header = list(itertools.takewhile(bytes.strip, every))
    return any(map(_FIELD.match, header)) and any(prefix and _bare(line, prefix) is not None for line in header)


def is_log_line(line: bytes) -> bool:
    """Whether it is a line of a log as it stands."""
    return is_whole(line) or is_spaced(line)


def is_changed_line(line: bytes) -> bool:
    """Whether it is a line of a log, but for what stands before it."""
    return any(_bare(line, prefix) is not None for prefix in _PREFIXES)


def _is_known(line: bytes) -> bool:
    return is_log_line(line) or is_changed_line(line)


def _is_read(line: bytes) -> bool:
    return is_whole(line) or is_changed_line(line)


def is_quoted_header(line: bytes) -> bool:
    """Whether it may be of the headers that a reject log quotes: there a stranger writes at the beginning of a line."""
    return any(_is_rejected(line, prefix) for prefix in _PREFIXES)


def straightened(line: bytes, shape: Shape) -> bytes:
    """One line as it was, without its end; what was wrapped stays so."""
    return _bared(shape.markup.undone(line), shape)


def _bared(line: bytes, shape: Shape) -> bytes:
    """The same of a line within which nothing is changed any more."""
    line = _without(line, shape.prefix)
    return headed(line) if shape.spaced else line


def _is_rejected(line: bytes, prefix: re.Pattern[bytes] | None) -> bool:
    """Whether the line is of a reject log, with something before it or not."""
    if _QUOTED_HEADER.match(line):
        return True
    match = prefix.match(line) if prefix else None
    rests = (line.lstrip(b" \t>"), line[match.end() :].lstrip() if match else b"")
    return any(_REJECTED.match(rest) is not None for rest in rests)


def _begins(line: bytes) -> bool:
    """Whether a line of the log begins so."""
    return begins_whole(line) or is_spaced(line)


def _bare(line: bytes, prefix: re.Pattern[bytes]) -> bytes | None:
    """The line without its prefix, if that makes a log line of it."""
    match = prefix.match(line)
    rest = line[match.end() :] if match and match.end() else b""
    return rest if rest and (is_whole(rest) or is_spaced(rest)) else None


def _without(line: bytes, prefix: re.Pattern[bytes] | None) -> bytes:
    """The line as it was before; a piece of a wrapped one loses quotation marks and blanks alone."""
    if prefix is None:
        return line
    match = prefix.match(line)
    rest = line[match.end() :] if match else line
    if _begins(rest):
        return rest.rstrip(b"`") if match and match[0].endswith(b"`") else rest
    if _begins(line):
        return line
    quoted = _PIECE.match(line)
    return line[quoted.end() :] if quoted else line


def _wrapping(every: Sequence[bytes], prefix: re.Pattern[bytes] | None) -> tuple[int | None, bytes]:
    """At what width lines were wrapped, and what was lost there: nothing (cut at that width), or a blank.

    Where lines were wrapped, none is longer than that, and what follows a piece would not have fitted behind it.
    Headers that Exim's reject log quotes do not pass for pieces so.
    """
    pairs: list[tuple[bytes, bytes]] = []
    last: bytes | None = None
    for line in every:
        bare = _without(line, prefix)
        piece = last is not None and _is_piece(bare)
        if piece and last is not None:
            pairs.append((last, bare))
        last = line if piece or _begins(bare) else None if bare.strip() else last
    widest = max(map(len, every), default=0)
    if len(pairs) > 1 and all(len(one) == widest for one, _ in pairs) and widest >= _NARROWEST:
        return widest, b""
    width = max((len(one.rstrip(b" \t")) for one, _ in pairs), default=0)
    if len(pairs) == 1 and (width > _WIDEST or not _IN_A_LOG.search(pairs[0][1])):
        return None, b""  # somebody's sentence below a line
    fitting = sum(_was_full(one.rstrip(b" \t"), piece, width) and not _is_ended(one) for one, piece in pairs)
    if width < _NARROWEST or fitting < _SHARE * len(pairs) or widest > width + _WRAP_SLACK:
        return None, b""
    return width, b" "


def _is_by_hand(every: Sequence[bytes], prefix: re.Pattern[bytes] | None) -> bool:
    """Whether each line that has a recipient and no end gets one from what stands below it."""
    whole: list[bytes] = []
    for line in every:
        bare = _without(line.rstrip(b" \t"), prefix)
        if whole and _is_piece(bare) and _is_open(whole[-1]):
            whole[-1] += b" " + bare
        elif bare.strip():
            whole.append(bare)
    pieces = sum(1 for line in every if line.strip()) - len(whole)
    return pieces > 0 and not any(map(_is_open, whole))


def _is_open(line: bytes) -> bool:
    """Whether a line about a recipient has no end yet."""
    return _RECIPIENT.search(line) is not None and not _is_ended(line)


def _is_piece(bare: bytes) -> bool:
    """Whether it may be a piece of the line before it."""
    return bool(bare.strip()) and not _begins(bare) and not bare.startswith(_SEPARATOR)


def _is_ended(line: bytes) -> bool:
    """Whether nothing of a log's line can follow."""
    line = line.rstrip(b" \t")
    match = _OUTCOME.search(line)
    if match:
        words = line[match.end() :]
        return words.endswith(b")") and words.count(b")") > words.count(b"(")
    return _ENDED.search(line) is not None


def _was_full(line: bytes, piece: bytes, width: int) -> bool:
    """Whether the first word of ``piece`` had no room at the end of ``line``."""
    return len(line) + 1 + len(piece.split(None, 1)[0]) > width


def plain_lines(stream: Stream, shape: Shape) -> Iterator[bytes]:
    """The lines as they were, at the numbers that they begin at: the pieces of a wrapped one leave empty lines."""
    whole = _Whole(shape)
    before: list[bytes] = []
    for batch in lines(stream):
        for line in before:
            yield from whole.take(line)
        before = batch
    *ended, last = before  # the last line has no end
    for line in ended:
        yield from whole.take(line)
    yield from whole.take(last, ended=False)
    yield from whole.flush()


class _Whole:
    """Lines put together from their pieces."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._line = b""
        self._pieces = self._ends = 0
        self._last: bytes | None = None
        """The last piece as it stands in the paste, where the line may go on."""

    def take(self, raw: bytes, *, ended: bool = True) -> Iterator[bytes]:
        """What is complete with this line."""
        shape = self._shape
        raw = shape.markup.undone(raw.rstrip(b" \t\r") if shape.joint else raw.removesuffix(b"\r"))
        line = _bared(raw, shape)
        if shape.width is None and not shape.by_hand:
            yield line + b"\n" * ended
        elif self._goes_on(line, shape.width or 0):
            self._line += shape.joint + line
            self._ends, self._last = self._ends + ended, raw
            self._pieces += 1
        elif line or ended:
            yield from self.flush()
            self._line, self._pieces, self._ends = line, 1, int(ended)
            self._last = raw if _begins(line) else None

    def _goes_on(self, line: bytes, width: int) -> bool:
        if self._last is None or not _is_piece(line) or (self._shape.joint and _is_ended(self._line)):
            return False
        fits = self._pieces < _MAX_WRAPS and len(self._line) + len(line) < _MAX_JOINED
        if self._shape.by_hand:
            return fits and _is_open(self._line)
        full = _was_full(self._last, line, width) if self._shape.joint else len(self._last) == width
        return fits and full

    def flush(self) -> Iterator[bytes]:
        """What is left at the end."""
        if self._pieces:
            yield self._line + b"\n" * self._ends
        self._line, self._pieces, self._ends, self._last = b"", 0, 0, None
