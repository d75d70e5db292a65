"""`drbridge sandbox` runs the other systems alone, says where they are, and ends on Ctrl-C."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from drbridge.adapters.looking import look_at_all
from drbridge.adapters.outside import connection_from_fields
from drbridge.systems import DEFAULT_FILE, load
from drbridge_sandbox.children import is_open
from drbridge_sandbox.sandbox import free_block


def test_it_prints_connections_drops_a_day_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    base = free_block()
    command = [
        str(Path(sys.executable).with_name("drbridge")), "sandbox", "--root", str(tmp_path), "--port-base", str(base),
        "--day", "2026-07-14", "--devices", "200",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = []
        for line in running.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                break
        exported = [shlex.split(line)[1] for line in said if line.startswith("export ")]
        connections = {name: json.loads(value) for name, _, value in (each.partition("=") for each in exported)}
        assert connections["AIRFLOW_CONN_DACS_REST"]["port"] == base + 1
        assert len(connections) == 11
        assert (tmp_path / "files/dacs/outgoing/scores/SDCSE_20260714_00.csv").exists()
        assert is_open(base + 1)
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0, running.stderr
    assert not is_open(base + 1)


def test_another_machine_reaches_it_by_its_name_with_the_connections_it_wrote(tmp_path: Path) -> None:
    """127.0.0.2 stands for this machine's name in a private network."""
    base, told = free_block(), tmp_path / "connections.json"
    command = [
        str(Path(sys.executable).with_name("drbridge")), "sandbox", "--root", str(tmp_path / "box"),
        "--port-base", str(base), "--host", "127.0.0.2", "--connections", str(told),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        next(line for line in running.stdout if "Ctrl-C" in line)
        assert told.stat().st_mode & 0o077 == 0
        connections = json.loads(told.read_text())
        assert len(connections) == 11
        assert "127.0.0.1" not in told.read_text()
        known = {name: connection_from_fields(name, fields) for name, fields in connections.items()}
        end = time.monotonic() + 10
        while not (seen := list(look_at_all(load(DEFAULT_FILE), known.__getitem__))) or not all(
            each.good for each in seen
        ):
            assert time.monotonic() < end, seen
            time.sleep(0.2)
        assert {each.connection for each in seen} <= set(connections)
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0, running.stderr
