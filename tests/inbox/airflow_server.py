"""Airflow's API server alone, with the plugin and three users."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from drbridge_sandbox.airflow_processes import AirflowProcesses
from tests.airflow_rig import ROOT

PASSWORDS = {"derms": "a password", "looker": "another password", "admin": "a third"}
USERS = "derms:user,looker:viewer,admin:admin"


@contextmanager
def api_server(folder: Path) -> Iterator[str]:
    """Starts it on a free port, and ends it with all it started."""
    (folder / "airflow").mkdir()
    (folder / "airflow" / "passwords.json").write_text(json.dumps(PASSWORDS), encoding="utf-8")
    airflow = AirflowProcesses(folder / "airflow", ROOT / "dags", ROOT / "plugins", {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": USERS, "DRBRIDGE_HOME": str(folder),
        "DRBRIDGE_LEDGER_URL": f"sqlite:///{folder}/ledger.db", "DRBRIDGE_STAGING": (folder / "staging").as_uri(),
    })  # fmt: skip
    airflow.cli("db", "migrate")
    with (folder / "api-server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "api-server"], env=airflow.env, cwd=folder, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        _wait(process, f"{airflow.url}/drbridge/health", folder / "api-server.log")
        yield airflow.url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        time.sleep(0.3)
    raise AssertionError(log.read_bytes()[-3000:])
