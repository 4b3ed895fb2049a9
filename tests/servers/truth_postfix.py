"""Postfix for the truth test: two instances, which are two hosts."""

import json
import shutil
from pathlib import Path
from typing import Any

import rig
from mta_postfix import MASTER

MAIN = """compatibility_level = 3.6
queue_directory = {home}/spool
data_directory = {home}/data
myhostname = {host}
mydestination = {destination}
inet_interfaces = {ip}{loopback}
inet_protocols = ipv4
mynetworks = 203.0.113.0/24 127.0.0.0/8
smtp_bind_address = {ip}
alias_maps = texthash:{home}/local
alias_database =
local_recipient_maps =
smtputf8_enable = yes
enable_long_queue_ids = {long_ids}
smtp_tls_security_level = may
smtp_tls_loglevel = 1
minimal_backoff_time = 2s
maximal_backoff_time = 3s
queue_run_delay = 1s
maximal_queue_lifetime = 1d
bounce_queue_lifetime = 1d
smtp_connect_timeout = 3s
smtp_helo_timeout = 3s
smtp_mail_timeout = 3s
smtp_rcpt_timeout = 3s
smtp_data_init_timeout = 3s
smtp_data_xfer_timeout = 3s
smtp_data_done_timeout = 3s
smtp_starttls_timeout = 3s
lmtp_data_done_timeout = 3s
lmtp_rcpt_timeout = 3s
lmtp_mail_timeout = 3s
lmtp_connect_timeout = 3s
lmtp_lhlo_timeout = 3s
lmtp_data_init_timeout = 3s
lmtp_data_xfer_timeout = 3s
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
in_flow_delay = 0
line_length_limit = 2048
{more}
"""
FIRST = """virtual_alias_domains = alias.example
virtual_alias_maps = texthash:{home}/aliases
virtual_mailbox_domains = mailbox.example
virtual_mailbox_maps = texthash:{home}/mailboxes
virtual_mailbox_base = {home}/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_recipient_restrictions = check_recipient_access texthash:{home}/access
transport_maps = texthash:{home}/transport
"""
SECOND = """maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
"""
REINJECT = """127.0.0.1:10025 inet n     -       n       -       -       smtpd
  -o syslog_name=postfix/reinject
  -o content_filter=
  -o receive_override_options=no_unknown_recipient_checks,no_header_body_checks,no_address_mappings
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
"""


class Instance:
    def __init__(self, home: Path, host: str, ip: str, mails: list[Any]) -> None:
        self.home, self.config = home, str(home / "etc")
        for folder in ("etc", "spool", "data", "mail", "files"):
            (home / folder).mkdir(parents=True)
        shutil.chown(home / "data", "postfix", "postfix")
        shutil.chown(home / "mail", 65534, 65534)
        (home / "files").chmod(0o1777)
        first = bool(mails)
        more = FIRST.format(home=home) if first else SECOND.format(home=home)
        (home / "local").write_text(
            "".join(
                f"{a.partition(chr(64))[0]} {', '.join(self._local(f) for f in finals)}\n"
                for m in mails for a, finals in m.to.items() if a.endswith("@local.example")
            ) + "postmaster root\nroot /dev/null\n"
        )  # fmt: skip
        if first:
            self._tables(mails)
        (home / "etc/main.cf").write_text(MAIN.format(
            home=home, host=host, ip=ip, loopback=", 127.0.0.1" if first else "", more=more,
            long_ids="no" if first else "yes", destination="local.example" if first else "",
        ))  # fmt: skip
        (home / "etc/master.cf").write_text(
            MASTER.replace("smtp      inet", f"{ip}:25 inet") + (REINJECT if first else "")
        )

    def _local(self, final: str) -> str:
        return {"pipe:": '"|/bin/cat >/dev/null"', "file:": f"{self.home}/files/f"}.get(final, final)

    def _tables(self, mails: list[Any]) -> None:
        aliases, boxes = [], []
        for m in mails:
            for address, finals in m.to.items():
                if address.endswith("@alias.example"):
                    inner = f"in-{address}" if m.kind == "nested" else address
                    aliases += [f"{address} {inner}"] if m.kind == "nested" else []
                    aliases.append(f"{inner} {', '.join(finals)}")
                if finals == ["mailbox:"]:
                    boxes.append(f"{address} {address.partition('@')[0]}/")
        (self.home / "aliases").write_text("\n".join(aliases) + "\n")
        (self.home / "mailboxes").write_text("\n".join(boxes) + "\n")
        (self.home / "access").write_text("filtered.example FILTER smtp:[127.0.0.1]:10024\n")
        (self.home / "transport").write_text(
            "hop.example smtp:[203.0.113.27]\nstore.example lmtp:inet:127.0.0.1:2424\n"
        )

    def start(self) -> None:
        rig.run("postfix", "-c", self.config, "start")

    def stop(self) -> None:
        rig.run("postfix", "-c", self.config, "stop", check=False)

    def queue(self) -> list[list[str]]:
        found = []
        for line in rig.run("postqueue", "-c", self.config, "-j", check=False).splitlines():
            entry = json.loads(line)
            sender = entry["sender"].removeprefix("MAILER-DAEMON")  # its name for the null reverse-path
            found += [[sender, recipient["address"]] for recipient in entry["recipients"]]
        return found


class Server:
    """The first host, with short queue ids, and the one that it relays some of its mail to, with long ones."""

    def __init__(self, home: Path, mails: list[Any]) -> None:
        Path("/etc/postfix").mkdir(exist_ok=True)
        first, second = home / "postfix", home / "postfix-relay2"
        Path("/etc/postfix/main.cf").write_text(f"alternate_config_directories = {first}/etc, {second}/etc\n")
        self.instances = [
            Instance(first, "out1.hosting.example", "203.0.113.25", mails),
            Instance(second, "relay2.hosting.example", "203.0.113.27", []),
        ]
        self.logs = {"relay2": second / "mail.log"}

    def start(self) -> None:
        for one in self.instances:
            one.start()

    def stop(self) -> None:
        for one in self.instances:
            one.stop()

    def queue(self) -> list[list[str]]:
        return [waiting for one in self.instances for waiting in one.queue()]
