"""Files that went away before they were relayed: a relay reads its bytes from the source, so nothing of them can go.

They are set aside for a person, and go on by themselves as soon as the same bytes are read again, under any name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Row, and_, or_, select

from drbridge.exchange.desk import Desk
from drbridge.ledger import intakes, leases, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import give_up_asking
from drbridge.ledger.states import MOVING, DeliveryState, ParcelState
from drbridge.ledger.tables import deliveries, sightings
from drbridge.ports import Entry
from drbridge.systems import Flow, Store

SOURCE_GONE = "source_gone"


def set_aside(desk: Desk, flow: Flow, entries: Sequence[Entry]) -> list[Row[Any]]:
    """Parks what the flow still has to relay of files that are not there any more; returns where each was seen last.

    A file is gone when looks a quiet time apart found it neither under its name nor under the one that we gave it,
    and at once when another file lies in its place and has been read.
    """
    listed = {entry.name: entry for entry in entries}
    with desk.ledger.read() as tx:
        open_ = _open_relays(desk, tx, flow)
    if not open_:
        return []
    gone: list[Row[Any]] = []
    with desk.ledger.write() as tx:
        intakes.not_missing(tx, flow.source, [row.name for row in open_ if row.name in listed])
        newest = intakes.sightings_of(tx, flow.source, [row.name for row in open_])
        for _, group in groupby(open_, key=lambda row: row.delivery_id):
            *_, last = seen = list(group)
            if any(_is_there(row, listed, newest) for row in seen):
                continue
            is_replaced = last.name in listed
            if is_replaced or intakes.seconds_missing(tx, flow.source, last.name) >= desk.systems.site.quiet_seconds:
                _park(desk, tx, flow, last)
                gone.append(last)
    return gone


def told(flow: Flow, name: str) -> str:
    """What a person has to know, and to do."""
    return (
        f"{name} went away from {flow.source} before it could be delivered: lay the file back under this name, "
        "or have its sender lay it down again under any name; it then goes by itself"
    )


def come_back(tx: Tx, delivery_id: int) -> None:
    """The bytes were read again: what was set aside for want of them goes on."""
    parked = parcels.of_delivery(tx, delivery_id, ParcelState.PARKED)
    ids = [row.id for row in parked if row.code == SOURCE_GONE]
    parcels.move(tx, ids, ParcelState.PARKED, ParcelState.PENDING, "source_back", "its source is there again")


def _open_relays(desk: Desk, tx: Tx, flow: Flow) -> list[Row[Any]]:
    """What the flow still has to relay or to judge anew, and where each was seen, in that order."""
    stores = [name for name in flow.deliver if isinstance(desk.systems.destination(name), Store)]
    to_relay = and_(deliveries.c.destination.in_(stores), deliveries.c.state == DeliveryState.OPEN)
    look = (
        select(deliveries.c.id.label("delivery_id"), deliveries.c.lane, deliveries.c.business_at, sightings)
        .add_columns(deliveries.c.state)
        .join_from(deliveries, sightings, sightings.c.intake_id == deliveries.c.intake_id)
        .where(
            deliveries.c.flow == flow.name,
            or_(to_relay, deliveries.c.state == DeliveryState.ASKED),
            sightings.c.source == flow.source,
        )
        .order_by(deliveries.c.id, sightings.c.id)
    )
    return list(tx.execute(look))


def _is_there(sighting: Row[Any], listed: Mapping[str, Entry], newest: Mapping[str, Row[Any]]) -> bool:
    """Whether the bytes may still lie under this name, or do under the one that we gave them."""
    if sighting.renamed_to in listed:
        return True
    entry, known = listed.get(sighting.name), newest.get(sighting.name)
    if entry is None:
        return False
    if known is None or known.intake_id == sighting.intake_id:
        return True
    return (known.size, known.mtime) != (entry.size, entry.mtime)


def _park(desk: Desk, tx: Tx, flow: Flow, sighting: Row[Any]) -> None:
    """Sets the parcels aside under the lane's lease; while another worker holds it, it is left to that one.

    What was to be judged anew stays refused.
    """
    if sighting.state == DeliveryState.ASKED:
        give_up_asking(tx, sighting.delivery_id, told(flow, sighting.name))
        return
    ids = [row.id for row in parcels.of_delivery(tx, sighting.delivery_id, *MOVING)]
    lease = leases.acquire(tx, sighting.lane, desk.worker) if ids else None
    if lease is None:
        return
    for state in MOVING:
        parcels.move(tx, ids, state, ParcelState.PARKED, SOURCE_GONE, told(flow, sighting.name))
    leases.release(tx, lease)
