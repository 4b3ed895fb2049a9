"""The form of a message, line by line and field by field (RFC 5322, RFC 2047, RFC 6532).

Everything here reads octets that a stranger may have written: linear time, bounded answers, no exception.
"""

import re
from binascii import Error as BinasciiError
from binascii import a2b_base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.bundle import Evidence
from deliverability.evidence.verdict import Finding, Outcome, Ruling

if TYPE_CHECKING:
    from deliverability.protocols.mail import Field, Mail

MAX_LINE: Final = 998
"""Octets of a line without its CRLF (RFC 5322 §2.1.1)."""
MAX_WORD: Final = 75
"""Characters of an encoded word (RFC 2047 §2)."""
MAX_FIELD_READ: Final = 64 * 1024
"""Octets of one field in which encoded words are looked for."""
AT_MOST_ONCE: Final = (
    "from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references", "subject", "date",
)  # fmt: skip
"""RFC 5322 §3.6."""
WITH_WORDS: Final = frozenset(
    {"subject", "comments", "keywords", "content-description", "organization"}
    | {"from", "sender", "reply-to", "to", "cc", "bcc", "resent-from", "resent-to"}
)
"""Fields whose text or display names may hold encoded words (RFC 2047 §5)."""

NEED_MESSAGE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "Without the message itself this cannot be seen. Give it with --message.",
        "zh-Hant-TW": "沒有郵件本身，無法檢查。請以 --message 提供。",
    }
)
UNREADABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "The file cannot be read as a message: {problem}.",
        "zh-Hant-TW": "無法將這個檔案當作郵件解讀：{problem}。",
    }
)
NOT_READ: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "unreadable": UNREADABLE,
        "message-too-large": {
            "en": "The message is larger than {limit}, and no more is read here; no large provider takes it either. Send a link to what is so large, and check again.",
            "zh-Hant-TW": "郵件超過 {limit}，因此沒有讀取；大型信箱業者也不會收。請改附下載連結，再檢查一次。",
        },
        "header-too-large": {
            "en": "The header is longer than {limit}, and no more is read here; Gmail refuses such mail. Find the field that grew (Subject, References, a field of your mailer's own), shorten it, and check again.",
            "zh-Hant-TW": "標頭超過 {limit}，因此沒有讀取；Gmail 會拒收這種郵件。請找出過長的標頭（主旨、References 或寄信程式自訂的標頭），縮短後再檢查一次。",
        },
        "too-many-fields": {
            "en": "The header has more than {limit} fields, and no more is read here. Look which field your mailer repeats, remove the copies, and check again.",
            "zh-Hant-TW": "標頭超過 {limit} 個欄位，因此沒有讀取。請查看寄信程式重複了哪個欄位，刪除多餘的，再檢查一次。",
        },
        "too-many-header-lines": {
            "en": "The header has more than {limit} lines, and no more is read here. Look which field your mailer folds into so many lines, shorten it, and check again.",
            "zh-Hant-TW": "標頭超過 {limit} 行，因此沒有讀取。請查看哪個欄位折成這麼多行，縮短後再檢查一次。",
        },
    }
)
"""What :func:`message_of` says of a message that was given and cannot be judged, by code."""

_WORD_START = re.compile(rb"(?:\A|[ \t\r\n(])(=\?[!#$%&'*+\-0-9A-Z^_`a-z{|}~]{1,100}\?[^\s]{0,900})")
_WORD = re.compile(rb"=\?([!#$%&'+\-0-9A-Z^_`a-z{|}~]+)(?:\*[A-Za-z0-9-]*)?\?([^?\s]*)\?([^?\s]*)\?=\Z")
_GLUED = re.compile(rb"[^ \t\r\n(=?]{1,20}=\?[A-Za-z][A-Za-z0-9-]{2,20}\?[BbQq]\?[^?\s]{0,100}\?=")
_Q_TEXT = re.compile(rb"(?:[^=]|=[0-9A-Fa-f]{2})*\Z")


def message_of(evidence: Evidence) -> "Mail | Ruling":
    """The message, or the ruling that there is none to judge."""
    if evidence.mail is None:
        return Ruling(Outcome.INDETERMINATE, Finding.of("need-message"))
    from deliverability.protocols.mail import parse_mail

    try:
        return parse_mail(evidence.mail.content)
    except ParseError as problem:
        return Ruling(Outcome.INDETERMINATE, unread(problem))


def unread(problem: ParseError) -> Finding:
    """Why a message was not read, as a finding of :data:`NOT_READ`."""
    from deliverability.protocols.mail import LimitError

    if isinstance(problem, LimitError):
        return Finding.of(problem.code, limit=problem.limit)
    return Finding.of("unreadable", problem=printable(str(problem), 200))


@dataclass(frozen=True, slots=True)
class LongLines:
    """Lines longer than :data:`MAX_LINE` octets."""

    count: int
    line: int
    """Number of the first, from 1."""
    octets: int
    """Of the first, without its line end."""


