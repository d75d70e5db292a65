"""What is overdue: deliveries that do not end, and requests whose answer does not come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import and_, case, exists, select

from drbridge.errors import DrBridgeError
from drbridge.exchange import unanswered_rows
from drbridge.exchange.archive import HELD, IN_DOUBT, NOT_YET, REFUSED
from drbridge.exchange.desk import Desk
from drbridge.exchange.findings import MOST_NAMED, Finding, lasting, named
from drbridge.exchange.outcomes import LATER
from drbridge.exchange.seal import opened
from drbridge.ledger.database import Tx, clock
from drbridge.ledger.messages import SOURCE
from drbridge.ledger.states import SETTLED, DeliveryState, ParcelState
from drbridge.ledger.tables import deliveries, intakes, messages, parcels, sightings, standings
from drbridge.systems import Flow

DAY = timedelta(days=1)
WITHIN = {
    "device_status_check": timedelta(minutes=30), "device_reservation": timedelta(hours=2),
    "event_status": timedelta(hours=1), "enrollment_change": timedelta(hours=4), "enrollment_sync": timedelta(days=2),
}  # fmt: skip
"""How long what a flow takes may stay without its end or answer: our definition; everything else has a day."""

ANSWERED_BY_MESSAGE = ("enrollment_change", "program_rules", "aggregator", "device_status_check")
ALWAYS_LATER = ("device_status_check",)
LISTED_FOR = timedelta(days=7)
"""So long after its time a missing answer is listed: after that nobody waits for it any more."""

WAITS = {
    "held": ("are held", HELD), "doubt": ("wait for a person", IN_DOUBT), "asked": ("are to be judged anew", REFUSED),
    "open": ("are not delivered yet", NOT_YET),
}  # fmt: skip
CHASE = "ask the other side what became of them, and have it send its answer; DACS can send the request again"


def within(flow: Flow) -> timedelta:
    """How long what a flow takes may stay without its end or answer."""
    nouns = [flow.message] if flow.message else list(flow.prefixes.values())
    return flow.answer_within or min(WITHIN.get(noun, DAY) for noun in nouns)


def overdue(desk: Desk) -> list[Finding]:
    """Everything that is overdue in the flows that are switched on."""
    found: list[Finding] = []
    with desk.ledger.read() as tx:
        for flow in filter(desk.systems.is_on, desk.systems.flows.values()):
            found += [*_untaken(tx, flow), *_unsettled(tx, flow)]
            if flow.message in ANSWERED_BY_MESSAGE:
                found += _unanswered(desk, tx, flow)
    return found + unanswered_rows.overdue(desk, within, LISTED_FOR)


def _untaken(tx: Tx, flow: Flow) -> Iterator[Finding]:
    """Files that were posted with a message, and that the flow has not taken up in time."""
    if "inbox://" not in flow.source:
        return
    is_taken = exists().where(sightings.c.name == messages.c.file_name)
    look = select(messages.c.file_name).where(
        messages.c.file_name.is_not(None), ~is_taken, messages.c.received_at < clock(tx) - within(flow).total_seconds()
    )
    if late := [name for name in tx.execute(look.order_by(messages.c.id)).scalars() if flow.noun_of(name)]:
        what = f"{len(late)} were posted and not taken up for more than {lasting(within(flow))}: {named(late)}"
        yield Finding(flow.name, what, "see whether the flow is paused, or why its runs fail")


def _unsettled(tx: Tx, flow: Flow) -> Iterator[Finding]:
    """Deliveries that have not ended in time, by where they go and what they wait for."""
    is_parked = exists().where(parcels.c.delivery_id == deliveries.c.id, parcels.c.state == ParcelState.PARKED)
    other = deliveries.alias()
    moves = exists().where(
        other.c.intake_id == deliveries.c.intake_id, other.c.flow == flow.name, other.c.id != deliveries.c.id,
        other.c.state.not_in(SETTLED),
    )  # fmt: skip
    waits = case(
        (deliveries.c.state == DeliveryState.HELD, "held"), (deliveries.c.state == DeliveryState.ASKED, "asked"),
        (is_parked, "doubt"), else_="open",
    )  # fmt: skip
    look = (
        select(intakes.c.name, deliveries.c.destination, waits.label("waits"))
        .join_from(deliveries, intakes)
        .where(
            deliveries.c.flow == flow.name,
            deliveries.c.state.not_in(SETTLED),
            deliveries.c.opened_at < clock(tx) - within(flow).total_seconds(),
            ~and_(deliveries.c.destination == (flow.answer or ""), moves),
        )
        .order_by(deliveries.c.id)
    )
    names: dict[tuple[str, str], list[str]] = {}
    for row in tx.execute(look):
        names.setdefault((row.destination, row.waits), []).append(row.name)
    for (destination, why), late in sorted(names.items()):
        what, fix = WAITS[why]
        yield Finding(
            f"{flow.name} > {destination}",
            f"{len(late)} {what} for more than {lasting(within(flow))}: {named(late)}",
            fix,
        )


def _unanswered(desk: Desk, tx: Tx, flow: Flow) -> Iterator[Finding]:
    """Requests that the other side took, and of which its yes or no has not come in time."""
    now, allowed = clock(tx), within(flow)
    look = (
        select(messages.c.sealed, intakes.c.noun, intakes.c.name)
        .join_from(messages, intakes)
        .join(deliveries, deliveries.c.intake_id == intakes.c.id)
        .join(parcels, parcels.c.delivery_id == deliveries.c.id)
        .join(standings, standings.c.entity == messages.c.number, isouter=True)
        .where(
            deliveries.c.flow == flow.name,
            deliveries.c.destination.in_(flow.deliver),
            parcels.c.state == ParcelState.ACKED,
            parcels.c.ended_at < now - allowed.total_seconds(),
            parcels.c.ended_at > now - (allowed + LISTED_FOR).total_seconds(),
            standings.c.entity.is_(None),
        )
        .order_by(messages.c.id)
    )
    if flow.message not in ALWAYS_LATER:
        look = look.where(parcels.c.code == LATER)
    late = tx.execute(look).all()
    if late:
        told = [_number(desk, row.noun, row.sealed) or row.name for row in late[:MOST_NAMED]] + [
            row.name for row in late[MOST_NAMED:]
        ]
        what = f"no answer within {lasting(allowed)} to {len(late)} requests: {named(told)}"
        yield Finding(f"{flow.name} > {SOURCE}", what, CHASE)


def _number(desk: Desk, noun: str, sealed: bytes) -> str:
    """The sender's own number of a message, as the other side knows it; empty where its content cannot be read here."""
    try:
        return opened(desk.seal, noun, sealed).number
    except DrBridgeError:
        return ""
