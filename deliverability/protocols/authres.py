"""The ``Authentication-Results`` field (RFC 8601), read as its writer meant it.

Whose word it is decides whether it is worth anything (RFC 8601 §5, §7.1): that is judged in ``protocols.hops``, not here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

MAX_FIELD: Final = 16_384
"""Characters of a field that are read."""
MAX_RESULTS: Final = 64

_INSTANCE = re.compile(r"\s{0,9}i\s{0,9}=\s{0,9}\d{1,3}\s{0,9};")
_METHOD = re.compile(r"\s{0,9}([A-Za-z][A-Za-z0-9-]{0,40})(?:/\d{1,3})?\s{0,9}=\s{0,9}([A-Za-z]{1,40})")
_PROPERTY = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,30}(?:\.[A-Za-z0-9_-]{1,40})?)=(\"[^\"]{0,400}\"|[^\s;]{0,400})")


@dataclass(frozen=True, slots=True)
class Result:
    """One method's result (RFC 8601 §2.2)."""

    method: str
    """Lower-case: ``spf``, ``dkim``, ``dmarc``, ``arc``, ``compauth`` …"""
    result: str
    """Lower-case: ``pass``, ``fail``, ``softfail`` …"""
    properties: Mapping[str, str]
    """``header.from``, ``smtp.mailfrom``, ``reason`` …; foreign text, unquoted."""


@dataclass(frozen=True, slots=True)
class AuthenticationResults:
    """A whole field."""

    authserv_id: str | None
    """Who says so; ``None`` where the writer leaves it out, as Microsoft does."""
    results: tuple[Result, ...]

    def of(self, method: str) -> tuple[Result, ...]:
        """The results of a method, in order."""
        return tuple(result for result in self.results if result.method == method)


def parse_authres(text: str) -> AuthenticationResults:
    """Read the body of the field, or of ``ARC-Authentication-Results``, which has an instance before (RFC 8617 §4.1.1).

    Total; comments are left out before anything is read, quoted strings kept whole.
    """
    instance = _INSTANCE.match(text)
    parts = _segments(text[instance.end() if instance else 0 :][:MAX_FIELD])
    first = parts[0] if parts else ""
    named = None if _METHOD.match(first) else (first.split() or [""])[0].lower() or None
    results: list[Result] = []
    for part in parts if named is None else parts[1:]:
        match = _METHOD.match(part)
        if match and len(results) < MAX_RESULTS:
            properties = {name.lower(): value.strip('"') for name, value in _PROPERTY.findall(part, match.end())}
            results.append(Result(match[1].lower(), match[2].lower(), MappingProxyType(properties)))
    return AuthenticationResults(named, tuple(results))


def _segments(text: str) -> list[str]:
    """Between semicolons, outside of comments and quoted strings (RFC 5322 §3.2.2, §3.2.4)."""
    out: list[list[str]] = [[]]
    depth, quoted, escaped = 0, False, False
    for char in text:
        if escaped:
            escaped = False
            if not depth:
                out[-1].append(char)
        elif char == "\\" and (depth or quoted):
            escaped = True
        elif quoted:
            quoted = char != '"'
            out[-1].append(char)
        elif char == "(":
            depth += 1
        elif depth:
            depth -= char == ")"
        elif char == ";":
            out.append([])
        else:
            quoted = char == '"'
            out[-1].append(char)
    return ["".join(part).strip() for part in out]
