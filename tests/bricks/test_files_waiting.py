"""What a run is given to work on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from airflow.sdk.exceptions import TaskDeferred
from sqlalchemy import select

from drbridge.adapters.sftp import SftpStore
from drbridge.errors import NotAllowed, Rejected, Unreachable
from drbridge.ledger.tables import audit
from drbridge_airflow.desk import desk_for_worker
from drbridge_airflow.operators import Archive, Send, Take
from drbridge_airflow.sensors import FilesWaiting
from drbridge_airflow.triggers.files_quiet import FilesQuiet
from drbridge_sandbox.sandbox import Sandbox
from tests.bricks.files import SCORE_FLOW, SCORES, scores
from tests.bricks.run import DEFERRED, GREEN, RED, SKIPPED, Run, make

FIRST, SECOND = "SDCSE_0001_00.csv", "SDCSE_0002_00.csv"


def test_nothing_there_is_skipped(box: Sandbox) -> None:
    run = Run.of(SCORE_FLOW)
    assert run.do(make(FilesWaiting, SCORE_FLOW)) == SKIPPED
    assert str(run.error) == "nothing waits"


def test_a_file_whose_turn_has_not_come_is_skipped_and_says_what_it_waits_for(box: Sandbox) -> None:
    flow, name = "dacs_ccs_settlement_credits", "CUST_SETTLEMENT_20260715T060000Z.csv"
    box.drop("sftp://dacs_files/outgoing/settlement", name, b"x")
    run = Run.of(flow)
    assert run.do(make(FilesWaiting, flow)) == SKIPPED
    assert str(run.error) == f"{name} waits for its control record {name}.control.json"


def test_a_named_file_that_does_not_wait_is_explained(box: Sandbox) -> None:
    run = Run.of(SCORE_FLOW, file=SECOND)
    assert run.do(make(FilesWaiting, SCORE_FLOW)) == SKIPPED
    assert str(run.error).startswith(f"no file called {SECOND} waits, and none of that name was dealt with before")

    box.drop(SCORES, FIRST, scores())
    run = Run.of(SCORE_FLOW)
    run.do(make(Take, SCORE_FLOW, file=FIRST), 0)
    run.do(make(Send, SCORE_FLOW))
    run.do(make(Archive, SCORE_FLOW, file=FIRST), 0)
    again = Run.of(SCORE_FLOW, file=f" Sent-{FIRST}")
    assert again.do(make(FilesWaiting, SCORE_FLOW)) == SKIPPED
    assert str(again.error).startswith(f"no file called {FIRST} waits; archived ones that match: 1")
    assert "choose 'failed'" in str(again.error)
    failed = Run.of(SCORE_FLOW, file=FIRST, resend="failed")
    failed.dag_run.run_id = "manual__2"
    assert failed.do(make(FilesWaiting, SCORE_FLOW)) == SKIPPED
    assert "anything to send again under 'failed'" in str(failed.error)


def test_what_is_whole_is_returned_at_once(box: Sandbox) -> None:
    box.drop(SCORES, FIRST, scores(), mtime=1_700_000_000)
    box.drop(SCORES, SECOND, scores(4), mtime=1_700_000_100)
    box.drop(SCORES, "Sent-SDCSE_0000_00.csv", scores())
    box.drop(SCORES, "something else.txt", b"x")
    run = Run.of(SCORE_FLOW)
    assert run.do(make(FilesWaiting, SCORE_FLOW)) == GREEN
    assert run.results["fileswaiting", -1] == [FIRST, SECOND]


def test_an_upload_that_goes_on_is_waited_for_without_a_worker(box: Sandbox, configure: Callable[..., None]) -> None:
    configure(**{"quiet_seconds = 0": "quiet_seconds = 1"})
    box.drop(SCORES, FIRST, scores())
    run = Run.of(SCORE_FLOW, file="SDCSE_*")
    assert run.do(make(FilesWaiting, SCORE_FLOW)) == DEFERRED
    assert isinstance(run.error, TaskDeferred)
    assert isinstance(run.error.trigger, FilesQuiet)
    assert run.error.trigger.work["file"] == "SDCSE_*"
    assert run.do(make(FilesWaiting, SCORE_FLOW), method="execute_complete") == SKIPPED
    assert "still being uploaded" in str(run.error)


def test_a_whole_file_does_not_wait_for_one_that_is_not(box: Sandbox, configure: Callable[..., None]) -> None:
    configure(**{"quiet_seconds = 0": "quiet_seconds = 60"})
    box.drop(SCORES, FIRST, scores())
    box.drop(SCORES, f"{FIRST}.done", b"")
    box.drop(SCORES, SECOND, scores(4))
    run = Run.of(SCORE_FLOW)
    assert run.do(make(FilesWaiting, SCORE_FLOW)) == GREEN
    assert run.results["fileswaiting", -1] == [FIRST]


def test_a_cleared_run_gets_its_files_back_in_order_and_new_ones_after(box: Sandbox) -> None:
    box.drop(SCORES, SECOND, scores(), mtime=1_700_000_100)
    run = Run.of(SCORE_FLOW)
    run.do(make(FilesWaiting, SCORE_FLOW))
    run.do(make(Take, SCORE_FLOW, file=SECOND), 0)
    run.do(make(Send, SCORE_FLOW))
    assert run.do(make(Archive, SCORE_FLOW, file=SECOND), 0) == GREEN
    box.drop(SCORES, FIRST, scores(4), mtime=1_700_000_000)
    run.do(make(FilesWaiting, SCORE_FLOW))
    assert run.results["fileswaiting", -1] == [SECOND, FIRST]


def test_a_backfill_shows_its_days_archived_files_and_sends_nothing_again(box: Sandbox) -> None:
    box.drop(SCORES, FIRST, scores(day="2026-07-13"))
    box.drop(SCORES, SECOND, scores(4, day="2026-07-14"))
    run = Run.of(SCORE_FLOW)
    run.do(make(FilesWaiting, SCORE_FLOW))
    for index, name in enumerate((FIRST, SECOND)):
        run.do(make(Take, SCORE_FLOW, file=name), index)
    run.do(make(Send, SCORE_FLOW))
    assert [run.do(make(Archive, SCORE_FLOW, file=name)) for name in (FIRST, SECOND)] == [GREEN, GREEN]

    backfill = Run.backfill(SCORE_FLOW, datetime(2026, 7, 13, tzinfo=UTC))
    assert backfill.do(make(FilesWaiting, SCORE_FLOW)) == GREEN
    assert backfill.results["fileswaiting", -1] == [FIRST]
    assert backfill.do(make(Take, SCORE_FLOW, file=FIRST), 0) == GREEN
    assert backfill.do(make(Send, SCORE_FLOW)) == GREEN
    assert backfill.do(make(Archive, SCORE_FLOW, file=FIRST), 0) == GREEN
    assert box.far("derms").calls("deviceScore") == 2


def test_a_resend_is_carried_out_once_however_often_the_run_is_cleared(box: Sandbox) -> None:
    box.drop(SCORES, FIRST, scores())
    run = Run.of(SCORE_FLOW)
    run.do(make(FilesWaiting, SCORE_FLOW))
    run.do(make(Take, SCORE_FLOW, file=FIRST), 0)
    run.do(make(Send, SCORE_FLOW))
    again = Run.of(SCORE_FLOW, file=FIRST, resend="all", why="ticket 4711")
    again.dag_run.run_id = "manual__2"
    for _ in range(2):
        again.do(make(FilesWaiting, SCORE_FLOW))
        assert again.do(make(Send, SCORE_FLOW)) == GREEN
    assert box.far("derms").calls("deviceScore") == 2
    with desk_for_worker().ledger.read() as tx:
        (act,) = tx.execute(select(audit)).all()
    assert (act.who, act.act) == ("maria", "resend all")
    assert act.why == f"ticket 4711 (deliveries opened: 1; file {FIRST})"


@pytest.mark.parametrize(("names", "colour"), [([FIRST], RED), ([FIRST, SECOND], GREEN)])
def test_files_that_cannot_be_read_are_told_and_stop_no_other(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, names: list[str], colour: str
) -> None:
    ends_hash = SftpStore.ends_hash

    def forbid(store: SftpStore, name: str, size: int) -> str:
        if name == FIRST:
            raise NotAllowed("The content server does not let us read it")
        return ends_hash(store, name, size)

    monkeypatch.setattr(SftpStore, "ends_hash", forbid)
    for name in names:
        box.drop(SCORES, name, scores())
    run = Run.of(SCORE_FLOW)
    assert run.do(make(FilesWaiting, SCORE_FLOW)) == colour
    if colour == RED:
        assert isinstance(run.error, Rejected)
        assert f"{FIRST}: The content server does not let us read it" in run.error.detail
    else:
        assert run.results["fileswaiting", -1] == [SECOND]


def test_a_server_that_does_not_answer_is_never_taken_for_an_empty_folder(box: Sandbox) -> None:
    box.servers["dacs"].stop()
    try:
        run = Run.of(SCORE_FLOW)
        assert run.do(make(FilesWaiting, SCORE_FLOW)) == RED
        assert isinstance(run.error, Unreachable)
    finally:
        box.servers["dacs"].start()
