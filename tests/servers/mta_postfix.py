"""Postfix as Debian packages it, with a configuration, spool and log of its own: two instances, two hosts."""

import re
import shutil
import time
from pathlib import Path

import rig
import stories

MAIN = """compatibility_level = 3.6
queue_directory = {home}/spool
data_directory = {home}/data
myhostname = {host}
mydestination =
inet_interfaces = {ip}{loopback}
inet_protocols = all
mynetworks = 203.0.113.0/24 127.0.0.0/8
smtp_bind_address = {ip}
{bind6}
alias_maps =
alias_database =
local_recipient_maps =
smtputf8_enable = yes
enable_long_queue_ids = {long_ids}
smtp_tls_security_level = may
smtp_tls_loglevel = 1
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
maximal_queue_lifetime = {lifetime}
bounce_queue_lifetime = 1d
smtp_connect_timeout = 5s
smtp_helo_timeout = 10s
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_client_connection_count_limit = 0
{more}
"""
FIRST = """header_checks = regexp:{home}/header_checks
smtpd_recipient_restrictions = check_recipient_access texthash:{home}/access
virtual_alias_domains = alias.example
virtual_alias_maps = texthash:{home}/aliases
virtual_mailbox_domains = hosting.example
virtual_mailbox_maps = texthash:{home}/mailboxes
virtual_mailbox_base = {home}/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
transport_maps = texthash:{home}/transport
"""
SECOND = """maillog_file = {log}
maillog_file_prefixes = {log_folder}
"""
MASTER = """smtp      inet  n       -       n       -       -       smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
lmtp      unix  -       -       n       -       -       lmtp
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""
REINJECT = """127.0.0.1:{port} inet n     -       n       -       -       smtpd
  -o syslog_name=postfix/reinject
  -o content_filter=
  -o receive_override_options=no_unknown_recipient_checks,no_header_body_checks
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
"""


class Instance:
    """One Postfix instance; its command line programs find it by their ``-c``."""

    def __init__(self, home: Path, host: str, ip: str, *, first: bool, lifetime: str) -> None:
        self.home, self.log = home, home / "mail.log"
        config = home / "etc"
        for folder in (config, home / "spool", home / "data", home / "mail"):
            folder.mkdir(parents=True)
        shutil.chown(home / "data", "postfix", "postfix")
        shutil.chown(home / "mail", 65534, 65534)
        extra = FIRST if first else SECOND
        more = extra.format(home=home, lmtp=stories.LMTP_PORT, log=self.log, log_folder=home)
        bind6 = f"smtp_bind_address6 = {stories.OWN_IP6}" if first else ""
        loopback = ", 127.0.0.1" if first else ""
        (config / "main.cf").write_text(
            MAIN.format(
                home=home,
                host=host,
                ip=ip,
                loopback=loopback,
                bind6=bind6,
                lifetime=lifetime,
                more=more,
                long_ids="no" if first else "yes",
            )
        )
        master = MASTER.replace("smtp      inet", f"{ip}:25 inet") + (
            REINJECT.format(port=stories.REINJECT_PORT) if first else ""
        )
        (config / "master.cf").write_text(master)
        if first:
            self._tables()
        self.config = str(config)

    def _tables(self) -> None:
        box = "".join(f"{a} {a.partition('@')[0]}/\n" for a in ("box@hosting.example", "accounts@hosting.example"))
        local = ("u1@hosting.example", stories.SENDER)
        (self.home / "mailboxes").write_text(box + "".join(f"{a} unused\n" for a in local))
        (self.home / "header_checks").write_text("/^Subject:/ INFO\n")
        (self.home / "access").write_text(
            "blocked-1@corp.example REJECT this address is blocked here\n"
            "held-1@corp.example HOLD\n"
            f"filtered.example FILTER smtp:[127.0.0.1]:{stories.FILTER_PORT}\n"
        )
        aliases = stories.ALIASES.items()
        (self.home / "aliases").write_text("".join(f"{a} {', '.join(to)}\n" for a, to in aliases))
        (self.home / "transport").write_text(
            f"smart.example smtp:[{stories.SMARTHOST_IP}]\ntwohop.example smtp:[{stories.SECOND_IP}]\n"
            "box@hosting.example virtual:\naccounts@hosting.example virtual:\n"
        )

    def start(self) -> None:
        rig.run("postfix", "-c", self.config, "start")

    def stop(self) -> None:
        rig.run("postfix", "-c", self.config, "stop", check=False)

    def set(self, **settings: str) -> None:
        rig.run("postconf", "-c", self.config, *(f"{k}={v}" for k, v in settings.items()))
        rig.run("postfix", "-c", self.config, "reload")
        time.sleep(0.5)


class Postfix:
    """The server under test: ``out1`` (log through syslog, two forms) and ``relay2`` (log through postlogd)."""

    name = "postfix"

    def __init__(self, home: Path, _dkim_key: Path) -> None:
        Path("/etc/postfix").mkdir(exist_ok=True)
        first, second = home / "postfix", home / "postfix-relay2"
        # postdrop and sendmail run set-gid and read another configuration only if this file names it.
        Path("/etc/postfix/main.cf").write_text(f"alternate_config_directories = {first}/etc, {second}/etc\n")
        self.syslog = rig.SyslogReceiver(home / "logs", stories.OWN_HOST)
        self.first = Instance(first, stories.OWN_HOST, stories.OWN_IP, first=True, lifetime="5s")
        self.second = Instance(second, "relay2.hosting.example", stories.SECOND_IP, first=False, lifetime="1d")
        self.logs = {
            "iso8601": self.syslog.iso,
            "rfc3164": self.syslog.traditional,
            "relay2": self.second.log,
        }

    def version(self) -> str:
        return rig.run("postconf", "-d", "-h", "mail_version").strip()

    def start(self) -> None:
        self.first.start()
        self.second.start()

    def stop(self) -> None:
        self.first.stop()
        self.second.stop()

    def keep_trying(self) -> None:
        """From here on nothing expires, and queue ids are long.

        The queue must be empty: Postfix renames files whose names are of the other kind, and logs no old name.
        """
        self.first.set(maximal_queue_lifetime="5d", enable_long_queue_ids="yes")

    def sendmail(self, message: bytes, recipient: str) -> None:
        command = ["sendmail", "-C", self.first.config, "-f", stories.SENDER, "-i", recipient]
        rig.run(*command, data=message.replace(b"\r\n", b"\n"))

    def queue_id(self, recipient: str) -> str:
        """The queue id of what is still to go to ``recipient``."""
        listing = rig.run("postqueue", "-c", self.first.config, "-j")
        found = [line for line in listing.splitlines() if f'"{recipient}"' in line]
        return re.findall(r'"queue_id": ?"(\w+)"', found[0])[0]

    def requeue(self, recipient: str) -> None:
        rig.run("postsuper", "-c", self.first.config, "-r", self.queue_id(recipient))
        rig.run("postqueue", "-c", self.first.config, "-f")

    def cancel(self, recipient: str) -> None:
        rig.run("postsuper", "-c", self.first.config, "-d", self.queue_id(recipient))

    def hold(self, recipient: str) -> None:
        rig.run("postsuper", "-c", self.first.config, "-h", self.queue_id(recipient))
