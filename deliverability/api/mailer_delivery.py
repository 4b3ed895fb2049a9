"""One message to the recipients that share a next hop: which servers are tried, over which connections, and the end.

Mail exchangers are tried in their order, each address of each; the next one only while nobody was given the message
(connect, greeting, EHLO, TLS).  Once a server has answered MAIL, its word stands, and trying again is the caller's.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from deliverability.api.mailer_policy import Ruled
from deliverability.capture.smtp import Ending, Transaction
from deliverability.capture.smtp_connect import CannotOpenError, Connection, open_session, verifying
from deliverability.capture.smtp_demand import open_as_demanded
from deliverability.capture.smtp_route import Addresses
from deliverability.capture.smtp_terms import Facts, Peer, Terms
from deliverability.errors import printable
from deliverability.evidence.observation import Observation
from deliverability.evidence.recorder import Finish
from deliverability.protocols.smtp_session_commands import Job
from deliverability.protocols.tls_policy import Demand

Where = tuple[str, int, tuple[object, ...]]
"""A host, its port, and what was demanded of the connection: it serves no other demand."""
MAX_USES: Final = 100
"""Transactions over one connection."""
MAX_REMEMBERED: Final = 1000
"""Servers of which it is remembered that their certificate does not hold."""


@dataclass(slots=True)
class Delivered:
    """How it ended for each recipient, and in which session."""

    endings: tuple[Ending, ...]
    session: Facts | None = None
    observations: list[Observation] = field(default_factory=list)
    policy: str = ""
    """What the recipient's domain demanded of TLS, in words of ours; empty where nobody looked."""


class Finder(Protocol):
    """Finds the addresses of a host: through the DNS, or the system for a relay."""

    async def addresses(self, host: str) -> Addresses:
        """Where ``host`` can be reached."""

    async def ruled(self, host: str) -> Ruled:
        """What has to hold before ``host`` is given anything."""


class Hops:
    """Connections of a mailer: how many at once to whom, and those that wait for the next message."""

    def __init__(self, terms: Terms, limit: int, keep_open: float) -> None:
        self.terms, self._limit, self._keep_open = terms, limit, keep_open
        self._idle: dict[Where, deque[Connection]] = {}
        self._gates: dict[str, tuple[asyncio.Semaphore, int]] = {}
        self._context: ssl.SSLContext | None = None
        self._unverified: dict[Peer, str] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def turn(self, name: str, work: "Callable[[], Awaitable[Delivered]]") -> Delivered:
        """Do the work as soon as fewer than the limit are under way to ``name``."""
        gate, users = self._gates.get(name) or (asyncio.Semaphore(self._limit), 0)
        self._gates[name] = gate, users + 1
        try:
            async with gate:
                return await work()
        finally:
            users = self._gates[name][1] - 1
            if users:
                self._gates[name] = gate, users
            else:
                del self._gates[name]

    def take(self, where: Where) -> Connection | None:
        """A connection that waits, if one does."""
        idle = self._idle.get(where)
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.tee.at_rest and now - connection.idle_since < self._keep_open:
                return connection
            connection.drop()
        return None

    def give(self, where: Where, connection: Connection) -> None:
        """Have a connection wait for the next message, or take leave."""
        connection.used += 1
        if not connection.tee.at_rest:
            connection.drop()
        elif connection.used >= MAX_USES or not self._keep_open:
            leaving = asyncio.create_task(connection.quit())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        else:
            connection.idle_since = asyncio.get_running_loop().time()
            idle = self._idle.setdefault(where, deque())
            idle.append(connection)
            if len(idle) > self._limit:
                idle.popleft().drop()

    async def open(self, peer: Peer, demand: Demand) -> Connection:
        """A new connection that meets the demand; raises :class:`CannotOpenError`."""
        if demand.encrypted:
            return await open_as_demanded(peer, self.terms, self._verifying, demand)
        connection = await open_session(peer, self.terms, self._verifying, skip=self._unverified.get(peer, ""))
        if connection.facts.certificate_error and len(self._unverified) < MAX_REMEMBERED:
            self._unverified[peer] = connection.facts.certificate_error
        return connection

    def _verifying(self) -> ssl.SSLContext:
        self._context = self._context or verifying(self.terms)
        return self._context

    async def close(self) -> None:
        """Take leave of every server."""
        waiting = [connection for idle in self._idle.values() for connection in idle]
        self._idle.clear()
        await asyncio.gather(*(connection.quit() for connection in waiting), *self._leaving)


