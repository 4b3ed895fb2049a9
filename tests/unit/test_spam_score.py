"""What a filter may answer, and that an odd answer is none.  The real SpamAssassin is asked in ``tests/servers``."""

import asyncio

import pytest

from deliverability.capture.spam_score import MAX_REPLY, NoScore, SpamScore, ask_rspamd, ask_spamd
from deliverability.errors import UsageError
from deliverability.evidence.observation import Obstacle

MESSAGE = b"From: a@b.example\n\nhello\n"


def answered(reply: bytes | None, ask: str = "spamd", timeout: float = 5) -> tuple[SpamScore | NoScore, bytes]:
    """Ask a listener on loopback that answers so; ``None`` does not answer at all."""
    heard: list[bytes] = []

    async def main() -> SpamScore | NoScore:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            try:
                if reply is None:
                    await asyncio.sleep(30)
                else:
                    writer.write(reply)
                    await writer.drain()
            except ConnectionError:
                pass  # who asked has heard enough
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            if ask == "spamd":
                return await ask_spamd(f"127.0.0.1:{port}", MESSAGE, timeout=timeout)
            return await ask_rspamd(f"http://127.0.0.1:{port}", MESSAGE, timeout=timeout)

    return asyncio.run(main()), b"".join(heard)


def test_spamd() -> None:
    found, heard = answered(
        b"SPAMD/1.1 0 EX_OK\r\nContent-length: 20\r\nSpam: True ; 6.4 / 5.0\r\n\r\nMISSING_DATE,ALL_TRUSTED\r\n"
    )
    assert isinstance(found, SpamScore)
    assert (found.score, found.threshold, found.spam) == (6.4, 5.0, True)
    assert found.symbols == ("ALL_TRUSTED", "MISSING_DATE")
    assert heard.startswith(b"SYMBOLS SPAMC/1.5\r\nContent-length: 28\r\n")  # with CRLF as on the wire


def test_rspamd() -> None:
    body = b'{"score": 3.1, "required_score": 15.0, "action": "add header", "symbols": {"B": {}, "A": {}}}'
    found, heard = answered(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + body, "rspamd")
    assert isinstance(found, SpamScore)
    assert (found.score, found.threshold, found.spam, found.action) == (3.1, 15.0, True, "add header")
    assert found.symbols == ("A", "B")
    assert heard.startswith(b"POST /checkv2 HTTP/1.0\r\n")


@pytest.mark.parametrize("action", ["no action", "greylist", "soft reject"])
def test_rspamd_that_does_not_call_it_spam(action: str) -> None:
    body = b'{"score": -1, "action": "%s"}' % action.encode()
    found, _ = answered(b"HTTP/1.1 200 OK\r\n\r\n" + body, "rspamd")
    assert isinstance(found, SpamScore)
    assert (found.spam, found.threshold) == (False, None)


@pytest.mark.parametrize(
    ("ask", "reply"),
    [
        ("spamd", b""),
        ("spamd", b"SPAMD/1.1 76 EX_PROTOCOL\r\n\r\n"),
        ("spamd", b"SPAMD/1.1 0 EX_OK\r\n\r\n"),
        ("spamd", b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; nan / 5.0\r\n\r\n"),
        ("spamd", b"220 mail.example ESMTP\r\n"),
        ("spamd", b"SPAMD/1.1 0 EX_OK\r\n\r\n" + b"x" * (MAX_REPLY + 1)),
        ("rspamd", b"HTTP/1.1 403 Forbidden\r\n\r\n{}"),
        ("rspamd", b"HTTP/1.1 200 OK\r\n\r\n<html>"),
        ("rspamd", b"HTTP/1.1 200 OK\r\n\r\n[]"),
        ("rspamd", b'HTTP/1.1 200 OK\r\n\r\n{"score": null, "action": "reject"}'),
        ("rspamd", b'HTTP/1.1 200 OK\r\n\r\n{"score": NaN, "action": "reject"}'),
        ("rspamd", b'HTTP/1.1 200 OK\r\n\r\n{"score": 1, "required_score": 1e999, "action": "reject"}'),
        ("rspamd", b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000),
    ],
)
def test_an_odd_answer_is_none(ask: str, reply: bytes) -> None:
    found, _ = answered(reply, ask)
    assert isinstance(found, NoScore)
    assert found.obstacle is Obstacle.MALFORMED
    assert found.detail.isprintable() or not found.detail


def test_no_answer_in_time() -> None:
    found, _ = answered(None, timeout=0.2)
    assert isinstance(found, NoScore)
    assert found.obstacle is Obstacle.TIMEOUT


def test_nobody_there() -> None:
    found = asyncio.run(ask_spamd("127.0.0.1:1", MESSAGE))
    assert isinstance(found, NoScore)
    assert found.obstacle is Obstacle.NETWORK


@pytest.mark.parametrize("endpoint", ["", ":783", "host:0", "host:70000", "host:x", "a b:1", "host:1:x\r\n"])
def test_an_endpoint_that_is_none(endpoint: str) -> None:
    with pytest.raises(UsageError, match="--spamd"):
        asyncio.run(ask_spamd(endpoint, MESSAGE))


@pytest.mark.parametrize(
    "url",
    ["", "host:1", "https://host/", "http://", "http://u:p@host/", "http://host:99999/", "http://[::1", "http://a b/"],
)
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="--rspamd"):
        asyncio.run(ask_rspamd(url, MESSAGE))
