"""Sending again: new parcels for rows that were settled or are in doubt, without overtaking what is newer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from drbridge.exchange.acks import settle, withdraw_answer
from drbridge.exchange.cutting import Age, overtaken_lines, rows_left
from drbridge.exchange.desk import Desk
from drbridge.exchange.meaning import Chosen, every
from drbridge.exchange.operations import operation_of
from drbridge.ledger import deliveries, messages, parcels, queue
from drbridge.ledger.database import Tx
from drbridge.ledger.parcels import IN_DOUBT, Claim, Span
from drbridge.ledger.states import DeliveryState, ParcelState
from drbridge.systems import Endpoint


@dataclass(frozen=True)
class _Plan:
    """How parcels of a delivery go once more.

    Attributes:
        generation: of the new parcels.
        anew: parcels that give way to new ones, each with the rows that may still go.
        as_they_are: parcels in doubt of which every row may go: the same bytes under the same key.
        is_held: the delivery waits for a person, who has it go on.
    """

    generation: int
    anew: list[tuple[Row[Any], int]]
    as_they_are: list[Row[Any]]
    is_held: bool


def resend_parcels(
    desk: Desk, tx: Tx, delivery: Row[Any], states: Sequence[ParcelState], chosen: Chosen = every
) -> bool:  # fmt: skip
    """Has the rows of a delivery's settled parcels sent again under new keys; says whether there was anything to open.

    A held delivery goes on with what it never sent as well: newer files may have passed it meanwhile.

    Args:
        delivery: as `deliveries.with_intakes` gives it.
        chosen: which of the parcels.
    """
    plan = _plan(desk, tx, delivery, states, chosen)
    if plan.anew or plan.is_held:
        _in_new_generation(desk, tx, delivery, plan)
    return bool(plan.anew) or plan.is_held


def release_parked(desk: Desk, tx: Tx, delivery: Row[Any], chosen: Chosen = every) -> bool:
    """Has parcels in doubt tried again under their old keys; says whether there were any.

    Where a newer file has overtaken some of a parcel's rows since, the others go under a new key: the same key must
    never carry other bytes.
    """
    plan = _plan(desk, tx, delivery, (ParcelState.PARKED,), chosen)
    ids = [row.id for row in plan.as_they_are if row.state == ParcelState.PARKED]
    destination = desk.systems.destination(delivery.destination)
    asked = isinstance(destination, Endpoint) and destination.unknown == "query"
    doubtful = [row.id for row in plan.as_they_are if asked and row.code == IN_DOUBT]
    for some, state in ((doubtful, ParcelState.UNKNOWN), (ids, ParcelState.PENDING)):
        parcels.move(tx, some, ParcelState.PARKED, state, "resent", "a person asked for it")
    if plan.anew:
        _in_new_generation(desk, tx, delivery, plan)
    return bool(ids or plan.anew)


def preview(
    desk: Desk, tx: Tx, delivery: Row[Any], states: Sequence[ParcelState], chosen: Chosen = every
) -> list[Claim]:  # fmt: skip
    """What would be sent, without opening anything."""
    plan = _plan(desk, tx, delivery, states, chosen)
    message = messages.of_intake(tx, delivery.intake_id)
    sealed = bytes(message.sealed) if message else b""
    same = [queue.as_claim(delivery, row, sealed) for row in plan.as_they_are]
    return same + [
        queue.as_claim(delivery, row, sealed)._replace(
            rows=rows, generation=plan.generation,
            key=parcels.idempotency_key(delivery.sha256, delivery.destination, _span(row, rows), plan.generation),
        )
        for row, rows in plan.anew
        if rows
    ]  # fmt: skip


def _plan(desk: Desk, tx: Tx, delivery: Row[Any], states: Sequence[ParcelState], chosen: Chosen) -> _Plan:
    now = deliveries.locked(tx, delivery.id)
    is_held = now.state == DeliveryState.HELD and ParcelState.PARKED not in states
    also = (ParcelState.PENDING, ParcelState.UNKNOWN) if is_held else ()
    old = [row for row in parcels.of_delivery(tx, delivery.id, *states, *also) if chosen(row)] if states else []
    left = _left(desk, tx, delivery, old, now.generation + 1)
    doubtful = (ParcelState.PARKED, ParcelState.UNKNOWN)
    whole = [row for row, rows in zip(old, left, strict=True) if row.state in doubtful and rows == row.rows]
    kept = {row.id for row in whole}
    anew = [(row, rows) for row, rows in zip(old, left, strict=True) if row.id not in kept]
    return _Plan(now.generation + 1, anew, whole, is_held)


def _left(desk: Desk, tx: Tx, delivery: Row[Any], old: Sequence[Row[Any]], generation: int) -> list[int]:
    """How many rows of each parcel may go in a new generation; staging keeps which may not."""
    destination = desk.systems.destination(delivery.destination)
    if not old or not isinstance(destination, Endpoint) or operation_of(destination).shape in ("answer", "message"):
        return [row.rows for row in old]
    staged = desk.staging.found(delivery.noun, delivery.sha256, delivery.verdict, delivery.name)
    overtaken = overtaken_lines(desk, tx, staged, delivery.lane, Age(delivery.business_at, delivery.version_at))
    return rows_left(staged, delivery.destination, old, overtaken, generation)


def _in_new_generation(desk: Desk, tx: Tx, delivery: Row[Any], plan: _Plan) -> None:
    flow = desk.systems.flow(delivery.flow)
    if delivery.destination != flow.answer:
        withdraw_answer(tx, delivery.intake_id, flow)
    overtaken = sum(row.rows - rows for row, rows in plan.anew)
    generation = deliveries.reopen(tx, delivery.id, overtaken)
    parcels.retire(tx, [row.id for row, _ in plan.anew])
    spans = (_span(row, rows) for row, rows in plan.anew if rows or not row.rows)
    parcels.add(tx, delivery.id, delivery.sha256, delivery.destination, spans, generation)
    settle(tx, flow, [delivery.id])


def _span(parcel: Row[Any], rows: int) -> Span:
    return Span(parcel.first_row, parcel.last_row, rows, parcel.entity, parcel.order_at, parcel.share)
