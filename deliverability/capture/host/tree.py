"""Reading a machine's configuration carefully: bounded, inside one root, no waiting, no private keys."""

import os
import re
import shutil
import stat
import subprocess
import threading
from pathlib import Path

from deliverability.errors import printable

MAX_FILE = 1 << 20  # octets; what is larger is no configuration that a person wrote
MAX_ENTRIES = 100_000  # of a directory or a list
MAX_NOTES = 60
_TIMEOUT = 10.0  # seconds
# Not the caller's PATH: the survey is often run as root.
_PROGRAMS = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")


class Tree:
    """The file system under ``root``, seen as if it were ``/``, and what could not be read of it."""

    def __init__(self, root: Path, *, run: bool) -> None:
        self._root = root.resolve()
        # Programs describe the machine they run on, not a tree somewhere in it.
        self.runs = run and self._root == Path("/")
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noted, once each, in order."""
        return tuple(self._notes)

    def note(self, text: str) -> None:
        """Keep a sentence for the operator; foreign parts are made printable here."""
        if len(self._notes) < MAX_NOTES:
            self._notes[printable(text)] = None

    def locate(self, path: str) -> Path | None:
        """The real place of ``path``; ``None`` if it is not there or a link leads out of the root."""
        if "\0" in path or len(path) > 4096:
            return None
        try:
            real = (self._root / path.lstrip("/")).resolve(strict=True)
        except (OSError, RuntimeError) as problem:
            if isinstance(problem, PermissionError):
                self.note(f"{path}: cannot be looked at without more rights; run this as root to include it")
            return None
        return real if real.is_relative_to(self._root) else None

    def exists(self, path: str) -> bool:
        """Whether something readable or not is there."""
        return self.locate(path) is not None

    def link(self, path: str) -> str:
        """Where a symbolic link points, unresolved; empty for anything else."""
        try:
            return str((self._root / path.lstrip("/")).readlink())
        except OSError:
            return ""

    def read(self, path: str) -> str | None:
        """A text file's content; ``None`` (and a note, unless it is absent) when it cannot be had."""
        real = self.locate(path)
        if real is None:
            return None
        try:
            with open(real, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    return None
                content = stream.read(MAX_FILE + 1)
        except OSError as problem:
            self.note(f"{path}: {problem.strerror}; run this as a user that may read it")
            return None
        if len(content) > MAX_FILE:
            self.note(f"{path}: larger than {MAX_FILE >> 20} MiB and not read")
            return None
        text = content.decode("utf-8", "replace")
        return None if _KEY.search(text) else text

    def names(self, path: str) -> list[str]:
        """The names in a directory, sorted; empty when there is none or it cannot be read."""
        real = self.locate(path)
        if real is None or not real.is_dir():
            return []
        found = []
        try:
            with os.scandir(real) as entries:
                for entry in entries:
                    found.append(entry.name)
                    if len(found) >= MAX_ENTRIES:
                        self.note(f"{path}: more than {MAX_ENTRIES} entries; the rest was not looked at")
                        break
        except OSError as problem:
            self.note(f"{path}: {problem.strerror}; run this as a user that may read it")
        return sorted(found)

    def output(self, *words: str) -> str | None:
        """What a program prints, if it exists, may be run, and ends well within some seconds."""
        program = shutil.which(words[0], path=_PROGRAMS) if self.runs else None
        if program is None:
            return None
        try:
            with (
                subprocess.Popen(  # noqa: S603 - fixed words, no shell, fixed search path
                    [program, *words[1:]],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env={"PATH": _PROGRAMS, "LC_ALL": "C"},
                    cwd="/",
                ) as process
            ):
                timer = threading.Timer(_TIMEOUT, process.kill)
                timer.start()
                try:
                    content = process.stdout.read(MAX_FILE + 1) if process.stdout else b""
                    if len(content) > MAX_FILE:
                        process.kill()
                finally:
                    process.wait()
                    timer.cancel()
        except OSError:
            return None
        if process.returncode != 0:
            self.note(f"{words[0]} did not answer; only its configuration file was read")
            return None
        return content.decode("utf-8", "replace")


def entries(text: str) -> list[list[str]]:
    """The words of each line of a table file, without comments and empty lines."""
    lines = (line.strip() for line in text.splitlines()[:MAX_ENTRIES])
    return [line.split() for line in lines if line and not line.startswith("#")]
