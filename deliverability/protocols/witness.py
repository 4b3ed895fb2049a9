"""The checkpoint in outgoing mail: each customer's own mailbox becomes a witness of the log (DESIGN §5).

One unstructured field, ``Dispatch-Checkpoint: ORIGIN SIZE ROOT NAME SIGNATURE [NAME SIGNATURE …]``, holds a signed head
(C2SP tlog-checkpoint) word for word; line ends have become blanks.  It may be folded between words (RFC 5322 §2.2.3), and
the relaxed canonical form of DKIM leaves it as it is.  What it is worth depends on whether a DKIM signature covers
it, which is decided here, and on whether that head's signature holds, which is for the holder of the log's key.
"""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Final

from deliverability.errors import ParseError
from deliverability.evidence.observation import Observations
from deliverability.protocols import dkim
from deliverability.protocols.dkim import DkimResult, DkimSignature, Reason
from deliverability.protocols.mail import Field, Mail, parse_mail

FIELD: Final = "Dispatch-Checkpoint"
MAX_FIELD: Final = 8192
"""Octets; one signature takes some 220."""
MAX_HEADS: Final = 16
"""Fields of one message that are looked at, the lowest first."""
MAX_RECEIVED: Final = 100
_LINE: Final = 78  # characters, RFC 5322 §2.1.1; a signature alone takes 92
_NAME = r"[!-*,-~]{1,255}"
_HEAD = re.compile(rf"({_NAME})\n([0-9]{{1,19}})\n([A-Za-z0-9+/]{{43}}=)\n\n((?:— [^\n]*\n){{1,16}})\Z")
_SIGNATURE = re.compile(rf"— ({_NAME}) ([A-Za-z0-9+/]{{90}}[A-Za-z0-9+/=]{{2}})\Z")  # 4 octets of key id, 64 of Ed25519
_WORDS = re.compile(rf"({_NAME}) ([0-9]{{1,19}}) ([A-Za-z0-9+/]{{43}}=)((?: {_NAME} [A-Za-z0-9+/=]{{92}}){{1,16}})\Z")


def make_header(note: bytes) -> str:
    """The header field for a signed head, folded with CRLF, without the last line end.

    Ed25519 signatures alone go along: a field of a mail is no place for longer ones.  Raises
    :class:`~deliverability.errors.ParseError` for what is no signed head, or has no signature by the log itself.
    """
    try:
        match = _HEAD.match(note.decode()) if len(note) <= MAX_FIELD else None
    except UnicodeDecodeError:
        match = None
    if not match:
        raise ParseError("not a signed head: three lines, an empty one, and signatures were expected")
    lines = (_SIGNATURE.match(line) for line in match[4][:-1].split("\n"))
    signatures = [line.groups() for line in lines if line]
    if match[1] not in {name for name, _ in signatures}:
        raise ParseError("the head has no Ed25519 signature by the log itself")
    words = [f"{FIELD}:", *match.groups()[:3], *(word for signature in signatures for word in signature)]
    return _folded(words)


def _folded(words: list[str]) -> str:
    lines = [words[0]]
    for before, word in pairwise(words):
        # Nothing but the field's name on the first line would be what some readers cannot unfold.
        fits = len(lines[-1]) + 1 + len(word) <= _LINE or before == words[0]
        lines[-1:] = [f"{lines[-1]} {word}"] if fits else [lines[-1], f" {word}"]
    return "\r\n".join(lines)


def note_of(field: Field) -> bytes:
    """The signed head that a field carries, nothing of it checked; raises :class:`ParseError` for another form."""
    if len(field.body) > MAX_FIELD:
        raise ParseError(f"a checkpoint field of more than {MAX_FIELD} octets")
    try:
        words = field.unfolded.decode("ascii").split()
    except UnicodeDecodeError:
        raise ParseError("a checkpoint field is ASCII") from None
    match = _WORDS.match(" ".join(words))
    if not match:
        raise ParseError("a checkpoint field holds origin, size, root hash, and pairs of name and signature")
    below = "".join(f"— {name} {signature}\n" for name, signature in zip(words[3::2], words[4::2], strict=True))
    return ("\n".join(words[:3]) + "\n\n" + below).encode()


