"""Clocks inside ids: many mail servers build the UTC time of arrival into the id of a message.

Such a time gives a log line the year and zone that it does not state, and an acceptance the receiver's own time
of it.  It is a statement of whoever made the id, no proof: anyone can write a well-formed id.

Sources: Postfix ``mail_queue.h`` (``enable_long_queue_ids``, 2.9 and later); Exim specification, "Message
identification" (16 characters to 4.96, 23 since 4.97); Sendmail ``queue.c``, ``assign_queueid`` (8.12 and later);
Dovecot ``guid.c`` (session ids of LMTP and LDA since 2.3); Gmail's and qmail's replies to the end of DATA.
"""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import product

from deliverability.protocols.smtp import MAX_REPLY, remote_queue_id

EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""Outside of these an id is taken to carry no clock: text that only looks like one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = EARLIEST.timestamp(), LATEST.timestamp()
_POSTFIX_DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"  # base 52: no vowels, no words
_EXIM_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # base 62

# Seconds (6), microseconds (4), "z", inode in base 51: the same digits without the "z".
_POSTFIX = re.compile(
    r"([0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{6})([0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{4})"
    r"z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{1,13}\Z"
)
_EXIM = re.compile(r"([0-9A-Za-z]{6})-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-([0-9A-Za-z]{4}))\Z")
_EXIM_OCTETS = re.compile(_EXIM.pattern.encode())
# Year, month, day, hour, minute, second: one digit each in base 60; a counter (2); the process id.
_SENDMAIL = re.compile(r"([0-9A-Za-x])([0-9AB])([1-9A-V])([0-9A-N])([0-9A-Za-x])([0-9A-Za-x])[0-9A-Za-x]{2}\d{5,8}\Z")
_SENDMAIL_DIGITS = _EXIM_DIGITS[:60]
# 128 bits in base 64 without padding, then which transaction and recipient of the session.
_DOVECOT = re.compile(r"([A-Za-z0-9+/]{21}[AQgw])(?::T\d{1,6})?(?::R\d{1,6})?\Z")
_GMAIL = re.compile(r"(?<!\S)(\d{9,10}) [A-Za-z0-9._-]{6,80} - gsmtp\b")
_QMAIL = re.compile(r"\bok (\d{9,10}) qp \d{1,10}\b")


@lru_cache(maxsize=1024)  # the lines of one id come together, each with the same question
def postfix_long(queue_id: str) -> datetime | None:
    """When Postfix made this long queue id: UTC, to the microsecond.

    ``None`` for a short id (hexadecimal), which has no seconds in it, and for any other text.
    """
    match = _POSTFIX.match(queue_id)
    if not match:
        return None
    microseconds = _number(match[2], _POSTFIX_DIGITS)
    return _instant(_number(match[1], _POSTFIX_DIGITS), microseconds) if microseconds < 1_000_000 else None


def exim(queue_id: str) -> datetime | None:
    """When Exim made this message id: UTC, at most one second early.

    An id of 4.97 or later holds microseconds, unless ``localhost_number`` is mixed into them.  In older ids the
    unit of the last two characters depends on that setting, so only their whole second is told.
    """
    match = _EXIM.match(queue_id)
    if not match:
        return None
    fraction = _number(match[2], _EXIM_DIGITS) if match[2] else 0
    return _instant(_number(match[1], _EXIM_DIGITS), fraction if fraction < 1_000_000 else 0)


def seconds_of(queue_id: bytes) -> float | None:
    """The same of one of Exim's ids, else as of :func:`postfix_long`, as seconds since 1970: for very many."""
    match = _EXIM_OCTETS.match(queue_id)
    if not match:
        made = postfix_long(queue_id.decode("ascii", "replace"))
        return made.timestamp() if made else None
    whole = _exim_second(match[1])
    if whole is None or not match[2]:
        return whole
    fraction = _number(match[2].decode(), _EXIM_DIGITS)
    return whole + fraction / 1_000_000 if fraction < 1_000_000 else whole


@lru_cache(maxsize=1024)  # messages that arrive in one second
def _exim_second(digits: bytes) -> float | None:
    seconds = _number(digits.decode(), _EXIM_DIGITS)
    return float(seconds) if _EARLIEST <= seconds < _LATEST else None


def sendmail(queue_id: str) -> datetime | None:
    """When Sendmail made this queue id: UTC, to the second.

    The year is kept modulo 60 and told as the one within :data:`EARLIEST` and the 60 years after it.
    """
    match = _SENDMAIL.match(queue_id)
    if not match:
        return None
    year, month, day, hour, minute, second = (_SENDMAIL_DIGITS.index(digit) for digit in match.groups())
    year += 1900  # tm_year counts from there
    while year < EARLIEST.year:
        year += 60
    try:
        return datetime(year, month + 1, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None


def dovecot(session: str) -> datetime | None:
    """When Dovecot (2.3 and later) made this LMTP or LDA session id: UTC, to the microsecond.

    All recipients of one session share the id and its time; ``:T2`` and ``:R2`` after it count transactions and
    recipients.
    """
    match = _DOVECOT.match(session)
    if not match:
        return None
    octets = base64.b64decode(match[1] + "==")
    nanoseconds, seconds = (int.from_bytes(octets[n : n + 4], "little") for n in (0, 4))
    return _instant(seconds, nanoseconds // 1000) if nanoseconds < 1_000_000_000 else None


def own(queue_id: str, writer: str) -> datetime | None:
    """When a mail server of ours made this id of its own: UTC; ``None`` for an id without a whole clock.

    ``writer`` says whose id it is: a short Postfix id of a file system with long inode numbers may look like one of
    Sendmail's.
    """
    if writer.startswith("sendmail"):
        return sendmail(queue_id)
    if writer.startswith("dovecot"):
        return dovecot(queue_id)
    return postfix_long(queue_id) or exim(queue_id)


def reply_clock(text: str) -> datetime | None:
    """The receiving server's own time, where its reply carries one: UTC.

    Gmail (``<epoch> … - gsmtp``, refusals included), qmail (``ok <epoch> qp``), and the ids that Postfix
    (``queued as``), Exim (``id=``), Sendmail (``Message accepted``) and Dovecot (``Saved``) tell.  Whole seconds, but
    for ids with more.
    """
    text = text[:MAX_REPLY]
    for pattern in (_GMAIL, _QMAIL):
        match = pattern.search(text)
        if match:
            return _instant(int(match[1]), 0)
    told = remote_queue_id(text)
    if told is None:
        return None
    if "Message accepted for delivery" in text:
        return sendmail(told)
    if text.rstrip().endswith("Saved"):
        return dovecot(told)
    return postfix_long(told) or exim(told)


def _number(digits: str, alphabet: str) -> int:
    pairs, base, value = _pairs(alphabet), len(alphabet) ** 2, 0
    odd = len(digits) % 2
    if odd:
        value = alphabet.index(digits[0])
    for at in range(odd, len(digits), 2):
        value = value * base + pairs[digits[at : at + 2]]
    return value


@cache
def _pairs(alphabet: str) -> Mapping[str, int]:
    """The value of each two digits: to look for one digit in its alphabet takes as long as all the rest."""
    return {first + second: n for n, (first, second) in enumerate(product(alphabet, repeat=2))}


def _instant(seconds: int, microseconds: int) -> datetime | None:
    if not _EARLIEST <= seconds < _LATEST:
        return None
    return _EPOCH + timedelta(seconds=seconds, microseconds=microseconds)
