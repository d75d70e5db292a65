"""The acknowledgement a sender is owed when its delivery has ended.

SUCCESS: every row was taken. ERROR: some were refused, the rest was taken. FAILURE: nothing was taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from sqlalchemy import Row

from drbridge.ledger import deliveries, intakes, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import Balance, NewDelivery, lane_of
from drbridge.ledger.parcels import Span
from drbridge.ledger.states import DeliveryState, ParcelState
from drbridge.ports import JsonValue
from drbridge.systems import Flow


def settle(tx: Tx, flow: Flow, delivery_ids: Iterable[int]) -> None:
    """Ends those of a flow's deliveries that have nothing left to do; each that ends owes its sender an answer."""
    for delivery_id in deliveries.settle(tx, delivery_ids):
        row = deliveries.by_id(tx, delivery_id)
        if row.destination != flow.answer:
            owe_answer(tx, row.intake_id, flow, row.business_at)


def owe_answer(tx: Tx, intake_id: int, flow: Flow, business_at: float) -> None:
    """A delivery has ended: its sender is owed an acknowledgement, itself a delivery.

    One that was owed before and says what is no longer true gives way to it.
    """
    if flow.answer is None:
        return
    new = NewDelivery(flow.name, flow.answer, lane_of(flow.name, flow.answer), DeliveryState.OPEN, rows=1)
    delivery_id, generation = deliveries.add(tx, intake_id, business_at, new), 0
    if delivery_id is None:
        delivery_id, generation = deliveries.again(tx, intake_id, flow.name, flow.answer)
        parcels.retire(tx, [row.id for row in parcels.of_delivery(tx, delivery_id)])
    intake = intakes.by_id(tx, intake_id)
    parcels.add(tx, delivery_id, intake.sha256 + intake.name_key, flow.answer, [Span(0, 0, 1)], generation)


def withdraw_answer(tx: Tx, intake_id: int, flow: Flow) -> None:
    """A delivery is open again: an answer to it that has not gone yet waits until it has ended once more."""
    if flow.answer is None:
        return
    answer = deliveries.find(tx, intake_id, flow.name, flow.answer)
    if answer is not None:
        deliveries.hold(tx, answer.id, "its file is on its way again")


def message_id_of(file_name: str) -> str:
    """The message id a file carries at the end of its name: EVENT_OUTCOME_20260714T060000Z_4711.csv is 4711."""
    stem = PurePath(file_name.removesuffix(".gz").removesuffix(".zip")).stem
    return stem.rsplit("_", 1)[-1]


def acknowledgement(tx: Tx, intake_id: int, answer_id: int) -> JsonValue:
    """The body of the answer to an intake's delivery: the same each time, whenever it is built.

    Args:
        answer_id: the delivery of the answer itself.
    """
    intake = intakes.by_id(tx, intake_id)
    mine = deliveries.by_id(tx, answer_id)
    told = next(row for row in deliveries.of_intake(tx, intake_id) if row.flow == mine.flow and row.id != answer_id)
    balance = deliveries.balances(tx, [told.id])[told.id]
    when = iso_millis(told.ended_at or mine.opened_at)
    return {
        "messageId": message_id_of(intake.name),
        "fileName": intake.name,
        "ackType": _type(told, balance),
        "whenISO": when,
        "rows": balance.rows,
        "accepted": balance.acked + balance.duplicate + balance.superseded,
        "rejected": balance.rejected,
        "responses": _responses(tx, intake_id, told, when),
    }


def _type(told: Row[Any], balance: Balance) -> str:
    if told.state == DeliveryState.REFUSED or (balance.rejected and not balance.acked):
        return "FAILURE"
    return "ERROR" if balance.rejected else "SUCCESS"


def _responses(tx: Tx, intake_id: int, told: Row[Any], when: str) -> list[JsonValue]:
    """The first refused rows with their reasons; the counts beside them say how many there are in all."""
    found = [(f"line {row.line}" if row.line else "file", f"{row.code}: {row.text}") for row in
             intakes.first_problems(tx, intake_id)]  # fmt: skip
    if told.state == DeliveryState.REFUSED and not found:
        found = [("file", told.note or "refused")]
    refused = parcels.of_delivery(tx, told.id, ParcelState.REJECTED)[: intakes.KEPT_PROBLEMS - len(found)]
    found += [(f"rows {row.first_row + 1}-{row.last_row + 1}", f"{row.code}: {row.text}") for row in refused]
    return [
        {"id": where, "responseCode": "ERROR", "value": text[:254], "responseTimeISO": when} for where, text in found
    ]


def iso_millis(seconds: float) -> str:
    """A moment as acknowledgements write it: 2026-07-14T20:00:00.000Z."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
