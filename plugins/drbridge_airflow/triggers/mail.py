"""Whether messages wait: one look at the ledger a second, for all the watchers of this process together."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import cache

from drbridge_airflow.desk import desk_for_worker
from drbridge_airflow.triggers.eyes import in_thread

log = logging.getLogger(__name__)

FRESH_SECONDS = 0.8
SHY_SECONDS = 15.0


async def lanes_with_mail(flow: str) -> list[str]:
    """The lanes of a flow in which messages or answers may go now and nobody works on them."""
    return [lane for lane, its in (await _post_office().lanes()).items() if its == flow]


class _PostOffice:
    def __init__(self) -> None:
        self._lock, self._known, self._fresh_until = asyncio.Lock(), dict[str, str](), 0.0

    async def lanes(self) -> dict[str, str]:
        async with self._lock:
            if time.monotonic() >= self._fresh_until:
                await self._look()
            return self._known

    async def _look(self) -> None:
        try:
            self._known, pause = await in_thread(_all_lanes), FRESH_SECONDS
        except Exception as error:
            log.warning("Cannot look for messages: %s", error)
            self._known, pause = {}, SHY_SECONDS
        self._fresh_until = time.monotonic() + pause


def _all_lanes() -> dict[str, str]:
    from drbridge.exchange import mail

    return mail.lanes_with_mail(desk_for_worker())


@cache
def _post_office() -> _PostOffice:
    return _PostOffice()
