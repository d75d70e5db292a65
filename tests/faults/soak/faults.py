"""What goes wrong during a day: drawn from a seed, done at its moment, undone when its time is over.

Only faults whose outcome is determined are drawn. Not among them: refusals (4xx, an error inside a 200), redirects and
revoked rights, after which rows are REJECTED or wait for a person by rule; which rows that hits depends on who comes
first.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any

from tests.faults.soak.stage import SERVICES, Stage

PARTS = ("scheduler", "api-server", "triggerer", "dag-processor")
FILES = ("dacs_files", "derms_files", "ouai_files", "cis_files")
FREEZE_SECONDS = 100  # a lease lasts 90
EXECUTOR, WORKER = b"airflow worker -- LocalExecutor", b"airflow worker -- "


@dataclass
class Fault:
    """One fault of a day.

    Attributes:
        at: seconds after the day began.
        kind: what is done; `target`: to what; `detail`: how.
        seconds: until it is undone; 0: nothing is to be undone.
        times: how many requests a setting of the dial hits.
        wait: seconds that a reply asks us to stay away.
        hit: processes it was done to.
    """

    at: int
    kind: str
    target: str
    seconds: int = 0
    detail: str = ""
    times: int = 0
    wait: int = 0
    hit: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What it is in the report's table."""
        return " ".join(filter(None, (self.kind, self.detail or self.target)))

    def __str__(self) -> str:
        how = (f"{self.seconds} s" if self.seconds else "", f"{self.times} times" if self.times else "")
        told = ", ".join(filter(None, (*how, f"Retry-After {self.wait}" if self.wait else "")))
        words = filter(None, (self.kind, self.detail, self.target))
        return " ".join(words) + (f" ({told})" if told else "")


def draw(random: Random, within_seconds: int) -> list[Fault]:
    """The faults of a day, in the order of their moments: eight or more, of every family at least one."""
    drawn = [each(random) for each in (_kill, _kill, _kill_task, _power_cut, _down, _dial, _dial, _dial)]
    drawn += [each(random) for each in random.choices((_freeze, _kill_task, _down, _dial, _tokens), k=3)]
    for fault in drawn:
        fault.at = random.randrange(5, within_seconds)
    return sorted(drawn, key=lambda fault: fault.at)


def _kill(random: Random) -> Fault:
    return Fault(0, "kill -9", random.choice(PARTS))


def _kill_task(random: Random) -> Fault:
    return Fault(0, "kill -9", random.choice(("a task", "a task's supervisor")))


def _freeze(random: Random) -> Fault:
    return Fault(0, "SIGSTOP", random.choice(("scheduler", "a task")), FREEZE_SECONDS)


def _power_cut(random: Random) -> Fault:
    return Fault(0, "power cut", "PostgreSQL", random.randrange(2, 20))


def _down(random: Random) -> Fault:
    target = random.choice((*FILES, "ouai_objects", *(f"{service}_rest" for service in SERVICES)))
    return Fault(0, "down", target, random.randrange(5, 40))


def _dial(random: Random) -> Fault:
    name = random.choice(("drop_before", "drop_after", "error_after", "503", "429", "slow", "html", "error_in_200"))
    times, wait = random.randrange(1, 8), random.randrange(1, 20) if name in ("503", "429") else 0
    target = "derms" if name == "error_in_200" else random.choice(SERVICES)
    return Fault(0, "reply", target, detail=name, times=times, wait=wait)


def _tokens(random: Random) -> Fault:
    del random
    return Fault(0, "revoked", "tokens of the DERMS")


def begin(fault: Fault, stage: Stage) -> bool:
    """Does it; False when there was nothing to do it to, so that it is tried again."""
    if fault.kind == "power cut":
        stage.cluster.cut_power()
    elif fault.kind == "down":
        stage.box.down(fault.target)
    elif fault.kind == "revoked":
        stage.box.far("derms").revoke_tokens()
    elif fault.kind == "reply":
        stage.box.far(fault.target).fault(**setting(fault))
    else:
        fault.hit = _victims(stage, fault.target)
        _signal(fault.hit, SIGSTOP if fault.kind == "SIGSTOP" else SIGKILL)
        return bool(fault.hit)
    return True


def end(fault: Fault, stage: Stage) -> None:
    """Brings back what it took away."""
    if fault.kind == "power cut":
        stage.cluster.start()
    elif fault.kind == "down":
        stage.box.up(fault.target)
    elif fault.kind == "SIGSTOP":
        _signal(fault.hit, SIGCONT)


def setting(fault: Fault) -> dict[str, Any]:
    """How the dial of a service is turned for it."""
    if fault.detail.isdigit():
        return {"name": "status", "status": int(fault.detail), "retry_after": fault.wait, "times": fault.times}
    more: dict[str, dict[str, Any]] = {
        "slow": {"milliseconds": 1_500},
        "error_after": {"status": 500},
        "error_in_200": {"path": "/health"},
    }
    return {"name": fault.detail, "times": fault.times, **more.get(fault.detail, {})}


def _victims(stage: Stage, target: str) -> list[int]:
    titles = {pid: _title(pid) for pid in stage.airflow.processes()}
    if target in PARTS:
        return [pid for pid, title in titles.items() if f"airflow {target}".encode() in title.replace(b"_", b"-")]
    supervisors = {pid for pid, title in titles.items() if title.startswith(EXECUTOR)}
    tasks = [pid for pid, title in titles.items() if title.startswith(WORKER) and pid not in supervisors]
    working: Callable[[int], int] = _parent if target == "a task's supervisor" else int
    return [working(pid) for pid in tasks[-1:]]


def _title(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").strip()
    return b""


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
