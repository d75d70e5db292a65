"""strace, held to a process: it counts system calls, or kills at the n-th of a kind."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CALLS = {
    "write": ("write", "pwrite64"),
    "send": ("sendto", "sendmsg"),
    "receive": ("recvfrom", "recvmsg"),
    "fsync": ("fsync", "fdatasync"),
}
"""What is counted, by the word that the proof's table has for it."""
KIND_OF = {call: kind for kind, calls in CALLS.items() for call in calls}
MISSING = "strace is not installed here"
_CALL = re.compile(r"^(\d+) +(\w+)\(")


def is_installed() -> bool:
    return shutil.which("strace") is not None


@contextmanager
def holding(pid: int, log: Path, *options: str) -> Iterator[None]:
    """Traces a process and its threads, from now until they have ended; each call is counted from here."""
    traced = f"trace={','.join(KIND_OF)}"
    command = ["strace", "-f", "-p", str(pid), "-o", str(log), "-e", traced, "-e", "signal=none", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert "attached" in first, first
        try:
            yield
        finally:
            process.stderr.read()
            process.wait()


def kill_at(call: str, number: int) -> tuple[str, str]:
    """The options that kill right before the n-th call of a kind by one thread, counted per thread."""
    return "-e", f"inject={call}:signal=SIGKILL:when={number}"


def counted(log: Path) -> dict[str, int]:
    """How often the busiest thread made each call."""
    made = Counter(found.groups() for line in log.read_text().splitlines() if (found := _CALL.match(line)))
    most: dict[str, int] = {}
    for (_, call), count in made.items():
        if call in KIND_OF:
            most[call] = max(most.get(call, 0), count)
    return most
