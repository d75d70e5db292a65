"""Every message and the requests it becomes, both written by hand; whom it speaks of, and in which order."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from drbridge.contracts import (
    MESSAGES,
    aggregator,
    device_reservation,
    device_status_check,
    enrollment_change,
    enrollment_request,
    event_opt_out,
    event_status,
    msg_ack,
    program_rules,
    unavailability,
)
from drbridge.contracts.message import Part
from tests.unit.contracts.messages import LEFT_OUT, SAMPLES, changed, good, read, sample

SPECIFICATIONS = {"ECOBEE!EB-STATE5": "EB5-SMART"}
TYPES = {"THERMOSTAT": "D1TS"}
NOW = datetime(2026, 7, 14, 20, tzinfo=UTC)


def reserved() -> list[dict[str, str | None]]:
    path = SAMPLES.parent / "device_reservation" / "RESERVE_9001_1315_4712.csv"
    with path.open(newline="") as rows:
        return [{name: value or None for name, value in row.items()} for row in csv.DictReader(rows)]


def updated(message: Any, part: int) -> Any:
    return msg_ack.to_update_sync_request(message, part, 90000)


SENT: dict[str, Callable[[Any, int], Any]] = {
    "enrollment_request": lambda message, part: enrollment_request.to_create_enrollment(
        message, part, SPECIFICATIONS, TYPES
    ),
    "enrollment_change": lambda message, _: enrollment_change.to_derms_enroll(message),
    "enrollment_ack_message": updated,
    "device_status_check": lambda message, _: device_status_check.to_derms_status_check(message),
    "device_status_ack": msg_ack.to_device_status_response,
    "event_status": lambda message, _: event_status.to_create_program_event(message, "stage"),
    "device_reservation_message": lambda message, _: device_reservation.to_reserve_device(message, reserved(), "stage"),
    "program_rules": lambda message, _: program_rules.to_derms_program(
        message, {"SAT": "WEEKEND"}, {"SEASON": "PER_SEASON"}
    ),
    "program_rules_ack": updated,
    "aggregator": lambda message, _: aggregator.to_derms_aggregator(message),
    "aggregator_ack": updated,
    "event_opt_out": lambda message, _: event_opt_out.to_derms_opt_out(message),
    "unavailability": lambda message, _: unavailability.to_derms_unavailability(message),
    "customers_ack": updated,
}


def test_every_noun_has_its_sample_and_what_it_becomes() -> None:
    assert MESSAGES.keys() == SENT.keys()
    assert {path.name for path in SAMPLES.iterdir()} == {
        noun + end for noun in MESSAGES for end in (".json", ".sent.json")
    }


@pytest.mark.parametrize("noun", MESSAGES)
def test_a_message_becomes_its_requests(noun: str) -> None:
    message = read(noun, good(noun))
    bodies = [SENT[noun](message, part) for part in range(len(message.parts()))]
    assert bodies == json.loads((SAMPLES / f"{noun}.sent.json").read_text())
    assert json.loads(json.dumps(bodies, allow_nan=False)) == bodies


@pytest.mark.parametrize("noun", MESSAGES)
def test_a_message_without_its_frame_is_the_same_message(noun: str) -> None:
    cls = MESSAGES[noun]
    assert cls.unwrapped(good(noun)) == good(noun)
    assert cls.unwrapped({cls.frame or "frame": good(noun)}) == (good(noun) if cls.frame else {"frame": good(noun)})
    for nothing in (None, [], "x", 5, {"": 5}):
        assert cls.unwrapped(nothing) == nothing


@pytest.mark.parametrize("noun", MESSAGES)
def test_a_noun_describes_itself(noun: str) -> None:
    schema = MESSAGES[noun].model_json_schema(by_alias=True)
    assert json.dumps(schema)
    assert not {name for name in schema["properties"] if "_" in name}
    assert MESSAGES[noun].title
    assert (MESSAGES[noun].__doc__ or "").strip()


@pytest.mark.parametrize(("noun", "number", "group", "route"), [
    ("enrollment_request", "ENRQ-20260714-17", "", "DERMS-EAST"), ("enrollment_change", "05449036987849", "", "EAST"),
    ("enrollment_ack_message", "05449036987849@2026-07-14T20:05:00.000Z", "", ""),
    ("device_status_check", "70000000000012", "", "EAST"), ("device_status_ack", "PING-1", "", ""),
    ("device_reservation_message", "4712", "9001", "DERMS-EAST"), ("program_rules", "15449036987860", "", ""),
    ("program_rules_ack", "15449036987860@2026-07-14T03:00:05.000Z", "", ""), ("aggregator", "15449036987870", "", ""),
    ("event_opt_out", "OO-1", "9001", ""), ("unavailability", "UN-1", "", ""),
])  # fmt: skip
def test_number_group_and_route(noun: str, number: str, group: str, route: str) -> None:
    message = read(noun, good(noun))
    assert (message.number, message.group, message.route) == (number, group, route)


@pytest.mark.parametrize(("noun", "parts"), [
    ("enrollment_change", [Part("subscription 20000000000001", datetime(2026, 7, 14, 8, 59, tzinfo=UTC))]),
    ("enrollment_ack_message", [Part("", datetime(2026, 7, 14, 20, 5, tzinfo=UTC))] * 3),
    ("device_status_check", [Part("", NOW)]),
    ("device_reservation_message", [Part("", datetime(2026, 7, 14, 18, tzinfo=UTC))]),
    ("program_rules", [Part("program 1234512345", datetime(2026, 7, 14, 3, tzinfo=UTC))]),
    ("aggregator", [Part("aggregator AGG-7", datetime(2026, 7, 14, 3, tzinfo=UTC))]),
    ("event_opt_out",
     [Part("opt-out ECOBEE 44:61:32:aa:01 9001 1315", datetime(2026, 7, 14, 15, 15, tzinfo=UTC))]),
    ("unavailability",
     [Part("device ECOBEE 44:61:32:aa:01 2026-07-20T05:00:00Z 2026-07-27T05:00:00Z", NOW)]),
])  # fmt: skip
def test_whom_a_message_speaks_of_and_when_it_happened(noun: str, parts: Sequence[Part]) -> None:
    message = read(noun, good(noun))
    assert list(message.parts()) == parts
    assert message.happened_at == parts[0].order_at


def test_names_with_spaces_are_not_mistaken_for_others() -> None:
    one = changed("event_opt_out", (("eventId",), "1 2"), (("stageId",), "3"))
    other = changed("event_opt_out", (("eventId",), "1"), (("stageId",), "2 3"))
    assert read("event_opt_out", one).parts() != read("event_opt_out", other).parts()
    assert event_status.stage_entity("1 2", "3") != event_status.stage_entity("1", "2 3")


@pytest.mark.parametrize("noun", ["enrollment_request", "device_status_check", "unavailability"])
def test_who_does_not_say_when_it_was_sent_is_taken_at_arrival(noun: str) -> None:
    before = datetime.now(UTC)
    data = {name: value for name, value in good(noun).items() if name != "sentAt"}
    assert before <= read(noun, data).happened_at <= datetime.now(UTC)


def test_a_request_to_enroll_one_more_device() -> None:
    info = enrollment_request.AssetInfo.model_validate({"assetList": [{"specification": "ECOBEE!EB-STATE5"}]})
    assert enrollment_request.to_enroll_device("T-1", "88001", info, SPECIFICATIONS, TYPES) == {
        "transactionId": "T-1", "enrollmentId": "88001", "assetInfo": {"assetList": [{"specification": "EB5-SMART"}]},
    }  # fmt: skip


def test_a_request_to_unenroll() -> None:
    assert enrollment_request.to_unenroll("T-1", enrollment_id="88001", reason="LSSL", removal_method="X1UR") == {
        "transactionId": "T-1", "enrollmentId": "88001", "unenrollReason": "LSSL", "removalMethod": "X1UR",
    }  # fmt: skip
    assert enrollment_request.to_unenroll("T-1", program_subscription_id="2", reason="CUSTOMEROPTOUT") == {
        "transactionId": "T-1", "programSubscriptionId": "2", "unenrollReason": "CUSTOMEROPTOUT",
    }  # fmt: skip


def test_an_aggregator_that_is_gone_becomes_inactive() -> None:
    message = read("aggregator", aggregator.removed(None, "AGG-7", NOW))
    number = message.number
    assert number.startswith("removed-20260714-")
    assert aggregator.to_derms_aggregator(message) == {
        "dacsMessageId": number, "externalReferenceId": "AGG-7", "status": "INACTIVE", "endDate": "2026-07-14",
    }  # fmt: skip
    assert aggregator.own_number("AGG-8", NOW.date()) != number


def test_an_answer_to_a_request_of_ours_is_told_from_those_for_dacs() -> None:
    number = aggregator.own_number("AGG-7", NOW.date())
    ack = {"ackType": "SUCCESS", "whenISO": "2026-07-14T20:00:00.000Z",
           "responses": [{"dacsMessageId": "42"}, {"dacsMessageId": number}]}  # fmt: skip
    message = read("aggregator_ack", ack)
    assert [message.is_ours(part) for part in range(2)] == [False, True]


def test_a_long_reason_is_cut() -> None:
    body = msg_ack.update_sync_request("1", "é" * 255, 7)
    assert body["exceptionInfo"] == [{"sequence": 1, "messageCategory": 7, "messageNumber": 1, "comments": "é" * 254}]
    assert msg_ack.update_sync_request("1", "", 7)["exceptionInfo"] == [
        {"sequence": 1, "messageCategory": 7, "messageNumber": 1}
    ]


def test_the_newer_acknowledgement_tells_of_each_device() -> None:
    statuses = [{"deviceId": "100200300401", "headEndRegistration": "D1RE", "message": ""},
                {"deviceId": "100200300402", "headEndRegistration": "D1NR", "message": "unknown NIC"}]  # fmt: skip
    data = {"dacsMessageId": "15", "ackType": "SUCCESS", "whenISO": "2026-07-14T20:00:00Z",
            "deviceHeadendStatus": statuses}  # fmt: skip
    assert msg_ack.to_post_acknowledgement(read("enrollment_ack_message", data), 0, 90000) == {
        "syncRequestId": "15", "hasError": False, "deviceHeadendStatus": [
            {"deviceId": "100200300401", "headEndRegistration": "D1RE"},
            {"deviceId": "100200300402", "headEndRegistration": "D1NR", "message": "unknown NIC"},
        ],
    }  # fmt: skip
    del data["deviceHeadendStatus"]
    assert "deviceHeadendStatus" not in msg_ack.to_post_acknowledgement(read("enrollment_ack_message", data), 0, 90000)


def test_a_request_answered_for_each_of_its_devices_fails_when_one_fails() -> None:
    responses = [{"responseCode": "SUCCESS"}, {"responseCode": "FAILURE", "value": "NIC 2 is unknown"}]
    data = {"dacsMessageId": "15", "ackType": "SUCCESS", "whenISO": "2026-07-14T20:00:00Z", "responses": responses}
    message = read("enrollment_ack_message", data)
    assert len(message.parts()) == 1
    assert updated(message, 0)["exceptionInfo"][0]["comments"] == "NIC 2 is unknown"


def test_a_response_that_says_nothing_of_its_own_is_as_the_whole() -> None:
    data = changed("enrollment_ack_message", (("ackType",), "SUCCESS"), (("responses",), {"response": None}),
                   (("dacsMessageId",), "15"))  # fmt: skip
    assert updated(read("enrollment_ack_message", data), 0) == {"syncRequestId": "15", "hasError": False}


@pytest.mark.parametrize(("start", "end", "why"), [
    (None, None, None), ("2026-07-14T18:00:00Z", "2026-07-14T20:00:00Z", None),
    ("2026-07-14T17:59:59.999Z", "2026-07-14T20:00:00Z",
     "reservationStartDateTime is before the stage begins, 2026-07-14T18:00:00Z"),
    ("2026-07-14T13:00:00-05:00", "2026-07-14T15:00:01-05:00",
     "reservationEndDateTime is after the stage ends, 2026-07-14T20:00:00Z"),
    ("2026-07-14T18:00:00Z", "9999-12-31T23:59:59-14:00",
     "reservationEndDateTime is after the stage ends, 2026-07-14T20:00:00Z"),
    ("0001-01-01T00:00:00+14:00", "2026-07-14T20:00:00Z",
     "reservationStartDateTime is before the stage begins, 2026-07-14T18:00:00Z"),
])  # fmt: skip
def test_a_reservation_stays_inside_its_stage(start: str | None, end: str | None, why: str | None) -> None:
    fields = {"reservationStartDateTime": start, "reservationEndDateTime": end}
    message = read("device_reservation_message", good("device_reservation_message"))
    assert device_reservation.outside_window(message, fields) == why
    assert device_reservation.outside_window(message, {}) is None


def test_a_reservation_may_be_known_by_its_event() -> None:
    message = read("device_reservation_message", sample("device_reservation_message"))
    body = device_reservation.to_reserve_device(message, [{"nicId": "1", "headEndSystemId": "NEST"}], "event")
    assert body["eventExternalIdentifier"] == "9001"
    assert body["deviceList"] == [{
        "headEndSystem": "NEST", "nicId": "1", "reservationStartDateTime": "2026-07-14T18:00:00Z",
        "reservationEndDateTime": "2026-07-14T20:00:00Z",
    }]  # fmt: skip


def test_a_question_of_dacs_need_not_be_a_sync_request() -> None:
    data = changed("device_status_ack", (("dacsMessageId",), "PING/é 7"), (("responses",), LEFT_OUT))
    assert msg_ack.to_device_status_response(read("device_status_ack", data), 0) == {
        "responseDetail": {"transactionId": "PING/é 7", "result": {"status": "SUCCESS"}}
    }
