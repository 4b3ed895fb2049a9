"""MTA-STS: the record that announces a policy, and the policy itself (RFC 8461).

The parsers are total over any text and linear in its length: what the RFC does not allow raises ``ParseError``.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import DnsAnswer

MAX_POLICY: Final = 65536
"""Octets, RFC 8461 §3.3."""
MAX_LINES: Final = 2000
MAX_AGE: Final = 31_557_600
"""Seconds, about a year: the most that ``max_age`` may say (RFC 8461 §3.2)."""
_VERSION: Final = "STSv1"


class Mode(StrEnum):
    """What a sender is to do where the policy is not met (RFC 8461 §5)."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Policy:
    """A domain's policy."""

    mode: Mode
    mx: tuple[str, ...]
    """Names of mail hosts, lower-case; ``*.`` stands for exactly one label."""
    max_age: int
    """Seconds that senders keep it."""

    def matches(self, host: str) -> bool:
        """Whether ``host`` is a mail host by this policy (RFC 8461 §4.1)."""
        host = host.lower().removesuffix(".")
        rest = host.partition(".")[2]
        return host in self.mx or (bool(rest) and f"*.{rest}" in self.mx)


def record_name(domain: Domain) -> str:
    """Where the record stands."""
    return f"_mta-sts.{domain.name}"


def policy_host(domain: Domain) -> str:
    """The host that serves the policy."""
    return f"mta-sts.{domain.name}"


def policy_url(domain: Domain) -> str:
    """Where the policy is fetched, without following redirects (RFC 8461 §3.3)."""
    return f"https://{policy_host(domain)}/.well-known/mta-sts.txt"


def announced(answer: DnsAnswer) -> tuple[str, ...]:
    """The TXT records that are of this kind; others at the name are to be passed over (RFC 8461 §3.1)."""
    return tuple(r.value for r in answer.records if re.match(r"v=STSv1[ \t]*(?:;|\Z)", r.value))


def parse_record(text: str) -> str:
    """The policy's id; raises :class:`~deliverability.errors.ParseError` (RFC 8461 §3.1)."""
    fields = [part.strip(" \t") for part in text.split(";")]
    if text[:1].isspace() or fields[0] != f"v={_VERSION}":
        raise ParseError("the record does not begin with v=STSv1")
    if fields[-1] == "":
        fields.pop()
    ids = []
    for field in fields[1:]:
        match = _field().match(field)
        if not match:
            raise ParseError(f"not a field of the record: {printable(field, 60)!r}")
        ids += [match[2]] if match[1] == "id" else []
    if len(ids) != 1 or not re.fullmatch(r"[A-Za-z0-9]{1,32}", ids[0]):
        raise ParseError("the record needs one id of 1 to 32 letters and digits")
    return str(ids[0])


def parse_policy(body: bytes) -> Policy:
    """Read a policy; raises :class:`~deliverability.errors.ParseError` (RFC 8461 §3.2).

    Of a key that stands twice the first counts, except for ``mx``; keys that are not known are passed over.
    """
    if len(body) > MAX_POLICY:
        raise ParseError(f"the policy is longer than {MAX_POLICY} octets")
    try:
        lines = body.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise ParseError("the policy is not UTF-8 text") from None
    if len(lines) > MAX_LINES:
        raise ParseError(f"the policy has more than {MAX_LINES} lines")
    first: dict[str, str] = {}
    mx: list[str] = []
    for line in lines:
        if not line.strip(" \t"):
            continue
        key, colon, value = (part.strip(" \t") for part in line.partition(":"))
        if not colon or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", key):
            raise ParseError(f"not a line of a policy: {printable(line, 60)!r}")
        if key == "mx":
            mx.append(_pattern(value))
        else:
            first.setdefault(key, value)
    return _policy(first, tuple(dict.fromkeys(mx)))


def _policy(values: dict[str, str], mx: tuple[str, ...]) -> Policy:
    if values.get("version") != _VERSION:
        raise ParseError("the policy does not say version: STSv1")
    try:
        mode = Mode(values.get("mode", ""))
    except ValueError:
        raise ParseError(f"the policy's mode is {printable(values.get('mode', ''), 60)!r}") from None
    age = values.get("max_age", "")
    if not re.fullmatch(r"[0-9]{1,10}", age) or int(age) > MAX_AGE:
        raise ParseError(f"the policy's max_age is {printable(age, 60)!r}")
    if not mx and mode is not Mode.NONE:
        raise ParseError("the policy names no mx")
    return Policy(mode, mx, int(age))


def _pattern(text: str) -> str:
    wildcard = "*." if text.startswith("*.") else ""
    try:
        return wildcard + Domain.parse(text.removeprefix(wildcard)).name
    except ParseError:
        raise ParseError(f"the policy's mx is no host name: {printable(text, 60)!r}") from None


@cache
def _field() -> re.Pattern[str]:
    # sts-ext-name "=" sts-ext-value, of which the id is one (RFC 8461 §3.1); the value is any visible text but = and ;
    return re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([!-:<>-~]+)\Z")
