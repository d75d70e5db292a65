"""Refused files: a person lets the good rows go, has the corrected file taken, or leaves it refused."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from drbridge.errors import NotAllowed
from drbridge.exchange.desk import Desk
from drbridge.exchange.notices import printable
from drbridge.exchange.questions import LEAVE, NO_REASON, REFUSE, Question, worded
from drbridge.exchange.receive import OVER_THRESHOLD, fingerprint
from drbridge.exchange.resend import names_back
from drbridge.ledger import audit, deliveries, intakes
from drbridge.ledger.database import Tx, clock
from drbridge.ledger.messages import SOURCE
from drbridge.ledger.states import DeliveryState
from drbridge.ledger.tables import deliveries as table
from drbridge.ledger.tables import intakes as intakes_table

APPROVE = "Let the good rows go"
CORRECTED = "Take the corrected file"
MEANINGS = {
    APPROVE: "the file is judged anew without its limit of refused rows; its good rows go, the others are laid aside",
    CORRECTED: "the corrected file lies at the source under the first name: it is taken, this one stays refused",
    REFUSE: "it stays refused, and nobody is asked again",
    LEAVE: "it stays as it is; trigger `release` to be asked again",
}
ASKED_FOR_SECONDS = 7 * 86_400.0


class Refused:
    """Files that were refused whole within the last week and that nobody has corrected yet."""

    def waiting(self, desk: Desk, tx: Tx) -> list[Question]:
        """One question for each file, however many deliveries it had."""
        look = deliveries.with_intakes().add_columns(intakes_table.c.refusal_code).where(
            table.c.state == DeliveryState.REFUSED, table.c.ended_at > clock(tx) - ASKED_FOR_SECONDS,
            intakes_table.c.source != SOURCE,
        )  # fmt: skip
        first: dict[int, Row[Any]] = {}
        for row in tx.execute(look.order_by(None).order_by(table.c.id)):
            first.setdefault(row.intake_id, row)
        rows = [row for row in first.values() if row.flow in desk.systems.flows and not _newer(tx, row)]
        books = deliveries.balances(tx, [row.id for row in rows])
        return [_question(tx, row, books[row.id].in_words) for row in rows]

    def decide(self, desk: Desk, row: Row[Any], choice: str, who: str, why: str) -> str:
        """Has the file judged anew, or looks whether the corrected one is there.

        Raises:
            NotAllowed: the file, or the corrected one, is not at the source.
            RetryLater: the source cannot be reached.
        """
        flow = desk.systems.flow(row.flow)
        if choice == APPROVE and names_back(desk, flow, [row]):
            raise NotAllowed(
                f"{printable(row.name)} is not at its source any more", fix="have its sender lay it down again"
            )
        if choice == CORRECTED and not _corrected(desk, row):
            raise NotAllowed(
                f"No corrected file called {printable(row.name)} lies in {flow.source}",
                fix="lay it there under this name, then trigger release and decide again",
            )
        with desk.ledger.write() as tx:
            if choice == APPROVE:
                intakes.approve(tx, row.intake_id)
                for each in deliveries.of_intake(tx, row.intake_id):
                    deliveries.ask(tx, each.id)
            audit.note(tx, who, f"release: {choice}", row.name, why or NO_REASON)
        return {
            APPROVE: "its good rows go", CORRECTED: "the corrected file is taken", REFUSE: "it stays refused",
        }[choice]  # fmt: skip


def _question(tx: Tx, row: Row[Any], rows: str) -> Question:
    meanings = {choice: text for choice, text in MEANINGS.items() if choice != APPROVE or _may_go(row)}
    text = worded(row, rows, f"Refused: {row.note}", intakes.codes(tx, row.intake_id), meanings)
    return Question(
        f"refused {row.id}.{row.generation}.{row.ended_at:.0f}", row.flow, printable(row.name), "Refused", text,
        tuple(meanings),
    )  # fmt: skip


def _may_go(row: Row[Any]) -> bool:
    """Whether all that is wrong with a file is the number of its refused rows."""
    return bool(row.refusal_code == OVER_THRESHOLD)


def _newer(tx: Tx, row: Row[Any]) -> bool:
    """Whether another file of this name has been read at its source since: the corrected one."""
    last = intakes.last_sighting(tx, row.source, row.name)
    return last is not None and last.intake_id != row.intake_id


def _corrected(desk: Desk, row: Row[Any]) -> bool:
    """Whether another file lies at the source under the name of the refused one."""
    with desk.ledger.read() as tx:
        refused = tx.execute(select(intakes_table.c.bytes).where(intakes_table.c.id == row.intake_id)).scalar_one()
        sighting = intakes.sighting_in(tx, row.intake_id, row.source)
    store = desk.outside.store(row.source)
    try:
        there = fingerprint(store, row.name)
    finally:
        store.close()
    return there is not None and (there.size != refused or sighting is None or not there.looks_like(sighting))
