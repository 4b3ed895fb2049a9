"""Domain checks a second: ours, checkdmarc and a bare c-ares client, over real DNS on the loopback.

    python benchmarks/check_domains.py --peers /path/to/venv/bin/python

makes synthetic zones, serves them with NSD, once as it is and once behind a delay, and runs the clients one after
another, each in one process of its own, several times in turn:

* ours: ``api.bulk.check_list``, as ``check --file`` does, with every check, the selector and the sending address given;
* ours again, asking these same questions and doing nothing with the answers: the transport without the checks;
* aiodns (c-ares), which asks the questions that ours asked, each once, and does nothing with the answers;
* checkdmarc 6, as shipped, once, on a sample of the domains.

``--peers`` is the interpreter of a throw-away environment with ``pip install checkdmarc==6.0.4 aiodns``; without it
only ours is run.  Needs ``nsd`` (Debian package of that name).  checkdmarc asks port 53 only, so that is where the
servers listen (on 127.0.2.1 and 127.0.2.2, as root); ``--port`` moves them for a run without peers.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import cast

HOST, FAR = "127.0.2.1", "127.0.2.2"
ESPS, CRMS = 20, 10
MODULES = {"ares": "aiodns", "checkdmarc": "checkdmarc"}
FROM_IP = "203.0.113.77"


# --- zones ------------------------------------------------------------------------------------------------------------


def zones(count: int, key: str) -> Iterator[tuple[str, str]]:
    """Name and text of each zone: senders behind shared ESPs, SPF three includes deep, DMARC, DKIM, TLS-RPT."""
    head = "$TTL 3600\n@ SOA ns1 host 1 7200 900 1209600 900\n@ NS ns1\n@ NS ns2\nns1 A 127.0.2.1\nns2 A 127.0.2.1\n"
    pieces = " ".join(f'"{key[i : i + 250]}"' for i in range(0, len(key), 250))
    for n in range(1, count + 1):
        esp, crm = f"esp{n % ESPS:02d}.test.", f"crm{n % CRMS:02d}.test"
        own = (
            f"{head}@ A 198.51.100.{n % 250}\n@ AAAA 2001:db8::{n:x}\n@ MX 10 mx1.{esp}\n@ MX 20 mx2.{esp}\n"
            f'@ TXT "v=spf1 include:_spf.{esp[:-1]} include:_spf.{crm} ip4:198.51.100.0/24 mx -all"\n'
            f'_dmarc TXT "v=DMARC1; p=reject; rua=mailto:dmarc@d{n:05d}.test"\n'
            f's1._domainkey TXT {pieces}\n_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls@d{n:05d}.test"\n'
        )
        yield f"d{n:05d}.test", own
    for n in range(ESPS):
        name = f"esp{n:02d}.test"
        shared = (
            f"{head}mx1 A 192.0.2.{n + 1}\nmx1 AAAA 2001:db8:1::{n + 1:x}\nmx2 A 192.0.2.{n + 101}\n"
            f'mx2 AAAA 2001:db8:1::{n + 101:x}\n_spf TXT "v=spf1 include:_spf1.{name} include:_spf2.{name} ~all"\n'
            f'_spf1 TXT "v=spf1 include:_spf3.{name} -all"\n_spf2 TXT "v=spf1 ip4:192.0.2.0/24 -all"\n'
            f'_spf3 TXT "v=spf1 ip4:203.0.113.0/24 -all"\n'
        )
        yield name, shared
    for n in range(CRMS):
        yield f"crm{n:02d}.test", f'{head}_spf TXT "v=spf1 ip4:198.18.{n}.0/24 -all"\n'
    reverse = "".join(
        f"{n + base}.2.0.192.in-addr.arpa. PTR mx{i}.esp{n:02d}.test.\n"
        for n in range(ESPS)
        for i, base in ((1, 1), (2, 101))
    )
    yield ".", f"{head}77.113.0.203.in-addr.arpa. PTR out.test.\nout.test. A {FROM_IP}\n{reverse}"


def serve(folder: Path, count: int, port: int) -> subprocess.Popen[bytes]:
    """NSD with the zones."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    public = rsa.generate_private_key(65537, 2048).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    key = "v=DKIM1; k=rsa; p=" + base64.b64encode(public.public_bytes(serialization.Encoding.DER, form)).decode()
    lines = [
        "server:",
        f"  ip-address: {HOST}@{port}",
        '  server-count: 1\n  username: ""\n  rrl-ratelimit: 0\n  verbosity: 0',
        *(f"  {item}: {folder}/{item}" for item in ("pidfile", "database", "xfrdfile", "zonelistfile")),
        f"  zonesdir: {folder}",
        "remote-control:\n  control-enable: no",
    ]
    for name, text in zones(count, key):
        file = folder / f"zone-{name}"
        file.write_text(text)
        lines.append(f'zone:\n  name: "{name}"\n  zonefile: "{file}"')
    config = folder / "nsd.conf"
    config.write_text("\n".join(lines).replace(f"  database: {folder}/database", '  database: ""') + "\n")
    nsd = shutil.which("nsd") or "/usr/sbin/nsd"
    server = subprocess.Popen([nsd, "-d", "-c", str(config)], stderr=subprocess.DEVNULL)
    wait_for(HOST, port)
    return server


