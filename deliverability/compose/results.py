"""What became of one attempt, as a reader would call it."""

from deliverability.evidence.event import Result, Transport
from deliverability.evidence.story import Attempt

_SENT = {
    Transport.MAILBOX: "stored",
    Transport.PIPE: "program",
    Transport.FORWARD: "passed-on",
    Transport.DISCARD: "discarded",
    Transport.REPLY: "discarded",
}
"""What stayed on the machine that logged it was taken by no other side."""


def result_of(attempt: Attempt) -> str:
    """What became of an attempt: the end of a ``result.`` key."""
    if attempt.refused:
        return "refused"
    return _SENT.get(attempt.transport, "sent") if attempt.result is Result.SENT else attempt.result
