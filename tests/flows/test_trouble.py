"""Trouble at the other side, or in our own settings: what waits, what is parked, what is held, and who is told."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from drbridge.errors import Misconfigured
from drbridge.exchange.desk import Desk
from drbridge.exchange.send import answer, send
from drbridge.exchange.take import take
from drbridge.exchange.work import Work
from drbridge.ledger import deliveries, targets
from drbridge.ledger.deliveries import Balance
from drbridge.ledger.tables import attempts, parcels
from drbridge.ports import Call, FileStore, Outside, Reply, RestTarget
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.chain import NOW, run
from tests.flows.conftest import SAMPLES
from tests.flows.more_rows import many_rows

OUTCOMES = "sftp://derms_files/outgoing/outcome"
SCORES = "sftp://dacs_files/outgoing/scores"
ACKS = "s3://ouai_objects/ouai/outgoing/ack"
OUTCOME = SAMPLES / "event_outcome" / "EVENT_OUTCOME_20260714T210000Z_4711.csv"
SCORE = SAMPLES / "device_score" / "SDCSE_0042_00.csv"
ACK = SAMPLES / "enrollment_ack" / "ENROLL_ACK_20260714T060000Z_1.csv"
OUTCOME_FLOW, SCORE_FLOW, ACK_FLOW = "derms_dacs_event_outcome", "dacs_derms_device_score", "ouai_dacs_enrollment_ack"


def states(desk: Desk, flow: str, work: Work = NOW) -> dict[str, str]:
    return {name: verdict.state for name, verdict in run(desk, flow, work).items()}


def failed_again(flow: str, file: Path) -> Work:
    return Work(run=f"{flow}/manual", who="kim", file=file.name, resend="failed", by_hand=True)


def with_endpoint(desk: Desk, name: str, **settings: object) -> Desk:
    """The desk with other settings of one endpoint."""
    endpoint = desk.systems.endpoints[name].model_copy(update=settings)
    endpoints = {**desk.systems.endpoints, name: endpoint}
    return replace(desk, systems=desk.systems.model_copy(update={"endpoints": endpoints}))


def many(file: Path, noun: str, count: int) -> tuple[bytes, list[bytes]]:
    """A file of many rows, and the rows."""
    header, *rows = file.read_bytes().splitlines(keepends=True)
    made = many_rows(noun, rows, count)
    return header + b"".join(made), made


def drop_acks(box: Sandbox, count: int) -> list[str]:
    """Lays an acknowledgement file of so many rows, and the requests they are about; returns their ids."""
    data, rows = many(ACK, "enrollment_ack", count)
    ids = [row.split(b",")[0].decode() for row in rows]
    box.far("dacs").seed(ids)
    box.drop(ACKS, ACK.name, data)
    return ids


def parcel_states(desk: Desk) -> dict[str, int]:
    with desk.ledger.read() as tx:
        rows = tx.execute(select(parcels.c.state, func.count()).group_by(parcels.c.state)).all()
    return {str(row[0]): int(row[1]) for row in rows}


def book(desk: Desk, flow: str) -> tuple[str, str, Balance]:
    """State, note and balance of the flow's oldest delivery."""
    with desk.ledger.read() as tx:
        row = tx.execute(deliveries.with_intakes(flow=flow)).all()[0]
        return str(row.state), str(row.note), deliveries.balances(tx, [row.id])[row.id]


@dataclass(frozen=True)
class Rude:
    """A REST side with one reply for everything."""

    real: Outside
    status: int
    body: bytes

    def store(self, url: str) -> FileStore:
        return self.real.store(url)

    def target(self, conn_id: str) -> RestTarget:
        return self

    async def call(self, call: Call) -> Reply:
        return Reply(self.status, {}, self.body, 0.0)

    async def close(self) -> None:
        pass


