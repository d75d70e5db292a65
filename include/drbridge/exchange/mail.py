"""Which flows have messages or answers that may go now, and that nobody works on."""

from __future__ import annotations

from sqlalchemy import select

from drbridge.exchange.desk import Desk
from drbridge.ledger import leases, queue, targets
from drbridge.ledger.database import Tx, clock
from drbridge.ledger.states import MOVING, DeliveryState
from drbridge.ledger.tables import deliveries, parcels
from drbridge.systems import Endpoint


def flows_with_mail(desk: Desk) -> frozenset[str]:
    """Flows to wake for a message or an answer. Nothing is sent here."""
    waits = select(parcels.c.id).where(
        parcels.c.delivery_id == deliveries.c.id,
        parcels.c.entity.is_not(None),
        parcels.c.state.in_(MOVING),
        queue.none_stands_before(),
    )
    found: set[str] = set()
    with desk.ledger.read() as tx:
        lanes = select(deliveries.c.flow, deliveries.c.lane, deliveries.c.destination).distinct()
        due = waits.where(parcels.c.next_at <= clock(tx))
        for row in tx.execute(lanes.where(deliveries.c.state == DeliveryState.OPEN, due.exists())):
            flow = desk.systems.flows.get(row.flow)
            if flow is None or not desk.systems.is_on(flow) or leases.holder_of(tx, row.lane) is not None:
                continue
            if _may_be_called(tx, desk, row.destination):
                found.add(row.flow)
    return frozenset(found)


def _may_be_called(tx: Tx, desk: Desk, destination: str) -> bool:
    endpoint = desk.systems.endpoints.get(destination)
    return isinstance(endpoint, Endpoint) and targets.health(tx, endpoint.connection, destination).wait_seconds <= 0
