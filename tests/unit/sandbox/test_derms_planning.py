"""The DERMS knows which devices it may reserve: enrolled, not opted out, not unavailable."""

from __future__ import annotations

from typing import Any

import pytest

from drbridge_sandbox.far import Far
from tests.unit.sandbox.conftest import Caller
from tests.unit.sandbox.test_derms_messages import SYNC, verdict

OUT: dict[str, Any] = {
    "messageId": "o1", "deviceId": "100200300401", "nicId": "44:61:32:aa:01", "headEndSystem": "ECOBEE",
    "eventId": "9001", "stageId": "1315", "optOutDateTime": "2026-07-14T12:00:00Z", "reason": "Guests",
}  # fmt: skip
AWAY: dict[str, Any] = {
    "messageId": "u1", "nicId": "44:61:32:aa:01", "headEndSystem": "ECOBEE", "start": "2026-07-14T00:00:00Z",
    "end": "2026-07-15T00:00:00Z", "action": "CREATE",
}  # fmt: skip


def why_not(far_derms: Far, hours: tuple[int, int] = (18, 20), event: str = "", day: int = 14) -> str:
    start, end = (f"2026-07-{day}T{hour}:00:00Z" for hour in hours)
    return far_derms.why_not_reservable("44:61:32:aa:01", "ECOBEE", start, end, event)


def test_a_device_can_be_reserved_once_its_enrollment_came(derms: Caller, far_derms: Far) -> None:
    assert "not enrolled" in why_not(far_derms)
    derms.json("POST", "/enroll", SYNC)
    assert why_not(far_derms) == ""
    derms.json("POST", "/enroll", SYNC | {"dacsMessageId": "2", "action": "UNENROLL"})
    assert "not enrolled" in why_not(far_derms)


def test_an_opt_out_cancels_the_reservation_of_its_stage(derms: Caller, far_derms: Far) -> None:
    derms.json("POST", "/enroll", SYNC)
    ids = ("1315/ECOBEE/44:61:32:aa:01", "1316/ECOBEE/44:61:32:aa:01", "1315/ECOBEE/44:61:32:aa:02")
    far_derms.plant("device_reservation", {each: {"eventId": "9001", "status": "RESERVED"} for each in ids})
    assert verdict(derms.json("POST", "/optOuts", OUT)) == ("o1", "SUCCESS")
    reservations = far_derms.records("device_reservation")
    assert [reservations[each]["status"] for each in ids] == ["CANCELED", "RESERVED", "RESERVED"]
    assert "opted out" in why_not(far_derms, event="9001")
    assert why_not(far_derms, event="9002") == ""


def test_an_opt_out_of_a_whole_event_cancels_all_its_stages(derms: Caller, far_derms: Far) -> None:
    ids = ("1315/ECOBEE/44:61:32:aa:01", "1316/ECOBEE/44:61:32:aa:01")
    far_derms.plant("device_reservation", {each: {"eventId": "9001", "status": "RESERVED"} for each in ids})
    far_derms.plant("device_reservation", {"1400/ECOBEE/44:61:32:aa:01": {"eventId": "9002", "status": "RESERVED"}})
    derms.json("POST", "/optOuts", {name: value for name, value in OUT.items() if name != "stageId"})
    states = [each["status"] for each in far_derms.records("device_reservation").values()]
    assert states == ["CANCELED", "CANCELED", "RESERVED"]


def test_a_device_is_not_reserved_while_its_customer_is_unavailable(derms: Caller, far_derms: Far) -> None:
    derms.json("POST", "/enroll", SYNC)
    assert verdict(derms.json("POST", "/unavailabilities", AWAY)) == ("u1", "SUCCESS")
    assert "unavailable" in why_not(far_derms)
    assert why_not(far_derms, (10, 12), day=15) == ""
    derms.json("POST", "/unavailabilities", AWAY | {"messageId": "u2", "action": "CANCEL"})
    assert why_not(far_derms) == ""


def test_an_unavailability_nobody_knows_cannot_be_cancelled(derms: Caller) -> None:
    assert verdict(derms.json("POST", "/unavailabilities", AWAY | {"action": "CANCEL"}))[1] == "ERROR"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/optOuts", OUT | {"nicId": None}),
        ("/optOuts", OUT | {"eventId": None}),
        ("/optOuts", OUT | {"optOutDateTime": "today"}),
        ("/optOuts", OUT | {"deviceId": "1" * 13}),
        ("/unavailabilities", AWAY | {"end": "2026-07-14T00:00:00Z"}),
        ("/unavailabilities", AWAY | {"action": "UPDATE"}),
        ("/unavailabilities", AWAY | {"eventId": "9001"}),
    ],
)
def test_a_message_that_is_not_as_agreed_is_refused(
    derms: Caller, far_derms: Far, path: str, body: dict[str, Any]
) -> None:
    assert derms.json("POST", path, body).status == 400
    assert far_derms.counts()["effects"] == {}
