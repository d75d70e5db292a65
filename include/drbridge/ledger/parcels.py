"""Parcels: claimed before they are sent, settled by what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from sqlalchemy import Row, Select, and_, bindparam, case, func, insert, select, update

from drbridge.ledger.database import Tx, clock
from drbridge.ledger.deliveries import OLDEST_FIRST
from drbridge.ledger.leases import Lease
from drbridge.ledger.states import MOVING, DeliveryState, ParcelState
from drbridge.ledger.tables import attempts, deliveries, intakes, parcels

INSERT_BATCH = 5_000
LONGEST_CODE = 60
LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Claim:
    """A parcel that this worker may send now, with what it needs to build the request.

    Attributes:
        at: when it was claimed, by the database's clock.
    """

    id: int
    delivery_id: int
    intake_id: int
    noun: str
    sha256: str
    file_name: str
    destination: str
    first_row: int
    last_row: int
    rows: int
    key: str
    generation: int
    tries: int
    in_doubt: bool
    at: float = 0.0
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one claim.

    Attributes:
        state: what the parcel becomes; PENDING and UNKNOWN come again after `wait_seconds`.
        version: the far side's tag of a stored object.
        retry_after: the target itself asked to be left alone for so long.
        stop: our settings are wrong (login: the whole connection; path: this endpoint): the lane stops with this error.
        target_failed: this speaks of the target's health, not of the parcel.
    """

    state: ParcelState
    code: str = ""
    text: str = ""
    status: int | None = None
    version: str | None = None
    wait_seconds: float = 0.0
    retry_after: float | None = None
    stop: Literal["connection", "endpoint"] | None = None
    target_failed: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """A claim and its outcome, on the way into the ledger."""

    claim: Claim
    outcome: Outcome
    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Span:
    """A range of staged rows [first, last] and how many of them live in it."""

    first: int
    last: int
    rows: int


def idempotency_key(intake_sha: str, destination: str, span: Span, generation: int) -> str:
    """The key a target knows a request by: the same through every retry, new when a person has it sent again."""
    return sha256(f"{intake_sha}|{destination}|{span.first}|{span.last}|{generation}".encode()).hexdigest()


def add(tx: Tx, delivery_id: int, intake_sha: str, destination: str, spans: Iterable[Span], generation: int = 0) -> int:
    """Writes the parcels of a delivery, all pending; returns how many."""
    count, batch = 0, []
    for span in spans:
        batch.append(
            {
                "delivery_id": delivery_id, "first_row": span.first, "last_row": span.last, "rows": span.rows,
                "key": idempotency_key(intake_sha, destination, span, generation), "generation": generation,
                "state": ParcelState.PENDING.value, "epoch": 0, "tries": 0, "next_at": 0.0,
            }
        )  # fmt: skip
        if len(batch) == INSERT_BATCH:
            tx.execute(insert(parcels), batch)
            count, batch = count + len(batch), []
    if batch:
        tx.execute(insert(parcels), batch)
    return count + len(batch)


def doubt_older_epochs(tx: Tx, lease: Lease) -> int:
    """Parcels that a worker before us had under way are in doubt now: it may or may not have sent them."""
    of_lane = select(deliveries.c.id).where(deliveries.c.lane == lease.lane, deliveries.c.state == DeliveryState.OPEN)
    return tx.execute(
        update(parcels)
        .where(
            parcels.c.delivery_id.in_(of_lane),
            parcels.c.state == ParcelState.IN_FLIGHT,
            parcels.c.epoch < lease.epoch,
        )
        .values(state=ParcelState.UNKNOWN.value, code="worker_lost", text="the worker that sent it was lost")
    ).rowcount


def park_doubtful(tx: Tx, lane: str) -> int:
    """Sets what is in doubt aside for a person, where the target can neither be asked nor told apart by a key."""
    of_lane = select(deliveries.c.id).where(deliveries.c.lane == lane, deliveries.c.state == DeliveryState.OPEN)
    return tx.execute(
        update(parcels)
        .where(parcels.c.delivery_id.in_(of_lane), parcels.c.state == ParcelState.UNKNOWN)
        .values(state=ParcelState.PARKED.value)
    ).rowcount


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


