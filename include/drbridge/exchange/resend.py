"""Sending again what was settled or is in doubt, because a person asked: audited, under new keys where it must be."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sqlalchemy import Row, select

from drbridge.exchange.desk import Desk
from drbridge.exchange.receive import resend_parcels
from drbridge.exchange.work import Resend, Work
from drbridge.ledger import audit, deliveries, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.states import DeliveryState, ParcelState
from drbridge.ledger.tables import audit as audit_table
from drbridge.ledger.tables import sightings
from drbridge.ports import AlreadyThere
from drbridge.systems import Flow, Store

STATES: dict[Resend, tuple[ParcelState, ...]] = {
    "nothing": (),
    "failed": (ParcelState.REJECTED,),
    "unknown": (),
    "all": (ParcelState.REJECTED, ParcelState.ACKED),
}


def reopen(desk: Desk, flow_name: str, work: Work) -> int:
    """Opens what the run's `resend` names, once per run; returns how many deliveries were opened.

    `failed`: refused rows and files; `unknown`: what is in doubt, under its old key; `all`: what was accepted too.
    """
    if work.resend == "nothing" or work.dry_run:
        return 0
    flow = desk.systems.flow(flow_name)
    with desk.ledger.write() as tx:
        if _was_done(tx, work.run):
            return 0
        opened = [row for row in _chosen(tx, flow, work) if _open(tx, row, work.resend)]
        audit.note(
            tx, work.who, f"resend {work.resend}", work.run,
            f"{len(opened)} deliveries; file {work.file or 'any'}, since {work.since}, until {work.until}",
        )  # fmt: skip
    _names_back(desk, flow, opened)
    return len(opened)


def _was_done(tx: Tx, run: str) -> bool:
    done = (audit_table.c.subject == run, audit_table.c.act.like("resend %"))
    return bool(run) and tx.execute(select(audit_table.c.id).where(*done)).first() is not None


def _chosen(tx: Tx, flow: Flow, work: Work) -> list[Row[Any]]:
    rows = tx.execute(deliveries.with_intakes(flow=flow.name)).all()
    since, until = work.since and work.since.timestamp(), work.until and work.until.timestamp()
    return [
        row
        for row in rows
        if row.destination in flow.deliver
        and work.wants_name(row.name)
        and (since is None or row.business_at >= since)
        and (until is None or row.business_at < until)
    ]


def _open(tx: Tx, row: Row[Any], resend: Resend) -> bool:
    if resend == "unknown":
        doubtful = parcels.of_delivery(tx, row.id, ParcelState.PARKED)
        ids = [parcel.id for parcel in doubtful]
        return parcels.move(tx, ids, ParcelState.PARKED, ParcelState.PENDING, "resent", "a person asked for it") > 0
    if row.state == DeliveryState.REFUSED:
        return True
    if row.state == DeliveryState.HELD:
        deliveries.reopen(tx, row.id)
    return resend_parcels(tx, row, row.sha256, STATES[resend]) > 0 or row.state == DeliveryState.HELD


def _names_back(desk: Desk, flow: Flow, opened: list[Row[Any]]) -> None:
    """Gives sources their names back where the bytes must be read again: refused files, and relayed ones."""
    again = [
        row
        for row in opened
        if row.state == DeliveryState.REFUSED or isinstance(desk.systems.destination(row.destination), Store)
    ]
    if not again:
        return
    with desk.ledger.read() as tx:
        names = tx.execute(
            select(sightings.c.name, sightings.c.renamed_to)
            .where(sightings.c.intake_id.in_([row.intake_id for row in again]), sightings.c.source == flow.source)
            .where(sightings.c.renamed_to.is_not(None))
        ).all()
    store = desk.outside.store(flow.source)
    try:
        for name, renamed_to in dict.fromkeys((row.name, row.renamed_to) for row in names):
            if store.stat(renamed_to) is not None:
                with suppress(AlreadyThere):
                    store.rename(renamed_to, name)
    finally:
        store.close()
