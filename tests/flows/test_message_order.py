"""Messages that come late, early, twice or against each other: what goes, what waits, what does not."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from drbridge.exchange.accept import accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.order import LONGEST_WAIT_FOR_PREDECESSOR_SECONDS
from drbridge.exchange.resume import due_flows
from drbridge.exchange.send import answer, send
from drbridge.exchange.work import Work
from drbridge.ledger.tables import deliveries, parcels
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import time_passes
from tests.flows.chain import NOW
from tests.flows.test_trouble import with_endpoint
from tests.unit.contracts.messages import good

FLOW = "derms_dacs_event_status"
STATUSES = {"S": "SCHEDULED", "P": "IN PROGRESS", "C": "COMPLETED", "X": "CANCELED"}


def status(letter: str, minute: int, stage: str | None = "1315", **more: Any) -> dict[str, Any]:
    """A status of a stage (S, P, C, X) that was sent in a minute after noon; without a stage, of the whole event."""
    data = good("event_status") | {
        "messageId": f"{stage}-{letter}-{minute}", "stageStatus": STATUSES[letter], "stageId": stage,
        "sentAt": f"2026-07-14T12:{minute:02}:00Z",
    }  # fmt: skip
    return data | more


def come(desk: Desk, *posts: dict[str, Any], noun: str = "event_status") -> None:
    accept(desk, [read(noun, data, "sender") for data in posts])


def run(desk: Desk, work: Work = NOW, flow: str = FLOW) -> None:
    send(desk, flow, work)
    answer(desk, flow, work)


def steps(box: Sandbox, stage: str = "1315") -> list[str]:
    """What DACS was asked for, in order; a step that it had to refuse would be our mistake."""
    asked = box.far("dacs").program_event_steps(stage)
    assert all(taken for _, taken in asked)
    return [step for step, _ in asked]


def states(desk: Desk, flow: str = FLOW) -> list[tuple[str, str]]:
    """State and code of every request of the flow, in the order in which they came."""
    with desk.ledger.read() as tx:
        look = select(parcels).join_from(parcels, deliveries).where(deliveries.c.flow == flow)
        rows = tx.execute(look.where(deliveries.c.destination.not_like("derms_acks")).order_by(parcels.c.id))
        return [(row.state, row.code) for row in rows]


def told(box: Sandbox, number: str) -> str:
    effect = box.far("derms").effect("ack", number)
    return str(effect["value"]) if effect else ""


def minutes_pass(desk: Desk, seconds: float) -> None:
    """The clock cannot be moved: what the ledger remembers is."""
    with desk.ledger.write() as tx:
        tx.execute(update(deliveries).values(opened_at=deliveries.c.opened_at - seconds))
    time_passes(desk)


def test_stage_goes_its_way_step_by_step(desk: Desk, box: Sandbox) -> None:
    come(desk, status("S", 0), status("P", 1), status("C", 2))
    run(desk)
    assert steps(box) == ["create", "X1IP", "F1CO"]
    assert {told(box, f"1315-{each}") for each in ("S-0", "P-1", "C-2")} == {"SUCCESS,1"}


def test_steps_that_come_in_the_wrong_order_wait_and_go_in_the_right_one(desk: Desk, box: Sandbox) -> None:
    come(desk, status("C", 2))
    run(desk)
    come(desk, status("P", 1))
    run(desk)
    assert steps(box) == []
    assert states(desk) == [("PENDING", "waits"), ("PENDING", "waits")]
    assert told(box, "1315-C-2") == "", "it has not been decided"
    come(desk, status("S", 0))
    run(desk)
    assert steps(box) == ["create", "X1IP", "F1CO"]


def test_step_that_waits_neither_wakes_its_flow_nor_keeps_its_run_open(desk: Desk, box: Sandbox) -> None:
    come(desk, status("P", 1))
    result = send(desk, FLOW, NOW)
    assert (result.open_left, result.waiting) == (0, "")
    assert FLOW not in dict(due_flows(desk))
    come(desk, status("S", 0))
    assert FLOW in dict(due_flows(desk))


def test_predecessor_that_does_not_come_within_15_minutes_leaves_it_to_a_person(desk: Desk, box: Sandbox) -> None:
    come(desk, status("P", 1))
    run(desk)
    minutes_pass(desk, LONGEST_WAIT_FOR_PREDECESSOR_SECONDS + 1)
    assert FLOW in dict(due_flows(desk)), "it is woken to give up"
    result = send(desk, FLOW, NOW)
    assert (result.parked, states(desk)) == (1, [("PARKED", "doubt")])
    assert "did not come within 15 minutes" in result.troubles[0]
    assert steps(box) == []


def test_parked_step_goes_when_its_predecessor_came_and_a_person_asks(desk: Desk, box: Sandbox) -> None:
    come(desk, status("P", 1))
    minutes_pass(desk, LONGEST_WAIT_FOR_PREDECESSOR_SECONDS + 1)
    run(desk)
    come(desk, status("S", 0))
    run(desk)
    run(desk, Work(run="f/1", who="kim", resend="unknown", by_hand=True))
    assert steps(box) == ["create", "X1IP"]


def test_repeated_status_makes_no_call(desk: Desk, box: Sandbox) -> None:
    come(desk, status("S", 0))
    run(desk)
    come(desk, status("S", 1), status("S", 2))
    run(desk)
    assert steps(box) == ["create"]
    assert [code for _, code in states(desk)] == ["accepted", "known", "known"]
    assert told(box, "1315-S-2") == "SUCCESS,1"


def test_scheduled_again_with_other_times_is_left_to_a_person(desk: Desk, box: Sandbox) -> None:
    come(desk, status("S", 0))
    run(desk)
    come(desk, status("S", 1, endDateTime="2026-07-14T22:00:00Z"))
    run(desk)
    assert steps(box) == ["create"]
    assert states(desk)[1] == ("PARKED", "doubt")


def test_cancel_after_the_end_is_refused_and_derms_is_told(desk: Desk, box: Sandbox) -> None:
    come(desk, status("S", 0), status("P", 1), status("C", 2))
    run(desk)
    come(desk, status("X", 3))
    run(desk)
    assert steps(box) == ["create", "X1IP", "F1CO"]
    assert told(box, "1315-X-3") == "FAILURE,1"


def test_cancel_overtaken_by_the_start_does_not_go(desk: Desk, box: Sandbox) -> None:
    come(desk, status("S", 0), status("P", 2))
    run(desk)
    come(desk, status("X", 1))
    run(desk)
    assert steps(box) == ["create", "X1IP"]
    assert states(desk)[2] == ("SUPERSEDED", "overtaken")


def test_cancelled_event_takes_the_stages_that_are_still_scheduled(desk: Desk, box: Sandbox) -> None:
    come(desk, status("S", 0, "A"), status("S", 0, "B"), status("S", 0, "C"), status("P", 1, "C"))
    run(desk)
    come(desk, status("X", 2, None))
    run(desk)
    assert [steps(box, stage) for stage in "ABC"] == [["create", "F1CN"], ["create", "F1CN"], ["create", "X1IP"]]
    assert [code for _, code in states(desk)][4:] == ["known", "accepted", "accepted", "overtaken"]
    assert told(box, "None-X-2") == "SUCCESS,4"


@pytest.mark.parametrize(("minute", "becomes"), [(1, "SUPERSEDED"), (3, "REJECTED")])
def test_stage_of_a_cancelled_event_that_is_scheduled_late_does_not_begin(
    desk: Desk, box: Sandbox, minute: int, becomes: str
) -> None:
    come(desk, status("S", 0, "A"))
    run(desk)
    come(desk, status("X", 2, None))
    run(desk)
    come(desk, status("S", minute, "B"))
    run(desk)
    assert steps(box, "B") == []
    assert states(desk)[-1][0] == becomes


def test_two_changes_of_one_subscription_go_one_after_the_other_the_older_first(desk: Desk, box: Sandbox) -> None:
    older, newer = change("11", "2026-07-14T08:00:00Z"), change("12", "2026-07-14T09:00:00Z")
    box.far("derms").fault("slow", milliseconds=100)
    come(desk, newer, older, noun="enrollment_change")
    run(desk, flow="dacs_derms_enrollment_sync")
    assert box.far("derms").records("subscription")["20000000000001"]["dacsMessageId"] == "12"
    assert box.far("derms").counts()["effects"]["enrollment_sync"]["late"] == 0


def test_change_waits_while_the_one_before_it_is_in_doubt(desk: Desk, box: Sandbox) -> None:
    flow = "dacs_derms_enrollment_sync"
    come(desk, change("11", "2026-07-14T08:00:00Z"), noun="enrollment_change")
    box.far("derms").fault("drop_after", times=1)
    run(desk, flow=flow)
    come(desk, change("12", "2026-07-14T09:00:00Z"), noun="enrollment_change")
    send(desk, flow, Work())
    assert box.far("derms").calls("enroll") == 1
    assert flow not in dict(due_flows(desk)), "nothing of it may go before the one in doubt is due"
    run(desk, flow=flow)
    assert [each["dacsMessageId"] for each in box.far("derms").records("subscription").values()] == ["12"]


def test_older_change_that_comes_late_does_not_stop_the_newer_one_that_is_in_doubt(desk: Desk, box: Sandbox) -> None:
    flow = "dacs_derms_enrollment_sync"
    come(desk, change("12", "2026-07-14T09:00:00Z"), noun="enrollment_change")
    box.far("derms").fault("drop_after", times=1)
    run(desk, flow=flow)
    come(desk, change("11", "2026-07-14T08:00:00Z"), noun="enrollment_change")
    time_passes(desk)
    run(desk, flow=flow)
    assert list(box.far("derms").effects_of("enrollment_sync")) == ["12"]
    assert [state for state, _ in states(desk, flow)[:2]] == ["ACKED", "SUPERSEDED"]


def test_older_change_waits_for_a_person_while_the_newer_one_does(desk: Desk, box: Sandbox) -> None:
    flow = "dacs_derms_enrollment_sync"
    come(desk, change("12", "2026-07-14T09:00:00Z"), noun="enrollment_change")
    box.far("derms").fault("drop_after", times=1)
    run(with_endpoint(desk, "derms_enroll", unknown="park"), flow=flow)
    come(desk, change("11", "2026-07-14T08:00:00Z"), noun="enrollment_change")
    run(desk, flow=flow)
    assert list(box.far("derms").effects_of("enrollment_sync")) == ["12"]
    assert states(desk, flow) == [("PARKED", "in_doubt"), ("PARKED", "doubt")]


def test_other_subscriptions_do_not_wait_for_one_in_doubt(desk: Desk, box: Sandbox) -> None:
    flow = "dacs_derms_enrollment_sync"
    come(desk, change("11", "2026-07-14T08:00:00Z"), noun="enrollment_change")
    box.far("derms").fault("drop_before", times=1)
    run(desk, flow=flow)
    come(desk, change("13", "2026-07-14T09:00:00Z", "20000000000002"), noun="enrollment_change")
    send(desk, flow, Work(by_hand=False))
    assert list(box.far("derms").records("subscription")) == ["20000000000002"]


def change(sync_id: str, when: str, subscription: str = "20000000000001") -> dict[str, Any]:
    data = good("enrollment_change")
    return data | {
        "syncRequestId": sync_id, "changeDateTime": when, "contactInfo": {"cisPersonId": "0012345678"},
        "subscriptionInfo": data["subscriptionInfo"] | {"subscriptionId": subscription},
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drbridge.exchange.send.LINGER_SECONDS", 0.0)
