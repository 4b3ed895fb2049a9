"""Greet a mail server, see whether it offers STARTTLS, look at its certificate, and leave: no mail is ever begun.

RFC 5321 §3.1, §4.1.1.1 (greeting, EHLO), §4.1.1.10 (QUIT), RFC 3207 (STARTTLS), RFC 9525 (certificate and name).

Why not a mail library here: what is wanted is what such libraries hide or discard (the greeting, the capabilities
before TLS, the certificate although it does not hold, the chain), with a bound on every octet that is read.
"""

import asyncio
import re
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from deliverability.capture._connect import CannotConnectError, Resolve, Roots, addresses_of, connect, leave, trust
from deliverability.errors import printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, Observation, Obstacle, SmtpAnswer, SmtpProbe

MAX_LINE: Final = 4096
"""Octets of a reply line; RFC 5321 §4.5.3.1.5 allows 512."""
MAX_LINES: Final = 100
"""Lines of one reply."""
MAX_QUESTIONS: Final = 200
"""Servers of one call; what is beyond becomes ``limit``."""
MAX_CHAIN: Final = 10
_LINE: Final = re.compile(rb"([2-5][0-9]{2})([ -]?)(.*?)\r?\n", re.DOTALL)
_UNKNOWN_COMMAND: Final = (500, 501, 502, 504)


class _BrokenOffError(Exception):
    """The dialogue ended before it answered the question; says why."""

    def __init__(self, obstacle: Obstacle, detail: str) -> None:
        super().__init__(printable(detail, 200))
        self.obstacle = obstacle


