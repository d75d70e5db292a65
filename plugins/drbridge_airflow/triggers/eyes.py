"""Looking at a flow's source again and again over one kept connection, in a thread beside the triggerer's loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from drbridge_airflow.desk import desk_for_worker

if TYPE_CHECKING:
    from drbridge.exchange.desk import Desk
    from drbridge.exchange.waiting import Look
    from drbridge.exchange.work import Work
    from drbridge.ports import FileStore, Outside, RestTarget

log = logging.getLogger(__name__)

T = TypeVar("T")
THREADS = 16
RETRY_SECONDS = 30.0


class Eyes:
    """Looks at one flow's source. The connection stays open between looks and is made anew after a failure."""

    def __init__(self, flow: str, work: dict[str, Any] | None = None) -> None:
        self.flow = flow
        self._work = work or {}
        self._outside: _KeptOpen | None = None

    async def is_on(self) -> bool:
        """Whether the installation's profile has the flow."""
        return await in_thread(self._is_on)

    async def takes_messages(self) -> bool:
        """Whether what arrives for the flow are messages; settings that cannot be read are asked again later."""
        while True:
            try:
                return await in_thread(lambda: bool(desk_for_worker().systems.flow(self.flow).message))
            except Exception as error:
                log.warning("Cannot tell what %s takes: %s", self.flow, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def look(self) -> Look:
        """One look; a failure closes the connection and is raised."""
        try:
            return await in_thread(self._look)
        except Exception:
            await self.close()
            raise

    async def close(self) -> None:
        """Closes the connection, if one is open."""
        kept, self._outside = self._outside, None
        if kept is not None:
            await in_thread(kept.close)

    def _is_on(self) -> bool:
        systems = desk_for_worker().systems
        return systems.is_on(systems.flow(self.flow))

    def _look(self) -> Look:
        from drbridge.exchange.waiting import look
        from drbridge.exchange.work import Work

        desk: Desk = desk_for_worker()
        if self._outside is None:
            self._outside = _KeptOpen(desk.outside)
        work: Work = Work.model_validate(self._work)
        return look(replace(desk, outside=self._outside), self.flow, work)


class _KeptOpen:
    """An outside whose stores stay open when they are closed, until it is closed itself."""

    def __init__(self, outside: Outside) -> None:
        self._real = outside
        self._stores: dict[str, FileStore] = {}

    def store(self, url: str) -> FileStore:
        if url not in self._stores:
            self._stores[url] = self._real.store(url)
        return _Borrowed(self._stores[url])

    def target(self, conn_id: str) -> RestTarget:
        return self._real.target(conn_id)

    def close(self) -> None:
        while self._stores:
            _, store = self._stores.popitem()
            with suppress(Exception):
                store.close()


class _Borrowed:
    """A store whose user may not close it."""

    def __init__(self, store: FileStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def close(self) -> None:
        """Leaves it open for the next look."""


async def in_thread(work: Callable[[], T]) -> T:
    """Runs blocking work in a thread of ours, so that a dead server never holds up other triggers' threads."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), work)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="drbridge-eyes")
