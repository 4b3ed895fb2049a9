"""Sendmail as Debian packages it, with a configuration, queues and aliases of its own."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import more_mtas
import rig
import stories

SENDMAIL = "/usr/libexec/sendmail/sendmail"
MC = """divert(0)dnl
OSTYPE(`debian')dnl
DOMAIN(`generic')dnl
define(`confDOMAIN_NAME', `{host}')dnl
define(`QUEUE_DIR', `{home}/mqueue')dnl
define(`confPID_FILE', `{home}/sendmail.pid')dnl
define(`confDONT_PROBE_INTERFACES', `true')dnl
define(`ALIAS_FILE', `hash:{home}/aliases')dnl
define(`confFORWARD_PATH', `{home}/forward/$u')dnl
define(`STATUS_FILE', `{home}/statistics')dnl
define(`HELP_FILE', `{home}/helpfile')dnl
define(`confDONT_BLAME_SENDMAIL', `AssumeSafeChown,ForwardFileInUnsafeDirPath,GroupWritableDirPathSafe,WorldWritableForwardFile')dnl
define(`confDEF_USER_ID', `65534:65534')dnl
define(`confTO_ICONNECT', `4s')dnl
define(`confTO_CONNECT', `4s')dnl
define(`confTO_INITIAL', `4s')dnl
define(`confTO_DATAINIT', `4s')dnl
define(`confTO_DATAFINAL', `4s')dnl
define(`confTO_IDENT', `0')dnl
define(`confMIN_QUEUE_AGE', `0')dnl
define(`confTO_QUEUERETURN_NORMAL', `{patience}')dnl
define(`confTO_QUEUEWARN', `')dnl
define(`confTO_HOSTSTATUS', `0s')dnl
define(`confLOG_LEVEL', `{level}')dnl
define(`confDELIVERY_MODE', `background')dnl
define(`confMAX_RCPTS_PER_MESSAGE', `100')dnl
define(`confSMTPUTF8', `true')dnl
define(`LOCAL_MAILER_PATH', `{home}/store')dnl
define(`LOCAL_MAILER_ARGS', `store $u')dnl
define(`LOCAL_SHELL_PATH', `/bin/sh')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nouucp',`reject')dnl
FEATURE(`access_db', `hash -T<TMPF> {home}/access')dnl
FEATURE(`blacklist_recipients')dnl
DAEMON_OPTIONS(`Family=inet, Name=MTA-v4, Port=smtp, Addr={ip}')dnl
DAEMON_OPTIONS(`Family=inet, Name=MTA-lo, Port=smtp, Addr=127.0.0.1')dnl
CLIENT_OPTIONS(`Family=inet, Addr={ip}')dnl
LOCAL_DOMAIN(`hosting.example')dnl
MAILER_DEFINITIONS
MAILER(`local')dnl
MAILER(`smtp')dnl
"""
SUBMIT_MC = """divert(0)dnl
OSTYPE(`debian')dnl
define(`confDOMAIN_NAME', `{host}')dnl
define(`MSP_QUEUE_DIR', `{home}/msp')dnl
define(`confPID_FILE', `{home}/msp.pid')dnl
define(`confDONT_PROBE_INTERFACES', `true')dnl
define(`confDONT_BLAME_SENDMAIL', `AssumeSafeChown,GroupWritableDirPathSafe')dnl
define(`confRUN_AS_USER', `smmsp')dnl
define(`confTRUSTED_USER', `smmsp')dnl
FEATURE(`msp', `[127.0.0.1]', `25')dnl
"""
ALIASES = """team: ok-50@corp.example, ok-50@gmail.example
robot: "|/bin/cat >/dev/null"
broken: "|/bin/false"
list: ok-60@corp.example, nouser-60@corp.example
owner-list: renewals
MAILER-DAEMON: renewals
postmaster: renewals
"""
ACCESS = """Connect:203.0.113 RELAY
Connect:127 RELAY
Connect:198.51.100 OK
To:blocked-1@corp.example ERROR:5.7.1:"550 this address is blocked here"
"""


class Server:
    """The server under test."""

    name = "sendmail"

    def __init__(self, home: Path) -> None:
        self.home = home / "sendmail"
        for folder in ("mqueue", "msp", "forward", "mail"):
            (self.home / folder).mkdir(parents=True)
        (self.home / "mail").chmod(0o1777)
        os.chown(self.home / "msp", 70011, 70011)
        (self.home / "msp").chmod(0o770)
        Path("/run").chmod(0o755)  # Sendmail reads nothing below a folder that anybody may write to
        with Path("/etc/passwd").open("a") as passwd:
            users = enumerate(("box", "fwd", "renewals", "full"), start=70001)
            passwd.writelines(f"{user}:x:{number}:65534::/nonexistent:/bin/sh\n" for number, user in users)
            passwd.write("smmta:x:70010:70010::/nonexistent:/bin/false\nsmmsp:x:70011:70011::/nonexistent:/bin/false\n")
        with Path("/etc/group").open("a") as group:
            group.write("smmta:x:70010:\nsmmsp:x:70011:\n")
        (self.home / "store").write_text(f'#!/bin/sh\n[ "$1" = full ] && exit 75\ncat >> {self.home}/mail/"$1"\n')
        (self.home / "store").chmod(0o755)
        (self.home / "aliases").write_text(ALIASES)
        (self.home / "forward" / "fwd").write_text("ok-51@corp.example\n")
        (self.home / "forward" / "fwd").chmod(0o644)
        (self.home / "statistics").touch()
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, patience: str, level: int = 9) -> Path:
        source, config = self.home / "sendmail.mc", Path("/etc/mail/sendmail.cf")
        config.parent.mkdir(exist_ok=True)
        for name in ("local-host-names", "trusted-users", "relay-domains"):
            (config.parent / name).touch()
        source.write_text(
            MC.format(home=self.home, host=stories.OWN_HOST, ip=stories.OWN_IP, patience=patience, level=level)
        )
        config.write_text(self._compiled(source))
        submit = self.home / "submit.mc"
        submit.write_text(SUBMIT_MC.format(home=self.home, host=stories.OWN_HOST))
        (config.parent / "submit.cf").write_text(self._compiled(submit))
        return config

    @staticmethod
    def _compiled(source: Path) -> str:
        folder = "/usr/share/sendmail/cf"
        return rig.run("m4", f"-D_CF_DIR_={folder}/", f"{folder}/m4/cf.m4", str(source))

    def start(self, patience: str = "6s", every: str = "2s", level: int = 9) -> None:
        config = self.configure(patience, level)
        rig.run(SENDMAIL, "-bi", "-C", str(config))
        makemap = [SENDMAIL.replace("/sendmail/sendmail", "/sendmail/makemap"), "hash", str(self.home / "access")]
        rig.run(*makemap, data=ACCESS.encode())
        self.process = subprocess.Popen(
            [SENDMAIL, "-L", "sm-mta", "-bD", f"-q{every}", "-C", str(config)],
            stdout=subprocess.DEVNULL, stderr=(self.home / "stderr").open("ab"), cwd="/",
        )  # fmt: skip

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)

    @staticmethod
    def _submit(play: Any) -> None:
        """A message handed to the command line program: two queues of this host, each with its own id."""
        message_id = "submitted.1@billing.hosting.example"
        head = (
            f"From: {stories.SENDER}\nSubject: Hosting renewal notice\nMessage-ID: <{message_id}>\n\nDear customer,\n"
        )
        rig.run(SENDMAIL, "-Ac", "-i", "-f", stories.SENDER, "ok-61@corp.example", data=head.encode())
        play.sent.append({
            "key": "command-line", "message_id": message_id, "recipients": ["ok-61@corp.example"],
            "expect": {"ok-61@corp.example": "accepted"},
        })  # fmt: skip

    def play(self, play: Any) -> None:
        play.send(more_mtas.mail("expired", "ok-40@expired.example", "expired"))
        play.seen("Cannot send message for", 40)
        self.stop()
        self.start("5d", "15s")
        play.wait(more_mtas._listening(stories.OWN_IP), 20, "the second greeting")
        for story in more_mtas.OUTBOUND:
            play.send(story)
        self._submit(play)
        play.send(more_mtas.mail("list", "list@hosting.example", "refused"))
        play.send(more_mtas.mail("full-mailbox-here", "full@hosting.example", "deferred"))
        play.send(more_mtas.mail("broken-pipe", "broken@hosting.example", "failed"))
        many = {f"ok-{n}-renewals-department-of-a-company@corp.example": "accepted" for n in range(300, 345)}
        play.send(more_mtas.Mail("many", many))
        play.wait(lambda: bool(play.sink.records.of("grey-1@hinet.net", "end")), 40, "the second try")
        time.sleep(6)
        self.stop()
        self.start("5d", "15s", 14)
        play.wait(more_mtas._listening(stories.OWN_IP), 20, "the third greeting")
        for key in ("accepted", "no-such-user", "alias", "forward", "local", "dropped-after-dot"):
            play.send(next(story for story in more_mtas.OUTBOUND if story.key == key))
        time.sleep(3)
