"""Errors say what happens next, and one function turns a run into its window of work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from drbridge import errors
from drbridge.systems import Site
from drbridge_airflow.policies import LONGEST_DELAY_SECONDS, ByCause, growing_delay, params, work_from
from drbridge_sandbox.task_run import DagRun
from tests.bricks.run import Run

FLOW = "dacs_derms_device_score"
DAY = datetime(2026, 7, 13, tzinfo=UTC)
SITE = Site(sent_prefix="Done-")


@pytest.mark.parametrize("kind", [errors.Unreachable, errors.Interrupted, errors.Unstable, errors.RetryLater])
def test_what_may_work_later_is_tried_again_with_the_reason(kind: type[errors.DrBridgeError]) -> None:
    decision = ByCause().evaluate(kind("no answer", "host x", "wait"), 1, 3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay is not None
    assert decision.reason == "no answer (host x) Next: wait"


@pytest.mark.parametrize(
    "kind",
    [
        errors.Rejected,
        errors.NotKnownThere,
        errors.NotAllowed,
        errors.BadInput,
        errors.WrongLayout,
        errors.Misconfigured,
    ],
)
def test_what_will_not_work_fails_at_once_with_the_reason(kind: type[errors.DrBridgeError]) -> None:
    decision = ByCause().evaluate(kind("refused", fix="tell the sender"), 1, 3)
    assert decision.action is RetryAction.FAIL
    assert decision.reason == "refused Next: tell the sender"


def test_a_time_that_the_other_side_named_is_kept() -> None:
    decision = ByCause().evaluate(errors.Busy("full", retry_after=77), 1, 3)
    assert decision.retry_delay == timedelta(seconds=77)


def test_what_is_not_ours_is_left_to_airflow() -> None:
    assert ByCause().evaluate(ZeroDivisionError(), 1, 3).action is RetryAction.DEFAULT


def test_delays_grow_and_are_spread_and_stay_within_minutes() -> None:
    first, third = ([growing_delay(tries) for _ in range(200)] for tries in (1, 3))
    assert max(first) <= 20 < max(third)
    assert max(third) - min(third) > 20
    assert growing_delay(50) <= LONGEST_DELAY_SECONDS


def test_the_form_has_a_title_and_a_sentence_for_every_field() -> None:
    for name, param in params().items():
        assert param.schema["title"], name
        assert len(param.description or "") > 20, name
        param.resolve()


def test_a_run_woken_by_an_arrival_works_on_everything() -> None:
    work = work_from(
        Run(DagRun(FLOW, "asset_triggered__1", "asset_triggered", triggering_user_name=None)).context(), SITE
    )
    assert (work.file, work.since, work.until, work.by_hand, work.who) == (None, None, None, False, "schedule")


def test_a_swept_run_works_on_everything_not_only_on_its_day() -> None:
    run = DagRun(FLOW, "scheduled__1", "scheduled", DAY, DAY + timedelta(days=1), None)
    work = work_from(Run(run).context(), SITE)
    assert (work.since, work.until, work.by_hand) == (None, None, False)


def test_a_backfill_works_on_its_day_and_shows_what_is_settled() -> None:
    work = work_from(Run.backfill(FLOW, DAY).context(), SITE)
    assert (work.since, work.until, work.settled_too, work.by_hand) == (DAY, DAY + timedelta(days=1), True, True)


def test_a_person_may_ask_for_a_file_and_is_remembered() -> None:
    work = work_from(Run.of(FLOW, file="SDCSE_*", resend="failed").context(), SITE)
    assert (work.file, work.resend, work.who, work.run) == ("SDCSE_*", "failed", "maria", f"{FLOW}/manual__1")


def test_a_file_may_be_named_as_it_lies_there_now() -> None:
    assert work_from(Run.of(FLOW, file=" Done-SDCSE_1.csv ").context(), SITE).file == "SDCSE_1.csv"


def test_the_reason_that_a_person_gives_is_kept() -> None:
    assert work_from(Run.of(FLOW, file="a", resend="all", why="ticket 7").context(), SITE).why == "ticket 7"


def test_a_manual_run_with_a_logical_date_is_not_narrowed_to_its_interval() -> None:
    run = DagRun(FLOW, "manual__2", "manual", DAY, DAY + timedelta(days=1))
    assert work_from(Run(run).context(), SITE).since is None


def test_a_form_that_asks_for_the_impossible_is_told_so() -> None:
    with pytest.raises(errors.BadInput, match="needs a file"):
        work_from(Run.of(FLOW, resend="all").context(), SITE)
