"""The books: what became of every row, added up per flow and destination."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from drbridge.ledger import deliveries
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import Balance
from drbridge.ledger.tables import deliveries as table

AT_ONCE = 2_000
NOTHING = Balance(0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Period:
    """The time from `since` up to `until`, seconds since 1970 UTC."""

    since: float
    until: float


@dataclass
class Book:
    """All deliveries of one flow to one destination.

    Attributes:
        wrong: numbers of those of which the rows do not add up.
    """

    flow: str
    destination: str
    deliveries: int
    balance: Balance
    wrong: list[int]


def books(tx: Tx, flow: str | None = None, period: Period | None = None) -> list[Book]:
    """The books of a flow, or of all; with a period those of the deliveries that were opened in it."""
    look = select(table.c.id, table.c.flow, table.c.destination)
    if flow is not None:
        look = look.where(table.c.flow == flow)
    if period is not None:
        look = look.where(table.c.opened_at >= period.since, table.c.opened_at < period.until)
    found: dict[tuple[str, str], Book] = {}
    every = tx.execute(look.order_by(table.c.id)).all()
    for start in range(0, len(every), AT_ONCE):
        rows = every[start : start + AT_ONCE]
        balances = deliveries.balances(tx, [row.id for row in rows])
        for row in rows:
            book = found.setdefault((row.flow, row.destination), Book(row.flow, row.destination, 0, NOTHING, []))
            book.deliveries += 1
            book.balance += balances[row.id]
            book.wrong += [] if balances[row.id].balances else [row.id]
    return [book for _, book in sorted(found.items())]
