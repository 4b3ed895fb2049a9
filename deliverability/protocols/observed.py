"""Observations as JSON values, and back: a replay starts from them (DESIGN §4.1).

Only what :func:`observation_to_json` would have written is read; times are RFC 3339 in UTC with ``Z``, bytes base64.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    HttpsAnswer,
    HttpsQuestion,
    Observation,
    Obstacle,
    Question,
    Rcode,
    Record,
    SmtpAnswer,
    SmtpProbe,
)

Json = dict[str, Any]

MAX_RECORDS: Final = 4096  # of one answer; a DNS message of 65,535 octets cannot hold more
MAX_WIRE: Final = 65535  # octets, RFC 1035 §4.2.2
MAX_TEXT: Final = 70000  # characters of any one string of an observation


def instant_to_json(instant: datetime | None) -> str | None:
    """RFC 3339 in UTC with ``Z``; ``None`` stays ``None``."""
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def observation_to_json(observation: Observation) -> Json:
    """One answer, or why there is none, complete: :func:`observation_from_json` gives it back."""
    common = {**_question_to_json(observation.question), "observed_at": instant_to_json(observation.observed_at)}
    match observation:
        case CouldNotLook():
            told = {"obstacle": observation.obstacle, "detail": observation.detail, "resolver": observation.resolver}
            return {"kind": "could-not-look", **common, **told}
        case HttpsAnswer():
            return {
                "kind": "https",
                **common,
                "status": observation.status,
                "media_type": observation.media_type,
                "body": _to_base64(observation.body),
                "certificate_error": observation.certificate_error,
            }
        case SmtpAnswer():
            return {
                "kind": "smtp",
                **common,
                "ip": observation.ip,
                "greeting": observation.greeting,
                "capabilities": list(observation.capabilities),
                "starttls": observation.starttls,
                "tls_version": observation.tls_version,
                "certificate": _to_base64(observation.certificate),
                "chain": [_to_base64(der) for der in observation.chain],
                "certificate_error": observation.certificate_error,
            }
        case DnsAnswer():
            return _dns_to_json(observation, common)


def _dns_to_json(observation: DnsAnswer, common: Json) -> Json:
    return {
        "kind": "answer",
        **common,
        "resolver": observation.resolver,
        "rcode": observation.rcode,
        "canonical_name": observation.canonical_name,
        "ttl": observation.ttl,
        "authenticated": observation.authenticated,
        "records": [_record_to_json(record) for record in observation.records],
        "wire": _to_base64(observation.wire),
    }


def _question_to_json(question: Question) -> Json:
    match question:
        case DnsQuestion():
            named: Json = {"name": question.name, "rdtype": question.rdtype}
            return {**named, "signed": True} if question.signed else named
        case HttpsQuestion():
            return {"url": question.url}
        case SmtpProbe():
            return {"host": question.host, "port": question.port}


def _question(fields: "_Fields") -> Question:
    if fields.has("url"):
        return HttpsQuestion(fields.text("url"))
    if fields.has("host"):
        return SmtpProbe(fields.text("host"), fields.number("port") or 0)
    return _dns_question(fields)


def _dns_question(fields: "_Fields") -> DnsQuestion:
    signed = fields.has("signed") and fields.get("signed") is True
    return DnsQuestion(fields.text("name"), fields.text("rdtype"), signed)


def observation_from_json(value: object) -> Observation:
    """Read what :func:`observation_to_json` wrote.

    Raises :class:`~deliverability.errors.ParseError` for anything that it would not have written, unknown
    members and other spellings of equal values included.
    """
    fields = _Fields(value)
    try:
        read = _READERS.get(fields.text("kind"))
        if read is None:
            raise ParseError(f"no observation of kind {printable(fields.text('kind'))!r}")
        observation = read(fields)
        canonical = observation_to_json(observation)
    except (ValueError, OverflowError) as problem:  # ParseError is a ValueError; enums and dates raise others
        if isinstance(problem, ParseError):
            raise
        msg = f"not an observation: {printable(str(problem))}"
        raise ParseError(msg) from None
    if canonical != value or _types(canonical) != _types(value):
        msg = f"observation of {printable(str(observation.question))} is not in its canonical form"
        raise ParseError(msg)
    return observation


def _answer(fields: "_Fields") -> DnsAnswer:
    records = fields.get("records")
    if not isinstance(records, list) or len(records) > MAX_RECORDS:
        msg = f"'records' is not a list of at most {MAX_RECORDS}"
        raise ParseError(msg)
    return DnsAnswer(
        question=_dns_question(fields),
        rcode=Rcode(fields.text("rcode")),
        records=tuple(_record_from_json(record) for record in records),
        canonical_name=fields.text("canonical_name"),
        ttl=fields.number("ttl"),
        resolver=fields.text("resolver"),
        observed_at=_instant(fields.text("observed_at")),
        authenticated=fields.get("authenticated") is True,
        wire=_from_base64(fields.text("wire", limit=4 * (MAX_WIRE // 3 + 1))),
    )


def _https(fields: "_Fields") -> HttpsAnswer:
    return HttpsAnswer(
        question=HttpsQuestion(fields.text("url")),
        status=fields.number("status"),
        media_type=fields.text("media_type"),
        body=_from_base64(fields.text("body", limit=4 * (MAX_WIRE // 3 + 2))),
        certificate_error=fields.text_or_none("certificate_error"),
        observed_at=_instant(fields.text("observed_at")),
    )


def _smtp(fields: "_Fields") -> SmtpAnswer:
    return SmtpAnswer(
        question=SmtpProbe(fields.text("host"), fields.number("port") or 0),
        ip=fields.text("ip"),
        greeting=fields.text("greeting"),
        capabilities=fields.texts("capabilities"),
        starttls=fields.get("starttls") is True,
        tls_version=fields.text_or_none("tls_version"),
        certificate=_from_base64(fields.text("certificate")),
        chain=tuple(_from_base64(der) for der in fields.texts("chain")),
        certificate_error=fields.text_or_none("certificate_error"),
        observed_at=_instant(fields.text("observed_at")),
    )


def _could_not_look(fields: "_Fields") -> CouldNotLook:
    return CouldNotLook(
        question=_question(fields),
        obstacle=Obstacle(fields.text("obstacle")),
        detail=fields.text("detail"),
        resolver=fields.text("resolver"),
        observed_at=_instant(fields.text("observed_at")),
    )


_READERS: Mapping[str, Callable[["_Fields"], Observation]] = {
    "answer": _answer,
    "https": _https,
    "smtp": _smtp,
    "could-not-look": _could_not_look,
}


def _record_to_json(record: Record) -> Json:
    return {
        "value": record.value,
        "strings": [_to_base64(string) for string in record.strings],
        "preference": record.preference,
    }


def _record_from_json(value: object) -> Record:
    fields = _Fields(value)
    strings = fields.get("strings")
    if not isinstance(strings, list) or len(strings) > MAX_RECORDS or not all(isinstance(s, str) for s in strings):
        msg = "'strings' is not a list of strings"
        raise ParseError(msg)
    return Record(
        value=fields.text("value"),
        strings=tuple(_from_base64(string) for string in strings),
        preference=fields.number("preference"),
    )


class _Fields:
    """Members of a JSON object, each with its type."""

    def __init__(self, value: object) -> None:
        if not isinstance(value, Mapping):
            msg = "not a JSON object"
            raise ParseError(msg)
        self._value = value

    def get(self, name: str) -> object:
        try:
            return self._value[name]
        except KeyError:
            msg = f"{name!r} is missing"
            raise ParseError(msg) from None

    def text(self, name: str, limit: int = MAX_TEXT) -> str:
        value = self.get(name)
        if not isinstance(value, str) or len(value) > limit:
            msg = f"{name!r} is not a string of at most {limit} characters"
            raise ParseError(msg)
        return value

    def has(self, name: str) -> bool:
        return name in self._value

    def text_or_none(self, name: str) -> str | None:
        return None if self.get(name) is None else self.text(name)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.get(name)
        if not isinstance(value, list) or len(value) > MAX_RECORDS or not all(isinstance(v, str) for v in value):
            raise ParseError(f"{name!r} is not a list of at most {MAX_RECORDS} strings")
        return tuple(value)

    def number(self, name: str) -> int | None:
        value = self.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        msg = f"{name!r} is not a whole number"
        raise ParseError(msg)


def _types(value: object) -> object:
    """The shape of a JSON value: ``1 == True == 1.0`` must not pass for equal."""
    if isinstance(value, Mapping):
        return {name: _types(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_types(member) for member in value]
    return "str" if isinstance(value, str) else type(value).__name__


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        msg = f"time without a zone: {printable(text)!r}"
        raise ParseError(msg)
    return instant.astimezone(UTC)


def _to_base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        msg = "not base64 (RFC 4648 §4)"
        raise ParseError(msg) from None
