"""The line that a record of a log platform stands for: ``TIME HOST TAG[PID]: WORDS``, on one line whatever is in it."""

import json
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

_MAX_PART = 300  # characters of a host, a program, a process number
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_TAG = re.compile(r"(?P<tag>[^\[\]:\s]{1,128})(?:\[(?P<pid>[^\]\s]{1,64})\])?:?\s*")
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?\s?(Z|UTC|[+-](?:0\d|1[0-4]):?[0-5]\d)?", re.ASCII
)
_KIBANA = re.compile(r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4}) @ (\d\d:\d\d:\d\d(?:\.\d{1,9})?)", re.ASCII)
_BSD = re.compile(r"(?:\d{4} )?[A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d(?:\.\d{1,9})?", re.ASCII)
_NUMBER = re.compile(r"\d{9,19}(?:\.\d{1,9})?", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3}){1,4}", re.ASCII)  # Kibana's way with numbers
_NOT_GRAPHIC = re.compile(r"[^!-~]")
_NOT_TAG = re.compile(r"[^!-9;-Z\\^-~]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def compose(at: str, host: str, program: str, pid: str, words: bytes) -> bytes:
    """A syslog line of its parts, without its end; nothing in a part can become another part."""
    return f"{at} {host_name(host[:_MAX_PART])} {_tag(program[:_MAX_PART], pid[:_MAX_PART])}: ".encode(
        "ascii"
    ) + one_line(words.lstrip(b" "))


@lru_cache(maxsize=4096)
def _tag(program: str, pid: str) -> str:
    match = _TAG.fullmatch(program)
    tag, own = (match["tag"], match["pid"]) if match else (program, None)
    tag = _NOT_TAG.sub("_", tag)[:128]
    pid = own or (pid.replace(",", "") if _GROUPED.fullmatch(pid) else pid)
    pid = _NOT_TAG.sub("_", pid)[:64]
    return f"{tag}[{pid}]" if pid else tag


@lru_cache(maxsize=256)
def host_name(name: str) -> str:
    """A host as a syslog line may name it; ``-`` for none."""
    return _NOT_GRAPHIC.sub("_", name).rstrip(":")[:255] or "-"


def one_line(text: bytes) -> bytes:
    """One line: control characters become ``#012`` and the like, as rsyslog writes them; line ends at the end go."""
    text = text.rstrip(b"\r\n")
    return _CONTROL.sub(_escaped, text) if _CONTROL.search(text) else text


def _escaped(match: re.Match[bytes]) -> bytes:
    return b"#%03o" % match[0][0]


def inert(text: bytes) -> bytes:
    """What could not be read, as a line that is counted as unread and that no format takes for its own."""
    return json.dumps([text.decode("utf-8", "backslashreplace")], separators=(",", ":")).encode("ascii")


def timestamp(name: str, value: Any) -> str | None:
    """A record's time as a log line writes it, or ``None``.

    Numbers are seconds, milli-, micro- or nanoseconds since 1970 UTC, by their magnitude; the journal's are always
    microseconds.  A text without a zone stays without: the ids in the lines may tell it.
    """
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).strip()[:64]
    if _NUMBER.fullmatch(text):
        return _of_number(text, "REALTIME" in name)
    if match := _ISO.fullmatch(text):
        day, clock, fraction, zone = match.groups()
        return f"{day}T{clock}{'.' + fraction if fraction else ''}{'Z' if zone == 'UTC' else zone or ''}"
    if (match := _KIBANA.fullmatch(text)) and match[1] in _MONTHS:
        return f"{match[3]}-{_MONTHS.index(match[1]) + 1:02}-{int(match[2]):02}T{match[4]}"
    return text if _BSD.fullmatch(text) else None


def _of_number(text: str, micro: bool) -> str | None:
    whole, _, fraction = text.partition(".")
    digits = len(whole)
    if micro:
        return of_microseconds(int(whole))
    for most, unit in ((11, 0), (14, 3), (17, 6), (20, 9)):
        if digits <= most:
            scaled = (whole + fraction.ljust(6, "0")[:6]) if unit == 0 else whole.ljust(digits + max(6 - unit, 0), "0")
            return of_microseconds(int(scaled) // (1000 if unit == 9 else 1))
    return None


def of_microseconds(since_1970: int) -> str | None:
    """RFC 3339, UTC; ``None`` beyond the year 9999."""
    second, micro = divmod(since_1970, 1_000_000)
    day = _second(second)
    return f"{day}.{micro:06}+00:00" if day else None


@lru_cache(maxsize=64)
def _second(second: int) -> str | None:
    try:
        return (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S") if second >= 0 else None
    except OverflowError:
        return None
