"""The grammar of rspamd's own log: its heads, and the line that it writes about each message (``log_format``).

rspamd writes blanks in a Message-ID as ``?``, so the queue id after it stands where rspamd put it.  It does not quote
addresses, nor the options of symbols: where a local part reads like the fields after it, or like another symbol, the
line has two readings and says nothing of what follows.

Wordings: rspamd 3.4 (Debian), its default ``log_format``, run behind Postfix.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from deliverability.evidence.event import LogTime, TimeBasis
from deliverability.protocols.milter_lines import DOMAIN, SELECTOR
from deliverability.protocols.rspamd_heads import TIME
from deliverability.protocols.syslog import parse_prologue

MAX_LINE = 65_536
"""Octets of a line that are read."""
MAX_SYMBOLS = 2000

_FILE = re.compile(rb"(?P<time>%s) #(?P<pid>\d{1,10})\((?P<worker>[a-z_]{1,32})\) (?P<rest>.*)" % TIME, re.DOTALL)
_TASK = re.compile(rb"<(?P<tag>[0-9a-z]{6})>; (?P<module>[a-z_0-9]{1,32}); (?P<words>.*)", re.DOTALL)

_QUEUE_ID = rb"[0-9A-Za-z]{5,40}"
_LOADED = re.compile(
    rb"rspamd_message_parse: loaded message; id: <(?P<id>[^ ]{0,4096})>; queue-id: <(?P<qid>%s)>; size: \d{1,18}; "
    % _QUEUE_ID
)
_WRITTEN = re.compile(
    rb"rspamd_task_write_log: id: <(?P<id>[^ ]{0,4096})>, qid: <(?P<qid>%s)>, (?P<rest>.*)" % _QUEUE_ID, re.DOTALL
)
_FROM = re.compile(rb"(?:^|, )from: <(?P<from>[^<>]{0,1024})>, \Z")
_RESULT_BEGINS, _RESULT_ENDS = b"(default: ", b"]), len: "
_RESULT = re.compile(
    rb"(?P<words>[A-Z] \([a-z ]{1,40}\): \[-?\d{1,9}\.\d\d/-?\d{1,9}\.\d\d\]) \[(?P<symbols>.*)\Z", re.DOTALL
)
_SYMBOL = re.compile(rb"(?P<name>[A-Z0-9_.-]{1,128})\((?P<score>-?\d{1,9}\.\d\d)\)\{(?P<options>[^{}]*)\}(?:,|\Z)")
_SIGNED = re.compile(rf"({DOMAIN}):s=({SELECTOR})")
_ABOUT_SIGNING = re.compile(rb"(?:dkim_signing\.lua|lua_dkim_tools\.lua):\d{1,6}: |(?:lua_)?dkim_sign[a-z_]{0,40}: ")


@dataclass(frozen=True, slots=True)
class Words:
    """What one process of rspamd said, and of which task."""

    at: LogTime
    host: str | None
    process: str | None
    tag: str
    """The task: tells messages of one time apart, and is not unique for long."""
    module: str
    raw: bytes


def parse_words(raw: bytes) -> Words | None:
    """Read the head of a line, of rspamd's own file or of syslog, as far as the task; ``None`` for any other."""
    raw = raw[:MAX_LINE]
    own = _FILE.match(raw)
    if own:
        at, host, pid, rest = _log_time(own["time"]), None, own["pid"].decode("ascii"), own["rest"]
    else:
        head = parse_prologue(raw)
        if head is None or head.tag != "rspamd":
            return None
        at, host, pid, rest = head.at, head.host, head.pid, head.rest
    task = _TASK.match(rest)
    if at is None or task is None:
        return None
    process = f"rspamd[{pid}]" if pid else None
    return Words(at, host, process, task["tag"].decode("ascii"), task["module"].decode("ascii"), task["words"])


