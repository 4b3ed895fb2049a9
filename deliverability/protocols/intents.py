"""A message that is about to be sent → what is recorded of it, one intent for each recipient (DESIGN §4.7).

Recording must never stop a message that would have been sent: of a header that cannot be read the intent says less,
and still says which octets went to whom.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from secrets import token_hex
from typing import TYPE_CHECKING, Final

from deliverability.errors import ParseError
from deliverability.evidence.names import Mailbox
from deliverability.evidence.recorder import Hop, Intent
from deliverability.protocols import dkim, mail

if TYPE_CHECKING:
    from hashlib import _Hash

_IS_CANONICAL: Final = re.compile(r"[a-z0-9.+_-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,20}\Z")
"""What nearly every address looks like, and canonical already."""


@dataclass(frozen=True, slots=True)
class Description:
    """What an intent says of a message, whoever gets it."""

    message_id: str | None
    subject: str | None
    author_domain: str | None
    signatures: tuple[tuple[str, str], ...]
    digest: "_Hash"
    """SHA-256 of the message; copied, it goes on to what follows the message on the wire."""


def describe(message: bytes) -> Description:
    """Read a message once for all its recipients; of a header that cannot be read it says less."""
    end = message.find(b"\r\n\r\n")
    header = message[: end + 4] if end >= 0 else message  # all that is read of it; a body may be large
    return Description(*_read(header), _signatures(header), sha256(message))


def canonical_account(address: str) -> str:
    """The name under which a customer without an account id is kept: the address, its domain in A-labels."""
    if _IS_CANONICAL.match(address) and len(address) <= 253:
        return address
    try:
        mailbox = Mailbox.parse(address)
    except ParseError:
        return address.casefold()
    return "@".join(mailbox.key)


def new_id() -> str:
    """A name for a dispatch or a sending: 32 random hexadecimal digits."""
    return token_hex(16)


def intents_for(  # noqa: PLR0913 - each is named
    message: bytes,
    *,
    reverse_path: str,
    recipients: Sequence[str],
    next_hop: str,
    hop: Hop,
    at: datetime,
    account: str | None = None,
    make_id: Callable[[], str] = new_id,
    description: Description | None = None,
) -> tuple[Intent, ...]:
    """One intent for each recipient of a transaction.

    ``message`` is what goes to DATA: lines end in CRLF, no dot-stuffing.  ``account`` is the mailer's own name for the
    customer; without one each recipient's canonical address stands in its place.  ``description`` is that of the
    message, where it is known already.
    """
    told = description or describe(message)
    sending, digest = make_id(), told.digest.hexdigest()
    return tuple(
        Intent(
            dispatch=make_id(),
            sending=sending,
            at=at,
            account=account or canonical_account(recipient),
            reverse_path=reverse_path,
            forward_path=recipient,
            message_id=told.message_id,
            subject=told.subject,
            author_domain=told.author_domain,
            size=len(message),
            sha256=digest,
            signatures=told.signatures,
            next_hop=next_hop,
            hop=hop,
        )
        for recipient in recipients
    )


def _read(message: bytes) -> tuple[str | None, str | None, str | None]:
    try:
        read = mail.parse_mail(message)
    except ParseError:
        return None, None, None
    found = read.all("from")
    author = _author_domain(found[0].unfolded) if len(found) == 1 else None
    return _plain(read.message_id), _plain(read.text("subject")), author


@lru_cache(maxsize=64)  # a mailer has few authors, and every notice names one
def _author_domain(value: bytes) -> str | None:
    try:
        return mail.author_domain(mail.Mail((mail.Field("From", value),), b"")).name
    except ParseError:
        return None


def _plain(text: str | None) -> str | None:
    """Without halves of surrogate pairs, which no record can hold."""
    return text.encode("utf-8", "replace").decode() if text is not None else None


def _signatures(message: bytes) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((domain.name, selector) for domain, selector in dkim.signers(message))
    except ParseError:
        return ()
