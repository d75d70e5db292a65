"""Standings: what the other side has last of an entity, so that nothing older is sent after it.

A request whose yes or no comes as a message of its own is an entity too: it stands answered once that has come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from drbridge.ledger.database import Tx
from drbridge.ledger.tables import standings


@dataclass(frozen=True, slots=True)
class Standing:
    """What the other side has of an entity.

    Attributes:
        order_at: the place of the newest message that took effect.
        state: what that message brought about, in the words of its noun; never a customer's data.
    """

    entity: str
    order_at: float
    state: str = ""


def of(tx: Tx, entities: Iterable[str]) -> dict[str, Standing]:
    """What is known of these entities."""
    look = select(standings).where(standings.c.entity.in_(list(entities)))
    return {row.entity: Standing(row.entity, row.order_at, row.state) for row in tx.execute(look)}


def put(tx: Tx, newest: Sequence[Standing]) -> None:
    """Notes what took effect; of several of one entity the last counts."""
    last = {each.entity: each for each in newest}
    if not last:
        return
    new = (sqlite_insert if tx.dialect.name == "sqlite" else postgresql_insert)(standings)
    tx.execute(
        new.on_conflict_do_update(
            index_elements=["entity"], set_={"order_at": new.excluded.order_at, "state": new.excluded.state}
        ),
        [{"entity": each.entity, "order_at": each.order_at, "state": each.state} for each in last.values()],
    )
