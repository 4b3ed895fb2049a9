"""Ask a time-stamping authority over HTTP (RFC 3161 §3.4).

What comes back is octets; whether they hold is the ledger's to verify.  Plain ``http`` is as good as ``https`` here: a
token is signed, and says nothing but a digest and a time.
"""

import http.client
from typing import Final
from urllib.parse import urlsplit

from deliverability.errors import CannotLookError, printable

SECONDS: Final = 20.0
MAX_RESPONSE: Final = 64 << 10
_TYPE: Final = "application/timestamp-query"


def ask(url: str, query: bytes) -> bytes:
    """The authority's response to a query; raises :class:`CannotLookError` when none comes."""
    parts = urlsplit(url)
    shown = printable(url, 120)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CannotLookError(f"{shown}: not the address of a time-stamping authority")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname, parts.port, timeout=SECONDS)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, query, {"Content-Type": _TYPE, "Accept": "application/timestamp-reply"})
            response = connection.getresponse()
            content = response.read(MAX_RESPONSE + 1)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise CannotLookError(f"{shown}: no time-stamp: {type(problem).__name__}") from problem
    if response.status != 200 or len(content) > MAX_RESPONSE:
        raise CannotLookError(f"{shown}: no time-stamp: HTTP status {response.status}, {len(content)} octets")
    return content
