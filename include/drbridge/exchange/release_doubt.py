"""Requests in doubt: a person has the other side asked, has them sent again, or says what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, exists

from drbridge.exchange.acks import settle
from drbridge.exchange.again import release_parked
from drbridge.exchange.asking import ask
from drbridge.exchange.desk import Desk
from drbridge.exchange.gone import SOURCE_GONE
from drbridge.exchange.notices import printable
from drbridge.exchange.operations import operation_of
from drbridge.exchange.order import judged, took_effect
from drbridge.exchange.outcomes import judge_asked
from drbridge.exchange.questions import LEAVE, NO_REASON, REFUSE, Question, worded
from drbridge.exchange.requests import Requests
from drbridge.ledger import audit, deliveries, messages, parcels, queue
from drbridge.ledger.database import Tx
from drbridge.ledger.parcels import IN_DOUBT, Claim, Outcome
from drbridge.ledger.states import DeliveryState, ParcelState
from drbridge.ledger.tables import deliveries as table
from drbridge.ledger.tables import parcels as parcels_table
from drbridge.systems import Endpoint

ASK = "Ask the other side"
AGAIN = "Send it again"
HAS_IT = "They have it"
MEANINGS = {
    ASK: "what it has counts as accepted, what it has not keeps waiting; nothing is sent",
    AGAIN: "what waits goes once more under the same key: right where the other side has it not, or knows the key",
    HAS_IT: "you have asked them: what waits counts as accepted, nothing is sent",
    REFUSE: "you have asked them: they have it not, and it shall not go; it counts as refused, its sender is told",
    LEAVE: "it keeps waiting",
}


class InDoubt:
    """Deliveries with requests that are set aside: nobody knows whether they took effect, or how to make them."""

    def waiting(self, desk: Desk, tx: Tx) -> list[Question]:
        """All that have any. A file that went away from its source goes on by itself when it is laid there again."""
        mine = (parcels_table.c.delivery_id == table.c.id, parcels_table.c.state == ParcelState.PARKED)
        parked = exists().where(*mine, parcels_table.c.code.is_distinct_from(SOURCE_GONE))
        look = deliveries.with_intakes().where(table.c.state == DeliveryState.OPEN, parked)
        rows = [row for row in tx.execute(look) if row.flow in desk.systems.flows]
        books = deliveries.balances(tx, [row.id for row in rows])
        return [_question(desk, tx, row, books[row.id].in_words) for row in rows]

    def decide(self, desk: Desk, row: Row[Any], choice: str, who: str, why: str) -> str:
        """Asks, sends again, or settles what waits.

        Raises:
            Unreachable: the other side was to be asked and does not answer.
            Interrupted: it cannot go again, for what was staged of it is gone.
        """
        found = _asked(desk, row) if choice == ASK else {}
        with desk.ledger.write() as tx:
            deliveries.locked(tx, row.id)
            parked = parcels.of_delivery(tx, row.id, ParcelState.PARKED)
            if choice == ASK:
                there = [each for each in parked if each.id in found]
                told = f"the other side has {len(there)} of {len(parked)}; the others wait, for it has them not"
                _end(desk, tx, row, there, found, Outcome(ParcelState.ACKED, "asked", "a person had the target asked"))
            elif choice == AGAIN:
                release_parked(desk, tx, row)
                told = "it goes again"
            elif choice == HAS_IT:
                _end(
                    desk, tx, row, parked, _claims(desk, tx, row), Outcome(ParcelState.ACKED, "told", f"{who} says so")
                )
                told = "it counts as accepted"
            else:
                refused = Outcome(ParcelState.REJECTED, "refused_by_person", "a person refused it")
                _end(desk, tx, row, parked, {}, refused)
                told = "it is refused"
            audit.note(tx, who, f"release: {choice}", f"{row.name} > {row.destination}", f"{why or NO_REASON} ({told})")
        return told


def _question(desk: Desk, tx: Tx, row: Row[Any], rows: str) -> Question:
    parked = parcels.of_delivery(tx, row.id, ParcelState.PARKED)
    choices = {choice: text for choice, text in MEANINGS.items() if choice != ASK or _can_be_asked(desk, row, parked)}
    why = f"Set aside: {len(parked)} requests; nobody knows whether they took effect, or they cannot be made"
    codes = parcels.codes(tx, [row.id], ParcelState.PARKED)
    key = f"doubt {row.id}.{row.generation}.{max(each.id for each in parked)}.{sum(each.tries for each in parked)}"
    return Question(
        key, row.flow, printable(row.name), "In doubt", worded(row, rows, why, codes, choices), tuple(choices)
    )


def _can_be_asked(desk: Desk, row: Row[Any], parked: Sequence[Row[Any]]) -> bool:
    destination = desk.systems.destination(row.destination)
    in_doubt = any(each.code == IN_DOUBT for each in parked)
    return in_doubt and isinstance(destination, Endpoint) and operation_of(destination).asking is not None


def _claims(desk: Desk, tx: Tx, row: Row[Any]) -> dict[int, Claim]:
    """The parcels that wait, by their numbers, each with what it brings about."""
    message = messages.of_intake(tx, row.intake_id)
    sealed = bytes(message.sealed) if message else b""
    parked = parcels.of_delivery(tx, row.id, ParcelState.PARKED)
    claims = [queue.as_claim(row, each, sealed)._replace(in_doubt=each.code == IN_DOUBT) for each in parked]
    return {each.id: each for each in judged(tx, desk.seal, row.lane, claims)}


def _asked(desk: Desk, row: Row[Any]) -> dict[int, Claim]:
    """Those of the requests in doubt that the other side says it has."""
    endpoint = desk.systems.destination(row.destination)
    assert isinstance(endpoint, Endpoint)
    with desk.ledger.read() as tx:
        claims = [each for each in _claims(desk, tx, row).values() if each.in_doubt and each.decided is None]
    requests, operation = Requests(desk, endpoint), operation_of(endpoint)
    replies = ask(desk, endpoint.connection, [requests.question(each).path for each in claims])
    known = [
        (claim, judge_asked(reply, claim, operation, desk.clock.now()))
        for claim, (_, reply) in zip(claims, replies, strict=True)
    ]
    return {claim.id: claim for claim, outcome in known if outcome and outcome.state is ParcelState.ACKED}


def _end(
    desk: Desk, tx: Tx, row: Row[Any], ended: Sequence[Row[Any]], claims: Mapping[int, Claim], outcome: Outcome
) -> None:  # fmt: skip
    """Gives parcels that waited their last state; what waited for one that took effect is looked at again."""
    parcels.move(tx, [each.id for each in ended], ParcelState.PARKED, outcome.state, outcome.code, outcome.text)
    moved = took_effect(tx, [(claims[each.id], outcome) for each in ended if each.id in claims])
    if moved:
        queue.release_waiting(tx, moved)
    settle(tx, desk.systems.flow(row.flow), [row.id])
