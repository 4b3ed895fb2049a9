"""The gate before the DNS: so many at once, in turn, and nobody's place is lost."""

import asyncio

from deliverability.capture.dns_gate import Gate


def test_so_many_get_in_at_once_and_no_more() -> None:
    gate = Gate(2)
    assert [gate.enter_now() for _ in range(3)] == [True, True, False]
    gate.leave()
    assert gate.enter_now()


def test_whoever_waits_comes_before_whoever_does_not() -> None:
    async def main() -> list[str]:
        gate, order = Gate(1), []

        async def wait(name: str) -> None:
            await gate.enter()
            order.append(name)

        assert gate.enter_now()
        first, second = (asyncio.ensure_future(wait(name)) for name in "ab")
        await asyncio.sleep(0)
        gate.leave()
        assert not gate.enter_now()  # the place is the first one's already
        await first
        gate.leave()
        await second
        return order

    assert asyncio.run(main()) == ["a", "b"]


def test_a_place_given_to_somebody_who_is_gone_goes_to_the_next() -> None:
    async def main() -> bool:
        gate = Gate(1)
        assert gate.enter_now()
        gone, next_one = (asyncio.ensure_future(gate.enter()) for _ in range(2))
        await asyncio.sleep(0)
        gate.leave()
        gone.cancel()
        await asyncio.wait_for(next_one, 5)
        return gone.cancelled()

    assert asyncio.run(main())


def test_whoever_gives_up_waiting_takes_no_place() -> None:
    async def main() -> bool:
        gate = Gate(1)
        assert gate.enter_now()
        gone = asyncio.ensure_future(gate.enter())
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        gate.leave()
        return gate.enter_now()

    assert asyncio.run(main())
