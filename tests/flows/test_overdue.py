"""What is overdue: answers that did not come, rows nobody acknowledged, deliveries that do not end."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import update

from drbridge.exchange.accept import accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.outcomes import LATER
from drbridge.exchange.overdue import overdue, within
from drbridge.exchange.seal import new_key
from drbridge.ledger.states import DeliveryState, ParcelState
from drbridge.ledger.tables import deliveries, intakes, messages, parcels
from drbridge.systems import Flow, Systems
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import (
    ENROLLMENT,
    ENROLLMENT_FLOW,
    ENROLLMENTS,
    OLDER_NAME,
    OUTCOME,
    SCORE,
    SCORE_FLOW,
    SCORES,
    TO_DACS,
    states,
)
from tests.flows.conftest import SAMPLES
from tests.unit.contracts.messages import good

ACK = SAMPLES / "enrollment_ack" / "ENROLL_ACK_20260714T060000Z_1.csv"
ACKS, ACK_FLOW = "s3://ouai_objects/ouai/outgoing/ack", "ouai_dacs_enrollment_ack"
HOUR = 3600.0
LATE = timedelta(hours=30).total_seconds()


def post(desk: Desk, noun: str, file_name: str = "", **changes: Any) -> None:
    accept(desk, [read(noun, copy.deepcopy(good(noun)) | changes, "test", file_name)])


def taken(desk: Desk, code: str = LATER, ago: float = LATE) -> None:
    """Every request was taken some time ago."""
    at = datetime.now(UTC).timestamp() - ago
    with desk.ledger.write() as tx:
        tx.execute(update(parcels).values(state=ParcelState.ACKED, code=code, ended_at=at))
        tx.execute(update(deliveries).values(state=DeliveryState.DONE, opened_at=at, ended_at=at))
        tx.execute(update(intakes).values(taken_at=at))


def told(desk: Desk) -> list[str]:
    return [f"{each.where}: {each.what}" for each in overdue(desk)]


# ---------------------------------------------------------------- answers that come as messages


def test_a_request_without_its_yes_or_no_is_overdue_until_that_comes(desk: Desk) -> None:
    for number in range(1, 4):
        post(desk, "enrollment_change", syncRequestId=f"4{number}")
    assert told(desk) == [], "it has only just come"
    taken(desk)
    assert told(desk) == ["dacs_derms_enrollment_sync > inbox: no answer within 4 hours to 3 requests: 41, 42, 43"]
    answers = [{"dacsMessageId": "41", "responseCode": "SUCCESS"}, {"dacsMessageId": "43", "responseCode": "ERROR"}]
    post(desk, "enrollment_ack_message", dacsMessageId=None, responses=answers)
    assert "dacs_derms_enrollment_sync > inbox: no answer within 4 hours to 1 requests: 42" in told(desk)
    post(desk, "enrollment_ack_message", messageId="2", dacsMessageId="42", responses=[])
    assert told(desk) == []


def test_an_answer_to_something_else_of_that_number_is_none(desk: Desk) -> None:
    post(desk, "enrollment_change", syncRequestId="41")
    taken(desk)
    post(desk, "aggregator_ack", dacsMessageId="41", responses=[])
    assert len(told(desk)) == 1


def test_a_request_that_was_answered_at_once_owes_nothing(desk: Desk) -> None:
    post(desk, "enrollment_change", syncRequestId="41")
    taken(desk, code="accepted")
    assert told(desk) == []


def test_a_missing_answer_is_listed_for_a_week(desk: Desk) -> None:
    post(desk, "enrollment_change", syncRequestId="41")
    taken(desk, ago=8 * 24 * HOUR)
    assert told(desk) == []


def test_a_device_status_check_always_has_its_result_later(desk: Desk) -> None:
    post(desk, "device_status_check")
    taken(desk, code="accepted", ago=HOUR)
    assert told(desk) == [
        "dacs_derms_device_status_check > inbox: no answer within 30 minutes to 1 requests: 70000000000012"
    ]
    post(desk, "device_status_ack")
    assert told(desk) == []


def test_a_posted_file_that_its_flow_has_not_taken_up_is_overdue(desk: Desk) -> None:
    post(desk, "device_reservation_message", file_name="RESERVE_9001_1315_4712.csv")
    assert told(desk) == []
    with desk.ledger.write() as tx:
        tx.execute(update(messages).values(received_at=messages.c.received_at - 3 * HOUR))
    (line,) = told(desk)
    assert line.endswith(
        "reservation: 1 were posted and not taken up for more than 2 hours: RESERVE_9001_1315_4712.csv"
    )


def test_a_posted_file_whose_content_came_before_under_another_name_is_taken_up(desk: Desk, box: Sandbox) -> None:
    content = sha256(OUTCOME.read_bytes()).hexdigest()
    for name in (OUTCOME.name, OLDER_NAME):
        with desk.outside.store("inbox://event_outcomes").upload(name, OUTCOME.stat().st_size) as upload:
            upload.write(OUTCOME.read_bytes())
            upload.complete(content)
        data = {"contract": "event_outcome", "name": name, "sha256": content, "bytes": OUTCOME.stat().st_size}
        accept(desk, [read("posted_file", data, "test", name)])
        states(desk, TO_DACS)
    with desk.ledger.write() as tx:
        tx.execute(update(messages).values(received_at=messages.c.received_at - 30 * HOUR))
    assert [line for line in told(desk) if "were posted and not taken up" in line] == []


def test_a_request_sealed_with_a_key_that_is_not_here_is_listed_by_our_number(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(desk, "enrollment_change", syncRequestId="41")
    taken(desk)
    monkeypatch.setenv("DRBRIDGE_SEAL_KEY", new_key())
    (line,) = told(desk)
    assert "no answer within 4 hours to 1 requests: enrollment_change " in line


# ---------------------------------------------------------------- rows of enrollment files


@pytest.fixture
def enrolled(desk: Desk, box: Sandbox) -> Desk:
    """Enrollments went to OUAI three days ago."""
    box.drop(ENROLLMENTS, ENROLLMENT.name, ENROLLMENT)
    states(desk, ENROLLMENT_FLOW)
    assert told(desk) == []
    taken(desk, ago=72 * HOUR)
    return desk


def test_rows_without_an_acknowledgement_are_overdue_but_for_the_initial_load(enrolled: Desk, box: Sandbox) -> None:
    whole = ACK.read_bytes().splitlines(keepends=True)
    (line,) = told(enrolled)
    assert "no acknowledgement of 3 of 3 requests: 15449036987849, 15449036987850, 15449036987851" in line
    box.drop(ACKS, ACK.name, b"".join(whole[:3]))
    states(enrolled, ACK_FLOW)
    (line,) = told(enrolled)
    assert line == (
        f"{ENROLLMENT_FLOW} > ouai_enrollment: {ENROLLMENT.name}: no acknowledgement of 1 of 3 requests: 15449036987851"
    )
    box.drop(ACKS, "ENROLL_ACK_20260715T060000Z_2.csv", whole[0] + whole[3])
    states(enrolled, ACK_FLOW)
    assert told(enrolled) == []


def test_a_file_that_is_answered_is_not_looked_into_again(
    enrolled: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.drop(ACKS, ACK.name, ACK)
    states(enrolled, ACK_FLOW)
    assert told(enrolled) == []
    monkeypatch.setattr("drbridge.exchange.unanswered_rows._look", None)
    assert told(enrolled) == []


# ---------------------------------------------------------------- deliveries that do not end


def waiting(desk: Desk, box: Sandbox, state: DeliveryState, parcel: ParcelState) -> str:
    box.drop(SCORES, SCORE.name, SCORE)
    states(desk, SCORE_FLOW)
    with desk.ledger.write() as tx:
        at = datetime.now(UTC).timestamp() - LATE
        tx.execute(update(deliveries).values(state=state, opened_at=at, ended_at=None))
        tx.execute(update(parcels).values(state=parcel))
    (finding,) = overdue(desk)
    assert finding.where == f"{SCORE_FLOW} > derms_device_score"
    assert "resend" in finding.fix or "goes by itself" in finding.fix
    return finding.what


@pytest.mark.parametrize(
    ("state", "parcel", "words"),
    [
        (DeliveryState.HELD, ParcelState.PENDING, "are held"),
        (DeliveryState.OPEN, ParcelState.PARKED, "wait for a person"),
        (DeliveryState.OPEN, ParcelState.PENDING, "are not delivered yet"),
        (DeliveryState.ASKED, ParcelState.REJECTED, "are to be judged anew"),
    ],
)
def test_a_delivery_that_has_not_ended_after_a_day_is_overdue(
    desk: Desk, box: Sandbox, state: DeliveryState, parcel: ParcelState, words: str
) -> None:
    assert waiting(desk, box, state, parcel) == f"1 {words} for more than 1 day: {SCORE.name}"


def test_each_flow_may_have_a_time_of_its_own(systems: Systems) -> None:
    flow = systems.flows[SCORE_FLOW]
    assert within(flow) == timedelta(days=1)
    assert within(Flow.model_validate(flow.model_dump() | {"answer_within": "90 minutes"})) == timedelta(minutes=90)
    for wrong in ("soon", "90", 90, "1.5 hours"):
        with pytest.raises(ValueError, match="write it as in"):
            Flow.model_validate(flow.model_dump() | {"answer_within": wrong})