@dataclass(frozen=True, slots=True)
class _Reply:
    code: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.code} {' '.join(self.lines)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpObserver:
    """Asks mail servers how they introduce themselves."""

    resolve: Resolve
    helo: str | None = None
    """The name to announce; ``None``: the address that the connection comes from (RFC 5321 §4.1.3)."""
    timeout_seconds: float = 10.0
    """For the connection to one address."""
    lifetime_seconds: float = 30.0
    """For one server, all together."""
    concurrency: int = 8
    """Servers under way at once."""
    roots: Roots = None
    private: bool = False
    """Whether to connect to addresses that are not public."""

    def __post_init__(self) -> None:
        """A name that is none raises :class:`~deliverability.errors.ParseError`."""
        if self.helo is not None:
            object.__setattr__(self, "helo", Domain.parse(self.helo).name)

    async def observe(self, questions: Iterable[SmtpProbe]) -> tuple[Observation, ...]:
        """One observation for each different question, in order; raises nothing for trouble on the way."""
        wanted = tuple(dict.fromkeys(questions))
        if not wanted:
            return ()
        context, gate = trust(self.roots), asyncio.Semaphore(max(1, self.concurrency))

        async def one(question: SmtpProbe) -> Observation:
            async with gate:
                return await self._look(question, context)

        asked = await asyncio.gather(*(one(question) for question in wanted[:MAX_QUESTIONS]))
        told = f"more than {MAX_QUESTIONS} servers at once"
        beyond = (CouldNotLook(q, Obstacle.LIMIT, told, "", _now()) for q in wanted[MAX_QUESTIONS:])
        return (*asked, *beyond)

    async def _look(self, question: SmtpProbe, context: ssl.SSLContext) -> Observation:
        try:
            async with asyncio.timeout(self.lifetime_seconds):
                return await self._ask(question, context)
        except TimeoutError:
            obstacle, told = Obstacle.TIMEOUT, f"no answer within {self.lifetime_seconds:g} s"
        except (CannotConnectError, _BrokenOffError) as problem:
            obstacle, told = problem.obstacle, str(problem)
        except (OSError, EOFError) as problem:
            obstacle, told = Obstacle.NETWORK, f"the connection broke: {type(problem).__name__}"
        return CouldNotLook(question, obstacle, printable(told, 200), "", _now())

    async def _ask(self, question: SmtpProbe, context: ssl.SSLContext) -> SmtpAnswer:
        addresses = await addresses_of(question.host, self.resolve, private=self.private)
        try:
            return await self._dialogue(question, addresses, context)
        except ssl.SSLCertVerificationError as problem:
            why = printable(problem.verify_message or str(problem), 200)
        # The library shows no certificate that it refused, so the server is asked once more, trusting anyone.
        shown = await self._dialogue(question, addresses, _trusting())
        if shown.tls_version is None:
            raise _BrokenOffError(Obstacle.NETWORK, f"the second look at the certificate failed ({why})")
        return replace(shown, certificate_error=why)

    async def _dialogue(self, probe: SmtpProbe, addresses: Sequence[str], context: ssl.SSLContext) -> SmtpAnswer:
        """One session; raises ``SSLCertVerificationError`` where ``context`` does not trust the server."""
        reader, writer, ip = await connect(addresses, probe.port, limit=MAX_LINE, timeout_seconds=self.timeout_seconds)
        farewell = b"QUIT\r\n"
        try:
            greeting = await _expect(reader, 220)
            answer = await self._introduce(probe, ip, greeting, reader, writer)
            if answer.starttls:
                said = await _command(reader, writer, "STARTTLS")
                if said.code != 220:
                    return replace(answer, certificate_error=printable(f"STARTTLS was answered {said}", 200))
                farewell = b""  # from here on, plain text would land in the middle of a handshake
                answer = await _handshake(answer, writer, context)
                farewell = b"QUIT\r\n" if answer.tls_version else b""
            return answer
        finally:
            await leave(writer, farewell)

    async def _introduce(
        self, probe: SmtpProbe, ip: str, greeting: _Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> SmtpAnswer:
        said = await _command(reader, writer, f"EHLO {self.helo or _literal(writer)}")
        if said.code != 250 and said.code not in _UNKNOWN_COMMAND:
            raise _BrokenOffError(Obstacle.REFUSED, f"EHLO was answered {said}")
        capabilities = said.lines[1:] if said.code == 250 else ()
        starttls = any(line.split(" ")[0].upper() == "STARTTLS" for line in capabilities)
        return SmtpAnswer(probe, ip, str(greeting), capabilities, starttls, None, b"", (), None, _now())


async def _handshake(answer: SmtpAnswer, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> SmtpAnswer:
    try:
        await writer.start_tls(context, server_hostname=Domain.parse(answer.question.host).name)
    except ssl.SSLCertVerificationError:
        raise
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        raise _BrokenOffError(Obstacle.NETWORK, "the connection broke after STARTTLS was offered") from None
    except ssl.SSLError as problem:
        why = f"TLS was not established: {problem.reason or problem.strerror}"
        return replace(answer, certificate_error=printable(why, 200))
    except OSError:
        raise _BrokenOffError(Obstacle.NETWORK, "the connection broke after STARTTLS was offered") from None
    session: Any = writer.get_extra_info("ssl_object")
    # Python shows the rest of the chain from 3.13 on; before that, only the server's own certificate is seen.
    chain = session.get_unverified_chain() if hasattr(session, "get_unverified_chain") else ()
    return replace(
        answer,
        tls_version=session.version(),
        certificate=session.getpeercert(binary_form=True) or b"",
        chain=tuple(chain[1 : MAX_CHAIN + 1]),
    )


async def _command(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str) -> _Reply:
    writer.write(f"{line}\r\n".encode("ascii"))
    await writer.drain()
    return await _reply(reader)


async def _expect(reader: asyncio.StreamReader, code: int) -> _Reply:
    said = await _reply(reader)
    if said.code != code:
        raise _BrokenOffError(Obstacle.REFUSED, f"the server greeted with {said}")
    return said


async def _reply(reader: asyncio.StreamReader) -> _Reply:
    """A reply of one or more lines, RFC 5321 §4.2.1."""
    lines: list[str] = []
    while len(lines) < MAX_LINES:
        try:
            raw = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise _BrokenOffError(Obstacle.MALFORMED, f"a line longer than {MAX_LINE} octets") from None
        except asyncio.IncompleteReadError:
            raise _BrokenOffError(Obstacle.NETWORK, "the server closed the connection") from None
        match = _LINE.fullmatch(raw)
        if not match:
            raise _BrokenOffError(Obstacle.MALFORMED, "not an SMTP reply")
        lines.append(match[3].decode("utf-8", "backslashreplace"))
        if match[2] != b"-":
            return _Reply(int(match[1]), tuple(lines))
    raise _BrokenOffError(Obstacle.MALFORMED, f"a reply of more than {MAX_LINES} lines")


def _literal(writer: asyncio.StreamWriter) -> str:
    address = str(writer.get_extra_info("sockname")[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _trusting() -> ssl.SSLContext:
    """For looking at a certificate that is already known not to hold; nothing secret passes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _now() -> datetime:
    return datetime.now(UTC)
