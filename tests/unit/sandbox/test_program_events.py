"""A program event in DACS goes its legal path only, and every step that was asked for is remembered."""

from __future__ import annotations

from typing import Any

import pytest

from drbridge_sandbox.far import Far
from tests.unit.sandbox.conftest import Caller, Said

EVENTS = "/rest/apis/cross/service/programEvent/"
PARTICIPATION = "/rest/apis/cross/service/programEventParticipation/"
EVENT = {
    "eventExternalIdentifier": "9001", "externalIdentifier": "1315", "programExternalIdentifier": "SUMMER-TSTAT",
    "programEventCategory": "X1EC", "startDateTime": "2026-07-14T18:00:00Z", "endDateTime": "2026-07-14T20:00:00Z",
}  # fmt: skip


def create(dacs: Caller, **changes: Any) -> Said:
    return dacs.json("POST", EVENTS, EVENT | changes)


def step(dacs: Caller, action: str, stage: str = "1315", **more: Any) -> Said:
    return dacs.json("POST", EVENTS + "lifecycle", {"eventExternalIdentifier": stage, "action": action} | more)


def reserve(dacs: Caller, *devices: dict[str, Any], **changes: Any) -> Said:
    body = {
        "eventExternalIdentifier": "1315", "eventStartDateTime": "2026-07-14T18:00:00Z",
        "eventEndDateTime": "2026-07-14T20:00:00Z", "deviceList": list(devices),
    }  # fmt: skip
    return dacs.json("POST", PARTICIPATION + "reserveDevice", body | changes)


def device(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {"nicId": f"44:61:32:aa:{number}", "headEndSystem": "ECOBEE"} | changes


def status(dacs: Caller, stage: str = "1315") -> str:
    return str(dacs.call("GET", EVENTS + stage, headers=dacs.authorized()).json["status"])


def test_a_stage_is_scheduled_runs_and_completes(dacs: Caller, far_dacs: Far) -> None:
    assert create(dacs).json == {"nextActions": ["X1IP", "F1CN"]}
    assert step(dacs, "X1IP").json == {"nextActions": ["F1CO"]}
    assert step(dacs, "F1CO").json == {"nextActions": []}
    shown = dacs.call("GET", EVENTS + "1315", headers=dacs.authorized()).json
    assert shown == {
        "externalIdentifier": "1315", "eventExternalIdentifier": "9001", "status": "COMPLETED",
        "startDateTime": "2026-07-14T18:00:00Z", "endDateTime": "2026-07-14T20:00:00Z",
    }  # fmt: skip
    assert far_dacs.program_event_steps("1315") == [("create", True), ("X1IP", True), ("F1CO", True)]


def test_a_stage_that_was_only_entered_is_scheduled_by_a_step(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.plant("program_event", {"1315": EVENT | {"status": "PENDING"}})
    assert step(dacs, "X1SD").status == 200
    assert status(dacs) == "SCHEDULED"


def test_a_scheduled_stage_can_be_cancelled_with_a_reason(dacs: Caller, far_dacs: Far) -> None:
    create(dacs)
    assert step(dacs, "F1CN", cancelReason="Load came in below forecast").status == 200
    assert status(dacs) == "CANCELED"
    assert far_dacs.records("program_event")["1315"]["cancelReason"] == "Load came in below forecast"


@pytest.mark.parametrize(
    ("before", "action"),
    [
        ([], "F1CO"),
        ([], "X1SD"),
        (["X1IP"], "F1CN"),
        (["X1IP"], "X1IP"),
        (["X1IP", "F1CO"], "F1CN"),
        (["F1CN"], "X1IP"),
    ],
)
def test_a_step_that_leaves_the_path_is_refused_and_remembered(
    dacs: Caller, far_dacs: Far, before: list[str], action: str
) -> None:
    create(dacs)
    for each in before:
        assert step(dacs, each).status == 200
    said = step(dacs, action)
    assert said.status == 400
    assert "not a next action" in said.detail
    assert far_dacs.program_event_steps("1315")[-1] == (action, False)


def test_a_step_before_its_stage_is_known_is_not_found_and_remembered(dacs: Caller, far_dacs: Far) -> None:
    assert step(dacs, "X1IP").status == 404
    assert dacs.call("GET", EVENTS + "1315", headers=dacs.authorized()).status == 404
    create(dacs)
    assert far_dacs.program_event_steps("1315") == [("X1IP", False), ("create", True)]


def test_a_stage_is_created_once(dacs: Caller, far_dacs: Far) -> None:
    create(dacs)
    said = create(dacs)
    assert said.status == 400
    assert "already exists" in said.detail
    effect = far_dacs.effect("program_event", "1315")
    assert effect is not None
    assert (effect["effects"], effect["received"]) == (1, 1)


def test_a_create_sent_twice_under_one_key_gets_the_same_answer(dacs: Caller, far_dacs: Far) -> None:
    first, again = (dacs.json("POST", EVENTS, EVENT, key="k1") for _ in range(2))
    assert (first.status, first.body) == (again.status, again.body)
    assert far_dacs.program_event_steps("1315") == [("create", True)]


@pytest.mark.parametrize(
    "changes",
    [
        {"programEventCategory": "ECONOMIC"},
        {"endDateTime": "2026-07-14T18:00:00Z"},
        {"startDateTime": "07-14-2026 06:00:00PM"},
        {"externalIdentifier": "x" * 121},
        {"programExternalIdentifier": None},
        {"stageId": "1315"},
    ],
)
def test_a_stage_that_is_not_as_agreed_is_refused(dacs: Caller, far_dacs: Far, changes: dict[str, Any]) -> None:
    assert create(dacs, **changes).status == 400
    assert far_dacs.records("program_event") == {}


@pytest.mark.parametrize(
    "changes", [{"cancelReason": "x" * 255}, {"action": "CANCELED"}, {"externalIdentifier": "1315"}]
)
def test_a_step_that_is_not_as_agreed_is_refused(dacs: Caller, changes: dict[str, Any]) -> None:
    create(dacs)
    body = {"eventExternalIdentifier": "1315", "action": "F1CN"} | changes
    assert dacs.json("POST", EVENTS + "lifecycle", body).status == 400
    assert status(dacs) == "SCHEDULED"


def test_devices_are_reserved_for_a_stage_for_the_whole_of_it_or_a_part(dacs: Caller, far_dacs: Far) -> None:
    create(dacs)
    part = device(2, reservationStartDateTime="2026-07-14T19:00:00Z", reservationEndDateTime="2026-07-14T20:00:00Z")
    assert reserve(dacs, device(1), part).json == {"processed": 2}
    effects = {key: row["value"] for key, row in far_dacs.effects_of("device_reservation").items()}
    assert effects == {
        "1315/ECOBEE/44:61:32:aa:1": "RESERVED|2026-07-14T18:00:00Z|2026-07-14T20:00:00Z",
        "1315/ECOBEE/44:61:32:aa:2": "RESERVED|2026-07-14T19:00:00Z|2026-07-14T20:00:00Z",
    }


def test_a_device_cannot_be_reserved_for_a_stage_that_is_not_there_or_over(dacs: Caller) -> None:
    assert reserve(dacs, device()).status == 404
    create(dacs)
    step(dacs, "F1CN")
    assert reserve(dacs, device()).status == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"reservationStartDateTime": "2026-07-14T17:00:00Z"},
        {"reservationEndDateTime": "2026-07-14T18:00:00Z"},
        {"nicId": "x" * 101},
        {"headEndSystem": "x" * 51},
        {"headEndSystem": None},
        {"nicId": "44:61:32:aa:1"},
        {"recordId": "7"},
    ],
)
def test_one_bad_device_refuses_the_whole_reservation_by_name(
    dacs: Caller, far_dacs: Far, changes: dict[str, Any]
) -> None:
    create(dacs)
    said = reserve(dacs, device(1), device(2, **changes))
    assert said.status == 400
    assert said.json["problemDetailDocument"]["serverMessage"][0]["messageText"].startswith(("item 2", "ECOBEE/"))
    assert far_dacs.effects_of("device_reservation") == {}