def test_an_outage_that_begins_in_the_middle_of_a_file_parks_nothing(desk: Desk, box: Sandbox) -> None:
    impatient = with_endpoint(desk, "dacs_sync_request", max_tries=3)
    drop_acks(box, 2)
    box.far("dacs").fault("status", status=503, times=1)
    states(impatient, ACK_FLOW)
    assert parcel_states(desk) == {"UNKNOWN": 1, "ACKED": 1}, "the other row went right after it"
    box.far("dacs").fault("status", status=503)
    for _ in range(5):
        assert states(impatient, ACK_FLOW) == {ACK.name: "open"}
    box.far("dacs").no_faults()
    assert states(impatient, ACK_FLOW) == {ACK.name: "settled"}
    assert {each["effects"] for each in box.far("dacs").effects_of("sync_request").values()} == {1}


def test_what_stays_in_doubt_while_its_target_works_is_parked_and_holds_nothing_up(desk: Desk, box: Sandbox) -> None:
    impatient = with_endpoint(desk, "dacs_sync_request", max_tries=3)
    poison, *_ = drop_acks(box, 3)
    box.far("dacs").fault("status", status=500, path=poison)
    for _ in range(4):
        assert states(impatient, ACK_FLOW) == {ACK.name: "open"}
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    states(desk, OUTCOME_FLOW)
    assert states(impatient, ACK_FLOW) == {ACK.name: "needs_person"}
    assert parcel_states(desk)["PARKED"] == 1


def test_a_file_whose_staging_is_lost_is_held_and_the_next_one_goes(desk: Desk, box: Sandbox) -> None:
    impatient = with_endpoint(desk, "derms_device_score", max_tries=2)
    box.drop(SCORES, SCORE.name, SCORE)
    take(desk, SCORE_FLOW, SCORE.name)
    shutil.rmtree(desk.staging.root / "device_score")
    box.drop(SCORES, "SDCSE_0043_00.csv", SCORE.read_bytes().replace(b"2026-07-13T", b"2026-07-14T"))
    assert states(impatient, SCORE_FLOW) == {SCORE.name: "open", "SDCSE_0043_00.csv": "open"}
    assert parcel_states(desk) == {"PENDING": 2}
    assert states(impatient, SCORE_FLOW) == {SCORE.name: "needs_person", "SDCSE_0043_00.csv": "settled"}
    state, note, balance = book(desk, SCORE_FLOW)
    assert (state, balance.open) == ("HELD", balance.rows)
    assert "make sure that all workers see the same DRBRIDGE_STAGING" in note
    with desk.ledger.read() as tx:
        assert tx.execute(select(func.count()).select_from(attempts)).scalar_one() == 3, "two in vain, one for the next"


def test_a_path_that_names_a_missing_column_sends_nothing_and_says_so(desk: Desk, box: Sandbox) -> None:
    wrong = with_endpoint(desk, "dacs_sync_request", path="/sync/{noSuchColumn}", max_tries=2)
    drop_acks(box, 3)
    take(wrong, ACK_FLOW, ACK.name)
    assert (
        "could not be built: The path /sync/{noSuchColumn} names 'noSuchColumn', which "
        in send(wrong, ACK_FLOW, NOW).waiting
    )
    assert parcel_states(desk) == {"PENDING": 3}
    assert states(wrong, ACK_FLOW) == {ACK.name: "needs_person"}
    assert box.far("dacs").calls() == 0
    assert states(desk, ACK_FLOW, failed_again(ACK_FLOW, ACK)) == {ACK.name: "settled"}


def test_a_refusal_in_words_that_no_database_keeps_is_noted_once(desk: Desk, box: Sandbox) -> None:
    rude = replace(desk, outside=Rude(desk.outside, 400, b'{"message": "bad \\ud83d\\u0000 score"}'))
    box.drop(SCORES, SCORE.name, SCORE)
    assert states(rude, SCORE_FLOW) == {SCORE.name: "refused"}
    assert parcel_states(desk) == {"REJECTED": 1}


def test_a_file_held_for_its_bad_beginning_goes_on_when_a_person_says_so(desk: Desk, box: Sandbox) -> None:
    chunks = with_endpoint(desk, "dacs_event_outcome", rows=5, in_flight=2)
    data, rows = many(OUTCOME, "event_outcome", 60)
    box.drop(OUTCOMES, OUTCOME.name, data)
    box.far("dacs").fault("reject_keys", keys=[row.split(b",")[5].decode() for row in rows[:30]])
    assert states(chunks, OUTCOME_FLOW) == {OUTCOME.name: "needs_person"}
    states(chunks, OUTCOME_FLOW, failed_again(OUTCOME_FLOW, OUTCOME))
    assert len(box.far("dacs").effects_of("event_outcome")) == 30
    assert book(desk, OUTCOME_FLOW)[0] == "DONE"


