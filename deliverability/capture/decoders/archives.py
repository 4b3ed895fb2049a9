"""Compressed logs as streams: gzip, bzip2, xz and Zstandard, told apart by their first octets.

Memory is bounded whatever the archive claims; what is cut short gives all that it holds, then raises.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol, cast

from deliverability.capture.decoders.streams import DamagedError, Stream
from deliverability.errors import CannotLookError

MAX_XZ_MEMORY = 128 << 20  # ``xz -9`` needs 65 MiB; an archive may ask for 4 GiB
MAX_ZSTD_WINDOW = 128 << 20  # what ``zstd -d`` grants unless told otherwise
_INPUT = 128 << 10
_ZSTD_MAGIC = 0xFD2FB528
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)  # RFC 8878 §3.1.2
MAGIC = 6  # octets that tell a form
_XZ = b"\xfd7zXZ\x00"
_FOLLOWED = "something that is no archive follows"
_TOO_LARGE = "it needs more memory than is granted here; unpack it first: "
# How the libraries say so, and the tool that grants more.
_TOO_MUCH = (("Memory usage limit", "xz -d FILE"), ("too much memory", "zstd -d --long=31 FILE"))


def decompressed(raw: BinaryIO, shown: str) -> Stream | None:
    """A stream of what ``raw`` holds, or ``None`` when it is no archive of a known form.

    ``raw`` stands at its beginning and can seek; ``shown`` is its name for the reader.  Raises
    :class:`CannotLookError` for archives that cannot be read here, with what to do.
    """
    magic = raw.read(MAGIC)
    raw.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return _Members(raw, _gzip(), b"\x1f\x8b", b"\0")
    if magic.startswith(b"BZh"):
        return _Members(raw, bz2.BZ2Decompressor, b"BZh", b"")
    if magic == _XZ:
        # Between two streams only padding with zeros is allowed (xz file format 1.2.0, section 2.2).
        return _Members(raw, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY), _XZ, b"\0")
    if magic.startswith(b"\x28\xb5\x2f\xfd") or int.from_bytes(magic[:4], "little") in _SKIPPABLE:
        return _zstd(raw, shown)
    if magic.startswith((b"\x1f\x9d", b"\x04\x22\x4d\x18")):
        form, tool = ("compress", "zcat") if magic[0] == 0x1F else ("LZ4", "lz4cat")
        raise CannotLookError(
            f"{shown}: {form} archives are not read; unpack it, or pipe it: {tool} {shown} | … --log -"
        )
    return None


class _Decompressor(Protocol):
    """What :mod:`bz2`, :mod:`lzma` and isal have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class _Members:
    """Archives one after another in a file, as ``cat a.gz b.gz`` and logrotate leave them."""

    decompresses = True

    def __init__(self, raw: BinaryIO, new: Callable[[], _Decompressor], magic: bytes, padding: bytes) -> None:
        self._raw, self._new, self._magic, self._padding = raw, new, magic, padding
        self._rest = b""
        self._member: _Decompressor | None = None
        self._whole = 0
        self._failed = _failures()
        self._problem: DamagedError | None = None

    def read1(self, size: int = -1, /) -> bytes:
        """Up to ``size`` octets; raises :class:`DamagedError` where the archive breaks off or is no more."""
        if self._problem:
            raise self._problem
        try:
            return self._read(size)
        except DamagedError as problem:
            self._problem = problem
            raise

    def _read(self, size: int) -> bytes:
        while True:
            member = self._member
            if member is None or member.eof:
                if not self._more_members():
                    return b""
                # A decompressor would wait for the rest of a header, and say that it breaks off.
                if not self._rest.startswith(self._magic[: len(self._rest)]):
                    raise DamagedError(_FOLLOWED)
                self._member = member = self._new()
            if member.needs_input and not self._rest:
                self._rest = self._raw.read(_INPUT)
                if not self._rest:
                    raise DamagedError("the archive breaks off")
            given, self._rest = self._rest, b""
            try:
                content = member.decompress(given, size)
            except self._failed as problem:
                # After a whole archive, what cannot be unpacked is most likely something else that was appended.
                raise DamagedError(_FOLLOWED if self._whole and not member.eof else _words(problem)) from problem
            if member.eof:
                self._rest = member.unused_data
                self._whole += 1
            if content:
                return content

    def _more_members(self) -> bool:
        self._rest = self._rest.lstrip(self._padding) if self._padding else self._rest
        while not self._rest:
            more = self._raw.read(_INPUT)
            if not more:
                return False
            self._rest = more.lstrip(self._padding) if self._padding else more
        return True


def _words(problem: Exception) -> str:
    """What a decompressor says; where it lacks memory, what to do."""
    said = str(problem)
    return next((_TOO_LARGE + tool for words, tool in _TOO_MUCH if words in said), said)


