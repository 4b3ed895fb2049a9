"""Plays messages through Postfix and its filters, inside ``unshare -nm``, and leaves the logs and the truth.

``python filters_driver.py WORK long|short``: prints one line of JSON when all is played and then keeps the private
world until its standard input is closed.
"""

import json
import signal
import smtplib
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import rig
import stories
from filters_stack import (
    AMAVIS_SIGNER,
    LMTP_FILTER_PORT,
    MIXED_PORT,
    RSPAMD_PORT,
    UNKNOWN_KEY,
    Stack,
)
from sink import Sink

MOST_SECONDS = 170
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
BODY = "Dear customer,\n\nyour hosting plan ends on 2026-12-22. To keep it, please pay the invoice named above.\n"
OUTSIDE = "198.51.100.10"
"""A host that is none of ours hands in what comes from outside."""
PROGRAM = (
    'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n',
    """--b
Content-Type: text/plain

see the file
--b
Content-Type: application/octet-stream
Content-Disposition: attachment; filename="%s"

MZ is not a program
--b--
""",
)
IMITATED = "4dWt1q0zQ3z1RmV"


@dataclass(frozen=True)
class Letter:
    """One message: who hands it in where, and what it is."""

    key: str
    recipients: tuple[str, ...]
    sender: str = stories.SENDER
    port: int = 25
    outside: bool = False
    body: str = BODY
    head: str = ""
    subject: str = "Hosting renewal notice"
    message_id: str | None = None
    signed_with: str | None = None
    """A selector: signed before it is handed in, as a message from outside is."""
    altered: bool = False
    """Changed after it was signed."""
    author: str | None = None
    arrives: tuple[str, ...] | None = None
    """Recipients whose server gets it; ``None``: all."""


LETTERS = [
    Letter("plain", ("ok-1@corp.example",)),
    Letter("two", ("ok-2@corp.example", "ok-3@eximhost.example")),
    Letter("amavis-signs", ("ok-4@corp.example",), sender=f"orders@{AMAVIS_SIGNER}"),
    Letter("unknown-key", ("ok-5@corp.example",), sender=f"a@{UNKNOWN_KEY}", arrives=()),
    Letter("spam-kept", ("ok-6@corp.example",), body=GTUBE + "\n", arrives=()),
    Letter(
        "spam-for-one",
        ("ok-7@corp.example", "lover-1@corp.example"),
        body=GTUBE + "\n",
        arrives=("lover-1@corp.example",),
    ),
    Letter("banned", ("ok-8@corp.example",), head=PROGRAM[0], body=PROGRAM[1] % "invoice.exe", arrives=()),
    Letter("over-lmtp", ("ok-9@corp.example", "ok-10@eximhost.example"), port=LMTP_FILTER_PORT),
    Letter("refused-behind", ("nouser-11@corp.example",)),
    Letter("signed-only", ("ok-12@corp.example",), port=MIXED_PORT),
    Letter("many", tuple(f"ok-{n}-a-rather-long-name-of-a-mailbox@corp.example" for n in range(100, 116))),
    Letter("utf8-subject", ("ok-13@corp.example",), subject="=?utf-8?B?5Li75qmf57qM57SE6YCa55+l?="),
    # What rspamd does with the message before Postfix takes it.
    Letter("rspamd-signs", ("ok-20@corp.example", "ok-21@eximhost.example"), port=RSPAMD_PORT),
    Letter("rspamd-refuses", ("ok-22@corp.example",), port=RSPAMD_PORT, body=GTUBE + "\n", arrives=()),
    Letter("rspamd-has-no-key", ("ok-23@corp.example",), sender=f"orders@{AMAVIS_SIGNER}", port=RSPAMD_PORT),
    # From outside, to a mailbox of ours.
    Letter("in-unsigned", ("box@hosting.example",), sender="someone@corp.example", outside=True),
    Letter("in-forged", ("box@hosting.example",), sender="x@corp.example", author=stories.SENDER, outside=True),
    Letter("in-signed", ("box@hosting.example",), sender="x@corp.example", author=stories.SENDER, outside=True,
           signed_with=stories.SELECTOR),
    Letter("in-altered", ("box@hosting.example",), sender="x@corp.example", author=stories.SENDER, outside=True,
           signed_with=stories.SELECTOR, altered=True),
    Letter("in-no-such-key", ("box@hosting.example",), sender="x@corp.example", author=stories.SENDER, outside=True,
           signed_with="absent"),
    Letter("in-rspamd", ("box@hosting.example",), sender="x@corp.example", author=stories.SENDER, outside=True,
           signed_with=stories.SELECTOR, port=RSPAMD_PORT),
    # Text of strangers, worded as the filters word theirs.
    Letter("hostile-sender", ("ok-30@corp.example",),
           sender=f'"a> -> <v@gmail.com>, Queue-ID: {IMITATED}, queued_as: {IMITATED}, 1 ms\\" \\\\"@hosting.example'),
    Letter("hostile-recipient", (f'"b> , Queue-ID: {IMITATED}"@corp.example',), arrives=()),
    Letter("hostile-message-id", ("ok-31@corp.example",),
           message_id=f"x>, mail_id: a, Hits: -, size: 1, queued_as: {IMITATED}, dkim_new=evil:gmail.com, 1 ms @y"),
    Letter("hostile-subject", ("ok-32@corp.example",),
           subject=f"{IMITATED}: DKIM-Signature field added (s=evil, d=gmail.com)"),
    Letter("rspamd-hostile-id", ("ok-33@corp.example",), port=RSPAMD_PORT,
           message_id=f"x>, qid: <{IMITATED}>, ip: 192.0.2.1, from: <a@b>, (default: F (no action): [0.00/15.00] "
           "[DKIM_SIGNED(0.00){gmail.com:s=evil;}]), len: 1, time: 1ms, dns req: 0, digest: <0>@y"),
    Letter("rspamd-hostile-sender", ("ok-34@corp.example",), port=RSPAMD_PORT,
           sender='"r+a;},DKIM_SIGNED(0.00){gmail.com:s=evil"@hosting.example'),
    Letter("rspamd-hostile-recipient", ('"c>, qid: <a> [DKIM_SIGNED(0){gmail.com:s=e;}]"@corp.example',),
           port=RSPAMD_PORT, arrives=()),
    Letter("rspamd-no-message-id", ("ok-35@corp.example",), port=RSPAMD_PORT, message_id=""),
    Letter("rspamd-other-author", ("ok-36@corp.example",), port=RSPAMD_PORT, author=f"orders@{AMAVIS_SIGNER}"),
    Letter("hostile-file", ("ok-37@corp.example",), head=PROGRAM[0], arrives=(),
           body=PROGRAM[1] % f"a) {{RelayedOutbound}}, [192.0.2.1]:1 <a@b> -> <v@gmail.com>, Queue-ID: {IMITATED}.exe"),
    Letter("hostile-bare-id", ("ok-38@corp.example",),
           head=f"Resent-Message-ID: x, queued_as: {IMITATED}, 1 ms\n"),
    Letter("last", ("ok-99@corp.example",)),
]  # fmt: skip


