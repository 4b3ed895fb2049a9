"""Asking a time-stamping authority: whatever it does, the wait has an end."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from deliverability.capture.tsa import ask
from deliverability.errors import CannotLookError

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nDONE"
Behaviour = Callable[[socket.socket], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Behaviour], str]]:
    """Listen on the loopback and do with the first connection as told; returns where."""
    threads: list[threading.Thread] = []
    listeners: list[socket.socket] = []

    def begin(behaviour: Behaviour) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(30)
        listeners.append(listener)

        def run() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                connection.settimeout(30)
                with connection:
                    behaviour(connection)

        thread = threading.Thread(target=run)
        thread.start()
        threads.append(thread)
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield begin
    for listener in listeners:
        listener.close()
    for thread in threads:
        thread.join()


def _answers(connection: socket.socket) -> None:
    """The answer, and then whatever comes is read: closing before would reset the connection, and the answer with it."""
    connection.sendall(_ANSWER)
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4096):
        pass


def _dripping(octets: bytes) -> Behaviour:
    """One octet at a time, so slowly that no single read is late and all of them are."""

    def drip(connection: socket.socket) -> None:
        for octet in octets:
            connection.sendall(bytes([octet]))
            time.sleep(0.1)

    return drip


def test_what_comes_in_time_is_the_answer(serve: Callable[[Behaviour], str]) -> None:
    assert ask(f"http://{serve(_answers)}/tsr", b"?") == b"DONE"


@pytest.mark.parametrize(
    ("scheme", "drips"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40 + _ANSWER[15:]),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n" + b"x" * 40),
        ("https", b"\x16\x03\x03\x00\xff" + b"\x02" * 60),
    ],
    ids=["head", "body", "handshake"],
)
def test_who_drips_is_cut_off_in_the_end(serve: Callable[[Behaviour], str], scheme: str, drips: bytes) -> None:
    with pytest.raises(CannotLookError, match=r"none within 1\.5 s"):
        ask(f"{scheme}://{serve(_dripping(drips))}/tsr", b"?", seconds=1.5)


def test_silence_has_an_end(serve: Callable[[Behaviour], str]) -> None:
    def silent(connection: socket.socket) -> None:
        while connection.recv(4096):
            pass

    with pytest.raises(CannotLookError, match="no time-stamp"):
        ask(f"http://{serve(silent)}/", b"?", seconds=0.3)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 404 Not Found\r\n\r\n", b"\0" * 99, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (1 << 17)]
)
def test_what_is_no_answer_is_said(serve: Callable[[Behaviour], str], answer: bytes) -> None:
    def tell(connection: socket.socket) -> None:
        connection.recv(65536)
        with suppress(OSError):
            connection.sendall(answer)

    with pytest.raises(CannotLookError, match="no time-stamp"):
        ask(f"http://{serve(tell)}/", b"?")


def test_an_address_that_leads_nowhere_leaves_time_for_the_next(
    serve: Callable[[Behaviour], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host with an IPv6 address and no IPv6 that works: what is sent there is lost, and nobody says so."""
    place = serve(_answers)
    good = ("127.0.0.1", int(place.rpartition(":")[2]))
    with ExitStack() as held:
        full = held.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(8):  # a full queue drops what comes next
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where) for where in (full.getsockname(), good)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert ask("http://a.example/tsr", b"?", seconds=5) == b"DONE"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://[2001:db8::1]/tsr", b"[2001:db8::1]"),
        ("http://[2001:db8::ab]/tsr", b"[2001:db8::ab]"),
        ("http://[2001:db8::1]:8080/tsr", b"[2001:db8::1]:8080"),
        ("http://a.example/tsr", b"a.example"),
        ("http://a.example:8080/tsr", b"a.example:8080"),
        ("http://a.example:80/tsr", b"a.example"),
    ],
)
def test_the_host_is_named_as_it_was_written(url: str, host: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ())])
    monkeypatch.setattr("deliverability.capture.tsa._connect", lambda *_: ours)
    with theirs:
        theirs.sendall(_ANSWER)
        assert ask(url, b"?") == b"DONE"
        assert b"\r\nHost: " + host + b"\r\n" in theirs.recv(65536)


@pytest.mark.parametrize("url", ["ftp://a.example/", "http://", "", "http://[", "http://127.0.0.1:99999/"])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(CannotLookError):
        ask(url, b"?")
