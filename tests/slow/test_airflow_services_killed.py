"""What Airflow and the ledger stand on dies in mid-run: all comes right after its return, without a hand.

No task is ever tried again by Airflow here, so whatever a fault ends is taken up by `resume` and the next run alone.
"""

from __future__ import annotations

import json
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select

from drbridge.inbox.paths import SHORT_PREFIX
from drbridge.ledger.states import SETTLED
from drbridge.ledger.tables import deliveries
from drbridge_sandbox import airflow_processes
from tests.airflow_rig import Rig, rig, until
from tests.faults.soak.cluster import Cluster
from tests.faults.soak.stage import SupervisedAirflow, until_done

WHOLE_WITHIN_SECONDS = 300  # what we promise
ANSWERS, MESSAGES = "ouai_dacs_enrollment_ack", "derms_dacs_event_status"
SOURCE, NAME = "s3://ouai_objects/ouai/outgoing/ack", "ENROLL_ACK_20260714T060000Z_1.csv"
HEADER = (
    "syncRequestId,programSubscriptionId,ackStatus,messageCategory,messageNumber,messageText,messageParameters,"
    "processedDateTime,sourceFileName\n"
)
REQUESTS = [f"{number:014d}" for number in range(300)]
STAGES = range(40)
NO_RETRIES = """

def task_policy(task):
    task.retries, task.retry_policy = 0, None
"""


@dataclass(frozen=True)
class Services:
    """A running Airflow, and the two databases below it."""

    rig: Rig
    airflow_database: Cluster
    ledger_database: Cluster


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    local = airflow_processes.LOCAL_SETTINGS.replace("__all__ = []", '__all__ = ["task_policy"]') + NO_RETRIES
    monkeypatch.setattr(airflow_processes, "LOCAL_SETTINGS", local)
    with ExitStack() as stack:
        databases = Cluster(), Cluster()
        for each in databases:
            stack.callback(each.remove)
            each.create()
        first, second = databases
        conn = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": first.url("airflow")}
        processes = rig(tmp_path, ledger_url=second.url("ledger"), processes=SupervisedAirflow, **conn)
        yield Services(stack.enter_context(processes), first, second)


@pytest.mark.timeout(900)
def test_a_killed_triggerer_leaves_no_file_waiting(running: Services) -> None:
    rig = running.rig
    rig.sandbox.far("dacs").seed(REQUESTS)
    rig.unpause(ANSWERS, "resume")
    until_done(lambda: _ended_once(rig, ANSWERS))
    _drop(rig)  # nobody but the watcher in the triggerer knows of it
    rig.airflow.kill("triggerer")
    until(lambda: _sent(rig), WHOLE_WITHIN_SECONDS, "the file is settled")
    assert _wrong(rig) == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize("killed", ["airflow_database", "ledger_database"])
def test_a_killed_postgresql_leaves_nothing_open_and_sends_nothing_twice(running: Services, killed: str) -> None:
    rig, database = running.rig, getattr(running, killed)
    dacs = rig.sandbox.far("dacs")
    dacs.seed(REQUESTS)
    rig.unpause(ANSWERS, MESSAGES, "resume")
    _drop(rig)
    for stage in STAGES:
        until_done(partial(_post, rig, stage))
    dacs.fault("slow", milliseconds=200)
    until(lambda: dacs.counts()["effects"].get("sync_request", {}).get("keys", 0) > 20, 180, "rows are on their way")
    database.cut_power()
    dacs.no_faults()
    database.start()
    until(lambda: _sent(rig) and _stages(rig) == len(STAGES), WHOLE_WITHIN_SECONDS, "file and messages are there")
    until(lambda: not _unsettled(rig), WHOLE_WITHIN_SECONDS, "no delivery is open, no answer owed")
    assert _wrong(rig) == []
    until_done(lambda: _max_tries(rig) == {0})


def _drop(rig: Rig) -> None:
    rows = [f"{request},,SUCCESS,,,,,2026-07-14T05:58:11Z,\n" for request in REQUESTS]
    rig.sandbox.drop(SOURCE, NAME, (HEADER + "".join(rows)).encode())


def _post(rig: Rig, stage: int) -> None:
    message = {
        "messageId": f"M{stage}", "eventId": f"E{stage}", "stageId": f"S{stage}", "programId": "SUMMER",
        "eventType": "ECONOMIC", "stageStatus": "SCHEDULED", "sentAt": "2026-07-14T10:00:00Z",
        "startDateTime": "2026-07-14T11:00:00Z", "endDateTime": "2026-07-14T12:00:00Z",
    }  # fmt: skip
    login = b64encode(f"{rig.airflow.user}:{rig.airflow.password}".encode()).decode()
    head = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    asked = urllib.request.Request(
        f"{rig.airflow.url}{SHORT_PREFIX}/event-statuses", json.dumps(message).encode(), head
    )
    with urllib.request.urlopen(asked, timeout=30) as reply:
        assert reply.status == 202


def _ended_once(rig: Rig, flow: str) -> bool:
    return any(run["state"] == "success" for run in rig.runs(flow))


def _max_tries(rig: Rig) -> set[int]:
    return {task["max_tries"] for flow in (ANSWERS, MESSAGES) for task in rig.tasks(flow)}


def _sent(rig: Rig) -> bool:
    return rig.sandbox.place(SOURCE).names() == [f"Sent-{NAME}"]


def _stages(rig: Rig) -> int:
    return len(rig.sandbox.far("dacs").records("program_event"))


def _unsettled(rig: Rig) -> int:
    with rig.ledger.read() as tx:
        look = select(func.count()).select_from(deliveries).where(deliveries.c.state.not_in(SETTLED))
        return int(tx.execute(look).scalar_one())


def _wrong(rig: Rig) -> list[str]:
    """Rows and stages that took effect never, or more than once."""
    dacs = rig.sandbox.far("dacs")
    rows = {key: each["effects"] for key, each in dacs.effects_of("sync_request").items()}
    wrong = [f"{request}: {rows.get(request, 0)} effects" for request in REQUESTS if rows.get(request) != 1]
    steps = [key for key in dacs.records("program_event_step") if not key.split("/")[0].startswith("S")]
    created = {stage: dacs.program_event_steps(stage) for stage in dacs.records("program_event")}
    return wrong + steps + [f"{stage}: {done}" for stage, done in created.items() if done != [("create", True)]]
