"""Octets that a thread decompresses ahead."""

import io
from queue import Queue
from threading import current_thread

from deliverability.capture.sources import _Decompressed, source_of


class _Compressed(io.BytesIO):
    decompresses = True

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(min(size or 0, 10))


class _Drained(Queue):  # type: ignore[type-arg]
    def get(self, block: bool = True, timeout: float | None = None) -> object:
        raise AssertionError("nothing comes any more: this would wait for ever")


def test_after_the_end_nobody_waits_for_a_thread_that_has_not_ended_yet() -> None:
    class Stream:  # no BytesIO itself: that would be read in place
        decompresses = True
        read1 = _Compressed(b"x" * 35).read1

    source = source_of(Stream(), 10)
    assert isinstance(source, _Decompressed)
    assert [source.fill()[0] for _ in range(5)] == [b"x" * 10] * 3 + [b"x" * 5, b""]
    source._filled, source._thread = _Drained(), current_thread()
    assert source.fill() == (b"", None)
