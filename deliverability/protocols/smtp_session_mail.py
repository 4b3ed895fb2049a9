"""A message and its addresses as a program has them → what goes on the wire, or a refusal.

RFC 5321 §2.3.8 (lines end in CRLF, and a bare CR or LF is no line end), §4.1.2 (paths), RFC 6531 (UTF-8), RFC 5322
§3.6.3 (Bcc is not sent).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.generator import BytesGenerator
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser
from email.policy import EmailPolicy, Policy
from email.utils import getaddresses
from functools import lru_cache
from io import BytesIO
from typing import Any, Final

from deliverability.errors import ParseError, UsageError, printable
from deliverability.evidence.names import Domain
from deliverability.protocols.intents import new_id

MAX_ADDRESS: Final = 320
MAX_RECIPIENTS: Final = 10_000
MAX_HEADER: Final = 1 << 20
"""Octets of a header that an envelope is taken from."""

_EOL: Final = re.compile(rb"\r\n|\n|\r")
_ATOM: Final = re.compile(r'[^\s"(),:;<>@\[\\\]\x00-\x20\x7f]{1,128}\Z')
_QUOTED: Final = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e]){0,128}"\Z')
_LITERAL: Final = re.compile(r"\[(?:IPv6:)?[0-9A-Fa-f.:]{2,45}\]\Z")
_BROKEN_FIELD: Final = re.compile(r"\r\n?(?![ \t\n])|(?<!\r)\n(?![ \t])|\r(?!\n)|\n\Z")
_FIELD_NAME: Final = re.compile(r"[!-9;-~]+\Z")
_BLIND: Final = (b"bcc", b"resent-bcc")

AnyMessage = EmailMessage | Message | bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready for DATA, and its envelope."""

    content: bytes
    """Every line ends in CRLF, the last one too; not dot-stuffed."""
    reverse_path: str
    recipients: tuple[str, ...]
    eight_bit: bool
    utf8: bool
    """Whether an address or a header field is not ASCII."""


def outgoing(message: AnyMessage, sender: str | None = None, to: Sequence[str] | str | None = None) -> Outgoing:
    """The message as it will be sent; raises :class:`UsageError` for one that cannot be, or must not.

    Without ``sender`` and ``to``, the envelope is taken from the header; ``sender=""`` is the null reverse-path.  Bcc fields are left out.  Bare CR and LF become CRLF, so that no octets of the message can
    end it early (``LF . LF``, ``CR . CR``); a signature over the former text would fail, and is shown to.
    """
    if isinstance(message, bytes | bytearray):
        content = bytes(message)
        if sender is None or to is None:
            header = _header(with_crlf(content[:MAX_HEADER]))
            sender, to = _envelope(BytesHeaderParser().parsebytes(header), sender, to)
    else:
        sender, to = _envelope(message, sender, to)
        content = _serialised(message, utf8=not all(a.isascii() for a in _local_parts((sender, *_listed(to)))))
    given = _listed(to)
    recipients = tuple(dict.fromkeys(path(address) for address in given))
    if not recipients or len(recipients) > MAX_RECIPIENTS:
        raise UsageError(f"a message needs recipients, {MAX_RECIPIENTS} at most; it has {len(recipients)}")
    reverse_path = path(sender) if sender else ""
    content = with_message_id(without_blind_copies(with_crlf(content)), reverse_path)
    eight_bit = not content.isascii()
    utf8 = not (reverse_path.isascii() and all(r.isascii() for r in recipients))
    return Outgoing(
        content, reverse_path, recipients, eight_bit, utf8 or (eight_bit and not _header(content).isascii())
    )


@lru_cache(maxsize=256)  # senders are few
def path(address: str) -> str:
    """An address as it stands in a command: its domain in A-labels.  Raises :class:`UsageError`; nothing is guessed."""
    local, at, domain = address.rpartition("@")
    if len(address) > MAX_ADDRESS or not at or not (_ATOM.match(local) or _QUOTED.match(local)):
        raise UsageError(f"not an address that can stand in an envelope: {printable(address, 100)!r}")
    if not local.isprintable():
        raise UsageError(f"an address with invisible characters: {printable(address, 100)!r}")
    if _LITERAL.match(domain):
        return address
    try:
        return f"{local}@{Domain.parse(domain).name}"
    except ParseError:
        raise UsageError(f"not a domain: {printable(domain, 100)!r}") from None


