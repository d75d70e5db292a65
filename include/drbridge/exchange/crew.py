"""Requests on the wire: so many at once, the next ones in hand, and what landed waiting to be written down.

What lands within a moment is written in one transaction, as long as enough is in hand to keep the wire busy meanwhile.
How much is in hand grows with how fast the target answers: four times what landed since the ledger was looked into.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from drbridge.ledger.parcels import Claim, Settled

MOMENT_SECONDS = 0.1
MOMENTS_IN_HAND = 4


class Crew:
    """Carries claims side by side.

    Args:
        carry: sends one and says what came of it.
        hands: how many at once.
        ahead: how many more may be in hand, at most.
        built: how many of those are given to `carry` all the same, which builds them and waits until the wire is free.
    """

    def __init__(self, carry: Callable[[Claim], Awaitable[Settled]], hands: int, ahead: int, built: int = 0) -> None:
        self._carry, self._hands, self._ahead = carry, hands, ahead
        self._at_work = hands + min(built, ahead)
        self._waiting = deque[Claim]()
        self._tasks = set[asyncio.Task[None]]()
        self._landed: list[Settled] = []
        self._under_way = self._pace = 0
        self._error: BaseException | None = None
        self._news, self._runs_dry = asyncio.Event(), asyncio.Event()

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way, what has landed and was collected left out."""
        return self._under_way > 0

    @property
    def landed(self) -> tuple[Settled, ...]:
        """What landed and was not collected yet."""
        return tuple(self._landed)

    def room(self, far: bool = True) -> int:
        """How many more it takes now; unless it may reach far ahead, no more than go on the wire at once."""
        if self._error is not None:
            return 0
        in_hand = min(self._ahead, self._hands + MOMENTS_IN_HAND * self._pace) if far else 0
        return max(0, self._hands + in_hand - self._under_way)

    def take(self, claims: Iterable[Claim]) -> None:
        """Takes claims in hand, and begins as many as may go at once."""
        before = len(self._waiting)
        self._waiting.extend(claims)
        self._under_way += len(self._waiting) - before
        free = self._at_work - sum(not task.done() for task in self._tasks)
        for _ in range(min(len(self._waiting), free)):
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        self._note_dry()

    async def _work(self) -> None:
        while self._waiting:
            claim = self._waiting.popleft()
            self._note_dry()
            settled = await self._carry(claim)
            self._landed.append(settled)
            self._news.set()

    def _note_dry(self) -> None:
        if len(self._waiting) < self._hands:
            self._runs_dry.set()
        else:
            self._runs_dry.clear()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._error = error
            self._waiting.clear()
            self._news.set()

    def collect(self) -> list[Settled]:
        """What landed since it was last asked; after an error what had landed before is handed out first.

        Raises:
            Fenced: another worker has the lane.
        """
        landed, self._landed = self._landed, []
        if self._error is None:
            self._news.clear()
        elif not landed:
            raise self._error
        self._pace, self._under_way = len(landed), self._under_way - len(landed)
        return landed

    async def news(self, pause: float) -> None:
        """Returns when something landed that should be written now, or after so many seconds."""
        await _within(pause, self._news)
        if self._news.is_set() and self._error is None:
            await _within(MOMENT_SECONDS, self._runs_dry)

    async def end(self) -> None:
        """Gives up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _within(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
