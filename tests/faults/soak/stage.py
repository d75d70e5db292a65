"""The soak's stage: a real Airflow and the ledger on a PostgreSQL of their own, and the other systems around them."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from drbridge.exchange.staging import Staging
from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.systems import DEFAULT_FILE, load
from drbridge_sandbox.airflow_processes import AirflowProcesses, end_former
from drbridge_sandbox.children import descendants
from drbridge_sandbox.day import Day
from drbridge_sandbox.pidbook import PidBook
from drbridge_sandbox.places import FOLDERS
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.soak.cluster import Cluster

CHECKOUT = Path(__file__).resolve().parents[3]
SUPERVISOR = Path(__file__).with_name("supervisor.py")
SERVICES = ("dacs", "derms", "ccs")
PATIENCE_SECONDS = 240.0
FIRST_RUNS_SECONDS = 600.0


class SupervisedAirflow(AirflowProcesses):
    """Airflow whose processes are started again one by one."""

    program = (str(SUPERVISOR),)


class Stage:
    """Everything the soak runs on, under one folder; each soak begins with an empty one.

    Start it from a thread that stays, and turn its servers off and on from that one: they end with it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        end_former(root / "airflow")
        PidBook(root / "sandbox" / "pids.json").end_those_left()
        for left in ("airflow", "sandbox", "staging", "days"):
            shutil.rmtree(root / left, ignore_errors=True)
        self.cluster = Cluster()
        self.systems = load(DEFAULT_FILE)
        self.box = Sandbox(root / "sandbox")
        self.ledger = Ledger(self.cluster.url("ledger"))
        self.staging = Staging((root / "staging").as_uri())
        settings = {
            **self.box.env(),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.cluster.url("airflow"),
            # Files that stay as they are need not be read every 10 s; the processor's CPU is better spent on tasks.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
            "DRBRIDGE_HOME": str(root),
            "DRBRIDGE_LEDGER_URL": self.ledger.url,
            "DRBRIDGE_STAGING": self.staging.url,
            "DRBRIDGE_CONFIG": str(DEFAULT_FILE),
        }
        self.airflow = SupervisedAirflow(root / "airflow", CHECKOUT / "dags", CHECKOUT / "plugins", settings)

    def set_up(self) -> None:
        """Starts everything, and switches every DAG on."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.cluster.create()
        upgrade(self.ledger)
        self.airflow.start()
        self.box.start()
        self.airflow.wait_until_ready()
        wanted = {path.stem for path in (CHECKOUT / "dags").rglob("*.py")}
        until_done(lambda: wanted <= {dag["dag_id"] for dag in self.airflow.api("GET", "dags?limit=100")["dags"]})
        self.airflow.cli("dags", "unpause", "--yes", "--treat-dag-id-as-regex", ".*")
        until_done(lambda: not self._runs_going(), FIRST_RUNS_SECONDS)

    def _runs_going(self) -> int:
        """Every DAG that is switched on has a first run, which finds nothing."""
        return sum(
            self.airflow.api("GET", f"dags/~/dagRuns?state={state}&limit=1")["total_entries"]
            for state in ("queued", "running")
        )

    def compare_aggregators(self) -> None:
        """The nightly comparison, which finds what DACS has deleted without a word."""
        self.airflow.api("POST", "dags/reconcile/dagRuns", {"logical_date": None, "conf": {}})

    def waiting_files(self, day: Day) -> list[str]:
        """Files that have not got their last name yet."""
        names = {url: set(self.box.place(url).names()) for url in {file.url for file in day.files}}
        return sorted(file.name for file in day.files if file.name in names[file.url])

    def forget_the_day(self) -> None:
        """The other systems forget what they were sent, and their folders are emptied; the ledger forgets nothing."""
        for system in SERVICES:
            self.box.far(system).reset()
        for system, folders in FOLDERS.items():
            for folder in folders:
                for url in (f"sftp://{system}_files/{folder}", f"s3://{system}_objects/{system}/{folder}"):
                    place = self.box.place(url)
                    for name in place.names():
                        place.remove(name)

    def megabytes(self) -> tuple[float, float]:
        """Memory that Airflow's processes take (PSS), and that workers take which a killed scheduler left behind."""
        running = set(descendants(self.airflow.session))
        every = self.airflow.processes()
        return (
            sum(_megabytes(pid) for pid in every if pid in running),
            sum(_megabytes(pid) for pid in every if pid not in running),
        )

    def tear_down(self) -> None:
        """Ends everything."""
        self.airflow.stop()
        self.box.stop()
        self.ledger.close()
        self.cluster.remove()


def _megabytes(pid: int) -> float:
    with suppress(OSError, IndexError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        return int(rollup.partition("\nPss:")[2].split()[0]) / 1024
    return 0.0


def until_done(act: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> None:
    """Does something again and again until it is done: while servers are down it fails.

    Raises:
        TimeoutError: it was not done in time; its cause is what went wrong last.
    """
    end, why = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            if act() is not False:
                return
        except Exception as error:
            why = error
        time.sleep(1.0)
    raise TimeoutError(f"not done within {seconds:.0f} s: {why!r}") from why


def say(text: str) -> None:
    """One line, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}")
    sys.stdout.flush()
