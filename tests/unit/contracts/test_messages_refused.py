"""Every rule of every message: a good one with one thing changed, and what is said against it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from drbridge.contracts import MESSAGES
from tests.unit.contracts.messages import LEFT_OUT, NOUNS, Where, changed, good, refused

DEVICE: Where = ("locationInfo", "controllableDevices", 0)
ASSET: Where = ("requests", 0, "assetInfo", "assetList", 1)
SUBSCRIPTION: Where = ("subscriptionInfo",)
PASSED_OVER = {"responseTimeISO", "endDateTimeISO", "address2", "locationId", "color"}
WRITTEN = "startDateTimeISO"  # kept as it came, so that the ends of the calendar do not matter
DAY_MESSAGE = "is not a day as in 2026-07-14"


def leaves(data: Any, where: Where = ()) -> Iterator[tuple[Where, Any]]:
    """Every value of a message that is not a group, with its place."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield from leaves(value, (*where, name))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from leaves(value, (*where, number))
    else:
        yield where, data


@pytest.mark.parametrize(("noun", "required"), [
    ("enrollment_request", ["messageId", "requests"]),
    ("enrollment_change", ["syncRequestId", "action", "changeDateTime", "subscriptionInfo"]),
    ("enrollment_ack_message", ["ackType", "whenISO"]), ("device_status_check", ["communicationId", "deviceInfo"]),
    ("device_status_ack", ["ackType", "whenISO"]), ("event_status", ["messageId", "eventId", "stageStatus", "sentAt"]),
    ("device_reservation_message",
     ["messageId", "eventId", "stageId", "eventStartDateTime", "eventEndDateTime", "file"]),
    ("program_rules", ["syncRequestId", "changeDateTime", "programId", "rules"]),
    ("program_rules_ack", ["ackType", "whenISO"]),
    ("aggregator", ["syncRequestId", "changeDateTime", "externalReferenceId", "status"]),
    ("aggregator_ack", ["ackType", "whenISO"]),
    ("event_opt_out", ["messageId", "nicId", "headEndSystem", "eventId", "stageId", "optOutDateTime"]),
    ("unavailability", ["messageId", "nicId", "headEndSystem", "start", "end", "action"]),
    ("customers_ack", ["ackType", "whenISO"]),
])  # fmt: skip
def test_a_missing_required_member_is_named(noun: str, required: list[str]) -> None:
    assert MESSAGES[noun].model_json_schema(by_alias=True)["required"] == required
    for name in required:
        for nothing in (None, "", LEFT_OUT):
            assert (name,) in [where for where, _ in refused(noun, changed(noun, ((name,), nothing)))]


@pytest.mark.parametrize(("noun", "where", "longest"), [
    ("enrollment_request", ("messageId",), 120),
    ("enrollment_request", ("requests", 0, "customerInfo", "cisPersonId"), 30),
    ("enrollment_request", ("requests", 0, "customerInfo", "cisAccountId"), 30),
    ("enrollment_request", ("requests", 0, "customerInfo", "name"), 254),
    ("enrollment_request", ("requests", 0, "customerInfo", "homePhone"), 24),
    ("enrollment_request", ("requests", 0, "customerInfo", "businessPhone"), 24),
    ("enrollment_request", ("requests", 0, "customerInfo", "email"), 254),
    ("enrollment_request", ("requests", 0, "locationInfo", "cisPremiseId"), 14),
    ("enrollment_request", ("requests", 0, "locationInfo", "cisServicePointId"), 12),
    ("enrollment_request", ("requests", 0, "locationInfo", "address1"), 254),
    ("enrollment_request", (*ASSET, "nicId"), 100), ("enrollment_request", (*ASSET, "headEndSystem"), 50),
    ("enrollment_change", (*DEVICE, "deviceId"), 12), ("enrollment_change", (*DEVICE, "headEndSystem"), 50),
    ("enrollment_change", (*DEVICE, "nicId"), 100), ("enrollment_change", ("replacedDevices", 0, "nicId"), 100),
    ("device_status_check", ("communicationId",), 30), ("device_status_check", ("deviceInfo", "nicid"), 100),
    ("device_reservation_message", ("eventId",), 120), ("device_reservation_message", ("stageId",), 120),
    ("event_opt_out", ("reason",), 254), ("event_opt_out", ("nicId",), 100), ("unavailability", ("headEndSystem",), 50),
    ("aggregator", ("externalReferenceId",), 120), ("program_rules", ("programId",), 120),
    ("enrollment_ack_message", ("responses", "response", 0, "value"), 2000),
])  # fmt: skip
def test_text_is_as_long_as_was_published(noun: str, where: Where, longest: int) -> None:
    assert refused(noun, changed(noun, (where, "é" * longest))) == []
    ((place, said),) = refused(noun, changed(noun, (where, "é" * (longest + 1))))
    assert place == tuple(step for step in where if step != "response")
    assert str(longest) in said


