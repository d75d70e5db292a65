"""Calls that wait for their result: one look at the ledger for all of them, no thread and no worker for any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from drbridge.exchange.desk import Desk
from drbridge.exchange.results import settled_among

LOOK_EVERY_SECONDS = 0.25


class HeldCalls:
    """Wakes calls when the message they wait for is settled."""

    def __init__(self, desk: Callable[[], Desk]) -> None:
        self._desk = desk
        self._awaited: dict[str, list[asyncio.Future[None]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def until_settled(self, number: str, seconds: float) -> None:
        """Returns when the message is settled, or time is up."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(number, []).append(done)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(seconds):
                await done
        except TimeoutError:
            pass
        finally:
            self._forget(number, done)

    def _forget(self, number: str, done: asyncio.Future[None]) -> None:
        waiting = [each for each in self._awaited.get(number, ()) if each is not done]
        if waiting:
            self._awaited[number] = waiting
        else:
            self._awaited.pop(number, None)

    async def _look(self) -> None:
        while self._awaited:
            try:
                settled = await asyncio.to_thread(settled_among, self._desk(), list(self._awaited))
            except Exception:  # the ledger is away for a moment: the callers wait on, or are told to come back
                settled = set()
            for done in [each for number in settled for each in self._awaited.get(number, ())]:
                if not done.done():
                    done.set_result(None)
            await asyncio.sleep(LOOK_EVERY_SECONDS)
