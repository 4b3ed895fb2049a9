"""Records of log platforms that hold a syslog message: which of their fields is what, and the line they stand for.

A *record* is one JSON object or one CSV row.  Where it holds the log line as its server wrote it, that line is given
as it is; where it holds the parts, a line ``TIME HOST TAG[PID]: WORDS`` is put together.  Which of both is decided
once for a file, by its first records, so that no single message can choose to be taken for a whole line.

Order of preference, first found:

1. a field that holds the whole line: :data:`TEXTS` in their order;
2. words with time and program in fields of their own: :data:`TEXTS`, :data:`TIMES`, :data:`PROGRAMS`;
3. words that begin with ``HOST TAG[PID]:`` or ``TAG[PID]:``, and a time (Graylog's syslog input keeps RFC 3164 so);
4. :data:`RAW`, the datagram as it came, where nothing else is there.

Names are those of Loki (``logcli --output=jsonl``, Grafana's download), Elastic (ECS ``event.original``, ``message``,
``process.name``, ``log.syslog.*``, ``host.hostname``), Logstash's syslog input, Graylog (``full_message``,
``application_name``), Splunk (``_raw``), CloudWatch (``message``, Logs Insights ``@message``), Vector (``appname``,
``procid``), Fluentd and Fluent Bit (``ident``, ``log``), rsyslog's ``jsonmesg`` (``syslogtag``, ``msg``, ``rawmsg``),
Papertrail (``generated_at``, ``source_name``, ``program``) and systemd's journal (systemd.journal-fields(7)).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deliverability.protocols.whole_line import begins_whole, is_whole
from deliverability.protocols.wrapped_line import compose, host_name, one_line, timestamp

TEXTS = (
    "_raw",
    "event.original",
    "full_message",
    "@message",
    "line",
    "Line",
    "body",
    "log",
    "MESSAGE",
    "message",
    "Message",
    "msg",
    "textPayload",
    "SyslogMessage",
)
"""Fields that may hold the line or its words, preferred first."""
RAW = "rawmsg"
TIMES = (
    "_SOURCE_REALTIME_TIMESTAMP",
    "__REALTIME_TIMESTAMP",
    "timereported",
    "@timestamp",
    "timestamp",
    "_time",
    "timegenerated",
    "time",
    "Time",
    "date",
    "tsNs",
    "ts",
    "TimeGenerated",
    "Date",
    "generated_at",
    "received_at",
)
PROGRAMS = (
    "SYSLOG_IDENTIFIER",
    "syslogtag",
    "log.syslog.appname",
    "syslog_identifier",
    "application_name",
    "appname",
    "app_name",
    "app-name",
    "process.name",
    "ident",
    "program",
    "programname",
    "syslog.appname",
    "ProcessName",
    "_COMM",
)
"""``syslogtag`` before ``programname``: rsyslog cuts the latter at the slash of ``postfix/smtp``."""
TAG = "tag"
"""The same in rsyslog's template for Elasticsearch, where it is a syslog tag; Fluentd's field of this name is a route."""
_TAG = re.compile(r"[!-Z\\^-~]{1,128}\[\d{1,10}\]:")
HOSTS = (
    "_HOSTNAME",
    "host.hostname",
    "log.syslog.hostname",
    "hostname",
    "sysloghost",
    "host.name",
    "host",
    "HOSTNAME",
    "logsource",
    "source",
    "fromhost",
    "HostName",
    "Computer",
    "source_name",
)
PIDS = ("SYSLOG_PID", "_PID", "process.pid", "log.syslog.procid", "procid", "process_id", "proc_id", "pid", "ProcessID")

_ENVELOPES = ("_source", "result", "message", "fields", "labels", "stream", "jsonPayload", "content", "attributes")
"""Objects around or beside the fields proper; what stands outside of them wins."""
_MAX_FIELDS = 500
_MAX_DEPTH = 4
_SHARE = 0.9  # of the first records that must hold a whole line in a field
_DRIVER = frozenset({"log", "stream", "time"})
"""Of a record as Docker's json-file driver writes it: one line that the program wrote, when, and to which stream."""
_TAGGED = re.compile(rb"(?P<host>[!-~]{0,254}[!-9;-~] )?[!-9;-Z\\^-~]{1,128}\[\d{1,10}\]: ")

