"""Answers kept while they hold, for all questions of one run.

RFC 1035 §3.2.1 (TTL), RFC 2308 §5 (a negative answer holds as its SOA says; without one it is not kept), RFC 9520
§3.2 (a failure is remembered for a short while, lest every domain behind a dead server wait for it anew).  What is
kept is the observation as it was made: its time and TTL are those of the look-up.  What was seen of other servers (HTTPS,
SMTP) is kept the same way, so that nobody is knocked at again for every domain that names them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    HttpsAnswer,
    Observation,
    Obstacle,
    Question,
    SmtpAnswer,
)

MAX_SECONDS: Final = 86_400
"""No answer is kept longer than a day, whatever its TTL."""
FAILURE_SECONDS: Final = 30
"""How long *could not look* is kept: RFC 9520 §3.2 asks for a second at least and five minutes at most."""
CONNECTION_SECONDS: Final = 3600
"""How long it is kept what a web or mail server said; there is no TTL for it."""
MAX_ENTRIES: Final = 10_000
MAX_OCTETS: Final = 32 << 20
"""Of the responses that the kept answers came in."""

_UNKEPT: Final = frozenset({Obstacle.LIMIT, Obstacle.OFFLINE})  # these say something of the asking, not of the name

Ask = Callable[[Question], Awaitable[Observation]]
Post = Callable[[Question], bool]
"""Asks at once without waiting, and says whether it could; the answer comes through :meth:`DnsCache.settle`, later."""


@dataclass(slots=True)
class _Entry:
    observation: Observation
    until: float
    octets: int


class DnsCache:
    """Answers of one run, the least recently used given up first.

    For one session at a time, which closes it; bounded in entries and octets.
    """

    def __init__(
        self,
        *,
        max_entries: int = MAX_ENTRIES,
        max_octets: int = MAX_OCTETS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entries: dict[Question, _Entry] = {}
        self._asking: dict[Question, asyncio.Future[Observation]] = {}
        self._max_entries = max_entries
        self._max_octets = max_octets
        self._octets = 0
        self._clock = clock

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def octets(self) -> int:
        """Of the responses kept."""
        return self._octets

    def get(self, question: Question) -> Observation | None:
        """What is on record and still holds."""
        entry = self._entries.pop(question, None)
        if entry is None:
            return None
        if entry.until <= self._clock():
            self._octets -= entry.octets
            return None
        self._entries[question] = entry  # used last, given up last
        return entry.observation

    def put(self, observation: Observation) -> None:
        """Keep an observation for as long as it holds; one that does not hold at all is not kept."""
        question = observation.question
        seconds = lifetime(observation)
        known = self._entries.pop(question, None)
        self._octets -= known.octets if known else 0
        if seconds <= 0:
            return
        octets = _octets(observation)
        self._entries[question] = _Entry(observation, self._clock() + seconds, octets)
        self._octets += octets
        while len(self._entries) > self._max_entries or self._octets > self._max_octets:
            self._octets -= self._entries.pop(next(iter(self._entries))).octets

    async def look_all(
        self, questions: Iterable[Question], ask: Ask, post: Post | None = None
    ) -> tuple[Observation, ...]:
        """One observation for each question, in order: kept, already being asked, or asked now.

        Whoever waits may be cancelled; what is being asked goes on for the others.  ``post`` asks without a task of its
        own where it can, and :meth:`settle` is told what came of it.
        """
        found: list[Observation | asyncio.Future[Observation]] = []
        for question in questions:
            kept = self.get(question) or self._asking.get(question)
            if kept is None and post is not None and post(question):
                kept = self._asking[question] = asyncio.get_running_loop().create_future()
            found.append(kept or self._ask(question, ask))
        waiting = [one for one in found if isinstance(one, asyncio.Future)]
        if waiting:
            await _all_done(waiting)
        return tuple(one.result() if isinstance(one, asyncio.Future) else one for one in found)

    def settle(self, observation: Observation) -> None:
        """What came of a question that was posted."""
        self.put(observation)
        asked = self._asking.pop(observation.question, None)
        if asked is not None and not asked.done():
            asked.set_result(observation)

    def give_up(self, question: Question, problem: BaseException) -> None:
        """Nothing will come of a question that was posted: whoever waits for it is told."""
        asked = self._asking.pop(question, None)
        if asked is not None and not asked.done():
            asked.set_exception(problem) if isinstance(problem, Exception) else asked.cancel()

    async def close(self) -> None:
        """Stop what is still being asked."""
        left = list(self._asking.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _ask(self, question: Question, ask: Ask) -> "asyncio.Task[Observation]":
        task = self._asking[question] = asyncio.ensure_future(self._asked(question, ask))
        return task

    async def _asked(self, question: Question, ask: Ask) -> Observation:
        try:
            observation = await ask(question)
            self.put(observation)
            return observation
        finally:
            del self._asking[question]


async def _all_done(tasks: Sequence[asyncio.Future[Observation]]) -> None:
    """Until every one is done, however it ends; :func:`asyncio.wait` does more, and takes longer."""
    over = asyncio.get_running_loop().create_future()
    left = len(tasks)

    def one_done(_task: asyncio.Future[Observation]) -> None:
        nonlocal left
        left -= 1
        if not left and not over.done():
            over.set_result(None)

    for task in tasks:
        task.add_done_callback(one_done)
    await over


def lifetime(observation: Observation) -> float:
    """Seconds for which an observation may be used again; 0: for its own question only."""
    if isinstance(observation, DnsAnswer):
        return min(max(observation.ttl or 0, 0), MAX_SECONDS)
    if isinstance(observation, CouldNotLook):
        return 0 if observation.obstacle in _UNKEPT else FAILURE_SECONDS
    return CONNECTION_SECONDS


def _octets(observation: Observation) -> int:
    match observation:
        case DnsAnswer():
            return len(observation.wire)
        case HttpsAnswer():
            return len(observation.body)
        case SmtpAnswer():
            return len(observation.certificate) + sum(len(certificate) for certificate in observation.chain)
        case CouldNotLook():
            return 0