def _log_time(raw: bytes) -> LogTime | None:
    text = raw.decode("ascii")
    day, _, clock = text.partition(" ")
    hms, _, fraction = clock.partition(".")
    micro = int(fraction.ljust(6, "0")) if fraction else 0
    try:
        # datetime knows no leap second: 23:59:60 is told as 23:59:59.
        whole = f"{day} {hms[:6]}{min(int(hms[6:]), 59):02d}"
        local = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(microsecond=micro)  # noqa: DTZ007 - no zone
    except ValueError:
        return None
    return LogTime(text, local, has_year=True, offset=None, year_from=TimeBasis.LOGGED)


@dataclass(frozen=True, slots=True)
class Task:
    """What rspamd says of one message."""

    queue_id: str
    message_id: str | None
    """``None`` too where rspamd changed it to log it."""
    reverse_path: str | None = None
    result: str | None = None
    """Its letter, action and score: ``F (no action): [-0.10/15.00]``; ``None`` where the line has two readings."""
    signed: tuple[tuple[str, str], ...] = ()
    """Domain and selector of signatures that rspamd says it added."""


def parse_task(words: bytes) -> Task | None:
    """Read the line about a message that was loaded, or checked; ``None`` for any other."""
    loaded = _LOADED.match(words)
    if loaded:
        return Task(loaded["qid"].decode("ascii"), _message_id(loaded["id"]))
    written = _WRITTEN.match(words)
    if written is None:
        return None
    task = Task(written["qid"].decode("ascii"), _message_id(written["id"]))
    rest: bytes = written["rest"]
    if rest.count(_RESULT_BEGINS) != 1 or rest.count(_RESULT_ENDS) != 1:
        return task
    before, _, after = rest.partition(_RESULT_BEGINS)
    result = _RESULT.match(after.partition(_RESULT_ENDS)[0])
    if result is None:
        return task
    sender = _FROM.search(before[-1100:])
    reverse_path = _text(sender["from"]) if sender else None
    clear = sender is not None or b"from: <" not in before
    signed = _signed(result["symbols"], reverse_path) if clear else ()
    return Task(task.queue_id, task.message_id, reverse_path, _text(result["words"]), signed)


def is_about_signing(words: bytes) -> bool:
    """Whether the module that signs says something: why it did not, which key it lacks."""
    return _ABOUT_SIGNING.match(words) is not None


def _message_id(raw: bytes) -> str | None:
    return None if raw in (b"", b"undef") or b"?" in raw else _text(raw)


def _signed(symbols: bytes, reverse_path: str | None) -> tuple[tuple[str, str], ...]:
    """What ``DKIM_SIGNED`` names, unless somebody else may have written it.

    rspamd lists each symbol once, greatest weight first, then by name.  Options hold strangers' text unescaped; a
    symbol made of an option breaks that order, or names a domain other than the sender's, for which rspamd signs only
    where ``allow_hdrfrom_mismatch`` is set.  Such a list is not believed.
    """
    found: list[tuple[float, str, bytes]] = []
    at = 0
    while at < len(symbols):
        match = _SYMBOL.match(symbols, at)
        if match is None or len(found) >= MAX_SYMBOLS:
            return ()
        found.append((-abs(float(match["score"])), match["name"].decode("ascii"), match["options"]))
        at = match.end()
    order = [(weight, name) for weight, name, _ in found]
    if order != sorted(set(order)) or len({name for _, name in order}) != len(order):
        return ()
    told = [_text(option) for _, name, options in found if name == "DKIM_SIGNED" for option in options.split(b";")]
    pairs = [_SIGNED.fullmatch(option) for option in told if option]
    if not all(pair and _is_senders(pair[1], reverse_path) for pair in pairs):
        return ()
    return tuple((pair[1].lower(), pair[2]) for pair in pairs if pair)


def _is_senders(domain: str, reverse_path: str | None) -> bool:
    sender = (reverse_path or "").rpartition("@")[2].lower()
    return not sender or sender == domain.lower() or sender.endswith("." + domain.lower())


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
