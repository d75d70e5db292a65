"""What has become of a message, for the one who sent it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Row, Select, select

from drbridge.contracts import KEPT, Message
from drbridge.contracts.device_reservation import DeviceReservation
from drbridge.contracts.posted_file import PostedFile
from drbridge.errors import DrBridgeError
from drbridge.exchange.acks import acknowledgement, iso_millis, of_delivery
from drbridge.exchange.desk import Desk
from drbridge.exchange.seal import content, opened
from drbridge.ledger import deliveries, messages
from drbridge.ledger.database import Tx
from drbridge.ledger.messages import SOURCE, number_of
from drbridge.ledger.states import SETTLED, DeliveryState
from drbridge.ledger.tables import deliveries as deliveries_table
from drbridge.ledger.tables import intakes
from drbridge.ledger.tables import messages as messages_table
from drbridge.ports import JsonValue

State = Literal["stored", "under way", "waits for a person", "settled"]


@dataclass(frozen=True, slots=True)
class Result:
    """Where a message is.

    Attributes:
        flows: those that carry it.
        answer: what its sender is told, once it is settled.
    """

    number: str
    noun: str
    state: State
    received_at: datetime
    flows: tuple[str, ...]
    answer: JsonValue = None

    @property
    def is_settled(self) -> bool:
        return self.state == "settled"

    def as_dict(self) -> dict[str, Any]:
        """As the inbox answers."""
        told: dict[str, Any] = {
            "messageNumber": self.number, "noun": self.noun, "state": self.state,
            "receivedAt": iso_millis(self.received_at.timestamp()),
        }  # fmt: skip
        return told if self.answer is None else {**told, "MsgAck": self.answer}


def result_of(desk: Desk, number: str) -> Result | None:
    """What has become of the message with this number; None when there is none."""
    with desk.ledger.read() as tx:
        row = messages.by_number(tx, [number]).get(number)
        if row is None:
            return None
        message = _read(desk, row)
        ways = _ways(tx, desk, row, message)
        state, answer = _state(tx, ways), None
        if state == "settled" and message is not None:
            answer = acknowledgement(of_delivery(tx, ways[0], message, max(way.ended_at for way in ways)))
    noun = message.contract if isinstance(message, PostedFile) else row.noun
    received_at = datetime.fromtimestamp(row.received_at, UTC)
    return Result(number, noun, state, received_at, tuple(way.flow for way in ways), answer)


def _read(desk: Desk, row: Row[Any]) -> Message | None:
    """What it said; None where that was deleted or cannot be read here: where it is can be told all the same."""
    try:
        return opened(desk.seal, row.noun, row.sealed)
    except DrBridgeError:
        return None


def numbers_of(desk: Desk, number: str) -> list[str]:
    """Our numbers of the messages that somebody calls so: by our own, or by the one that their sender gave them."""
    with desk.ledger.read() as tx:
        return sorted(messages.by_number(tx, [number, *(number_of(noun, number) for noun in KEPT)]))


def content_of(desk: Desk, number: str) -> JsonValue:
    """What the message with this number said; for those who hold the key."""
    with desk.ledger.read() as tx:
        row = messages.by_number(tx, [number])[number]
    return content(desk.seal, row.sealed)


def settled_among(desk: Desk, numbers: Sequence[str]) -> set[str]:
    """Those of the messages of which everything is settled."""
    look = (
        select(
            messages_table.c.number, messages_table.c.file_name, deliveries_table.c.state, deliveries_table.c.flow,
            deliveries_table.c.destination,
        )
        .outerjoin(deliveries_table, deliveries_table.c.intake_id == messages_table.c.intake_id)
        .where(messages_table.c.number.in_(numbers))
    )  # fmt: skip
    with desk.ledger.read() as tx:
        rows = [row for row in tx.execute(look) if not desk.systems.is_answer(row.flow, row.destination)]
    unsettled = {row.number for row in rows if row.state not in SETTLED}
    of_files = [result_of(desk, row.number) for row in rows if row.file_name]
    return {row.number for row in rows} - unsettled | {each.number for each in of_files if each and each.is_settled}


def _ways(tx: Tx, desk: Desk, row: Row[Any], message: Message | None) -> list[Row[Any]]:
    """The deliveries of a message, or of the file it speaks of; not the answers."""
    intake_id = row.intake_id
    if row.file_name:
        intake_id = tx.execute(_intake_of(message, row.file_name)).scalar()
    if intake_id is None:
        return []
    every = deliveries.of_intake(tx, intake_id)
    return [way for way in every if not desk.systems.is_answer(way.flow, way.destination)]


def _intake_of(message: Message | None, file_name: str) -> Select[tuple[int]]:
    """The file by its content, whatever name that was seen under first; by its name once the message is emptied."""
    same = intakes.c.name == file_name
    if isinstance(message, PostedFile):
        same = intakes.c.sha256 == message.sha256
    elif isinstance(message, DeviceReservation):
        same = intakes.c.sha256 == message.file.sha256
    look = select(intakes.c.id).where(same, intakes.c.source != SOURCE)
    return look.order_by((intakes.c.name == file_name).desc(), intakes.c.id.desc()).limit(1)


def _state(tx: Tx, ways: Sequence[Row[Any]]) -> State:
    if not ways:
        return "stored"
    if all(way.state in SETTLED for way in ways):
        return "settled"
    parked = any(balance.parked for balance in deliveries.balances(tx, [way.id for way in ways]).values())
    return "waits for a person" if parked or any(way.state == DeliveryState.HELD for way in ways) else "under way"
