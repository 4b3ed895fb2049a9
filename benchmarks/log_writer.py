"""Write mail logs of any size in the shapes of the recorded ones: what Postfix and Exim really wrote, again and again.

    python benchmarks/log_writer.py SHAPE FILE --size MIB [--seed N]

A shape is a log in ``tests/cases/logs`` that a real server wrote.  It is written over and over as *rounds*: each
round is the whole recording (deferrals, bounces, aliases, content filter, several recipients, sessions), moved on in
time, with ids made for that time as the server makes them, and with recipients, Message-IDs and receivers' ids of
its own.  Who wrote to whom in round N is known: ``jo32@corp.example`` becomes ``jo32.N@corp.example``, one message;
``c@corp.example`` stays as it is, one message in every round.
"""

import argparse
import random
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

LOGS = Path(__file__).parents[1] / "tests" / "cases" / "logs"
SHAPES = {
    "postfix-iso": "postfix/postfix-3.10.iso8601.log",
    "postfix-3164": "postfix/postfix-3.10.rfc3164.log",  # short queue ids
    "exim-new": "exim/4.98-cpanel/mainlog",
    "exim-old": "exim/4.96/mainlog",
}
FREQUENT = b"c@corp.example"
"""Stays as it is in every round."""
FIRST = datetime(2026, 1, 5, tzinfo=UTC)
RECORDED = datetime(2026, 11, 22, 5, tzinfo=UTC)
LENGTH = timedelta(minutes=5)
"""Of a round; the recordings are shorter than that."""
_KEPT = (FREQUENT, b"renewals@hosting.example")
_POSTFIX_DIGITS = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_EXIM_DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LONG_ID = rb"4jXH[0-9B-Zb-z]{6}z[0-9B-Zb-z]{2,6}"
_EXIM_ID = rb"1xV0[0-9A-Za-z]{2}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}"
_TOKEN = re.compile(
    rb"^(?P<iso>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00) |^(?P<bsd>Nov \d\d \d\d:\d\d:\d\d) "
    rb"|^(?P<main>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) "
    rb"|(?<![0-9A-Za-z])(?P<long>%s)(?![0-9A-Za-z])|(?<![0-9A-Za-z])(?P<exim>%s)(?![0-9A-Za-z])"
    rb"|(?<=queued as )(?P<remote>[0-9A-Za-z]{6,24})|\bid=(?P<remote_exim>1[0-9A-Za-z]{5}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4})"
    rb"|(?P<epoch>\b1795\d{6}\b)|(?P<invoice>\bINV-\d{5})"
    rb"|(?P<address>[\w.+'=%%-]+@[\w.-]+\.example\b)" % (_LONG_ID, _EXIM_ID),
    re.MULTILINE,
)

Piece = bytes | Callable[["_Round"], bytes]


def _number(value: int, width: int, digits: bytes) -> bytes:
    made = bytearray(width)
    for at in range(width - 1, -1, -1):
        value, digit = divmod(value, len(digits))
        made[at] = digits[digit]
    return bytes(made)


def _value(digits: bytes, alphabet: bytes) -> int:
    value = 0
    for digit in digits:
        value = value * len(alphabet) + alphabet.index(digit)
    return value


class _Round:
    """What one repetition of the recording puts in the place of its times, ids and names."""

    def __init__(self, number: int, shift: timedelta, chance: random.Random) -> None:
        self.number, self.shift, self._chance = number, shift, chance
        self.seconds = int(shift.total_seconds())
        self.tag = b"%d" % number
        self._made: dict[bytes, bytes] = {}

    def made(self, key: bytes, make: Callable[[random.Random], bytes]) -> bytes:
        """The same text for the same key throughout the round."""
        if key not in self._made:
            self._made[key] = make(self._chance)
        return self._made[key]


def _time(text: bytes, form: str, *, micro: bool) -> Callable[[_Round], bytes]:
    at = datetime.strptime(text.decode(), form)  # noqa: DTZ007 - the log's own clock
    if at.year == 1900:
        at = at.replace(year=2026)

    def piece(around: _Round) -> bytes:
        now = at + around.shift
        if form.startswith("%b"):
            return f"{now:%b} {now.day:2} {now:%H:%M:%S}".encode()
        return now.isoformat(" " if "T" not in form else "T", "microseconds" if micro else "seconds").encode()

    return piece


