"""Whether what we laid down for other systems lies there still, as we laid it down."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from drbridge.exchange.books import Period
from drbridge.exchange.desk import Desk
from drbridge.exchange.findings import Finding
from drbridge.ledger import parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.states import ParcelState
from drbridge.ledger.tables import deliveries, intakes
from drbridge.ledger.tables import parcels as parcels_table
from drbridge.ports import FileStore
from drbridge.systems import Store


def compare(desk: Desk, store: Store, period: Period) -> tuple[int, list[Finding]]:
    """Looks for every object laid down in the period: how many were looked for, and which are not as they should be.

    One that was replaced by a later file of its name is that file's matter.

    Raises:
        RetryLater: the place cannot be reached.
    """
    with desk.ledger.read() as tx:
        laid = [row for row in _laid(tx, store, period) if row.id == parcels.last_put(tx, store.name, row.name)]
    if not laid:
        return 0, []
    there = desk.outside.store(store.url)
    try:
        wrong = [(row.name, what) for row in laid if (what := _wrong(there, store, row))]
    finally:
        there.close()
    fix = "ask its owner what became of it; to lay it down again, trigger the flow with this file and resend = all"
    return len(laid), [Finding(store.name, f"{name} {what}", fix) for name, what in wrong]


def _laid(tx: Tx, store: Store, period: Period) -> list[Row[Any]]:
    return list(
        tx.execute(
            select(parcels_table.c.id, parcels_table.c.version, intakes.c.name, intakes.c.bytes)
            .join_from(parcels_table, deliveries)
            .join(intakes)
            .where(
                deliveries.c.destination == store.name,
                deliveries.c.opened_at >= period.since,
                deliveries.c.opened_at < period.until,
                parcels_table.c.state == ParcelState.ACKED,
            )
            .order_by(parcels_table.c.id)
        )
    )


def _wrong(there: FileStore, store: Store, row: Row[Any]) -> str:
    """What is wrong with an object; nothing when its size is right, and its tag where the store has one."""
    entry = there.stat(row.name)
    if entry is None:
        return "" if store.is_emptied else "is not there any more"
    if entry.size != row.bytes:
        return f"has {entry.size} bytes, not the {row.bytes} that we laid down"
    if row.version and entry.version and row.version != entry.version:
        return "is not the object that we laid down"
    return ""
