"""Which flows have unfinished work that nobody holds: they are woken, and do it themselves."""

from __future__ import annotations

from sqlalchemy import func, select

from drbridge.exchange.desk import Desk
from drbridge.ledger import intakes, leases, targets
from drbridge.ledger.database import Tx, clock
from drbridge.ledger.states import MOVING, DeliveryState
from drbridge.ledger.tables import deliveries, parcels
from drbridge.systems import Systems

LOOK_AT_LEAST_EVERY_SECONDS = 900.0


def due_flows(desk: Desk) -> list[tuple[str, str]]:
    """Flows to wake now, each with the reason. Nothing is sent here."""
    due: dict[str, str] = {}
    with desk.ledger.read() as tx:
        for name, lane, destination in _open_lanes(tx):
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


def _open_lanes(tx: Tx) -> list[tuple[str, str, str]]:
    """Lanes whose oldest waiting parcel is due."""
    soonest = func.min(parcels.c.next_at)
    look = (
        select(deliveries.c.flow, deliveries.c.lane, deliveries.c.destination)
        .join_from(deliveries, parcels)
        .where(deliveries.c.state == DeliveryState.OPEN, parcels.c.state.in_(MOVING))
        .group_by(deliveries.c.flow, deliveries.c.lane, deliveries.c.destination)
        .having(soonest <= clock(tx))
    )
    return [(row.flow, row.lane, row.destination) for row in tx.execute(look)]


def _may_be_called(tx: Tx, systems: Systems, destination: str) -> bool:
    try:
        connection = systems.destination(destination).connection
    except KeyError:
        return False
    return targets.health(tx, connection).wait_seconds <= 0
