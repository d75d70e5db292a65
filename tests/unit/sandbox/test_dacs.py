"""DACS takes what the guides say, refuses the rest, and knows what it has taken."""

from __future__ import annotations

from typing import Any

import pytest

from drbridge_sandbox.far import Far
from tests.unit.sandbox.conftest import Caller

OUTCOMES = "/rest/apis/cross/service/programEventParticipation/postEventOutcome"
SYNC = "/rest/apis/common/sync/syncRequest/"


def outcome(number: int = 1, **changes: Any) -> dict[str, Any]:
    item = {
        "eventExternalIdentifier": "1315", "nicId": f"44:61:32:aa:{number}", "headEndSystem": "ECOBEE",
        "outcome": "D1SP", "participationStartDateTime": "2026-07-14T18:00:00Z",
        "participationEndDateTime": "2026-07-14T20:00:00Z",
    } | changes  # fmt: skip
    return {name: value for name, value in item.items() if value is not None}


def post(dacs: Caller, *items: dict[str, Any], key: str | None = None) -> Any:
    return dacs.json("POST", OUTCOMES, {"postOutcomeList": list(items)}, key)


def test_nobody_comes_in_without_name_and_password(dacs: Caller, far_dacs: Far) -> None:
    said = dacs.call("POST", OUTCOMES, b"{}", {"Content-Type": "application/json"})
    assert said.status == 401
    assert said.headers["www-authenticate"].startswith("Basic")
    assert far_dacs.counts()["calls"] == [{"operation": "", "status": 401, "n": 1}]


def test_a_seeded_sync_request_ends_once_and_the_second_answer_is_a_duplicate(dacs: Caller, far_dacs: Far) -> None:
    assert far_dacs.seed(["00000000000001"]) == 1
    body = {"syncRequestId": "00000000000001", "hasError": False}
    assert dacs.json("PATCH", SYNC + "00000000000001", body).json["boStatus"] == "SYNCHRONIZED"
    again = dacs.json("PATCH", SYNC + "00000000000001", body)
    assert again.status == 400
    assert "already" in again.detail
    effect = far_dacs.effect("sync_request", "00000000000001")
    assert effect is not None
    assert (effect["value"], effect["effects"]) == ("SYNCHRONIZED", 1)