def test_more_than_a_thousand_devices_are_too_many(dacs: Caller) -> None:
    create(dacs)
    assert reserve(dacs, *map(device, range(1001))).status == 413
    assert reserve(dacs, *map(device, range(1000))).status == 200


def test_an_event_cancelled_the_old_way_cancels_its_participations(dacs: Caller, far_dacs: Far) -> None:
    body = {"externalEventIdentifier": "1315", "messageId": "m1", "cancellationMessageText": "Cooler than forecast"}
    assert dacs.json("POST", PARTICIPATION + "preEventCancellation", body).status == 404
    create(dacs)
    create(dacs, externalIdentifier="13150")
    reserve(dacs, device(1), device(2))
    reserve(dacs, device(1), eventExternalIdentifier="13150")
    assert dacs.json("POST", PARTICIPATION + "preEventCancellation", body).json == {"canceled": 2}
    values = [row["value"].partition("|")[0] for row in far_dacs.effects_of("device_reservation").values()]
    assert sorted(values) == ["CANCELED", "CANCELED", "RESERVED"]


def test_outcomes_of_release_23a_name_the_event_once(dacs: Caller, far_dacs: Far) -> None:
    item = device(outcome="D1ND")
    body = {"eventExternalIdentifier": "1315", "postOutcomeList": [item]}
    assert dacs.json("POST", PARTICIPATION + "postEventOutcome", body).json == {"processed": 1}
    assert far_dacs.effect("event_outcome", "1315/ECOBEE/44:61:32:aa:1") is not None
    body["postOutcomeList"] = [item | {"eventExternalIdentifier": "1316"}]
    assert dacs.json("POST", PARTICIPATION + "postEventOutcome", body).status == 400
