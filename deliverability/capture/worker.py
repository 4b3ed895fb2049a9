"""A child that does one kind of work on blocks of octets, which it is given in memory that both processes share."""

import mmap
import os
import pickle
import select
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

from deliverability.capture import aside

_LENGTH = struct.Struct("=Q")
AHEAD = 2  # blocks that a worker has: that at which it works, and the next


class Worker:
    """Does ``work`` with each block of at most ``size`` octets, and what is said of it, in the order of the blocks.

    What is said and what the work gives must be picklable.  :class:`OSError` where no process can be made.
    """

    def __init__(self, work: Callable[[bytes, Any], object], size: int) -> None:
        self._memory, self._size, self._given, self._taken = mmap.mmap(-1, AHEAD * size), size, 0, 0
        asked, asking = os.pipe()
        answered, answering = os.pipe()

        def serve() -> None:
            os.close(asking)
            os.close(answered)
            self._serve(work, asked, answering)

        try:
            self._pid = aside.child(serve)
        except OSError:
            for pipe in (asked, asking, answered, answering):
                os.close(pipe)
            raise
        os.close(asked)
        os.close(answering)
        aside.widen(answered)
        self._asking: BinaryIO = os.fdopen(asking, "wb", buffering=0)
        self._answered = answered

    def _serve(self, work: Callable[[bytes, Any], object], asked: int, answering: int) -> None:
        # The C library keeps as much for the next block, and does not give it back to be asked for it again, once as
        # much was freed in one piece (mallopt(3), M_MMAP_THRESHOLD).
        bytes(2 * self._size)
        number = 0
        with os.fdopen(asked, "rb") as questions, os.fdopen(answering, "wb") as answers:
            while True:
                try:
                    count, said = pickle.load(questions)  # noqa: S301 - our own parent wrote it
                except EOFError:
                    return
                at = number % AHEAD * self._size
                answer = pickle.dumps(work(self._memory[at : at + count], said), pickle.HIGHEST_PROTOCOL)
                answers.write(_LENGTH.pack(len(answer)) + answer)
                answers.flush()
                number += 1

    @property
    def has_room(self) -> bool:
        """Whether it can be given a block."""
        return self._given - self._taken < AHEAD

    @property
    def has_answer(self) -> bool:
        """Whether the next result, or the end of the child, is there to be taken without a wait."""
        return bool(self._given > self._taken and select.select([self._answered], [], [], 0)[0])

    def give(self, content: bytes, said: object) -> None:
        """Have the work done on a block; only where there is room."""
        at = self._given % AHEAD * self._size
        self._memory[at : at + len(content)] = content
        self._given += 1
        with suppress(BrokenPipeError):  # to take says it
            self._asking.write(pickle.dumps((len(content), said), pickle.HIGHEST_PROTOCOL))

    def take(self) -> Any:
        """What the work gave for the first block whose result was not taken; :class:`EOFError` where the child failed."""
        (count,) = _LENGTH.unpack(self._read(_LENGTH.size))
        result = pickle.loads(self._read(count))  # noqa: S301 - our own child wrote it
        self._taken += 1
        return result

    def _read(self, count: int) -> bytearray:
        """Exactly as much: what a buffer would hold back ``has_answer`` could not see."""
        found = bytearray()
        while len(found) < count:
            more = os.read(self._answered, count - len(found))
            if not more:
                raise EOFError("the process that worked at it was ended")
            found += more
        return found

    def close(self) -> None:
        """End the child; nobody takes any more."""
        if self._pid:
            aside.end(self._pid)
            self._pid = 0
            self._asking.close()
            os.close(self._answered)
            self._memory.close()
