"""What Postfix logs about a message in its queue: who wrote the line, its ids, how the message came in and what it is.

The companion of :mod:`deliverability.protocols.postfix_lines`, under the same rules: fields are taken only where
Postfix itself fills them in, and any bytes give a value or ``None`` in linear time.

Wordings: Postfix source, 2.0 to 3.12 (``smtpd.c``, ``pickup.c``, ``qmgr_active.c``, ``bounce_notify_service.c``,
``mail_queue.h``).
"""

import re
from dataclasses import dataclass

from deliverability.evidence.smtp import Host
from deliverability.protocols.postfix_lines import parse_host, text
from deliverability.protocols.postfix_names import LINKED_ID, QUEUE_ID, at_start

_ACTIVE = re.compile(rb"from=<(.*)>, size=(\d{1,18}), nrcpt=(\d{1,9}) \([^()]{1,64}\)\Z", re.DOTALL)
_EXPIRED = re.compile(rb"from=<(.*)>, status=(?:force-)?expired, returned to sender\Z", re.DOTALL)
_PICKED_UP = re.compile(rb"uid=(\d{1,10}) from=<(.*)>(?: orig_id=(%s))?\Z" % LINKED_ID, re.DOTALL)
_CLIENT = re.compile(
    rb"client=([^\s,]{1,800})(?=,|\Z)(?:, sasl_method=[^\s,]{1,80})?"
    rb"(?:(?P<login>, sasl_username=)(?P<user>.{0,512}?)(?=, sasl_sender=|, orig_queue_id=|, orig_client=|\Z))?"
    rb"(?:, orig_queue_id=(?P<orig>%s)(?=,|\Z))?" % QUEUE_ID,
    re.DOTALL,
)
_NOTICE = re.compile(
    rb"((?:sender|postmaster) (?:non-delivery|delay|delivery status) notification): (%s)\Z" % LINKED_ID
)


def split_queue_id(words: bytes) -> tuple[str | None, bytes]:
    """The queue id that a line begins with, and what follows it."""
    match = at_start().match(words)
    if not match or match.start(1):
        return None, words
    return text(match[1]), words[match.end() :]


@dataclass(frozen=True, slots=True)
class Active:
    """The queue manager took the message up: what its envelope is."""

    reverse_path: str
    size: int
    recipient_count: int


def parse_active(words: bytes) -> Active | None:
    """Read ``from=<…>, size=…, nrcpt=… (queue active)``; its end is Postfix's own, so no sender can imitate it."""
    match = _ACTIVE.match(words)
    return Active(text(match[1]), int(match[2]), int(match[3])) if match else None


def parse_expired(words: bytes) -> str | None:
    """The reverse-path of ``from=<…>, status=[force-]expired, returned to sender``."""
    match = _EXPIRED.match(words)
    return text(match[1]) if match else None


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a message came into the queue."""

    client: Host | None
    user: str | None
    """Login name, or ``uid=N`` of whoever ran ``sendmail`` on this machine."""
    reverse_path: str | None
    previous_id: str | None
    """The id under which this message stood in a queue before."""


def parse_client(words: bytes) -> Arrival | None:
    """Read ``client=…[, sasl_method=…, sasl_username=…][, orig_queue_id=…]``."""
    match = _CLIENT.match(words)
    if not match:
        return None
    # A login name is the client's own text: what follows it is not taken for a field of Postfix.
    previous = match["orig"] if match["login"] is None else None
    return Arrival(
        client=parse_host(text(match[1]))[0],
        user=text(match["user"]) if match["user"] else None,
        reverse_path=None,
        previous_id=text(previous) if previous else None,
    )


def parse_pickup(words: bytes) -> Arrival | None:
    """Read ``uid=… from=<…>[ orig_id=…]``."""
    match = _PICKED_UP.match(words)
    if not match:
        return None
    return Arrival(None, f"uid={text(match[1])}", text(match[2]), text(match[3]) if match[3] else None)


def parse_notice(words: bytes) -> tuple[str, str] | None:
    """Kind and queue id of the bounce or delay notice that Postfix wrote about the message."""
    match = _NOTICE.match(words)
    return (text(match[1]), text(match[2])) if match else None
