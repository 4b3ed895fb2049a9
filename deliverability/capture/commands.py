"""Commands whose standard output is a log (``ssh mail1 cat /var/log/maillog``), as the configuration names them.

Never through a shell, never with our standard input, and with limits on time and size.
"""

import os
import signal
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass

from deliverability.errors import printable

SECONDS = 600.0  # a large log over a slow line
_MAX_WORDS = 300  # octets of its complaint that are shown


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its arguments, with the name of the log that it prints."""

    name: str
    words: tuple[str, ...]


def output_of(command: Command, limit: int, seconds: float = SECONDS) -> tuple[bytes, str | None]:
    """What a command printed, at most ``limit`` octets, and what was wrong with it, if anything.

    What came before a failure is given too: it is evidence, and the problem says that there is more.
    """
    import tempfile

    shown = f"log {printable(command.name)!r}, command {printable(command.words[0])!r}"
    with tempfile.TemporaryFile() as complaint:
        try:
            # A session of its own: nobody is there to be asked for a password, and all of it can be ended.
            process = subprocess.Popen(  # noqa: S603 - no shell; the words come from --config or /etc alone
                command.words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaint,
                start_new_session=True,
            )
        except (OSError, ValueError) as problem:
            return b"", f"{shown}: {getattr(problem, 'strerror', None) or problem}"
        timer = threading.Timer(seconds, _end, (process,))
        timer.daemon = True
        timer.start()
        try:
            with process:
                assert process.stdout is not None  # noqa: S101 - asked for above
                content = process.stdout.read(limit + 1)
                if len(content) > limit:
                    _end(process)
                elif process.wait() == 0:
                    return content, None
        finally:
            timed_out = not timer.is_alive()
            timer.cancel()
            _end(process)
        if len(content) > limit:
            return content[:limit], f"{shown}: printed more than {limit >> 20} MiB; the rest was not read"
        if timed_out:
            return content, f"{shown}: was ended after {seconds:.0f} seconds"
        complaint.seek(0)
        words = complaint.read(_MAX_WORDS).decode("utf-8", "backslashreplace").strip()
        return content, f"{shown}: exit status {process.returncode}: {printable(words)}"


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
