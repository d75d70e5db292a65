"""Which flows have unfinished work that nobody holds: they are woken, and do it themselves."""

from __future__ import annotations

from sqlalchemy import func, select

from drbridge.exchange.desk import Desk
from drbridge.ledger import intakes, leases, targets
from drbridge.ledger.database import Tx, clock
from drbridge.ledger.deliveries import OLDEST_FIRST
from drbridge.ledger.states import MOVING, DeliveryState
from drbridge.ledger.tables import deliveries, parcels
from drbridge.systems import Systems

LOOK_AT_LEAST_EVERY_SECONDS = 900.0


def due_flows(desk: Desk) -> list[tuple[str, str]]:
    """Flows to wake now, each with the reason. Nothing is sent here."""
    due: dict[str, str] = {}
    with desk.ledger.read() as tx:
        for name, lane, destination in _due_lanes(tx):
            known = desk.systems.flows.get(name)
            if known is None or not desk.systems.is_on(known):
                continue
            if leases.holder_of(tx, lane) is None and _may_be_called(tx, desk.systems, destination):
                due.setdefault(name, f"{destination} has unfinished work that nobody holds")
        patrols = intakes.last_patrols(tx)
    for flow in desk.systems.flows.values():
        if desk.systems.is_on(flow) and patrols.get(flow.name, float("inf")) > LOOK_AT_LEAST_EVERY_SECONDS:
            due.setdefault(flow.name, "nobody has looked at its source for a while")
    return sorted(due.items())


def _due_lanes(tx: Tx) -> list[tuple[str, str, str]]:
    """Lanes of which a sender would send something now: of the oldest delivery, which the others wait behind."""
    place = func.row_number().over(partition_by=deliveries.c.lane, order_by=OLDEST_FIRST)
    queue = (
        select(
            deliveries.c.flow, deliveries.c.lane, deliveries.c.destination,
            func.min(parcels.c.next_at).label("next_at"), place.label("place"),
        )
        .join_from(deliveries, parcels)
        .where(deliveries.c.state == DeliveryState.OPEN, parcels.c.state.in_(MOVING))
        .group_by(deliveries.c.id)
        .subquery()
    )  # fmt: skip
    due = select(queue).where(queue.c.place == 1, queue.c.next_at <= clock(tx))
    return [(row.flow, row.lane, row.destination) for row in tx.execute(due)]


def _may_be_called(tx: Tx, systems: Systems, destination: str) -> bool:
    try:
        connection = systems.destination(destination).connection
    except KeyError:
        return False
    return targets.health(tx, connection, destination).wait_seconds <= 0
