"""How long ``deliverability summary`` takes on a large Postfix log, beside ``pflogsumm``, in one run.

    python benchmarks/summarise_log.py [--size MIB] [--runs N]

Writes a log in the shapes of a recorded one (``log_writer.py``), then measures in turn, ``N`` times, and prints medians
of processor and elapsed time, and the largest memory of a process.  The events alone are what every use of the
delivery lines pays; the summary counts them, tells what the log covers, and writes the page; ``ingest`` compresses the
log and makes the index by address and id.
"""

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EVENTS = """
import sys
from deliverability import plugins
from deliverability.capture.blocks import windows
from deliverability.capture.files import head, log_files
(file,) = log_files((sys.argv[1],))
read = plugins.load("ingest", "postfix").deliveries(head(file))
print(sum(1 for window in windows(file, 0) for _ in read(window.block.raw, window.block.end)))
"""

INGEST = """
import sys, tempfile
from deliverability.__main__ import main
with tempfile.TemporaryDirectory() as directory:
    sys.argv[1:] = ["ingest", "--log", sys.argv[1], "--archive", directory + "/archive.db"]
    main()
"""


def once(*command: str) -> tuple[float, float, int]:
    """Elapsed seconds, processor seconds of it and its children, and its largest resident set in MiB."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    elapsed = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.returncode:
        sys.exit(f"{command[0]} ended with {child.returncode}")
    spent = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return elapsed, spent, used.ru_maxrss >> 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=300, help="MiB of log to write")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    here, python = Path(__file__).parent, sys.executable
    with tempfile.TemporaryDirectory() as directory:
        log = str(Path(directory) / "mail.log")
        writer = (python, str(here / "log_writer.py"), "postfix-iso", log, "--size", str(given.size))
        subprocess.run(writer, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        size = Path(log).stat().st_size / 1e6
        summary = (python, "-m", "deliverability", "summary", "--log", log)
        cases = [
            ("events of all delivery lines", (python, "-c", EVENTS, log)),
            ("summary, one process", (*summary, "--jobs", "1")),
            ("summary, two processes", (*summary, "--jobs", "2")),
            ("ingest into a new archive", (python, "-c", INGEST, log)),
        ]
        peer = shutil.which("pflogsumm")
        if peer:
            cases.insert(0, ("pflogsumm", (peer, log)))
        print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, {size:.0f} MB")
        taken: dict[str, list[tuple[float, float, int]]] = {name: [] for name, _ in cases}
        for _ in range(given.runs):
            for name, command in cases:
                taken[name].append(once(*command))
    first: tuple[float, float] | None = None
    for name, runs in taken.items():
        elapsed, spent = statistics.median(r[0] for r in runs), statistics.median(r[1] for r in runs)
        first = first or (elapsed, spent)
        ratios = f"{first[0] / elapsed:5.1f} × elapsed {first[1] / spent:5.1f} × processor"
        memory = max(r[2] for r in runs)
        print(
            f"{name:30} {elapsed:7.2f} s  {spent:7.2f} s processor  {size / elapsed:6.0f} MB/s  {memory:4} MiB  {ratios}"
        )


if __name__ == "__main__":
    main()
