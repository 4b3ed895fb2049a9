"""One SMTP or LMTP transaction, and how it ended for each recipient: no stronger than what was heard.

RFC 5321 §3.3, §4.1.1, §4.5.2, RFC 2920 (pipelining), RFC 3030 (BDAT), RFC 2033 §4.2 (a reply for each recipient),
RFC 1047 (a connection that breaks after the end of DATA).
"""

from dataclasses import dataclass
from typing import Final

from deliverability.capture._tee import LostError
from deliverability.capture.smtp_connect import Connection
from deliverability.evidence.recorder import Finish
from deliverability.evidence.smtp import Reply
from deliverability.protocols.smtp_session_commands import TERMINATOR, Body, Job

BLOCK: Final = 256 << 10
"""Octets of a message that are handed to the transport at once."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the transaction ended for one recipient."""

    finish: Finish
    stage: str | None
    reply: Reply | None = None
    rcpt_reply: Reply | None = None
    detail: str = ""


@dataclass(slots=True)
class _Recipient:
    address: str
    reply: Reply | None = None
    ending: Ending | None = None


class _Over(Exception):  # noqa: N818 - the way out of a transaction, not an error
    """Everybody's ending is known."""


class Transaction:
    """One message to some recipients over one connection.

    :meth:`run` raises nothing for what the server does; when it is cancelled, :meth:`endings` still tells the truth.
    """

    def __init__(self, connection: Connection, job: Job) -> None:
        self._connection, self._job = connection, job
        self._tee, self._times, self._offer = connection.tee, connection.terms.timeouts, connection.facts.offer
        self._recipients = [_Recipient(address) for address in job.recipients]
        self._stage = "mail"
        self._left = False
        """Whether the end of the message may have left this process."""
        self._answered = False
        self._closing = False

    def endings(self, detail: str = "the sending process was interrupted") -> tuple[Ending, ...]:
        """One for each recipient, in order; of what was still open, what can be said now."""
        return tuple(one.ending or self._open_end(one, detail) for one in self._recipients)

    @property
    def unheard(self) -> bool:
        """Whether the connection broke before the server answered anything: it may have been dead before."""
        return not self._answered and all(one.ending is None for one in self._recipients)

    def _open_end(self, one: _Recipient, detail: str) -> Ending:
        if self._left:
            return Ending(Finish.UNCERTAIN, "end-of-data", None, one.reply, detail)
        return Ending(Finish.DEFERRED, self._stage, None, one.reply, detail)

    async def run(self) -> tuple[Ending, ...]:
        """Make the transaction; the connection is dropped where it can no longer be relied on."""
        detail = ""
        try:
            await self._begin()
            if self._chunking:
                await self._bdat()
            else:
                await self._data()
            await self._conclude()
        except _Over:
            pass
        except LostError as problem:
            detail = str(problem)
            self._connection.drop()
        except BaseException:
            self._connection.drop()
            raise
        if self._closing:
            self._connection.drop()
        return self.endings(detail)

    @property
    def _body(self) -> Body:
        return self._job.body or Body.of(self._job.content)

    @property
    def _chunking(self) -> bool:
        terms = self._connection.terms
        return terms.chunking and not terms.lmtp and "CHUNKING" in self._offer

    @property
    def _pipelining(self) -> bool:
        return self._connection.terms.pipelining and "PIPELINING" in self._offer

    @property
    def _accepted(self) -> list[_Recipient]:
        return [one for one in self._recipients if one.ending is None]

    def _end_all(self, finish: Finish, stage: str, reply: Reply | None, detail: str = "") -> None:
        for one in self._accepted:
            one.ending = Ending(finish, stage, reply, one.reply if stage not in ("mail", "rcpt") else None, detail)

    # --- MAIL and RCPT ---

    async def _begin(self) -> None:
        objection = self._job.objection(self._offer)
        if objection:
            self._end_all(Finish.FAILED, "mail", None, objection)
            raise _Over
        if not self._tee.at_rest:
            # What a server says unasked, a farewell mostly, would be taken for the answer to what comes next.
            raise LostError(self._tee.why_lost or "the server spoke before it was asked")
        if self._connection.needs_reset:
            await self._ask(b"RSET\r\n")
            self._connection.needs_reset = False
        commands = [self._job.mail(self._offer), *(self._job.rcpt(a, self._offer) for a in self._job.recipients)]
        if self._pipelining:
            self._tee.say(b"\r\n".join([*commands, *([] if self._chunking else [b"DATA"]), b""]))
        await self._mail(commands[0])
        for one, command in zip(self._recipients, commands[1:], strict=True):
            await self._rcpt(one, command)
        if not self._accepted:
            await self._nobody()

    async def _ask(self, command: bytes) -> Reply:
        self._tee.say(command)
        return await self._hear()

    async def _hear(self, seconds: float | None = None) -> Reply:
        reply = await self._tee.reply(seconds or self._times.command)
        self._answered = True
        self._closing = self._closing or reply.code == 421  # RFC 5321 §3.8: the server is about to close
        return reply

    async def _step(self, command: bytes) -> Reply:
        return await (self._hear() if self._pipelining else self._ask(command + b"\r\n"))

    async def _mail(self, command: bytes) -> None:
        reply = await self._step(command)
        self._connection.needs_reset = True
        if not reply.positive:
            self._end_all(_negative(reply), "mail", reply)
            if not self._pipelining:
                raise _Over

    async def _rcpt(self, one: _Recipient, command: bytes) -> None:
        self._stage = "rcpt"
        reply = await self._step(command)
        if one.ending is not None:
            return  # MAIL was refused, and what follows it says nothing of its own
        one.reply = reply
        if not reply.positive:
            one.ending = Ending(_negative(reply), "rcpt", reply)

    async def _nobody(self) -> None:
        """No recipient was accepted; a DATA that went out with the rest is still answered."""
        if self._pipelining and not self._chunking:
            reply = await self._hear(self._times.data)
            if reply.code == 354:
                # RFC 2920 §3.1 would have us send an empty message; we rather send none.
                self._connection.drop()
        raise _Over

    # --- the message ---

    async def _data(self) -> None:
        self._stage = "data"
        if self._pipelining:
            reply = await self._hear(self._times.data)
        else:
            self._tee.say(b"DATA\r\n")
            reply = await self._hear(self._times.data)
        if reply.code != 354:
            if reply.positive:
                raise LostError("DATA was answered as if the message had come")
            self._end_all(_negative(reply), "data", reply)
            raise _Over
        self._require_silence()
        await self._pour(self._body.stuffed, TERMINATOR, self._body.note)

    async def _bdat(self) -> None:
        self._stage = "data"
        self._require_silence()
        self._tee.say(b"BDAT %d LAST\r\n" % len(self._job.content))
        await self._pour(self._job.content, b"", self._body.chunk_note)

    def _require_silence(self) -> None:
        if not self._tee.at_rest:
            raise LostError(self._tee.why_lost or "the server gave an answer before it was asked")

    async def _pour(self, content: bytes, terminator: bytes, note: str) -> None:
        """The message and its end; until the last block is handed over, nobody can have accepted it."""
        last = max(0, (len(content) - 1) // BLOCK * BLOCK)
        view = memoryview(content)
        for at in range(0, last, BLOCK):
            self._tee.pour(view[at : at + BLOCK])
            await self._tee.drained(self._times.block)
            await self._early_reply()
        block: bytes | memoryview = bytes(view[last:]) + terminator if terminator else view[last:]
        self._connection.tape.note(note)
        await self._early_reply()
        self._stage, self._left = "end-of-data", True
        self._tee.pour(block)
        self._connection.digest_so_far()

    async def _early_reply(self) -> None:
        """A server that answers before the end of the message has not accepted it, whatever it says."""
        if not self._tee.has_reply:
            return
        reply = await self._hear()
        if reply.positive:
            raise LostError("the server accepted the message before its end")
        self._end_all(_negative(reply), "data", reply)
        self._connection.drop()
        raise _Over

    async def _conclude(self) -> None:
        if self._connection.terms.lmtp:
            for one in self._accepted:
                one.ending = _final(await self._hear(self._times.final), one)
        else:
            reply = await self._hear(self._times.final)
            for one in self._accepted:
                one.ending = _final(reply, one)
            self._connection.needs_reset = not reply.positive


def _negative(reply: Reply) -> Finish:
    return Finish.REFUSED if reply.permanent else Finish.DEFERRED


def _final(reply: Reply, one: _Recipient) -> Ending:
    if reply.positive:
        return Ending(Finish.ACCEPTED, "end-of-data", reply, one.reply)
    if reply.code is not None and reply.code // 100 == 3:
        why = "the end of the message was answered as if more were to come"
        return Ending(Finish.UNCERTAIN, "end-of-data", reply, one.reply, why)
    return Ending(_negative(reply), "end-of-data", reply, one.reply)
