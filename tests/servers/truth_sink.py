"""A receiving server whose answers :mod:`truth_words` decides, and which writes down each of them.

What it answered, to whom and at which stage, is the truth that the log reader is held against.  Standard library only.
"""

import asyncio
import contextlib
import re
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from truth_words import Fate, Fates

MAX_LINE = 64 * 1024
MAX_MESSAGE = 4 * 1024 * 1024
HANG_SECONDS = 60.0
"""Longer than any time-out of the senders; ended when the sender hangs up."""


@dataclass(frozen=True)
class Host:
    """One receiving host."""

    name: str
    ip: str
    port: int = 25
    pipelining: bool = True
    starttls: str = ""
    """``works``, ``refused`` (454), ``drops``, ``garbage``; empty: not offered."""
    smtputf8: bool = True
    lmtp: bool = False
    enhanced: bool = True
    filter_to: tuple[str, int] | None = None
    """A content filter: what it takes is handed back here before it is answered."""
    kind: bool = False
    """It never fails by itself."""


@dataclass
class Truth:
    """What was said, in order."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **entry: Any) -> dict[str, Any]:
        with self.lock:
            entry["at"] = time.time()
            self.entries.append(entry)
        return entry


class _Closed(Exception):  # noqa: N818  (a way out of the session loop)
    pass


class Session:
    """One connection."""

    def __init__(self, sink: "Sink", host: Host, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sink, self.host, self.reader, self.writer = sink, host, reader, writer
        self.fates, self.truth = sink.fates, sink.truth
        self.conn = next(sink.serial)
        self.esmtp = True
        self.tls = False
        self.greeted = ""
        self.reset()

    def reset(self) -> None:
        self.sender: str | None = None
        self.asked = ""
        """The sender as it was given, also where it was refused."""
        self.rcpts: list[str] = []
        self.tx = next(self.sink.serial)
        self.swallow = False

    def note(self, kind: str, stage: str, **more: Any) -> dict[str, Any]:
        return self.truth.add(
            kind=kind, stage=stage, host=self.host.name, ip=self.host.ip, conn=self.conn, tx=self.tx,
            sender=self.asked, **more,
        )  # fmt: skip

    async def say(self, code: int, lines: tuple[bytes, ...]) -> None:
        out = b"".join(
            b"%d%s%s\r\n" % (code, b" " if n == len(lines) - 1 else b"-", line) for n, line in enumerate(lines)
        )
        self.writer.write(out)
        await self.writer.drain()

    async def meet(self, stage: str, fate: Fate, **about: Any) -> None:
        """Let the sender meet a fate that is no plain success; may end the session."""
        said = {"code": fate.code, "lines": [line.decode("latin-1") for line in fate.lines]}
        match fate.how:
            case "reply":
                self.note("reply", stage, **about, **said)
                await self.say(fate.code, fate.lines)
            case "close":
                self.note("reply", stage, closes=True, **about, **said)
                await self.say(fate.code, fate.lines)
                raise _Closed
            case "partial":
                self.note("silence", stage, how="partial", **about, **said)
                self.writer.write(b"%d-%s\r\n" % (fate.code, fate.lines[0]))
                await self.writer.drain()
                raise _Closed
            case "reset":
                self.note("silence", stage, how="reset", **about)
                sock = self.writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.writer.transport.abort()
                raise _Closed
            case "hang":
                self.note("silence", stage, how="hang", **about)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.reader.read(), HANG_SECONDS)
                raise _Closed
            case _:
                self.note("silence", stage, how="drop", **about)
                raise _Closed

    async def run(self) -> None:
        fate = self.fates.at("connect", self.host.ip, kind=self.host.kind)
        if fate.how != "ok":
            await self.meet("connect", fate)
        await self.say(220, (self.host.name.encode() + (b" LMTP" if self.host.lmtp else b" ESMTP"),))
        while True:
            raw = await self.reader.readline()
            if not raw or len(raw) > MAX_LINE:
                return
            line = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
            verb, _, argument = line.partition(" ")
            handler = getattr(self, "do_" + verb.lower(), None) if verb.isalpha() else None
            if handler is None:
                await self.say(502, (b"5.5.2 Command not recognized",))
            else:
                await handler(argument)

    async def do_ehlo(self, _argument: str) -> None:
        fate = self.fates.at("ehlo", self.host.ip, kind=self.host.kind) if not self.tls else Fate()
        if fate.how != "ok":
            await self.meet("ehlo", fate)
            return
        host = self.host
        offers = [host.name, "SIZE 35882577", "8BITMIME"]
        offers += ["PIPELINING"] if host.pipelining else []
        offers += ["ENHANCEDSTATUSCODES"] if host.enhanced else []
        offers += ["STARTTLS"] if host.starttls and not self.tls else []
        offers += ["SMTPUTF8"] if host.smtputf8 else []
        await self.say(250, tuple(o.encode() for o in offers))

    do_lhlo = do_ehlo

    async def do_helo(self, _argument: str) -> None:
        fate = self.fates.at("ehlo", self.host.ip, kind=self.host.kind)
        if fate.how != "ok":
            await self.meet("ehlo", fate)
            return
        await self.say(250, (self.host.name.encode(),))

    async def do_starttls(self, _argument: str) -> None:
        match self.host.starttls:
            case "works":
                await self.say(220, (b"2.0.0 Ready to start TLS",))
                await self.writer.start_tls(self.sink.context)
                self.tls = True
                self.reset()
            case "refused":
                await self.meet("starttls", self.fates.bad(4, 454))
            case "drops":
                await self.say(220, (b"2.0.0 Ready to start TLS",))
                raise _Closed
            case _:
                await self.say(220, (b"2.0.0 Ready to start TLS",))
                self.writer.write(b"this is no TLS record\r\n")
                await self.writer.drain()
                raise _Closed

    async def do_mail(self, argument: str) -> None:
        self.reset()
        self.sender = self.asked = path(argument)
        fate = self.fates.at("mail", self.sender, kind=self.host.kind) if self.sender else Fate()
        if fate.how != "ok":
            await self.meet("mail", fate)
            self.sender = None
            return
        await self.say(250, (b"2.1.0 Ok",))

    async def do_rcpt(self, argument: str) -> None:
        rcpt = path(argument)
        if self.sender is None:
            await self.meet(
                "rcpt", Fate("reply", 503, (f"5.5.1 {self.fates.words.token()} need MAIL".encode(),)), rcpt=rcpt
            )
            return
        fate = self.fates.at("rcpt", f"{self.sender}|{rcpt}", kind=self.host.kind)
        if fate.how not in ("ok", "reply") or fate.code // 100 != 2:
            await self.meet("rcpt", fate, rcpt=rcpt)
            return
        self.rcpts.append(rcpt)
        self.note("taken", "rcpt", rcpt=rcpt)
        await self.say(fate.code, fate.lines if fate.how == "reply" else (b"2.1.5 Ok",))

    async def do_data(self, _argument: str) -> None:
        if not self.rcpts:
            text = f"5.5.1 {self.fates.words.token()} no valid recipients"
            await self.meet("data", Fate("reply", 503 if self.sender is None else 554, (text.encode(),)))
            return
        key = f"{self.sender}|{','.join(self.rcpts)}"
        fate = self.fates.at("data", key, kind=self.host.kind)
        if fate.how != "ok":
            await self.meet("data", fate, rcpts=list(self.rcpts))
            return
        await self.say(354, (b"End data with <CR><LF>.<CR><LF>",))
        broken = self.fates.at("body", key, kind=self.host.kind)
        body = bytearray()
        while (line := await self.reader.readline()) != b".\r\n":
            if not line or len(body) > MAX_MESSAGE:
                self.note("silence", "data", how="sender-left", rcpts=list(self.rcpts))
                raise _Closed
            body += line[1:] if line.startswith(b".") else line
            if broken.how != "ok" and b"\r\n\r\n" in body:
                await self.meet("body", broken, rcpts=list(self.rcpts))
        await self.end(bytes(body))

    async def end(self, message: bytes) -> None:
        """The reply to the final dot: the only one that takes the message on (RFC 5321 §4.1.1.4)."""
        head = message.partition(b"\r\n\r\n")[0]
        found = re.search(rb"(?im)^Message-ID:\s*<?([^\r\n]*?)>?\s*\r?$", head)
        mid = found[1].decode("utf-8", "replace") if found else ""
        ours = re.search(rb"(?i)\bid ([0-9A-Za-z-]{9,24})\b", head)
        if ours:
            self.fates.words.ours.append(ours[1].decode())
        for rcpt in self.rcpts if self.host.lmtp else [",".join(self.rcpts)]:
            rcpts = [rcpt] if self.host.lmtp else list(self.rcpts)
            if self.host.filter_to:
                await self.refilter(message, rcpts, mid)
                continue
            fate = self.fates.at("end", f"{self.sender}|{rcpt}", kind=self.host.kind)
            if fate.how != "ok":
                # An LMTP server that goes away leaves all that follow without their answer.
                left = self.rcpts[self.rcpts.index(rcpt) + 1 :] if self.host.lmtp and fate.how != "reply" else []
                if left:
                    self.note("silence", "end", how=fate.how, rcpts=left, mid=mid)
                await self.meet("end", fate, rcpts=rcpts, mid=mid)
                continue
            await self.accept(rcpts, mid, size=len(message))
        self.reset()

    async def accept(self, rcpts: list[str], mid: str, size: int) -> None:
        words = self.fates.words
        pick = words.random
        number = f"{self.sink.count():05X}"
        token = words.token()
        style = pick.choice(("postfix", "exim", "plain", "many", "nasty", "utf8", "empty"))
        remote: str | None = None
        match style:
            case "postfix":
                remote = f"B{number}C0DE"
                lines = (f"2.0.0 Ok: queued as {remote} {token}".encode(),)
            case "exim":
                remote = f"1vK{number[-3:]}-0000000{number[-4:]}-2AbC"
                lines = (f"OK id={remote} {token}".encode(),)
            case "many":
                lines = (f"2.0.0 {token} Thank you".encode(), b"2.0.0 for your octets", b"2.0.0 and good bye")
            case "nasty":
                lines = words.reply(2)
            case "utf8":
                lines = (f"2.0.0 {token} 已收到您的郵件".encode(),)
            case "empty":
                lines = (token.encode(),)
            case _:
                lines = (f"2.6.0 {token} message accepted, {size} octets".encode(),)
        code = pick.choice((250,) * 12 + (200, 251, 252)) if style == "plain" else 250
        entry = self.note(
            "accepted", "end", rcpts=rcpts, mid=mid, code=code, lines=[line.decode("latin-1") for line in lines],
            remote=remote,
        )  # fmt: skip
        try:
            await self.say(code, lines)
        except (ConnectionError, ssl.SSLError):
            entry["kind"] = "silence"
            entry["how"] = "unsent"
            raise

    async def refilter(self, message: bytes, rcpts: list[str], mid: str) -> None:
        """Hand it back to the sender's second port, and pass on what that said."""
        import smtplib

        assert self.host.filter_to
        where = self.host.filter_to

        def hand_back() -> tuple[int, bytes]:
            with smtplib.SMTP(*where, local_hostname=self.host.name, timeout=10) as client:
                client.ehlo()
                client.mail(self.sender or "", ["SMTPUTF8"] if any(not r.isascii() for r in rcpts) else [])
                client.command_encoding = "utf-8"
                for rcpt in rcpts:
                    client.docmd(f"RCPT TO:<{rcpt}>")
                return client.data(message)

        code, text = await asyncio.to_thread(hand_back)
        self.note("filtered", "end", rcpts=rcpts, mid=mid, code=code, lines=[text.decode("latin-1")])
        await self.say(code, (b"2.0.0 from MTA(smtp:[%s]:%d): %d " % (where[0].encode(), where[1], code) + text,))

    async def do_rset(self, _argument: str) -> None:
        self.reset()
        await self.say(250, (b"2.0.0 Ok",))

    async def do_noop(self, _argument: str) -> None:
        await self.say(250, (b"2.0.0 Ok",))

    async def do_quit(self, _argument: str) -> None:
        await self.say(221, (b"2.0.0 Bye",))
        raise _Closed


