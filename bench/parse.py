"""What reading all DAG files costs a process that has Airflow and the providers' hooks loaded.

    python bench/parse.py

Each run is a process of its own: it imports `airflow.sdk` and the hooks of the three providers, then executes every DAG
file, as the DAG processor does. What our files import beside those is part of their time, and is told.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from functools import partial

from side import ROOT, Bar, Run, of_process, tell

SCRIPT = """
import json, runpy, sys, time
from pathlib import Path
started = time.perf_counter()
import airflow.sdk
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.http.hooks.http import HttpHook
from airflow.providers.sftp.hooks.sftp import SFTPHook
imported, known = time.perf_counter(), set(sys.modules)
files = sorted(Path("dags").rglob("*.py"))
for file in files:
    runpy.run_path(str(file))
ended = time.perf_counter()
new = sorted({name.partition(".")[0] for name in set(sys.modules) - known})
print(json.dumps({"seconds": imported - started, "parse": ended - imported, "files": len(files), "new": new}))
"""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=7)
    given = options.parse_args()
    env = {"AIRFLOW_HOME": str(ROOT / ".drbridge" / "bench" / "airflow")}
    once = partial(of_process, [sys.executable, "-c", SCRIPT], 1, env)
    once()
    imports = [once() for _ in range(given.runs)]
    parses = [Run(run.told["parse"], run.told["files"], run.cpu_seconds, run.megabytes) for run in imports]
    share = statistics.median(run.told["parse"] / run.seconds for run in imports)
    each = statistics.median(run.seconds / run.work for run in parses) * 1000
    files, new = imports[0].told["files"], ", ".join(imports[0].told["new"])
    return tell(
        "parse", "files", {"airflow.sdk and three hooks": imports, f"{files} DAG files": parses},
        [Bar(17, f"parsing all {files} DAGs adds", "importing airflow.sdk and three hooks", share, 0.3, is_most=True)],
        (f"{each:.1f} ms a file; loaded beside what was there: {new}",),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
