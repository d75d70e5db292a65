"""Which flows have unfinished work that nobody holds: they are woken, and do it themselves."""

from __future__ import annotations

from sqlalchemy import func, select

from drbridge.exchange.desk import Desk
from drbridge.exchange.mail import flows_with_mail, may_be_called
from drbridge.exchange.waiting import NAMELESS_FOR_SECONDS
from drbridge.ledger import intakes, leases
from drbridge.ledger.database import Tx, clock
from drbridge.ledger.deliveries import OLDEST_FIRST
from drbridge.ledger.states import MOVING, SETTLED, DeliveryState
from drbridge.ledger.tables import deliveries, parcels, sightings
from drbridge.systems import Systems

LOOK_AT_LEAST_EVERY_SECONDS = 900.0
NAMED_WITHIN_SECONDS = 20.0


def due_flows(desk: Desk) -> list[tuple[str, str]]:
    """Flows to wake now, each with the reason. Nothing is sent here."""
    due: dict[str, str] = {}
    with desk.ledger.read() as tx:
        for name, lane, destination in _due_lanes_of_files(tx):
            known = desk.systems.flows.get(name)
            if known is None or not desk.systems.is_on(known):
                continue
            if leases.holder_of(tx, lane) is None and may_be_called(tx, desk.systems, destination):
                due.setdefault(name, f"{destination} has unfinished work that nobody holds")
        for name in _nameless(tx, desk.systems):
            due.setdefault(name, "a file is settled and its source has not got its last name yet")
        patrols = intakes.last_patrols(tx)
    for name in flows_with_mail(desk):
        due.setdefault(name, "messages or answers have to go and nobody sends them")
    for flow in filter(desk.systems.is_on, desk.systems.flows.values()):
        if flow.source and patrols.get(flow.name, float("inf")) > LOOK_AT_LEAST_EVERY_SECONDS:
            due.setdefault(flow.name, "nobody has looked at its source for a while")
    return sorted(due.items())


def _due_lanes_of_files(tx: Tx) -> list[tuple[str, str, str]]:
    """Lanes of which a sender would send something now: of the oldest delivery, which the others wait behind."""
    place = func.row_number().over(partition_by=deliveries.c.lane, order_by=OLDEST_FIRST)
    waiting = (
        select(
            deliveries.c.flow, deliveries.c.lane, deliveries.c.destination,
            func.min(parcels.c.next_at).label("next_at"), place.label("place"),
        )
        .join_from(deliveries, parcels)
        .where(deliveries.c.state == DeliveryState.OPEN, parcels.c.state.in_(MOVING), parcels.c.entity.is_(None))
        .group_by(deliveries.c.id)
        .subquery()
    )  # fmt: skip
    due = select(waiting).where(waiting.c.place == 1, waiting.c.next_at <= clock(tx))
    return [(row.flow, row.lane, row.destination) for row in tx.execute(due)]


def _nameless(tx: Tx, systems: Systems) -> set[str]:
    """Flows of files that are settled, while the source has the name it came under.

    One run may settle what another took in: the one that gives the verdict on the file was a step too early then. A
    file that somebody took away is not looked for for ever.
    """
    now = clock(tx)
    lately = select(deliveries.c.intake_id).where(deliveries.c.ended_at > now - NAMELESS_FOR_SECONDS)
    rows = tx.execute(
        select(deliveries.c.intake_id, deliveries.c.flow, deliveries.c.destination, deliveries.c.state)
        .add_columns((now - deliveries.c.ended_at).label("ago"))
        .join_from(sightings, deliveries, sightings.c.intake_id == deliveries.c.intake_id)
        .where(sightings.c.renamed_at.is_(None), sightings.c.intake_id.in_(lately))
    ).all()
    carried = [row for row in rows if row.flow in systems.flows and row.destination in systems.flows[row.flow].deliver]
    waiting = {row.intake_id for row in carried if row.state not in SETTLED or row.ago < NAMED_WITHIN_SECONDS}
    return {row.flow for row in carried if row.intake_id not in waiting and systems.is_on(systems.flows[row.flow])}
