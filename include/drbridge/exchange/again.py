"""Sending again: new parcels for rows that were settled or are in doubt, without overtaking what is newer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from drbridge.errors import Interrupted
from drbridge.exchange.acks import owe_answer, withdraw_answer
from drbridge.exchange.cutting import Age, overtaken_lines, rows_left
from drbridge.exchange.desk import Desk
from drbridge.ledger import deliveries, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.parcels import Span
from drbridge.ledger.states import ParcelState
from drbridge.systems import Endpoint


def resend_parcels(desk: Desk, tx: Tx, delivery: Row[Any], states: Sequence[ParcelState]) -> int:
    """Has the rows of settled parcels sent again under new keys, in a new generation; returns how many parcels.

    Args:
        delivery: as `deliveries.with_intakes` gives it.
    """
    generation = deliveries.lock(tx, delivery.id)
    old = parcels.of_delivery(tx, delivery.id, *states)
    if old:
        _in_new_generation(desk, tx, delivery, old, _left(desk, tx, delivery, old, generation + 1))
    return len(old)


def release_parked(desk: Desk, tx: Tx, delivery: Row[Any]) -> int:
    """Has parcels in doubt tried again under their old keys; returns how many.

    Where a newer file has overtaken some of a parcel's rows since, the others go under a new key: the same key must
    never carry other bytes.
    """
    generation = deliveries.lock(tx, delivery.id)
    parked = parcels.of_delivery(tx, delivery.id, ParcelState.PARKED)
    if not parked:
        return 0
    left = _left(desk, tx, delivery, parked, generation + 1)
    whole = [row.id for row, rows in zip(parked, left, strict=True) if rows == row.rows]
    parcels.move(tx, whole, ParcelState.PARKED, ParcelState.PENDING, "resent", "a person asked for it")
    partly = [(row, rows) for row, rows in zip(parked, left, strict=True) if rows != row.rows]
    if partly:
        _in_new_generation(desk, tx, delivery, [row for row, _ in partly], [rows for _, rows in partly])
    return len(parked)


def _left(desk: Desk, tx: Tx, delivery: Row[Any], old: Sequence[Row[Any]], generation: int) -> list[int]:
    """How many rows of each parcel may go in a new generation; staging keeps which may not."""
    if not (delivery.verdict and isinstance(desk.systems.destination(delivery.destination), Endpoint)):
        return [row.rows for row in old]
    staged = desk.staging.open(delivery.noun, delivery.sha256, delivery.verdict)
    if staged is None:
        raise Interrupted(
            f"What was staged of {delivery.name} is not to be found, so it cannot be sent again",
            detail=str(desk.staging.folder(delivery.noun, delivery.sha256, delivery.verdict)),
            fix="make sure that all workers see the same DRBRIDGE_STAGING",
        )
    overtaken = overtaken_lines(desk, tx, staged, delivery.lane, Age(delivery.business_at, delivery.version_at))
    return rows_left(staged, delivery.destination, old, overtaken, generation)


def _in_new_generation(desk: Desk, tx: Tx, delivery: Row[Any], old: Sequence[Row[Any]], left: Sequence[int]) -> None:
    flow = desk.systems.flow(delivery.flow)
    if delivery.destination != flow.answer:
        withdraw_answer(tx, delivery.intake_id, flow)
    generation = deliveries.reopen(tx, delivery.id, overtaken=sum(row.rows for row in old) - sum(left))
    parcels.retire(tx, [row.id for row in old])
    spans = [Span(row.first_row, row.last_row, rows) for row, rows in zip(old, left, strict=True)]
    alive = (span for span, row in zip(spans, old, strict=True) if span.rows or not row.rows)
    parcels.add(tx, delivery.id, delivery.sha256, delivery.destination, alive, generation)
    if deliveries.settle(tx, [delivery.id]) and delivery.destination != flow.answer:
        owe_answer(tx, delivery.intake_id, flow, delivery.business_at)
