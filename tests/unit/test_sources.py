"""Octets that are decompressed ahead, by a process or by a thread."""

import io
import os
import zlib
from collections.abc import Callable
from contextlib import closing

import pytest

from deliverability.capture import aside
from deliverability.capture.decoders.streams import DamagedError
from deliverability.capture.sources import ALONE, Source, source_of
from deliverability.errors import CannotLookError

SIZE = 10
CONTENT = bytes(range(256))


class _Stream:
    """Gives a few octets at a time, and at its end what it was told to raise; no file that is read in place."""

    decompresses = True

    def __init__(self, content: bytes, raises: Exception | None = None) -> None:
        self._content, self._raises = io.BytesIO(content), raises

    def read1(self, size: int = -1, /) -> bytes:
        given = self._content.read(min(size, 4))
        if not given and self._raises:
            raise self._raises
        return given


def _refused() -> int:
    raise BlockingIOError(11, "Resource temporarily unavailable")


@pytest.fixture(params=["process", "thread", "thread, as no process is allowed"])
def ahead(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[_Stream], Source]:
    monkeypatch.setattr(aside, "possible", lambda: request.param != "thread")
    if "allowed" in request.param:
        monkeypatch.setattr(os, "fork", _refused)
    return lambda stream: source_of(stream, SIZE)


def taken(source: Source) -> tuple[list[bytes], Exception | None]:
    """All blocks up to the empty one, and the problem that ended them."""
    blocks: list[bytes] = []
    with closing(source):
        while True:
            content, problem = source.fill()
            blocks += [content] if content else []
            if problem or not content:
                assert source.fill() == (b"", None), "nothing comes any more, and nobody waits for it"
                return blocks, problem


@pytest.mark.parametrize("size", [0, 1, SIZE, ALONE * SIZE, ALONE * SIZE + 1, (ALONE + aside.AHEAD) * SIZE, 256])
def test_all_octets_come_in_order(size: int, ahead: Callable[[_Stream], Source]) -> None:
    blocks, problem = taken(ahead(_Stream(CONTENT[:size])))
    assert problem is None
    assert blocks == [CONTENT[at : at + SIZE][: size - at] for at in range(0, size, SIZE)]


@pytest.mark.parametrize("size", [3, ALONE * SIZE, 256])
@pytest.mark.parametrize(
    "raised", [DamagedError("the archive breaks off"), zlib.error("bad"), EOFError("no end"), OSError(5, "broken")]
)
def test_what_a_damaged_archive_holds_comes_before_its_problem(
    size: int, raised: Exception, ahead: Callable[[_Stream], Source]
) -> None:
    blocks, problem = taken(ahead(_Stream(CONTENT[:size], raised)))
    assert b"".join(blocks) == CONTENT[:size]
    assert (type(problem), str(problem)) == (type(raised), str(raised))


def test_what_is_no_damage_is_raised_where_the_block_is_asked_for(ahead: Callable[[_Stream], Source]) -> None:
    with closing(ahead(_Stream(CONTENT[: ALONE * SIZE], CannotLookError("rotated")))) as source:
        assert b"".join(source.fill()[0] for _ in range(ALONE)) == CONTENT[: ALONE * SIZE]
        with pytest.raises(CannotLookError, match="rotated"):
            source.fill()
        assert source.fill() == (b"", None), "nobody waits for what does not come"


def test_a_block_comes_behind_what_is_left_of_the_one_before(ahead: Callable[[_Stream], Source]) -> None:
    with closing(ahead(_Stream(CONTENT))) as source:
        content = b""
        for _ in range(2 * ALONE):
            content, problem = source.fill(content)
            assert problem is None
        assert content == CONTENT[: 2 * ALONE * SIZE]


def test_who_takes_no_more_leaves_no_process_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    fork = os.fork

    def forked() -> int:
        pid = fork()
        started.append(pid)
        return pid

    monkeypatch.setattr(os, "fork", forked)
    monkeypatch.setattr(aside, "possible", lambda: True)
    with closing(source_of(_Stream(CONTENT), SIZE)) as source:
        for _ in range(ALONE + 2):
            source.fill()
    (child,) = started
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)


def test_a_process_that_was_ended_is_no_end_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    class _Ending(_Stream):
        def read1(self, size: int = -1, /) -> bytes:
            if os.getpid() != parent:
                os._exit(9)
            return super().read1(size)

    parent = os.getpid()
    monkeypatch.setattr(aside, "possible", lambda: True)
    blocks, problem = taken(source_of(_Ending(CONTENT), SIZE))
    assert b"".join(blocks) == CONTENT[: ALONE * SIZE]
    assert "process" in str(problem)


def test_more_blocks_than_wait_are_made_one_after_the_other() -> None:
    """The memory of a block is used again only when it was taken."""
    made = iter(range(200))
    feed = aside.Feed(lambda: (b"%d" % (number := next(made)), number, number == 199), 3)
    assert [feed.take(b"#") for _ in range(200)] == [(b"#%d" % n, n) for n in range(200)]
    with pytest.raises(EOFError):
        feed.take()
    feed.close()


def test_short_texts_are_decompressed_by_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> bool:
        raise AssertionError("a short log needs no help")

    monkeypatch.setattr(aside, "possible", nobody)
    with closing(source_of(_Stream(b"x" * (SIZE * (ALONE - 1))), SIZE)) as source:
        assert b"".join(source.fill()[0] for _ in range(ALONE)) == b"x" * (SIZE * (ALONE - 1))
