"""The lab: a recipient's mail system in a private world, every engine fed with the same letters.

``python allowlist_lab.py WORK`` runs inside ``unshare`` (``packages.NAMESPACE``), finds the rendered files in WORK/forms,
and leaves ``found.json`` there: which letter each engine let into the inbox, with and without the file.
"""

import asyncio
import base64
import json
import mailbox
import os
import re
import shutil
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOTS = "ALLOWLIST_ROOTS"
START_SECONDS = 90
MX_IP = "198.51.100.25"
DOMAINS = (
    "host.example",
    "esp.example",
    "evil.example",
    "host.example.evil.example",
    "host-example.example",
    "xhost.example",
)
MAIN = """compatibility_level = 3.6
queue_directory = {home}/spool
data_directory = {home}/data
myhostname = mx.rcpt.example
mydestination =
inet_interfaces = {ip}
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = rcpt.example
virtual_mailbox_maps = texthash:{home}/mailboxes
virtual_mailbox_base = {home}/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_milters = inet:127.0.0.1:11332
milter_default_action = tempfail
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_peername_lookup = no
"""
RSPAMD = {
    "worker-proxy.inc": 'bind_socket = "127.0.0.1:11332";\nupstream "local" { self_scan = yes; default = yes; }\n'
    "milter = yes;\ntimeout = 30s;\n",
    "worker-normal.inc": "enabled = false;\n",
    "worker-controller.inc": "enabled = false;\n",
    "worker-fuzzy.inc": "enabled = false;\n",
    "options.inc": 'disable_hyperscan = true;\nlocal_addrs = ["127.0.0.0/8"];\n'
    'dns { nameserver = ["203.0.113.53"]; timeout = 1s; retransmits = 1; }\n',
    "redis.conf": "enabled = false;\n",
    "neural.conf": "enabled = false;\n",
    "fuzzy_check.conf": "enabled = false;\n",
    "rbl.conf": "enabled = false;\n",
    "asn.conf": "enabled = false;\n",
    "phishing.conf": "openphish_enabled = false;\nphishtank_enabled = false;\n",
    "greylist.conf": "enabled = false;\n",
    "ratelimit.conf": "enabled = false;\n",
    "history_redis.conf": "enabled = false;\n",
    "actions.conf": "reject = null;\nadd_header = 6;\ngreylist = null;\n",
    "milter_headers.conf": 'use = ["authentication-results", "x-spamd-result", "x-spam-status"];\n',
    # Every letter would be junk without an allowlist.
    "regexp.conf": '"LAB_RENEWS" = { re = "/renews on/{body}"; score = 8.0; }\n',
}
SPAMASSASSIN = """dns_server 203.0.113.53
skip_rbl_checks 1
use_bayes 0
trusted_networks 198.51.100.25
internal_networks 198.51.100.25
required_score 5
report_safe 0
body LAB_RENEWS /renews on/
score LAB_RENEWS 8
"""
AMAVIS = r"""use strict;
$mydomain = 'rcpt.example';
$myhostname = 'mx.rcpt.example';
$MYHOME = '%(home)s';
$TEMPBASE = "$MYHOME/tmp";
$ENV{TMPDIR} = $TEMPBASE;
$QUARANTINEDIR = undef;
$db_home = "$MYHOME/db";
$lock_file = "$MYHOME/amavisd.lock";
$pid_file = "$MYHOME/amavisd.pid";
$daemon_user = 'amavis';
$daemon_group = 'amavis';
$max_servers = 1;
$enable_db = 0;
$enable_zmq = 0;
$DO_SYSLOG = 0;
$log_level = 2;
$inet_socket_port = 10024;
$inet_socket_bind = '127.0.0.1';
$forward_method = 'smtp:[127.0.0.1]:10025';
$notify_method = $forward_method;
@local_domains_acl = ('.rcpt.example');
@inet_acl = qw(127.0.0.1);
@mynetworks = qw(127.0.0.0/8);
$enable_dkim_verification = 1;
$sa_local_tests_only = 1;
$sa_tag_level_deflt = -999;
$sa_tag2_level_deflt = 5;
$sa_kill_level_deflt = 9999;
$final_bad_header_destiny = D_PASS;
$final_banned_destiny = D_PASS;
@bypass_virus_checks_maps = (1);
@decoders = ();
%(include)s
1;
"""
DOVECOT = """mail_location = maildir:{home}/sieve-mail
mail_uid = 65534
mail_gid = 65534
mail_home = {home}
ssl = no
log_path = {home}/dovecot.log
"""
EXIM = """exim_user = nobody
exim_group = nogroup
primary_hostname = mx.rcpt.example
qualify_domain = rcpt.example
spool_directory = {home}/exim
log_file_path = {home}/exim/%slog
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = {home}/exim/out
"""
JUNK_SIEVE = 'require ["fileinto"];\n%s\nif header :contains "Subject" "Renewal" { fileinto "Junk"; }\n'
JUNK_EXIM = '\nif $h_Subject: contains "Renewal" then save "$home/Junk/" endif\n'