def claim(tx: Tx, lease: Lease, delivery_id: int, want: int) -> list[Claim]:
    """Marks up to `want` parcels of a delivery as under way, those in doubt first, before anything goes on the wire."""
    doubt_first = case((parcels.c.state == ParcelState.UNKNOWN, 0), else_=1)
    rows = tx.execute(
        _claimable(tx)
        .where(parcels.c.delivery_id == delivery_id, parcels.c.next_at <= clock(tx))
        .order_by(doubt_first, parcels.c.first_row)
        .limit(want)
    ).all()
    if rows:
        tx.execute(
            update(parcels)
            .where(parcels.c.id.in_([row.id for row in rows]))
            .values(state=ParcelState.IN_FLIGHT.value, epoch=lease.epoch, tries=parcels.c.tries + 1)
        )
    return [_as_claim(row) for row in rows]


def waiting(tx: Tx, lane: str, limit: int = 1_000) -> list[Claim]:
    """What a sender of the lane would send, in order, without claiming it."""
    look = _claimable(tx).where(deliveries.c.lane == lane, deliveries.c.state == DeliveryState.OPEN)
    return [_as_claim(row) for row in tx.execute(look.order_by(*OLDEST_FIRST, parcels.c.first_row).limit(limit))]


def as_claim(delivery: Row[Any], parcel: Row[Any]) -> Claim:
    """A parcel as it would be claimed, without claiming it.

    Args:
        delivery: as `deliveries.with_intakes` gives it.
    """
    return Claim(
        parcel.id, delivery.id, delivery.intake_id, delivery.noun, delivery.sha256, delivery.name,
        delivery.destination, parcel.first_row, parcel.last_row, parcel.rows, parcel.key, parcel.generation,
        parcel.tries + 1, parcel.state == ParcelState.UNKNOWN, verdict=delivery.verdict,
    )  # fmt: skip


def _claimable(tx: Tx) -> Select[Any]:
    file = intakes.c.noun, intakes.c.sha256, intakes.c.name
    return (
        select(
            parcels,
            deliveries.c.intake_id,
            deliveries.c.destination,
            deliveries.c.verdict,
            *file,
            clock(tx).label("at"),
        )
        .join_from(parcels, deliveries)
        .join(intakes)
        .where(parcels.c.state.in_((ParcelState.PENDING, ParcelState.UNKNOWN)))
    )


def _as_claim(row: Row[Any]) -> Claim:
    return Claim(
        row.id, row.delivery_id, row.intake_id, row.noun, row.sha256, row.name, row.destination, row.first_row,
        row.last_row, row.rows, row.key, row.generation, row.tries + 1, row.state == ParcelState.UNKNOWN, row.at,
        row.verdict,
    )  # fmt: skip


def open_rows(tx: Tx, lane: str) -> int:
    """Rows of the lane that still have to go."""
    look = select(func.coalesce(func.sum(parcels.c.rows), 0)).join_from(parcels, deliveries)
    return int(
        tx.execute(
            look.where(deliveries.c.lane == lane, deliveries.c.state == DeliveryState.OPEN, parcels.c.state.in_(MOVING))
        ).scalar_one()
    )


def settle(tx: Tx, lease: Lease, done: Sequence[Settled]) -> list[Settled]:
    """Writes outcomes; returns those that counted (a parcel taken over by another worker is left to it)."""
    if not done:
        return []
    now = clock(tx)
    counted = []
    for each in done:
        ended = each.outcome.state not in MOVING
        changed = tx.execute(
            update(parcels)
            .where(
                parcels.c.id == each.claim.id,
                parcels.c.state == ParcelState.IN_FLIGHT,
                parcels.c.epoch == lease.epoch,
            )
            .values(
                state=each.outcome.state.value,
                code=_storable(each.outcome.code, LONGEST_CODE),
                text=_storable(each.outcome.text, LONGEST_TEXT),
                version=each.outcome.version,
                next_at=now + each.outcome.wait_seconds,
                ended_at=now if ended else None,
            )
        )
        if changed.rowcount:
            counted.append(each)
    tx.execute(
        insert(attempts),
        [
            {
                "parcel_id": each.claim.id, "epoch": lease.epoch, "at": each.at, "seconds": each.seconds,
                "outcome": each.outcome.state.value, "code": _storable(each.outcome.code, LONGEST_CODE),
                "status": each.outcome.status, "detail": _storable(each.outcome.text, LONGEST_TEXT),
            }
            for each in done
        ],
    )  # fmt: skip
    return counted


def _storable(text: str, longest: int) -> str | None:
    """Another system's words as every database keeps them: no NUL, no half characters, not too long."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:longest] or None


def tried_at(tx: Tx, parcel_id: int) -> float | None:
    """When the parcel was last tried, by the database's clock; None when no try was noted."""
    return tx.execute(select(func.max(attempts.c.at)).where(attempts.c.parcel_id == parcel_id)).scalar()


