"""Run a command once for each notice, and remember durably for which it was.

The memory is a file of JSON lines that is only ever appended to.  A line is on the disk before the command begins: a
machine that stops in between may leave one notice unannounced, and never announces one twice.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from deliverability.errors import CannotLookError, printable

MAX_MEMORY = 512 << 20  # octets of the file
MAX_SAID = 300  # characters of what a failing command wrote that are passed on


@dataclass(slots=True)
class Memory:
    """Which notices were seen and announced, by a digest of their names."""

    fd: int
    seen: dict[str, datetime] = field(default_factory=dict)
    announced: set[str] = field(default_factory=set)

    def note(self, kind: str, key: str, now: datetime) -> None:
        """Write one line, durable when this returns."""
        line = json.dumps({"kind": kind, "notice": key, "at": now.isoformat()}) + "\n"
        os.write(self.fd, line.encode())
        os.fsync(self.fd)
        if kind == "announced":
            self.announced.add(key)
        else:
            self.seen[key] = now


def key_of(*parts: str) -> str:
    """A digest that names a notice without naming a person."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


@contextlib.contextmanager
def memory(path: Path) -> Iterator[Memory]:
    """Open the memory, alone: a second run waits for nobody and says so."""
    shown = printable(str(path))
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as problem:
        raise CannotLookError(f"{shown}: cannot be opened for writing: {problem.strerror}") from problem
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotLookError(f"{shown}: another run is at work with it; try again when it has ended") from None
        opened = Memory(fd)
        _load(opened, shown)
        yield opened
    finally:
        os.close(fd)


def _load(opened: Memory, shown: str) -> None:
    size = os.fstat(opened.fd).st_size
    if size > MAX_MEMORY:
        raise CannotLookError(f"{shown}: larger than {MAX_MEMORY >> 20} MiB; name another file with --alert-state")
    content = os.pread(opened.fd, size, 0) if size else b""
    for line in content.split(b"\n")[:-1]:
        try:
            entry = json.loads(line)
            kind, key, at = entry["kind"], str(entry["notice"]), datetime.fromisoformat(entry["at"])
        except (ValueError, KeyError, TypeError):
            raise CannotLookError(f"{shown}: not a memory of alerts; name another file with --alert-state") from None
        if kind == "announced":
            opened.announced.add(key)
        else:
            opened.seen[key] = at
    if content and not content.endswith(b"\n"):
        os.ftruncate(opened.fd, content.rfind(b"\n") + 1)  # cut short by a crash: its command was never begun


def run(command: Sequence[str], notice: Mapping[str, object], timeout: float) -> str | None:
    """Run ``command``, no shell between, with the notice as JSON on its standard input; what went wrong, or ``None``."""
    try:
        done = subprocess.run(  # noqa: S603 - the words come from the command line of whoever runs this
            list(command),
            input=(json.dumps(notice, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=timeout,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return f"took longer than {timeout:g} s and was ended"
    except OSError as problem:
        return f"could not be run: {problem.strerror}"
    if done.returncode == 0:
        return None
    said = printable(done.stderr[-MAX_SAID:].decode("utf-8", "backslashreplace").strip(), MAX_SAID)
    return f"ended with status {done.returncode}" + (f": {said}" if said else "")
