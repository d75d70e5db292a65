"""Tokens that end in the middle of a batch: fetched anew once for all that are on the wire, and nothing is lost."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from drbridge.errors import Misconfigured
from drbridge.exchange.desk import Desk
from drbridge.exchange.send import send
from drbridge_sandbox.far import Far
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.sending import CHANGES, ENROLL, changed_once, post_changes, states
from tests.flows.chain import NOW
from tests.flows.test_trouble import with_endpoint

COUNT = 120


def until_it_had(far: Far, calls: int) -> None:
    while far.calls("enroll") < calls:
        time.sleep(0.01)


def test_a_token_that_ends_while_eight_are_on_the_wire_is_fetched_once(desk: Desk, box: Sandbox) -> None:
    desk, far = with_endpoint(desk, ENROLL, in_flight=8), box.far("derms")
    post_changes(desk, COUNT)
    far.fault("slow", milliseconds=20)
    with ThreadPoolExecutor(1) as other:
        running = other.submit(send, desk, CHANGES, NOW)
        for calls in (COUNT // 4, COUNT // 2):
            until_it_had(far, calls)
            far.revoke_tokens()
        running.result()
    assert far.calls("token") == 3, "one at the beginning, one for each that ended"
    assert sum(each["status"] == 401 for each in far.requests()) >= 2
    assert states(desk) == {"ACKED": COUNT}
    assert changed_once(far, "enrollment_sync") == COUNT


def test_a_token_service_that_fails_in_the_middle_of_a_batch_loses_nothing(desk: Desk, box: Sandbox) -> None:
    desk, far = with_endpoint(desk, ENROLL, in_flight=8), box.far("derms")
    post_changes(desk, COUNT)
    far.fault("status", status=503, path="/oauth/token", after=1, times=1)
    far.fault("slow", milliseconds=20)
    with ThreadPoolExecutor(1) as other:
        running = other.submit(send, desk, CHANGES, NOW)
        until_it_had(far, COUNT // 4)
        far.revoke_tokens()
        running.result()
    send(desk, CHANGES, NOW)
    assert states(desk) == {"ACKED": COUNT}
    assert changed_once(far, "enrollment_sync") == COUNT


def test_a_login_taken_from_us_in_the_middle_of_a_batch_stops_it_and_loses_nothing(desk: Desk, box: Sandbox) -> None:
    desk, far = with_endpoint(desk, ENROLL, in_flight=8), box.far("derms")
    post_changes(desk, COUNT)
    far.fault("status", status=401, after=50)
    with pytest.raises(Misconfigured, match="HTTP 401"):
        send(desk, CHANGES, NOW)
    assert far.calls("enroll") == 50
    refused = sum(each["status"] == 401 for each in far.requests())
    assert refused <= 2 * (8 + 8), "what was on the wire, and claimed while that was judged; twice each, for the token"
    far.no_faults()
    send(desk, CHANGES, NOW)
    assert states(desk) == {"ACKED": COUNT}
    assert changed_once(far, "enrollment_sync") == COUNT