def _long_id(text: bytes, *, short: bool) -> Callable[[_Round], bytes]:
    seconds, rest = _value(text[:6], _POSTFIX_DIGITS), text[6:]
    micro = _value(text[6:10], _POSTFIX_DIGITS)

    def long(around: _Round) -> bytes:
        return _number(seconds + around.seconds, 6, _POSTFIX_DIGITS) + rest

    def short_(around: _Round) -> bytes:
        # Microseconds and an inode; inodes come back, as they do on a real file system.
        return around.made(text, lambda chance: b"%05X%05X" % (micro, 0x40000 + chance.randrange(0x8000)))

    return short_ if short else long


def _exim_id(text: bytes) -> Callable[[_Round], bytes]:
    seconds, rest = _value(text[:6], _EXIM_DIGITS), text[6:]
    return lambda around: _number(seconds + around.seconds, 6, _EXIM_DIGITS) + rest


def _remote(text: bytes) -> Callable[[_Round], bytes]:
    alphabet = b"0123456789ABCDEF" if re.fullmatch(rb"[0-9A-F]+", text) else _EXIM_DIGITS

    def random_id(chance: random.Random) -> bytes:
        return b"".join(b"-" if c == 0x2D else bytes((chance.choice(alphabet),)) for c in text)

    return lambda around: around.made(text, random_id)


def _address(text: bytes) -> Piece:
    if text.endswith(b"@billing.hosting.example"):  # a Message-ID: its number and its time vary
        fields = re.split(rb"(1795\d{6})", re.sub(rb"(INV-\d{5})", rb"\1%s", text))
        return lambda around: _joined(fields, around)
    if text in _KEPT:
        return text
    local, _, domain = text.rpartition(b"@")
    return lambda around: b"%s.%s@%s" % (local, around.tag, domain)


def _joined(fields: list[bytes], around: _Round) -> bytes:
    first = fields[0] % around.tag if b"%s" in fields[0] else fields[0]
    if len(fields) == 1:
        return first
    return b"%s%d%s" % (first, int(fields[1]) + around.seconds, fields[2])


def _piece(match: re.Match[bytes], *, short: bool) -> Piece:
    kind = match.lastgroup
    assert kind is not None
    text = match[kind]
    makers: dict[str, Callable[[], Piece]] = {
        "iso": lambda: _suffixed(_time(text[:26], "%Y-%m-%dT%H:%M:%S.%f", micro=True), b"+00:00"),
        "bsd": lambda: _time(text, "%b %d %H:%M:%S", micro=False),
        "main": lambda: _time(text, "%Y-%m-%d %H:%M:%S", micro=False),
        "long": lambda: _long_id(text, short=short),
        "exim": lambda: _exim_id(text),
        "remote": lambda: _remote(text),
        "remote_exim": lambda: _remote(text),
        "epoch": lambda: lambda around: b"%d" % (int(text) + around.seconds),
        "invoice": lambda: lambda around: b"%s%s" % (text, around.tag),
        "address": lambda: _address(text),
    }
    return makers[kind]()


def _suffixed(make: Callable[[_Round], bytes], suffix: bytes) -> Callable[[_Round], bytes]:
    return lambda around: make(around) + suffix


def _pieces(shape: str) -> list[Piece]:
    """The recording as constant text and makers of what varies."""
    content = (LOGS / SHAPES[shape]).read_bytes()
    made: list[Piece] = []
    at = 0
    for match in _TOKEN.finditer(content):
        start, end = match.span(match.lastgroup or 0)
        made += [content[at:start], _piece(match, short=shape == "postfix-3164")]
        at = end
    made.append(content[at:])
    return made


def rounds(shape: str, seed: int = 1) -> Iterator[bytes]:
    """Round after round, without end; each starts when the one before has ended."""
    parts = _pieces(shape)
    chance = random.Random(seed)
    number = 0
    while True:
        around = _Round(number, FIRST - RECORDED + number * LENGTH, chance)
        yield b"".join([part if isinstance(part, bytes) else part(around) for part in parts])
        number += 1


def write(path: Path, shape: str, size: int, seed: int = 1) -> int:
    """Write at least ``size`` octets in whole rounds; returns how many rounds."""
    written = count = 0
    with path.open("wb") as file:
        for content in rounds(shape, seed):
            written += file.write(content)
            count += 1
            if written >= size:
                return count
    raise AssertionError("rounds never end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=sorted(SHAPES))
    parser.add_argument("file", type=Path)
    parser.add_argument("--size", type=int, default=200, help="MiB")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    count = write(given.file, given.shape, given.size << 20, given.seed)
    sys.stdout.write(f"{given.file}: {given.file.stat().st_size} octets, {count} rounds\n")


if __name__ == "__main__":
    main()
