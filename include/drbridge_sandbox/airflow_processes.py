"""A real Airflow of our own: scheduler, dag-processor, triggerer, API server; free ports, a session of its own.

The demo and the process tests start it. It keeps everything under one folder, and nothing of it outlives `stop`.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from typing import Any

from drbridge_sandbox.children import DidNotStart, free_ports

USER = "admin"
SESSION_FILE = "session"
CLI_SECONDS = 120.0
API_SECONDS = 90.0  # on SQLite an answer may wait for the write lock, up to the 60 s below


def settings(home: Path, port: int) -> dict[str, str]:
    """Airflow's settings, all in one place; the seconds in the comments were measured on a busy 2-core machine."""
    log_port, trigger_log_port, health_port = free_ports(3)
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # LocalExecutor is allowed on SQLite; with the default of 32 slots SQLite's one write lock becomes the queue.
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "8",
        # Without a busy time-out, a hundred mapped tasks end the scheduler with "database is locked".
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
        # The UI and the tasks' way back to us.
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        # 64 bytes: anything shorter warns on every call.
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        # One user, whose password we know because we write it.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        # Free ports, so that several can run on one host.
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_port),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_log_port),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(health_port),
        # A chain of ten tasks: 12 s with the default of 1, 5 s so.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # A watcher starts when its DAG file is read after unpausing. 10 s: 12 % of a core; 60 s: 4 %; default 30 s.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
        # Parsing in one process leaves the other core to the tasks.
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # Tasks of a crashed scheduler are taken over after this; less would end tasks whose API server is slow.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300",
        # Fewer lines; the tasks' own logs keep INFO.
        "AIRFLOW__LOGGING__UVICORN_LOGGING_LEVEL": "WARNING",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


# Read by every Airflow process of ours, from its home:
# - A transaction that begins with a savepoint and reads before it writes is told "database is locked" once another
#   process has written meanwhile, whatever the time-out; `airflow backfill create` does so. Hence the lock comes first.
# - Every task is a fork of the scheduler. What the scheduler has imported costs a task nothing: 0.35 s of CPU to make
#   ready for work instead of 0.73 s, measured in the task.
#   polars is not among it: it starts threads at import, and threads do not survive a fork.
LOCAL_SETTINGS = '''
"""Airflow's own database on SQLite: a savepoint takes the write lock before the transaction reads anything."""

import sqlite3
import sys

from sqlalchemy import Engine, event

__all__ = []

if sys.argv[1:2] == ["scheduler"]:
    import aiohttp, alembic.command, asyncssh, botocore.session


@event.listens_for(Engine, "savepoint")
def lock_first(connection, name):
    driver = connection.connection.dbapi_connection
    if isinstance(driver, sqlite3.Connection) and not driver.in_transaction:
        driver.execute("BEGIN IMMEDIATE")
'''


