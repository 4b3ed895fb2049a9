"""Plays stories on Sendmail, OpenSMTPD, or Postfix with Dovecot behind it, inside ``unshare -nm``.

``python more_mtas.py sendmail|opensmtpd|dovecot WORK`` leaves the logs and ``sent.json`` in WORK, prints one line of
JSON, and keeps the private world until its standard input is closed.  Debian installs one mail server at a time, so
packages are unpacked under a cache folder and laid over ``/usr`` of this process tree alone (overlayfs).
"""

import contextlib
import fcntl
import importlib
import json
import os
import signal
import smtplib
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

MOST_SECONDS = 140
SILENT_IP = "198.51.100.40"
RUDE_IP = "198.51.100.41"
ROOTS = "MORE_MTAS_ROOT"

PACKAGES = {
    "sendmail": ("sendmail-bin", "sendmail-base", "sendmail-cf"),
    "opensmtpd": ("opensmtpd",),
    "dovecot": ("dovecot-core", "dovecot-lmtpd", "dovecot-sieve"),
}
LIBRARIES = {
    "sendmail": ("m4", "libsigsegv2", "libwrap0", "libnsl2", "liblockfile1", "libldap-2.5-0", "libsasl2-2", "libdb5.3"),
    "opensmtpd": ("libevent-2.1-7", "libdb5.3", "libcrypt1", "libpam0g"),
    "dovecot": (
        *("libexttextcat-2.0-0", "libexttextcat-data", "liblua5.4-0", "libstemmer0d", "libtirpc3", "libsodium23"),
        *("libunwind8", "libwrap0", "libapparmor1", "libicu72", "libbz2-1.0", "libcap2", "libnsl2"),
    ),
}
"""What a small installation of Debian 12 lacks; a name that is unknown elsewhere is passed over."""


def unpacked(mta: str, cache: Path) -> Path:
    """The packages' files, fetched once with apt; :class:`LookupError` says what could not be had."""
    folder = cache / mta
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = folder / "root"
        if not (folder / "complete").exists():
            for package in (*LIBRARIES[mta], *PACKAGES[mta]):
                _fetch(package, folder, needed=package in PACKAGES[mta])
            for file in sorted(folder.glob("*.deb")):
                subprocess.run(["dpkg-deb", "-x", str(file), str(root)], check=True, capture_output=True, timeout=120)
            (folder / "complete").touch()
        return root


def _fetch(package: str, folder: Path, *, needed: bool) -> None:
    command = ["apt-get", "-o", "APT::Sandbox::User=root", "download", package]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=300, check=False)
    if done.returncode and needed:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise LookupError(f"apt-get download {package} failed, and it is not in {folder}: {(words or [''])[-1]}")


def lay_over_usr() -> None:
    """Let this process tree see the packages' files as installed."""
    root = Path(os.environ[ROOTS])
    subprocess.run(
        ["mount", "-t", "overlay", "-o", f"lowerdir={root}/usr:/usr", "overlay", "/usr"], check=True, timeout=20
    )


@dataclass(frozen=True)
class Mail:
    """One message to be sent, and what each recipient's story must come to."""

    key: str
    expect: dict[str, str]
    sender: str = "renewals@hosting.example"
    to: tuple[str, ...] = ()
    smtputf8: bool = False
    message_id: str | None = None
    subject: str = "Hosting renewal notice"
    octets: int = 0

    @property
    def recipients(self) -> tuple[str, ...]:
        return self.to or tuple(self.expect)


def mail(key: str, to: str, state: str, **more: Any) -> Mail:
    return Mail(key, {to: state}, **more)


