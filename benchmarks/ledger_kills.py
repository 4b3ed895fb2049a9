"""``kill -9`` of a process whose 64 threads append to a ledger, again and again, at random moments.

    python benchmarks/ledger.py --kills 200

After each kill every number that a thread was given is held against the entry that stands there, every head that was
signed against the tree; a spool that 64 threads write to is killed in the same rounds, and drained.  At the end the whole tree is built again from its entries.
"""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from deliverability.evidence.recorder import Intent
from deliverability.ledger.checkpoint import parse_checkpoint
from deliverability.ledger.leaves import parse_body
from deliverability.ledger.log import Ledger, recorder
from deliverability.protocols.records import record_from_bytes

WRITERS = 64
LONGEST = 0.6  # seconds from the first acknowledgement to the kill


def work(folder: Path, first: int, intent: Callable[[int], Intent]) -> None:
    """Append, spool and sign until killed; each acknowledgement is told on standard output, a line at a time."""
    out = sys.stdout.fileno()
    spool = recorder(folder)

    def append(thread: int) -> None:
        for number in range(first + thread, first + 10_000_000, 2 * WRITERS):
            (entry,) = ledger.append_records([intent(number)])
            os.write(out, b"entry %d %d\n" % (number, entry))

    def record(thread: int) -> None:
        for number in range(first + WRITERS + thread, first + 10_000_000, 2 * WRITERS):
            spool.record([intent(number)])
            os.write(out, b"spool %d 0\n" % number)

    with Ledger.open(folder, write=True) as ledger:
        for work_of in (append, record):
            for thread in range(WRITERS):
                threading.Thread(target=work_of, args=(thread,), daemon=True).start()
        while True:
            size, root = (head := parse_checkpoint(ledger.sign(datetime.now(UTC)))[0]).size, head.root
            os.write(out, b"head %d %s\n" % (size, root.hex().encode()))
            time.sleep(0.02)


def kills(folder: Path, rounds: int) -> None:
    """Run that many rounds; raises AssertionError where anything acknowledged is not as it was told."""
    Ledger.create(folder, "hosting.example/dispatch").close()
    generator = random.Random()
    told = {"entry": 0, "spool": 0, "head": 0}
    heads: dict[int, str] = {}
    for round_ in range(rounds):
        lines = _killed(folder, 1 + round_ * 20_000_000, generator.random() * LONGEST)
        with Ledger.open(folder, write=True) as ledger:  # holds the log against its last signed head
            ledger.drain(datetime.now(UTC))
            for kind, number, value in lines:
                told[kind] += 1
                if kind == "head":
                    heads[int(number)] = value
                elif kind == "entry":
                    assert _dispatch(ledger, int(value)) == int(number), (round_, number, value)
                else:
                    assert ledger.store.intent_of(int(number).to_bytes(16, "big")) is not None, (round_, number)
            for size, root in heads.items():
                assert ledger.store.root_at(size).hex() == root, (round_, size)
    with Ledger.open(folder, write=False) as ledger:
        ledger.store.check_tree()
        size = ledger.store.size
    print(
        f"{rounds} kills with {WRITERS} threads appending and {WRITERS} spooling: {told['entry']:,} appends,"
        f" {told['spool']:,} spooled records and {told['head']:,} heads acknowledged, none lost, each entry at its"
        f" number, no fork; {size:,} entries, whose tree was built again"
    )


def _killed(folder: Path, first: int, seconds: float) -> list[tuple[str, str, str]]:
    command = [
        sys.executable,
        str(Path(__file__).with_name("ledger.py")),
        "--work",
        str(first),
        "--folder",
        str(folder),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        begun = process.stdout.readline()
        killer = threading.Timer(seconds, process.kill)
        killer.start()
        rest = process.stdout.read()
        killer.join()
    whole = (begun + rest).decode()
    lines = whole.split("\n")[:-1]  # what has no end was not told
    assert lines, "nothing was acknowledged"
    return [(a, b, c) for a, b, c in (line.split() for line in lines)]


def _dispatch(ledger: Ledger, number: int) -> int:
    body = ledger.store.entry(number).body
    assert body is not None
    record = record_from_bytes(parse_body(body).event)
    assert isinstance(record, Intent)
    return int(record.dispatch, 16)
