"""The fault dial does what it says, as often as it says."""

from __future__ import annotations

import gzip
import http.client
import socket
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
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


def test_a_storm_may_last_seconds_and_name_a_date(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("status", status=429, retry_after=60, retry_after_as="date", seconds=0.5)
    first = post(dacs, outcome())
    wait = parsedate_to_datetime(first.headers["retry-after"]) - parsedate_to_datetime(first.headers["date"])
    assert (first.status, wait.total_seconds()) == (429, 60)
    assert post(dacs, outcome()).status == 429
    time.sleep(0.5)
    assert far_dacs.faults() == []
    assert post(dacs, outcome()).status == 200


def test_drip_acts_and_gives_its_answer_byte_by_byte(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("drip", milliseconds=20, times=1)
    began = time.monotonic()
    said = post(dacs, outcome())
    assert time.monotonic() - began >= 0.02 * (len(said.body) - 1)
    assert (said.status, said.json) == (200, {"processed": 1})


def test_a_wrong_length_is_said_of_an_answer_after_it_acted(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("wrong_length", off_by=10, times=1)
    with pytest.raises(http.client.IncompleteRead):
        post(dacs, outcome())
    far_dacs.fault("wrong_length", off_by=-5, times=1)
    assert post(dacs, outcome()).body == b'{"processe'
    assert effects(far_dacs)["event_outcome"]["received"] == 2


def test_a_bomb_is_small_on_the_wire_and_large_unpacked(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("bomb", megabytes=10, times=1)
    said = post(dacs, outcome())
    assert (said.headers["content-encoding"], len(said.body) < 20_000) == ("gzip", True)
    assert gzip.decompress(said.body) == bytes(10 << 20)
    assert effects(far_dacs)["event_outcome"]["keys"] == 1


@pytest.mark.parametrize(("name", "places"), [("shuffle", [3, 2, 1]), ("forget_items", [2])])
def test_items_of_an_answer_are_shuffled_or_forgotten(
    dacs: Caller, far_dacs: Far, name: str, places: list[int]
) -> None:
    outcomes = [outcome(number) for number in (1, 2, 3)]
    far_dacs.fault("reject_keys", keys=[each["nicId"] for each in outcomes])
    far_dacs.fault(name)
    said = post(dacs, *outcomes)
    assert [each["sequence"] for each in said.json["problemDetailDocument"]["serverMessage"]] == places


def test_a_list_is_taken_in_part_and_refused_as_a_whole(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("partly", status=400, times=1)
    said = post(dacs, *map(outcome, range(4)), key="k1")
    assert (said.status, effects(far_dacs)["event_outcome"]["keys"]) == (400, 2)
    assert post(dacs, *map(outcome, range(4)), key="k1").status == 200
    assert effects(far_dacs)["event_outcome"]["keys"] == 4


def test_a_service_that_forgot_its_keys_acts_again_and_its_natural_keys_protect_it(dacs: Caller, far_dacs: Far) -> None:
    post(dacs, outcome(), key="k1")
    assert post(dacs, outcome(), key="k1").headers["idempotent-replayed"] == "true"
    far_dacs.fault("forget_keys", times=1)
    assert "idempotent-replayed" not in post(dacs, outcome(), key="k1").headers
    found = effects(far_dacs)["event_outcome"]
    assert (found["received"], found["effects"]) == (2, 1)


def test_a_fault_may_begin_in_the_middle(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("status", status=503, after=2, times=1)
    assert [post(dacs, outcome()).status for _ in range(4)] == [200, 200, 503, 200]
