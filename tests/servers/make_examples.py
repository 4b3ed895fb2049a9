"""Makes what lies in ``examples/``: plays the demo stories on both mail servers and keeps logs, zone and mail.

``python tests/servers/make_examples.py`` (root; needs what the server tests need).  The signing key is made for the
run and thrown away with it; only its public half stays, in the zone file.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import packages
import stories
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
APEXES = ("example.", "google.com.", "gmail.com.", "hinet.net.", "100.51.198.in-addr.arpa.", "113.0.203.in-addr.arpa.")
HEAD = """; The name space of the demo, for examples/responder.py and for any authoritative server.
; Networks and .example names are reserved for documentation (RFC 5737, RFC 2606).  gmail.com and hinet.net stand
; here so that the demo meets two known mailbox providers: these are not their real records, and the responder
; serves them on loopback alone.
"""


def play(mta: str, work: Path, key: Path) -> dict[str, Any]:
    work.mkdir()
    environment = {**os.environ, "TZ": "Asia/Taipei", "RIG_DKIM_KEY": str(key), "PYTHONDONTWRITEBYTECODE": "1"}
    if mta == "exim":
        environment["EXIM_PACKAGE_ROOT"] = str(packages.exim_root())
    command = [*packages.NAMESPACE, sys.executable, str(Path(__file__).with_name("driver.py")), mta, str(work), "demo"]
    subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL, timeout=180)
    truth: dict[str, Any] = json.loads((work / "sent.json").read_text(encoding="utf-8"))
    return truth


def excerpt(log: Path, mark: bytes) -> bytes:
    """The log from the first session of the billing system, without the server's own start and stop."""
    lines = log.read_bytes().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if mark in line)
    noise = (b"postfix-script[", b"postfix/master[")
    return b"".join(line for line in lines[first:] if not any(word in line for word in noise))


def names_of(truths: list[dict[str, Any]]) -> set[str]:
    """Domains written to, and the hosts that serve them."""
    domains = {to.partition("@")[2] for t in truths for m in t["sent"] for to in m["recipients"]}
    hosts = {host for domain in domains for host in stories.MX[domain]}
    return domains | hosts | {stories.OWN_HOST, "whmcs.hosting.example", "ns.hosting.example", "mail.hosting.example"}


def zone(truths: list[dict[str, Any]]) -> str:
    wanted = names_of(truths)
    lines = [line for line in truths[0]["zone"] if _concerns(line, wanted)]
    out = [HEAD]
    for apex in APEXES:
        out.append(f"$ORIGIN {apex}")
        out.append(f"{apex} 300 IN SOA ns.hosting.example. hostmaster.hosting.example. 1 3600 600 86400 60")
        out.append(f"{apex} 300 IN NS ns.hosting.example.")
        out += sorted(line for line in lines if ("." + line.split(maxsplit=1)[0]).endswith("." + apex))
        out.append("")
    return "\n".join(out)


def _concerns(line: str, wanted: set[str]) -> bool:
    words = line.split()
    owner, value = words[0].rstrip("."), words[-1].rstrip(".")
    if owner.endswith("in-addr.arpa"):
        return value in wanted
    return owner in wanted or owner.endswith(("_dmarc.hosting.example", "_domainkey.hosting.example"))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        key = work / "key.pem"
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        key.write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        exim, postfix = play("exim", work / "exim", key), play("postfix", work / "postfix", key)
        for name in ("exim", "postfix"):
            (EXAMPLES / name).mkdir(parents=True, exist_ok=True)
        (EXAMPLES / "exim/mainlog").write_bytes(excerpt(Path(exim["logs"]["mainlog"]), b"[203.0.113.10]:"))
        (EXAMPLES / "postfix/mail.log").write_bytes(excerpt(Path(postfix["logs"]["iso8601"]), b"connect from whmcs"))
        (EXAMPLES / "zone.example").write_text(zone([exim, postfix]), encoding="utf-8")
        received = next(r for r in exim["records"] if r["kind"] == "end" and r["rcpt"] == "mei.lin@gmail.com")
        shutil.copy(Path(exim["sink_folder"]) / received["file"], EXAMPLES / "notice.eml")


if __name__ == "__main__":
    main()