def test_a_wrong_path_of_single_rows_is_held_after_fifty_refusals(desk: Desk, box: Sandbox) -> None:
    wrong = with_endpoint(desk, "dacs_sync_request", path="/wrong/{syncRequestId}")
    drop_acks(box, 90)
    assert states(wrong, ACK_FLOW) == {ACK.name: "needs_person"}
    assert box.far("dacs").calls() < 70
    assert "refused the first" in book(desk, ACK_FLOW)[1]
    assert states(desk, ACK_FLOW, failed_again(ACK_FLOW, ACK)) == {ACK.name: "settled"}
    assert len(box.far("dacs").effects_of("sync_request")) == 90


def test_a_wrong_login_is_tried_once_and_then_only_when_a_person_asks(desk: Desk, box: Sandbox) -> None:
    drop_acks(box, 60)
    box.far("dacs").fault("status", status=401)
    for _ in range(4):
        states(desk, ACK_FLOW, Work())
        assert box.far("dacs").calls() == 1
    with pytest.raises(Misconfigured, match="answered HTTP 401"):
        send(desk, ACK_FLOW, Work())
    states(desk, ACK_FLOW, NOW)
    assert box.far("dacs").calls() == 2
    box.far("dacs").no_faults()
    assert states(desk, ACK_FLOW, NOW) == {ACK.name: "settled"}


def test_a_wrong_path_stops_its_endpoint_and_no_other(desk: Desk, box: Sandbox) -> None:
    copy = desk.systems.endpoints["derms_device_score"].model_copy(update={"name": "second"})
    flow = desk.systems.flows[SCORE_FLOW].model_copy(update={"deliver": ("derms_device_score", "second")})
    systems = desk.systems.model_copy(
        update={
            "endpoints": {**desk.systems.endpoints, "second": copy},
            "flows": {**desk.systems.flows, SCORE_FLOW: flow},
        }
    )
    wrong = with_endpoint(replace(desk, systems=systems), "derms_device_score", path="/wrong")
    box.drop(SCORES, SCORE.name, SCORE)
    states(wrong, SCORE_FLOW, Work())
    assert len(box.far("derms").effects_of("device_score")) > 0
    calls = box.far("derms").calls()
    with desk.ledger.write() as tx:
        tx.execute(update(parcels).values(next_at=0.0))
    states(wrong, SCORE_FLOW, Work())
    assert box.far("derms").calls() == calls
    assert states(replace(desk, systems=systems), SCORE_FLOW, NOW) == {SCORE.name: "settled"}


@pytest.mark.parametrize("status", [429, 401, 404])
def test_only_a_sensible_answer_counts_as_a_success(desk: Desk, box: Sandbox, status: int) -> None:
    rude = replace(desk, outside=Rude(desk.outside, status, b""))
    box.drop(SCORES, SCORE.name, SCORE)
    with desk.ledger.write() as tx:
        for _ in range(4):
            targets.failed(tx, "derms_rest", "refused")
    states(rude, SCORE_FLOW, Work())
    with desk.ledger.read() as tx:
        assert not targets.worked_since(tx, "derms_rest", 0.0)
        assert targets.health(tx, "derms_rest").failures == (0 if status == 401 else 4)


@pytest.mark.parametrize(("status", "state"), [(422, "REJECTED"), (502, "PARKED")])
def test_an_answer_that_a_person_must_see_is_told_by_file_and_reason(
    desk: Desk, box: Sandbox, status: int, state: str
) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    take(desk, OUTCOME_FLOW, OUTCOME.name)
    send(desk, OUTCOME_FLOW, NOW)
    careful = with_endpoint(desk, "derms_acks", unknown="park")
    rude = replace(careful, outside=Rude(desk.outside, status, b'{"detail": "unknown message"}'))
    result = answer(rude, OUTCOME_FLOW, NOW)
    assert [trouble.split(",")[0] for trouble in result.troubles] == [f"{OUTCOME.name}: {state}"]
