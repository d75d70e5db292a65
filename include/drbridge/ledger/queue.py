"""Claiming: which parcels of a lane may go now, marked as under way before anything goes on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, update

from drbridge.ledger.database import Tx, clock
from drbridge.ledger.deliveries import OLDEST_FIRST
from drbridge.ledger.leases import Lease
from drbridge.ledger.parcels import IN_DOUBT, WAITS, Claim
from drbridge.ledger.states import MOVING, DeliveryState, ParcelState
from drbridge.ledger.tables import deliveries, intakes, messages, parcels


def next_delivery(tx: Tx, lane: str) -> int | None:
    """The lane's oldest open delivery with anything left to move."""
    return tx.execute(
        select(deliveries.c.id)
        .where(
            deliveries.c.lane == lane,
            deliveries.c.state == DeliveryState.OPEN,
            select(parcels.c.id).where(parcels.c.delivery_id == deliveries.c.id, parcels.c.state.in_(MOVING)).exists(),
        )
        .order_by(*OLDEST_FIRST)
        .limit(1)
    ).scalar()


def shares_to_move(tx: Tx, delivery_id: int) -> list[int]:
    """The shares of a delivery of which anything may go now, or is under way."""
    may_go = parcels.c.state.in_(MOVING), parcels.c.next_at <= clock(tx)
    look = select(parcels.c.share).distinct().where(parcels.c.delivery_id == delivery_id, *may_go)
    return sorted(tx.execute(look).scalars())


def claim(tx: Tx, lease: Lease, delivery_id: int, want: int) -> list[Claim]:
    """Marks up to `want` parcels of our share of a delivery as under way, those in doubt first, before the wire.

    What they have in common is read once for all of them.
    """
    intake_id, noun, sha256, name, destination, at, verdict, opened_at, sealed = _shared(tx, delivery_id)
    claims: list[Claim] = []
    for state in (ParcelState.UNKNOWN, ParcelState.PENDING):
        mine = parcels.c.delivery_id == delivery_id, parcels.c.share == lease.share, parcels.c.state == state
        look = select(*_OWN).where(*mine, parcels.c.next_at <= clock(tx)).order_by(parcels.c.first_row)
        claims += [
            Claim(number, delivery_id, intake_id, noun, sha256, name, destination, first, last, rows, key, generation,
                  tries, state is ParcelState.UNKNOWN, at, verdict, entity, order_at, opened_at, sealed, lease.share)
            for number, first, last, rows, key, generation, tries, entity, order_at
            in _take(tx, lease, look.limit(want - len(claims)))
        ]  # fmt: skip
    return claims


_OWN = (
    parcels.c.id, parcels.c.first_row, parcels.c.last_row, parcels.c.rows, parcels.c.key, parcels.c.generation,
    parcels.c.tries + 1, parcels.c.entity, parcels.c.order_at,
)  # fmt: skip


def _shared(tx: Tx, delivery_id: int) -> tuple[Any, ...]:
    """What the claims of a delivery have in common."""
    return tx.execute(
        select(
            deliveries.c.intake_id, intakes.c.noun, intakes.c.sha256, intakes.c.name, deliveries.c.destination,
            clock(tx), deliveries.c.verdict, deliveries.c.opened_at, func.coalesce(messages.c.sealed, b""),
        )
        .join_from(deliveries, intakes)
        .join(messages, messages.c.intake_id == deliveries.c.intake_id, isouter=True)
        .where(deliveries.c.id == delivery_id)
    ).one()  # fmt: skip


def claim_across(tx: Tx, lease: Lease, want: int) -> list[Claim]:
    """Marks up to `want` parcels of any deliveries of the lane as under way, at most one of each entity.

    Of an entity the oldest goes first; nothing of it goes while another is under way or in doubt. One that waits for
    its predecessor does not stand in the way of others: the predecessor may be among them.
    """
    look = _claimable(tx).where(
        deliveries.c.lane == lease.lane,
        deliveries.c.state == DeliveryState.OPEN,
        parcels.c.next_at <= clock(tx),
        none_stands_before(),
    )
    oldest_first = look.order_by(*OLDEST_FIRST, parcels.c.first_row)
    return [Claim(*row) for row in _take(tx, lease, oldest_first.limit(want))]


def none_stands_before() -> ColumnElement[bool]:
    """No other parcel of its entity has to go before it; before one in doubt none has, though it be older."""
    other = parcels.alias()
    is_older = or_(other.c.order_at < parcels.c.order_at,
                   and_(other.c.order_at == parcels.c.order_at, other.c.id < parcels.c.id))  # fmt: skip
    goes_first = or_(
        other.c.state.in_((ParcelState.IN_FLIGHT, ParcelState.UNKNOWN)),
        and_(other.c.state == ParcelState.PENDING, parcels.c.state == ParcelState.PENDING, is_older,
             func.coalesce(other.c.code, "") != WAITS),
    )  # fmt: skip
    behind = select(other.c.id).where(other.c.entity == parcels.c.entity, other.c.id != parcels.c.id, goes_first)
    return or_(func.coalesce(parcels.c.entity, "") == "", ~behind.exists())


