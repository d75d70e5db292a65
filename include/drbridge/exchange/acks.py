"""The acknowledgement a sender is owed when its delivery has ended.

SUCCESS: every row was taken. ERROR: some were refused, the rest was taken. FAILURE: nothing was taken. A collection of
requests, each with an answer of its own, is never a FAILURE (guide for configuration, error table).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, Literal

from sqlalchemy import Row

from drbridge.contracts import Message
from drbridge.ledger import deliveries, intakes, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import Balance, NewDelivery, lane_of
from drbridge.ledger.messages import SOURCE
from drbridge.ledger.parcels import Span
from drbridge.ledger.states import UNFINISHED, DeliveryState, ParcelState
from drbridge.ports import JsonValue
from drbridge.systems import Flow

LONGEST_VALUE = 254


@dataclass(frozen=True)
class Told:
    """What became of an intake, as far as its sender is told.

    Attributes:
        message: the message it was, or that its file came with; None for a file that came by itself.
        name: the file's name.
        ack_type: SUCCESS: all was taken; ERROR: some was refused, the rest was taken; FAILURE: nothing was taken.
        when: when that was settled, as acknowledgements write it.
        parts: what became of each request of a message, in order: a code, and words or the other side's id.
        problems: the first refused rows of a file: which, and why.
    """

    message: Message | None
    name: str
    ack_type: Literal["SUCCESS", "ERROR", "FAILURE"]
    when: str
    balance: Balance
    parts: tuple[tuple[Literal["SUCCESS", "ERROR"], str], ...]
    problems: tuple[tuple[str, str], ...]


def settle(tx: Tx, flow: Flow, delivery_ids: Iterable[int], answered_later: Container[int] = ()) -> None:
    """Ends those of a flow's deliveries that have nothing left to do; each that ends owes its sender an answer.

    Args:
        answered_later: deliveries whose yes or no comes from the other side itself, later.
    """
    every = deliveries.settle(tx, delivery_ids)
    ended = [number for number in every if number not in answered_later]
    if flow.answer is None or not every:
        return
    if later := [number for number in every if number in answered_later]:
        _drop_withdrawn(tx, flow, flow.answer, [row.intake_id for row in deliveries.by_ids(tx, later)])
    if not ended:
        return
    told = [row for row in deliveries.by_ids(tx, ended) if row.destination != flow.answer]
    known = {row.intake_id for row in deliveries.to(tx, flow.name, flow.answer, [row.intake_id for row in told])}
    for row in told:
        if row.intake_id in known:
            owe_answer(tx, row.intake_id, flow, row.business_at)
    _owe_first_answers(tx, flow, flow.answer, [row for row in told if row.intake_id not in known])


def _drop_withdrawn(tx: Tx, flow: Flow, answer: str, intake_ids: Sequence[int]) -> None:
    """Answers that were withdrawn and never went are not owed any more: the other side gives its own."""
    for row in deliveries.to(tx, flow.name, answer, intake_ids):
        if row.state == DeliveryState.HELD:
            waiting = [parcel.id for parcel in parcels.of_delivery(tx, row.id, ParcelState.PENDING)]
            parcels.move(tx, waiting, ParcelState.PENDING, ParcelState.SUPERSEDED, "later", "the other side answers")
            if not parcels.has_any(tx, row.id, UNFINISHED):
                deliveries.end_held(tx, row.id, "the other side gives its own answer")


def _owe_first_answers(tx: Tx, flow: Flow, answer: str, told: Sequence[Row[Any]]) -> None:
    if not told:
        return
    shas = intakes.identities(tx, [row.intake_id for row in told])
    opened = deliveries.open_many(
        tx, [(row.intake_id, row.business_at) for row in told], flow.name, answer, lane_of(flow.name, answer)
    )
    parcels.add_singles(tx, answer, [(number, shas[row.intake_id]) for number, row in zip(opened, told, strict=True)])


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
    parcels.add(tx, delivery_id, intake.sha256 + intake.name_key, flow.answer, [Span(0, 0, 1, "")], generation)


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


def what_became(tx: Tx, intake_id: int, answer_id: int, message: Message | None) -> Told:
    """What an answer tells: the same each time, whenever it is built.

    Args:
        answer_id: the delivery of the answer itself.
    """
    mine = deliveries.by_id(tx, answer_id)
    told = next(row for row in deliveries.of_intake(tx, intake_id) if row.flow == mine.flow and row.id != answer_id)
    return of_delivery(tx, told, message, told.ended_at or mine.opened_at)


def of_delivery(tx: Tx, told: Row[Any], message: Message | None, at: float) -> Told:
    """What became of a delivery that has ended."""
    intake = intakes.by_id(tx, told.intake_id)
    balance = deliveries.balances(tx, [told.id])[told.id]
    return Told(
        message=message,
        name=intake.name,
        ack_type=_type(told, balance, message),
        when=iso_millis(at),
        balance=balance,
        parts=_parts(tx, told) if intake.source == SOURCE else (),
        problems=_problems(tx, told) if intake.source != SOURCE else (),
    )


def _parts(tx: Tx, told: Row[Any]) -> tuple[tuple[Literal["SUCCESS", "ERROR"], str], ...]:
    live = [row for row in parcels.of_delivery(tx, told.id) if row.state != ParcelState.RESENT]
    refused = ParcelState.REJECTED
    return tuple(("ERROR" if row.state == refused else "SUCCESS", row.reply or row.text or "") for row in live)


def acknowledgement(told: Told) -> JsonValue:
    """The body of the answer that a sender's acknowledgement service takes."""
    if told.parts:
        found = [(str(place), code, value) for place, (code, value) in enumerate(told.parts, 1)]
    else:
        found = [(where, "ERROR", text) for where, text in told.problems]
    head: dict[str, JsonValue] = {"messageId": told.message.number if told.message else message_id_of(told.name)}
    if not told.parts:
        head["fileName"] = told.name
    balance = told.balance
    return {
        **head,
        "ackType": told.ack_type,
        "whenISO": told.when,
        "rows": balance.rows,
        "accepted": balance.acked + balance.duplicate + balance.superseded,
        "rejected": balance.rejected,
        "responses": [
            {"id": where, "responseCode": code, "value": text[:LONGEST_VALUE], "responseTimeISO": told.when}
            for where, code, text in found
        ],
    }


def _type(told: Row[Any], balance: Balance, message: Message | None) -> Literal["SUCCESS", "ERROR", "FAILURE"]:
    """How the whole went. Where each request has its answer in a collection, refusals are ERROR, however many."""
    if message is not None and message.is_collection and balance.rejected:
        return "ERROR"
    if told.state == DeliveryState.REFUSED or (balance.rejected and not balance.acked):
        return "FAILURE"
    return "ERROR" if balance.rejected else "SUCCESS"


def _problems(tx: Tx, told: Row[Any]) -> tuple[tuple[str, str], ...]:
    """The first refused rows with their reasons; the counts beside them say how many there are in all."""
    found = [(f"line {row.line}" if row.line else "file", f"{row.code}: {row.text}") for row in
             intakes.first_problems(tx, told.intake_id)]  # fmt: skip
    if told.state == DeliveryState.REFUSED and not found:
        found = [("file", told.note or "refused")]
    refused = parcels.of_delivery(tx, told.id, ParcelState.REJECTED)[: intakes.KEPT_PROBLEMS - len(found)]
    return (*found, *((f"rows {row.first_row + 1}-{row.last_row + 1}", f"{row.code}: {row.text}") for row in refused))


def iso_millis(seconds: float) -> str:
    """A moment as acknowledgements write it: 2026-07-14T20:00:00.000Z."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
