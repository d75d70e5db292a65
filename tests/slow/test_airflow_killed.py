"""Airflow's processes die in the middle of message flows: after a restart every message ends right, without a hand."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from drbridge.inbox.paths import SHORT_PREFIX
from tests.airflow_rig import Rig, rig, until

FLOW = "derms_dacs_event_status"
STEPS = ("SCHEDULED", "IN PROGRESS", "COMPLETED")
DONE = [("create", True), ("X1IP", True), ("F1CO", True)]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as running:
        yield running


@pytest.mark.timeout(420)
def test_scheduler_and_api_server_killed_in_mid_run(running: Rig) -> None:
    dacs = running.sandbox.far("dacs")
    running.unpause(FLOW, "resume")
    _post_all(running, range(40))
    until(lambda: dacs.calls("createProgramEvent") > 0, 90, "the first messages go")
    running.airflow.kill("scheduler")
    _post_all(running, range(40, 60))
    running.airflow.restart()
    _post_all(running, range(60, 80))
    running.airflow.kill("api-server")
    with suppress(OSError):  # one more, of which nobody knows whether it was stored: its sender sends it again
        _post(running, 80, 0)
    running.airflow.restart()
    _post_all(running, range(80, 85))

    until(lambda: _done(running) == 85, 240, "every stage is completed")
    assert _wrong(running) == {}
    created = dacs.effects_of("program_event").values()
    assert {each["effects"] for each in created} <= {1, 3}


def _post_all(running: Rig, stages: range) -> None:
    for stage in stages:
        for step in range(len(STEPS)):
            until(lambda stage=stage, step=step: _taken(running, stage, step), 60, "the inbox takes it")


def _taken(running: Rig, stage: int, step: int) -> bool:
    with suppress(urllib.error.URLError, OSError):
        return _post(running, stage, step) == 202
    return False


def _post(running: Rig, stage: int, step: int) -> int:
    message = {
        "messageId": f"{stage}-{step}", "eventId": f"E{stage}", "stageId": f"S{stage}", "programId": "SUMMER",
        "eventType": "ECONOMIC", "stageStatus": STEPS[step], "sentAt": f"2026-07-14T1{step}:00:00Z",
        "startDateTime": "2026-07-14T11:00:00Z", "endDateTime": "2026-07-14T12:00:00Z",
    }  # fmt: skip
    airflow = running.airflow
    login = b64encode(f"{airflow.user}:{airflow.password}".encode()).decode()
    head = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    asked = urllib.request.Request(f"{airflow.url}{SHORT_PREFIX}/event-statuses", json.dumps(message).encode(), head)
    with urllib.request.urlopen(asked, timeout=10) as reply:
        return int(reply.status)


def _steps(running: Rig) -> dict[str, list[tuple[str, bool]]]:
    found: dict[str, list[tuple[str, bool]]] = {}
    for key, each in running.sandbox.far("dacs").records("program_event_step").items():
        found.setdefault(key.split("/")[0], []).append((each["step"], each["taken"]))
    return found


def _done(running: Rig) -> int:
    time.sleep(0.5)
    return sum(steps[-1:] == DONE[-1:] for steps in _steps(running).values())


def _wrong(running: Rig) -> dict[str, list[tuple[str, bool]]]:
    return {stage: steps for stage, steps in _steps(running).items() if steps != DONE}