def _failures() -> tuple[type[Exception], ...]:
    found: list[type[Exception]] = [OSError, EOFError, ValueError, zlib.error, lzma.LZMAError]
    try:
        from isal import igzip_lib
    except ImportError:
        return tuple(found)
    return (*found, cast("type[Exception]", igzip_lib.IsalError))  # its stub calls the class an instance


def _gzip() -> Callable[[], _Decompressor]:
    """Intel's ISA-L where the extra ``logs`` is installed: three times as fast as zlib."""
    try:
        from isal import igzip_lib
    except ImportError:
        return _ZlibGzip
    return lambda: igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)


class _ZlibGzip:
    """One gzip member (RFC 1952) by the standard library; it checks the member's CRC and length itself."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """Up to ``max_length`` octets."""
        return self._stream.decompress(self._stream.unconsumed_tail + data, max(max_length, 0))


# --- Zstandard --------------------------------------------------------------------------------------------------------


def _zstd(raw: BinaryIO, shown: str) -> Stream:
    try:
        import zstandard
    except ImportError as problem:
        raise CannotLookError(
            f"{shown}: to read Zstandard archives, pip install 'deliverability[logs]'"
            f" (or pipe it: zstdcat {shown} | … --log -)"
        ) from problem
    walked = _Frames(raw)
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW)
    reader = decompressor.stream_reader(cast("BinaryIO", walked), read_size=_INPUT, read_across_frames=True)
    return _Zstd(reader, walked, zstandard.ZstdError)


class _Zstd:
    decompresses = True

    def __init__(self, reader: Any, frames: "_Frames", failed: type[Exception]) -> None:
        self._reader, self._frames, self._failed = reader, frames, failed

    def read1(self, size: int = -1, /) -> bytes:
        """Up to ``size`` octets; raises :class:`DamagedError` where the archive breaks off."""
        try:
            content: bytes = self._reader.read1(size)
        except self._failed as problem:
            raise DamagedError(_words(problem)) from problem
        if not content and (words := self._frames.problem()):
            raise DamagedError(words)
        return content


class _Frames:
    """Reads a Zstandard file and follows its frames and blocks (RFC 8878 §3.1), to know whether it ends where it may.

    The decompressor does not tell a file that is cut short from one that has ended.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._skip = 0  # octets of the present part that are of no interest
        self._need, self._have = 4, b""
        self._next: Callable[[bytes], None] = self._magic
        self._fresh = True  # nothing of a frame was seen yet
        self._lost = False

    def problem(self) -> str | None:
        """What is wrong with the end of what was read, if anything is."""
        if self._lost:
            return _FOLLOWED
        return None if self._fresh and not self._have and not self._skip else "the archive breaks off"

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` octets of the file, ending before what is no Zstandard any more."""
        data = b"" if self._lost else self._raw.read(size)
        at = 0
        while at < len(data):
            step = min(self._skip, len(data) - at)
            self._skip -= step
            at += step
            if self._skip or at >= len(data):
                break
            part = data[at : at + self._need - len(self._have)]
            self._have += part
            at += len(part)
            if len(self._have) == self._need:
                given, self._have = self._have, b""
                self._next(given)
                if self._lost:
                    return data[: max(at - len(given), 0)]
        return data

    def _expect(self, need: int, then: Callable[[bytes], None], skip: int = 0) -> None:
        self._need, self._next, self._skip, self._fresh = need, then, skip, then == self._magic

    def _magic(self, given: bytes) -> None:
        number = int.from_bytes(given, "little")
        if number == _ZSTD_MAGIC:
            self._expect(1, self._descriptor)
        elif number in _SKIPPABLE:
            self._expect(4, self._skippable)
        else:
            self._lost = True

    def _skippable(self, given: bytes) -> None:
        self._expect(4, self._magic, skip=int.from_bytes(given, "little"))

    def _descriptor(self, given: bytes) -> None:
        """RFC 8878 §3.1.1.1: what the descriptor says of the sizes of the header's other fields."""
        flags = given[0]
        single, self._checksum = flags >> 5 & 1, flags >> 2 & 1
        content_size = (single, 2, 4, 8)[flags >> 6]
        self._expect(3, self._block, skip=(1 - single) + (0, 1, 2, 4)[flags & 3] + content_size)

    def _block(self, given: bytes) -> None:
        """RFC 8878 §3.1.1.2: last block, type, size; a run-length block holds one octet."""
        header = int.from_bytes(given, "little")
        size = 1 if header >> 1 & 3 == 1 else header >> 3
        if header & 1:
            self._expect(4, self._magic, skip=size + 4 * self._checksum)
        else:
            self._expect(3, self._block, skip=size)