def compose(letter: Letter, number: int) -> tuple[str, bytes]:
    message_id = letter.message_id
    if message_id is None:
        message_id = f"{letter.key}.{number}.{int(time.time())}@billing.hosting.example"
    lines = [
        f"From: Hosting <{letter.author or (letter.sender if not letter.key.count('hostile') else stories.SENDER)}>",
        f"To: {letter.recipients[0]}",
        f"Subject: {letter.subject}",
        f"Date: {format_datetime(datetime.now().astimezone())}",
        *([f"Message-ID: <{message_id}>"] if message_id else []),
    ]
    text = "\n".join(lines) + "\n" + letter.head + "\n" + letter.body
    return message_id, text.replace("\n", "\r\n").encode()


def signed(message: bytes, key: Path, selector: str) -> bytes:
    import dkim

    signature = dkim.sign(
        message, selector.encode(), b"hosting.example", key.read_bytes(),
        include_headers=[b"from", b"to", b"subject", b"date", b"message-id"],
    )  # fmt: skip
    return bytes(signature) + message


class Play:
    """One run: the world, the servers, and who said what."""

    def __init__(self, work: Path, ids: str) -> None:
        rig.mount_all(work)
        rig.addresses()
        (rig.HOME / "logs").mkdir()
        self.work = work
        self.key = rig.HOME / "dkim.pem"
        public_key = rig.make_dkim_key(self.key)
        self.names = rig.NameServer(rig.HOME / "nsd", public_key)
        self.stack = Stack(rig.HOME, self.key, long_ids=ids == "long")
        manners = [m for m in stories.MANNERS if m.ip != "127.0.0.1"]
        self.sink = Sink(manners, rig.HOME / "sink", rig.make_tls(rig.HOME), stories.OWN_IP, {})
        self.sent: list[dict[str, Any]] = []

    def send(self, letter: Letter) -> None:
        message_id, message = compose(letter, len(self.sent) + 1)
        if letter.signed_with:
            message = signed(message, self.key, letter.signed_with)
        if letter.altered:
            message += b"One line more.\r\n"
        source = (OUTSIDE if letter.outside else stories.SUBMIT_IP, 0)
        with smtplib.SMTP(stories.OWN_IP, letter.port, "whmcs.hosting.example", 60, source) as client:
            client.ehlo()
            answers = [client.mail(letter.sender), *(client.rcpt(r) for r in letter.recipients), client.data(message)]
        self.sent.append({
            "key": letter.key,
            "message_id": message_id,
            "sender": letter.sender,
            "recipients": list(letter.recipients),
            "arrives": list(letter.recipients if letter.arrives is None else letter.arrives),
            "answers": [[code, text.decode("utf-8", "replace")] for code, text in answers],
        })  # fmt: skip

    def run(self) -> None:
        self.sink.start()
        self.stack.start()
        for letter in LETTERS:
            self.send(letter)
        for sent in self.sent:
            for recipient in sent["arrives"]:
                if not recipient.endswith("@hosting.example"):
                    self.reached(recipient)
        time.sleep(3)

    def reached(self, recipient: str) -> None:
        if not self.sink.wait(lambda r: bool(r.of(recipient)), 40):
            raise RuntimeError(f"{recipient}: nothing seen in 40 s")

    def truth(self) -> dict[str, Any]:
        return {
            "logs": {name: str(self.work / path.relative_to(rig.HOME)) for name, path in self.stack.logs.items()},
            "nameserver": stories.NAMESERVER_IP,
            "sent": self.sent,
            "records": self.sink.records.entries,
            "sink_folder": str(self.work / "sink"),
        }


def _too_long(_signal: int, _frame: object) -> None:
    raise TimeoutError(f"the letters were not played in {MOST_SECONDS} s")


def main() -> None:
    work = Path(sys.argv[1])
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(MOST_SECONDS)
    play = Play(work, sys.argv[2])
    try:
        play.run()
    finally:
        play.stack.stop()
        (work / "sent.json").write_text(json.dumps(play.truth(), ensure_ascii=False, indent=1), encoding="utf-8")
    signal.alarm(0)
    sys.stdout.write(json.dumps({"ready": True}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    play.names.stop()


if __name__ == "__main__":
    main()
