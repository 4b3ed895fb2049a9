"""How long ``deliverability trace`` takes on a large log, beside ``grep`` and other tracers, in one run.

    python benchmarks/trace_log.py [--shape postfix-iso] [--size MIB] [--runs N] [--log FILE]
                                   [--exigrep FILE] [--collate FILE] [--mailforensics PYTHON] [--cohort ROWS]
                                   [--compressed FILE]

Writes a log in the shape of a recorded one (``log_writer.py``), then measures everything in turn, ``N`` times round,
and prints medians and ratios.  Absolute figures belong to the machine; ratios travel better.  The two passes of
``grep -Fi`` are what a postmaster types: the address, then the queue ids of its lines.  Peers are slow: they get the
first ``--peer-size`` MiB, all of it where that is 0, and their time is held against ours for the same part.
``--compressed`` is a ``.zst`` or ``.gz`` beside no plain log; it is held against its own tool in front of ``grep -Fi``.
"""

import argparse
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import log_writer

# Modules are kept compiled from the first run on, as they are after pip install.
ENVIRON = {**{k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}, "LC_ALL": "C"}
TOOL = (sys.executable, "-m", "deliverability")
IDS = re.compile(rb"(?:\]: |\d )([0-9A-Za-z]{10,24}(?=: )|[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4})")
PEERS = "trace, the peers' part"
UNPACKED = "unpacked | grep -Fi NOBODY"
NOBODY = "nobody@corp.example"
Work = Callable[[], object]


def run(*command: str) -> bytes:
    """What the command prints; statuses of ours that are answers are no failures."""
    done = subprocess.run(command, env=ENVIRON, capture_output=True, check=False)
    if done.returncode not in (0, 1, 3, 4):
        sys.exit(f"{command}: {done.stderr.decode()}")
    return done.stdout


def grep_twice(log: Path, address: str) -> bytes:
    ids = sorted(set(IDS.findall(run("grep", "-Fi", address, str(log)))))
    return run("grep", "-Fi", *(word for i in ids for word in ("-e", i.decode())), str(log))


def read(log: Path) -> None:
    with log.open("rb", buffering=0) as file:
        buffer = bytearray(1 << 20)
        while file.readinto(buffer):
            pass


def trace(log: Path, *question: str) -> bytes:
    return run(*TOOL, "trace", "--offline", "--log", str(log), "--latest", *question)


def cohort(log: Path, notices: Path) -> None:
    run(*TOOL, "trace", "--offline", "--log", str(log), "--cohort", str(notices), "--format", "csv")


def listed(path: Path, rows: int) -> Path:
    """A list of the notices to ``jo32``, one of each round; those past the end of the log are not found."""
    times = (log_writer.FIRST + number * log_writer.LENGTH for number in range(rows))
    lines = (f"jo32.{number}@corp.example,{at.isoformat()}" for number, at in enumerate(times))
    path.write_text("\n".join(["Address,Date", *lines, ""]))
    return path


