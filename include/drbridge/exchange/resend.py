"""Sending again what was settled or is in doubt, because a person asked: audited, under new keys where it must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, or_, select

from drbridge.errors import BadInput
from drbridge.exchange.again import preview, release_parked, resend_parcels
from drbridge.exchange.desk import Desk
from drbridge.exchange.meaning import chosen_by, with_reason
from drbridge.exchange.receive import fingerprint
from drbridge.exchange.turns import move_record
from drbridge.exchange.work import Resend, Work
from drbridge.ledger import audit, deliveries, intakes, messages, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.messages import SOURCE, number_of
from drbridge.ledger.parcels import Claim
from drbridge.ledger.states import SETTLED, DeliveryState, ParcelState
from drbridge.ledger.tables import audit as audit_table
from drbridge.ledger.tables import deliveries as table
from drbridge.ledger.tables import parcels as parcels_table
from drbridge.ledger.tables import sightings
from drbridge.ports import AlreadyThere, FileStore
from drbridge.systems import Flow, Store

STOPPED = (DeliveryState.REFUSED, DeliveryState.ASKED, DeliveryState.HELD)
STATES: dict[Resend, tuple[ParcelState, ...]] = {
    "nothing": (),
    "failed": (ParcelState.REJECTED,),
    "unknown": (ParcelState.PARKED,),
    "all": (ParcelState.REJECTED, ParcelState.ACKED),
}


@dataclass(frozen=True)
class Reopened:
    """What a run's `resend` opened.

    Attributes:
        deliveries: how many were opened.
        without_source: files that would have to be read again and are not at the source any more, by their names.
        without_content: messages whose content was deleted, their time being over, by their names.
        would_open: in a dry run, what would be opened: file and destination.
    """

    deliveries: int = 0
    without_source: tuple[str, ...] = ()
    without_content: tuple[str, ...] = ()
    would_open: tuple[str, ...] = ()


def reopen(desk: Desk, flow_name: str, work: Work) -> Reopened:
    """Opens what the run's `resend` names, once per run.

    `failed`: refused rows and files; `unknown`: what is in doubt, under its old key; `all`: what was accepted too. The
    files get their old names back first, so that the run shows them and gives them their verdict anew.

    Raises:
        BadInput: the flow does not send to the destination that the run names.
        RetryLater: the source cannot be reached; nothing was opened.
    """
    if work.resend == "nothing":
        return Reopened()
    flow = desk.systems.flow(flow_name)
    if work.destination not in (None, *flow.destinations):
        raise BadInput(
            f"{flow.name} does not send to {work.destination}", code="bad_params",
            fix=f"choose one of {', '.join(flow.destinations)}",
        )  # fmt: skip
    with desk.ledger.read() as tx:
        chosen = [] if _was_done(tx, work.run) else _wanted(desk, tx, flow, work)
        emptied = messages.emptied(tx, [row.intake_id for row in chosen])
    gone = tuple(sorted({row.name for row in chosen if row.intake_id in emptied}))
    chosen = [row for row in chosen if row.intake_id not in emptied]
    if work.dry_run:
        return Reopened(would_open=tuple(f"{row.name} > {row.destination}" for row in chosen))
    has_files = bool(chosen and flow.source)
    missing = names_back(desk, flow, chosen) if has_files and work.resend != "unknown" else set[int]()
    lost = {row.id: row.name for row in chosen if row.intake_id in missing and _needs_bytes(desk, row)}
    with desk.ledger.write() as tx:
        if _was_done(tx, work.run):
            return Reopened()
        opened = sum(_open(desk, tx, row, work) for row in chosen if row.id not in lost)
        audit.note(
            tx, work.who, f"resend {work.resend}", work.run,
            f"{work.why or 'no reason given'} (deliveries opened: {opened}; {work.asked_for})",
        )  # fmt: skip
    return Reopened(opened, tuple(sorted(set(lost.values()))), gone)


def calls_again(desk: Desk, tx: Tx, flow: Flow, destination: str, work: Work) -> list[Claim]:
    """What the run's `resend` would send to a destination, without opening anything: for a dry run."""
    wanted = [row for row in _wanted(desk, tx, flow, work) if row.destination == destination]
    return [
        claim for row in wanted for claim in preview(desk, tx, row, STATES[work.resend], chosen_by(desk, tx, row, work))
    ]


def names_any(desk: Desk, flow: Flow, work: Work) -> bool:
    """Whether what the run names is a message of the flow."""
    with desk.ledger.read() as tx:
        return any(_is_message_named(row, work) for row in tx.execute(deliveries.with_intakes(flow=flow.name)))


def archived(desk: Desk, flow_name: str, work: Work) -> list[str]:
    """Files that the run names and that were put away, by their names now: only a resend sends them once more."""
    flow = desk.systems.flow(flow_name)
    away = select(sightings).where(sightings.c.source == flow.source, sightings.c.renamed_at.is_not(None))
    with desk.ledger.read() as tx:
        rows = tx.execute(away.order_by(sightings.c.id)).all()
    return [row.renamed_to for row in rows if row.renamed_to and flow.noun_of(row.name) and work.wants_name(row.name)]


