"""One attempt to open a session: greeting, EHLO or LHLO, STARTTLS, AUTH, over a socket that is connected here.

RFC 5321 §3.1, §4.1.1.1, RFC 3207, RFC 4954, RFC 2033.
"""

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from aiosmtplib.errors import SMTPAuthenticationError, SMTPException, SMTPHeloError, SMTPResponseException

from deliverability.capture._tape import Tape
from deliverability.capture._tee import LostError, TeeClient, TeeProtocol
from deliverability.capture.smtp_terms import Facts, Peer, Terms, TlsPolicy
from deliverability.errors import printable
from deliverability.evidence.smtp import Reply, Tls
from deliverability.protocols.smtp_session import Transcript
from deliverability.protocols.smtp_session_commands import Offer
from deliverability.protocols.smtp_session_replies import beyond_first_reply, first_reply

MAX_CHAIN: Final = 10
_FAREWELL_SECONDS: Final = 2.0


class CannotOpenError(Exception):
    """No session came about; nobody was given a message."""

    def __init__(self, stage: str, reply: Reply | None, detail: str, session: "Facts") -> None:
        super().__init__(printable(detail, 200))
        self.stage, self.reply, self.session = stage, reply, session


class Connection:
    """An open session; any number of transactions, one after the other."""

    def __init__(self, client: TeeClient, facts: Facts, terms: Terms) -> None:
        self._client, self.facts, self.terms = client, facts, terms
        self.tee: TeeProtocol = client.tee
        self.used = 0
        self.idle_since = 0.0
        self.needs_reset = False
        self._head = facts.lines()
        self._opening = hashlib.sha256(Transcript(client.tape.began, self._head, client.tape.opening).to_bytes())
        self._digest, self._digested = self._opening.copy(), 0

    @property
    def tape(self) -> Tape:
        """What was said."""
        return self._client.tape

    def transcript(self) -> tuple[Transcript, str]:
        """The opening, and what was said since the last transaction; with its SHA-256."""
        self.digest_so_far()
        whole = Transcript(self.tape.began, self._head, (*self.tape.opening, *self.tape.cut()))
        digest, self._digest, self._digested = self._digest, self._opening.copy(), 0
        return whole, digest.hexdigest()

    def digest_so_far(self) -> None:
        """Hash what was said since the last time: a wait for the server is the moment for it."""
        new = self.tape.since(self._digested)
        self._digest.update("".join([one.to_line() for one in new]).encode("ascii"))
        self._digested += len(new)

    async def quit(self) -> None:
        """Take leave; a server that does not answer changes nothing any more."""
        try:
            if self.tee.at_rest:
                self.tee.say(b"QUIT\r\n")
                await self.tee.reply(_FAREWELL_SECONDS)
        except LostError:
            pass
        finally:
            self.drop()

    def drop(self) -> None:
        """End it at once."""
        self._client.end()


