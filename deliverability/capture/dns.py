"""Ask name servers, and write down exactly what came of it.

RFC 1035, RFC 6891 (EDNS), RFC 7766 (TCP), RFC 5452 §4 (matching replies), RFC 2308 (negative answers).  An answer, and
why there is none, are two types; nothing here raises for trouble with the DNS.  Names are absolute: the system's
search list is never used.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from deliverability.capture.dns_cache import DnsCache
from deliverability.capture.dns_gate import Gate
from deliverability.capture.dns_query import KINDS, RefusedError, encode_query
from deliverability.capture.dns_socket import Nameserver, Sockets, exchange_tcp, parse_nameserver, system_nameservers
from deliverability.capture.dns_wire import Reply, UnfamiliarError, decode
from deliverability.errors import printable
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsObservation,
    DnsQuestion,
    Observation,
    Obstacle,
    Question,
    Rcode,
)

__all__ = ["DnsObserver", "DnsSession", "Nameserver", "parse_nameserver", "system_nameservers"]

MAX_QUESTIONS: Final = 1000
"""Questions of one call; what is beyond becomes ``limit``."""
MAX_CNAMES: Final = 10
"""Links of a CNAME chain, in all answers together."""
PAYLOAD: Final = 1232
"""EDNS UDP payload that avoids fragmentation (DNS flag day 2020)."""
SILENCES: Final = 3
"""After so many timeouts in a row a server is asked after the others, for :data:`ASIDE_SECONDS`."""
ASIDE_SECONDS: Final = 30
_ROUNDS: Final = 2
# When servers fail in different ways, the one that says most about the name is told.
_TELLING: Final = (Obstacle.SERVFAIL, Obstacle.REFUSED, Obstacle.MALFORMED, Obstacle.TIMEOUT, Obstacle.NETWORK)


@dataclass(frozen=True, slots=True)
class DnsObserver:
    """Asks recursive name servers, in the order given; without any, those of the system."""

    nameservers: tuple[Nameserver, ...] = ()
    timeout_seconds: float = 3.0
    """For one try at one server."""
    lifetime_seconds: float = 20.0
    """For one question, all tries together."""
    concurrency: int = 64
    """Questions under way at once."""

    async def observe(self, questions: Iterable[DnsQuestion]) -> tuple[Observation, ...]:
        """One observation for each different question, in order; raises nothing for DNS trouble."""
        async with self.session() as session:
            return await session.observe(questions)

    def session(self, cache: DnsCache | None = None) -> "DnsSession":
        """The same for many calls: its sockets stay open, and what was answered is not asked again while it holds."""
        return DnsSession(self, cache or DnsCache())


class DnsSession:
    """Asks as its observer does, over sockets and a cache that many calls share; an asynchronous context manager."""

    def __init__(self, observer: DnsObserver, cache: DnsCache) -> None:
        self._observer = observer
        self._cache = cache
        self._servers = observer.nameservers or system_nameservers()
        self._gate = Gate(max(1, observer.concurrency))
        self._pursuing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._sockets = Sockets()
        self._silent: dict[Nameserver, tuple[int, float]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        for task in self._pursuing:
            task.cancel()
        await asyncio.gather(*self._pursuing, return_exceptions=True)
        await self._cache.close()
        await self._sockets.__aexit__(kind, problem, trace)

    async def observe(self, questions: Iterable[DnsQuestion]) -> tuple[Observation, ...]:
        """One observation for each different question, in order; raises nothing for DNS trouble."""
        wanted = tuple(dict.fromkeys(questions))
        asked = await self._cache.look_all(wanted[:MAX_QUESTIONS], self._ask, self._post)
        told = f"more than {MAX_QUESTIONS} questions at once"
        beyond = (CouldNotLook(q, Obstacle.LIMIT, told, "", _now()) for q in wanted[MAX_QUESTIONS:])
        return (*asked, *beyond)

    def peek(self, question: Question) -> Observation | None:
        """What is on record and still holds; asks nobody."""
        return self._cache.get(question)

    async def _ask(self, question: Question) -> Observation:
        if not isinstance(question, DnsQuestion):
            return CouldNotLook(question, Obstacle.NETWORK, "not a question to the DNS", "", _now())
        await self._gate.enter()
        try:
            return await _Inquiry(self, question).run()
        finally:
            self._gate.leave()

    def _post(self, question: Question) -> bool:
        """Send the question's first query now, if nothing stands in the way; whether it was sent.

        An ordinary answer is taken as it comes in; whatever else comes of it is pursued by an inquiry of its own.
        """
        if not isinstance(question, DnsQuestion) or question.rdtype not in KINDS or not self._gate.enter_now():
            return False
        servers = self.servers()
        began = asyncio.get_running_loop().time()

        def told(query: bytes, outcome: bytes | Exception) -> None:
            if self._closed:
                return
            answer = _ordinary_answer(question, query, outcome, servers[0])
            if answer is None:
                inquiry = _Inquiry(self, question, _First(servers, query, outcome, began))
                task = asyncio.ensure_future(self._pursue(question, inquiry))
                self._pursuing.add(task)
                task.add_done_callback(self._pursuing.discard)
                return
            self.heard(servers[0])
            self._gate.leave()
            self._cache.settle(answer)

        sent = False
        try:
            query = encode_query(question.name, KINDS[question.rdtype], 0, PAYLOAD, signed=question.signed)
            seconds = min(self._observer.timeout_seconds, self._observer.lifetime_seconds)
            sent = bool(servers) and self._sockets.post(servers[0], query, seconds, told)
        except RefusedError:
            pass  # no name that could be asked for: the inquiry says so
        finally:
            if not sent:
                self._gate.leave()
        return sent

    async def _pursue(self, question: DnsQuestion, inquiry: "_Inquiry") -> None:
        try:
            self._cache.settle(await inquiry.run())
        except BaseException as problem:
            self._cache.give_up(question, problem)
            raise
        finally:
            self._gate.leave()

    @property
    def observer(self) -> DnsObserver:
        """Whose servers and limits these are."""
        return self._observer

    @property
    def sockets(self) -> Sockets:
        """Open to the servers asked so far."""
        return self._sockets

    def servers(self) -> tuple[Nameserver, ...]:
        """In the order given, those last that have been silent of late."""
        if not self._silent:
            return self._servers
        now = asyncio.get_running_loop().time()

        def aside(server: Nameserver) -> bool:
            times, until = self._silent.get(server, (0, 0.0))
            return times >= SILENCES and now < until

        return tuple(sorted(self._servers, key=aside))

    def heard(self, server: Nameserver) -> None:
        """The server said something."""
        if self._silent:
            self._silent.pop(server, None)

    def silent(self, server: Nameserver) -> None:
        """The server let a query time out."""
        times, _ = self._silent.get(server, (0, 0.0))
        self._silent[server] = times + 1, asyncio.get_running_loop().time() + ASIDE_SECONDS


def _ordinary_answer(
    question: DnsQuestion, query: bytes, outcome: bytes | Exception, server: Nameserver
) -> DnsAnswer | None:
    """What a reply says that needs no second look: no error, no alias, nothing cut."""
    if not isinstance(outcome, bytes):
        return None
    try:
        reply = decode(query, outcome, KINDS[question.rdtype])
    except UnfamiliarError:
        return None
    if reply.referral or reply.chain:
        return None
    rcode = Rcode.NXDOMAIN if reply.nxdomain else Rcode.NOERROR
    authenticated, wire = reply.authenticated, reply.wire
    return DnsAnswer(question, rcode, reply.records, question.name, reply.ttl, str(server), _now(), authenticated, wire)


@dataclass(frozen=True, slots=True)
class _First:
    """The first query of an inquiry, made before there was one."""

    servers: tuple[Nameserver, ...]
    query: bytes
    outcome: bytes | Exception
    began: float


@dataclass(slots=True)
class _Failure:
    """Why one try gave no answer."""

    obstacle: Obstacle
    detail: str
    server: Nameserver


class _Inquiry:
    """One question, until there is an answer or nobody left to ask."""

    def __init__(self, session: DnsSession, question: DnsQuestion, first: _First | None = None) -> None:
        self._session = session
        self._observer = session.observer
        self._question = question
        self._first = first
        self._servers = first.servers if first else session.servers()
        self._failures: list[_Failure] = []
        self._clock = asyncio.get_running_loop().time
        self._end = (first.began if first else self._clock()) + self._observer.lifetime_seconds

    async def run(self) -> DnsObservation:
        if not self._servers:
            return CouldNotLook(self._question, Obstacle.NETWORK, "no name server is configured", "", _now())
        try:
            return await self._follow() or self._could_not()
        except TimeoutError:
            told = f"no answer within {self._observer.lifetime_seconds:g} s"
            self._failures.append(_Failure(Obstacle.TIMEOUT, told, self._servers[0]))
            return self._could_not()

    async def _follow(self) -> DnsAnswer | None:
        """Ask, and ask on where a CNAME leads out of the answer."""
        name, seen, ttls = self._question.name, {self._question.name}, []
        authenticated = True  # of a chain over several answers only if each of them is
        while True:
            found = await self._ask_servers(name)
            if found is None:
                return None
            reply, server = found
            links = set(reply.chain)
            if links & seen or len(seen) + len(links) > MAX_CNAMES + 1:
                self._failures.append(_Failure(Obstacle.MALFORMED, "CNAME loop or too long a chain", server))
                return None
            seen |= links
            ttls += [reply.ttl] if reply.ttl is not None else []
            authenticated = authenticated and reply.authenticated
            if not reply.goes_on or self._question.signed:  # the alias has signatures of its own to be judged by
                return DnsAnswer(
                    self._question,
                    Rcode.NXDOMAIN if reply.nxdomain else Rcode.NOERROR,
                    reply.records,
                    reply.chain[-1] if reply.chain else name,
                    min(ttls, default=None),
                    str(server),
                    _now(),
                    authenticated,
                    reply.wire,
                )
            name = reply.chain[-1]

    async def _ask_servers(self, name: str) -> tuple[Reply, Nameserver] | None:
        """The first answer of any server; a server that said no is not asked twice."""
        pending = self._servers
        for _round in range(_ROUNDS):
            again: list[Nameserver] = []
            for server in pending:
                result = await self._try(server, name)
                if not isinstance(result, _Failure):
                    return result, server
                self._failures.append(result)
                if result.obstacle in (Obstacle.TIMEOUT, Obstacle.NETWORK):
                    again.append(server)
            pending = tuple(again)
        return None

    async def _try(self, server: Nameserver, name: str) -> "Reply | _Failure":
        """One try at one server; raises :class:`TimeoutError` when the question's own time is over."""
        try:
            reply = await self._exchange(server, name, min(self._clock() + self._observer.timeout_seconds, self._end))
        except TimeoutError:
            self._session.silent(server)
            if self._clock() >= self._end:
                raise
            return _Failure(Obstacle.TIMEOUT, f"no answer within {self._observer.timeout_seconds:g} s", server)
        except RefusedError as refused:
            return _Failure(refused.obstacle, str(refused), server)
        except (OSError, EOFError) as problem:
            return _Failure(Obstacle.NETWORK, printable(str(problem) or type(problem).__name__, 120), server)
        self._session.heard(server)
        return reply

    async def _exchange(self, server: Nameserver, name: str, until: float) -> Reply:
        """UDP, and TCP where the answer is cut (RFC 7766 §5); without EDNS for servers that do not know it."""
        query, reply = await self._udp(server, name, PAYLOAD, until)
        if reply.format_error:  # RFC 6891 §7
            query, reply = await self._udp(server, name, None, until)
        if reply.truncated:
            async with asyncio.timeout(until - self._clock()):
                wire = await exchange_tcp(server, query)
            reply = self._read(query, wire, name)
        return reply.checked()

    async def _udp(self, server: Nameserver, name: str, payload: int | None, until: float) -> tuple[bytes, Reply]:
        first, self._first = self._first, None
        if first is not None:
            if isinstance(first.outcome, bytes):
                return first.query, self._read(first.query, first.outcome, name)
            raise first.outcome
        query = encode_query(name, self._kind, 0, payload, signed=self._question.signed)
        query, wire = await self._session.sockets.exchange(server, query, until - self._clock())
        return query, self._read(query, wire, name)

    def _read(self, query: bytes, wire: bytes, name: str) -> Reply:
        """An ordinary answer is read at once, any other by the full parser."""
        rdtype = self._question.rdtype
        if rdtype in KINDS:
            try:
                return decode(query, wire, KINDS[rdtype])
            except UnfamiliarError:
                pass
        from deliverability.capture import _dns_reply

        return _dns_reply.read(query, wire, name, rdtype)

    @property
    def _kind(self) -> int:
        """The number of the type; one that has none raises ``RefusedError``."""
        if self._question.rdtype in KINDS:
            return KINDS[self._question.rdtype]
        from deliverability.capture import _dns_reply

        return _dns_reply.type_number(self._question.rdtype)

    def _could_not(self) -> CouldNotLook:
        worst = min(self._failures, key=lambda failure: _TELLING.index(failure.obstacle))
        told = "; ".join(dict.fromkeys(f"{f.server}: {f.detail}" for f in self._failures))
        return CouldNotLook(self._question, worst.obstacle, told, str(worst.server), _now())


def _now() -> datetime:
    return datetime.now(UTC)
