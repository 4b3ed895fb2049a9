"""What a blocking client hears in one transaction → how it ended for each recipient.  Knows no socket.

RFC 5321 §3.3; RFC 1047: once the end of the message may have left, only a reply says that nobody took it.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from deliverability.api.sending import Ended
from deliverability.errors import printable
from deliverability.evidence.recorder import Finish
from deliverability.evidence.smtp import Reply
from deliverability.protocols.smtp import parse_reply

MAX_SAID: Final = 8192
_SECRET: Final = re.compile(r"auth|refused", re.IGNORECASE)
"""Exceptions whose words may quote credentials, or name other recipients."""


def reply_of(code: int, said: bytes | str) -> Reply:
    """A reply as :mod:`smtplib` gives it (-1: it was none), in the form that logs keep."""
    text = said.decode("utf-8", "backslashreplace") if isinstance(said, bytes) else said
    if not 200 <= code <= 599:
        return Reply(None, None, text[:MAX_SAID])
    lines = text[:MAX_SAID].split("\n")
    last = len(lines) - 1
    return parse_reply(" ".join(f"{code}{' ' if n == last else '-'}{line}" for n, line in enumerate(lines)))


def in_words(problem: BaseException) -> str:
    """An exception as a record keeps it."""
    name = type(problem).__name__
    return name if _SECRET.search(name) else f"{name}: {printable(str(problem), 300)}"


@dataclass(slots=True)
class Transaction:
    """One transaction to ``count`` recipients, as it goes along."""

    count: int
    stage: str = "ehlo"
    _mail: Reply | None = None
    _rcpts: list[Reply] = field(default_factory=list)
    _data: Reply | None = None
    """A refusal of DATA, or the reply to the end of it."""
    _go_on: bool = False
    _left: bool = False
    _problem: str = ""
    _ours: bool = False
    _said: Reply | None = None

    @property
    def may_send(self) -> bool:
        """Whether what is sent next is the message and its end."""
        return self.stage == "data" and self._go_on and not self._left

    def heard(self, reply: Reply) -> None:
        """Any reply, as it comes."""
        # What comes after the deciding reply answers RSET.
        if self.stage == "data" and not self._go_on and self._data is None:
            self._go_on = reply.code == 354
            self._data = None if self._go_on else reply
        elif self.stage == "end-of-data" and self._data is None:
            self._data = reply
        self._said = reply

    def heard_mail(self, reply: Reply) -> None:
        """The reply to MAIL."""
        self._mail = reply

    def heard_rcpt(self, reply: Reply) -> None:
        """The reply to the next RCPT."""
        self._rcpts.append(reply)

    def leaves(self) -> None:
        """The message and its end are about to be handed to the system."""
        self.stage, self._left = "end-of-data", True

    def stayed(self) -> None:
        """The system did not take them whole."""
        self.stage, self._left = "data", False

    def broken(self, problem: BaseException, *, ours: bool) -> None:
        """It ended with an exception; ``ours``: the message or the call cannot be sent."""
        self._problem, self._ours = in_words(problem), ours

    def endings(self) -> tuple[Ended, ...]:
        """One for each recipient, in order; of what is open, no more than is known."""
        return tuple(self._ending(self._rcpts[n] if n < len(self._rcpts) else None) for n in range(self.count))

    def _ending(self, rcpt: Reply | None) -> Ended:
        if self.stage in ("connect", "ehlo"):
            return self._open(None)
        if self._mail is not None and not self._mail.positive:
            return Ended(finish=_negative(self._mail), stage="mail", reply=self._mail)
        if rcpt is not None and not rcpt.positive:
            return Ended(finish=_negative(rcpt), stage="rcpt", reply=rcpt)
        if self._data is None or rcpt is None:
            return self._open(rcpt)
        if self._left:
            return _final(self._data, rcpt)
        return Ended(finish=_negative(self._data), stage="data", reply=self._data, rcpt_reply=rcpt)

    def _open(self, rcpt: Reply | None) -> Ended:
        """No reply decided about this recipient."""
        if self._left:
            return Ended(finish=Finish.UNCERTAIN, stage="end-of-data", rcpt_reply=rcpt, detail=self._problem)
        finish = Finish.FAILED if self._ours else Finish.DEFERRED
        if self.stage == "ehlo" and self._said is not None and self._said.permanent:
            return Ended(finish=Finish.REFUSED, stage="ehlo", reply=self._said, detail=self._problem)
        detail = self._problem or "given up before the message was sent"
        return Ended(finish=finish, stage=self.stage, rcpt_reply=rcpt, detail=detail)


def _negative(reply: Reply) -> Finish:
    return Finish.REFUSED if reply.permanent else Finish.DEFERRED


def _final(reply: Reply, rcpt: Reply) -> Ended:
    if reply.positive:
        return Ended(finish=Finish.ACCEPTED, stage="end-of-data", reply=reply, rcpt_reply=rcpt)
    if reply.transient or reply.permanent:
        return Ended(finish=_negative(reply), stage="end-of-data", reply=reply, rcpt_reply=rcpt)
    why = "the end of the message was answered by no final reply"
    return Ended(finish=Finish.UNCERTAIN, stage="end-of-data", reply=reply, rcpt_reply=rcpt, detail=why)
