"""Real Airflow: a held delivery becomes a question, a person answers by the API, and the file goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from drbridge.errors import Unreachable
from drbridge.ledger import audit
from drbridge.ledger.tables import deliveries
from tests.airflow_rig import Rig, rig, until

FLOW, SOURCE = "ouai_dacs_enrollment_ack", "s3://ouai_objects/ouai/outgoing/ack"
NAME = "ENROLL_ACK_20260714T060000Z_1.csv"
HEADER = (
    "syncRequestId,programSubscriptionId,ackStatus,messageCategory,messageNumber,messageText,messageParameters,"
    "processedDateTime,sourceFileName\n"
)
ROWS = 100
REQUESTS = [f"{number:014d}" for number in range(ROWS)]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as running:
        yield running


@pytest.mark.timeout(600)  # about 60 s when nothing else runs
def test_a_person_lets_a_held_file_go_on(running: Rig) -> None:
    rows = [f"{request},,SUCCESS,,,,,2026-07-14T05:58:11Z,\n" for request in REQUESTS]
    running.sandbox.drop(SOURCE, NAME, (HEADER + "".join(rows)).encode())
    running.unpause(FLOW, "release", "resume")
    until(lambda: _held(running), 180, "DACS knows no request, so the file is held")
    run = running.trigger("release")
    until(lambda: _questions(running, run), 120, "a person is asked")
    (question,) = _questions(running, run)
    assert question["subject"] == f"Held: {NAME}"
    assert f"{ROWS} rows (" in question["body"]
    assert " open)" in question["body"]
    assert question["options"] == ["Let it go on", "Refuse it", "Leave it"]

    running.sandbox.far("dacs").seed(REQUESTS)
    where = f"dags/release/dagRuns/{run}/taskInstances/decide/{question['task_instance']['map_index']}/hitlDetails"
    answer = {"chosen_options": ["Let it go on"], "params_input": {"why": "DACS knows them now"}}
    running.airflow.api("PATCH", where, answer)
    assert running.wait_for_run("release", run, 120) == "success"
    until(lambda: set(running.sandbox.files(SOURCE)) == {f"Sent-{NAME}"}, 180, "the flow was woken and has sent it")
    assert len(running.sandbox.far("dacs").effects_of("sync_request")) == ROWS
    with running.ledger.read() as tx:
        (act,) = audit.acts(tx)
    assert (act.who, act.act, act.why) == ("admin", "release: Let it go on", "DACS knows them now")


def _held(running: Rig) -> bool:
    with suppress(Unreachable), running.ledger.read() as tx:  # its tables are made by the first task
        return list(tx.execute(select(deliveries.c.state)).scalars()) == ["HELD"]
    return False


def _questions(running: Rig, run: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = running.airflow.api("GET", f"dags/release/dagRuns/{run}/hitlDetails")["hitl_details"]
    return found