EVIL = '"v, relay=mx.corp.example [198.51.100.10], dsn=2.0.0, stat=Sent (ok)"@corp.example'
EVIL_ANGLES = '"v> to=<victim@gmail.example> rcpt=<-> result=Ok stat=Delivered"@corp.example'
OUTBOUND = [
    mail("accepted", "ok-1@corp.example", "accepted"),
    mail("starttls", "ok-2@gmail.example", "accepted"),
    mail("exim-shaped", "ok-2@eximhost.example", "accepted"),
    mail("multi-line", "ok-3@multiline.example", "accepted"),
    mail("fallback-mx", "ok-5@fallback.example", "accepted"),
    mail("greylisted", "grey-1@hinet.net", "accepted"),
    mail("no-such-user", "nouser-1@gmail.example", "refused"),
    mail("policy-after-data", "policy-1@gmail.example", "refused"),
    mail("dropped-after-dot", "drop-1@corp.example", "unknown"),
    mail("connection-refused", "ok-7@refused.example", "deferred"),
    mail("timeout", "ok-8@silent.example", "deferred"),
    mail("greeting-554", "ok-8@banner554.example", "deferred"),
    mail("nxdomain", "ok-10@nosuchdomain.example", "failed"),
    mail("null-mx", "ok-9@nullmx.example", "failed"),
    mail("mailbox-full", "full-1@corp.example", "deferred"),
    Mail(
        "several",
        {
            "ok-20@corp.example": "accepted",
            "ok-21@corp.example": "accepted",
            "nouser-20@corp.example": "refused",
            "full-20@corp.example": "deferred",
            "ok-20@gmail.example": "accepted",
        },
    ),
    Mail("two-at-once", {"ok-22@corp.example": "accepted", "ok-23@corp.example": "accepted"}),
    mail("closed-at-rcpt", "close-rcpt@rude.example", "deferred"),
    mail("closed-at-data", "close-data@rude.example", "deferred"),
    mail("closed-in-data", "close-body@rude.example", "unknown", octets=200_000),
    mail("reset-after-dot", "reset-dot@rude.example", "unknown"),
    mail("closed-after-dot", "close-dot@rude.example", "unknown"),
    mail("silent-at-data", "hang-data@rude.example", "deferred"),
    mail("silent-after-dot", "hang-dot@rude.example", "unknown"),
    Mail("drop-two", {"drop-22@corp.example": "unknown", "drop-23@corp.example": "unknown"}),
    mail("local", "box@hosting.example", "delivered"),
    mail("alias", "team@hosting.example", "accepted"),
    mail("forward", "fwd@hosting.example", "accepted"),
    mail("pipe", "robot@hosting.example", "handed-over"),
    mail("no-such-user-here", "nobody-here@hosting.example", "refused"),
    mail("imitates-fields", EVIL, "accepted"),
    mail("imitates-angles", EVIL_ANGLES, "accepted"),
    mail("message-id", "ok-70@corp.example", "accepted", message_id="x, proto=ESMTP, relay=mx@evil.example"),
    mail("tagged", "o'neil+tag=1@corp.example", "accepted"),
    mail("smtputf8", "jörg@utf8.example", "accepted", smtputf8=True),
    mail("null-sender", "ok-71@corp.example", "accepted", sender=""),
    mail("not-relayed", "blocked-1@corp.example", "refused"),
]


class RudeHosts:
    """A host that never says a word, and one that hangs up or falls silent at the command its recipient names.

    ``close-rcpt@rude.example`` is hung up on at RCPT, ``reset-dot@…`` by a TCP reset after the end of the data,
    ``hang-dot@…`` gets no answer to it.
    """

    def __init__(self) -> None:
        self.silent = socket.create_server((SILENT_IP, 25))
        self.rude = socket.create_server((RUDE_IP, 25))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self.rude.accept()
            threading.Thread(target=self._session, args=(connection,), daemon=True).start()

    @staticmethod
    def _session(connection: socket.socket) -> None:
        with connection, connection.makefile("rwb", buffering=0) as stream, contextlib.suppress(OSError):
            stream.write(b"220 mx.rude.example ESMTP\r\n")
            how = at = ""
            while line := stream.readline():
                verb = line[:4].upper().decode("latin-1")
                if verb == "RCPT":
                    how, _, at = line.partition(b"<")[2].partition(b"@")[0].decode("latin-1").partition("-")
                if at.startswith({"RCPT": "rcpt", "DATA": "data"}.get(verb, "?")):
                    break
                if verb == "DATA":
                    stream.write(b"354 go on\r\n")
                    if at.startswith("body"):
                        break
                    while stream.readline() not in (b".\r\n", b""):
                        pass
                    break
                stream.write(b"221 bye\r\n" if verb == "QUIT" else b"250 ok\r\n")
            if how == "reset":  # RST instead of FIN
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if how == "hang":
                time.sleep(60)