def wait_for(host: str, port: int) -> None:
    """Until something answers a query for the root's SOA."""
    query = b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.1)
        for _ in range(100):
            with contextlib.suppress(OSError):
                probe.sendto(query, (host, port))
                probe.recv(512)
                return
            time.sleep(0.05)
    raise SystemExit("the name server did not start")


# --- the delay --------------------------------------------------------------------------------------------------------


class Delay(asyncio.DatagramProtocol):
    """Hands every query on at once, and every reply back ``seconds`` later."""

    def __init__(self, port: int, seconds: float) -> None:
        self.port, self.seconds = port, seconds
        self.clients: dict[tuple[str, int], asyncio.DatagramTransport] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.front = cast("asyncio.DatagramTransport", transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)

    def datagram_received(self, data: bytes, client: tuple[str, int]) -> None:
        if client in self.clients:
            self.clients[client].sendto(data)
        else:
            asyncio.get_running_loop().create_task(self.connect(data, client))

    async def connect(self, data: bytes, client: tuple[str, int]) -> None:
        loop, front, seconds = asyncio.get_running_loop(), self.front, self.seconds

        class Back(asyncio.DatagramProtocol):
            def datagram_received(self, reply: bytes, _server: object) -> None:
                loop.call_later(seconds, lambda: front.sendto(reply, client))

        back, _ = await loop.create_datagram_endpoint(Back, remote_addr=(HOST, self.port))
        self.clients[client] = back
        back.sendto(data)


