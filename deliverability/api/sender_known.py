"""What is known of a sender, for the files that let its mail in: from a signed message, the configuration and options."""

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from email.utils import getaddresses
from typing import Final

from deliverability.api.requests import Request
from deliverability.compose.brand import Brand
from deliverability.compose.gate import signed
from deliverability.compose.sender import sender_of
from deliverability.config import find_sender
from deliverability.errors import ParseError, UsageError, printable
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.names import Domain
from deliverability.evidence.sender_facts import SenderFacts, Signer, sender_address
from deliverability.evidence.verdict import Outcome
from deliverability.protocols.encoded_words import decode_header_text

DAYS: Final = 365
"""For how long a file is meant where nobody says."""
MAX_FROM: Final = 1000
"""Octets of a From line that is read for a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for beside the evidence."""

    names: tuple[str, ...] = ()
    """Forms or providers; empty: those of the recipient's provider, where a log or a report tells it."""
    address: str | None = None
    """The sender's address in From; ``None``: as the signed message shows it."""
    authserv_id: str | None = None
    expires: date | None = None


def facts_of(request: Request, wish: Wish, assessment: Assessment) -> SenderFacts:
    """What a file is made from; raises :class:`~deliverability.errors.UsageError` where the sender is not known."""
    evidence = assessment.evidence
    address = _sender(wish, assessment)
    author = Domain.parse(address.rpartition("@")[2])
    reverse_path = evidence.reverse_path.value.rpartition("@")[2].lower() if evidence.reverse_path else ""
    configured = find_sender(request.configuration, reverse_path or author.name)
    ips = configured.egress_ips if configured else ()
    if evidence.client_ip:
        ips = (evidence.client_ip.value, *ips)
    issued = (request.now or evidence.assessed_at).astimezone(UTC).date()
    try:
        return SenderFacts(
            address=address,
            display_name=_display_name(request, assessment),
            signers=_signers(assessment, author),
            envelope_domain=Domain.parse(reverse_path).name if reverse_path else None,
            egress_ips=tuple(dict.fromkeys(ips)),
            issued_on=issued,
            expires_on=wish.expires or issued + timedelta(days=DAYS),
            authserv_id=wish.authserv_id,
        )
    except ParseError as problem:
        raise UsageError(str(problem)) from None


def address_of(text: str) -> str:
    """A sender's address as files can hold it; raises :class:`~deliverability.errors.UsageError` for any other."""
    try:
        return sender_address(text)
    except ParseError as problem:
        raise UsageError(f"--sender: {problem}") from None


def _sender(wish: Wish, assessment: Assessment) -> str:
    """The address in From: as given, else as a verified, aligned signature ties it to its domain; never a guess."""
    known = sender_of(assessment.evidence, Brand(), signed=signed(assessment.verdicts))
    shown = "" if known.from_envelope else known.address
    if wish.address is None:
        if not shown:
            raise UsageError(
                "the sender's From address is not shown by what is at hand: give --sender ADDRESS, or the message with"
                " a valid signature (--message)"
            )
        return address_of(shown)
    given = address_of(wish.address)
    if shown and address_of(shown).lower() != given.lower():
        raise UsageError(f"--sender {printable(given)} is not the sender of this message, which is {printable(shown)}")
    return given


def _signers(assessment: Assessment, author: Domain) -> tuple[Signer, ...]:
    """Aligned domains that signed the message at hand; without one, the author domain where it is known to sign."""
    from deliverability.protocols.dkim import DkimResult, verify
    from deliverability.protocols.dmarc import AlignmentState, aligned, discover_policy

    evidence = assessment.evidence
    if evidence.mail is None:
        failed = any(v.check == "dkim-key-published" and v.outcome is Outcome.FAIL for v in assessment.verdicts)
        selectors = tuple(dict.fromkeys(one.value.lower() for one in evidence.selectors))
        return (Signer(author.name, selectors),) if selectors and not failed else ()
    found: dict[str, list[str]] = {}
    policy = discover_policy(author, evidence.observations)
    strict = policy.record is not None and policy.record.strict_dkim
    for one in verify(evidence.mail.content, evidence.observations, evidence.dispatched_at or evidence.assessed_at):
        if one.result is not DkimResult.PASS or one.domain is None:
            continue
        if aligned(one.domain, author, evidence.observations, strict=strict).state is AlignmentState.ALIGNED:
            found.setdefault(one.domain.name, []).append(one.selector or "")
    return tuple(Signer(name, tuple(s for s in dict.fromkeys(names) if s)) for name, names in found.items())


def _display_name(request: Request, assessment: Assessment) -> str:
    """The name in a signed From line, else the configured brand's; empty where it holds what no file should."""
    from deliverability.protocols import mail as mails

    names = [request.configuration.report.brand_name or ""]
    mail = assessment.evidence.mail
    if mail is not None and signed(assessment.verdicts):
        lines = mails.parse_mail(mail.content).all("from")  # its signature was verified, so it can be read
        raw = lines[0].unfolded if len(lines) == 1 and len(lines[0].unfolded) <= MAX_FROM else b""
        found = getaddresses([raw.decode("utf-8", "replace")])
        names = [decode_header_text(found[0][0].encode()), *names] if found else names
    return next((name for name in names if name and _fit(name)), "")


def _fit(name: str) -> bool:
    try:
        SenderFacts(address="a@b.example", display_name=name, issued_on=date(2000, 1, 1), expires_on=date(2000, 1, 2))
    except ParseError:
        return False
    return True
