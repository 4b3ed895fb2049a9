"""A mailer's records as canonical JSON, and back: the octets that are spooled, sealed and hashed.

Strict both ways: ``record_to_bytes(record_from_bytes(x)) == x``, or ``x`` is refused.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from deliverability.errors import ParseError
from deliverability.evidence.recorder import Finish, Hop, Intent, Later, Outcome, Record, Snapshot
from deliverability.evidence.smtp import Host, Reply, Tls
from deliverability.protocols import canonical, record_octets
from deliverability.protocols.observed import observation_from_json, observation_to_json
from deliverability.protocols.record_octets import (
    MAX_ADDRESS,
    MAX_TEXT,
    SCHEMA_VERSION,
    intent_octets,
    outcome_octets,
)
from deliverability.protocols.record_octets import cut as _cut

time_to_text = record_octets.time_to_text
MAX_RECORD: Final = 1 << 20
"""Octets of one record; a snapshot with DNSSEC chains takes some 20 kB."""

_DISPATCH = re.compile(r"[0-9a-f]{32}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")
_NONE = type(None)
E = TypeVar("E", bound=StrEnum)
Shape = dict[str, type | tuple[type, ...]]
_TEXT_OR_NONE = (str, _NONE)


def record_to_bytes(record: Record) -> bytes:
    """The octets of a record; raises :class:`ParseError` for values that have no such form (an unpaired surrogate)."""
    match record:
        case Intent():
            octets = intent_octets(record)
        case Outcome():
            octets = outcome_octets(record)
        case _:
            octets = canonical.to_bytes(record_to_json(record))
    if len(octets) > MAX_RECORD:
        raise ParseError(f"a record of more than {MAX_RECORD} octets")
    return octets


def record_from_bytes(octets: bytes) -> Record:
    """Read a record; raises :class:`ParseError` for anything that :func:`record_to_bytes` would not write."""
    return record_from_json(canonical.parse(octets, limit=MAX_RECORD))


def record_to_json(record: Record) -> dict[str, Any]:
    """A record as a JSON object, ``kind`` first of all that tells its shape."""
    common = {"schema_version": SCHEMA_VERSION, "dispatch": record.dispatch, "at": time_to_text(record.at)}
    match record:
        case Intent():
            return common | {
                "kind": "intent",
                "sending": record.sending,
                "account": _cut(record.account, MAX_ADDRESS),
                "reverse_path": _cut(record.reverse_path, MAX_ADDRESS),
                "forward_path": _cut(record.forward_path, MAX_ADDRESS),
                "message_id": _cut(record.message_id, MAX_ADDRESS),
                "subject": _cut(record.subject, MAX_ADDRESS),
                "author_domain": record.author_domain,
                "size": record.size,
                "sha256": record.sha256,
                "signatures": [list(pair) for pair in record.signatures],
                "next_hop": record.next_hop,
                "hop": record.hop.value,
                "channel": record.channel,
            }
        case Outcome():
            return common | {
                "kind": "outcome",
                "finish": record.finish.value,
                "stage": record.stage,
                "reply": _reply_to_json(record.reply),
                "rcpt_reply": _reply_to_json(record.rcpt_reply),
                "relay": _host_to_json(record.relay),
                "local_ip": record.local_ip,
                "helo": record.helo,
                "tls": _tls_to_json(record.tls),
                "certificate_sha256": record.certificate_sha256,
                "remote_queue_id": record.remote_queue_id,
                "transcript_sha256": record.transcript_sha256,
                "detail": _cut(record.detail, MAX_TEXT),
            }
        case Snapshot():
            return common | {
                "kind": "snapshot",
                "observations": [observation_to_json(o) for o in record.observations],  # type: ignore[arg-type]
                "verified": [list(one) for one in record.verified],
            }
        case Later():
            return common | {
                "kind": "later",
                "event": record.kind,
                "finish": record.finish.value if record.finish else None,
                "level": record.level,
                "witness": record.witness,
                "reply": _reply_to_json(record.reply),
                "relay": _host_to_json(record.relay),
                "exhibit_sha256": record.exhibit_sha256,
                "detail": _cut(record.detail, MAX_TEXT),
            }


def record_from_json(value: object) -> Record:
    """The record that an object tells of; raises :class:`ParseError` for an unknown member, a missing one, or a wrong type."""
    kind = value.get("kind") if isinstance(value, dict) else None
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise ParseError("a record of a kind that this version does not know")
    read, shape = reader
    fields = canonical.members(value, _COMMON | shape, f"a record of kind {kind!r}")
    if fields["schema_version"] != SCHEMA_VERSION:
        raise ParseError("a record of another schema version")
    if not _DISPATCH.match(fields["dispatch"]):
        raise ParseError("a dispatch is named by 32 hexadecimal digits")
    return read(fields, {"dispatch": fields["dispatch"], "at": time_from_text(fields["at"])})


_COMMON: Shape = {"schema_version": int, "dispatch": str, "at": str, "kind": str}
_OBJECT_OR_NONE = (dict, _NONE)


def _intent(fields: dict[str, Any], common: dict[str, Any]) -> Intent:
    _require(_DISPATCH.match(fields["sending"]), "sending")
    _require(_SHA256.match(fields["sha256"]), "sha256")
    _require(fields["size"] >= 0, "size")
    return Intent(
        **common,
        **{name: fields[name] for name in _INTENT if name not in ("signatures", "hop")},
        signatures=tuple((a, b) for a, b in _lists(fields["signatures"], 2)),
        hop=_member(Hop, fields["hop"]),
    )


def _outcome(fields: dict[str, Any], common: dict[str, Any]) -> Outcome:
    for name in ("certificate_sha256", "transcript_sha256"):
        _require(fields[name] is None or _SHA256.match(fields[name]), name)
    plain = ("stage", "local_ip", "helo", "certificate_sha256", "remote_queue_id", "transcript_sha256", "detail")
    return Outcome(
        **common,
        **{name: fields[name] for name in plain},
        finish=_member(Finish, fields["finish"]),
        reply=_reply(fields["reply"]),
        rcpt_reply=_reply(fields["rcpt_reply"]),
        relay=_host(fields["relay"]),
        tls=_tls(fields["tls"]),
    )


def _snapshot(fields: dict[str, Any], common: dict[str, Any]) -> Snapshot:
    return Snapshot(
        **common,
        observations=tuple(observation_from_json(o) for o in fields["observations"]),
        verified=tuple((a, b, c) for a, b, c in _lists(fields["verified"], 3)),
    )


def _later(fields: dict[str, Any], common: dict[str, Any]) -> Later:
    _require(fields["level"] in (None, "accepted", "delivered", "displayed"), "level")
    _require(fields["exhibit_sha256"] is None or _SHA256.match(fields["exhibit_sha256"]), "exhibit_sha256")
    return Later(
        **common,
        **{name: fields[name] for name in ("level", "witness", "exhibit_sha256", "detail")},
        kind=fields["event"],
        finish=_member(Finish, fields["finish"]) if fields["finish"] is not None else None,
        reply=_reply(fields["reply"]),
        relay=_host(fields["relay"]),
    )


_INTENT: Shape = {
    **dict.fromkeys(
        ("sending", "account", "reverse_path", "forward_path", "sha256", "next_hop", "hop", "channel"), str
    ),
    **dict.fromkeys(("message_id", "subject", "author_domain"), _TEXT_OR_NONE),
    "size": int,
    "signatures": list,
}
_OUTCOME: Shape = {
    **dict.fromkeys(("finish", "detail"), str),
    **dict.fromkeys(("reply", "rcpt_reply", "relay", "tls"), _OBJECT_OR_NONE),
    **dict.fromkeys(
        ("stage", "local_ip", "helo", "certificate_sha256", "remote_queue_id", "transcript_sha256"), _TEXT_OR_NONE
    ),
}
_LATER: Shape = {
    **dict.fromkeys(("event", "detail"), str),
    **dict.fromkeys(("reply", "relay"), _OBJECT_OR_NONE),
    **dict.fromkeys(("finish", "level", "witness", "exhibit_sha256"), _TEXT_OR_NONE),
}
_READERS: Mapping[str, tuple[Callable[[dict[str, Any], dict[str, Any]], Record], Shape]] = {
    "intent": (_intent, _INTENT),
    "outcome": (_outcome, _OUTCOME),
    "snapshot": (_snapshot, {"observations": list, "verified": list}),
    "later": (_later, _LATER),
}


# --- parts ------------------------------------------------------------------------------------------------------------


def time_from_text(text: str) -> datetime:
    """Read what :func:`time_to_text` wrote; raises :class:`ParseError` for anything else."""
    try:
        if _TIME.match(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise ParseError("a time is written YYYY-MM-DDTHH:MM:SS.ffffffZ")


def _require(held: object, name: str) -> None:
    if not held:
        raise ParseError(f"member {name!r} is not of its form")


def _member(kind: type[E], text: str) -> E:
    try:
        return kind(text)
    except ValueError:
        raise ParseError(f"{text[:40]!r} is none of {', '.join(m.value for m in kind)}") from None


def _lists(value: list[Any], width: int) -> list[list[str]]:
    if all(isinstance(v, list) and len(v) == width and all(isinstance(t, str) for t in v) for v in value):
        return value
    raise ParseError("a list is not of its form")


def _reply_to_json(reply: Reply | None) -> dict[str, Any] | None:
    if reply is None:
        return None
    return {
        "code": reply.code,
        "enhanced_status_code": reply.enhanced_status_code,
        "text": _cut(reply.text, MAX_TEXT),
    }


def _reply(value: object) -> Reply | None:
    if value is None:
        return None
    shape: Shape = {"code": (int, _NONE), "enhanced_status_code": _TEXT_OR_NONE, "text": str}
    fields = canonical.members(value, shape, "a reply")
    return Reply(fields["code"], fields["enhanced_status_code"], fields["text"])


def _host_to_json(host: Host | None) -> dict[str, Any] | None:
    return None if host is None else {"name": host.name, "ip": host.ip, "port": host.port}


def _host(value: object) -> Host | None:
    if value is None:
        return None
    fields = canonical.members(value, {"name": _TEXT_OR_NONE, "ip": _TEXT_OR_NONE, "port": (int, _NONE)}, "a host")
    return Host(fields["name"], fields["ip"], fields["port"])


def _tls_to_json(tls: Tls | None) -> dict[str, Any] | None:
    return None if tls is None else {"version": tls.version, "cipher": tls.cipher, "verified": tls.verified}


def _tls(value: object) -> Tls | None:
    if value is None:
        return None
    fields = canonical.members(value, {"version": str, "cipher": _TEXT_OR_NONE, "verified": (bool, _NONE)}, "TLS")
    return Tls(fields["version"], fields["cipher"], fields["verified"])
