"""Bounds on hostile work that say nothing of speed: counted calls, and an end to what would hang."""

import faulthandler
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HANGS = 300
"""Seconds after which a test is taken to hang: the whole run ends then, with a traceback."""
LONG = 1 << 20
"""Octets of a hostile text that take milliseconds, and many minutes where the work grows with their square."""


@contextmanager
def hang_guard() -> Iterator[None]:
    """End the run, and say where it was, when what is within never ends."""
    faulthandler.dump_traceback_later(HANGS, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, ours and built-in ones: a measure of work that no other process changes."""
    counted = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return counted
