"""A message that is about to be sent → what is recorded of it, one intent for each recipient (DESIGN §4.7).

Recording must never stop a message that would have been sent: of a header that cannot be read the intent says less,
and still says which octets went to whom.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from secrets import token_hex

from deliverability.errors import ParseError
from deliverability.evidence.names import Mailbox
from deliverability.evidence.recorder import Hop, Intent
from deliverability.protocols import dkim, mail


def canonical_account(address: str) -> str:
    """The name under which a customer without an account id is kept: the address, its domain in A-labels."""
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
) -> tuple[Intent, ...]:
    """One intent for each recipient of a transaction.

    ``message`` is what goes to DATA: lines end in CRLF, no dot-stuffing.  ``account`` is the mailer's own name for the
    customer; without one each recipient's canonical address stands in its place.
    """
    end = message.find(b"\r\n\r\n")
    header = message[: end + 4] if end >= 0 else message  # all that is read of it; a body may be large
    message_id, subject, author = _read(header)
    sending, digest, signatures = make_id(), sha256(message).hexdigest(), _signatures(header)
    return tuple(
        Intent(
            dispatch=make_id(),
            sending=sending,
            at=at,
            account=account or canonical_account(recipient),
            reverse_path=reverse_path,
            forward_path=recipient,
            message_id=message_id,
            subject=subject,
            author_domain=author,
            size=len(message),
            sha256=digest,
            signatures=signatures,
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
