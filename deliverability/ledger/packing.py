"""Octets packed for storage, and unpacked again: by Zstandard where the ``logs`` extra is there, else as zlib does it.

Zstandard (RFC 8878) takes less time than zlib (RFC 1950), and less than half of the room for what logs hold.  Each
kind is known by its first octets; what one machine packed another can only read with the same extra.
"""

import zlib
from typing import Any, cast

from deliverability.errors import CannotLookError

LEVEL = -1  # logs come to 6 % of their octets; level 1: 5 %, in a seventh more time
_ZSTANDARD = b"\x28\xb5\x2f\xfd"  # RFC 8878 §3.1.1


class NotHereError(CannotLookError):
    """It may well be whole, but nothing is installed here that reads it."""


def packed(content: bytes) -> bytes:
    """As few octets as are made quickly; may run in another thread."""
    try:
        import zstandard
    except ImportError:
        return zlib.compress(content, 1)
    return zstandard.ZstdCompressor(level=LEVEL).compress(content)


def unpacked(octets: bytes, size: int) -> bytes:
    """What was packed, of exactly this size, whatever the octets claim.

    Raises :class:`ValueError` for anything else, and :class:`NotHereError`.
    """
    return _from_zstandard(octets, size) if octets.startswith(_ZSTANDARD) else _from_zlib(octets, size)


def _from_zstandard(octets: bytes, size: int) -> bytes:
    try:
        import zstandard
    except ImportError as problem:
        raise NotHereError("packed by Zstandard; to read it, pip install 'deliverability[logs]'") from problem
    try:
        if zstandard.frame_content_size(octets) != size:  # which the library would make room for
            raise ValueError("not of the length that was kept")
        return zstandard.ZstdDecompressor().decompress(octets, allow_extra_data=False)
    except zstandard.ZstdError as problem:
        raise ValueError(str(problem)) from problem


def _unpacker() -> tuple[Any, tuple[type[Exception], ...]]:
    """What unpacks zlib's form, and how it complains: the faster library where it is installed."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.decompressobj(), (zlib.error,)
    theirs = cast("type[Exception]", isal_zlib.error)  # their stub calls the class an instance
    return isal_zlib.decompressobj(), (zlib.error, theirs)


def _from_zlib(octets: bytes, size: int) -> bytes:
    unpacker, problems = _unpacker()
    try:
        content: bytes = unpacker.decompress(octets, size + 1)
    except problems as problem:
        raise ValueError(str(problem)) from problem
    if len(content) != size or not unpacker.eof:
        raise ValueError("not of the length that was kept")
    return content