Flat = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the records of one file are read: :meth:`line` makes of each the line that it stands for."""

    whole: str | None = None
    """The field that holds the whole line."""
    tagged: bool = False
    """Words begin with the tag, perhaps after the host."""
    nested: str | None = None
    """The field that holds another JSON object, which is the record proper."""
    inner: "Layout | None" = None

    def line(self, record: Flat) -> bytes:
        """The line, without its end; what cannot be read as one comes as a JSON array, which no format takes."""
        if self.nested is not None:
            return self._nested(record)
        if self.whole is not None and begins_whole(given := _octets(record.get(self.whole))):
            return one_line(given)
        words = _first_octets(record, TEXTS)
        at = _first_time(record)
        if words is None or at is None:
            return _inert(record)
        program = _program(record)
        if program:
            return compose(at, _first(record, HOSTS), program, _first(record, PIDS), words)
        if self.tagged and (match := _TAGGED.match(words)):
            host = b"" if match["host"] else host_name(_first(record, HOSTS)).encode() + b" "
            return at.encode() + b" " + host + one_line(words)
        return _inert(record)

    def _nested(self, record: Flat) -> bytes:
        name = self.nested or ""
        text = _octets(record.get(name))
        found = _object(text)
        if found is None:
            return _inert(record)
        return one_line(text) if self.inner is None else self.inner.line(_inside(record, name, found))


def _inside(record: Flat, name: str, found: Mapping[str, Any]) -> Flat:
    """What is in a field, with what stands beside it where that says nothing itself."""
    return {**{key: value for key, value in record.items() if key != name}, **flat(found)}


def layout_of(records: Sequence[Mapping[str, Any]]) -> Layout | None:
    """How records like these are read; ``None`` when they wrap no syslog message."""
    return _layout([flat(record) for record in records], nested=True)


def _layout(flats: Sequence[Flat], *, nested: bool) -> Layout | None:
    for name in TEXTS:
        if _share(flats, name, is_whole):
            return Layout(whole=name)
        if nested and _share(flats, name, lambda text: _object(text) is not None):
            inside = [_inside(one, name, found) for one in flats if (found := _object(_octets(one.get(name))))]
            return Layout(nested=name, inner=_layout(inside, nested=False))
    timed = [one for one in flats if _first_time(one)]
    texts = [(one, words) for one in timed if (words := _first_octets(one, TEXTS)) is not None]
    if any(_program(one) for one, _ in texts):
        return Layout()
    if texts and sum(_TAGGED.match(words) is not None for _, words in texts) >= _SHARE * len(texts):
        return Layout(tagged=True)
    if _share(flats, RAW, is_whole):
        return Layout(whole=RAW)
    # A container may say a lot before its mail server writes: in Docker's records there is only one place for a line.
    return Layout(whole="log") if flats and all(one.keys() >= _DRIVER for one in flats) else None


def _program(record: Flat) -> str:
    """The program, perhaps with its number, or nothing."""
    tag = record.get(TAG)
    return _first(record, PROGRAMS) or (tag if isinstance(tag, str) and _TAG.fullmatch(tag) else "")


def _share(flats: Sequence[Flat], name: str, test: Callable[[bytes], bool]) -> bool:
    held = [_octets(one[name]) for one in flats if name in one]
    return bool(held) and sum(map(test, held)) >= _SHARE * len(held)


def flat(record: Mapping[str, Any]) -> Flat:
    """Nested objects as dotted names (ECS), envelopes taken off; bounded in depth and number."""
    if not any(isinstance(value, dict) for value in record.values()):
        return record
    found: dict[str, Any] = {}
    _flatten(record, "", found, _MAX_DEPTH)
    return found


def _flatten(record: Mapping[str, Any], prefix: str, found: dict[str, Any], depth: int) -> None:
    envelopes: list[Mapping[str, Any]] = []
    for name, value in record.items():
        if len(found) >= _MAX_FIELDS:
            return
        if not isinstance(value, dict):
            found.setdefault(prefix + name, value)
        elif depth and not prefix and name in _ENVELOPES:
            envelopes.append(value)
        elif depth:
            _flatten(value, f"{prefix}{name}.", found, depth - 1)
    for value in envelopes:
        _flatten(value, "", found, depth - 1)


def _object(text: bytes) -> dict[str, Any] | None:
    if not text.startswith(b"{"):
        return None
    found = parsed(text)
    return found if isinstance(found, dict) else None


def parsed(text: bytes) -> Any:
    """The JSON value, or ``None``; never raises."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a number of thousands of digits is a ValueError
        return None


def _octets(value: Any) -> bytes:
    """Text as octets; the journal gives what is not UTF-8 as a list of numbers, others a list of one text."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace")
    if isinstance(value, list) and value and isinstance(value[0], str | list):
        value = value[0]  # several values in one entry: the first, as journalctl shows it
        if isinstance(value, str):
            return value.encode("utf-8", "backslashreplace")
    if isinstance(value, list) and all(isinstance(octet, int) and 0 <= octet <= 255 for octet in value):
        return bytes(value)
    return b""


def _first_octets(record: Flat, names: Sequence[str]) -> bytes | None:
    for name in names:
        if name in record and (found := _octets(record[name])):
            return found
    return None


def _first_time(record: Flat) -> str | None:
    for name in TIMES:
        if name in record and (found := timestamp(name, record[name])):
            return found
    return None


def _first(record: Flat, names: Sequence[str]) -> str:
    for name in names:
        if name not in record:
            continue
        value = record[name]
        if isinstance(value, str):
            found = value.strip()
            if found and found != "-":
                return found
        elif isinstance(value, list):
            found = _octets(value).decode("utf-8", "replace").strip()
            if found and found != "-":
                return found
        elif isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return ""


def _inert(record: Flat) -> bytes:
    try:
        return json.dumps([dict(record)], separators=(",", ":")).encode("ascii")
    except RecursionError:
        return json.dumps([list(record)], separators=(",", ":")).encode("ascii")
