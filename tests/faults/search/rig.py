"""Real ledger code on virtual time: one database in memory that a search winds back as often as it likes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import pytest

from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade

T = TypeVar("T")

NOON = datetime(2026, 7, 14, 12, tzinfo=UTC).timestamp()
JULIAN_DAY_OF_1970 = 2440587.5


class Time:
    """A clock that moves when it is told to: the worker's and the database's."""

    def __init__(self) -> None:
        self.seconds = NOON

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


class Book(Protocol):
    """A ledger that a play is played on."""

    ledger: Ledger

    def take(self) -> bytes:
        """The content as it is now: the same bytes for the same content."""
        ...

    def put(self, image: bytes) -> None:
        """Winds the content back, where it can be."""
        ...

    def rows(self, look: str) -> list[tuple[Any, ...]]: ...


class Memory:
    """A ledger in memory: its content is an image that can be taken and put back."""

    def __init__(self, time: Time) -> None:
        self.ledger = Ledger("sqlite://")
        with self.ledger.engine.connect() as connection:
            self.driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        self.driver.create_function("julianday", 1, lambda _: time.seconds / 86400.0 + JULIAN_DAY_OF_1970)
        self.driver.execute("PRAGMA page_size=1024")
        upgrade(self.ledger)

    def take(self) -> bytes:
        """The content as it is now."""
        return self.driver.serialize()

    def put(self, image: bytes) -> None:
        """Winds the content back."""
        self.driver.deserialize(image)

    def rows(self, look: str) -> list[tuple[Any, ...]]:
        return self.driver.execute(look).fetchall()


async def directly(function: Callable[..., T], *given: Any) -> T:
    """Stands for asyncio.to_thread where a worker is driven by hand: no thread, no loop."""
    return function(*given)


@contextmanager
def by_hand() -> Iterator[pytest.MonkeyPatch]:
    """Workers can be driven step by step; nothing waits between two tries, so that nothing hides behind a wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "to_thread", directly)
        patch.setattr("drbridge.exchange.outcomes.back_off", lambda _: 0.0)
        yield patch
