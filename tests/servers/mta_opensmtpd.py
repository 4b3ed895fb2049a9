"""OpenSMTPD as Debian packages it, with a configuration, queue and aliases of its own."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import more_mtas
import rig
import stories

CONFIG = """table aliases file:{home}/aliases
table vusers file:{home}/virtual
table blocked {{ "blocked-1@corp.example" }}
queue ttl {patience}
smtp max-message-size 100K
listen on {ip} port 25
action "short" relay src {ip} helo {host} ttl 4s
action "out" relay src {ip} helo {host}
action "store" mda "{home}/store %{{user.username:raw}}" virtual <vusers>
action "local" mda "{home}/store %{{user.username:raw}}" alias <aliases>
match from any for rcpt-to <blocked> reject
match from any for domain "expired.example" action "short"
match from any for domain "alias.example" action "store"
match from any for domain "hosting.example" action "local"
match from src 203.0.113.0/24 for any action "out"
match for any action "out"
"""
ALIASES = """team: ok-50@corp.example, ok-50@gmail.example
robot: "|/bin/cat >/dev/null"
broken: "|/bin/false"
postmaster: renewals
MAILER-DAEMON: renewals
"""
HOME_ROOT = "/run/homes"


class Server:
    """The server under test."""

    name = "opensmtpd"

    def __init__(self, home: Path) -> None:
        self.home = home / "opensmtpd"
        (self.home / "mail").mkdir(parents=True)
        (self.home / "mail").chmod(0o1777)
        homes = Path(HOME_ROOT)
        homes.mkdir()
        with Path("/etc/passwd").open("a") as passwd:
            for number, user in enumerate(("box", "fwd", "renewals", "full"), start=70001):
                passwd.write(f"{user}:x:{number}:65534::{homes}/{user}:/bin/sh\n")
                (homes / user).mkdir()
                shutil.chown(homes / user, number, 65534)
            for number, user in enumerate(("opensmtpd", "opensmtpq"), start=70010):
                passwd.write(f"{user}:x:{number}:{number}::/run/empty:/bin/false\n")
        Path("/run/empty").mkdir()
        with Path("/etc/group").open("a") as group:
            group.write("opensmtpd:x:70010:\nopensmtpq:x:70011:\n")
        forward = homes / "fwd" / ".forward"
        forward.write_text("ok-51@corp.example\n")
        shutil.chown(forward, 70002, 65534)
        (self.home / "store").write_text(f'#!/bin/sh\n[ "$1" = full ] && exit 75\ncat >> {self.home}/mail/"$1"\n')
        (self.home / "store").chmod(0o755)
        (self.home / "aliases").write_text(ALIASES)
        (self.home / "virtual").write_text("team@alias.example ok-50@corp.example,ok-50@gmail.example\n")
        Path("/etc/mail").mkdir(exist_ok=True)
        Path("/etc/mail/mailname").write_text(stories.OWN_HOST + "\n")
        Path("/etc/mailname").write_text(stories.OWN_HOST + "\n")
        for folder in ("/var/spool", "/var/lib"):
            rig.run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", folder)
        Path("/var/spool/smtpd").mkdir(mode=0o711)
        Path("/var/lib/opensmtpd/empty").mkdir(parents=True)
        control = self.home / "smtpctl"  # it insists on its group, which the packages' unpacked files do not have
        shutil.copy("/usr/sbin/smtpctl", control)
        os.chown(control, 0, 70011)
        control.chmod(0o2755)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, patience: str = "5d") -> None:
        config = self.home / "smtpd.conf"
        config.write_text(CONFIG.format(home=self.home, host=stories.OWN_HOST, ip=stories.OWN_IP, patience=patience))
        config.chmod(0o644)
        self.process = subprocess.Popen(
            ["/usr/sbin/smtpd", "-F", "-f", str(config)],
            stdout=subprocess.DEVNULL, stderr=(self.home / "stderr").open("ab"), cwd="/",
        )  # fmt: skip

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)

    def play(self, play: Any) -> None:
        play.send(more_mtas.mail("expired", "ok-40@expired.example", "expired"))
        for story in more_mtas.OUTBOUND:
            play.send(story)
        play.send(more_mtas.mail("full-mailbox-here", "full@hosting.example", "deferred"))
        play.send(more_mtas.mail("broken-pipe", "broken@hosting.example", "failed"))
        play.send(more_mtas.mail("removed", "ok-13@refused.example", "cancelled"))
        # Of a host that breaks connections it makes one in five seconds: the last of its stories comes late.
        for to in ("ok-70@corp.example", "ok-71@corp.example", "ok-51@corp.example", "close-dot@rude.example"):
            play.seen(f"{to}> rcpt", 60)
        play.seen("Expire for", 60)
        envelope = re.search(rb"evpid=([0-9a-f]{16}) [^\n]* to=<ok-13@refused", play.log())
        assert envelope
        rig.run(str(self.home / "smtpctl"), "remove", envelope[1].decode())
        play.seen("Remove for", 20)
