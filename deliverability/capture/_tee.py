"""A tee between aiosmtplib and the wire, and the way past it (ADR 0008).

aiosmtplib connects, greets, starts TLS and authenticates; every octet that it writes and hears passes here first.  The
transaction itself is ours: a library that keeps stripped replies, drops what comes between commands and rewrites the
message can neither pipeline nor show what it heard.
"""

import asyncio
import contextlib
import ssl

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPConnectError,
    SMTPConnectResponseError,
    SMTPConnectTimeoutError,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)
from aiosmtplib.protocol import SMTPProtocol

from deliverability.capture._tape import MAX_HEARD, Tape
from deliverability.evidence.smtp import Reply
from deliverability.protocols.smtp_session_replies import BadReplyError, ReplyReader


class LostError(Exception):
    """The connection ended, or the server said what is no reply: nothing more can be expected of it."""


class TeeProtocol(SMTPProtocol):
    """aiosmtplib's protocol with a tape; after :meth:`take_over`, replies are read by ourselves."""

    def __init__(self, loop: asyncio.AbstractEventLoop, client: "TeeClient", tape: Tape) -> None:
        super().__init__(loop=loop, connection_lost_callback=client.lost)
        self.tape = tape
        self._reader: ReplyReader | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._why_lost = ""
        self._room = asyncio.Event()
        self._room.set()

    # --- what asyncio calls ---

    def data_received(self, data: bytes) -> None:
        self.tape.heard(data)
        if self.tape.overflowed:
            self._lose(f"the server said more than {MAX_HEARD} octets")
        elif self._reader is None:
            super().data_received(data)
            return
        else:
            try:
                self._reader.feed(self.tape.scrubbed(data))
            except BadReplyError as problem:
                self._lose(str(problem))
        self._wake()

    def eof_received(self) -> bool:
        self._why_lost = self._why_lost or "the server closed the connection"
        self._wake()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._why_lost:
            self._why_lost = f"the connection broke: {type(exc).__name__}" if exc else "the connection was closed"
        super().connection_lost(exc)
        self._room.set()
        self._wake()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._room.clear()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._room.set()

    def write(self, data: bytes) -> None:
        super().write(data)
        self.tape.said(data)

    # --- our own dialogue ---

    def take_over(self) -> None:
        """From here on replies come through :meth:`reply`; aiosmtplib hears nothing any more."""
        self._reader = ReplyReader()

    @property
    def at_rest(self) -> bool:
        """Whether the connection stands and the server has said nothing that was not asked for."""
        return self._reader is not None and self._reader.at_rest and not self._why_lost and self.is_connected

    @property
    def has_reply(self) -> bool:
        """Whether a reply has come that nobody has fetched."""
        return self._reader is not None and bool(self._reader.replies)

    @property
    def why_lost(self) -> str:
        """Why the connection ended; empty while it stands."""
        return self._why_lost

    async def reply(self, seconds: float) -> Reply:
        """The next reply; raises :class:`LostError`, also when none comes in time."""
        if self._reader is None:
            raise LostError("nothing was asked")
        replies = self._reader.replies
        if not replies:
            # One timer for the whole reply, however many pieces it comes in.
            timer = self._loop.call_later(seconds, self._expire, f"no reply within {seconds:g} s")
            try:
                while not replies:
                    if self._why_lost:
                        raise LostError(self._why_lost)
                    self._waiter = self._loop.create_future()
                    await self._waiter
            finally:
                timer.cancel()
        return replies.popleft()

    def _expire(self, why: str) -> None:
        """Nothing came in time: what comes later could be taken for the answer to something else."""
        self._lose(why)
        self._wake()

    def say(self, octets: bytes) -> None:
        """Write commands; raises :class:`LostError` where nobody takes them."""
        if self._why_lost or not self.is_connected:
            raise LostError(self._why_lost or "the connection was closed")
        self.write(octets)

    def pour(self, octets: bytes | memoryview) -> None:
        """Write octets of a message: they are noted by digest, not kept twice."""
        if self._why_lost or not self.is_connected:
            raise LostError(self._why_lost or "the connection was closed")
        SMTPProtocol.write(self, octets)  # type: ignore[arg-type]  # a transport takes views as well

    async def drained(self, seconds: float) -> None:
        """Wait until the transport takes more; raises :class:`LostError`."""
        if not self._room.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._room.wait()
            except TimeoutError:
                raise LostError(f"the server took no octet for {seconds:g} s") from None
        if self._why_lost:
            raise LostError(self._why_lost)

    def drop(self) -> None:
        """End the connection at once; what stands in buffers is thrown away."""
        self._why_lost = self._why_lost or "we ended the connection"
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    def _lose(self, why: str) -> None:
        self._why_lost = self._why_lost or why
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class TeeClient(SMTP):
    """aiosmtplib's client over a :class:`TeeProtocol`; made with a connected socket."""

    def __init__(self, tape: Tape, **given: object) -> None:
        super().__init__(**given)  # type: ignore[arg-type]
        self.tape = tape

    @property
    def tee(self) -> TeeProtocol:
        """The protocol of the open connection."""
        if not isinstance(self.protocol, TeeProtocol):
            raise LostError("the connection was closed")
        return self.protocol

    def lost(self, protocol: SMTPProtocol) -> None:
        """The connection has ended."""
        self._on_connection_lost(protocol)

    async def _create_connection(self, timeout: float | None) -> object:  # type: ignore[override]  # noqa: ASYNC109
        """As aiosmtplib does for a socket that is connected already, with the tee in place of its protocol."""
        loop = asyncio.get_running_loop()
        protocol = TeeProtocol(loop, self, self.tape)
        context = await self._get_tls_context() if self.use_tls else None
        try:
            async with asyncio.timeout(timeout):
                transport, _ = await loop.create_connection(
                    lambda: protocol,
                    sock=self.sock,
                    ssl=context,
                    server_hostname=self.hostname if context else None,
                    ssl_handshake_timeout=timeout if context else None,
                )
        except TimeoutError as problem:
            raise SMTPConnectTimeoutError("no TLS session within the time") from problem
        except ssl.SSLError:
            raise
        except OSError as problem:
            raise SMTPConnectError(str(problem)) from problem
        self.protocol, self.transport = protocol, transport
        try:
            greeting = await protocol.read_response(timeout=timeout)
        except SMTPServerDisconnected as problem:
            raise SMTPConnectError(protocol.why_lost or str(problem)) from problem
        except SMTPTimeoutError as problem:
            raise SMTPConnectTimeoutError("no greeting within the time") from problem
        if greeting.code != 220:
            raise SMTPConnectResponseError(greeting.code, greeting.message)
        return greeting

    def end(self) -> None:
        """Close without a word."""
        with contextlib.suppress(LostError):
            self.tee.drop()
        self.close()
