# The part of dkimpy 1.1.8 that protocols/_dkimpy.py uses.

from collections.abc import Callable

class DKIMException(Exception): ...  # noqa: N818

class DKIM:
    headers: list[list[bytes]]
    body: bytes
    def __init__(self, message: bytes | None = None, minkey: int = 1024) -> None: ...
    def verify_headerprep(self, idx: int = 0) -> tuple[dict[bytes, bytes], list[bytes], list[list[bytes]]]: ...
    def verify(self, idx: int = 0, dnsfunc: Callable[..., bytes] = ...) -> bool: ...
