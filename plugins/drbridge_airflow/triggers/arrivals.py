"""Watching a flow's source, and waking the flow when a file is whole or a message is in the inbox."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from drbridge_airflow.triggers.eyes import Eyes
from drbridge_airflow.triggers.mail import lanes_with_mail

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 2.0
LOOK_AT_GROWING_EVERY_SECONDS = 1.0
LONGEST_BACK_OFF_SECONDS = 120.0
FIRST_REPEAT_SECONDS = 300.0
LONGEST_REPEAT_SECONDS = 3600.0
MOST_NAMES_IN_EVENT = 20
MAIL_EVERY_SECONDS = 1.0
MAIL_REPEAT_SECONDS = 10.0
LONGEST_MAIL_REPEAT_SECONDS = 120.0


@dataclass
class Fired:
    """Remembers which waiting files the flow was woken for, so that one file does not wake it at every look.

    A file that still waits is told again, first after five minutes, then at twice the time, at most every hour.
    Nothing of this needs to outlive the triggerer: waking once too often finds nothing to do.
    """

    first_repeat: float = FIRST_REPEAT_SECONDS
    longest_repeat: float = LONGEST_REPEAT_SECONDS
    _next: dict[str, tuple[float, float]] = field(default_factory=dict)

    def due(self, waiting: Sequence[str], now: float) -> list[str]:
        """The names to wake the flow for now."""
        self._next = {name: when for name, when in self._next.items() if name in set(waiting)}
        due = [name for name in waiting if name not in self._next or self._next[name][0] <= now]
        for name in due:
            pause = self._next[name][1] * 2 if name in self._next else self.first_repeat
            pause = min(pause, self.longest_repeat)
            self._next[name] = (now + pause, pause)
        return due


class Arrivals(BaseEventTrigger):
    """Wakes a flow when a file in its source, a folder or a bucket, is whole and waits, or a message does.

    It never ends by itself: Airflow does not start a watcher again. A network that fails is tried again, ever less
    often. DRBRIDGE_LOOK_SECONDS says how often it looks (default 2).

    Args:
        flow: whose source to look at.
    """

    def __init__(self, flow: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flow = flow

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The trigger as the database keeps it."""
        return f"{__name__}.Arrivals", {"flow": self.flow}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Looks for ever; an event says that files wait, and which, for the person who reads it."""
        eyes, fired, failures = Eyes(self.flow), Fired(), 0
        if await eyes.takes_messages():
            async for event in self._mail():
                yield event
            return
        try:
            while True:
                try:
                    due, unquiet = await self._look(eyes, fired)
                    failures = 0
                except Exception as error:
                    failures += 1
                    self.log.warning("Cannot look at the source of %s (%d in a row): %s", self.flow, failures, error)
                    await asyncio.sleep(back_off(failures))
                    continue
                if due:
                    found = {"flow": self.flow, "waiting": len(due), "files": due[:MOST_NAMES_IN_EVENT]}
                    yield TriggerEvent(found)  # type: ignore[no-untyped-call]
                await asyncio.sleep(min(look_every(), LOOK_AT_GROWING_EVERY_SECONDS) if unquiet else look_every())
        finally:
            await eyes.close()

    async def _mail(self) -> AsyncIterator[TriggerEvent]:
        """An event when messages or answers wait and nobody works on them; again ever less often, while runs do not.

        Each lane has its own patience: answers that wait while messages are sent keep no message from waking the flow.
        """
        fired = Fired(MAIL_REPEAT_SECONDS, LONGEST_MAIL_REPEAT_SECONDS)
        while True:
            await asyncio.sleep(MAIL_EVERY_SECONDS)
            if fired.due(await lanes_with_mail(self.flow), time.monotonic()):
                yield TriggerEvent({"flow": self.flow, "waiting": "messages"})  # type: ignore[no-untyped-call]

    async def _look(self, eyes: Eyes, fired: Fired) -> tuple[list[str], bool]:
        if not await eyes.is_on():
            return [], False
        seen = await eyes.look()
        return fired.due(seen.ready, time.monotonic()), bool(seen.unquiet)


def look_every() -> float:
    """Seconds between two looks."""
    return _seconds(os.environ.get("DRBRIDGE_LOOK_SECONDS") or str(LOOK_EVERY_SECONDS))


@cache
def _seconds(text: str) -> float:
    """What the setting says; a watcher never ends because of it, so what is no number of seconds is told and left."""
    with suppress(ValueError):
        if 0 < (seconds := float(text)) < float("inf"):
            return seconds
    log.warning(
        "DRBRIDGE_LOOK_SECONDS is %s, which is no number of seconds: looking every %.0f s. Next: correct the setting",
        text, LOOK_EVERY_SECONDS,
    )  # fmt: skip
    return LOOK_EVERY_SECONDS


def back_off(failures: int) -> float:
    """Seconds to stay away after so many failures in a row."""
    return random.uniform(1.0, min(LONGEST_BACK_OFF_SECONDS, look_every() * 2.0 ** min(failures, 10)))
