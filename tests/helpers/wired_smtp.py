"""A mail server at the other end of a pair of sockets, for blocking clients; nothing is listened on."""

import smtplib
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import ClassVar

from deliverability.evidence.recorder import Record

TAKEN = "250 2.0.0 Ok: queued as 4XyZ1234567abcd"
Says = dict[str, str | None]


class Server(threading.Thread):
    """Answers each command as ``says`` has it; ``None`` closes the connection instead."""

    def __init__(self, end: socket.socket, says: Says) -> None:
        super().__init__(daemon=True)
        self.end, self.says, self.messages = end, says, list[bytes]()

    def run(self) -> None:
        with self.end, self.end.makefile("rb") as lines:
            if not self.say("greeting", "220 mx.example ESMTP"):
                return
            for line in lines:
                word = line.split()[0].decode().lower()
                exact = line.strip().decode("utf-8", "replace").replace(" to:", " TO:")  # Python 3.12 on
                key = exact if exact in self.says else word
                usual = {"ehlo": "250-mx.example\n250 SIZE 1000000", "data": "354 go on", "quit": "221 bye"}
                if not self.say(key, usual.get(word, "250 2.1.0 Ok")) or word == "quit":
                    return
                if word == "data" and (self.says.get("data") or "354").startswith("354") and not self.body(lines):
                    return

    def body(self, lines: Iterator[bytes]) -> bool:
        if self.says.get("body", "") is None:
            return False
        content = b""
        for line in lines:
            if line == b".\r\n":
                break
            content += line.removeprefix(b".")
        self.messages.append(content)
        return self.say("final", TAKEN)

    def say(self, step: str, usual: str) -> bool:
        reply = self.says.get(step, usual)
        if reply is None:
            return False
        try:
            self.end.sendall(reply.replace("\n", "\r\n").encode() + b"\r\n")
        except OSError:
            return False
        return True


class Memory:
    """Keeps records; fails for those of the kinds in ``fails``."""

    def __init__(self, *fails: type[Record]) -> None:
        self.records: list[Record] = []
        self.fails = fails

    def record(self, records: Sequence[Record]) -> None:
        if isinstance(records[0], self.fails):
            raise OSError("disk")
        self.records += records


class Wired(smtplib.SMTP):
    """Connected to a :class:`Server` of its own."""

    says: ClassVar[Says] = {}

    def _get_socket(self, *_: object) -> socket.socket:
        mine, other = socket.socketpair()
        self.server = Server(other, self.says)
        self.server.start()
        OPEN.append(self)
        return mine


OPEN: list[Wired] = []


def close_all() -> None:
    """End what a test has connected."""
    while OPEN:
        client = OPEN.pop()
        client.close()
        client.server.join()
