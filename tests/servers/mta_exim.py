"""Exim's light daemon out of its Debian package, unpacked, with a configuration, spool and logs of its own."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import rig
import stories

UID = 64001
CONFIG = r"""
primary_hostname = {host}
exim_path = {home}/bin/exim4
spool_directory = {home}/spool
log_file_path = syslog : {home}/log/%slog
log_selector = +arguments +subject +received_sender +received_recipients +sender_on_delivery +smtp_connection +smtp_confirmation +incoming_port +tls_cipher +deliver_time +incoming_interface +outgoing_interface
syslog_duplication = false
timezone = Asia/Taipei
local_interfaces = {ip} : 127.0.0.1
daemon_smtp_ports = 25
host_lookup = *
rfc1413_query_timeout = 0s
tls_advertise_hosts =
smtputf8_advertise_hosts = *
keep_environment =
trusted_users = root
never_users =
acl_smtp_rcpt = check_rcpt
queue_run_max = 3
domainlist local_domains = hosting.example

begin acl
check_rcpt:
  deny recipients = blocked-1@corp.example
       message = this address is blocked here
  warn recipients = held-1@corp.example
       control = freeze/no_tell
  accept hosts = 203.0.113.0/24 : 127.0.0.1
  accept domains = +local_domains
  deny message = relay not permitted

begin routers
aliases:
  driver = redirect
  domains = alias.example
  data = ${{lookup{{$local_part@$domain}}lsearch{{{home}/aliases}}}}
smarthost:
  driver = manualroute
  domains = smart.example
  transport = remote_smtp
  route_list = * {smarthost}
lookuphost:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
  no_more
mailbox:
  driver = accept
  local_parts = box : office
  transport = local_maildir
store:
  driver = accept
  transport = dovecot_lmtp

begin transports
remote_smtp:
  driver = smtp
  interface = <; {ip} ; {ip6}
  hosts_try_dane =
  connect_timeout = 5s
  dkim_domain = hosting.example
  dkim_selector = {selector}
  dkim_private_key = {key}
local_maildir:
  driver = appendfile
  user = nobody
  group = nogroup
  directory = {home}/mail/$local_part_data
  create_directory
  maildir_format
dovecot_lmtp:
  driver = smtp
  protocol = lmtp
  hosts = 127.0.0.1
  port = {lmtp}
  allow_localhost
  hosts_override

begin retry
expired.example * F,5s,2s
* * F,1d,3s

begin rewrite
begin authenticators
"""


class Exim:
    """The server under test."""

    name = "exim"

    def __init__(self, home: Path, dkim_key: Path) -> None:
        self.home = home / "exim"
        package = Path(os.environ["EXIM_PACKAGE_ROOT"])
        with Path("/etc/passwd").open("a") as passwd, Path("/etc/group").open("a") as group:
            passwd.write(f"Debian-exim:x:{UID}:{UID}::/nonexistent:/usr/sbin/nologin\n")
            group.write(f"Debian-exim:x:{UID}:\n")
        for folder in ("bin", "spool", "log", "mail"):
            (self.home / folder).mkdir(parents=True)
        shutil.copy(package / "usr/sbin/exim4", self.home / "bin/exim4")
        (self.home / "bin/exim4").chmod(0o4755)  # Exim regains root for each delivery by running itself
        self._libraries(package)
        for folder in ("spool", "log"):
            os.chown(self.home / folder, UID, UID)
        (self.home / "mail").chmod(0o777)
        key = self.home / "dkim.pem"
        shutil.copy(dkim_key, key)
        os.chown(key, UID, UID)
        key.chmod(0o600)
        (self.home / "aliases").write_text("".join(f"{a}: {', '.join(to)}\n" for a, to in stories.ALIASES.items()))
        Path("/etc/exim4").mkdir(exist_ok=True)
        Path("/etc/exim4/exim4.conf").write_text(
            CONFIG.format(
                host=stories.OWN_HOST, home=self.home, ip=stories.OWN_IP, ip6=stories.OWN_IP6, key=key,
                smarthost=stories.SMARTHOST_IP, selector=stories.SELECTOR, lmtp=stories.LMTP_PORT,
            )
        )  # fmt: skip
        self.binary = str(self.home / "bin/exim4")
        self.syslog = rig.SyslogReceiver(home / "logs", stories.OWN_HOST)
        self.logs = {
            "mainlog": self.home / "log/mainlog",
            "rfc3164": self.syslog.traditional,
            "iso8601": self.syslog.iso,
        }

    def _libraries(self, package: Path) -> None:
        """A set-uid program takes libraries from the system's list alone: the private ``/etc`` names them."""
        libraries = self.home / "lib"
        libraries.mkdir()
        for file in package.glob("usr/lib/*/*.so*"):
            shutil.copy(file, libraries / file.name, follow_symlinks=True)
        Path("/etc/ld.so.conf.d/rig.conf").write_text(f"{libraries}\n")
        rig.run("ldconfig")

    def version(self) -> str:
        found = re.search(r"Exim version (\S+)", rig.run(self.binary, "-bV"))
        return found[1] if found else ""

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self.binary, "-bdf", "-q3s"],
            stdout=subprocess.DEVNULL,
            stderr=(self.home / "stderr").open("wb"),
            cwd="/",
        )

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)

    def keep_trying(self) -> None:
        """Only one domain's retry rule expires."""

    def sendmail(self, message: bytes, recipient: str) -> None:
        rig.run(self.binary, "-f", stories.SENDER, "-i", recipient, data=message.replace(b"\r\n", b"\n"))

    def queue_id(self, recipient: str) -> str:
        listing = rig.run(self.binary, "-bp")
        entry = next(block for block in listing.split("\n\n") if recipient in block)
        return re.findall(r"[0-9A-Za-z]{6}-[0-9A-Za-z]+-[0-9A-Za-z]+", entry)[0]

    def requeue(self, recipient: str) -> None:
        """Exim keeps its ids; a forced delivery is the nearest thing."""
        rig.run(self.binary, "-M", self.queue_id(recipient), check=False)

    def cancel(self, recipient: str) -> None:
        rig.run(self.binary, "-Mrm", self.queue_id(recipient))

    def hold(self, recipient: str) -> None:
        rig.run(self.binary, "-Mf", self.queue_id(recipient))

    def mark_delivered(self, recipient: str) -> None:
        """An operator's word, and no delivery."""
        rig.run(self.binary, "-Mmd", self.queue_id(recipient), recipient)