def medians(cases: dict[str, Work], runs: int) -> dict[str, float]:
    """Each case once in every round, so that a busy minute spoils no single one."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(runs):
        for name, work in cases.items():
            started = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(found) for name, found in times.items()}


def rounds_of(log: Path) -> int:
    """The number of the last round, from the end of the log."""
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - (1 << 20), 0))
        return max(int(n) for n in re.findall(rb"jo32\.(\d+)@", file.read()))


def unpacked(log: Path) -> None:
    """What a postmaster types for a compressed log."""
    tool = ("zstd", "-dc") if log.suffix == ".zst" else ("gzip", "-dc")
    with subprocess.Popen([*tool, str(log)], stdout=subprocess.PIPE, env=ENVIRON) as unpacking:
        subprocess.run(["grep", "-Fi", NOBODY], stdin=unpacking.stdout, env=ENVIRON, check=False)


def peers(given: argparse.Namespace, part: Path, one: str) -> dict[str, Work]:
    cases: dict[str, Work] = {PEERS: lambda: trace(part, "--to", one)}
    if given.exigrep:
        cases["exigrep"] = lambda: run("perl", given.exigrep, "-l", one, str(part))
    if given.collate:
        cases["collate"] = lambda: run("perl", given.collate, str(part))
    if given.mailforensics:
        cases["mailforensics"] = lambda: run(given.mailforensics, "trace", "-f", str(part), "--to", one)
    return cases if len(cases) > 1 else {}


def part_of(log: Path, size: int, directory: Path) -> Path:
    """The beginning of a log as a file of its own; all of it where ``size`` is 0."""
    if not size:
        return log
    part = directory / "part.log"
    with log.open("rb") as source:
        part.write_bytes(source.read(size))
    return part


def measure(given: argparse.Namespace, log: Path, directory: Path) -> None:
    number = rounds_of(log) // 2
    one = f"jo32.{number}@corp.example"
    print(
        f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, load {os.getloadavg()[0]}"
    )
    print(f"{log.stat().st_size >> 20} MiB of {given.shape}; one in the middle: {one}; median of {given.runs}")
    cases: dict[str, Work] = {
        "read in Python": lambda: read(log),
        "grep -Fi ADDRESS": lambda: run("grep", "-Fi", one, str(log)),
        "grep -Fi NOBODY": lambda: run("grep", "-Fi", NOBODY, str(log)),
        "grep -Fi twice": lambda: grep_twice(log, one),
        "trace, one message": lambda: trace(log, "--to", one),
        "trace, nobody": lambda: trace(log, "--to", NOBODY),
        "python -c pass": lambda: run(sys.executable, "-c", "pass"),
    }
    if given.cohort:
        notices = listed(directory / "notices.csv", given.cohort)
        cases[f"cohort of {given.cohort}"] = lambda: cohort(log, notices)
    if given.compressed:
        cases[UNPACKED] = lambda: unpacked(given.compressed)
        cases["trace, nobody, compressed"] = lambda: trace(given.compressed, "--to", NOBODY)
        read(given.compressed)
    read(log)  # into the page cache
    times = medians(cases, given.runs)
    part = part_of(log, given.peer_size << 20, directory)
    times |= medians(peers(given, part, f"jo32.{rounds_of(part) // 2}@corp.example"), given.peer_runs)
    twice, absent = times["grep -Fi twice"], times["grep -Fi NOBODY"]
    for name, seconds in times.items():
        ratio = ""
        if name == "trace, one message":
            ratio = f"{seconds / twice:6.2f} × grep -Fi twice"
        elif name == "trace, nobody":
            ratio = f"{seconds / absent:6.2f} × grep -Fi NOBODY"
        elif name.startswith("cohort"):
            ratio = f"{seconds / times['trace, one message']:6.2f} × trace, one message"
        elif name == "trace, nobody, compressed":
            ratio = f"{seconds / times[UNPACKED]:6.2f} × {UNPACKED}"
        elif name in {"exigrep", "collate", "mailforensics"}:
            ratio = f"{seconds / times[PEERS]:6.1f} × {PEERS}"
        print(f"{name:26} {seconds:8.3f} s  {ratio}".rstrip())
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    print(f"largest process: {largest} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=sorted(log_writer.SHAPES), default="postfix-iso")
    parser.add_argument("--log", type=Path, help="a log that log_writer.py wrote; none: one is written")
    parser.add_argument("--size", type=int, default=200, help="MiB of log to write")
    parser.add_argument("--peer-size", type=int, default=50, help="MiB of it for peers; 0: all of it")
    parser.add_argument("--peer-runs", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cohort", type=int, default=0, help="rows")
    parser.add_argument("--compressed", type=Path, help="the same log as .zst or .gz, in a directory of its own")
    parser.add_argument("--exigrep", help="Exim's script")
    parser.add_argument("--collate", help="Postfix's auxiliary/collate/collate.pl")
    parser.add_argument("--mailforensics", help="its command")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        log = given.log or Path(directory) / "mail.log"
        if given.log is None:
            log_writer.write(log, given.shape, given.size << 20)
        measure(given, log, Path(directory))


if __name__ == "__main__":
    main()