class Play:
    """One run: the world, the server, and who said what."""

    def __init__(self, mta: str, work: Path) -> None:
        lay_over_usr()
        import rig
        import stories
        from sink import Sink

        self.rig, self.stories, self.work, self.mta = rig, stories, work, mta
        zone = stories.zone_lines
        stories.zone_lines = lambda key: [
            *zone(key), "silent.example. 300 IN MX 10 mx.silent.example.", f"mx.silent.example. 300 IN A {SILENT_IP}",
            "rude.example. 300 IN MX 10 mx.rude.example.", f"mx.rude.example. 300 IN A {RUDE_IP}",
        ]  # fmt: skip
        rig.mount_all(work)
        rig.addresses()
        for ip in (SILENT_IP, RUDE_IP):
            rig.run("ip", "addr", "add", f"{ip}/32", "dev", "lo")
        self.home = rig.HOME
        (self.home / "logs").mkdir()
        self.names = rig.NameServer(self.home / "nsd", rig.make_dkim_key(self.home / "dkim.pem"))
        self.syslog = rig.SyslogReceiver(self.home / "logs", stories.OWN_HOST)
        self.rude = RudeHosts()
        # Dovecot takes the place of the mail store that the other rigs only imitate.
        manners = [m for m in stories.MANNERS if not (m.lmtp and mta == "dovecot")]
        self.sink = Sink(manners, self.home / "sink", rig.make_tls(self.home), stories.OWN_IP, {})
        module = importlib.import_module({"dovecot": "mda_dovecot"}.get(mta, f"mta_{mta}"))
        self.server = module.Server(self.home)
        self.sent: list[dict[str, Any]] = []

    def send(self, story: Mail, ip: str | None = None) -> None:
        number = len(self.sent) + 1
        message_id = story.message_id or f"{story.key}.{number}.{int(time.time())}@billing.hosting.example"
        head = (
            f"From: Hosting <{self.stories.SENDER}>\r\nTo: undisclosed-recipients:;\r\nSubject: {story.subject}\r\n"
            f"Date: {format_datetime(datetime.now().astimezone())}\r\nMessage-ID: <{message_id}>\r\n"
        )
        message = (head + "\r\nDear customer,\r\n\r\nyour hosting plan ends soon.\r\n").encode()
        message += b"x" * story.octets
        entry: dict[str, Any] = {
            "key": story.key, "message_id": message_id, "recipients": list(story.recipients), "expect": story.expect,
        }  # fmt: skip
        source = (ip or self.stories.SUBMIT_IP, 0)
        with smtplib.SMTP(
            self.stories.OWN_IP, 25, "whmcs.hosting.example", timeout=30, source_address=source
        ) as client:
            client.ehlo()
            if story.smtputf8 and not client.has_extn("smtputf8"):
                return
            options = ["SMTPUTF8", "BODY=8BITMIME"] if story.smtputf8 else []
            if story.smtputf8:
                client.command_encoding = "utf-8"
            client.mail(story.sender, options)
            answers = {rcpt: client.docmd(f"RCPT TO:<{rcpt}>") for rcpt in story.recipients}
            entry["rcpt"] = {rcpt: [code, text.decode(errors="replace")] for rcpt, (code, text) in answers.items()}
            if any(code == 250 for code, _ in answers.values()):
                code, text = client.data(message)
                entry["data"] = [code, text.decode(errors="replace")]
        self.sent.append(entry)

    def wait(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if done():
                return
            time.sleep(0.2)
        raise RuntimeError(f"{what}: not seen in {seconds} s")

    def log(self) -> bytes:
        return bytes(self.syslog.iso.read_bytes())

    def seen(self, text: str, seconds: float = 45, count: int = 1) -> None:
        self.wait(lambda: self.log().count(text.encode()) >= count, seconds, text)

    def run(self) -> None:
        self.sink.start()
        self.server.start()
        self.wait(_listening(self.stories.OWN_IP), 20, "the server's greeting")
        self.server.play(self)

    def truth(self) -> dict[str, Any]:
        return {
            "mta": self.mta,
            "nameserver": self.stories.NAMESERVER_IP,
            "sent": self.sent,
            "records": self.sink.records.entries,
            "logs": {"iso8601": str(self.syslog.iso), "rfc3164": str(self.syslog.traditional)},
        }


def _listening(ip: str) -> Callable[[], bool]:
    def listening() -> bool:
        try:
            smtplib.SMTP(ip, 25, timeout=2).quit()
        except OSError:
            return False
        return True

    return listening


def _too_long(_signal: int, _frame: object) -> None:
    raise TimeoutError(f"the stories were not played in {MOST_SECONDS} s")


def main() -> None:
    mta, work = sys.argv[1], Path(sys.argv[2])
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(MOST_SECONDS)
    play = Play(mta, work)
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
