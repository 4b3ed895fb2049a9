"""A block in pieces of whole lines: what many things are looked for in is passed over where it holds none of them."""

from collections.abc import Iterator

PIECE = 16 << 10  # octets; where something is found, its piece is looked at more closely


def pieces(content: bytes, end: int) -> Iterator[tuple[int, int]]:
    """Where each piece of the first ``end`` octets begins and ends, at line ends as far as there are any."""
    start = 0
    while start < end:
        stop = end
        if end - start > PIECE:
            stop = content.rfind(b"\n", start, start + PIECE) + 1 or content.find(b"\n", start + PIECE, end) + 1 or end
        yield start, stop
        start = stop