def _wanted(desk: Desk, tx: Tx, flow: Flow, work: Work) -> list[Row[Any]]:
    """Deliveries of the window with anything that the run's `resend` speaks of; answers before what they answer.

    What was accepted of an answer is never sent again: `all` speaks of rows and files.
    """
    since, until = work.since and work.since.timestamp(), work.until and work.until.timestamp()
    states = (
        parcels_table.c.delivery_id == table.c.id, parcels_table.c.state.in_(STATES[work.resend]), with_reason(work),
    )  # fmt: skip
    stopped = table.c.state.in_(STOPPED)
    look = deliveries.with_intakes(flow=flow.name).where(
        or_(stopped, select(parcels_table.c.id).where(*states).exists())
    )
    named = set[int]() if work.file is None else intakes.seen_as(tx, flow.source, work.wants_name)
    rows = [
        row
        for row in tx.execute(look).all()
        if row.destination in flow.destinations
        and work.destination in (None, row.destination)
        and (work.file is None or row.intake_id in named or _is_message_named(row, work))
        and (since is None or row.business_at >= since)
        and (until is None or row.business_at < until)
        and _has_any(desk, tx, flow, row, work)
    ]
    return sorted(rows, key=lambda row: row.destination != flow.answer)


def _is_message_named(row: Row[Any], work: Work) -> bool:
    """Whether the run names a message: by its number, a pattern of numbers, or the number that its sender gave it."""
    ours = row.name.removeprefix(f"{row.noun} ")
    return row.source == SOURCE and (work.wants_name(ours) or ours == number_of(row.noun, work.file or ""))


def _has_any(desk: Desk, tx: Tx, flow: Flow, row: Row[Any], work: Work) -> bool:
    """Whether the run's `resend` speaks of anything in a delivery; reason and program are those of what was sent."""
    states, is_answer = STATES[work.resend], row.destination == flow.answer
    if is_answer:
        states = tuple(state for state in states if state is not ParcelState.ACKED)
    if work.reason or work.program:
        is_meant = chosen_by(desk, tx, row, work)
        return row.state not in STOPPED and any(is_meant(each) for each in parcels.of_delivery(tx, row.id, *states))
    if is_answer and row.state == DeliveryState.HELD and work.resend == "failed":
        return _is_settled(tx, flow, row.intake_id)
    if not is_answer and work.resend != "unknown" and row.state in STOPPED:
        return True
    return bool(states) and parcels.has_any(tx, row.id, states)


def _is_settled(tx: Tx, flow: Flow, intake_id: int) -> bool:
    """Whether the flow's deliveries have ended: an answer is held while they have not, and must not be opened then."""
    mine = [row for row in deliveries.of_intake(tx, intake_id) if row.flow == flow.name]
    return all(row.state in SETTLED for row in mine if row.destination in flow.deliver)


def _was_done(tx: Tx, run: str) -> bool:
    done = (audit_table.c.subject == run, audit_table.c.act.like("resend %"))
    return bool(run) and tx.execute(select(audit_table.c.id).where(*done)).first() is not None


def _open(desk: Desk, tx: Tx, row: Row[Any], work: Work) -> bool:
    chosen = chosen_by(desk, tx, row, work)
    if work.resend == "unknown":
        return release_parked(desk, tx, row, chosen)
    if row.state in (DeliveryState.REFUSED, DeliveryState.ASKED):
        return deliveries.ask(tx, row.id)
    return resend_parcels(desk, tx, row, STATES[work.resend], chosen)


def _needs_bytes(desk: Desk, row: Row[Any]) -> bool:
    is_relay = isinstance(desk.systems.destination(row.destination), Store)
    return is_relay or row.state in (DeliveryState.REFUSED, DeliveryState.ASKED)


def names_back(desk: Desk, flow: Flow, chosen: list[Row[Any]]) -> set[int]:
    """Gives the sources of intakes their names back; returns the intakes whose file is not there any more."""
    with desk.ledger.read() as tx:
        seen = {row.intake_id: intakes.sighting_in(tx, row.intake_id, flow.source) for row in chosen}
    store = desk.outside.store(flow.source)
    try:
        return {
            intake_id for intake_id, last in seen.items() if last is None or not _name_back(desk, flow, store, last)
        }
    finally:
        store.close()


def _name_back(desk: Desk, flow: Flow, store: FileStore, last: Row[Any]) -> bool:
    """Gives a file its old name, if it still is that file; one that was edited under its new name is another."""
    lies_as = last.renamed_to if last.renamed_to and store.stat(last.renamed_to) is not None else last.name
    there = fingerprint(store, lies_as)
    if there is None or not there.looks_like(last):
        return False
    if lies_as != last.name:
        move_record(flow, store, lies_as, last.name)
        try:
            store.rename(lies_as, last.name)
        except AlreadyThere:
            return False
    seen = fingerprint(store, last.name)
    if seen is not None:
        with desk.ledger.write() as tx:
            intakes.sight(tx, last.intake_id, last.source, seen)
    return seen is not None
