"""Running again: by name, by day, after an outage, after a refusal; and what a file shared by two flows does."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update

from drbridge.exchange import send
from drbridge.exchange.archive import archive
from drbridge.exchange.desk import Desk
from drbridge.exchange.resume import due_flows
from drbridge.exchange.take import take
from drbridge.exchange.trace import trace
from drbridge.exchange.waiting import Look, hand_out, look
from drbridge.exchange.work import Work
from drbridge.ledger.database import clock
from drbridge.ledger.tables import audit, deliveries, leases
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.chain import NOW, run
from tests.flows.conftest import SAMPLES, run_until_killed

OUTCOMES = "sftp://derms_files/outgoing/outcome"
SCORES = "sftp://dacs_files/outgoing/scores"
OUTCOME = SAMPLES / "event_outcome" / "EVENT_OUTCOME_20260714T210000Z_4711.csv"
SCORE = SAMPLES / "device_score" / "SDCSE_0042_00.csv"
DAY = Work(
    run="flow/backfill", since=datetime(2026, 7, 14, tzinfo=UTC), until=datetime(2026, 7, 15, tzinfo=UTC),
    by_hand=True, settled_too=True,
)  # fmt: skip


def states(desk: Desk, flow: str, work: Work = NOW) -> dict[str, str]:
    return {name: verdict.state for name, verdict in run(desk, flow, work).items()}


def test_a_shared_file_keeps_its_name_until_both_flows_are_done(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    assert states(desk, "derms_dacs_event_outcome") == {OUTCOME.name: "settled"}
    assert list(box.files(OUTCOMES)) == [OUTCOME.name]
    assert states(desk, "derms_ouai_event_outcome") == {OUTCOME.name: "settled"}
    assert list(box.files(OUTCOMES)) == [f"Sent-{OUTCOME.name}"]


def test_one_flow_succeeds_while_the_other_side_is_down(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    box.far("dacs").down()
    assert states(desk, "derms_dacs_event_outcome", Work()) == {OUTCOME.name: "open"}
    assert states(desk, "derms_ouai_event_outcome") == {OUTCOME.name: "settled"}
    box.far("dacs").up()
    assert states(desk, "derms_dacs_event_outcome") == {OUTCOME.name: "settled"}
    assert list(box.files(OUTCOMES)) == [f"Sent-{OUTCOME.name}"]


def test_a_backfill_of_a_good_day_shows_the_files_and_makes_no_call(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    states(desk, "derms_dacs_event_outcome")
    states(desk, "derms_ouai_event_outcome")
    calls = box.far("dacs").calls()
    assert states(desk, "derms_dacs_event_outcome", DAY) == {OUTCOME.name: "settled"}
    assert box.far("dacs").calls() == calls


def test_a_backfill_leaves_the_files_of_other_days_alone(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, "EVENT_OUTCOME_20260713T210000Z_4710.csv", OUTCOME)
    assert states(desk, "derms_dacs_event_outcome", DAY) == {}


def test_a_manual_run_takes_only_the_file_it_names(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    box.drop(OUTCOMES, "EVENT_OUTCOME_20260713T210000Z_4710.csv", OUTCOME)
    narrowed = Work(file="*_4710.csv", by_hand=True)
    assert list(states(desk, "derms_dacs_event_outcome", narrowed)) == ["EVENT_OUTCOME_20260713T210000Z_4710.csv"]


def test_what_was_refused_goes_again_once_the_cause_is_gone_and_the_act_is_audited(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    nic = OUTCOME.read_text(encoding="utf-8").splitlines()[6].split(",")[5]
    box.far("dacs").fault("reject_keys", keys=[nic])
    states(desk, "derms_dacs_event_outcome")
    box.far("dacs").no_faults()
    before = box.far("dacs").calls()
    again = Work(run="derms_dacs_event_outcome/manual", who="kim", file=OUTCOME.name, resend="failed", by_hand=True)
    states(desk, "derms_dacs_event_outcome", again)
    assert box.far("dacs").calls() == before + 1
    states(desk, "derms_dacs_event_outcome", again)
    assert box.far("dacs").calls() == before + 1, "a cleared run resends nothing a second time"
    effects = box.far("dacs").effects_of("event_outcome")
    assert {each["effects"] for each in effects.values()} == {1}
    with desk.ledger.read() as tx:
        acts = tx.execute(select(audit.c.who, audit.c.act)).all()
    assert [tuple(act) for act in acts] == [("kim", "resend failed")]


def test_a_refused_file_ends_as_error_and_is_judged_anew_when_it_gets_its_name_back(desk: Desk, box: Sandbox) -> None:
    header, first, *_ = SCORE.read_bytes().splitlines(keepends=True)
    bad = header + first + b"x,y,z\n" * 3
    box.drop(SCORES, "SDCSE_9_00.csv", bad)
    assert states(desk, "dacs_derms_device_score") == {"SDCSE_9_00.csv": "refused"}
    assert set(box.files(SCORES)) == {"Error-SDCSE_9_00.csv"}
    rejects = box.files(f"{SCORES}/rejects")["SDCSE_9_00.csv.rejects.csv"]
    assert rejects.count(b"field_count") == 3
    assert box.far("derms").calls("deviceScore") == 0
    box.place(SCORES).remove("Error-SDCSE_9_00.csv")
    box.drop(SCORES, "SDCSE_9_00.csv", bad)
    site = desk.systems.site.model_copy(update={"reject_threshold_percent": 90.0})
    lenient = Desk(desk.systems.model_copy(update={"site": site}), desk.ledger, desk.staging, desk.outside)
    assert states(lenient, "dacs_derms_device_score") == {"SDCSE_9_00.csv": "settled"}
    assert len(box.far("derms").effects_of("device_score")) == 1


def test_what_nobody_holds_is_woken_and_what_waits_for_its_target_is_not(desk: Desk, box: Sandbox) -> None:
    def woken() -> list[str]:
        return [flow for flow, why in due_flows(desk) if "unfinished" in why]

    box.drop(SCORES, SCORE.name, SCORE)
    box.far("derms").down()
    for _ in range(6):
        states(desk, "dacs_derms_device_score", NOW)
    assert woken() == [], "its circuit is open"
    box.far("derms").up()
    assert states(desk, "dacs_derms_device_score", NOW) == {SCORE.name: "settled"}
    assert woken() == []


def test_a_file_that_was_settled_by_a_run_that_was_not_given_it_gets_its_last_name(desk: Desk, box: Sandbox) -> None:
    box.drop(SCORES, SCORE.name, SCORE)
    take(desk, "dacs_derms_device_score", SCORE.name)
    send.send(desk, "dacs_derms_device_score", NOW)
    assert not [why for _, why in due_flows(desk) if "last name" in why], "its own run may be about to"
    with desk.ledger.write() as tx:
        tx.execute(update(deliveries).values(ended_at=deliveries.c.ended_at - 30))
    assert [flow for flow, why in due_flows(desk) if "last name" in why] == ["dacs_derms_device_score"]
    assert states(desk, "dacs_derms_device_score", Work()) == {SCORE.name: "settled"}
    assert not [why for _, why in due_flows(desk) if "last name" in why]


def test_the_older_file_after_the_newer_one_changes_nothing_that_the_newer_said(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    states(desk, "derms_dacs_event_outcome")
    rows = OUTCOME.read_text(encoding="utf-8").replace("SUCCESS", "CANCELLED")
    box.drop(OUTCOMES, "EVENT_OUTCOME_20260713T210000Z_4710.csv", rows.encode())
    before = box.far("dacs").effects_of("event_outcome")
    calls = box.far("dacs").calls()
    states(desk, "derms_dacs_event_outcome")
    assert box.far("dacs").effects_of("event_outcome") == before
    assert box.far("dacs").calls() == calls


def ready(names: list[str], settled: Iterable[str] = ()) -> Look:
    return Look(tuple(names), (), settled=frozenset(settled))


def test_a_cleared_run_shows_its_files_under_the_numbers_they_had(desk: Desk) -> None:
    assert hand_out(desk, "flow", "run", ready(["b.csv", "c.csv"]), Work()) == ["b.csv", "c.csv"]
    assert hand_out(desk, "flow", "run", ready(["a.csv", "c.csv"]), Work()) == ["b.csv", "c.csv", "a.csv"]


def test_what_one_run_was_just_given_is_left_to_it_unless_a_person_asks(desk: Desk) -> None:
    assert hand_out(desk, "flow", "by arrival", ready(["a.csv"]), Work()) == ["a.csv"]
    assert hand_out(desk, "flow", "by the clock", ready(["a.csv", "b.csv"]), Work()) == ["b.csv"]
    assert hand_out(desk, "other", "by the clock", ready(["a.csv"]), Work()) == ["a.csv"]
    assert hand_out(desk, "flow", "by resume", ready(["a.csv"], ["a.csv"]), Work()) == ["a.csv"]
    assert hand_out(desk, "flow", "by hand", ready(["a.csv", "b.csv"]), NOW) == ["a.csv", "b.csv"]


def test_trace_finds_a_device_in_every_file_it_was_in(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    box.drop(SCORES, SCORE.name, SCORE)
    for flow in ("derms_dacs_event_outcome", "derms_ouai_event_outcome", "dacs_derms_device_score"):
        states(desk, flow)
    nic = OUTCOME.read_text(encoding="utf-8").splitlines()[1].split(",")[5]
    found = {(each.noun, each.destination, each.state) for each in trace(desk, nic)}
    assert ("event_outcome", "dacs_event_outcome", "ACKED") in found
    assert ("event_outcome", "ouai_outcome", "ACKED") in found
    assert ("event_outcome", "derms_acks", "ACKED") in found


def test_a_file_that_vanishes_between_list_and_take_is_no_error(desk: Desk, box: Sandbox) -> None:
    box.drop(SCORES, SCORE.name, SCORE)
    look(desk, "dacs_derms_device_score", NOW)
    box.place(SCORES).remove(SCORE.name)
    assert archive(desk, "dacs_derms_device_score", SCORE.name).state == "gone"


def test_a_done_marker_makes_a_file_whole_at_once_and_goes_with_it(desk: Desk, box: Sandbox) -> None:
    site = desk.systems.site.model_copy(update={"quiet_seconds": 3600.0})
    patient = Desk(desk.systems.model_copy(update={"site": site}), desk.ledger, desk.staging, desk.outside)
    box.drop(SCORES, SCORE.name, SCORE)
    assert states(patient, "dacs_derms_device_score") == {}
    box.drop(SCORES, f"{SCORE.name}.done", b"")
    assert states(patient, "dacs_derms_device_score") == {SCORE.name: "settled"}
    assert set(box.files(SCORES)) == {f"Sent-{SCORE.name}"}


@pytest.mark.parametrize(
    "name",
    ["SDCSE_ with spaces.csv", "SDCSE_ünïcødé_☃.csv", "SDCSE_..csv", "SDCSE_%2e%2e%2f.csv", f"SDCSE_{'x' * 230}.csv",
     "SDCSE_\x07\x1b[31m.csv", "SDCSE_{{ ds }}.csv", "SDCSE_*.csv"],
)  # fmt: skip
def test_a_hostile_name_is_only_a_name(desk: Desk, box: Sandbox, name: str) -> None:
    box.drop(SCORES, name, SCORE)
    assert states(desk, "dacs_derms_device_score") == {name: "settled"}
    assert set(box.files(SCORES)) == {f"Sent-{name}"}


def test_a_name_too_long_for_its_verdict_breaks_no_run(desk: Desk, box: Sandbox) -> None:
    name = f"SDCSE_{'x' * 245}.csv"
    box.drop(SCORES, name, SCORE)
    box.drop(SCORES, SCORE.name, SCORE.read_bytes().replace(b"0.5,N", b"0.6,N"))
    verdicts = states(desk, "dacs_derms_device_score")
    assert verdicts[SCORE.name] == "settled"
    assert verdicts[name] == "settled"
    calls = box.far("derms").calls("deviceScore")
    states(desk, "dacs_derms_device_score")
    assert box.far("derms").calls("deviceScore") == calls


def test_a_flow_that_is_switched_on_later_gets_the_file_too(desk: Desk, box: Sandbox) -> None:
    flows = {name: flow for name, flow in desk.systems.flows.items() if name != "derms_ouai_event_outcome"}
    before = Desk(desk.systems.model_copy(update={"flows": flows}), desk.ledger, desk.staging, desk.outside)
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    assert states(before, "derms_dacs_event_outcome") == {OUTCOME.name: "settled"}
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    assert states(desk, "derms_ouai_event_outcome") == {OUTCOME.name: "settled"}
    assert set(box.files("s3://ouai_objects/ouai/incoming/outcome")) == {OUTCOME.name}


def test_a_backfill_knows_the_day_of_a_file_whose_name_does_not_say_it(desk: Desk, box: Sandbox) -> None:
    box.far("derms").down()
    for day in (13, 14):
        data = SCORE.read_bytes().replace(b"2026-07-13T", f"2026-07-{day}T".encode())
        box.drop(SCORES, f"SDCSE_00{day}_00.csv", data)
    states(desk, "dacs_derms_device_score", Work())
    assert look(desk, "dacs_derms_device_score", DAY).ready == ("SDCSE_0014_00.csv",)


def test_what_a_killed_worker_had_under_way_is_parked_where_nobody_can_tell(
    desk: Desk, box: Sandbox, tmp_path: Path
) -> None:
    box.drop(SCORES, SCORE.name, SCORE)
    run_until_killed(box, tmp_path, "dacs_derms_device_score", "send")
    with desk.ledger.write() as tx:
        tx.execute(update(leases).values(expires_at=0.0))
    endpoint = desk.systems.endpoints["derms_device_score"].model_copy(update={"unknown": "park"})
    endpoints = {**desk.systems.endpoints, endpoint.name: endpoint}
    careful = Desk(desk.systems.model_copy(update={"endpoints": endpoints}), desk.ledger, desk.staging, desk.outside)
    calls = box.far("derms").calls("deviceScore")
    assert states(careful, "dacs_derms_device_score") == {SCORE.name: "needs_person"}
    assert box.far("derms").calls("deviceScore") == calls
    assert list(box.files(SCORES)) == [SCORE.name], "its source keeps its name until a person has decided"
    asked = Work(run="score/manual", who="kim", resend="unknown", by_hand=True)
    assert states(careful, "dacs_derms_device_score", asked) == {SCORE.name: "settled"}
    keys = {
        request["idempotency_key"] for request in box.far("derms").requests() if request["operation"] == "deviceScore"
    }
    assert len(keys) == 1, "what is in doubt goes again under its old key"
    assert {each["effects"] for each in box.far("derms").effects_of("device_score").values()} == {1}


def test_a_request_longer_than_the_lease_keeps_its_lane(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drbridge.exchange.sender.KEEP_LEASE_EVERY_SECONDS", 0.3)
    box.drop(SCORES, SCORE.name, SCORE)
    box.far("derms").fault("slow", milliseconds=3000)
    with ThreadPoolExecutor(1) as other:
        running = other.submit(states, desk, "dacs_derms_device_score")
        while not box.far("derms").faults()[0]["hits"]:
            time.sleep(0.05)
        lane = (leases.c.lane == "dacs_derms_device_score > derms_device_score",)
        with desk.ledger.write() as tx:
            tx.execute(update(leases).where(*lane).values(expires_at=clock(tx) + 1.0))
        time.sleep(1.5)
        with desk.ledger.read() as tx:
            assert tx.execute(select(leases.c.expires_at - clock(tx)).where(*lane)).scalar_one() > 60
        assert running.result() == {SCORE.name: "settled"}
    assert box.far("derms").calls("deviceScore") == 1
