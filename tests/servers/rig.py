"""The private world that a mail server is run in: a network and mount namespace of its own, names, clock lines, keys.

Everything here runs inside ``unshare -nm``: addresses, mounts and the copied ``/etc`` end with the process.
"""

import base64
import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from datetime import datetime
from pathlib import Path

import stories
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

HOME = Path("/run/rig")
"""Where the work folder stands inside the namespace: pytest's own folders are closed to the servers' users."""


def run(*command: str, check: bool = True, data: bytes | None = None) -> str:
    done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace")


def mount_all(work: Path) -> None:
    """A copied ``/etc``, an empty ``/run`` and a small ``/dev`` (for ``/dev/log``), seen by this process tree alone."""
    etc = work / "etc"
    shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    HOME.mkdir()
    run("mount", "--bind", str(work), str(HOME))
    run("mount", "--bind", str(etc), "/etc")
    dev = Path("/run/dev")
    dev.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", str(dev))
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        (dev / name).touch()
        run("mount", "--bind", f"/dev/{name}", str(dev / name))
    (dev / "fd").symlink_to("/proc/self/fd")
    (dev / "shm").mkdir(mode=0o1777)
    run("mount", "--move", str(dev), "/dev")
    for path in ("/etc/resolv.conf", "/etc/hosts"):
        Path(path).unlink(missing_ok=True)
    Path("/etc/resolv.conf").write_text(f"nameserver {stories.NAMESERVER_IP}\noptions timeout:2 attempts:1\n")
    Path("/etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    HOME.chmod(0o755)


def addresses() -> None:
    run("ip", "link", "set", "lo", "up")
    ips = {*stories.addresses().values(), stories.OWN_IP6}
    for ip in sorted(ips):
        if ":" in ip:
            run("ip", "-6", "addr", "add", f"{ip}/128", "dev", "lo", "nodad")
        else:
            run("ip", "addr", "add", f"{ip}/32", "dev", "lo")


def make_dkim_key(path: Path) -> str:
    """A key made for this run, written to ``path`` for the signer; returns the public half for the zone."""
    shared = os.environ.get("RIG_DKIM_KEY")  # the two servers of the demo sign with one key
    if shared:
        loaded = serialization.load_pem_private_key(Path(shared).read_bytes(), None)
        assert isinstance(loaded, rsa.RSAPrivateKey)
        key = loaded
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(public).decode()


def make_tls(folder: Path) -> ssl.SSLContext:
    certificate, key = folder / "tls.pem", folder / "tls.key"
    run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=mx.example", "-keyout", str(key), "-out", str(certificate),
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


class NameServer:
    """NSD, authoritative for the whole private name space; one zone cannot be loaded and answers SERVFAIL."""

    def __init__(self, folder: Path, public_key: str) -> None:
        folder.mkdir()
        soa = ". 300 IN SOA ns.hosting.example. hostmaster.hosting.example. 1 3600 600 86400 60"
        zone = [soa, ". 300 IN NS ns.hosting.example.", *stories.zone_lines(public_key)]
        (folder / "root.zone").write_text("\n".join(zone) + "\n")
        (folder / "nsd.conf").write_text(
            f'server:\n  ip-address: {stories.NAMESERVER_IP}\n  username: ""\n  zonesdir: "{folder}"\n'
            f'  database: ""\n  pidfile: "{folder}/nsd.pid"\n  xfrdfile: "{folder}/xfrd"\n  zonelistfile: "{folder}/list"\n'
            f'  logfile: "{folder}/nsd.log"\n  server-count: 1\n  hide-version: yes\n'
            "remote-control:\n  control-enable: no\n"
            'zone:\n  name: "."\n  zonefile: "root.zone"\n'
            f'zone:\n  name: "{stories.BROKEN_ZONE}"\n  zonefile: "absent.zone"\n'
        )
        self.process = subprocess.Popen(
            ["nsd", "-d", "-c", str(folder / "nsd.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.log = folder / "nsd.log"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


class SyslogReceiver:
    """Takes ``/dev/log`` and writes what it gets in rsyslog's two common forms, one file each.

    ``RSYSLOG_FileFormat`` (RFC 3339 with microseconds) and ``RSYSLOG_TraditionalFileFormat`` (RFC 3164: no year,
    no zone).  The program and its process id come as the sender's C library wrote them.
    """

    _HEAD = re.compile(rb"<(\d{1,3})>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?(.*)\Z", re.DOTALL)

    def __init__(self, folder: Path, host: str) -> None:
        self.iso, self.traditional, self.host = folder / "mail.iso8601.log", folder / "mail.rfc3164.log", host
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("/dev/log")
        os.chmod("/dev/log", 0o666)  # noqa: PTH101
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self) -> None:
        with self.iso.open("ab", buffering=0) as iso, self.traditional.open("ab", buffering=0) as traditional:
            while True:
                with contextlib.suppress(OSError):
                    data = self.socket.recv(64 * 1024)
                    now = datetime.now().astimezone()
                    matched = self._HEAD.match(data)
                    if matched is None:
                        continue
                    # What rsyslog does with control characters ($EscapeControlCharactersOnReceive).
                    text = re.sub(rb"[\x00-\x1f\x7f]", lambda m: b"#%03o" % m[0][0], matched[2].rstrip(b"\n\x00"))
                    head = f"{now.isoformat(timespec='microseconds')} {self.host} ".encode()
                    iso.write(head + text + b"\n")
                    day = f"{now:%b} {now.day:2d} {now:%H:%M:%S} {self.host.partition('.')[0]} "
                    traditional.write(day.encode() + text + b"\n")
