"""Receiving servers for the server tests: SMTP and LMTP over asyncio, each with the manners of one kind of provider.

What a recipient gets is chosen by the first part of the local part (``nouser-7@…`` is refused, ``grey-7@…``
deferred once); what a connection gets is chosen by the host.  Everything answered is recorded, so that a
test can compare a log's story with what the other side really said.  Standard library only.
"""

import asyncio
import contextlib
import email.parser
import itertools
import json
import smtplib
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_LINE = 64 * 1024
MAX_MESSAGE = 4 * 1024 * 1024


@dataclass(frozen=True)
class Manner:
    """How one receiving host behaves."""

    name: str
    ip: str
    port: int = 25
    style: str = "postfix"
    tls: bool = False
    smtputf8: bool = False
    lmtp: bool = False
    greeting_421: int = 0
    """How many connections are turned away with 421 before one is served."""
    greeting_554: bool = False
    reinject: tuple[str, int] | None = None
    """A content filter: every message is handed back to this address before it is answered."""


Outcome = tuple[int, str, str]
"""Reply code, enhanced status code (or empty) and text, lines separated by ``\\n``."""

AT_RCPT: dict[str, Outcome] = {
    "nouser": (550, "5.1.1", "The email account that you tried to reach does not exist."),
    "full": (452, "4.2.2", "The recipient's inbox is out of storage space."),
    "grey": (450, "4.2.0", "Greylisted, please try again in 1 second"),
    "later": (451, "4.7.1", "Service unavailable - try again later"),
}
AT_RCPT_LINES: dict[str, Outcome] = {
    # The same refusal as a provider that answers in several lines gives it.
    "nouser": (550, "5.1.1", "The email account that you tried to reach does not exist.\nPlease try double-checking"),
}
AT_END: dict[str, Outcome] = {
    "policy": (550, "5.7.26", "This mail has been blocked because the sender is unauthenticated.\nSee the manual"),
    "spam": (554, "5.7.1", "Message rejected as spam"),
}


@dataclass
class Records:
    """What the receiving side said, in order."""

    path: Path
    entries: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **entry: Any) -> None:
        with self.lock:
            entry["at"] = time.time()
            self.entries.append(entry)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def of(self, recipient: str, kind: str | None = None) -> list[dict[str, Any]]:
        with self.lock:
            return [e for e in self.entries if e.get("rcpt") == recipient and kind in (None, e["kind"])]


class _Closed(Exception):  # noqa: N818  (a way out of the session loop, not an error)
    pass


