"""Workers that stand still at a bad moment, and clocks that go wrong: who lost its lease sends and notes nothing."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from drbridge.exchange.desk import Desk
from drbridge.exchange.requests import Requests
from drbridge.exchange.send import send
from drbridge.ledger.leases import Fenced
from drbridge.ledger.parcels import Claim
from drbridge.ports import Call
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.clocks import Frozen
from tests.faults.sending import CHANGES, ENROLL, changed_once, free_the_lanes, post_changes, states
from tests.faults.stopped import stopped
from tests.flows.chain import NOW
from tests.flows.stages import FLOW as STAGES
from tests.flows.stages import SCHEDULED, Said, arrive, taken
from tests.flows.test_trouble import with_endpoint

LONGER_THAN_A_LOOK_LASTS = 1.2


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drbridge.exchange.send.LINGER_SECONDS", 0.0)


@pytest.mark.parametrize(("policy", "ends"), [("resend", "ACKED"), ("park", "PARKED")])
def test_a_worker_stopped_before_the_wire_that_lost_its_lease_sends_nothing(
    desk: Desk, box: Sandbox, policy: str, ends: str
) -> None:
    other = with_endpoint(desk, ENROLL, unknown=policy)
    post_changes(desk, 1)
    with stopped(replace(desk, worker="stopped"), CHANGES, "before the wire") as go_on:
        free_the_lanes(desk)
        send(other, CHANGES, NOW)
        calls = box.far("derms").calls()
        time.sleep(LONGER_THAN_A_LOOK_LASTS)
        go_on()
    assert states(desk) == {ends: 1}
    assert box.far("derms").calls() == calls == (policy == "resend")


def test_a_worker_stopped_before_the_wire_that_lost_its_lease_creates_no_second_stage(desk: Desk, box: Sandbox) -> None:
    arrive(desk, [Said("E1", "S1", SCHEDULED, 0, 0)])
    with stopped(replace(desk, worker="stopped"), STAGES, "before the wire") as go_on:
        free_the_lanes(desk)
        send(desk, STAGES, NOW)
        calls = box.far("dacs").calls()
        go_on()
    assert (taken(box), box.far("dacs").calls()) == ({"S1": [SCHEDULED]}, calls)


def test_a_worker_stopped_past_its_lease_goes_on_when_nobody_took_the_lane(desk: Desk, box: Sandbox) -> None:
    post_changes(desk, 1)
    with stopped(replace(desk, worker="stopped"), CHANGES, "before the wire") as go_on:
        free_the_lanes(desk)
        time.sleep(LONGER_THAN_A_LOOK_LASTS)
        go_on()
    assert states(desk) == {"ACKED": 1}
    assert box.far("derms").calls() == 1


def test_a_twin_that_comes_back_after_the_wire_changes_nothing(desk: Desk, box: Sandbox) -> None:
    """Its supervisor was killed, and it lived on for a while: the next worker has its parcel by then."""
    post_changes(desk, 1)
    with stopped(replace(desk, worker="stopped"), CHANGES, "after the wire") as go_on:
        free_the_lanes(desk)
        parks = with_endpoint(desk, ENROLL, unknown="park")
        send(parks, CHANGES, NOW)
        assert states(desk) == {"PARKED": 1}
        go_on()
    assert states(desk) == {"PARKED": 1}, "its outcome came too late to count"
    assert changed_once(box.far("derms"), "enrollment_sync") == 1


def test_a_clock_that_stood_still_hides_no_lost_lease(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual machine that was frozen: by its own clock no time has passed, by the database's the lease is over."""
    arrive(desk, [Said("E1", "S1", SCHEDULED, 0, 0)])
    build, asleep = Requests.build, [True]

    def build_after_a_sleep(self: Requests, claim: Claim) -> Call:
        if asleep and asleep.pop():
            free_the_lanes(desk)
            with ThreadPoolExecutor(1) as other:
                other.submit(send, desk, STAGES, NOW).result()
        return build(self, claim)

    monkeypatch.setattr(Requests, "build", build_after_a_sleep)
    with suppress(Fenced):
        send(replace(desk, clock=Frozen(), worker="frozen"), STAGES, NOW)
    assert taken(box) == {"S1": [SCHEDULED]}
    assert box.far("dacs").calls() == 2, "asked, and sent, by the worker that took over"
