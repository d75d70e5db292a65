"""A task never outlives the process that supervises it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drbridge_airflow import guard

SUPERVISOR = """
import os, sys, time
from drbridge_airflow import guard
guard._is_supervised = lambda: True
pid = os.fork()
if pid == 0:
    guard.end_with_supervisor()
    print(os.getpid(), flush=True)
    time.sleep(60)
    os._exit(0)
time.sleep(60)
"""
ORPHAN = """
import os, sys, time
from drbridge_airflow import guard
guard._is_supervised = lambda: True
if os.fork() == 0:
    guard._PARENTS[os.getpid()] = os.getppid()
    while os.getppid() == guard._PARENTS[os.getpid()]:
        time.sleep(0.01)
    guard.end_with_supervisor()
    print("went on", flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux kills a task with its parent")
def test_a_task_ends_when_its_supervisor_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        task = int(supervisor.stdout.readline())
        os.kill(supervisor.pid, signal.SIGKILL)
        end = time.monotonic() + 10
        while _lives(task):
            assert time.monotonic() < end, "the task lives on"
            time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux kills a task with its parent")
def test_a_task_whose_supervisor_is_gone_already_does_nothing() -> None:
    told = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=30)
    assert told.stdout == ""


def test_a_brick_run_without_a_supervisor_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard.os, "getppid", lambda: -1)
    guard.end_with_supervisor()


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
