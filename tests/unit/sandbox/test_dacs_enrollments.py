"""DACS takes enrollments one by one, says what is wrong with one in its answer, and ends sync requests."""

from __future__ import annotations

from typing import Any

import pytest

from drbridge_sandbox.far import Far
from tests.unit.sandbox.conftest import Caller, Said

ENROLLMENTS = "/rest/apis/cross/digitalAssets/programEnrollments/"
RESPONSE = "/rest/apis/cross/digitalAssets/controllableDeviceStatus/response"
ASSET = {
    "sequence": 1, "specification": "ECOBEE-LITE", "assetType": "THERMOSTAT", "nicId": "44:61:32:aa:01",
    "headEndSystem": "ECOBEE",
}  # fmt: skip
ENROLL: dict[str, Any] = {
    "transactionId": "4711",
    "customerInfo": {"cisPersonId": "7001", "cisAccountId": "8001", "name": "LEE, ANNA"},
    "programInfo": {"programCode": "SUMMER-TSTAT", "startDate": "2026-07-01"},
    "locationInfo": {"division": "NORTH", "cisServicePointId": "1122334455", "timeZone": "US/Central"},
    "assetInfo": {"installationMethod": "X1SI", "assetOwnership": "W1CO", "assetList": [ASSET]},
}


def enroll(dacs: Caller, key: str | None = None, **changes: Any) -> Said:
    return dacs.json("POST", ENROLLMENTS + "enroll", ENROLL | changes, key)


def get(dacs: Caller, id_: str) -> Said:
    return dacs.call("GET", f"{ENROLLMENTS}enroll/{id_}", headers=dacs.authorized())


def test_an_enrollment_is_pending_and_can_be_asked_for(dacs: Caller, far_dacs: Far) -> None:
    said = enroll(dacs)
    assert said.status == 200
    assert said.json["status"] == "PENDING"
    assert get(dacs, said.json["enrollmentId"]).json == said.json
    assert get(dacs, "1").status == 404
    effect = far_dacs.effect("enrollment", "7001/SUMMER-TSTAT/1122334455")
    assert effect is not None
    assert effect["value"] == "PENDING"


def test_an_enrollment_that_exists_is_refused_by_number(dacs: Caller, far_dacs: Far) -> None:
    enroll(dacs)
    said = enroll(dacs, transactionId="4712")
    assert said.status == 400
    assert said.json["problemDetailDocument"]["serverMessage"][0]["messageNumber"] == 10589
    assert "already exists" in said.detail
    assert len(far_dacs.records("enrollment")) == 1


def test_an_enrollment_sent_twice_under_one_key_gets_the_same_answer(dacs: Caller) -> None:
    assert enroll(dacs, key="k1").body == enroll(dacs, key="k1").body


def test_a_customer_never_synchronised_makes_the_enrollment_invalid(dacs: Caller, far_dacs: Far) -> None:
    assert far_dacs.know_customers(["7002"]) == 1
    said = enroll(dacs)
    assert (said.status, said.json["status"]) == (200, "VAL-ERROR")
    assert "7001" in said.json["message"]
    assert enroll(dacs, customerInfo={"cisPersonId": "7002"}).json["status"] == "PENDING"


def test_an_enrollment_without_a_customer_is_invalid(dacs: Caller) -> None:
    assert enroll(dacs, customerInfo={"name": "LEE, ANNA"}).json["status"] == "VAL-ERROR"


