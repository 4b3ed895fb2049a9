"""What recording costs: the recording mailer beside plain aiosmtplib, to the same sink on loopback, in one run.

``python benchmarks/send_mail.py [--messages N] [--connections 1 64] [--kills N]``
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

SIZE = 10_000
HERE = Path(__file__).resolve().parent


def message(number: int = 0) -> bytes:
    """10 kB of text, about as mail is."""
    head = (
        f"Message-ID: <{number}.{time.time_ns()}@hosting.example>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
        "From: Renewals <renewals@hosting.example>\r\nTo: mei@customer.example\r\nSubject: Your domain expires soon\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    ).encode()
    line = b"Your domain customer.example will expire; please renew it in time, thank you.\r\n"
    return (head + line * (SIZE // len(line) + 1))[: SIZE - 2] + b"\r\n"


# --- the sink ---------------------------------------------------------------------------------------------------------


class Sink(asyncio.Protocol):
    """Takes everything at once; keeps nothing but Message-IDs, on request."""

    ids: "contextlib.AbstractContextManager[object] | None" = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = bytearray()
        self.in_data = False
        transport.write(b"220 sink\r\n")  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        out = []
        while True:
            if self.in_data:
                end = self.buffer.find(b"\r\n.\r\n")
                if end < 0:
                    break
                self.taken(bytes(self.buffer[:end]))
                del self.buffer[: end + 5]
                self.in_data = False
                out.append(b"250 2.0.0 Ok: queued as 4jXH3k3V2zzLhRZ\r\n")
                continue
            end = self.buffer.find(b"\n")
            if end < 0:
                break
            word = bytes(self.buffer[:4]).upper()
            del self.buffer[: end + 1]
            if word == b"EHLO":
                out.append(b"250-sink\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250 8BITMIME\r\n")
            elif word == b"DATA":
                self.in_data = True
                out.append(b"354 go\r\n")
            elif word == b"QUIT":
                out.append(b"221 bye\r\n")
            else:
                out.append(b"250 2.1.0 Ok\r\n")
        if out:
            self.transport.write(b"".join(out))  # type: ignore[attr-defined]

    def taken(self, content: bytes) -> None:
        if TAKEN is not None:
            start = content.find(b"<") + 1
            os.write(TAKEN, content[start : content.find(b">", start)] + b"\n")


TAKEN: int | None = None


async def serve(keep: str | None) -> None:
    global TAKEN  # noqa: PLW0603
    TAKEN = os.open(keep, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if keep else None
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def sink(keep: Path | None = None) -> Iterator[int]:
    command = [sys.executable, __file__, "--serve", *([str(keep)] if keep else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


# --- the two mailers --------------------------------------------------------------------------------------------------


class Took(NamedTuple):
    """Seconds: on the clock, and of the processor."""

    clock: float
    processor: float


@contextlib.contextmanager
def timed(into: list[Took]) -> Iterator[None]:
    clock, processor = time.perf_counter(), time.process_time()
    yield
    into.append(Took(time.perf_counter() - clock, time.process_time() - processor))


async def plain(port: int, count: int, connections: int) -> Took:
    """What ``count`` messages take over as many connections of aiosmtplib."""
    import aiosmtplib

    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(connections)]
    await asyncio.gather(*(client.connect() for client in clients))
    contents = iter([message(number) for number in range(count)])

    async def work(client: aiosmtplib.SMTP) -> None:
        for content in contents:
            await client.sendmail("renewals@hosting.example", ["mei@customer.example"], content)

    took: list[Took] = []
    with timed(took):
        await asyncio.gather(*(work(client) for client in clients))
    await asyncio.gather(*(client.quit() for client in clients))
    return took[0]


@asynccontextmanager
async def recording(port: int, connections: int, folder: Path, *, signed: bool) -> AsyncIterator[object]:
    from deliverability.api.mailer import Mailer

    async with Mailer(
        f"127.0.0.1:{port}", recorder=folder, concurrency=connections, snapshot=signed, notify=()
    ) as mailer:
        yield mailer


async def recorded(port: int, count: int, connections: int, folder: Path) -> Took:
    """The same through the recording mailer."""
    async with recording(port, connections, folder, signed=False) as mailer:
        contents = iter([message(number) for number in range(connections)])

        async def work() -> None:
            for content in contents:
                await mailer.send(content, sender="renewals@hosting.example", to="mei@customer.example")  # type: ignore[attr-defined]

        await asyncio.gather(*(work() for _ in range(connections)))  # opens the connections
        contents = iter([message(number) for number in range(count)])
        took: list[Took] = []
        with timed(took):
            await asyncio.gather(*(work() for _ in range(connections)))
        return took[0]


def fsync_seconds(folder: Path, count: int = 200) -> float:
    """One ``fdatasync`` of an appended kilobyte, the median."""
    descriptor = os.open(folder / "probe", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    took = []
    for _ in range(count):
        os.write(descriptor, b"x" * 1000)
        began = time.perf_counter()
        os.fdatasync(descriptor)
        took.append(time.perf_counter() - began)
    os.close(descriptor)
    return statistics.median(took)


def import_milliseconds(statement: str, tries: int = 15) -> float:
    """Of a bare interpreter that runs the statement, the median."""
    took = []
    for _ in range(tries):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True, cwd=HERE.parent)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


class Alone(NamedTuple):
    """At one connection: what a message takes, in slices that follow each other in turn."""

    sync: list[float]
    """Seconds of one ``fdatasync``, back to back."""
    plain: list[Took]
    waiting: list[Took]
    """Plain aiosmtplib, with an appended record and its ``fdatasync`` before and after each message."""
    recording: list[Took]


async def alone(port: int, count: int, folder: Path, slices: int) -> Alone:
    """``count`` messages a slice, one after the other over one connection."""
    import aiosmtplib

    found = Alone([], [], [], [])
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
    descriptor = os.open(folder / "probe", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def synced() -> None:
        os.write(descriptor, b"x" * 800)
        os.fdatasync(descriptor)

    async def bare(content: bytes) -> None:
        await client.sendmail("renewals@hosting.example", ["mei@customer.example"], content)

    async def waiting(content: bytes) -> None:
        synced()
        await bare(content)
        synced()

    async with client, recording(port, 1, folder / "ledger", signed=False) as mailer:

        async def ours(content: bytes) -> None:
            await mailer.send(content, sender="renewals@hosting.example", to="mei@customer.example")  # type: ignore[attr-defined]

        for slice_ in range(slices + 1):
            found.sync.append(fsync_seconds(folder, 20))
            for send, took in ((bare, found.plain), (waiting, found.waiting), (ours, found.recording)):
                contents = [message(number) for number in range(count)]
                with timed(took):
                    for content in contents:
                        await send(content)
            if slice_ == 0:  # opened connections and files
                for took in found[1:]:
                    took.clear()
    os.close(descriptor)
    return found


def compare_alone(port: int, folder: Path, slices: int, count: int = 20) -> None:
    found = asyncio.run(alone(port, count, folder, slices))
    sync = statistics.median(found.sync)
    bare, both, ours = (statistics.median(t.clock for t in took) / count for took in found[1:])
    used, with_sync, spent = (statistics.median(t.processor for t in took) / count for took in found[1:])
    print(
        f"  1 connection, {slices} slices of {count} messages in turn, medians, ms a message:\n"
        f"    plain {bare * 1000:.2f}, with two fdatasync {both * 1000:.2f}, recording {ours * 1000:.2f};"
        f" processor time {used * 1000:.2f}, {with_sync * 1000:.2f}, {spent * 1000:.2f}\n"
        f"    plain + two fdatasync + 15 %: {(bare + 2 * sync) * 1150:.2f} by one fdatasync of {sync * 1000:.2f},"
        f" {both * 1150:.2f} as it is among messages"
    )


def compare(messages: int, connections: list[int], folder: Path, rounds: int) -> None:
    with sink() as port:
        for number in connections:
            if number == 1:
                compare_alone(port, folder, max(10, messages // 100))
                continue
            pairs = []
            for _ in range(rounds):
                gc.collect()
                bare = asyncio.run(plain(port, messages, number))
                ours = asyncio.run(recorded(port, messages, number, folder / "ledger"))
                pairs.append((bare, ours))
            used, spent = (statistics.median(t.processor for t in times) for times in zip(*pairs, strict=True))
            bare, ours = (statistics.median(t.clock for t in times) for times in zip(*pairs, strict=True))
            print(
                f"{number:3d} connections, {messages} messages of {SIZE} octets: plain {messages / bare:7.0f}/s,"
                f" recording {messages / ours:7.0f}/s, ratio {bare / ours:.2f}; processor time of a message:"
                f" {used / messages * 1000:.2f} and {spent / messages * 1000:.2f} ms, {used / spent:.2f}"
            )
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")
    empty, whole = import_milliseconds("pass"), import_milliseconds("import deliverability")
    print(f"python: {empty:.1f} ms; with 'import deliverability': {whole:.1f} ms")


# --- kill -9 ----------------------------------------------------------------------------------------------------------


async def send_for_ever(port: int, folder: Path, connections: int, ready: int) -> None:
    """Until somebody kills us; each message bears an id of its own."""
    async with recording(port, connections, folder, signed=False) as mailer:

        async def work(worker: int) -> None:
            number = 0
            while True:
                number += 1
                if number == 2 and worker == 0:
                    os.write(ready, b"r")  # messages are on their way: from now on we may be killed
                await mailer.send(  # type: ignore[attr-defined]
                    message(worker * 1_000_000 + number), sender="renewals@hosting.example", to="mei@customer.example"
                )

        await asyncio.gather(*(work(worker) for worker in range(connections)))


def kills(count: int, folder: Path, connections: int = 8) -> dict[str, int]:
    """Kill the sender at random moments; what the records then say against what the sink really took."""
    import random

    import deliverability.api.mailer  # noqa: F401 - once, before all the forks

    taken_file, ledger = folder / "taken", folder / "killed"
    with sink(taken_file) as port:
        for _ in range(count):
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(reading)
                try:
                    asyncio.run(send_for_ever(port, ledger, connections, writing))
                finally:
                    os._exit(1)
            os.close(writing)
            os.read(reading, 1)
            time.sleep(random.random() * 0.08)
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            os.close(reading)
            if not os.WIFSIGNALED(status):
                sys.exit("the sender ended by itself: what would be shown is not what was meant")
        time.sleep(0.5)  # what was on its way to the sink
    return judge(taken_file, ledger / "spool")


def judge(taken_file: Path, spool: Path) -> dict[str, int]:
    """Counts: messages taken, intents, outcomes; and what must be zero, ``lost`` and ``invented``."""
    taken = set(taken_file.read_text(encoding="ascii").split()) if taken_file.exists() else set()
    intents: dict[str, str] = {}
    accepted: set[str] = set()
    outcomes = 0
    for path in spool.glob("*.spool"):
        for line in path.read_bytes().split(b"\n")[:-1]:
            record = json.loads(line)
            if record["kind"] == "intent":
                intents[record["dispatch"]] = record["message_id"]
            elif record["kind"] == "outcome":
                outcomes += 1
                if record["finish"] == "accepted":
                    accepted.add(intents[record["dispatch"]])
    return {
        "taken": len(taken),
        "intents": len(intents),
        "outcomes": outcomes,
        "open": len(intents) - outcomes,
        "lost": len(taken - set(intents.values())),
        "invented": len(accepted - taken),
    }


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(sys.argv[2] if len(sys.argv) > 2 else None))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--kills", type=int, default=0, help="kill the sender so often instead, and look at the records"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.kills:
            print(json.dumps(kills(given.kills, Path(folder))))
            return
        compare(given.messages, given.connections, Path(folder), given.rounds)


if __name__ == "__main__":
    main()
