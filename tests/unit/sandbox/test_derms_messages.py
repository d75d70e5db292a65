"""The DERMS takes what DACS wants it to know, answers yes or no in its own frame, at once or later."""

from __future__ import annotations

from typing import Any

import pytest

from drbridge_sandbox.far import Far
from tests.unit.sandbox.conftest import Caller, Said

DEVICE = {"deviceId": "100200300401", "headEndSystem": "ECOBEE", "nicId": "44:61:32:aa:01", "registration": "D1RE"}
SYNC: dict[str, Any] = {
    "dacsMessageId": "15449036987849", "action": "ENROLL", "changeDateTimeISO": "2026-07-14T06:00:00Z",
    "contactInfo": {"cisPersonId": "7001"},
    "subscriptionInfo": {
        "subscriptionId": "20000000000001", "status": "ACTIVE", "programId": "1", "programCode": "SUMMER-TSTAT",
        "startDateTimeISO": "2026-07-01T00:00:00Z",
    },
    "locationInfo": {"division": "NORTH", "cisServicePointId": "1122334455", "controllableDevices": [DEVICE]},
}  # fmt: skip
RULES: dict[str, Any] = {
    "dacsMessageId": "15449036987850", "programId": "1", "programCode": "SUMMER-TSTAT", "status": "ACTIVE",
    "startDate": "2026-06-01", "timeZone": "US/Central",
    "rules": [{"ruleId": "R1", "action": "ASSOCIATE", "allowEventDays": ["MON", "TUE"], "windowStart": "14:00",
               "windowEnd": "20:00", "maxEventsPerCycle": 3, "cycleFrequency": "WEEK", "minDurationMinutes": 30,
               "maxDurationMinutes": 240, "overridable": True}],
}  # fmt: skip
AGGREGATOR: dict[str, Any] = {
    "dacsMessageId": "15449036987851", "aggregatorId": "A1", "externalReferenceId": "X1", "status": "ACTIVE",
    "contact": {"name": "Ann", "email": "ann@example.com"}, "protocol": "OPENADR",
    "programOfferings": [{"programCode": "SUMMER-TSTAT", "startDate": "2026-06-01"}],
}  # fmt: skip
CHECK: dict[str, Any] = {
    "dacsMessageId": "C1", "DeviceInfo": {"division": "NORTH", "headEndSystem": "ECOBEE", "nicid": "44:61:32:aa:01"}
}  # fmt: skip


def verdict(said: Said) -> tuple[str, str]:
    assert said.status == 200, said.body
    response = said.json["MsgAck"]["responses"]["response"][0]
    assert response["responseCode"] == said.json["MsgAck"]["ackType"]
    return response["dacsMessageId"], response["responseCode"]


def enroll(derms: Caller, key: str | None = None, **changes: Any) -> Said:
    return derms.json("POST", "/enroll", SYNC | changes, key)


def test_an_enrollment_gets_its_yes_and_is_kept(derms: Caller, far_derms: Far) -> None:
    assert verdict(enroll(derms)) == ("15449036987849", "SUCCESS")
    kept = far_derms.records("subscription")["20000000000001"]
    assert (kept["action"], kept["devices"], kept["overtaken"]) == ("ENROLL", ["ECOBEE/44:61:32:aa:01"], 0)


def test_the_same_enrollment_again_has_no_second_effect(derms: Caller, far_derms: Far) -> None:
    assert enroll(derms, key="k1").body == enroll(derms, key="k1").body
    enroll(derms, key="k2")
    effect = far_derms.effect("enrollment_sync", "15449036987849")
    assert effect is not None
    assert (effect["effects"], effect["received"]) == (1, 2)
    assert far_derms.records("subscription")["20000000000001"]["overtaken"] == 0


