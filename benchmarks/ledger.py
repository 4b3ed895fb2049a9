"""What the ledger costs, beside the bare ``fsync`` of the same disk, in one run.

    python benchmarks/ledger.py [--folder DIR] [--tree 20] [--count N] [--runs N]
    python benchmarks/ledger.py --kills 200       # kill -9 under load, at random moments (ledger_kills.py)

``fsync`` of 4 KiB appended to a file is the bound that nothing durable can beat one by one; the ratios to it travel, the
absolute figures belong to the disk.  *Spool* is what mailers wait for; *appends* go straight into the tree, as the
sequencer's do.  The tree of ``2**TREE`` entries is built by the ledger itself.
"""

import argparse
import os
import platform
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import ledger_kills

from deliverability.evidence.recorder import Finish, Hop, Intent, Outcome
from deliverability.evidence.smtp import Host, Reply, Tls
from deliverability.ledger.appending import NewEntry
from deliverability.ledger.leaves import LeafKind
from deliverability.ledger.log import Ledger, recorder
from deliverability.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from deliverability.ledger.proving import bundle_of, numbers_for
from deliverability.ledger.spool import Spool
from deliverability.ledger.verify import verify_bundle

AT = datetime(2026, 11, 22, 5, 31, 12, 345678, tzinfo=UTC)
INTENT = Intent(
    dispatch="0" * 32, sending="0" * 32, at=AT, account="4711", reverse_path="renewals@hosting.example",
    forward_path="chen@hinet.example", message_id="a@hosting.example", subject="續約通知", author_domain="hosting.example",
    size=4711, sha256="ab" * 32, signatures=(("hosting.example", "s2026"),), next_hop="msr1.hinet.example",
    hop=Hop.RECIPIENT_MX,
)  # fmt: skip
OUTCOME = Outcome(
    dispatch="0" * 32, at=AT, finish=Finish.ACCEPTED, stage="end-of-data",
    reply=Reply(250, "2.0.0", "250 2.0.0 OK  1795325472 a1-20020a17 - gsmtp"), rcpt_reply=Reply(250, "2.1.5", "250 2.1.5 OK"),
    relay=Host("msr1.hinet.example", "198.51.100.31", 25), tls=Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384", True),
    remote_queue_id="a1-20020a17",
)  # fmt: skip
THREADS = 64
BATCH = 1000
TURN = 100

BOUND = "bare fsync of 4 KiB"
Measure = Callable[[], float]


class Numbers:
    """Intents that differ."""

    def __init__(self) -> None:
        self._next = 0

    def intent(self) -> Intent:
        self._next += 1
        return numbered(self._next)


def numbered(number: int) -> Intent:
    name = f"{number:032x}"
    customer = number % 5000
    address = f"customer{customer}@hinet.example"
    return replace(INTENT, dispatch=name, sending=name, account=str(customer), forward_path=address)


def fsync_bound(folder: Path, count: int) -> float:
    """Appends of 4 KiB, each with its ``fsync``, a second."""
    with (folder / "bound").open("ab", buffering=0) as file:
        page = os.urandom(4096)
        begun = time.perf_counter()
        for _ in range(count):
            file.write(page)
            os.fsync(file.fileno())
        return count / (time.perf_counter() - begun)


def one_by_one(ledger: Ledger, numbers: Numbers, count: int) -> float:
    records = [numbers.intent() for _ in range(count)]
    begun = time.perf_counter()
    for record in records:
        ledger.append_records([record])
    return count / (time.perf_counter() - begun)


