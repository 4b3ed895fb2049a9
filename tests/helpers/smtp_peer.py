"""A mail server that does as it is told, in the same event loop: well, or badly at one step."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

STEPS = ("connect", "greeting", "ehlo", "starttls", "handshake", "mail", "rcpt", "data", "body", "final", "quit")
FAULTS = ("close", "reset", "stall", "garbage", "delay", "drip")


@dataclass
class Peer:
    """``fault`` happens at ``step``; ``says`` replaces the reply to a command (``{"rcpt": b"550 no\\r\\n"}``)."""

    step: str = ""
    fault: str = ""
    says: dict[str, bytes] = field(default_factory=dict)
    keywords: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SIZE 10000000")
    tls: ssl.SSLContext | None = None
    lmtp: bool = False
    per_rcpt: Callable[[bytes], bytes] | None = None
    host: str = "127.0.0.1"
    port: int = 0
    faults_left: int = 1_000_000
    """How many times the fault happens; then the server behaves."""

    def __post_init__(self) -> None:
        self.heard = b""
        self.sent = b""
        self.messages: list[bytes] = []
        self.recipients: list[list[bytes]] = []
        self.commands: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def relay(self) -> str:
        return f"{'lmtp://' if self.lmtp else ''}{self.host}:{self.port}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await _Session(self, reader, writer).run()
        except (OSError, EOFError, _Ended, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.close()


class _Ended(Exception):  # noqa: N818
    pass


class _Session:
    def __init__(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peer, self.reader, self.writer = peer, reader, writer
        self.rcpts: list[bytes] = []

    async def run(self) -> None:
        await self.at("connect")
        await self.say("greeting", b"220 mx.example ESMTP\r\n")
        while True:
            line = await self.reader.readline()
            if not line:
                return
            self.peer.heard += line
            self.peer.commands.append(line.rstrip(b"\r\n"))
            await self.command(line)

    async def command(self, line: bytes) -> None:
        word = line[:4].upper()
        if word in (b"EHLO", b"LHLO", b"HELO"):
            lines = ["mx.example", *self.peer.keywords]
            lines += ["STARTTLS"] if self.peer.tls and self.writer.get_extra_info("ssl_object") is None else []
            reply = b"".join(b"250%s%s\r\n" % (b" " if n == len(lines) - 1 else b"-", text.encode())
                             for n, text in enumerate(lines))  # fmt: skip
            await self.say("ehlo", reply)
        elif word == b"STAR":
            await self.say("starttls", b"220 go\r\n")
            if self.peer.says.get("starttls", b"220").startswith(b"220") and self.peer.tls:
                await self.at("handshake")
                await self.writer.start_tls(self.peer.tls)
        elif word == b"MAIL":
            self.rcpts = []
            await self.say("mail", b"250 2.1.0 Ok\r\n")
        elif word == b"RCPT":
            await self.rcpt(line)
        elif word == b"DATA":
            await self.data()
        elif word == b"BDAT":
            await self.bdat(int(line.split()[1]))
        elif word == b"QUIT":
            await self.say("quit", b"221 bye\r\n")
            raise _Ended
        else:
            await self.say(line.split()[0].decode().lower(), b"250 Ok\r\n")

    async def rcpt(self, line: bytes) -> None:
        reply = self.peer.per_rcpt(line) if self.peer.per_rcpt else b"250 2.1.5 Ok\r\n"
        if reply.startswith(b"2"):
            self.rcpts.append(line.partition(b"<")[2].partition(b">")[0])
        await self.say("rcpt", reply)

    async def data(self) -> None:
        await self.say("data", b"354 go on\r\n")
        await self.at("body", before=100)
        content = b""
        while not (content.endswith(b"\r\n.\r\n") or content == b".\r\n"):
            piece = await self.reader.readuntil(b"\n")
            content += piece
        self.peer.heard += content
        content = content[:-3]
        content = b"".join(li[1:] if li.startswith(b".") else li for li in content.splitlines(keepends=True))
        await self.taken(content)

    async def bdat(self, size: int) -> None:
        await self.at("body", before=100)
        content = await self.reader.readexactly(size)
        self.peer.heard += content
        await self.taken(content)

    async def taken(self, content: bytes) -> None:
        self.peer.messages.append(content)
        self.peer.recipients.append(list(self.rcpts))
        if self.peer.lmtp:
            for rcpt in self.rcpts:
                await self.say(f"final:{rcpt.decode()}", b"250 2.0.0 <x> QUEUEID12345 Saved\r\n")
        else:
            await self.say("final", b"250 2.0.0 Ok: queued as 4XyZ1234567abcd\r\n")

    async def at(self, step: str, before: int = 0) -> None:
        if self.peer.step != step or not self.peer.faults_left:
            return
        self.peer.faults_left -= 1
        if before and self.peer.fault != "delay":
            await self.reader.read(before)
        fault = self.peer.fault
        if fault == "reset":
            self.writer.transport.abort()
            raise _Ended
        if fault == "close":
            raise _Ended
        if fault == "stall":
            await asyncio.sleep(3600)
        if fault == "delay":
            await asyncio.sleep(0.05)
        if fault == "drip":
            while True:  # never silent for long, and never done
                await self.write(b"2")
                await asyncio.sleep(0.02)
        if fault == "garbage":
            await self.write(b"\x00\xffnot a reply\r\n")
        if fault == "endless":
            with contextlib.suppress(OSError):
                while True:
                    await self.write(b"250-and so on\r\n" * 1000)
        if fault == "huge":
            with contextlib.suppress(OSError):
                for _ in range(100):
                    await self.write(b"x" * 1_000_000)
            raise _Ended

    async def say(self, step: str, reply: bytes) -> None:
        await self.at(step)
        await self.write(self.peer.says.get(step, reply))

    async def write(self, octets: bytes) -> None:
        self.peer.sent += octets if len(self.peer.sent) < 1_000_000 else b""
        self.writer.write(octets)
        await self.writer.drain()
