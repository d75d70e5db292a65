"""What a task's end tells people, through Airflow's callbacks, with a real mail server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from drbridge.errors import Misconfigured, Unreachable
from drbridge.exchange.accept import accept, read
from drbridge_airflow.desk import desk_for_worker
from drbridge_airflow.notifiers import TellOwners, WorksAgain
from drbridge_airflow.operators import Answer, Archive, Send, Take, WakeDueFlows
from drbridge_airflow.policies import FLOW_SETTINGS, WAKE_ALIAS
from drbridge_airflow.sensors import FilesWaiting
from drbridge_sandbox.sandbox import Sandbox
from drbridge_sandbox.task_run import DagRun
from tests.bricks.files import SCORE_FLOW, SCORES, scores
from tests.bricks.run import GREEN, RED, SKIPPED, Run, make
from tests.stores import smtp_server
from tests.stores.smtp_server import MailServer
from tests.unit.contracts.messages import good

NAME = "SDCSE_0042_00.csv"
READERS = """process_nofile = true
mail = "smtp_default"
to = ["owner@utility.example"]
to_process = ["user@utility.example"]
base_url = "https://airflow.example"
"""


@pytest.fixture
def post(box: Sandbox, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server that the settings name."""
    with smtp_server.running() as server:
        fields = {"conn_type": "smtp", "host": "127.0.0.1", "port": server.port}
        extra = {"disable_ssl": True, "disable_tls": True}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps({**fields, "extra": extra}))
        configure(**{"process_nofile = false": READERS})
        yield server


def end(notifier: Callable[..., None], task: BaseOperator, error: BaseException | None = None) -> None:
    """Calls a callback as the task runner does."""
    ti = SimpleNamespace(dag_id=task.dag_id, run_id="manual__1+00:00", task_id=task.task_id, map_index=-1)
    context: Any = {"ti": ti, "task": task, "exception": error}
    notifier(context)


def resume() -> None:
    """A minute passes."""
    woken = SimpleNamespace(add=lambda *_args, **_extra: None)
    context: Any = {**Run.of("resume").context(), "outlet_events": {WAKE_ALIAS: woken}}
    make(WakeDueFlows, "resume").execute(context)


def waiting(run_type: str) -> Run:
    day = datetime(2026, 7, 14, tzinfo=UTC)
    return Run(DagRun(SCORE_FLOW, f"{run_type}__1", run_type, day, day, None))


def test_every_flow_tells_its_owners() -> None:
    ends = {name: type(each) for name, each in FLOW_SETTINGS["default_args"].items() if name.startswith("on_")}
    assert ends["on_failure_callback"] is TellOwners
    assert ends["on_success_callback"] is ends["on_skipped_callback"] is WorksAgain


def test_an_error_is_mailed_at_once_with_the_five_things(post: MailServer) -> None:
    task = make(Take, SCORE_FLOW, file=NAME)
    end(TellOwners(), task, Misconfigured("Connection dacs_files has no host key", "10.0.0.7", "add host_key"))
    assert post.to == [["owner@utility.example"]]
    assert post.mails[0].get_content().splitlines() == [
        "What:  Device scores: DACS to DERMS: the task `take` failed",
        f"Which: {NAME}",
        "Why:   Connection dacs_files has no host key",
        "Next:  add host_key",
        f"Link:  https://airflow.example/dags/{SCORE_FLOW}/runs/manual__1%2B00%3A00/tasks/take",
    ]


def test_an_outage_sends_one_mail_and_a_second_only_after_it_worked(post: MailServer) -> None:
    task, error = make(FilesWaiting, SCORE_FLOW), Unreachable("dacs_files cannot be reached")
    for _ in range(3):
        end(TellOwners(), task, error)
    assert len(post.mails) == 1
    end(WorksAgain(), task)
    end(TellOwners(), task, error)
    assert len(post.mails) == 2


def test_a_dead_target_is_one_mail_and_the_verdicts_behind_it_none(box: Sandbox, post: MailServer) -> None:
    box.far("derms").down()
    box.drop(SCORES, NAME, scores())
    run = Run.of(SCORE_FLOW)
    run.do(make(Take, SCORE_FLOW, file=NAME), 0)
    send, archive = make(Send, SCORE_FLOW), make(Archive, SCORE_FLOW, file=NAME)
    try:
        for _ in range(2):
            assert run.do(send) == RED
            end(TellOwners(), send, run.error)
            assert run.do(archive, 0) == RED
            assert isinstance(run.error, AirflowFailException)
            end(TellOwners(), archive, run.error)
    finally:
        box.far("derms").up()
    (mail,) = post.mails
    assert "derms_rest cannot be worked with" in mail.get_content()


def test_resume_sends_what_the_flows_wrote_down(box: Sandbox, post: MailServer) -> None:
    box.drop(SCORES, NAME, scores())
    run = Run.of(SCORE_FLOW)
    for brick in (make(Take, SCORE_FLOW, file=NAME), make(Send, SCORE_FLOW), make(Archive, SCORE_FLOW, file=NAME)):
        assert run.do(brick) == GREEN
    assert post.mails == []
    resume()
    assert post.to == [["user@utility.example"]]


def test_a_mail_server_that_is_not_there_fails_no_task(
    post: MailServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT")
    end(TellOwners(), make(Take, SCORE_FLOW, file=NAME), Misconfigured("no rights"))
    resume()
    assert "Nobody can be told anything now: There is no connection smtp_default" in caplog.text


def test_only_the_clock_tells_that_no_file_came(post: MailServer) -> None:
    for kind, mails in (("manual", 0), ("asset_triggered", 0), ("scheduled", 1), ("scheduled", 1)):
        assert waiting(kind).do(make(FilesWaiting, SCORE_FLOW)) == SKIPPED
        resume()
        assert len(post.mails) == mails
    assert "no file came within a day" in post.mails[0].get_content()


def test_each_message_that_did_not_arrive_is_told_by_its_number_even_in_a_row_of_red_runs(
    box: Sandbox, post: MailServer
) -> None:
    flow, numbers = "dacs_derms_event_opt_out", []
    box.far("derms").fault("reject_keys", keys=["OO-1", "OO-2"])
    for sender_number in ("OO-1", "OO-2"):
        message = read("event_opt_out", good("event_opt_out") | {"messageId": sender_number}, "dacs")
        numbers += [receipt.number for receipt in accept(desk_for_worker(), [message])]
        run, send = Run.of(flow), make(Send, flow)
        assert run.do(send) == RED
        end(TellOwners(), send, run.error)
        resume()
    assert post.to == [["owner@utility.example"]] * 2
    for number, mail in zip(numbers, post.mails, strict=True):
        lines = mail.get_content().splitlines()
        assert lines[1] == f"Which: {number}"
        assert "resend = failed" in lines[3]


def test_an_answer_that_a_message_is_owed_and_that_was_refused_is_told_by_its_number(
    box: Sandbox, post: MailServer
) -> None:
    flow = "dacs_derms_enrollment_sync"
    message = read("enrollment_change", good("enrollment_change"), "dacs")
    (receipt,) = accept(desk_for_worker(), [message])
    run, answer = Run.of(flow), make(Answer, flow)
    run.do(make(Send, flow))
    assert run.do(answer) == RED, "DACS has no such sync request"
    end(TellOwners(), answer, run.error)
    resume()
    (mail,) = post.mails
    lines = mail.get_content().splitlines()
    assert lines[0].endswith("the answer to a message did not go through")
    assert lines[1] == f"Which: {receipt.number}"