def _take(tx: Tx, lease: Lease, look: Select[Any]) -> Sequence[tuple[Any, ...]]:
    """Marks what is found as under way; the first of each row is the parcel's id."""
    rows = tx.execute(look).all()
    if rows:
        tx.execute(
            update(parcels)
            .where(parcels.c.id.in_([row[0] for row in rows]))
            .values(state=ParcelState.IN_FLIGHT.value, epoch=lease.epoch, tries=parcels.c.tries + 1)
        )
    return rows


def waiting(tx: Tx, lane: str, limit: int = 1_000) -> list[Claim]:
    """What a sender of the lane would send, in order, without claiming it."""
    look = _claimable(tx).where(deliveries.c.lane == lane, deliveries.c.state == DeliveryState.OPEN)
    return [Claim(*row) for row in tx.execute(look.order_by(*OLDEST_FIRST, parcels.c.first_row).limit(limit))]


def as_claim(delivery: Row[Any], parcel: Row[Any], sealed: bytes = b"") -> Claim:
    """A parcel as it would be claimed, without claiming it.

    Args:
        delivery: as `deliveries.with_intakes` gives it.
        sealed: the message, where it is one.
    """
    return Claim(
        parcel.id, delivery.id, delivery.intake_id, delivery.noun, delivery.sha256, delivery.name,
        delivery.destination, parcel.first_row, parcel.last_row, parcel.rows, parcel.key, parcel.generation,
        parcel.tries + 1, parcel.state == ParcelState.UNKNOWN, verdict=delivery.verdict, entity=parcel.entity,
        order_at=parcel.order_at, opened_at=delivery.opened_at, sealed=sealed,
    )  # fmt: skip


def _claimable(tx: Tx) -> Select[Any]:
    """What a claim is made of, in the order of its members."""
    is_in_doubt = parcels.c.state == ParcelState.UNKNOWN
    return (
        select(
            parcels.c.id, parcels.c.delivery_id, deliveries.c.intake_id, intakes.c.noun, intakes.c.sha256,
            intakes.c.name, deliveries.c.destination, parcels.c.first_row, parcels.c.last_row, parcels.c.rows,
            parcels.c.key, parcels.c.generation, parcels.c.tries + 1, is_in_doubt, clock(tx).label("at"),
            deliveries.c.verdict, parcels.c.entity, parcels.c.order_at, deliveries.c.opened_at,
            func.coalesce(messages.c.sealed, b""), parcels.c.share,
        )
        .join_from(parcels, deliveries)
        .join(intakes)
        .join(messages, messages.c.intake_id == deliveries.c.intake_id, isouter=True)
        .where(parcels.c.state.in_((ParcelState.PENDING, ParcelState.UNKNOWN)))
    )  # fmt: skip


def release_waiting(tx: Tx, entities: Sequence[str]) -> None:
    """Something of these entities took effect: what waited for its predecessor is looked at again, one by one."""
    tx.execute(
        update(parcels)
        .where(parcels.c.entity.in_(entities), parcels.c.state == ParcelState.PENDING, parcels.c.code == WAITS)
        .values(next_at=0.0, code=None)
    )


def newest_of(tx: Tx, entity: str) -> float | None:
    """The place of the newest parcel about an entity, whatever became of it; None when there is none."""
    return tx.execute(select(func.max(parcels.c.order_at)).where(parcels.c.entity == entity)).scalar()


def is_in_doubt(tx: Tx, entity: str | None) -> bool:
    """Whether a person has yet to find out if something about an entity took effect."""
    parked = parcels.c.entity == entity, parcels.c.state == ParcelState.PARKED, parcels.c.code == IN_DOUBT
    return tx.execute(select(parcels.c.id).where(*parked).limit(1)).first() is not None


def newest_in_doubt(tx: Tx, entities: Sequence[str]) -> dict[str, float]:
    """Of these entities, the place of the newest parcel of which a person has yet to find out if it took effect."""
    parked = parcels.c.entity.in_(entities), parcels.c.state == ParcelState.PARKED, parcels.c.code == IN_DOUBT
    look = select(parcels.c.entity, func.max(parcels.c.order_at)).where(*parked).group_by(parcels.c.entity)
    return {row[0]: float(row[1]) for row in tx.execute(look)}


def wait_of_lane(tx: Tx, lane: str) -> float | None:
    """Seconds until a parcel of the lane may go, those left out that wait for a predecessor; None: there is none."""
    soonest = tx.execute(
        select(func.min(parcels.c.next_at) - clock(tx))
        .join_from(parcels, deliveries)
        .where(
            deliveries.c.lane == lane,
            deliveries.c.state == DeliveryState.OPEN,
            parcels.c.state.in_((ParcelState.PENDING, ParcelState.UNKNOWN)),
            func.coalesce(parcels.c.code, "") != WAITS,
        )
    ).scalar()
    return None if soonest is None else max(0.0, float(soonest))


def wait_of(tx: Tx, lease: Lease, delivery_id: int) -> float | None:
    """Seconds until a parcel of our share of the delivery may go; None when nothing of it waits."""
    soonest = tx.execute(
        select(func.min(parcels.c.next_at) - clock(tx)).where(
            parcels.c.delivery_id == delivery_id,
            parcels.c.share == lease.share,
            parcels.c.state.in_((ParcelState.PENDING, ParcelState.UNKNOWN)),
        )
    ).scalar()
    return None if soonest is None else max(0.0, float(soonest))
