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


async def mail_waits(flow: str) -> bool:
    """Whether messages or answers of a flow may go now and nobody works on them."""
    return flow in await _post_office().flows()


class _PostOffice:
    def __init__(self) -> None:
        self._lock, self._known, self._fresh_until = asyncio.Lock(), frozenset[str](), 0.0

    async def flows(self) -> frozenset[str]:
        async with self._lock:
            if time.monotonic() >= self._fresh_until:
                await self._look()
            return self._known

    async def _look(self) -> None:
        try:
            self._known, pause = await in_thread(_flows_with_mail), FRESH_SECONDS
        except Exception as error:
            log.warning("Cannot look for messages: %s", error)
            self._known, pause = frozenset(), SHY_SECONDS
        self._fresh_until = time.monotonic() + pause


def _flows_with_mail() -> frozenset[str]:
    from drbridge.exchange.mail import flows_with_mail

    return flows_with_mail(desk_for_worker())


@cache
def _post_office() -> _PostOffice:
    return _PostOffice()
