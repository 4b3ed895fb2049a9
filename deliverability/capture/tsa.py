"""Ask a time-stamping authority over HTTP (RFC 3161 §3.4).

What comes back is octets; whether they hold is the ledger's to verify.  Plain ``http`` is as good as ``https`` here: a
token is signed, and says nothing but a digest and a time.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from deliverability.errors import CannotLookError, printable

SECONDS: Final = 20.0
"""From the first connection to the last octet, as the ledger is locked meanwhile; the resolver has limits of its own."""
MAX_RESPONSE: Final = 64 << 10
_TYPE: Final = "application/timestamp-query"
_MAX_ADDRESSES: Final = 4
_Address = tuple[int, int, int, str, tuple[Any, ...]]  # as getaddrinfo names one


def ask(url: str, query: bytes, seconds: float = SECONDS) -> bytes:
    """The authority's response to a query; raises :class:`CannotLookError` when none comes within the time."""
    shown = printable(url, 120)
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as problem:
        raise CannotLookError(f"{shown}: not the address of a time-stamping authority") from problem
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CannotLookError(f"{shown}: not the address of a time-stamping authority")
    late = threading.Event()
    try:
        addresses = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        until = time.monotonic() + seconds
        plain = _connect(addresses[:_MAX_ADDRESSES], until)
        # Time-outs of a socket count for each read: who sends an octet now and then is cut off from beside.
        with plain, plain.dup() as beside:
            watch = threading.Timer(max(0.0, until - time.monotonic()), _cut, (beside, late))
            watch.daemon = True
            watch.start()
            try:
                status, content = _exchange(plain, parts, query)
            finally:
                watch.cancel()
                watch.join()
    except (OSError, http.client.HTTPException, ValueError) as problem:
        why = f"none within {seconds:g} s" if late.is_set() else type(problem).__name__
        raise CannotLookError(f"{shown}: no time-stamp: {why}") from problem
    if late.is_set():
        raise CannotLookError(f"{shown}: no time-stamp: none within {seconds:g} s")
    if status != 200 or len(content) > MAX_RESPONSE:
        raise CannotLookError(f"{shown}: no time-stamp: HTTP status {status}, {len(content)} octets")
    return content


def _connect(addresses: Sequence[_Address], until: float) -> socket.socket:
    problem: OSError | None = None
    for place, (family, kind, protocol, _, address) in enumerate(addresses):
        left = until - time.monotonic()
        if left <= 0:
            break
        try:
            made = socket.socket(family, kind, protocol)
        except OSError as lacking:  # this machine has no IPv6
            problem = lacking
            continue
        made.settimeout(left / (len(addresses) - place))  # where nobody answers, the next one has its time as well
        try:
            made.connect(address)
        except OSError as refused:
            made.close()
            problem = refused
        else:
            made.settimeout(max(0.1, until - time.monotonic()))
            return made
    raise problem or TimeoutError


def _cut(connection: socket.socket, late: threading.Event) -> None:
    late.set()
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _exchange(plain: socket.socket, parts: SplitResult, query: bytes) -> tuple[int, bytes]:
    host = parts.hostname or ""
    secure = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if parts.scheme == "https" else plain
    connection = http.client.HTTPConnection(
        host, parts.port or http.client.HTTP_PORT
    )  # else it is sought in an IPv6 address
    connection.sock = secure
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, query, {"Content-Type": _TYPE, "Accept": "application/timestamp-reply"})
        response = connection.getresponse()
        return response.status, response.read(MAX_RESPONSE + 1)
    finally:
        connection.close()