class Delivery:
    """One job and the hosts that may take it."""

    def __init__(self, hops: Hops, job: Job, hosts: Sequence[str], port: int, finder: Finder) -> None:
        self._hops, self._job, self._hosts, self._port, self._finder = hops, job, hosts, port, finder
        self._failures: list[CannotOpenError] = []
        self._unproven: set[CannotOpenError] = set()
        """Those of hosts that had yet to show who they are: whoever stands between could have said it."""
        self._nowhere: list[Addresses] = []
        self._transaction: Transaction | None = None
        self._observations: list[Observation] = []
        self._session: Facts | None = None

    async def run(self) -> Delivered:
        """Deliver, or find out that nobody can be reached; raises nothing for what servers do."""
        for host in self._hosts:
            ruled = await self._finder.ruled(host)
            self._observations += ruled.observations
            if ruled.demand.refused:
                self._nowhere.append(
                    Addresses((), (), unknown=True, detail=f"{host} was not used: {ruled.demand.told}")
                )
                continue
            where = (host, self._port, ruled.demand.key)
            done = await self._idle(where) or await self._fresh(where, ruled.demand)
            if done:
                done.policy = ruled.demand.told
                return done
        return self._unreached()

    def interrupted(self) -> Delivered:
        """What is known when :meth:`run` was cancelled."""
        why = "the sending was cancelled"
        if self._transaction:
            return Delivered(self._transaction.endings(why), self._session, self._observations)
        return Delivered(self._same(Ending(Finish.DEFERRED, "connect", detail=why)), None, self._observations)

    async def _idle(self, where: Where) -> Delivered | None:
        while connection := self._hops.take(where):
            done = await self._over(where, connection)
            if done:
                return done
        return None

    async def _fresh(self, where: Where, demand: Demand) -> Delivered | None:
        host = where[0]
        found = await self._finder.addresses(host)
        self._observations += found.observations
        if not found.ips:
            self._nowhere.append(found)
        for ip in found.ips:
            try:
                connection = await self._hops.open(Peer(host, ip, self._port), demand)
            except CannotOpenError as problem:
                self._failures.append(problem)
                if demand.encrypted:
                    self._unproven.add(problem)
                continue
            done = await self._over(where, connection)
            if done:
                return done
        return None

    async def _over(self, where: Where, connection: Connection) -> Delivered | None:
        """The transaction over a connection; ``None`` where that turned out to be dead before it began."""
        reused = connection.used > 0
        transaction = self._transaction = Transaction(connection, self._job)
        self._session = connection.facts
        endings = await transaction.run()
        if reused and transaction.unheard:
            connection.drop()
            self._transaction = None
            return None
        transcript, digest = connection.transcript()
        session = replace(connection.facts, transcript=transcript, transcript_sha256=digest)
        self._hops.give(where, connection)
        return Delivered(endings, session, self._observations)

    def _unreached(self) -> Delivered:
        told = [str(problem) for problem in self._failures] + [found.detail for found in self._nowhere]
        detail = printable("; ".join(told), 1000)
        # One server that may answer later is enough to try again.
        open_ends = [p for p in self._failures if not self._refuses(p)]
        problem = next(iter(open_ends or self._failures[-1:]), None)
        if problem is None:
            unknown = any(found.unknown for found in self._nowhere)
            return self._end(Finish.DEFERRED if unknown else Finish.FAILED, None, detail)
        later = bool(open_ends) or any(found.unknown for found in self._nowhere)
        return self._end(Finish.DEFERRED if later else Finish.REFUSED, problem, detail)

    def _refuses(self, problem: CannotOpenError) -> bool:
        """Whether the server has said, once and for all, that it takes no message."""
        permanent = problem.reply is not None and problem.reply.permanent
        return permanent and problem.stage not in _NO_WORD and problem not in self._unproven

    def _end(self, finish: Finish, problem: CannotOpenError | None, detail: str) -> Delivered:
        stage = _STAGES.get(problem.stage, problem.stage) if problem else "connect"
        ending = Ending(finish, stage, problem.reply if problem else None, detail=detail)
        return Delivered(self._same(ending), problem.session if problem else None, self._observations)

    def _same(self, ending: Ending) -> tuple[Ending, ...]:
        return (ending,) * len(self._job.recipients)


_NO_WORD: Final = frozenset({"auth", "starttls"})
"""Steps at which a 5yz says nothing of the message: of credentials, or in plain text by whoever stands between."""
_STAGES: Final = {"greeting": "connect", "starttls": "ehlo", "auth": "ehlo"}
"""Steps that the record's vocabulary counts among others; the detail names them."""
