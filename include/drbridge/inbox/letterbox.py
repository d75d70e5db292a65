"""Writing down what many callers post at once in few transactions, each told only when its message is safe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from drbridge.errors import RetryLater
from drbridge.exchange.accept import Post, Receipt, accept
from drbridge.exchange.desk import Desk

MOST_AT_ONCE = 200


class Letterbox:
    """Takes posts from any number of callers of one event loop.

    While one transaction runs, the posts that come wait for the next: the more callers, the fewer transactions a post.
    """

    def __init__(self, desk: Callable[[], Desk]) -> None:
        self._desk = desk
        self._waiting: list[tuple[Post, asyncio.Future[Receipt]]] = []
        self._working: asyncio.Task[None] | None = None

    async def put(self, post: Post) -> Receipt:
        """Writes a post down; returns after the commit.

        Raises:
            DrBridgeError: it could not be written, and is not.
        """
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((post, done))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await done

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            try:
                receipts = await asyncio.to_thread(accept, self._desk(), [post for post, _ in batch])
            except Exception as error:
                await self._one_by_one(batch, error)
                continue
            for (_, done), receipt in zip(batch, receipts, strict=True):
                _settle(done, receipt)

    async def _one_by_one(self, batch: list[tuple[Post, asyncio.Future[Receipt]]], error: Exception) -> None:
        """One of them cannot be written: the others must not suffer for it."""
        if len(batch) == 1 or isinstance(error, RetryLater):
            for _, done in batch:
                _settle(done, error)
            return
        for post, done in batch:
            try:
                receipts = await asyncio.to_thread(accept, self._desk(), [post])
                _settle(done, receipts[0])
            except Exception as own:
                _settle(done, own)


def _settle(done: asyncio.Future[Receipt], what: Receipt | Exception) -> None:
    if done.done():  # its caller hung up
        return
    if isinstance(what, Exception):
        done.set_exception(what)
    else:
        done.set_result(what)
