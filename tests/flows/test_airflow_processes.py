"""Real Airflow processes, a real outage: what piled up is delivered once, whichever run does it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.airflow_rig import Rig, rig, until

FLOW = "dacs_derms_device_score"
SOURCE = "sftp://dacs_files/outgoing/scores"
HEADER = (
    "deviceId,nicId,headEndSystem,programSubscriptionId,programCode,servicePointId,"
    "calculationDateTime,deviceScore,availabilityFlag\n"
)
DAYS = [(datetime.now(UTC) - timedelta(days=back)).date() for back in (3, 2, 1)]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as running:
        yield running


def test_a_three_day_outage_and_a_backfill_deliver_every_file_once(running: Rig) -> None:
    derms = running.sandbox.far("derms")
    derms.down()
    files = {f"SDCSE_{day:%m%d}_00.csv": _scores(day) for day in DAYS}
    for name, text in files.items():
        running.sandbox.drop(SOURCE, name, text.encode())
    running.unpause(FLOW, "resume")
    until(lambda: _a_run_failed(running), 90, "a run has met the outage")
    assert derms.calls("deviceScore") == 0

    derms.up()
    running.backfill(FLOW, str(DAYS[0]), str(DAYS[-1]))
    until(lambda: _all_sent(running, files), 60, "every source file is called Sent-")
    assert derms.calls("deviceScore") == len(files)
    effects = derms.effects_of("device_score")
    assert len(effects) == len(files) * 3
    assert {effect["effects"] for effect in effects.values()} == {1}

    tries_before = _tries(running)
    running.backfill(FLOW, str(DAYS[0]), str(DAYS[-1]))
    assert derms.calls("deviceScore") == len(files), "the same backfill again called DERMS"
    again = {key: tries for key, tries in _tries(running).items() if tries > tries_before.get(key, 0)}
    assert {run for run, task in again if task == "archive"} == {f"{day}" for day in DAYS}, "its tasks did not run"
    assert {task["state"] for task in running.tasks(FLOW) if task["task_id"] == "archive"} <= {"success", "skipped"}


def _scores(day: date) -> str:
    rows = [f"10000{n},nic{n}-{day},HES,2000000000000{n},PCT,300,{day}T0{n}:00:00Z,0.5,Y\n" for n in range(3)]
    return HEADER + "".join(rows)


def _a_run_failed(running: Rig) -> bool:
    sends = [task["state"] for task in running.tasks(FLOW) if task["task_id"] == "send"]
    return any(state in ("up_for_retry", "failed") for state in sends)


def _all_sent(running: Rig, files: dict[str, str]) -> bool:
    return set(running.sandbox.files(SOURCE)) == {f"Sent-{name}" for name in files}


def _tries(running: Rig) -> dict[tuple[str, str], int]:
    """How often each task of the three days' runs was tried."""
    return {
        (str(task["logical_date"])[:10], task["task_id"]): task["try_number"]
        for task in running.tasks(FLOW)
        if task["logical_date"]
    }