_PATH = re.compile(r'<((?:"(?:[^"\\]|\\.)*"|[^>"])*)>')


def path(argument: str) -> str:
    """The mailbox between the angle brackets, a quoted local part included."""
    found = _PATH.search(argument)
    return found[1] if found else ""


class Sink:
    """All receiving hosts, in one event loop on one thread."""

    def __init__(self, hosts: list[Host], context: ssl.SSLContext, seed: str) -> None:
        self.hosts, self.context = hosts, context
        self.fates, self.truth = Fates(seed), Truth()
        self.open = 0
        """Connections that stand."""
        self.serial = iter(range(1, 1 << 40))
        self._count = 0
        self.loop = asyncio.new_event_loop()

    def count(self) -> int:
        self._count += 1
        return self._count

    async def _serve(self, host: Host) -> None:
        async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.open += 1
            with contextlib.suppress(_Closed, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, OSError):
                await Session(self, host, reader, writer).run()
            with contextlib.suppress(ConnectionError, ssl.SSLError, OSError):
                writer.close()
                await writer.wait_closed()
            self.open -= 1

        await asyncio.start_server(session, host.ip, host.port, limit=MAX_LINE, backlog=512)

    def start(self) -> None:
        for host in self.hosts:
            self.loop.run_until_complete(self._serve(host))
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
