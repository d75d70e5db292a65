"""Deadlines of many calls, kept by one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from math import inf
from typing import TypeVar

T = TypeVar("T")


class Deadlines:
    """Ends calls that are not done in time. Used inside one event loop.

    The one timer is set for what is due first. With a timer for each of thousands of calls a second, setting them and
    taking them back would be a twenty-fifth of a sender's work (decision 0041).
    """

    def __init__(self) -> None:
        self._due = dict[asyncio.Timeout, float]()
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, seconds: float, call: Awaitable[T]) -> T:
        """The result of a call.

        Raises:
            TimeoutError: it is not done within so many seconds.
        """
        async with asyncio.timeout(None) as limit:
            loop = asyncio.get_running_loop()
            due = self._due[limit] = loop.time() + seconds
            if self._timer is None or due < self._timer.when():
                self._set(loop, due)
            try:
                return await call
            finally:
                del self._due[limit]

    def close(self) -> None:
        """Takes the timer back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self.close()
        self._timer = loop.call_at(due, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, now = None, loop.time()
        for limit in [each for each, due in self._due.items() if due <= now]:
            self._due[limit] = inf
            limit.reschedule(now)
        if (first := min(self._due.values(), default=inf)) < inf:
            self._set(loop, first)