class Session:
    """One SMTP or LMTP connection."""

    def __init__(
        self, sink: "Sink", manner: Manner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.sink, self.manner, self.reader, self.writer = sink, manner, reader, writer
        self.tls: str | None = None
        self.peer = writer.get_extra_info("peername")[0]
        self.reset()

    def reset(self) -> None:
        self.reverse_path: str | None = None
        self.recipients: list[str] = []
        self.chunks = bytearray()

    async def say(self, code: int, text: str, status: str = "") -> None:
        lines = text.split("\n")
        prefix = f"{status} " if status else ""
        for n, line in enumerate(lines):
            mark = " " if n == len(lines) - 1 else "-"
            self.writer.write(f"{code}{mark}{prefix}{line}\r\n".encode())
        await self.writer.drain()

    async def run(self) -> None:
        manner = self.manner
        turn = next(self.sink.turns[manner.name, manner.ip])
        if manner.greeting_554:
            self.note("connection", 554, "", "No SMTP service here")
            await self.say(554, "No SMTP service here")
            return
        if turn < manner.greeting_421:
            self.note("connection", 421, "", f"{manner.name} Service busy, please try later")
            await self.say(421, f"{manner.name} Service busy, please try later")
            return
        await self.say(220, f"{manner.name} {'LMTP' if manner.lmtp else 'ESMTP'}")
        while True:
            raw = await self.reader.readline()
            if not raw or len(raw) > MAX_LINE:
                return
            line = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
            verb, _, argument = line.partition(" ")
            handler = getattr(self, "do_" + verb.lower(), None) if verb.isalpha() else None
            if handler is None:
                await self.say(502, "Command not recognized", "5.5.2")
            else:
                await handler(argument)

    def note(self, kind: str, code: int, status: str, text: str, rcpt: str | None = None, **more: Any) -> None:
        self.sink.records.add(
            kind=kind,
            rcpt=rcpt,
            code=code,
            status=status,
            text=text,
            host=self.manner.name,
            ip=self.manner.ip,
            port=self.manner.port,
            peer=self.peer,
            tls=self.tls,
            **more,
        )

    async def do_ehlo(self, _argument: str) -> None:
        offers = [self.manner.name, "PIPELINING", "SIZE 35882577", "8BITMIME", "ENHANCEDSTATUSCODES"]
        if self.manner.tls and self.tls is None:
            offers.append("STARTTLS")
        if self.manner.style == "gmail":
            offers.append("CHUNKING")
        if self.manner.smtputf8:
            offers.append("SMTPUTF8")
        await self.say(250, "\n".join(offers))

    do_helo = do_lhlo = do_ehlo

    async def do_starttls(self, _argument: str) -> None:
        await self.say(220, "Ready to start TLS", "2.0.0")
        await self.writer.start_tls(self.sink.context)
        self.tls = self.writer.get_extra_info("ssl_object").version()
        self.reset()

    async def do_mail(self, argument: str) -> None:
        self.reset()
        self.reverse_path = _path(argument)
        await self.say(250, "Ok", "2.1.0")

    async def do_rcpt(self, argument: str) -> None:
        rcpt = _path(argument)
        outcome = self.sink.at_rcpt(self.manner, rcpt)
        if outcome is not None:
            code, status, text = outcome
            self.note("rcpt", code, status, text, rcpt)
            await self.say(code, text, status)
            return
        self.recipients.append(rcpt)
        await self.say(250, "Ok", "2.1.5")

    async def do_data(self, _argument: str) -> None:
        if not self.recipients:
            await self.say(554, "no valid recipients", "5.5.1")
            return
        await self.say(354, "End data with <CR><LF>.<CR><LF>")
        body = bytearray()
        while (line := await self.reader.readline()) != b".\r\n":
            if not line or len(body) > MAX_MESSAGE:
                raise _Closed
            body += line[1:] if line.startswith(b".") else line
        await self.end(bytes(body))

    async def do_bdat(self, argument: str) -> None:
        size, _, last = argument.partition(" ")
        if not size.isdigit() or int(size) + len(self.chunks) > MAX_MESSAGE:
            raise _Closed
        self.chunks += await self.reader.readexactly(int(size))
        if not self.recipients:  # pipelined after a refused RCPT (RFC 3030 §2): the octets are read and dropped
            self.chunks.clear()
            await self.say(503, "no valid recipients", "5.5.1")
        elif last.upper() == "LAST":
            await self.end(bytes(self.chunks))
        else:
            await self.say(250, f"{size} octets received", "2.0.0")

    async def end(self, message: bytes) -> None:
        """The reply after the end of DATA: the only one that hands responsibility over (RFC 5321 §4.1.1.4)."""
        message_id = email.parser.BytesHeaderParser().parsebytes(message).get("Message-ID", "").strip("<> \r\n\t")
        serial = next(self.sink.serial)
        rcpts, first = list(self.recipients), self.recipients[0]
        if any(r.startswith("drop") for r in rcpts):
            for rcpt in rcpts:
                self.note("dropped", 0, "", "", rcpt, message_id=message_id)
            raise _Closed
        if self.manner.reinject is not None:
            code, status, text, remote = await asyncio.to_thread(self.hand_back, message)
        else:
            code, status, text, remote = self.verdict(first, message_id, serial, len(message))
        saved = self.sink.keep(serial, message)
        for rcpt in rcpts if self.manner.lmtp else [first]:
            shown = f"<{rcpt}> {remote} Saved" if self.manner.lmtp and code == 250 else text
            await self.say(code, shown, status)
        for rcpt in rcpts:
            self.note("end", code, status, text, rcpt, message_id=message_id, remote=remote, file=saved)
        if code == 250 and any(r.startswith("bounce") for r in rcpts) and self.reverse_path:
            self.sink.bounce_later(self.manner, self.reverse_path, first, message_id)
        self.reset()

    def verdict(self, rcpt: str, message_id: str, serial: int, size: int) -> tuple[int, str, str, str | None]:
        if outcome := AT_END.get(self.sink.behaviour(rcpt)):
            return *outcome, None
        name = f"{serial:04X}"
        match self.manner.style:
            case "gmail":
                remote = f"d9443c01a7336-2bfac2{name.lower()}si1234567890ab.{100 + serial}"
                return 250, "2.0.0", f"OK  {int(time.time())} {remote} - gsmtp", remote
            case "exim":
                remote = f"{_digits(int(time.time()), BASE62)}-0000000{name}-2AbC"
                return 250, "", f"OK id={remote}", remote
            case "sendmail":
                remote = f"5AM7{name}012345"
                return 250, "2.0.0", f"{remote} Message accepted for delivery", remote
            case "multiline":
                remote = f"ML{name}"
                return 250, "2.0.0", f"Thank you\nfor {size} octets\nqueued as {remote}", remote
            case _:
                remote = _postfix_id(name)
                return 250, "2.0.0", f"Ok: queued as {remote}", remote

    def hand_back(self, message: bytes) -> tuple[int, str, str, str | None]:
        """Re-inject as a content filter does, and answer with what the queue behind it said."""
        assert self.manner.reinject is not None
        host, port = self.manner.reinject
        with smtplib.SMTP(host, port, local_hostname=self.manner.name, timeout=10) as client:
            client.ehlo()
            client.mail(self.reverse_path or "", [])
            for rcpt in self.recipients:
                client.rcpt(rcpt)
            code, text = client.data(message)
        words = text.decode("utf-8", "replace")
        return code, "2.0.0", f"from MTA(smtp:[{host}]:{port}): {code} {words}", words.rpartition(" ")[2]

    async def do_rset(self, _argument: str) -> None:
        self.reset()
        await self.say(250, "Ok", "2.0.0")

    async def do_noop(self, _argument: str) -> None:
        await self.say(250, "Ok", "2.0.0")

    async def do_quit(self, _argument: str) -> None:
        await self.say(221, "Bye", "2.0.0")
        raise _Closed


def _path(argument: str) -> str:
    """The mailbox between the angle brackets; quoted local parts with ``>`` are not needed here."""
    return argument.partition("<")[2].partition(">")[0]


BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"


def _digits(number: int, alphabet: str, width: int = 1) -> str:
    out = ""
    while number or len(out) < width:
        number, rest = divmod(number, len(alphabet))
        out = alphabet[rest] + out
    return out


def _postfix_id(inode: str) -> str:
    """A long queue id with a true clock, since readers may check it: seconds, microseconds, ``z``, inode."""
    now = time.time()
    return (
        _digits(int(now), BASE52, 6) + _digits(int(now % 1 * 1e6), BASE52, 4) + "z" + _digits(int(inode, 16), BASE52, 3)
    )


class Sink:
    """All receiving servers, in one event loop on one thread."""

    def __init__(
        self, manners: list[Manner], folder: Path, context: ssl.SSLContext, own_mx: str, roles: dict[str, str]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.roles = roles
        self.manners, self.folder, self.context, self.own_mx = manners, folder, context, own_mx
        self.records = Records(folder / "records.jsonl")
        self.serial: Iterator[int] = itertools.count(1)
        self.turns = {(m.name, m.ip): itertools.count() for m in manners}
        self.seen: Counter[str] = Counter()
        self.released: set[str] = set()
        self.loop = asyncio.new_event_loop()
        self.pending: list[threading.Timer] = []

    def behaviour(self, rcpt: str) -> str:
        return self.roles.get(rcpt) or rcpt.partition("@")[0].partition("-")[0]

    def at_rcpt(self, manner: Manner, rcpt: str) -> Outcome | None:
        self.seen[rcpt] += 1
        behaviour = self.behaviour(rcpt)
        if behaviour == "grey" and self.seen[rcpt] > 1:
            return None
        if behaviour == "later" and rcpt in self.released:
            return None
        if manner.style == "gmail" and behaviour in AT_RCPT_LINES:
            return AT_RCPT_LINES[behaviour]
        return AT_RCPT.get(behaviour)

    def keep(self, serial: int, message: bytes) -> str:
        path = self.folder / f"{serial:04d}.eml"
        path.write_bytes(message)
        return path.name

    def bounce_later(self, manner: Manner, reverse_path: str, rcpt: str, message_id: str) -> None:
        """A failure notice after acceptance (RFC 3464), as a host sends it that finds the mailbox gone."""
        text = (
            f"From: Mail Delivery System <MAILER-DAEMON@{manner.name}>\r\nTo: {reverse_path}\r\n"
            "Subject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n"
            f"Message-ID: <dsn.{int(time.time())}@{manner.name}>\r\nAuto-Submitted: auto-replied\r\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
            "--b\r\nContent-Type: text/plain\r\n\r\nYour message could not be delivered.\r\n"
            f"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; {manner.name}\r\n\r\n"
            f"Final-Recipient: rfc822; {rcpt}\r\nAction: failed\r\nStatus: 5.2.1\r\n"
            f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{message_id}>\r\n\r\n--b--\r\n"
        )

        def send() -> None:
            with smtplib.SMTP(self.own_mx, 25, manner.name, timeout=10, source_address=(manner.ip, 0)) as client:
                client.sendmail("", [reverse_path], text)

        timer = threading.Timer(0.5, send)
        self.pending.append(timer)
        timer.start()

    def release(self, rcpt: str) -> None:
        self.released.add(rcpt)

    async def _serve(self, manner: Manner) -> None:
        async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(_Closed, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await Session(self, manner, reader, writer).run()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                writer.close()
                await writer.wait_closed()

        await asyncio.start_server(session, manner.ip, manner.port, limit=MAX_LINE)

    def start(self) -> None:
        asyncio.set_event_loop(self.loop)
        for manner in self.manners:
            self.loop.run_until_complete(self._serve(manner))
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def wait(self, done: Callable[[Records], bool], seconds: float) -> bool:
        """Whether ``done`` became true in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if done(self.records):
                return True
            time.sleep(0.2)
        return False
