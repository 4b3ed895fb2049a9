"""One log record of KumoMTA: a JSON object on a line (``docs/reference/log_record.md`` in github.com/KumoCorp/kumomta).

JSON bounds every field, so no text of a stranger can become another field.  Values are still theirs: an address, a
header, a receiver's reply.  Everything here is total: what is not as documented is ``None``.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from deliverability.evidence.event import LogTime, TimeBasis
from deliverability.evidence.smtp import Host, Reply

MAX_RECORD = 1 << 20
"""Octets of one record; only a feedback report with the original message in it comes near."""
MAX_RECIPIENTS = 1000

KINDS = (
    "Reception", "Delivery", "Bounce", "TransientFailure", "Expiration", "AdminBounce", "OOB", "Feedback", "Rejection",
    "AdminRebind", "DeferredInjectionRebind", "Delayed", "Delay", "XferOut", "XferIn",
)  # fmt: skip
HEAD = rb'^\{"type": ?"(?:%s)", ?"id": ?"' % "|".join(KINDS).encode()
"""Regular expression (bytes): how every record begins; KumoMTA writes these two fields first."""
_IDENTIFIED = re.compile(HEAD + rb'([0-9a-f]{32})"')

_ENVELOPES = ("_source", "result", "data", "record", "event")
"""Fields of a log platform's record that may hold one of KumoMTA's."""

INTERNAL = "KumoMTA internal: "
"""How a response begins that no peer gave: the server's own words for what went wrong."""

_STAGES = (
    ("EHLO", "ehlo"), ("LHLO", "ehlo"), ("HELO", "ehlo"), ("STARTTLS", "starttls"), ("AUTH", "auth"),
    ("MAIL FROM", "mail"), ("RCPT TO", "rcpt"), ("DATA", "data"), ("BDAT", "data"),
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Record:
    """A record, its fields checked for type."""

    kind: str
    id: str | None
    at: LogTime
    fields: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        """A field that holds a string, if it is there and not empty."""
        return _text(self.fields.get(name)) or None

    @property
    def is_of_hook(self) -> bool:
        """Whether it is about a message that carries another log record to a log hook: that is no mail."""
        return self.text("reception_protocol") == "LogRecord"

    @property
    def recipients(self) -> tuple[str, ...]:
        """One, or since 2025.12 several that shared a transaction."""
        given = self.fields.get("recipient")
        listed = given if isinstance(given, list) else [given]
        return tuple(address for address in map(_text, listed[:MAX_RECIPIENTS]) if address)

    @property
    def reverse_path(self) -> str | None:
        """``""`` for the null reverse-path; ``None`` where there was none yet (Rejection)."""
        sender = _text(self.fields.get("sender"))
        if not sender and self.kind == "Rejection":
            return None
        return "" if sender == "<>" else sender

    @property
    def size(self) -> int | None:
        """Octets; zero means that the server did not have the message at hand."""
        size = self.fields.get("size")
        return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None

    @property
    def peer(self) -> Host | None:
        """The submitter or the receiver: to the latter, ``name`` is the name in the MX record."""
        given = self.fields.get("peer_address")
        if not isinstance(given, dict):
            return None
        name = (_text(given.get("name")) or "").removesuffix(".") or None
        ip = _ip(_text(given.get("addr")))
        return Host(name, ip) if name or ip else None

    @property
    def local_ip(self) -> str | None:
        """The address that the server connected from; unknown behind a proxy."""
        given = self.fields.get("source_address")
        if not isinstance(given, dict) or given.get("protocol"):
            return None
        return _ip((_text(given.get("address")) or "").rpartition(":")[0].strip("[]"))

    def header(self, name: str) -> str | None:
        """A header field or meta value that the configuration has logged."""
        for field in ("headers", "meta"):
            given = self.fields.get(field)
            for key, value in given.items() if isinstance(given, dict) else ():
                if key.lower().replace("_", "-") == name:
                    return _text(value[0] if isinstance(value, list) and value else value) or None
        return None

    @property
    def _response(self) -> Mapping[str, Any]:
        given = self.fields.get("response")
        return given if isinstance(given, dict) else {}

    @property
    def content(self) -> str:
        """The response's words without its codes."""
        return _text(self._response.get("content")) or ""

    @property
    def internal(self) -> bool:
        """The server's own words, not a peer's."""
        return self.content.startswith(INTERNAL)

    @property
    def reply(self) -> Reply | None:
        """The response as the peer gave it; for Rejection, as this server gave it."""
        code, content = self._response.get("code"), self.content
        if self.internal or not isinstance(code, int) or not 200 <= code < 600:
            return None
        enhanced = _enhanced(self._response.get("enhanced_code"))
        return Reply(code, enhanced, " ".join(part for part in (str(code), enhanced, content) if part))

    @property
    def stage(self) -> str | None:
        """What the response answered."""
        command = (_text(self._response.get("command")) or "").strip().upper()
        if command == ".":
            return "end-of-data"
        return next((stage for verb, stage in _STAGES if command.startswith(verb)), None)


def parse_record(raw: bytes) -> Record | None:
    """Read a line; ``None`` for what is no record."""
    if len(raw) > MAX_RECORD:
        return None
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    kind, at = fields.get("type"), _time(fields)
    if not isinstance(kind, str) or kind not in KINDS or at is None:
        return None
    own_id = _text(fields.get("id"))
    return Record(kind, own_id if own_id and re.fullmatch(r"[0-9a-f]{32}", own_id) else None, at, fields)


def taken_out(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A record in whatever order its fields stand, bare or within a log platform's; ``None`` for what is none."""
    for one in (found, *(found.get(name) for name in _ENVELOPES)):
        if (
            isinstance(one, dict)
            and one.get("type") in KINDS
            and {"id", "sender", "recipient", "response"} <= one.keys()
        ):
            return one
    return None


def as_written(record: Mapping[str, Any]) -> bytes:
    """A record as KumoMTA writes it: on one line, its type and its id first."""
    ordered = {name: record[name] for name in ("type", "id")} | dict(record)
    return json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def record_id(raw: bytes) -> str | None:
    """The message's id, told from the head of the line alone."""
    match = _IDENTIFIED.match(raw)
    return match[1].decode("ascii") if match else None


def _time(fields: Mapping[str, Any]) -> LogTime | None:
    logged, seconds = fields.get("event_time"), fields.get("timestamp")
    try:
        if isinstance(logged, str) and len(logged) <= 40:
            # Nanoseconds are more than datetime takes.
            told = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", logged))
            instant = told.replace(tzinfo=told.tzinfo or UTC).astimezone(UTC)
        elif isinstance(seconds, int) and not isinstance(seconds, bool):
            logged, instant = str(seconds), _EPOCH + timedelta(seconds=seconds)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return LogTime(
        logged=logged,
        local=instant.replace(tzinfo=None),
        has_year=True,
        offset=timedelta(0),
        instant=instant,
        year_from=TimeBasis.LOGGED,
        zone_from=TimeBasis.LOGGED,
    )


def _enhanced(given: object) -> str | None:
    if not isinstance(given, dict):
        return None
    parts = [given.get(name) for name in ("class", "subject", "detail")]
    whole = all(isinstance(part, int) and 0 <= part <= 999 for part in parts)
    return ".".join(map(str, parts)) if whole else None


def _ip(shown: str | None) -> str | None:
    try:
        return str(ip_address(shown or ""))
    except ValueError:
        return None


def _text(value: object) -> str | None:
    """A string; half of a surrogate pair, which JSON can hold and UTF-8 cannot, is shown as an escape."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else None
