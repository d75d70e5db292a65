"""The bricks of the operations DAGs, executed: their colours, what they log, what they wake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException
from sqlalchemy import select, update

from drbridge.errors import BadInput, NeedsPerson
from drbridge.exchange.questions import Question
from drbridge.ledger.states import DeliveryState
from drbridge.ledger.tables import deliveries
from drbridge_airflow.desk import desk_for_worker
from drbridge_airflow.operators import (
    CheckSystems,
    Decide,
    Housekeeping,
    OverdueAnswers,
    Reconcile,
    Send,
    Take,
    WhatWaits,
)
from drbridge_airflow.policies import FLOW_SETTINGS, WAKE_ALIAS, day_from
from drbridge_sandbox.sandbox import Sandbox
from tests.bricks.files import SCORE_FLOW, SCORES, scores
from tests.bricks.run import GREEN, RED, SKIPPED, Run, make

NAME = "SDCSE_0042_00.csv"


@pytest.fixture
def delivered(box: Sandbox) -> Sandbox:
    """A file of scores has gone."""
    box.drop(SCORES, NAME, scores())
    run = Run.of(SCORE_FLOW)
    run.do(make(Take, SCORE_FLOW, file=NAME), 0)
    assert run.do(make(Send, SCORE_FLOW)) == GREEN
    return box


def change(**values: Any) -> None:
    with desk_for_worker().ledger.write() as tx:
        tx.execute(update(deliveries).values(**values))


@pytest.mark.parametrize("kind", [OverdueAnswers, Reconcile, CheckSystems, Housekeeping])
def test_where_all_is_well_a_look_is_green(kind: Callable[..., Any], delivered: Sandbox) -> None:
    assert Run.of("look").do(make(kind, "look")) == GREEN


def test_what_is_overdue_is_red_with_a_line_and_a_next_step_for_each(
    delivered: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    change(state=DeliveryState.HELD, opened_at=1.0)
    run = Run.of("overdue_answers")
    assert run.do(make(OverdueAnswers, "overdue_answers")) == RED
    assert isinstance(run.error, NeedsPerson)
    assert run.error.what == "Answers and deliveries that are overdue: 1"
    log = capsys.readouterr().out
    assert f"1 are held for more than 1 day: {NAME}" in log
    assert "Next: read why" in log


def test_a_day_with_differences_is_red(delivered: Sandbox) -> None:
    change(rows=7)
    run = Run.of("reconcile", day=datetime.now(UTC).date().isoformat())
    assert run.do(make(Reconcile, "reconcile")) == RED
    assert str(run.error).startswith("Differences: 1")


@pytest.mark.parametrize(
    ("run", "day"),
    [
        (Run.of("reconcile", day="2026-07-14"), "2026-07-14"),
        (Run.backfill("reconcile", datetime(2026, 7, 15, tzinfo=UTC)), "2026-07-14"),
    ],
)
def test_a_run_looks_at_the_day_of_its_form_or_the_one_before_it(run: Run, day: str) -> None:
    assert day_from(run.context()).isoformat() == day


def test_a_form_that_names_no_day_is_refused() -> None:
    with pytest.raises(BadInput, match="is no day"):
        day_from(Run.of("reconcile", day="yesterday").context())


def test_a_system_that_cannot_be_worked_with_is_red_and_named(box: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    box.far("derms").down()
    try:
        assert Run.of("check_systems").do(make(CheckSystems, "check_systems")) == RED
    finally:
        box.far("derms").up()
    log = capsys.readouterr().out
    assert "WRONG: derms_rest /health" in log
    assert "good: dacs_rest" in log
    assert "version 26.4" in log


# ---------------------------------------------------------------- release


class Events:
    def __init__(self) -> None:
        self.woken: list[str] = []

    def add(self, asset: Any, extra: object) -> None:
        self.woken.append(str(asset.name))


def question(run: Run) -> Decide:
    assert run.do(make(WhatWaits, "release")) == GREEN
    ((_, (held,)),) = run.results.items()
    brick = make(Decide, "release", question=held)
    assert isinstance(brick, Decide)
    return brick


def test_nothing_held_asks_nobody(delivered: Sandbox) -> None:
    assert Run.of("release").do(make(WhatWaits, "release")) == SKIPPED


def test_a_question_shows_what_is_held_and_takes_no_name_for_a_template(delivered: Sandbox) -> None:
    change(state=DeliveryState.HELD, note="refused")
    brick = question(Run.of("release"))
    assert (brick.subject, brick.label) == (f"Held: {NAME}", NAME)
    assert brick.body is not None
    assert "3 rows (3 acked)" in brick.body
    assert brick.template_fields == ()
    assert brick.options == ["Let it go on", "Refuse it", "Leave it"]


def test_a_mapped_question_has_its_form_and_wakes_flows(delivered: Sandbox) -> None:
    with DAG("release", schedule=None, **FLOW_SETTINGS):
        mapped = Decide.each(WhatWaits(task_id="what_waits"))
    asked = Question("held 1.0", SCORE_FLOW, NAME, "Held", "why", ("Leave it",)).as_dict()
    brick = mapped.unmap({"question": asked})
    assert isinstance(brick, Decide)
    assert (brick.subject, list(brick.params), brick.outlets) == (f"Held: {NAME}", ["why"], [WAKE_ALIAS])


def test_an_answer_is_followed_at_once_and_its_flow_is_woken(delivered: Sandbox) -> None:
    change(state=DeliveryState.HELD, note="refused")
    brick, events = question(Run.of("release")), Events()
    event = {
        "chosen_options": ["Let it go on"], "params_input": {"why": "cause is gone"}, "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "7", "name": "maria"},
    }  # fmt: skip
    context: Any = {**Run.of("release").context(), "outlet_events": {WAKE_ALIAS: events}}
    done = brick.execute_complete(context, event)
    assert done == {"choice": "Let it go on", "who": "maria", "told": "it goes on"}
    assert events.woken == [f"wake {SCORE_FLOW}"]
    with desk_for_worker().ledger.read() as tx:
        assert tx.execute(select(deliveries.c.state)).scalar_one() != DeliveryState.HELD


def test_what_went_on_meanwhile_is_not_asked_about(delivered: Sandbox) -> None:
    change(state=DeliveryState.HELD, note="refused")
    brick = question(Run.of("release"))
    change(state=DeliveryState.DONE)
    run = Run.of("release")
    assert run.do(brick) == SKIPPED
    assert isinstance(run.error, AirflowSkipException)
