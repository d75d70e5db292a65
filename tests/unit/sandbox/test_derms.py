"""The DERMS takes files and acknowledgements as agreed, and only from callers with a good token."""

from __future__ import annotations

import time
from hashlib import sha256

import pytest

from drbridge_sandbox.far import Far
from tests.unit.sandbox.conftest import Caller

SCORE_HEADER = (
    "deviceId,nicId,headEndSystem,programSubscriptionId,programCode,servicePointId,calculationDateTime,"
    "deviceScore,availabilityFlag\n"
)
SCORE = "100200300401,44:61:32:aa:01,ECOBEE,20000000000001,SUMMER-TSTAT,1122334455,2026-07-13T02:10:00Z,0.874000,Y\n"
FORECAST = (
    "ProgramId,SPId,ForecastRunTime,ForecastStartTime,ForecastEndTime,IntervalSize(Seconds),TotalKwReductionAvg,"
    "KwReduction1,KwReduction2,KwReduction3,KwReduction4\n"
    "1234512345,1122334455,2026-07-13T03:00:00Z,2026-07-14T14:00:00-05:00,2026-07-14T18:00:00-05:00,3600,0.9000,"
    "1.8000,1.6000,0.9000,-0.7000\n"
)
ACK = {
    "messageId": "4711", "ackType": "ERROR", "whenISO": "2026-07-14T20:00:00.000Z", "fileName": "E.csv",
    "responses": [
        {"id": "line 3", "responseCode": "ERROR", "value": "no", "responseTimeISO": "2026-07-14T20:00:00.000Z"}
    ],
}  # fmt: skip


def test_scores_are_taken_with_one_effect_for_each_device_and_calculation(derms: Caller, far_derms: Far) -> None:
    content = (SCORE_HEADER + SCORE + SCORE.replace("aa:01", "aa:02")).encode()
    said = derms.file("/deviceScore", "SDCSE_1_00.csv", content, key="k1")
    assert (said.status, said.json["rows"]) == (202, 2)
    entry = far_derms.requests()[-1]
    assert (entry["sha256"], entry["rows"], entry["file_name"]) == (sha256(content).hexdigest(), 2, "SDCSE_1_00.csv")
    effect = far_derms.effect("device_score", "ECOBEE/44:61:32:aa:01/SUMMER-TSTAT/2026-07-13T02:10:00Z")
    assert effect is not None
    assert (effect["value"], effect["effects"]) == ("0.874000,Y", 1)


def test_the_same_file_again_changes_nothing(derms: Caller, far_derms: Far) -> None:
    content = (SCORE_HEADER + SCORE).encode()
    assert derms.file("/deviceScore", "S.csv", content, key="k1").status == 202
    assert derms.file("/deviceScore", "S.csv", content, key="k1").headers["idempotent-replayed"] == "true"
    assert derms.file("/deviceScore", "S.csv", content, key="k2").status == 202
    summary = far_derms.counts()["effects"]["device_score"]
    assert (summary["keys"], summary["effects"], summary["received"]) == (1, 1, 2)


def test_an_older_score_after_a_newer_one_is_noticed(derms: Caller, far_derms: Far) -> None:
    derms.file("/deviceScore", "B.csv", (SCORE_HEADER + SCORE).encode())
    assert far_derms.counts()["effects"]["device_score"]["late"] == 0
    derms.file("/deviceScore", "A.csv", (SCORE_HEADER + SCORE.replace("07-13", "07-12")).encode())
    assert far_derms.counts()["effects"]["device_score"]["late"] == 1


def test_quoted_fields_line_ends_and_a_byte_order_mark_are_understood(derms: Caller) -> None:
    row = SCORE.replace("SUMMER-TSTAT", '"SUMMER, ""T"""')
    content = b"\xef\xbb\xbf" + (SCORE_HEADER + row).replace("\n", "\r\n").encode()
    assert derms.file("/deviceScore", "S.csv", content).status == 202


