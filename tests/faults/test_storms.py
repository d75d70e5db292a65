"""A target that asks to be left alone is left alone, by whatever of ours would call it next."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from drbridge.exchange.desk import Desk
from drbridge.exchange.send import send
from drbridge.exchange.work import Work
from drbridge_sandbox.far import Far
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.sending import (
    CHANGES,
    ENROLL,
    OUTCOME_FLOW,
    changed_once,
    eight_at_once,
    post_changes,
    states,
    take_outcomes,
)
from tests.flows.test_trouble import with_endpoint

WINDOW = 2


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drbridge.exchange.send.LINGER_SECONDS", 0.0)


def refused_at(far: Far) -> list[float]:
    return [each["at"] for each in far.requests() if "status" in each["fault"]]


def until_all_is_settled(desk: Desk, flow: str) -> None:
    """Runs of the flow, one after the other, as fast as they come."""
    end = time.monotonic() + 30
    while send(desk, flow, Work()).open_left:
        assert time.monotonic() < end, states(desk)
        time.sleep(0.02)


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("status", [429, 503])
def test_nothing_goes_into_the_window_that_a_target_names(desk: Desk, box: Sandbox, status: int, form: str) -> None:
    desk, far = eight_at_once(desk, ENROLL), box.far("derms")
    numbers = post_changes(desk, 40, subscriptions=20)
    far.fault("slow", milliseconds=150, times=9)
    far.fault("status", status=status, retry_after=WINDOW, retry_after_as=form, after=1, seconds=1.5)
    until_all_is_settled(desk, CHANGES)
    refused = refused_at(far)
    assert 1 <= len(refused) <= 8, "more than was on the wire when it first spoke"
    times = [each["at"] for each in far.requests() if each["operation"] == "enroll"]
    quiet = max(later - earlier for earlier, later in pairwise(times))
    assert quiet >= WINDOW - 0.2, "what was on the wire was answered within a moment; then nothing came"
    assert states(desk) == {"ACKED": 40}
    assert changed_once(far, "enrollment_sync") == len(numbers)


def test_rows_of_a_file_keep_out_of_the_window_too(desk: Desk, box: Sandbox) -> None:
    desk, far = with_endpoint(desk, "dacs_event_outcome", rows=2, in_flight=8), box.far("dacs")
    nics = take_outcomes(desk, box, 60)
    far.fault("slow", milliseconds=150, times=9)
    far.fault("status", status=429, retry_after=WINDOW, after=1, times=8)
    until_all_is_settled(desk, OUTCOME_FLOW)
    assert len(refused_at(far)) == 8
    assert changed_once(far, "event_outcome") == len(nics)
