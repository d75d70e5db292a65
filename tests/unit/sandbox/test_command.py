"""`drbridge sandbox` runs the other systems alone, says where they are, and ends on Ctrl-C."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

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
        assert len(connections) == 8
        assert (tmp_path / "files/dacs/outgoing/scores/SDCSE_20260714_00.csv").exists()
        assert is_open(base + 1)
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0, running.stderr
    assert not is_open(base + 1)
