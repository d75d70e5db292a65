"""Which flows have messages or answers that may go now, and that nobody works on."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from drbridge.exchange.desk import Desk
from drbridge.ledger import leases, queue, targets
from drbridge.ledger.database import Tx, clock
from drbridge.ledger.states import MOVING, DeliveryState
from drbridge.ledger.tables import deliveries, parcels
from drbridge.systems import Systems


def flows_with_mail(desk: Desk) -> frozenset[str]:
    """Flows to wake for a message or an answer. Nothing is sent here."""
    return frozenset(lanes_with_mail(desk).values())


def lanes_with_mail(desk: Desk) -> dict[str, str]:
    """The lanes in which a message or an answer may go now and that nobody works on, each with its flow."""
    with desk.ledger.read() as tx:
        found = {lane: _woken(tx, desk, lane) for lane in _open_lanes(tx)}
    return {lane: flow for lane, flow in found.items() if flow}


def _open_lanes(tx: Tx) -> Iterator[str]:
    """Lanes with anything open: from one to the next by the index, however much is open in each."""
    lane = ""
    while True:
        after = select(func.min(deliveries.c.lane)).where(deliveries.c.state == DeliveryState.OPEN)
        found = tx.execute(after.where(deliveries.c.lane > lane)).scalar()
        if found is None:
            return
        yield (lane := found)


def _woken(tx: Tx, desk: Desk, lane: str) -> str:
    """The flow to wake for a lane, empty when there is none; what costs least is looked at first."""
    of_lane = deliveries.c.state == DeliveryState.OPEN, deliveries.c.lane == lane
    row = tx.execute(select(deliveries.c.flow, deliveries.c.destination).where(*of_lane).limit(1)).one()
    flow = desk.systems.flows.get(row.flow)
    if flow is None or not desk.systems.is_on(flow) or row.destination not in flow.destinations:
        return ""
    if leases.holder_of(tx, lane) is not None or not may_be_called(tx, desk.systems, row.destination):
        return ""
    due = select(parcels.c.id).where(
        parcels.c.delivery_id == deliveries.c.id,
        parcels.c.entity.is_not(None),
        parcels.c.state.in_(MOVING),
        parcels.c.next_at <= clock(tx),
        queue.none_stands_before(),
    )
    waits = tx.execute(select(deliveries.c.id).where(*of_lane, due.exists()).limit(1)).first()
    return row.flow if waits is not None else ""


def may_be_called(tx: Tx, systems: Systems, destination: str) -> bool:
    """Whether a destination of systems.toml may be called now: it did not ask to be left alone, nor fail too often."""
    try:
        connection = systems.destination(destination).connection
    except KeyError:
        return False
    return targets.health(tx, connection, destination).wait_seconds <= 0
