"""Event loops on threads of their own, so that synchronous code can use asynchronous clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


class LoopThread:
    """Runs coroutines on a private thread; `close` ends it and whatever still runs there.

    The thread that waits is the one that signals are for: Airflow ends a task that is out of time, or that somebody
    stops, by an error from a signal's handler. On the thread of the loop it would be lost inside uvloop.
    """

    def __init__(self, name: str, new_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop) -> None:
        self.loop = new_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            left = asyncio.all_tasks(self.loop)
            for task in left:
                if not task.cancelling():  # a second time would cut off what puts things in order after the first
                    task.cancel()
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Waits for the coroutine's result; when the wait itself is cut short the coroutine is cancelled."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self, patience: float | None = 10.0) -> None:
        """Ends it; waits so many seconds for what runs there to end, or however long it takes."""
        if self.loop.is_closed():
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(patience)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs one coroutine to its end on a loop of its own; nothing of it is under way any more when this returns."""
    thread = LoopThread("loop")
    try:
        return thread.run(coroutine)
    finally:
        thread.close(patience=None)