def tries_in_doubt(tx: Tx, parcel_id: int, since: float) -> int:
    """How often a parcel was left in doubt since a moment of the database's clock."""
    look = select(func.count()).where(
        attempts.c.parcel_id == parcel_id, attempts.c.outcome == ParcelState.UNKNOWN, attempts.c.at > since
    )
    return int(tx.execute(look).scalar_one())


def tries_with(tx: Tx, parcel_id: int, code: str) -> int:
    """How often a parcel's try ended with a code."""
    look = select(func.count()).where(attempts.c.parcel_id == parcel_id, attempts.c.code == code)
    return int(tx.execute(look).scalar_one())


def split(tx: Tx, claim: Claim, halves: Sequence[Span]) -> None:
    """Writes the halves of a refused chunk beside it, in the transaction that marks it SPLIT."""
    add(tx, claim.delivery_id, claim.sha256, claim.destination, halves, claim.generation)


def wait_of(tx: Tx, delivery_id: int) -> float | None:
    """Seconds until a parcel of the delivery may go; None when nothing of it waits."""
    soonest = tx.execute(
        select(func.min(parcels.c.next_at) - clock(tx)).where(
            parcels.c.delivery_id == delivery_id,
            parcels.c.state.in_((ParcelState.PENDING, ParcelState.UNKNOWN)),
        )
    ).scalar()
    return None if soonest is None else max(0.0, float(soonest))


def hurry(tx: Tx, lane: str) -> None:
    """A person asks for a try now: waiting times left over from an outage end."""
    of_lane = select(deliveries.c.id).where(deliveries.c.lane == lane, deliveries.c.state == DeliveryState.OPEN)
    tx.execute(
        update(parcels)
        .where(parcels.c.delivery_id.in_(of_lane), parcels.c.state.in_(MOVING), parcels.c.next_at > 0)
        .values(next_at=0.0)
    )


def of_delivery(tx: Tx, delivery_id: int, *states: ParcelState) -> list[Row[Any]]:
    """The parcels of a delivery in the order of their rows, only those in `states` if any are named."""
    look = select(parcels).where(parcels.c.delivery_id == delivery_id).order_by(parcels.c.first_row, parcels.c.id)
    return list(tx.execute(look.where(parcels.c.state.in_(states)) if states else look))


def has_any(tx: Tx, delivery_id: int, states: Sequence[ParcelState]) -> bool:
    """Whether a delivery has a parcel in one of the states."""
    look = select(parcels.c.id).where(parcels.c.delivery_id == delivery_id, parcels.c.state.in_(states))
    return tx.execute(look.limit(1)).first() is not None


def holding(tx: Tx, delivery_id: int, row: int) -> Row[Any] | None:
    """The parcel that a staged row travels in now."""
    return tx.execute(
        select(parcels)
        .where(
            parcels.c.delivery_id == delivery_id,
            parcels.c.first_row <= row,
            parcels.c.last_row >= row,
            parcels.c.state.not_in((ParcelState.SPLIT, ParcelState.RESENT)),
        )
        .limit(1)
    ).first()


def version_put(tx: Tx, destination: str, file_name: str) -> str | None:
    """The far side's tag of the object that we last put under this name, if we did."""
    return tx.execute(
        select(parcels.c.version)
        .join_from(parcels, deliveries)
        .join(intakes)
        .where(
            deliveries.c.destination == destination,
            intakes.c.name == file_name,
            parcels.c.state.in_((ParcelState.ACKED, ParcelState.RESENT)),
            parcels.c.version.is_not(None),
        )
        .order_by(parcels.c.ended_at.desc())
        .limit(1)
    ).scalar()


def retire(tx: Tx, ids: Sequence[int]) -> None:
    """Marks parcels whose rows a person has sent again in new ones; they count no more."""
    for start in range(0, len(ids), INSERT_BATCH):
        tx.execute(
            update(parcels).where(parcels.c.id.in_(ids[start : start + INSERT_BATCH])).values(state=ParcelState.RESENT)
        )


def move(tx: Tx, ids: Sequence[int], source: ParcelState, to: ParcelState, code: str, text: str) -> int:
    """Moves parcels from one state to another by rule (superseding, parking), not by an answer."""
    ended = None if to in MOVING else clock(tx)
    return tx.execute(
        update(parcels)
        .where(and_(parcels.c.id.in_(bindparam("ids", expanding=True)), parcels.c.state == source))
        .values(state=to.value, code=code, text=text, ended_at=ended, next_at=0.0),
        {"ids": list(ids)},
    ).rowcount
