"""How to talk to a mail server, and what is known of a session with one."""

import hashlib
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from enum import StrEnum

from deliverability.evidence.smtp import Host, Tls
from deliverability.protocols.smtp_session import Transcript
from deliverability.protocols.smtp_session_commands import Offer


class TlsPolicy(StrEnum):
    """How much TLS has to hold before anything is sent."""

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    """Where offered, whoever the certificate names; if TLS fails, without it (RFC 7435)."""
    REQUIRED = "required"
    """TLS, whoever the certificate names."""
    VERIFIED = "verified"
    """TLS with a certificate that holds for the server's name."""
    POLICY = "policy"
    """As the recipient's domain demands it by DANE or MTA-STS; where it demands nothing, opportunistic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds, each for one step; RFC 5321 §4.5.3.2 sets the minima for an MTA, which these are."""

    connect: float = 30.0
    greeting: float = 300.0
    command: float = 300.0
    data: float = 120.0
    """For the reply to DATA."""
    block: float = 180.0
    """For the server to take more of the message."""
    final: float = 600.0
    """For the reply to the end of DATA: too short a time makes duplicates (RFC 1047)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How to talk to a server."""

    helo: str | None = None
    """``None``: the host's own name if it has a dot, else the address that we connect from (RFC 5321 §4.1.3)."""
    tls: TlsPolicy = TlsPolicy.OPPORTUNISTIC
    implicit_tls: bool = False
    """TLS from the first octet (RFC 8314 §3), as on port 465."""
    roots: ssl.SSLContext | str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    lmtp: bool = False
    source_ip: str | None = None
    pipelining: bool = True
    chunking: bool = True
    timeouts: Timeouts = field(default_factory=Timeouts)


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to connect to."""

    host: str
    """The name that its certificate should bear."""
    address: str
    """Its IP address; or the path of its socket, for a server on this machine."""
    port: int = 25

    @property
    def is_path(self) -> bool:
        """Whether it listens on a Unix-domain socket."""
        return self.address.startswith("/")

    @property
    def named(self) -> Host:
        """As records name it."""
        if self.is_path:
            return Host("localhost", None)
        return Host(self.host if self.host != self.address else None, self.address, self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a session."""

    relay: Host
    local_ip: str | None = None
    helo: str | None = None
    tls: Tls | None = None
    chain: tuple[bytes, ...] = ()
    """The server's certificate and those after it, DER, as presented (before Python 3.13 the first alone)."""
    certificate_error: str = ""
    greeting: str = ""
    offer: Offer = field(default_factory=Offer)
    transcript: Transcript | None = None
    transcript_sha256: str | None = None

    @property
    def certificate_sha256(self) -> str | None:
        """Of the server's own certificate."""
        return hashlib.sha256(self.chain[0]).hexdigest() if self.chain else None

    def lines(self) -> tuple[tuple[str, str], ...]:
        """The same for the head of a transcript."""
        tls = self.tls
        verified = {True: "verified", False: f"not verified: {self.certificate_error}", None: "not looked at"}
        told = [("peer", str(self.relay)), ("local", self.local_ip or "unknown")]
        told += [("tls", f"{tls.version} {tls.cipher} {verified[tls.verified]}")] if tls else []
        return (*told, *(("certificate", b64encode(der).decode("ascii")) for der in self.chain))
