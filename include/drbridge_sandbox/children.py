"""Server processes that live no longer than we do, on ports of this machine only.

A child asks the kernel to be killed when the thread that started it ends: start servers from a thread that stays.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM

# Runs in the child before the server does; Linux only, elsewhere the child is ended by `stop` alone.
_DIE_WITH_PARENT = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class DidNotStart(RuntimeError):
    """A server did not answer in time, or ended at once; the text holds the end of its log."""


class Child:
    """One server process with its log.

    Args:
        command: absolute path of the program, and its arguments.
        log: where its output goes.
    """

    def __init__(self, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        starter = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid())]
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603
                [*starter, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, **(env or {})}, process_group=0,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_open(self, port: int, seconds: float = 20.0) -> None:
        """Returns when the port takes connections.

        Raises:
            DidNotStart: it never did.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise DidNotStart(f"ended with {self._process.returncode}: {self._tail()}")
            if is_open(port):
                return
            time.sleep(0.02)
        raise DidNotStart(f"port {port} does not answer: {self._tail()}")

    def stop(self, patience: float = 5.0) -> None:
        """Ends the process and everything it started; by force when it does not go within `patience` seconds."""
        family = descendants(self.pid)
        if self._process.poll() is None:
            self._process.send_signal(SIGTERM if patience > 0 else SIGKILL)
            try:
                self._process.wait(max(patience, 1.0))
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, SIGKILL)

    def _tail(self) -> str:
        return self.log.read_bytes()[-2000:].decode("utf-8", "replace")


def descendants(pid: int) -> list[int]:
    """All processes below one, as /proc knows them; none where there is no /proc."""
    found: list[int] = []
    for parent in _children(pid):
        found += [parent, *descendants(parent)]
    return found


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return []


def is_open(port: int) -> bool:
    """Whether something listens on this port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, all different."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