class Opening:
    """One attempt to open a session."""

    def __init__(
        self, peer: Peer, terms: Terms, context: Callable[[], ssl.SSLContext] | None, unverified: str = ""
    ) -> None:
        """``context`` makes the TLS context, once it is needed; ``None``: no TLS."""
        self._peer, self._terms, self._context, self._unverified = peer, terms, context, unverified
        self._tape = Tape()
        self._local: str | None = None
        self._helo: str | None = None
        self._stage = "connect"

    async def run(self) -> Connection:
        """Raises :class:`CannotOpenError`, and ``ssl.SSLError`` where TLS is what failed."""
        tape, terms = self._tape, self._terms
        tape.keep_out((terms.password,))
        if self._unverified:
            tape.note(self._unverified)
        client: TeeClient | None = None
        try:
            client = await self._client()
            await client.connect()
            offer = await self._introduce(client)
            facts = self._facts(client, offer)
            client.tee.take_over()
            tape.opened()
            return Connection(client, facts, terms)
        except ssl.SSLError:
            self._end(client)
            raise
        except SMTPResponseException as problem:
            self._end(client)
            reply = first_reply(tape.answer()) if problem.code >= 200 else None
            raise self._failure(reply, f"{self._stage}: {problem.message}") from problem
        except (SMTPException, LostError, OSError, ValueError) as problem:
            self._end(client)
            said = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
            raise self._failure(None, f"{self._stage}: {said}") from problem
        except BaseException:
            self._end(client)
            raise

    def _end(self, client: TeeClient | None) -> None:
        if client is not None:
            client.end()

    def _failure(self, reply: Reply | None, detail: str) -> CannotOpenError:
        if self._stage == "auth":
            detail = "auth: the server did not accept the credentials"  # its words may quote them
            reply = Reply(reply.code, reply.enhanced_status_code, str(reply.code)) if reply else None
        facts = Facts(relay=self._peer.named, local_ip=self._local, helo=self._helo)
        transcript = Transcript(self._tape.began, facts.lines(), self._tape.runs)
        facts = Facts(
            relay=facts.relay,
            local_ip=facts.local_ip,
            helo=facts.helo,
            transcript=transcript,
            transcript_sha256=transcript.sha256,
        )
        return CannotOpenError(self._stage, reply, detail, facts)

    async def _client(self) -> TeeClient:
        terms, peer = self._terms, self._peer
        sock = await _connected(peer, terms)
        self._local = None if peer.is_path else str(sock.getsockname()[0]).partition("%")[0]
        self._helo = terms.helo or _own_name(self._local)
        self._stage = "greeting"
        return TeeClient(
            self._tape,
            hostname=peer.host,
            sock=sock,
            local_hostname=self._helo,
            timeout=terms.timeouts.greeting,
            start_tls=False,
            use_tls=terms.implicit_tls and self._context is not None,
            tls_context=self._context() if terms.implicit_tls and self._context is not None else None,
        )

    async def _introduce(self, client: TeeClient) -> Offer:
        terms = self._terms
        self._stage = "ehlo"
        client.timeout = terms.timeouts.command
        if terms.lmtp:
            return await self._lhlo(client)
        offer = await self._ehlo(client)
        if not terms.implicit_tls and self._context is not None:
            offer = await self._starttls(client, offer)
        if terms.username is not None:
            self._stage = "auth"
            await self._authenticate(client)
        return offer

    async def _ehlo(self, client: TeeClient) -> Offer:
        try:
            return Offer.of((await client.ehlo()).message)
        except SMTPHeloError:
            await client.helo()  # RFC 5321 §3.2: a server that knows no EHLO
            return Offer()

    async def _lhlo(self, client: TeeClient) -> Offer:
        said = await client.execute_command(b"LHLO", str(self._helo).encode("ascii"))
        if said.code != 250:
            raise SMTPHeloError(said.code, said.message)
        return Offer.of(said.message)

    async def _starttls(self, client: TeeClient, offer: Offer) -> Offer:
        self._stage = "starttls"
        if "STARTTLS" not in offer:
            if self._terms.tls is TlsPolicy.OPPORTUNISTIC and self._terms.username is None:
                return offer
            raise SMTPException("the server does not offer STARTTLS")
        try:
            context = self._context() if self._context else None
            await client.starttls(tls_context=context, server_hostname=self._peer.host)
        except SMTPResponseException as refused:
            lax = self._terms.tls is TlsPolicy.OPPORTUNISTIC and self._terms.username is None
            if lax and refused.code >= 400:
                return offer  # offered and then refused: as if it had not been (RFC 3207 §4)
            raise
        extra = beyond_first_reply(self._tape.answer())
        if extra:
            # Somebody between us and the server may have put them there (RFC 3207 §6): they count for nothing.
            self._tape.note(f"{extra} octets came in plain text after the reply to STARTTLS; they were discarded")
        self._tape.note("TLS established")
        self._stage = "ehlo"
        return await self._ehlo(client)

    async def _authenticate(self, client: TeeClient) -> None:
        if client.get_transport_info("sslcontext") is None:
            raise SMTPException("credentials are not sent without TLS")
        try:
            await client.login(self._terms.username or "", self._terms.password or "")
        except SMTPAuthenticationError:
            raise
        except SMTPException as problem:
            raise SMTPAuthenticationError(-1, str(problem)) from problem

    def _facts(self, client: TeeClient, offer: Offer) -> Facts:
        tls, chain = _session_of(client.get_transport_info("ssl_object"), verified=not self._unverified)
        greeting = next((run.octets for run in self._tape.runs if run.side == "S"), b"")
        return Facts(
            relay=self._peer.named,
            local_ip=self._local,
            helo=self._helo,
            tls=tls,
            chain=chain,
            certificate_error=self._unverified if tls else "",
            greeting=greeting.decode("utf-8", "backslashreplace").strip(),
            offer=offer,
        )


def _session_of(session: Any, *, verified: bool) -> tuple[Tls | None, tuple[bytes, ...]]:
    if session is None:
        return None, ()
    # Python shows the rest of the chain from 3.13 on; before that, only the server's own certificate is seen.
    chain = tuple(session.get_unverified_chain()) if hasattr(session, "get_unverified_chain") else ()
    own = session.getpeercert(binary_form=True)
    cipher = session.cipher()
    return Tls(session.version(), cipher[0] if cipher else None, verified), (chain or ((own,) if own else ()))[
        :MAX_CHAIN
    ]


async def _connected(peer: Peer, terms: Terms) -> socket.socket:
    """A socket to the server; raises ``OSError``."""
    family = socket.AF_UNIX if peer.is_path else socket.AF_INET6 if ":" in peer.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if terms.source_ip and not peer.is_path:
            sock.bind((terms.source_ip, 0))
        where: Any = peer.address if peer.is_path else (peer.address, peer.port)
        async with asyncio.timeout(terms.timeouts.connect):
            await asyncio.get_running_loop().sock_connect(sock, where)
    except TimeoutError:
        sock.close()
        raise OSError(f"no connection within {terms.timeouts.connect:g} s") from None
    except BaseException:
        sock.close()
        raise
    return sock


def _own_name(local: str | None) -> str:
    name = socket.gethostname().lower()
    if "." in name and name.isascii():
        return name
    if local is None:
        return "localhost"
    return f"[IPv6:{local}]" if ":" in local else f"[{local}]"