def until(ready: Callable[[], bool], what: str, log: Path | None = None) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if ready():
            return
        time.sleep(0.1)
    raise RuntimeError(f"{what}: {log.read_text(errors='replace')[-3000:] if log else ''}")


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Sink:
    """Takes what Amavis passes on, and keeps its bytes."""

    def __init__(self, port: int) -> None:
        self.mails: list[bytes] = []
        ready = threading.Event()

        async def serve() -> None:
            server = await asyncio.start_server(self._client, "127.0.0.1", port, limit=1 << 22)
            ready.set()
            async with server:
                await server.serve_forever()

        threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
        ready.wait(10)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink ESMTP\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append((await reader.readuntil(b"\r\n.\r\n"))[:-3])
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                break
        writer.close()


class Lab:
    """The recipient's side."""

    def __init__(self, work: Path) -> None:
        roots = os.environ[ROOTS]
        subprocess.run(
            ["mount", "-t", "overlay", "-o", f"lowerdir={roots}:/usr", "overlay", "/usr"], check=True, timeout=20
        )
        import allowlist_mails as mails
        import mta_postfix
        import rig
        import stories

        self.mails, self.rig = mails, rig
        rig.mount_all(work)
        self.home = rig.HOME
        Path("/run").chmod(0o755)
        rig.run("ip", "link", "set", "lo", "up")
        for ip in (MX_IP, mails.OURS, mails.ESP, mails.EVIL, stories.NAMESERVER_IP):
            rig.run("ip", "addr", "add", f"{ip}/32", "dev", "lo")
        self.keys = {domain: self._key() for domain in DOMAINS}
        stories.zone_lines = lambda _key: self._zone()
        self.names = rig.NameServer(self.home / "nsd", "")
        with Path("/etc/passwd").open("a") as passwd, Path("/etc/group").open("a") as group:
            passwd.write("dovecot:x:70021:70021::/run:/bin/false\nDebian-exim:x:64001:64001::/nonexistent:/bin/false\n")
            group.write("dovecot:x:70021:\nDebian-exim:x:64001:\n")
        self.master = mta_postfix.MASTER
        self.forms = self.home / "forms"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.delivered: dict[str, bytes] = {}

    @staticmethod
    def _key() -> tuple[bytes, str]:
        from cryptography.hazmat.primitives import serialization as s
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, s.NoEncryption())
        public = key.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
        return private, base64.b64encode(public).decode()

    def _zone(self) -> list[str]:
        lines = ["ns.hosting.example. 300 IN A 203.0.113.53", "mx.rcpt.example. 300 IN A 198.51.100.25",
                 "rcpt.example. 300 IN MX 10 mx.rcpt.example."]  # fmt: skip
        ips = {"host.example": self.mails.OURS, "esp.example": self.mails.ESP}
        for domain, (_, public) in self.keys.items():
            key = f"v=DKIM1; k=rsa; p={public}"
            parts = " ".join(f'"{key[i : i + 250]}"' for i in range(0, len(key), 250))
            ip = ips.get(domain, self.mails.EVIL)
            lines += [
                f"s1._domainkey.{domain}. 300 IN TXT {parts}",
                f'_dmarc.{domain}. 300 IN TXT "v=DMARC1; p=reject"',
                f'{domain}. 300 IN TXT "v=spf1 ip4:{ip} -all"',
                f"{domain}. 300 IN A {ip}",
                f"{domain}. 300 IN MX 10 {domain}.",
                f"mail.{domain}. 300 IN A {ip}",
            ]
        return lines

    def spawn(self, name: str, *command: str) -> Path:
        log = self.home / f"{name}.out"
        with log.open("wb") as out:
            self.processes.append(subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd="/"))
        return log

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)
        self.processes.clear()

    # --- letters ------------------------------------------------------------------------------------------------------

    def raw(self, letter: Any) -> bytes:
        import dkim

        message = (letter.head + "\r\n" + letter.body).encode()
        signed = b""
        names = [b"from", b"to", b"subject", b"date", b"message-id"]
        for domain in letter.signers:
            signed += dkim.sign(
                message, b"s1", domain.encode(), self.keys[domain][0], identity=letter.identity, include_headers=names
            )
        late = "".join(f"From: {one}\r\n" for one in letter.late_froms)
        above = "".join(f"{line}\r\n" for line in letter.above)
        return (above + late).encode() + signed + message + letter.late_body.encode()

    def receive(self, box: str, letters: Iterable[Any]) -> dict[str, bytes]:
        """Each letter through the receiving server, and how it stands in the mailbox."""
        letters = tuple(letters)
        for letter in letters:
            with smtplib.SMTP(MX_IP, 25, timeout=60, source_address=(letter.ip, 0)) as client:
                client.docmd(f"EHLO {letter.helo}")
                for command in (f"MAIL FROM:<{letter.envelope}>", f"RCPT TO:<{box}@rcpt.example>"):
                    code, text = client.docmd(command)
                    assert code == 250, (letter.name, command, text)
                code, text = client.data(self.raw(letter))
                assert code == 250, (letter.name, text)
        folder = self.home / "mail" / box / "new"
        until(lambda: folder.is_dir() and len(list(folder.iterdir())) == len(letters), f"letters for {box}")
        found = {}
        for file in folder.iterdir():
            content = file.read_bytes()
            name = re.search(rb"^X-Letter: (\S+)", content, re.MULTILINE)
            assert name
            found[name[1].decode()] = content
        return found

    def postfix(self) -> None:
        config = self.home / "postfix"
        for folder in ("postfix", "spool", "data", "mail"):
            (self.home / folder).mkdir()
        shutil.chown(self.home / "data", "postfix", "postfix")
        shutil.chown(self.home / "mail", 65534, 65534)
        (config / "main.cf").write_text(MAIN.format(home=self.home, ip=MX_IP))
        (config / "master.cf").write_text(self.master.replace("smtp      inet", f"{MX_IP}:25 inet"))
        boxes = ("plain", "allowed", "odd")
        (self.home / "mailboxes").write_text("".join(f"{b}@rcpt.example {b}/\n" for b in boxes))
        Path("/etc/postfix").mkdir(exist_ok=True)
        Path("/etc/postfix/main.cf").write_text(f"alternate_config_directories = {config}\n")
        self.rig.run("postfix", "-c", str(config), "start")

    # --- engines ------------------------------------------------------------------------------------------------------

    def rspamd(self, form: str | None) -> None:
        home = self.home / "rspamd"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        shutil.chown(home, "_rspamd", "_rspamd")
        local = Path("/etc/rspamd/local.d")  # the lab's own copy of /etc
        for name, text in RSPAMD.items():
            (local / name).write_text(text)
        (local / "multimap.conf").write_bytes((self.forms / form).read_bytes() if form else b"")
        folders = [f"--var={name}={home}" for name in ("DBDIR", "LOGDIR", "RUNDIR")]
        tested = subprocess.run(
            ["rspamadm", *folders, "configtest"], capture_output=True, text=True, timeout=60, check=False
        )
        assert tested.returncode == 0 and "syntax OK" in tested.stdout, tested.stdout + tested.stderr
        log = self.spawn("rspamd", "rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", *folders)
        until(lambda: listens(11332), "rspamd", log)

    def spamassassin(self, form: str | None) -> dict[str, bool]:
        site = self.home / f"site-{len(list(self.home.glob('site-*')))}"
        site.mkdir()
        for file in Path("/etc/spamassassin").glob("*.pre"):
            shutil.copy(file, site)
        (site / "local.cf").write_text(SPAMASSASSIN)
        text = (self.forms / form).read_text() if form else ""
        (site / "allow.cf").write_text(text)
        (site / "user_prefs").touch()
        command = [
            "spamassassin",
            f"--siteconfigpath={site}",
            "--configpath=/usr/share/spamassassin",
            "-p",
            str(site / "user_prefs"),
        ]
        lint = subprocess.run([*command, "--lint"], capture_output=True, text=True, timeout=120, check=False)
        assert lint.returncode == 0 and not lint.stderr.strip(), lint.stderr
        box = b"".join(b"From x Sun Nov 22 10:00:00 2026\n" + mail + b"\n" for mail in self.delivered.values())
        done = subprocess.run([*command, "--mbox"], input=box, capture_output=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        (self.home / "sa.mbox").write_bytes(done.stdout)
        found = {}
        for mail in mailbox.mbox(self.home / "sa.mbox"):
            found[mail["X-Letter"]] = mail["X-Spam-Status"].startswith("No")
        (self.home / "sa.mbox").rename(site / "out.mbox")
        return found

    def amavis(self, form: str | None) -> dict[str, bool]:
        home = self.home / "amavis"
        shutil.rmtree(home, ignore_errors=True)
        for folder in ("tmp", "db", ".spamassassin"):
            (home / folder).mkdir(parents=True)
        for path in (home, *home.iterdir()):
            shutil.chown(path, "amavis", "amavis")
        include = f"include_config_files('{self.forms / form}');" if form else ""
        (self.home / "amavisd.conf").write_text(AMAVIS % {"home": home, "include": include})
        local = Path("/etc/spamassassin/local.cf")
        local.write_text(SPAMASSASSIN)
        log = self.spawn("amavis", "amavisd", "-c", str(self.home / "amavisd.conf"), "foreground")
        until(lambda: listens(10024), "amavisd", log)
        sink = self.sink
        sink.mails.clear()
        with smtplib.SMTP("127.0.0.1", 10024, timeout=120) as client:
            for mail in self.delivered.values():
                client.sendmail("bounce@evil.example", ["customer@rcpt.example"], mail)
        self.stop()
        found = {}
        for mail in sink.mails:
            name = re.search(rb"^X-Letter: (\S+)", mail, re.MULTILINE)
            assert name
            found[name[1].decode()] = (
                re.search(rb"^X-Spam-Flag: YES", mail.partition(b"\r\n\r\n")[0], re.MULTILINE) is None
            )
        return found

    def sieve(self, form: str | None, letters: dict[str, bytes]) -> dict[str, bool]:
        config = self.home / "dovecot.conf"
        config.write_text(DOVECOT.format(home=self.home))
        script = self.home / f"{form or 'none'}.test.sieve"
        text = (self.forms / form).read_text() if form else ""
        lines = text.partition("\nif allof")
        # ``require`` belongs to the top (RFC 5228 §3.2), as the steps say.
        head, rule = (lines[0], lines[1] + lines[2]) if form else ("", "")
        script.write_text(head + "\n" + JUNK_SIEVE % rule)
        found = {}
        for name, content in letters.items():
            mail = self.home / "one.eml"
            mail.write_bytes(content)
            done = subprocess.run(
                ["sieve-test", "-c", str(config), str(script), str(mail)],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            folder = re.search(r"store message in folder: (\S+)", done.stdout)
            assert folder, done.stdout
            found[name] = folder[1] == "INBOX"
        return found

    def exim(self, form: str | None, letters: dict[str, bytes], *, system: bool = False) -> dict[str, bool]:
        (self.home / "exim").mkdir(exist_ok=True)
        config = self.home / "exim.conf"
        config.write_text(EXIM.format(home=self.home))
        script = self.home / "filter"
        text = (self.forms / form).read_text() if form else "# Exim filter\n"
        script.write_text(text + ("" if system else JUNK_EXIM))
        found = {}
        for name, content in letters.items():
            command = ["exim4", "-C", str(config), "-bF" if system else "-bf", str(script)]
            done = subprocess.run(command, input=content, capture_output=True, timeout=60, cwd="/", check=False)
            out = done.stdout.decode(errors="replace")
            assert done.returncode == 0, out + done.stderr.decode(errors="replace")
            if system:
                found[name] = "Headers remove" in out.replace("headers remove", "Headers remove")
            else:
                found[name] = "Junk" not in out
        return found

    def stored(self, letters: Iterable[Any]) -> dict[str, bytes]:
        received = (
            b"Return-Path: <b@evil.example>\r\nReceived: from x by mx.rcpt.example; Sun, 22 Nov 2026 10:00:00 +0800\r\n"
        )
        made = {}
        for letter in letters:
            made[letter.name] = (received + self.raw(letter)).replace(b"\r\n", b"\n")
        return made

    def run(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        took: dict[str, float] = {}

        def step(name: str, work: Callable[[], dict[str, bool]]) -> None:
            start = time.monotonic()
            found[name] = work()
            took[name] = round(time.monotonic() - start, 1)

        self.rspamd(None)
        self.postfix()
        self.delivered = self.receive("plain", self.mails.LETTERS)
        flagged = lambda mails: {n: b"\nX-Spam: Yes" not in m.partition(b"\n\n")[0] for n, m in mails.items()}  # noqa: E731
        found["rspamd-without"] = flagged(self.delivered)
        self.stop()
        self.rspamd("rspamd")
        step("rspamd", lambda: flagged(self.receive("allowed", self.mails.LETTERS)))
        self.stop()
        letters = self.delivered | self.stored(self.mails.STORED)
        odd = self.stored(self.mails.STORED_ODD)
        step("sieve-without", lambda: self.sieve(None, self.delivered))
        step("sieve", lambda: self.sieve("sieve", letters))
        step("sieve-expired", lambda: self.sieve("sieve-expired", letters))
        # What many pages on the web advise, so that the letters are seen to be live.
        step("control-sieve", lambda: self.sieve("control-sieve", letters))
        step("control-exim", lambda: self.exim("control-exim", letters))
        step("control-spamassassin", lambda: self.spamassassin("control-spamassassin"))
        step("sieve-odd", lambda: self.sieve("sieve-odd", odd))
        step("exim-user-filter-odd", lambda: self.exim("exim-user-filter-odd", odd))
        step("exim-user-filter-without", lambda: self.exim(None, self.delivered))
        step("exim-user-filter", lambda: self.exim("exim-user-filter", letters))
        step("exim-user-filter-expired", lambda: self.exim("exim-user-filter-expired", letters))
        step("exim-system-filter-without", lambda: self.exim(None, self.delivered, system=True))
        step("exim-system-filter", lambda: self.exim("exim-system-filter", letters, system=True))
        step("exim-system-filter-expired", lambda: self.exim("exim-system-filter-expired", letters, system=True))
        step("spamassassin-without", lambda: self.spamassassin(None))
        step("spamassassin", lambda: self.spamassassin("spamassassin"))
        self.sink = Sink(10025)
        step("amavis-without", lambda: self.amavis(None))
        step("amavis", lambda: self.amavis("amavis"))
        step("amavis-expired", lambda: self.amavis("amavis-expired"))
        found["took"] = took
        found["results"] = {
            name: re.findall(rb"^Authentication-Results:.*(?:\n[ \t].*)*", mail, re.MULTILINE)[:1]
            for name, mail in self.delivered.items()
        }
        found["results"] = {
            name: [one.decode(errors="replace") for one in ones] for name, ones in found["results"].items()
        }
        return found


def main() -> None:
    work = Path(sys.argv[1])
    lab = Lab(work)
    try:
        found = lab.run()
    finally:
        lab.stop()
    (lab.home / "found.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
