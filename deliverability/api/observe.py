"""Rounds of observation: evaluate, fetch everything that turned out to be missing, evaluate again (DESIGN §4.1)."""

import sys
from collections.abc import Awaitable, Callable, Generator, Iterable
from datetime import datetime
from typing import Any, Generic, TypeVar

from deliverability.errors import UsageError
from deliverability.evidence.observation import CouldNotLook, Observation, Observations, Obstacle, Question

MAX_ROUNDS = 30  # SPF nests ten includes, each found only by reading the one before
MAX_QUESTIONS = 600  # of one command; a domain with everything needs about forty

T = TypeVar("T")
Observe = Callable[[Iterable[Question]], Awaitable[tuple[Observation, ...]]]


async def settle(
    step: Callable[[Observations], T | frozenset[Question]],
    observations: Observations,
    observe: Observe | None,
    now: datetime,
) -> tuple[T, Observations]:
    """Repeat ``step`` until it misses nothing.

    Without ``observe`` (a replay, ``--offline``), and past the limits, what is missing is put on record as *could
    not look*, never as absent.
    """
    asked = rounds = 0
    while True:
        reached = step(observations)
        if not isinstance(reached, frozenset):
            return reached, observations
        rounds += 1
        if observe is None:
            observations = observations.joined(_blanks(reached, Obstacle.OFFLINE, "the network was not asked", now))
        elif rounds > MAX_ROUNDS or asked + len(reached) > MAX_QUESTIONS:
            why = f"more than {MAX_QUESTIONS} questions or {MAX_ROUNDS} rounds"
            observations = observations.joined(_blanks(reached, Obstacle.LIMIT, why, now))
        else:
            asked += len(reached)
            await _Loop()
            got = await observe(sorted(reached, key=str))
            left = reached - {o.question for o in got}
            observations = observations.joined((*got, *_blanks(left, Obstacle.NETWORK, "no answer was kept", now)))


def _blanks(questions: Iterable[Question], obstacle: Obstacle, detail: str, now: datetime) -> list[CouldNotLook]:
    return [CouldNotLook(q, obstacle, detail, "", now) for q in questions]


class _Loop:
    """Awaited before the first thing that needs an event loop; under one it does nothing."""

    def __await__(self) -> Generator[None, None, None]:
        if not _running():
            yield


class _Rest(Generic[T]):
    """What is left of a coroutine that was begun."""

    def __init__(self, begun: Generator[Any, None, T]) -> None:
        self._begun = begun

    def __await__(self) -> Generator[Any, None, T]:
        return self._begun


def blocking(work: Callable[[], Awaitable[T]], name: str) -> T:
    """Run an async use case to its end; inside a running loop say which function to await instead."""
    _refuse_loop(name)
    import asyncio

    async def main() -> T:
        return await work()

    return asyncio.run(main())


def settling(work: Callable[[], Awaitable[T]], name: str) -> T:
    """:func:`blocking` for what waits for nothing but :func:`settle`: an event loop is made when something is asked.

    Importing one takes as long as looking through a small log.
    """
    _refuse_loop(name)
    begun = work().__await__()
    try:
        next(begun)
    except StopIteration as done:
        result: T = done.value
        return result
    return blocking(lambda: _Rest(begun), name)


def _refuse_loop(name: str) -> None:
    if _running():
        raise UsageError(f"{name}() blocks and an event loop is running here: use 'await {name}_async(…)'")


def _running() -> bool:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