@pytest.mark.parametrize(
    "content",
    [
        "",
        SCORE,
        SCORE_HEADER.replace("nicId", "nic") + SCORE,
        SCORE_HEADER + SCORE + "\n",
        SCORE_HEADER + SCORE + SCORE,
        SCORE_HEADER + SCORE.replace(",Y", ""),
        SCORE_HEADER + SCORE.replace(",Y", ",YES"),
        SCORE_HEADER + SCORE.replace("0.874000", "NaN"),
        SCORE_HEADER + SCORE.replace("0.874000", "0.8740001"),
        SCORE_HEADER + SCORE.replace("02:10:00Z", "02:10:00"),
        SCORE_HEADER + SCORE.replace("2026-07-13", "2026-02-30"),
        SCORE_HEADER + SCORE.replace("2026-07-13", "2099-07-13"),
        SCORE_HEADER + SCORE.replace("44:61:32:aa:01", ""),
        SCORE_HEADER + SCORE + '"',
    ],
)
def test_a_file_with_anything_wrong_is_refused_whole(derms: Caller, far_derms: Far, content: str) -> None:
    good = SCORE.replace("aa:01", "aa:99") if content.startswith(SCORE_HEADER) else ""
    said = derms.file("/deviceScore", "S.csv", content.replace(SCORE_HEADER, SCORE_HEADER + good).encode())
    assert said.status == 400
    assert far_derms.counts()["effects"] == {}


def test_the_attachment_must_be_the_one_part_called_file(derms: Caller) -> None:
    assert derms.file("/deviceScore", "S.csv", (SCORE_HEADER + SCORE).encode(), part="data").status == 400
    assert derms.json("POST", "/deviceScore", {}).status == 415


def test_a_forecast_is_taken_when_its_values_fit_its_period_and_average(derms: Caller, far_derms: Far) -> None:
    said = derms.file("/loadForecast", "LOAD_FORECAST_1.csv", FORECAST.encode())
    assert (said.status, said.json["rows"]) == (200, 1)
    effect = far_derms.effect("load_forecast", "1234512345/1122334455/2026-07-14T19:00:00.000000Z")
    assert effect is not None
    assert effect["value"] == "1.8000,1.6000,0.9000,-0.7000"


@pytest.mark.parametrize(
    ("old", "new"), [("0.9000,1.8", "0.8900,1.8"), (",3600,", ",1800,"), ("2026-07-13T03", "2026-07-15T03"),
                     ("T18:00:00-05", "T17:00:00-05"), (",3600,", ",7200,")]
)  # fmt: skip
def test_a_forecast_that_contradicts_itself_is_refused(derms: Caller, old: str, new: str) -> None:
    assert derms.file("/loadForecast", "F.csv", FORECAST.replace(old, new).encode()).status == 400


def test_an_acknowledgement_is_kept_by_its_message_id(derms: Caller, far_derms: Far) -> None:
    assert derms.json("POST", "/acks", ACK).status == 200
    assert derms.json("POST", "/acks", ACK).status == 200
    effect = far_derms.effect("ack", "4711")
    assert effect is not None
    assert (effect["value"], effect["effects"], effect["received"]) == ("ERROR,1", 1, 2)


@pytest.mark.parametrize("change", [{"ackType": "OK"}, {"messageId": ""}, {"whenISO": "yesterday"}, {"responses": 1}])
def test_an_acknowledgement_that_is_not_as_agreed_is_refused(derms: Caller, change: dict[str, object]) -> None:
    assert derms.json("POST", "/acks", ACK | change).status == 400


def test_a_token_is_given_for_the_right_secret_only(derms: Caller) -> None:
    assert derms.ask_token().json["expires_in"] == 3600
    derms.settings["password"] = "wrong"
    said = derms.ask_token()
    assert (said.status, said.json) == (401, {"error": "invalid_client"})


def test_an_expired_or_revoked_token_is_good_for_nothing(derms: Caller, far_derms: Far) -> None:
    far_derms.token_lifetime(0.2)
    assert derms.json("POST", "/acks", ACK).status == 200
    time.sleep(0.25)
    said = derms.json("POST", "/acks", ACK)
    assert said.status == 401
    assert "invalid_token" in said.headers["www-authenticate"]
    far_derms.token_lifetime(3600)
    derms.token = None
    assert derms.json("POST", "/acks", ACK).status == 200
    far_derms.revoke_tokens()
    assert derms.json("POST", "/acks", ACK).status == 401


def test_a_password_is_not_a_token(derms: Caller) -> None:
    headers = {"Authorization": f"Basic {derms.encoded()}", "Content-Type": "application/json"}
    assert derms.call("POST", "/acks", b"{}", headers).status == 401
