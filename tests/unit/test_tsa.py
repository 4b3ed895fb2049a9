"""Asking a time-stamping authority: whatever it does, the wait has an end."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

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


def _dripping(octets: bytes) -> Behaviour:
    """One octet at a time, so slowly that no single read is late and all of them are."""

    def drip(connection: socket.socket) -> None:
        for octet in octets:
            connection.sendall(bytes([octet]))
            time.sleep(0.1)

    return drip


def test_what_comes_in_time_is_the_answer(serve: Callable[[Behaviour], str]) -> None:
    assert ask(f"http://{serve(lambda connection: connection.sendall(_ANSWER))}/tsr", b"?") == b"DONE"


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


@pytest.mark.parametrize("url", ["ftp://a.example/", "http://", "", "http://[", "http://127.0.0.1:99999/"])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(CannotLookError):
        ask(url, b"?")
