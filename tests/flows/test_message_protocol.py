"""Messages when something is wrong with one of them, with the other side, or with the timing."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from drbridge.errors import Interrupted
from drbridge.exchange.desk import Desk
from drbridge.exchange.resume import due_flows
from drbridge.exchange.send import send
from drbridge.exchange.sender import Sender
from drbridge.exchange.work import Work
from drbridge.ledger import leases
from drbridge.ledger.deliveries import lane_of
from drbridge.ledger.parcels import Settled
from drbridge.ledger.tables import deliveries, messages, parcels
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import time_passes
from tests.flows.chain import NOW
from tests.flows.test_message_order import FLOW, change, come, run, states, status, steps

CHANGES = "dacs_derms_enrollment_sync"
TO_DERMS = lane_of(CHANGES, "derms_enroll")
UP_AFTER_ONE = property(lambda sender: bool(sender.tally.rows))


def spoil(desk: Desk) -> None:
    """What was sealed of the messages up to now cannot be read any more."""
    with desk.ledger.write() as tx:
        tx.execute(update(messages).values(sealed=b"spoiled"))


def try_in_vain(desk: Desk, flow: str) -> None:
    for _ in range(desk.systems.endpoints["derms_enroll"].max_tries):
        time_passes(desk)
        send(desk, flow, NOW)


def test_target_that_hangs_until_time_is_up_is_no_success(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sender, "time_is_up", UP_AFTER_ONE)
    come(desk, change("11", "2026-07-14T08:00:00Z"), noun="enrollment_change")
    box.far("derms").fault("drop_before")
    result = send(desk, CHANGES, Work())
    assert (result.open_left, result.handed_on) == (1, False)
    assert result.waiting


def test_what_is_left_when_time_is_up_goes_to_the_next_run(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sender, "time_is_up", UP_AFTER_ONE)
    come(
        desk, change("11", "2026-07-14T08:00:00Z"), change("12", "2026-07-14T09:00:00Z"), noun="enrollment_change"
    )  # fmt: skip
    result = send(desk, CHANGES, Work())
    assert (result.open_left, result.handed_on) == (1, True)


def test_status_that_cannot_be_read_does_not_stop_the_others(desk: Desk, box: Sandbox) -> None:
    come(desk, status("S", 0, "A"))
    spoil(desk)
    come(desk, status("S", 1, "B"))
    run(desk)
    assert steps(box, "B") == ["create"]


def test_message_that_cannot_be_read_waits_for_a_person_and_newer_ones_of_its_entity_go_on(
    desk: Desk, box: Sandbox
) -> None:
    come(desk, change("11", "2026-07-14T08:00:00Z"), noun="enrollment_change")
    spoil(desk)
    try_in_vain(desk, CHANGES)
    come(desk, change("12", "2026-07-14T09:00:00Z"), noun="enrollment_change")
    run(desk, flow=CHANGES)
    assert list(box.far("derms").effects_of("enrollment_sync")) == ["12"]
    assert states(desk, CHANGES)[0] == ("PARKED", "not_built")


def test_person_who_wants_a_try_now_gets_it_while_another_run_holds_the_lane(desk: Desk, box: Sandbox) -> None:
    come(desk, change("11", "2026-07-14T08:00:00Z"), noun="enrollment_change")
    box.far("derms").fault("drop_before", times=1)
    send(desk, CHANGES, Work())
    with desk.ledger.write() as tx:
        leases.acquire(tx, TO_DERMS, "somebody else")
    assert send(desk, CHANGES, NOW).held_by == "somebody else"
    with desk.ledger.read() as tx:
        assert tx.execute(select(parcels.c.next_at)).scalars().all() == [0.0]


def test_answer_withdrawn_is_owed_no_more_when_the_other_side_answers_itself_later(desk: Desk, box: Sandbox) -> None:
    box.far("derms").fault("reject_keys", keys=["11"])
    come(desk, change("11", "2026-07-14T08:00:00Z"), noun="enrollment_change")
    send(desk, CHANGES, NOW)
    box.far("derms").no_faults()
    box.far("derms").fault("late")
    send(desk, CHANGES, Work(run="f/1", who="kim", file="11", resend="failed", by_hand=True))
    with desk.ledger.read() as tx:
        found = dict(tx.execute(select(deliveries.c.destination, deliveries.c.state)).all())
    assert found == {"derms_enroll": "DONE", "dacs_sync_request_answer": "DONE"}


def test_dry_run_shows_a_message_whose_content_was_deleted(desk: Desk, box: Sandbox) -> None:
    come(desk, change("11", "2026-07-14T08:00:00Z"), noun="enrollment_change")
    with desk.ledger.write() as tx:
        tx.execute(update(messages).values(sealed=b""))
    result = send(desk, CHANGES, Work(dry_run=True))
    assert result.open_left == 1


def test_stage_whose_creation_is_in_doubt_is_cancelled_with_its_event(desk: Desk, box: Sandbox) -> None:
    come(desk, status("S", 0, "A"))
    box.far("dacs").fault("drop_after", times=1, path="programEvent")
    send(desk, FLOW, Work())
    with desk.ledger.write() as tx:
        tx.execute(update(parcels).values(state="PARKED", code="in_doubt"))
    come(desk, status("X", 2, None))
    run(desk)
    run(desk, Work(run="f/1", who="kim", resend="unknown", by_hand=True))
    time_passes(desk)
    run(desk)
    assert steps(box, "A") == ["create", "F1CN"]


def test_stage_of_a_cancelled_event_is_not_created_by_the_worker_after_one_that_was_killed(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    come(desk, status("X", 2, None))
    run(desk)
    come(desk, status("S", 0, "B"))
    with monkeypatch.context() as patch, suppress(Interrupted):
        patch.setattr(Sender, "_carry", _killed)
        send(desk, FLOW, NOW)
    run(desk)
    assert steps(box, "B") == []
    assert states(desk)[-1] == ("SUPERSEDED", "overtaken")


async def _killed(*_args: object) -> Settled:
    raise Interrupted("killed before anything was sent")


def test_messages_for_a_place_their_flow_no_longer_serves_wake_nobody(desk: Desk, box: Sandbox) -> None:
    come(desk, change("11", "2026-07-14T08:00:00Z"), noun="enrollment_change")
    flow = desk.systems.flow(CHANGES).model_copy(update={"deliver": ("derms_programs",)})
    moved = desk.systems.model_copy(update={"flows": desk.systems.flows | {CHANGES: flow}})
    assert CHANGES in dict(due_flows(desk))
    assert CHANGES not in dict(due_flows(replace(desk, systems=moved)))


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drbridge.exchange.send.LINGER_SECONDS", 0.0)