def test_an_older_change_after_a_newer_one_is_seen_as_overtaken(derms: Caller, far_derms: Far) -> None:
    enroll(derms)
    enroll(derms, dacsMessageId="15449036987848", action="UNENROLL", changeDateTimeISO="2026-07-13T06:00:00Z")
    assert far_derms.records("subscription")["20000000000001"]["overtaken"] == 1
    assert far_derms.counts()["effects"]["enrollment_sync"]["late"] == 1


def test_a_device_change_replaces_the_list_of_devices(derms: Caller, far_derms: Far) -> None:
    enroll(derms)
    location = SYNC["locationInfo"] | {"controllableDevices": [DEVICE | {"nicId": "44:61:32:aa:02"}]}
    gone = {"nicId": "44:61:32:aa:01", "headEndSystem": "ECOBEE", "removedDateTimeISO": "2026-07-15T06:00:00Z"}
    said = enroll(derms, dacsMessageId="2", action="DEVICE_CHANGE", changeDateTimeISO="2026-07-15T06:00:00Z",
                  locationInfo=location, replacedDevices=[gone])  # fmt: skip
    assert verdict(said) == ("2", "SUCCESS")
    assert far_derms.records("subscription")["20000000000001"]["devices"] == ["ECOBEE/44:61:32:aa:02"]


@pytest.mark.parametrize("contact", [None, {"contactId": "1"}, {"cisPersonId": None}])
def test_an_enrollment_without_its_person_gets_a_no(derms: Caller, far_derms: Far, contact: Any) -> None:
    assert verdict(enroll(derms, contactInfo=contact))[1] == "ERROR"
    assert far_derms.records("subscription") == {}


def test_a_customer_never_synchronised_gets_a_no(derms: Caller, far_derms: Far) -> None:
    far_derms.know_customers(["7002"])
    assert verdict(enroll(derms))[1] == "ERROR"
    far_derms.know_customers(["7001"])
    assert verdict(enroll(derms))[1] == "SUCCESS"


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "REPLACE"},
        {"dacsMessageId": "1" * 15},
        {"changeDateTimeISO": "2026-07-14T06:00:00"},
        {"subscriptionInfo": SYNC["subscriptionInfo"] | {"status": "INACTIVE"}},
        {"subscriptionInfo": SYNC["subscriptionInfo"] | {"endDateTimeISO": "2026-06-01T00:00:00Z"}},
        {"locationInfo": {"controllableDevices": []}},
        {"locationInfo": {"cisServicePointId": "1", "controllableDevices": [{"nicId": "1"}]}},
        {"locationInfo": {"cisServicePointId": "1", "controllableDevices": [DEVICE | {"registration": "YES"}]}},
        {"syncRequestId": "1"},
    ],
)
def test_an_enrollment_that_is_not_as_agreed_is_refused(derms: Caller, far_derms: Far, changes: dict[str, Any]) -> None:
    assert enroll(derms, **changes).status == 400
    assert far_derms.records("subscription") == {}


@pytest.mark.parametrize(("path", "body"), [("/enroll", SYNC), ("/programs", RULES), ("/aggregators", AGGREGATOR)])
def test_late_leaves_the_yes_or_no_for_a_later_call(
    derms: Caller, far_derms: Far, path: str, body: dict[str, Any]
) -> None:
    far_derms.fault("late", times=1)
    said = derms.json("POST", path, body, key="k1")
    assert (said.status, said.json) == (202, {"status": "ACCEPTED"})
    assert derms.json("POST", path, body, key="k1").status == 202
    kept = far_derms.records("late_verdict")[body["dacsMessageId"]]
    assert kept["MsgAck"]["ackType"] == "SUCCESS"
    assert derms.json("POST", path, body, key="k2").status == 200


def test_late_keeps_a_no_as_well(derms: Caller, far_derms: Far) -> None:
    far_derms.fault("late", path="/enroll")
    assert enroll(derms, contactInfo={}).status == 202
    assert far_derms.records("late_verdict")["15449036987849"]["MsgAck"]["ackType"] == "ERROR"


