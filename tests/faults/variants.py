"""The protocol with one safeguard taken out, each by its name: whoever proves anything must notice every one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import ColumnElement, and_, func, or_, select, update

from drbridge.exchange import archive, sender
from drbridge.exchange.desk import Desk
from drbridge.ledger import deliveries, leases, parcels, queue, standings
from drbridge.ledger.database import Tx
from drbridge.ledger.leases import Lease
from drbridge.ledger.parcels import Claim, Settled
from drbridge.ledger.states import ParcelState
from drbridge.ledger.tables import leases as leases_table
from drbridge.ledger.tables import parcels as table
from drbridge.systems import Flow

Variant = Callable[[pytest.MonkeyPatch], None]


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """Whoever once had the lane goes on as if it still had: keeping the lease and settling ignore the epoch."""
    keep, write = leases.keep, parcels._write

    def kept(tx: Tx, lease: Lease, seconds: float = leases.LEASE_SECONDS) -> Lease:
        look = select(leases_table.c.epoch).where(leases_table.c.lane == lease.name)
        return keep(tx, replace(lease, epoch=tx.execute(look).scalar_one()), seconds)

    def written(tx: Tx, lease: Lease, group: Sequence[Settled]) -> set[int]:
        changed = set()
        for each in group:
            epoch = tx.execute(select(table.c.epoch).where(table.c.id == each.claim.id)).scalar_one()
            changed |= write(tx, replace(lease, epoch=epoch), [each])
        return changed

    patch.setattr(leases, "keep", kept)
    patch.setattr(parcels, "_write", written)


def no_intent(patch: pytest.MonkeyPatch) -> None:
    """That a parcel is under way is written down with what came of it, not before it goes on the wire."""
    take, write = queue._take, parcels._write

    def taken(tx: Tx, lease: Lease, look: Any) -> Sequence[tuple[Any, ...]]:
        with tx.begin_nested() as unwritten:
            rows = take(tx, lease, look)
            unwritten.rollback()
        return rows

    def written(tx: Tx, lease: Lease, group: Sequence[Settled]) -> set[int]:
        ids = [each.claim.id for each in group]
        tx.execute(update(table).where(table.c.id.in_(ids)).values(state=ParcelState.IN_FLIGHT, epoch=lease.epoch))
        return write(tx, lease, group)

    patch.setattr(queue, "_take", taken)
    patch.setattr(parcels, "_write", written)


def no_lease(patch: pytest.MonkeyPatch) -> None:
    """Whoever asks for a lane gets it."""
    acquire = leases.acquire

    def acquired(
        tx: Tx, lane: str, holder: str, seconds: float = leases.LEASE_SECONDS, share: int = 0
    ) -> Lease | None:  # fmt: skip
        name = leases.name_of(lane, share)
        tx.execute(update(leases_table).where(leases_table.c.lane == name).values(expires_at=0.0))
        return acquire(tx, lane, holder, seconds, share)

    patch.setattr(leases, "acquire", acquired)


def no_deadline_check(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks at the lease, and what is left of it, right before the wire."""

    async def long_enough(_: sender.Sender) -> bool:
        return False

    patch.setattr(sender.Sender, "_lease_is_short", long_enough)


def no_superseding(patch: pytest.MonkeyPatch) -> None:
    """What the other side has of an entity is not looked at: the older goes after the newer."""
    patch.setattr(standings, "of", lambda *_: {})


def pending_before_unknown(patch: pytest.MonkeyPatch) -> None:
    """What is new goes before what is in doubt."""

    def none_stands_before() -> ColumnElement[bool]:
        other = table.alias()
        goes_first = or_(
            other.c.state == ParcelState.IN_FLIGHT,
            and_(other.c.state == ParcelState.PENDING, other.c.order_at < table.c.order_at),
        )
        behind = select(other.c.id).where(other.c.entity == table.c.entity, other.c.id != table.c.id, goes_first)
        return or_(func.coalesce(table.c.entity, "") == "", ~behind.exists())

    find, usual = queue.next_delivery, queue.OLDEST_FIRST

    def next_delivery(tx: Tx, lane: str) -> int | None:
        """It orders deliveries, not parcels: as ever."""
        with pytest.MonkeyPatch.context() as meanwhile:
            meanwhile.setattr(queue, "OLDEST_FIRST", usual)
            return find(tx, lane)

    patch.setattr(queue, "none_stands_before", none_stands_before)
    patch.setattr(queue, "next_delivery", next_delivery)
    patch.setattr(queue, "OLDEST_FIRST", (table.c.state, *queue.OLDEST_FIRST))


def key_forgotten_on_failure(patch: pytest.MonkeyPatch) -> None:
    """Every try has a key of its own."""

    def forgetful(*members: Any) -> Claim:
        claim = Claim(*members)
        return claim._replace(key=f"{claim.key}-{claim.tries}")

    patch.setattr(queue, "Claim", forgetful)


def source_renamed_too_early(patch: pytest.MonkeyPatch) -> None:
    """A source gets its last name at the end of the first flow that looks, whatever is still to be delivered of it."""
    book_of = archive._book

    def hasty(desk: Desk, flow: Flow, name: str) -> Any:
        book = book_of(desk, flow, name)
        return book and replace(book, unsettled=set())

    patch.setattr(archive, "_book", hasty)


def rows_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """An intake is committed before its deliveries and their parcels are written."""
    add = deliveries.add

    def added(tx: Tx, *given: Any) -> int | None:
        tx.commit()
        if tx.dialect.name == "sqlite":
            tx.exec_driver_sql("BEGIN IMMEDIATE")
        number = add(tx, *given)
        tx.commit()
        if tx.dialect.name == "sqlite":
            tx.exec_driver_sql("BEGIN IMMEDIATE")
        return number

    patch.setattr(deliveries, "add", added)


OF_THE_PROTOCOL: dict[str, Variant] = {
    "no fence": no_fence,
    "no intent": no_intent,
    "no lease": no_lease,
    "no deadline check": no_deadline_check,
    "no superseding": no_superseding,
    "PENDING before UNKNOWN": pending_before_unknown,
    "key forgotten on failure": key_forgotten_on_failure,
}
OF_FILES: dict[str, Variant] = {
    "source renamed too early": source_renamed_too_early,
    "rows outside the transaction": rows_outside_the_transaction,
}
VARIANTS = OF_THE_PROTOCOL | OF_FILES


@contextmanager
def without(name: str) -> Iterator[None]:
    """The code as it would be without a safeguard, by the name of the variant."""
    with pytest.MonkeyPatch.context() as patch:
        VARIANTS[name](patch)
        yield
