"""OpenSMTPD for the truth test, and a Postfix behind it as the second host."""

import contextlib
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import more_mtas
import rig
import truth_postfix

CONFIG = """table aliases file:{home}/aliases
table vusers file:{home}/virtual
smtp max-message-size 100K
listen on 203.0.113.25 port 25
action "out" relay src 203.0.113.25 helo out1.hosting.example
action "hop" relay host smtp+notls://203.0.113.27 src 203.0.113.25 helo out1.hosting.example
action "store" relay host lmtp://127.0.0.1:2424 helo out1.hosting.example
action "virtual" mda "/bin/sh -c 'cat >/dev/null'" virtual <vusers>
action "local" mda "/bin/sh -c 'cat >/dev/null'" alias <aliases>
match from any for domain "alias.example" action "virtual"
match from any for domain "mailbox.example" action "virtual"
match from any for domain "local.example" action "local"
match from any for domain "store.example" action "store"
match from any for domain "hop.example" action "hop"
match from src 203.0.113.0/24 for any action "out"
match for any action "out"
"""
TRY_AGAIN_SECONDS = 1.0
"""It tries again after minutes by itself; its operator can ask for it at any time."""


class Server:
    """OpenSMTPD, and the Postfix that it relays some of its mail to."""

    def __init__(self, home: Path, mails: list[Any]) -> None:
        self.home = home / "opensmtpd"
        (self.home / "files").mkdir(parents=True)
        (self.home / "files").chmod(0o1777)
        more_mtas.lay_over_usr()
        self._users()
        virtual, aliases = [], []
        for m in mails:
            for address, finals in m.to.items():
                if address.endswith("@mailbox.example"):
                    virtual.append(f"{address} box")
                elif address.endswith("@alias.example"):
                    inner = f"in-{address}" if m.kind == "nested" else address
                    virtual += [f"{address} {inner}"] if m.kind == "nested" else []
                    virtual.append(f"{inner} {','.join(finals)}")
                elif address.endswith("@local.example"):
                    aliases.append(f"{address.partition('@')[0]}: {', '.join(map(self._local, finals))}")
        (self.home / "virtual").write_text("\n".join(virtual) + "\n")
        (self.home / "aliases").write_text("\n".join(aliases) + "\n")
        config = self.home / "smtpd.conf"
        config.write_text(CONFIG.format(home=self.home))
        config.chmod(0o644)
        self._folders()
        second = home / "postfix-relay2"
        Path("/etc/postfix").mkdir(exist_ok=True)
        Path("/etc/postfix/main.cf").write_text(f"alternate_config_directories = {second}/etc\n")
        self.relay = truth_postfix.Instance(second, "relay2.hosting.example", "203.0.113.27", [])
        self.logs = {"relay2": second / "mail.log"}
        self.ending = threading.Event()
        self.waiting: list[list[str]] = []

    def _local(self, final: str) -> str:
        return {"pipe:": '"|/bin/cat >/dev/null"', "file:": f"{self.home}/files/f"}.get(final, final)

    def _users(self) -> None:
        with Path("/etc/passwd").open("a") as passwd, Path("/etc/group").open("a") as group:
            passwd.write("box:x:70001:65534::/run/box:/bin/sh\n")
            for number, user in ((70010, "opensmtpd"), (70011, "opensmtpq")):
                passwd.write(f"{user}:x:{number}:{number}::/run/empty:/bin/false\n")
                group.write(f"{user}:x:{number}:\n")
        for folder in ("/run/box", "/run/empty"):
            Path(folder).mkdir()
        shutil.chown("/run/box", 70001, 65534)

    def _folders(self) -> None:
        Path("/etc/mail").mkdir(exist_ok=True)
        for name in ("/etc/mail/mailname", "/etc/mailname"):
            Path(name).write_text("out1.hosting.example\n")
        for folder in ("/var/spool", "/var/lib"):
            rig.run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", folder)
        Path("/var/spool/smtpd").mkdir(mode=0o711)
        Path("/var/lib/opensmtpd/empty").mkdir(parents=True)
        self.control = self.home / "smtpctl"  # it insists on its group, which the packages' unpacked files do not have
        shutil.copy("/usr/sbin/smtpctl", self.control)
        os.chown(self.control, 0, 70011)
        self.control.chmod(0o2755)

    def start(self) -> None:
        self.relay.start()
        self.process = subprocess.Popen(
            ["/usr/sbin/smtpd", "-F", "-f", str(self.home / "smtpd.conf")],
            stdout=subprocess.DEVNULL, stderr=(self.home / "stderr").open("ab"), cwd="/",
        )  # fmt: skip
        threading.Thread(target=self._hurry, daemon=True).start()

    def _hurry(self) -> None:
        while not self.ending.wait(TRY_AGAIN_SECONDS):
            with contextlib.suppress(subprocess.TimeoutExpired, OSError):
                subprocess.run([str(self.control), "schedule", "all"], capture_output=True, timeout=5, check=False)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.ending.set()
            self.waiting = [
                [fields[4], fields[5]]
                for line in rig.run(str(self.control), "show", "queue").splitlines()
                if len(fields := line.split("|")) > 6
            ]
            self.process.terminate()
            self.process.wait(10)
            self.relay.stop()

    def queue(self) -> list[list[str]]:
        """Sender and recipient of what waits."""
        return [*self.relay.queue(), *self.waiting]