@pytest.mark.parametrize(("noun", "where", "value", "place", "said"), [
    ("enrollment_request", ("requests",), [], ("requests",), "at least 1 item"),
    ("enrollment_request", ("requests", 1, "programInfo", "startDateTimeISO"), "2026-12-01",
     ("requests", 1, "programInfo", "startDateTimeISO"), "not a date and time"),
    ("enrollment_request", ("requests", 1, "programInfo", "startDateTimeISO"), "2026-12-01T00:00:00",
     ("requests", 1, "programInfo", "startDateTimeISO"), "how far it is from UTC"),
    ("enrollment_change", ("syncRequestId",), "154490369878490", ("syncRequestId",), "pattern"),
    ("enrollment_change", ("syncRequestId",), "1544903698784\n", ("syncRequestId",), "pattern"),
    ("enrollment_change", ("syncRequestId",), "\u0661", ("syncRequestId",), "pattern"),
    ("enrollment_change", ("action",), "enroll", ("action",), "DEVICE_CHANGE"),
    ("enrollment_change", (*DEVICE, "registration"), "D1XX", (*DEVICE, "registration"), "D1RE"),
    ("enrollment_change", (*DEVICE, "nicId"), LEFT_OUT, (*DEVICE, "nicId"), "required"),
    ("enrollment_change", ("locationInfo", "controllableDevices"), [], (), "DEVICE_CHANGE needs at least one device"),
    ("enrollment_change", ("locationInfo",), LEFT_OUT, (), "locationInfo.controllableDevices"),
    ("enrollment_change", ("action",), "UNENROLL", (), "UNENROLL needs subscriptionInfo.endDateTime"),
    ("enrollment_change", (*SUBSCRIPTION, "status"), "INACTIVE", SUBSCRIPTION, "INACTIVE needs endDateTime"),
    ("enrollment_change", (*SUBSCRIPTION, "endDateTime"), "2026-07-01T04:59:59Z", SUBSCRIPTION,
     "endDateTime is before startDateTime"),
    ("enrollment_ack_message", ("ackType",), "Error", ("ackType",), "FAILURE"),
    ("enrollment_ack_message", ("responses",), [], (), "which request is answered"),
    ("enrollment_ack_message", ("responses",), [{"id": "1"}], (), "dacsMessageId is missing"),
    ("enrollment_ack_message", ("responses", "response", 0, "dacsMessageId"), "../1", (), "is not the number"),
    ("enrollment_ack_message", ("responses", "response", 0, "responseCode"), "OK", ("responses", 0, "responseCode"),
     "SUCCESS"),
    ("enrollment_ack_message", ("responses",), "all good", ("responses",), "valid tuple"),
    ("enrollment_ack_message", ("deviceHeadendStatus",), [{"deviceId": "1", "headEndRegistration": "D1RE"}], (),
     "one message for each"),
    ("device_status_ack", ("dacsMessageId",), "7" * 31, (), "is not the number"),
    ("device_reservation_message", ("eventEndDateTime",), "2026-07-14T18:00:00.9Z", (), "not after eventStartDateTime"),
    ("device_reservation_message", ("file", "name"), "../RESERVE_1.csv", ("file", "name"), "pattern"),
    ("device_reservation_message", ("file", "name"), "a\nb.csv", ("file", "name"), "pattern"),
    ("device_reservation_message", ("file", "sha256"), "a" * 63, ("file", "sha256"), "pattern"),
    ("device_reservation_message", ("file", "rows"), 0, ("file", "rows"), "greater than or equal to 1"),
    ("device_reservation_message", ("file", "rows"), "4", ("file", "rows"), "valid integer"),
    ("device_reservation_message", ("eventType",), "DRILL", ("eventType",), "ECONOMIC"),
    ("program_rules", ("startDate",), "2026-06-01T00:00:00Z", ("startDate",), DAY_MESSAGE),
    ("program_rules", ("startDate",), 20260601, ("startDate",), DAY_MESSAGE),
    ("program_rules", ("startDate",), "2026-02-29", ("startDate",), "does not exist"),
    ("program_rules", ("endDate",), "2026-05-31", (), "endDate is before startDate"),
    ("program_rules", ("rules", 0, "windowStart"), "24:00", ("rules", 0, "windowStart"), "pattern"),
    ("program_rules", ("rules", 0, "windowEnd"), "9:00", ("rules", 0, "windowEnd"), "pattern"),
    ("program_rules", ("rules", 0, "windowEnd"), LEFT_OUT, ("rules", 0), "windowStart and windowEnd go together"),
    ("program_rules", ("rules", 0, "minDurationMinutes"), 241, ("rules", 0), "more than maxDurationMinutes"),
    ("program_rules", ("rules", 0, "minRestMinutes"), -1, ("rules", 0, "minRestMinutes"), "greater than or equal to 0"),
    ("program_rules", ("rules", 0, "maxOverrides"), True, ("rules", 0, "maxOverrides"), "valid integer"),
    ("program_rules", ("rules", 0, "noticeMinutes"), 1.5, ("rules", 0, "noticeMinutes"), "valid integer"),
    ("program_rules", ("rules", 0, "overridable"), "yes", ("rules", 0, "overridable"), "valid boolean"),
    ("program_rules", ("rules", 0, "cycleFrequency"), LEFT_OUT, ("rules", 0), "maxEventsPerCycle needs cycleFrequency"),
    ("program_rules", ("rules", 0, "effectiveTo"), "2026-07-14", ("rules", 0), "effectiveTo is before effectiveFrom"),
    ("program_rules", ("rules", 0, "allowEventDays", 0), "MONDAY", ("rules", 0, "allowEventDays", 0), "SUN"),
    ("aggregator", ("protocol",), "IEEE 2030.5", ("protocol",), "OPENADR"),
    ("aggregator", ("endDate",), "2025-12-31", (), "endDate is before startDate"),
    ("aggregator", ("programOfferings", 0, "endDate"), "2026-05-31", ("programOfferings", 0), "before startDate"),
    ("unavailability", ("end",), "2026-07-20T05:00:00.5Z", (), "end is not after start"),
    ("unavailability", ("action",), "DELETE", ("action",), "CANCEL"),
])  # fmt: skip
def test_a_rule_that_is_broken_is_named(noun: str, where: Where, value: Any, place: Where, said: str) -> None:
    found = refused(noun, changed(noun, (where, value)))
    assert [each for each, _ in found] == [place]
    assert said in found[0][1]


