"""Exim for the truth test, and a Postfix behind it as the second host."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import mta_exim
import rig
import truth_postfix

CONFIG = r"""
primary_hostname = out1.hosting.example
exim_path = {home}/bin/exim4
spool_directory = {home}/spool
log_file_path = syslog : {home}/log/%slog
log_selector = +subject +received_recipients +smtp_confirmation +millisec +pid
syslog_duplication = false
timezone = Asia/Taipei
log_timezone = true
local_interfaces = 203.0.113.25 : 127.0.0.1
daemon_smtp_ports = 25
host_lookup = *
rfc1413_query_timeout = 0s
tls_advertise_hosts =
smtputf8_advertise_hosts = *
keep_environment =
trusted_users = root
never_users =
acl_smtp_rcpt = check_rcpt
queue_run_max = 6
smtp_accept_max = 100
smtp_accept_queue_per_connection = 100
remote_max_parallel = 4
domainlist local_domains = local.example : mailbox.example

begin acl
check_rcpt:
  accept

begin routers
aliases:
  driver = redirect
  domains = alias.example : local.example
  data = ${{lookup{{$local_part@$domain}}lsearch{{{home}/aliases}}}}
  file_transport = address_file
  pipe_transport = address_pipe
  user = nobody
  group = nogroup
hop:
  driver = manualroute
  domains = hop.example
  transport = remote_smtp
  route_list = * 203.0.113.27
store:
  driver = manualroute
  domains = store.example
  transport = store_lmtp
  route_list = * 127.0.0.1
  self = send
mailbox:
  driver = accept
  domains = +local_domains
  transport = local_maildir
lookuphost:
  driver = dnslookup
  transport = remote_smtp
  no_more

begin transports
remote_smtp:
  driver = smtp
  interface = 203.0.113.25
  hosts_try_dane =
  connect_timeout = 3s
  command_timeout = 3s
  data_timeout = 3s
  final_timeout = 3s
store_lmtp:
  driver = smtp
  protocol = lmtp
  port = 2424
  allow_localhost
  hosts_override
  hosts = 127.0.0.1
  connect_timeout = 3s
  command_timeout = 3s
  data_timeout = 3s
  final_timeout = 3s
local_maildir:
  driver = appendfile
  user = nobody
  group = nogroup
  directory = {home}/mail/$local_part_data
  create_directory
  maildir_format
address_file:
  driver = appendfile
address_pipe:
  driver = pipe

begin retry
* * F,1d,1s

begin rewrite
begin authenticators
"""


class Server:
    """Exim, and the Postfix that it relays some of its mail to."""

    def __init__(self, home: Path, mails: list[Any]) -> None:
        self.home = home / "exim"
        package = Path(os.environ["EXIM_PACKAGE_ROOT"])
        with Path("/etc/passwd").open("a") as passwd, Path("/etc/group").open("a") as group:
            passwd.write(f"Debian-exim:x:{mta_exim.UID}:{mta_exim.UID}::/nonexistent:/usr/sbin/nologin\n")
            group.write(f"Debian-exim:x:{mta_exim.UID}:\n")
        for folder in ("bin", "spool", "log", "mail"):
            (self.home / folder).mkdir(parents=True)
        shutil.copy(package / "usr/sbin/exim4", self.home / "bin/exim4")
        (self.home / "bin/exim4").chmod(0o4755)
        mta_exim.Exim._libraries(self, package)
        for folder in ("spool", "log"):
            os.chown(self.home / folder, mta_exim.UID, mta_exim.UID)
        (self.home / "mail").chmod(0o777)
        aliases = []
        for m in mails:
            for address, finals in m.to.items():
                if address.partition("@")[2] in ("alias.example", "local.example"):
                    inner = f"in-{address}" if m.kind == "nested" else address
                    aliases += [f"{address}: {inner}"] if m.kind == "nested" else []
                    aliases.append(f"{inner}: {', '.join(self._local(f) for f in finals)}")
        (self.home / "aliases").write_text("\n".join(aliases) + "\n")
        Path("/etc/exim4").mkdir(exist_ok=True)
        Path("/etc/exim4/exim4.conf").write_text(CONFIG.format(home=self.home))
        self.binary = str(self.home / "bin/exim4")
        second = home / "postfix-relay2"
        Path("/etc/postfix").mkdir(exist_ok=True)
        Path("/etc/postfix/main.cf").write_text(f"alternate_config_directories = {second}/etc\n")
        self.relay = truth_postfix.Instance(second, "relay2.hosting.example", "203.0.113.27", [])
        self.logs = {"main": self.home / "log/mainlog", "relay2": second / "mail.log"}

    def _local(self, final: str) -> str:
        return {"pipe:": '"|/bin/cat"', "file:": f"{self.home}/mail/f"}.get(final, final)

    def start(self) -> None:
        self.relay.start()
        self.process = subprocess.Popen(
            [self.binary, "-bdf", "-q1s"], stdout=subprocess.DEVNULL, stderr=(self.home / "stderr").open("wb"), cwd="/"
        )

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
            self.relay.stop()

    def queue(self) -> list[list[str]]:
        """Sender and recipient of what waits; of an alias, the address before it."""
        found = self.relay.queue()
        for block in rig.run(self.binary, "-bp").split("\n\n"):
            head = re.search(r"[0-9A-Za-z]{6}-[0-9A-Za-z]+-[0-9A-Za-z]+ <(.*?)>", block)
            if head:
                waiting = (line.strip() for line in block.splitlines()[1:])
                found += [[head[1], line] for line in waiting if line and not line.startswith("D ")]
        return found
