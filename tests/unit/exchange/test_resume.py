"""Which flows are woken: those of which a sender would send something now."""

from __future__ import annotations

from sqlalchemy import update

from drbridge.exchange.accept import Post, accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.resume import due_flows
from drbridge.ledger import deliveries, intakes, leases, parcels, queue
from drbridge.ledger.database import Tx, clock
from drbridge.ledger.deliveries import NewDelivery, lane_of
from drbridge.ledger.intakes import Arrival
from drbridge.ledger.parcels import Span
from drbridge.ledger.states import DeliveryState
from drbridge.ledger.tables import parcels as parcels_table
from tests.unit.contracts.messages import good

FLOW, TO = "dacs_derms_device_score", "derms_device_score"
LANE = lane_of(FLOW, TO)


def deliver(tx: Tx, sha: str, business_at: float, wait_seconds: float = 0.0) -> int:
    """Opens a delivery of two parcels that may go after so many seconds."""
    arrival = Arrival("device_score", sha, "", f"{sha}.csv", "sftp://x/y", 1, 2, 2, 0, 0, None, None, business_at)
    intake = intakes.add(tx, arrival, {}, [])
    assert intake is not None
    delivery = deliveries.add(tx, intake, business_at, NewDelivery(FLOW, TO, LANE, DeliveryState.OPEN, 2))
    assert delivery is not None
    parcels.add(tx, delivery, sha, TO, [Span(0, 0, 1), Span(1, 1, 1)])
    waits = parcels_table.c.delivery_id == delivery
    tx.execute(update(parcels_table).where(waits).values(next_at=clock(tx) + wait_seconds))
    return delivery


def woken(desk: Desk) -> list[str]:
    return [flow for flow, why in due_flows(desk) if "unfinished" in why]


def test_a_delivery_that_is_due_wakes_its_flow(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        deliver(tx, "aa", business_at=1.0)
        deliver(tx, "bb", business_at=2.0, wait_seconds=900)
    assert woken(desk) == [FLOW]


def test_a_newer_file_wakes_nobody_while_the_older_one_before_it_waits(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        deliver(tx, "aa", business_at=1.0, wait_seconds=900)
        deliver(tx, "bb", business_at=2.0)
    assert woken(desk) == []


def test_an_older_file_that_waits_for_a_person_holds_nobody_up(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        deliveries.hold(tx, deliver(tx, "aa", business_at=1.0, wait_seconds=900), "refused")
        deliver(tx, "bb", business_at=2.0)
    assert woken(desk) == [FLOW]


def test_what_a_dead_worker_had_under_way_is_due_though_the_rest_waits(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        delivery = deliver(tx, "aa", business_at=1.0)
        lease = leases.acquire(tx, LANE, "worker")
        assert lease is not None
        assert len(queue.claim(tx, lease, delivery, 1)) == 1
        waits = (parcels_table.c.delivery_id == delivery, parcels_table.c.first_row == 1)
        tx.execute(update(parcels_table).where(*waits).values(next_at=clock(tx) + 900))
    assert woken(desk) == [], "its worker may still be alive"
    with desk.ledger.write() as tx:
        leases.release(tx, lease)
    assert woken(desk) == [FLOW]


def opt_out(number: str) -> Post:
    return read("event_opt_out", good("event_opt_out") | {"messageId": number, "stageId": number}, "dacs")


def test_a_message_wakes_its_flow_though_an_older_one_waits_for_its_time(desk: Desk) -> None:
    accept(desk, [opt_out("OO-1")])
    with desk.ledger.write() as tx:
        tx.execute(update(parcels_table).values(next_at=clock(tx) + 900))
    assert due_flows_of_messages(desk) == []
    accept(desk, [opt_out("OO-2")])
    assert due_flows_of_messages(desk) == ["dacs_derms_event_opt_out"]


def test_a_flow_of_messages_has_no_source_to_look_at(desk: Desk) -> None:
    unseen = [flow for flow, why in due_flows(desk) if "nobody has looked" in why]
    assert FLOW in unseen
    assert "dacs_derms_event_opt_out" not in unseen


def due_flows_of_messages(desk: Desk) -> list[str]:
    return [flow for flow, why in due_flows(desk) if "messages" in why]
