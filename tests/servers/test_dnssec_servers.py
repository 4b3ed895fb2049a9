"""Our DNSSEC validation beside Unbound's and delv's: NSD serves a hierarchy that ldns signed, Unbound resolves it.

Everything listens on the loopback, on ports that were free.  Neither the signer nor the judges share code with us.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from free_ports import free_port

from deliverability.capture.dns import DnsObserver, Nameserver
from deliverability.evidence.observation import DnsAnswer, DnsQuestion, Observations, Unobserved
from deliverability.protocols.dnssec import Reason, Status, TrustAnchor, Validation, signed, validate
from deliverability.protocols.dnssec_chain import chain_for

pytestmark = pytest.mark.server

PROGRAMS = {
    "nsd": "nsd",
    "unbound": "unbound",
    "ldns-keygen": "ldnsutils",
    "ldns-signzone": "ldnsutils",
    "delv": "bind9-dnsutils",
}
SOA = "3600 IN SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 60"
RECORDS = """\
{zone}. 300 IN MX 10 mx1.{zone}.
{zone}. 300 IN TXT "v=spf1 -all"
mx1.{zone}. 300 IN A 192.0.2.25
_25._tcp.mx1.{zone}. 300 IN TLSA 3 1 1 {digest}
*.wild.{zone}. 300 IN A 192.0.2.26
www.{zone}. 300 IN CNAME mx1.{zone}.
out.{zone}. 300 IN CNAME mx1.plain.example.
into.{zone}. 300 IN CNAME mx1.expired.example.
old.{zone}. 300 IN DNAME {zone}.
a.b.{zone}. 300 IN A 192.0.2.27
"""


@dataclass(frozen=True)
class Made:
    """How a zone is signed, and what is wrong with it."""

    algorithm: str = "ECDSAP256SHA256"
    options: tuple[str, ...] = ()
    fault: str = ""


ZONES = {
    "rsa.example": Made("RSASHA256"),
    "rsa512.example": Made("RSASHA512", ("-n",)),
    "ecdsa.example": Made(),
    "ecdsa384.example": Made("ECDSAP384SHA384", ("-n", "-s", "abcd", "-t", "3")),
    "ed25519.example": Made("ED25519"),
    "ed448.example": Made("ED448", ("-n",)),
    "optout.example": Made(options=("-n", "-p")),
    "sub.optout.example": Made(fault="plain"),
    "plain.example": Made(fault="plain"),
    "nods.example": Made(fault="no-ds"),
    "expired.example": Made(fault="expired"),
    "early.example": Made(fault="early"),
    "wrongds.example": Made(fault="wrong-ds"),
    "stripped.example": Made(fault="stripped"),
}
ASKED = (
    "{zone} MX", "{zone} TXT", "{zone} AAAA", "{zone} DNSKEY", "{zone} DS", "mx1.{zone} A", "mx1.{zone} AAAA",
    "_25._tcp.mx1.{zone} TLSA", "_tcp.mx1.{zone} A", "x.wild.{zone} A", "x.y.wild.{zone} A", "x.wild.{zone} MX",
    "www.{zone} A", "www.{zone} AAAA", "out.{zone} A", "into.{zone} A", "mx1.old.{zone} A", "b.{zone} A",
    "nothing.{zone} A", "zzz.nothing.{zone} MX", "nothing.{zone} DS",
)  # fmt: skip


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def sign(folder: Path, zone: str, lines: list[str], made: Made) -> str:
    """Write the zone, signed; its DS record, empty for a zone that shall have none."""
    shown = zone or "."
    file = folder / f"{zone or 'root'}.zone"
    text = f"{shown.rstrip('.')}. {SOA}\n{shown.rstrip('.')}. 3600 IN NS ns.invalid.\n" + "\n".join(lines) + "\n"
    file.write_text(text)
    if made.fault == "plain":
        return ""
    size = ("-b", "2048") if made.algorithm.startswith("RSA") else ()
    key = run("ldns-keygen", "-a", made.algorithm, *size, "-k", shown, cwd=folder).strip()
    now = datetime.now(UTC)
    first, last = now - timedelta(days=2), now + timedelta(days=9)
    if made.fault == "expired":
        last = now - timedelta(days=1)
    if made.fault == "early":
        first = now + timedelta(days=1)
    times = ("-i", first.strftime("%Y%m%d%H%M%S"), "-e", last.strftime("%Y%m%d%H%M%S"))
    run("ldns-signzone", *made.options, *times, "-o", shown, "-f", f"{file}.signed", str(file), key, cwd=folder)
    signed_text = Path(f"{file}.signed").read_text()
    if made.fault == "stripped":
        kept = [line for line in signed_text.splitlines() if "\tRRSIG\tMX " not in line]
        assert len(kept) < len(signed_text.splitlines())
        signed_text = "\n".join(kept) + "\n"
    file.write_text(signed_text)
    ds = run("ldns-key2ds", "-n", "-2", f"{key}.key", cwd=folder).strip()
    if made.fault == "wrong-ds":
        ds = ds[:-6] + ("000000" if ds[-6:] != "000000" else "111111")
    return "" if made.fault == "no-ds" else ds


@dataclass
class Hierarchy:
    """The servers, and the root's DS record."""

    folder: Path
    resolver: Nameserver
    ds: str

    @property
    def anchors(self) -> tuple[TrustAnchor, ...]:
        return (TrustAnchor.parse(self.ds.partition("DS")[2].strip()),)

    def settle(self, evaluate):
        """As the program does: ask what is missing, and evaluate again."""
        observations, observer = Observations(), DnsObserver((self.resolver,))
        for _round in range(12):
            try:
                return evaluate(observations), observations
            except Unobserved as missing:
                wanted = [question for question in missing.questions if isinstance(question, DnsQuestion)]
            observations = observations.joined(asyncio.run(observer.observe(wanted)))
        raise AssertionError("asks without end")

    def ours(self, question: str) -> Validation:
        owner, _, rdtype = question.partition(" ")
        now = int(time.time())
        found: Validation = self.settle(lambda seen: validate(signed(owner, rdtype), seen, now, self.anchors))[0]
        return found

    def unbounds(self, question: str) -> str:
        """Unbound's own word: AD, SERVFAIL, or neither."""
        owner, _, rdtype = question.partition(" ")
        query = dns.message.make_query(owner + ".", rdtype, want_dnssec=True)
        reply = dns.query.tcp(query, self.resolver.address, 10, self.resolver.port)
        if reply.rcode() == dns.rcode.SERVFAIL:
            return "bogus"
        return "secure" if reply.flags & dns.flags.AD else "insecure"

    def delvs(self, question: str) -> str:
        """What delv makes of the same resolver's answers."""
        owner, _, rdtype = question.partition(" ")
        command = [
            "delv", f"@{self.resolver.address}", "-p", str(self.resolver.port), "-a", str(self.folder / "anchors"),
            "+root=.", "+cdflag", owner + ".", rdtype,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        said = done.stdout + done.stderr
        if "resolution failed" in said and "ncache" not in said:
            return "bogus"
        return "insecure" if "unsigned answer" in said else "secure" if "fully validated" in said else f"? {said}"


def lacking() -> str | None:
    missing = [f"{p} (Debian: {package})" for p, package in PROGRAMS.items() if shutil.which(p) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def start(command: list[str], log: Path, port: int) -> "subprocess.Popen[bytes]":
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    for _attempt in range(100):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return process
    process.kill()
    pytest.fail(f"{command[0]} did not come up: {log.read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="module")
def hierarchy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hierarchy]:
    reason = lacking()
    if reason:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("dnssec")
    delegations: dict[str, list[str]] = {}
    for zone, made in sorted(ZONES.items(), key=lambda item: -item[0].count(".")):
        lines = RECORDS.format(zone=zone, digest="ab" * 32).splitlines() + delegations.get(zone, [])
        ds = sign(folder, zone, lines, made)
        parent = zone.partition(".")[2]
        delegations.setdefault(parent, []).extend([f"{zone}. 3600 IN NS ns.invalid.", *([ds] if ds else [])])
    tld = sign(folder, "example", delegations["example"], Made(options=("-n",)))
    ds = sign(folder, "", ["example. 3600 IN NS ns.invalid.", tld], Made("RSASHA256"))
    fields = ds.partition("DS")[2].split()
    (folder / "anchors").write_text(
        f'trust-anchors {{ . static-ds {" ".join(fields[:3])} "{"".join(fields[3:])}"; }};\n'
    )
    zones = "".join(
        f'zone:\n  name: "{zone or "."}"\n  zonefile: "{zone or "root"}.zone"\n' for zone in ("", "example", *ZONES)
    )
    authority, resolver = free_port(), free_port()
    (folder / "nsd.conf").write_text(
        f'server:\n  ip-address: 127.0.0.1\n  port: {authority}\n  username: ""\n  zonesdir: "{folder}"\n  database: ""\n'
        f'  pidfile: "{folder}/nsd.pid"\n  xfrdfile: "{folder}/xfrd"\n  zonelistfile: "{folder}/list"\n  server-count: 1\n'
        f"remote-control:\n  control-enable: no\n{zones}"
    )
    (folder / "unbound.conf").write_text(
        f'server:\n  interface: 127.0.0.1\n  port: {resolver}\n  username: ""\n  chroot: ""\n  directory: "{folder}"\n'
        f'  pidfile: "{folder}/unbound.pid"\n  use-syslog: no\n  do-daemonize: no\n  do-not-query-localhost: no\n'
        f'  do-ip6: no\n  qname-minimisation: no\n  trust-anchor: "{ds}"\n  local-zone: "invalid." nodefault\n'
        f'  access-control: 127.0.0.0/8 allow\n  module-config: "validator iterator"\n'
        f'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@{authority}\n'
    )
    servers = [start(["nsd", "-d", "-c", str(folder / "nsd.conf")], folder / "nsd.log", authority)]
    try:
        servers.append(start(["unbound", "-d", "-c", str(folder / "unbound.conf")], folder / "unbound.log", resolver))
        yield Hierarchy(folder, Nameserver("127.0.0.1", resolver), ds)
    finally:
        for server in reversed(servers):
            server.terminate()
            server.wait(10)


@pytest.mark.parametrize("zone", list(ZONES))
def test_the_same_as_unbound(hierarchy: Hierarchy, zone: str) -> None:
    """Question for question; where the two differ, the test names it."""
    for form in ASKED:
        question = form.format(zone=zone)
        ours = hierarchy.ours(question)
        assert ours.status.value == hierarchy.unbounds(question), (question, ours)


@pytest.mark.parametrize("zone", list(ZONES))
def test_the_same_as_delv(hierarchy: Hierarchy, zone: str) -> None:
    for form in ASKED[:1] + ASKED[5:8] + ASKED[12:13]:
        question = form.format(zone=zone)
        ours = hierarchy.ours(question)
        if ours.exists or ours.status is Status.BOGUS:  # delv tells of what is not there in many ways
            assert ours.status.value == hierarchy.delvs(question), (question, ours)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("expired.example MX", Reason.EXPIRED),
        ("early.example MX", Reason.NOT_YET_VALID),
        ("wrongds.example MX", Reason.DS_MISMATCH),
        ("stripped.example MX", Reason.UNSIGNED),
        ("plain.example MX", Reason.UNSIGNED_DELEGATION),
        ("nods.example MX", Reason.UNSIGNED_DELEGATION),
        ("sub.optout.example MX", Reason.UNSIGNED_DELEGATION),  # ldns leaves nothing out, though it sets the flag
    ],
)
def test_why_not(hierarchy: Hierarchy, question: str, reason: Reason) -> None:
    """CD lets the validating resolver hand on what it calls bogus itself, so that the reason can be told."""
    found = hierarchy.ours(question)
    assert (found.reason, len(found.records)) == (reason, 1)


def test_a_chain_from_real_servers_proves_offline(hierarchy: Hierarchy) -> None:
    now = int(time.time())
    question = DnsQuestion("_25._tcp.mx1.ecdsa.example", "TLSA")
    chain, seen = hierarchy.settle(lambda known: chain_for(question, known, hierarchy.anchors, now))
    assert chain.validation.status is Status.SECURE
    assert len(chain.answers) == 6 <= len(seen)
    assert all(isinstance(answer, DnsAnswer) and answer.wire for answer in chain.answers)
    assert chain.validate(now, hierarchy.anchors) == chain.validation
    assert chain.validate(now + 30 * 86_400, hierarchy.anchors).reason is Reason.EXPIRED
