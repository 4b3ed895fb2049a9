"""Dovecot and Pigeonhole as Debian packages them, behind a real Postfix: LMTP for mailboxes, and the LDA by hand."""

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import more_mtas
import rig
import stories
from mta_postfix import Instance

CONFIG = """base_dir = /run/dovecot
state_dir = /run/dovecot-state
log_path = syslog
syslog_facility = mail
protocols = lmtp
ssl = no
default_login_user = nobody
default_internal_user = dovecot
default_internal_group = dovecot
mail_location = maildir:~/Maildir
mail_uid = 70020
mail_gid = 70020
first_valid_uid = 500
auth_username_format = %Lu
postmaster_address = postmaster@hosting.example
lda_mailbox_autocreate = yes
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
sendmail_path = {home}/sendmail
mail_plugins = quota
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = {home}/users
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener lmtp {{
    mode = 0666
  }}
}}
protocol lmtp {{
  mail_plugins = quota sieve
}}
protocol lda {{
  mail_plugins = quota sieve
}}
plugin {{
  sieve = file:{home}/sieve/%n.sieve
  sieve_extensions = +vnd.dovecot.duplicate
  quota = maildir:User quota
  quota_rule = *:storage=100M
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""
USERS = (
    "box",
    "junk",
    "fwd",
    "drop",
    "full",
    "copy",
    "refuse",
    "flags",
    "away",
    "u1",
    "renewals",
    "broken",
    "two",
    "both",
)
SIEVE = {
    "junk": 'require ["fileinto"];\nif header :contains "subject" "renewal" { fileinto "Junk"; stop; }\n',
    "fwd": 'redirect "ok-51@corp.example";\n',
    "drop": "discard;\n",
    "copy": 'require ["copy", "fileinto"];\nredirect :copy "ok-52@corp.example";\nfileinto "Archive/2026";\n',
    "refuse": 'require ["reject"];\nreject "not here";\n',
    "flags": 'require ["imap4flags", "fileinto", "mailbox"];\nfileinto :create :flags "\\\\Seen" "帳單";\n',
    "away": 'require ["vacation"];\nvacation "I am away";\n',
    "two": 'require ["fileinto"];\nfileinto "A";\nfileinto "B";\n',
    "both": 'require ["fileinto"];\ndiscard;\nfileinto "Kept";\n',
    "broken": 'require ["fileinto"];\nfileinto "../../../etc/x";\n',
}
STORIES = [
    more_mtas.mail("inbox", "box@hosting.example", "delivered"),
    more_mtas.mail("junk", "junk@hosting.example", "delivered"),
    more_mtas.mail("detail", "box+bills@hosting.example", "delivered"),
    more_mtas.mail("forwarded", "fwd@hosting.example", "handed-over"),
    more_mtas.mail("discarded", "drop@hosting.example", "cancelled"),
    more_mtas.mail("copied", "copy@hosting.example", "delivered"),
    more_mtas.mail("rejected", "refuse@hosting.example", "refused"),
    more_mtas.mail("folder-utf8", "flags@hosting.example", "delivered"),
    more_mtas.mail("vacation", "away@hosting.example", "delivered"),
    more_mtas.mail("two-folders", "two@hosting.example", "delivered"),
    more_mtas.mail("discarded-and-filed", "both@hosting.example", "delivered"),
    more_mtas.mail("bad-folder", "broken@hosting.example", "delivered"),
    more_mtas.mail("over-quota", "full@hosting.example", "refused"),
    more_mtas.mail("no-such-user", "nobody-here@hosting.example", "refused"),
    more_mtas.Mail("several", {"u1@hosting.example": "delivered", "junk@hosting.example": "delivered"}),
    more_mtas.mail("no-subject-match", "junk@hosting.example", "delivered", subject="An invoice"),
    more_mtas.mail("imitates", "box@hosting.example", "delivered", message_id="x>: saved mail to Junk"),
    more_mtas.mail("accepted", "ok-1@corp.example", "accepted"),
]


class Server:
    """The server under test: Postfix of the other rig, with Dovecot where the sink's mail store would be."""

    name = "dovecot"

    def __init__(self, home: Path) -> None:
        self.home = home / "dovecot"
        for folder in ("mail", "sieve"):
            (self.home / folder).mkdir(parents=True)
        with Path("/etc/passwd").open("a") as passwd:
            passwd.write("dovecot:x:70021:70021::/run:/bin/false\nvmail:x:70020:70020::/run:/bin/false\n")
        with Path("/etc/group").open("a") as group:
            group.write("dovecot:x:70021:\nvmail:x:70020:\n")
        users = []
        for user in USERS:
            quota = " userdb_quota_rule=*:storage=1B" if user == "full" else ""
            users.append(f"{user}@hosting.example::70020:70020::{self.home}/mail/{user}::{quota}\n")
            (self.home / "mail" / user).mkdir()
            script = self.home / "sieve" / f"{user}.sieve"
            if user in SIEVE:
                script.write_text(SIEVE[user])
        (self.home / "users").write_text("".join(users))
        (self.home / "users").chmod(0o644)
        for folder in ("mail", "sieve"):
            for path in (self.home / folder, *(self.home / folder).iterdir()):
                shutil.chown(path, 70020, 70020)
        Path("/etc/postfix").mkdir(exist_ok=True)
        first = home / "postfix"
        Path("/etc/postfix/main.cf").write_text(f"alternate_config_directories = {first}/etc\n")
        self.postfix = Instance(first, stories.OWN_HOST, stories.OWN_IP, first=True, lifetime="1d")
        known = (*USERS, "nobody-here", "box+bills")
        (first / "mailboxes").write_text("".join(f"{user}@hosting.example unused\n" for user in known))
        (first / "transport").write_text("")
        sendmail = self.home / "sendmail"
        sendmail.write_text(f'#!/bin/sh\nexec /usr/sbin/sendmail -C {first}/etc "$@"\n')
        sendmail.chmod(0o755)
        self.config = self.home / "dovecot.conf"
        self.config.write_text(CONFIG.format(home=self.home, port=stories.LMTP_PORT))
        self.config.chmod(0o644)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", str(self.config)],
            stdout=subprocess.DEVNULL, stderr=(self.home / "stderr").open("ab"), cwd="/",
        )  # fmt: skip
        self.postfix.start()

    def stop(self) -> None:
        self.postfix.stop()
        if self.process:
            self.process.terminate()
            self.process.wait(10)

    def play(self, play: Any) -> None:
        self.postfix.set(enable_long_queue_ids="yes")
        for story in STORIES:
            play.send(story)
            time.sleep(0.3)
        own = ("-o", f"log_path={self.home}/dovecot.log")
        told = [(user, log) for log in ((), own) for user in ("box", "junk", "full")]
        for number, (user, log) in enumerate(told, start=1):
            message = (
                "From: Hosting <renewals@hosting.example>\nSubject: Hosting renewal notice\n"
                f"Message-ID: <lda.{number}@billing.hosting.example>\n\nDear customer,\n"
            )
            rig.run(
                "/usr/lib/dovecot/dovecot-lda", *log, "-c", str(self.config), "-d", f"{user}@hosting.example", "-a", f"{user}@hosting.example",
                "-f", "renewals@hosting.example", data=message.encode(), check=False,
            )  # fmt: skip
        play.seen("lda(full", 20)
        time.sleep(3)
