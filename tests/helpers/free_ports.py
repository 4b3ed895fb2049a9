"""A port of the loopback that nobody has, for a server that takes a number and not a socket."""

import contextlib
import random
import socket

# Below the ephemeral ports (Linux: 32768 and up): there, the kernel may give the number to any client a moment later.
_RANGE = range(12_000, 32_000)


def bound_pair() -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on the same free port; the caller closes both."""
    for _ in range(200):
        port = random.choice(_RANGE)
        udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
        with contextlib.suppress(OSError):
            udp.bind(("127.0.0.1", port))
            tcp.bind(("127.0.0.1", port))
            return udp, tcp
        udp.close()
        tcp.close()
    raise OSError("no port is free")


def free_port() -> int:
    """Free for UDP and TCP alike a moment ago."""
    udp, tcp = bound_pair()
    with udp, tcp:
        return int(udp.getsockname()[1])
