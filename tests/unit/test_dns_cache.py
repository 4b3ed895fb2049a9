"""What is kept, for how long, and that one question is asked once."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from deliverability.capture.dns_cache import CONNECTION_SECONDS, FAILURE_SECONDS, MAX_SECONDS, DnsCache, lifetime
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    HttpsAnswer,
    HttpsQuestion,
    Observation,
    Obstacle,
    Question,
    Rcode,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def answer(name: str = "a.example", ttl: int | None = 60, wire: bytes = b"") -> DnsAnswer:
    return DnsAnswer(DnsQuestion(name, "A"), Rcode.NOERROR, (), name, ttl, "192.0.2.53:53", NOW, wire=wire)


def failure(name: str = "a.example", obstacle: Obstacle = Obstacle.TIMEOUT) -> CouldNotLook:
    return CouldNotLook(DnsQuestion(name, "A"), obstacle, "", "", NOW)


@pytest.mark.parametrize(
    ("observation", "seconds"),
    [
        (answer(ttl=60), 60),
        (answer(ttl=0), 0),
        (answer(ttl=None), 0),  # negative, without an SOA: RFC 2308 §5
        (answer(ttl=10**6), MAX_SECONDS),
        (failure(), FAILURE_SECONDS),
        (failure(obstacle=Obstacle.SERVFAIL), FAILURE_SECONDS),
        (HttpsAnswer(HttpsQuestion("https://a.example/"), 200, "text/plain", b"x", None, NOW), CONNECTION_SECONDS),
        (failure(obstacle=Obstacle.LIMIT), 0),
        (failure(obstacle=Obstacle.OFFLINE), 0),
    ],
)
def test_how_long_each_observation_holds(observation: Observation, seconds: float) -> None:
    assert lifetime(observation) == seconds


def test_an_answer_is_given_until_its_time_is_over() -> None:
    clock = Clock()
    cache = DnsCache(clock=clock)
    cache.put(answer(ttl=60, wire=b"x" * 10))
    clock.now = 59.9
    assert cache.get(DnsQuestion("a.example", "A")) == answer(ttl=60, wire=b"x" * 10)  # as it was observed
    assert cache.octets == 10
    clock.now = 60
    assert cache.get(DnsQuestion("a.example", "A")) is None
    assert (len(cache), cache.octets) == (0, 0)


def test_a_newer_answer_takes_the_place_of_the_older() -> None:
    cache = DnsCache()
    cache.put(answer(wire=b"x" * 10))
    cache.put(answer(wire=b"x" * 3))
    assert (len(cache), cache.octets) == (1, 3)
    cache.put(answer(ttl=0))
    assert (len(cache), cache.octets) == (0, 0)


def test_the_least_recently_used_makes_room() -> None:
    cache = DnsCache(max_entries=2)
    cache.put(answer("a.example"))
    cache.put(answer("b.example"))
    cache.get(DnsQuestion("a.example", "A"))
    cache.put(answer("c.example"))
    assert cache.get(DnsQuestion("b.example", "A")) is None
    assert cache.get(DnsQuestion("a.example", "A")) is not None


def test_octets_are_bounded_too() -> None:
    cache = DnsCache(max_octets=100)
    for n in range(10):
        cache.put(answer(f"n{n}.example", wire=b"x" * 30))
    assert cache.octets <= 100
    cache.put(answer("big.example", wire=b"x" * 101))
    assert (len(cache), cache.octets) == (0, 0)


class Asker:
    """Answers after a turn of the loop, and counts."""

    def __init__(self, ttl: int | None = 60) -> None:
        self.asked: Counter[str] = Counter()
        self.ttl = ttl
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, question: Question) -> Observation:
        assert isinstance(question, DnsQuestion)
        self.asked[question.name] += 1
        await self.gate.wait()
        await asyncio.sleep(0)
        return answer(question.name, self.ttl)


def test_a_question_under_way_is_not_asked_again() -> None:
    async def main() -> None:
        cache, ask = DnsCache(), Asker(ttl=0)  # of no use later, but for all who wait now
        questions = [DnsQuestion(f"n{n}.example", "A") for n in range(3)]
        found = await asyncio.gather(*(cache.look_all(questions, ask) for _ in range(20)))
        assert set(ask.asked.values()) == {1}
        assert len(set(found)) == 1
        assert [o.question for o in found[0]] == questions
        await cache.look_all(questions, ask)
        assert set(ask.asked.values()) == {2}

    asyncio.run(main())


def test_whoever_gives_up_does_not_stop_the_others() -> None:
    async def main() -> None:
        cache, ask = DnsCache(), Asker()
        ask.gate.clear()
        question = DnsQuestion("a.example", "A")
        first = asyncio.ensure_future(cache.look_all([question], ask))
        second = asyncio.ensure_future(cache.look_all([question], ask))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        ask.gate.set()
        assert (await second)[0] == answer()
        assert ask.asked["a.example"] == 1
        assert first.cancelled()

    asyncio.run(main())


def test_closing_stops_what_is_under_way() -> None:
    async def main() -> None:
        cache, ask = DnsCache(), Asker()
        ask.gate.clear()
        waiting = asyncio.ensure_future(cache.look_all([DnsQuestion("a.example", "A")], ask))
        await asyncio.sleep(0)
        await cache.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())


def test_what_asking_raises_is_not_kept() -> None:
    async def broken(_question: Question) -> Observation:
        raise RuntimeError("boom")

    async def main() -> None:
        cache = DnsCache()
        with pytest.raises(RuntimeError):
            await cache.look_all([DnsQuestion("a.example", "A")], broken)
        assert (await cache.look_all([DnsQuestion("a.example", "A")], Asker()))[0] == answer()

    asyncio.run(main())


def test_what_is_posted_is_settled_for_all_who_wait() -> None:
    async def main() -> None:
        cache, ask, posted = DnsCache(), Asker(), []

        def post(question: Question) -> bool:
            posted.append(question)
            return True

        question = DnsQuestion("a.example", "A")
        waiting = [asyncio.ensure_future(cache.look_all([question], ask, post)) for _ in range(3)]
        await asyncio.sleep(0)
        cache.settle(answer())
        assert [await one for one in waiting] == [(answer(),)] * 3
        assert (posted, ask.asked.total()) == ([question], 0)
        assert cache.get(question) == answer()

    asyncio.run(main())


def test_what_cannot_be_posted_is_asked() -> None:
    async def main() -> None:
        cache, ask = DnsCache(), Asker()
        assert await cache.look_all([DnsQuestion("a.example", "A")], ask, lambda _question: False) == (answer(),)
        assert ask.asked["a.example"] == 1

    asyncio.run(main())


def test_who_waits_for_what_was_posted_hears_that_nothing_comes_of_it() -> None:
    async def main() -> None:
        cache, question = DnsCache(), DnsQuestion("a.example", "A")
        waiting = asyncio.ensure_future(cache.look_all([question], Asker(), lambda _question: True))
        await asyncio.sleep(0)
        cache.give_up(question, RuntimeError("boom"))
        with pytest.raises(RuntimeError):
            await waiting
        assert await cache.look_all([question], Asker()) == (answer(),)

    asyncio.run(main())
