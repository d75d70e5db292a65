"""The same plays on PostgreSQL: its clock is ours, for a function of ours stands before its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2

from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.ledger.tables import metadata
from tests.faults.search.rig import NOON, Time
from tests.postgres import cluster

LOOK_HERE_FIRST = "-csearch_path=ours,pg_catalog,public"
CLOCK = """
create schema ours;
create table ours.clock (seconds float8);
insert into ours.clock values (0);
create function ours.clock_timestamp() returns timestamptz
    language sql volatile as 'select to_timestamp(seconds) from ours.clock';
"""
KEPT = ("parcels", "deliveries", "leases", "targets", "standings", "attempts")


class SharedTime(Time):
    """A clock that the database reads as well."""

    def __init__(self, driver: Any) -> None:
        self._driver, self._seconds = driver, 0.0
        self.seconds = NOON

    @property  # type: ignore[override]
    def seconds(self) -> float:
        return self._seconds

    @seconds.setter
    def seconds(self, now: float) -> None:
        if now != self._seconds:
            self._driver.cursor().execute("update ours.clock set seconds = %s", (now,))
            self._seconds = now


class Shared:
    """A ledger on PostgreSQL; what is done in it stays done."""

    def __init__(self, url: str) -> None:
        self.driver = psycopg2.connect(url.replace("+psycopg2", ""), options=LOOK_HERE_FIRST)
        self.driver.autocommit = True
        self.driver.cursor().execute(CLOCK)
        self.time = SharedTime(self.driver)
        self.ledger = Ledger(f"{url}?options={LOOK_HERE_FIRST.replace('=', '%3D')}")
        upgrade(self.ledger)

    @contextmanager
    def emptied(self) -> Iterator[tuple[Shared, Time]]:
        """Nothing is left in it, and it is noon again."""
        names = ", ".join(table.name for table in metadata.sorted_tables)
        self.driver.cursor().execute(f"truncate {names} restart identity cascade")
        self.time.seconds = NOON
        yield self, self.time

    def take(self) -> bytes:
        return repr([self.rows(f"select * from {name} order by 1") for name in KEPT]).encode()

    def put(self, image: bytes) -> None:
        pass

    def rows(self, look: str) -> list[tuple[Any, ...]]:
        cursor = self.driver.cursor()
        cursor.execute(look)
        return list(cursor.fetchall())

    def close(self) -> None:
        self.ledger.close()
        self.driver.close()


@contextmanager
def shared() -> Iterator[Shared]:
    """A cluster of our own with an empty ledger."""
    with cluster() as url:
        made = Shared(url)
        try:
            yield made
        finally:
            made.close()
