"""How long a message, and a small file, take until they have had their effect at the other side, on a running Airflow.

    python bench/latency.py --seconds 180

Starts the sandbox and a real Airflow (scheduler, dag-processor, triggerer, API server with the inbox in it). Every
second a stage status is posted to the path that DERMS calls; it is due at DACS. Every nine seconds or so, drawn from a
seed, a small file of device scores is moved into place on the content server of DACS; it is due at DERMS. The time ends
when the other side took the call. Fails when one has no effect or two, or when a bar does not hold.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from peers import need
from side import ROOT, Bar, Run, tell
from sqlalchemy import func, select
from waiting import Taken, files_by_the_ledger, messages_by_the_ledger, p50, p95, used_by

from drbridge.inbox.paths import DOORS, PUBLISHED_PREFIX
from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.ledger.tables import deliveries
from drbridge.systems import DEFAULT_FILE
from drbridge_sandbox.airflow_processes import AirflowProcesses
from drbridge_sandbox.day.scores import write_scores
from drbridge_sandbox.sandbox import Sandbox

MESSAGES, FILES = "derms_dacs_event_status", "dacs_derms_device_score"
DESTINATIONS = ("dacs_program_event", "derms_device_score")
SOURCE = "sftp://dacs_files/outgoing/scores"
ROWS, FIRST_DAY = 100, date(2026, 1, 1)
BETWEEN_FILES = (6.0, 12.0)
MOST_SECONDS_OF_MESSAGE, MOST_SECONDS_OF_FILE = 10.0, 15.0
SETTLED_WITHIN_SECONDS = 90.0
STAGE_STATUS = next(door.published for door in DOORS if door.noun == "event_status")


@dataclass
class Site:
    """What runs: Airflow, the systems around it, and the ledger between."""

    folder: Path
    airflow: AirflowProcesses
    box: Sandbox
    ledger: Ledger

    def unpause(self) -> None:
        """Switches the two flows and `resume` on, as soon as they have been read."""
        wanted, end = {MESSAGES, FILES, "resume"}, time.monotonic() + 120
        while not wanted <= {dag["dag_id"] for dag in self.airflow.api("GET", "dags?limit=200")["dags"]}:
            if time.monotonic() > end:
                raise SystemExit(f"not read within two minutes: {', '.join(sorted(wanted))}")
            time.sleep(1)
        for dag in wanted:
            self.airflow.api("PATCH", f"dags/{dag}", {"is_paused": False})
        time.sleep(15)  # the watchers start when the DAG files are read again

    def post(self, number: int) -> None:
        """Posts one stage status, as DERMS does."""
        word = base64.b64encode(f"{self.airflow.user}:{self.airflow.password}".encode()).decode()
        asked = urllib.request.Request(
            f"{self.airflow.url}{PUBLISHED_PREFIX}/{STAGE_STATUS}", json.dumps(_message(number)).encode(),
            {"Authorization": f"Basic {word}", "Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(asked, timeout=30) as reply:
            if reply.status != 202:
                raise RuntimeError(f"the inbox answered {reply.status}")

    def lay(self, draft: Path, name: str) -> None:
        """Moves a whole file into the folder that is watched."""
        draft.replace(self.box.servers["dacs"].root / SOURCE.split("/", 3)[3] / name)

    def delivered(self) -> int:
        """How many messages and files have been delivered."""
        ended = (deliveries.c.destination.in_(DESTINATIONS), deliveries.c.ended_at.is_not(None))
        with self.ledger.read() as tx:
            return tx.execute(select(func.count()).select_from(deliveries).where(*ended)).scalar_one()


def _message(number: int) -> dict[str, Any]:
    start = datetime(2026, 7, 14, 18, tzinfo=UTC)
    return {
        "messageId": f"M{number}", "eventId": f"E{number // 4}", "stageId": f"S{number}", "programId": "SUMMER-TSTAT",
        "eventType": "ECONOMIC", "stageStatus": "SCHEDULED", "sentAt": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "startDateTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "endDateTime": f"{start + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}",
    }  # fmt: skip


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=int, default=180)
    options.add_argument("--apart", type=int, default=1, help="seconds between two messages")
    given = options.parse_args()
    need("/usr/sbin/sshd")
    with tempfile.TemporaryDirectory(prefix="drbridge-bench-") as name:
        return _run(Path(name), given.seconds, given.apart)


def _run(folder: Path, seconds: int, apart: int) -> int:
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
    upgrade(ledger)
    env = {"DRBRIDGE_HOME": str(folder), "DRBRIDGE_LEDGER_URL": ledger.url, "DRBRIDGE_CONFIG": str(DEFAULT_FILE)}
    with Sandbox(folder / "sandbox") as box:
        env |= box.env() | {"DRBRIDGE_STAGING": ""}
        airflow = AirflowProcesses(folder / "airflow", ROOT / "dags", ROOT / "plugins", env)
        airflow.start()
        try:
            airflow.wait_until_ready()
            site = Site(folder, airflow, box, ledger)
            site.unpause()
            before, started = used_by(airflow.processes()), time.monotonic()
            posted, laid = _send(site, seconds, apart)
            end = time.monotonic() + SETTLED_WITHIN_SECONDS
            while site.delivered() < len(posted) + len(laid) and time.monotonic() < end:
                time.sleep(1)
            after = used_by(airflow.processes())
            took = Run(time.monotonic() - started, len(posted) + len(laid), after[0] - before[0], after[1])
            return _tell(site, took, posted, laid)
        finally:
            airflow.stop()
            ledger.close()


def _send(site: Site, seconds: int, apart: int) -> tuple[dict[str, float], dict[str, float]]:
    """Posts messages and lays files, each in its time; the moment of each, by number and by name."""
    drawn, at, posts = random.Random(16), 3.0, range(0, seconds, apart)
    times: list[tuple[float, str, Callable[[], None]]] = [
        (float(number), f"M{number}", partial(site.post, number)) for number in posts
    ]
    while at < seconds:
        number = len(times) - len(posts)
        name = f"SDCSE_{number:04d}_00.csv"
        draft = site.box.servers["dacs"].root / f"draft-{name}"
        write_scores(draft, ROWS, number, day=FIRST_DAY + timedelta(days=number))  # each newer than the one before it
        times.append((at, name, partial(site.lay, draft, name)))
        at += drawn.uniform(*BETWEEN_FILES)
    begun, moments = time.monotonic(), dict[str, float]()
    for due, what, act in sorted(times, key=lambda each: each[:2]):
        time.sleep(max(0.0, begun + due - time.monotonic()))
        moments[what] = time.time()
        act()
    files = {name: moment for name, moment in moments.items() if name.startswith("SDCSE")}
    return {name: moment for name, moment in moments.items() if name not in files}, files


def _tell(site: Site, took: Run, posted: dict[str, float], laid: dict[str, float]) -> int:
    messages = messages_by_the_ledger(site.ledger, site.box.far("dacs"), posted)
    files = files_by_the_ledger(site.ledger, site.box.far("derms"), site.airflow, FILES, laid)
    wrong = [*_wrong("messages", posted, messages), *_wrong("files", laid, files)]
    if not (messages and files):
        raise SystemExit("; ".join(wrong))
    code = tell("latency", "messages and files", {"Airflow, all its processes": [took]}, [
        Bar(16, f"small file complete on the content server until DERMS has it, p95 of {len(laid)}, s", "15 s",
            p95([each.seconds for each in files]), MOST_SECONDS_OF_FILE, is_most=True),
        Bar(16, f"message posted until DACS has it, meanwhile, p95 of {len(posted)}, s", "10 s",
            p95([each.seconds for each in messages]), MOST_SECONDS_OF_MESSAGE, is_most=True),
    ], (_where("files", files), _where("messages", messages), f"lost or twice: {'; '.join(wrong) or 'nothing'}",
        f"load of the machine at the end: {os.getloadavg()[0]:.1f}"))  # fmt: skip
    return 1 if wrong else code


def _wrong(what: str, sent: dict[str, float], found: Sequence[Taken]) -> list[str]:
    lost, twice = len(sent) - len(found), [each.name for each in found if each.calls > 1]
    return [f"{lost} {what} lost"] * bool(lost) + [f"{what} twice: {', '.join(twice)}"] * bool(twice)


def _where(what: str, found: Sequence[Taken]) -> str:
    """The whole time, and that of each step."""
    seconds = [each.seconds for each in found]
    steps = ", ".join(
        f"{step} {p50(took):.1f} ({p95(took):.1f})"
        for step in found[0].steps
        if (took := [each.steps[step] for each in found])
    )
    return (
        f"{what}: p50 {p50(seconds):.1f} s, p95 {p95(seconds):.1f} s, longest {max(seconds):.1f} s; of that, p50 (p95) "
        f"in seconds: {steps}"
    )


if __name__ == "__main__":
    sys.exit(main())
