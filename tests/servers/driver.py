"""Plays the stories on one real mail server, inside ``unshare -nm``, and leaves its logs and the truth.

``python driver.py postfix|exim WORK [stories|demo]``: prints one line of JSON when all is played and then keeps
the private world (the name server above all) until its standard input is closed.
"""

import json
import signal
import smtplib
import sys
import time
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import rig
import stories
from mta_exim import Exim
from mta_postfix import Postfix
from sink import Sink

MOST_SECONDS = 140
BODY = """Dear customer,

your hosting plan ends on 2026-12-22. To keep it, please pay the invoice named above before that day;
after it, the account is suspended, and its data are kept for 30 days.

親愛的客戶，您好：

您的主機方案將於 2026-12-22 到期。如需續用，請於到期日前繳清主旨所列帳單；
逾期未繳，帳號將暫停服務，資料保留 30 天。

Hosting Example
"""


def compose(story: stories.Story, number: int) -> tuple[str, bytes]:
    name = story.key if story.invoice is None else f"INV-{story.invoice}"
    message_id = f"{name}.{number}.{int(time.time())}@billing.hosting.example"
    head = [
        b"From: Hosting <" + stories.SENDER.encode() + b">",
        b"To: " + ", ".join(story.recipients).encode(),
        b"Subject: " + story.subject,
        f"Date: {format_datetime(datetime.now().astimezone())}".encode(),
        f"Message-ID: <{message_id}>".encode(),
        b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 8bit",
    ]
    body = BODY.encode().replace(b"\n", b"\r\n")
    return message_id, b"\r\n".join(head) + b"\r\n\r\n" + body


