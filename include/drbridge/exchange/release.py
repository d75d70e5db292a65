"""Held deliveries: a person reads why each stopped, and lets it go on, refuses it, or leaves it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import Row, and_, exists, select

from drbridge.errors import NotAllowed
from drbridge.exchange.acks import owe_answer
from drbridge.exchange.again import resend_parcels
from drbridge.exchange.desk import Desk
from drbridge.exchange.notices import printable
from drbridge.ledger import audit, deliveries, intakes, parcels, runs
from drbridge.ledger.database import Tx
from drbridge.ledger.states import SETTLED, DeliveryState, ParcelState
from drbridge.ledger.tables import deliveries as table

Choice = Literal["Let it go on", "Refuse it", "Leave it"]
GO_ON, REFUSE, LEAVE = CHOICES = ("Let it go on", "Refuse it", "Leave it")
MOST_OF_A_RUN = 200
MOST_CODES = 10
EVER = 1e12
NOT_SURE = (ParcelState.IN_FLIGHT, ParcelState.UNKNOWN, ParcelState.PARKED)


@dataclass(frozen=True)
class Held:
    """A held delivery, as a person is asked about it.

    Attributes:
        key: tells one hold of a delivery from a later one.
        name: the file, or the message by its number.
        text: why it is held, how many rows are where, and the commonest reasons, by their codes.
    """

    delivery: int
    key: str
    flow: str
    name: str
    text: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def to_ask(desk: Desk, dag_id: str, run_id: str, by_hand: bool) -> list[Held]:
    """The held deliveries that a run asks about: each once, unless a person has everything asked anew.

    A run that is cleared asks about the same again, in the same order.
    """
    with desk.ledger.write() as tx:
        every = {each.key: each for each in _held(desk, tx)}
        asked = set() if by_hand else runs.given_to_others(tx, dag_id, run_id, EVER)
        mine = runs.give(tx, dag_id, run_id, [key for key in every if key not in asked][:MOST_OF_A_RUN])
    return [every.get(key) or _over(key) for key in mine]


def is_held(desk: Desk, delivery_id: int) -> bool:
    """Whether a delivery still waits for a decision."""
    with desk.ledger.read() as tx:
        row = _row(tx, delivery_id)
    return row is not None and row.state == DeliveryState.HELD


def decide(desk: Desk, delivery_id: int, choice: Choice, who: str, why: str) -> str:
    """Does what a person has decided, and writes down who and why; says what became of it.

    Raises:
        NotAllowed: it cannot be refused while nobody knows what the other side has of it.
        Interrupted: it cannot go on, for what was staged of it is gone.
    """
    with desk.ledger.write() as tx:
        row = _row(tx, delivery_id)
        if row is None or deliveries.locked(tx, delivery_id).state != DeliveryState.HELD:
            return "it is not held any more: nothing was done"
        if choice == GO_ON:
            resend_parcels(desk, tx, row, (ParcelState.REJECTED,))
        elif choice == REFUSE:
            _refuse(desk, tx, row, who, why)
        audit.note(tx, who, f"release: {choice}", f"{row.name} > {row.destination}", why or "no reason given")
    return {GO_ON: "it goes on", REFUSE: "it is refused, and its sender is told so", LEAVE: "it stays held"}[choice]


def _row(tx: Tx, delivery_id: int) -> Row[Any] | None:
    return tx.execute(deliveries.with_intakes().where(table.c.id == delivery_id)).first()


def _held(desk: Desk, tx: Tx) -> list[Held]:
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
    return [
        Held(
            row.id, f"{row.id}.{row.generation}", row.flow, printable(row.name), _text(tx, row, books[row.id].in_words)
        )
        for row in rows
    ]


def _text(tx: Tx, row: Row[Any], rows: str) -> str:
    """In our own words and codes only: the other side's may name customers."""
    found = Counter(intakes.codes(tx, row.intake_id))
    found.update(parcels.codes(tx, [row.id], ParcelState.REJECTED))
    codes = ", ".join(f"{code} {count} times" for code, count in found.most_common(MOST_CODES))
    lines = (
        f"`{row.flow}` to `{row.destination}`: {rows}.",
        f"Held: {printable(row.note or 'no reason was noted')}.",
        f"Reasons of refused rows, by their codes: {codes or 'none'}.",
        f"More: `drbridge ledger show {row.id}`, or the runs of [{row.flow}](/dags/{row.flow}).",
        f"**{GO_ON}**: what was refused and what was never sent goes again; correct the cause first. **{REFUSE}**: "
        f"nothing more of it goes, its sender is told FAILURE. **{LEAVE}**: it stays held.",
    )
    return "\n\n".join(lines)


def _over(key: str) -> Held:
    return Held(int(key.partition(".")[0]), key, "", f"delivery {key.partition('.')[0]}", "It is not held any more.")


def _refuse(desk: Desk, tx: Tx, row: Row[Any], who: str, why: str) -> None:
    if parcels.has_any(tx, row.id, NOT_SURE):
        raise NotAllowed(
            f"{printable(row.name)} cannot be refused: nobody knows yet whether the other side has some of its rows",
            fix="wait a minute and decide again; or ask the other side, and let it go on",
        )
    pending = [parcel.id for parcel in parcels.of_delivery(tx, row.id, ParcelState.PENDING)]
    parcels.move(tx, pending, ParcelState.PENDING, ParcelState.REJECTED, "refused_by_person", "a person refused it")
    deliveries.end_held(tx, row.id, f"refused by {who}: {why or 'no reason given'}")
    flow = desk.systems.flow(row.flow)
    if row.destination != flow.answer:
        owe_answer(tx, row.intake_id, flow, row.business_at)