def test_a_refused_enrollment_says_error_in_its_answer(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.fault("reject_keys", keys=["7001"])
    said = enroll(dacs)
    assert (said.status, said.json["status"]) == (200, "ERROR")
    assert isinstance(said.json["messageNumber"], int)


@pytest.mark.parametrize(
    "changes",
    [
        {"transactionId": "x" * 121},
        {"transactionId": None},
        {"customerInfo": {"cisPersonId": "x" * 31}},
        {"customerInfo": {"cisPersonId": "7001", "homePhone": "1" * 25}},
        {"programInfo": {"startDate": "2026-07-01"}},
        {"programInfo": {"programCode": "P", "startDate": "2026-07-01T00:00:00Z"}},
        {"locationInfo": {"cisServicePointId": "1" * 13}},
        {"locationInfo": {"cisServicePointId": "1", "address2": "x"}},
        {"assetInfo": {"installationMethod": "X1BY"}},
        {"assetInfo": {"installationMethod": "X1SI", "assetOwnership": "W1CO", "assetList": [{"nicId": "1"}]}},
    ],
)
def test_an_enrollment_that_is_not_as_agreed_is_refused(dacs: Caller, far_dacs: Far, changes: dict[str, Any]) -> None:
    assert enroll(dacs, **changes).status == 400
    assert far_dacs.records("enrollment") == {}


def test_an_additional_device_joins_an_enrollment_once(dacs: Caller, far_dacs: Far) -> None:
    id_ = enroll(dacs).json["enrollmentId"]
    new = {"assetList": [ASSET | {"nicId": "44:61:32:aa:02"}]}
    body = {"transactionId": "1", "enrollmentId": id_, "assetInfo": new}
    assert dacs.json("POST", ENROLLMENTS + "enrollDevice", body).json == {"enrollmentId": id_, "status": "PENDING"}
    assert dacs.json("POST", ENROLLMENTS + "enrollDevice", body).status == 400
    assert dacs.json("POST", ENROLLMENTS + "enrollDevice", body | {"enrollmentId": "1"}).status == 404
    assert len(far_dacs.records("enrollment")[id_]["assetInfo"]["assetList"]) == 2


def test_an_unenrollment_is_asked_for_once_with_a_known_reason(dacs: Caller, far_dacs: Far) -> None:
    id_ = enroll(dacs).json["enrollmentId"]
    body = {"transactionId": "1", "enrollmentId": id_, "unenrollReason": "CUSTOMEROPTOUT", "removalMethod": "X1KP"}
    path = ENROLLMENTS + "unenroll"
    assert dacs.json("POST", path, body | {"unenrollReason": "OTHER"}).status == 400
    assert dacs.json("POST", path, body | {"programSubscriptionId": "1"}).status == 400
    assert dacs.json("POST", path, body | {"enrollmentId": "1"}).status == 404
    assert dacs.json("POST", path, body).json["status"] == "PENDING"
    assert dacs.json("POST", path, body).status == 400
    assert far_dacs.records("unenrollment")[id_]["unenrollReason"] == "CUSTOMEROPTOUT"


def test_an_unenrollment_can_be_asked_for(dacs: Caller) -> None:
    body = {"transactionId": "1", "programSubscriptionId": "55", "unenrollReason": "LSSL"}
    said = dacs.json("POST", ENROLLMENTS + "unenroll", body)
    assert said.json == {"programSubscriptionId": "55", "status": "PENDING"}
    path = ENROLLMENTS + "unenroll/"
    assert dacs.call("GET", path + "55", headers=dacs.authorized()).json == said.json
    assert dacs.call("GET", path + "56", headers=dacs.authorized()).status == 404


def test_an_acknowledgement_tells_of_each_device_and_ends_the_sync_request(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.seed(["15449036987849"])
    devices = [{"deviceId": "1", "headEndRegistration": "D1RE"},
               {"deviceId": "2", "headEndRegistration": "D1NR", "message": "Not reachable"}]  # fmt: skip
    body = {"syncRequestId": "15449036987849", "hasError": False, "deviceHeadendStatus": devices}
    path = ENROLLMENTS + "postAcknowledgement"
    assert dacs.json("POST", path, body).json == {"syncRequestId": "15449036987849", "boStatus": "SYNCHRONIZED"}
    said = dacs.json("POST", path, body)
    assert said.status == 400
    assert "Duplicate" in said.detail
    effects = far_dacs.effects_of("device_registration")
    assert {key: row["value"] for key, row in effects.items()} == {
        "15449036987849/1": "D1RE", "15449036987849/2": "D1NR"
    }  # fmt: skip


def test_an_acknowledgement_and_an_update_end_the_same_sync_request(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.seed(["7"])
    body = {"syncRequestId": "7", "hasError": True}
    assert dacs.json("POST", ENROLLMENTS + "postAcknowledgement", body).json["boStatus"] == "ERROR"
    assert dacs.json("PATCH", "/rest/apis/common/sync/syncRequest/7", body).status == 400


def test_a_registration_code_nobody_knows_is_refused(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.seed(["7"])
    body = {"syncRequestId": "7", "hasError": False,
            "deviceHeadendStatus": [{"deviceId": "1", "headEndRegistration": "OK"}]}  # fmt: skip
    assert dacs.json("POST", ENROLLMENTS + "postAcknowledgement", body).status == 400
    assert far_dacs.counts()["sync_requests"] == {"PENDING": 1}


def response(id_: str = "C1", status: str = "SUCCESS") -> dict[str, Any]:
    return {"responseDetail": {"transactionId": id_, "result": {"status": status}}}


def test_the_result_of_a_status_check_ends_its_communication_once(dacs: Caller, far_dacs: Far) -> None:
    far_dacs.plant("device_communication", {"C1": {"status": "AWAITRESP"}})
    said = dacs.json("POST", RESPONSE, response())
    assert said.json == {"responseDetail": {"transactionId": "C1", "boStatus": "COMPLETE"}}
    assert dacs.json("POST", RESPONSE, response(status="FAILURE")).status == 400
    assert dacs.json("POST", RESPONSE, response("C2")).status == 404
    assert far_dacs.records("device_communication")["C1"] == {"status": "COMPLETE", "result": "SUCCESS"}


@pytest.mark.parametrize("body", [response(status="ERROR"), response("x" * 31), {"transactionId": "C1"}])
def test_a_result_that_is_not_as_agreed_is_refused(dacs: Caller, body: dict[str, Any]) -> None:
    assert dacs.json("POST", RESPONSE, body).status == 400


def test_dacs_tells_its_release_and_its_aggregators(dacs: Caller, far_dacs: Far) -> None:
    health = dacs.call("GET", "/rest/apis/common/healthCheck", headers=dacs.authorized())
    assert health.json == {"status": "UP", "version": "26.4"}
    far_dacs.plant("aggregator", {"A1": {"externalReferenceId": "X1"}, "A2": {"status": "INACTIVE"}})
    path = "/rest/apis/cross/digitalAssets/derAggregators"
    assert dacs.call("GET", path, headers=dacs.authorized()).json == {"aggregators": [
        {"aggregatorId": "A1", "externalReferenceId": "X1", "status": "ACTIVE"},
        {"aggregatorId": "A2", "externalReferenceId": "A2", "status": "INACTIVE"},
    ]}  # fmt: skip
    assert far_dacs.uproot("aggregator", ["A1"]) == 1
    assert [each["aggregatorId"] for each in dacs.call("GET", path, headers=dacs.authorized()).json["aggregators"]] == [
        "A2"
    ]
    assert dacs.call("GET", path).status == 401
