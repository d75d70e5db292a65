"""What each HTTP reply means for a parcel."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drbridge.errors import Interrupted
from drbridge.exchange.operations import OPERATIONS
from drbridge.exchange.outcomes import LATER, back_off, judge, judge_failure, judge_unbuilt, retry_after_of
from drbridge.ledger.parcels import Claim
from drbridge.ledger.states import ParcelState
from drbridge.ports import Lost, NotSent, Reply
from drbridge.systems import Endpoint

NOW = datetime(2026, 7, 14, 20, 0, tzinfo=UTC)
ENDPOINT = Endpoint(
    name="there", connection="rest", method="POST", path="/there", operation="post_event_outcome", unknown="resend",
    reason="an outcome is keyed by stage, head-end and NIC",
)  # fmt: skip


def claim(rows: int = 1, tries: int = 1) -> Claim:
    return Claim(1, 1, 1, "event_outcome", "a" * 64, "f.csv", "there", 0, rows - 1, rows, "key", 0, tries, False)


def reply(status: int, body: bytes = b"", **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-").lower(): value for name, value in headers.items()}, body, 0.1)


def page(body: bytes, kind: str) -> Reply:
    return reply(200, body, Content_Type=kind)


def state(reply_: Reply, operation: str = "post_event_outcome", rows: int = 1) -> ParcelState:
    return judge(reply_, claim(rows), OPERATIONS[operation], ENDPOINT, NOW).state


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_2xx_is_an_acknowledgement(status: int) -> None:
    assert state(reply(status, b'{"accepted": 5}')) is ParcelState.ACKED


def test_an_empty_202_is_an_acknowledgement() -> None:
    assert state(reply(202)) is ParcelState.ACKED


@pytest.mark.parametrize(
    "body",
    [b'{"status": "ERROR", "message": "unknown device"}', b'{"hasError": true}', b'{"status": "failed"}',
     b'{"errors": ["unknown device"]}', b'{"error": {"code": 7}}'],
)  # fmt: skip
@pytest.mark.parametrize("operation", ["post_event_outcome", "device_score_file"])
def test_an_error_inside_a_200_is_a_refusal(body: bytes, operation: str) -> None:
    assert state(reply(200, body), operation) is ParcelState.REJECTED


@pytest.mark.parametrize(
    "body",
    [b'\xef\xbb\xbf{"status": "ERROR"}', '{"status": "ERROR"}'.encode("utf-16"), '{"status": "ERROR"}'.encode("utf-32"),
     b'{"status": "ERROR", "message": "half \\ud83d a character"}', b'{"status": "ERROR", "since": NaN}',
     b'{"status": "ERROR", "trail": ' + b"[" * 300 + b"]" * 300 + b"}"],
    ids=["a mark first", "UTF-16", "UTF-32", "half a character", "not a number", "deep"],
)  # fmt: skip
def test_an_error_is_found_in_whatever_passes_for_json(body: bytes) -> None:
    assert state(reply(200, body)) is ParcelState.REJECTED


@pytest.mark.parametrize("body", [b'{"error": ""}', b'{"errors": []}', b'{"hasError": false}', b'{"error": null}'])
def test_an_empty_error_field_is_no_refusal(body: bytes) -> None:
    assert state(reply(200, body)) is ParcelState.ACKED


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize("body", [b"Accepted", b'"OK"', b"<result>ok</result>", b"[" * 100_000])
def test_a_file_is_taken_with_200_or_202_whatever_the_body(status: int, body: bytes) -> None:
    assert state(reply(status, body), "device_score_file") is ParcelState.ACKED


@pytest.mark.parametrize(
    "reply_",
    [page(b"<html>Please log in</html>", "text/plain"), page(b"\xef\xbb\xbf\n<!DOCTYPE HTML>\n<html>", ""),
     page(b'<?xml version="1.0"?><html lang="en">', "application/xml"), page(b"Log in", "Text/HTML; charset=utf-8"),
     page(b'{"accepted": 5}', "text/html")],
)  # fmt: skip
@pytest.mark.parametrize("operation", ["post_event_outcome", "device_score_file"])
def test_a_page_for_humans_is_never_an_answer(reply_: Reply, operation: str) -> None:
    assert state(reply_, operation) is ParcelState.UNKNOWN


def test_an_answer_nested_without_end_breaks_nothing() -> None:
    assert state(reply(400, b'{"a":' * 100_000)) is ParcelState.REJECTED


@pytest.mark.parametrize("body", [b"<result>ok</result>", b"OK", b'"fine"'])
def test_a_200_that_is_no_answer_leaves_us_in_doubt(body: bytes) -> None:
    assert state(reply(200, body)) is ParcelState.UNKNOWN


@pytest.mark.parametrize(
    ("statuses", "stop"), [((401, 403), "connection"), ((301, 302, 307, 404, 405, 415), "endpoint")]
)
def test_a_wrong_login_stops_the_connection_and_a_wrong_path_its_endpoint(statuses: tuple[int], stop: str) -> None:
    for status in statuses:
        outcome = judge(reply(status), claim(), OPERATIONS["post_event_outcome"], ENDPOINT, NOW)
        assert (outcome.stop, outcome.state) == (stop, ParcelState.PENDING)


def test_a_404_on_a_record_refuses_the_record() -> None:
    assert state(reply(404), "update_sync_request") is ParcelState.REJECTED


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_refused_row_is_rejected_with_the_targets_words(status: int) -> None:
    outcome = judge(
        reply(status, b'{"detail": "no such NIC"}'), claim(), OPERATIONS["post_event_outcome"], ENDPOINT, NOW
    )
    assert outcome.state is ParcelState.REJECTED
    assert outcome.text == "no such NIC"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_chunk_is_halved(status: int) -> None:
    assert state(reply(status), rows=500) is ParcelState.SPLIT


def test_a_repeat_that_the_target_knows_is_done() -> None:
    body = b'{"problemDetailDocument": {"detail": "Duplicate sync request"}}'
    assert state(reply(400, body), "update_sync_request") is ParcelState.ACKED


@pytest.mark.parametrize("body", [
    b'{"messageNumber": 10589}', b'{"messageNumber": "10589"}', b'{"problemDetailDocument": {"messageNumber": 10589}}',
    b'{"problemDetailDocument": {"serverMessage": [{"sequence": 1}, {"messageNumber": 10589}]}}',
])  # fmt: skip
def test_an_enrollment_that_exists_is_done_wherever_the_reply_names_the_number(body: bytes) -> None:
    assert state(reply(400, body), "create_enrollment") is ParcelState.ACKED


@pytest.mark.parametrize("body", [
    b'{"messageNumber": 10590}', b'{"messageNumber": true}', b'{"messageNumber": null}', b'{"messageNumber": [10589]}',
    b'{"detail": "10589"}', b'{"messageNumber": "' + b"1" * 5000 + b'"}',
])  # fmt: skip
def test_another_message_number_is_a_refusal(body: bytes) -> None:
    assert state(reply(400, body), "create_enrollment") is ParcelState.REJECTED


YES, NO = (b'{"MsgAck": {"ackType": "%s", "responses": {"response": []}}}' % word for word in (b"SUCCESS", b"ERROR"))


@pytest.mark.parametrize(("operation", "status", "body", "code"), [
    ("derms_enroll", 200, YES, "accepted"), ("derms_enroll", 202, b"", LATER), ("derms_enroll", 202, YES, LATER),
    ("derms_enroll", 200, NO, "refused"), ("derms_enroll", 202, NO, "refused"),
    ("derms_status_check", 200, YES, LATER), ("derms_status_check", 200, NO, "refused"),
    ("derms_opt_out", 202, YES, "accepted"),
])  # fmt: skip
def test_a_yes_or_no_may_come_later_a_refusal_is_one_at_once(
    operation: str, status: int, body: bytes, code: str
) -> None:
    assert judge(reply(status, body), claim(), OPERATIONS[operation], ENDPOINT, NOW).code == code


def test_any_other_400_to_an_acknowledgement_is_a_refusal() -> None:
    body = b'{"detail": "comments too long", "row": "duplicate"}'
    assert state(reply(400, body), "update_sync_request") is ParcelState.REJECTED


@pytest.mark.parametrize("status", [408, 425, 429])
def test_a_busy_target_is_left_alone_for_as_long_as_it_asks(status: int) -> None:
    outcome = judge(reply(status, Retry_After="17"), claim(), OPERATIONS["post_event_outcome"], ENDPOINT, NOW)
    assert outcome.state is ParcelState.PENDING
    assert outcome.retry_after == 17
    assert not outcome.target_failed


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_5xx_may_have_taken_effect(status: int) -> None:
    outcome = judge(reply(status), claim(), OPERATIONS["post_event_outcome"], ENDPOINT, NOW)
    assert outcome.state is ParcelState.UNKNOWN
    assert outcome.target_failed


def test_a_503_is_not_tried_before_its_time() -> None:
    outcome = judge(reply(503, Retry_After="40"), claim(), OPERATIONS["post_event_outcome"], ENDPOINT, NOW)
    assert outcome.wait_seconds >= 40
    assert outcome.retry_after == 40


def test_what_never_left_is_pending_and_what_may_have_arrived_is_in_doubt() -> None:
    assert judge_failure(NotSent("refused"), claim(), NOW).state is ParcelState.PENDING
    assert judge_failure(Lost("reset"), claim(), NOW).state is ParcelState.UNKNOWN


@pytest.mark.parametrize("error", [KeyError("NIC"), Interrupted("Its staging is gone", fix="share the folder")])
def test_what_could_not_be_built_was_not_sent_and_says_the_next_step(error: Exception) -> None:
    outcome = judge_unbuilt(error, claim())
    assert (outcome.state, outcome.code, outcome.target_failed) == (ParcelState.PENDING, "not_built", False)
    assert outcome.wait_seconds > 0
    assert "Next: " in outcome.text


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("Tue, 14 Jul 2026 20:01:00 GMT", 60),
        ("Tue, 14 Jul 2026 19:00:00 GMT", 0),
        ("soon", None),
        ("²", None),
        ("\uff11\uff12", None),
        ("-3", None),
        ("9" * 10_000, 86_400),
        ("3600000", 86_400),
        ("Wed, 14 Jul 2027 20:00:00 GMT", 86_400),
        ("Wed, 14 Jul 99999999999999999999 20:00:00 GMT", None),
        (f"Wed, 14 Jul {'9' * 10_000} 20:00:00 GMT", None),
        ("Sat, 01 Jan 0001 00:00:00 +2359", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(value: str, seconds: float | None) -> None:
    assert retry_after_of(reply(503, Retry_After=value), NOW) == seconds


def test_a_date_is_read_by_the_clock_of_who_wrote_it() -> None:
    until = "Tue, 14 Jul 2026 21:00:30 GMT"
    assert retry_after_of(reply(429, Retry_After=until, Date="Tue, 14 Jul 2026 21:00:00 GMT"), NOW) == 30
    assert retry_after_of(reply(429, Retry_After=until, Date="yesterday"), NOW) == 3630


def test_a_busy_target_is_never_asked_again_at_once() -> None:
    outcome = judge(reply(429, Retry_After="0"), claim(), OPERATIONS["post_event_outcome"], ENDPOINT, NOW)
    assert outcome.wait_seconds == outcome.retry_after == 1


def test_waiting_times_grow_to_a_quarter_of_an_hour() -> None:
    assert back_off(1) <= 2
    assert 450 <= back_off(30) <= 900
