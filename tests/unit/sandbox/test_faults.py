"""The fault dial does what it says, as often as it says."""

from __future__ import annotations

import http.client
import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from drbridge_sandbox.far import Far, SandboxError
from tests.unit.sandbox.conftest import Caller, Said
from tests.unit.sandbox.test_dacs import OUTCOMES, outcome, post
from tests.unit.sandbox.test_derms import ACK, FORECAST, SCORE, SCORE_HEADER

GONE = (http.client.RemoteDisconnected, ConnectionResetError)


def effects(far: Far) -> dict[str, Any]:
    found: dict[str, Any] = far.counts()["effects"]
    return found


def test_a_service_that_is_down_refuses_connections_until_it_is_up(dacs: Caller, far_dacs: Far, derms: Caller) -> None:
    far_dacs.down()
    far_dacs.down()
    with pytest.raises(ConnectionRefusedError):
        post(dacs, outcome())
    assert derms.ask_token().status == 200
    far_dacs.up()
    far_dacs.up()
    assert post(dacs, outcome()).status == 200
    assert far_dacs.calls() == 1


def test_going_down_cuts_the_connections_that_are_open(dacs: Caller, far_dacs: Far) -> None:
    with socket.create_connection(("127.0.0.1", dacs.settings["port"]), timeout=5) as connection:
        connection.sendall(b"GET /healthCheck HTTP/1.1\r\nHost: sandbox\r\n\r\n")
        told = b""
        while not told.endswith(b"}"):
            told += connection.recv(4096)
        far_dacs.down()
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""


def test_slow_waits_and_then_acts(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("slow", milliseconds=300, times=1)
    began = time.monotonic()
    assert post(dacs, outcome()).status == 200
    assert time.monotonic() - began >= 0.3


def test_a_status_storm_lasts_as_many_requests_as_it_was_told(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("status", status=503, retry_after=7, times=2)
    first, second, third = (post(dacs, outcome()) for _ in range(3))
    assert (first.status, second.status, third.status) == (503, 503, 200)
    assert first.headers["retry-after"] == "7"
    assert effects(far_dacs)["event_outcome"]["received"] == 1
    assert [row["fault"] for row in far_dacs.requests()] == ["status", "status", ""]


def test_drop_before_closes_the_connection_and_does_not_act(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("drop_before", times=1)
    with pytest.raises(GONE):
        post(dacs, outcome())
    assert effects(far_dacs) == {}
    assert far_dacs.requests()[0]["status"] is None


def test_drop_after_acts_and_says_nothing(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("drop_after", times=1)
    with pytest.raises(GONE):
        post(dacs, outcome(), key="k1")
    assert effects(far_dacs)["event_outcome"]["keys"] == 1
    again = post(dacs, outcome(), key="k1")
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
    assert effects(far_dacs)["event_outcome"]["received"] == 1


def test_an_attachment_is_taken_although_its_answer_is_dropped(derms: Caller, far_derms: Far) -> None:
    derms.authorized()
    far_derms.fault("drop_after", times=1)
    with pytest.raises(GONE):
        derms.file("/deviceScore", "S.csv", (SCORE_HEADER + SCORE).encode())
    assert effects(far_derms)["device_score"]["keys"] == 1


def test_error_after_acts_and_claims_that_it_failed(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("error_after", status=500, times=1)
    assert post(dacs, outcome()).status == 500
    assert effects(far_dacs)["event_outcome"]["keys"] == 1


@pytest.mark.parametrize("name", ["error_in_200", "html", "redirect"])
def test_a_rude_answer_is_no_act(dacs: Caller, far_dacs: Far, name: str) -> None:
    far_dacs.fault(name, times=1)
    said: Said = post(dacs, outcome())
    if name == "redirect":
        assert (said.status, "location" in said.headers) == (302, True)
    elif name == "html":
        assert (said.status, said.body[:9]) == (200, b"<!DOCTYPE")
    else:
        assert (said.status, said.json["status"]) == (200, "ERROR")
    assert effects(far_dacs) == {}


def test_rejected_keys_are_refused_with_their_names_and_others_are_not(
    dacs: Caller, far_dacs: Far, derms: Caller, far_derms: Far
) -> None:
    far_dacs.fault("reject_keys", keys=["1315/ECOBEE/44:61:32:aa:2", "12"])
    said = post(dacs, outcome(1), outcome(2))
    assert (said.status, "44:61:32:aa:2" in said.detail) == (400, True)
    assert post(dacs, outcome(1)).status == 200
    far_dacs.seed(["12"])
    sync = "/rest/apis/common/sync/syncRequest/12"
    assert dacs.json("PATCH", sync, {"syncRequestId": "12", "hasError": False}).status == 400
    far_derms.fault("reject_keys", keys=["44:61:32:aa:01", "1122334455", "4711"])
    assert derms.file("/deviceScore", "S.csv", (SCORE_HEADER + SCORE).encode()).status == 400
    assert derms.file("/loadForecast", "F.csv", FORECAST.encode()).status == 400
    assert derms.json("POST", "/acks", ACK).status == 400


def test_a_fault_can_be_aimed_at_one_path(derms: Caller, far_derms: Far) -> None:
    far_derms.fault("status", status=429, path="/deviceScore")
    assert derms.file("/deviceScore", "S.csv", (SCORE_HEADER + SCORE).encode()).status == 429
    assert derms.json("POST", "/acks", ACK).status == 200
    far_derms.no_faults()
    assert derms.file("/deviceScore", "S.csv", (SCORE_HEADER + SCORE).encode()).status == 202


def test_the_token_service_and_reads_are_spared_unless_aimed_at(derms: Caller, far_derms: Far) -> None:
    far_derms.fault("status", status=503)
    assert derms.ask_token().status == 200
    far_derms.fault("status", status=503, path="/oauth/token")
    assert derms.ask_token().status == 503
    assert [fault["name"] for fault in far_derms.faults()] == ["status", "status"]


def test_faults_add_up(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("slow", milliseconds=200, times=1)
    far_dacs.fault("drop_after", times=1)
    began = time.monotonic()
    with pytest.raises(GONE):
        post(dacs, outcome())
    assert time.monotonic() - began >= 0.2
    assert effects(far_dacs)["event_outcome"]["keys"] == 1


def test_an_unknown_fault_is_refused(far_dacs: Far) -> None:
    with pytest.raises(SandboxError):
        far_dacs.fault("explode")


def test_reset_forgets_everything_and_brings_the_service_up(dacs: Caller, far_dacs: Far) -> None:
    post(dacs, outcome(), key="k1")
    far_dacs.fault("html")
    far_dacs.down()
    far_dacs.reset()
    assert far_dacs.counts()["requests"] == 0
    assert post(dacs, outcome(), key="k1").headers.get("idempotent-replayed") is None


def test_a_body_that_is_no_json_is_refused(dacs: Caller) -> None:
    headers = dacs.authorized() | {"Content-Type": "application/json"}
    assert dacs.call("POST", OUTCOMES, b"{", headers).status == 400
