"""A PostgreSQL cluster that can lose its power: one database for Airflow, one for the ledger."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from drbridge_sandbox.children import free_ports
from tests.postgres import find_binaries

DATABASES = ("airflow", "ledger")
IDLE = "idle_in_transaction_session_timeout=60s"  # as docker-compose.yaml has it


class Cluster:
    """It writes to disk what it has confirmed (fsync), so whatever was committed outlives a power cut."""

    def __init__(self) -> None:
        binaries = find_binaries()
        if binaries is None:
            raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
        self._binaries = binaries
        self._root = Path(tempfile.mkdtemp(prefix="drbridge-soak-postgres-"))
        self._data, (self.port,) = self._root / "data", free_ports(1)

    def create(self) -> None:
        """Makes the cluster, starts it and makes both databases."""
        if os.geteuid() == 0:
            shutil.chown(self._root, "postgres")
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust")
        self.start()
        for name in DATABASES:
            self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name)

    def url(self, database: str) -> str:
        """The address of a database as SQLAlchemy reads it."""
        return f"postgresql+psycopg2://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Starts it, and returns when it takes connections."""
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=''", "max_connections=200", IDLE)
        options = " ".join([f"-p {self.port}", *(f"-c {each}" for each in settings)])
        self._control("-w", "-l", str(self._root / "log"), "-o", options, "start")

    def cut_power(self) -> None:
        """Ends it at once: no connection is told, nothing is written any more."""
        self._control("-m", "immediate", "stop")

    def remove(self) -> None:
        """Ends it, and removes all of it."""
        if (self._data / "postmaster.pid").exists():
            self.cut_power()
        shutil.rmtree(self._root, ignore_errors=True)

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self._data), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        who = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        subprocess.run(
            [*who, str(self._binaries / program), *arguments],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=self._root,
        )  # fmt: skip
