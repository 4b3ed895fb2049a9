"""The grammar of the lines that Dovecot's LMTP server and delivery agent write about a message, and what they mean.

The Message-ID, the folder (a Sieve script may build it from the subject) and the address detail are strangers' words
between Dovecot's own.  So a line that holds the wording of two outcomes says nothing: which of them Dovecot wrote is
beyond telling.  Any bytes give a value or ``None``, in linear time.

Wordings: Dovecot 2.3.19 with Pigeonhole 0.5.19, run for this purpose; ``mail-deliver.c``, ``lmtp-local.c``,
``sieve-actions.c``, ``cmd-redirect.c``, ``cmd-discard.c`` and ``ext-reject.c`` of 2.2.36 to 2.4.4 (Pigeonhole 0.4.24
to 2.4.4), whose default ``mail_log_prefix`` and ``deliver_log_format`` these are.
"""

import re
from dataclasses import dataclass

from deliverability.evidence.event import Result, Transport

MAX_TEXT = 2000  # characters of a line that are kept as text

_SESSION = rb"[A-Za-z0-9+/]{8,64}(?::[A-Za-z0-9]{1,16}){0,3}"
_LEVEL = rb"(?:(?:Debug|Info|Warning|Error|Fatal|Panic): )?"
_START = re.compile(
    rb"(?:(?P<service>lmtp|lda|deliver)\((?:(?P<first>\d{1,10}), )?(?P<user>[^\s()<>,]{1,512})\)"
    rb"(?:<(?P<pid>\d{1,10})><(?P<session>%s)?>)?: "
    rb"|service=(?P<service2>lmtp|lda), user=(?P<user2>[^\s()<>,]{1,512}), ip=\[[0-9A-Fa-f.:]{0,45}\]\. )"
    rb"%s(?:(?P<later>%s): )?(?:sieve: )?(?=msgid=)" % (_SESSION, _LEVEL, _SESSION)
)
_OUTCOME = re.compile(
    rb": (?:[a-z]{3,20} action: )?(?:"
    rb"(?P<saved>saved mail to )|(?P<stored>stored mail into mailbox )"
    rb"|(?P<unsaved>save failed to (?:open mailbox )?|failed to store into mailbox )"
    rb"|(?P<rejected>rejected: |rejected message from <)|(?P<forwarded>forwarded to <)"
    rb"|(?P<discarded>[Mm]arked message to be discarded )"
    rb"|(?P<other>left message in mailbox |store into mailbox |discarded duplicate |discard(?:ed|ing) vacation "
    rb"|sent vacation |not sending |reject action aborted))"
)
_QUOTED = re.compile(rb"'(.*)'(?: \((.*)\))?\Z", re.DOTALL)
_MESSAGE_ID = re.compile(rb"<([^<>]{1,998})>(?: \(added by [^()]{1,256}\))?\Z")

_TEXT = {
    "unsaved": (Result.DEFERRED, Transport.MAILBOX),  # whether it is final is said to whoever handed the message over
    "rejected": (Result.FAILED, Transport.MAILBOX),
    "forwarded": (Result.SENT, Transport.FORWARD),
}


def text(raw: bytes) -> str:
    r"""Bytes of a log as text: UTF-8, other octets shown as ``\xNN``."""
    return raw.decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class About:
    """Whose delivery a line is about."""

    service: str
    """``lmtp`` or ``lda``."""
    user: str
    """The user as the store knows it; often, not always, the address."""
    process: str | None
    session: str | None
    """Dovecot's session id, which its reply repeats; ``None`` where it logs none (LDA before 2.3)."""
    start: int
    """Where ``msgid=`` begins."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the message in one step of its delivery."""

    message_id: str | None
    result: Result | None
    """``None`` for a step that decides nothing by itself."""
    transport: Transport | None = None
    folder: str | None = None
    text: str = ""
    thrown_away: bool = False
    """Nothing is to be kept of it, unless another step of the same delivery keeps it."""


def parse_start(words: bytes) -> About | None:
    """Read ``lmtp(user)<pid><session>: [sieve: ]`` in front of ``msgid=`` (2.2: ``lmtp(pid, user): session: ``).

    Plesk sets ``mail_log_prefix`` to ``service=%s, user=%u, ip=[%r]. ``.
    """
    match = _START.match(words)
    if not match:
        return None
    session = match["session"] or match["later"]
    pid, service = match["pid"] or match["first"], match["service"] or match["service2"]
    return About(
        service="lmtp" if service == b"lmtp" else "lda",
        user=text(match["user"] or match["user2"]),
        process=f"{text(service)}[{text(pid)}]" if pid else None,
        session=text(session) if session else None,
        start=match.end(),
    )


def parse_outcome(words: bytes, start: int) -> Outcome | None:
    """Read a whole ``msgid=<…>: [… action: ]saved mail to …``; ``None`` for other words, or for two readings."""
    match = _OUTCOME.search(words, start)
    if not match or _OUTCOME.search(words, match.end()):
        return None
    message_id = _MESSAGE_ID.match(words[start + len(b"msgid=") : match.start()])
    told = text(message_id[1]) if message_id else None
    kind = match.lastgroup or "other"
    said = text(words[match.start() + 2 :])[:MAX_TEXT]
    if kind in ("saved", "stored"):
        name = _folder(words[match.end() :], quoted=kind == "stored")
        return Outcome(told, Result.SENT, Transport.MAILBOX, text(name)) if name is not None else None
    result, transport = _TEXT.get(kind, (None, None))
    return Outcome(told, result, transport, text=said, thrown_away=kind == "discarded")


def _folder(name: bytes, *, quoted: bool) -> bytes | None:
    """The folder; Sieve puts it in quotation marks, with its name in the store behind it where that differs."""
    if not quoted:
        return name or None
    match = _QUOTED.match(name)
    return (match[2] or match[1]) if match else None
