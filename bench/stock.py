"""Airflow's own operators on the same work: prints a JSON line of what the work took, process start left out."""

from __future__ import annotations

import json
import os
import sys
import time
from resource import RUSAGE_SELF, getrusage
from typing import Any


def relay(path: str) -> None:
    """One file from a content server into a bucket."""
    from airflow.providers.amazon.aws.transfers.sftp_to_s3 import SFTPToS3Operator

    operator = SFTPToS3Operator(
        task_id="relay", sftp_conn_id="sftp_default", sftp_path=path, s3_conn_id="aws_default", s3_bucket="dacs",
        s3_key=f"incoming/energy/stock-{os.getpid()}.csv",
    )  # fmt: skip
    _time(lambda: operator.execute({}))


def calls(count: str) -> None:
    """So many PATCH calls, one after the other."""
    from airflow.providers.http.operators.http import HttpOperator

    send = HttpOperator(
        task_id="send", http_conn_id="http_default", method="PATCH",
        endpoint="rest/apis/common/sync/syncRequest/02611250000001", data=json.dumps({"status": "SUCCESS"}),
        headers={"Content-Type": "application/json"},
    )  # fmt: skip

    def every() -> None:
        for _ in range(int(count)):
            send.execute({})

    _time(every)


def _time(work: Any) -> None:
    used, started = getrusage(RUSAGE_SELF), time.perf_counter()
    work()
    seconds, after = time.perf_counter() - started, getrusage(RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    print("\n" + json.dumps({"seconds": seconds, "cpu_seconds": cpu}))


if __name__ == "__main__":
    {"relay": relay, "calls": calls}[sys.argv[1]](sys.argv[2])
