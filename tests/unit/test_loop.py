from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from drbridge import loop


class OutOfTime(Exception):
    pass


async def nothing_happens() -> None:
    await asyncio.sleep(30)


async def much_happens() -> None:
    for _ in range(300_000):
        await asyncio.sleep(0.0001)


@contextmanager
def out_of_time() -> Iterator[None]:
    """Airflow ends a task that is out of time by an error from the handler of its alarm."""

    def handler(number: int, frame: FrameType | None) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("work", [nothing_happens, much_happens])
def test_an_error_from_a_signals_handler_ends_it(work: Callable[[], Coroutine[None, None, None]]) -> None:
    began = time.monotonic()
    with out_of_time(), pytest.raises(OutOfTime):
        loop.run(work())
    assert time.monotonic() - began < 10


def test_what_it_has_begun_is_put_in_order_when_it_is_ended() -> None:
    ended = list[str]()

    async def tidy() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.1)
            ended.append("tidied up")

    with out_of_time(), pytest.raises(OutOfTime):
        loop.run(tidy())
    assert ended == ["tidied up"]


def test_nothing_of_it_is_under_way_when_it_returns() -> None:
    ended, threads = list[str](), threading.active_count()

    def slow() -> None:
        time.sleep(0.3)
        ended.append("the transaction")

    async def leaves_a_thread_behind() -> str:
        asyncio.get_running_loop().run_in_executor(None, slow)
        await asyncio.sleep(0.05)
        return "done"

    assert loop.run(leaves_a_thread_behind()) == "done"
    assert ended == ["the transaction"]
    assert threading.active_count() == threads


def test_its_error_is_raised() -> None:
    async def fails() -> None:
        raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        loop.run(fails())
