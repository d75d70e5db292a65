"""Answers that are none: what they were given for is in doubt, goes again under its key, and takes effect once."""

from __future__ import annotations

import asyncio
import tracemalloc
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from drbridge import loop
from drbridge.adapters.http import HttpTarget
from drbridge.adapters.outside import ConnectionsOutside
from drbridge.errors import Misconfigured
from drbridge.exchange.desk import Desk
from drbridge.exchange.send import send
from drbridge.ports import Call, Connection, RestTarget
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.proxy import Cut, Fault, proxied
from tests.faults.raw_http import answer, answering
from tests.faults.sending import CHANGES, changed_once, post_changes, states
from tests.flows.chain import NOW
from tests.flows.conftest import connection_of

MEGABYTE = 1 << 20


class Impatient(ConnectionsOutside):
    """The outside, with two and a half seconds for a request and its whole answer."""

    def target(self, conn_id: str) -> RestTarget:
        return HttpTarget(self._get_connection(conn_id), deadline=2.5)


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drbridge.exchange.send.LINGER_SECONDS", 0.0)


def assert_goes_once(desk: Desk, box: Sandbox) -> None:
    """Under the key it had before, however often it goes."""
    send(desk, CHANGES, NOW)
    assert states(desk) == {"ACKED": 1}
    assert changed_once(box.far("derms"), "enrollment_sync") == 1
    keys = [each["idempotency_key"] for each in box.far("derms").requests() if each["operation"] == "enroll"]
    assert len(set(keys)) == 1


@pytest.mark.parametrize(
    ("fault", "settings"),
    [
        ("wrong_length", {"off_by": 10}),
        ("wrong_length", {"off_by": -10}),
        ("bomb", {"megabytes": 10}),
        ("error_after", {"status": 500}),
        ("error_after", {"status": 504}),
        ("html", {}),
        ("drop_before", {}),
        ("drop_after", {}),
    ],
)
def test_what_gets_no_answer_is_in_doubt_and_takes_effect_once(
    desk: Desk, box: Sandbox, fault: str, settings: dict[str, Any]
) -> None:
    post_changes(desk, 1)
    box.far("derms").fault(fault, times=1, **settings)
    send(desk, CHANGES, NOW)
    assert states(desk) == {"UNKNOWN": 1}
    assert_goes_once(desk, box)


def test_an_answer_that_drips_is_given_up_at_the_deadline(desk: Desk, box: Sandbox) -> None:
    impatient = replace(desk, outside=Impatient(partial(connection_of, box)))
    post_changes(desk, 1)
    box.far("derms").fault("drip", times=1, milliseconds=100)
    send(impatient, CHANGES, NOW)
    assert states(desk) == {"UNKNOWN": 1}
    assert_goes_once(desk, box)


@pytest.mark.parametrize("fault", [Fault(blackhole=True), Fault(down=Cut("stall", after=20)), Fault(up=Cut("stall"))])
def test_a_line_that_falls_silent_is_given_up_at_the_deadline(desk: Desk, box: Sandbox, fault: Fault) -> None:
    """Half open: neither end is told. The token comes before it; what follows is the request."""
    real = connection_of(box, "derms_rest")
    with proxied("127.0.0.1", real.port or 0) as proxy:
        tokens = {"token_url": f"http://127.0.0.1:{real.port}/oauth/token"}
        through = replace(real, port=proxy.port, extra={**real.extra, **tokens})
        impatient = replace(desk, outside=Impatient(lambda _: through))
        post_changes(desk, 1)
        proxy.fault = fault
        send(impatient, CHANGES, NOW)
        assert states(desk) == {"UNKNOWN": 1}
    assert_goes_once(desk, box)


def test_an_error_inside_a_200_is_a_refusal(desk: Desk, box: Sandbox) -> None:
    post_changes(desk, 1)
    box.far("derms").fault("error_in_200")
    send(desk, CHANGES, NOW)
    assert states(desk) == {"REJECTED": 1}


def test_a_redirect_is_not_followed_and_stops_the_endpoint(desk: Desk, box: Sandbox) -> None:
    post_changes(desk, 3)
    box.far("derms").fault("redirect")
    with pytest.raises(Misconfigured, match="HTTP 302"):
        send(desk, CHANGES, NOW)
    assert (states(desk), box.far("derms").calls()) == ({"PENDING": 3}, 1)


def test_a_bomb_is_never_unpacked(desk: Desk, box: Sandbox) -> None:
    """100 MB of zeros in 100 kB: what is kept of them stays below the size of an answer that we take."""
    post_changes(desk, 1)
    box.far("derms").fault("bomb", megabytes=100, times=1)
    tracemalloc.start()
    try:
        send(desk, CHANGES, NOW)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert states(desk) == {"UNKNOWN": 1}
    assert peak < 32 * MEGABYTE


def test_what_comes_unasked_after_an_answer_is_not_the_answer_to_the_next_request() -> None:
    """A second answer, or the rest of one that was longer than it said, on a connection that is kept."""
    refusal = answer(b'{"error": "refused"}', status=b"400 Bad Request")
    with answering([answer(b"{}"), 0.05, answer(b'{"for": "nobody"}')], [refusal]) as server:
        first, second = loop.run(_two_calls(server.connection, pause=0.3))
    assert (first, second) == (200, 200)
    assert len(server.requests) == 2, "the second reached it too, on a connection of its own"


async def _two_calls(connection: Connection, pause: float) -> tuple[int, int]:
    target = HttpTarget(connection)
    try:
        first = await target.call(Call("POST", "/enroll", "k1", json={}))
        await asyncio.sleep(pause)
        return first.status, (await target.call(Call("POST", "/enroll", "k2", json={}))).status
    finally:
        await target.close()
