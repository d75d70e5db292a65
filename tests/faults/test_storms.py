"""A target that asks to be left alone is left alone, by whatever of ours would call it next."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from drbridge.exchange.desk import Desk
from drbridge.exchange.send import send
from drbridge.exchange.sender import Sender
from drbridge.exchange.work import Work
from drbridge.ledger.database import Tx, clock
from drbridge.ledger.parcels import Claim
from drbridge.ledger.tables import targets
from drbridge_sandbox.far import Far
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.clocks import Wrong
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
from tests.flows.stages import FLOW as STAGES
from tests.flows.stages import SCHEDULED, Said, arrive, drain
from tests.flows.test_trouble import with_endpoint

WINDOW = 1


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drbridge.exchange.send.LINGER_SECONDS", 0.0)


def window_of(desk: Desk, name: str) -> float:
    """The seconds for which a target is to be left alone because it asked for it."""
    with desk.ledger.read() as tx:
        return float(tx.execute(select(targets.c.not_before - clock(tx)).where(targets.c.name == name)).scalar_one())


def until_all_is_settled(desk: Desk, flow: str) -> None:
    """Runs of the flow, one after the other, as fast as they come."""
    end = time.monotonic() + 30
    while send(desk, flow, Work()).open_left:
        assert time.monotonic() < end, states(desk)
        time.sleep(0.02)


def in_the_window(far: Far) -> int:
    """How many requests came from the first refusal on until the time was over for which it had asked."""
    times = [each["at"] for each in far.requests()]
    begins = next(each["at"] for each in far.requests() if "status" in each["fault"])
    return sum(begins <= at < begins + WINDOW for at in times)


@pytest.mark.parametrize(("status", "form"), [(429, "seconds"), (503, "date")])
def test_nothing_goes_into_the_window_that_a_target_names(desk: Desk, box: Sandbox, status: int, form: str) -> None:
    desk, far = with_endpoint(desk, ENROLL, in_flight=8), box.far("derms")
    numbers = post_changes(desk, 80, subscriptions=80)
    far.fault("slow", milliseconds=100, times=80)
    far.fault("status", status=status, retry_after=WINDOW, retry_after_as=form, after=17, times=9)
    until_all_is_settled(desk, CHANGES)
    assert in_the_window(far) <= 8, "what was on the wire when it spoke, and no more"
    assert states(desk) == {"ACKED": 80}
    assert changed_once(far, "enrollment_sync") == len(numbers)


def test_rows_of_a_file_keep_out_of_the_window_too(desk: Desk, box: Sandbox) -> None:
    desk, far = with_endpoint(desk, "dacs_event_outcome", rows=2, in_flight=8), box.far("dacs")
    nics = take_outcomes(desk, box, 60)
    far.fault("slow", milliseconds=150, times=9)
    far.fault("status", status=429, retry_after=WINDOW, after=1, times=9)
    until_all_is_settled(desk, OUTCOME_FLOW)
    assert in_the_window(far) <= 8
    assert changed_once(far, "event_outcome") == len(nics)


def test_what_was_built_ahead_keeps_out_of_the_window(desk: Desk, box: Sandbox) -> None:
    """Two are on the wire, the next two are built and wait for it, when one is told to come later."""
    desk, far = with_endpoint(desk, "dacs_event_outcome", rows=2, in_flight=2), box.far("dacs")
    nics = take_outcomes(desk, box, 60)
    far.fault("slow", milliseconds=100, times=30)
    far.fault("status", status=429, retry_after=WINDOW, after=15, times=9)
    send(desk, OUTCOME_FLOW, Work())
    assert 1 <= in_the_window(far) <= 2
    until_all_is_settled(desk, OUTCOME_FLOW)
    assert changed_once(far, "event_outcome") == len(nics)


def test_what_is_being_claimed_while_a_window_is_named_keeps_out_of_it(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two on the wire one is answered; while the next are claimed, the other is told to come later."""
    desk, far = with_endpoint(desk, "dacs_event_outcome", rows=2, in_flight=2), box.far("dacs")
    nics = take_outcomes(desk, box, 40)
    far.fault("slow", milliseconds=400, after=2, times=1)
    far.fault("status", status=429, retry_after=WINDOW, after=2, times=3)
    claim = Sender._next

    def claims_for_a_while(sender: Sender, tx: Tx, room: int, busy: bool) -> list[Claim]:
        claims = claim(sender, tx, room, busy)
        time.sleep(0.8 if busy else 0.0)
        return claims

    monkeypatch.setattr(Sender, "_next", claims_for_a_while)
    send(desk, OUTCOME_FLOW, Work())
    assert in_the_window(far) == 1, "the one that was on the wire"
    monkeypatch.undo()
    until_all_is_settled(desk, OUTCOME_FLOW)
    assert changed_once(far, "event_outcome") == len(nics)


