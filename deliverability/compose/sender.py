"""The address a reader sees as the sender: the one to look for, and the only one worth allowing."""

from dataclasses import dataclass

from deliverability.compose.brand import Brand
from deliverability.errors import ParseError
from deliverability.evidence.bundle import Evidence, Origin
from deliverability.evidence.names import Mailbox

MAX_HEADER = 65536  # octets of a mail that are read for its From line


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the sender's address."""

    address: str
    """Empty where it is not known."""
    domain: str
    """Empty where not even the domain is known."""
    from_envelope: bool = False
    """Only the envelope was at hand; the From line may show another address."""


def sender_of(evidence: Evidence, brand: Brand, *, signed: bool) -> Known:
    """The configured address, else the From line of the mail at hand, else the envelope sender.

    The From line counts only if it is ``signed``: a verified, aligned signature ties it to our domain.  Without one,
    anybody's file with our Message-ID could put another address into the steps.  An envelope sender in another
    domain than the From line's is for bounces, and is not offered.
    """
    author = evidence.author_domain
    if author and author.origin is Origin.MESSAGE and not signed:
        author = None
    domain = author.value.unicode if author else ""
    for address in (brand.sender, _from_line(evidence) if signed else ""):
        mailbox = _mailbox(address)
        if mailbox:
            return Known(str(mailbox), mailbox.domain.unicode)
    envelope = _mailbox(evidence.reverse_path.value if evidence.reverse_path else "")
    if envelope is None and evidence.message:
        envelope = _mailbox(evidence.message.reverse_path or "")
    if envelope is None:
        return Known("", domain)
    if author and author.origin is not Origin.DERIVED and author.value != envelope.domain:
        return Known("", domain)
    return Known(str(envelope), domain or envelope.domain.unicode, from_envelope=True)


def _from_line(evidence: Evidence) -> str:
    """RFC 5322 §3.6.2; empty unless there is exactly one From line with exactly one address."""
    if evidence.mail is None:
        return ""
    from email.parser import BytesHeaderParser
    from email.policy import compat32
    from email.utils import getaddresses

    header = BytesHeaderParser(policy=compat32).parsebytes(evidence.mail.content[:MAX_HEADER])
    lines = [str(line) for line in header.get_all("From", [])]
    addresses = getaddresses(lines) if len(lines) == 1 else []
    return addresses[0][1] if len(addresses) == 1 else ""


def _mailbox(text: str) -> Mailbox | None:
    if not text:
        return None
    try:
        return Mailbox.parse(text)
    except ParseError:
        return None
