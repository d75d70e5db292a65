"""Waiting for uploads to end, without holding a worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from drbridge.errors import DrBridgeError
from drbridge_airflow.triggers.eyes import Eyes

LOOK_EVERY_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 30.0


class FilesQuiet(BaseTrigger):
    """Ends as soon as a file of the flow is whole, or none is left, or half a minute has passed.

    Args:
        flow: whose source to look at.
        work: the run's window of work, as JSON.
    """

    def __init__(self, flow: str, work: dict[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flow = flow
        self.work = work

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The trigger as the database keeps it."""
        return f"{__name__}.FilesQuiet", {"flow": self.flow, "work": self.work}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Looks every two seconds; the worker, not the event, says which files it found."""
        eyes, started = Eyes(self.flow, self.work), time.monotonic()
        try:
            while time.monotonic() - started < LONGEST_WAIT_SECONDS:
                await asyncio.sleep(LOOK_EVERY_SECONDS)
                try:
                    seen = await eyes.look()
                except DrBridgeError as error:
                    self.log.warning("Cannot look now: %s", error)
                    continue
                if seen.ready or not seen.unquiet:
                    break
        finally:
            await eyes.close()
        waited = round(time.monotonic() - started, 1)
        yield TriggerEvent({"seconds": waited})  # type: ignore[no-untyped-call]
