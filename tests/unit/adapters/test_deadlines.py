from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from drbridge import loop
from drbridge.adapters.deadlines import Deadlines

FOREVER = 30.0


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(10):
            await test()

    loop.run(within())


async def limited(deadlines: Deadlines, seconds: float, lasts: float) -> bool:
    """Whether something that lasts so long is done within so many seconds."""
    try:
        await deadlines.within(seconds, asyncio.sleep(lasts))
    except TimeoutError:
        return False
    return True


def test_what_lasts_too_long_is_ended_and_what_does_not_is_left_alone() -> None:
    async def test() -> None:
        deadlines = Deadlines()
        ends = (limited(deadlines, 0.1, FOREVER), limited(deadlines, FOREVER, 0.3), limited(deadlines, 0.1, 0.0))
        assert await asyncio.gather(*ends) == [False, True, True]
        deadlines.close()

    run(test)


def test_each_ends_at_its_own_time_whichever_began_first() -> None:
    async def test() -> None:
        deadlines, order = Deadlines(), list[float]()

        async def ended(seconds: float) -> None:
            assert not await limited(deadlines, seconds, FOREVER)
            order.append(seconds)

        await asyncio.gather(*map(ended, (0.3, 0.1, 0.5, 0.2)))
        assert order == [0.1, 0.2, 0.3, 0.5]

    run(test)


def test_one_that_begins_after_all_others_are_done_is_ended_too() -> None:
    async def test() -> None:
        deadlines = Deadlines()
        assert await limited(deadlines, 0.05, 0.0)
        await asyncio.sleep(0.1)
        assert not await limited(deadlines, 0.05, FOREVER)
        assert await limited(deadlines, FOREVER, 0.0)
        assert not await limited(deadlines, 0.05, FOREVER)

    run(test)


def test_who_is_cancelled_from_elsewhere_is_cancelled_and_not_late() -> None:
    async def test() -> None:
        deadlines = Deadlines()
        task = asyncio.create_task(limited(deadlines, 0.2, FOREVER))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not await limited(deadlines, 0.2, FOREVER)

    run(test)


def test_closed_it_leaves_no_timer_behind() -> None:
    async def test() -> None:
        deadlines = Deadlines()
        assert await limited(deadlines, 0.05, 0.0)
        deadlines.close()
        deadlines.close()
        assert not await limited(deadlines, 0.05, FOREVER), "it can be used again"

    run(test)