def from_threads(record: Callable[[list[Intent]], object], numbers: Numbers, count: int) -> float:
    each = max(1, count // THREADS)
    work = [[numbers.intent() for _ in range(each)] for _ in range(THREADS)]
    start = threading.Barrier(THREADS + 1)

    def append(records: list[Intent]) -> None:
        start.wait()
        for one in records:
            record([one])

    threads = [threading.Thread(target=append, args=(records,)) for records in work]
    for thread in threads:
        thread.start()
    start.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return each * THREADS / (time.perf_counter() - begun)


def many(ledger: Ledger, numbers: Numbers, count: int) -> float:
    """By ``append_records`` of a thousand: reading, sealing and hashing included."""
    batches = [[numbers.intent() for _ in range(BATCH)] for _ in range(max(1, count // BATCH))]
    begun = time.perf_counter()
    for records in batches:
        ledger.append_records(records)
    return len(batches) * BATCH / (time.perf_counter() - begun)


def many_ready(ledger: Ledger, count: int) -> float:
    """By ``append`` of a thousand entries that are octets already, as when a spool is drained."""
    batches = [
        [NewEntry(LeafKind.BATCH, os.urandom(300).hex().join(('{"sha256":"', '"}')).encode()) for _ in range(BATCH)]
        for _ in range(max(1, count // BATCH))
    ]
    begun = time.perf_counter()
    for entries in batches:
        ledger.append(entries)
    return len(batches) * BATCH / (time.perf_counter() - begun)


def spooled(spool: Spool, numbers: Numbers, count: int) -> float:
    """What a mailer waits for: its record in the spool of its process."""
    records = [numbers.intent() for _ in range(count)]
    begun = time.perf_counter()
    for record in records:
        spool.record([record])
    return count / (time.perf_counter() - begun)


def spooled_many(spool: Spool, numbers: Numbers, count: int) -> float:
    batches = [[numbers.intent() for _ in range(BATCH)] for _ in range(max(1, count // BATCH))]
    begun = time.perf_counter()
    for records in batches:
        spool.record(records)
    return len(batches) * BATCH / (time.perf_counter() - begun)


def drained(ledger: Ledger) -> float:
    """What the sequencer takes in from the spools, which has the mailers wait for nothing."""
    begun = time.perf_counter()
    return ledger.drain(datetime.now(UTC)) / (time.perf_counter() - begun)


def grow(ledger: Ledger, size: int) -> None:
    """Up to ``size`` entries, quickly: what stands in them does not matter to the tree."""
    while ledger.store.size < size:
        start, count = ledger.store.size, min(20_000, size - ledger.store.size)
        ledger.append([NewEntry(LeafKind.BATCH, b'{"number":%d}' % (start + n)) for n in range(count)])


def in_turn(works: Sequence[Callable[[int], float]], count: int) -> list[float]:
    """What each does a second, a hundred times each in turn: what neighbours do to the disk falls on all of them."""
    seconds = [0.0] * len(works)
    for _ in range(max(1, count // TURN)):
        for place, work in enumerate(works):
            seconds[place] += TURN / work(TURN)
    return [max(1, count // TURN) * TURN / taken for taken in seconds]


def milliseconds(work: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000


def proofs(ledger: Ledger) -> dict[str, float]:
    store, generator = ledger.store, random.Random(20)
    size, root = store.size, store.root()
    found: dict[str, list[float]] = {
        "inclusion made": [],
        "inclusion verified": [],
        "consistency made": [],
        "consistency verified": [],
    }
    for _ in range(300):
        number, old = generator.randrange(size), generator.randrange(1, size)
        leaf, old_root = leaf_hash(store.entry(number).leaf), store.root_at(old)
        marks = [time.perf_counter()]
        inclusion = store.inclusion(number, size)
        marks.append(time.perf_counter())
        assert verify_inclusion(leaf, number, size, inclusion, root)
        marks.append(time.perf_counter())
        consistency = store.consistency(old, size)
        marks.append(time.perf_counter())
        assert verify_consistency(old, size, old_root, root, consistency)
        marks.append(time.perf_counter())
        for name, begun, ended in zip(found, marks, marks[1:], strict=False):
            found[name].append(ended - begun)
    return {name: statistics.median(taken) * 1000 for name, taken in found.items()}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--folder", type=Path, default=None)
    arguments.add_argument("--tree", type=int, default=20)
    arguments.add_argument("--count", type=int, default=4000)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--kills", type=int, default=0)
    arguments.add_argument("--work", type=int, default=0, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.work:
        ledger_kills.work(given.folder, given.work, numbered)
    print(
        f"{platform.platform()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    )
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        if given.kills:
            ledger_kills.kills(Path(name) / "l", given.kills)
        else:
            measure(Path(name), given.tree, given.count, given.runs)


def measure(folder: Path, tree: int, count: int, runs: int) -> None:
    numbers = Numbers()
    now = datetime.now(UTC)
    spool = recorder(folder / "l")
    with Ledger.create(folder / "l", "hosting.example/dispatch", now=now) as ledger:
        singly: dict[str, Callable[[int], float]] = {
            BOUND: lambda times: fsync_bound(folder, times),
            "appends, one by one": lambda times: one_by_one(ledger, numbers, times),
            "spool, one by one": lambda times: spooled(spool, numbers, times),
        }
        rows: dict[str, Measure] = {
            f"appends, {THREADS} threads": lambda: from_threads(ledger.append_records, numbers, count * 2),
            f"appends, {BATCH} records at a time": lambda: many(ledger, numbers, count * 5),
            f"appends, {BATCH} entries at a time": lambda: many_ready(ledger, count * 5),
            f"spool, {THREADS} threads": lambda: from_threads(spool.record, numbers, count * 2),
            f"spool, {BATCH} records at a time": lambda: spooled_many(spool, numbers, count * 5),
            "drained from the spool": lambda: drained(ledger),
        }
        taken: dict[str, list[float]] = {row: [] for row in (*singly, *rows)}
        for _ in range(runs):
            for row, figure in zip(singly, in_turn(tuple(singly.values()), count), strict=True):
                taken[row].append(figure)
            for row, measured in rows.items():
                taken[row].append(measured())
        print("\n| a second | median | best | to the bare fsync of its run |\n|---|---|---|---|")
        for row, figures in taken.items():
            ratio = statistics.median(figure / bound for figure, bound in zip(figures, taken[BOUND], strict=True))
            print(f"| {row} | {statistics.median(figures):,.0f} | {max(figures):,.0f} | {ratio:.2f} |")
        small, size = ledger.store.size, 1 << tree
        before = statistics.median(one_by_one(ledger, numbers, count // 4) for _ in range(runs))
        begun = time.perf_counter()
        grow(ledger, size)
        print(
            f"\ngrown from {small:,} to {ledger.store.size:,} entries in {time.perf_counter() - begun:.0f} s;", end=" "
        )
        print(
            f"{sum(f.stat().st_size for f in (folder / 'l').glob('ledger.sqlite*')) / ledger.store.size:.0f} octets an entry"
        )
        after = statistics.median(one_by_one(ledger, numbers, count // 4) for _ in range(runs))
        print(f"one append at {ledger.store.size:,} entries takes {before / after:.2f} times what it took at {small:,}")
        for what, figure in proofs(ledger).items():
            print(f"{what}: {figure:.3f} ms")
        bundle(ledger, numbers, now)


def bundle(ledger: Ledger, numbers: Numbers, now: datetime) -> None:
    sent = replace(numbers.intent(), sha256=sha256(b"x").hexdigest())
    ledger.append_records([sent, replace(OUTCOME, dispatch=sent.dispatch)])
    ledger.sign(now)
    keys = ledger.verifier_keys()
    content = bundle_of(ledger, numbers_for(ledger, dispatch=sent.dispatch)).to_bytes()
    assert verify_bundle(content, keys=keys).complete
    taken = milliseconds(lambda: verify_bundle(content, keys=keys), 200)
    made = milliseconds(lambda: bundle_of(ledger, numbers_for(ledger, dispatch=sent.dispatch)).to_bytes(), 50)
    print(
        f"a bundle of one message, no time-stamp: {len(content):,} octets, made in {made:.2f} ms, verified in {taken:.2f} ms"
    )


if __name__ == "__main__":
    main()