async def delay(port: int, seconds: float) -> None:
    """The same server, farther away; TCP too."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wait: float) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await asyncio.sleep(wait)
                writer.write(data)
            writer.close()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection(HOST, port)
        await asyncio.gather(pump(reader, here, 0), pump(there, writer, seconds))

    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: Delay(port, seconds), local_addr=(FAR, port))
    await asyncio.start_server(stream, FAR, port)
    await asyncio.Event().wait()


# --- the clients ------------------------------------------------------------------------------------------------------


def ours(server: tuple[str, int], names: list[str], jobs: int) -> tuple[list[tuple[str, str]], int, int]:
    """All checks of all domains: what was asked, how many verdicts, how many of them pass."""
    from deliverability.api.bulk import Checked, check_list
    from deliverability.api.requests import Network, Request
    from deliverability.evidence.observation import DnsQuestion

    network = Network(nameservers=("{}:{}".format(*server),))
    request = Request(from_ip=FROM_IP, selectors=("s1",), network=network)
    asked: set[tuple[str, str]] = set()
    passed = verdicts = 0

    def emit(result: Checked) -> None:
        nonlocal passed, verdicts
        if result.assessment is None:
            raise SystemExit(result.problem)
        verdicts += len(result.assessment.verdicts)
        passed += sum(v.outcome == "pass" for v in result.assessment.verdicts)
        put = result.assessment.evidence.observations.answers
        asked.update((q.name, q.rdtype) for q in put if isinstance(q, DnsQuestion))

    check_list(names, request, jobs=jobs, emit=emit)
    return sorted(asked), verdicts, passed


async def ares(server: tuple[str, int], questions: list[tuple[str, str]], jobs: int) -> None:
    """The same questions, each once, ``jobs`` at a time, and nothing done with the answers."""
    import aiodns

    resolver = aiodns.DNSResolver([server[0]], udp_port=server[1], tcp_port=server[1], timeout=3, tries=2)
    rest = iter(questions)

    async def worker() -> None:
        for name, kind in rest:
            with contextlib.suppress(aiodns.error.DNSError):
                await resolver.query_dns(name, kind)

    await asyncio.gather(*(worker() for _ in range(jobs)))


async def transport(server: tuple[str, int], questions: list[tuple[str, str]], jobs: int) -> None:
    """The same with our own transport."""
    from deliverability.capture.dns import DnsObserver, Nameserver
    from deliverability.evidence.observation import DnsQuestion

    rest = iter(questions)
    async with DnsObserver((Nameserver(*server),), concurrency=jobs).session() as session:

        async def worker() -> None:
            for question in rest:
                await session.observe((DnsQuestion(*question),))

        await asyncio.gather(*(worker() for _ in range(jobs)))


def checkdmarc(server: tuple[str, int], names: list[str]) -> None:
    """As shipped: one domain after another."""
    import checkdmarc as peer

    peer.check_domains(names, nameservers=[server[0]])


def load(client: str) -> None:
    """Import what the client will need: a run of a thousand domains is not about that."""
    if client in MODULES:
        import_module(MODULES[client])
        return
    from deliverability.assess import load_checks
    from deliverability.evidence.names import Domain
    from deliverability.protocols import dmarc_7489

    for module in ("capture.dns", "protocols._pyspf", "api.bulk"):
        import_module(f"deliverability.{module}")
    load_checks()
    dmarc_7489.organizational_domain(Domain("example.org"))  # reads the public suffix list


def run_client(arguments: argparse.Namespace) -> None:
    """Time one client, and tell how fast it was as JSON."""
    # The sample for checkdmarc shares one ESP, which its cache then knows, as it would in the course of a long run.
    step = ESPS if arguments.client == "checkdmarc" else 1
    names = [f"d{1 + n * step:05d}.test" for n in range(arguments.domains)]
    server, jobs, file = (arguments.host, arguments.port), arguments.jobs, Path(arguments.questions)
    questions = [tuple(question) for question in json.loads(file.read_text())] if file.is_file() else []
    random.Random(1).shuffle(questions)
    verdicts = passed = 0
    load(arguments.client)
    start, cpu = time.perf_counter(), time.process_time()
    match arguments.client:
        case "ours":
            questions, verdicts, passed = ours(server, names, jobs)
        case "transport":
            asyncio.run(transport(server, questions, 4 * jobs))
        case "ares":
            asyncio.run(ares(server, questions, 4 * jobs))
        case _:
            checkdmarc(server, names)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    told = {"seconds": seconds, "cpu": cpu, "rate": len(names) / seconds, "questions": len(questions), "mib": peak}
    if arguments.client == "ours":
        file.write_text(json.dumps(questions))
    told |= {"verdicts": verdicts, "passed": passed}
    print(json.dumps(told))


def client(python: str, name: str, domains: int, **options: object) -> dict[str, float]:
    """One client in a process of its own."""
    extra = [f"--{key}={value}" for key, value in options.items()]
    command = [python, __file__, f"--client={name}", f"--domains={domains}", *extra]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    load = os.getloadavg()[0]
    print(
        f"{name:11}{domains:6} domains {told['seconds']:7.2f} s {told['rate']:8.1f} /s"
        f"  CPU {1000 * told['cpu'] / domains:6.2f} ms each  {told['mib']:4.0f} MiB  load {load:.1f}",
        flush=True,
    )
    return told


def compare(arguments: argparse.Namespace, host: str, questions: str, sample: int) -> None:
    """The clients against one server, in turn, and how they stand to each other."""
    options = {"host": host, "port": arguments.port, "jobs": arguments.jobs, "questions": questions}
    runs: dict[str, list[dict[str, float]]] = {"ours": [], "transport": [], "ares": []}
    for _ in range(arguments.runs):
        runs["ours"].append(client(sys.executable, "ours", arguments.domains, **options))
        if arguments.peers:
            runs["transport"].append(client(sys.executable, "transport", arguments.domains, **options))
            runs["ares"].append(client(arguments.peers, "ares", arguments.domains, **options))
    each = {key: runs["ours"][0][key] / arguments.domains for key in ("questions", "verdicts", "passed")}
    print("  {questions:.1f} distinct questions a domain, {verdicts:.1f} verdicts, {passed:.1f} pass".format_map(each))
    if not arguments.peers:
        return
    peer = client(arguments.peers, "checkdmarc", sample, **options)["rate"]
    print(f"  => {median(run['rate'] for run in runs['ours']) / peer:.1f} x checkdmarc (median)")
    for name, told in (("ours", "with its checks"), ("transport", "only asking")):
        for unit in ("seconds", "cpu"):
            ratios = [mine[unit] / bare[unit] for mine, bare in zip(runs[name], runs["ares"], strict=True)]
            print(f"  => ours {told} takes {min(ratios):.2f} (least) {median(ratios):.2f} (median) x c-ares, {unit}")


def main() -> None:
    """Serve, delay, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=50, help="domains at once")
    parser.add_argument("--runs", type=int, default=3, help="runs of each client but checkdmarc")
    parser.add_argument("--rtt", type=float, default=20, help="milliseconds of the slow round")
    parser.add_argument("--peers", help="Python interpreter with checkdmarc and aiodns")
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=53)
    parser.add_argument("--host", default=HOST, help=argparse.SUPPRESS)
    parser.add_argument("--questions", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client == "delay":
        asyncio.run(delay(arguments.port, arguments.rtt / 1000))
    elif arguments.client:
        run_client(arguments)
    else:
        measure(arguments)


def measure(arguments: argparse.Namespace) -> None:
    """Both rounds, near and far."""
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        server = serve(Path(folder), arguments.domains, arguments.port)
        stack.callback(server.wait)
        stack.callback(server.terminate)
        questions = str(Path(folder) / "questions.json")
        print("round trip ~0")
        compare(arguments, HOST, questions, max(1, arguments.domains // ESPS))
        command = [sys.executable, __file__, "--client=delay", f"--port={arguments.port}", f"--rtt={arguments.rtt}"]
        proxy = subprocess.Popen(command)
        stack.callback(proxy.wait)
        stack.callback(proxy.terminate)
        wait_for(FAR, arguments.port)
        print(f"round trip {arguments.rtt:g} ms")
        compare(arguments, FAR, questions, max(1, arguments.domains // ESPS // 2))


if __name__ == "__main__":
    main()
