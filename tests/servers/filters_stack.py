"""Postfix with the filters that hosts put around it: OpenDKIM, OpenDMARC, amavis and rspamd, as Debian packages them.

Every one has its configuration, sockets and state in the rig's own folder and logs to the rig's ``/dev/log``; rspamd
writes the file that it writes by default.
"""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import mta_postfix
import rig
import stories

PACKAGES = {
    "amavisd": "amavisd-new",
    "opendkim": "opendkim",
    "opendmarc": "opendmarc",
    "rspamd": "rspamd",
}
AMAVIS_SIGNER = "shop.example"
"""Amavis signs for this domain, OpenDKIM and rspamd for ``hosting.example``."""
UNKNOWN_KEY = "nokey.example"
SIGNER_SELECTOR = "shop1"
RSPAMD_PORT, LMTP_FILTER_PORT, MIXED_PORT = 2526, 2527, 2528
START_SECONDS = 90

MAIN = """compatibility_level = 3.6
queue_directory = {home}/spool
data_directory = {home}/data
myhostname = {host}
mydestination =
inet_interfaces = {ip}, 127.0.0.1
inet_protocols = ipv4
mynetworks = 203.0.113.0/24 127.0.0.0/8
smtp_bind_address = {ip}
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = hosting.example
virtual_mailbox_maps = texthash:{home}/mailboxes
virtual_mailbox_base = {home}/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
enable_long_queue_ids = {long_ids}
header_checks = regexp:{home}/header_checks
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_authorized_xforward_hosts = 127.0.0.0/8
milter_default_action = tempfail
smtp_send_xforward_command = yes
lmtp_send_xforward_command = yes
"""
SERVICES = """{ip}:{rspamd} inet n - n - - smtpd
  -o smtpd_milters=inet:127.0.0.1:11332
{ip}:{lmtp} inet n - n - - smtpd
  -o content_filter=lmtp:[127.0.0.1]:10024
{ip}:{mixed} inet n - n - - smtpd
  -o smtpd_milters=unix:{home}/sockets/opendkim.sock
127.0.0.1:10025 inet n - n - - smtpd
  -o syslog_name=postfix/reinject
  -o content_filter=
  -o smtpd_milters=
  -o receive_override_options=no_unknown_recipient_checks,no_header_body_checks,no_milters
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
"""
FIRST_SERVICE = """{ip}:25 inet n - n - - smtpd
  -o smtpd_milters=unix:{home}/sockets/opendkim.sock,unix:{home}/sockets/opendmarc.sock
  -o content_filter=smtp:[127.0.0.1]:10024
"""
AMAVIS = r"""use strict;
$mydomain = 'hosting.example';
$myhostname = '{host}';
$MYHOME = '{home}';
$TEMPBASE = "$MYHOME/tmp";
$ENV{{TMPDIR}} = $TEMPBASE;
$QUARANTINEDIR = "$MYHOME/quarantine";
$db_home = "$MYHOME/db";
$lock_file = "$MYHOME/amavisd.lock";
$pid_file = "$MYHOME/amavisd.pid";
$daemon_user = 'amavis';
$daemon_group = 'amavis';
$max_servers = 2;
$enable_db = 0;
$enable_zmq = 0;
$DO_SYSLOG = 1;
$syslog_ident = 'amavis';
$syslog_facility = 'mail';
$inet_socket_port = 10024;
$inet_socket_bind = '127.0.0.1';
$forward_method = 'smtp:[127.0.0.1]:10025';
$notify_method = $forward_method;
@local_domains_acl = ('.hosting.example', '.shop.example');
@inet_acl = qw(127.0.0.1 203.0.113.25);
@mynetworks = qw(127.0.0.0/8 203.0.113.0/24);
$policy_bank{{'MYNETS'}} = {{ originating => 1 }};
$enable_dkim_verification = 1;
$enable_dkim_signing = 1;
dkim_key('{domain}', '{selector}', '{key}');
$sa_local_tests_only = 1;
$sa_tag2_level_deflt = 6.31;
$sa_kill_level_deflt = 6.31;
$final_spam_destiny = D_DISCARD;
$final_banned_destiny = D_REJECT;
$final_virus_destiny = D_DISCARD;
$final_bad_header_destiny = D_PASS;
@spam_lovers_maps = (new_RE(qr'^lover-'i));
@bypass_virus_checks_maps = (1);
$banned_filename_re = new_RE(qr'\.(exe|scr)$'i);
$spam_quarantine_to = 'spam-quarantine';
$spam_quarantine_method = 'local:spam-%m';
$banned_quarantine_to = undef;
@decoders = ();
1;
"""
OPENDKIM = """Syslog yes
SyslogSuccess yes
LogWhy yes
LogResults yes
Mode sv
UserID opendkim
Socket local:{home}/sockets/opendkim.sock
KeyTable file:{home}/keytable
SigningTable refile:{home}/signingtable
InternalHosts {home}/internal
ExternalIgnoreList {home}/internal
OversignHeaders From
Canonicalization relaxed/relaxed
UMask 000
Nameservers {names}
"""
OPENDMARC = """Syslog true
SyslogFacility mail
AuthservID {host}
TrustedAuthservIDs {host}
SPFSelfValidate true
RejectFailures false
UserID opendmarc
Socket local:{home}/sockets/opendmarc.sock
UMask 000
IgnoreHosts {home}/internal
"""
RSPAMD = {
    "worker-proxy.inc": 'bind_socket = "127.0.0.1:11332";\nupstream "local" { self_scan = yes; default = yes; }\n'
    "milter = yes;\ntimeout = 30s;\n",
    "worker-normal.inc": "enabled = false;\n",
    "worker-controller.inc": "enabled = false;\n",
    "worker-fuzzy.inc": "enabled = false;\n",
    "options.inc": 'disable_hyperscan = true;\nlocal_addrs = ["203.0.113.0/24", "127.0.0.0/8"];\ndns { nameserver = ["%(names)s"]; timeout = 1s; retransmits = 1; }\n',
    "dkim_signing.conf": 'path = "%(key)s";\nselector = "%(selector)s";\nallow_username_mismatch = true;\n'
    'sign_networks = ["203.0.113.0/24", "127.0.0.0/8"];\n'
    'domain { hosting.example { path = "%(key)s"; selector = "%(selector)s"; } }\ntry_fallback = false;\n',
    "redis.conf": "enabled = false;\n",
    "neural.conf": "enabled = false;\n",
    "fuzzy_check.conf": "enabled = false;\n",
    "rbl.conf": "enabled = false;\n",
    "asn.conf": "enabled = false;\n",
    "phishing.conf": "openphish_enabled = false;\nphishtank_enabled = false;\n",
    "greylist.conf": "enabled = false;\n",
    "ratelimit.conf": "enabled = false;\n",
    "history_redis.conf": "enabled = false;\n",
    "actions.conf": "reject = 15;\nadd_header = 6;\ngreylist = null;\n",
}


