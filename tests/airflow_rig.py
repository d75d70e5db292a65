"""A real Airflow beside a real sandbox, for tests that must see processes, not calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drbridge.ledger.database import Ledger
from drbridge_sandbox.airflow_processes import AirflowProcesses
from drbridge_sandbox.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[1]
ENDED = ("success", "failed")


@dataclass(frozen=True)
class Rig:
    """Airflow's processes, the systems around them, and the ledger between."""

    airflow: AirflowProcesses
    sandbox: Sandbox
    ledger: Ledger

    def unpause(self, *dag_ids: str) -> None:
        """Switches DAGs on, as soon as they have been read."""
        for dag_id in dag_ids:
            until(lambda dag_id=dag_id: self._known(dag_id), 60, f"{dag_id} is read")
            self.airflow.api("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.airflow.api("GET", f"dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
        return found

    def tasks(self, dag_id: str, run_id: str = "~") -> list[dict[str, Any]]:
        """The task instances of a run, or of all runs."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=500"
        found: list[dict[str, Any]] = self.airflow.api("GET", path)["task_instances"]
        return found

    def trigger(self, dag_id: str, **conf: Any) -> str:
        run_id: str = self.airflow.api("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})[
            "dag_run_id"
        ]
        return run_id

    def wait_for_run(self, dag_id: str, run_id: str, seconds: float = 60) -> str:
        """Waits until a run has ended; returns its state."""
        until(lambda: self._state(dag_id, run_id) in ENDED, seconds, f"{run_id} ends")
        return self._state(dag_id, run_id)

    def backfill(self, dag_id: str, first: str, last: str) -> None:
        """Runs `airflow backfill create` as an operator would."""
        self.airflow.cli(
            "backfill", "create", "--dag-id", dag_id, "--from-date", first, "--to-date", last,
            "--reprocess-behavior", "completed",
        )  # fmt: skip

    def wait_for_backfills(self, dag_id: str, seconds: float = 120) -> None:
        """Waits until every backfill has its `completed_at`, which Airflow notes twice a minute."""
        until(lambda: not self._open_backfills(dag_id), seconds, "the backfill is completed")

    def _known(self, dag_id: str) -> bool:
        return any(dag["dag_id"] == dag_id for dag in self.airflow.api("GET", "dags?limit=100")["dags"])

    def _state(self, dag_id: str, run_id: str) -> str:
        return str(self.airflow.api("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def _open_backfills(self, dag_id: str) -> list[Any]:
        found = self.airflow.api("GET", f"backfills?dag_id={dag_id}")["backfills"]
        return [each for each in found if each["completed_at"] is None]


@contextmanager
def rig(
    folder: Path, *, ledger_url: str = "", processes: type[AirflowProcesses] = AirflowProcesses, **env: str
) -> Iterator[Rig]:
    """Starts everything, and ends everything whatever happens.

    Args:
        ledger_url: of its database; SQLite in the folder if it is not said.
        processes: how Airflow is run.
    """
    ledger = Ledger(ledger_url or f"sqlite:///{folder}/ledger.db")
    sandbox = Sandbox(folder / "sandbox")
    settings = {
        **sandbox.env(),
        "DRBRIDGE_HOME": str(folder),
        "DRBRIDGE_LEDGER_URL": ledger.url,
        "DRBRIDGE_STAGING": (folder / "staging").as_uri(),
        "DRBRIDGE_LOOK_SECONDS": "2",
        **env,
    }
    airflow = processes(folder / "airflow", ROOT / "dags", ROOT / "plugins", settings)
    try:
        airflow.start()
        sandbox.start()
        airflow.wait_until_ready()
        yield Rig(airflow, sandbox, ledger)
    finally:
        airflow.stop()
        sandbox.stop()
        ledger.close()


def until(there: Callable[[], Any], seconds: float, what: str) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.3)