def dkim_signed(message: bytes, key: Path) -> bytes:
    """The signature that a signing filter in front of Postfix would add."""
    import dkim

    signature = dkim.sign(
        message, stories.SELECTOR.encode(), b"hosting.example", key.read_bytes(),
        include_headers=[b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type"],
    )  # fmt: skip
    return bytes(signature) + message


class Play:
    """One run: the world, the server, and who said what."""

    def __init__(self, mta: str, work: Path, mode: str) -> None:
        rig.mount_all(work)
        home = rig.HOME
        rig.addresses()
        (home / "logs").mkdir()
        self.key = home / "dkim.pem"
        self.public_key = rig.make_dkim_key(self.key)
        self.names = rig.NameServer(home / "nsd", self.public_key)
        self.server = Postfix(home, self.key) if mta == "postfix" else Exim(home, self.key)
        manners = [*stories.MANNERS, stories.FILTER]
        roles = stories.DEMO_BEHAVIOUR if mode == "demo" else {}
        self.sink = Sink(manners, home / "sink", rig.make_tls(home), stories.OWN_IP, roles)
        self.sent: list[dict[str, Any]] = []
        self.work, self.mode = work, mode

    def send(self, story: stories.Story) -> None:
        message_id, message = compose(story, len(self.sent) + 1)
        if self.server.name == "postfix":
            message = dkim_signed(message, self.key)
        self.sent.append({
            "key": story.key,
            "message_id": message_id,
            "recipients": list(story.recipients),
            "expect": {to: self.expected(state) for to, state in story.expect.items()},
            "sink_rcpt": story.sink_rcpt,
            "subject": story.decoded or story.subject.decode(),
            "refused_here": story.refused_here,
        })  # fmt: skip
        if story.submit == "sendmail":
            self.server.sendmail(message, story.recipients[0])
            return
        source = (stories.SUBMIT_IP, 0)
        with smtplib.SMTP(stories.OWN_IP, 25, "whmcs.hosting.example", timeout=20, source_address=source) as client:
            client.ehlo()
            client.mail(stories.SENDER, ["SMTPUTF8", "BODY=8BITMIME"] if story.smtputf8 else ["BODY=8BITMIME"])
            if story.smtputf8:
                client.command_encoding = "utf-8"
            codes = [client.rcpt(rcpt)[0] for rcpt in story.recipients]
            if any(code == 250 for code in codes):
                client.data(message)

    def expected(self, state: str) -> str:
        exim, _, postfix = state.partition("/")
        return postfix if postfix and self.server.name == "postfix" else exim

    def reached(self, recipient: str, kind: str = "end", count: int = 1) -> None:
        if not self.sink.wait(lambda r: len(r.of(recipient, kind)) >= count, 45):
            raise RuntimeError(f"{recipient}: {kind} not seen in 45 s")

    def wait_for_log(self, text: str) -> None:
        log = next(iter(self.server.logs.values()))
        if not self.sink.wait(lambda _: text.encode() in log.read_bytes(), 45):
            raise RuntimeError(f"{text!r} not seen in {log.name} in 45 s")

    def run(self) -> None:
        self.sink.start()
        self.server.start()
        self.sink.wait(lambda _: _listening(stories.OWN_IP), 15)
        if self.mode == "demo":
            self.play_demo()
        else:
            self.play_stories()

    def play_demo(self) -> None:
        self.server.keep_trying()
        told = stories.DEMO[self.server.name]
        for story in told:
            self.send(story)
            time.sleep(1.1)
        for story in told:
            for recipient, state in story.expect.items():
                if state == "accepted":
                    self.reached(recipient)
        time.sleep(2)

    def play_stories(self) -> None:
        told = [s for s in stories.STORIES if s.only in (None, self.server.name)]
        expired = next(s for s in told if s.key == "expired")
        self.send(expired)
        if self.server.name == "postfix":
            self.play_short_ids()
        self.server.keep_trying()
        for story in told:
            if story is not expired:
                self.send(story)
        self.reached("later-1@corp.example", "rcpt")
        self.reached("later-2@corp.example", "rcpt")
        self.reached("later-3@corp.example", "rcpt")
        self.server.cancel("later-2@corp.example")
        self.server.hold("later-3@corp.example")
        if isinstance(self.server, Exim):
            self.reached("later-4@corp.example", "rcpt")
            self.server.mark_delivered("later-4@corp.example")
        self.sink.release("later-1@corp.example")
        self.server.requeue("later-1@corp.example")
        for story in told:
            for recipient, state in story.expect.items():
                if state in ("accepted", "handed-over") and not recipient.endswith("banner421.example"):
                    self.reached(story.sink_rcpt.get(recipient, recipient))
        self.reached("ok-6@banner421.example")
        if self.server.name == "exim":
            self.wait_for_log("retry timeout exceeded")
        self.sink.wait(lambda r: len(r.of(stories.SENDER)) >= 1, 20)
        time.sleep(2)

    def play_short_ids(self) -> None:
        """Postfix starts with short ids and a short patience; both end when its queue is empty."""
        for story in stories.SHORT_ID_STORIES:
            self.send(story)
        self.reached("grey-80@hinet.net")
        self.wait_for_log("status=expired")
        time.sleep(0.5)

    def truth(self) -> dict[str, Any]:
        return {
            "mta": self.server.name,
            "version": self.server.version(),
            "logs": {name: str(self.work / path.relative_to(rig.HOME)) for name, path in self.server.logs.items()},
            "nameserver": stories.NAMESERVER_IP,
            "from_ip": stories.OWN_IP,
            "sent": self.sent,
            "records": self.sink.records.entries,
            "sink_folder": str(self.work / "sink"),
            "zone": stories.zone_lines(self.public_key),
        }


def _listening(ip: str) -> bool:
    try:
        smtplib.SMTP(ip, 25, timeout=2).quit()
    except OSError:
        return False
    return True


def _too_long(_signal: int, _frame: object) -> None:
    raise TimeoutError(f"the stories were not played in {MOST_SECONDS} s")


def main() -> None:
    mta, work = sys.argv[1], Path(sys.argv[2])
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(MOST_SECONDS)
    play = Play(mta, work, sys.argv[3] if len(sys.argv) > 3 else "stories")
    try:
        play.run()
    finally:
        play.server.stop()
        (work / "sent.json").write_text(json.dumps(play.truth(), ensure_ascii=False, indent=1), encoding="utf-8")
    signal.alarm(0)
    sys.stdout.write(json.dumps({"ready": True}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    play.names.stop()


if __name__ == "__main__":
    main()
