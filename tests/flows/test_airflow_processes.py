"""Real Airflow processes, a real outage: what piled up is delivered once, whichever run does it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from drbridge.systems import DEFAULT_FILE
from tests.airflow_rig import Rig, rig, until
from tests.stores import smtp_server
from tests.stores.smtp_server import MailServer

FLOW = "dacs_derms_device_score"
SOURCE = "sftp://dacs_files/outgoing/scores"
HEADER = (
    "deviceId,nicId,headEndSystem,programSubscriptionId,programCode,servicePointId,"
    "calculationDateTime,deviceScore,availabilityFlag\n"
)
ROWS = 3
DAYS = [(datetime.now(UTC) - timedelta(days=back)).date() for back in (3, 2, 1)]


NOTIFY = """[notify]
mail = "smtp_default"
to = ["owner@utility.example"]
to_process = ["user@utility.example"]
"""


@pytest.fixture
def post() -> Iterator[MailServer]:
    with smtp_server.running() as server:
        yield server


@pytest.fixture
def running(tmp_path: Path, post: MailServer) -> Iterator[Rig]:
    settings = tmp_path / "systems.toml"
    settings.write_text(DEFAULT_FILE.read_text(encoding="utf-8").replace("[notify]", NOTIFY), encoding="utf-8")
    extra = {"disable_ssl": True, "disable_tls": True}
    mail = json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": post.port, "extra": extra})
    with rig(tmp_path, DRBRIDGE_CONFIG=str(settings), AIRFLOW_CONN_SMTP_DEFAULT=mail) as running:
        yield running


@pytest.mark.timeout(420)  # about 80 s when nothing else runs; Airflow's processes and ours share the cores with others
def test_a_three_day_outage_and_a_backfill_deliver_every_file_once(running: Rig, post: MailServer) -> None:
    derms = running.sandbox.far("derms")
    derms.down()
    files = {f"SDCSE_{day:%m%d}_00.csv": _scores(day) for day in DAYS}
    for name, text in files.items():
        running.sandbox.drop(SOURCE, name, text.encode())
    running.unpause(FLOW, "resume")
    until(lambda: _a_run_failed(running), 120, "a run has met the outage")
    assert derms.calls("deviceScore") == 0
    until(lambda: post.mails, 150, "the owners are told")  # after two more tries: up to 60 s apart
    assert "What:  Device scores: DACS to DERMS: derms_rest cannot be worked with" in post.mails[0].get_content()

    derms.up()
    running.backfill(FLOW, str(DAYS[0]), str(DAYS[-1]))
    until(lambda: set(running.sandbox.files(SOURCE)) == {f"Sent-{name}" for name in files}, 120, "all is called Sent-")
    running.wait_for_backfills(FLOW)
    assert derms.calls("deviceScore") == len(files)
    effects = derms.effects_of("device_score")
    assert len(effects) == len(files) * ROWS
    assert {effect["effects"] for effect in effects.values()} == {1}

    until(lambda: all(name in _mails_to("user", post) for name in files), 120, "the business users know each file")
    assert post.to.count(["owner@utility.example"]) == 1, "an outage is one mail"

    tries = _tries(running)
    running.backfill(FLOW, str(DAYS[0]), str(DAYS[-1]))
    until(lambda: _ran_again(running, tries), 120, "the tasks of all three days run again")
    assert derms.calls("deviceScore") == len(files), "the same backfill again called DERMS"


def _mails_to(who: str, post: MailServer) -> str:
    told = zip(post.mails, post.to, strict=True)
    return "".join(mail.get_content() for mail, to in told if to == [f"{who}@utility.example"])


def _scores(day: date) -> str:
    rows = [f"10000{n},nic{n}-{day},HES,2000000000000{n},PCT,300,{day}T0{n}:00:00Z,0.5,Y\n" for n in range(ROWS)]
    return HEADER + "".join(rows)


def _a_run_failed(running: Rig) -> bool:
    sends = [task["state"] for task in running.tasks(FLOW) if task["task_id"] == "send"]
    return any(state in ("up_for_retry", "failed") for state in sends)


def _tries(running: Rig) -> dict[tuple[str, str, int], int]:
    """How often each task of the three days' runs was tried."""
    return {
        (str(task["logical_date"])[:10], task["task_id"], task["map_index"]): task["try_number"]
        for task in running.tasks(FLOW)
        if task["logical_date"]
    }


def _ran_again(running: Rig, before: dict[tuple[str, str, int], int]) -> bool:
    """Whether the verdicts of all three days were given once more, and are green."""
    now, tasks = _tries(running), running.tasks(FLOW)
    days = {key[0] for key in now if key[1] == "archive" and now[key] > before.get(key, 0)}
    verdicts = [task["state"] for task in tasks if task["task_id"] == "archive" and task["logical_date"]]
    return days == {str(day) for day in DAYS} and set(verdicts) == {"success"}