def test_a_busy_token_service_is_left_alone_too(desk: Desk, box: Sandbox) -> None:
    post_changes(desk, 3)
    box.far("derms").fault("status", status=429, retry_after=70, path="/oauth/token", times=1)
    assert send(desk, CHANGES, Work()).open_left == 3
    assert 60 < window_of(desk, "derms_rest") <= 70
    send(desk, CHANGES, Work())
    assert len(box.far("derms").requests()) == 1


def test_a_target_that_is_busy_when_it_is_asked_is_left_alone_too(desk: Desk, box: Sandbox) -> None:
    arrive(desk, [Said("E1", "S1", SCHEDULED, 0, 0)])
    box.far("dacs").fault("drop_after", times=1)
    box.far("dacs").fault("status", status=503, retry_after=70, path="programEvent/S1", times=1)
    send(desk, STAGES, NOW)
    send(desk, STAGES, NOW)
    assert 60 < window_of(desk, "dacs_rest") <= 70
    assert states(desk) == {"UNKNOWN": 1}
    send(desk, STAGES, NOW)
    assert len(box.far("dacs").requests()) == 2, "a person cuts no window short that the target named"


def test_a_busy_health_check_keeps_the_window_too(desk: Desk, box: Sandbox) -> None:
    arrive(desk, [Said("E1", "S1", SCHEDULED, 0, 0)])
    drain(desk)
    take_reservation(desk, "E1", "S1")
    calls = box.far("dacs").calls()
    box.far("dacs").fault("status", status=503, retry_after=70, path="healthCheck", times=1)
    send(desk, RESERVATIONS, NOW)
    assert 60 < window_of(desk, "dacs_rest") <= 70
    send(desk, RESERVATIONS, NOW)
    assert box.far("dacs").calls() == calls + 1


def test_a_window_given_as_a_date_is_kept_by_a_worker_whose_clock_is_wrong(desk: Desk, box: Sandbox) -> None:
    fast = replace(desk, clock=Wrong(timedelta(hours=1)))
    post_changes(fast, 1)
    box.far("derms").fault("status", status=429, retry_after=70, retry_after_as="date", times=1)
    send(fast, CHANGES, Work())
    assert 60 < window_of(desk, "derms_rest") <= 70


def test_a_target_that_is_busy_without_a_window_is_not_hammered(desk: Desk, box: Sandbox) -> None:
    take_outcomes(desk, box, 2)
    box.far("dacs").fault("status", status=429, retry_after=0, times=50)
    send(desk, OUTCOME_FLOW, Work())
    assert box.far("dacs").calls() == 1


def test_what_fails_together_counts_as_one_failure(desk: Desk, box: Sandbox) -> None:
    """Eight that a moment's outage hits on the wire do not keep a target alone for a quarter of an hour."""
    desk, far = with_endpoint(desk, ENROLL, in_flight=8), box.far("derms")
    post_changes(desk, 40)
    far.fault("slow", milliseconds=400, times=9)
    far.fault("drop_before", after=1, times=8)
    send(desk, CHANGES, Work())
    assert states(desk)["ACKED"] >= 32, "the others went on at once"
