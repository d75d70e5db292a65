"""One brick of a flow in a process of its own, as a worker of Airflow executes it: prints a JSON line of what it took.

    python bench/brick.py relay dacs_ouai_enrollment_sync ENROLL_SYNC_20260714T040000Z_0042.csv

Everything it needs to know is in the environment, as for any worker: AIRFLOW_CONN_*, DRBRIDGE_*. The time and the
growth of memory are counted from when the process has imported everything, as a worker that waits for tasks has.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any, cast

from drbridge_sandbox.task_run import FORM_AS_SHOWN, DagRun

KINDS = {"relay": ("drbridge_airflow.operators.relay", "Relay"), "take": ("drbridge_airflow.operators.take", "Take"),
         "send": ("drbridge_airflow.operators.send", "Send")}  # fmt: skip
LAZY = (
    "drbridge.exchange.relay", "drbridge.exchange.take", "drbridge.exchange.send", "drbridge.adapters.sftp",
    "drbridge.adapters.s3", "drbridge.adapters.http", "drbridge.checks",
)  # fmt: skip


class TaskInstance:
    """What a task says of itself; nobody listens."""

    map_index = -1

    def xcom_push(self, key: str, value: Any) -> None: ...

    def xcom_pull(self, **_: Any) -> None: ...


def memory(name: str) -> float:
    """VmRSS, or VmHWM (the most since it was last cleared), in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) / 1024


def cpu_seconds() -> float:
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    from airflow.sdk import DAG

    kind, flow, *file = sys.argv[1:]
    module, name = KINDS[kind]
    brick_class = getattr(importlib.import_module(module), name)
    for each in LAZY:
        importlib.import_module(each)
    with DAG(flow, schedule=None):
        brick = brick_class(task_id=kind, **({"file": file[0]} if file else {}))
    context = cast("Any", {"dag_run": DagRun(flow), "params": dict(FORM_AS_SHOWN), "ti": TaskInstance()})
    Path("/proc/self/clear_refs").write_text("5")
    before, cpu, started = memory("VmRSS"), cpu_seconds(), time.perf_counter()
    result = brick.execute(context)
    seconds = time.perf_counter() - started
    told = {
        "seconds": seconds, "cpu_seconds": cpu_seconds() - cpu, "megabytes": memory("VmHWM"), "before_mb": before,
        "growth_mb": memory("VmHWM") - before, "result": result,
    }  # fmt: skip
    print(json.dumps(told, default=str))


if __name__ == "__main__":
    main()
