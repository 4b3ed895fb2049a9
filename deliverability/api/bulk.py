"""Many domains at once: one set of sockets, one cache, and no more in memory than what is under way.

``check --file`` and importers use the same generator: names go in as they are read, results come out as they are
done, each with its place in the input.
"""

import asyncio
import gc
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
)
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from deliverability import assess as assessing
from deliverability.api import facts
from deliverability.api.ahead import ahead, either, first_questions
from deliverability.api.observe import Observe, blocking, settle
from deliverability.api.requests import Request
from deliverability.api.rounds import Peek, Rounds
from deliverability.errors import UsageError
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.observation import (
    DnsQuestion,
    HttpsQuestion,
    Observation,
    Question,
    SmtpProbe,
)

if TYPE_CHECKING:
    from deliverability.capture.dns import DnsObserver, DnsSession

MAX_JOBS: Final = 1000
QUESTIONS_PER_JOB: Final = 8
"""What a domain asks at once, about; the network is never asked more than that for each job."""

MAX_CONNECTIONS: Final = 32
"""To web and mail servers, at once."""

COLLECT_EVERY: Final = 20_000
"""Objects that may come to stand in memory, of a list that is checked, before cycles are looked for: a few MiB."""

Joined = Callable[["DnsSession"], Observe]


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one name."""

    index: int
    """Its place in the input, from 0."""
    name: str
    """As it was given: foreign text."""
    assessment: Assessment | None
    problem: str | None = None
    """Why there is no assessment, fit to be printed."""
    defect: bool = False
    """The problem is a defect of ours, not one of the name."""


async def check_domains(
    names: Iterable[str] | AsyncIterable[str],
    request: Request,
    *,
    jobs: int = 50,
    observe: Joined | None = None,
) -> AsyncGenerator[Checked, None]:
    """Everything that can be said of each domain before anything is sent, in the order in which they are done.

    At most ``jobs`` domains are under way, and twice as many held; a name that is no domain gives a
    :class:`Checked` that says so.  What ``names`` raises is passed on, after what was under way.  ``observe`` makes an
    observer from the session that asks the DNS; without it, web and mail servers are asked too where the request asks
    for checks that need it.  Whoever stops early closes the generator (``contextlib.aclosing``).
    """
    request = request.checked()
    if not 1 <= jobs <= MAX_JOBS:
        raise UsageError(f"--jobs {jobs}: give 1 to {MAX_JOBS}")
    checks = assessing.load_checks()
    shared: dict[object, Any] = {}
    async with AsyncExitStack() as stack:
        look: Observe | None = None
        peek: Peek | None = None
        if not request.network.offline:
            session = await stack.enter_async_context(dns_observer(request, jobs).session())
            peek = session.peek
            if observe:
                look = observe(session)
            elif request.asked():
                look = await stack.enter_async_context(_connecting(session))
            else:
                look = _dns_only(session)

        first = first_questions(request, checks) if look else ()

        async def one(index: int, name: str) -> Checked:
            now = request.now or datetime.now(UTC)
            try:
                base = facts.of_domain(request, name, now)
                known = await ahead(first, base, request, look) if look else {}
                rounds = Rounds(base, checks, peek=either(known, peek), shared=shared)
                assessment, _ = await settle(rounds, request.observations, look, now)
            except UsageError as problem:
                return Checked(index, name, None, str(problem))
            except Exception as problem:  # noqa: BLE001 - one domain's defect must not take the other thousands with it
                return Checked(index, name, None, f"a defect of ours ({type(problem).__name__})", defect=True)
            return Checked(index, name, assessment)

        source = _numbered(names)
        stack.push_async_callback(source.aclose)
        results = _parallel(source, one, jobs)
        stack.push_async_callback(results.aclose)
        async for result in results:
            yield result


def check_list(names: Iterable[str], request: Request, *, jobs: int, emit: Callable[[Checked], None]) -> None:
    """:func:`check_domains`, blocking: ``emit`` gets each result as soon as it is there."""

    async def run() -> None:
        async with aclosing(check_domains(names, request, jobs=jobs)) as results:
            async for result in results:
                emit(result)

    with _collecting_seldom():
        blocking(run, "check_list")


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Python's search for cycles, every few hundred objects, takes a tenth of the time here and finds next to nothing."""
    usual = gc.get_threshold()
    gc.freeze()  # what the modules hold
    gc.set_threshold(COLLECT_EVERY, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def dns_observer(request: Request, jobs: int) -> "DnsObserver":
    """An observer as the request sets it up, for so many domains at once."""
    from deliverability.capture.dns import DnsObserver, parse_nameserver

    servers = request.network.nameservers or request.configuration.nameservers
    return DnsObserver(
        nameservers=tuple(parse_nameserver(server) for server in servers),
        timeout_seconds=request.network.timeout,
        concurrency=max(64, jobs * QUESTIONS_PER_JOB),
    )


def _dns_only(session: "DnsSession") -> Observe:
    async def observe(questions: Iterable[Question]) -> tuple[Observation, ...]:
        return await session.observe(q for q in questions if isinstance(q, DnsQuestion))

    return observe


@asynccontextmanager
async def _connecting(session: "DnsSession") -> AsyncIterator[Observe]:
    """Asks web and mail servers too, each once however many domains name it, and not too many at the same time."""
    from deliverability.capture._connect import resolver
    from deliverability.capture.dns_cache import DnsCache
    from deliverability.capture.https import HttpsObserver
    from deliverability.capture.smtp_probe import SmtpObserver

    resolve = resolver(cast("DnsObserver", session))  # which observes just as an observer does
    https, smtp = HttpsObserver(resolve=resolve), SmtpObserver(resolve=resolve)
    kept, gate = DnsCache(), asyncio.Semaphore(MAX_CONNECTIONS)

    async def connect(question: Question) -> Observation:
        async with gate:
            if isinstance(question, HttpsQuestion):
                return (await https.observe((question,)))[0]
            if isinstance(question, SmtpProbe):
                return (await smtp.observe((question,)))[0]
            return (await session.observe((question,)))[0]

    async def observe(questions: Iterable[Question]) -> tuple[Observation, ...]:
        wanted = tuple(questions)
        others = [question for question in wanted if not isinstance(question, DnsQuestion)]
        answers, seen = await asyncio.gather(
            session.observe(q for q in wanted if isinstance(q, DnsQuestion)), kept.look_all(others, connect)
        )
        return (*answers, *seen)

    try:
        yield observe
    finally:
        await kept.close()


# --- many at once -----------------------------------------------------------------------------------------------------


async def _numbered(names: Iterable[str] | AsyncIterable[str]) -> AsyncGenerator[tuple[int, str], None]:
    index = 0
    if isinstance(names, AsyncIterable):
        async for name in names:
            yield index, name
            index += 1
    else:
        for name in names:
            yield index, name
            index += 1


async def _parallel(
    source: AsyncIterator[tuple[int, str]], work: Callable[[int, str], Awaitable[Checked]], jobs: int
) -> AsyncGenerator[Checked, None]:
    """``jobs`` workers share one source; whoever reads the results too slowly holds them up."""
    results: asyncio.Queue[Checked | None] = asyncio.Queue()
    room, turn = asyncio.Semaphore(2 * jobs), asyncio.Lock()

    async def worker() -> None:
        while True:
            await room.acquire()
            async with turn:  # a generator is asked by one at a time
                item = await anext(source, None)
            if item is None:
                return
            results.put_nowait(await work(*item))

    async def run() -> None:
        workers = [asyncio.ensure_future(worker()) for _ in range(jobs)]
        try:
            await asyncio.gather(*workers)
        finally:
            for one in workers:
                one.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            results.put_nowait(None)

    running = asyncio.ensure_future(run())
    try:
        while (result := await results.get()) is not None:
            room.release()
            yield result
        await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
