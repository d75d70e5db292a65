"""Many messages and rows on their way to a REST side, and what became of them there and here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sqlalchemy import func, select, update

from drbridge.exchange.accept import accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.take import take
from drbridge.ledger import deliveries
from drbridge.ledger.tables import leases, parcels
from drbridge_sandbox.far import Far
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.conftest import SAMPLES
from tests.flows.test_message_order import change
from tests.flows.test_trouble import OUTCOME, OUTCOME_FLOW, OUTCOMES, many
from tests.unit.contracts.messages import good

CHANGES, ENROLL = "dacs_derms_enrollment_sync", "derms_enroll"
RESERVATIONS, RESERVATION = "derms_dacs_device_reservation", SAMPLES / "device_reservation" / "good.csv"
NOON = datetime(2026, 7, 14, 12, tzinfo=UTC)


def post_changes(desk: Desk, count: int, subscriptions: int | None = None) -> list[str]:
    """Enrollment changes come in, a minute apart, each of its own subscription unless there are fewer of these."""
    numbers = [f"{number:014}" for number in range(1, count + 1)]
    posts = [
        change(
            number, f"{NOON + timedelta(minutes=place):%Y-%m-%dT%H:%M:%SZ}", f"2{place % (subscriptions or count):013}"
        )
        for place, number in enumerate(numbers)
    ]
    accept(desk, [read("enrollment_change", data, "dacs") for data in posts])
    return numbers


def take_outcomes(desk: Desk, box: Sandbox, count: int) -> list[str]:
    """A file of so many event outcomes is taken; returns the NIC ids of its devices."""
    data, rows = many(OUTCOME, "event_outcome", count)
    box.drop(OUTCOMES, OUTCOME.name, data)
    take(desk, OUTCOME_FLOW, OUTCOME.name)
    return [row.split(b",")[5].decode() for row in rows]


def take_reservation(desk: Desk, event: str, stage: str, number: str = "4712") -> None:
    """A list of one device reserved for a stage is posted and taken."""
    header, first, *_ = RESERVATION.read_bytes().splitlines(keepends=True)
    content, name = header + first, f"RESERVE_{number}.csv"
    message = good("device_reservation_message") | {"messageId": number, "eventId": event, "stageId": stage}
    message["file"] = message["file"] | {"sha256": sha256(content).hexdigest(), "rows": 1}
    with desk.outside.store("inbox://device_reservations").upload(name, len(content)) as upload:
        upload.write(content)
        upload.complete(sha256(content).hexdigest())
    accept(desk, [read("device_reservation_message", message, "derms", name)])
    take(desk, RESERVATIONS, name)


def states(desk: Desk) -> dict[str, int]:
    """How many parcels for REST sides are in each state, without the answers to senders; the books balance."""
    with desk.ledger.read() as tx:
        rows = tx.execute(deliveries.with_intakes()).all()
        assert all(each.balances for each in deliveries.balances(tx, [row.id for row in rows]).values())
        wanted = desk.systems.endpoints.keys() - {flow.answer for flow in desk.systems.flows.values()}
        mine = [row.id for row in rows if row.destination in wanted]
        look = select(parcels.c.state, func.count()).where(parcels.c.delivery_id.in_(mine)).group_by(parcels.c.state)
        return {str(state): int(count) for state, count in tx.execute(look)}


def changed_once(far: Far, noun: str) -> int:
    """How many things of a noun the far side has; none of them changed more than once, none was overtaken."""
    found = far.counts()["effects"].get(noun, {"keys": 0, "twice": 0, "late": 0})
    assert (found["twice"], found["late"]) == (0, 0)
    return int(found["keys"])


def free_the_lanes(desk: Desk) -> None:
    """The leases of workers that are gone run out."""
    with desk.ledger.write() as tx:
        tx.execute(update(leases).values(expires_at=0.0))


__all__ = ["CHANGES", "ENROLL", "OUTCOME_FLOW", "RESERVATIONS"]
