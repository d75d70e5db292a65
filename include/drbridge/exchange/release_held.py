"""Held deliveries: a person lets each go on, or refuses it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Row, and_, exists, select

from drbridge.errors import NotAllowed
from drbridge.exchange.acks import owe_answer
from drbridge.exchange.again import resend_parcels
from drbridge.exchange.desk import Desk
from drbridge.exchange.notices import printable
from drbridge.exchange.questions import LEAVE, NO_REASON, REFUSE, Question, worded
from drbridge.ledger import audit, deliveries, intakes, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.states import SETTLED, DeliveryState, ParcelState
from drbridge.ledger.tables import deliveries as table

GO_ON = "Let it go on"
CHOICES = {
    GO_ON: "what was refused and what was never sent goes again; correct the cause first",
    REFUSE: "nothing more of it goes, its sender is told FAILURE",
    LEAVE: "it stays held",
}
NOT_SURE = (ParcelState.IN_FLIGHT, ParcelState.UNKNOWN, ParcelState.PARKED)


class Held:
    """Deliveries that stopped, with nothing more of them sent until a person decides."""

    def waiting(self, desk: Desk, tx: Tx) -> list[Question]:
        """All that are held; an answer that only waits for its own delivery is not for a person."""
        other = table.alias()
        answers = [flow.answer for flow in desk.systems.flows.values() if flow.answer]
        moves = exists(select(other.c.id)).where(
            other.c.intake_id == table.c.intake_id, other.c.flow == table.c.flow, other.c.id != table.c.id,
            other.c.state.not_in(SETTLED),
        )  # fmt: skip
        waits_for_its_delivery = and_(table.c.destination.in_(answers), moves)
        look = deliveries.with_intakes().where(table.c.state == DeliveryState.HELD, ~waits_for_its_delivery)
        rows = [row for row in tx.execute(look) if row.flow in desk.systems.flows]
        books = deliveries.balances(tx, [row.id for row in rows])
        return [_question(tx, row, books[row.id].in_words) for row in rows]

    def decide(self, desk: Desk, row: Row[Any], choice: str, who: str, why: str) -> str:
        """Has it go on, or ends it.

        Raises:
            NotAllowed: it cannot be refused while nobody knows what the other side has of it.
            Interrupted: it cannot go on, for what was staged of it is gone.
        """
        with desk.ledger.write() as tx:
            if deliveries.locked(tx, row.id).state != DeliveryState.HELD:
                return "it is not held any more: nothing was done"
            if choice == GO_ON:
                resend_parcels(desk, tx, row, (ParcelState.REJECTED,))
            else:
                _refuse(desk, tx, row, who, why)
            audit.note(tx, who, f"release: {choice}", f"{row.name} > {row.destination}", why or NO_REASON)
        return "it goes on" if choice == GO_ON else "it is refused, and its sender is told so"


def _question(tx: Tx, row: Row[Any], rows: str) -> Question:
    codes = Counter(intakes.codes(tx, row.intake_id))
    codes.update(parcels.codes(tx, [row.id], ParcelState.REJECTED))
    text = worded(row, rows, f"Held: {row.note or 'no reason was noted'}", codes, CHOICES)
    return Question(f"held {row.id}.{row.generation}", row.flow, printable(row.name), "Held", text, tuple(CHOICES))


def _refuse(desk: Desk, tx: Tx, row: Row[Any], who: str, why: str) -> None:
    if parcels.has_any(tx, row.id, NOT_SURE):
        raise NotAllowed(
            f"{printable(row.name)} cannot be refused: nobody knows yet whether the other side has some of its rows",
            fix="wait a minute and decide again; or ask the other side, and let it go on",
        )
    pending = [parcel.id for parcel in parcels.of_delivery(tx, row.id, ParcelState.PENDING)]
    parcels.move(tx, pending, ParcelState.PENDING, ParcelState.REJECTED, "refused_by_person", "a person refused it")
    deliveries.end_held(tx, row.id, f"refused by {who}: {why or NO_REASON}")
    flow = desk.systems.flow(row.flow)
    if row.destination != flow.answer:
        owe_answer(tx, row.intake_id, flow, row.business_at)