def with_crlf(content: bytes) -> bytes:
    """Every line end becomes CRLF, and the last line has one."""
    pairs = content.count(b"\r\n")
    if content.count(b"\n") != pairs or content.count(b"\r") != pairs:
        content = _EOL.sub(b"\r\n", content)
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def without_blind_copies(content: bytes) -> bytes:
    """The message without Bcc and Resent-Bcc fields, else octet for octet as it was."""
    end = _header_end(content)
    if b"bcc" not in content[:end].lower():
        return content
    kept: list[bytes] = []
    blind = False
    for line in content[:end].splitlines(keepends=True):
        if not line.startswith((b" ", b"\t")):
            blind = line.partition(b":")[0].strip().lower() in _BLIND
        if not blind:
            kept.append(line)
    return b"".join(kept) + content[end:]


def with_message_id(content: bytes, reverse_path: str) -> bytes:
    """With a Message-ID, by which later evidence is known (RFC 6409 §8.3); what has one, or a signature, stays as it is."""
    head = b"\r\n" + content[: _header_end(content)].lower()
    if b"\r\nmessage-id:" in head or b"\r\ndkim-signature:" in head:
        return content
    domain = reverse_path.rpartition("@")[2]
    where = domain if domain and "[" not in domain else "localhost.invalid"
    return f"Message-ID: <{new_id()}@{where}>\r\n".encode("ascii") + content


def _header_end(content: bytes) -> int:
    if content.startswith(b"\r\n"):
        return 0
    end = content.find(b"\r\n\r\n")
    return len(content) if end < 0 else end + 2


def _header(content: bytes) -> bytes:
    return content[: _header_end(content)]


def _listed(to: Sequence[str] | str | None) -> tuple[str, ...]:
    return (to,) if isinstance(to, str) else tuple(to or ())


def _local_parts(addresses: Iterable[str]) -> list[str]:
    return [address.rpartition("@")[0] for address in addresses]


# --- messages as objects ----------------------------------------------------------------------------------------------


def _envelope(message: Message, sender: str | None, to: Sequence[str] | str | None) -> tuple[str, Sequence[str]]:
    resent = [name for name in message.keys() if name.lower() == "resent-date"]  # noqa: SIM118 - fields, not a dict
    if len(resent) > 1:
        raise UsageError("the message was resent more than once: say sender= and to=")
    prefix = "Resent-" if resent else ""
    if sender is None:
        found = _addresses(message, f"{prefix}Sender") or _addresses(message, f"{prefix}From")
        if not found:
            raise UsageError("the message has no From: say sender=")
        sender = found[0]
    if to is None:
        to = [a for name in ("To", "Cc", "Bcc") for a in _addresses(message, f"{prefix}{name}")]
    return sender, _listed(to)


def _addresses(message: Message, name: str) -> list[str]:
    return [address for _, address in getaddresses([str(v) for v in message.get_all(name, [])]) if address]


def _serialised(message: Message, *, utf8: bool) -> bytes:
    for name, value in message.raw_items():
        # The newer classes refuse such a value when it is set, the older ones when it is written, or not at all.
        if not _FIELD_NAME.match(name) or _BROKEN_FIELD.search(str(value)):
            raise UsageError(f"header field {printable(name, 60)!r} holds a line break: it would become another field")
    policy: Policy[Any] = message.policy.clone(linesep="\r\n")
    if utf8 and isinstance(policy, EmailPolicy):
        policy = policy.clone(utf8=True)
    content = _written(message, policy)
    if not content.isascii() and not utf8 and message.get("DKIM-Signature") is None:
        # Nobody knows yet whether the next server takes eight bits; seven it takes for sure.
        content = _written(message, policy.clone(cte_type="7bit"))
    return content


def _written(message: Message, policy: "Policy[Any]") -> bytes:
    buffer = BytesIO()
    try:
        BytesGenerator(buffer, mangle_from_=False, policy=policy).flatten(message)
    except (ValueError, LookupError, TypeError, AttributeError) as problem:
        raise UsageError(f"the message cannot be written: {printable(str(problem), 200)}") from problem
    return buffer.getvalue()