def test_a_negative_answer_takes_the_sync_request_to_error(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.seed(["7"])
    info = {"sequence": 1, "messageCategory": 90000, "messageNumber": 1001, "comments": "Unknown service point",
            "messageParameters": [{"parameterSequence": 1, "messageParameterValue": "SP 9"}]}  # fmt: skip
    said = dacs.json("PATCH", SYNC + "7", {"syncRequestId": "7", "hasError": True, "exceptionInfo": [info]})
    assert (said.status, said.json["boStatus"]) == (200, "ERROR")
    assert far_dacs.counts()["sync_requests"] == {"ERROR": 1}


def test_an_unknown_sync_request_is_not_found(dacs: Caller) -> None:
    assert dacs.json("PATCH", SYNC + "8", {"syncRequestId": "8", "hasError": False}).status == 404


@pytest.mark.parametrize(
    "body",
    [
        {"syncRequestId": "9", "hasError": "false"},
        {"syncRequestId": "10", "hasError": False},
        {"syncRequestId": "9", "hasError": False, "extra": 1},
        {"syncRequestId": "9", "hasError": True, "exceptionInfo": [{"sequence": 1000}]},
        {"syncRequestId": "9"},
    ],
)
def test_a_body_that_is_not_as_agreed_is_refused_and_changes_nothing(
    dacs: Caller, far_dacs: Far, body: dict[str, Any]
) -> None:
    far_dacs.seed(["9"])
    said = dacs.json("PATCH", SYNC + "9", body)
    assert said.status == 400
    assert "already" not in said.detail
    assert far_dacs.counts()["sync_requests"] == {"PENDING": 1}


def test_a_list_of_outcomes_has_one_effect_for_each_device(dacs: Caller, far_dacs: Far) -> None:
    assert post(dacs, *(outcome(number) for number in range(500))).json == {"processed": 500}
    assert post(dacs, *(outcome(number) for number in range(500))).status == 200
    summary = far_dacs.counts()["effects"]["event_outcome"]
    assert (summary["keys"], summary["effects"], summary["received"], summary["twice"]) == (500, 500, 1000, 0)


def test_a_newer_outcome_of_a_device_overwrites_the_older(dacs: Caller, far_dacs: Far) -> None:
    post(dacs, outcome())
    post(dacs, outcome(outcome="D1ER", errorMessage="Rejected", participationStartDateTime=None,
                       participationEndDateTime=None))  # fmt: skip
    effect = far_dacs.effect("event_outcome", "1315/ECOBEE/44:61:32:aa:1")
    assert effect is not None
    assert (effect["value"], effect["effects"]) == ("D1ER|||Rejected", 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "SUCCESS"},
        {"participationStartDateTime": None},
        {"participationEndDateTime": "2026-07-14T17:00:00Z"},
        {"participationEndDateTime": "2026-07-14T17:00:00"},
        {"participationEndDateTime": "2026-07-14T22:00:00+02:00"},
        {"nicId": ""},
        {"nicId": "x" * 101},
        {"errorMessage": "x" * 101},
        {"headEndSystem": "x" * 51},
        {"eventExternalIdentifier": 1315},
        {"recordId": "1"},
    ],
)
def test_one_bad_outcome_refuses_the_whole_list_by_name(dacs: Caller, far_dacs: Far, changes: dict[str, Any]) -> None:
    said = post(dacs, outcome(1), outcome(2, **changes))
    assert said.status == 400
    assert said.json["problemDetailDocument"]["serverMessage"][0]["messageText"].startswith("item 2")
    assert far_dacs.counts()["effects"] == {}


def test_a_device_named_twice_in_one_list_is_refused(dacs: Caller) -> None:
    assert post(dacs, outcome(1), outcome(1)).status == 400


def test_more_than_a_thousand_outcomes_are_too_many(dacs: Caller) -> None:
    assert post(dacs, *(outcome(number) for number in range(1000))).status == 200
    assert post(dacs, *(outcome(number) for number in range(1001))).status == 413


def test_wrong_paths_methods_and_content_types_are_told_apart(dacs: Caller) -> None:
    assert dacs.json("POST", "/rest/apis/nothing", {}).status == 404
    assert dacs.json("PUT", OUTCOMES, {}).status == 405
    said = dacs.call("POST", OUTCOMES, b"<a/>", dacs.authorized() | {"Content-Type": "application/xml"})
    assert said.status == 415


def test_the_same_key_gets_the_same_answer_and_has_no_new_effect(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.seed(["11"])
    body = {"syncRequestId": "11", "hasError": False}
    first = dacs.json("PATCH", SYNC + "11", body, key="k1")
    again = dacs.json("PATCH", SYNC + "11", body, key="k1")
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body
    assert again.headers["idempotent-replayed"] == "true"
    assert [row["replayed"] for row in far_dacs.requests()] == [0, 1]


def test_a_refusal_is_replayed_too(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("reject_keys", keys=["44:61:32:aa:1"], times=1)
    assert post(dacs, outcome(1), key="k2").status == 400
    assert post(dacs, outcome(1), key="k2").status == 400
    assert post(dacs, outcome(1), key="k3").status == 200


def test_a_key_used_for_another_request_is_refused(dacs: Caller, far_dacs: Far) -> None:
    assert post(dacs, outcome(1), key="k4").status == 200
    assert post(dacs, outcome(2), key="k4").status == 422
    assert far_dacs.counts()["effects"]["event_outcome"]["keys"] == 1


def test_health_is_told_to_those_who_may_ask(dacs: Caller) -> None:
    assert dacs.call("GET", "/healthCheck").status == 401
    assert dacs.call("GET", "/healthCheck", headers=dacs.authorized()).json == {"status": "OK"}
