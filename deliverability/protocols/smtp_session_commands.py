"""What a server offers, and the commands of a transaction that make use of it.  Knows no socket.

RFC 5321 §4.1.1 (MAIL, RCPT), RFC 1870 (SIZE), RFC 2920 (PIPELINING), RFC 3030 (CHUNKING), RFC 3461 (DSN), RFC 6152
(8BITMIME), RFC 6531 (SMTPUTF8), RFC 2033 (LMTP).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from deliverability.errors import ParseError, printable
from deliverability.protocols.smtp_session import body_hashes

if TYPE_CHECKING:
    from hashlib import _Hash

NOTIFY: Final = frozenset({"NEVER", "SUCCESS", "FAILURE", "DELAY"})
MAX_ENVID: Final = 100  # characters, RFC 3461 §4.4
MAX_ORCPT: Final = 500  # RFC 3461 §4.2
TERMINATOR: Final = b".\r\n"
"""The end of DATA, after a message whose last line is ended."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The keywords of an EHLO or LHLO reply."""

    keywords: Mapping[str, str] = field(default_factory=dict)
    """Upper-case, each with its parameters as written."""

    @classmethod
    def of(cls, text: str) -> "Offer":
        """Read the lines of a reply without their codes; the first is the server's name."""
        found: dict[str, str] = {}
        for line in text.splitlines()[1:]:
            keyword, _, parameters = line.strip().partition(" ")
            if keyword:
                found.setdefault(keyword.upper(), parameters.strip())
        return cls(found)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords

    @property
    def max_size(self) -> int | None:
        """Octets of the largest message that the server takes; ``None`` where it does not say."""
        said = self.keywords.get("SIZE", "")
        return int(said) or None if said.isdecimal() and len(said) < 20 else None


@dataclass(frozen=True, slots=True)
class Notices:
    """Delivery status notifications as asked for (RFC 3461), where the server offers them."""

    notify: tuple[str, ...] = ("FAILURE", "DELAY")
    envelope_id: str | None = None
    full: bool = False
    """Whether a notice of failure should bring the whole message back, not its header alone."""

    def __post_init__(self) -> None:
        """Anything that RFC 3461 §4 does not allow raises :class:`ParseError`."""
        if not set(self.notify) <= NOTIFY or ("NEVER" in self.notify and len(self.notify) > 1):
            raise ParseError(f"NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY; not {','.join(self.notify)!r}")
        if self.envelope_id is not None and not (
            self.envelope_id.isascii() and self.envelope_id.isprintable() and len(self.envelope_id) <= MAX_ENVID
        ):
            raise ParseError(f"an envelope id is up to {MAX_ENVID} printable ASCII characters")


@dataclass(frozen=True, slots=True)
class Body:
    """A message as it goes over the wire, and what a transcript keeps of it: its digests.

    Worked out while the disk is waited for, so that nothing of it stands between a server's answer and ours.
    """

    stuffed: bytes
    """For DATA; the terminator is not added."""
    note: str
    chunk_note: str
    """The same, where it goes by BDAT."""

    @classmethod
    def of(cls, content: bytes, digest: "_Hash | None" = None) -> "Body":
        """``digest``: SHA-256 of the content, where somebody has it already."""
        own, wire_form = digest or sha256(content), stuffed(content)
        wire = own.copy() if wire_form is content else sha256(wire_form)
        wire.update(TERMINATOR)
        simple, relaxed = body_hashes(content)
        told = (
            f"message: {len(content)} octets, sha256 {own.hexdigest()}; DKIM body hash, simple {simple}"
            f"{relaxed and ', relaxed '}{relaxed}; on the wire"
        )
        return cls(
            wire_form,
            f"{told} {len(wire_form) + len(TERMINATOR)} octets, sha256 {wire.hexdigest()}",
            f"{told} {len(content)} octets, sha256 {own.hexdigest()}",
        )


@dataclass(frozen=True, slots=True)
class Job:
    """One message to some recipients of one server."""

    content: bytes
    """As it goes to DATA: lines end in CRLF, the last one too, no dot-stuffing."""
    reverse_path: str
    recipients: tuple[str, ...]
    eight_bit: bool = False
    """Whether there are octets beyond ASCII."""
    utf8: bool = False
    """Whether an address or a header field needs SMTPUTF8."""
    notices: Notices | None = None
    body: Body | None = None
    """Where it is worked out already."""

    def objection(self, offer: Offer) -> str:
        """Why this server cannot take it at all; empty if it can."""
        if offer.max_size is not None and len(self.content) > offer.max_size:
            return f"the message has {len(self.content)} octets, and the server takes {offer.max_size}"
        addresses = (self.reverse_path, *self.recipients)
        if self.utf8 and "SMTPUTF8" not in offer and not all(address.isascii() for address in addresses):
            return "an address is not ASCII, and the server does not offer SMTPUTF8"
        return ""

    def mail(self, offer: Offer) -> bytes:
        """``MAIL``, without its line end."""
        words = [b"MAIL FROM:" + _path(self.reverse_path)]
        if "SIZE" in offer:
            words.append(b"SIZE=%d" % len(self.content))
        if self.eight_bit and "8BITMIME" in offer:
            words.append(b"BODY=8BITMIME")
        if self.utf8 and "SMTPUTF8" in offer:
            words.append(b"SMTPUTF8")
        if self.notices and "DSN" in offer:
            words.append(b"RET=FULL" if self.notices.full else b"RET=HDRS")
            if self.notices.envelope_id:
                words.append(b"ENVID=" + xtext(self.notices.envelope_id))
        return b" ".join(words)

    def rcpt(self, recipient: str, offer: Offer) -> bytes:
        """``RCPT``, without its line end."""
        words = [b"RCPT TO:" + _path(recipient)]
        if self.notices and "DSN" in offer:
            if self.notices.notify and self.reverse_path:
                words.append(b"NOTIFY=" + ",".join(self.notices.notify).encode("ascii"))
            original = b"ORCPT=rfc822;" + xtext(recipient) if recipient.isascii() else b""
            if 0 < len(original) <= MAX_ORCPT:
                words.append(original)
        return b" ".join(words)


def xtext(text: str) -> bytes:
    """RFC 3461 §4: printable ASCII but ``+`` and ``=`` as it is, the rest as ``+`` and two hexadecimal digits."""
    return b"".join(bytes([o]) if 33 <= o <= 126 and o not in b"+=" else b"+%02X" % o for o in text.encode())


def stuffed(content: bytes) -> bytes:
    """Dot-stuffing, RFC 5321 §4.5.2, of a message whose every line ends in CRLF; the terminator is not added."""
    if content.startswith(b"."):
        content = b"." + content
    return content.replace(b"\r\n.", b"\r\n..") if b"\r\n." in content else content


def _path(address: str) -> bytes:
    octets = address.encode()
    # Whoever built the address has refused these; nothing reaches a command line on trust.
    if any(o < 0x20 or o == 0x7F or o in b"<>" for o in octets):
        raise ParseError(f"an address that would end its command: {printable(address)!r}")
    return b"<" + octets + b">"
