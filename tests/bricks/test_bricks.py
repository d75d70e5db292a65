"""Each brick, executed, against real servers: what it returns, what colour it takes, what it tells the operator."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from drbridge.errors import Misconfigured, Rejected, RetryLater
from drbridge.exchange.accept import accept, read
from drbridge.ledger import leases
from drbridge.ledger.deliveries import lane_of
from drbridge.systems import load
from drbridge_airflow.desk import desk_for_worker
from drbridge_airflow.operators import Answer, Archive, Relay, Send, Take, WakeDueFlows
from drbridge_sandbox.day import make_day
from drbridge_sandbox.sandbox import Sandbox
from tests.bricks.files import OUTCOMES, SCORE_FLOW, SCORES, scores
from tests.bricks.run import GREEN, RED, SKIPPED, Run, make
from tests.unit.contracts.messages import good

NAME = "SDCSE_0042_00.csv"
ENROLLMENT_FLOW = "dacs_ouai_enrollment_sync"


def test_a_file_to_rest_goes_out_once_and_is_archived(box: Sandbox) -> None:
    box.drop(SCORES, NAME, scores())
    run = Run.of(SCORE_FLOW)
    assert run.do(make(Take, SCORE_FLOW, file=NAME), 0) == GREEN
    assert run.results["take", 0]["accepted"] == 3
    assert run.do(make(Send, SCORE_FLOW)) == GREEN
    assert run.results["send", -1]["acked"] == 3
    assert run.do(make(Archive, SCORE_FLOW, file=NAME), 0) == GREEN
    assert set(box.files(SCORES)) == {f"Sent-{NAME}"}
    assert run.do(make(Send, SCORE_FLOW)) == GREEN
    assert box.far("derms").calls("deviceScore") == 1


def test_a_dead_other_side_makes_send_and_archive_red_and_says_that_it_goes_by_itself(box: Sandbox) -> None:
    box.far("derms").down()
    box.drop(SCORES, NAME, scores())
    run = Run.of(SCORE_FLOW)
    run.do(make(Take, SCORE_FLOW, file=NAME), 0)
    try:
        assert run.do(make(Send, SCORE_FLOW)) == RED
    finally:
        box.far("derms").up()
    assert isinstance(run.error, RetryLater)
    assert "3 rows could not be sent yet" in str(run.error)
    assert run.pushed["sent"]["open_left"] == 3
    assert run.do(make(Archive, SCORE_FLOW, file=NAME), 0) == RED
    assert isinstance(run.error, AirflowFailException)
    assert "not settled yet" in str(run.error)
    assert "Next: nothing: the rest goes by itself" in str(run.error)
    assert set(box.files(SCORES)) == {NAME}


def test_a_refused_file_is_red_at_its_archive_alone_and_says_why(box: Sandbox) -> None:
    box.drop(SCORES, NAME, b"nonsense\n1\n")
    run = Run.of(SCORE_FLOW)
    assert run.do(make(Take, SCORE_FLOW, file=NAME), 0) == GREEN
    assert run.results["take", 0]["state"] == "refused"
    assert run.do(make(Send, SCORE_FLOW)) == GREEN
    assert run.do(make(Archive, SCORE_FLOW, file=NAME), 0) == RED
    assert "was refused" in str(run.error)
    assert run.pushed["verdict"]["state"] == "refused"
    assert set(box.files(SCORES)) == {f"Error-{NAME}"}


def test_a_dry_run_shows_the_calls_sends_none_and_renames_nothing(
    box: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    box.drop(SCORES, NAME, scores())
    run = Run.of(SCORE_FLOW, dry_run=True)
    run.do(make(Take, SCORE_FLOW, file=NAME), 0)
    assert run.do(make(Send, SCORE_FLOW)) == GREEN
    told = capsys.readouterr().out
    assert len(run.results["send", -1]["calls"]) == 1
    assert "Dry run: 1 calls would be sent, none was" in told
    assert "/deviceScore" in told
    assert run.do(make(Archive, SCORE_FLOW, file=NAME), 0) == SKIPPED
    assert box.far("derms").calls("deviceScore") == 0
    assert set(box.files(SCORES)) == {NAME}


def test_while_another_run_sends_ours_ends_green_and_leaves_the_verdict_to_it(box: Sandbox) -> None:
    box.drop(SCORES, NAME, scores())
    run = Run.of(SCORE_FLOW)
    run.do(make(Take, SCORE_FLOW, file=NAME), 0)
    with desk_for_worker().ledger.write() as tx:
        leases.acquire(tx, lane_of(SCORE_FLOW, "derms_device_score"), "another:worker")
    assert run.do(make(Send, SCORE_FLOW)) == GREEN
    assert run.results["send", -1]["held_by"] == "another:worker"
    archive = _after(Archive, SCORE_FLOW, "take", "send")
    assert run.do(archive, 0) == SKIPPED
    assert "another:worker" in str(run.error)


def test_sender_that_met_one_of_its_own_run_leaves_no_verdict_to_another(box: Sandbox) -> None:
    box.drop(SCORES, NAME, scores())
    run = Run.of(SCORE_FLOW)
    run.do(make(Take, SCORE_FLOW, file=NAME), 0)
    run.results |= {("send", 0): {"held_by": None}, ("send", 1): {"held_by": "the first sender"}}
    archive = _after(Archive, SCORE_FLOW, "take", "send")
    assert run.do(archive, 0) == RED
    assert "not settled yet" in str(run.error)
    with desk_for_worker().ledger.write() as tx:
        leases.acquire(tx, lane_of(SCORE_FLOW, "derms_device_score"), "another:worker", share=3)
    assert run.do(archive, 0) == SKIPPED
    assert "another:worker" in str(run.error)


def test_dry_run_of_several_senders_shows_each_call_once(box: Sandbox) -> None:
    box.drop(SCORES, NAME, scores())
    run = Run.of(SCORE_FLOW, dry_run=True)
    run.do(make(Take, SCORE_FLOW, file=NAME), 0)
    assert run.do(make(Send, SCORE_FLOW, sender=1), 0) == GREEN
    assert run.do(make(Send, SCORE_FLOW, sender=2), 1) == SKIPPED
    assert len(run.results["send", 0]["calls"]) == 1


def test_a_file_relayed_to_a_store_arrives_byte_for_byte(box: Sandbox) -> None:
    source, name = load().flows[ENROLLMENT_FLOW].source, "ENROLL_SYNC_20260714T040000Z_0042.csv"
    box.drop(source, name, b"nonsense\n1\n")
    run = Run.of(ENROLLMENT_FLOW)
    assert run.do(make(Relay, ENROLLMENT_FLOW, file=name), 0) == GREEN
    assert [each["state"] for each in run.results["relay", 0]] == ["refused"]
    assert run.do(make(Archive, ENROLLMENT_FLOW, file=name), 0) == RED
    assert box.files(load().stores["ouai_enrollment"].url) == {}


def test_a_relay_in_a_flow_without_stores_has_nothing_to_do(box: Sandbox) -> None:
    box.drop(SCORES, NAME, scores())
    run = Run.of(SCORE_FLOW)
    assert run.do(make(Relay, SCORE_FLOW, file=NAME), 0) == GREEN
    assert run.results["relay", 0] == []


def test_one_outcome_file_is_carried_by_two_flows_answered_and_renamed_by_the_last(
    box: Sandbox, tmp_path: Path
) -> None:
    to_dacs, to_ouai = "derms_dacs_event_outcome", "derms_ouai_event_outcome"
    day = make_day(1, 200, date(2026, 7, 13), tmp_path / "day")
    file = next(each for each in day.files if each.url == OUTCOMES)
    box.drop(file.url, file.name, file.path)
    run = Run.of(to_dacs)
    assert run.do(make(Take, to_dacs, file=file.name), 0) == GREEN
    assert run.do(make(Send, to_dacs)) == GREEN
    assert run.do(make(Archive, to_dacs, file=file.name), 0) == GREEN
    assert run.do(make(Answer, to_dacs)) == GREEN
    assert box.far("derms").calls("acks") == 1
    assert set(box.files(OUTCOMES)) == {file.name}

    other = Run.of(to_ouai)
    assert other.do(make(Relay, to_ouai, file=file.name), 0) == GREEN
    assert other.do(make(Archive, to_ouai, file=file.name), 0) == GREEN
    assert set(box.files(OUTCOMES)) == {f"Sent-{file.name}"}
    assert list(box.files(load().stores["ouai_outcome"].url).values()) == [file.path.read_bytes()]


def test_an_answer_owed_to_nobody_is_green(box: Sandbox) -> None:
    assert Run.of("derms_dacs_event_outcome").do(make(Answer, "derms_dacs_event_outcome")) == GREEN


def test_an_answer_that_was_refused_is_red_and_says_which_and_what_next(box: Sandbox, tmp_path: Path) -> None:
    flow = "derms_dacs_event_outcome"
    day = make_day(1, 200, date(2026, 7, 13), tmp_path / "day")
    file = next(each for each in day.files if each.url == OUTCOMES)
    box.drop(file.url, file.name, file.path)
    run = Run.of(flow)
    run.do(make(Take, flow, file=file.name), 0)
    assert run.do(make(Send, flow)) == GREEN
    box.far("derms").fault("status", status=422, path="/acks")
    assert run.do(make(Answer, flow)) == RED
    assert isinstance(run.error, Rejected)
    assert f"{file.name}: REJECTED" in str(run.error)
    assert "resend = unknown" in str(run.error)
    assert run.do(make(Answer, flow)) == GREEN, "it was told once; nothing more is owed in this run"


@pytest.mark.parametrize(("unknown", "fault", "resend"), [
    ("resend", {"name": "reject_keys", "keys": ["OO-1"]}, "failed"), ("park", {"name": "drop_after"}, "unknown"),
])  # fmt: skip
def test_a_message_that_did_not_arrive_and_of_which_nobody_else_is_told_is_red(
    box: Sandbox, configure: Callable[..., None], unknown: str, fault: dict[str, Any], resend: str
) -> None:
    opt_outs = 'path = "/optOuts"\nunknown = '
    configure(**{f'{opt_outs}"resend"': f'{opt_outs}"{unknown}"'})
    accept(desk_for_worker(), [read("event_opt_out", good("event_opt_out"), "dacs")])
    box.far("derms").fault(**fault)
    run = Run.of("dacs_derms_event_opt_out")
    assert run.do(make(Send, "dacs_derms_event_opt_out")) == RED
    assert isinstance(run.error, AirflowFailException)
    assert f"{resend} where it is" in str(run.error)
    box.far("derms").no_faults()
    again = Run.of("dacs_derms_event_opt_out", file="OO-1", resend=resend)
    assert again.do(make(Send, "dacs_derms_event_opt_out")) == GREEN
    assert box.far("derms").effects_of("event_opt_out")["OO-1"]["effects"] == 1


def test_a_message_that_the_form_misspells_is_skipped_with_the_reason_not_green(box: Sandbox) -> None:
    flow = "dacs_derms_event_opt_out"
    accept(desk_for_worker(), [read("event_opt_out", good("event_opt_out"), "dacs")])
    run = Run.of(flow, file="OO-11", resend="failed")
    assert run.do(make(Send, flow)) == SKIPPED
    assert "no message called OO-11 has come for this flow" in str(run.error)
    assert Run.of(flow, file="OO-1").do(make(Send, flow)) == GREEN


def test_a_refused_message_whose_sender_is_told_is_green(box: Sandbox) -> None:
    accept(desk_for_worker(), [read("event_status", good("event_status"), "derms")])
    box.far("dacs").fault("reject_keys", keys=["1315"])
    run = Run.of("derms_dacs_event_status")
    assert run.do(make(Send, "derms_dacs_event_status")) == GREEN
    assert run.do(make(Answer, "derms_dacs_event_status")) == GREEN
    assert box.far("derms").effects_of("ack")["ST-4710"]["value"] == "FAILURE,1"


def test_a_file_that_vanished_is_skipped_at_its_archive(box: Sandbox) -> None:
    run = Run.of(SCORE_FLOW)
    assert run.do(make(Take, SCORE_FLOW, file=NAME), 0) == GREEN
    assert run.do(make(Archive, SCORE_FLOW, file=NAME), 0) == SKIPPED


@pytest.mark.parametrize("brick", [Take, Send, Archive])
def test_a_flow_that_the_release_does_not_have_is_skipped_with_the_reason(
    brick: type[Take], box: Sandbox, monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]
) -> None:
    monkeypatch.setenv("DRBRIDGE_PROFILE", "26.4")
    configure()
    arguments = {} if brick is Send else {"file": NAME}
    run = Run.of("ouai_dacs_kwh_avoided")
    assert run.do(make(brick, "ouai_dacs_kwh_avoided", **arguments)) == SKIPPED
    assert str(run.error) == "kWh avoided and kW drop: OUAI to DACS is not part of release 26.4"


def test_an_error_of_ours_is_told_in_sentences_with_the_next_step(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_DACS_FILES")
    run = Run.of(SCORE_FLOW)
    assert run.do(make(Take, SCORE_FLOW, file=NAME), 0) == RED
    told = capsys.readouterr().out
    assert isinstance(run.error, Misconfigured)
    assert "There is no connection dacs_files" in told
    assert "Next: make it under Admin > Connections" in told
    assert "Traceback" not in told
    assert run.error.__cause__ is None
    assert not any("drbridge/" in frame.filename for frame in traceback.extract_tb(run.error.__traceback__))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("SDCSE_1.csv", "SDCSE_1.csv"),
        ("{{ 1/0 }}", "{{ 1/0 }}"),
        ("a\x1b[31m\n", "a?[31m?"),
        ("é" * 255, "é" * 199 + "…"),
    ],
)
def test_any_name_can_be_shown_in_the_grid(name: str, shown: str) -> None:
    brick = make(Take, SCORE_FLOW, file=name)
    assert isinstance(brick, Take)
    assert brick.label == shown
    assert "file" not in brick.template_fields


def test_resume_wakes_flows_nobody_has_looked_at_and_sends_nothing(box: Sandbox) -> None:
    from drbridge_airflow.policies import WAKE_ALIAS

    woken: list[str] = []

    class Events:
        def add(self, asset: object, extra: object) -> None:
            woken.append(str(asset.name))  # type: ignore[attr-defined]

    context = {**Run.of("resume").context(), "outlet_events": {WAKE_ALIAS: Events()}}
    due = make(WakeDueFlows, "resume").execute(context)  # type: ignore[arg-type]
    assert woken == [f"wake {flow}" for flow in due]
    assert SCORE_FLOW in due
    assert box.far("derms").calls() == 0


def _after(kind: type[Archive], flow: str, *before: str) -> Archive:
    """A brick whose DAG has the named tasks before it."""
    from airflow.sdk import DAG

    with DAG(flow, schedule=None):
        take = Take(task_id="take", file=NAME)
        send = Send(task_id="send")
        brick = kind(task_id="archive", file=NAME)
        take >> send >> brick
    return brick