class Cover(StrEnum):
    """Whether the mail's own signature vouches that the field left with it."""

    COVERED = "covered"
    """A DKIM signature that names this field verifies: it stands in the mail as it was signed."""
    UNDECIDED = "undecided"
    """One names it, and cannot be judged: its key is not (or no longer) published, or could not be looked up."""
    BROKEN = "broken"
    """One names it and does not hold, whatever the key: the mail was changed under way."""
    NOT_NAMED = "not-named"
    """There are signatures, and none names this field: anybody under way could have put it there."""
    UNSIGNED = "unsigned"
    """The mail has no DKIM signature."""


@dataclass(frozen=True, slots=True)
class Carried:
    """One checkpoint field of a mail."""

    note: bytes | None
    """The signed head; ``None`` where the field is not of its form."""
    problem: str
    cover: Cover
    signatures: tuple[DkimSignature, ...]
    """Those that name this field, whatever became of them."""
    sealed: bool
    """Whether one that verifies names the field once more than it stands (oversigned): no other could be added."""


def read_header(message: bytes, observations: Observations, at: datetime) -> tuple[Carried, ...]:
    """Each checkpoint field of a mail, the lowest first, and whether a DKIM signature covers it.

    ``at`` is the time as of which signatures are judged: that of the mail, not today's, or each that expires would count
    for nothing.  Raises ``Unobserved`` naming the keys that are missing, and
    :class:`~deliverability.errors.ParseError` for what is no message.
    """
    mail = parse_mail(message)
    fields = mail.all(FIELD)[::-1]
    if not fields:
        return ()
    signatures = dkim.verify(message, observations, at)
    named = [(Counter(s.signed_fields)[FIELD.lower()], s) for s in signatures]
    # RFC 6376 §5.4.2: a name in h= stands for the lowest field of that name, the next for the one above it.
    return tuple(
        _carried(
            field,
            tuple(s for times, s in named if times > place),
            any_signature=bool(signatures),
            sealed=any(times > len(fields) and s.result is DkimResult.PASS for times, s in named),
        )
        for place, field in enumerate(fields[:MAX_HEADS])
    )


def _carried(field: Field, naming: tuple[DkimSignature, ...], *, any_signature: bool, sealed: bool) -> Carried:
    try:
        note, problem = note_of(field), ""
    except ParseError as bad:
        note, problem = None, str(bad)
    if any(s.result is DkimResult.PASS for s in naming):
        cover = Cover.COVERED
    elif not naming:
        cover = Cover.NOT_NAMED if any_signature else Cover.UNSIGNED
    elif all(s.reason is Reason.BODY_HASH_MISMATCH for s in naming):
        cover = Cover.BROKEN
    else:
        cover = Cover.UNDECIDED
    return Carried(note, problem, cover, naming, sealed)


@dataclass(frozen=True, slots=True)
class Hop:
    """One ``Received`` field's own words."""

    by: str
    """The host that says it took the mail: foreign text."""
    at: datetime | None
    """UTC, a claim."""


def received(mail: Mail) -> tuple[Hop, ...]:
    """What the ``Received`` fields claim, the newest first (RFC 5321 §4.4).  Whoever had the mail can have written them."""
    return tuple(_hop(field) for field in mail.all("received")[:MAX_RECEIVED])


def _hop(field: Field) -> Hop:
    from email.utils import parsedate_to_datetime

    text = field.unfolded[:4096].decode("utf-8", "replace")
    clauses, _, date = text.rpartition(";")
    words = clauses.split()
    by = next((after for before, after in pairwise(words) if before.lower() == "by"), "")
    try:
        claimed = parsedate_to_datetime(date.strip()[:100])
        at = claimed.replace(tzinfo=claimed.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return Hop(by[:255], None)
    return Hop(by[:255], at)