@pytest.mark.parametrize(("noun", "where", "value"), [
    ("enrollment_change", ("contactInfo",), LEFT_OUT), ("enrollment_change", ("replacedDevices",), LEFT_OUT),
    ("enrollment_change", (*SUBSCRIPTION, "endDateTime"), "2026-07-01T05:00:00Z"),
    ("program_rules", ("rules",), []), ("program_rules", ("rules", 0, "windowEnd"), "02:00"),
    ("program_rules", ("rules", 0, "minDurationMinutes"), 240), ("program_rules", ("endDate",), "2026-06-01"),
])  # fmt: skip
def test_what_is_just_within_the_rules_is_taken(noun: str, where: Where, value: Any) -> None:
    assert refused(noun, changed(noun, (where, value))) == []


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("value", [0, 1784052000, "1784052000", "2026", "2026-07-14", "2026-07-14T18:00:00", 1e400,
                                   "2026-07-14T18:00:00+15:00", "0001-01-01T00:00:00+05:00", True, [], {}])  # fmt: skip
def test_a_moment_is_a_date_and_time_with_its_offset(noun: str, value: Any) -> None:
    for where, text in leaves(good(noun)):
        if isinstance(text, str) and text[4:5] == "-" and "T" in text and where[-1] not in {*PASSED_OVER, WRITTEN}:
            assert [place for place, _ in refused(noun, changed(noun, (where, value)))] != []