def test_a_refused_key_gets_a_no(derms: Caller, far_derms: Far) -> None:
    far_derms.fault("reject_keys", keys=["20000000000001", "1", "A1", "44:61:32:aa:01"])
    assert verdict(enroll(derms))[1] == "ERROR"
    for path, body in (("/programs", RULES), ("/aggregators", AGGREGATOR), ("/status_check", CHECK)):
        assert verdict(derms.json("POST", path, body))[1] == "ERROR"
    assert far_derms.counts()["effects"] == {}


def test_a_status_check_is_taken_and_never_late(derms: Caller, far_derms: Far) -> None:
    far_derms.fault("late")
    assert verdict(derms.json("POST", "/status_check", CHECK)) == ("C1", "SUCCESS")
    effect = far_derms.effect("status_check", "C1")
    assert effect is not None
    assert effect["value"] == "ECOBEE/44:61:32:aa:01"
    assert derms.json("POST", "/status_check", CHECK | {"DeviceInfo": {"nicid": "1"}}).status == 400


def test_rules_of_a_program_replace_the_ones_before(derms: Caller, far_derms: Far) -> None:
    assert verdict(derms.json("POST", "/programs", RULES)) == ("15449036987850", "SUCCESS")
    rules = [{"ruleId": "R1", "action": "DISASSOCIATE"}, {"ruleId": "R2", "action": "ASSOCIATE", "maxOverrides": 2}]
    derms.json("POST", "/programs", RULES | {"dacsMessageId": "2", "rules": rules})
    programs = derms.call("GET", "/programs", headers=derms.authorized()).json["programs"]
    assert [[rule["ruleId"] for rule in each["rules"]] for each in programs] == [["R2"]]
    assert len(far_derms.records("program")["1"]["rules"]) == 2


def test_a_rule_named_twice_gets_a_no(derms: Caller) -> None:
    assert verdict(derms.json("POST", "/programs", RULES | {"rules": RULES["rules"] * 2}))[1] == "ERROR"


@pytest.mark.parametrize(
    "change",
    [
        {"minDurationMinutes": 300}, {"windowEnd": "24:00"}, {"allowEventDays": ["MONDAY"]}, {"maxOverrides": -1},
        {"cycleFrequency": "HOUR"}, {"action": "CREATE"}, {"ruleId": None}, {"effectiveFrom": "soon"},
    ],
)  # fmt: skip
def test_a_rule_that_is_not_as_agreed_is_refused(derms: Caller, change: dict[str, Any]) -> None:
    assert derms.json("POST", "/programs", RULES | {"rules": [RULES["rules"][0] | change]}).status == 400


def test_an_aggregator_is_kept_and_its_deletion_makes_it_inactive(derms: Caller, far_derms: Far) -> None:
    assert verdict(derms.json("POST", "/aggregators", AGGREGATOR))[1] == "SUCCESS"
    gone = {"dacsMessageId": "D1", "aggregatorId": "A1", "externalReferenceId": "X1", "status": "INACTIVE",
            "endDate": "2026-07-15"}  # fmt: skip
    assert verdict(derms.json("POST", "/aggregators", gone)) == ("D1", "SUCCESS")
    assert derms.call("GET", "/aggregators", headers=derms.authorized()).json == {
        "aggregators": [{"aggregatorId": "A1", "externalReferenceId": "X1", "status": "INACTIVE"}]
    }
    assert far_derms.records("aggregator")["A1"]["contact"]["name"] == "Ann"


@pytest.mark.parametrize("change", [{"status": "GONE"}, {"protocol": "SOAP"}, {"externalReferenceId": None}, {"x": 1}])
def test_an_aggregator_that_is_not_as_agreed_is_refused(derms: Caller, change: dict[str, Any]) -> None:
    assert derms.json("POST", "/aggregators", AGGREGATOR | change).status == 400
