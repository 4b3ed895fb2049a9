"""What a spam filter of the caller's own says about a message: a score, as a fact.

SpamAssassin's ``spamd`` (protocol 1.5, command SYMBOLS) and rspamd (HTTP, ``/checkv2``).  Asked only at an address that
the caller names, because the whole message goes there.  Another filter, or the same one trained otherwise, scores
otherwise.
"""

import asyncio
import json
import math
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from deliverability.errors import UsageError, printable
from deliverability.evidence.observation import Obstacle
from deliverability.evidence.spam import NoScore, SpamScore

MAX_REPLY: Final = 256 * 1024
MAX_SYMBOLS: Final = 300
TIMEOUT_SECONDS: Final = 30.0
SPAMD_PORT: Final = 783

_SPAM_LINE = re.compile(rb"^Spam:[ \t]*(True|False|Yes|No)[ \t]*;[ \t]*(-?\d{1,6}(?:\.\d{1,6})?)[ \t]*/[ \t]*(-?\d{1,6}(?:\.\d{1,6})?)", re.MULTILINE | re.IGNORECASE)  # fmt: skip
_SPAMD_STATUS = re.compile(rb"SPAMD/\d{1,3}\.\d{1,3} (\d{1,4}) ([!-~]{1,60})")
_HTTP_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,255}")


class _OddReplyError(Exception):
    """What came is no reply of the protocol."""


async def ask_spamd(endpoint: str, message: bytes, *, timeout: float = TIMEOUT_SECONDS) -> SpamScore | NoScore:  # noqa: ASYNC109
    """Ask ``spamd`` at ``HOST:PORT``.  Raises :class:`UsageError` for an endpoint that is none, and nothing else."""
    host, port = _host_port(endpoint, SPAMD_PORT, "--spamd")
    content = _crlf(message)
    # SYMBOLS changes nothing: neither the message nor what the filter has learnt.
    request = b"SYMBOLS SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(content) + content

    async def ask() -> SpamScore:
        reply = await _exchange(host, port, request, half_close=True)
        head, _, body = reply.partition(b"\r\n\r\n")
        status, found = _SPAMD_STATUS.match(head), _SPAM_LINE.search(head)
        if not status or status.group(1) != b"0" or not found:
            raise _OddReplyError(head[:200].decode("utf-8", "replace"))
        names = sorted({name.strip() for name in body.decode("utf-8", "replace").split(",") if name.strip()})
        return SpamScore(
            "spamd",
            endpoint,
            float(found.group(2)),
            float(found.group(3)),
            found.group(1).lower() in (b"true", b"yes"),
            "",
            tuple(printable(name, 100) for name in names[:MAX_SYMBOLS]),
            datetime.now(UTC),
        )

    return await _told("spamd", endpoint, ask, timeout)


async def ask_rspamd(url: str, message: bytes, *, timeout: float = TIMEOUT_SECONDS) -> SpamScore | NoScore:  # noqa: ASYNC109
    """Ask rspamd's normal worker at ``http://HOST:PORT``.  Raises as :func:`ask_spamd`."""
    try:
        parts = urlsplit(url)
        port = parts.port or 11333
    except ValueError:
        raise UsageError(f"--rspamd {printable(url)!r} is not a URL") from None
    host = parts.hostname or ""
    if parts.scheme != "http" or not _HOST.fullmatch(host) or parts.username or parts.query:
        raise UsageError(f"--rspamd {printable(url)!r} is not of the form http://HOST:PORT")
    shown = f"[{host}]" if ":" in host else host
    head = (
        f"POST /checkv2 HTTP/1.0\r\nHost: {shown}:{port}\r\nContent-Length: {len(message)}\r\nConnection: close\r\n\r\n"
    )

    async def ask() -> SpamScore:
        reply = await _exchange(host, port, head.encode("ascii") + message, half_close=False)
        top, _, body = reply.partition(b"\r\n\r\n")
        status = _HTTP_STATUS.match(top)
        if not status or status.group(1) != b"200":
            raise _OddReplyError(top[:200].decode("utf-8", "replace"))
        return _rspamd_score(url, body)

    return await _told("rspamd", url, ask, timeout)


def _rspamd_score(url: str, body: bytes) -> SpamScore:
    try:
        said: Any = json.loads(body)
        score, action = float(said["score"]), str(said["action"])
        required = said.get("required_score")
        threshold = None if required is None else float(required)
        if not math.isfinite(score) or not math.isfinite(threshold or 0):
            raise ValueError("not a number")  # noqa: TRY301 - one way out for whatever is odd
        symbols = sorted(str(name) for name in said.get("symbols") or {})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise _OddReplyError(f"no JSON answer of rspamd: {type(problem).__name__}") from None
    return SpamScore(
        "rspamd",
        url,
        score,
        threshold,
        action not in ("no action", "greylist", "soft reject"),  # those two are about the moment, not the message
        printable(action, 60),
        tuple(printable(name, 100) for name in symbols[:MAX_SYMBOLS]),
        datetime.now(UTC),
    )


async def _told(
    engine: str, endpoint: str, ask: Callable[[], Awaitable[SpamScore]], seconds: float
) -> SpamScore | NoScore:
    try:
        async with asyncio.timeout(seconds):
            return await ask()
    except TimeoutError:
        obstacle, detail = Obstacle.TIMEOUT, f"no answer within {seconds:g} s"
    except OSError as problem:
        obstacle, detail = Obstacle.NETWORK, str(problem)
    except _OddReplyError as problem:
        obstacle, detail = Obstacle.MALFORMED, str(problem)
    return NoScore(engine, endpoint, obstacle, printable(detail, 200), datetime.now(UTC))


async def _exchange(host: str, port: int, request: bytes, *, half_close: bool) -> bytes:
    """Send, and read to the end, no more than :data:`MAX_REPLY` octets."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        await writer.drain()
        if half_close and writer.can_write_eof():
            writer.write_eof()
        chunks: list[bytes] = []
        size = 0
        while size <= MAX_REPLY:
            chunk = await reader.read(65536)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            size += len(chunk)
        raise _OddReplyError(f"more than {MAX_REPLY} octets")
    finally:
        writer.close()


def _host_port(text: str, default: int, option: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(default)
    host = host.removeprefix("[").removesuffix("]")
    number = int(port) if port.isascii() and port.isdecimal() and len(port) <= 5 else 0
    if not _HOST.fullmatch(host) or not 0 < number < 65536:
        raise UsageError(f"{option} {printable(text)!r} is not of the form HOST:PORT")
    return host, number


def _crlf(message: bytes) -> bytes:
    return message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