@pytest.mark.parametrize("noun", NOUNS)
def test_text_that_no_database_or_encoding_holds_is_refused(noun: str) -> None:
    for where, value in leaves(good(noun)):
        if isinstance(value, str) and value and where[-1] not in PASSED_OVER:
            for text in ("\0", "a\0b", "\ud800", "a\udfff"):
                data = changed(noun, (where, text))
                assert refused(noun, data), (where, text)
                json.dumps(refused(noun, data)).encode()
                "".join(said for _, said in refused(noun, data)).encode()


@pytest.mark.parametrize("noun", NOUNS)
def test_members_that_nobody_agreed_on_are_passed_over(noun: str) -> None:
    extra = {"\ud800": "\ud800", "x": "\0", "messageId2": 10**400, "y": float("nan")}
    assert refused(noun, {**good(noun), **extra}) == []


def nested(depth: int) -> Any:
    value: Any = "x"
    for number in range(depth):
        value = [value] if number % 2 else {"response": value}
    return value


HUGE = [
    10**400,
    -(10**400),
    1e308,
    float("inf"),
    float("nan"),
    "9" * 5000,
    nested(500),
    nested(50_000),
    "x" * 1_000_000,
]


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("number", range(len(HUGE)))
def test_deep_and_huge_values_are_refused_and_break_nothing(noun: str, number: int) -> None:
    for where, _ in leaves(good(noun)):
        data = changed(noun, (where, HUGE[number]))
        for step in range(1, len(where)):
            assert isinstance(refused(noun, changed(noun, (where[:step], HUGE[number]))), list)
        assert isinstance(refused(noun, data), list)
    assert refused(noun, HUGE[number]) != []


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b'{"messageId":' + b"9" * 5000 + b"}", b"\xff",
                                  b'{"messageId":"\\ud800"}', b"", b"null"])  # fmt: skip
def test_json_that_is_none_is_refused(noun: str, text: bytes) -> None:
    with pytest.raises(ValidationError):
        MESSAGES[noun].model_validate_json(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("noun", NOUNS)
@settings(max_examples=60, deadline=None)
@given(value=JSON, pick=st.integers(0, 1000))
def test_whatever_stands_anywhere_is_taken_or_refused(noun: str, value: Any, pick: int) -> None:
    places = [where[:step] for where, _ in leaves(good(noun)) for step in range(1, len(where) + 1)]
    where = places[pick % len(places)]
    said = refused(noun, changed(noun, (where, value)))
    json.dumps(said, ensure_ascii=False).encode("utf-8")
    if not said:
        message = MESSAGES[noun].model_validate(changed(noun, (where, value)))
        message.number.encode()
        for part in message.parts():
            part.entity.encode()
