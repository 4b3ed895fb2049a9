"""How long ``deliverability trace`` takes on a large log, beside ``grep`` and plain reading, in one run.

    python benchmarks/trace_log.py [--size MIB] [--runs N]

Generates a Postfix log (one message in ``MANY`` goes to one address, and one message to another), then measures in
turn, ``N`` times, and prints medians and ratios.  Absolute figures belong to the machine; ratios travel better.
"""

import argparse
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

ALPHABET = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"  # of Postfix's long queue ids
ONE, MANY_TO, NOBODY = "one@corp.example", "many@corp.example", "nobody@corp.example"
MANY = 85


def number(value: int, width: int, base: int = 52) -> str:
    digits = ""
    for _ in range(width):
        value, digit = divmod(value, base)
        digits = ALPHABET[digit] + digits
    return digits


def message(n: int, at: datetime, to: str, queued_as: int) -> str:
    queue_id = f"{number(int(at.timestamp()), 6)}{number(at.microsecond, 4)}z{number(n, 5, 51)}"
    head = f"{at:%Y-%m-%dT%H:%M:%S.%f}+00:00 out1 postfix/"
    pid = 1000 + n % 37
    return (
        f"{head}smtpd[{pid}]: {queue_id}: client=app.hosting.example[192.0.2.5]\n"
        f"{head}cleanup[{pid + 100}]: {queue_id}: message-id=<INV-{n}@billing.hosting.example>\n"
        f"{head}cleanup[{pid + 100}]: {queue_id}: info: header Subject: Hosting renewal notice INV-{n} from"
        f" app.hosting.example[192.0.2.5]; from=<renewals@hosting.example> to=<{to}> proto=ESMTP helo=<app>\n"
        f"{head}qmgr[77]: {queue_id}: from=<renewals@hosting.example>, size=2310, nrcpt=1 (queue active)\n"
        f"{head}smtp[{pid + 300}]: Trusted TLS connection established to mx.corp.example[203.0.113.7]:25: TLSv1.3"
        " with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
        f"{head}smtp[{pid + 300}]: {queue_id}: to=<{to}>, relay=mx.corp.example[203.0.113.7]:25, delay=0.4,"
        f" delays=0.1/0/0.1/0.2, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {queued_as:010X})\n"
        f"{head}qmgr[77]: {queue_id}: removed\n"
    )


def generate(path: Path, size: int) -> tuple[int, int]:
    """Write a log of ``size`` octets; returns how many messages it has, and how many of them go to ``MANY_TO``."""
    chance = random.Random(1)
    at = datetime(2026, 11, 1, tzinfo=UTC)
    written = n = many = 0
    with path.open("w") as file:
        while written < size:
            n += 1
            at += timedelta(milliseconds=700)
            to = f"user{chance.randrange(10**6)}@corp{n % 50}.example"
            if n % MANY == 0:
                to, many = MANY_TO, many + 1
            elif n == 50_000 or (n == 10 and size < 60 << 20):
                to = ONE
            written += file.write(message(n, at, to, chance.getrandbits(40)))
    return n, many


def run(*command: str) -> Callable[[], None]:
    environ = {**os.environ, "LC_ALL": "C"}

    def once() -> None:
        done = subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if done.returncode not in (0, 1, 3, 4):
            sys.exit(done.stderr.decode())

    return once


def read(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def median(work: Callable[[], None], runs: int) -> float:
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=200, help="MiB of log to generate")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    tool = (sys.executable, "-m", "deliverability")
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "mail.log"
        messages, many = generate(log, given.size << 20)
        print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
        print(
            f"{log.stat().st_size >> 20} MiB, {messages} messages, {many} of them to {MANY_TO}; median of {given.runs}"
        )
        trace = (*tool, "trace", "--offline", "--log", str(log), "--latest", "--to")
        cases: list[tuple[str, Callable[[], None]]] = [
            ("read in Python, 1 MiB at a time", lambda: read(log)),
            ("LC_ALL=C grep -F ADDRESS", run("grep", "-F", ONE, str(log))),
            ("trace, nothing found", run(*trace, NOBODY)),
            ("trace, one message", run(*trace, ONE)),
            (f"trace, {many} messages", run(*trace, MANY_TO)),
            ("python -c pass", run(sys.executable, "-c", "pass")),
            ("deliverability --help", run(*tool, "--help")),
        ]
        read(log)  # into the page cache
        times = {name: median(work, given.runs) for name, work in cases}
    reading, grep = list(times.values())[:2]
    start = times["python -c pass"]
    for name, seconds in times.items():
        if "trace" in name:
            ratios = f"{seconds / grep:6.1f} × grep  {seconds / reading:6.1f} × reading"
        else:
            ratios = f"{seconds / start:6.1f} × python -c pass" if name.startswith("deliverability") else ""
        print(f"{name:34} {seconds:8.3f} s  {ratios}".rstrip())


if __name__ == "__main__":
    main()
