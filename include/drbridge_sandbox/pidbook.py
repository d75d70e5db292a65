"""Which processes belong to a sandbox, kept on disk so that a later start can end what an earlier one left behind."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from drbridge_sandbox.children import descendants


def started_at(pid: int) -> str:
    """When a process was started, in the kernel's own count; empty when it is gone or there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


class PidBook:
    """The process ids of one sandbox, with their start times: a number that another process has now is left alone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, pids: list[int]) -> None:
        """Writes down who is running."""
        draft = self.path.with_suffix(".tmp")
        draft.write_text(json.dumps({pid: started_at(pid) for pid in pids}))
        draft.replace(self.path)

    def end_those_left(self, seconds: float = 5.0) -> int:
        """Kills those that are still alive, with all they started; returns how many there were."""
        alive = [pid for pid, started in self._read().items() if started and started_at(pid) == started]
        family = [child for pid in alive for child in descendants(pid)]
        for pid in (*alive, *family):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + seconds
        while any(started_at(pid) for pid in alive) and time.monotonic() < end:
            time.sleep(0.02)
        self.path.unlink(missing_ok=True)
        return len(alive)

    def _read(self) -> dict[int, str]:
        with suppress(OSError, ValueError):
            return {int(pid): str(started) for pid, started in json.loads(self.path.read_text()).items()}
        return {}
