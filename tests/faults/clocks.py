"""Clocks that go wrong. A desk's clock is a port; leases are judged by the database's, which no worker can move."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class Wrong:
    """A clock that is ahead of the true time, or behind it."""

    ahead: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return time.monotonic()


class Frozen:
    """A clock that stands still, as on a machine that was stopped and does not know it."""

    def __init__(self) -> None:
        self._now, self._monotonic = datetime.now(UTC), time.monotonic()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic
