"""A PostgreSQL cluster of our own for the tests: made by initdb, on a free port, gone with the session."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def find_binaries() -> Path | None:
    """The folder of initdb and postgres, or None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    return Path(path).resolve().parent if (path := shutil.which("initdb")) else None


@contextmanager
def cluster() -> Iterator[str]:
    """Runs a cluster in a folder of its own and gives the address of its database."""
    binaries = find_binaries()
    assert binaries is not None
    as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="drbridge-postgres-") as folder:
        root, port = Path(folder), _free_port()
        data = root / "data"
        if as_postgres:
            shutil.chown(root, "postgres")

        def run(*command: str) -> None:
            subprocess.run([*as_postgres, *command], check=True, stdout=subprocess.DEVNULL, cwd=root)

        run(str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        run(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(root / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres"
        finally:
            run(str(binaries / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