def _wait(ready: object, process: "subprocess.Popen[bytes]", name: str, log: Path) -> None:
    assert callable(ready)
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if ready():
            return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise RuntimeError(f"{name} did not come up: {log.read_text(errors='replace')[-2000:]}")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Stack:
    """All of them, in the rig's world."""

    name = "filters"

    def __init__(self, home: Path, key: Path, *, long_ids: bool) -> None:
        self.home, self.config = home / "stack", home / "stack" / "etc"
        for folder in (
            self.config,
            *(self.home / name for name in ("spool", "data", "mail", "sockets", "rspamd", "amavis")),
        ):
            folder.mkdir(parents=True)
        (self.home / "sockets").chmod(0o777)  # each socket is made by another user
        Path("/run").chmod(0o755)  # the rig's own; filters read no key below a folder that anybody may write to
        shutil.chown(self.home / "data", "postfix", "postfix")
        shutil.chown(self.home / "mail", 65534, 65534)
        self.syslog = rig.SyslogReceiver(home / "logs", stories.OWN_HOST)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.key = key
        self.rspamd_log = self.home / "rspamd" / "rspamd.log"
        self.logs = {"iso8601": self.syslog.iso, "rfc3164": self.syslog.traditional, "rspamd": self.rspamd_log}
        self.rspamd_to_syslog = not long_ids
        self.fill = {"home": self.home, "host": stories.OWN_HOST, "ip": stories.OWN_IP, "names": stories.NAMESERVER_IP}
        self._postfix(long_ids="yes" if long_ids else "no")

    def _postfix(self, long_ids: str) -> None:
        (self.config / "main.cf").write_text(MAIN.format(**self.fill, long_ids=long_ids))
        services = SERVICES.format(**self.fill, rspamd=RSPAMD_PORT, lmtp=LMTP_FILTER_PORT, mixed=MIXED_PORT)
        first = FIRST_SERVICE.format(**self.fill)
        rest = mta_postfix.MASTER.partition("\n")[2]
        (self.config / "master.cf").write_text(first + rest + services)
        boxes = ("box", "accounts", "renewals")
        (self.home / "mailboxes").write_text("".join(f"{b}@hosting.example {b}/\n" for b in boxes))
        (self.home / "header_checks").write_text("/^Subject:/ INFO\n")
        # postdrop and sendmail read another configuration only if this file names it.
        Path("/etc/postfix").mkdir(exist_ok=True)
        Path("/etc/postfix/main.cf").write_text(f"alternate_config_directories = {self.config}\n")

    def _spawn(self, name: str, *command: str) -> "tuple[subprocess.Popen[bytes], Path]":
        log = self.home / f"{name}.out"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        self.processes.append(process)
        return process, log

    def _milters(self) -> None:
        key = self.home / "opendkim.pem"
        shutil.copy(self.key, key)
        shutil.chown(key, "opendkim", "opendkim")
        key.chmod(0o600)
        (self.home / "keytable").write_text(f"ours hosting.example:{stories.SELECTOR}:{key}\n")
        (self.home / "signingtable").write_text(f"*@hosting.example ours\n*@{UNKNOWN_KEY} gone\n")
        (self.home / "internal").write_text("127.0.0.1\n203.0.113.0/24\n")
        for name, text in (("opendkim", OPENDKIM), ("opendmarc", OPENDMARC)):
            config = self.home / f"{name}.conf"
            config.write_text(text.format(**self.fill))
            process, log = self._spawn(name, name, "-f", "-x" if name == "opendkim" else "-c", str(config))
            _wait((self.home / "sockets" / f"{name}.sock").exists, process, name, log)

    def _amavis(self) -> None:
        home = self.home / "amavis"
        for folder in ("tmp", "quarantine", "db"):
            (home / folder).mkdir()
        key = home / "dkim.pem"
        shutil.copy(self.key, key)
        config = self.config / "amavisd.conf"
        fill = self.fill | {"home": home}
        config.write_text(AMAVIS.format(**fill, domain=AMAVIS_SIGNER, selector=SIGNER_SELECTOR, key=key))
        for path in (home, *home.iterdir()):
            shutil.chown(path, "amavis", "amavis")
        process, log = self._spawn("amavis", "amavisd", "-c", str(config), "foreground")
        _wait(lambda: _listens(10024), process, "amavisd", log)

    def _rspamd(self) -> None:
        home = self.home / "rspamd"
        key = home / "dkim.pem"
        shutil.copy(self.key, key)
        fill = {"names": stories.NAMESERVER_IP, "key": key, "selector": stories.SELECTOR}
        local = Path("/etc/rspamd/local.d")  # the rig's own copy of /etc
        for name, text in RSPAMD.items():
            (local / name).write_text(text % fill)
        if self.rspamd_to_syslog:
            (local / "logging.inc").write_text('type = "syslog";\nfacility = "LOG_MAIL";\n')
        for path in (home, *home.iterdir()):
            shutil.chown(path, "_rspamd", "_rspamd")
        folders = [f"--var={name}={home}" for name in ("DBDIR", "LOGDIR", "RUNDIR")]
        process, log = self._spawn("rspamd", "rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", *folders)
        _wait(lambda: _listens(11332), process, "rspamd", log)

    def start(self) -> None:
        self._milters()
        self._amavis()
        self._rspamd()
        rig.run("postfix", "-c", str(self.config), "start")

    def stop(self) -> None:
        rig.run("postfix", "-c", str(self.config), "stop", check=False)
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)