def long_lines(message: bytes) -> LongLines | None:
    """Lines of a message that are too long, or ``None``; line ends are CRLF or, as files on Unix have them, LF.

    Leaps from line end to line end near the limit, so that many short lines cost no more than few long ones.
    """
    count = number = octets = 0
    start = 0
    while start < len(message):
        last = message.rfind(b"\n", start, start + MAX_LINE + 2)
        alone = message.find(b"\n", start, start + MAX_LINE + 2) == last
        if last >= 0 and not (alone and _length(message, start, last) > MAX_LINE):
            start = last + 1
            continue
        end = message.find(b"\n", start)
        end = len(message) if end < 0 else end
        size = _length(message, start, end)
        if size > MAX_LINE:
            if not count:
                number = message.count(b"\n", 0, start) + 1
                octets = size
            count += 1
        start = end + 1
    return LongLines(count, number, octets) if count else None


def _length(message: bytes, start: int, end: int) -> int:
    return end - start - (end > start and message[end - 1] == 0x0D)


class WordProblem(StrEnum):
    """What is wrong with an encoded word."""

    MALFORMED = "malformed"
    TOO_LONG = "too-long"
    UNKNOWN_CHARSET = "unknown-charset"
    UNDECODABLE = "undecodable"
    IN_QUOTES = "inside-quotes"
    """In a quoted string, where it is no encoded word but shown as it stands (RFC 2047 §5 (3))."""


@dataclass(frozen=True, slots=True)
class Words:
    """Encoded words of a message's header."""

    count: int
    problem: WordProblem | None = None
    """The first that is wrong."""
    field: str = ""
    word: str = ""
    """That word: foreign text, on one line."""


def encoded_words(mail: "Mail") -> Words:
    """Judge every encoded word where one may stand; the first that is wrong is told."""
    count = 0
    for field in mail.fields:
        if field.name.lower() not in WITH_WORDS:
            continue
        body = field.unfolded[:MAX_FIELD_READ]
        structured = field.name.lower() not in ("subject", "comments", "content-description", "organization")
        for word, quoted in _candidates(body, structured=structured):
            count += 1
            problem = WordProblem.IN_QUOTES if quoted else _problem(word)
            if problem:
                return Words(count, problem, field.name, printable(word.decode("utf-8", "replace"), 100))
    return Words(count)


def _candidates(body: bytes, *, structured: bool) -> Iterator[tuple[bytes, bool]]:
    """What means to be an encoded word, and whether it stands inside quotes."""
    if structured:
        body, inside = _without_quotes(body)
        yield from ((word, True) for word in inside.split() if _WORD.match(word))
    else:
        # What follows a letter at once is not separated by white space, and shown as it stands (RFC 2047 §5 (1)).
        yield from ((match.group(), False) for match in _GLUED.finditer(body))
    for match in _WORD_START.finditer(body):
        word = match.group(1)
        closing = word.find(b"?=", _third_mark(word))
        # In a structured field a comma, '<' or ')' may follow at once; anything else belongs to the word.
        rest = word[closing + 2 :] if closing >= 0 else b""
        clean = closing >= 0 and (not rest or (structured and rest[:1] in b",;<)"))
        yield (word[: closing + 2] if clean else word), False


def _without_quotes(body: bytes) -> tuple[bytes, bytes]:
    """What stands outside quoted strings and what inside, each place of the other a blank (RFC 5322 §3.2.4)."""
    parts: tuple[bytearray, bytearray] = (bytearray(), bytearray())
    inside = escaped = False
    for octet in body:
        if octet == 0x22 and not escaped:
            parts[inside].append(0x22 if not inside else 0x20)
            inside = not inside
        else:
            parts[inside].append(octet)
        escaped = octet == 0x5C and not escaped
    return bytes(parts[0]), bytes(parts[1])


def _third_mark(word: bytes) -> int:
    """Where the text of the word begins: after its third question mark."""
    place = 2
    for _ in range(2):
        place = word.find(b"?", place) + 1
        if not place:
            return len(word)
    return place


def _problem(word: bytes) -> WordProblem | None:
    match = _WORD.match(word)
    if not match or match.group(2) not in (b"B", b"b", b"Q", b"q"):
        return WordProblem.MALFORMED
    if len(word) > MAX_WORD:
        return WordProblem.TOO_LONG
    from deliverability.protocols.mime import codec_of

    codec = codec_of(match.group(1).decode("ascii"))
    if codec is None:
        return WordProblem.UNKNOWN_CHARSET
    text = match.group(3)
    try:
        octets = _from_q(text) if match.group(2) in b"Qq" else a2b_base64(text, strict_mode=True)
        octets.decode(codec)
    except (BinasciiError, UnicodeError, ValueError):
        return WordProblem.UNDECODABLE
    return None


def _from_q(text: bytes) -> bytes:
    if not _Q_TEXT.match(text):
        raise ValueError("'=' without two hexadecimal digits")
    return re.sub(rb"=([0-9A-Fa-f]{2})", lambda m: bytes([int(m.group(1), 16)]), text.replace(b"_", b" "))


def eight_bit_fields(fields: "tuple[Field, ...]") -> "tuple[Field, ...]":
    """Fields that hold octets above 127."""
    return tuple(field for field in fields if not field.body.isascii())


def is_utf8(octets: bytes) -> bool:
    """Whether octets are UTF-8 (RFC 3629)."""
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
