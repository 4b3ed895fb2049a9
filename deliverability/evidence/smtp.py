"""SMTP replies and the hosts that give them (RFC 5321 §4.2, RFC 3463)."""

import re
from dataclasses import dataclass

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})\Z")  # RFC 3463 §2


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of an SMTP or LMTP server, as far as the record kept it."""

    code: int | None
    """RFC 5321 §4.2.1 reply code, or ``None`` where the log kept only text."""
    enhanced_status_code: str | None
    """RFC 3463, such as ``5.1.1``, said by the server itself; ``None`` when it gave none."""
    text: str
    """Everything the record kept, codes included; foreign text, to be escaped by whoever shows it."""

    @property
    def positive(self) -> bool:
        """2yz: positive completion."""
        return self.code is not None and self.code // 100 == 2

    @property
    def transient(self) -> bool:
        """4yz: transient negative completion."""
        return self.code is not None and self.code // 100 == 4

    @property
    def permanent(self) -> bool:
        """5yz: permanent negative completion."""
        return self.code is not None and self.code // 100 == 5


@dataclass(frozen=True, slots=True)
class Host:
    """The other end of a connection, as a log names it."""

    name: str | None
    """The name the log gives (for a next hop: as looked up by our MTA, not as it announced itself)."""
    ip: str | None
    port: int | None = None

    def __str__(self) -> str:
        shown = self.name or ""
        if self.ip:
            shown += f" [{self.ip}]" if shown else f"[{self.ip}]"
        return shown + (f":{self.port}" if self.port not in (None, 25) else "")


@dataclass(frozen=True, slots=True)
class Tls:
    """What the log says of the TLS session a message left through."""

    version: str
    """As logged: ``TLSv1.3``, ``TLS1.2``."""
    cipher: str | None = None
    verified: bool | None = None
    """Whether the sending MTA says it verified the peer's certificate; ``None`` where it says nothing."""


def is_enhanced_status_code(text: str) -> bool:
    """Whether ``text`` has the form of RFC 3463 §2."""
    return _ENHANCED.match(text) is not None
