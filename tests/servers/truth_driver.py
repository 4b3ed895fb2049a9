"""Sends generated messages through a real mail server to the truth sink, inside ``unshare -nm``.

``python truth_driver.py postfix|exim|opensmtpd WORK SEED MESSAGES SECONDS`` leaves the logs and ``truth.json`` in WORK.  When the
time is over every greeting is a 421, so that nothing is under way when the queue is listed.
"""

import contextlib
import importlib
import json
import signal
import smtplib
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import rig
import stories
import truth_mails
import truth_sink

MOST_SECONDS = 110
QUIET_SECONDS = 20
OWN, RELAY, SUBMIT = "203.0.113.25", "203.0.113.27", "203.0.113.10"
KIND, DOWN = "198.51.100.200", "198.51.100.240"
LMTP_PORT, FILTER_PORT, REINJECT_PORT = 2424, 10024, 10025
STARTTLS = ("", "works", "", "refused", "works", "drops", "garbage", "")
CRASHING = ("drops", "garbage")
"""Answers to STARTTLS that end OpenSMTPD 6.8 itself (``double free or corruption``)."""
TWO_HOSTS = (1, 4, 7)
"""Of the domains ``s0.example`` to ``s7.example`` those with a second MX."""


def hosts() -> list[truth_sink.Host]:
    found = []
    for n in range(8):
        for letter in "ab" if n in TWO_HOSTS else "a":
            ip = f"198.51.100.{10 * (n + 1) + (letter == 'b')}"
            found.append(truth_sink.Host(
                f"mx{n}{letter}.example", ip, pipelining=n % 2 == 0, starttls=STARTTLS[n], smtputf8=n != 6,
            ))  # fmt: skip
    filter_to = ("127.0.0.1", REINJECT_PORT)
    return [
        *found,
        truth_sink.Host("mxk.example", KIND, kind=True),
        truth_sink.Host("store.example", "127.0.0.1", LMTP_PORT, lmtp=True),
        truth_sink.Host("filter.example", "127.0.0.1", FILTER_PORT, filter_to=filter_to, kind=True),
    ]


def addresses() -> dict[str, str]:
    names = {host.name: host.ip for host in hosts() if host.ip != "127.0.0.1"}
    own = {"out1.hosting.example": OWN, "relay2.hosting.example": RELAY, "client.example": SUBMIT}
    return names | own | {"mxdown.example": DOWN, "ns.hosting.example": stories.NAMESERVER_IP}


def zone_lines(_key: str) -> list[str]:
    mx = {f"s{n}.example": [f"mx{n}{letter}.example" for letter in ("ab" if n in TWO_HOSTS else "a")] for n in range(8)}
    mx |= {"hop.example": ["mx0a.example"], "filtered.example": ["mx2a.example"], "down.example": ["mxdown.example"]}
    mx |= {"sender.example": ["mxk.example"]}
    lines = [f"{name}. 300 IN A {ip}" for name, ip in addresses().items()]
    lines += [f"{stories.reverse_name(ip)} 300 IN PTR {name}." for name, ip in addresses().items()]
    for domain, names in mx.items():
        lines += [f"{p}{domain}. 300 IN MX {10 * n} {name}." for p in ("", "*.") for n, name in enumerate(names, 1)]
    return [*lines, "nullmx.example. 300 IN MX 0 ."]


class Play:
    """One run: the world, the server, and who said what."""

    def __init__(self, mta: str, work: Path, seed: str, count: int) -> None:
        stories.addresses, stories.zone_lines = addresses, zone_lines
        rig.mount_all(work)
        rig.addresses()
        self.work, self.home = work, rig.HOME
        (self.home / "logs").mkdir()
        self.names = rig.NameServer(self.home / "nsd", "")
        self.mails = truth_mails.generate(seed, count, filtered=mta == "postfix")
        found = hosts()
        if mta == "opensmtpd":
            found = [replace(host, starttls="" if host.starttls in CRASHING else host.starttls) for host in found]
        self.sink = truth_sink.Sink(found, rig.make_tls(self.home), seed)
        self.sink.fates.words.others += [address for mail in self.mails for address in mail.to]
        self.syslog = rig.SyslogReceiver(self.home / "logs", "out1.hosting.example")
        self.server = importlib.import_module(f"truth_{mta}").Server(self.home, self.mails)
        self.queue: list[list[str]] = []

    def send(self, mail: truth_mails.Mail) -> None:
        head = (
            f"From: Hosting <r@sender.example>\r\nTo: undisclosed-recipients:;\r\nSubject: Notice {mail.number}\r\n"
            f"Date: {formatdate(localtime=True)}\r\nMessage-ID: <{mail.message_id}>\r\n"
        )
        body = "\r\nDear customer,\r\n\r\nyour plan ends soon.\r\n"
        with smtplib.SMTP(OWN, 25, "client.example", timeout=20, source_address=(SUBMIT, 0)) as client:
            client.ehlo()
            client.command_encoding = "utf-8"
            client.docmd(f"MAIL FROM:<{mail.sender}>" + (" SMTPUTF8" if mail.smtputf8 else ""))
            mail.answers = {rcpt: client.docmd(f"RCPT TO:<{rcpt}>")[0] for rcpt in mail.to}
            if 250 in mail.answers.values():
                mail.taken = client.data((head + body).encode())[0] == 250

    def run(self, seconds: float) -> None:
        self.sink.start()
        self.server.start()
        _until(_listening, 20)
        end = time.monotonic() + seconds
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.send, self.mails))
        time.sleep(max(0.0, end - time.monotonic()))
        self.sink.fates.closing = True
        time.sleep(2)  # what is greeted in the meantime is turned away at once
        _until(lambda: self.sink.open == 0, QUIET_SECONDS)
        time.sleep(1)
        self.server.stop()
        self.queue = self.server.queue()

    def truth(self) -> dict[str, Any]:
        logs = {name: str(self.work / path.relative_to(self.home)) for name, path in self.server.logs.items()}
        main = logs.get("main", str(self.work / self.syslog.iso.relative_to(self.home)))
        mails = [truth_mails.as_json(mail) for mail in self.mails]
        logs = {"out1.hosting.example": main, "relay2": logs["relay2"]}
        return {"logs": logs, "mails": mails, "records": self.sink.truth.entries, "queue": self.queue}


def _listening() -> bool:
    try:
        smtplib.SMTP(OWN, 25, timeout=2).quit()
    except OSError:
        return False
    return True


def _until(done: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(0.2)


def _too_long(_signal: int, _frame: object) -> None:
    raise TimeoutError(f"not done in {MOST_SECONDS} s")


def main() -> None:
    mta, work, seed, count, seconds = sys.argv[1:6]
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(MOST_SECONDS)
    play = Play(mta, Path(work), seed, int(count))
    try:
        play.run(float(seconds))
    finally:
        with contextlib.suppress(Exception):
            play.server.stop()
        play.names.stop()
    text = json.dumps(play.truth(), ensure_ascii=True)
    (Path(work) / "truth.json").write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
