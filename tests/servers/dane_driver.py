"""Sends under ``tls="policy"`` inside the private namespace: NSD has the signed zones, Unbound resolves, Postfix receives.

``python dane_driver.py WORK ADDRESS...``: prints one line of JSON with what came of a message to each address.
"""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import rig
from mta_postfix import MAIN, MASTER

from deliverability.api import mailer as mailers
from deliverability.api.mailer import Mailer
from deliverability.api.receipts import SendingError
from deliverability.api.requests import Network
from deliverability.protocols.dnssec import TrustAnchor

SERVER = "127.0.0.2"
NSD, UNBOUND = 5300, 5301
MORE = """maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_tls_chain_files = {home}/tls/key.pem, {home}/tls/certificate.pem
virtual_mailbox_domains = right.example, wrong.example
virtual_mailbox_maps = static:all
virtual_mailbox_base = {home}/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
"""


def name_servers(folder: Path, ds: str) -> None:
    zones = "".join(
        f'zone:\n  name: "{zone}"\n  zonefile: "{file}.zone"\n'
        for zone, file in ((".", "root"), *((z, z) for z in ("example", "right.example", "wrong.example")))
    )
    (folder / "nsd.conf").write_text(
        f'server:\n  ip-address: 127.0.0.1\n  port: {NSD}\n  username: ""\n  zonesdir: "{folder}"\n  database: ""\n'
        f'  pidfile: "{folder}/nsd.pid"\n  xfrdfile: "{folder}/xfrd"\n  zonelistfile: "{folder}/list"\n  server-count: 1\n'
        f"remote-control:\n  control-enable: no\n{zones}"
    )
    (folder / "unbound.conf").write_text(
        f'server:\n  interface: 127.0.0.1\n  port: {UNBOUND}\n  username: ""\n  chroot: ""\n  directory: "{folder}"\n'
        f'  pidfile: "{folder}/unbound.pid"\n  use-syslog: no\n  do-daemonize: no\n  do-not-query-localhost: no\n'
        f'  do-ip6: no\n  qname-minimisation: no\n  trust-anchor: "{ds}"\n  local-zone: "invalid." nodefault\n'
        f'  access-control: 127.0.0.0/8 allow\n  module-config: "validator iterator"\n'
        f'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@{NSD}\n'
    )
    for command in (["nsd", "-d", "-c", f"{folder}/nsd.conf"], ["unbound", "-d", "-c", f"{folder}/unbound.conf"]):
        with (folder / f"{command[0]}.log").open("wb") as log:
            subprocess.Popen(command, stdout=log, stderr=log)  # it ends with the namespace


def postfix(home: Path) -> None:
    """One instance; the mailbox of everybody is ``mail/all``."""
    for folder in ("etc", "spool", "data", "mail"):
        (home / folder).mkdir(parents=True)
    shutil.chown(home / "data", "postfix", "postfix")
    shutil.chown(home / "mail", 65534, 65534)
    (home / "etc/main.cf").write_text(
        MAIN.format(
            home=home,
            host="mx.right.example",
            ip=SERVER,
            loopback="",
            bind6="",
            lifetime="1d",
            long_ids="yes",
            more=MORE.format(home=home),
        )
    )
    (home / "etc/master.cf").write_text(MASTER.replace("smtp      inet", f"{SERVER}:25 inet"))
    Path("/etc/postfix").mkdir(exist_ok=True)
    Path("/etc/postfix/main.cf").write_text(f"alternate_config_directories = {home}/etc\n")
    rig.run("postfix", "-c", f"{home}/etc", "start")


async def send(work: Path, addresses: list[str], ds: str) -> list[Any]:
    anchor = TrustAnchor.parse(ds.partition("DS")[2].strip())
    # Nobody has the keys of the real root: of the program, the anchor alone is another.
    mailers.Policies = partial(mailers.Policies, anchors=(anchor,))  # type: ignore[misc, assignment]
    came: list[Any] = []
    async with Mailer(
        recorder=work / "ledger",
        network=Network(nameservers=(f"127.0.0.1:{UNBOUND}",)),
        tls="policy",
        allow_private=True,
        snapshot=False,
    ) as mailer:
        for address in addresses:
            content = f"From: a@hosting.example\r\nTo: {address}\r\nSubject: renewal\r\n\r\nfor {address}\r\n".encode()
            try:
                receipt = await mailer.send(content, sender="a@hosting.example", to=address)
            except SendingError as problem:
                receipt = problem.receipt
            came.append(json.loads(receipt.to_json()))
    return came


def until(held: Callable[[], bool]) -> None:
    """Wait for it; where it does not come, the tests say what is missing."""
    for _ in range(300):
        if held():
            return
        time.sleep(0.1)


def listening(where: tuple[str, int]) -> bool:
    try:
        socket.create_connection(where, 2).close()
    except OSError:
        return False
    return True


def main() -> None:
    work = Path(sys.argv[1])
    rig.mount_all(work)
    rig.run("ip", "link", "set", "lo", "up")
    rig.run("ip", "addr", "add", f"{SERVER}/32", "dev", "lo")
    home = rig.HOME / "postfix"
    ds = (rig.HOME / "zones/root.ds").read_text().strip()
    name_servers(rig.HOME / "zones", ds)
    home.mkdir()
    shutil.copytree(rig.HOME / "tls", home / "tls")
    postfix(home)
    box = home / "mail/all"
    for where in (("127.0.0.1", NSD), ("127.0.0.1", UNBOUND), (SERVER, 25)):
        until(lambda where=where: listening(where))
    came = asyncio.run(send(rig.HOME, sys.argv[2:], ds))
    accepted = sum(one["outcomes"][0]["finish"] == "accepted" for one in came)
    until(lambda: box.exists() and box.read_text(errors="replace").count("Subject: renewal") >= accepted)
    told = {
        "came": came,
        "mailbox": box.read_text(errors="replace") if box.exists() else "",
        "log": (home / "mail.log").read_text(errors="replace"),
    }
    rig.run("postfix", "-c", f"{home}/etc", "stop", check=False)
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