class AirflowProcesses:
    """`airflow standalone` with our DAGs and plugins.

    Args:
        home: its folder: database, logs, password, session id.
        dags: the DAG folder.
        plugins: the plugin folder.
        env: what its tasks need to know: connections, ledger, staging.
        port: of the UI; None takes a free one.
    """

    user = USER
    program: Sequence[str] = ("-m", "airflow", "standalone")

    def __init__(
        self, home: Path, dags: Path, plugins: Path, env: Mapping[str, str] | None = None, port: int | None = None
    ) -> None:
        self.home = home.resolve()
        self.port = port or free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.password = secrets.token_urlsafe(12)
        self.log = self.home / "standalone.log"
        self.env = {
            **os.environ,
            **settings(self.home, self.port),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            **(env or {}),
        }
        # Tasks start faster when the compiled files are kept.
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""

    def start(self) -> None:
        """Starts all four processes; `wait_until_ready` waits for them."""
        self.home.mkdir(parents=True, exist_ok=True)
        end_former(self.home)
        (self.home / "config").mkdir(exist_ok=True)
        (self.home / "config" / "airflow_local_settings.py").write_text(LOCAL_SETTINGS, encoding="utf-8")
        passwords = self.home / "passwords.json"
        passwords.write_text(json.dumps({USER: self.password}), encoding="utf-8")
        passwords.chmod(0o600)
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments
                [sys.executable, *self.program],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.env, cwd=self.home,
                start_new_session=True,
            )  # fmt: skip
        (self.home / SESSION_FILE).write_text(str(self._process.pid), encoding="utf-8")

    def wait_until_ready(self, seconds: float = 120.0) -> None:
        """Returns when scheduler, dag-processor, triggerer and API server all report healthy.

        Raises:
            DidNotStart: they never did; the text holds the end of the log.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process is not None and self._process.poll() is not None:
                raise DidNotStart(f"airflow ended with {self._process.returncode}: {self.tail()}")
            with suppress(OSError, ValueError):
                if all(part.get("status") == "healthy" for part in self._health().values()):
                    return
            time.sleep(0.2)
        raise DidNotStart(f"airflow is not healthy after {seconds:.0f} s: {self.tail()}")

    def stop(self) -> None:
        """Ends everything of the session at once. Nothing is lost by it: that is what the ledger is for."""
        end_former(self.home)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def kill(self, part: str) -> None:
        """Ends one of the four (scheduler, api-server, triggerer, dag-processor) by SIGKILL, as a machine would."""
        word = part.encode()
        for pid in self.processes():
            with suppress(OSError):
                if word in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"_", b"-"):
                    os.kill(pid, SIGKILL)

    def processes(self) -> list[int]:
        """All living processes of this Airflow."""
        return _of_session(self.session, self.home)

    @property
    def session(self) -> int:
        """The id of its session, which is that of its first process."""
        return int((self.home / SESSION_FILE).read_text(encoding="utf-8"))

    def restart(self) -> None:
        """Starts everything anew on what is left, as an operator or a supervisor would."""
        self.stop()
        self._token = ""
        self.start()
        self.wait_until_ready()

    def cli(self, *arguments: str) -> str:
        """Runs an `airflow` command beside it and returns what it prints."""
        done = subprocess.run(  # noqa: S603 - our own arguments
            [sys.executable, "-m", "airflow", *arguments],
            env=self.env, capture_output=True, text=True, timeout=CLI_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"airflow {' '.join(arguments)} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Calls Airflow's REST API as its user; `path` comes after /api/v2/."""
        if not self._token:
            login = {"username": self.user, "password": self.password}
            self._token = self._request("POST", "/auth/token", login)["access_token"]
        return self._request(method, f"/api/v2/{path}", body, {"Authorization": f"Bearer {self._token}"})

    def tail(self) -> str:
        return self.log.read_bytes()[-3000:].decode("utf-8", "replace") if self.log.exists() else ""

    def _health(self) -> dict[str, Any]:
        health: dict[str, Any] = self._request("GET", "/api/v2/monitor/health")
        return health

    def _request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(  # noqa: S310 - our own address
            self.url + path, data, {"Content-Type": "application/json", **(headers or {})}, method=method
        )
        try:
            with urllib.request.urlopen(asked, timeout=API_SECONDS) as reply:  # noqa: S310
                text = reply.read()
        except urllib.error.HTTPError as error:
            raise ValueError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error
        return json.loads(text) if text else None


def end_former(home: Path) -> None:
    """Ends what an earlier start in this folder left running, and nothing else."""
    file = home / SESSION_FILE
    if not file.exists():
        return
    session = int(file.read_text(encoding="utf-8"))
    end = time.monotonic() + 20.0
    while (ours := _of_session(session, home)) and time.monotonic() < end:
        for pid in ours:
            with suppress(ProcessLookupError):
                os.kill(pid, SIGKILL)
        time.sleep(0.05)
    file.unlink(missing_ok=True)


def _of_session(session: int, home: Path) -> list[int]:
    """Living processes of the session whose folder is this one: a session id may have been given to others since.

    Told by folder, not by environment: Airflow's workers write their titles over it.
    """
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            state, _, _, its_session = (place / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z" and (place / "cwd").readlink() == home.resolve():
                found.append(int(place.name))
    return found
