"""What each HTTP reply means for a parcel."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drbridge.exchange.operations import OPERATIONS
from drbridge.exchange.outcomes import back_off, judge, judge_failure, retry_after_of
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
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, 0.1)


def state(reply_: Reply, operation: str = "post_event_outcome", rows: int = 1) -> ParcelState:
    return judge(reply_, claim(rows), OPERATIONS[operation], ENDPOINT, NOW).state


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_2xx_is_an_acknowledgement(status: int) -> None:
    assert state(reply(status, b'{"accepted": 5}')) is ParcelState.ACKED


def test_an_empty_202_is_an_acknowledgement() -> None:
    assert state(reply(202)) is ParcelState.ACKED


@pytest.mark.parametrize("body", [b'{"status": "ERROR", "message": "unknown device"}', b'{"hasError": true}'])
def test_an_error_inside_a_200_is_a_refusal(body: bytes) -> None:
    assert state(reply(200, body)) is ParcelState.REJECTED


@pytest.mark.parametrize("body", [b"<html>Please log in</html>", b"OK", b'"fine"'])
def test_a_200_that_is_no_answer_leaves_us_in_doubt(body: bytes) -> None:
    assert state(reply(200, body)) is ParcelState.UNKNOWN


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404, 405, 415])
def test_wrong_settings_stop_the_lane_and_send_nothing_twice(status: int) -> None:
    outcome = judge(reply(status), claim(), OPERATIONS["post_event_outcome"], ENDPOINT, NOW)
    assert outcome.stop
    assert outcome.state is ParcelState.PENDING


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
    assert judge_failure(NotSent("refused"), claim()).state is ParcelState.PENDING
    assert judge_failure(Lost("reset"), claim()).state is ParcelState.UNKNOWN


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("Tue, 14 Jul 2026 20:01:00 GMT", 60),
        ("Tue, 14 Jul 2026 19:00:00 GMT", 0),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_of(reply(503, Retry_After=value), NOW) == seconds


def test_waiting_times_grow_to_a_quarter_of_an_hour() -> None:
    assert back_off(1) <= 2
    assert 450 <= back_off(30) <= 900
