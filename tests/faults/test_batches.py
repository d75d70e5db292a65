"""Lists that are taken in part, keys that are forgotten, one bad record among many: the others go, none goes twice."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from drbridge.exchange.desk import Desk
from drbridge.exchange.send import send
from drbridge.ledger.tables import messages
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.sending import (
    CHANGES,
    ENROLL,
    OUTCOME_FLOW,
    RESERVATIONS,
    changed_once,
    post_changes,
    states,
    take_outcomes,
    take_reservation,
)
from tests.flows.chain import NOW
from tests.flows.stages import SCHEDULED, Said, arrive, drain
from tests.flows.test_trouble import with_endpoint

CHUNK = "dacs_event_outcome"


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drbridge.exchange.send.LINGER_SECONDS", 0.0)


@pytest.mark.parametrize("status", [400, 500])
def test_a_batch_of_which_the_target_took_a_part_takes_effect_once(desk: Desk, box: Sandbox, status: int) -> None:
    """It refuses the whole list after it took half of it: the rows that it has go again, and change nothing."""
    desk = with_endpoint(desk, CHUNK, rows=10)
    nics = take_outcomes(desk, box, 40)
    box.far("dacs").fault("partly", status=status, after=1, times=1)
    for _ in range(2):
        send(desk, OUTCOME_FLOW, NOW)
    assert states(desk).keys() <= {"ACKED", "SPLIT"}
    assert changed_once(box.far("dacs"), "event_outcome") == len(nics)


def test_bad_rows_of_a_batch_are_refused_and_the_others_go(desk: Desk, box: Sandbox) -> None:
    desk = with_endpoint(desk, CHUNK, rows=10)
    nics = take_outcomes(desk, box, 40)
    box.far("dacs").fault("reject_keys", keys=[nics[13], nics[17]])
    send(desk, OUTCOME_FLOW, NOW)
    assert states(desk)["REJECTED"] == 2
    assert changed_once(box.far("dacs"), "event_outcome") == len(nics) - 2


@pytest.mark.parametrize("fault", ["shuffle", "forget_items"])
def test_items_that_an_answer_shuffles_or_forgets_decide_nothing(desk: Desk, box: Sandbox, fault: str) -> None:
    """A refusal lists flaws by item: which rows are bad is found by halving, never by the places in that list."""
    desk = with_endpoint(desk, CHUNK, rows=10)
    nics = take_outcomes(desk, box, 20)
    box.far("dacs").fault("reject_keys", keys=[nics[2], nics[5], nics[16]])
    box.far("dacs").fault(fault)
    send(desk, OUTCOME_FLOW, NOW)
    taken = {key.rpartition("/")[2] for key in box.far("dacs").effects_of("event_outcome")}
    assert taken == set(nics) - {nics[2], nics[5], nics[16]}
    assert states(desk)["REJECTED"] == 3


def test_a_target_that_forgot_its_keys_is_protected_by_those_of_the_records(desk: Desk, box: Sandbox) -> None:
    post_changes(desk, 2)
    far = box.far("derms")
    far.fault("drop_after", times=1)
    send(desk, CHANGES, NOW)
    far.fault("forget_keys")
    send(desk, CHANGES, NOW)
    assert states(desk) == {"ACKED": 2}
    assert changed_once(far, "enrollment_sync") == 2
    assert (far.calls("enroll"), far.counts()["replayed"]) == (3, 0), "one came twice, and it did not know its key"


def test_a_stage_is_not_created_twice_by_a_target_that_forgot_its_keys(desk: Desk, box: Sandbox) -> None:
    arrive(desk, [Said("E1", "S1", SCHEDULED, 0, 0)])
    box.far("dacs").fault("drop_after", times=1)
    box.far("dacs").fault("forget_keys")
    drain(desk)
    assert box.far("dacs").program_event_steps("S1") == [("create", True)]


def test_one_poison_record_among_a_thousand_keeps_none_of_the_others(desk: Desk, box: Sandbox) -> None:
    """One is refused, one breaks whatever would be made of it: 998 go, and both are known by their number."""
    numbers = post_changes(desk, 1_000)
    refused, spoiled = numbers[333], numbers[666]
    with desk.ledger.write() as tx:
        its = select(messages.c.intake_id).order_by(messages.c.intake_id).offset(666).limit(1)
        tx.execute(update(messages).where(messages.c.intake_id == its.scalar_subquery()).values(sealed=b"spoiled"))
    box.far("derms").fault("reject_keys", keys=[refused])
    for _ in range(desk.systems.endpoints[ENROLL].max_tries):
        send(desk, CHANGES, NOW)
    assert states(desk) == {"ACKED": 998, "REJECTED": 1, "PARKED": 1}
    assert set(numbers) - box.far("derms").effects_of("enrollment_sync").keys() == {refused, spoiled}


def test_outcomes_that_come_before_their_reservation_both_arrive(desk: Desk, box: Sandbox) -> None:
    arrive(desk, [Said("E1", "S1", SCHEDULED, 0, 0)])
    drain(desk)
    take_outcomes(desk, box, 4)
    send(desk, OUTCOME_FLOW, NOW)
    take_reservation(desk, "E1", "S1")
    send(desk, RESERVATIONS, NOW)
    assert changed_once(box.far("dacs"), "event_outcome") == 4
    assert changed_once(box.far("dacs"), "device_reservation") > 0
    assert states(desk).keys() == {"ACKED"}
