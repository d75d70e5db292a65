"""A task ends with its supervisor: otherwise it would go on sending, unseen, beside its own retry."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1

# Who our parent was when this process first read this file; a forked child knows nothing here and asks later.
_PARENTS = {os.getpid(): os.getppid()}


def end_with_supervisor() -> None:
    """Asks the kernel to end this process with its parent, and ends it now if the parent is gone already.

    Does nothing outside a task process of Airflow: `dag.test` and unit tests run bricks in a process of their own
    that nobody supervises.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread() or not _is_supervised():
        return
    parent = _PARENTS.get(os.getpid(), os.getppid())
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _is_supervised() -> bool:
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    comms = getattr(runner, "SUPERVISOR_COMMS", None)
    return comms is not None and type(comms).__name__ == "CommsDecoder"
