"""strace, held to a process: it counts system calls, or kills at the n-th of a kind."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KINDS = ("write", "send", "receive", "fsync")
"""What is counted, by the word that the proof's table has for it."""
_ON_FILES = {"write": "write", "pwrite64": "write", "fsync": "fsync", "fdatasync": "fsync"}
_ON_SOCKETS = {
    "write": "send", "writev": "send", "sendto": "send", "sendmsg": "send",
    "read": "receive", "recvfrom": "receive", "recvmsg": "receive",
}  # fmt: skip
SOCKET = "socket:"
MISSING = "strace is not installed here"
_CALL = re.compile(r"^(\d+) +(\w+)\(\d+<([^>]*)>")


def is_installed() -> bool:
    return shutil.which("strace") is not None


@contextmanager
def holding(pid: int, log: Path, *options: str) -> Iterator[None]:
    """Traces a process and its threads, from now until they have ended; each call is counted from here."""
    traced = f"trace={','.join({**_ON_FILES, **_ON_SOCKETS})}"
    command = ["strace", "-f", "-y", "-p", str(pid), "-o", str(log), "-e", traced, "-e", "signal=none", *options]
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


def made(log: Path) -> dict[str, list[str]]:
    """Of the busiest thread for each call: of what kind each of its calls was, empty for one that is of none.

    Those of no kind (a file is read, a thread is woken) do not make it busy, but count: strace numbers them too.

    A client may write to a socket as to a file; what is at the other end of the descriptor tells them apart.
    """
    threads: dict[tuple[str, str], list[str]] = {}
    for thread, call, what in (found.groups() for line in log.read_text().splitlines() if (found := _CALL.match(line))):
        kinds = _ON_SOCKETS if what.startswith(SOCKET) else _ON_FILES if what.startswith("/") else {}
        threads.setdefault((thread, call), []).append(kinds.get(call, ""))
    busiest: dict[str, list[str]] = {}
    for (_, call), kinds_of_it in threads.items():
        busiest[call] = max(busiest.get(call, []), kinds_of_it, key=lambda each: (sum(map(bool, each)), len(each)))
    return busiest
